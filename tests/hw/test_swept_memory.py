# SPDX-License-Identifier: Apache-2.0
"""The block RAM that clears itself, and what it shows of a read that meets a write."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.swept_memory import SweptMemory
from hw.verilog import verilog_of
from sim.gateware import harness

DEPTH, BITS = 16, 8


class Table(wiring.Component):
    """One memory with ports."""

    def __init__(self, **options):
        self.options = options
        super().__init__(
            {
                "init_done": Out(1),
                "write_enable": In(1),
                "write_address": In(4),
                "write_data": In(BITS),
                "read_address": In(4),
                "read_data": Out(BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = SweptMemory(BITS, DEPTH, **self.options)
        for name in ("write_enable", "write_address", "write_data"):
            m.d.comb += getattr(memory, name).eq(getattr(self, name))
        address, found = memory.read()
        m.d.comb += [address.eq(self.read_address), self.read_data.eq(found)]
        m.d.comb += self.init_done.eq(memory.init_done)
        return m


@pytest.mark.parametrize(
    ("options", "collided"),
    [
        ({}, 0x55),
        ({"is_transparent": False}, 0x33),
        ({"registered": 1}, 0x33),
        ({"is_transparent": False, "may_collide": False}, 0xFF ^ 0x33),
        ({"registered": 1, "may_collide": False}, 0xFF ^ 0x33),
        ({"registered": 1, "may_collide": False, "late_write": True}, 0xFF ^ 0x33),
        ({"late_write": True}, 0x55),
    ],
)
def test_a_read_in_the_cycle_of_a_write(options, collided):
    with harness.model(Table(**options), "table") as model:
        cycles = 0
        while not model.step()["init_done"]:
            cycles += 1
        late = options.get("late_write", False)
        assert cycles == DEPTH + late
        for address in range(DEPTH):  # whatever was there has gone
            for _ in range(3):
                found = model.step(read_address=address)
            assert found["read_data"] == 0
        model.step(write_enable=1, write_address=5, write_data=0x33)
        for _ in range(3):
            model.step(write_enable=0)
        model.step(write_enable=1, write_address=5, write_data=0x55, read_address=5)
        if late:
            model.step(write_enable=0, read_address=5)
        for _ in range(1 + options.get("registered", 0)):
            found = model.step(write_enable=0, read_address=5)
        assert found["read_data"] == collided
        assert model.step(read_address=5)["read_data"] == 0x55


def test_a_device_has_no_gates_for_what_nobody_looks_at():
    bare = verilog_of(Table(registered=1, may_collide=False), "table")
    assert "collided" not in bare and "no_rw_check" in bare
    assert "no_rw_check" not in verilog_of(Table(registered=1), "table")


def test_a_depth_that_is_no_power_of_two_is_refused():
    with pytest.raises(ValueError, match="12 is not a power of two"):
        SweptMemory(BITS, 12)
