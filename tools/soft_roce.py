# SPDX-License-Identifier: Apache-2.0
"""A guest with a soft-RoCE device (``rdma_rxe``), for machines whose kernel has no RDMA.

QEMU emulates the processor, so nothing there says anything about speed: it proves function. The
guest sees this machine's files and writes to memory only; it has no network but its own.
"""

from __future__ import annotations

import io
import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.namespaces import start
from tools.soft_roce_image import FOLDER, GuestError, prepare, program

ROOT = Path(__file__).resolve().parent.parent
GUEST = Path(__file__).with_name("soft_roce_guest.sh")
BUILT = FOLDER / "modules"
MEMORY_MEBIBYTES = 1536
ARCHITECTURE = "x86-64-v3"
"""What the emulated processor can do; compiled modules of this machine may need more of it."""

MODULES = (
    "nic/clock",
    "nic/frame",
    "nic/port",
    "nic/stream",
    "nic/verbs/*",
    "host/ipc/broadcast",
    "host/ipc/event_stream",
    "host/ipc/rdma_*",
    "host/ipc/slot_ring",
    # a feed host with its risk gate, and strategy hosts
    "host/book/book",
    "host/book/order_book",
    "host/engine",
    "host/execution/*",
    "host/feed/*",
    "host/gateway/*",
    "host/interfaces",
    "host/metrics/*",
    "host/oms/*",
    "host/publish/*",
    "host/remote/*",
    "host/risk/*",
    "host/strategy/*",
)
"""The compiled modules that the RDMA tests use: built again for the guest's processor."""


def build_modules() -> None:
    """Compile MODULES for the guest's processor; raises :class:`GuestError`."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for pattern in MODULES
        for path in sorted(ROOT.glob(f"{pattern}.pyx"))
    ]
    done = subprocess.run(
        [sys.executable, "tools/build_backend.py", *names],
        cwd=ROOT,
        env={
            **os.environ,
            "TICKWIRE_MARCH": ARCHITECTURE,
            "TICKWIRE_OPTIMISE": "-O1",  # many modules, and nothing there is about speed
            "TICKWIRE_BUILD_INTO": str(BUILT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        raise GuestError(f"building for the guest failed: {(lines or ['no reason given'])[0]}")


def command_line(kernel: Path, first: Path, console: Path, run: Path, token: str) -> list[str]:
    """QEMU's arguments: processor emulated in threads, root file system read-only, two lines out.

    Hardware virtualisation is not tried: where it exists in name only, it hangs.
    """
    append = f"console=ttyS0 quiet panic=-1 tickwire_guest={GUEST} tickwire_run={run} "
    return [
        program("qemu-system-x86_64"),
        *("-accel", "tcg,thread=multi", "-cpu", "max"),
        *("-smp", str(min(os.cpu_count() or 1, 4)), "-m", str(MEMORY_MEBIBYTES)),
        *("-nodefaults", "-no-reboot", "-display", "none"),
        *("-kernel", str(kernel), "-initrd", str(first)),
        *("-append", append + f"tickwire_token={token}"),
        *("-chardev", f"file,id=console,path={console}", "-serial", "chardev:console"),
        *("-serial", "stdio"),
        *("-fsdev", "local,id=files,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", "virtio-9p-pci,fsdev=files,mount_tag=files"),
    ]


def check_paths(*paths: Path) -> None:
    """The kernel's command line can't hold a blank; raises :class:`GuestError`."""
    for path in paths:
        if any(character.isspace() for character in str(path)):
            raise GuestError(f"the guest can't be told of a path with a blank: {path}")


def run(command: Sequence[str], timeout_s: float, write: Callable[[bytes], object]) -> int:
    """Run a command in a fresh guest, in this checkout; its exit code.

    What it prints goes to ``write`` as it comes. Raises :class:`GuestError` when the guest does
    not come up or does not end in time; however this ends, the guest is gone.
    """
    kernel, first = prepare()
    token = f"tickwire-exit-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory(prefix="tickwire-guest-") as name:
        folder = Path(name)
        settings = " ".join(
            f"{key}={shlex.quote(value)}"
            for key, value in os.environ.items()
            if key.startswith("TICKWIRE_RDMA_")
        )
        check_paths(GUEST, folder)
        (folder / "command.sh").write_text(
            f"cp -a {shlex.quote(str(BUILT))}/. {shlex.quote(str(ROOT))}/ 2>/dev/null\n"
            f"cd {shlex.quote(str(ROOT))} && {settings} {shlex.join(command)}\n"
        )
        console = folder / "console"
        arguments = command_line(kernel, first, console, folder, token)
        guest = start(
            None,
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            guest.kill()

        timer = threading.Timer(timeout_s, end)
        timer.start()
        try:
            code = _follow(guest, token, write)
            guest.wait(30)
        except subprocess.TimeoutExpired:  # it said its code and did not switch itself off
            pass
        finally:
            timer.cancel()
            guest.kill()
            _, errors = guest.communicate()
        if code is None:
            said = [*errors.decode(errors="replace").splitlines(), *_last_words(console)]
            reason = f"not done in {timeout_s:.0f} s" if late.is_set() else "it ended early"
            raise GuestError(f"the guest: {reason}" + (f": {said[-1]}" if said else ""))
        return code


def _follow(
    guest: subprocess.Popen[bytes], token: str, write: Callable[[bytes], object]
) -> int | None:
    """Pass the guest's words on; the exit code it gives at the end, ``None`` without one."""
    assert isinstance(guest.stdout, io.BufferedReader)
    mark = b"\n" + token.encode() + b" "
    kept = b""
    while piece := guest.stdout.read1(4096):
        kept += piece
        words, found, code = kept.partition(mark)
        if found:
            write(words)
            while not code.endswith(b"\n"):
                code += guest.stdout.read1(16) or b"2\n"
            return int(code)
        # The mark's beginning, or all of it without the code, may stand at the end.
        start = kept.rfind(b"\n", max(0, len(kept) - len(mark)))
        start = start if start >= 0 and mark.startswith(kept[start:]) else len(kept)
        write(kept[:start])
        kept = kept[start:]
    write(kept)
    return None


def _last_words(console: Path) -> list[str]:
    """Lines of the guest's console that say something."""
    if not console.exists():
        return []
    text = console.read_bytes().decode(errors="replace").splitlines()
    return [line.strip() for line in text if line.strip()]


def stop_on_signal(number: int, frame: object) -> None:
    """SIGTERM ends a run as Ctrl-C does."""
    raise KeyboardInterrupt


def with_tests(arguments: Sequence[str]) -> list[str]:
    """Arguments for pytest, with the RDMA tests where none are named: the guest has no others."""
    places = [argument.split("::")[0] for argument in arguments if not argument.startswith("-")]
    named = any((ROOT / place).exists() for place in places)
    return [*arguments] if named else [*arguments, "tests/rdma"]


def test(arguments: Sequence[str], timeout_s: float) -> int:
    """Run the RDMA tests in the guest with pytest; its exit code. Raises :class:`GuestError`."""
    signal.signal(signal.SIGTERM, stop_on_signal)
    prepare()
    build_modules()

    def write(line: bytes) -> None:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()

    # Without what takes long to load on an emulated processor.
    unused = [f"-pno:{name}" for name in ("cacheprovider", "hypothesispytest", "xdist")]
    pytest = ["-m", "pytest", *unused, "--noconftest", "--timeout=1200"]
    return run([sys.executable, *pytest, *with_tests(arguments)], timeout_s, write)
