# SPDX-License-Identifier: Apache-2.0
"""Registers right behind a block RAM become the RAM's own.

A block RAM of ECP5 has a register in front of its outputs, which answers after 0.7 ns instead of
4.3 and needs no wires. Synthesis makes it of the fabric's registers instead; this step over the
netlist of yosys (``write_json``) puts it to use. Source: ECP5 and ECP5-5G Memory Usage Guide
(FPGA-TN-02204), output register of a port.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

RAM = "DP16KD"
REGISTER = "TRELLIS_FF"
PLAIN = {"CLKMUX": "CLK", "CEMUX": "1", "GSR": "DISABLED"}
"""Parameters of a register that does nothing but follow the clock."""

IDLE: dict[str, tuple[list[str], ...]] = {"CE": ([], ["1"]), "LSR": ([], ["0"])}
"""Its enable and its reset, if it has wires for them."""


def absorb(module: dict[str, Any], kept: Collection[int] = ()) -> int:
    """Change ``module``, one of the netlist's; the number of registers that went into RAMs.

    A RAM's read port (B) takes its registers when all bits of it that are used go to one plain
    register each, and to nothing else, with the RAM's clock. Registers of the bits ``kept`` stay.
    """
    cells: dict[str, Any] = module["cells"]
    sinks: dict[int, list[tuple[str, str]]] = {}
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for bit in bits:
                    sinks.setdefault(bit, []).append((name, port))
    for port in module["ports"].values():
        for bit in port["bits"]:
            sinks.setdefault(bit, []).append(("", ""))  # goes out: not a register's alone
    absorbed = 0
    for cell in [cell for cell in cells.values() if cell["type"] == RAM]:
        found = _registers(cells, sinks, cell, kept)
        for port, register in found.items():
            cell["connections"][port] = cells[register]["connections"]["Q"]
            del cells[register]
        if found:
            cell["parameters"]["REGMODE_B"] = "OUTREG"
        absorbed += len(found)
    return absorbed


def _registers(
    cells: dict[str, Any],
    sinks: dict[int, list[tuple[str, str]]],
    ram: dict[str, Any],
    kept: Collection[int],
) -> dict[str, str]:
    """The register behind each output of the port B that is used; none when that can not be."""
    wires = ram["connections"]
    if wires.get("WEB") != ["0"] or wires.get("OCEB") != ["1"] or wires.get("RSTB") != ["0"]:
        return {}
    found = {}
    for port in (port for port in wires if port.startswith("DOB")):
        goes_to = sinks.get(wires[port][0], []) if wires[port] else []
        if not goes_to:
            continue
        register, at = goes_to[0]
        if len(goes_to) > 1 or at != "DI" or not is_plain(cells[register], wires["CLKB"], kept):
            return {}
        found[port] = register
    return found


def is_plain(cell: dict[str, Any], clock: list[int], kept: Collection[int]) -> bool:
    """Whether a cell is a register that only follows that clock, and may go elsewhere."""
    parameters, wires = cell["parameters"], cell["connections"]
    return bool(
        cell["type"] == REGISTER
        and all(parameters.get(name, "").strip() == value for name, value in PLAIN.items())
        and wires["CLK"] == clock
        and all(wires.get(port, []) in values for port, values in IDLE.items())
        and not set(wires["Q"]) & set(kept)
    )
