# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The MoldUDP64 re-request server: answers from the publisher's history.

The answer is an ordinary downstream packet with as many messages as fit; the client asks again
for the rest. What is no proper request is counted and gets no answer. Source: Nasdaq MoldUDP64
1.00.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp
from nic.wire.moldudp64_codec cimport (
    MOLDUDP64_HEADER_LENGTH, moldudp64_header_message_count, moldudp64_header_sequence_number,
    moldudp64_header_session)
from sim.exchange.ids cimport (
    REREQUEST_ANSWERED, REREQUEST_BAD_COUNT, REREQUEST_BAD_LENGTH, REREQUEST_BAD_SEQUENCE_NUMBER,
    REREQUEST_BAD_SESSION, REREQUEST_DROPPED_FROM_HISTORY, REREQUEST_MESSAGES, REREQUEST_REQUESTS,
    REREQUEST_SHORT_ANSWERS)

from nic.wire.moldudp64 import MAXIMUM_COUNT
from sim.exchange.enumerations import REREQUEST

cdef uint32_t MOST_MESSAGES = MAXIMUM_COUNT


cdef class RerequestServer:
    """Answers request packets for one publisher's session."""

    def __cinit__(self, Publisher publisher not None):
        self.publisher = publisher

    cdef uint32_t on_request(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """Length of the answer, which stands in ``self.out``; 0 for no answer."""
        cdef uint64_t first
        cdef uint32_t wanted, used
        cdef uint16_t count = 0
        self.counts[REREQUEST_REQUESTS] += 1
        if length != MOLDUDP64_HEADER_LENGTH:
            self.counts[REREQUEST_BAD_LENGTH] += 1
            return 0
        if memcmp(moldudp64_header_session(data), self.publisher.session,
                  sizeof(self.publisher.session)):
            self.counts[REREQUEST_BAD_SESSION] += 1
            return 0
        wanted = moldudp64_header_message_count(data)
        if wanted == 0 or wanted > MOST_MESSAGES:
            self.counts[REREQUEST_BAD_COUNT] += 1
            return 0
        first = moldudp64_header_sequence_number(data)
        if first == 0 or first >= self.publisher.next_number:
            self.counts[REREQUEST_BAD_SEQUENCE_NUMBER] += 1
            return 0
        if first < self.publisher.first_kept:
            self.counts[REREQUEST_DROPPED_FROM_HISTORY] += 1
            return 0
        used = self.publisher.copy_blocks(first, wanted, self.out + MOLDUDP64_HEADER_LENGTH,
                                          MAXIMUM_PAYLOAD_BYTES - MOLDUDP64_HEADER_LENGTH, &count)
        self.publisher.write_header(self.out, first, count)
        self.counts[REREQUEST_ANSWERED] += 1
        self.counts[REREQUEST_MESSAGES] += count
        if count < wanted:
            self.counts[REREQUEST_SHORT_ANSWERS] += 1
        return MOLDUDP64_HEADER_LENGTH + used

    def answer(self, const uint8_t[::1] request):
        """The answer to a request datagram, or ``None`` when there is none."""
        cdef uint32_t length = 0
        if request.shape[0]:
            length = self.on_request(&request[0], <uint32_t> request.shape[0])
        else:
            self.counts[REREQUEST_REQUESTS] += 1
            self.counts[REREQUEST_BAD_LENGTH] += 1
        return (<char *> self.out)[:length] if length else None

    def counters(self):
        """The counters, by name."""
        return REREQUEST.as_dict(self.counts)
