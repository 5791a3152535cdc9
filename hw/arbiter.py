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
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arbiter_queue import ArbiterQueue, StartSignature, item_layout
from hw.event import CYCLE_BITS, SEQUENCE_NUMBER_BITS, event_layout
from hw.line_signature import PARSER_CYCLES, ParsedLine
from hw.number_order import KNOWN_CYCLES, NumberOrder
from hw.request import SYMBOL_BITS
from hw.symbol_filter import symbol_layout
from nic.framing.enumerations import ARBITER
from nic.framing.feed_format import FeedFormat

COUNTER_BITS = 64


@dataclass(frozen=True, slots=True)
class Changes:
    """What a candidate does to the state."""

    moves: Signal
    opens: Signal
    is_late: Signal
    starts: Signal


class Candidate:
    """A message of a line, or the head of the queue: where its number stands, what it would do.

    ``is_next``: at the expected number; ``is_jump``: behind it; ``is_missing``: in the open gap and
    not given up. The terms whose sums these are come from registers. ``is_ready``: it is taken if
    it wants to be (``is_taken``) and is ``allowed``, as nobody goes before it: that comes late.
    What it would do is known before: ``would``. ``stays``: it is taken as it is missing, or as
    nothing is arbitrated.
    """

    def __init__(self, name: str, item: Any, following: Value, is_valid: Value) -> None:
        self.name, self.item, self.following, self.is_valid = name, item, following, is_valid
        self.number: Value = item.message.sequence_number
        self.is_next, self.is_jump, self.is_missing = (
            Signal(name=f"{what}_{name}") for what in ("is_next", "is_jump", "is_missing")
        )
        self.is_ready, self.allowed, self.wants, self.is_taken = (
            Signal(name=f"{what}_{name}") for what in ("is_ready", "allowed", "wants", "is_taken")
        )
        self.stays = Signal(name=f"stays_{name}")
        self.would = Changes(*(Signal(name=f"would_{what}_{name}") for what in Changes.__slots__))
        self.does = Changes(*(Signal(name=f"{what}_{name}") for what in Changes.__slots__))

    def know(self, m: Module, terms: Mapping[str, Sequence[Value]]) -> None:
        """Where the number stands in the next cycle: each of the three the sum of some terms."""
        for what, sum_ in (
            ("next", self.is_next),
            ("jump", self.is_jump),
            ("missing", self.is_missing),
        ):
            kept = Signal(len(terms[what]), name=f"{what}_terms_{self.name}")
            m.d.sync += kept.eq(Cat(*terms[what]))
            m.d.comb += sum_.eq(kept.any())

    def before(self, m: Module) -> Changes:
        """What it did a cycle ago."""
        kept = Changes(*(Signal(name=f"was_{what}_{self.name}") for what in Changes.__slots__))
        m.d.sync += [getattr(kept, w).eq(getattr(self.does, w)) for w in Changes.__slots__]
        return kept

    def decide(self, m: Module, is_arbitrating: Value, is_started: Value) -> None:
        """What it wants, and what it does to the state when it is taken.

        What does something wants to be taken: said without that it takes fewer gates.
        """
        acts = self.is_ready & is_arbitrating
        is_message = self.item.is_message
        is_start = self.item.is_start & ~is_message
        is_new = self.is_next | self.is_jump
        m.d.comb += [
            self.wants.eq(
                Mux(
                    is_message,
                    is_new | self.is_missing | ~is_arbitrating,
                    is_start | is_arbitrating & is_new,
                )
            ),
            self.is_taken.eq(self.is_ready & self.wants & self.allowed),
            self.stays.eq(self.is_ready & (self.is_missing | ~is_arbitrating)),
            self.would.starts.eq(self.is_ready & is_start),
            self.would.moves.eq((acts & is_new) | self.would.starts),
            self.would.opens.eq(acts & self.is_jump & is_started & ~is_start),
            self.would.is_late.eq(acts & self.is_missing & is_message),
        ]
        m.d.comb += [
            getattr(self.does, w).eq(getattr(self.would, w) & self.allowed)
            for w in Changes.__slots__
        ]


def any_does(what: str, first: Candidate, others: Sequence[Candidate]) -> Value:
    """Whether any of the candidates does that: ``first``, or one that is allowed as that one is
    not taken. What they would do is summed before, as that comes late.
    """
    does: Value = getattr(first.does, what)
    if others:
        does |= Cat(*(getattr(o.would, what) for o in others)).any() & others[0].allowed
    return does


