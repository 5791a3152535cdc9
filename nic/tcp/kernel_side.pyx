# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The kernel's side of a connection whose segments others send.

In repair mode, with the send queue selected, ``send()`` puts bytes on the kernel's retransmission
queue, starts the timer and moves the sequence number, and transmits nothing. The kernel looks at no
window then: that is the caller's to do, with what :meth:`KernelSide.refresh` read. What is kept
between two refreshes, and why it may be:

* the sequence number: only the owner of the socket moves it;
* the end of the peer's window: it never moves back (RFC 9293 section 3.8.6);
* room in the congestion window: acknowledgements only add to it, losses take from it, and the
  caller bounds how old the figure may be while anything is in flight;
* what the kernel acknowledged: a segment that repeats an older acknowledgement is good as long as
  it is not older than the largest window (RFC 5961 section 5.2), and no more than that can have
  come since, because all of it would lie unread in the socket.

Sources: tcp(7); kernel sources ``net/ipv4/tcp.c``, ``tcp_output.c``; RFC 7323 section 3 and 5.
"""

import socket

from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.string cimport memset
from nic.stream cimport STREAM_CLOSED, STREAM_WOULD_BLOCK

cdef extern from "<sys/socket.h>":
    ctypedef unsigned int socklen_t
    int MSG_DONTWAIT, MSG_NOSIGNAL, MSG_EOR
    ssize_t c_send "send"(int fd, const void *data, size_t length, int flags) noexcept nogil
    int getsockopt(int fd, int level, int name, void *value, socklen_t *size) noexcept nogil
    int setsockopt(int fd, int level, int name, const void *value, socklen_t size) noexcept nogil

cdef extern from "<sys/ioctl.h>":
    int ioctl(int fd, unsigned long request, ...) noexcept nogil

cdef extern from "<linux/sockios.h>":
    unsigned long SIOCOUTQ

cdef extern from "<netinet/in.h>":
    int IPPROTO_TCP

cdef extern from *:
    """
    #include <linux/tcp.h>
    #ifndef TCPI_OPT_USEC_TS
    #define TCPI_OPT_USEC_TS 64   /* linux 6.7 */
    #endif
    """
    struct tcp_info:
        uint8_t tcpi_state, tcpi_options, tcpi_rcv_wscale
        uint32_t tcpi_snd_mss, tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_snd_cwnd
        uint32_t tcpi_total_retrans, tcpi_notsent_bytes, tcpi_snd_wnd
        uint64_t tcpi_bytes_acked
    struct tcp_repair_window:
        uint32_t rcv_wnd
        uint32_t rcv_wup
    int TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_REPAIR_WINDOW, TCP_TIMESTAMP, TCP_INFO
    int TCP_REPAIR_ON, TCP_REPAIR_OFF_NO_WP, TCP_SEND_QUEUE
    int TCPI_OPT_TIMESTAMPS, TCPI_OPT_ECN, TCPI_OPT_USEC_TS

cdef extern from "<time.h>":
    struct timespec:
        long tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC
    int clock_gettime(int clock, timespec *time) noexcept nogil

cdef enum:
    ESTABLISHED = 1                # tcpi_state, of linux/tcp_states.h
    CLOSE_WAIT = 8
    MILLISECOND_NS = 1000000
    BOTH_PARITIES = 3
    CALIBRATIONS = 4


cdef uint64_t monotonic_ns() noexcept nogil:
    """The clock that the kernel makes its TCP time stamps of."""
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t> now.tv_sec * 1000000000 + <uint64_t> now.tv_nsec


def repair_refused():
    """Why this process may not use TCP_REPAIR, in one line; empty where it may."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        try:
            trial.setsockopt(IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON)
            trial.setsockopt(IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP)
        except OSError as failure:
            return f"TCP_REPAIR: {failure.strerror} (needs CAP_NET_ADMIN: run as root)"
    return ""


