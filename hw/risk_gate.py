# SPDX-License-Identifier: Apache-2.0
"""The risk gate: requests in, exactly one verdict each, in order; commands in between.

It decides as ``host/risk/reference.py`` does without a path. A request takes its time (``t_ns``)
and the state it is held against in one cycle, the first of its decision; only kills are asked for
in the last one, in registers: those count that come two cycles before the verdict is valid, or
earlier. What changes the state waits meanwhile, and requests wait until a change has settled.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.event import CYCLE_BITS
from hw.exposure import Exposure
from hw.gate_ports import EARLY, TriggerPort, VerdictPort, explained_layout
from hw.gate_sequence import STEADY_CYCLES, GateSequence
from hw.kill_switch import KillSwitch, SwitchCommand
from hw.ledger_ports import tell_layout
from hw.limits_table import Commit, LimitsTable, ShadowWrite
from hw.rate_limits import KINDS, RateLimits
from hw.recent_orders import RecentOrders, key_fields, set_of
from hw.request import BUY, STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS, Action, request_layout
from hw.request_holder import MEASURE_CYCLES, RequestHolder
from hw.risk_decision import RiskDecision
from hw.risk_products import later
from hw.risk_rooms import RiskRooms
from hw.risk_rows import TIME_BITS
from hw.risk_view import PHASE_BITS, top_layout
from nic.offload.enumerations import RISK

PLAIN_OUTPUTS = {
    "commit_ready": "limits",
    "accepted": "limits",
    "refused": "limits",
    "is_set": "limits",
    "sequence_number": "limits",
    "late": "limits",
    "unfit": "limits",
    "is_killed_global": "kills",
    "is_killed_heartbeat": "kills",
    "killed_sessions": "kills",
}
"""Outputs that are those of a part."""


class RiskGate(wiring.Component):
    """The gate with its state.

    Requests: ``trigger`` and ``host``; the trigger's go first, then tells, then the host's.
    ``candidate_early``: what is known of the trigger's candidate before it is there.
    ``verdict``: one per request taken; ``explained``: the same with its reason, a cycle later.
    ``verdicts``: a bit per reason of ``RISK``, 1 three cycles after such a verdict; ``alerts``: a
    bit, two cycles after a pass above the credit alert.

    ``symbol_index`` in cycle 0 asks for the ``top`` of cycle 2, which is not looked at while
    ``top_is_changing``: the decision waits for the next one. ``sessions_up`` has a bit per
    venue; symbols from ``symbol_count`` on are unknown; ``is_stale``, ``market_phase`` and ``t_ns``
    are levels. ``cycle`` stamps verdicts.

    Commands: ``shadow`` and ``commit`` as in :class:`~hw.limits_table.LimitsTable`; ``switch`` and
    ``heartbeat`` as in :class:`~hw.kill_switch.KillSwitch`; ``tell`` is what is told to the ledger.
    ``is_idle``: every command was carried out, and no request is under way.
    """

    def __init__(
        self,
        order_bits: int = 10,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
    ) -> None:
        """Two to the power of each: orders open at once, symbols, strategies, venues."""
        self.order_bits = order_bits
        self._indexes = (symbol_bits, strategy_bits, venue_bits)
        self._request = request_layout(*self._indexes)
        members: dict[str, Any] = {
            "trigger": In(TriggerPort(*self._indexes)),
            "candidate_early": In(EARLY),
            "host": In(stream.Signature(self._request)),
            "verdict": Out(VerdictPort(*self._indexes)),
            "explained": Out(VerdictPort(*self._indexes, layout=explained_layout)),
            "verdicts": Out(RISK.count),
            "alerts": Out(1),
            "symbol_index": Out(symbol_bits),
            "top": In(top_layout()),
            "top_is_changing": In(1),
            "t_ns": In(TIME_BITS),
            "cycle": In(CYCLE_BITS),
            "sessions_up": In(1 << venue_bits),
            "symbol_count": In(symbol_bits + 1),
            "is_stale": In(1),
            "market_phase": In(PHASE_BITS),
            "shadow_valid": In(1),
            "shadow": In(ShadowWrite),
            "commit_valid": In(1),
            "commit": In(Commit),
            "switch_valid": In(1),
            "switch": In(SwitchCommand),
            "switch_refused": Out(32),
            "heartbeat": In(1),
            "tell": In(stream.Signature(tell_layout(symbol_bits, strategy_bits))),
            "open_orders": Out(order_bits + 1),
            "is_idle": Out(1),
            "init_done": Out(1),
        }
        self._parts(members)
        super().__init__(members)

    def _parts(self, members: dict[str, Any]) -> None:
        symbol_bits, strategy_bits, venue_bits = self._indexes
        self.limits = LimitsTable(symbol_bits)
        self.kills = KillSwitch(symbol_bits, strategy_bits, venue_bits)
        self.ledger = Exposure(self.order_bits, *self._indexes)
        self.recent = RecentOrders(symbol_bits, strategy_bits)
        self.rates = RateLimits(symbol_bits, strategy_bits, venue_bits)
        self.rooms = RiskRooms(self.order_bits)
        self.decision = RiskDecision(self.order_bits, *self._indexes)
        self.holder = RequestHolder(self.order_bits, *self._indexes)
        self.sequence = GateSequence(MEASURE_CYCLES)
        for name, part in PLAIN_OUTPUTS.items():
            members[name] = Out(getattr(self, part).signature.members[name].shape)

    def elaborate(self, platform: object) -> Module:
        """The parts, and who speaks when."""
        m = Module()
        for name in ("limits", "kills", "ledger", "recent", "rates", "rooms", "decision"):
            m.submodules[name] = getattr(self, name)
        m.submodules.holder, m.submodules.sequence = self.holder, self.sequence
        m.d.comb += [
            getattr(self, name).eq(getattr(getattr(self, part), name))
            for name, part in PLAIN_OUTPUTS.items()
        ]
        self._commands(m)
        self._requests(m)
        self._view(m)
        self._commit(m, self._verdict(m))
        return m

    def _commands(self, m: Module) -> None:
        """Each to its part, none while a decision or its effect is under way."""
        limits, kills, ledger, sequence = self.limits, self.kills, self.ledger, self.sequence
        m.d.comb += [
            limits.shadow_valid.eq(self.shadow_valid),
            limits.shadow.eq(self.shadow),
            limits.commit_valid.eq(self.commit_valid),
            limits.commit.eq(self.commit),
            limits.hold.eq(sequence.holds),
            kills.valid.eq(self.switch_valid),
            kills.command.eq(self.switch),
            kills.heartbeat.eq(self.heartbeat),
            kills.t_ns.eq(self.t_ns),
            kills.timeout_ns.eq(limits.gate_limits.heartbeat_timeout_ns),
            self.switch_refused.eq(kills.refused),
            ledger.tell_valid.eq(self.tell.valid),
            ledger.tell.eq(self.tell.payload),
            self.tell.ready.eq(ledger.tell_ready),
            ledger.hold.eq(sequence.holds),
            ledger.ratio.eq(limits.gate_limits.order_to_trade_ratio),
            self.open_orders.eq(ledger.totals.open_orders),
        ]

    def _requests(self, m: Module) -> None:
        """Whose request is taken, and whether what was decided about it so far may be trusted."""
        sequence, holder, ledger = self.sequence, self.holder, self.ledger
        shown = Signal(self._request)
        shown_t_ns = Signal(TIME_BITS)
        indexes = [Signal.like(self.symbol_index, name=f"index_{i}") for i in range(2)]
        was_seen = Signal()
        quiet = Signal(range(STEADY_CYCLES + 1))
        is_quiet, is_full, has_number = Signal(), Signal(), Signal()
        was_steady, has_room, init_done = Signal(), Signal(), Signal()
        parts = (self.limits, self.kills, ledger, self.recent, self.rates)
        m.d.sync += [
            init_done.eq(Cat(part.init_done for part in parts).all()),
            has_room.eq(holder.held_notional.any()),
            was_steady.eq((quiet == STEADY_CYCLES) & is_quiet),
            shown.eq(self.trigger.candidate),
            shown_t_ns.eq(self.t_ns),
            indexes[0].eq(self.symbol_index),
            indexes[1].eq(indexes[0]),
            was_seen.eq(
                ~sequence.uses_held
                & ~self.top_is_changing
                & (indexes[1] == self.trigger.candidate.symbol_index)
            ),
            is_full.eq(ledger.totals.open_orders[-1]),
        ]
        # A commit of limits takes effect long before this has counted to its end. What is offered
        # ends the quiet, not what is under way; nothing begins in the cycle in which a request is
        # taken, nor behind it, so what was steady in the cycle before still is.
        m.d.comb += is_quiet.eq(
            ledger.is_idle
            & ledger.ratio_is_settled
            & ~self.commit_valid
            & self.recent.remember_ready
            & self.rates.take_ready
            & ~holder.takes_order
            & (sequence.uses_held | ~(has_room | self.tell.valid))
        )
        with m.If(~is_quiet):
            m.d.sync += quiet.eq(0)
        with m.Elif(quiet != STEADY_CYCLES):
            m.d.sync += quiet.eq(quiet + 1)
        m.d.comb += [
            has_number.eq(ledger.number_is_ready | is_full),
            self.init_done.eq(init_done),
            self.is_idle.eq(
                (quiet == STEADY_CYCLES) & ~sequence.holds & ~self.tell.valid & init_done
            ),
            sequence.init_done.eq(init_done),
            sequence.offers.eq(self.trigger.offers),
            sequence.fires.eq(self.trigger.fire),
            sequence.wants.eq(self.host.valid & ~self.tell.valid),
            sequence.has_order.eq(
                (self.host.payload.action == Action.REPLACE)
                | (self.host.payload.action == Action.CANCEL)
            ),
            sequence.was_seen.eq(was_seen),
            sequence.is_steady.eq(was_steady & has_number & ~self.top_is_changing),
            self.trigger.ready.eq(sequence.trigger_ready),
            self.host.ready.eq(sequence.host_ready & ~self.tell.valid),
            ledger.look_up_valid.eq(sequence.asks),
            ledger.look_up_number.eq(holder.request.user_ref_num),
            sequence.is_asked.eq(ledger.look_up_ready),
            sequence.answers.eq(ledger.look_up_done),
            # What was shown is held whether it fired or not, and what the host shows whether it is
            # wanted or not: that is known too late to wait for.
            holder.takes.eq(~sequence.uses_held),
            holder.given.eq(
                Mux(self.trigger.offers, shown.as_value(), self.host.payload.as_value())
            ),
            holder.takes_order.eq(sequence.answers),
            holder.is_found.eq(ledger.order_found),
            holder.order.eq(ledger.order),
            holder.product.eq(self.decision.notional),
            # in the last of these cycles the decision begins: in which is known too late
            holder.stamps.eq(~sequence.uses_held | sequence.refreshes),
            holder.given_t_ns.eq(Mux(sequence.refreshes, self.t_ns, shown_t_ns)),
        ]

    def _view(self, m: Module) -> None:
        """Tables and decision see the trigger's candidate, or the request that is held."""
        sequence, holder, ledger, limits = self.sequence, self.holder, self.ledger, self.limits
        view, held, candidate = self.decision.view, holder.request, self.trigger.candidate
        uses_held, is_free = sequence.uses_held, sequence.is_free
        request = view.request
        held_symbol = Signal.like(held.symbol_index)  # a register beside the tables
        m.d.sync += held_symbol.eq(held.symbol_index)
        m.d.comb += [
            self.symbol_index.eq(Mux(uses_held, held_symbol, self.trigger.prefetch)),
            limits.symbol_index.eq(self.symbol_index),
            ledger.prefetch.eq(self.symbol_index),
            self.rates.symbol.eq(self.symbol_index),
            request.eq(Mux(is_free, candidate.as_value(), held.as_value())),
            view.t_ns.eq(self.t_ns),
            view.leaves.eq(Mux(is_free, candidate.quantity, holder.leaves)),
            view.shares_added.eq(Mux(is_free, candidate.quantity, holder.shares_added)),
            view.adds_notional.eq(is_free | holder.adds_notional),
            view.is_smaller.eq(~is_free & holder.is_smaller),
            view.is_known.eq(~is_free & holder.is_known),
            view.is_busy.eq(~is_free & holder.is_busy),
            view.is_below_executed.eq(~is_free & holder.is_below_executed),
            view.is_set.eq(limits.is_set),
            view.sessions_up.eq(self.sessions_up),
            view.symbol_count.eq(self.symbol_count),
            view.is_full.eq(ledger.totals.open_orders[-1]),
            view.is_stale.eq(self.is_stale),
            view.market_phase.eq(self.market_phase),
            view.rooms.eq(self.rooms.rooms),
            view.limits.eq(limits.row),
            view.exposure.eq(ledger.row),
            view.top.eq(self.top),
            self.rooms.limits.eq(limits.gate_limits),
            self.rooms.totals.eq(ledger.totals),
            self.rooms.held_notional.eq(holder.held_notional),
        ]
        held_early, early = Signal(EARLY), Signal(EARLY)
        m.d.sync += [
            held_early.set.eq(set_of(**key_fields(held))),
            held_early.is_buy.eq(held.side == BUY),
        ]
        m.d.comb += [
            early.eq(
                Mux(sequence.sees_shown, self.candidate_early.as_value(), held_early.as_value())
            ),
            view.is_buy.eq(early.is_buy),
        ]
        self._late(m, request, early)

    def _late(self, m: Module, request: Any, early: Any) -> None:
        """What is asked for with the view and answered behind it."""
        kills, rates, recent, ledger = self.kills, self.rates, self.recent, self.ledger
        late, gate_limits = self.decision.late, self.limits.gate_limits
        repeated = Signal()
        m.d.sync += repeated.eq(ledger.strategy_executions >= gate_limits.maximum_executions)
        m.d.comb += [
            kills.venue.eq(request.venue),
            kills.strategy.eq(request.strategy),
            kills.symbol_index.eq(request.symbol_index),
            rates.session.eq(request.venue),
            rates.strategy.eq(request.strategy),
            rates.t_ns.eq(self.t_ns),
            *self._buckets(m),
            *(recent.key[name].eq(value) for name, value in key_fields(request).items()),
            recent.set.eq(early.set),
            recent.t_ns.eq(self.t_ns),
            recent.window_ns.eq(gate_limits.duplicate_window_ns),
            ledger.strategy.eq(request.strategy),
            *(
                late[name].eq(getattr(kills, name))
                for name in (
                    *("kill_global", "heartbeat_lost", "kill_session"),
                    *("kill_strategy", "kill_symbol"),
                )
            ),
            late.message_rate.eq(rates.session_is_empty),
            late.symbol_message_rate.eq(rates.symbol_is_empty),
            late.strategy_message_rate.eq(rates.strategy_is_empty),
            late.repeated_execution.eq(repeated),
            self.decision.is_duplicate.eq(recent.holds),
        ]

    def _buckets(self, m: Module) -> list[Value]:
        """The words of each kind of bucket, in the cycle after the view."""
        homes: dict[str, Any] = dict.fromkeys(KINDS, self.limits.gate_limits)
        homes["symbol"] = later(m, self.limits.row)
        return [
            getattr(self.rates, f"{kind}_limit")[word].eq(home[f"{kind}_{word}"])
            for kind, home in homes.items()
            for word in ("interval_ns", "tolerance_ns", "is_closed")
        ]

    def _verdict(self, m: Module) -> Signal:
        """The verdict, and what is counted of it; whether the cycle before had a pass."""
        sequence, holder, decision = self.sequence, self.holder, self.decision
        following = Signal.like(self.verdict.payload.pass_number, init=1)  # of the next pass
        verdict, request = self.verdict.payload, holder.request
        number = Mux(request.action == Action.CANCEL, request.user_ref_num, self.ledger.number)
        passed, just_passed, is_alert = Signal(), Signal(), Signal()
        m.d.comb += [
            passed.eq(sequence.decides & decision.passed),
            self.verdict.valid.eq(sequence.decides),
            verdict.request.eq(request),
            verdict.passed.eq(decision.passed),
            verdict.user_ref_num.eq(number),
            verdict.pass_number.eq(following),
            verdict.t_ns.eq(holder.t_ns),
            verdict.decided_cycle.eq(self.cycle),
        ]
        reason, decided = Signal.like(decision.reason), Signal()
        explained = self.explained
        m.d.comb += explained.payload.reason.eq(decision.reason)
        m.d.sync += [
            just_passed.eq(passed),
            is_alert.eq(decision.is_credit_alert),
            self.alerts.eq(just_passed & is_alert),
            explained.valid.eq(sequence.decides),
            explained.payload.verdict.eq(verdict),
            reason.eq(decision.reason),
            decided.eq(explained.valid),
            self.verdicts.eq(Cat((reason == n) & decided for n in range(RISK.count))),
        ]
        with m.If(just_passed):  # in time for the next verdict
            m.d.sync += following.eq(following + 1)
        return just_passed

    def _commit(self, m: Module, just_passed: Signal) -> None:
        """What passed is reserved for and remembered, each by its part at its own pace."""
        holder, ledger, recent, rates = self.holder, self.ledger, self.recent, self.rates
        request = holder.request
        is_new = request.action == Action.NEW
        notional = Signal.like(self.decision.notional)
        waiting = Signal(3)
        done = Cat(ledger.opened_ready, recent.remember_ready, rates.take_ready)
        with m.If(just_passed):
            m.d.sync += [
                waiting.eq(Cat(1, is_new, request.action != Action.CANCEL)),
                notional.eq(self.decision.notional),
            ]
        with m.Else():
            m.d.sync += waiting.eq(waiting & ~done)
        opened = ledger.opened
        m.d.sync += self.sequence.is_done.eq(
            ~self.sequence.decides & ~just_passed & ~waiting.any() & done[1] & done[2]
        )
        m.d.comb += [
            ledger.opened_valid.eq(waiting[0]),
            opened.request.eq(request),
            opened.notional.eq(notional),
            opened.shares_added.eq(holder.shares_added),
            opened.notional_added.eq(Mux(is_new, notional, holder.notional_added)),
            recent.remember_valid.eq(waiting[1]),
            *(recent.remember_key[name].eq(value) for name, value in key_fields(request).items()),
            recent.remember_t_ns.eq(holder.t_ns),
            rates.take_valid.eq(waiting[2]),
            rates.take_t_ns.eq(holder.t_ns),
        ]
