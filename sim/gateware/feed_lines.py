# SPDX-License-Identifier: Apache-2.0
"""The feed's side of a card as one block: two parsers, the filter and the arbiter, looked into."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from hw.arbiter import Arbiter
from hw.line_parser import LineParser
from hw.symbol_filter import SymbolFilter
from nic.framing.feed_format import FeedFormat
from nic.framing.reference import LineSettings

LINES = ("a", "b")


def settings_value(settings: LineSettings) -> dict[str, int]:
    """A line's settings as the parser's port takes them."""
    return {
        "destination_address": settings.destination_address,
        "destination_port": settings.destination_port,
        "is_pinned": int(bool(settings.session)),
        "session": int.from_bytes(settings.session, "little"),
    }


class FeedLines(wiring.Component):
    """Two parsers, the filter and the arbiter; and what goes between them, to look at.

    Ports are those of the blocks: of a parser with its line behind the name (``line_a``), the
    filter's ``write``, the arbiter's ``event`` and what belongs to it.
    """

    def __init__(self, feed: FeedFormat, table_bits: int) -> None:
        self.parsers = {name: LineParser(feed) for name in LINES}
        self.filter = SymbolFilter(table_bits=table_bits)
        self.arbiter = Arbiter(feed)
        of_parser, of_arbiter = self.parsers["a"].signature.members, self.arbiter.signature.members
        members: dict[str, Any] = {}
        for name in LINES:
            members |= {
                f"line_{name}": of_parser["line"],
                f"settings_{name}": of_parser["settings"],
                f"parsed_{name}": Out(of_parser["parsed"].signature),
                f"pulses_{name}": of_parser["pulses"],
            }
        members |= {"write": self.filter.signature.members["write"], "init_done": Out(1)}
        self._given = ("cycle", "is_arbitrating", "drops_unwanted")
        self._shown = ("is_for_host", "expected", "gap_next", "gap_end", "counters")
        super().__init__(
            members | {name: of_arbiter[name] for name in (*self._given, "event", *self._shown)}
        )

    def elaborate(self, platform: object) -> Module:
        """The wires."""
        m = Module()
        m.submodules += [*self.parsers.values(), self.filter, self.arbiter]
        for name, parser in self.parsers.items():
            parsed, shown = parser.parsed, getattr(self, f"parsed_{name}")
            connect(m, flipped(getattr(self, f"line_{name}")), parser.line)
            connect(m, parsed, getattr(self.arbiter, name))
            m.d.comb += [
                parser.settings.eq(getattr(self, f"settings_{name}")),
                getattr(self, f"pulses_{name}").eq(parser.pulses),
                getattr(self.filter, f"locate_{name}").valid.eq(parsed.locate.valid),
                getattr(self.filter, f"locate_{name}").payload.eq(parsed.locate.payload),
                getattr(self.arbiter, f"symbol_{name}").eq(getattr(self.filter, f"symbol_{name}")),
                shown.upcoming.eq(parsed.upcoming),
            ]
            for part in ("message", "datagram", "locate"):
                given, out = getattr(parsed, part), getattr(shown, part)
                m.d.comb += [out.valid.eq(given.valid), out.payload.eq(given.payload)]
        connect(m, flipped(self.write), self.filter.write)
        m.d.comb += [
            self.event.valid.eq(self.arbiter.event.valid),
            self.event.payload.eq(self.arbiter.event.payload),
            self.init_done.eq(self.filter.init_done),
        ]
        for name in self._given:
            m.d.comb += getattr(self.arbiter, name).eq(getattr(self, name))
        for name in self._shown:
            m.d.comb += getattr(self, name).eq(getattr(self.arbiter, name))
        return m
