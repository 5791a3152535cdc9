# SPDX-License-Identifier: Apache-2.0
"""Ethernet and IPv4 headers of a line's frames: what is wrong with them, and where they end."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.block_walk import PLACE_BITS, START_BEAT
from hw.frame_beats import FrameBeat, lanes_of
from hw.header_places import FIRST_IP_BEAT, FeedPlaces, big_endian, ip_field, ip_place
from hw.stream import LANES, LineSignature
from nic.framing.feed_format import FeedFormat
from nic.wire.internet import (
    ETHERTYPE_IPV4,
    ETHERTYPE_VLAN,
    INTERNET,
    IP_PROTOCOL_UDP,
    IPV4_FRAGMENT_OFFSET_MASK,
    IPV4_MORE_FRAGMENTS,
)

IP = INTERNET["ipv4"]
UDP = INTERNET["udp"]
FIXED_END_BEAT = 4
"""The beat with the last of the header's first 20 bytes, with and without a tag."""
SUM_BITS = 21
LENGTH_BITS = 16


class IpFaults(data.Struct):
    """What was found in the headers of the frame so far."""

    ethertype: 1  # another one than IPv4's
    fixed_end: 1  # the frame has the first 20 bytes of the header
    version: 1
    header: 1  # a header length that can not be
    end: 1  # the frame has the whole header
    checksum: 1
    fragment: 1
    protocol: 1  # not UDP
    any: 1  # one of the above is wrong


