# SPDX-License-Identifier: Apache-2.0
"""Whether the blocks that the walk found are messages: lengths, types, the datagram's extent.

A prefix is looked at over two cycles behind the walk, while the message comes in: even the
shortest message ends at least one beat after its type code. So its end needs only to ask what is
known by then, and what a later block does wrong comes too late to take a message back.
"""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.block_walk import BlockStep
from hw.event import LENGTH_BITS
from hw.line_signature import COUNT_BITS
from hw.transport_header import EXTENT_BITS
from nic.framing.feed_format import FeedFormat


class BlockFaults(data.Struct):
    """The first thing that was wrong with a frame's blocks; at most one is set."""

    count: 1
    length: 1
    beyond: 1


class BlockOutcome(data.Struct):
    """How the walk over a frame's blocks ended."""

    faults: BlockFaults
    is_open: 1  # in a message
    is_more: 1  # before the last message that the count names
    is_short: 1  # fewer than two bytes of the datagram are left behind the last block
    is_rest: 1  # bytes of the datagram are left behind the last block


class BlockCheck(wiring.Component):
    """Checks of a feed's blocks.

    ``in_header``, ``counts`` and ``count`` come in the cycle after their beat is on the line,
    ``step`` one later, ``extent_bytes`` before the header's end. ``accepted`` says that the headers
    are right, from the first block's second beat on at the latest.

    ``message`` is 1 for one cycle, three after the one with the last byte of a message on the line,
    ``unknown`` with it when its type is not in the table; ``length_bytes`` goes with them.
    ``ended`` is 1 for one cycle, four after the frame's last beat, with ``outcome``.
    """

    def __init__(self, feed: FeedFormat) -> None:
        self.feed = feed
        super().__init__(
            {
                "in_header": In(1),
                "counts": In(1),
                "count": In(COUNT_BITS),
                "extent_bytes": In(signed(EXTENT_BITS)),
                "accepted": In(1),
                "step": In(BlockStep),
                "message": Out(1),
                "unknown": Out(1),
                "length_bytes": Out(LENGTH_BITS),
                "ended": Out(1),
                "outcome": Out(BlockOutcome),
            }
        )
        # The open message as it was before the beat that is looked at, for the proof as well.
        self.was_open = Signal()
        self.was_right = Signal()
        self.was_unknown = Signal()

    def elaborate(self, platform: object) -> Module:
        """The datagram's rest, the look-up of the type, and the verdicts."""
        m = Module()
        feed, step = self.feed, self.step
        left = Signal(COUNT_BITS)  # messages that the count still names
        is_more = Signal()  # left is not 0
        rest = Signal(signed(EXTENT_BITS))  # bytes of the datagram behind the newest block
        prefix = step.prefix & is_more
        with m.If(self.counts):
            m.d.sync += [left.eq(self.count), is_more.eq(self.count != 0)]
        with m.Elif(prefix):
            m.d.sync += [left.eq(left - 1), is_more.eq(left != 1)]
        with m.If(self.in_header):
            m.d.sync += rest.eq(self.extent_bytes)
        with m.Elif(prefix):
            m.d.sync += rest.eq(rest - step.length_bytes - feed.prefix.width)
        is_short = Signal()
        m.d.comb += is_short.eq(rest[1:EXTENT_BITS] == 0)

        # One cycle behind the step.
        length = Signal(LENGTH_BITS)
        expected, is_known = Signal(LENGTH_BITS), Signal()
        begins, is_bad, was_short, typed, ends, first, last = (Signal() for _ in range(7))
        m.d.sync += [
            length.eq(step.length_bytes),
            begins.eq(prefix),
            is_bad.eq(step.bad_length),
            was_short.eq(is_short),
            typed.eq(step.typed),
            ends.eq(step.ends),
            first.eq(step.first),
            last.eq(step.last),
            is_known.eq(0),
        ]
        with m.Switch(step.type_code):
            for code, size in sorted(feed.lengths_bytes.items()):
                with m.Case(code):
                    m.d.sync += [is_known.eq(1), expected.eq(size)]

        # What holds behind that beat.
        was_open, was_right, was_unknown = self.was_open, self.was_right, self.was_unknown
        is_open, is_right, is_unknown = Signal(), Signal(), Signal()
        faults, now = Signal(BlockFaults), Signal(BlockFaults)
        is_first_fault = begins & ~faults.as_value().any()
        fits = expected == length
        all_faults = Mux(first, 0, faults.as_value()) | now.as_value()
        m.d.comb += [
            now.count.eq(is_first_fault & was_short),
            now.beyond.eq(is_first_fault & ~was_short & ~is_bad & (rest < 0)),
            now.length.eq(
                (is_first_fault & ~was_short & is_bad) | (typed & is_open & is_known & ~fits)
            ),
            is_open.eq(
                Mux(
                    begins,
                    is_first_fault & ~was_short & ~is_bad & (rest >= 0),
                    was_open & ~ends & ~first,
                )
            ),
            is_right.eq(Mux(typed, ~is_known | fits, was_right)),
            is_unknown.eq(Mux(typed, ~is_known, was_unknown)),
        ]
        m.d.sync += [
            was_open.eq(is_open & ~now.length),
            was_right.eq(is_right),
            was_unknown.eq(is_unknown),
            faults.eq(all_faults),
            self.message.eq(step.ends & is_open & is_right & self.accepted),
            self.unknown.eq(step.ends & is_open & is_unknown & self.accepted),
            self.length_bytes.eq(length),
        ]
        m.d.sync += [
            self.ended.eq(last),
            self.outcome.faults.eq(all_faults),
            self.outcome.is_open.eq(is_open),
            self.outcome.is_more.eq(is_more),
            self.outcome.is_short.eq(is_short),
            self.outcome.is_rest.eq(rest != 0),
        ]
        return m
