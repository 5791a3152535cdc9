# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The SoupBinTCP server: connections, logins, resume; OUCH messages go on to the order desk.

A session outlives its connections: its sequenced messages are kept, and a login is given those
from the number it asks for. Nothing here does input or output: bytes come in with the identity of
their connection, and ``take_output`` gives what is to be written and what is to be closed.

Choices: a login to a session that is connected takes it over, for a client that crashed could not
come back before the silence timeout otherwise; a number beyond the next one is rejected as
session not available. Source: Nasdaq SoupBinTCP 3.00.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from nic.wire.check cimport CHECK_LENGTH, CHECK_OK
from nic.wire.soupbintcp_codec cimport *
from sim.exchange.ids cimport *
from sim.exchange.order_entry cimport OrderDesk
from sim.exchange.sequenced cimport SequencedStore

from sim.exchange.enumerations import ACCEPTOR

cdef uint64_t SECOND_NS = 1_000_000_000


cdef bytes _bare_packet(uint8_t packet_type):
    """A packet that is nothing but its type."""
    cdef uint8_t packet[SOUPBINTCP_SERVER_HEARTBEAT_LENGTH]
    soupbintcp_server_heartbeat_put_packet_length(
        packet, SOUPBINTCP_SERVER_HEARTBEAT_LENGTH - SOUPBINTCP_SERVER_HEARTBEAT_PACKET_TYPE_OFFSET)
    soupbintcp_server_heartbeat_put_packet_type(packet, packet_type)
    return (<char *> packet)[:SOUPBINTCP_SERVER_HEARTBEAT_LENGTH]


cdef bytes _login_accepted(str session, uint64_t sequence_number):
    cdef SoupbintcpLoginAccepted values
    cdef uint8_t packet[SOUPBINTCP_LOGIN_ACCEPTED_LENGTH]
    cdef bytes name = session.encode("ascii").rjust(sizeof(values.session))
    cdef bytes number = str(sequence_number).encode("ascii").rjust(sizeof(values.sequence_number))
    values.packet_length = (SOUPBINTCP_LOGIN_ACCEPTED_LENGTH
                            - SOUPBINTCP_LOGIN_ACCEPTED_PACKET_TYPE_OFFSET)
    memcpy(values.session, <const char *> name, sizeof(values.session))
    memcpy(values.sequence_number, <const char *> number, sizeof(values.sequence_number))
    soupbintcp_login_accepted_encode(&values, packet)
    return (<char *> packet)[:SOUPBINTCP_LOGIN_ACCEPTED_LENGTH]


cdef bytes _login_rejected(uint8_t reason):
    cdef SoupbintcpLoginRejected values
    cdef uint8_t packet[SOUPBINTCP_LOGIN_REJECTED_LENGTH]
    values.packet_length = (SOUPBINTCP_LOGIN_REJECTED_LENGTH
                            - SOUPBINTCP_LOGIN_REJECTED_PACKET_TYPE_OFFSET)
    values.reason = reason
    soupbintcp_login_rejected_encode(&values, packet)
    return (<char *> packet)[:SOUPBINTCP_LOGIN_REJECTED_LENGTH]


cdef str _text(const uint8_t *field, size_t size):
    return (<char *> field)[:size].decode("latin-1").strip()


cdef class OrderEntrySession:
    """One order-entry port of the day: who may log in, and what was said to it so far."""

    def __cinit__(self, str name not None, str username not None, str password not None,
                  SequencedStore store not None, uint32_t index):
        if not 1 <= len(name) <= 10 or len(username) > 6 or len(password) > 10:
            raise ValueError("session: 1 to 10 characters, username: 6 at most, password: 10")
        self.name = name
        self.username = username
        self.password = password
        self.store = store
        self.index = index

    @property
    def connected(self):
        """Whether a client is logged in."""
        return self.connection is not None


cdef class Connection:
    """One TCP connection of a client."""

    def __cinit__(self, identity, uint64_t t_ns):
        self.identity = identity
        self.received = bytearray()
        self.output = []
        self.received_ns = t_ns
        self.sent_ns = t_ns


