# SPDX-License-Identifier: Apache-2.0
"""Registers right in front of a multiplier become the multiplier's own.

A multiplier of ECP5 takes half a cycle, and the wires to it and from it the other half. It has
registers behind its inputs, with which the wires to it belong to the cycle before. Synthesis does
not use them; this step over the netlist of yosys (``write_json``) does. Source: ECP5 and ECP5-5G
sysDSP Usage Guide (FPGA-TN-02205), input registers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hw.ram_registers import is_plain

MULTIPLIER = "MULT18X18D"
BITS = 18
SIDES = "AB"
CONTROLS = {"CLK": "CLK0", "CE": "CE0", "RST": "RST0"}
CONSTANTS = {"0", "1", "x"}


def absorb(module: dict[str, Any], kept: Collection[int] = ()) -> int:
    """Change ``module``, one of the netlist's; the number of multipliers with registers now.

    A multiplier gets them when every bit of both factors is constant or comes from a plain
    register of one clock: the placer knows no multiplier with registers on one side. A register
    that others look at stays beside the multiplier's. Registers of the bits ``kept`` are not taken.
    """
    cells: dict[str, Any] = module["cells"]
    drivers = {
        bit: name
        for name, cell in cells.items()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for bit in bits
    }
    given_up: set[int] = set()
    absorbed = 0
    for cell in [cell for cell in cells.values() if cell["type"] == MULTIPLIER]:
        registers = _registers(cells, drivers, cell, kept)
        for port, register in registers.items():
            given_up.update(cell["connections"][port])
            cell["connections"][port] = register["DI"]
        if registers:
            _connect(cell, next(iter(registers.values()))["CLK"])
            absorbed += 1
    for bit in given_up - _used(module):
        del cells[drivers[bit]]
    return absorbed


def _registers(
    cells: dict[str, Any],
    drivers: dict[int, str],
    multiplier: dict[str, Any],
    kept: Collection[int],
) -> dict[str, Any]:
    """The wires of the register before each bit that is not constant; none when one has none."""
    wires, found = multiplier["connections"], {}
    clock = None
    if any(port in wires for port in CONTROLS.values()):
        return {}
    for port in (f"{side}{number}" for side in SIDES for number in range(BITS)):
        bits = wires.get(port, [])
        if not bits or bits[0] in CONSTANTS:
            continue
        register = cells.get(drivers.get(bits[0], ""))
        if register is None:
            return {}
        clock = clock or register["connections"].get("CLK")
        if clock is None or not is_plain(register, clock, kept):
            return {}
        found[port] = register["connections"]
    return found


def _connect(multiplier: dict[str, Any], clock: list[int]) -> None:
    """Clock both input registers, always, never reset."""
    for wire, bits in (("CLK0", clock), ("CE0", ["1"]), ("RST0", ["0"])):
        multiplier["connections"][wire] = bits
        multiplier["port_directions"][wire] = "input"
    for side in SIDES:
        for control, wire in CONTROLS.items():
            multiplier["parameters"][f"REG_INPUT{side}_{control}"] = wire


def _used(module: dict[str, Any]) -> set[Any]:
    """Bits that a cell or a port of the module looks at."""
    inside = {
        bit
        for cell in module["cells"].values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "input"
        for bit in bits
    }
    return inside | {bit for port in module["ports"].values() for bit in port["bits"]}
