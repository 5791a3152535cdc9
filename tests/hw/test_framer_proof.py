# SPDX-License-Identifier: Apache-2.0
"""Proof: every message that comes out has as many bytes as its type's table says, and says so.

One of a type that is not in the table has the length that its prefix says, which some type has.

The walk and the check of the blocks stand alone with everything free that other blocks give them:
beats of any content and length with any pauses, any place of the first block, any count and
extent, headers accepted or not. A shadow counts the bytes from each length prefix on, and reads the
type code, by itself. A gateware whose table differs in one length must fail.
"""

from dataclasses import dataclass

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from hw import formal
from hw.block_check import BlockCheck
from hw.block_walk import LANE_BITS, PLACE_BITS, BlockWalk, choose
from hw.frame_beats import LAST_INDEX, FrameBeats, octet
from hw.line_signature import COUNT_BITS
from hw.stream import LANES, LineSignature
from hw.transport_header import EXTENT_BITS
from nic.framing.feed_format import IEX, NASDAQ, FeedFormat

pytestmark = pytest.mark.timeout(900)

BODY_BITS = 8
SHORTEST_CYCLES = 12
"""From the first beat of a frame to a message; headers are as short as they may be assumed."""


@dataclass(frozen=True)
class WrongTable(FeedFormat):
    """A feed with one length in the table that is one byte too long."""

    @property
    def lengths_bytes(self) -> dict[int, int]:
        lengths = super().lengths_bytes
        wrong = min(lengths, key=lambda code: lengths[code])
        return lengths | {wrong: lengths[wrong] + 1}


def wrong_table(feed: FeedFormat) -> FeedFormat:
    """The feed with the wrong table."""
    return WrongTable(**{name: getattr(feed, name) for name in FeedFormat.__dataclass_fields__})


