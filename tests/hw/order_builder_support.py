# SPDX-License-Identifier: Apache-2.0
"""Drives the model of the order builder operation by operation, beside its reference."""

import functools
import random
from dataclasses import asdict, dataclass, field

import numpy as np

from hw.host_payload import PayloadWord
from hw.order_builder import OrderBuilder
from hw.order_builder_reference import CANCEL, NEW, REPLACE, Order
from hw.order_builder_reference import ReferenceOrderBuilder as Reference
from hw.replay_ring import DESCRIPTOR_WORD, READ_LATENCY, SegmentDescriptor
from nic.offload.builder_enumerations import BUILDER
from nic.offload.order_template import ConnectionAddress, OrderLetters, template_writes
from sim.gateware import harness
from sim.gateware.harness import Feed, Model

SYMBOL_BITS, SLOTS = 6, 4
CALM = 12
"""Cycles after which the room of a changed connection is known."""
LONGEST_FRAME_CYCLES = 60
SYMBOLS = [f"S{i:02d}".ljust(8).encode() for i in range(1 << SYMBOL_BITS)]


def address(**changes):
    values = {
        "source_mac": bytes.fromhex("02aabbccdd01"),
        "destination_mac": bytes.fromhex("02aabbccdd02"),
        "source_address": 0x0A010203,
        "destination_address": 0xC0A8FE07,
        "source_port": 40123,
        "destination_port": 9821,
    }
    return ConnectionAddress(**{**values, **changes})


@functools.cache
def compiled():
    """The library and the ports of the component, made once."""
    component = OrderBuilder(symbol_bits=SYMBOL_BITS, slots=SLOTS)
    model = harness.model(component, "order_builder", seed=1)
    return model.path, tuple(model.ports.values())


@dataclass
class Seen:
    """What came out of some cycles."""

    frames: list[bytes] = field(default_factory=list)
    first_beats: list[int] = field(default_factory=list)
    outcomes: list[dict] = field(default_factory=list)
    rows: np.ndarray | None = None


