# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Arbitration of the feed's lines by message sequence number.

Sources: Nasdaq MoldUDP64 1.00; IEX Transport 1.26, section Outbound Segment.
Lines may cut the same messages into different datagrams, so every decision is about messages, never
about datagrams. ``host/feed/reference.py`` says the same in readable Python.

Sessions. The handler takes one session: the one it is given, or the first it sees in a structurally
valid datagram. Datagrams of another session are counted and change nothing, with two exceptions,
both only when no session was given: with ``restart="detect"`` (replay) another session is taken
when it appears, and with either setting when the present one has ended. A session that was left is
never taken again.

Restarts. A publisher of IEX-TP may begin again at sequence number 1 under the same session id. With
``restart="detect"`` a segment with sequence number 1, stream offset 0 and a send time later than
all seen, on a line that was past 1, is a restart: what waits is delivered, the rest given up, the
sink told. Segments sent before it (the other line lags) are dropped. A run whose every segment with
number 1 was lost on both lines can't be told from copies.
"""

from dataclasses import replace

from libc.stdint cimport INT64_MIN, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from host.feed.arrivals cimport ArrivalRing
from host.feed.datagram cimport (
    BLOCK_PREFIX, LARGEST_COUNT, Datagram, check_blocks, index_blocks, parse_iextp,
    parse_moldudp64)
from host.feed.enumerations import FEED, GAP_CLOSED, TRANSPORT
from host.feed.gaps cimport GapTable
from host.feed.ids cimport (
    DATAGRAM_DATA, DATAGRAM_END_OF_SESSION, FEED_BEFORE_START, FEED_DATA_AFTER_END,
    FEED_DUPLICATES_A, FEED_DUPLICATES_SAME_LINE, FEED_DUPLICATES_UNKNOWN,
    FEED_END_BELOW_EXPECTED, FEED_ENDS_OF_SESSION, FEED_FOREIGN_CHANNEL, FEED_FOREIGN_SESSION,
    FEED_HEARTBEATS, FEED_JUMPS_A, FEED_MESSAGES, FEED_MESSAGES_A, FEED_MESSAGES_LOST,
    FEED_MISSING_A, FEED_PACKETS_A, FEED_PREVIOUS_RUN, FEED_RESTARTS_PUBLISHER,
    FEED_RESTARTS_SESSION, FEED_SEQUENCE_OUT_OF_RANGE, FEED_STALE, FEED_STALE_A,
    FEED_STASH_FULL, FEED_STASH_TOO_LONG, FEED_STASHED, FEED_STREAM_OFFSET_MISMATCH,
    FEED_UNKNOWN_LINE, LINE_COUNT, LINE_RE_REQUEST, TRANSPORT_IEXTP, TRANSPORT_MOLDUDP64)
from host.feed.liveness cimport (
    MULTICAST_LINES, liveness_heard, liveness_line_went_stale, liveness_went_stale)
from host.feed.recovery cimport Recovery
from host.feed.reorder cimport STASH_DUPLICATE, STASH_FULL, STASH_TAKEN, Stash, Waiting
from host.feed.settings import FeedSettings
from host.interfaces cimport RESTART_PUBLISHER, RESTART_SESSION, MessageSink, RequestSink
from nic.wire.iextp_codec cimport IEXTP_MESSAGE_PROTOCOL_DEEP10
from nic.wire.moldudp64 import MOLDUDP64

cdef uint64_t NO_LIMIT = <uint64_t> -1


cdef class FeedHandler:
    """Makes one gapless sequence of messages out of two lines and a re-request server.

    ``sink`` takes the messages and what happened to the sequence; ``requests`` sends re-requests
    (None: a gap can only be closed by a line). ``transport`` is ``"moldudp64"`` or ``"iextp"``.
    ``session`` is as on the wire (MoldUDP64: up to 10 characters, padded with spaces; IEX-TP: 4
    bytes or a number); blank takes the first that is seen. ``start`` is ``"first"`` (begin where
    the feed is) or the first sequence number wanted. ``restart`` is ``"strict"`` or ``"detect"``,
    see the module. ``settings`` is a :class:`~host.feed.settings.FeedSettings`; single fields can
    be given by name. Raises ``ValueError`` for a value out of range. Everything is allocated here.
    """

    def __cinit__(self, *arguments, **options):
        self.ends = <uint32_t *> calloc(LARGEST_COUNT, sizeof(uint32_t))
        self.waiting_ends = <uint32_t *> calloc(LARGEST_COUNT, sizeof(uint32_t))
        if self.ends == NULL or self.waiting_ends == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.ends)
        free(self.waiting_ends)

    def __init__(self, MessageSink sink not None, RequestSink requests=None, *,
                 transport="moldudp64", session=b"", start="first", restart="strict",
                 settings=None, int message_protocol_id=IEXTP_MESSAGE_PROTOCOL_DEEP10,
                 **overrides):
        if transport not in TRANSPORT.names:
            raise ValueError(f"transport must be one of {', '.join(TRANSPORT.names)}")
        if restart not in ("strict", "detect"):
            raise ValueError("restart must be strict or detect")
        if start != "first" and (not isinstance(start, int) or start < 1):
            raise ValueError("start must be first, or a sequence number of at least 1")
        settings = replace(settings or FeedSettings(), **overrides)
        self.settings = settings
        self.sink = sink
        self.requests = requests
        self.trace = NULL
        self.transport = TRANSPORT.value(transport)
        self.big_endian = self.transport == TRANSPORT_MOLDUDP64
        self.message_protocol_id = message_protocol_id
        self.detect = restart == "detect"
        self.start_sequence = 0 if start == "first" else start
        maximum = settings.maximum_gap_messages
        self.maximum_gap = NO_LIMIT if maximum is None else maximum
        self.far_packets = settings.far_packets
        self.live.stale_ns = settings.stale_ns
        self.newest_send_ns = INT64_MIN
        self.run_send_ns = INT64_MIN
        self.stash = Stash(settings.stash_packets, settings.stash_datagram_bytes)
        self.gap_table = GapTable(settings.maximum_open_gaps, settings.gaps_reported)
        self.gap_table.counters = self.counts
        self.recovery = Recovery(requests, self.gap_table, self.transport, settings)
        self.recovery.counters = self.counts
        self.recovery.message_protocol_id = self.message_protocol_id
        self.arrivals = ArrivalRing(settings.lead_messages)
        self._pin(session)

    def _pin(self, session):
        if isinstance(session, str) and not self.big_endian:
            session = int(session) if session.strip() else b""
        if isinstance(session, int):
            session = session.to_bytes(4, "little")
        elif isinstance(session, str):
            session = session.encode("ascii")
        wanted = MOLDUDP64["header"].fields[0].width if self.big_endian else 4
        if len(session) > wanted or (session and len(session) < wanted and not self.big_endian):
            raise ValueError(f"a session has {wanted} bytes, not {len(session)}")
        self.pinned = bool(session.strip(b" "))
        session = session.ljust(wanted, b" ")
        self.session_low = int.from_bytes(session[:8], "little")
        self.session_high = int.from_bytes(session[8:], "little")

    cdef int on_datagram(self, int line, const uint8_t *payload, uint32_t length,
                         uint64_t t_ns) noexcept nogil:
        """One UDP payload of a line (LINE_*), received at ``t_ns``; messages delivered by it."""
        cdef Datagram d
        cdef bint known
        cdef int fault
        cdef uint64_t before = self.counts[FEED_MESSAGES]
        if line < 0 or line >= LINE_COUNT:
            self.counts[FEED_UNKNOWN_LINE] += 1
            return 0
        self.counts[FEED_PACKETS_A + line] += 1
        if self.transport == TRANSPORT_MOLDUDP64:
            fault = parse_moldudp64(payload, length, &d)
        else:
            fault = parse_iextp(payload, length, self.message_protocol_id, &d)
        if fault:
            self.counts[fault] += 1
            return 0
        known = (self.started and d.session_low == self.session_low
                 and d.session_high == self.session_high)
        fault = check_blocks(&d, self.big_endian, self.sink,
                             known and d.sequence_number <= self.expected < d.next, self.ends)
        if fault:
            self.counts[fault] += 1
            return 0
        if not known and not self._admit(&d, line, t_ns):
            return 0
        if d.sequence_number > self.highest and not self._near(&d):
            return 0
        if self.transport == TRANSPORT_IEXTP and not self._follow_run(&d, line, t_ns):
            return 0
        if line != LINE_RE_REQUEST:
            self._follow_line(&d, line, t_ns)
        if self.end_known or d.kind != DATAGRAM_DATA:
            self._follow_end(&d)
        if d.kind == DATAGRAM_DATA:
            self._take(&d, line, t_ns)
        else:
            self._reveal(d.sequence_number, line, t_ns)
        if self.gap_table.count or self.end_known:
            self._advance(t_ns)
        return <int> (self.counts[FEED_MESSAGES] - before)

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """Time passed: send and repeat re-requests, give up gaps, notice silence."""
        cdef int line
        if self.gap_table.count:
            self._advance(t_ns)
        if self.ended:
            return
        if liveness_went_stale(&self.live, t_ns):
            self.counts[FEED_STALE] += 1
            self.sink.on_stale(True)
        for line in range(MULTICAST_LINES):
            if liveness_line_went_stale(&self.live, line, t_ns):
                self.counts[FEED_STALE_A + line] += 1

    cdef void flush(self, uint64_t t_ns) noexcept nogil:
        """The input is over: give up the open gaps and deliver all that waits."""
        while self.expected < self.highest:
            self._give_up_front(t_ns)

    cdef bint _admit(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil:
        """A datagram that is not of the present session: whether it is taken all the same."""
        cdef uint64_t place
        if not self.started:
            if line == LINE_RE_REQUEST or (self.pinned and (
                    d.session_low != self.session_low
                    or (self.big_endian and d.session_high != self.session_high))):
                self.counts[FEED_FOREIGN_SESSION] += 1
                return False
            self._lock(d)
            self._begin(d, line, t_ns)
            return True
        if not self.big_endian and d.session_high != self.session_high:
            self.counts[FEED_FOREIGN_CHANNEL] += 1
            return False
        if (self.pinned or line == LINE_RE_REQUEST or not (self.detect or self.ended)
                or d.kind == DATAGRAM_END_OF_SESSION or self._was_left(d)):
            self.counts[FEED_FOREIGN_SESSION] += 1
            return False
        place = self.sessions_left % SESSIONS_LEFT
        self.left_low[place] = self.session_low
        self.left_high[place] = self.session_high
        self.sessions_left += 1
        self.counts[FEED_RESTARTS_SESSION] += 1
        self._reset(RESTART_SESSION, t_ns)
        self.run_send_ns = INT64_MIN
        self._lock(d)
        self._begin(d, line, t_ns)
        return True

    cdef bint _was_left(self, const Datagram *d) noexcept nogil:
        """Whether the datagram is of a session that another one followed."""
        cdef uint64_t i
        for i in range(min(self.sessions_left, <uint64_t> SESSIONS_LEFT)):
            if d.session_low == self.left_low[i] and d.session_high == self.left_high[i]:
                return True
        return False

    cdef void _lock(self, const Datagram *d) noexcept nogil:
        """From now on the datagram's session is the one."""
        self.started = True
        self.session_low = d.session_low
        self.session_high = d.session_high
        self.recovery.session_low = d.session_low
        self.recovery.session_high = d.session_high

    cdef void _begin(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil:
        """Where the session is entered."""
        self.expected = self.start_sequence if self.start_sequence else d.sequence_number
        self.highest = self.expected
        self.first_sequence = self.expected
        self._reveal(d.sequence_number, line, t_ns)

    cdef void _reset(self, int reason, uint64_t t_ns) noexcept nogil:
        """The sequence begins anew: finish the old one, tell the sink."""
        self.flush(t_ns)
        self.end_known = False
        self.ended = False
        self.far_count = 0
        memset(self.line_next, 0, sizeof(self.line_next))
        self.arrivals.clear()
        self.sink.on_restart(reason)

    cdef bint _near(self, const Datagram *d) noexcept nogil:
        """Whether a sequence number ahead is believed: near, or confirmed by what follows it."""
        if d.sequence_number - self.highest <= self.maximum_gap:
            return True
        self.far_count = self.far_count + 1 if d.sequence_number == self.far_next else 1
        self.far_next = d.next
        if self.far_count >= self.far_packets:
            self.far_count = 0
            return True
        self.counts[FEED_SEQUENCE_OUT_OF_RANGE] += 1
        return False

    cdef bint _follow_run(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil:
        """Send time and stream offset of an IEX-TP segment; False when it is to be dropped."""
        if d.send_time_ns < self.run_send_ns:
            self.counts[FEED_PREVIOUS_RUN] += 1
            return False
        if line == LINE_RE_REQUEST:
            return True
        if (self.detect and d.sequence_number == 1 and d.stream_offset == 0
                and self.line_next[line] > 1 and d.send_time_ns > self.newest_send_ns):
            self.counts[FEED_RESTARTS_PUBLISHER] += 1
            self._reset(RESTART_PUBLISHER, t_ns)
            self.run_send_ns = d.send_time_ns
            self.expected = self.highest = self.first_sequence = 1
        if d.sequence_number == self.line_next[line] and d.stream_offset != self.line_offset[line]:
            self.counts[FEED_STREAM_OFFSET_MISMATCH] += 1
        if d.next >= self.line_next[line]:
            self.line_offset[line] = d.stream_offset + d.length
        if d.send_time_ns > self.newest_send_ns:
            self.newest_send_ns = d.send_time_ns
        return True

    cdef void _follow_line(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil:
        """A line is alive; what it left out by itself."""
        if liveness_heard(&self.live, line, t_ns):
            self.sink.on_stale(False)
        if d.sequence_number > self.line_next[line] and self.line_next[line]:
            self.counts[FEED_JUMPS_A + line] += 1
            self.counts[FEED_MISSING_A + line] += d.sequence_number - self.line_next[line]
        if d.next > self.line_next[line]:
            self.line_next[line] = d.next

    cdef void _follow_end(self, const Datagram *d) noexcept nogil:
        """Heartbeats and ends of session, and whatever comes after an end."""
        if d.kind != DATAGRAM_END_OF_SESSION:
            if d.kind != DATAGRAM_DATA:
                self.counts[FEED_HEARTBEATS] += 1
            if self.end_known and d.next > self.end_sequence:
                self.counts[FEED_DATA_AFTER_END] += 1
                self.end_known = False
                self.ended = False
            return
        self.counts[FEED_ENDS_OF_SESSION] += 1
        if d.sequence_number < self.expected:
            self.counts[FEED_END_BELOW_EXPECTED] += 1
        elif not self.end_known or d.sequence_number > self.end_sequence:
            self.end_known = True
            self.ended = False
            self.end_sequence = d.sequence_number

    cdef void _take(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil:
        """The messages of a datagram: deliver, drop or keep."""
        if d.sequence_number > self.expected:
            self._wait(d, line, t_ns)
            return
        if d.next <= self.expected:
            self._duplicates(d.sequence_number, d.next, line, t_ns)
            return
        if d.sequence_number < self.expected:
            self._duplicates(d.sequence_number, self.expected, line, t_ns)
        if self.gap_table.count:
            self.gap_table.fill(d.sequence_number, d.next, line, t_ns)
        self._deliver(d.blocks, self.ends, d.count, d.sequence_number, line, t_ns)
        if self.stash.count:
            self._drain(t_ns)

    cdef void _wait(self, const Datagram *d, int line, uint64_t t_ns) noexcept nogil:
        """Messages ahead of the next one: keep them until those before have come."""
        cdef const Waiting *other
        cdef int answer = self.stash.insert(d.sequence_number, d.count, d.blocks, d.length, line,
                                            t_ns)
        if answer == STASH_DUPLICATE:
            other = self.stash.covering(d.sequence_number, d.next)
            self.counts[FEED_DUPLICATES_A + line] += d.count
            self.arrivals.lead(other.line, other.t_ns, line, t_ns, d.count)
            return
        if answer == STASH_FULL and not self.recovery.can_request:
            # nobody can bring back what would be dropped now, so the front gap is the smaller loss
            self.counts[FEED_STASH_FULL] += 1
            self._give_up_front(t_ns)
            self._take(d, line, t_ns)
            return
        self._reveal(d.sequence_number, line, t_ns)
        if answer == STASH_TAKEN:
            self.counts[FEED_STASHED] += 1
            self.gap_table.fill(d.sequence_number, d.next, line, t_ns)
            if d.next > self.highest:
                self.highest = d.next
        else:
            self.counts[FEED_STASH_FULL if answer == STASH_FULL else FEED_STASH_TOO_LONG] += 1

    cdef void _reveal(self, uint64_t sequence_number, int line, uint64_t t_ns) noexcept nogil:
        """All messages before this number have been sent: those not known of are a gap."""
        if sequence_number > self.highest:
            self.gap_table.open(self.highest, sequence_number, line, t_ns)
            self.highest = sequence_number

    cdef void _deliver(self, const uint8_t *blocks, const uint32_t *ends, uint32_t count,
                       uint64_t first, int line, uint64_t t_ns) noexcept nogil:
        """Give the sink those messages of checked and indexed blocks that it has not had."""
        cdef uint64_t fresh = self.expected, next_ = first + count
        cdef uint32_t i, skip = <uint32_t> (fresh - first)
        cdef uint32_t at = ends[skip - 1] if skip else 0
        cdef Trace *trace = self.trace
        for i in range(skip, count):
            if trace != NULL:
                trace.line = <uint16_t> line
                trace.sequence_number = first + i
                trace.message_index = <uint16_t> i
            at += BLOCK_PREFIX
            self.sink.on_message(blocks + at, ends[i] - at, first + i)
            at = ends[i]
        self.expected = next_
        if next_ > self.highest:
            self.highest = next_
        self.counts[FEED_MESSAGES] += next_ - fresh
        self.counts[FEED_MESSAGES_A + line] += next_ - fresh
        self.arrivals.remember(fresh, next_, line, t_ns)

    cdef void _duplicates(self, uint64_t first, uint64_t end, int line,
                          uint64_t t_ns) noexcept nogil:
        """Messages first to end - 1 are not wanted: count them, take the lead time."""
        cdef uint64_t start = min(end, self.first_sequence)
        if first < start:
            self.counts[FEED_BEFORE_START] += start - first
            first = start
        self.counts[FEED_DUPLICATES_A + line] += end - first
        self.arrivals.copies(first, end, line, t_ns)

    cdef void _drain(self, uint64_t t_ns) noexcept nogil:
        """Deliver what waited and now is next."""
        cdef Waiting *place
        while self.stash.count:
            place = self.stash.front()
            if place.first > self.expected:
                return
            if place.first < self.expected:
                self._duplicates(place.first, min(place.next, self.expected), place.line,
                                 place.t_ns)
            if place.next > self.expected:
                index_blocks(self.sink, place.blocks, place.count, self.big_endian,
                             self.waiting_ends)
                self._deliver(place.blocks, self.waiting_ends, place.count, place.first,
                              place.line, place.t_ns)
                self.gap_table.fill(place.first, place.next, place.line, t_ns)
            self.stash.pop()

    cdef void _advance(self, uint64_t t_ns) noexcept nogil:
        """Ask for what is missing, give up what is hopeless, end the session when it is whole."""
        if self.gap_table.count:
            self.recovery.pump(self.stash.full(), t_ns)
        while self.gap_table.count and self.recovery.hopeless(&self.gap_table.gaps[0], t_ns):
            self._give_up_front(t_ns)
        self._check_end()

    cdef void _check_end(self) noexcept nogil:
        """The session is over when every message before its end was delivered or given up."""
        if self.end_known and not self.ended and self.expected >= self.end_sequence:
            self.ended = True
            self.sink.on_end_of_session()

    cdef void _give_up_front(self, uint64_t t_ns) noexcept nogil:
        """Skip the messages that are missing in front, and go on behind them."""
        cdef uint64_t end = self.highest
        if self.stash.count and self.stash.front().first < end:
            end = self.stash.front().first
        self.counts[FEED_MESSAGES_LOST] += end - self.expected
        self.sink.on_lost(self.expected, end - 1)
        self.expected = end
        self.gap_table.give_up(end, t_ns)
        self._drain(t_ns)
        self._check_end()

    def datagram(self, int line, bytes payload not None, uint64_t t_ns):
        """One UDP payload on line 0 (A), 1 (B) or 2 (re-request); the messages delivered."""
        return self.on_datagram(line, <const uint8_t *> payload, <uint32_t> len(payload), t_ns)

    def timer(self, uint64_t t_ns):
        """Time passed, to ``t_ns``."""
        self.on_timer(t_ns)

    def finish(self, uint64_t t_ns):
        """The input is over: give up the open gaps and deliver all that waits."""
        self.flush(t_ns)

    def counters(self):
        """Name to number of :data:`~host.feed.enumerations.FEED`."""
        self.counts[FEED_DUPLICATES_SAME_LINE] = self.arrivals.same_line
        self.counts[FEED_DUPLICATES_UNKNOWN] = self.arrivals.unknown
        return FEED.as_dict(self.counts)

    def gaps(self):
        """How many gaps were ``opened``, are ``open`` and how each was closed, messages ``lost``.

        ``list`` has the last closed ones and the open ones, see ``GapTable.report``.
        """
        counters = self.counters()
        report = {"opened": counters["gaps"], "open": self.gap_table.count}
        report |= {how: counters[f"gaps_{how}"] for how in GAP_CLOSED.names}
        return report | {"lost": counters["messages_lost"], "list": self.gap_table.report()}

    def lead_times(self):
        """``a`` and ``b``: how much earlier that line brought messages than the other, in ns.

        Each is a summary of :class:`~host.metrics.histogram.Histogram` over messages.
        """
        return {"a": self.arrivals.lead_a.summary(), "b": self.arrivals.lead_b.summary()}

    @property
    def next_sequence_number(self):
        """The sequence number that is delivered next; 0 before the first datagram."""
        return self.expected

    @property
    def restarts(self):
        """Times the sequence began anew: publisher restarts and sessions that followed another."""
        return self.counts[FEED_RESTARTS_PUBLISHER] + self.counts[FEED_RESTARTS_SESSION]

    @property
    def session(self):
        """The session as on the wire; ``b""`` while none is known."""
        if not self.started and not self.pinned:
            return b""
        if not self.big_endian:
            return int(self.session_low).to_bytes(4, "little")
        return (int(self.session_low).to_bytes(8, "little")
                + int(self.session_high).to_bytes(2, "little"))

    @property
    def state(self):
        """``waiting``, ``live``, ``recovering`` (a gap is open), ``stale`` or ``ended``."""
        if self.ended:
            return "ended"
        if self.live.stale:
            return "stale"
        if not self.started:
            return "waiting"
        return "recovering" if self.gap_table.count else "live"
