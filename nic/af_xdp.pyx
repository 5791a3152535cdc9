# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""An AF_XDP socket as a port: frames from the driver to user memory, received without system calls.

The program that feeds it is :mod:`nic.xdp_program`, its memory :mod:`nic.xdp_socket`. A receive
frame is always in the fill ring, in the kernel's hands, in the receive ring or with the caller; a
transmit frame is free, in the transmit ring, in the kernel's hands or in the completion ring.
:meth:`AfXdpPort.frames_accounted` audits that. Source: kernel document ``networking/af_xdp``.
"""

import errno as error_numbers
import os
import socket
import struct
import time

from libc.errno cimport EAGAIN, EBUSY, EINTR, ENOBUFS, errno
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from nic.clock cimport rdtsc
from nic.ids cimport (
    PORT_FILL_EMPTY, PORT_RX_BYTES, PORT_RX_DROPPED, PORT_RX_PACKETS, PORT_TX_BYTES,
    PORT_TX_ERRORS, PORT_TX_FULL, PORT_TX_PACKETS, PORT_TX_TOO_LONG)
from nic.port cimport LAYER_FRAME
from nic.wire.internet_codec cimport INTERNET_ETHERNET_LENGTH, INTERNET_VLAN_LENGTH
from nic.xdp_ring cimport (
    XDP_RING_NEED_WAKEUP, XDP_STATISTICS, load_acquire, prefetch, ring_address, ring_descriptor,
    store_release, xdp_desc, xdp_statistics)
from nic.xdp_socket cimport XdpSocket

from nic import link
from nic.port import PortError

cdef extern from "<sys/socket.h>":
    ctypedef unsigned int socklen_t
    int SOL_XDP, MSG_DONTWAIT
    int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
    ssize_t c_sendto "sendto"(int fd, const void *data, size_t length, int flags,
                              const void *address, socklen_t size) noexcept nogil
    ssize_t c_recvfrom "recvfrom"(int fd, void *data, size_t length, int flags, void *address,
                                  socklen_t *size) noexcept nogil

cdef enum:
    KERNEL_HEADROOM = 256      # XDP_PACKET_HEADROOM: received frames begin that far into a chunk
    KICKS = 64                 # system calls of one flush, at most
    STAMP_BYTES = 8


cdef class AfXdpPort(Port):
    """One receive queue of an interface, and a way to transmit on it.

    ``destinations`` are the ``(IPv4 address, UDP port)`` pairs to take off the interface; multicast
    groups among them are joined (``join``). Without any the port only transmits. ``program`` is
    the :class:`~nic.xdp_program.XdpProgram` of another port of this interface, to be shared by
    the ports of several queues; ``destinations`` are then its.

    ``driver_mode`` is native, generic or best; ``copy_mode`` is copy, zero-copy or best. What was
    named and can't be had is an error; what ``best`` came to stands in :meth:`mode`.
    ``receive_frames`` and ``transmit_frames`` are powers of two: many receive frames outlast a
    burst, few stay in the cache (64 instead of 2048 save a tenth of a round trip).
    ``busy_poll_us`` above 0 has the receive calls poll the device (SO_PREFER_BUSY_POLL): right on
    most devices, wrong on veth. ``bind_seconds`` is how long to wait for a queue whose last owner
    is being cleaned up.

    Raises :class:`~nic.port.PortError`. Needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF.
    """

    def __cinit__(self, *args, **kwargs):
        """No socket, no memory."""
        self.layer = LAYER_FRAME
        self.descriptor = -1
        self.memberships = []
        self.notes = []

    def __init__(self, str interface not None, *, destinations=(), program=None,
                 uint32_t queue=0, str driver_mode="best", str copy_mode="best",
                 uint32_t receive_frames=2048, uint32_t transmit_frames=1024,
                 uint32_t chunk_bytes=0, bint stamps=True, bint join=True, bint huge_pages=True,
                 int busy_poll_us=0, int busy_poll_budget=64, int transmit_budget=256,
                 double bind_seconds=2.0, str name=""):
        self.interface = interface
        self.queue = queue
        self.name = name or f"af_xdp {interface} queue {queue}"
        if copy_mode not in ("copy", "zero-copy", "best"):
            raise PortError(f"{self.name}: copy mode must be copy, zero-copy or best, "
                            f"not {copy_mode!r}")
        try:
            facts = link.facts(interface)
            if not facts.is_up:
                raise PortError(f"{self.name}: the interface is down: ip link set {interface} up")
            chunk_bytes = self._size_frames(facts, chunk_bytes)
            self.socket = XdpSocket(self.name, receive_frames, transmit_frames, chunk_bytes)
            on_huge_pages = self.socket.register_memory(huge_pages)
            if huge_pages and not on_huge_pages:
                self.notes.append("no huge pages are free: sysctl vm.nr_hugepages")
            self._take_memory()
            self._load_program(destinations, program, driver_mode, stamps)
            self._bind(facts.index, copy_mode, bind_seconds)
            if not self.socket.set_transmit_budget(transmit_budget):
                self.notes.append("this kernel sends 32 frames a system call; 6.17 sends more")
            if busy_poll_us:
                self.socket.set_busy_polling(busy_poll_us, busy_poll_budget)
                self.busy_poll = True
            if self.program is not None:
                self.has_stamps = self.program.stamps
                self.program.insert(queue, self.socket.descriptor)
                if join:
                    self._join(facts.index)
            self._describe(facts, on_huge_pages, busy_poll_us)
        except ValueError as failure:
            self.close()
            raise PortError(f"{self.name}: {failure}") from None
        except BaseException:
            self.close()
            raise
        self.epoch_offset_ns = time.time_ns() - time.monotonic_ns()
        self.descriptor = self.socket.descriptor

    def _size_frames(self, facts, uint32_t chunk_bytes):
        """Room of a frame by the interface's MTU, unless it was given; sets the longest to send."""
        longest = facts.mtu_bytes + INTERNET_ETHERNET_LENGTH + INTERNET_VLAN_LENGTH
        if chunk_bytes == 0:
            chunk_bytes = 2048 if longest <= 2048 - KERNEL_HEADROOM else 4096
        if longest > chunk_bytes - KERNEL_HEADROOM:
            self.notes.append(f"frames longer than {chunk_bytes - KERNEL_HEADROOM} bytes are "
                              f"dropped by the kernel (the MTU is {facts.mtu_bytes})")
        # A longer frame than the device takes would be dropped by the kernel without a trace.
        self.longest_bytes = min(longest, <int> chunk_bytes)
        return chunk_bytes

    def _take_memory(self):
        """Own the rings: every receive frame into the fill ring, every transmit frame free."""
        cdef XdpSocket memory = self.socket
        cdef uint32_t i
        memory.make_rings()
        self.umem = memory.umem
        self.chunk_bytes = memory.chunk_bytes
        self.receive_frames = memory.receive_frames
        self.transmit_frames = memory.transmit_frames
        self.fill = memory.fill
        self.completion = memory.completion
        self.rx = memory.rx
        self.tx = memory.tx
        for i in range(self.receive_frames):
            ring_address(&self.fill, i)[0] = <uint64_t> i * self.chunk_bytes
        self.fill.position = self.receive_frames
        store_release(self.fill.producer, self.receive_frames)
        self.chunk_bits = int(self.chunk_bytes).bit_length() - 1
        self.free_frames = <uint64_t *> calloc(self.transmit_frames, sizeof(uint64_t))
        self.last_stamps = <uint64_t *> calloc(self.receive_frames, sizeof(uint64_t))
        if self.free_frames == NULL or self.last_stamps == NULL:
            raise MemoryError(self.name)
        for i in range(self.transmit_frames):
            self.free_frames[i] = <uint64_t> (self.receive_frames + i) * self.chunk_bytes
        self.free_count = self.transmit_frames

    def _load_program(self, destinations, program, driver_mode, stamps):
        """Load and attach the program, or share another port's."""
        if program is not None:
            self.program = program
            return
        destinations = tuple(destinations)
        if not destinations:
            return
        try:
            from nic.xdp_program import XdpProgram
        except ImportError as failure:
            raise PortError(f"{self.name}: libbpf is missing ({failure}): install libbpf-dev and "
                            "build again") from None
        self.program = XdpProgram(self.interface, destinations, driver_mode=driver_mode,
                                  stamps=stamps)
        self.owns_program = True
        self.program.attach()
        self.notes.extend(self.program.notes)

    def _bind(self, uint32_t index, str copy_mode, double seconds):
        """Take the queue in the mode asked for; what was got is read back from the kernel."""
        is_generic = self.program is not None and self.program.driver_mode == "generic"
        error = error_numbers.EOPNOTSUPP
        if copy_mode != "copy" and not is_generic:
            error = self.socket.bind(index, self.queue, True, seconds)
        if copy_mode == "best" and error in (error_numbers.EOPNOTSUPP, error_numbers.EINVAL):
            reason = "XDP is generic" if is_generic else os.strerror(error)
            self.notes.append(f"no zero-copy: {reason}")
        if copy_mode == "copy" or (copy_mode == "best" and error in (error_numbers.EOPNOTSUPP,
                                                                     error_numbers.EINVAL)):
            error = self.socket.bind(index, self.queue, False, seconds)
        if error:
            raise self.socket.failure(f"binding queue {self.queue} ({copy_mode})", error)
        self.zero_copy = self.socket.is_zero_copy()
        if copy_mode == "zero-copy" and not self.zero_copy:
            raise PortError(f"{self.name}: zero-copy was asked for and the kernel gave copy")

    def _join(self, int index):
        """Join the multicast groups (IGMP): AF_XDP itself joins nothing."""
        for group in sorted({address for address, _ in self.program.destinations}):
            packed = socket.inet_aton(group)
            if packed[0] >> 4 != 0xE:
                continue
            member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.memberships.append(member)
            try:
                member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                                  struct.pack("@4s4si", packed, bytes(4), index))
            except OSError as failure:
                raise self.socket.failure(f"joining {group}", failure.errno) from None

    def _describe(self, facts, bint on_huge_pages, int busy_poll_us):
        """The facts for :meth:`mode`."""
        program = self.program
        queues = facts.channels or facts.receive_queues
        if program is not None and queues > 1:
            self.notes.append(f"the interface has {queues} receive queues: packets of the others "
                              "do not arrive here (ethtool -L, or an ntuple rule)")
        # Without a program nothing is received; copies are sent by the kernel's generic path.
        driver_mode = "native" if self.zero_copy else "generic"
        if program is not None:
            driver_mode = program.driver_mode
        self.facts = {
            "kind": "af_xdp",
            "interface": self.interface,
            "driver_mode": driver_mode,
            "zero_copy": bool(self.zero_copy),
            "queue": self.queue,
            "timestamps": "xdp-monotonic" if program is not None and program.stamps else "none",
            "offloads": [],
            "notes": self.notes,
            "driver": facts.driver,
            "destinations": list(program.destinations) if program is not None else [],
            "receive_frames": self.receive_frames,
            "transmit_frames": self.transmit_frames,
            "chunk_bytes": self.chunk_bytes,
            "huge_pages": bool(on_huge_pages),
            "busy_poll_us": busy_poll_us,
        }

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil:
        """Frames from the receive ring; no system call unless the driver asks to be woken."""
        cdef uint32_t position = self.rx.position
        cdef uint32_t count, i
        cdef uint64_t tsc, stamp, size = 0
        cdef uint8_t *data
        cdef xdp_desc *entry
        if self.descriptor < 0:
            return 0
        count = load_acquire(self.rx.producer) - position
        if count == 0:
            if self.busy_poll or self.fill.flags[0] & XDP_RING_NEED_WAKEUP:
                c_recvfrom(self.descriptor, NULL, 0, MSG_DONTWAIT, NULL, NULL)
            return 0
        tsc = rdtsc()
        if count > <uint32_t> maximum:
            count = <uint32_t> maximum
        for i in range(count):
            entry = ring_descriptor(&self.rx, position + i)
            data = self.umem + entry.addr
            prefetch(data)
            stamp = self.stamp_of(entry.addr) if self.has_stamps else 0
            packets[i].data = data
            packets[i].length = entry.len
            packets[i].source_address = 0
            packets[i].source_port = 0
            packets[i].kernel_ns = stamp + <uint64_t> self.epoch_offset_ns if stamp else 0
            packets[i].tsc = tsc
            size += entry.len
        self.rx.position = position + count
        self.counts[PORT_RX_PACKETS] += count
        self.counts[PORT_RX_BYTES] += size
        return <int> count

    cdef uint64_t stamp_of(self, uint64_t address) noexcept nogil:
        """The time that the program wrote in front of a frame; 0 where it wrote none.

        Then the stamp of the chunk's last frame stands there still, so that one is remembered:
        to wipe it out would take the cache line away from the core that writes the next.
        """
        cdef uint64_t stamp = (<uint64_t *> (self.umem + address - STAMP_BYTES))[0]
        cdef uint64_t *last = &self.last_stamps[address >> self.chunk_bits]
        if stamp == last[0]:
            return 0
        last[0] = stamp
        return stamp

    cdef void release(self) noexcept nogil:
        """Frames of the last bursts go back into the fill ring."""
        cdef uint64_t mask = ~<uint64_t> (self.chunk_bytes - 1)
        cdef uint32_t position = self.fill.position
        cdef uint32_t index = self.released
        if index == self.rx.position or self.descriptor < 0:
            return
        while index != self.rx.position:
            ring_address(&self.fill, position)[0] = ring_descriptor(&self.rx, index).addr & mask
            position += 1
            index += 1
        self.fill.position = position
        self.released = index
        store_release(self.rx.consumer, index)
        store_release(self.fill.producer, position)

    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """Copy one frame into the transmit ring; :meth:`flush` has the kernel send it."""
        cdef uint64_t frame
        cdef xdp_desc *entry
        if length > self.longest_bytes:
            self.counts[PORT_TX_TOO_LONG] += 1
            return -1
        if length < INTERNET_ETHERNET_LENGTH or self.descriptor < 0:
            self.counts[PORT_TX_ERRORS] += 1
            return -1
        if self.free_count == 0:
            self.reclaim()
            if self.free_count == 0:
                self.counts[PORT_TX_FULL] += 1
                return -1
        self.free_count -= 1
        frame = self.free_frames[self.free_count]
        memcpy(self.umem + frame, data, length)
        # There are as many entries as frames: a free frame means a free entry.
        entry = ring_descriptor(&self.tx, self.tx.position)
        entry.addr = frame
        entry.len = length
        entry.options = 0
        self.tx.position += 1
        store_release(self.tx.producer, self.tx.position)
        self.counts[PORT_TX_PACKETS] += 1
        self.counts[PORT_TX_BYTES] += length
        return 0

    cdef void reclaim(self) noexcept nogil:
        """Sent frames become free again."""
        cdef uint32_t producer = load_acquire(self.completion.producer)
        cdef uint32_t position = self.completion.position
        if producer == position:
            return
        while position != producer:
            self.free_frames[self.free_count] = ring_address(&self.completion, position)[0]
            self.free_count += 1
            position += 1
        self.completion.position = position
        store_release(self.completion.consumer, position)

    cdef int flush(self) noexcept nogil:
        """Have the kernel send; how many frames it has not taken yet."""
        cdef int kicks = 0
        if self.descriptor < 0:
            return 0
        while (self.tx.position != load_acquire(self.tx.consumer) and kicks < KICKS
                and self.kick() == 0):
            # A driver that sends by itself needs one call; a copying kernel, one per budget.
            kicks = KICKS if self.zero_copy else kicks + 1
        # After the frames have left, and every time: the few frames in use stay in the cache.
        self.reclaim()
        return <int> (self.tx.position - load_acquire(self.tx.consumer))

    cdef int kick(self) noexcept nogil:
        """One wake-up of the kernel's transmit side; -1 where the rest must wait."""
        if not self.tx.flags[0] & XDP_RING_NEED_WAKEUP:
            return 0
        if c_sendto(self.descriptor, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0:
            return 0
        if errno == EAGAIN or errno == EINTR:  # its budget is used up: call again
            return 0
        if errno == ENOBUFS:                   # no room in the device, or for completions
            return -1
        self.counts[PORT_TX_ERRORS] += 1       # EBUSY: this frame was dropped, the next may go
        return 0 if errno == EBUSY else -1

    def counters(self):
        """Counters by name; the kernel's own drops are asked for here."""
        cdef xdp_statistics statistics
        cdef socklen_t size = sizeof(statistics)
        memset(&statistics, 0, sizeof(statistics))
        if self.descriptor >= 0 and getsockopt(self.descriptor, SOL_XDP, XDP_STATISTICS,
                                               &statistics, &size) == 0:
            self.counts[PORT_RX_DROPPED] = statistics.rx_dropped + statistics.rx_ring_full
            self.counts[PORT_FILL_EMPTY] = statistics.rx_fill_ring_empty_descs
        return Port.counters(self)

    def frames_accounted(self):
        """Where every frame is: ``receive`` and ``transmit``, each name to number of frames.

        ``kernel`` is counted from the kernel's ring indices, so that the sums prove something.
        Raises :class:`~nic.port.PortError` where a frame is missing, foreign or in two places.
        """
        if self.descriptor < 0:
            raise PortError(f"{self.name} is closed")
        fill_read = load_acquire(self.fill.consumer)
        rx_written = load_acquire(self.rx.producer)
        tx_read = load_acquire(self.tx.consumer)
        completed = load_acquire(self.completion.producer)
        fill = self._addresses(&self.fill, fill_read, self.fill.position, False)
        received = self._addresses(&self.rx, self.released, rx_written, True)
        queued = self._addresses(&self.tx, tx_read, self.tx.position, True)
        done = self._addresses(&self.completion, self.completion.position, completed, False)
        spare = [self.free_frames[i] for i in range(self.free_count)]
        receive = {"fill": len(fill), "rx": len(received),
                   "kernel": (fill_read - rx_written) & 0xFFFFFFFF}
        transmit = {"free": len(spare), "tx": len(queued), "completion": len(done),
                    "kernel": (tx_read - completed) & 0xFFFFFFFF}
        self._audit("receive", fill + received, receive, 0, self.receive_frames)
        self._audit("transmit", queued + done + spare, transmit, self.receive_frames,
                    self.transmit_frames)
        return {"receive": receive, "transmit": transmit}

    cdef list _addresses(self, Ring *ring, uint32_t first, uint32_t end, bint descriptors):
        """Chunk addresses of the entries first..end-1."""
        cdef list found = []
        cdef uint64_t address
        while first != end:
            if descriptors:
                address = ring_descriptor(ring, first).addr
            else:
                address = ring_address(ring, first)[0]
            found.append(address - address % self.chunk_bytes)
            first += 1
        return found

    def _audit(self, str what, list addresses, dict places, uint64_t first, uint64_t count):
        """Every frame in one place only, none foreign, and the sum is all of them."""
        frames = {address // self.chunk_bytes for address in addresses}
        if len(frames) != len(addresses):
            raise PortError(f"{self.name}: a {what} frame is in two places")
        if any(not first <= frame < first + count for frame in frames):
            raise PortError(f"{self.name}: a foreign frame among those to {what}")
        if sum(places.values()) != count:
            raise PortError(f"{self.name}: {count} {what} frames, found {places}")

    def mode(self):
        """What was truly got; also ``driver``, ``destinations``, ``receive_frames``,
        ``transmit_frames``, ``chunk_bytes``, ``huge_pages``, ``busy_poll_us``."""
        return dict(self.facts)

    def shared_program(self):
        """The XDP program, for a port on another queue of this interface; ``None`` for none."""
        return self.program

    def close(self):
        """Stop the flow, then give back queue and groups.

        Packets that were handed out stay readable as long as the object lives.
        """
        if self.descriptor >= 0:
            self.counters()
        if self.program is not None:
            self.program.remove(self.queue)
            if self.owns_program:
                self.program.close()
            self.program = None
        self.descriptor = -1
        if self.socket is not None:
            self.socket.close()
        for member in self.memberships:
            member.close()
        self.memberships = []

    def __dealloc__(self):
        """The tables of frames; the rest goes with the socket object."""
        free(self.free_frames)
        free(self.last_stamps)
