# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The kernel's side of an AF_PACKET port: socket, rings, filter, binding.

The rings lie in one mapping, the receive ring first. Of version 2 a ring is one block of frames;
of version 3 the receive ring is a number of blocks that frames of any length are packed into.
Source: kernel document ``networking/packet_mmap``; packet(7) of the Linux manual.
"""

import errno as error_numbers
import fcntl
import os
import socket
import struct

from libc.errno cimport errno
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from nic.packet_ring cimport (
    PACKET_IGNORE_OUTGOING, PACKET_QDISC_BYPASS, PACKET_RESERVE, PACKET_RX_RING, PACKET_STATISTICS,
    PACKET_TX_RING, PACKET_VERSION, TPACKET2_HDRLEN, TPACKET3_HDRLEN, TPACKET_ALIGNMENT, TPACKET_V2,
    TPACKET_V3, tpacket2_hdr, tpacket3_hdr, tpacket_req, tpacket_req3, tpacket_stats_v3)
from nic.wire.internet_codec cimport INTERNET_ETHERNET_LENGTH, INTERNET_VLAN_LENGTH

from nic.membership import attach_filter
from nic.port import PortError

cdef extern from "<sys/mman.h>":
    void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void *address, size_t length)
    int PROT_READ, PROT_WRITE, MAP_SHARED, MAP_POPULATE
    void *MAP_FAILED

cdef extern from "<sys/socket.h>":
    ctypedef unsigned int socklen_t
    int AF_PACKET, SOL_PACKET, SOL_SOCKET, SO_ERROR, SO_SNDBUFFORCE
    int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
    int setsockopt(int fd, int level, int name, const void *value, socklen_t size)

cdef extern from "<linux/if_ether.h>":
    int ETH_P_ALL

cdef enum:
    PAGE_BYTES = 4096
    CACHE_LINE_BYTES = 64
    LARGEST_HEADER_BYTES = 16     # the kernel's least room for a link-layer header
    MOST_RING_BYTES = 1 << 30

SIOCGIFFLAGS = 0x8913
IFF_UP = 1

ADVICE = {
    error_numbers.EPERM: " (needs CAP_NET_RAW: run as root)",
    error_numbers.EAFNOSUPPORT: " (this kernel is built without AF_PACKET)",
    error_numbers.ENOMEM: " (no memory for rings of this size: ask for fewer frames)",
    error_numbers.ENOPROTOOPT: " (this kernel is too old: 4.20 or newer is needed)",
}
"""What to do about an error of the kernel."""


cdef uint32_t rounded_up(uint32_t value, uint32_t unit) noexcept:
    """The next multiple of a unit."""
    return (value + unit - 1) // unit * unit


cdef class PacketSocket:
    """An AF_PACKET socket with its rings; ``name`` stands in the errors it raises.

    ``by_block`` makes the rings TPACKET_V3, otherwise TPACKET_V2. Raises
    :class:`~nic.port.PortError`.
    """

    def __cinit__(self, *args, **kwargs):
        """No socket, no memory."""
        self.descriptor = -1
        memset(&self.rx, 0, sizeof(self.rx))
        memset(&self.tx, 0, sizeof(self.tx))

    def __init__(self, str name not None, bint by_block):
        cdef int version = TPACKET_V3 if by_block else TPACKET_V2
        # Room in front of a frame: the tag that the kernel took out is put back there.
        cdef int reserve = INTERNET_VLAN_LENGTH
        cdef int yes = 1
        self.name = name
        self.by_block = by_block
        try:
            # Without a protocol nothing is received before everything is set up.
            self.handle = socket.socket(AF_PACKET, socket.SOCK_RAW, 0)
        except OSError as failure:
            raise self.failure("opening an AF_PACKET socket", failure.errno) from None
        self.descriptor = self.handle.fileno()
        self.set_option(SOL_PACKET, PACKET_VERSION, &version, sizeof(version),
                        f"choosing TPACKET_V{version + 1}")
        self.set_option(SOL_PACKET, PACKET_RESERVE, &reserve, sizeof(reserve), "reserving room")
        self.set_option(SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes),
                        "leaving out what is sent")

    def failure(self, str what, int error):
        """The error to raise: one line with what to do about it."""
        return PortError(f"{self.name}: {what}: {os.strerror(error)}{ADVICE.get(error, '')}")

    cdef int set_option(self, int level, int option, const void *value, uint32_t size,
                        str what) except -1:
        """One option of the socket."""
        if setsockopt(self.descriptor, level, option, value, size) != 0:
            raise self.failure(what, errno)
        return 0

    def receive_slot_bytes(self, uint32_t frame_bytes):
        """Size of a slot that a frame of ``frame_bytes`` can be received into (packet_mmap)."""
        cdef uint32_t header = TPACKET3_HDRLEN if self.by_block else TPACKET2_HDRLEN
        cdef uint32_t network = rounded_up(header + LARGEST_HEADER_BYTES, TPACKET_ALIGNMENT)
        return rounded_up(network + INTERNET_VLAN_LENGTH - INTERNET_ETHERNET_LENGTH + frame_bytes,
                          CACHE_LINE_BYTES)

    def make_receive_ring(self, uint32_t count, uint32_t slot_bytes, uint32_t timeout_ms):
        """A ring of frames, or of blocks that are handed over ``timeout_ms`` after their first."""
        self.make_ring(PACKET_RX_RING, &self.rx, count, slot_bytes, timeout_ms)
        self.receive_bytes = self.area_bytes

    def make_transmit_ring(self, uint32_t count, uint32_t frame_bytes):
        """A ring of frames to send, each up to ``frame_bytes`` long."""
        self.data_at = rounded_up(
            sizeof(tpacket3_hdr) if self.by_block else sizeof(tpacket2_hdr), TPACKET_ALIGNMENT)
        self.make_ring(PACKET_TX_RING, &self.tx, count,
                       rounded_up(self.data_at + frame_bytes, CACHE_LINE_BYTES), 0)

    def make_transmit_memory(self, uint32_t count, uint32_t frame_bytes):
        """Slots of our own for frames that are sent by one call each."""
        self.data_at = CACHE_LINE_BYTES
        self.tx.slot_bytes = rounded_up(self.data_at + frame_bytes, CACHE_LINE_BYTES)
        self.tx.count = count
        if not 0 < <uint64_t> count * self.tx.slot_bytes <= MOST_RING_BYTES:
            raise self.bad_size(count, self.tx.slot_bytes)
        self.own_slots = <uint8_t *> calloc(count, self.tx.slot_bytes)
        if self.own_slots == NULL:
            raise MemoryError(self.name)

    def bad_size(self, count, slot_bytes):
        """The error to raise about a ring that can't be."""
        return PortError(f"{self.name}: a ring of {count} times {slot_bytes} bytes: must be 1 to "
                         f"{MOST_RING_BYTES} bytes in all")

    cdef int make_ring(self, int option, SlotRing *ring, uint32_t count, uint32_t slot_bytes,
                       uint32_t timeout_ms) except -1:
        """Have the kernel make one ring; its memory follows what was made before."""
        cdef tpacket_req3 request
        cdef uint64_t size = <uint64_t> count * slot_bytes
        cdef bint is_blocks = self.by_block and option == PACKET_RX_RING
        if not 0 < size <= MOST_RING_BYTES:
            raise self.bad_size(count, slot_bytes)
        memset(&request, 0, sizeof(request))
        if is_blocks:
            request.tp_block_size = slot_bytes
            request.tp_block_nr = count
            request.tp_frame_size = slot_bytes
            request.tp_retire_blk_tov = timeout_ms
        else:
            # One block, so that a slot need not divide the size of a block.
            request.tp_block_size = (<uint32_t> size + PAGE_BYTES - 1) // PAGE_BYTES * PAGE_BYTES
            request.tp_block_nr = 1
            request.tp_frame_size = slot_bytes
            count = request.tp_block_size // slot_bytes
        request.tp_frame_nr = count
        self.set_option(SOL_PACKET, option, &request,
                        sizeof(tpacket_req3) if self.by_block else sizeof(tpacket_req),
                        "making a ring")
        ring.count = count
        ring.slot_bytes = slot_bytes
        self.area_bytes += <size_t> request.tp_block_size * request.tp_block_nr
        return 0

    def map_rings(self):
        """Map the rings; only then may they be used."""
        cdef void *area
        self.tx.slots = self.own_slots
        if self.area_bytes == 0:
            return
        area = mmap(NULL, self.area_bytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_POPULATE, self.descriptor, 0)
        if area == MAP_FAILED:
            raise self.failure("mapping the rings", errno)
        self.area = <uint8_t *> area
        self.rx.slots = self.area
        if self.own_slots == NULL:
            self.tx.slots = self.area + self.receive_bytes

    def set_filter(self, bytes program not None):
        """Receive what a classic BPF program takes."""
        try:
            attach_filter(self.handle, program)
        except OSError as failure:
            raise self.failure("attaching the filter", failure.errno) from None

    def bypass_queueing(self):
        """Send past the queueing discipline; whether the kernel knows that (3.14)."""
        cdef int yes = 1
        return setsockopt(self.descriptor, SOL_PACKET, PACKET_QDISC_BYPASS, &yes,
                          sizeof(yes)) == 0

    def set_send_buffer(self, uint32_t size):
        """Let so many bytes be on their way; best effort, needs CAP_NET_ADMIN."""
        cdef int wanted = <int> min(size, <uint32_t> 1 << 30)
        return setsockopt(self.descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &wanted,
                          sizeof(wanted)) == 0

    def bind(self, str interface not None, bint is_receiving):
        """Take the interface: for sending, and for receiving every protocol."""
        try:
            self.handle.bind((interface, ETH_P_ALL if is_receiving else 0))
        except OSError as failure:
            raise self.failure(f"binding to {interface}", failure.errno) from None

    def statistics(self):
        """Packets dropped and times receiving was stopped, since the last call."""
        cdef tpacket_stats_v3 found
        cdef socklen_t size = sizeof(found)
        memset(&found, 0, sizeof(found))
        if getsockopt(self.descriptor, SOL_PACKET, PACKET_STATISTICS, &found, &size) != 0:
            return 0, 0
        return found.tp_drops, found.tp_freeze_q_cnt

    def pending_error(self):
        """What happened to the interface since the last call, as an error number; 0 for nothing."""
        cdef int error = 0
        cdef socklen_t size = sizeof(error)
        getsockopt(self.descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
        return error

    def interface_state(self):
        """``up``, ``down`` or ``gone``: the interface that the socket is bound to."""
        name = self.handle.getsockname()[0]
        try:
            answer = fcntl.ioctl(self.handle, SIOCGIFFLAGS, struct.pack("@16sH14x", name.encode(),
                                                                        0))
        except OSError:
            return "gone"
        return "up" if struct.unpack_from("@H", answer, 16)[0] & IFF_UP else "down"

    def close(self):
        """Let go of the interface and of the rings.

        A mapped ring would keep the socket open in the kernel.
        """
        self.descriptor = -1
        self.unmap()
        if self.handle is not None:
            self.handle.close()
            self.handle = None

    cdef void unmap(self) noexcept:
        """Give the rings' mapping back."""
        if self.area != NULL:
            munmap(self.area, self.area_bytes)
            self.area = NULL

    def __dealloc__(self):
        """Give the memory back."""
        self.unmap()
        free(self.own_slots)
