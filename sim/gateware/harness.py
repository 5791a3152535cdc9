# SPDX-License-Identifier: Apache-2.0
"""From a component to a running model, in one call.

::

    model = harness.model(LineParser(NASDAQ), "line_parser")
    inputs = {"line__valid": valid, "line__beat": {"data": words, "last": last}}
    rows = model.run(inputs, when="message__valid")
    numbers = model.field(rows, "message__payload", "sequence_number")
"""

from __future__ import annotations

from amaranth.lib import wiring

from hw import cache, verilog
from hw.tools import ToolError
from sim.gateware import compile, shim
from sim.gateware.model import Feed, Model
from sim.gateware.rows import field, pack, pack_rows, unpack

__all__ = ["Feed", "Model", "ToolError", "field", "model", "pack", "pack_rows", "unpack"]


def model(
    component: wiring.Component,
    name: str,
    *,
    seed: int = 1,
    optimise: str = "-O2",
    random_memory: bool = True,
) -> Model:
    """The component as a model, reset and ready; compiled unless the same was compiled before.

    ``name`` names the top module. With ``random_memory`` every memory that is ever written, and
    every register without reset, starts with what ``seed`` makes, as nothing may rely on it;
    otherwise as in a freshly configured device. ``optimise`` is ``-O1`` (compiles quickest),
    ``-O2`` or ``-O3``. Raises :class:`ToolError` when Verilator or the compiler is missing or
    refuses, and TypeError for a component whose ports can not be ports.
    """
    ports = verilog.ports_of(component)
    netlist = verilog.rtlil_of(component, name, verilog.ModelPlatform())
    text = verilog.with_constant_bits(verilog.verilog_from(netlist))
    clocked = verilog.has_clock(text, name)
    if random_memory:
        text = verilog.with_random_memories(text)
    glue = shim.source(
        name,
        shim.RowLayout.of([port for port in ports if port.is_input], False),
        shim.RowLayout.of([port for port in ports if not port.is_input], True),
    )
    text += shim.wrapper(name, ports, clocked)
    return Model(compile.library(shim.top_name(name), text, glue, optimise), ports, seed)


def folder() -> str:
    """Where compiled models are kept."""
    return str(cache.folder("models"))
