# SPDX-License-Identifier: Apache-2.0
"""The exchange without its sockets: bytes and time in, bytes out.

The same object runs behind sockets (``server.py``) and in one process with the appliance, in
virtual time. It reads no clock and draws no number that the seed does not give.
"""

from __future__ import annotations

from collections.abc import Hashable

from sim.exchange.acceptor import Acceptor, OrderEntrySession
from sim.exchange.config import ExchangeConfig
from sim.exchange.feed_writer import FeedWriter
from sim.exchange.flow import BackgroundFlow
from sim.exchange.matching import MatchingEngine
from sim.exchange.order_entry import OrderDesk
from sim.exchange.publisher import Publisher
from sim.exchange.rerequest import RerequestServer

MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000


class Exchange:
    """Matching, feed, re-requests and order entry of one day.

    Times ``t_ns`` are the driver's, in nanoseconds, never going back; the exchange's own clock (in
    ITCH and OUCH timestamps) shows the configured start time when ``start`` is called. After each
    call the driver takes ``take_packets`` (for every line alike) and ``take_client_output``.
    """

    def __init__(self, config: ExchangeConfig) -> None:
        """Allocate everything the day needs."""
        self.config = config
        entry = config.order_entry
        self.publisher = Publisher(
            config.feed.session,
            config.feed.history_bytes,
            config.feed.history_messages,
            config.feed.heartbeat_ms * MILLISECOND_NS,
        )
        self.requests = RerequestServer(self.publisher)
        self.feed = FeedWriter(self.publisher, config.symbol_names)
        self.engine = MatchingEngine(self.feed, config.resting_orders, entry.prevent_self_match)
        self.desk = OrderDesk(entry.live_orders, config.tick)
        self.desk.connect_venue(self.engine)
        self.acceptor = Acceptor(
            self.desk,
            entry.cancel_on_disconnect,
            silence_ns=entry.client_silence_ms * MILLISECOND_NS,
        )
        self.sessions: list[OrderEntrySession] = [
            self.acceptor.add_session(each.name, each.username, each.password, each.firm)
            for each in entry.sessions
        ]
        self.flow = BackgroundFlow(
            self.engine,
            config.seed,
            config.flow.messages_per_second,
            config.flow.orders_per_symbol,
            config.tick,
            config.first_prices,
        )
        self._schedule: list[tuple[int, str, str, str]] = []
        self._offset_ns: int | None = None
        self._started_ns = 0
        self._stopped_ns: int | None = None
        self._opening_messages = 0

    @property
    def running(self) -> bool:
        """Whether the day has begun and is not over."""
        return self._offset_ns is not None and self._stopped_ns is None

    def _clock(self, t_ns: int) -> int:
        if self._offset_ns is None:
            raise RuntimeError("the exchange was not started")
        return t_ns + self._offset_ns

    def start(self, t_ns: int) -> None:
        """Begin the day: directory, trading states, opening orders; then the flow's pace begins."""
        if self._offset_ns is not None:
            raise RuntimeError("the exchange was started already")
        self._offset_ns = self.config.start_time_ns - t_ns
        self._started_ns = t_ns
        now = self._clock(t_ns)
        for halt in self.config.halts:
            begin = now + int(halt.at_seconds * SECOND_NS)
            end = begin + int(halt.for_seconds * SECOND_NS)
            self._schedule.append((begin, halt.symbol, halt.state, halt.reason))
            self._schedule.append((end, halt.symbol, "T", halt.resume_reason))
        self._schedule.sort(key=lambda each: each[0])
        self.feed.begin_day(now)
        for symbol in self.config.symbol_names:
            self.engine.set_trading_state(symbol, "T", "", now)
        self.feed.event("S", now)
        self.feed.event("Q", now)
        self.desk.system_event("S", now)
        if self.config.flow.messages_per_second:
            self.flow.start(now)
        self.publisher.timer(now)
        self._opening_messages = self.publisher.next_sequence_number - 1

    def on_client_connected(self, identity: Hashable, t_ns: int) -> None:
        """A client opened a connection; ``identity`` names it from now on."""
        self.acceptor.connect(identity, self._clock(t_ns))

    def on_client_bytes(self, identity: Hashable, data: bytes, t_ns: int) -> None:
        """Bytes of a connection, cut anywhere; what they cause is in the feed at once."""
        now = self._clock(t_ns)
        self.acceptor.receive(identity, data, now)
        self.publisher.flush_now(now)

    def on_client_closed(self, identity: Hashable, t_ns: int) -> None:
        """A client closed its connection."""
        now = self._clock(t_ns)
        self.acceptor.disconnect(identity, now)
        self.publisher.flush_now(now)

    def on_request(self, data: bytes) -> bytes | None:
        """The answer to a re-request datagram, ``None`` when it gets none."""
        return self.requests.answer(data)

    def on_timer(self, t_ns: int) -> None:
        """Everything that is due: scheduled halts, flow, expiries, heartbeats, timeouts."""
        now = self._clock(t_ns)
        if self._stopped_ns is None:
            while self._schedule and self._schedule[0][0] <= now:
                due, symbol, state, reason = self._schedule.pop(0)
                self.flow.run_until(due)
                self.engine.set_trading_state(symbol, state, reason, due)
            self.flow.run_until(now)
            self.desk.timer(now)
        self.acceptor.timer(now)
        self.publisher.timer(now)

    def take_packets(self) -> list[bytes]:
        """MoldUDP64 packets since the last call, for every line alike."""
        return self.publisher.take_packets()

    def take_client_output(self, t_ns: int) -> list[tuple[Hashable, bytes, bool]]:
        """Identity, bytes to write, and whether to close the connection after them."""
        return self.acceptor.take_output(self._clock(t_ns))

    def set_trading_state(self, symbol: str, state: str, reason: str, t_ns: int) -> bool:
        """Halt (``H``), pause (``P``), quote only (``Q``) or resume (``T``); whether it changed.

        Raises ``KeyError`` for an unknown symbol.
        """
        now = self._clock(t_ns)
        changed: bool = self.engine.set_trading_state(symbol, state, reason, now)
        self.publisher.flush_now(now)
        return changed

    def set_operational_halt(self, symbol: str, halted: bool, t_ns: int) -> bool:
        """Halt or resume a symbol on this market only; whether it changed."""
        now = self._clock(t_ns)
        changed: bool = self.engine.set_operational_halt(symbol, halted, now)
        self.publisher.flush_now(now)
        return changed

    def break_trade(self, match_number: int, reason: str, t_ns: int) -> int:
        """Break a match; how many client sides were told. Raises ``ValueError`` if unknown."""
        now = self._clock(t_ns)
        told: int = self.engine.break_trade(match_number, reason, now)
        self.publisher.flush_now(now)
        return told

    def stop(self, t_ns: int) -> None:
        """End the day: client orders are cancelled (closed), the feed and the sessions end."""
        if self._stopped_ns is not None:
            return
        now = self._clock(t_ns)
        self._stopped_ns = t_ns
        self.engine.close()
        for session in self.sessions:
            self.desk.cancel_all(session.index, "E", now)
        for code in "ME":
            self.feed.event(code, now)
        self.desk.system_event("E", now)
        self.feed.event("C", now)
        self.publisher.end(now)
        self.acceptor.end_of_session(now)

    def report(self, t_ns: int) -> dict[str, object]:
        """What happened so far; ``messages_per_second`` is the rate reached after the opening."""
        until = t_ns if self._stopped_ns is None else self._stopped_ns
        elapsed = max(until - self._started_ns, 1)
        messages = self.publisher.next_sequence_number - 1
        return {
            "session": self.config.feed.session,
            "symbols": len(self.config.symbol_names),
            "elapsed_ns": elapsed,
            "messages": messages,
            "messages_by_type": self.publisher.messages_by_type(),
            "messages_per_second": (messages - self._opening_messages) * SECOND_NS // elapsed,
            "publisher": self.publisher.counters(),
            "requests": self.requests.counters(),
            "matching": self.engine.counters(),
            "order_entry": self.desk.counters(),
            "rejects_by_reason": self.desk.rejects_by_reason(),
            "flow": self.flow.counters(),
            "acceptor": self.acceptor.counters(),
        }
