# SPDX-License-Identifier: Apache-2.0
"""Records for the host: events, verdicts and outcomes as words, in the order they happened."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.event import event_layout
from hw.gate_ports import explained_layout
from hw.order_builder import outcome_layout
from hw.record_queue import RecordQueue
from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS
from nic.framing.enumerations import ARRIVAL
from nic.framing.feed_format import FeedFormat
from nic.offload.records import NOT_WANTED, OFFLOAD, WORD_BYTES

WORD_BITS = 8 * WORD_BYTES
NUMBER_BITS = 64
ORDER_BITS = 16
"""Of a record's number, enough to see which of two that wait came first."""

SIZE_BITS = 8
DEPTHS = {"event": 512, "verdict": 512, "outcome": 512}
"""Records that wait, by their kind; kinds in the order of what comes in one cycle.

Block RAMs are as deep anyway; fewer rows would lie in slices all over the device.
"""


class RecordWord(data.Struct):
    """Eight bytes of a record, the first one lowest."""

    data: WORD_BITS
    last: 1


def packed(name: str, values: Mapping[str, ValueLike]) -> Value:
    """The table fields of a record as they lie in it; what is not given is 0."""
    message = OFFLOAD[name]
    given: dict[str, ValueLike] = {"record_type": message.code or 0, **values}
    unknown = set(given) - {field.name for field in message}
    if unknown:
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))}")
    return Cat(_fitted(Value.cast(given.get(f.name, 0)), 8 * f.width) for f in message)


def _fitted(value: Value, bits: int) -> Value:
    """A value in a field's width."""
    if len(value) > bits and not isinstance(value, Const):
        raise ValueError(f"{len(value)} bits do not fit a field of {bits}")
    return Cat(value, Const(0, bits - len(value))) if len(value) < bits else value[:bits]


