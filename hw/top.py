# SPDX-License-Identifier: Apache-2.0
"""The card: two lines in, orders out, and the host beside them; every block wired.

    line a, b -> LineParser -> Arbiter -> Ticks -> Prices, Trigger -> RiskGate -> OrderBuilder
                                                commands of the host ^

The host sees it through the registers, and through the streams of records and commands.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arbiter import Arbiter
from hw.card_time import CardTime
from hw.command_reader import CommandReader
from hw.counter_bank import CounterBank
from hw.line_parser import LineParser
from hw.order_builder import OrderBuilder
from hw.prices import Prices
from hw.record_writer import RecordWord, RecordWriter
from hw.register_file import RegisterFile
from hw.replay_ring import SLOTS
from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS
from hw.risk_gate import RiskGate
from hw.stream import FrameSignature, LineSignature
from hw.symbol_filter import TABLE_BITS, SymbolFilter
from hw.tick import Ticks
from hw.trigger import Trigger
from nic.framing.enumerations import PARSER
from nic.framing.feed_format import FEEDS, FeedFormat
from nic.offload.builder_enumerations import BUILDER
from nic.offload.enumerations import RISK
from nic.offload.registers import REGISTERS

ORDER_BITS = 10
ADDRESS_BITS = (REGISTERS.size_bytes - 1).bit_length()


def build_hash() -> int:
    """64 bits over the sources that the gateware is made of."""
    digest = hashlib.blake2b(digest_size=8)
    root = Path(__file__).resolve().parent.parent
    for folder in ("hw", "nic/framing", "nic/offload", "nic/wire"):
        for path in sorted((root / folder).glob("*.py")):
            digest.update(f"{folder}/{path.name}\0".encode() + path.read_bytes())
    return int.from_bytes(digest.digest(), "little")


class Top(wiring.Component):
    """The whole card.

    ``line_a``, ``line_b``: frames in. ``transmit``: frames out. ``write_*``, ``read_*``: the bus of
    :class:`~hw.register_file.RegisterFile`. ``commands`` and ``records``: words, as
    ``nic/offload/records.py`` says. ``init_done``: every table is clear.

    Two to the power of the parameters ending in ``bits``: open orders, symbols (the last is kept
    for unknown ones), strategies, sessions, instrument numbers of the feed. Raises ``ValueError``
    for another number of sessions than the order builder has.
    """

    def __init__(
        self,
        feed: FeedFormat,
        *,
        order_bits: int = ORDER_BITS,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
        locate_bits: int = TABLE_BITS,
        slots: int = SLOTS,
    ) -> None:
        if venue_bits != VENUE_BITS:
            raise ValueError(f"the order builder knows {1 << VENUE_BITS} sessions")
        indexes = (symbol_bits, strategy_bits, venue_bits)
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
        self.parsers = {"a": LineParser(feed), "b": LineParser(feed)}
        self.filter = SymbolFilter(symbol_bits, locate_bits)
        self.arbiter = Arbiter(feed, symbol_bits)
        self.ticks = Ticks(feed, symbol_bits)
        self.prices = Prices(symbol_bits)
        self.trigger = Trigger(feed, *indexes)
        self.gate = RiskGate(order_bits, *indexes)
        self.builder = OrderBuilder(
            symbol_bits=symbol_bits, strategy_bits=strategy_bits, slots=slots
        )
        self.reader = CommandReader(*indexes)
        self.writer = RecordWriter(feed, *indexes, (slots - 1).bit_length())
        self.time = CardTime()
        self.banks = {
            "verdicts": CounterBank(RISK.count),
            "builder": CounterBank(BUILDER.count),
            **{f"line_{letter}": CounterBank(PARSER.count) for letter in self.parsers},
        }
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

    def elaborate(self, platform: object) -> Module:
        """The blocks, and the wires between them."""
        m = Module()
        parts: dict[str, Any] = {
            "registers": self.registers,
            "symbol_filter": self.filter,
            "arbiter": self.arbiter,
            "ticks": self.ticks,
            "prices": self.prices,
            "trigger": self.trigger,
            "gate": self.gate,
            "builder": self.builder,
            "reader": self.reader,
            "writer": self.writer,
            "time": self.time,
            **{f"parser_{letter}": parser for letter, parser in self.parsers.items()},
            **{f"{name}_counters": bank for name, bank in self.banks.items()},
        }
        for name, part in parts.items():
            m.submodules[name] = part
        swept: list[Any] = [self.filter, self.prices, self.trigger, self.gate, self.builder]
        swept += self.banks.values()
        registers = self.registers
        m.d.comb += [
            registers.write_valid.eq(self.write_valid),
            registers.write_address.eq(self.write_address),
            registers.write_data.eq(self.write_data),
            registers.read_address.eq(self.read_address),
            self.read_data.eq(registers.read_data),
            self.init_done.eq(Cat(part.init_done for part in swept).all()),
        ]
        wiring.connect(m, wiring.flipped(self.commands), self.reader.commands)
        wiring.connect(m, self.writer.records, wiring.flipped(self.records))
        wiring.connect(m, self.builder.transmit, wiring.flipped(self.transmit))
        self._feed(m)
        self._market(m)
        self._gate(m)
        self._builder(m)
        self._control(m)
        return m

    def _held(self, m: Module, name: str, port: Any) -> tuple[Value, Value, Signal]:
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
        valid, payload, taken = self._held(m, "filter_row", shown.filter_row)
        held = data.View(row.shape(), payload)
        start_valid, start, start_taken = self._held(m, "start", shown.start)
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

    def _market(self, m: Module) -> None:
        """What event, ticks and host say of the market, and what the trigger makes of it."""
        event, ticks, prices, trigger = self.arbiter.event, self.ticks, self.prices, self.trigger
        m.d.comb += [
            ticks.event.valid.eq(event.valid),
            ticks.event.payload.eq(event.payload),
            prices.tick.valid.eq(ticks.tick.valid),
            prices.tick.payload.eq(ticks.tick.payload),
            prices.phase.valid.eq(ticks.phase.valid),
            prices.phase.payload.eq(ticks.phase.payload),
            prices.gap_opened.eq(self.arbiter.gap_opened),
            prices.clear_gap.eq(self.registers.control.clear_feed_gap.valid),
            trigger.event.valid.eq(event.valid),
            trigger.event.payload.eq(event.payload),
            trigger.tick.valid.eq(ticks.tick.valid),
            trigger.tick.payload.eq(ticks.tick.payload),
            prices.watched.eq(event.payload.symbol_index),
            trigger.best.eq(prices.best),
            prices.prefetch.eq(self.gate.symbol_index),
            self.gate.top.eq(prices.top),
            self.gate.market_phase.eq(prices.market_phase),
        ]
        wiring.connect(m, self.reader.top, prices.write)
        wiring.connect(m, self.reader.phase, prices.set_phase)
        wiring.connect(m, self.reader.trigger, trigger.command)
        wiring.connect(m, trigger.gate, self.gate.trigger)

    def _gate(self, m: Module) -> None:
        """The host's side of the gate; a connected session is up while an order can leave."""
        gate, reader, builder = self.gate, self.reader, self.builder
        settings, shown = self.registers.builder, self.registers.gate
        sessions = Signal.like(reader.sessions_up)
        for venue in range(len(sessions)):
            is_ours = settings.is_connected & (settings.venue == venue)
            m.d.sync += sessions[venue].eq(
                reader.sessions_up[venue] & (~is_ours | (builder.is_up & builder.is_free))
            )
        wiring.connect(m, reader.request, gate.host)
        wiring.connect(m, reader.tell, gate.tell)
        m.d.comb += [
            gate.t_ns.eq(self.time.t_ns),
            gate.cycle.eq(self.time.cycle),
            gate.sessions_up.eq(sessions),
            gate.symbol_count.eq((1 << self.symbol_bits) - 1),
            gate.is_stale.eq(reader.is_stale),
            gate.heartbeat.eq(reader.heartbeat),
            gate.switch_valid.eq(reader.switch_valid),
            gate.switch.eq(reader.switch),
            gate.commit_valid.eq(reader.commit_valid),
            gate.commit.eq(reader.commit),
            reader.commit_ready.eq(gate.commit_ready),
            reader.commit_done.eq(gate.accepted | gate.refused),
            gate.shadow_valid.eq(shown.limit_number.valid),
            gate.shadow.number.eq(shown.limit_number.payload),
            gate.shadow.value.eq(shown.limit_value),
            self.banks["verdicts"].events.eq(gate.verdicts),
            shown.limits_sequence_number.eq(gate.sequence_number),
            shown.limits_set.eq(gate.is_set),
            shown.limits_late.eq(gate.late),
            shown.limits_unfit.eq(gate.unfit),
            shown.killed["global"].eq(gate.is_killed_global),
            shown.killed["heartbeat"].eq(gate.is_killed_heartbeat),
            shown.killed_sessions.eq(gate.killed_sessions),
            shown.open_orders.eq(gate.open_orders),
            shown.is_idle.eq(gate.is_idle & reader.is_idle & ~self.commands.valid),
        ]
        with m.If(gate.verdict.valid):
            m.d.sync += shown.pass_number.eq(gate.verdict.payload.pass_number)

    def _builder(self, m: Module) -> None:
        """Verdicts become frames; the connection is the host's."""
        builder, shown = self.builder, self.registers.builder
        wiring.connect(m, self.reader.payload, builder.payload)
        ring = shown.ring_address
        m.d.comb += [
            builder.verdict.valid.eq(self.gate.verdict.valid),
            builder.verdict.payload.eq(self.gate.verdict.payload),
            builder.sequence_valid.eq(shown.sequence_number.valid),
            builder.sequence_number.eq(shown.sequence_number.payload),
            builder.template_valid.eq(shown.template_address.valid),
            builder.template_write.address.eq(shown.template_address.payload),
            builder.template_write.data.eq(shown.template_value),
            builder.symbol_valid.eq(shown.symbol_index.valid),
            builder.symbol.symbol_index.eq(shown.symbol_index.payload),
            builder.symbol.text.eq(shown.symbol_text),
            self.banks["builder"].events.eq(builder.count),
            shown.next_sequence_number.eq(builder.next_sequence_number),
            shown.segments.eq(builder.segments),
            *(
                getattr(builder.connection, name).eq(getattr(shown, name))
                for name in builder.connection.shape().members
            ),
        ]
        valid, payload, taken = self._held(m, "ring_address", ring)
        held = data.View(ring.payload.shape(), payload)
        slot_bits = len(builder.ring_read.payload.slot)
        resend_valid, resend, resend_taken = self._held(m, "resend", shown.resend)
        m.d.comb += [
            builder.ring_read.valid.eq(valid),
            builder.ring_read.payload.word.eq(held.word),
            builder.ring_read.payload.slot.eq(held.slot[:slot_bits]),
            taken.eq(builder.ring_read.ready),
            builder.resend_valid.eq(resend_valid),
            builder.resend_slot.eq(resend[:slot_bits]),
            resend_taken.eq(builder.resend_ready),
        ]
        with m.If(builder.ring_valid):
            m.d.sync += shown.ring_word.eq(builder.ring_data)

    def _control(self, m: Module) -> None:
        """Time, records and counters."""
        control, writer, reader = self.registers.control, self.writer, self.reader
        event, gate, builder = self.arbiter.event, self.gate, self.builder
        wants = Signal()
        m.d.comb += [
            wants.eq(event.valid & self.arbiter.is_for_host & control.gives_events),
            writer.event_valid.eq(wants),
            writer.event.eq(event.payload),
            writer.verdict_valid.eq(gate.verdict.valid),
            writer.verdict.eq(gate.verdict.payload),
            writer.outcome_valid.eq(builder.outcome_valid),
            writer.outcome.eq(builder.outcome),
            self.time.set_valid.eq(control.set_time_ns.valid),
            self.time.set_ns.eq(control.set_time_ns.payload),
            control.init_done.eq(self.init_done),
            control.cycle.eq(self.time.cycle),
            control.time_ns.eq(self.time.t_ns),
            control.feed_gap.eq(self.prices.is_gapped),
            control.records.eq(writer.made),
            control.records_dropped.eq(writer.dropped),
            control.commands.eq(reader.done),
            control.commands_refused.eq(reader.refused),
        ]
        self._counters(m)

    def _counters(self, m: Module) -> None:
        """Counters that the registers read: banks by index, the others as rows of values."""
        registers = self.registers
        banks = [
            (registers.gate.verdicts, self.banks["verdicts"]),
            (registers.builder.counters, self.banks["builder"]),
            *(
                (getattr(registers, f"line_{letter}").counters, self.banks[f"line_{letter}"])
                for letter in self.parsers
            ),
        ]
        for port, bank in banks:
            m.d.comb += [bank.index.eq(port.index), port.value.eq(bank.value)]
        rows = [
            (registers.arbiter.counters, self.arbiter.counters),
            (registers.trigger.counters, self.trigger.counters),
        ]
        for port, values in rows:
            words = [values[name] for name in values.shape().members]
            first, second = Signal(64), Signal(64)
            with m.Switch(port.index):
                for index, word in enumerate(words):
                    with m.Case(index):
                        m.d.sync += first.eq(word)
                with m.Default():
                    m.d.sync += first.eq(0)
            m.d.sync += second.eq(first)
            m.d.comb += port.value.eq(second)