cdef class Acceptor:
    """Order-entry sessions of one desk, and the connections to them.

    ``heartbeat_ns`` is the server's silence before a heartbeat, ``silence_ns`` the client's before
    it is dropped, ``login_timeout_ns`` the time a connection has to log in.
    """

    def __cinit__(self, OrderDesk desk not None, bint cancel_on_disconnect=False,
                  uint64_t heartbeat_ns=1_000_000_000, uint64_t silence_ns=15_000_000_000,
                  uint64_t login_timeout_ns=30_000_000_000):
        self.desk = desk
        self.cancel_on_disconnect = cancel_on_disconnect
        self.heartbeat_ns = heartbeat_ns
        self.silence_ns = silence_ns
        self.login_timeout_ns = login_timeout_ns
        self.sessions = []
        self.connections = {}
        self.closed = []

    def add_session(self, str name not None, str username not None, str password not None,
                    str firm not None):
        """A session that clients may log in to; raises ValueError where names are too long."""
        cdef SequencedStore store = SequencedStore()
        if any(name.upper() == (<OrderEntrySession> s).name.upper() for s in self.sessions):
            raise ValueError(f"two order-entry sessions are named {name!r}")
        session = OrderEntrySession(name, username, password, store,
                                    self.desk.add_session(firm, store))
        self.sessions.append(session)
        return session

    def connect(self, identity, uint64_t t_ns):
        """A client connected; ``identity`` names the connection from now on."""
        self.counts[ACCEPTOR_CONNECTIONS] += 1
        self.connections[identity] = Connection(identity, t_ns)

    def receive(self, identity, const uint8_t[::1] data not None, uint64_t t_ns):
        """Bytes of a connection, cut anywhere. Bytes of a connection that is closed are dropped."""
        cdef Connection connection = self.connections.get(identity)
        cdef const uint8_t[::1] view
        cdef uint64_t at = 0, size
        cdef uint32_t length
        if connection is None:
            return
        connection.received_ns = t_ns
        connection.received += data
        view = bytes(connection.received)
        size = view.shape[0]
        while size - at >= SOUPBINTCP_DEBUG_PACKET_TYPE_OFFSET:
            length = soupbintcp_debug_packet_length(&view[at])
            if length == 0:
                self.counts[ACCEPTOR_BAD_FRAMING] += 1
                self._close(connection, t_ns)
                return
            length += SOUPBINTCP_DEBUG_PACKET_TYPE_OFFSET
            if size - at < length:
                break
            self._on_packet(connection, &view[at], length, t_ns)
            at += length
            if identity not in self.connections:
                return
        del connection.received[:at]

    def disconnect(self, identity, uint64_t t_ns):
        """The client closed a connection, or it broke."""
        cdef Connection connection = self.connections.get(identity)
        if connection is not None:
            self.counts[ACCEPTOR_DISCONNECTS] += 1
            self._close(connection, t_ns)
            self.closed.remove(connection)

    def timer(self, uint64_t t_ns):
        """Heartbeats, and connections that are silent or do not log in."""
        cdef Connection connection
        for connection in list(self.connections.values()):
            if connection.session is None:
                if t_ns - connection.received_ns >= self.login_timeout_ns:
                    self.counts[ACCEPTOR_LOGIN_TIMEOUTS] += 1
                    self._close(connection, t_ns)
                continue
            self._pump(connection, t_ns)
            if t_ns - connection.received_ns >= self.silence_ns:
                self.counts[ACCEPTOR_SILENT] += 1
                self._close(connection, t_ns)
            elif t_ns - connection.sent_ns >= self.heartbeat_ns:
                self.counts[ACCEPTOR_HEARTBEATS_SENT] += 1
                self._write(connection, _bare_packet(SOUPBINTCP_SERVER_HEARTBEAT), t_ns)

    def end_of_session(self, uint64_t t_ns):
        """The day is over: tell everyone, close everything; no login is possible any more."""
        cdef Connection connection
        self.ended = True
        for connection in list(self.connections.values()):
            if connection.session is not None:
                self._pump(connection, t_ns)
                self._write(connection, _bare_packet(SOUPBINTCP_END_OF_SESSION), t_ns)
            self._close(connection, t_ns)

    def take_output(self, uint64_t t_ns):
        """What to write and close since the last call: a list of (identity, bytes, close)."""
        cdef Connection connection
        found = []
        for connection in self.connections.values():
            self._pump(connection, t_ns)
            if connection.output:
                found.append((connection.identity, b"".join(connection.output), False))
                connection.output.clear()
        for connection in self.closed:
            found.append((connection.identity, b"".join(connection.output), True))
        self.closed.clear()
        return found

    cdef void _on_packet(self, Connection connection, const uint8_t *packet, uint32_t length,
                         uint64_t t_ns):
        cdef int check = soupbintcp_to_server_check(packet, length)
        cdef uint8_t kind = packet[SOUPBINTCP_DEBUG_PACKET_TYPE_OFFSET]
        if connection.session is None and kind != SOUPBINTCP_DEBUG and (
                kind != SOUPBINTCP_LOGIN_REQUEST or check != CHECK_OK):
            self.counts[ACCEPTOR_BAD_LOGIN] += 1
            self._close(connection, t_ns)
        elif check != CHECK_OK:
            self.counts[ACCEPTOR_BAD_LENGTH if check == CHECK_LENGTH
                        else ACCEPTOR_UNKNOWN_TYPE] += 1
        elif kind == SOUPBINTCP_UNSEQUENCED_DATA:
            self.counts[ACCEPTOR_UNSEQUENCED] += 1
            self.desk.on_message(
                connection.session.index, packet + SOUPBINTCP_UNSEQUENCED_DATA_LENGTH,
                length - SOUPBINTCP_UNSEQUENCED_DATA_LENGTH, t_ns)
        elif kind == SOUPBINTCP_CLIENT_HEARTBEAT:
            self.counts[ACCEPTOR_HEARTBEATS_RECEIVED] += 1
        elif kind == SOUPBINTCP_DEBUG:
            self.counts[ACCEPTOR_DEBUG] += 1
        elif kind == SOUPBINTCP_LOGOUT_REQUEST:
            self.counts[ACCEPTOR_LOGOUTS] += 1
            self._close(connection, t_ns)
        elif connection.session is None:
            self._log_in(connection, packet, t_ns)
        else:
            self.counts[ACCEPTOR_UNKNOWN_TYPE] += 1

    cdef void _log_in(self, Connection connection, const uint8_t *packet, uint64_t t_ns):
        cdef SoupbintcpLoginRequest request
        cdef OrderEntrySession session, candidate
        cdef uint64_t next_number
        soupbintcp_login_request_decode(packet, &request)
        username = _text(request.username, sizeof(request.username)).upper()
        password = _text(request.password, sizeof(request.password)).upper()
        wanted = _text(request.requested_session, sizeof(request.requested_session)).upper()
        number = _text(request.requested_sequence_number,
                       sizeof(request.requested_sequence_number))
        known = [s for s in self.sessions
                 if (<OrderEntrySession> s).username.upper() == username
                 and (<OrderEntrySession> s).password.upper() == password]
        if not known:
            self.counts[ACCEPTOR_REJECTED_CREDENTIALS] += 1
            self._reject_login(connection, b"A", t_ns)
            return
        session = None
        for candidate in known:
            if not self.ended and (not wanted or candidate.name.upper() == wanted):
                session = candidate
                break
        if session is None or not (number.isascii() and number.isdigit()) or (
                int(number) > session.store.bytes_.count + 1):
            self.counts[ACCEPTOR_REJECTED_SESSION] += 1
            self._reject_login(connection, b"S", t_ns)
            return
        if session.connection is not None:
            self.counts[ACCEPTOR_TAKEOVERS] += 1
            self._close(session.connection, t_ns)
        # 0 asks for the most recent message and what follows
        next_number = int(number) or max(session.store.bytes_.count, 1)
        self.counts[ACCEPTOR_LOGINS] += 1
        self.counts[ACCEPTOR_REPLAYED] += session.store.bytes_.count + 1 - next_number
        session.connection = connection
        connection.session = session
        connection.sent = next_number - 1
        self._write(connection, _login_accepted(session.name, next_number), t_ns)

    cdef void _reject_login(self, Connection connection, uint8_t reason, uint64_t t_ns):
        self._write(connection, _login_rejected(reason), t_ns)
        self._close(connection, t_ns)

    cdef void _write(self, Connection connection, bytes packet, uint64_t t_ns):
        connection.output.append(packet)
        connection.sent_ns = t_ns

    cdef void _pump(self, Connection connection, uint64_t t_ns):
        """Give a connection the sequenced messages that it has not got."""
        cdef uint64_t last
        if connection.session is None:
            return
        last = connection.session.store.bytes_.count
        if connection.sent < last:
            self.counts[ACCEPTOR_SEQUENCED] += last - connection.sent
            self._write(connection, connection.session.store.packets(connection.sent + 1, last),
                        t_ns)
            connection.sent = last

    cdef void _close(self, Connection connection, uint64_t t_ns):
        cdef OrderEntrySession session = connection.session
        self._pump(connection, t_ns)
        self.connections.pop(connection.identity, None)
        self.closed.append(connection)
        if session is not None:
            session.connection = None
            connection.session = None
            if self.cancel_on_disconnect:
                self.desk.cancel_session(session.index, CANCEL_REASON_SYSTEM, t_ns)

    def counters(self):
        """The counters, by name."""
        return ACCEPTOR.as_dict(self.counts)
