# SPDX-License-Identifier: Apache-2.0
"""A block RAM that clears itself after reset.

A RAM keeps its contents over a reset, and a simulator that clears it hides that. Every table here
is swept: for ``depth`` cycles after reset zeros are written, then ``init_done`` is 1.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Elaboratable, Module, Mux, Shape, ShapeLike, Signal, Value
from amaranth.lib import memory

from hw.verilog import ModelPlatform


class SweptMemory(Elaboratable):
    """``depth`` rows (a power of two) of ``shape``; one write port, ``read_ports`` read ports.

    Add it as a submodule. ``read(i)`` gives (address, data). The data of an address are there one
    cycle later: what was written in the cycle of the address (``is_transparent``, which costs time
    behind the RAM) or what was there before. The first ``registered`` ports take two cycles, with
    nothing but a register behind the RAM (without reset, so that it can be the RAM's own:
    :mod:`hw.ram_registers`); they are not transparent. With ``is_immediate`` it is a
    distributed RAM, for a few dozen rows: the data of an address are there in the same cycle.

    Without ``may_collide`` nobody looks at data whose address was written in its own cycle: on the
    device they are anything then, and there are no gates behind the RAM to make them right. In a
    model (:class:`hw.verilog.ModelPlatform`) they are the complement of what was there, so that who
    does look at them is found out.

    With ``late_write`` registers stand before the write port: a row is written in the cycle after
    ``write_enable``, and all that is said of the cycle of a write means that one.
    ``write_enable`` and what belongs to it are ignored until ``init_done``.
    """

    def __init__(
        self,
        shape: ShapeLike,
        depth: int,
        read_ports: int = 1,
        is_transparent: bool = True,
        registered: int = 0,
        is_immediate: bool = False,
        may_collide: bool = True,
        late_write: bool = False,
    ) -> None:
        """Raises ``ValueError`` when ``depth`` is not a power of two above 1."""
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth {depth} is not a power of two above 1")
        self.depth = depth
        self.is_transparent = is_transparent
        self.registered = registered
        self.is_immediate = is_immediate
        self.may_collide = may_collide
        self.late_write = late_write
        self._bits = Shape.cast(shape).width
        address_bits = depth.bit_length() - 1
        self.init_done = Signal()
        self.write_enable = Signal()
        self.write_address = Signal(address_bits)
        self.write_data: Any = Signal(shape)
        self.read_address = [
            Signal(address_bits, name=f"read_address_{i}") for i in range(read_ports)
        ]
        self.read_data: list[Any] = [
            Signal(shape, name=f"read_data_{i}", reset_less=i < registered)
            for i in range(read_ports)
        ]

    def read(self, port: int = 0) -> tuple[Signal, Any]:
        """Address and data of a read port."""
        return self.read_address[port], self.read_data[port]

    def elaborate(self, platform: object) -> Module:
        """The RAM, and the counter of the sweep."""
        m = Module()
        m.submodules.ram = ram = memory.Memory(
            shape=self._bits,
            depth=self.depth,
            init=[],
            attrs={} if self.may_collide else {"no_rw_check": 1},  # for yosys
        )
        write = ram.write_port()
        position = Signal(range(self.depth + 1))
        swept = position[-1]
        before_port = m.d.sync if self.late_write else m.d.comb
        before_port += self.init_done.eq(swept)
        with m.If(~position[-1]):
            m.d.sync += position.eq(position + 1)
        data = Value.cast(self.write_data)
        before_port += [
            write.en.eq(self.write_enable | ~swept),
            write.addr.eq(Mux(swept, self.write_address, position)),
            write.data.eq(Mux(swept, data, 0)),
        ]
        spoils = not self.may_collide and isinstance(platform, ModelPlatform)
        for number, (address, value) in enumerate(
            zip(self.read_address, self.read_data, strict=True)
        ):
            raw = Value.cast(value)
            if self.is_immediate:
                port = ram.read_port(domain="comb")
            else:
                bypassed = self.is_transparent and number >= self.registered
                port = ram.read_port(transparent_for=(write,) if bypassed else ())
                m.d.comb += port.en.eq(1)
            m.d.comb += port.addr.eq(address)
            found = port.data
            if spoils:
                collided = Signal(name=f"collided_{number}")
                m.d.sync += collided.eq(write.en & (write.addr == address))
                found = Mux(collided, ~port.data, port.data)
            domain = m.d.sync if number < self.registered else m.d.comb
            domain += raw.eq(found)
        return m
