# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The schedule of re-requests: bounded, rate-limited, retried.

Sources: Nasdaq MoldUDP64 1.00, section Request Packet; IEX Transport 1.26, section Gap Fill Request
(UDP, sequenced messages). A MoldUDP64 answer is one packet, so what it leaves out is asked for at
once; an IEX-TP answer may be many segments, so the rest is asked for when they stop coming.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from host.feed.ids cimport (
    FEED_REQUESTS, FEED_REQUESTS_DEFERRED, FEED_REQUESTS_PARTIAL, FEED_REQUESTS_REFUSED,
    FEED_REQUESTS_RETRIED, TRANSPORT_MOLDUDP64)
from nic.wire.byteorder cimport store_le16, store_le64
from nic.wire.iextp_codec cimport (
    IEXTP_GAP_FILL_RANGE_LENGTH, IEXTP_GAP_FILL_REQUEST_LENGTH, IEXTP_REQUEST_SEQUENCED_MESSAGES,
    IEXTP_VERSION, iextp_gap_fill_range_put_first, iextp_gap_fill_range_put_last,
    iextp_gap_fill_request_put_channel_id, iextp_gap_fill_request_put_message_protocol_id,
    iextp_gap_fill_request_put_request_range_count, iextp_gap_fill_request_put_request_type,
    iextp_gap_fill_request_put_session_id, iextp_gap_fill_request_put_version)
from nic.wire.moldudp64_codec cimport (
    MOLDUDP64_HEADER_LENGTH, MOLDUDP64_HEADER_SESSION_OFFSET,
    moldudp64_header_put_message_count, moldudp64_header_put_sequence_number)

cdef uint64_t NS_PER_SECOND = 1_000_000_000


