# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A line of the host that goes through the card: frames in, the card's messages out.

Every frame of the port behind it is brought on a line of the card. Two ways lead on to the host:

- the card arbitrates: datagrams are made of its events, a run of numbers each, under the session
  of the frame. What has no message (heartbeats, ends of session) is handed on as it came, once it
  has been through the card. Copies do not come up any more: the card counts them.
- it does not, as where a sequence may begin anew: whole frames are handed on, in which every
  message has the card's bytes. Headers, and what the card leaves out, are those that came.

One frame at a time goes through, so that the card is never ahead of the host by more than that.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from nic.frame cimport FRAME_OK, UdpDatagram, frame_build_udp, frame_parse_udp
from nic.framing.ids cimport DATAGRAM_DATA
from nic.framing.parser cimport FramedMessage
from nic.ids cimport PORT_RX_BYTES, PORT_RX_PACKETS
from nic.port cimport LAYER_DATAGRAM, LAYER_FRAME
from nic.wire.moldudp64_codec cimport (
    MOLDUDP64_BLOCK_LENGTH, MOLDUDP64_HEADER_LENGTH, moldudp64_block_put_message_length,
    moldudp64_header_put_message_count, moldudp64_header_put_sequence_number)
from sim.gateware.card_model cimport LONGEST_FRAME_BYTES
from sim.offload.ids cimport *

from nic.frame import address_number, multicast_hardware

cdef enum:
    OUT_BYTES = 1 << 17            # every message of a frame in a datagram of its own
    TIME_TO_LIVE = 1


