# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""SoupBinTCP 3.00 client session: a state machine over a byte stream, without a clock.

Time comes in with every call. Nothing here connects or closes by itself: when
:meth:`SoupBinTCPClient.needs_driver` says so, the driver calls :meth:`SoupBinTCPClient.drive`,
which is the one place where Python objects and sockets are made. Source: Nasdaq SoupBinTCP 3.00,
chapters 1 and 2.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memmove, memset
from host.gateway.ids cimport *
from nic.stream cimport STREAM_CLOSED, STREAM_CONNECTING, Stream
from nic.wire.byteorder cimport load_be16
from nic.wire.check cimport CHECK_LENGTH, CHECK_UNKNOWN_TYPE
from nic.wire.soupbintcp_codec cimport *

from host.gateway.enumerations import CLIENT, DOWN, GATEWAY
from nic.port import PortError

cdef enum:
    SESSION_BYTES = 10
    DIGITS = 20                  # of a sequence number in login packets
    LENGTH_BYTES = SOUPBINTCP_DEBUG_PACKET_TYPE_OFFSET   # of the packet length field
    READ_BYTES = 65536
    READS_PER_POLL = 16          # so that a flood of bytes does not keep the caller
    NEVER_NS = 0xFFFFFFFFFFFFFFFF


cdef inline bint is_over(uint64_t t_ns, uint64_t since_ns, uint64_t limit_ns) noexcept nogil:
    """Whether ``limit_ns`` have gone by; time that stands still or goes back is not over."""
    return <int64_t> (t_ns - since_ns) >= <int64_t> limit_ns


cdef inline bint read_digits(const uint8_t *text, uint64_t *value) noexcept nogil:
    """A number of 20 ASCII digits, padded with spaces on the left; False where it is none."""
    cdef uint64_t total = 0
    cdef int i = 0
    while i < DIGITS - 1 and text[i] == c' ':
        i += 1
    while i < DIGITS:
        if text[i] < c'0' or text[i] > c'9' or total > (NEVER_NS - 9) // 10:
            return False
        total = total * 10 + (text[i] - c'0')
        i += 1
    value[0] = total
    return True


cdef inline void write_digits(uint64_t value, uint8_t *text) noexcept nogil:
    """A number as 20 ASCII digits, padded with spaces on the left."""
    cdef int i = DIGITS - 1
    memset(text, c' ', DIGITS)
    while True:
        text[i] = <uint8_t> (c'0' + value % 10)
        value //= 10
        i -= 1
        if value == 0 or i < 0:
            return


cdef class PacketSink:
    """Takes what the session delivers; the plain class drops it."""

    cdef void on_login(self, uint64_t next_sequence_number, uint64_t t_ns) noexcept nogil:
        """Logged in; the next sequenced message to come has that number."""

    cdef void on_sequenced(self, const uint8_t *message, uint32_t length,
                           uint64_t sequence_number, uint64_t t_ns) noexcept nogil:
        """The next sequenced message, exactly once and in order."""

    cdef void on_unsent(self, const uint8_t *packet, uint32_t length, uint32_t sent_bytes,
                        uint64_t t_ns) noexcept nogil:
        """A packet of which only ``sent_bytes`` left before the connection ended."""

    cdef void on_down(self, int reason, uint64_t t_ns) noexcept nogil:
        """Not logged in any more, or the attempt failed; ``reason`` is DOWN_*."""