class FramerSpec(wiring.Component):
    """The framer of feed ``built`` against the tables of ``feed``.

    ``is_steady``: only lines without pauses and only what comes out, which is enough to show that
    something is possible.
    """

    line: In(LineSignature)
    first_place: In(PLACE_BITS)
    counts: In(1)
    count: In(COUNT_BITS)
    extent_bytes: In(EXTENT_BITS)
    accepted: In(1)

    def __init__(self, feed: FeedFormat, built: FeedFormat, is_steady: bool = False) -> None:
        self.feed, self.built, self.is_steady = feed, built, is_steady
        super().__init__()

    def table(self, m: Module, code, name: str):
        """The length of a type, 0 of one that is not in the table."""
        length = Signal(BODY_BITS, name=name)
        with m.Switch(code):
            for known, size in self.feed.lengths_bytes.items():
                with m.Case(known):
                    m.d.comb += length.eq(size)
        return length

    def elaborate(self, platform):
        m = Module()
        m.submodules.beats = beats = FrameBeats()
        m.submodules.walk = walk = BlockWalk(self.built)
        m.submodules.check = check = BlockCheck(self.built)
        connect(m, flipped(self.line), beats.line)
        connect(m, flipped(self.line), walk.line)
        m.d.comb += [
            walk.valid.eq(beats.valid),
            walk.beat.eq(beats.beat),
            walk.first_place.eq(self.first_place),
            check.in_header.eq(walk.in_header),
            check.counts.eq(self.counts),
            check.count.eq(self.count),
            check.extent_bytes.eq(self.extent_bytes),
            check.accepted.eq(self.accepted),
            check.step.eq(walk.step),
            Assume(self.first_place >= LANES),  # headers are longer than their first four beats
        ]
        if self.is_steady:
            m.d.comb += Assume(self.line.valid)
        # The shadow: what came behind the newest prefix, and its type.
        beat, lane = beats.beat, walk.place[:LANE_BITS]
        body, kind = Signal(BODY_BITS), Signal(8)
        has_kind, waits = Signal(), Signal()
        with m.If(walk.starts & choose(lane, list(beat.there))):
            m.d.sync += [body.eq(LANES - 1 - lane), waits.eq(lane == LANES - 1)]
            m.d.sync += has_kind.eq(choose(lane, [*list(beat.there)[1:], beat.there[0] & 0]))
            for n in range(LANES - 1):
                with m.If(lane == n):
                    m.d.sync += kind.eq(octet(beat, n + 1))
        with m.Elif(beats.valid):
            m.d.sync += [body.eq(body + LANES), waits.eq(0)]
            with m.If(waits):
                m.d.sync += [kind.eq(octet(beat, 0)), has_kind.eq(1)]
        ended, ended_kind = Signal(BODY_BITS), Signal(8)
        m.d.sync += [ended.eq(body + walk.place - 1), ended_kind.eq(kind)]
        said, said_kind = Signal(BODY_BITS), Signal(8)
        m.d.sync += [said.eq(ended), said_kind.eq(ended_kind)]

        allowed = self.table(m, said_kind, "allowed")
        m.d.comb += [
            Assert(~check.message | (check.length_bytes == said)),
            Assert(~check.message | (allowed == 0) | (said == allowed)),
            Assert(~check.message | (said >= self.feed.shortest_bytes)),
            Assert(~check.message | (said <= self.feed.longest_bytes)),
            Assert(~check.message | (check.unknown == (allowed == 0))),
            Assert(~check.unknown | check.message),
            Cover(check.message & (allowed == self.feed.shortest_bytes)),
        ]
        if not self.is_steady:
            self._invariants(m, beats, walk, check, body, kind, has_kind, waits)
        return m

    def _invariants(self, m, beats, walk, check, body, kind, has_kind, waits) -> None:
        """What makes the induction close; each is proved with the rest."""
        beat, feed = beats.beat, self.built
        for lane, candidate in enumerate(walk.candidates):
            length = candidate.length_bytes
            is_sound = (
                (length >= feed.shortest_bytes)
                & (length <= feed.longest_bytes)
                & (candidate.place == length + lane + 2 - LANES)
                & (candidate.is_near == (candidate.place < LANES))
            )
            m.d.comb += Assert(candidate.is_bad | is_sound)
        # Where in the frame the walk is.
        index = beats.next_index
        walking = walk.in_header | walk.in_blocks
        following = Mux(beat.index == LAST_INDEX, beat.index, beat.index + 1)
        m.d.comb += [
            Assert((index == 0) | ((index == following) & ~beat.last)),
            Assert(~beats.valid | beat.last | (index != 0)),
            Assert(index <= LAST_INDEX),
            Assert(~walking | (Mux(beats.valid, beat.index, index) > 3)),
            Assert(~(walk.in_header & walk.in_blocks)),
        ]
        # How far the walk is in a block whose length is one that messages have.
        step = walk.step
        is_good = walk.in_blocks & ~step.bad_length
        m.d.comb += [
            Assert(~walk.in_header | (walk.is_near == (walk.place < LANES))),
            Assert(~is_good | (walk.is_near == (walk.place < LANES))),
            Assert(~is_good | (body + walk.place == step.length_bytes + 1)),
            Assert(~is_good | (step.length_bytes >= feed.shortest_bytes)),
            Assert(~is_good | (step.length_bytes <= feed.longest_bytes)),
            Assert(~walk.in_blocks | (walk.type_waits == waits)),
            Assert(~(walk.in_blocks & waits & walk.is_near)),
            Assert(~(walk.in_header & (waits | walk.type_waits))),
            Assert(~walk.in_blocks | has_kind | (waits & (body == 0))),
        ]
        # The check is two beats' stages behind: it has a message open only if the walk had.
        past = {}
        for name, value in (
            ("in_blocks", walk.in_blocks),
            ("in_header", walk.in_header),
            ("place", walk.place),
            ("bad", step.bad_length),
            ("has_kind", has_kind),
            ("kind", kind),
            ("length", step.length_bytes),
            ("inside", beats.next_index != 0),
        ):
            one, two = Signal(len(value), name=f"{name}_1"), Signal(len(value), name=f"{name}_2")
            m.d.sync += [one.eq(value), two.eq(one)]
            past[name] = two
        inside = Signal()  # the frame's first beat was there, its last was not
        m.d.sync += inside.eq(past["inside"])
        size = self.table(m, past["kind"], "size")
        is_open = check.was_open & past["in_blocks"]
        m.d.comb += [
            Assert(~check.was_unknown | check.was_right),
            Assert(~is_open | (past["place"] >= 2)),
            Assert(~is_open | ~past["bad"]),
            Assert(~(check.was_open & inside & ~past["in_blocks"])),
            Assert(~past["in_header"] | inside),
            Assert(
                ~(is_open & past["has_kind"] & check.was_right)
                | Mux(check.was_unknown, size == 0, (size == past["length"]) & (size != 0))
            ),
        ]


@pytest.mark.parametrize("feed", [NASDAQ, IEX], ids=lambda feed: feed.name)
def test_a_message_is_as_long_as_its_type_says(feed: FeedFormat) -> None:
    proof = formal.prove(FramerSpec(feed, feed), f"framer_{feed.name}", depth=4)
    assert proof.holds, proof.text


def test_the_proof_is_about_something() -> None:
    """A message does come out."""
    spec = FramerSpec(NASDAQ, NASDAQ, is_steady=True)
    assert formal.prove(spec, "framer_reached", depth=SHORTEST_CYCLES, mode="cover").holds


@pytest.mark.parametrize("feed", [NASDAQ, IEX], ids=lambda feed: feed.name)
def test_a_wrong_table_fails(feed: FeedFormat) -> None:
    spec = FramerSpec(feed, wrong_table(feed), is_steady=True)
    proof = formal.prove(spec, f"framer_{feed.name}_wrong", depth=SHORTEST_CYCLES, mode="bmc")
    assert proof.verdict == "fails", proof.text