cdef class GatewarePort(Port):
    """The packets of ``inner`` after they went through ``audit``'s card.

    ``line``: 0 or 1; without one a frame's destination says it. ``destination``: group and port
    of the line, for an inner port that only has datagrams. ``hands_whole``: whole frames are
    handed on, for a card that does not arbitrate. Closing it closes ``inner``.
    """

    def __cinit__(self, *_, **__):
        self.frame = <uint8_t *> calloc(1, LONGEST_FRAME_BYTES)
        self.out = <uint8_t *> calloc(1, OUT_BYTES)
        if self.frame is NULL or self.out is NULL:
            raise MemoryError

    def __init__(self, FeedAudit audit not None, Port inner not None, *, line=None,
                 destination=None, bint hands_whole=False):
        if inner.layer == LAYER_DATAGRAM and destination is None:
            raise ValueError(f"{inner.name}: its datagrams need a destination to become frames")
        self.audit = audit
        self.inner = inner
        self.name = inner.name
        self.line = -1 if line is None else line
        self.hands_whole = hands_whole
        self.layer = LAYER_FRAME if hands_whole else LAYER_DATAGRAM
        if destination is not None:
            address, port = destination
            self.path.destination_address = address_number(address)
            self.path.destination_port = port
            self.path.time_to_live = TIME_TO_LIVE
            hardware = multicast_hardware(address) or bytes(6)
            memcpy(self.path.destination_hardware, <const uint8_t *> <bytes> hardware, 6)

    def __dealloc__(self):
        free(self.frame)
        free(self.out)

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil:
        cdef uint32_t at
        cdef int count = 0
        while self.run_at == self.run_count and not self.has_other:
            if not self.next_frame():
                return 0
        if self.has_other:
            self.has_other = False
            if self.hands_whole:
                self.fill(&packets[0], self.out, self.out_length)
            else:
                self.audit.count_one(FEED_PATH_IDLE_DATAGRAMS)
                self.fill(&packets[0], self.datagram.payload, self.datagram.length)
            return 1
        while self.run_at < self.run_count and count < maximum:
            at = self.runs[self.run_at - 1] if self.run_at else 0
            self.fill(&packets[count], self.out + at, self.runs[self.run_at] - at)
            self.run_at += 1
            count += 1
        return count

    cdef bint next_frame(self) noexcept nogil:
        """Bring the next frame; False when there is none now."""
        cdef Packet *packet
        cdef const FramedMessage *message
        cdef uint32_t length, i, _
        if self.waiting_at == self.waiting_count:
            if self.waiting_count > 0:
                self.inner.release()
            self.waiting_at = 0
            self.waiting_count = self.inner.receive_burst(self.waiting, INNER_BURST)
            if self.waiting_count <= 0:
                self.waiting_count = 0
                self.came = NULL
                return False
        packet = &self.waiting[self.waiting_at]
        self.waiting_at += 1
        self.came = packet.data
        length = packet.length
        if self.inner.layer == LAYER_DATAGRAM:
            self.path.source_address = packet.source_address
            self.path.source_port = packet.source_port
            length = frame_build_udp(self.frame, LONGEST_FRAME_BYTES, &self.path, 0, packet.data,
                                     packet.length)
            self.came = self.frame
        self.audit.bring(self.line_of(self.came, length), self.came, length)
        self.run_at = self.run_count = self.out_length = 0
        if self.hands_whole:
            self.has_other = True
            self.out_length = min(length, <uint32_t> OUT_BYTES)
            memcpy(self.out, self.came, self.out_length)
            for i in range(self.audit.count):
                message = self.audit.messages[i]
                memcpy(self.out + (message.message - self.came), self.audit.message(i),
                       message.length)
            if self.audit.has_datagram:
                self.audit.count_one(FEED_PATH_DATAGRAMS)
        elif frame_parse_udp(self.came, length, &self.datagram) != FRAME_OK:
            for _ in range(self.audit.count):
                self.audit.count_one(FEED_PATH_NOT_WHOLE)
        else:
            # the other line's frame comes next: everything that is to be handed on is kept here
            i = 0
            while i < self.audit.count and self.run_count < MOST_RUNS:
                i = self.put_run(i)
            self.has_other = self.audit.has_datagram and self.audit.datagram_kind != DATAGRAM_DATA
        return True

    cdef int line_of(self, const uint8_t *frame, uint32_t length) noexcept nogil:
        """The line that brings a frame."""
        cdef UdpDatagram datagram
        if self.line >= 0:
            return self.line
        if frame_parse_udp(frame, length, &datagram) != FRAME_OK:
            return 0
        return (datagram.destination_address == self.audit.parser_b.destination_address
                and datagram.destination_port == self.audit.parser_b.destination_port)

    cdef uint32_t put_run(self, uint32_t event) noexcept nogil:
        """Make a datagram of the events from ``event`` on whose numbers follow each other.

        The first event behind it.
        """
        cdef uint8_t *header = self.out + self.out_length
        cdef uint8_t *at = header + MOLDUDP64_HEADER_LENGTH
        cdef uint64_t first = self.audit.messages[event].sequence_number
        cdef uint16_t count = 0
        cdef const FramedMessage *message
        while event < self.audit.count:
            message = self.audit.messages[event]
            if message.sequence_number != first + count:
                break
            moldudp64_block_put_message_length(at, message.length)
            memcpy(at + MOLDUDP64_BLOCK_LENGTH, self.audit.message(event), message.length)
            at += MOLDUDP64_BLOCK_LENGTH + message.length
            count += 1
            event += 1
        memcpy(header, self.datagram.payload, MOLDUDP64_HEADER_LENGTH)   # its session
        moldudp64_header_put_sequence_number(header, first)
        moldudp64_header_put_message_count(header, count)
        self.out_length += <uint32_t> (at - header)
        self.runs[self.run_count] = self.out_length
        self.run_count += 1
        self.audit.count_one(FEED_PATH_DATAGRAMS)
        return event

    cdef void fill(self, Packet *packet, const uint8_t *data, uint32_t length) noexcept nogil:
        """A packet with the times of the frame at work."""
        packet[0] = self.waiting[self.waiting_at - 1]
        packet.data = data
        packet.length = length
        self.counts[PORT_RX_PACKETS] += 1
        self.counts[PORT_RX_BYTES] += length

    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil:
        return self.inner.transmit(data, length)

    cdef int flush(self) noexcept nogil:
        return self.inner.flush()

    def counters(self):
        """Those of the port behind it."""
        return self.inner.counters()

    def mode(self):
        """That of the port behind it, and that it goes through the card."""
        found = self.inner.mode()
        return {**found, "notes": [*found["notes"], f"through the {self.audit.device.name}"]}

    def close(self):
        """Close the port behind it."""
        self.inner.close()