cdef class Recovery:
    """Asks for the gaps of a :class:`~host.feed.gaps.GapTable` through a request sink.

    Each gap has at most one request out; of all gaps at most ``maximum_outstanding`` do. The token
    bucket holds ``maximum_outstanding`` requests and fills at ``request_rate_per_second``.
    """

    def __init__(self, RequestSink requests, GapTable table not None, int transport, settings):
        self.requests = requests
        self.can_request = requests is not None
        self.table = table
        self.transport = transport
        self.gap_wait_ns = settings.gap_wait_ns
        self.request_retry_ns = settings.request_retry_ns
        self.gap_limit_ns = settings.gap_limit_ns
        self.request_limit = settings.request_limit
        self.maximum_outstanding = settings.maximum_outstanding
        self.maximum_request_messages = settings.maximum_request_messages
        self.rate_per_second = settings.request_rate_per_second
        self.tokens = self.maximum_outstanding * NS_PER_SECOND

    cdef bint hopeless(self, const Gap *gap, uint64_t t_ns) noexcept nogil:
        """Whether a gap is not worth waiting for any longer."""
        if t_ns >= gap.progress_ns and t_ns - gap.progress_ns >= self.gap_limit_ns:
            return True
        return (gap.attempts >= self.request_limit and not gap.answered
                and t_ns >= gap.sent_ns and t_ns - gap.sent_ns >= self.request_retry_ns)

    cdef void pump(self, bint only_first, uint64_t t_ns) noexcept nogil:
        """Send the requests that are due; ``only_first`` when nothing more can wait behind."""
        cdef uint32_t i, outstanding = 0
        cdef Gap *gap
        if not self.can_request:
            return
        for i in range(self.table.count):
            outstanding += self._settle(&self.table.gaps[i], t_ns)
        for i in range(self.table.count):
            gap = &self.table.gaps[i]
            if (only_first and i > 0) or outstanding >= self.maximum_outstanding:
                return
            if gap.requested_end or gap.attempts >= self.request_limit:
                continue
            if t_ns < gap.opened_ns or t_ns - gap.opened_ns < self.gap_wait_ns:
                continue
            if not self._take_token(t_ns):
                if not gap.deferred:
                    gap.deferred = True
                    self.counters[FEED_REQUESTS_DEFERRED] += 1
                return
            self._send(gap, t_ns)
            outstanding += 1

    cdef bint _settle(self, Gap *gap, uint64_t t_ns) noexcept nogil:
        """Look at a gap's request; True while it is out."""
        cdef bint answered = gap.answered
        if answered:
            gap.answered = False
            gap.attempts = 0
        if gap.requested_end == 0:
            return False
        if gap.first >= gap.requested_end:
            gap.requested_end = 0
        elif answered and self.transport == TRANSPORT_MOLDUDP64:
            self.counters[FEED_REQUESTS_PARTIAL] += 1
            gap.requested_end = 0
        elif answered:
            gap.sent_ns = t_ns
        elif t_ns >= gap.sent_ns and t_ns - gap.sent_ns >= self.request_retry_ns:
            gap.requested_end = 0
        return gap.requested_end != 0

    cdef bint _take_token(self, uint64_t t_ns) noexcept nogil:
        """Whether the rate limit allows a request now; takes its token."""
        cdef uint64_t most = self.maximum_outstanding * NS_PER_SECOND
        cdef uint64_t elapsed = t_ns - self.tokens_ns if t_ns > self.tokens_ns else 0
        if elapsed > most // self.rate_per_second:
            self.tokens = most
        else:
            self.tokens += elapsed * self.rate_per_second
            if self.tokens > most:
                self.tokens = most
        self.tokens_ns = t_ns if t_ns > self.tokens_ns else self.tokens_ns
        if self.tokens < NS_PER_SECOND:
            return False
        self.tokens -= NS_PER_SECOND
        return True

    cdef void _send(self, Gap *gap, uint64_t t_ns) noexcept nogil:
        """Ask for the front of a gap."""
        cdef uint64_t count = gap.end - gap.first
        if count > self.maximum_request_messages:
            count = self.maximum_request_messages
        if self.requests.send_request(self.request, self._encode(gap.first, <uint32_t> count)) < 0:
            self.counters[FEED_REQUESTS_REFUSED] += 1
        else:
            self.counters[FEED_REQUESTS] += 1
            if gap.attempts:
                self.counters[FEED_REQUESTS_RETRIED] += 1
        # a refused request counts as one without an answer: it is tried again after the retry time
        gap.requested_end = gap.first + count
        gap.sent_ns = t_ns
        gap.attempts += 1
        gap.deferred = False

    cdef uint32_t _encode(self, uint64_t first, uint32_t count) noexcept nogil:
        """Write the request for ``count`` messages; its length."""
        cdef uint8_t *at = self.request
        if self.transport == TRANSPORT_MOLDUDP64:
            store_le64(at + MOLDUDP64_HEADER_SESSION_OFFSET, self.session_low)
            store_le16(at + MOLDUDP64_HEADER_SESSION_OFFSET + 8, <uint16_t> self.session_high)
            moldudp64_header_put_sequence_number(at, first)
            moldudp64_header_put_message_count(at, <uint16_t> count)
            return MOLDUDP64_HEADER_LENGTH
        iextp_gap_fill_request_put_version(at, IEXTP_VERSION)
        iextp_gap_fill_request_put_request_type(at, IEXTP_REQUEST_SEQUENCED_MESSAGES)
        iextp_gap_fill_request_put_message_protocol_id(at, self.message_protocol_id)
        iextp_gap_fill_request_put_channel_id(at, <uint32_t> self.session_high)
        iextp_gap_fill_request_put_session_id(at, <uint32_t> self.session_low)
        iextp_gap_fill_request_put_request_range_count(at, 1)
        at += IEXTP_GAP_FILL_REQUEST_LENGTH
        iextp_gap_fill_range_put_first(at, <int64_t> first)
        iextp_gap_fill_range_put_last(at, <int64_t> (first + count - 1))
        return IEXTP_GAP_FILL_REQUEST_LENGTH + IEXTP_GAP_FILL_RANGE_LENGTH
