# SPDX-License-Identifier: Apache-2.0
"""The main job on one machine: exchange and appliance, joined, recorded and verified.

As root the two sides live in network namespaces of their own, joined by veth pairs, the feed comes
by AF_XDP and tcpdump records every line at the exchange's end. Without root both sides use
loopback: no namespaces, no XDP, no capture, so nothing to verify against.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tools.loopback_ports import loopback_ports
from tools.namespaces import Link, NamespaceError, joined_beside_others, start

EXAMPLES = Path(__file__).parent / "examples"
EXCHANGE, TRADER = "exchange", "trader"
LINKS = (
    Link("line-a", "10.71.1.1", "10.71.1.2"),
    Link("line-b", "10.71.2.1", "10.71.2.2"),
    Link("orders", "10.71.3.1", "10.71.3.2"),
)
READY_SECONDS = 30
STOP_SECONDS = 15
LOOPBACK_COSTS = (
    "without root: both sides on loopback sockets. That costs the namespaces, AF_XDP (the feed "
    "comes by kernel sockets) and the captures (so nothing is verified)."
)


class DemoError(RuntimeError):
    """The demo can't go on; the message is one line."""


@dataclass
class Demo:
    """What one run is asked for, and where it keeps its files."""

    seconds: float
    folder: Path
    messages_per_second: int
    symbols: int
    path: str
    as_root: bool
    has_card: bool = False
    planted: str = ""
    send: str = "ordinary"
    first_port: int | None = None  # on loopback
    suffix: str = ""  # of the namespaces' names
    children: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    def child(self, name: str, side: str, command: list[str]) -> subprocess.Popen[bytes]:
        """Start one of the demo's processes; its output goes to a file of its name."""
        with open(self.folder / f"{name}.log", "wb") as log:
            process = start(
                side + self.suffix if self.as_root else None,
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.children.append((name, process))
        return process

    def log_tail(self, name: str) -> str:
        """The last line that a process printed."""
        lines = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def run_demo(demo: Demo) -> dict[str, Any]:
    """Run the demo and return its report; raises :class:`DemoError`, leaves no process behind."""
    with contextlib.ExitStack() as stack:
        if demo.as_root:
            try:
                demo.suffix = stack.enter_context(joined_beside_others(EXCHANGE, TRADER, LINKS))
            except NamespaceError as error:
                raise DemoError(str(error)) from None
        else:
            try:
                demo.first_port = stack.enter_context(loopback_ports())
            except OSError as error:
                raise DemoError(str(error)) from None
        stack.callback(_stop_all, demo)
        captures = _start_captures(demo) if demo.as_root else []
        exchange = _start_exchange(demo)
        appliance = _start_appliance(demo)
        _watch(demo, appliance, exchange)
        report: dict[str, Any] = {
            "mode": "namespaces" if demo.as_root else "loopback",
            "namespaces": [side + demo.suffix for side in (EXCHANGE, TRADER)]
            if demo.as_root
            else [],
            "note": "" if demo.as_root else LOOPBACK_COSTS,
            "seconds": demo.seconds,
            "appliance": _report_of(demo, "appliance"),
        }
        _end(demo, "exchange", exchange, signal.SIGTERM)
        report["exchange"] = _report_of(demo, "exchange")
        if demo.has_card:
            report["offload"] = report["appliance"]["offload"]
        for name, process in demo.children:
            if name.startswith("tcpdump"):
                _end(demo, name, process, signal.SIGINT)
        report["verify"] = _verified(demo, captures)
        report["problems"] = problems_of(demo, report)
        report["ok"] = not report["problems"]
        return report


def _command() -> list[str]:
    return [sys.executable, "-m", "tools.main"]


def _start_captures(demo: Demo) -> list[Path]:
    """Record at the exchange's end: what XDP takes at the other end is never seen by tcpdump."""
    captures = []
    if shutil.which("tcpdump") is None:
        raise DemoError("tcpdump is not installed; tools/tickwire installs it")
    for link in LINKS:
        path = demo.folder / f"{link.name}.pcap"
        command = [
            "tcpdump",
            "-i",
            link.name,
            "-w",
            str(path),
            "-B",
            "65536",
            "-s",  # a ring slot holds the snapshot length: short ones lose fewer frames
            "2048",
            "-U",
            "-n",
            "--time-stamp-precision=nano",
            "-Z",
            "root",
        ]
        demo.child(f"tcpdump-{link.name}", EXCHANGE, command)
        captures.append(path)
    for link in LINKS:
        log = demo.folder / f"tcpdump-{link.name}.log"
        _wait(demo, log.stem, partial(_says, log, "listening on"))
    return captures


def _says(log: Path, text: str) -> bool:
    return text in log.read_text(errors="replace")


def _start_exchange(demo: Demo) -> subprocess.Popen[bytes]:
    from tools.demo_config import exchange_text

    config = demo.folder / "exchange.toml"
    config.write_text(exchange_text(demo.first_port, demo.symbols, demo.messages_per_second))
    process = demo.child(
        "exchange",
        EXCHANGE,
        [
            *_command(),
            "exchange",
            str(config),
            "--json",
            "--report",
            str(demo.folder / "exchange.json"),
            "--ready",
            str(demo.folder / "exchange.ready"),
        ],
    )
    _wait(demo, "exchange", (demo.folder / "exchange.ready").exists)
    return process


def _start_appliance(demo: Demo) -> subprocess.Popen[bytes]:
    from tools.demo_config import appliance_text

    config = demo.folder / "appliance.toml"
    config.write_text(
        appliance_text(
            demo.first_port,
            demo.path,
            demo.folder / "journal.bin",
            has_card=demo.has_card,
            planted=demo.planted,
            send=demo.send,
        )
    )
    process = demo.child(
        "appliance",
        TRADER,
        [
            *_command(),
            "run",
            str(config),
            "--json",
            "--seconds",
            str(demo.seconds),
            "--report",
            str(demo.folder / "appliance.json"),
            "--ready",
            str(demo.folder / "appliance.ready"),
        ],
    )
    _wait(demo, "appliance", (demo.folder / "appliance.ready").exists)
    return process


def _wait(demo: Demo, name: str, is_ready: Callable[[], bool]) -> None:
    """Wait until a process is ready; a process that ended first is the error."""
    process = next(process for child, process in demo.children if child == name)
    end = time.monotonic() + READY_SECONDS
    while not is_ready():
        if process.poll() is not None:
            raise DemoError(f"{name} did not start: {demo.log_tail(name)}")
        if time.monotonic() > end:
            raise DemoError(f"{name} was not ready after {READY_SECONDS} s")
        time.sleep(0.02)


def _watch(demo: Demo, appliance: subprocess.Popen[bytes], other: subprocess.Popen[bytes]) -> None:
    """Wait for the appliance to end by itself, showing how far it is."""
    begin = time.monotonic()
    with _progress(demo.seconds) as show:
        while appliance.poll() is None:
            elapsed = time.monotonic() - begin
            show(elapsed)
            if other.poll() is not None:
                raise DemoError(f"the exchange ended early: {demo.log_tail('exchange')}")
            if elapsed > demo.seconds + READY_SECONDS + STOP_SECONDS:
                raise DemoError("the appliance did not stop in time")
            time.sleep(0.1)
    if appliance.returncode != 0 and not (demo.has_card and _has_report(demo, "appliance")):
        raise DemoError(f"the appliance failed: {demo.log_tail('appliance')}")


@contextlib.contextmanager
def _progress(seconds: float) -> Iterator[Callable[[float], None]]:
    """A bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda elapsed: None
        return
    from rich.progress import Progress

    from tools.report import console

    with Progress(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("trading", total=seconds)
        yield lambda elapsed: bar.update(task, completed=min(elapsed, seconds))


def _end(demo: Demo, name: str, process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(how)
    try:
        code = process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise DemoError(f"{name} did not stop within {STOP_SECONDS} s") from None
    if code != 0:
        raise DemoError(f"{name} ended with code {code}: {demo.log_tail(name)}")


def _stop_all(demo: Demo) -> None:
    """End what still runs, the last started first, so that each can close in order."""
    for _, process in reversed(demo.children):
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS / 2)
        if process.poll() is None:
            process.kill()
        process.wait()
        for ring in Path("/dev/shm").glob(f"tickwire-{process.pid}-*"):
            ring.unlink()


def _has_report(demo: Demo, name: str) -> bool:
    """A card out of step ends the appliance with an exit code, but in order."""
    return (demo.folder / f"{name}.json").exists()


def _report_of(demo: Demo, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((demo.folder / f"{name}.json").read_text())
    except (OSError, ValueError):
        raise DemoError(f"{name} left no report: {demo.log_tail(name)}") from None
    return found


def _verified(demo: Demo, captures: list[Path]) -> dict[str, Any]:
    if not captures:
        return {"done": False, "ok": True, "why_not": "no captures without root"}
    from tools.verify import verify

    found = verify(
        [path for path in captures if path.stem == "orders"], demo.folder / "journal.bin"
    )
    return {"done": True, **found.to_dict()}


def problems_of(demo: Demo, report: dict[str, Any]) -> list[str]:
    """What a run that went well does not have, a line of text each."""
    appliance, verified = report["appliance"], report["verify"]
    offload, open_orders = appliance["offload"], appliance["open_orders"]
    given_up = appliance["gaps"]["never"]
    found = {
        "the captures and the journal differ": not verified["ok"],
        f"orders still open at the end: {open_orders:,}": open_orders,
        f"gaps of the feed given up: {given_up:,}": given_up,
        "no segment was sent by delegation": (
            demo.send != "ordinary" and not verified.get("delegated_segments", 0)
        ),
        "the gateware and the host's gate differ": offload is not None and not offload["ok"],
    }
    return [problem for problem, is_there in found.items() if is_there]


@contextlib.contextmanager
def demo_folder(keep: Path | None) -> Iterator[Path]:
    """Where the run's files go: the folder to keep, or one that is removed at the end."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="tickwire-demo-") as name:
        yield Path(name)


def is_root() -> bool:
    """Whether namespaces can be made: root with the capabilities that root normally has."""
    from tools.doctor import privileges

    return os.geteuid() == 0 and not any(
        finding.verdict == "missing" and finding.name in ("CAP_NET_ADMIN", "CAP_SYS_ADMIN")
        for finding in privileges()
    )
