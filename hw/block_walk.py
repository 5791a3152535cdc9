# SPDX-License-Identifier: Apache-2.0
"""From one message block to the next, one beat per cycle: where each begins, ends and is typed.

The walk keeps one number: ``place``, how many bytes after lane 0 of the beat at hand the second
byte of the next length prefix stands. A prefix is read in the beat that has its second byte, so
that one that straddles two beats is no special case, and because the shortest block is longer than
a beat, a beat has at most one. Everything that a length in any of the eight lanes would make of
``place`` is worked out one cycle earlier, beside the input register; what is left for the loop is
to choose.

Before the first block ``place`` counts the bytes of the headers down, so that their fields are
found by it too.
"""

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.event import LENGTH_BITS
from hw.frame_beats import FrameBeat, lanes_of, octet
from hw.stream import LANES, LineSignature
from nic.framing.feed_format import FeedFormat

PLACE_BITS = 7
START_BEAT = 3
"""The beat in which ``first_place`` is taken over; it counts from lane 0 of the beat behind."""
LANE_BITS = 3


class BlockStep(data.Struct):
    """What one beat brought; nothing of it is set without a beat."""

    first: 1
    last: 1
    header_end: 1  # the transport header's last byte
    ends: 1  # the last byte of the open message
    prefix: 1  # a length prefix: its second byte
    bad_length: 1  # it is a length that no message has
    typed: 1  # a message's type code
    length_bytes: LENGTH_BITS  # the newest prefix; also held in later beats
    type_code: 8  # valid with typed


def candidate_layout() -> data.StructLayout:
    """What a length prefix that ends in one certain lane of a beat would make of the walk."""
    return data.StructLayout(
        {
            "place": PLACE_BITS,  # of the next prefix, from the next beat
            "is_near": 1,  # it is in that beat
            "is_bad": 1,  # no message has the length
            "length_bytes": LENGTH_BITS,
        }
    )


def near_lengths(feed: FeedFormat, lane: int) -> range:
    """Lengths of messages behind whose prefix, that ends in ``lane``, the next is a beat away."""
    return range(feed.shortest_bytes, 2 * LANES - lane - feed.prefix.width)


def choose(index: Value, values: list[Value]) -> Value:
    """A multiplexer as a tree of choices between two."""
    bit = 0
    while len(values) > 1:
        values = [Mux(index[bit], b, a) for a, b in zip(values[::2], values[1::2], strict=True)]
        bit += 1
    return values[0]


def check_feed(feed: FeedFormat) -> None:
    """Raise ValueError for a feed whose blocks do not fit the walk."""
    if feed.prefix.width != 2 or feed.shortest_bytes + feed.prefix.width <= LANES:
        raise ValueError(f"{feed.name}: two blocks could begin in one beat")
    if feed.messages.type_offset != 0 or feed.longest_bytes + LANES >= 1 << PLACE_BITS:
        raise ValueError(f"{feed.name}: no walk for such messages")


