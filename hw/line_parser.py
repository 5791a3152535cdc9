# SPDX-License-Identifier: Apache-2.0
"""A line's parser: beats of frames in, messages out, one beat per cycle.

``nic.framing.reference`` says what it does. What happens to a beat that is on the line in cycle 0:

====== =================================================================================
cycle  what
====== =================================================================================
1      in a register (``FrameBeats``), with what a length in each lane would lead to
2      the walk's step; the beat's bytes turned to where the open message needs them
3      ``message.valid`` of a message that ended in the beat; the step's block checked
4      what was wrong in the frame up to here
6      with the frame's last beat: its result in ``pulses``
====== =================================================================================
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.block_check import BlockCheck
from hw.block_walk import LANE_BITS, BlockWalk, check_feed, choose
from hw.frame_beats import FrameBeats, octet
from hw.frame_result import FrameResult
from hw.ip_header import IpHeader
from hw.line_signature import DatagramKind, ParsedLine
from hw.message_assembler import MessageAssembler
from hw.stream import LANES, LineSignature
from hw.transport_header import TransportHeader, line_settings
from nic.framing.enumerations import FRAMING, PARSER
from nic.framing.feed_format import FeedFormat

LOCATE = "stock_locate"
BEAT_NUMBER_BITS = 14
"""Beats of a frame are counted up to 128 kB, more than an IP packet's length can say."""


class LineParser(wiring.Component):
    """The parser of one line of a feed.

    ``settings`` says what the line carries; it may change only between frames. ``pulses`` has one
    bit per entry of ``FRAMING`` and ``PARSER``, at its number: 1 for a cycle whenever that is to
    be counted (a ``CounterBank`` does).
    """

    def __init__(self, feed: FeedFormat) -> None:
        """Raises ValueError for a feed that does not fit; see ``hw.block_walk.check_feed``."""
        check_feed(feed)
        self.feed = feed
        super().__init__(
            {
                "line": In(LineSignature),
                "settings": In(line_settings(feed)),
                "parsed": Out(ParsedLine(feed)),
                "pulses": Out(PARSER.count),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The stages, wired."""
        m = Module()
        feed = self.feed
        m.submodules.beats = beats = FrameBeats()
        m.submodules.walk = walk = BlockWalk(feed)
        m.submodules.ip = ip = IpHeader(feed)
        m.submodules.transport = transport = TransportHeader(feed)
        m.submodules.check = check = BlockCheck(feed)
        m.submodules.assembler = assembler = MessageAssembler(feed)
        m.submodules.result = result = FrameResult(feed)
        for part in (beats, walk, ip):
            connect(m, flipped(self.line), part.line)
        for part in (walk, ip, transport, assembler):
            m.d.comb += [part.valid.eq(beats.valid), part.beat.eq(beats.beat)]
        for part in (ip, transport):
            m.d.comb += [part.place.eq(walk.place), part.in_header.eq(walk.in_header)]
        message, datagram = self.parsed.message, self.parsed.datagram
        m.d.comb += [
            walk.first_place.eq(ip.first_place),
            ip.destination_address.eq(self.settings.destination_address),
            transport.settings.eq(self.settings),
            transport.step.eq(walk.step),
            transport.payload_bytes.eq(ip.payload_bytes),
            transport.is_elsewhere.eq(ip.is_elsewhere),
            transport.ip_is_bad.eq(ip.faults.any),
            self.parsed.upcoming.eq(transport.upcoming),
            check.in_header.eq(walk.in_header),
            check.counts.eq(transport.counts),
            check.count.eq(transport.count),
            check.extent_bytes.eq(transport.extent_bytes),
            check.accepted.eq(transport.accepted),
            check.step.eq(walk.step),
            assembler.starts.eq(walk.starts),
            assembler.lane.eq(walk.place[:LANE_BITS]),
            message.valid.eq(check.message),
            message.payload.message.eq(assembler.message),
            message.payload.length_bytes.eq(check.length_bytes),
            message.payload.sequence_number.eq(transport.datagram.payload.sequence_number),
            datagram.valid.eq(transport.datagram.valid),
            datagram.payload.eq(transport.datagram.payload),
            result.ended.eq(check.ended),
            result.ip.eq(ip.faults),
            result.udp.eq(transport.udp_faults),
            result.faults.eq(transport.faults),
            result.outcome.eq(check.outcome),
            result.is_cut.eq(self._is_cut(m, beats, ip.last_byte)),
        ]
        self._locate(m, beats, walk)
        kind = datagram.payload.kind
        counted = {
            "messages": message.valid,
            "unknown_type": check.unknown,
            "heartbeats": datagram.valid & (kind == DatagramKind.HEARTBEAT),
            "ends_of_session": datagram.valid & (kind == DatagramKind.END_OF_SESSION),
            "fcs_errors": beats.valid & beats.beat.error,
        }
        m.d.comb += self.pulses[: FRAMING.count].eq(result.results)
        for entry in PARSER.entries:
            m.d.sync += self.pulses[entry.value].eq(counted[entry.name])
        return m

    def _is_cut(self, m: Module, beats: FrameBeats, last_byte: Value) -> Signal:
        """Whether a frame is shorter than its IP packet, four cycles behind its last beat."""
        number = Signal(BEAT_NUMBER_BITS)
        reached = Signal(BEAT_NUMBER_BITS + LANE_BITS)
        with m.If(beats.valid):
            m.d.sync += number.eq(Mux(beats.beat.last, 0, Mux(number.all(), number, number + 1)))
        is_cut, delayed = Signal(), Signal()
        m.d.sync += [
            reached.eq(Cat(beats.beat.top, number)),
            is_cut.eq(reached < last_byte),
            delayed.eq(is_cut),
        ]
        return delayed

    def _locate(self, m: Module, beats: FrameBeats, walk: BlockWalk) -> None:
        """The instrument's number, in the cycle behind the beat with its last byte in a register.

        The number's first byte is the message's second: a prefix that ends in lane n has them in
        lanes n + 2 and n + 3, of this beat or of the next.
        """
        fields = [
            next((f for f in kind if f.name == LOCATE), None)
            for kind in self.feed.messages.messages
        ]
        locate = self.parsed.locate
        if None in fields:
            return
        (offset,) = {field.offset for field in fields if field is not None}
        (width,) = {field.width for field in fields if field is not None}
        waits, start = Signal(), Signal(LANE_BITS)
        lane = walk.place[:LANE_BITS]
        end = offset + width  # lanes from the prefix's last byte to the number's
        with m.If(beats.valid):
            m.d.sync += waits.eq(walk.starts & (lane >= LANES - end))
        with m.If(walk.starts):
            m.d.sync += start.eq(lane)
        choices = []
        for n in range(LANES):
            places = range(n + end, n + end - width, -1)  # big-endian: the last byte is lowest
            back = LANES if n + end >= LANES else 0
            choices.append(Cat(*(octet(beats.beat, place - back) for place in places)))
        m.d.sync += [
            locate.valid.eq(
                Mux(waits, beats.valid & walk.is_walking, walk.starts & (lane < LANES - end))
            ),
            locate.payload.eq(choose(Mux(waits, start, lane), choices)),
        ]
