# SPDX-License-Identifier: Apache-2.0
"""The card without orders: two lines in, events out, and the host beside them.

    line a, b -> LineParser -> Arbiter -> records of events

It is a card of its own (for captures, and to see the feed's side by itself), and what the whole
card of ``hw/top.py`` begins with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arbiter import Arbiter
from hw.card_time import CardTime
from hw.counter_bank import COUNTER_BITS, CounterBank
from hw.line_parser import LineParser
from hw.record_writer import RecordWord, RecordWriter
from hw.register_file import RegisterFile
from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS
from hw.stream import FrameSignature, LineSignature
from hw.symbol_filter import TABLE_BITS, SymbolFilter
from nic.framing.enumerations import PARSER
from nic.framing.feed_format import FEEDS, FeedFormat
from nic.offload.registers import REGISTERS

ADDRESS_BITS = (REGISTERS.size_bytes - 1).bit_length()
SHORTEST_RING = 2
LINES = "ab"
TOOLS = ("blocks", "cache", "formal", "synthesis", "tools", "verilog")
"""Modules of this room that are no part of any netlist."""


def sources() -> Iterator[Path]:
    """The files that the gateware is made of."""
    root = Path(__file__).resolve().parent.parent
    for folder in ("hw", "nic/framing", "nic/offload", "nic/wire"):
        for path in sorted((root / folder).glob("*.py")):
            if path.stem not in TOOLS and not path.stem.endswith("_reference"):
                yield path


def build_hash() -> int:
    """64 bits over the sources that the gateware is made of."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sources():
        digest.update(f"{path.parent.name}/{path.name}\0".encode() + path.read_bytes())
    return int.from_bytes(digest.digest(), "little")


