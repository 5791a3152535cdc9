# SPDX-License-Identifier: Apache-2.0
"""Registers go into a multiplier where all of both factors comes from them, and only there."""

import copy

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw import synthesis
from hw.multiplier_registers import absorb

CLOCK, OUT = 2, 90


def register(source: int, q: int) -> dict[str, object]:
    """A register as yosys writes it."""
    wires = {"CLK": [CLOCK], "DI": [source], "LSR": ["0"], "Q": [q]}
    return {
        "type": "TRELLIS_FF",
        "parameters": {"CLKMUX": "CLK", "CEMUX": "1 ", "GSR": "DISABLED", "LSRMUX": "LSR"},
        "port_directions": {p: "output" if p == "Q" else "input" for p in (*wires, "CE")},
        "connections": wires,
    }


def netlist() -> dict[str, object]:
    """A multiplier: two bits times one bit and a constant; something looks at one of the bits."""
    wires = {"A0": [20], "A1": [21], "A2": ["0"], "B0": [22], "B1": ["1"], "P0": [OUT]}
    multiplier = {
        "type": "MULT18X18D",
        "parameters": {},
        "port_directions": {
            p: "output" if p.startswith("P") else "input" for p in (*wires, "RST0")
        },
        "connections": wires,
    }
    look = {
        "type": "LUT4",
        "parameters": {},
        "port_directions": {"A": "input", "Z": "output"},
        "connections": {"A": [21], "Z": [91]},
    }
    registers = {f"r{n}": register(10 + n, 20 + n) for n in range(3)}
    return {
        "ports": {"out": {"direction": "output", "bits": [OUT, 91]}},
        "cells": {"multiplier": multiplier, "look": look, **registers},
    }


def test_registers_before_a_multiplier_go_into_it() -> None:
    module = netlist()
    assert absorb(module) == 1
    assert module["cells"].keys() == {"multiplier", "look", "r1"}
    multiplier = module["cells"]["multiplier"]
    wires, parameters = multiplier["connections"], multiplier["parameters"]
    assert [wires[port] for port in ("A0", "A1", "A2", "B0", "B1")] == [
        [10], [11], ["0"], [12], ["1"],
    ]  # fmt: skip
    assert (wires["CLK0"], wires["CE0"], wires["RST0"]) == ([CLOCK], ["1"], ["0"])
    assert {parameters[f"REG_INPUT{side}_CLK"] for side in "AB"} == {"CLK0"}
    assert absorb(module) == 0  # it has them


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["cells"]["r0"]["connections"].update(CE=[5]),
        lambda m: m["cells"]["r2"]["connections"].update(LSR=[5]),
        lambda m: m["cells"]["r2"]["connections"].update(CLK=[5]),
        lambda m: m["cells"]["r1"]["parameters"].update(CLKMUX="INV"),
        lambda m: m["cells"]["multiplier"]["connections"].update(B0=[91]),
        lambda m: m["cells"]["multiplier"]["connections"].update(B0=[7]),
        lambda m: m["cells"]["multiplier"]["connections"].update(RST0=[5]),
    ],
)
def test_what_is_stopped_stays_outside(change) -> None:
    module = netlist()
    change(module)
    before = copy.deepcopy(module)
    assert absorb(module) == 0
    assert module == before


def test_registers_to_be_kept_are_kept() -> None:
    module = netlist()
    assert absorb(module, kept=[22]) == 0


class Square(wiring.Component):
    """A product behind registers, with a gate between them and the boundary."""

    given: In(36)
    clear: In(1)
    product: Out(36)

    def __init__(self, can_clear: bool) -> None:
        self.can_clear = can_clear
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        factors = Signal(36)
        m.d.sync += [
            factors.eq(self.given ^ (self.given >> 1)),
            self.product.eq(factors[:18] * factors[18:]),
        ]
        with m.If(self.clear & self.can_clear):
            m.d.sync += factors.eq(0)
        return m


def test_the_tools_take_it_and_it_is_faster() -> None:
    plain, registered = (
        synthesis.synthesise(Square(can_clear), f"square_{can_clear:d}", (1,))
        for can_clear in (True, False)
    )
    assert plain.size.dsp == registered.size.dsp == 1
    assert plain.size.ff == registered.size.ff + 36
    assert registered.worst_mhz > plain.worst_mhz
