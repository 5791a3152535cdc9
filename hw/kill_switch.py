# SPDX-License-Identifier: Apache-2.0
"""Kills by scope, taken back in two steps, and the dead-man switch.

The semantics stand in ``host/risk/reference_switches.py``; this one behaves as if the command
``timer`` came in every cycle.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from hw.risk_rows import TIME_BITS
from hw.swept_memory import SweptMemory
from nic.offload.commands import ID, SCOPE
from nic.offload.enumerations import KILL_SCOPE
from nic.offload.limit_words import bits_of_scope
from nic.offload.limits import SCOPE_GATE

TIMEOUT_BITS = bits_of_scope(SCOPE_GATE)["heartbeat_timeout_ns"]
COUNTER_BITS = 32
GLOBAL, SESSION, STRATEGY, SYMBOL, HEARTBEAT = (
    KILL_SCOPE.value(name) for name in ("global", "session", "strategy", "symbol", "heartbeat")
)


class Step(enum.Enum, shape=2):  # type: ignore[call-arg]
    """What a command does."""

    KILL = 0
    ARM = 1
    RESET = 2


SwitchCommand = data.StructLayout({"step": Step, "scope": SCOPE.bits, "id": ID.bits})
"""``kill``, ``arm_reset`` or ``reset_kill`` with the arguments of the command."""


class KillSwitch(wiring.Component):
    """What is killed, for the last cycle of a decision.

    ``valid``, ``command``: taken in their cycle, once ``init_done``; one that names nothing, or a
    reset that was not armed, does nothing and counts in ``refused``. A kill disarms; so does a
    reset. ``heartbeat``: the control thread lives. ``t_ns``: the time; ``timeout_ns``: longest
    silence (0: no dead-man switch), which begins to count a cycle after it changed.

    ``venue``, ``strategy`` and ``symbol_index`` are a request's in cycle 0; in cycle 2 the outputs
    ``kill_...`` say whether that is killed, by commands up to the cycle before (a reset: before
    cycle 0), and ``heartbeat_lost`` by times up to the cycle before. One request per cycle.
    ``is_killed_global``, ``is_killed_heartbeat`` and ``killed_sessions`` are for the host.
    """

    def __init__(self, symbol_bits: int = 10, strategy_bits: int = 4, venue_bits: int = 4) -> None:
        """Two to the power of each; raises ``ValueError`` when ``id`` can not name them all."""
        if not 1 <= max(symbol_bits, strategy_bits, venue_bits) <= ID.bits:
            raise ValueError("more than the id of a command can name")
        self.symbol_bits = symbol_bits
        self.strategy_bits = strategy_bits
        self.venue_bits = venue_bits
        super().__init__(
            {
                "valid": In(1),
                "command": In(SwitchCommand),
                "refused": Out(COUNTER_BITS),
                "heartbeat": In(1),
                "t_ns": In(TIME_BITS),
                "timeout_ns": In(TIMEOUT_BITS),
                "venue": In(venue_bits),
                "strategy": In(strategy_bits),
                "symbol_index": In(symbol_bits),
                "kill_global": Out(1),
                "kill_session": Out(1),
                "kill_strategy": Out(1),
                "kill_symbol": Out(1),
                "heartbeat_lost": Out(1),
                "is_killed_global": Out(1),
                "is_killed_heartbeat": Out(1),
                "killed_sessions": Out(1 << venue_bits),
                "init_done": Out(1),
            }
        )

        self.armed = Signal()
        """A register, for proofs: the next reset may be of ``armed_scope`` and ``armed_id``."""
        self.armed_scope = Signal(SCOPE.bits)
        self.armed_id = Signal(ID.bits)

    def elaborate(self, platform: object) -> Module:
        """Commands, the dead-man switch, and the view of a request."""
        m = Module()
        command, scope = self.command, self.command.scope
        armed, armed_scope, armed_id = self.armed, self.armed_scope, self.armed_id
        sizes = {SESSION: self.venue_bits, STRATEGY: self.strategy_bits, SYMBOL: self.symbol_bits}
        sessions = self.killed_sessions
        strategies = Signal(1 << self.strategy_bits)
        m.submodules.symbols = symbols = SweptMemory(1, 1 << self.symbol_bits, is_transparent=False)

        # what the command does
        is_known = Signal()
        with m.Switch(scope):
            for number, bits in sizes.items():
                with m.Case(number):
                    m.d.comb += is_known.eq(command.id >> bits == 0)
            with m.Case(GLOBAL):
                m.d.comb += is_known.eq(1)
            with m.Case(HEARTBEAT):
                m.d.comb += is_known.eq(command.step != Step.KILL)
        taken, kills, resets = Signal(), Signal(), Signal()
        is_armed = armed & (armed_scope == scope) & (armed_id == command.id)
        m.d.comb += [
            self.init_done.eq(symbols.init_done),
            taken.eq(self.valid & self.init_done & is_known),
            kills.eq(taken & (command.step == Step.KILL)),
            resets.eq(taken & (command.step == Step.RESET) & is_armed),
        ]
        with m.If(kills | resets):
            m.d.sync += armed.eq(0)
        with m.If(taken & (command.step == Step.ARM)):
            m.d.sync += [armed.eq(1), armed_scope.eq(scope), armed_id.eq(command.id)]
        does_nothing = ~is_known | ((command.step == Step.RESET) & ~is_armed)
        with m.If(self.valid & self.init_done & does_nothing):
            m.d.sync += self.refused.eq(self.refused + 1)
        with m.If(kills | resets), m.Switch(scope):
            with m.Case(GLOBAL):
                m.d.sync += self.is_killed_global.eq(kills)
            with m.Case(SESSION):
                m.d.sync += sessions.bit_select(command.id[: self.venue_bits], 1).eq(kills)
            with m.Case(STRATEGY):
                m.d.sync += strategies.bit_select(command.id[: self.strategy_bits], 1).eq(kills)
            with m.Case(HEARTBEAT):
                m.d.sync += self.is_killed_heartbeat.eq(0)
        # what resets or kills of this scope names fits the table: fewer bits to hold against those
        # that were armed, as the RAM is far
        symbol, bits = command.id[: self.symbol_bits], self.symbol_bits
        is_symbol = (scope == SYMBOL) & (command.id >> bits == 0)
        is_symbol_armed = armed & (armed_scope == SYMBOL) & (armed_id[:bits] == symbol)
        m.d.comb += [
            symbols.write_enable.eq(
                self.valid
                & self.init_done
                & is_symbol
                & ((command.step == Step.KILL) | (command.step == Step.RESET) & is_symbol_armed)
            ),
            symbols.write_address.eq(symbol),
            symbols.write_data.eq(command.step == Step.KILL),
        ]
        self._dead_man(m)

        # a request on its way: what was killed before it, and what is killed while it is
        venue, strategy, symbol_index = (
            Signal.like(start, name=f"{name}_later")
            for name, start in (
                ("venue", self.venue),
                ("strategy", self.strategy),
                ("symbol", self.symbol_index),
            )
        )
        m.d.sync += [
            venue.eq(self.venue),
            strategy.eq(self.strategy),
            symbol_index.eq(self.symbol_index),
        ]
        session_known, strategy_known, symbol_known = Signal(), Signal(), Signal()
        m.d.comb += [
            symbols.read_address[0].eq(self.symbol_index),
        ]
        m.d.sync += [
            symbol_known.eq(symbols.read_data[0]),
            session_known.eq(sessions.bit_select(venue, 1)),
            strategy_known.eq(strategies.bit_select(strategy, 1)),
        ]

        # bits are one or two cycles old when they are registered: see to those cycles too
        def hits(number: int, index: Value) -> Value:
            return kills & (scope == number) & (command.id == index)

        session_hit, strategy_hit, symbol_hit = Signal(), Signal(), Signal(2)
        m.d.sync += [
            session_hit.eq(hits(SESSION, venue)),
            strategy_hit.eq(hits(STRATEGY, strategy)),
            symbol_hit[0].eq(hits(SYMBOL, self.symbol_index)),
            symbol_hit[1].eq(symbol_hit[0] | hits(SYMBOL, symbol_index)),
        ]
        m.d.comb += [
            self.kill_global.eq(self.is_killed_global),
            self.kill_session.eq(session_known | session_hit),
            self.kill_strategy.eq(strategy_known | strategy_hit),
            self.kill_symbol.eq(symbol_known | symbol_hit[1]),
        ]
        return m

    def _dead_man(self, m: Module) -> None:
        """The deadline moves with each heartbeat; what passes it is killed until it is reset."""
        heard_ns, deadline_ns = Signal(TIME_BITS), Signal(TIME_BITS + 1)
        was_heard = Signal()
        timeout_taken = Signal(TIMEOUT_BITS)
        counts, is_past, is_late, is_unheard = Signal(), Signal(), Signal(), Signal()
        m.d.comb += is_late.eq(counts & is_past)
        m.d.sync += [
            deadline_ns.eq(Mux(self.heartbeat, self.t_ns, heard_ns) + self.timeout_ns),
            timeout_taken.eq(self.timeout_ns),
            counts.eq(was_heard & self.timeout_ns.any() & (timeout_taken == self.timeout_ns)),
            is_past.eq(self.t_ns > deadline_ns),
            is_unheard.eq(self.timeout_ns.any() & ~was_heard),
        ]
        with m.If(self.heartbeat):
            m.d.sync += [heard_ns.eq(self.t_ns), was_heard.eq(self.t_ns.any())]
        with m.If(is_late):
            m.d.sync += self.is_killed_heartbeat.eq(1)
            with m.If(~self.is_killed_heartbeat):
                m.d.sync += self.armed.eq(0)
        m.d.comb += self.heartbeat_lost.eq(self.is_killed_heartbeat | is_late | is_unheard)