class Bench:
    """A model with its reference; ``ready`` is the part of the cycles in which the MAC takes."""

    def __init__(self, *, where=None, letters=None, ready=1.0, seed=1):
        self.model = Model(*compiled(), seed)
        self.random = random.Random(seed)
        self.ready = ready
        self.address = where or address()
        self.letters = letters or OrderLetters()
        self.reference = Reference(address=self.address, letters=self.letters, slots=SLOTS)
        self.counts = dict.fromkeys(BUILDER.names, 0)
        self.partial, self.is_inside = b"", False
        self.run(1 << SYMBOL_BITS)
        for i, text in enumerate(SYMBOLS):
            symbol = {"symbol_index": i, "text": int.from_bytes(text, "little")}
            self.run(1, symbol_valid=1, symbol=symbol)

    def run(self, cycles, feeds=None, **ports) -> Seen:
        """Some cycles; a valid that is one number is given for the first cycle only."""
        inputs = {}
        for name, value in ports.items():
            inputs[name] = value
            if name.endswith("valid") and not isinstance(value, np.ndarray):
                inputs[name] = np.array([value] + [0] * (cycles - 1), np.uint8)
        ready = [self.random.random() < self.ready for _ in range(cycles)]
        inputs["transmit__ready"] = np.array(ready, np.uint8)
        inputs["connection"] = asdict(self.reference.connection)
        rows = self.model.run(inputs, cycles=cycles, feeds=feeds)
        seen = Seen(rows=rows)
        valid = rows["transmit__valid"]
        words = self.model.field(rows, "transmit__payload", "data")
        last = self.model.field(rows, "transmit__payload", "last")
        empty = self.model.field(rows, "transmit__payload", "empty")
        before = -1
        for i in np.flatnonzero(valid):
            if self.is_inside:
                assert i == before + 1, "a frame has a hole"
            else:
                seen.first_beats.append(int(i))
            before, self.is_inside = i, True
            if not ready[i]:
                continue
            self.partial += int(words[i]).to_bytes(8, "little")
            if last[i]:
                size = len(self.partial) - int(empty[i])
                assert not any(self.partial[size:])
                seen.frames.append(self.partial[:size])
                self.partial, self.is_inside = b"", False
            else:
                assert empty[i] == 0
        assert not self.is_inside or before == cycles - 1, "a frame has a hole"
        for i in np.flatnonzero(rows["outcome_valid"]):
            found = self.model.fields(rows[i], "outcome")
            seen.outcomes.append({**found, "result": BUILDER.name_of(found["result"])})
        for name in BUILDER.names:
            self.counts[name] += int((rows["count"] >> BUILDER.value(name) & 1).sum())
        return seen

    def idle(self, cycles=CALM):
        seen = self.run(cycles)
        assert not seen.frames and not seen.outcomes
        return self

    def load(self):
        """Write templates."""
        for at, word in template_writes(self.address, self.letters):
            self.run(1, template_valid=1, template_write={"address": at, "data": word})
        self.reference.templates_loaded = True
        return self

    def connect(self, number=1000, **changes):
        """Hand over a connection."""
        self.run(1, sequence_valid=1, sequence_number=number)
        self.reference.set_sequence_number(number)
        values = {
            "is_connected": 1,
            "is_armed": 1,
            "window": 0x1234,
            "acknowledgment_number": 0xDEADBEEF,
            "unacknowledged": number,
            "peer_window": 1 << 20,
            "maximum_in_flight": 1 << 20,
        }
        return self.change(**{**values, **changes})

    def change(self, **changes):
        """Change what the host says of the connection, and wait."""
        for name, value in changes.items():
            setattr(self.reference.connection, name, value)
        return self.idle()

    def frame_cycles(self):
        """Enough for one frame to leave."""
        return int(LONGEST_FRAME_CYCLES / self.ready) + 20

    def order(self, order: Order):
        """Give an order to both; what the model did, checked against the reference."""
        expected = self.reference.next_sequence_number, self.reference.segments % SLOTS
        result, frame = self.reference.order(order)
        ports = {"verdict__valid": 1, "verdict__payload": verdict(order)}
        seen = self.run(self.frame_cycles(), **ports)
        (outcome,) = seen.outcomes
        assert (outcome["result"], outcome["is_order"]) == (result, 1)
        assert outcome["pass_number"] == order.pass_number
        assert outcome["user_ref_num"] == order.user_ref_num
        self.check(seen, outcome, frame, expected)
        return seen

    def payload(self, data: bytes):
        """Give a payload of the host to both."""
        expected = self.reference.next_sequence_number, self.reference.segments % SLOTS
        result, frame = self.reference.payload(data)
        feed = payload_feed(data)
        seen = self.run(len(feed.payloads) + self.frame_cycles(), {"payload": feed})
        assert feed.taken == len(feed.payloads)
        (outcome,) = seen.outcomes
        assert (outcome["result"], outcome["is_order"]) == (result, 0)
        assert not frame or outcome["payload_bytes"] == len(data)
        self.check(seen, outcome, frame, expected)
        return seen

    def resend(self, slot):
        """Have a segment sent again."""
        frame = self.reference.resend(slot)
        for _ in range(8):
            if self.run(1, resend_valid=1, resend_slot=slot).rows["resend_ready"][0]:
                break
        else:
            raise AssertionError("a resend is neither taken nor refused")
        seen = self.run(self.frame_cycles())
        assert seen.frames == ([frame] if frame else [])
        assert not seen.outcomes
        return seen

    def read(self, slot, words):
        """Words of a slot as the host reads them."""
        layout = self.model.ports["ring_read__payload"].layout
        rows = harness.pack_rows(layout, {"slot": slot, "word": np.asarray(words)}, len(words))
        feed = Feed(rows)
        seen = self.run(len(words) + 4, {"ring_read": feed})
        valid = np.flatnonzero(seen.rows["ring_valid"])
        assert len(valid) == len(words)
        assert (seen.rows["cycle"][valid] == feed.taken_at + READ_LATENCY).all()
        return [int(word) for word in seen.rows["ring_data"][valid]]

    def segment(self, slot):
        """A segment out of the ring: its number, sequence number, payload length and frame."""
        (word,) = self.read(slot, [DESCRIPTOR_WORD])
        found = harness.unpack(SegmentDescriptor, word)
        size = found["frame_bytes"]
        words = self.read(slot, range(-(-size // 8)))
        frame = b"".join(word.to_bytes(8, "little") for word in words)
        assert not any(frame[size:])
        return found["number"], found["sequence_number"], found["payload_bytes"], frame[:size]

    def check(self, seen, outcome, frame, expected):
        """An outcome and the frame that goes with it."""
        assert seen.frames == ([frame] if frame else [])
        if frame:
            assert (outcome["sequence_number"], outcome["slot"]) == expected

    def same_state(self):
        """Counters and numbers are those of the reference."""
        assert self.counts == self.reference.counts
        row = self.model.step(connection=asdict(self.reference.connection))
        assert row["next_sequence_number"] == self.reference.next_sequence_number
        assert (row["segments"], row["held"]) == (self.reference.segments, self.reference.held)


def payload_feed(data: bytes) -> Feed:
    """A payload as words of the stream; the empty bytes of the last hold garbage."""
    count = -(-len(data) // 8)
    empty = 8 * count - len(data)
    words = np.frombuffer(data + b"\xa5" * empty, "<u8")
    last = np.arange(count) == count - 1
    fields = {"data": words, "last": last, "empty": np.where(last, empty, 0)}
    return Feed(harness.pack_rows(PayloadWord, fields, count))


def random_order(rng: random.Random, **changes) -> Order:
    """Any order the gate could pass, with the values at the ends of their ranges more often."""

    def number(bits):
        top = (1 << bits) - 1
        return rng.choice([rng.randrange(top + 1), rng.randrange(top + 1), top, 1, 0])

    values = {
        "action": rng.choice([NEW, NEW, NEW, REPLACE, CANCEL]),
        "side": rng.choice(b"BSTE"),
        "time_in_force": rng.choice(b"03"),
        "post_only": rng.randrange(2),
        "strategy": rng.randrange(16),
        "symbol": rng.choice(SYMBOLS),
        "quantity": number(20),
        "price": number(31),
        "order_number": number(32),
        "user_ref_num": number(32),
        "pass_number": number(48),
    }
    return Order(**{**values, **changes})


def verdict(order: Order, passed=1):
    """The gate's verdict as fields of its port."""
    request = {
        "action": order.action,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "post_only": order.post_only,
        "strategy": order.strategy,
        "venue": order.venue,
        "symbol_index": SYMBOLS.index(order.symbol) if order.symbol in SYMBOLS else 0,
        "quantity": order.quantity,
        "price": order.price,
        "user_ref_num": order.order_number,
    }
    return {
        "request": request,
        "passed": passed,
        "user_ref_num": order.user_ref_num,
        "pass_number": order.pass_number,
    }
