# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A UDP socket as a port: works everywhere, needs no privileges, costs a system call a burst.

Sources: RFC 768, RFC 1112; udp(7), ip(7), socket(7), recvmmsg(2) of the Linux manual; kernel
document ``networking/timestamping`` section 1.1 (SO_TIMESTAMPNS).
"""

import socket
import struct

from libc.errno cimport EAGAIN, EINTR, EMSGSIZE, ENOBUFS, errno
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from posix.time cimport timespec
from nic.clock cimport rdtsc
from nic.ids cimport (
    PORT_RX_BYTES, PORT_RX_DROPPED, PORT_RX_ERRORS, PORT_RX_PACKETS, PORT_RX_TRUNCATED,
    PORT_TX_BYTES, PORT_TX_ERRORS, PORT_TX_FULL, PORT_TX_PACKETS, PORT_TX_TOO_LONG)
from nic.port cimport LAYER_DATAGRAM

from nic.frame import address_text
from nic.link import index_of
from nic.port import PortError

cdef extern from "<arpa/inet.h>":
    uint16_t htons(uint16_t value) noexcept nogil
    uint32_t htonl(uint32_t value) noexcept nogil
    uint16_t ntohs(uint16_t value) noexcept nogil
    uint32_t ntohl(uint32_t value) noexcept nogil

cdef extern from "<netinet/in.h>":
    int IP_MULTICAST_ALL

cdef extern from "<sys/socket.h>":
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    int AF_INET, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_TRUNC, SOL_SOCKET
    int SO_BUSY_POLL, SO_RCVBUFFORCE, SO_RXQ_OVFL, SO_TIMESTAMPNS
    cmsghdr *CMSG_FIRSTHDR(msghdr *header) noexcept nogil
    cmsghdr *CMSG_NXTHDR(msghdr *header, cmsghdr *control) noexcept nogil
    unsigned char *CMSG_DATA(cmsghdr *control) noexcept nogil
    int recvmmsg(int fd, mmsghdr *messages, unsigned int count, int flags,
                 timespec *timeout) noexcept nogil
    ssize_t c_send "send"(int fd, const void *data, size_t length, int flags) noexcept nogil
    ssize_t c_sendto "sendto"(int fd, const void *data, size_t length, int flags,
                              const void *address, unsigned int size) noexcept nogil

cdef enum:
    CONTROL_BYTES = 128           # room for the time stamp and the drop count
    LARGEST_BURST = 64


cdef class UdpPort(Port):
    """A UDP socket.

    ``group`` and ``bind`` say what is received: the datagrams of a multicast group ``(address,
    port)``, joined on ``interface`` (a name or one of its addresses), or those to a local
    ``(address, port)``. ``destination`` is where :meth:`transmit` sends to. ``connect`` fixes it
    in the kernel: sends get cheaper, and only datagrams of that peer are received.

    ``receive_buffer_bytes`` is asked of the kernel (:meth:`mode` says what was got),
    ``packet_bytes`` is room for one datagram: a longer one is counted as ``rx_truncated`` and
    dropped. ``busy_poll_us`` lets the kernel poll the device in a receive call. Raises
    :class:`~nic.port.PortError`.
    """

    def __cinit__(self, *args, **kwargs):
        """No socket."""
        self.layer = LAYER_DATAGRAM
        self.descriptor = -1
        self.handle = None

    def __init__(self, *, bind=None, group=None, str interface=None, destination=None,
                 bint connect=False, int receive_buffer_bytes=4 << 20, int packet_bytes=2048,
                 int burst=LARGEST_BURST, int busy_poll_us=0, int time_to_live=1,
                 bint loop=True, bint timestamps=True, str name=""):
        if bind is not None and group is not None:
            raise PortError("udp: give either bind or group, not both")
        if connect and destination is None:
            raise PortError("udp: connect needs a destination")
        if not 1 <= burst <= LARGEST_BURST:
            raise PortError(f"udp: burst must be 1 to {LARGEST_BURST}, not {burst}")
        if not 64 <= packet_bytes <= 65536:
            raise PortError(f"udp: packet_bytes must be 64 to 65536, not {packet_bytes}")
        self.burst = burst
        self.packet_bytes = packet_bytes
        self.connected = connect
        local = group or bind
        self.name = name or "udp " + ("%s:%d" % tuple(local or destination or ("unbound", 0)))
        self._allocate()
        self.handle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._open_socket(bind, group, interface, destination, time_to_live, loop)
            self._set_options(receive_buffer_bytes, busy_poll_us, timestamps, interface)
        except (OSError, OverflowError, ValueError) as failure:
            self.close()
            raise PortError(f"{self.name}: {failure}") from None
        self.descriptor = self.handle.fileno()

    def _allocate(self):
        """All memory of the receive path."""
        cdef int i
        self.buffers = <uint8_t *> calloc(self.burst, self.packet_bytes)
        self.controls = <uint8_t *> calloc(self.burst, CONTROL_BYTES)
        self.senders = <sockaddr_in *> calloc(self.burst, sizeof(sockaddr_in))
        self.vectors = <iovec *> calloc(self.burst, sizeof(iovec))
        self.messages = <mmsghdr *> calloc(self.burst, sizeof(mmsghdr))
        if (self.buffers == NULL or self.controls == NULL or self.senders == NULL
                or self.vectors == NULL or self.messages == NULL):
            raise MemoryError(self.name)
        for i in range(self.burst):
            self.vectors[i].iov_base = self.buffers + <size_t> i * self.packet_bytes
            self.vectors[i].iov_len = self.packet_bytes
            self.messages[i].msg_hdr.msg_iov = &self.vectors[i]
            self.messages[i].msg_hdr.msg_iovlen = 1
            self.messages[i].msg_hdr.msg_name = &self.senders[i]
            self.messages[i].msg_hdr.msg_namelen = sizeof(sockaddr_in)
            self.messages[i].msg_hdr.msg_control = self.controls + i * CONTROL_BYTES
            self.messages[i].msg_hdr.msg_controllen = CONTROL_BYTES

    def _open_socket(self, bind, group, interface, destination, time_to_live, loop):
        """Bind, join and set where sends go."""
        handle = self.handle
        handle.setblocking(False)
        index = index_of(interface) if interface else 0
        request = struct.pack("@4s4si", bytes(4), bytes(4), index)
        handle.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, time_to_live)
        handle.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, int(loop))
        if interface:
            handle.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
        if group is not None:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            handle.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
            # Bound to the group, not to every address: another group on this port stays out.
            handle.bind(tuple(group))
            member = struct.pack("@4s4si", socket.inet_aton(group[0]), bytes(4), index)
            handle.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        elif bind is not None:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            handle.bind(tuple(bind))
        if destination is not None:
            self.set_destination(destination[0], destination[1])
            if self.connected:
                handle.connect(tuple(destination))

    def set_destination(self, str address not None, int port):
        """Where :meth:`transmit` sends to from now on."""
        if not 0 < port < 65536:
            raise ValueError(f"{port} is no UDP port")
        memset(&self.destination, 0, sizeof(self.destination))
        self.destination.sin_family = <unsigned short> AF_INET
        self.destination.sin_port = htons(<uint16_t> port)
        packed = socket.inet_aton(address)
        memcpy(&self.destination.sin_addr, <const uint8_t *> packed, 4)
        self.has_destination = True

    def _set_options(self, receive_buffer_bytes, busy_poll_us, timestamps, interface):
        """Buffer, time stamps, drop count, polling; and the facts for :meth:`mode`."""
        handle = self.handle
        notes = []
        try:
            handle.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer_bytes)
        except PermissionError:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        # The kernel doubles what is asked for, for its own bookkeeping, and reports the double.
        got = handle.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
        if got < receive_buffer_bytes:
            notes.append(f"receive buffer is {got} of {receive_buffer_bytes} bytes: "
                         "raise net.core.rmem_max")
        if timestamps:
            handle.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        handle.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        if busy_poll_us:
            try:
                handle.setsockopt(socket.SOL_SOCKET, SO_BUSY_POLL, busy_poll_us)
            except PermissionError:
                notes.append("busy polling refused: needs CAP_NET_ADMIN")
        self.facts = {
            "kind": "udp",
            "interface": interface or "",
            "driver_mode": "socket",
            "zero_copy": False,
            "queue": None,
            "timestamps": "kernel-software" if timestamps else "none",
            "offloads": [],
            "notes": notes,
            "local": "%s:%d" % handle.getsockname(),
            "connected": bool(self.connected),
            "receive_buffer_bytes": got,
            "busy_poll_us": handle.getsockopt(socket.SOL_SOCKET, SO_BUSY_POLL),
        }

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil:
        """Datagrams of one receive call; too long ones are counted and left out."""
        cdef int wanted = maximum if maximum < self.burst else self.burst
        cdef int got, i, count = 0
        cdef uint64_t tsc, kernel_ns, size = 0
        cdef msghdr *header
        if self.descriptor < 0:
            return 0
        got = recvmmsg(self.descriptor, self.messages, <unsigned int> wanted, MSG_DONTWAIT, NULL)
        if got <= 0:
            if got < 0 and errno != EAGAIN and errno != EINTR:
                self.counts[PORT_RX_ERRORS] += 1
            return 0
        tsc = rdtsc()
        for i in range(got):
            header = &self.messages[i].msg_hdr
            kernel_ns = self.read_control(header)
            if header.msg_flags & MSG_TRUNC:
                self.counts[PORT_RX_TRUNCATED] += 1
            else:
                packets[count].data = self.buffers + <size_t> i * self.packet_bytes
                packets[count].length = self.messages[i].msg_len
                packets[count].source_address = ntohl(self.senders[i].sin_addr.s_addr)
                packets[count].source_port = ntohs(self.senders[i].sin_port)
                packets[count].kernel_ns = kernel_ns
                packets[count].tsc = tsc
                size += self.messages[i].msg_len
                count += 1
            header.msg_controllen = CONTROL_BYTES
            header.msg_namelen = sizeof(sockaddr_in)
        self.counts[PORT_RX_PACKETS] += <uint64_t> count
        self.counts[PORT_RX_BYTES] += size
        return count

    cdef uint64_t read_control(self, msghdr *header) noexcept nogil:
        """The kernel's receive time, 0 for none; takes the drop count on the way."""
        cdef cmsghdr *control = CMSG_FIRSTHDR(header)
        cdef timespec stamp
        cdef uint32_t dropped
        cdef uint64_t kernel_ns = 0
        while control != NULL:
            if control.cmsg_level == SOL_SOCKET:
                if control.cmsg_type == SO_TIMESTAMPNS:
                    memcpy(&stamp, CMSG_DATA(control), sizeof(stamp))
                    kernel_ns = (<uint64_t> stamp.tv_sec * 1000000000
                                 + <uint64_t> stamp.tv_nsec)
                elif control.cmsg_type == SO_RXQ_OVFL:
                    memcpy(&dropped, CMSG_DATA(control), sizeof(dropped))
                    # Counts from the opening of the socket, in 32 bits that wrap.
                    self.counts[PORT_RX_DROPPED] += <uint32_t> (
                        dropped - <uint32_t> self.counts[PORT_RX_DROPPED])
            control = CMSG_NXTHDR(header, control)
        return kernel_ns

    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """Send to the fixed destination; 0, or -1 when the kernel took nothing."""
        if self.connected:
            return self.sent(c_send(self.descriptor, data, length,
                                    MSG_DONTWAIT | MSG_NOSIGNAL), length)
        if not self.has_destination:
            self.counts[PORT_TX_ERRORS] += 1
            return -1
        return self.sent(c_sendto(self.descriptor, data, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                                  &self.destination, sizeof(self.destination)), length)

    cdef int transmit_to(self, const uint8_t *data, uint32_t length, uint32_t address,
                         uint16_t port) noexcept nogil:
        """Send to an address in host byte order, for instance a received packet's source."""
        cdef sockaddr_in destination
        memset(&destination, 0, sizeof(destination))
        destination.sin_family = <unsigned short> AF_INET
        destination.sin_port = htons(port)
        destination.sin_addr.s_addr = htonl(address)
        return self.sent(c_sendto(self.descriptor, data, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                                  &destination, sizeof(destination)), length)

    cdef int sent(self, ssize_t result, uint32_t length) noexcept nogil:
        """Count what became of a send."""
        if result >= 0:
            self.counts[PORT_TX_PACKETS] += 1
            self.counts[PORT_TX_BYTES] += length
            return 0
        if errno == EAGAIN or errno == ENOBUFS or errno == EINTR:
            self.counts[PORT_TX_FULL] += 1
        elif errno == EMSGSIZE:
            self.counts[PORT_TX_TOO_LONG] += 1
        else:
            self.counts[PORT_TX_ERRORS] += 1
        return -1

    def send_to(self, const uint8_t[::1] data not None, str address not None, int port):
        """Transmit one datagram to ``address:port``; 0, or -1 when it was refused."""
        packed = int.from_bytes(socket.inet_aton(address), "big")
        return self.transmit_to(&data[0] if data.shape[0] else NULL, <uint32_t> data.shape[0],
                                packed, <uint16_t> port)

    def receive_from(self, int maximum=LARGEST_BURST):
        """Up to one burst as a list of ``(bytes, kernel_ns, source address, source port)``."""
        cdef Packet packets[LARGEST_BURST]
        cdef int i, count = self.receive_burst(packets, min(maximum, LARGEST_BURST))
        taken = []
        for i in range(count):
            taken.append((packets[i].data[:packets[i].length], packets[i].kernel_ns,
                          address_text(packets[i].source_address), packets[i].source_port))
        self.release()
        return taken

    def local_address(self):
        """``(address, port)`` of the socket."""
        return self.handle.getsockname()

    def mode(self):
        """What the socket truly got; also ``local``, ``connected``, ``receive_buffer_bytes``,
        ``busy_poll_us``."""
        return dict(self.facts)

    def close(self):
        """Leave the group and close the socket."""
        self.descriptor = -1
        if self.handle is not None:
            self.handle.close()
            self.handle = None

    def __dealloc__(self):
        """Free the buffers."""
        free(self.buffers)
        free(self.controls)
        free(self.senders)
        free(self.vectors)
        free(self.messages)
