# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""An AF_PACKET socket with mapped rings as a port: frames of any interface, without an XDP driver.

The kernel copies each frame into a ring that we have mapped, and gives it to its own stack as well;
receiving needs no system call. A frame is handed over by itself (TPACKET_V2), or in blocks
(TPACKET_V3), which the kernel hands over when the next frame does not fit or milliseconds after
their first one. Sending is a call for each frame, or one call for all that lie in a mapped ring:
the call is the shorter way for one frame, the ring for sixteen (docs/performance.md).

The kernel's side is :mod:`nic.packet_socket`, its filter :mod:`nic.packet_filter`. Source: kernel
document ``networking/packet_mmap``.
"""

from libc.errno cimport EAGAIN, EINTR, EINVAL, EMSGSIZE, ENETDOWN, ENOBUFS, ENXIO, errno
from libc.string cimport memcpy, memmove
from nic.clock cimport rdtsc
from nic.ids cimport (
    PORT_INTERFACE_GONE, PORT_LINK_DOWN, PORT_RX_BYTES, PORT_RX_CHECKSUM_UNDONE, PORT_RX_DROPPED,
    PORT_RX_FROZEN, PORT_RX_PACKETS, PORT_RX_TRUNCATED, PORT_TX_BYTES, PORT_TX_ERRORS, PORT_TX_FULL,
    PORT_TX_LINK_DOWN, PORT_TX_PACKETS, PORT_TX_TOO_LONG)
from nic.packet_ring cimport (
    TP_STATUS_AVAILABLE, TP_STATUS_CSUMNOTREADY, TP_STATUS_KERNEL, TP_STATUS_SEND_REQUEST,
    TP_STATUS_USER, TP_STATUS_VLAN_TPID_VALID, TP_STATUS_VLAN_VALID, TP_STATUS_WRONG_FORMAT,
    ring_next, ring_slot, tpacket2_hdr, tpacket3_hdr, tpacket_block_desc)
from nic.port cimport LAYER_FRAME
from nic.wire.internet_codec cimport (
    INTERNET_ETHERNET_ETHERTYPE_OFFSET, INTERNET_ETHERNET_LENGTH, INTERNET_ETHERTYPE_VLAN,
    INTERNET_VLAN_LENGTH, internet_ethernet_ethertype, internet_ethernet_put_ethertype,
    internet_vlan_put_tag_control)
from nic.xdp_ring cimport load_acquire, prefetch, store_release

from nic import link, packet_filter
from nic.membership import JoinError, hold_ports, join_groups
from nic.port import PortError

cdef extern from "<sys/socket.h>":
    int MSG_DONTWAIT
    ssize_t c_send "send"(int fd, const void *data, size_t length, int flags) noexcept nogil

cdef enum:
    KICKS = 64                 # system calls of one flush, at most
    NS_PER_SECOND = 1000000000


cdef class AfPacketPort(Port):
    """All receive queues of an interface, and a way to transmit on it.

    ``destinations`` are the ``(IPv4 address, UDP port)`` pairs to receive; multicast groups among
    them are joined (``join``), unicast ports held by a socket that drops everything (``hold``), or
    else the kernel would answer them with ICMP. Without any the port only transmits.

    ``handover`` is ``frame`` (each frame at once, from a ring of ``receive_frames``) or ``block``
    (from ``blocks`` of ``block_bytes``, at the latest ``block_timeout_ms`` after a block's first
    frame: fewer bytes for small frames, milliseconds later). ``frame_bytes`` is room for a frame,
    by the MTU unless given; a longer one is counted as ``rx_truncated`` and dropped. ``sending`` is
    ``call`` (one for each frame) or ``ring`` (one for all of a flush, PACKET_TX_RING). There is no
    fan-out: one socket gets the frames of every queue. Frames that this host sends are left out.

    When the interface goes down, what was to be sent is given up (``tx_link_down``): an order must
    not leave late. A port whose interface was removed stays dead; open another. Frames handed out
    end with :meth:`close`. Raises :class:`~nic.port.PortError`. Needs CAP_NET_RAW.
    """

    def __cinit__(self, *args, **kwargs):
        """No socket, no memory."""
        self.layer = LAYER_FRAME
        self.descriptor = -1
        self.members = []
        self.notes = []

    def __init__(self, str interface not None, *, destinations=(), str handover="frame",
                 uint32_t receive_frames=2048, uint32_t transmit_frames=256,
                 uint32_t frame_bytes=0, uint32_t blocks=64, uint32_t block_bytes=65536,
                 uint32_t block_timeout_ms=1, str sending="call", bint join=True, bint hold=True,
                 str name=""):
        self.interface = interface
        self.name = name or f"af_packet {interface}"
        if handover not in ("frame", "block"):
            raise PortError(f"{self.name}: handover must be frame or block, not {handover!r}")
        if sending not in ("call", "ring"):
            raise PortError(f"{self.name}: sending must be call or ring, not {sending!r}")
        self.by_block = handover == "block"
        self.by_call = sending == "call"
        try:
            self.destinations = packet_filter.checked(destinations)
            facts = link.facts(interface)
            if not facts.is_up:
                raise PortError(f"{self.name}: the interface is down: ip link set {interface} up")
            self.longest_bytes = facts.mtu_bytes + INTERNET_ETHERNET_LENGTH
            self.socket = PacketSocket(self.name, self.by_block)
            self._make_rings(receive_frames, transmit_frames, frame_bytes, blocks, block_bytes,
                             block_timeout_ms)
            self.socket.bind(interface, bool(self.destinations))
            if join:
                self.members += join_groups(self.destinations, facts.index)
            if hold:
                self.members += hold_ports(self.destinations)
        except JoinError as failure:
            self.close()
            raise self.socket.failure(f"joining {failure.group}", failure.errno) from None
        except ValueError as failure:
            self.close()
            raise PortError(f"{self.name}: {failure}") from None
        except BaseException:
            self.close()
            raise
        self.descriptor = self.socket.descriptor
        self._describe(facts, handover, block_timeout_ms)

    def _make_rings(self, uint32_t receive_frames, uint32_t transmit_frames, uint32_t frame_bytes,
                    uint32_t blocks, uint32_t block_bytes, uint32_t block_timeout_ms):
        """Rings, filter and options of the socket."""
        cdef PacketSocket memory = self.socket
        cdef uint32_t tagged_bytes = self.longest_bytes + INTERNET_VLAN_LENGTH
        if self.destinations:
            slot_bytes = memory.receive_slot_bytes(frame_bytes or tagged_bytes)
            if not self.by_block:
                memory.make_receive_ring(receive_frames, slot_bytes, 0)
            elif block_bytes % 4096 or block_bytes < slot_bytes or not block_timeout_ms:
                raise PortError(f"{self.name}: block_bytes must be whole pages with room for a "
                                f"frame ({slot_bytes} bytes), block_timeout_ms 1 or more")
            else:
                memory.make_receive_ring(blocks, block_bytes, block_timeout_ms)
            memory.set_filter(packet_filter.packed(packet_filter.instructions(self.destinations)))
        if self.by_call:
            memory.make_transmit_memory(transmit_frames, tagged_bytes)
        else:
            memory.make_transmit_ring(transmit_frames, tagged_bytes)
        memory.map_rings()
        memory.set_send_buffer(transmit_frames * memory.tx.slot_bytes)
        if not memory.bypass_queueing():
            self.notes.append("what is sent goes through the queueing discipline")
        self.rx = memory.rx
        self.tx = memory.tx
        self.data_at = memory.data_at

    def _describe(self, facts, str handover, uint32_t block_timeout_ms):
        """The facts for :meth:`mode`."""
        if facts.mtu_bytes > 1500 and "rx-gro" in facts.offloads:
            self.notes.append("rx-gro may merge datagrams before they get here")
        if self.by_block:
            self.notes.append(f"a frame may wait {block_timeout_ms} ms and more for its block")
        self.facts = {
            "kind": "af_packet",
            "interface": self.interface,
            "driver_mode": "socket",
            "zero_copy": False,
            "queue": None,
            "timestamps": "kernel-software" if self.destinations else "none",
            "offloads": [],
            "notes": self.notes,
            "driver": facts.driver,
            "destinations": list(self.destinations),
            "handover": handover,
            "ring_version": 3 if self.by_block else 2,
            "receive_slots": self.rx.count,
            "receive_slot_bytes": self.rx.slot_bytes,
            "transmit_frames": self.tx.count,
            "block_timeout_ms": block_timeout_ms if self.by_block else 0,
            "sending": "call" if self.by_call else "ring",
        }

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil:
        """Frames from the ring, without a system call; truncated ones are counted and left out."""
        cdef int count
        cdef int i
        cdef uint64_t size = 0
        if self.descriptor < 0 or self.rx.count == 0:
            return 0
        if self.by_block:
            count = self.receive_blocks(packets, maximum, rdtsc())
        else:
            count = self.receive_frames(packets, maximum, rdtsc())
        if count == 0:
            if self.rx.held:
                self.release()  # all were truncated: nobody else would give them back
            return 0
        for i in range(count):
            size += packets[i].length
        self.counts[PORT_RX_PACKETS] += <uint64_t> count
        self.counts[PORT_RX_BYTES] += size
        return count

    cdef int receive_frames(self, Packet *packets, int maximum, uint64_t tsc) noexcept nogil:
        """Walk a ring of frames."""
        cdef tpacket2_hdr *header
        cdef uint32_t status
        cdef int count = 0
        while count < maximum and self.rx.held < self.rx.count:
            header = <tpacket2_hdr *> ring_slot(&self.rx, self.rx.position)
            status = load_acquire(&header.tp_status)
            if not status & TP_STATUS_USER:
                break
            prefetch(<uint8_t *> header + header.tp_mac)
            self.rx.position = ring_next(&self.rx, self.rx.position)
            self.rx.held += 1
            if self.take(&packets[count], <uint8_t *> header + header.tp_mac, header.tp_len,
                         header.tp_snaplen, status, header.tp_vlan_tci, header.tp_vlan_tpid):
                packets[count].kernel_ns = (<uint64_t> header.tp_sec * NS_PER_SECOND
                                            + header.tp_nsec)
                packets[count].tsc = tsc
                count += 1
        return count

    cdef int receive_blocks(self, Packet *packets, int maximum, uint64_t tsc) noexcept nogil:
        """Walk a ring of blocks, frame by frame; a block may last for several bursts."""
        cdef tpacket_block_desc *block
        cdef tpacket3_hdr *header
        cdef int count = 0
        while count < maximum:
            if self.frames_left == 0:
                block = <tpacket_block_desc *> ring_slot(&self.rx, self.rx.position)
                if (self.rx.held == self.rx.count
                        or not load_acquire(&block.hdr.bh1.block_status) & TP_STATUS_USER):
                    break
                self.frames_left = block.hdr.bh1.num_pkts
                self.next_frame = <uint8_t *> block + block.hdr.bh1.offset_to_first_pkt
                if self.frames_left == 0:  # handed over by the timer with nothing in it
                    self.rx.position = ring_next(&self.rx, self.rx.position)
                    self.rx.held += 1
                    continue
            header = <tpacket3_hdr *> self.next_frame
            if self.take(&packets[count], self.next_frame + header.tp_mac, header.tp_len,
                         header.tp_snaplen, header.tp_status, <uint16_t> header.hv1.tp_vlan_tci,
                         header.hv1.tp_vlan_tpid):
                packets[count].kernel_ns = (<uint64_t> header.tp_sec * NS_PER_SECOND
                                            + header.tp_nsec)
                packets[count].tsc = tsc
                count += 1
            self.next_frame += header.tp_next_offset
            self.frames_left -= 1
            if self.frames_left:
                prefetch(self.next_frame)
            else:
                self.rx.position = ring_next(&self.rx, self.rx.position)
                self.rx.held += 1
        return count

    cdef bint take(self, Packet *packet, uint8_t *frame, uint32_t length, uint32_t captured,
                   uint32_t status, uint16_t tag, uint16_t tag_type) noexcept nogil:
        """Fill in one packet as it was on the wire; False where it is not whole."""
        if captured != length:
            self.counts[PORT_RX_TRUNCATED] += 1
            return False
        if status & TP_STATUS_CSUMNOTREADY:
            self.counts[PORT_RX_CHECKSUM_UNDONE] += 1
        if status & TP_STATUS_VLAN_VALID:
            # The kernel took the tag out: both addresses move forward, and it stands again between
            # them and the ethertype, which lies where the tag's own belongs.
            memmove(frame - INTERNET_VLAN_LENGTH, frame, INTERNET_ETHERNET_ETHERTYPE_OFFSET)
            frame -= INTERNET_VLAN_LENGTH
            length += INTERNET_VLAN_LENGTH
            internet_ethernet_put_ethertype(
                frame, tag_type if status & TP_STATUS_VLAN_TPID_VALID else INTERNET_ETHERTYPE_VLAN)
            internet_vlan_put_tag_control(frame + INTERNET_ETHERNET_LENGTH, tag)
        packet.data = frame
        packet.length = length
        packet.source_address = 0
        packet.source_port = 0
        return True

    cdef void release(self) noexcept nogil:
        """Give frames, or blocks that were walked to their end, back to the kernel."""
        cdef uint8_t *slot
        while self.rx.held:
            slot = ring_slot(&self.rx, self.rx.oldest)
            if self.by_block:
                store_release(&(<tpacket_block_desc *> slot).hdr.bh1.block_status,
                              TP_STATUS_KERNEL)
            else:
                store_release(&(<tpacket2_hdr *> slot).tp_status, TP_STATUS_KERNEL)
            self.rx.oldest = ring_next(&self.rx, self.rx.oldest)
            self.rx.held -= 1

    cdef uint32_t *status_of(self, uint32_t index) noexcept nogil:
        """Status word of a slot of the transmit ring."""
        cdef uint8_t *slot = ring_slot(&self.tx, index)
        if self.by_block:
            return &(<tpacket3_hdr *> slot).tp_status
        return &(<tpacket2_hdr *> slot).tp_status

    cdef uint32_t *length_of(self, uint32_t index) noexcept nogil:
        """Where the length of the frame in a slot stands."""
        cdef uint8_t *slot = ring_slot(&self.tx, index)
        if self.by_block:
            return &(<tpacket3_hdr *> slot).tp_len
        return &(<tpacket2_hdr *> slot).tp_len

    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """Copy one frame into the next slot; :meth:`flush` has the kernel send it."""
        cdef uint32_t longest = self.longest_bytes
        cdef uint32_t index = self.tx.position
        if length < INTERNET_ETHERNET_LENGTH or self.descriptor < 0:
            self.counts[PORT_TX_ERRORS] += 1
            return -1
        if internet_ethernet_ethertype(data) == INTERNET_ETHERTYPE_VLAN:
            longest += INTERNET_VLAN_LENGTH
        if length > longest:
            self.counts[PORT_TX_TOO_LONG] += 1
            return -1
        if self.is_gone:
            self.counts[PORT_TX_LINK_DOWN] += 1
            return -1
        if self.tx.held == self.tx.count or not (
                self.by_call or load_acquire(self.status_of(index)) == TP_STATUS_AVAILABLE):
            self.counts[PORT_TX_FULL] += 1
            return -1
        memcpy(ring_slot(&self.tx, index) + self.data_at, data, length)
        self.length_of(index)[0] = length
        if not self.by_call:
            store_release(self.status_of(index), TP_STATUS_SEND_REQUEST)
        self.tx.position = ring_next(&self.tx, index)
        self.tx.held += 1
        return 0

    cdef int flush(self) noexcept nogil:
        """Have the kernel send; how many frames it has not taken yet."""
        if self.tx.held == 0 or self.descriptor < 0:
            return 0
        return self.flush_calls() if self.by_call else self.flush_ring()

    cdef int flush_calls(self) noexcept nogil:
        """Send each frame by a call."""
        cdef int tries = 0
        cdef uint32_t index
        while self.tx.held:
            index = self.tx.oldest
            if c_send(self.descriptor, ring_slot(&self.tx, index) + self.data_at,
                      self.length_of(index)[0], MSG_DONTWAIT) >= 0:
                self.is_down = False
                self.forget_oldest(True)
            elif errno == EMSGSIZE or errno == EINVAL:  # the MTU got less
                self.counts[PORT_TX_TOO_LONG] += 1
                self.forget_oldest(False)
            elif not self.go_on(errno, &tries):
                break
        return <int> self.tx.held

    cdef int flush_ring(self) noexcept nogil:
        """Have all be sent by one call, or by as many as it takes."""
        cdef int kicks = 0, tries = 0
        cdef ssize_t result
        while self.tx.held and kicks < KICKS:
            kicks += 1
            result = c_send(self.descriptor, NULL, 0, MSG_DONTWAIT)
            while self.tx.held and load_acquire(self.status_of(self.tx.oldest)) not in (
                    TP_STATUS_SEND_REQUEST, TP_STATUS_WRONG_FORMAT):
                self.forget_oldest(True)
            if result >= 0:
                self.is_down = False
            elif errno == EMSGSIZE or errno == EINVAL:
                self.skip_refused()
            elif not self.go_on(errno, &tries):
                break
        return <int> self.tx.held

    cdef void forget_oldest(self, bint is_sent) noexcept nogil:
        """The oldest frame is no longer waiting; count it where it was sent."""
        if is_sent:
            self.counts[PORT_TX_PACKETS] += 1
            self.counts[PORT_TX_BYTES] += self.length_of(self.tx.oldest)[0]
        self.tx.oldest = ring_next(&self.tx, self.tx.oldest)
        self.tx.held -= 1

    cdef bint go_on(self, int error, int *tries) noexcept nogil:
        """Whether to try again after an error that is not of one frame; what can't go is given up.

        One ENETDOWN is left over from the last time the link went down: it is tried again.
        """
        if error == EINTR:
            return True
        if error == EAGAIN or error == ENOBUFS:
            return False    # no room in the socket or the device: the next flush may find some
        if error == ENXIO:
            self.is_gone = True
            self.counts[PORT_INTERFACE_GONE] += 1
            self.give_up(PORT_TX_LINK_DOWN)
        elif error != ENETDOWN:
            self.give_up(PORT_TX_ERRORS)
        elif tries[0]:
            self.give_up(PORT_TX_LINK_DOWN)
        else:
            tries[0] += 1
            if not self.is_down:
                self.is_down = True
                self.counts[PORT_LINK_DOWN] += 1
            return True
        return False

    cdef void give_up(self, int reason) noexcept nogil:
        """Take back what was to be sent: it must not leave late, when the link comes back."""
        self.counts[reason] += self.tx.held
        self.tx.position = self.tx.oldest
        while self.tx.held:
            if not self.by_call:
                store_release(self.status_of(self.tx.oldest), TP_STATUS_AVAILABLE)
            self.forget_oldest(False)
        self.tx.oldest = self.tx.position

    cdef void skip_refused(self) noexcept nogil:
        """Take out the frame of the ring that the kernel refused, and stops at.

        Those behind it move forward by one slot, since the kernel does not go on by itself.
        """
        cdef uint32_t index = self.tx.oldest, behind
        if not self.tx.held:
            return
        self.counts[PORT_TX_TOO_LONG] += 1
        for _ in range(<int> self.tx.held - 1):
            behind = ring_next(&self.tx, index)
            memcpy(ring_slot(&self.tx, index) + self.data_at,
                   ring_slot(&self.tx, behind) + self.data_at, self.length_of(behind)[0])
            self.length_of(index)[0] = self.length_of(behind)[0]
            store_release(self.status_of(index), TP_STATUS_SEND_REQUEST)
            index = behind
        store_release(self.status_of(index), TP_STATUS_AVAILABLE)
        self.tx.position = index
        self.tx.held -= 1

    def counters(self):
        """Counters by name; the kernel's drops and the interface's state are asked for here."""
        if self.descriptor >= 0:
            drops, stops = self.socket.statistics()
            self.counts[PORT_RX_DROPPED] += <uint64_t> drops
            self.counts[PORT_RX_FROZEN] += <uint64_t> stops
            self._look_at_interface()
        return Port.counters(self)

    def _look_at_interface(self):
        """Notice that it went down, came back or was removed."""
        error = self.socket.pending_error()
        state = self.socket.interface_state()
        if state == "gone" and not self.is_gone:
            self.is_gone = True
            self.counts[PORT_INTERFACE_GONE] += 1
        elif not self.is_gone and not self.is_down and (error == ENETDOWN or state == "down"):
            self.counts[PORT_LINK_DOWN] += 1
        self.is_down = state == "down"

    def mode(self):
        """What was truly got; also ``driver``, ``destinations``, ``handover``, ``ring_version``,
        ``receive_slots``, ``receive_slot_bytes``, ``transmit_frames``, ``block_timeout_ms``,
        ``sending``."""
        if self.descriptor >= 0:
            self._look_at_interface()
        found = dict(self.facts)
        if self.is_gone:
            found["notes"] = [*self.notes, "the interface is gone"]
        elif self.is_down:
            found["notes"] = [*self.notes, "the interface is down"]
        return found

    def close(self):
        """Give back rings, groups and ports; frames that were handed out end here."""
        if self.descriptor >= 0:
            self.counters()
        self.descriptor = -1
        if self.socket is not None:
            self.socket.close()
        for member in self.members:
            member.close()
        self.members = []
