# SPDX-License-Identifier: Apache-2.0
"""The card: two lines in, orders out, and the host beside them; every block wired.

    line a, b -> LineParser -> Arbiter -> Ticks -> Prices, Trigger -> RiskGate -> OrderBuilder
                                                commands of the host ^

The host sees it through the registers, and through the streams of records and commands.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring

from hw.command_reader import CommandReader
from hw.counter_bank import CounterBank
from hw.feed_card import FeedCard
from hw.order_builder import OrderBuilder
from hw.prices import Prices
from hw.replay_ring import SLOTS
from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS
from hw.risk_gate import RiskGate
from hw.symbol_filter import TABLE_BITS
from hw.tick import Ticks
from hw.trigger import Trigger
from nic.framing.feed_format import FeedFormat
from nic.offload.builder_enumerations import BUILDER
from nic.offload.enumerations import RISK

ORDER_BITS = 10


class Top(FeedCard):
    """The whole card; its ports are those of :class:`~hw.feed_card.FeedCard`.

    Two to the power of the parameters ending in ``bits``: open orders, symbols (the last is kept
    for unknown ones), strategies, sessions, instrument numbers of the feed; ``slots`` segments in
    the replay ring. Raises ``ValueError`` for another number of sessions than the order builder
    has.
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
        super().__init__(
            feed,
            symbol_bits=symbol_bits,
            locate_bits=locate_bits,
            strategy_bits=strategy_bits,
            venue_bits=venue_bits,
            order_bits=order_bits,
            slots=slots,
        )
        indexes = (symbol_bits, strategy_bits, venue_bits)
        self.ticks = Ticks(feed, symbol_bits)
        self.prices = Prices(symbol_bits)
        self.trigger = Trigger(feed, *indexes)
        self.gate = RiskGate(order_bits, *indexes)
        self.builder = OrderBuilder(
            symbol_bits=symbol_bits, strategy_bits=strategy_bits, slots=slots
        )
        self.reader = CommandReader(*indexes)
        self.banks |= {"verdicts": CounterBank(RISK.count), "builder": CounterBank(BUILDER.count)}

    def parts(self) -> dict[str, Any]:
        """The blocks by their names in the netlist."""
        return super().parts() | {
            "ticks": self.ticks,
            "prices": self.prices,
            "trigger": self.trigger,
            "gate": self.gate,
            "builder": self.builder,
            "reader": self.reader,
        }

    def swept(self) -> list[Any]:
        """The blocks that have tables to clear."""
        return [*super().swept(), self.prices, self.trigger, self.gate, self.builder]

    def order_side(self, m: Module) -> None:
        """From events and commands to orders."""
        registers, writer, reader = self.registers, self.writer, self.reader
        wiring.connect(m, wiring.flipped(self.commands), reader.commands)
        wiring.connect(m, self.builder.transmit, wiring.flipped(self.transmit))
        self._market(m)
        self._gate(m)
        self._builder(m)
        m.d.comb += [
            writer.verdict_valid.eq(self.gate.explained.valid),
            writer.verdict.eq(self.gate.explained.payload),
            writer.outcome_valid.eq(self.builder.outcome_valid),
            writer.outcome.eq(self.builder.outcome),
            registers.control.commands.eq(reader.done),
            registers.control.commands_refused.eq(reader.refused),
        ]
        self.count_in_bank(m, registers.gate.verdicts, self.banks["verdicts"])
        self.count_in_bank(m, registers.builder.counters, self.banks["builder"])
        self.count_in_row(m, registers.trigger.counters, self.trigger.counters)

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
            self.gate.candidate_early.eq(trigger.candidate_early),
            self.gate.top.eq(prices.top),
            self.gate.top_is_changing.eq(prices.is_changing),
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
            shown.switches_refused.eq(gate.switch_refused),
            shown.open_orders.eq(gate.open_orders),
            shown.is_idle.eq(gate.is_idle & reader.is_idle & ~self.commands.valid),
        ]
        told = gate.explained.payload.verdict
        with m.If(gate.explained.valid & told.passed):
            m.d.sync += shown.pass_number.eq(told.pass_number)

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
        valid, payload, taken = self.held(m, "ring_address", ring)
        held = data.View(ring.payload.shape(), payload)
        slot_bits = len(builder.ring_read.payload.slot)
        resend_valid, resend, resend_taken = self.held(m, "resend", shown.resend)
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
