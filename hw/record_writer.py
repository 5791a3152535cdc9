# SPDX-License-Identifier: Apache-2.0
"""Records for the host: events, verdicts and outcomes as words, in the order they happened."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.event import event_layout
from hw.gate_ports import verdict_layout
from hw.order_builder import outcome_layout
from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS
from nic.framing.enumerations import ARRIVAL
from nic.framing.feed_format import FeedFormat
from nic.offload.records import NOT_WANTED, OFFLOAD, WORD_BYTES

WORD_BITS = 8 * WORD_BYTES
NUMBER_BITS = 64
ORDER_BITS = 16
"""Of a record's number, enough to see which of two that wait came first."""

EVENT_DEPTH = 512
OTHER_DEPTH = 32


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
        verdict = verdict_layout(symbol_bits, strategy_bits, venue_bits)
        outcome = outcome_layout(slot_bits)
        self._depths = {"event": EVENT_DEPTH, "verdict": OTHER_DEPTH, "outcome": OTHER_DEPTH}
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
        """A queue per kind; the oldest of their heads goes next, word by word."""
        m = Module()
        queues = {name: self._queue(m, name) for name in self._depths}
        heads = [(name, *queues[name]) for name in queues]
        bits = max(len(record) for _, _, record, _, _ in heads)
        words = -(-bits // WORD_BITS)
        shift = Signal(words * WORD_BITS)
        left = Signal(range(words + 1))
        bytes_left = Signal(range(words * WORD_BYTES + 1))
        record, record_words, record_bytes = Signal.like(shift), Signal.like(left), Signal(8)
        ready = Signal()
        chosen: Value = Const(0, 1)
        for index, (_, valid, body, sizes, take) in enumerate(heads):
            others = [h for i, h in enumerate(heads) if i != index]
            first = valid & ~Cat(h[1] & self._before(h[3][2], sizes[2]) for h in others).any()
            with m.If(first):
                m.d.comb += [
                    record.eq(body),
                    record_words.eq(sizes[0]),
                    record_bytes.eq(sizes[1]),
                ]
            m.d.comb += take.eq(first & ready)
            chosen = chosen | first
        word = self.records.payload
        taken = self.records.valid & self.records.ready
        m.d.comb += [
            ready.eq((left == 0) | ((left == 1) & taken)),
            self.records.valid.eq(left != 0),
            word.last.eq(left == 1),
            word.data.eq(
                Cat(Mux(bytes_left > lane, shift[8 * lane : 8 * lane + 8], 0) for lane in range(8))
            ),
        ]
        with m.If(ready & chosen):
            m.d.sync += [shift.eq(record), left.eq(record_words), bytes_left.eq(record_bytes)]
        with m.Elif(taken):
            m.d.sync += [
                shift.eq(shift >> WORD_BITS),
                left.eq(left - 1),
                bytes_left.eq(Mux(bytes_left > WORD_BYTES, bytes_left - WORD_BYTES, 0)),
            ]
        return m

    @staticmethod
    def _before(one: Value, other: Value) -> Value:
        """Whether a record came before another; their numbers are never far apart."""
        return (one - other)[ORDER_BITS - 1]

    def _queue(self, m: Module, name: str) -> tuple[Value, Value, Any, Signal]:
        """The queue of one kind: whether its head is there, the record, its sizes, and its taking.

        The numbers of what comes in one cycle go by kind.
        """
        kinds = list(self._depths)
        payload, valid = getattr(self, name), getattr(self, f"{name}_valid")
        shape = data.StructLayout({"number": NUMBER_BITS, "payload": payload.shape()})
        depth = self._depths[name]
        queue = fifo.SyncFIFOBuffered(width=shape.size, depth=depth)
        m.submodules[f"{name}_queue"] = queue
        entry, head = Signal(shape), data.View(shape, queue.r_data)
        before = Cat(getattr(self, f"{k}_valid") for k in kinds[: kinds.index(name)])
        count = sum(before, Const(0, 2)) if len(before) else Const(0, 2)
        stored = Signal(shape, name=f"{name}_stored")
        stored_valid = Signal(name=f"{name}_stored_valid")
        m.d.comb += [entry.number.eq(self.made + 1 + count), entry.payload.eq(payload)]
        m.d.sync += [stored.eq(entry), stored_valid.eq(valid)]
        m.d.comb += [queue.w_data.eq(stored), queue.w_en.eq(stored_valid & queue.w_rdy)]
        if name == kinds[0]:
            arrived = Cat(getattr(self, f"{k}_valid") for k in kinds)
            m.d.sync += self.made.eq(self.made + sum(arrived, Const(0, 2)))
            lost = Signal(len(kinds))
            m.d.sync += self.dropped.eq(self.dropped + sum(lost, Const(0, 2)))
            self._lost = lost
        m.d.comb += self._lost[kinds.index(name)].eq(stored_valid & ~queue.w_rdy)
        words, size, values = getattr(self, f"_{name}")(head.payload)
        values["words"], values["record_number"] = words, head.number
        table = packed(name, values)
        body = Cat(table, head.payload.message) if name == "event" else table
        return queue.r_rdy, body, (words, size, head.number[:ORDER_BITS]), queue.r_en

    def _event(self, event: Any) -> tuple[Value, Value, dict[str, ValueLike]]:
        table = OFFLOAD["event"].length
        size = table + event.length_bytes
        words = ((size + WORD_BYTES - 1) >> 3)[:8]
        arrival = Mux(
            event.is_late,
            ARRIVAL.value("late"),
            Mux(event.after_gap, ARRIVAL.value("after_gap"), ARRIVAL.value("new")),
        )
        return (
            words,
            size,
            {
                "message_length": event.length_bytes,
                "line": event.line,
                "arrival": arrival,
                "symbol_index": Mux(event.is_wanted, event.symbol_index, NOT_WANTED),
                "sequence_number": event.sequence_number,
                "received_cycle": event.received_cycle,
            },
        )

    def _verdict(self, verdict: Any) -> tuple[Value, Value, dict[str, ValueLike]]:
        request = verdict.request
        size = OFFLOAD["verdict"].length
        return (
            Const(size // WORD_BYTES, 8),
            Const(size, 8),
            {
                "passed": verdict.passed,
                "reason": verdict.reason,
                "action": request.action.as_value(),
                "side": request.side,
                "time_in_force": request.time_in_force,
                "post_only": request.post_only,
                "decided_cycle": verdict.decided_cycle,
                "t_ns": verdict.t_ns,
                "pass_number": verdict.pass_number,
                "user_ref_num": verdict.user_ref_num,
                "order_user_ref_num": request.user_ref_num,
                "symbol_index": request.symbol_index,
                "strategy_id": request.strategy,
                "venue": request.venue,
                "origin": request.origin.as_value(),
                "quantity": request.quantity,
                "price": request.price,
                "tag": request.tag,
            },
        )

    def _outcome(self, outcome: Any) -> tuple[Value, Value, dict[str, ValueLike]]:
        size = OFFLOAD["outcome"].length
        return (
            Const(size // WORD_BYTES, 8),
            Const(size, 8),
            {
                name: getattr(outcome, name)
                for name in (
                    *("result", "is_order", "payload_bytes", "slot", "pass_number"),
                    *("user_ref_num", "sequence_number"),
                )
            },
        )
