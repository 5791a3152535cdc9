# SPDX-License-Identifier: Apache-2.0
"""Registers go into a RAM where nothing else sees what is in front of them, and only there."""

import copy

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw import synthesis
from hw.ram_registers import absorb
from hw.swept_memory import SweptMemory

CLOCK, ADDRESS, OUT = 2, 3, 90


def register(source: int, q: int, **changed: object) -> dict[str, object]:
    """A register as yosys writes it."""
    wires = {"CLK": [CLOCK], "DI": [source], "LSR": ["0"], "Q": [q]}
    return {
        "type": "TRELLIS_FF",
        "parameters": {"CLKMUX": "CLK", "CEMUX": "1 ", "GSR": "DISABLED", "LSRMUX": "LSR"},
        "port_directions": {p: "output" if p == "Q" else "input" for p in (*wires, "CE")},
        "connections": wires | changed,
    }


def netlist() -> dict[str, object]:
    """A RAM of two bits, a register behind each, and something that looks at one of those."""
    wires = {
        "CLKB": [CLOCK], "WEB": ["0"], "OCEB": ["1"], "RSTB": ["0"], "ADB0": [ADDRESS],
        "DOB0": [10], "DOB1": [11], "DOB2": [],
    }  # fmt: skip
    ram = {
        "type": "DP16KD",
        "parameters": {"REGMODE_B": "NOREG"},
        "port_directions": {p: "output" if p.startswith("DO") else "input" for p in wires},
        "connections": wires,
    }
    look = {
        "type": "LUT4",
        "parameters": {},
        "port_directions": {"A": "input", "Z": "output"},
        "connections": {"A": [21], "Z": [OUT]},
    }
    return {
        "ports": {"out": {"direction": "output", "bits": [OUT]}},
        "cells": {"ram": ram, "r0": register(10, 20), "r1": register(11, 21), "look": look},
    }


def test_registers_behind_a_ram_go_into_it() -> None:
    module = netlist()
    assert absorb(module) == 2
    assert module["cells"].keys() == {"ram", "look"}
    ram = module["cells"]["ram"]
    assert ram["parameters"]["REGMODE_B"] == "OUTREG"
    assert (ram["connections"]["DOB0"], ram["connections"]["DOB1"]) == ([20], [21])
    assert absorb(module) == 0  # the look-up table now behind it is none


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["cells"]["look"]["connections"].update(A=[11]),
        lambda m: m["ports"]["out"].update(bits=[11]),
        lambda m: m["cells"]["r1"]["connections"].update(CE=[5]),
        lambda m: m["cells"]["r1"]["connections"].update(LSR=[5]),
        lambda m: m["cells"]["r1"]["connections"].update(CLK=[5]),
        lambda m: m["cells"]["r1"]["parameters"].update(CLKMUX="INV"),
        lambda m: m["cells"]["ram"]["connections"].update(WEB=[5]),
        lambda m: m["cells"]["ram"]["connections"].update(RSTB=[5]),
        lambda m: m["cells"].update(r1=m["cells"]["look"] | {"connections": {"A": [11]}}),
    ],
)  # fmt: skip
def test_what_is_seen_or_stopped_stays_outside(change) -> None:
    module = netlist()
    change(module)
    before = copy.deepcopy(module)
    assert absorb(module) == 0
    assert module == before


def test_registers_to_be_kept_are_kept() -> None:
    module = netlist()
    assert absorb(module, kept=[20]) == 0


class Table(wiring.Component):
    """A table whose rows come out of a register; a gate between that and the boundary."""

    write: In(1)
    place: In(9)
    given: In(18)
    row: Out(18)

    def __init__(self, registered: int) -> None:
        self.registered = registered
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = SweptMemory(
            18, 512, is_transparent=False, may_collide=False, registered=self.registered
        )
        address, found = table.read()
        mask = Signal(18)
        m.d.sync += mask.eq(self.given)
        m.d.comb += [
            table.write_enable.eq(self.write),
            table.write_address.eq(self.place),
            table.write_data.eq(self.given),
            address.eq(self.place),
            self.row.eq(found ^ mask),
        ]
        return m


def test_the_tools_take_it_and_it_is_faster() -> None:
    plain, registered = (
        synthesis.synthesise(Table(count), f"table_{count}", (1,)) for count in (0, 1)
    )
    assert plain.size.bram == registered.size.bram == 1
    assert plain.size.ff == registered.size.ff
    assert registered.worst_mhz > plain.worst_mhz
    assert not any("DOB" in step for step in registered.runs[0].critical_path[:1])