def any_moves(first: Candidate, others: Sequence[Candidate]) -> Value:
    """Whether any of the candidates moves the state on.

    As of :func:`any_does`. But if ``first`` is new, it does: so the others need not ask that to
    know whether they are allowed.
    """
    would = Cat(*(other.would.moves for other in others)).any()
    return first.does.moves | (would & ~first.stays)


class Arbiter(wiring.Component):
    """Arbitration of lines ``a`` and ``b`` by sequence number.

    ``event`` comes a cycle after its message; without ``is_arbitrating`` every message
    of both lines is one. ``is_for_host``: the event that is valid goes to the host; with
    ``drops_unwanted`` those of unwanted instruments do not. ``symbol_a``, ``symbol_b``: what the
    filter says of the message that is valid. ``cycle`` counts cycles.

    ``start`` sets what is expected next; it takes its place among what waits.
    ``gap_opened``: for one cycle when a message or an idle datagram shows that others are missing.
    ``counters`` (the table ``ARBITER``) follow by three cycles.
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
            queue.push.eq(asks_b & b.wants & (a.is_taken | ~queue.is_empty)),
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
        event = Signal.like(self.event.payload, name="event")
        both = [Signal.like(event.message, name=f"message_{name}") for name in ("a", "other")]
        showed_a = Signal()
        early = 8 * (self.feed.messages.type_offset + 1)
        chosen = Mux(showed_a, both[0], both[1])
        m.d.comb += [
            self.event.payload.eq(event),
            self.event.payload.message.eq(Cat(event.message[:early], chosen[early:])),
        ]
        m.d.sync += [
            showed_a.eq(shows_a),
            both[0].eq(a.item.message.message),
            both[1].eq(other.message.message),
            self.event.valid.eq(a.is_taken | b.is_taken | (head.is_taken & head.item.is_message)),
            event.message[:early].eq(item.message.message[:early]),
            event.length_bytes.eq(item.message.length_bytes),
            event.sequence_number.eq(number),
            event.line.eq(~shows_a),
            event.after_gap.eq(opens),
            event.is_late.eq(is_late),
            event.is_wanted.eq(symbol.is_wanted),
            event.symbol_index.eq(symbol.symbol_index),
            event.received_cycle.eq(item.received_cycle),
            self.is_for_host.eq(symbol.is_wanted | ~self.drops_unwanted),
            self.gap_opened.eq(opens),
        ]

    def _count(self, m: Module, candidates: Sequence[Candidate], lost: dict[str, Value]) -> None:
        """The counters, some cycles behind so that no decision waits for their sums."""
        head = candidates[-1]
        was = {name: Signal(name=f"was_{name}") for name in (*lost, "starts", "late")}
        m.d.sync += [was[name].eq(value) for name, value in lost.items()]
        m.d.sync += was["starts"].eq(head.does.starts)
        expected, gap_next, gap_end = (
            Signal(SEQUENCE_NUMBER_BITS, name=f"was_{name}")
            for name in ("expected", "gap_next", "gap_end")
        )
        number = self.event.payload.sequence_number
        event, opened, is_late = self.event, self.gap_opened, self.event.payload.is_late
        missing, abandoned = Signal(SEQUENCE_NUMBER_BITS), Signal(SEQUENCE_NUMBER_BITS)
        m.d.sync += [
            expected.eq(self.expected),
            gap_next.eq(self.gap_next),
            gap_end.eq(self.gap_end),
            missing.eq(Mux(opened, number - expected, 0)),
            abandoned.eq(Mux(is_late, number, gap_end) - gap_next),
        ]
        has_abandoned = Signal()
        m.d.sync += has_abandoned.eq(opened | was["starts"] | is_late)
        increments = {
            "events": event.valid,
            "duplicates_a": was["duplicates_a"],
            "duplicates_b": was["duplicates_b"] + was["duplicates_head"],
            "gaps": opened,
            "missing": missing,
            "recovered": is_late,
            "gap_abandoned": Mux(has_abandoned, abandoned, 0),
            "overrun": was["overrun"],
            "unwanted": event.valid & ~event.payload.is_wanted,
            "unwanted_dropped": event.valid & ~self.is_for_host,
        }
        for name in ARBITER.names:
            counter = self.counters[name]
            m.d.sync += counter.eq(counter + increments[name])
