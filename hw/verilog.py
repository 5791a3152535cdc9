# SPDX-License-Identifier: Apache-2.0
"""Verilog out of a component, and its ports."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from amaranth.back import rtlil, verilog
from amaranth.hdl import Signal, ValueCastable
from amaranth.lib import data, wiring

from hw import cache

NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a component's top: one signal, structures as one wide vector."""

    name: str
    """Path in the signature, joined by ``__``: ``line__beat``."""
    is_input: bool
    width_bits: int
    layout: data.Layout | None
    """The structure behind the vector; ``None`` for a plain number."""


def signal_of(path: tuple[str | int, ...], value: object) -> Signal:
    """The one signal behind a member of a signature.

    Raises TypeError for a constant: a stream that is always ready or always valid has one, and the
    outermost component can not have it as a port.
    """
    whole = value.as_value() if isinstance(value, ValueCastable) else value
    if not isinstance(whole, Signal):
        raise TypeError(f"port {'.'.join(map(str, path))} is a constant: tie it inside instead")
    return whole


def ports_of(component: wiring.Component) -> list[Port]:
    """The ports in the order of the signature; clock and reset are not among them."""
    found = []
    for path, member, value in component.signature.flatten(component):
        layout = data.Layout.cast(value.shape()) if isinstance(value, data.View) else None
        signal = signal_of(path, value)
        name = "__".join(map(str, path))
        found.append(Port(name, member.flow == wiring.In, len(signal), layout))
    return found


class ModelPlatform:
    """What a component is elaborated for when it becomes a model, not a device.

    Blocks then make visible what a device leaves open; for everything else there is no platform.
    """


def rtlil_of(component: wiring.Component, name: str, platform: ModelPlatform | None = None) -> str:
    """The component as RTLIL, without source positions: equal text is equal hardware.

    ``name`` becomes the top module's. Raises ValueError for a name that is no plain identifier.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"module name {name!r} is not in lower case letters, digits and _")
    return str(rtlil.convert(component, name=name, platform=platform, emit_src=False))


def verilog_from(netlist: str) -> str:
    """Verilog of a netlist in RTLIL, kept in the cache."""
    kept = cache.folder("verilog") / f"{cache.key(netlist)}.v"
    with cache.locked(kept):
        if not kept.exists():
            os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
            text = verilog._convert_rtlil_text(netlist, strip_internal_attrs=True)
            partial = kept.with_suffix(".partial")
            partial.write_text(text)
            partial.replace(kept)
    return kept.read_text()


def verilog_of(component: wiring.Component, name: str) -> str:
    """The component as Verilog; see :func:`rtlil_of`."""
    return verilog_from(rtlil_of(component, name))


def has_clock(text: str, name: str) -> bool:
    """Whether the top module ``name`` of Verilog ``text`` has a clock (and with it a reset)."""
    header = re.search(rf"^module \\?{name} ?\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    if header is None:
        raise ValueError(f"no module {name}")
    return "clk" in re.split(r"[,\s]+", header.group(1))


def with_constant_bits(text: str) -> str:
    """Verilog in which bits that are always the same have their value from the start.

    Of a combinational signal that is assigned only in part, the rest is written as ``always @*``
    around a constant. That waits for a change of nothing, so a simulator would never run it.
    """
    return re.sub(r"^  always @\*\n(?!    begin)", "  always_comb\n", text, flags=re.MULTILINE)


def with_random_memories(text: str) -> str:
    """Verilog in which written memories start with ``$urandom``; those only read keep theirs.

    A model of it shows what a block does when a memory holds garbage at its start.
    """

    def scrambled(found: re.Match[str]) -> str:
        memory = re.escape(found.group(1))
        if not re.search(rf"^\s*{memory} ?\[.* <= ", text, re.MULTILINE):
            return found.group(0)
        shape = re.search(rf"^  reg \[(\d+):0\] {memory} +\[(\d+):0\];", text, re.MULTILINE)
        if shape is None:
            raise ValueError(f"memory {found.group(1)} is not declared")
        words = ", ".join(["$urandom"] * (int(shape[1]) // 32 + 1))
        return (
            f"  initial begin : garbage_{found.start()}\n    integer n;\n"
            f"    for (n = 0; n <= {shape[2]}; n = n + 1)\n"
            f"      {found.group(1)} [n] = {{{words}}};\n  end\n"
        )

    block = r"^  initial begin\n    (\S+) ?\[\d+\] = .*;\n(?:    \1 ?\[\d+\] = .*;\n)*  end\n"
    return re.sub(block, scrambled, text, flags=re.MULTILINE)