cdef class KernelSide:
    """State and accounting of one connected socket, which somebody else owns."""

    def __cinit__(self):
        """No socket."""
        self.descriptor = -1

    cdef void attach(self, int descriptor) noexcept nogil:
        """Begin with a socket that is connected; nothing is known of it yet."""
        self.descriptor = descriptor
        self.is_armed = self.is_repairing = self.is_known = self.is_calibrated = False
        self.stamp_parities = 0
        self.sent_segments = 0

    cdef int enter(self) noexcept nogil:
        """Enter repair mode with no queue selected; 0, or -1 where that is refused.

        Bytes that wait in the kernel's queue still leave. With the send queue selected, an
        acknowledgement that comes just then would have them count as sent.
        """
        if self.is_repairing:
            return 0
        if self.set_option(TCP_REPAIR, TCP_REPAIR_ON) != 0:
            return -1
        self.is_repairing = True
        return 0

    cdef int arm(self) noexcept nogil:
        """Be in repair mode with the send queue selected; 0, or -1 where that is refused.

        Only while nothing waits in the kernel's queue.
        """
        if self.is_armed:
            return 0
        if self.enter() != 0:
            return -1
        if self.set_option(TCP_REPAIR_QUEUE, TCP_SEND_QUEUE) != 0:
            self.disarm()
            return -1
        self.is_armed = True
        return 0

    cdef int disarm(self) noexcept nogil:
        """Leave repair mode without a window probe; 0, or -1 where that is refused."""
        if not self.is_repairing:
            return 0
        self.is_repairing = self.is_armed = False
        return self.set_option(TCP_REPAIR, TCP_REPAIR_OFF_NO_WP)

    cdef int set_option(self, int name, int value) noexcept nogil:
        """One option of the TCP level."""
        return setsockopt(self.descriptor, IPPROTO_TCP, name, &value, sizeof(value))

    cdef int refresh(self, bint stay_armed) noexcept nogil:
        """Ask the kernel for everything; 0, or -1 where it refuses."""
        cdef tcp_info info
        cdef tcp_repair_window windows
        cdef socklen_t size = sizeof(info)
        cdef socklen_t windows_size = sizeof(windows)
        cdef uint32_t in_flight
        cdef int result
        if self.descriptor < 0 or self.enter() != 0:
            return -1
        self.refreshes += 1
        memset(&info, 0, sizeof(info))
        result = getsockopt(self.descriptor, IPPROTO_TCP, TCP_INFO, &info, &size)
        if result == 0:
            result = getsockopt(self.descriptor, IPPROTO_TCP, TCP_REPAIR_WINDOW, &windows,
                                &windows_size)
        if result == 0 and info.tcpi_notsent_bytes == 0 and (stay_armed or not self.is_calibrated):
            result = self.arm()
            if result == 0 and not self.is_calibrated:
                result = self.calibrate(&info)
        if result != 0 or not stay_armed or info.tcpi_notsent_bytes:
            self.disarm()
        if result != 0:
            return -1
        self.is_connected = info.tcpi_state == ESTABLISHED or info.tcpi_state == CLOSE_WAIT
        self.has_timestamps = info.tcpi_options & TCPI_OPT_TIMESTAMPS
        self.is_supported = info.tcpi_options & (TCPI_OPT_ECN | TCPI_OPT_USEC_TS) == 0
        self.mss_bytes = info.tcpi_snd_mss
        self.unsent_bytes = info.tcpi_notsent_bytes
        self.retransmitted_segments = info.tcpi_total_retrans
        self.window_end = (self.first_acknowledged + <uint32_t> info.tcpi_bytes_acked
                           + info.tcpi_snd_wnd)
        # As tcp_packets_in_flight() counts.
        in_flight = (info.tcpi_unacked - info.tcpi_sacked - info.tcpi_lost + info.tcpi_retrans)
        self.room_segments = (info.tcpi_snd_cwnd - in_flight if in_flight < info.tcpi_snd_cwnd
                              else 0)
        self.is_settled = info.tcpi_unacked == 0 and info.tcpi_notsent_bytes == 0
        self.sent_segments = 0
        # The kernel's own last word: our segments repeat it, so that they neither acknowledge
        # what it has not, nor move the window's end.
        self.acknowledged = windows.rcv_wup
        self.window_bytes = windows.rcv_wnd
        windows.rcv_wnd >>= info.tcpi_rcv_wscale
        self.window = <uint16_t> min(windows.rcv_wnd, <uint32_t> 0xFFFF)
        self.refreshed_ns = monotonic_ns()
        if self.has_timestamps and self.stamp_parities != BOTH_PARITIES:
            self.sample_clock()
        self.is_known = self.is_calibrated and (not self.has_timestamps
                                                or self.stamp_parities == BOTH_PARITIES)
        return 0

    cdef int calibrate(self, void *information) noexcept nogil:
        """The next sequence number, and which number the count of acknowledged bytes stands for."""
        cdef tcp_info *info = <tcp_info *> information
        cdef uint32_t number = 0
        cdef uint64_t before
        cdef int unacknowledged = 0
        cdef socklen_t size
        for _ in range(CALIBRATIONS):
            before = info.tcpi_bytes_acked
            size = sizeof(number)
            if getsockopt(self.descriptor, IPPROTO_TCP, TCP_QUEUE_SEQ, &number, &size) != 0:
                return -1
            if ioctl(self.descriptor, SIOCOUTQ, &unacknowledged) != 0:
                return -1
            size = sizeof(info[0])
            if getsockopt(self.descriptor, IPPROTO_TCP, TCP_INFO, info, &size) != 0:
                return -1
            if info.tcpi_bytes_acked == before:  # no acknowledgement came in between
                self.sequence_number = number
                self.first_acknowledged = number - <uint32_t> unacknowledged - <uint32_t> before
                self.is_calibrated = True
                return 0
        return -1

    cdef void sample_clock(self) noexcept nogil:
        """Learn the offset of the time stamps from the clock.

        Since Linux 6.7 the lowest bit of the answer says something else and the rest is rounded
        down; the offset is the larger one of those seen in an even and in an odd millisecond.
        """
        cdef uint64_t before = monotonic_ns() // MILLISECOND_NS
        cdef uint32_t value = 0
        cdef socklen_t size = sizeof(value)
        cdef uint32_t offset
        if getsockopt(self.descriptor, IPPROTO_TCP, TCP_TIMESTAMP, &value, &size) != 0:
            return
        if monotonic_ns() // MILLISECOND_NS != before:
            return
        offset = value - <uint32_t> before
        if self.stamp_parities == 0 or <int> (offset - self.stamp_offset) > 0:
            self.stamp_offset = offset
        self.stamp_parities |= 2 if before & 1 else 1

    cdef uint32_t timestamp(self, uint64_t now_ns) noexcept nogil:
        """The time stamp that the kernel would put into a segment at this time."""
        return <uint32_t> (now_ns // MILLISECOND_NS) + self.stamp_offset

    cdef int account(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """Have the kernel take bytes as sent; how many it took, or a STREAM_* number.

        The socket must be armed. MSG_EOR keeps the kernel from corking them behind a segment that
        is still in a device's queue, and later bytes from joining them.
        """
        cdef ssize_t taken = c_send(self.descriptor, data, length,
                                    MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR)
        if taken >= 0:
            self.sequence_number += <uint32_t> taken
            self.sent_segments += 1
            return <int> taken
        if errno == EAGAIN or errno == EINTR or errno == ENOBUFS:
            return STREAM_WOULD_BLOCK
        return STREAM_CLOSED
