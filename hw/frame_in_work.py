# SPDX-License-Identifier: Apache-2.0
"""The frame that the frame writer has in work: where its parts stand, and its registers."""

from __future__ import annotations

from amaranth.hdl import Signal
from amaranth.lib import data

from hw.checksum import SUM_BITS
from hw.order_fields import PiecesLayout
from hw.order_template import PAYLOAD_ROWS, WORD_BITS
from hw.replay_ring import READ_LATENCY
from hw.stream import LANES
from nic.offload.builder_enumerations import TEMPLATE
from nic.offload.order_template import HEADER_WORDS, HOST_WORDS
from nic.wire.internet import INTERNET

LINK_BYTES = (
    INTERNET["ethernet"].length,
    INTERNET["ethernet"].length + INTERNET["vlan"].length,
)
"""Bytes in front of the IPv4 header, untagged and tagged."""
HEADER_BYTES = tuple(link + INTERNET["ipv4"].length + INTERNET["tcp"].length for link in LINK_BYTES)
FIRST_LANE = tuple(size % LANES for size in HEADER_BYTES)
FIRST_BEAT = tuple(size // LANES for size in HEADER_BYTES)
BEAT_BITS = 6
TAGGED_FIRST = (HEADER_BYTES[1], HEADER_BYTES[0])
HOST_KIND = TEMPLATE.count
"""The host's payload stands where one more template would."""
FILL_CYCLES = 2
"""From the header's first row to its word being ready for the last register."""
FETCH_CYCLES = READ_LATENCY + FILL_CYCLES + 2
"""From the address of a slot's descriptor to its frame's first beat."""


def header_place(tagged: int, header: str, field: str) -> tuple[int, int]:
    """Beat and lane of a field of the IPv4 or TCP header."""
    start = LINK_BYTES[tagged] + (INTERNET["ipv4"].length if header == "tcp" else 0)
    return divmod(start + INTERNET[header][field].offset, LANES)


class FrameInWork:
    """The registers of the frame that is written, and the wires between the stages."""

    def __init__(self, order: data.StructLayout) -> None:
        # What it was started with.
        self.started = Signal()
        self.order: data.View[data.StructLayout] = Signal(order)
        self.is_order = Signal()
        self.kinds = Signal(HOST_KIND + 1)
        """One bit per kind of template, and one for the host's payload."""
        self.is_resend = Signal()
        self.identification = Signal(16)
        self.acknowledgment_number = Signal(32)
        self.window = Signal(16)
        # What follows from that.
        self.pieces: data.View[data.StructLayout] = Signal(PiecesLayout)
        self.payload_words = Signal(range(HOST_WORDS + 1))
        self.first_row = Signal(range(PAYLOAD_ROWS))
        self.total_length = Signal(16)
        self.ip_checksum = Signal(SUM_BITS)
        self.tcp_checksum = Signal(SUM_BITS)
        # What the control says: one of four states, and what is done in this cycle.
        self.is_filling = Signal(init=1)
        self.is_waiting = Signal()
        self.is_fetching = Signal()
        self.is_sending = Signal()
        self.begin = Signal()
        """Go back to the first word of the header."""
        self.fill = Signal()
        """Words move on towards the last register, which holds its beat."""
        self.load = Signal()
        """The first beat goes into the last register, and waits there."""
        self.step = Signal()
        """The next beat goes into the last register, everything behind it moves up."""
        # Where it is.
        self.index = Signal(BEAT_BITS)
        """Of the beat that goes into the last register next."""
        self.after = Signal(BEAT_BITS)
        """The one behind it."""
        self.at = [Signal(HEADER_WORDS + 1, name=f"at_{tag}") for tag in range(2)]
        """A bit per index, of untagged and of tagged frames; none when a frame is sent again."""
        self.is_last = Signal()
        self.empty = Signal(3)
        # The stages.
        self.word = Signal(WORD_BITS)
        self.payload = Signal(WORD_BITS)
        self.payload_before = Signal(WORD_BITS)
