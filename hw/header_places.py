# SPDX-License-Identifier: Apache-2.0
"""In which beat and lane the bytes of the headers lie, from the field tables.

A frame begins at lane 0. Up to IPv4 there are two cases, without and with an 802.1Q tag. What lies
behind the IPv4 options is found by its distance from the second byte of the first length prefix,
to which the walk's ``place`` counts down: all headers are whole 32-bit words behind an Ethernet
header of 14 bytes, so ``place`` is 3 or 7 more than a multiple of 8.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from hw.block_walk import LANE_BITS, PLACE_BITS
from hw.frame_beats import BEFORE_LANES, lanes_of, octet
from hw.stream import LANES
from nic.framing.feed_format import FeedFormat
from nic.wire.internet import INTERNET
from nic.wire.table import Field

FIRST_IP_BEAT = 2
FINAL_LANES = (3, 7)
UDP = INTERNET["udp"]


def big_endian(octets: Value) -> Value:
    """Bytes of which the first is lowest as a number of which the first is highest."""
    return Cat(*reversed([octets[n : n + 8] for n in range(0, len(octets), 8)]))


def ip_place(offset: int, tagged: int) -> tuple[int, int]:
    """Beat and lane of a byte of the IPv4 header, of a frame with or without a tag."""
    start = INTERNET["ethernet"].length + tagged * INTERNET["vlan"].length
    return divmod(start + offset, LANES)


def ip_field(beat: Any, name: str, tagged: int) -> tuple[int, Value]:
    """A field of the IPv4 header: number of the beat to take it from, and its value."""
    field = INTERNET["ipv4"][name]
    index = max(FIRST_IP_BEAT, ip_place(field.end - 1, tagged)[0])
    first, lane = ip_place(field.offset, tagged)
    lane -= LANES * (index - first)
    if lane < -BEFORE_LANES:
        raise ValueError(f"{name} does not fit a beat and the end of the one before")
    return index, big_endian(lanes_of(beat, lane, field.width))


class FeedPlaces:
    """Places of a feed's UDP and transport header bytes, counted from the UDP payload."""

    def __init__(self, feed: FeedFormat) -> None:
        """Raises ValueError for a transport header that is not in whole 32-bit words."""
        if feed.header.length % 4:
            raise ValueError(f"{feed.name}: the header is not in whole words")
        self.head = feed.header.length

    def spot(self, offset: int, final_lane: int) -> tuple[int, int]:
        """Beats before the first prefix's, and lane, of the byte ``offset`` in the UDP payload."""
        back, lane = divmod(final_lane - (self.head + 1 - offset), LANES)
        return -back, lane

    def has(self, place: Value, offset: int, there: Value | None = None) -> Value:
        """Whether the beat at ``place`` has that byte; with ``there``, and the frame too."""
        found = []
        for final_lane in FINAL_LANES:
            back, lane = self.spot(offset, final_lane)
            here = place[LANE_BITS:] == back
            found.append(here if there is None else here & there[lane])
        return Mux(place[LANE_BITS - 1], found[1], found[0])

    def before(self, place: Value, offset: int, lane: int) -> Value:
        """Whether the byte in ``lane`` of the beat at ``place`` stands before that byte."""
        found = []
        for final_lane in FINAL_LANES:
            back, first = self.spot(offset, final_lane)
            lowest = back if lane < first else back + 1
            # Not a comparison, which would make a carry chain of four bits.
            found.append(place[LANE_BITS:].matches(*range(lowest, 1 << PLACE_BITS - LANE_BITS)))
        return Mux(place[LANE_BITS - 1], found[1], found[0])

    def take(self, m: Module, target: Signal, enable: Value, place: Value, beat: Any,
             offset: int) -> None:  # fmt: skip
        """Collect the bytes from ``offset`` on in ``target``, the first lowest."""
        for n in range(len(target) // 8):
            low, high = (self.spot(offset + n, final_lane) for final_lane in FINAL_LANES)
            given = Mux(place[LANE_BITS - 1], octet(beat, high[1]), octet(beat, low[1]))
            with m.If(enable & self.has(place, offset + n)):
                m.d.sync += target[8 * n : 8 * n + 8].eq(given)

    def udp(self, name: str) -> tuple[int, Field]:
        """Offset of a field of the UDP header, and the field."""
        return UDP[name].offset - UDP.length, UDP[name]
