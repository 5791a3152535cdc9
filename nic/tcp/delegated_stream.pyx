# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A TCP connection whose segments leave by a raw port.

The kernel owns the connection: handshake, acknowledgements, retransmission, FIN. A send is first
accounted to it (:mod:`nic.tcp.kernel_side`), then the same bytes go out as a frame of our own;
never the other way round, because an acknowledgement of bytes that the kernel believes unsent makes
it drop that segment with its payload. What can't be delegated now is sent by the kernel, and
counted by its reason. ``docs/delegated-sends.md`` has the whole argument.
"""

import socket

from libc.errno cimport errno
from libc.string cimport memcpy, memset
from nic.port cimport LAYER_FRAME
from nic.stream cimport STREAM_WOULD_BLOCK
from nic.tcp.ids cimport *
from nic.tcp.kernel_side cimport monotonic_ns
from nic.tcp.segment cimport segment_build

from nic.port import PortError
from nic.tcp.enumerations import DELEGATED, DELEGATION
from nic.tcp.kernel_side import repair_refused

cdef extern from "<netinet/in.h>":
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        uint16_t sin_port
        in_addr sin_addr
    uint16_t ntohs(uint16_t value) noexcept nogil
    uint32_t ntohl(uint32_t value) noexcept nogil
    int IPPROTO_IP, IP_TTL, IP_TOS, IP_MTU_DISCOVER, IP_PMTUDISC_DONT

cdef extern from "<sys/socket.h>":
    ctypedef unsigned int socklen_t
    struct sockaddr:
        pass
    int getsockname(int fd, sockaddr *address, socklen_t *size) noexcept nogil
    int getpeername(int fd, sockaddr *address, socklen_t *size) noexcept nogil
    int getsockopt(int fd, int level, int name, void *value, socklen_t *size) noexcept nogil

cdef extern from "<poll.h>":
    struct pollfd:
        int fd
        short events
        short revents
    int POLLIN
    int poll(pollfd *descriptors, unsigned long count, int timeout) noexcept nogil

PREPARATIONS = {"none": PREPARE_NOTHING, "cached": PREPARE_CACHED, "armed": PREPARE_ARMED}
"""How much is done before a send: nothing; the connection's state is known; and the socket is in
repair mode already."""

cdef enum:
    SAFE_WINDOW_SEGMENTS = 2       # a window that keeps no peer waiting


cdef class DelegatedStream(TcpStream):
    """A connection to ``(host, port)`` that sends by ``raw``, a port whose packets are frames.

    ``interface`` is the one that the kernel's route must lead out of; without it, that of the raw
    port (its ``interface`` attribute). With ``vlan`` frames are tagged: then ``interface`` is the
    VLAN device and the raw port stands on the device below it. The raw port stays the caller's.

    ``preparation`` is ``cached`` (the connection's state is read between sends), ``armed`` (and
    the socket stays in repair mode; a process that dies then leaves no FIN behind) or ``none``
    (every send asks for everything). State that may have changed is not used beyond
    ``maximum_age_ns``. ``follow_interval_ns`` is how often route and neighbour are looked at, in
    idle receive calls. The rest is :class:`~nic.tcp_stream.TcpStream`'s.

    Raises :class:`~nic.port.PortError`. Needs CAP_NET_ADMIN.
    """

    def __cinit__(self, *args, **kwargs):
        """Nothing counted, nothing known."""
        memset(self.results, 0, sizeof(self.results))
        memset(self.counts, 0, sizeof(self.counts))
        memset(&self.path, 0, sizeof(self.path))
        memset(&self.numbers, 0, sizeof(self.numbers))

    def __init__(self, str host, int port, *, Port raw not None, interface=None, int vlan=0,
                 str preparation="cached", uint64_t maximum_age_ns=10_000_000,
                 uint64_t follow_interval_ns=1_000_000, source=None, bint quick_ack=True,
                 int busy_poll_us=0):
        self._prepare(raw, interface, vlan, preparation, maximum_age_ns, follow_interval_ns)
        try:
            TcpStream.__init__(self, host, port, source=source, quick_ack=quick_ack,
                               busy_poll_us=busy_poll_us)
        except BaseException:
            self.route.close()
            raise

    @classmethod
    def from_descriptor(cls, int descriptor, *, Port raw not None, interface=None, int vlan=0,
                        str preparation="cached", uint64_t maximum_age_ns=10_000_000,
                        uint64_t follow_interval_ns=1_000_000, bint quick_ack=True,
                        int busy_poll_us=0):
        """A stream on a connected socket, which it owns from now on."""
        cdef DelegatedStream stream = cls.__new__(cls)
        stream._prepare(raw, interface, vlan, preparation, maximum_age_ns, follow_interval_ns)
        try:
            stream._adopt(socket.socket(fileno=descriptor), quick_ack, busy_poll_us)
        except OSError as failure:
            stream.close()
            raise PortError(f"tcp: {failure}") from None
        stream.current = 0
        return stream

    def _prepare(self, Port raw, interface, int vlan, str preparation, uint64_t maximum_age_ns,
                 uint64_t follow_interval_ns):
        """Check what was asked for, open what is ours."""
        if raw.layer != LAYER_FRAME:
            raise PortError(f"delegated sends need a port that sends frames, not {raw.name}")
        if preparation not in PREPARATIONS:
            raise PortError(f"preparation must be none, cached or armed, not {preparation!r}")
        if not 0 <= vlan < 4095:
            raise PortError(f"{vlan} is no VLAN identifier")
        self.interface = interface or getattr(raw, "interface", "")
        if not self.interface:
            raise PortError(f"delegated sends by {raw.name}: name the interface")
        if reason := repair_refused():
            raise PortError(f"delegated sends: {reason}")
        self.raw = raw
        self.kernel = KernelSide()
        self.route = RouteFollower(self.interface)
        self.preparation = PREPARATIONS[preparation]
        self.maximum_age_ns = maximum_age_ns
        self.follow_interval_ns = follow_interval_ns
        self.path.vlan = <uint16_t> vlan

    cdef int begin(self) noexcept nogil:
        """The connection is there: its addresses and options; 0, or -1."""
        cdef sockaddr_in local
        cdef sockaddr_in remote
        cdef socklen_t size = sizeof(local)
        cdef int value = 0
        if getsockname(self.descriptor, <sockaddr *> &local, &size) != 0:
            return -1
        size = sizeof(remote)
        if getpeername(self.descriptor, <sockaddr *> &remote, &size) != 0:
            return -1
        self.path.source_address = ntohl(local.sin_addr.s_addr)
        self.path.destination_address = ntohl(remote.sin_addr.s_addr)
        self.path.source_port = ntohs(local.sin_port)
        self.path.destination_port = ntohs(remote.sin_port)
        size = sizeof(value)
        getsockopt(self.descriptor, IPPROTO_IP, IP_TTL, &value, &size)
        self.path.time_to_live = <uint8_t> value
        size = sizeof(value)
        getsockopt(self.descriptor, IPPROTO_IP, IP_TOS, &value, &size)
        self.path.type_of_service = <uint8_t> value
        size = sizeof(value)
        getsockopt(self.descriptor, IPPROTO_IP, IP_MTU_DISCOVER, &value, &size)
        self.path.dont_fragment = value != IP_PMTUDISC_DONT
        self.kernel.attach(self.descriptor)
        self.route.watch(self.path.source_address, self.path.source_port,
                         self.path.destination_address, self.path.destination_port)
        self.take_path()
        self.has_begun = self.is_stale = True
        return 0

    cdef void take_path(self) noexcept nogil:
        """Hardware addresses as the follower knows them."""
        memcpy(self.path.source_hardware, self.route.hardware, 6)
        memcpy(self.path.destination_hardware, self.route.neighbour, 6)

    cdef int renew(self) noexcept nogil:
        """Ask the kernel anew; 0, or -1 where it refuses."""
        if self.kernel.refresh(self.preparation == PREPARE_ARMED) != 0:
            return -1
        self.path.has_timestamps = self.kernel.has_timestamps
        self.is_stale = self.has_ordinary = False
        self.renewed_bytes = self.received_bytes
        return 0

    cdef bint must_renew(self, uint64_t now_ns) noexcept nogil:
        """Whether what is known of the connection can't carry a segment any more."""
        cdef uint64_t received = self.received_bytes - self.renewed_bytes
        if not self.kernel.is_known or self.has_ordinary:
            return True
        # We would repeat a window that has opened since: a small one could keep the peer waiting.
        # And an acknowledgement much older than the window is not accepted.
        if received and (self.kernel.window_bytes < SAFE_WINDOW_SEGMENTS * self.kernel.mss_bytes
                         or received > self.kernel.window_bytes // 2):
            return True
        return ((not self.kernel.is_settled or self.kernel.sent_segments != 0)
                and now_ns - self.kernel.refreshed_ns > self.maximum_age_ns)

    cdef int weigh(self, uint32_t length) noexcept nogil:
        """DELEGATION_SENT where what is known allows a segment of that length, or why not."""
        if not self.kernel.is_known:
            return DELEGATION_NOT_READY
        if not self.kernel.is_connected:
            return DELEGATION_NOT_CONNECTED
        if not self.kernel.is_supported:
            return DELEGATION_UNSUPPORTED
        if not self.route.has_route:
            return DELEGATION_NO_ROUTE
        if not self.route.has_neighbour:
            return DELEGATION_NO_NEIGHBOUR
        if length > self.kernel.mss_bytes:
            return DELEGATION_TOO_LONG
        if self.kernel.unsent_bytes:
            return DELEGATION_UNSENT_DATA
        if <int> (self.kernel.window_end - self.kernel.sequence_number - length) < 0:
            return DELEGATION_NO_WINDOW
        if self.kernel.sent_segments >= self.kernel.room_segments:
            return DELEGATION_NO_CONGESTION_WINDOW
        return DELEGATION_SENT

    cdef int judge(self, uint32_t length, uint64_t now_ns) noexcept nogil:
        """As :meth:`weigh`, after a look at the kernel where what is known does not suffice."""
        cdef int verdict
        if not self.has_begun and self.begin() != 0:
            return DELEGATION_NOT_CONNECTED
        if self.preparation == PREPARE_NOTHING:
            self.route.ask_everything()
            self.take_path()
        elif not self.must_renew(now_ns):
            verdict = self.weigh(length)
            if verdict == DELEGATION_SENT or verdict == DELEGATION_TOO_LONG:
                return verdict
            if self.route.follow():
                self.take_path()
        self.counts[DELEGATED_LATE_REFRESHES] += 1
        if self.renew() != 0:
            return DELEGATION_NOT_PERMITTED
        return self.weigh(length)

    cdef int send(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """How many of the bytes were taken, by either way, or a STREAM_* number."""
        cdef uint64_t now_ns
        cdef int verdict
        if self.current != 0 and self.state() != 0:
            return self.current
        if length == 0:
            return 0
        now_ns = monotonic_ns()
        verdict = self.judge(length, now_ns)
        if verdict == DELEGATION_SENT:
            if self.kernel.arm() == 0:
                return self.send_delegated(data, length, now_ns)
            verdict = DELEGATION_NOT_PERMITTED
        self.results[verdict] += 1
        return self.send_ordinary(data, length)

    cdef int send_delegated(self, const uint8_t *data, uint32_t length,
                            uint64_t now_ns) noexcept nogil:
        """Account, then send raw; the kernel heals whatever happens to the frame."""
        cdef uint32_t frame_bytes
        cdef int taken
        self.numbers.sequence_number = self.kernel.sequence_number
        self.numbers.acknowledgment_number = self.kernel.acknowledged
        self.numbers.window = self.kernel.window
        self.numbers.identification += 1
        if self.path.has_timestamps:
            self.numbers.timestamp = self.kernel.timestamp(now_ns)
        taken = self.kernel.account(data, length)
        if taken == STREAM_WOULD_BLOCK:
            self.results[DELEGATION_NO_BUFFER] += 1
            return self.send_ordinary(data, length)
        if taken <= 0:
            return self.fail(errno)
        frame_bytes = segment_build(self.frame, SEGMENT_LONGEST, &self.path, &self.numbers, data,
                                    <uint32_t> taken)
        # A ring that is full has room once what waits in it was handed over.
        if frame_bytes and (self.raw.transmit(self.frame, frame_bytes) == 0 or (
                self.raw.flush() >= 0 and self.raw.transmit(self.frame, frame_bytes) == 0)):
            self.raw.flush()
            self.results[DELEGATION_SENT] += 1
        else:
            self.results[DELEGATION_PORT_REFUSED] += 1
        if self.preparation != PREPARE_ARMED:
            self.kernel.disarm()
        self.is_stale = True
        self.sent_bytes += <uint64_t> taken
        self.counts[DELEGATED_DELEGATED_BYTES] += <uint64_t> taken
        return taken

    cdef int send_ordinary(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """The kernel sends; what it could not send at once lies in its queue."""
        cdef int taken
        self.kernel.disarm()
        taken = TcpStream.send(self, data, length)
        if taken > 0:
            self.kernel.sequence_number += <uint32_t> taken
            self.counts[DELEGATED_ORDINARY_SENDS] += 1
            self.counts[DELEGATED_ORDINARY_BYTES] += <uint64_t> taken
            self.has_ordinary = self.is_stale = True
        return taken

    cdef bint has_news(self) noexcept nogil:
        """Whether a receive call would not come back empty."""
        cdef pollfd descriptor
        descriptor.fd = self.descriptor
        descriptor.events = <short> POLLIN
        descriptor.revents = 0
        return poll(&descriptor, 1, 0) != 0

    cdef int receive(self, uint8_t *data, uint32_t capacity) noexcept nogil:
        """How many bytes came, or a STREAM_* number; an idle call prepares the next send."""
        cdef int got
        if self.current != 0 and self.state() != 0:
            return self.current
        if self.kernel.is_repairing:
            if not self.has_news():
                self.settle(monotonic_ns())
                return STREAM_WOULD_BLOCK
            self.kernel.disarm()     # nothing can be received in repair mode
        got = TcpStream.receive(self, data, capacity)
        if got > 0:
            self.is_stale = True
        elif got == STREAM_WOULD_BLOCK:
            self.settle(monotonic_ns())
        return got

    cdef void settle(self, uint64_t now_ns) noexcept nogil:
        """Prepare the next send: follow the route, know the connection's state, arm."""
        cdef bint is_moving
        if not self.has_begun and self.begin() != 0:
            return
        if now_ns - self.followed_ns >= self.follow_interval_ns:
            self.followed_ns = now_ns
            if self.route.follow():
                self.take_path()
        if self.preparation == PREPARE_NOTHING and self.kernel.is_known:
            return
        is_moving = not self.kernel.is_settled or not self.kernel.is_known
        if self.is_stale or (is_moving and now_ns - self.kernel.refreshed_ns
                             >= self.follow_interval_ns):
            self.renew()
        elif self.preparation == PREPARE_ARMED and not self.kernel.unsent_bytes:
            self.kernel.arm()

    def close(self):
        """Close the connection in order, with a FIN; harmless when it is closed."""
        if self.kernel is not None and self.kernel.descriptor >= 0:
            self.kernel.refresh(False)   # the last word on what was sent again
            self.kernel.disarm()     # in repair mode the kernel would drop it without a word
            self.kernel.descriptor = -1
        if self.route is not None:
            self.route.close()
        TcpStream.close(self)

    def __del__(self):
        """Close: a socket that ends in repair mode sends no FIN."""
        self.close()

    def mode(self):
        """As the ordinary stream's; ``send``, ``preparation``, ``interface``, ``vlan``, ``route``,
        ``timestamps``, ``mss_bytes`` and ``raw``, the raw port's own."""
        return {
            **TcpStream.mode(self),
            "send": "delegated",
            "preparation": next(k for k, v in PREPARATIONS.items() if v == self.preparation),
            "interface": self.interface,
            "vlan": self.path.vlan,
            "route": self.route.describe(),
            "timestamps": bool(self.path.has_timestamps),
            "mss_bytes": self.kernel.mss_bytes,
            "raw": self.raw.mode(),
        }

    def counters(self):
        """Bytes each way, results of the sends (``DELEGATION``) and ``DELEGATED``."""
        if self.kernel.descriptor >= 0:
            self.renew()
        self.counts[DELEGATED_REFRESHES] = self.kernel.refreshes
        self.counts[DELEGATED_ROUTE_CHANGES] = self.route.changes
        self.counts[DELEGATED_RETRANSMITTED_SEGMENTS] = self.kernel.retransmitted_segments
        return {
            **TcpStream.counters(self),
            **DELEGATION.as_dict([self.results[i] for i in range(DELEGATION_COUNT)]),
            **DELEGATED.as_dict([self.counts[i] for i in range(DELEGATED_COUNT)]),
        }

    def prepare(self):
        """Do what an idle receive call does; whether the next send can be delegated.

        Without data to read, that is; else the state is known as of the last idle call.
        """
        if self.state() == 0:
            self.settle(monotonic_ns())
            if self.preparation == PREPARE_NOTHING:
                self.renew()
        return self.current == 0 and self.has_begun and self.weigh(1) == DELEGATION_SENT

    def verdict(self, uint32_t length=1):
        """What a send of that many bytes would come to, by what is known: of ``DELEGATION``."""
        if self.state() != 0 or not self.has_begun:
            return "not_connected"
        return DELEGATION.name_of(self.weigh(length))
