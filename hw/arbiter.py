# SPDX-License-Identifier: Apache-2.0
"""Two lines in, the first copy of each message out, with the gaps that neither line filled.

The specification is ``nic/framing/arbiter_reference.py``. Line A's message is decided in its own
cycle. So is line B's, unless A's becomes an event in that cycle: then it waits in a queue, in
order. A copy never waits, so that lines in step do not fill the queue; neither does a message wait
for a copy, so that the faster line is not held up by the slower one.

To decide and to be ready for the next cycle is too much for a cycle. So each number is held against
the state a cycle before its message is there (``ParsedLine.upcoming``): against the state as it
stands, and against what it becomes if one of the messages that are there now is taken. The
decision then only chooses. ``hw.number_order`` makes the comparisons short.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arbiter_candidate import Candidate, any_does, any_moves
from hw.arbiter_queue import ArbiterQueue, StartSignature, item_layout
from hw.event import CYCLE_BITS, SEQUENCE_NUMBER_BITS, event_layout, message_layout
from hw.line_signature import PARSER_CYCLES, ParsedLine
from hw.number_order import KNOWN_CYCLES, NumberOrder
from hw.request import SYMBOL_BITS
from hw.symbol_filter import symbol_layout
from nic.framing.enumerations import ARBITER
from nic.framing.feed_format import FeedFormat

COUNTER_BITS = 64


def delayed(m: Module, value: Value, cycles: int) -> Value:
    """The value so many cycles ago."""
    for _ in range(cycles):
        kept = Signal.like(value, name="delayed")
        m.d.sync += kept.eq(value)
        value = kept
    return value


class Arbiter(wiring.Component):
    """Arbitration of lines ``a`` and ``b`` by sequence number.

    ``event`` comes a cycle after its message; without ``is_arbitrating`` every message
    of both lines is one. ``is_for_host``: the event that is valid goes to the host; with
    ``drops_unwanted`` those of unwanted instruments do not. ``symbol_a``, ``symbol_b``: what the
    filter says of the message that is valid. ``cycle`` counts cycles.

    ``start`` sets what is expected next; it takes its place among what waits.
    ``gap_opened``: for one cycle when a message or an idle datagram shows that others are missing.
    ``counters`` (the table ``ARBITER``) follow by four cycles.
    """

    def __init__(self, feed: FeedFormat, symbol_bits: int = SYMBOL_BITS) -> None:
        self.feed = feed
        self._item = item_layout(feed, symbol_bits)
        symbol, number = symbol_layout(symbol_bits), SEQUENCE_NUMBER_BITS
        event = event_layout(feed, symbol_bits)
        super().__init__(
            {
                "a": In(ParsedLine(feed)),
                "b": In(ParsedLine(feed)),
                "symbol_a": In(symbol),
                "symbol_b": In(symbol),
                "cycle": In(CYCLE_BITS),
                "is_arbitrating": In(1),
                "drops_unwanted": In(1),
                "start": In(StartSignature),
                "event": Out(wiring.Signature({"valid": Out(1), "payload": Out(event)})),
                "is_for_host": Out(1),
                "gap_opened": Out(1),
                "expected": Out(number),
                "gap_next": Out(number),
                "gap_end": Out(number),
                "counters": Out(data.StructLayout(dict.fromkeys(ARBITER.names, COUNTER_BITS))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The decision: of both lines' messages and of what waits, at most one is taken."""
        m = Module()
        m.submodules.queue = queue = ArbiterQueue(self.feed, self._item)
        a, b = self._line(m, "a", self.a, self.symbol_a), self._line(m, "b", self.b, self.symbol_b)
        # Where the head stands is known some cycles after it came; nobody asks without arbitration.
        # Without a head for at least a cycle behind one that was taken, the count begins anew.
        known_for, is_known = Signal(KNOWN_CYCLES), Signal()
        m.d.sync += [
            known_for.eq(Mux(queue.has_head, Cat(1, known_for)[:KNOWN_CYCLES], 0)),
            is_known.eq(queue.has_head & ~queue.pop & (known_for[-1] | ~self.is_arbitrating)),
        ]
        head = Candidate("head", queue.head, queue.head.following, is_known)

        is_started, is_in_step = Signal(), Signal()
        for candidate in (a, b, head):
            candidate.decide(m, self.is_arbitrating, is_started)
        # A copy is a copy whatever happens in its cycle: the state only moves on.
        asks_b = b.is_valid & ~(is_in_step & a.is_valid & self.is_arbitrating)
        m.d.sync += is_in_step.eq(self.a.upcoming == self.b.upcoming)
        m.d.comb += [
            a.is_ready.eq(a.is_valid),
            b.is_ready.eq(asks_b & queue.is_empty),
            head.is_ready.eq(head.is_valid),
            a.allowed.eq(1),
            b.allowed.eq(~a.is_taken),
            head.allowed.eq(~a.is_taken),
            queue.asks.eq(asks_b & b.wants),
            queue.push.eq(queue.asks & (a.is_taken | ~queue.is_empty)),
            queue.item.eq(b.item),
            queue.has_message.eq(b.is_valid),
            queue.pop.eq(head.is_valid & ~(head.wants & a.is_taken)),
        ]
        wiring.connect(m, queue.a, wiring.flipped(self.a.datagram))
        wiring.connect(m, queue.b, wiring.flipped(self.b.datagram))
        wiring.connect(m, queue.start, wiring.flipped(self.start))
        self._orders(m, a, b, head)
        self._move(m, (a, b, head), is_started)
        self._count(
            m,
            (a, b, head),
            {
                "duplicates_a": a.is_valid & ~a.wants,
                "duplicates_b": b.is_valid & ~(asks_b & b.wants),
                "duplicates_head": head.is_valid & ~head.wants & head.item.is_message,
                "overrun": queue.is_overrun,
            },
        )
        return m

    def _line(self, m: Module, name: str, line: Any, symbol: Any) -> Candidate:
        """A line's message with what is known beside it."""
        stamp = Signal(CYCLE_BITS, name=f"stamp_{name}")  # when its last byte was there
        item = Signal(self._item, name=f"item_{name}")
        m.d.sync += stamp.eq(self.cycle - (PARSER_CYCLES - 1))
        m.d.comb += [
            item.is_message.eq(1),
            item.following.eq(line.upcoming),
            item.message.eq(line.message.payload),
            item.symbol.eq(symbol),
            item.received_cycle.eq(stamp),
        ]
        return Candidate(name, item, line.upcoming, line.message.valid)

    def _orders(self, m: Module, a: Candidate, b: Candidate, head: Candidate) -> None:
        """What is known of the distance of every number to those it may be held against."""
        up_a, up_b = a.following, b.following
        a_b = NumberOrder(m, "a_b", up_a, up_b)
        a_head = NumberOrder(m, "a_head", up_a, head.following)
        b_head = NumberOrder(m, "b_head", up_b, head.following)
        for order in (a_b, a_head, b_head):
            order.follow(m)
        all_ = (a, b, head)
        before = {c.name: c.before(m) for c in all_}
        opened = Cat(*(before[c.name].opens for c in all_)).any()
        for candidate, number, own, others in (
            (a, up_a, a, {"b": a_b, "head": a_head}),
            (b, up_b, b, {"a": a_b.reversed(up_b, up_a), "head": b_head}),
            (head, head.number, None, {"a": a_head.reversed(head.number, up_a)}),
        ):
            name = candidate.name
            expected = NumberOrder(m, f"{name}_expected", number, self.expected)
            gap_next = NumberOrder(m, f"{name}_gap_next", number, self.gap_next)
            gap_end = NumberOrder(m, f"{name}_gap_end", number, self.gap_end)

            def by(
                what: str,
                own: Candidate | None = own,
                others: Mapping[str, NumberOrder] = others,
            ) -> list[tuple[Value, NumberOrder | None]]:
                """Who did that in the cycle before, and the distance to the number of each."""
                found: list[tuple[Value, NumberOrder | None]] = [
                    (getattr(before[other], what), order) for other, order in others.items()
                ]
                return found if own is None else [*found, (getattr(before[own.name], what), None)]

            expected.follow(m, by("moves"))
            gap_end.follow(m, by("opens"))
            gap_next.follow(
                m,
                [*by("is_late"), (opened, expected), (before["head"].starts, gap_end)],
            )
            now = {c.name: c for c in all_}
            self._look_ahead(m, candidate, own, (expected, gap_next, gap_end), others, now)

    def _look_ahead(
        self,
        m: Module,
        candidate: Candidate,
        own: Candidate | None,
        state: tuple[NumberOrder, NumberOrder, NumberOrder],
        orders: Mapping[str, NumberOrder],
        candidates: Mapping[str, Candidate],
    ) -> None:
        """Where the number stands in the next cycle, whichever candidate is taken in this one.

        ``own``: the candidate of which it is the number that follows. ``state``: the number against
        what is expected, and the open gap's next and end. ``orders``: against what follows others.
        """
        expected, gap_next, gap_end = state
        others = [(candidates[name], order) for name, order in orders.items()]
        anyone = [c for c, _ in others] + ([own] if own is not None else [])
        first = next(c for c in anyone if c.name == "a")
        later = [c for c in anyone if c is not first]
        reaches_expected, is_before_end = Signal(), Signal()
        moves, changes_gap = Signal(), Signal()
        m.d.comb += [
            reaches_expected.eq(expected.is_at_least()),
            is_before_end.eq(~gap_end.is_at_least()),
            moves.eq(any_moves(first, later)),
            changes_gap.eq(
                Cat(any_does(what, first, later) for what in ("opens", "is_late", "starts")).any()
            ),
        ]
        # One gate behind each comparison, as those come late; few terms, as they are summed next.
        at: list[Value] = [expected.is_equal() & ~moves]
        jump: list[Value] = [expected.is_more() & ~moves]
        missing: list[Value] = [gap_next.is_at_least() & is_before_end & ~changes_gap]
        if own is not None:
            at[0] |= own.does.moves
            missing[0] |= own.does.is_late & is_before_end
        at_others: list[Value] = []
        jump_others: list[Value] = []
        late_others: list[Value] = []
        for other, order in others:
            at_others.append(order.is_equal() & other.does.moves)
            jump_others.append(order.is_more() & other.does.moves)
            late_others.append(order.is_at_least() & other.does.is_late)
            missing.append(other.does.opens & reaches_expected & order.is_less(other.number))
        at.append(Cat(*at_others).any())
        jump.append(Cat(*jump_others).any())
        missing.append(Cat(*late_others).any() & is_before_end)
        candidate.know(m, {"next": at, "jump": jump, "missing": missing})

    def _move(self, m: Module, candidates: Sequence[Candidate], is_started: Signal) -> None:
        """The event and the state after it, from the candidate that is taken."""
        a, b, head = candidates
        item, other = Signal(self._item), Signal(self._item)
        # With nobody else there it is a's as well: another bit than what decides, as this one goes
        # a wide way.
        shows_a = Signal()
        m.d.comb += [
            shows_a.eq(a.is_taken | ~(b.is_valid | head.is_valid)),
            other.eq(Mux(head.is_valid, head.item, b.item)),
            item.eq(Mux(shows_a, a.item, other)),
        ]
        number, following = item.message.sequence_number, item.following
        moves = any_moves(a, (b, head))
        opens, is_late = (any_does(what, a, (b, head)) for what in ("opens", "is_late"))
        with m.If(moves):
            m.d.sync += [
                self.expected.eq(following),
                is_started.eq(~head.does.starts | head.following.any()),
            ]
        # What it is when a does not act is chosen before: who else is there is known early.
        unless_a = Mux(head.would.starts, self.gap_end, other.following)
        with m.If(opens):
            m.d.sync += self.gap_end.eq(number)
        with m.If(opens | is_late | head.does.starts):
            m.d.sync += self.gap_next.eq(
                Mux(opens, self.expected, Mux(a.does.is_late, a.following, unless_a))
            )
        symbol = item.symbol
        # What is shown is known too late to choose between hundreds of bits: those of the message
        # are chosen behind their registers, but for its type, which decides what the others mean.
        # So are its number and its stamp, for which nobody waits.
        event = Signal.like(self.event.payload, name="event")
        kept = data.StructLayout({"message": message_layout(self.feed), "stamp": CYCLE_BITS})
        both = [Signal(kept, name=f"kept_{name}") for name in ("a", "other")]
        chosen, showed_a = Signal(kept), Signal()
        early = 8 * (self.feed.messages.type_offset + 1)
        m.d.comb += [
            chosen.eq(Mux(showed_a, *both)),
            self.event.payload.eq(event),
            self.event.payload.message.eq(
                Cat(event.message[:early], chosen.message.message[early:])
            ),
            self.event.payload.length_bytes.eq(chosen.message.length_bytes),
            self.event.payload.sequence_number.eq(chosen.message.sequence_number),
            self.event.payload.received_cycle.eq(chosen.stamp),
        ]
        for shown, register in zip((a.item, other), both, strict=True):
            m.d.sync += [
                register.message.eq(shown.message),
                register.stamp.eq(shown.received_cycle),
            ]
        m.d.sync += [
            showed_a.eq(shows_a),
            self.event.valid.eq(a.is_taken | b.is_taken | (head.is_taken & head.item.is_message)),
            event.message[:early].eq(item.message.message[:early]),
            event.line.eq(~shows_a),
            event.after_gap.eq(opens),
            event.is_late.eq(is_late),
            event.is_wanted.eq(symbol.is_wanted),
            event.symbol_index.eq(symbol.symbol_index),
            self.is_for_host.eq(symbol.is_wanted | ~self.drops_unwanted),
            self.gap_opened.eq(opens),
        ]

    def _count(self, m: Module, candidates: Sequence[Candidate], lost: dict[str, Value]) -> None:
        """The counters, some cycles behind so that no decision waits for their sums."""
        head = candidates[-1]
        was = {name: Signal(name=f"was_{name}") for name in lost}
        m.d.sync += [was[name].eq(value) for name, value in lost.items()]
        event = self.event
        # What happened, and the state before it. No sum stands behind the choice of the message.
        starts = delayed(m, head.does.starts, 2)
        opened = delayed(m, self.gap_opened, 1)
        is_late = delayed(m, event.payload.is_late, 1)
        number = delayed(m, event.payload.sequence_number, 1)
        expected, gap_next, gap_end = (
            delayed(m, state, 2) for state in (self.expected, self.gap_next, self.gap_end)
        )
        missing, abandoned = Signal(SEQUENCE_NUMBER_BITS), Signal(SEQUENCE_NUMBER_BITS)
        has_abandoned = Signal()
        m.d.sync += [
            missing.eq(Mux(opened, number - expected, 0)),
            abandoned.eq(Mux(is_late, number, gap_end) - gap_next),
            has_abandoned.eq(opened | starts | is_late),
        ]
        increments = {
            "events": event.valid,
            "duplicates_a": was["duplicates_a"],
            "duplicates_b": was["duplicates_b"] + was["duplicates_head"],
            "gaps": self.gap_opened,
            "missing": missing,
            "recovered": event.payload.is_late,
            "gap_abandoned": Mux(has_abandoned, abandoned, 0),
            "overrun": was["overrun"],
            "unwanted": event.valid & ~event.payload.is_wanted,
            "unwanted_dropped": event.valid & ~self.is_for_host,
        }
        for name in ARBITER.names:
            counter = self.counters[name]
            m.d.sync += counter.eq(counter + increments[name])
