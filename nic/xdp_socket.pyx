# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The kernel's side of an AF_XDP port: socket, umem, rings, binding.

The umem is an area of chunks of equal size, one frame each: the first ``receive_frames`` are for
receiving, the ``transmit_frames`` behind them for transmitting. Source: kernel document
``networking/af_xdp``.
"""

import errno as error_numbers
import os
import socket
import time

from libc.errno cimport EBUSY, errno
from libc.string cimport memset
from nic.xdp_ring cimport (
    XDP_COPY, XDP_MAX_TX_SKB_BUDGET, XDP_MMAP_OFFSETS, XDP_OPTIONS, XDP_OPTIONS_ZEROCOPY,
    XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_RX_RING, XDP_TX_RING, XDP_UMEM_COMPLETION_RING,
    XDP_UMEM_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING, XDP_UMEM_PGOFF_FILL_RING, XDP_UMEM_REG,
    XDP_USE_NEED_WAKEUP, XDP_ZEROCOPY, sockaddr_xdp, xdp_desc, xdp_mmap_offsets, xdp_options,
    xdp_umem_reg)

from nic.port import PortError

cdef extern from "<sys/mman.h>":
    void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void *address, size_t length)
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_POPULATE, MAP_HUGETLB
    void *MAP_FAILED

cdef extern from "<sys/socket.h>":
    ctypedef unsigned int socklen_t
    struct sockaddr:
        pass
    int AF_XDP, SOL_XDP, SOL_SOCKET, SO_BUSY_POLL, SO_BUSY_POLL_BUDGET, SO_PREFER_BUSY_POLL
    int c_bind "bind"(int fd, const sockaddr *address, socklen_t size)
    int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
    int setsockopt(int fd, int level, int name, const void *value, socklen_t size)

cdef enum:
    HUGE_PAGE_BYTES = 2097152

REBIND_SECONDS = 0.01
"""Pause between attempts to bind a queue that its last owner has not let go of yet."""

ADVICE = {
    error_numbers.EPERM: " (needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF: run as root)",
    error_numbers.ENOBUFS: " (raise the limit of locked memory: ulimit -l unlimited)",
    error_numbers.EAFNOSUPPORT: " (this kernel is built without AF_XDP)",
    error_numbers.EOPNOTSUPP: " (the driver cannot do that)",
    error_numbers.EINVAL: " (no such queue, or the driver cannot do that)",
    error_numbers.EBUSY: " (another socket holds the queue)",
}
"""What to do about an error of the kernel."""


cdef class XdpSocket:
    """An AF_XDP socket with its memory; ``name`` stands in the errors it raises.

    ``receive_frames`` and ``transmit_frames`` are powers of two, ``chunk_bytes`` is 2048 or 4096.
    Raises :class:`~nic.port.PortError`.
    """

    def __cinit__(self, *args, **kwargs):
        """No socket, no memory."""
        self.descriptor = -1
        memset(&self.fill, 0, sizeof(Ring))
        memset(&self.completion, 0, sizeof(Ring))
        memset(&self.rx, 0, sizeof(Ring))
        memset(&self.tx, 0, sizeof(Ring))

    def __init__(self, str name not None, uint32_t receive_frames, uint32_t transmit_frames,
                 uint32_t chunk_bytes):
        self.name = name
        for frames in (receive_frames, transmit_frames):
            if not 0 < frames <= 1 << 20 or frames & (frames - 1):
                raise PortError(f"{name}: {frames} frames: must be a power of two")
        if chunk_bytes not in (2048, 4096):
            raise PortError(f"{name}: chunk_bytes must be 2048 or 4096, not {chunk_bytes}")
        self.receive_frames = receive_frames
        self.transmit_frames = transmit_frames
        self.chunk_bytes = chunk_bytes
        try:
            self.handle = socket.socket(AF_XDP, socket.SOCK_RAW, 0)
        except OSError as failure:
            raise self.failure("opening an AF_XDP socket", failure.errno) from None
        self.descriptor = self.handle.fileno()

    def failure(self, str what, int error):
        """The error to raise: one line with what to do about it."""
        return PortError(f"{self.name}: {what}: {os.strerror(error)}{ADVICE.get(error, '')}")

    cdef int set_option(self, int name, const void *value, uint32_t size, str what) except -1:
        """One option of the AF_XDP level."""
        if setsockopt(self.descriptor, SOL_XDP, name, value, size) != 0:
            raise self.failure(what, errno)
        return 0

    def register_memory(self, bint huge_pages):
        """Memory for all frames, shared with the kernel; whether it lies on huge pages."""
        cdef size_t size = <size_t> (self.receive_frames + self.transmit_frames) * self.chunk_bytes
        cdef int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE
        cdef void *area = MAP_FAILED
        cdef xdp_umem_reg registration
        if huge_pages:
            self.umem_bytes = (size + HUGE_PAGE_BYTES - 1) // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES
            area = mmap(NULL, self.umem_bytes, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB, -1, 0)
        on_huge_pages = area != MAP_FAILED
        if not on_huge_pages:
            self.umem_bytes = size
            area = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0)
            if area == MAP_FAILED:
                raise self.failure("reserving the umem", errno)
        self.umem = <uint8_t *> area
        memset(&registration, 0, sizeof(registration))
        registration.addr = <uint64_t> <size_t> area
        registration.len = size
        registration.chunk_size = self.chunk_bytes
        self.set_option(XDP_UMEM_REG, &registration, sizeof(registration), "registering the umem")
        return on_huge_pages

    def make_rings(self):
        """Make and map the four rings, each with room for every frame it may have to hold."""
        cdef xdp_mmap_offsets at
        cdef socklen_t size = sizeof(at)
        cdef uint32_t received = self.receive_frames
        cdef uint32_t sent = self.transmit_frames
        self.make_ring(XDP_UMEM_FILL_RING, received)
        self.make_ring(XDP_UMEM_COMPLETION_RING, sent)
        self.make_ring(XDP_RX_RING, received)
        self.make_ring(XDP_TX_RING, sent)
        if getsockopt(self.descriptor, SOL_XDP, XDP_MMAP_OFFSETS, &at, &size) != 0:
            raise self.failure("asking for the rings' layout", errno)
        if size != sizeof(at):
            raise PortError(f"{self.name}: the kernel is too old: 5.4 or newer is needed")
        self.map_ring(&self.fill, received, XDP_UMEM_PGOFF_FILL_RING, at.fr.producer,
                      at.fr.consumer, at.fr.desc, at.fr.flags, sizeof(uint64_t))
        self.map_ring(&self.completion, sent, XDP_UMEM_PGOFF_COMPLETION_RING, at.cr.producer,
                      at.cr.consumer, at.cr.desc, at.cr.flags, sizeof(uint64_t))
        self.map_ring(&self.rx, received, XDP_PGOFF_RX_RING, at.rx.producer, at.rx.consumer,
                      at.rx.desc, at.rx.flags, sizeof(xdp_desc))
        self.map_ring(&self.tx, sent, XDP_PGOFF_TX_RING, at.tx.producer, at.tx.consumer,
                      at.tx.desc, at.tx.flags, sizeof(xdp_desc))

    cdef int make_ring(self, int name, uint32_t entries) except -1:
        """Have the kernel make one ring."""
        return self.set_option(name, &entries, sizeof(entries), "making a ring")

    cdef int map_ring(self, Ring *ring, uint32_t entries, uint64_t page_offset,
                      uint64_t producer, uint64_t consumer, uint64_t entries_at, uint64_t flags,
                      size_t entry_bytes) except -1:
        """Map one ring."""
        cdef size_t size = <size_t> entries_at + entries * entry_bytes
        cdef void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                               self.descriptor, <long> page_offset)
        if area == MAP_FAILED:
            raise self.failure("mapping a ring", errno)
        ring.area = area
        ring.area_bytes = size
        ring.producer = <uint32_t *> (<uint8_t *> area + producer)
        ring.consumer = <uint32_t *> (<uint8_t *> area + consumer)
        ring.flags = <uint32_t *> (<uint8_t *> area + flags)
        ring.entries = <uint8_t *> area + entries_at
        ring.mask = entries - 1
        ring.position = 0
        return 0

    def bind(self, uint32_t index, uint32_t queue, bint zero_copy, double seconds):
        """Take a queue of the interface ``index``; 0 or the error number.

        Waits up to ``seconds`` for a queue whose last owner the kernel is still cleaning up.
        """
        cdef sockaddr_xdp address
        memset(&address, 0, sizeof(address))
        address.sxdp_family = <unsigned short> AF_XDP
        address.sxdp_flags = <unsigned short> (
            XDP_USE_NEED_WAKEUP | (XDP_ZEROCOPY if zero_copy else XDP_COPY))
        address.sxdp_ifindex = index
        address.sxdp_queue_id = queue
        limit = time.monotonic() + seconds
        while c_bind(self.descriptor, <sockaddr *> &address, sizeof(address)) != 0:
            error = errno
            if error != EBUSY or time.monotonic() >= limit:
                return error
            time.sleep(REBIND_SECONDS)
        return 0

    def is_zero_copy(self):
        """What the kernel says of the mode that was got."""
        cdef xdp_options options
        cdef socklen_t size = sizeof(options)
        if getsockopt(self.descriptor, SOL_XDP, XDP_OPTIONS, &options, &size) != 0:
            raise self.failure("reading the mode back", errno)
        return options.flags & XDP_OPTIONS_ZEROCOPY != 0

    def set_transmit_budget(self, int frames):
        """How many frames one system call may send in copy mode; whether the kernel knows that."""
        return setsockopt(self.descriptor, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &frames,
                          sizeof(frames)) == 0

    def set_busy_polling(self, int microseconds, int budget):
        """Have the socket's receive calls poll the device (SO_PREFER_BUSY_POLL)."""
        try:
            self.handle.setsockopt(SOL_SOCKET, SO_PREFER_BUSY_POLL, 1)
            self.handle.setsockopt(SOL_SOCKET, SO_BUSY_POLL, microseconds)
            self.handle.setsockopt(SOL_SOCKET, SO_BUSY_POLL_BUDGET, budget)
        except OSError as failure:
            raise self.failure("setting busy polling", failure.errno) from None

    def close(self):
        """Let go of the queue; the umem stays until the object goes, the rings do not.

        A mapped ring would keep the socket open in the kernel, and its queue taken.
        """
        self.descriptor = -1
        self.unmap(&self.fill)
        self.unmap(&self.completion)
        self.unmap(&self.rx)
        self.unmap(&self.tx)
        if self.handle is not None:
            self.handle.close()
            self.handle = None

    cdef void unmap(self, Ring *ring) noexcept:
        """Give one ring's mapping back."""
        if ring.area != NULL:
            munmap(ring.area, ring.area_bytes)
            ring.area = NULL

    def __dealloc__(self):
        """Give the memory back."""
        self.unmap(&self.fill)
        self.unmap(&self.completion)
        self.unmap(&self.rx)
        self.unmap(&self.tx)
        if self.umem != NULL:
            munmap(self.umem, self.umem_bytes)