class RecordWriter(wiring.Component):
    """Makes words of what happens.

    ``event_valid``, ``event``; ``verdict_valid``, ``verdict``; ``outcome_valid``, ``outcome``: for
    a cycle each, in any combination. What finds its queue full is dropped, counted in ``dropped``,
    and takes its number along, so that the host sees the hole. ``made`` counts all of them.
    ``records``: the words of one record after the other.
    """

    def __init__(
        self,
        feed: FeedFormat,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
        slot_bits: int = 6,
    ) -> None:
        self.feed = feed
        event = event_layout(feed, symbol_bits)
        verdict = explained_layout(symbol_bits, strategy_bits, venue_bits)
        outcome = outcome_layout(slot_bits)
        members: dict[str, Any] = {}
        for name, shape in (("event", event), ("verdict", verdict), ("outcome", outcome)):
            members[f"{name}_valid"] = In(1)
            members[name] = In(shape)
        super().__init__(
            {
                **members,
                "records": Out(stream.Signature(RecordWord)),
                "made": Out(NUMBER_BITS),
                "dropped": Out(NUMBER_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The oldest of the queues' heads goes next, word by word."""
        m = Module()
        record, words, size, is_next, ready = self._next(m, self._queues(m))
        shift = Signal.like(record)
        left, bytes_left = Signal(SIZE_BITS), Signal(SIZE_BITS)
        is_there = Signal()  # left is not 0
        kept = Signal(WORD_BYTES)  # bytes of the word at hand that are the record's
        word = self.records.payload
        taken = self.records.valid & self.records.ready
        m.d.comb += [
            ready.eq(~is_there | (word.last & taken)),
            self.records.valid.eq(is_there),
            word.data.eq(
                Cat(Mux(kept[lane], shift[8 * lane : 8 * lane + 8], 0) for lane in range(8))
            ),
        ]
        with m.If(ready & is_next):
            m.d.sync += [
                shift.eq(record),
                left.eq(words),
                is_there.eq(1),
                word.last.eq(0),  # no record is one word
                bytes_left.eq(size - WORD_BYTES),  # no record is shorter
                kept.eq(-1),
            ]
        with m.Elif(taken):
            m.d.sync += [
                shift.eq(shift >> WORD_BITS),
                left.eq(left - 1),
                is_there.eq(~word.last),
                word.last.eq(left == 2),
                bytes_left.eq(bytes_left - WORD_BYTES),
                kept.eq(Cat(bytes_left > lane for lane in range(WORD_BYTES))),
            ]
        return m

    def _queues(self, m: Module) -> dict[str, RecordQueue]:
        """The queue of each kind. The numbers of what comes in one cycle go by kind."""
        queues, lost, before = {}, [], Const(0, 2)
        for name, depth in DEPTHS.items():
            payload, valid = getattr(self, name), getattr(self, f"{name}_valid")
            shape = data.StructLayout({"number": NUMBER_BITS, "payload": payload.shape()})
            queues[name] = queue = RecordQueue(shape, depth)
            m.submodules[f"{name}_queue"] = queue
            m.d.sync += [
                queue.write_valid.eq(valid),
                queue.written.payload.eq(payload),
                queue.written.number.eq(self.made + 1 + before),
            ]
            before = (before + valid)[:2]
            lost.append(queue.write_valid & queue.is_full)
        lost_now = Signal(2)
        m.d.sync += [
            self.made.eq(self.made + before),
            lost_now.eq(sum(lost, Const(0, 2))),
            self.dropped.eq(self.dropped + lost_now),
        ]
        return queues

    def _next(
        self, m: Module, queues: Mapping[str, RecordQueue]
    ) -> tuple[Signal, Signal, Signal, Signal, Signal]:
        """The record that goes next, its words and bytes, that it is there, and its taking.

        It is chosen in one cycle and made in the next, while the one before it still leaves.
        """
        heads = list(queues.values())
        made = [getattr(self, f"_{name}")(queue.head) for name, queue in queues.items()]
        bits = max(len(body) for body, _, _ in made)
        record = Signal(-(-bits // WORD_BITS) * WORD_BITS)
        words, size = Signal(SIZE_BITS), Signal(SIZE_BITS)
        is_next, ready = Signal(), Signal()
        chosen = Signal(len(heads))
        first = [
            one.head_valid
            & ~Cat(
                other.head_valid & self._before(other.head.number, one.head.number)
                for other in heads
                if other is not one
            ).any()
            for one in heads
        ]
        is_settled = Cat(head.is_settled for head in heads).all()
        has_chosen = Signal()  # any bit of ``chosen``: those go to all of the record
        chooses = ~is_next & ~has_chosen & is_settled
        m.d.sync += [
            chosen.eq(Cat(first) & chooses.replicate(len(heads))),
            has_chosen.eq(Cat(first).any() & chooses),
        ]
        for head, takes, (body, its_words, its_size) in zip(heads, chosen, made, strict=True):
            m.d.comb += head.takes.eq(takes)
            with m.If(takes):
                m.d.sync += [record.eq(body), words.eq(its_words), size.eq(its_size)]
        with m.If(has_chosen):
            m.d.sync += is_next.eq(1)
        with m.Elif(ready):
            m.d.sync += is_next.eq(0)
        return record, words, size, is_next, ready

    @staticmethod
    def _before(one: Value, other: Value) -> Value:
        """Whether a record came before another; their numbers are never far apart."""
        return (one[:ORDER_BITS] - other[:ORDER_BITS])[ORDER_BITS - 1]

    def _event(self, head: Any) -> tuple[Value, Value, Value]:
        """The record of an event, and how many words and bytes of it count."""
        event, table = head.payload, OFFLOAD["event"].length
        size = (table + event.length_bytes)[:SIZE_BITS]
        words = (table + WORD_BYTES - 1 + event.length_bytes)[:SIZE_BITS] >> 3
        arrival = Mux(
            event.is_late,
            ARRIVAL.value("late"),
            Mux(event.after_gap, ARRIVAL.value("after_gap"), ARRIVAL.value("new")),
        )
        values = {
            "words": words,
            "record_number": head.number,
            "message_length": event.length_bytes,
            "line": event.line,
            "arrival": arrival,
            "symbol_index": Mux(event.is_wanted, event.symbol_index, NOT_WANTED),
            "sequence_number": event.sequence_number,
            "received_cycle": event.received_cycle,
        }
        return Cat(packed("event", values), event.message), words, size

    def _verdict(self, head: Any) -> tuple[Value, Value, Value]:
        """The record of a verdict, its words and its bytes."""
        verdict, request = head.payload.verdict, head.payload.verdict.request
        values = {
            "passed": verdict.passed,
            "reason": head.payload.reason,
            "action": request.action.as_value(),
            "side": request.side,
            "time_in_force": request.time_in_force,
            "post_only": request.post_only,
            "decided_cycle": verdict.decided_cycle,
            "t_ns": verdict.t_ns,
            "pass_number": Mux(verdict.passed, verdict.pass_number, 0),
            "user_ref_num": Mux(verdict.passed, verdict.user_ref_num, 0),
            "order_user_ref_num": request.user_ref_num,
            "symbol_index": request.symbol_index,
            "strategy_id": request.strategy,
            "venue": request.venue,
            "origin": request.origin.as_value(),
            "quantity": request.quantity,
            "price": request.price,
            "tag": request.tag,
        }
        return self._of_fixed_size("verdict", head, values)

    def _outcome(self, head: Any) -> tuple[Value, Value, Value]:
        """The record of an outcome, its words and its bytes."""
        names = ("result", "is_order", "payload_bytes", "slot", "pass_number", "user_ref_num")
        values = {name: getattr(head.payload, name) for name in (*names, "sequence_number")}
        return self._of_fixed_size("outcome", head, values)

    @staticmethod
    def _of_fixed_size(
        name: str, head: Any, values: Mapping[str, ValueLike]
    ) -> tuple[Value, Value, Value]:
        size = OFFLOAD[name].length
        words = Const(size // WORD_BYTES, SIZE_BITS)
        table = packed(name, {**values, "words": words, "record_number": head.number})
        return table, words, Const(size, SIZE_BITS)