class BlockWalk(wiring.Component):
    """Walks over the blocks of a feed's datagrams.

    ``line`` and, one cycle later, ``valid`` and ``beat`` are the same beats. ``step`` is
    registered: two cycles behind ``line``. ``place``, ``in_header`` and ``starts`` go with
    ``beat``: ``starts`` says that a prefix ends in it, in lane ``place``; ``is_walking`` that the
    beat belongs to headers or blocks to be walked over.
    """

    def __init__(self, feed: FeedFormat) -> None:
        """Raises ValueError for a feed that does not fit; see :func:`check_feed`."""
        check_feed(feed)
        self.feed = feed
        super().__init__(
            {
                "line": In(LineSignature),
                "valid": In(1),
                "beat": In(FrameBeat),
                "first_place": In(PLACE_BITS),
                "place": Out(PLACE_BITS),
                "in_header": Out(1),
                "starts": Out(1),
                "is_walking": Out(1),
                "step": Out(BlockStep),
            }
        )
        # The state, for the proof as well.
        self.candidates = [
            Signal(candidate_layout(), name=f"candidate_{lane}", init={"is_bad": 1})
            for lane in range(LANES)
        ]
        self.is_near = Signal()  # place is in this beat
        self.in_blocks = Signal()
        self.type_waits = Signal()  # the prefix ended in lane 7, the type stands in lane 0

    def _lengths(self, before: Value, beat: Value) -> list[tuple[Value, Value]]:
        """For each lane of the second byte: low and high byte of the length."""
        octets = [before, *(beat[8 * lane : 8 * lane + 8] for lane in range(LANES))]
        pairs = list(pairwise(octets))
        return pairs if self.feed.byte_order == "little" else [(low, high) for high, low in pairs]

    def elaborate(self, platform: object) -> Module:
        """Candidates beside the input register, the loop, and the step's register."""
        m = Module()
        feed, beat, step = self.feed, self.beat, self.step
        given = self.line.beat.data
        pairs = self._lengths(beat.data[-8:], given)
        for lane, ((low, high), candidate) in enumerate(zip(pairs, self.candidates, strict=True)):
            with m.If(self.line.valid):
                m.d.sync += [
                    candidate.place.eq(low[:PLACE_BITS] + lane + feed.prefix.width - LANES),
                    # Never of a bad length: no prefix comes before the type code of the last.
                    candidate.is_near.eq((high == 0) & low.matches(*near_lengths(feed, lane))),
                    candidate.is_bad.eq(
                        (high != 0) | (low < feed.shortest_bytes) | (low > feed.longest_bytes)
                    ),
                    candidate.length_bytes.eq(low),
                ]

        place = self.place
        lane = place[:LANE_BITS]
        is_near, in_blocks = self.is_near, self.in_blocks
        type_waits = self.type_waits
        loads = Signal()
        walks = Signal()
        chosen = Signal(candidate_layout())
        m.d.comb += [
            loads.eq(beat.index == START_BEAT),
            walks.eq(self.valid & (self.in_header | in_blocks)),
            self.is_walking.eq(walks),
            self.starts.eq(walks & is_near),
            chosen.eq(choose(lane, [candidate.as_value() for candidate in self.candidates])),
        ]
        with m.If(self.valid):
            with m.If(loads):
                m.d.sync += [place.eq(self.first_place), is_near.eq(0)]
            with m.Elif(is_near):
                m.d.sync += [place.eq(chosen.place), is_near.eq(chosen.is_near)]
            with m.Else():
                m.d.sync += [place.eq(place - LANES), is_near.eq(place[LANE_BITS:] == 1)]
            m.d.sync += [
                self.in_header.eq(~beat.last & (loads | (self.in_header & ~is_near))),
                in_blocks.eq(~beat.last & (in_blocks | (self.in_header & is_near))),
                type_waits.eq(self.starts & (lane == LANES - 1)),
            ]

        reached = Signal()  # the byte before the prefix
        width = feed.prefix.width
        there = list(beat.there)
        in_this = choose(lane, [Const(0)] * width + there[:-width])
        in_next = choose(lane, there[-width:] + [Const(0)] * (LANES - width))
        m.d.comb += reached.eq(
            walks & Mux(place[LANE_BITS], in_next, in_this) & (place[LANE_BITS + 1 :] == 0)
        )
        behind = Cat(*(octet(beat, n) for n in range(1, LANES)), octet(beat, 0))
        types = [behind[8 * n : 8 * n + 8] for n in range(LANES)]
        prefix = self.starts & choose(lane, there)
        m.d.sync += [
            step.first.eq(self.valid & (beat.index == 0)),
            step.last.eq(self.valid & beat.last),
            step.header_end.eq(reached & self.in_header),
            step.ends.eq(reached & in_blocks),
            step.prefix.eq(prefix),
            step.typed.eq(
                (self.valid & type_waits & in_blocks)
                | (self.starts & choose(lane, [*there[1:], Const(0)]))
            ),
            step.type_code.eq(Mux(type_waits, lanes_of(beat, 0, 1), choose(lane, types))),
        ]
        with m.If(prefix):
            m.d.sync += [
                step.length_bytes.eq(chosen.length_bytes),
                step.bad_length.eq(chosen.is_bad),
            ]
        return m