class IpHeader(wiring.Component):
    """Looks at the headers while the beats go by.

    ``line`` and, one cycle later, ``valid`` and ``beat`` are the same beats; ``place`` and
    ``in_header`` are the walk's. ``faults`` says what was wrong up to the beat that was on the line
    four cycles before. The others follow the fields by two to four cycles and are kept:
    ``first_place`` for the walk, ``payload_bytes`` behind the IP header, ``last_byte`` (place in
    the frame of the packet's last byte), ``is_elsewhere`` (not to ``destination_address``).
    """

    def __init__(self, feed: FeedFormat) -> None:
        self.places = FeedPlaces(feed)
        super().__init__(
            {
                "destination_address": In(32),
                "line": In(LineSignature),
                "valid": In(1),
                "beat": In(FrameBeat),
                "place": In(PLACE_BITS),
                "in_header": In(1),
                "first_place": Out(PLACE_BITS),
                "payload_bytes": Out(signed(LENGTH_BITS + 1)),
                "last_byte": Out(LENGTH_BITS + 1),
                "is_elsewhere": Out(1),
                "faults": Out(IpFaults),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Fields, their checks, and what of it counts by now."""
        m = Module()
        beat = self.beat
        tagged = Signal()
        wrong_ethertype = self._ethertype(m, tagged)
        fields = {name: self._field(m, name, tagged)
                  for name in ("total_length", "flags_and_fragment_offset", "protocol",
                               "destination_address")}  # fmt: skip
        words = Signal(4)
        choices = [ip_field(beat, "version_and_header_length", t)[1] for t in (0, 1)]
        first = Mux(tagged, choices[1], choices[0])
        version, is_too_short = Signal(4), Signal()
        with m.If(self.valid & (beat.index == FIRST_IP_BEAT)):
            # A header that is too short counts as the longest one, so that its end and what would
            # come behind it are not met before it is known to be wrong.
            too_short = first[:4] < IP.length // 4
            m.d.sync += [
                words.eq(first[:4] | too_short.replicate(4)),
                is_too_short.eq(too_short),
                version.eq(first[4:]),
            ]

        # The walk's count begins behind beat START_BEAT, and ends at a prefix's second byte.
        head = INTERNET["ethernet"].length + UDP.length + self.places.head + 1
        head -= LANES * (START_BEAT + 1)
        header_bytes = words << 2
        m.d.comb += self.first_place.eq(header_bytes + Mux(tagged, 4, 0) + head)
        total = fields["total_length"]
        before = Mux(tagged, INTERNET["vlan"].length, 0) + INTERNET["ethernet"].length - 1
        is_bad = {name: Signal(name=f"bad_{name}") for name in
                  ("version", "header", "fragment", "protocol")}  # fmt: skip
        place = fields["flags_and_fragment_offset"]
        m.d.sync += [
            self.payload_bytes.eq(total - header_bytes),
            self.last_byte.eq(total + before),
            self.is_elsewhere.eq(fields["destination_address"] != self.destination_address),
            is_bad["version"].eq(version != 4),
            is_bad["header"].eq(is_too_short | (total < header_bytes)),
            is_bad["fragment"].eq((place & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET_MASK)) != 0),
            is_bad["protocol"].eq(fields["protocol"] != IP_PROTOCOL_UDP),
        ]

        fixed_end, end, starts = Signal(2), Signal(2), Signal(2)
        ends = [ip_place(IP.length - 1, t) for t in (0, 1)]
        assert all(index == FIXED_END_BEAT for index, _ in ends)
        fixed_there = Mux(tagged, beat.there[ends[1][1]], beat.there[ends[0][1]])
        has_end = self.places.has(self.place, -UDP.length - 1, beat.there)
        m.d.sync += [
            fixed_end.eq(
                Cat(
                    self.valid & (beat.index == FIXED_END_BEAT) & fixed_there,
                    fixed_end,
                )
            ),
            end.eq(Cat(self.valid & self.in_header & has_end, end)),
            starts.eq(Cat(self.valid & (beat.index == 0), starts)),
        ]
        checksum_bad = self._checksum(m, tagged)
        now = Signal(IpFaults)
        faults = self.faults
        m.d.comb += [
            now.ethertype.eq(wrong_ethertype),
            now.fixed_end.eq(fixed_end[1]),
            now.version.eq(fixed_end[1] & is_bad["version"]),
            now.header.eq(fixed_end[1] & is_bad["header"]),
            now.end.eq(end[1]),
            now.checksum.eq(end[1] & checksum_bad),
            now.fragment.eq(end[1] & is_bad["fragment"]),
            now.protocol.eq(end[1] & is_bad["protocol"]),
            now.any.eq(
                Cat(
                    now.ethertype, now.version, now.header, now.checksum, now.fragment, now.protocol
                ).any()
            ),
        ]
        kept = Mux(starts[1], 0, faults.as_value())
        m.d.sync += faults.as_value().eq(kept | now.as_value())
        return m

    def _ethertype(self, m: Module, tagged: Signal) -> Signal:
        """Set ``tagged`` in the beat behind the ethertype's; wrong ones, three cycles late."""
        beat = self.beat
        wrong, delayed = Signal(), Signal()
        found = []
        start = INTERNET["ethernet"]["ethertype"].offset
        behind = INTERNET["ethernet"].length + INTERNET["vlan"]["ethertype"].offset
        for offset in (start, behind):
            index, lane = divmod(offset, LANES)
            code = big_endian(lanes_of(beat, lane, 2))
            found.append((self.valid & (beat.index == index), beat.there[lane + 1], code))
        is_tag = found[0][2] == ETHERTYPE_VLAN
        with m.If(found[0][0]):
            m.d.sync += tagged.eq(is_tag)
        first, second = (here & there & (code != ETHERTYPE_IPV4) for here, there, code in found)
        m.d.sync += [wrong.eq((first & ~is_tag) | (second & tagged)), delayed.eq(wrong)]
        return delayed

    def _field(self, m: Module, name: str, tagged: Signal) -> Signal:
        """A register with a field of the header."""
        kept = Signal(8 * IP[name].width, name=name)
        for is_tagged in (0, 1):
            index, value = ip_field(self.beat, name, is_tagged)
            with m.If(self.valid & (self.beat.index == index) & (tagged == is_tagged)):
                m.d.sync += kept.eq(value)
        return kept

    def _checksum(self, m: Module, tagged: Signal) -> Value:
        """Whether the sum over the header is wrong, three cycles behind its last byte.

        The ones' complement sum does not mind the order of the bytes (RFC 1071 section 2 B).
        """
        given, beat = self.line.beat.data, self.beat
        straddling, inside = Signal(17), Signal(17)
        with m.If(self.line.valid):
            m.d.sync += [
                straddling.eq(beat.data[48:64] + given[0:16]),
                inside.eq(given[16:32] + given[32:48]),
            ]
        counts = Signal(2)
        with m.Switch(beat.index):
            with m.Case(FIRST_IP_BEAT):
                m.d.comb += counts.eq(Cat(~tagged, 1))
            with m.Case(FIRST_IP_BEAT + 1):
                m.d.comb += counts.eq(0b11)
            with m.Case(0, 1):
                m.d.comb += counts.eq(0)
            with m.Default():
                # The straddling word ends in lane 1, the other one in lane 5.
                before = [self.places.before(self.place, -UDP.length, lane) for lane in (1, 5)]
                m.d.comb += counts.eq(Cat(*before) & self.in_header.replicate(2))
        added, starts, total = Signal(18), Signal(), Signal(SUM_BITS)
        m.d.sync += [
            added.eq(
                Mux(counts[0] & self.valid, straddling, 0) + Mux(counts[1] & self.valid, inside, 0)
            ),
            starts.eq(self.valid & (beat.index == 0)),
            total.eq(Mux(starts, 0, total + added)),
        ]
        # Right is a multiple of 0xFFFF that is not 0: low half and carries add up to 0xFFFF.
        carries = total[16:]
        return (total[:16] ^ carries) != 0xFFFF
