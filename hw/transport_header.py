# SPDX-License-Identifier: Apache-2.0
"""UDP and transport headers of a line's frames: what is wrong with them, and what they announce."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.block_walk import PLACE_BITS, BlockStep
from hw.event import SEQUENCE_NUMBER_BITS
from hw.frame_beats import FrameBeat, octet
from hw.header_places import FINAL_LANES, UDP, FeedPlaces, big_endian
from hw.line_signature import COUNT_BITS, Datagram, DatagramKind
from nic.framing.feed_format import LARGEST_SEQUENCE_NUMBER, FeedFormat
from nic.wire.table import Field

LENGTH_BITS = 16
EXTENT_BITS = LENGTH_BITS + 1


def line_settings(feed: FeedFormat) -> data.StructLayout:
    """What a line carries, as ``nic.framing.reference.LineSettings`` says; constant in a frame."""
    return data.StructLayout(
        {
            "destination_address": 32,
            "destination_port": 16,
            "is_pinned": 1,  # to one session
            "session": 8 * feed.session_field.width,  # as on the wire, the first byte lowest
        }
    )


def transport_faults(feed: FeedFormat) -> list[str]:
    """Results of a transport header that is refused, in the order in which they count."""
    return [
        *(result for _, _, result in feed.fixed),
        *(["payload_length_mismatch"] if feed.payload_length else []),
        "foreign_session",
        "sequence_out_of_range",
    ]


class UdpFaults(data.Struct):
    """What was found in the UDP header of the frame, up to the beat four cycles before."""

    end: 1  # the frame has the whole header
    length: 1
    elsewhere: 1  # another address or port
    short: 1  # no room for the transport's header
    any: 1  # one of the above is wrong


class TransportHeader(wiring.Component):
    """Looks at the headers while the beats go by.

    ``valid``, ``beat``, ``place``, ``in_header`` and ``step`` are the walk's; ``payload_bytes``,
    ``is_elsewhere`` and ``ip_is_bad`` come from the IP header. ``udp_faults`` and ``faults`` (one
    bit per entry of :func:`transport_faults`, lowest first, and above them whether the frame has
    the whole header) are four cycles behind the line and kept for the frame.

    ``datagram``: ``valid`` in one cycle, three cycles behind the header's last byte, when nothing
    was wrong; ``accepted`` from then on until the frame's end. ``upcoming`` is the sequence
    number of the message that ends next, up to the cycle in which ``step`` says that it did; the
    datagram's ``sequence_number`` follows it by one cycle.
    ``counts``: in the cycle after the beat with the count on the line, the messages in ``count``.
    ``extent_bytes`` is the datagram's length behind the header.
    """

    def __init__(self, feed: FeedFormat) -> None:
        self.feed = feed
        self.places = FeedPlaces(feed)
        super().__init__(
            {
                "settings": In(line_settings(feed)),
                "valid": In(1),
                "beat": In(FrameBeat),
                "place": In(PLACE_BITS),
                "in_header": In(1),
                "step": In(BlockStep),
                "payload_bytes": In(signed(LENGTH_BITS + 1)),
                "is_elsewhere": In(1),
                "ip_is_bad": In(1),
                "udp_faults": Out(UdpFaults),
                "faults": Out(len(transport_faults(feed)) + 1),
                "datagram": Out(wiring.Signature({"valid": Out(1), "payload": Out(Datagram)})),
                "accepted": Out(1),
                "upcoming": Out(SEQUENCE_NUMBER_BITS),
                "counts": Out(1),
                "count": Out(COUNT_BITS),
                "extent_bytes": Out(signed(EXTENT_BITS)),
            }
        )

    def _collect(self, m: Module, name: str, offset: int, width: int) -> Signal:
        """A register of the bytes from ``offset`` in the UDP payload on, the first lowest."""
        kept = Signal(8 * width, name=name)
        enable = self.valid & self.in_header
        self.places.take(m, kept, enable, self.place, self.beat, offset)
        return kept

    def _udp(self, m: Module, name: str) -> Value:
        offset, field = self.places.udp(name)
        return big_endian(self._collect(m, f"udp_{name}", offset, field.width))

    def _number(self, octets: Value) -> Value:
        """A field of the transport's header as a number."""
        return octets if self.feed.transport.byte_order == "little" else big_endian(octets)

    def _field(self, m: Module, field: Field) -> Value:
        return self._collect(m, f"header_{field.name}", field.offset, field.width)

    def elaborate(self, platform: object) -> Module:
        """Fields, their checks, and what of it counts by now."""
        m = Module()
        feed, step, settings = self.feed, self.step, self.settings
        port, length = self._udp(m, "destination_port"), self._udp(m, "length")
        head = UDP.length + feed.header.length
        other_port, bad_length, is_short = Signal(), Signal(), Signal()
        m.d.sync += [
            other_port.eq(port != settings.destination_port),
            bad_length.eq((length < UDP.length) | (length > self.payload_bytes)),
            is_short.eq(length < head),
            self.extent_bytes.eq(length - head),
        ]
        udp_end, starts = Signal(2), Signal()
        has_end = self.valid & self.in_header & self.places.has(self.place, -1, self.beat.there)
        m.d.sync += [udp_end.eq(Cat(has_end, udp_end)), starts.eq(step.first)]
        now = Signal(UdpFaults)
        m.d.comb += [
            now.end.eq(udp_end[1]),
            now.length.eq(udp_end[1] & bad_length),
            now.elsewhere.eq(udp_end[1] & (other_port | self.is_elsewhere)),
            now.short.eq(udp_end[1] & is_short),
            now.any.eq(udp_end[1] & (bad_length | other_port | self.is_elsewhere | is_short)),
        ]
        udp_faults = self.udp_faults.as_value()
        m.d.sync += udp_faults.eq(Mux(starts, 0, udp_faults) | now.as_value())

        is_wrong = Cat(*self._checks(m))
        found = Signal(len(self.faults))
        is_good = step.header_end & ~is_wrong.any() & ~self.udp_faults.any & ~self.ip_is_bad
        m.d.sync += [
            found.eq(Mux(step.first, 0, found) | Mux(step.header_end, Cat(is_wrong, 1), 0)),
            self.faults.eq(found),
            self.accepted.eq(~step.first & (self.accepted | is_good)),
            self.datagram.valid.eq(is_good),
        ]
        return m

    def _checks(self, m: Module) -> list[Value]:
        """What is wrong with the transport's header, in the order of :func:`transport_faults`.

        Right in the cycle in which ``step.header_end`` is; all but the end of the sequence number
        and the count were there a cycle before.
        """
        feed = self.feed
        wrong = {name: Signal(name=name) for name in transport_faults(feed)}
        for name, value, result in feed.fixed:
            given = self._number(self._field(m, feed.header[name]))
            m.d.sync += wrong[result].eq(given != value)
        if feed.payload_length:
            given = self._number(self._field(m, feed.header[feed.payload_length]))
            m.d.sync += wrong["payload_length_mismatch"].eq(given != self.extent_bytes)
        session = self._field(m, feed.session_field)
        m.d.sync += wrong["foreign_session"].eq(
            self.settings.is_pinned & (session != self.settings.session)
        )
        self._sequence_number(m, wrong["sequence_out_of_range"])
        self._count(m)
        return list(wrong.values())

    def _sequence_number(self, m: Module, is_wrong: Signal) -> None:
        """Collect the sequence number, count it on, and say whether it is out of range."""
        field = self.feed.sequence_number_field
        number = self.upcoming
        # The bytes are put at their places in the register that counts on from there. Blocks
        # behind a wrong one are counted too: none of them is given on.
        high_first = self.feed.transport.byte_order == "big"
        m.d.sync += self.datagram.payload.sequence_number.eq(number)
        with m.If(self.step.ends):
            m.d.sync += number.eq(number + 1)
        for n in range(field.width):
            at = 8 * (field.width - 1 - n if high_first else n)
            self.places.take(m, number[at : at + 8], self.valid & self.in_header, self.place,
                             self.beat, field.offset + n)  # fmt: skip
        # LARGEST is 2^63 - 1 - 2^16: too large is what has bit 63, or all bits from 16 to 62.
        assert LARGEST_SEQUENCE_NUMBER == (1 << 63) - 1 - (1 << 16)
        # The upper half was there a cycle before, the lower may end two bytes before the header.
        is_negative, is_full, is_zero = Signal(), Signal(), Signal()
        m.d.sync += [
            is_negative.eq(number[63]),
            is_full.eq(number[32:63].all()),
            is_zero.eq(number[32:] == 0),
        ]
        m.d.comb += is_wrong.eq(
            is_negative | (is_full & number[16:32].all()) | (is_zero & (number[:32] == 0))
        )

    def _count(self, m: Module) -> None:
        """Give the number of messages on, and keep it for the datagram."""
        feed = self.feed
        offset, width = feed.count_field.offset, feed.count_field.width
        choices = []
        for final_lane in FINAL_LANES:
            spots = [self.places.spot(offset + n, final_lane) for n in range(width)]
            assert len({back for back, _ in spots}) == 1, "the count lies in one beat"
            choices.append(self._number(Cat(*(octet(self.beat, lane) for _, lane in spots))))
        given = Signal(COUNT_BITS)
        kind = self.datagram.payload.kind
        end = feed.end_of_session_count
        is_end = Const(0) if end is None else given == end
        m.d.comb += [
            given.eq(Mux(self.place[2], choices[1], choices[0])),
            self.counts.eq(self.valid & self.in_header & self.places.has(self.place, offset)),
            self.count.eq(Mux(is_end, 0, given)),
        ]
        with m.If(self.counts):
            m.d.sync += self.datagram.payload.count.eq(self.count)
            with m.If(given == feed.heartbeat_count):
                m.d.sync += kind.eq(DatagramKind.HEARTBEAT)
            with m.Elif(is_end):
                m.d.sync += kind.eq(DatagramKind.END_OF_SESSION)
            with m.Else():
                m.d.sync += kind.eq(DatagramKind.DATA)
