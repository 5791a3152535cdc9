# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Route, neighbour and interface of one connection, followed by rtnetlink.

Two sockets: one hears of every change (links, addresses, neighbours, IPv4 routes and rules), the
other asks. A change of our neighbour entry is taken from the message; any other change has the
three questions asked anew, and so has a message that was lost. :meth:`RouteFollower.follow` is one
system call where nothing changed; it belongs beside the hot path, not on it. Nothing here makes the
kernel resolve an address: an ordinary send does. Sources: rtnetlink(7), netlink(7).
"""

import os
import socket

from libc.errno cimport EINTR, ENOBUFS, errno
from libc.string cimport memcpy, memset

from nic.frame import address_text
from nic.port import PortError

cdef extern from "<arpa/inet.h>":
    uint16_t htons(uint16_t value) noexcept nogil
    uint32_t htonl(uint32_t value) noexcept nogil
    uint32_t ntohl(uint32_t value) noexcept nogil

cdef extern from "<sys/socket.h>":
    int MSG_DONTWAIT, AF_INET
    ssize_t c_send "send"(int fd, const void *data, size_t length, int flags) noexcept nogil
    ssize_t c_recv "recv"(int fd, void *data, size_t length, int flags) noexcept nogil

cdef extern from *:
    """
    #include <net/if.h>
    #include <linux/netlink.h>
    #include <linux/rtnetlink.h>
    #include <linux/neighbour.h>
    static inline struct rtattr *tw_attributes(struct nlmsghdr *m, size_t head)
    { return (struct rtattr *)((char *)NLMSG_DATA(m) + NLMSG_ALIGN(head)); }
    static inline int tw_attributes_length(struct nlmsghdr *m, size_t head)
    { return (int)NLMSG_PAYLOAD(m, NLMSG_ALIGN(head)); }
    static inline int tw_message_ok(struct nlmsghdr *m, int n) { return NLMSG_OK(m, n); }
    static inline struct nlmsghdr *tw_next_message(struct nlmsghdr *m, int *n)
    { return NLMSG_NEXT(m, *n); }
    static inline struct rtattr *tw_next_attribute(struct rtattr *a, int *n)
    { return RTA_NEXT(a, *n); }
    """
    struct nlmsghdr:
        uint32_t nlmsg_len
        uint16_t nlmsg_type, nlmsg_flags
        uint32_t nlmsg_seq, nlmsg_pid
    struct nlmsgerr:
        int error
    struct rtattr:
        unsigned short rta_len, rta_type
    struct rtmsg:
        unsigned char rtm_family, rtm_dst_len, rtm_src_len, rtm_type
    struct ndmsg:
        uint8_t ndm_family
        int ndm_ifindex
        uint16_t ndm_state
    struct ifinfomsg:
        unsigned char ifi_family
        int ifi_index
        unsigned int ifi_flags
    void *NLMSG_DATA(nlmsghdr *message) noexcept nogil
    uint32_t NLMSG_LENGTH(size_t length) noexcept nogil
    uint32_t RTA_LENGTH(size_t length) noexcept nogil
    uint32_t RTA_ALIGN(size_t length) noexcept nogil
    void *RTA_DATA(rtattr *attribute) noexcept nogil
    uint32_t RTA_PAYLOAD(rtattr *attribute) noexcept nogil
    bint RTA_OK(rtattr *attribute, int length) noexcept nogil
    rtattr *tw_attributes(nlmsghdr *message, size_t head) noexcept nogil
    int tw_attributes_length(nlmsghdr *message, size_t head) noexcept nogil
    bint tw_message_ok(nlmsghdr *message, int length) noexcept nogil
    nlmsghdr *tw_next_message(nlmsghdr *message, int *length) noexcept nogil
    rtattr *tw_next_attribute(rtattr *attribute, int *length) noexcept nogil
    int NLM_F_REQUEST, NLMSG_ERROR
    int RTM_GETROUTE, RTM_NEWROUTE, RTM_GETNEIGH, RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETLINK
    int RTM_NEWLINK
    int RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_VIA, RTA_IP_PROTO, RTA_SPORT, RTA_DPORT
    int NDA_DST, NDA_LLADDR, IFLA_ADDRESS, RTN_UNICAST, IFF_UP, IFF_RUNNING
    int NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE, NUD_PERMANENT, NUD_NOARP
    int RTMGRP_LINK, RTMGRP_NEIGH, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV4_RULE

cdef extern from "<netinet/in.h>":
    int IPPROTO_TCP

cdef enum:
    REQUEST_WORDS = 16             # of 8 bytes: longer than any request here
    ANSWER_BYTES = 16384
    HARDWARE_BYTES = 6


cdef void put_attribute(nlmsghdr *request, int kind, const void *value,
                        size_t length) noexcept nogil:
    """Add an attribute to a request; the caller left room for it."""
    cdef rtattr *attribute = <rtattr *> (<uint8_t *> request + RTA_ALIGN(request.nlmsg_len))
    attribute.rta_type = <unsigned short> kind
    attribute.rta_len = <unsigned short> RTA_LENGTH(length)
    memcpy(RTA_DATA(attribute), value, length)
    request.nlmsg_len = RTA_ALIGN(request.nlmsg_len) + RTA_ALIGN(attribute.rta_len)


cdef class RouteFollower:
    """Follows what a connection out of ``interface`` needs to know, in this thread's namespace.

    Raises :class:`~nic.port.PortError` where netlink is refused or there is no such interface.
    """

    def __cinit__(self, *args, **kwargs):
        """No sockets."""
        self.listener = self.asker = -1

    def __init__(self, str interface not None):
        try:
            self.interface_index = socket.if_nametoindex(interface)
            self.listener = self._open(RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR
                                       | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE)
            self.asker = self._open(0)
        except OSError as failure:
            self.close()
            raise PortError(f"route by {interface}: {failure.strerror}") from None
        self.ask_link()

    def _open(self, int groups):
        """A netlink socket that never blocks."""
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as handle:
            handle.setblocking(False)
            handle.bind((0, groups))
            return handle.detach()

    cdef void watch(self, uint32_t source, uint16_t source_port, uint32_t destination,
                    uint16_t destination_port) noexcept nogil:
        """Follow the way of this connection from now on."""
        self.source = source
        self.source_port = source_port
        self.destination = destination
        self.destination_port = destination_port
        self.ask_everything()

    cdef bint follow(self) noexcept nogil:
        """Take the news; whether anything may have changed."""
        cdef uint8_t data[ANSWER_BYTES]
        cdef ssize_t length
        cdef bint is_changed = False
        cdef bint must_ask = False
        if self.listener < 0:
            return False
        while True:
            length = c_recv(self.listener, data, ANSWER_BYTES, MSG_DONTWAIT)
            if length > 0:
                is_changed = True
                must_ask |= self.take_news(data, <size_t> length)
            elif length < 0 and errno == ENOBUFS:  # news were lost
                is_changed = must_ask = True
            elif length == 0 or errno != EINTR:
                break
        if must_ask:
            self.ask_everything()
        self.changes += is_changed
        return is_changed

    cdef bint take_news(self, const uint8_t *data, size_t length) noexcept nogil:
        """Messages of the kernel's own accord; whether to ask everything anew."""
        cdef nlmsghdr *message = <nlmsghdr *> data
        cdef int rest = <int> length
        cdef bint must_ask = False
        while tw_message_ok(message, rest):
            if message.nlmsg_type == RTM_NEWNEIGH or message.nlmsg_type == RTM_DELNEIGH:
                self.take_neighbour(message)
            else:
                must_ask = True
            message = tw_next_message(message, &rest)
        return must_ask

    cdef void ask_everything(self) noexcept nogil:
        """Interface, route and neighbour, in this order: each needs the one before."""
        self.ask_link()
        self.ask_route()
        self.ask_neighbour()

    cdef void ask_link(self) noexcept nogil:
        """Whether the interface is up, and its hardware address."""
        cdef uint64_t room[REQUEST_WORDS]
        cdef nlmsghdr *request = <nlmsghdr *> room
        memset(room, 0, sizeof(room))
        request.nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg))
        request.nlmsg_type = <uint16_t> RTM_GETLINK
        (<ifinfomsg *> NLMSG_DATA(request)).ifi_index = self.interface_index
        self.is_up = False
        self.ask(request)

    cdef void ask_route(self) noexcept nogil:
        """Where the kernel would send this connection's packets."""
        cdef uint64_t room[REQUEST_WORDS]
        cdef nlmsghdr *request = <nlmsghdr *> room
        cdef rtmsg *body = <rtmsg *> NLMSG_DATA(request)
        cdef uint32_t address
        cdef uint16_t port
        cdef uint8_t protocol = <uint8_t> IPPROTO_TCP
        memset(room, 0, sizeof(room))
        request.nlmsg_len = NLMSG_LENGTH(sizeof(rtmsg))
        request.nlmsg_type = <uint16_t> RTM_GETROUTE
        body.rtm_family = <unsigned char> AF_INET
        body.rtm_dst_len = body.rtm_src_len = 32
        address = htonl(self.destination)
        put_attribute(request, RTA_DST, &address, sizeof(address))
        address = htonl(self.source)
        put_attribute(request, RTA_SRC, &address, sizeof(address))
        put_attribute(request, RTA_IP_PROTO, &protocol, sizeof(protocol))
        port = htons(self.source_port)
        put_attribute(request, RTA_SPORT, &port, sizeof(port))
        port = htons(self.destination_port)
        put_attribute(request, RTA_DPORT, &port, sizeof(port))
        self.has_route = False
        if self.is_up:
            self.ask(request)

    cdef void ask_neighbour(self) noexcept nogil:
        """The hardware address of the next hop."""
        cdef uint64_t room[REQUEST_WORDS]
        cdef nlmsghdr *request = <nlmsghdr *> room
        cdef ndmsg *body = <ndmsg *> NLMSG_DATA(request)
        cdef uint32_t address = htonl(self.next_hop)
        memset(room, 0, sizeof(room))
        request.nlmsg_len = NLMSG_LENGTH(sizeof(ndmsg))
        request.nlmsg_type = <uint16_t> RTM_GETNEIGH
        body.ndm_family = <uint8_t> AF_INET
        body.ndm_ifindex = self.interface_index
        put_attribute(request, NDA_DST, &address, sizeof(address))
        self.has_neighbour = False
        if self.has_route:
            self.ask(request)

    cdef int ask(self, void *request) noexcept nogil:
        """Send a request and take the answer, which the kernel gives before the call returns."""
        cdef nlmsghdr *message = <nlmsghdr *> request
        cdef uint8_t data[ANSWER_BYTES]
        cdef ssize_t length
        self.question += 1
        message.nlmsg_flags = <uint16_t> NLM_F_REQUEST
        message.nlmsg_seq = self.question
        if self.asker < 0 or c_send(self.asker, message, message.nlmsg_len, MSG_DONTWAIT) < 0:
            return -1
        while True:
            length = c_recv(self.asker, data, ANSWER_BYTES, MSG_DONTWAIT)
            if length > 0:
                if self.take_answer(data, <size_t> length, <int> self.question):
                    return 0
            elif length == 0 or (errno != EINTR and errno != ENOBUFS):
                return -1

    cdef bint take_answer(self, const uint8_t *data, size_t length, int wanted) noexcept nogil:
        """What the kernel answered; whether it was to the question ``wanted``."""
        cdef nlmsghdr *message = <nlmsghdr *> data
        cdef int rest = <int> length
        cdef bint is_answered = False
        while tw_message_ok(message, rest):
            if message.nlmsg_seq == <uint32_t> wanted:
                is_answered = True
                if message.nlmsg_type == RTM_NEWLINK:
                    self.take_link(message)
                elif message.nlmsg_type == RTM_NEWROUTE:
                    self.take_route(message)
                elif message.nlmsg_type == RTM_NEWNEIGH:
                    self.take_neighbour(message)
            message = tw_next_message(message, &rest)
        return is_answered

    cdef void take_link(self, const void *message) noexcept nogil:
        """An interface: flags and hardware address."""
        cdef nlmsghdr *header = <nlmsghdr *> message
        cdef ifinfomsg *body = <ifinfomsg *> NLMSG_DATA(header)
        cdef rtattr *attribute = tw_attributes(header, sizeof(ifinfomsg))
        cdef int rest = tw_attributes_length(header, sizeof(ifinfomsg))
        if body.ifi_index != self.interface_index:
            return
        while RTA_OK(attribute, rest):
            if attribute.rta_type == IFLA_ADDRESS and RTA_PAYLOAD(attribute) == HARDWARE_BYTES:
                memcpy(self.hardware, RTA_DATA(attribute), HARDWARE_BYTES)
                self.is_up = body.ifi_flags & IFF_UP and body.ifi_flags & IFF_RUNNING
            attribute = tw_next_attribute(attribute, &rest)

    cdef void take_route(self, const void *message) noexcept nogil:
        """A route: usable where it is unicast, by our interface, and to an IPv4 next hop."""
        cdef nlmsghdr *header = <nlmsghdr *> message
        cdef rtmsg *body = <rtmsg *> NLMSG_DATA(header)
        cdef rtattr *attribute = tw_attributes(header, sizeof(rtmsg))
        cdef int rest = tw_attributes_length(header, sizeof(rtmsg))
        cdef bint is_usable = body.rtm_type == RTN_UNICAST
        cdef int interface_index = 0
        self.next_hop = self.destination
        while RTA_OK(attribute, rest):
            if attribute.rta_type == RTA_OIF:
                memcpy(&interface_index, RTA_DATA(attribute), sizeof(interface_index))
            elif attribute.rta_type == RTA_GATEWAY:
                memcpy(&self.next_hop, RTA_DATA(attribute), sizeof(self.next_hop))
                self.next_hop = ntohl(self.next_hop)
            elif attribute.rta_type == RTA_VIA:
                is_usable = False
            attribute = tw_next_attribute(attribute, &rest)
        self.has_route = is_usable and interface_index == self.interface_index

    cdef void take_neighbour(self, const void *message) noexcept nogil:
        """A neighbour entry, or the end of one; another than our next hop's is left alone."""
        cdef nlmsghdr *header = <nlmsghdr *> message
        cdef ndmsg *body = <ndmsg *> NLMSG_DATA(header)
        cdef rtattr *attribute = tw_attributes(header, sizeof(ndmsg))
        cdef int rest = tw_attributes_length(header, sizeof(ndmsg))
        cdef uint32_t address = 0
        cdef const void *hardware = NULL
        if body.ndm_ifindex != self.interface_index or body.ndm_family != AF_INET:
            return
        while RTA_OK(attribute, rest):
            if attribute.rta_type == NDA_DST and RTA_PAYLOAD(attribute) == sizeof(address):
                memcpy(&address, RTA_DATA(attribute), sizeof(address))
            elif attribute.rta_type == NDA_LLADDR and RTA_PAYLOAD(attribute) == HARDWARE_BYTES:
                hardware = RTA_DATA(attribute)
            attribute = tw_next_attribute(attribute, &rest)
        if ntohl(address) != self.next_hop:
            return
        self.has_neighbour = (
            header.nlmsg_type == RTM_NEWNEIGH and hardware != NULL
            and body.ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE
                                  | NUD_PERMANENT | NUD_NOARP) != 0)
        if self.has_neighbour:
            memcpy(self.neighbour, hardware, HARDWARE_BYTES)

    def describe(self):
        """What is known: ``next_hop``, ``neighbour`` (hardware address), ``is_up``, ``has_route``.

        ``neighbour`` is ``None`` while it is not known.
        """
        hardware = bytes(self.neighbour[:HARDWARE_BYTES]).hex(":")
        return {
            "next_hop": address_text(self.next_hop),
            "neighbour": hardware if self.has_neighbour else None,
            "is_up": bool(self.is_up),
            "has_route": bool(self.has_route),
        }

    def close(self):
        """Close both sockets; harmless when they are."""
        for descriptor in (self.listener, self.asker):
            if descriptor >= 0:
                os.close(descriptor)
        self.listener = self.asker = -1
        self.has_route = self.has_neighbour = False

    def __dealloc__(self):
        """Close both sockets."""
        self.close()