cdef class SoupBinTCPClient:
    """One session: login and resume, heartbeats, timeouts, reconnection, logout.

    ``connect()`` makes a new :class:`nic.stream.Stream`; it may raise ``OSError`` or
    ``PortError``, which counts as a failed attempt. ``session`` and ``next_sequence_number`` are
    what to ask for at the first login: blank and 1 join the current session from its first
    message. Times are in ns: a heartbeat is sent when nothing was sent for
    ``heartbeat_interval_ns``, a server silent for ``server_timeout_ns`` is dropped, attempts are
    ``first_backoff_ns`` apart and twice that each time up to ``maximum_backoff_ns``. Raises
    ``ValueError`` for a text that is too long or not ASCII and for limits that can't be.
    """

    def __init__(self, connect, username: str, password: str, *, session: str = "",
                 next_sequence_number: int = 1, heartbeat_interval_ns: int = 1_000_000_000,
                 server_timeout_ns: int = 15_000_000_000, connect_timeout_ns: int = 5_000_000_000,
                 login_timeout_ns: int = 10_000_000_000, logout_timeout_ns: int = 2_000_000_000,
                 first_backoff_ns: int = 100_000_000, maximum_backoff_ns: int = 10_000_000_000,
                 outbound_bytes: int = 65536, maximum_packet_bytes: int = 4096) -> None:
        if not 0 < first_backoff_ns <= maximum_backoff_ns:
            raise ValueError("first_backoff_ns must be more than 0 and at most maximum_backoff_ns")
        if not SOUPBINTCP_LOGIN_ACCEPTED_LENGTH <= maximum_packet_bytes <= 65537:
            raise ValueError("maximum_packet_bytes must be 33 to 65537")
        if not 1024 <= outbound_bytes <= 1 << 30:
            raise ValueError("outbound_bytes must be 1024 to 2**30")
        for name, text, width in (("username", username, sizeof(self.username)),
                                  ("password", password, sizeof(self.password)),
                                  ("session", session, SESSION_BYTES)):
            if not text.isascii() or len(text) > width:
                raise ValueError(f"{name} must be ASCII text of at most {width} characters")
        padded = username.ljust(sizeof(self.username)).encode()
        memcpy(self.username, <const char *> padded, sizeof(self.username))
        padded = password.ljust(sizeof(self.password)).encode()
        memcpy(self.password, <const char *> padded, sizeof(self.password))
        padded = session.rjust(SESSION_BYTES).encode()
        memcpy(self.session, <const char *> padded, SESSION_BYTES)
        self.has_session = bool(session.strip())
        self.factory = connect
        self.next_sequence_number = next_sequence_number
        self.incoming_sequence_number = next_sequence_number
        self.heartbeat_interval_ns = heartbeat_interval_ns
        self.server_timeout_ns = server_timeout_ns
        self.connect_timeout_ns = connect_timeout_ns
        self.login_timeout_ns = login_timeout_ns
        self.logout_timeout_ns = logout_timeout_ns
        self.first_backoff_ns = first_backoff_ns
        self.maximum_backoff_ns = maximum_backoff_ns
        self.backoff_ns = first_backoff_ns
        self.maximum_packet_bytes = maximum_packet_bytes
        self.inbound_capacity = READ_BYTES + self.maximum_packet_bytes
        self.outbound_capacity = outbound_bytes
        self.inbound = <uint8_t *> malloc(self.inbound_capacity)
        self.outbound = <uint8_t *> malloc(self.outbound_capacity)
        if self.inbound == NULL or self.outbound == NULL:
            raise MemoryError("no memory for the buffers of a session")
        self.sink = PacketSink()
        self.stream = Stream()
        self.state = CLIENT_IDLE

    def __dealloc__(self):
        free(self.inbound)
        free(self.outbound)

    cdef void poll(self, uint64_t t_ns) noexcept nogil:
        """Take what the stream has, and send what it had no room for."""
        cdef int got, state
        cdef uint64_t connection = self.connection_number
        if self.state == CLIENT_CONNECTING:
            state = self.stream.state()
            if state == STREAM_CONNECTING:
                return
            if state == STREAM_CLOSED:
                self.counts[GATEWAY_CONNECT_FAILURES] += 1
                self.drop(DOWN_CONNECT_FAILED, t_ns)
                return
            self.send_login(t_ns)
        elif (self.state != CLIENT_LOGIN_SENT and self.state != CLIENT_LOGGED_IN
              and self.state != CLIENT_LOGGING_OUT):
            return
        if self.outbound_count > 0:
            self.flush(t_ns)
        for _ in range(READS_PER_POLL):
            got = self.stream.receive(self.inbound + self.inbound_count,
                                      self.inbound_capacity - self.inbound_count)
            if got == STREAM_CLOSED:
                self.drop(DOWN_CLOSED_BY_PEER, t_ns)
                return
            if got <= 0:
                break
            self.counts[GATEWAY_BYTES_RECEIVED] += <uint64_t> got
            self.last_received_ns = t_ns
            self.inbound_count += <uint32_t> got
            self.take_packets(t_ns)
            if self.connection_number != connection:
                return
            if <uint32_t> got < READ_BYTES:
                break
        if self.broken:
            self.drop(DOWN_CLOSED_BY_PEER, t_ns)

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """Heartbeats and timeouts; to be called several times a second."""
        if self.broken:
            self.drop(DOWN_CLOSED_BY_PEER, t_ns)
        elif self.state == CLIENT_CONNECTING:
            if is_over(t_ns, self.state_since_ns, self.connect_timeout_ns):
                self.counts[GATEWAY_CONNECT_TIMEOUTS] += 1
                self.drop(DOWN_CONNECT_TIMEOUT, t_ns)
        elif self.state == CLIENT_LOGIN_SENT:
            if is_over(t_ns, self.state_since_ns, self.login_timeout_ns):
                self.counts[GATEWAY_LOGIN_TIMEOUTS] += 1
                self.drop(DOWN_LOGIN_TIMEOUT, t_ns)
        elif self.state == CLIENT_LOGGED_IN:
            if is_over(t_ns, self.last_received_ns, self.server_timeout_ns):
                self.counts[GATEWAY_SERVER_TIMEOUTS] += 1
                self.drop(DOWN_SERVER_SILENT, t_ns)
                return
            if self.outbound_count > 0:
                self.flush(t_ns)
            if (self.outbound_count == 0
                    and is_over(t_ns, self.last_sent_ns, self.heartbeat_interval_ns)):
                self.counts[GATEWAY_CLIENT_HEARTBEATS] += 1
                self.send_control(SOUPBINTCP_CLIENT_HEARTBEAT, t_ns)
        elif self.state == CLIENT_LOGGING_OUT:
            if is_over(t_ns, self.state_since_ns, self.logout_timeout_ns):
                self.drop(DOWN_LOGGED_OUT, t_ns)

    cdef void enter(self, int state, uint64_t t_ns) noexcept nogil:
        self.state = state
        self.state_since_ns = t_ns

    cdef void drop(self, int reason, uint64_t t_ns) noexcept nogil:
        """End the connection: the driver closes the stream, and connects anew where that helps."""
        cdef int state = CLIENT_IDLE
        if reason == DOWN_END_OF_SESSION:
            state = CLIENT_ENDED
        elif reason == DOWN_NOT_AUTHORIZED:
            state = CLIENT_REFUSED
        elif self.state == CLIENT_LOGGING_OUT or reason == DOWN_STOPPED:
            state = CLIENT_STOPPED
            if reason == DOWN_CLOSED_BY_PEER:
                reason = DOWN_LOGGED_OUT
        self.counts[GATEWAY_DISCONNECTS] += 1
        self.report_unsent(t_ns)
        self.connection_number += 1
        self.inbound_count = 0
        self.outbound_count = 0
        self.outbound_sent = 0
        self.broken = False
        self.stream_dropped = True
        self.down_reason = reason
        self.connect_at_ns = t_ns + self.backoff_ns
        self.backoff_ns = min(2 * self.backoff_ns, self.maximum_backoff_ns)
        self.enter(state, t_ns)
        self.sink.on_down(reason, t_ns)

    cdef void logout(self, uint64_t t_ns) noexcept nogil:
        """Log out; what the server still sends is taken until it closes."""
        if self.state == CLIENT_LOGGED_IN:
            self.enter(CLIENT_LOGGING_OUT, t_ns)
            self.send_control(SOUPBINTCP_LOGOUT_REQUEST, t_ns)
        elif self.state == CLIENT_CONNECTING or self.state == CLIENT_LOGIN_SENT:
            self.drop(DOWN_STOPPED, t_ns)
        elif self.state == CLIENT_IDLE:
            self.down_reason = DOWN_STOPPED
            self.enter(CLIENT_STOPPED, t_ns)

    cdef void send_login(self, uint64_t t_ns) noexcept nogil:
        """Ask for the session we know at its next message, or for the current one."""
        cdef uint8_t packet[SOUPBINTCP_LOGIN_REQUEST_LENGTH]
        cdef uint8_t digits[DIGITS]
        cdef uint8_t blank[SESSION_BYTES]
        memset(blank, c' ', SESSION_BYTES)
        # blank after a rejection may mean another session, whose first message we want as well
        write_digits(1 if self.ask_current_session else self.next_sequence_number, digits)
        soupbintcp_login_request_put_packet_length(packet, SOUPBINTCP_LOGIN_REQUEST_LENGTH
                                                   - LENGTH_BYTES)
        soupbintcp_login_request_put_packet_type(packet, SOUPBINTCP_LOGIN_REQUEST)
        soupbintcp_login_request_put_username(packet, self.username)
        soupbintcp_login_request_put_password(packet, self.password)
        if self.has_session and not self.ask_current_session:
            soupbintcp_login_request_put_requested_session(packet, self.session)
        else:
            soupbintcp_login_request_put_requested_session(packet, blank)
        soupbintcp_login_request_put_requested_sequence_number(packet, digits)
        self.last_received_ns = t_ns
        self.enter(CLIENT_LOGIN_SENT, t_ns)
        self.transmit(packet, SOUPBINTCP_LOGIN_REQUEST_LENGTH, t_ns)

    cdef void send_control(self, uint8_t packet_type, uint64_t t_ns) noexcept nogil:
        """Send a packet that is nothing but its type."""
        cdef uint8_t packet[SOUPBINTCP_CLIENT_HEARTBEAT_LENGTH]
        soupbintcp_client_heartbeat_put_packet_length(
            packet, SOUPBINTCP_CLIENT_HEARTBEAT_LENGTH - LENGTH_BYTES)
        soupbintcp_client_heartbeat_put_packet_type(packet, packet_type)
        self.transmit(packet, SOUPBINTCP_CLIENT_HEARTBEAT_LENGTH, t_ns)

    cdef bint has_room(self, uint32_t length) noexcept nogil:
        """Whether a packet of ``length`` bytes would be taken now."""
        if self.broken:
            return False
        if self.outbound_count == 0:
            return length <= self.outbound_capacity
        if self.outbound_count + length > self.outbound_capacity:
            self.compact()
        return self.outbound_count + length <= self.outbound_capacity

    cdef int transmit(self, const uint8_t *packet, uint32_t length, uint64_t t_ns) noexcept nogil:
        """Send a whole packet, or keep what the stream has no room for; negative: nothing left."""
        cdef int taken
        if not self.has_room(length):
            return -1
        if self.outbound_count > 0:
            memcpy(self.outbound + self.outbound_count, packet, length)
            self.outbound_count += length
            self.counts[GATEWAY_PACKETS_SENT] += 1
            self.flush(t_ns)
            return 0
        taken = self.stream.send(packet, length)
        if taken == STREAM_CLOSED:
            # the caller is in the middle of an order: tell the sink at the next poll
            self.broken = True
            return -1
        self.counts[GATEWAY_PACKETS_SENT] += 1
        if taken > 0:
            self.last_sent_ns = t_ns
        if taken < <int> length:
            self.counts[GATEWAY_PARTIAL_SENDS] += 1
            memcpy(self.outbound, packet, length)
            self.outbound_count = length
            self.outbound_sent = <uint32_t> max(taken, 0)
        return 0

    cdef void flush(self, uint64_t t_ns) noexcept nogil:
        """Send what is left in the outbound buffer, as far as the stream takes it."""
        cdef int taken
        if self.broken:
            return
        taken = self.stream.send(self.outbound + self.outbound_sent,
                                 self.outbound_count - self.outbound_sent)
        if taken == STREAM_CLOSED:
            self.broken = True
        elif taken > 0:
            self.last_sent_ns = t_ns
            self.outbound_sent += <uint32_t> taken
            if self.outbound_sent == self.outbound_count:
                self.outbound_count = 0
                self.outbound_sent = 0

    cdef void compact(self) noexcept nogil:
        """Take packets that have left whole out of the outbound buffer."""
        cdef uint32_t at = 0, size
        while True:
            size = LENGTH_BYTES + <uint32_t> load_be16(self.outbound + at)
            if at + size > self.outbound_sent:
                break
            at += size
        if at > 0:
            memmove(self.outbound, self.outbound + at, self.outbound_count - at)
            self.outbound_count -= at
            self.outbound_sent -= at

    cdef void report_unsent(self, uint64_t t_ns) noexcept nogil:
        """Tell the sink of every packet that did not leave whole."""
        cdef uint32_t at = 0, size, sent
        while at < self.outbound_count:
            size = LENGTH_BYTES + <uint32_t> load_be16(self.outbound + at)
            if at + size > self.outbound_sent:
                sent = self.outbound_sent - at if self.outbound_sent > at else 0
                self.counts[GATEWAY_UNSENT_PACKETS] += 1
                self.sink.on_unsent(self.outbound + at, size, sent, t_ns)
            at += size

    cdef void take_packets(self, uint64_t t_ns) noexcept nogil:
        """Take every whole packet out of the inbound buffer."""
        cdef uint32_t at = 0, size
        cdef uint64_t connection = self.connection_number
        while self.inbound_count - at >= LENGTH_BYTES:
            size = LENGTH_BYTES + <uint32_t> load_be16(self.inbound + at)
            if size == LENGTH_BYTES or size > self.maximum_packet_bytes:
                if size == LENGTH_BYTES:
                    self.counts[GATEWAY_BAD_PACKET_LENGTH] += 1
                else:
                    self.counts[GATEWAY_PACKET_TOO_LONG] += 1
                self.drop(DOWN_FRAMING_LOST, t_ns)
                return
            if self.inbound_count - at < size:
                break
            self.take_packet(self.inbound + at, size, t_ns)
            if self.connection_number != connection:
                return
            at += size
        if at > 0:
            self.inbound_count -= at
            memmove(self.inbound, self.inbound + at, self.inbound_count)

    cdef void take_packet(self, const uint8_t *packet, uint32_t length,
                          uint64_t t_ns) noexcept nogil:
        """One whole packet of the server."""
        cdef int check = soupbintcp_to_client_check(packet, length)
        cdef uint8_t packet_type = soupbintcp_debug_packet_type(packet)
        self.counts[GATEWAY_PACKETS_RECEIVED] += 1
        if check == CHECK_UNKNOWN_TYPE:
            self.counts[GATEWAY_UNKNOWN_PACKET_TYPE] += 1
        elif check == CHECK_LENGTH:
            self.counts[GATEWAY_BAD_PACKET_LENGTH] += 1
            self.drop(DOWN_FRAMING_LOST, t_ns)
        elif packet_type == SOUPBINTCP_DEBUG:
            self.counts[GATEWAY_DEBUG_PACKETS] += 1
        elif packet_type == SOUPBINTCP_SERVER_HEARTBEAT:
            self.counts[GATEWAY_SERVER_HEARTBEATS] += 1
        elif self.state == CLIENT_LOGIN_SENT:
            if packet_type == SOUPBINTCP_LOGIN_ACCEPTED:
                self.take_login_accepted(packet, t_ns)
            elif packet_type == SOUPBINTCP_LOGIN_REJECTED:
                self.take_login_rejected(packet, t_ns)
            elif packet_type == SOUPBINTCP_END_OF_SESSION:
                self.counts[GATEWAY_END_OF_SESSION] += 1
                self.drop(DOWN_END_OF_SESSION, t_ns)
            else:
                self.counts[GATEWAY_UNEXPECTED_PACKET] += 1
                self.drop(DOWN_PROTOCOL_VIOLATION, t_ns)
        elif packet_type == SOUPBINTCP_SEQUENCED_DATA:
            self.take_sequenced(packet, length, t_ns)
        elif packet_type == SOUPBINTCP_UNSEQUENCED_DATA:
            self.counts[GATEWAY_UNSEQUENCED_MESSAGES] += 1
        elif packet_type == SOUPBINTCP_END_OF_SESSION:
            self.counts[GATEWAY_END_OF_SESSION] += 1
            self.drop(DOWN_END_OF_SESSION, t_ns)
        else:
            self.counts[GATEWAY_UNEXPECTED_PACKET] += 1
            self.drop(DOWN_PROTOCOL_VIOLATION, t_ns)

    cdef void take_login_accepted(self, const uint8_t *packet, uint64_t t_ns) noexcept nogil:
        """Begin, resume or change the session."""
        cdef const uint8_t *session = soupbintcp_login_accepted_session(packet)
        cdef uint64_t number = 0
        if not read_digits(soupbintcp_login_accepted_sequence_number(packet), &number):
            self.counts[GATEWAY_BAD_LOGIN_NUMBER] += 1
            self.drop(DOWN_PROTOCOL_VIOLATION, t_ns)
            return
        if self.has_session and memcmp(session, self.session, SESSION_BYTES) != 0:
            self.counts[GATEWAY_SESSIONS_CHANGED] += 1
            # nothing of the new session was asked for by number, so nothing of it was missed
            self.next_sequence_number = number
        elif number > self.next_sequence_number:
            # 0 asks for the newest only; anything else that is skipped is lost to us
            if self.next_sequence_number > 0:
                self.counts[GATEWAY_SEQUENCE_GAPS] += 1
            self.next_sequence_number = number
        memcpy(self.session, session, SESSION_BYTES)
        self.has_session = True
        self.ask_current_session = False
        self.incoming_sequence_number = number
        self.backoff_ns = self.first_backoff_ns
        self.down_reason = DOWN_NONE
        self.counts[GATEWAY_LOGINS] += 1
        self.enter(CLIENT_LOGGED_IN, t_ns)
        self.sink.on_login(number, t_ns)

    cdef void take_login_rejected(self, const uint8_t *packet, uint64_t t_ns) noexcept nogil:
        """Give up where we are not known, else ask for the current session next time."""
        self.counts[GATEWAY_LOGIN_REJECTS] += 1
        if soupbintcp_login_rejected_reason(packet) == c'A':
            self.drop(DOWN_NOT_AUTHORIZED, t_ns)
        else:
            self.ask_current_session = self.has_session
            self.drop(DOWN_SESSION_NOT_AVAILABLE, t_ns)

    cdef void take_sequenced(self, const uint8_t *packet, uint32_t length,
                             uint64_t t_ns) noexcept nogil:
        """Count the message, and deliver it unless it was seen before."""
        cdef uint64_t number = self.incoming_sequence_number
        self.incoming_sequence_number += 1
        if number < self.next_sequence_number:
            self.counts[GATEWAY_DUPLICATE_MESSAGES] += 1
            return
        self.next_sequence_number = number + 1
        self.counts[GATEWAY_SEQUENCED_MESSAGES] += 1
        self.sink.on_sequenced(packet + SOUPBINTCP_SEQUENCED_DATA_LENGTH,
                               length - SOUPBINTCP_SEQUENCED_DATA_LENGTH, number, t_ns)

    cdef bint needs_driver(self, uint64_t t_ns) noexcept nogil:
        """Whether :meth:`drive` has something to do."""
        return self.stream_dropped or (
            self.state == CLIENT_IDLE and is_over(t_ns, self.connect_at_ns, 0))

    def drive(self, uint64_t t_ns) -> None:
        """Close a stream that was dropped; make a connection when it is time to."""
        if self.stream_dropped:
            self.stream_dropped = False
            self.stream.close()
            self.stream = Stream()
        if self.state != CLIENT_IDLE or not is_over(t_ns, self.connect_at_ns, 0):
            return
        self.counts[GATEWAY_CONNECTS] += 1
        self.enter(CLIENT_CONNECTING, t_ns)
        try:
            self.stream = self.factory()
        except (OSError, PortError):
            self.stream = Stream()
            self.counts[GATEWAY_CONNECT_FAILURES] += 1
            self.drop(DOWN_CONNECT_FAILED, t_ns)

    def step(self, uint64_t t_ns) -> None:
        """Everything at once, for callers that are not in a hurry: drive, poll, timer."""
        self.drive(t_ns)
        self.poll(t_ns)
        self.on_timer(t_ns)

    def request_logout(self, uint64_t t_ns) -> None:
        """Log out; :attr:`state_name` is ``stopped`` when it is done."""
        self.logout(t_ns)

    def restart(self, uint64_t t_ns) -> None:
        """Connect again after ``refused``, ``ended`` or ``stopped``, else ``RuntimeError``."""
        if self.state not in (CLIENT_REFUSED, CLIENT_ENDED, CLIENT_STOPPED):
            raise RuntimeError(f"a session that is {self.state_name} is not restarted")
        self.connect_at_ns = t_ns
        self.backoff_ns = self.first_backoff_ns
        self.ask_current_session = self.state == CLIENT_ENDED and self.has_session
        self.enter(CLIENT_IDLE, t_ns)

    @property
    def state_name(self) -> str:
        """Name of the state, of the table ``CLIENT``."""
        return CLIENT.name_of(self.state)

    @property
    def down_reason_name(self) -> str:
        """Why it went down the last time, of the table ``DOWN``."""
        return DOWN.name_of(self.down_reason)

    @property
    def session_name(self) -> str:
        """The session's name without padding; empty before the first login."""
        return (<const char *> self.session)[:SESSION_BYTES].decode("latin-1").strip()

    @property
    def connect_due_ns(self) -> int:
        """When the next connection is to be made, if the state is ``idle``."""
        return self.connect_at_ns

    def counters(self) -> dict[str, int]:
        """Counters by the names of ``GATEWAY``."""
        return GATEWAY.as_dict([self.counts[i] for i in range(GATEWAY_COUNT)])