class FeedCard(wiring.Component):
    """The card without orders.

    ``line_a``, ``line_b``: frames in. ``transmit``: frames out. ``write_*``, ``read_*``: the bus of
    :class:`~hw.register_file.RegisterFile`. ``commands`` and ``records``: words, as
    ``nic/offload/records.py`` says. ``init_done``: every table is clear.

    Two to the power of the parameters ending in ``bits``: symbols, instrument numbers of the feed.
    With one of ``lines`` nothing is heard of line B, and a model is the faster for it. In its
    identity there is no place for an order. It sends nothing, and eats commands unseen. Raises
    ``ValueError`` for another number of lines than one or two.
    """

    def __init__(
        self,
        feed: FeedFormat,
        *,
        symbol_bits: int = SYMBOL_BITS,
        locate_bits: int = TABLE_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
        order_bits: int = 0,
        slots: int = 0,
        lines: int = 2,
    ) -> None:
        if not 1 <= lines <= len(LINES):
            raise ValueError(f"{lines} lines; a card has one or two")
        self.feed = feed
        self.symbol_bits = symbol_bits
        constants = {
            "build_hash": build_hash(),
            "feed": list(FEEDS).index(feed.name),
            "symbol_bits": symbol_bits,
            "order_bits": order_bits,
            "strategy_bits": strategy_bits,
            "venue_bits": venue_bits,
            "locate_bits": locate_bits,
            "replay_slots": slots,
            "record_slots": 0,
            "command_slots": 0,
        }
        self.registers = RegisterFile({f"identity.{k}": v for k, v in constants.items()})
        self.parsers = {letter: LineParser(feed) for letter in LINES[:lines]}
        self.filter = SymbolFilter(symbol_bits, locate_bits)
        self.arbiter = Arbiter(feed, symbol_bits)
        slot_bits = (max(slots, SHORTEST_RING) - 1).bit_length()
        self.writer = RecordWriter(feed, symbol_bits, strategy_bits, venue_bits, slot_bits)
        self.time = CardTime()
        self.banks = {f"line_{letter}": CounterBank(PARSER.count) for letter in self.parsers}
        super().__init__(
            {
                "line_a": In(LineSignature),
                "line_b": In(LineSignature),
                "transmit": Out(FrameSignature),
                "write_valid": In(1),
                "write_address": In(ADDRESS_BITS),
                "write_data": In(64),
                "read_address": In(ADDRESS_BITS),
                "read_data": Out(64),
                "commands": In(stream.Signature(64)),
                "records": Out(stream.Signature(RecordWord)),
                "init_done": Out(1),
            }
        )

    def parts(self) -> dict[str, Any]:
        """The blocks by their names in the netlist."""
        return {
            "registers": self.registers,
            "symbol_filter": self.filter,
            "arbiter": self.arbiter,
            "writer": self.writer,
            "time": self.time,
            **{f"parser_{letter}": parser for letter, parser in self.parsers.items()},
            **{f"{name}_counters": bank for name, bank in self.banks.items()},
        }

    def swept(self) -> list[Any]:
        """The blocks that have tables to clear."""
        return [self.filter, *self.banks.values()]

    def elaborate(self, platform: object) -> Module:
        """The blocks, and the wires between them."""
        m = Module()
        for name, part in self.parts().items():
            m.submodules[name] = part
        registers = self.registers
        m.d.comb += [
            registers.write_valid.eq(self.write_valid),
            registers.write_address.eq(self.write_address),
            registers.write_data.eq(self.write_data),
            registers.read_address.eq(self.read_address),
            self.read_data.eq(registers.read_data),
            self.init_done.eq(Cat(part.init_done for part in self.swept()).all()),
        ]
        wiring.connect(m, self.writer.records, wiring.flipped(self.records))
        self._feed(m)
        self._control(m)
        for letter in self.parsers:
            port = getattr(self.registers, f"line_{letter}").counters
            self.count_in_bank(m, port, self.banks[f"line_{letter}"])
        self.count_in_row(m, self.registers.arbiter.counters, self.arbiter.counters)
        self.order_side(m)
        return m

    def order_side(self, m: Module) -> None:
        """What the card does with events and commands: nothing."""
        m.d.comb += [self.commands.ready.eq(1), self.registers.gate.is_idle.eq(1)]

    def held(self, m: Module, name: str, port: Any) -> tuple[Value, Value, Signal]:
        """A register's write kept until it is taken: whether there is one, what, and its taking."""
        valid, taken = Signal(name=f"{name}_valid"), Signal(name=f"{name}_taken")
        payload = Signal.like(Value.cast(port.payload), name=f"{name}_payload")
        with m.If(port.valid):
            m.d.sync += [valid.eq(1), payload.eq(port.payload)]
        with m.Elif(taken):
            m.d.sync += valid.eq(0)
        return valid, payload, taken

    def _feed(self, m: Module) -> None:
        """From the lines to the event."""
        arbiter, symbols = self.arbiter, self.filter
        for letter, parser in self.parsers.items():
            settings = getattr(self.registers, f"line_{letter}")
            session = Cat(settings.session_low, settings.session_high)
            m.d.comb += [
                parser.line.valid.eq(getattr(self, f"line_{letter}").valid),
                parser.line.beat.eq(getattr(self, f"line_{letter}").beat),
                parser.settings.destination_address.eq(settings.destination_address),
                parser.settings.destination_port.eq(settings.destination_port),
                parser.settings.is_pinned.eq(settings.is_pinned),
                parser.settings.session.eq(session),
                self.banks[f"line_{letter}"].events.eq(parser.pulses),
                getattr(symbols, f"locate_{letter}").valid.eq(parser.parsed.locate.valid),
                getattr(symbols, f"locate_{letter}").payload.eq(parser.parsed.locate.payload),
                getattr(arbiter, f"symbol_{letter}").eq(getattr(symbols, f"symbol_{letter}")),
            ]
            wiring.connect(m, parser.parsed, getattr(arbiter, letter))
        shown, control = self.registers.arbiter, self.registers.control
        row = data.View(shown.filter_row.payload.shape(), shown.filter_row.payload)
        valid, payload, taken = self.held(m, "filter_row", shown.filter_row)
        held = data.View(row.shape(), payload)
        start_valid, start, start_taken = self.held(m, "start", shown.start)
        m.d.comb += [
            symbols.write.valid.eq(valid),
            symbols.write.payload.locate.eq(held.locate),
            symbols.write.payload.row.is_wanted.eq(held.is_wanted),
            symbols.write.payload.row.symbol_index.eq(held.symbol_index),
            taken.eq(symbols.write.ready),
            arbiter.start.valid.eq(start_valid),
            arbiter.start.payload.eq(start),
            start_taken.eq(arbiter.start.ready),
            arbiter.cycle.eq(self.time.cycle),
            arbiter.is_arbitrating.eq(control.is_arbitrating),
            arbiter.drops_unwanted.eq(control.drops_unwanted),
            shown.expected.eq(arbiter.expected),
            shown.gap_next.eq(arbiter.gap_next),
            shown.gap_end.eq(arbiter.gap_end),
        ]

    def _control(self, m: Module) -> None:
        """Time, records, and whether messages are missing."""
        control, writer, arbiter = self.registers.control, self.writer, self.arbiter
        is_gapped = Signal()
        with m.If(arbiter.gap_opened):
            m.d.sync += is_gapped.eq(1)
        with m.Elif(control.clear_feed_gap.valid):
            m.d.sync += is_gapped.eq(0)
        m.d.comb += [
            writer.event_valid.eq(arbiter.event.valid & arbiter.is_for_host & control.gives_events),
            writer.event.eq(arbiter.event.payload),
            self.time.set_valid.eq(control.set_time_ns.valid),
            self.time.set_ns.eq(control.set_time_ns.payload),
            control.init_done.eq(self.init_done),
            control.cycle.eq(self.time.cycle),
            control.time_ns.eq(self.time.t_ns),
            control.feed_gap.eq(is_gapped),
            control.records.eq(writer.made),
            control.records_dropped.eq(writer.dropped),
        ]

    def count_in_bank(self, m: Module, port: Any, bank: CounterBank) -> None:
        """Counters that the registers read out of a bank."""
        m.d.comb += [bank.index.eq(port.index), port.value.eq(bank.value)]

    def count_in_row(self, m: Module, port: Any, values: Any) -> None:
        """Counters that the registers read out of a row of values, as late as out of a bank."""
        first, second = Signal(COUNTER_BITS), Signal(COUNTER_BITS)
        with m.Switch(port.index):
            for index, name in enumerate(values.shape().members):
                with m.Case(index):
                    m.d.sync += first.eq(values[name])
            with m.Default():
                m.d.sync += first.eq(0)
        m.d.sync += second.eq(first)
        m.d.comb += port.value.eq(second)
