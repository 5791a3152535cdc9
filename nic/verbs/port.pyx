# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A raw-packet queue pair as a port: frames between the card and user memory, past the kernel.

For cards whose driver has raw-packet queue pairs (mlx5, mlx4); soft-RoCE has none. Steering rules
take the configured destinations off the interface; the kernel gets the rest as before. A receive
chunk is with the device or held (handed out); the chunks behind them are for sending, and free once
a later request has completed. Sources: rdma-core's manual pages ibv_create_qp(3),
ibv_create_flow(3), ibv_create_cq_ex(3).
"""

import socket
import struct

from libc.errno cimport errno
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from nic.clock cimport rdtsc
from nic.ids cimport (
    PORT_FILL_EMPTY, PORT_RX_BYTES, PORT_RX_ERRORS, PORT_RX_PACKETS, PORT_TX_BYTES, PORT_TX_ERRORS,
    PORT_TX_FULL, PORT_TX_PACKETS, PORT_TX_TOO_LONG)
from nic.port cimport LAYER_FRAME
from nic.verbs.libibverbs cimport (
    IBV_FLOW_ATTR_NORMAL, IBV_FLOW_SPEC_ETH, IBV_FLOW_SPEC_IPV4, IBV_FLOW_SPEC_UDP,
    IBV_WC_SUCCESS, IBV_WC_WR_FLUSH_ERR, IBV_WR_SEND, ibv_end_poll, ibv_flow, ibv_flow_attr,
    ibv_flow_spec_eth, ibv_flow_spec_ipv4, ibv_flow_spec_tcp_udp, ibv_next_poll, ibv_poll_cq,
    ibv_poll_cq_attr, ibv_post_recv, ibv_start_poll, ibv_wc, ibv_wc_read_byte_len,
    ibv_wc_read_completion_wallclock_ns)
from nic.wire.internet_codec cimport INTERNET_ETHERNET_LENGTH, INTERNET_VLAN_LENGTH

from nic import link
from nic.frame import address_number
from nic.port import PortError

cdef enum:
    BURST = 64
    HELD_BEFORE_POST = 8       # chunks that go back to the device with one call
    ETHERTYPE_IPV4 = 0x0800

cdef packed struct SteeringRule:
    ibv_flow_attr attributes
    ibv_flow_spec_eth ethernet
    ibv_flow_spec_ipv4 ipv4
    ibv_flow_spec_tcp_udp udp


cdef class VerbsPort(Port):
    """A raw-packet queue pair on the RDMA device ``device``, a name or an open one.

    ``destinations`` are the ``(IPv4 address, UDP port)`` pairs to take off the interface; multicast
    groups among them are joined (``join``). Without any the port only transmits.
    ``receive_frames`` and ``transmit_frames`` are powers of two. Frames of up to ``inline_bytes``
    are handed to the device with their request, so that it need not fetch them. One transmit
    request in ``signal_every`` reports its completion. ``stamps``: the device's time of each
    packet, where it gives one.

    Raises :class:`~nic.port.PortError`. Needs CAP_NET_RAW.
    """

    def __cinit__(self, *args, **kwargs):
        """Nothing open."""
        self.layer = LAYER_FRAME
        self.memberships = []
        self.flows = []
        self.notes = []

    def __init__(self, device not None, *, destinations=(), uint8_t port_number=1,
                 uint32_t receive_frames=2048, uint32_t transmit_frames=256,
                 uint32_t chunk_bytes=2048, uint32_t inline_bytes=192, uint32_t signal_every=32,
                 bint stamps=True, bint join=True, bint huge_pages=True, str name=""):
        destinations = tuple(destinations)
        for count in (receive_frames, transmit_frames):
            if not 1 < count <= 1 << 15 or count & (count - 1):
                raise PortError(f"verbs: {count} frames: must be a power of two")
        self.name = name or f"verbs {device if isinstance(device, str) else device.name}"
        try:
            self.owns_device = isinstance(device, str)
            self.device = VerbsDevice(device, port_number) if self.owns_device else device
            self.device.check_port()
            self.interface = self.device.interface()
            self.chunk_bytes = chunk_bytes
            self.receive_frames = receive_frames if destinations else 0
            self.longest_bytes = self._longest()
            self.region = Region(self.device, <size_t> chunk_bytes
                                 * (receive_frames + transmit_frames), huge_pages=huge_pages)
            self.pair = QueuePair(self.device, "raw", depth=transmit_frames,
                                  receives=self.receive_frames, inline_bytes=inline_bytes,
                                  signal_every=signal_every, stamps=stamps)
            self.pair.start_raw()
            self._take_memory()
            for address, port in destinations:
                self._steer(address, port)
            if join and destinations:
                self._join({address for address, _ in destinations})
            self._describe(destinations, stamps, huge_pages, inline_bytes)
        except ValueError as failure:
            self.close()
            raise PortError(f"{self.name}: {failure}") from None
        except BaseException:
            self.close()
            raise
        self.is_open = True

    def _longest(self):
        """Longest frame that may be sent: the interface's, or a chunk."""
        if not self.interface:
            return self.chunk_bytes
        facts = link.facts(self.interface)
        longest = facts.mtu_bytes + INTERNET_ETHERNET_LENGTH + INTERNET_VLAN_LENGTH
        if longest > self.chunk_bytes:
            self.notes.append(f"frames longer than {self.chunk_bytes} bytes are not received (the "
                              f"MTU is {facts.mtu_bytes})")
        return min(longest, <int> self.chunk_bytes)

    def _take_memory(self):
        """A request for every receive chunk, all given to the device."""
        cdef uint32_t i
        if self.receive_frames == 0:
            return
        self.receives = <ibv_recv_wr *> calloc(self.receive_frames, sizeof(ibv_recv_wr))
        self.pieces = <ibv_sge *> calloc(self.receive_frames, sizeof(ibv_sge))
        self.held = <uint32_t *> calloc(self.receive_frames, sizeof(uint32_t))
        self.posted = <uint8_t *> calloc(self.receive_frames, 1)
        if (self.receives == NULL or self.pieces == NULL or self.held == NULL
                or self.posted == NULL):
            raise MemoryError(self.name)
        self.post_at = min(<uint32_t> HELD_BEFORE_POST, self.receive_frames // 2)
        self._hold_all()
        for i in range(self.receive_frames):
            self.pieces[i].addr = <uint64_t> <size_t> (self.region.base + i * self.chunk_bytes)
            self.pieces[i].length = self.chunk_bytes
            self.pieces[i].lkey = self.region.lkey
            self.receives[i].wr_id = i
            self.receives[i].sg_list = &self.pieces[i]
            self.receives[i].num_sge = 1
        self.is_open = True
        self.release()
        self.is_open = False
        if self.held_count:
            raise PortError(f"{self.name}: the device took only "
                            f"{self.receive_frames - self.held_count} receive requests")

    def _hold_all(self):
        """No chunk is with the device."""
        cdef uint32_t i
        for i in range(self.receive_frames):
            self.held[i] = i
            self.posted[i] = 0
        self.held_count = self.receive_frames

    def _steer(self, str address not None, int port):
        """A steering rule for one destination."""
        number = address_number(address)
        if not 0 < port < 65536:
            raise PortError(f"{self.name}: {port} is no UDP port")
        if number >> 28 == 0xE:  # RFC 1112: the group's low 23 bits
            hardware = b"\x01\x00\x5e" + (number & 0x7FFFFF).to_bytes(3, "big")
        elif self.interface:
            hardware = link.hardware_bytes(link.facts(self.interface).hardware_address)
        else:
            hardware = b""
        self.steer(number, port, hardware)

    cdef int steer(self, uint32_t group, uint32_t port, bytes hardware) except -1:
        """Make the rule: destination hardware address (where known), IPv4 address, UDP port."""
        cdef SteeringRule rule
        cdef ibv_flow *flow
        cdef int i
        memset(&rule, 0, sizeof(rule))
        rule.attributes.type = IBV_FLOW_ATTR_NORMAL
        rule.attributes.size = sizeof(rule)
        rule.attributes.num_of_specs = 3
        rule.attributes.port = self.device.port_number
        rule.ethernet.type = IBV_FLOW_SPEC_ETH
        rule.ethernet.size = sizeof(rule.ethernet)
        for i in range(len(hardware)):
            rule.ethernet.val.dst_mac[i] = hardware[i]
            rule.ethernet.mask.dst_mac[i] = 0xFF
        rule.ethernet.val.ether_type = socket.htons(ETHERTYPE_IPV4)
        rule.ethernet.mask.ether_type = 0xFFFF
        rule.ipv4.type = IBV_FLOW_SPEC_IPV4
        rule.ipv4.size = sizeof(rule.ipv4)
        rule.ipv4.val.dst_ip = socket.htonl(group)
        rule.ipv4.mask.dst_ip = 0xFFFFFFFF
        rule.udp.type = IBV_FLOW_SPEC_UDP
        rule.udp.size = sizeof(rule.udp)
        rule.udp.val.dst_port = socket.htons(port)
        rule.udp.mask.dst_port = 0xFFFF
        flow = self.device.make_flow(self.pair.qp, &rule.attributes)
        if flow == NULL:
            raise self.device.failure(f"steering {group:#010x}:{port} to the port", errno)
        self.flows.append(<size_t> flow)
        return 0

    def _join(self, groups):
        """Join the multicast groups (IGMP): a queue pair itself joins nothing."""
        multicast = sorted(group for group in groups if address_number(group) >> 28 == 0xE)
        if multicast and not self.interface:
            self.notes.append("groups were not joined: the device has no network interface")
            return
        for group in multicast:
            member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.memberships.append(member)
            try:
                member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                                  struct.pack("@4s4si", socket.inet_aton(group), bytes(4),
                                              link.index_of(self.interface)))
            except OSError as failure:
                raise self.device.failure(f"joining {group}", failure.errno) from None

    def _describe(self, destinations, bint stamps, bint huge_pages, uint32_t inline_bytes):
        """The facts for :meth:`mode`."""
        if huge_pages and not self.region.on_huge_pages:
            self.notes.append("no huge pages are free: sysctl vm.nr_hugepages")
        if stamps and destinations and not self.pair.stamps:
            self.notes.append("the device gives no time stamps in wall-clock time")
        if self.pair.inline_bytes < inline_bytes:
            self.notes.append(f"the device takes {self.pair.inline_bytes} bytes inline, not "
                              f"{inline_bytes}")
        self.facts = {
            "kind": "verbs",
            "interface": self.interface,
            "driver_mode": "native",
            "zero_copy": True,
            "queue": self.pair.number(),
            "timestamps": "hardware" if self.pair.stamps else "none",
            "offloads": [],
            "notes": self.notes,
            "device": self.device.name,
            "destinations": list(destinations),
            "receive_frames": self.receive_frames,
            "transmit_frames": self.pair.depth,
            "chunk_bytes": self.chunk_bytes,
            "huge_pages": bool(self.region.on_huge_pages),
            "inline_bytes": self.pair.inline_bytes,
            "signal_every": self.pair.signal_every,
        }

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil:
        """Completed receive requests; no system call."""
        cdef int count
        if not self.is_open or self.receive_frames == 0:
            return 0
        if maximum > BURST:
            maximum = BURST
        if self.held_count == self.receive_frames:
            self.counts[PORT_FILL_EMPTY] += 1
        count = (self.take_stamped(packets, maximum) if self.pair.stamps
                 else self.take(packets, maximum))
        self.counts[PORT_RX_PACKETS] += <uint64_t> count
        return count

    cdef bint accept(self, uint64_t chunk, int status, uint32_t length, uint64_t ns,
                     Packet *packet) noexcept nogil:
        """One completion: whether it is a packet. A chunk that is not out is not believed."""
        if chunk >= self.receive_frames or not self.posted[chunk]:
            self.counts[PORT_RX_ERRORS] += 1
            return False
        self.posted[chunk] = 0
        self.held[self.held_count] = <uint32_t> chunk
        self.held_count += 1
        if status != IBV_WC_SUCCESS or length > self.chunk_bytes:
            self.counts[PORT_RX_ERRORS] += 1
            if status != IBV_WC_WR_FLUSH_ERR:  # those only follow the one that says why
                self.receive_failures += 1
            return False
        packet.data = self.region.base + chunk * self.chunk_bytes
        packet.length = length
        packet.source_address = 0
        packet.source_port = 0
        packet.kernel_ns = ns
        self.counts[PORT_RX_BYTES] += length
        return True

    cdef int take(self, Packet *packets, int maximum) noexcept nogil:
        """Packets from an ordinary completion queue."""
        cdef ibv_wc found[BURST]
        cdef int count = ibv_poll_cq(self.pair.receive_queue, maximum, found)
        cdef int taken = 0
        cdef int i
        cdef uint64_t tsc
        if count <= 0:
            if count < 0:
                self.counts[PORT_RX_ERRORS] += 1
            return 0
        tsc = rdtsc()
        for i in range(count):
            if self.accept(found[i].wr_id, found[i].status, found[i].byte_len, 0, &packets[taken]):
                packets[taken].tsc = tsc
                taken += 1
        return taken

    cdef int take_stamped(self, Packet *packets, int maximum) noexcept nogil:
        """Packets from a completion queue that knows the device's time."""
        cdef ibv_cq_ex *queue = <ibv_cq_ex *> self.pair.receive_queue
        cdef ibv_poll_cq_attr nothing
        cdef int taken = 0
        cdef uint64_t tsc, ns
        cdef uint32_t length
        nothing.comp_mask = 0
        if ibv_start_poll(queue, &nothing) != 0:
            return 0
        tsc = rdtsc()
        while True:
            length = 0
            ns = 0
            if queue.status == IBV_WC_SUCCESS:  # the rest is not defined otherwise
                length = ibv_wc_read_byte_len(queue)
                ns = ibv_wc_read_completion_wallclock_ns(queue)
            if self.accept(queue.wr_id, queue.status, length, ns, &packets[taken]):
                packets[taken].tsc = tsc
                taken += 1
            if taken == maximum or ibv_next_poll(queue) != 0:
                break
        ibv_end_poll(queue)
        return taken

    cdef void release(self) noexcept nogil:
        """Chunks of the last bursts go back to the device, with one call for all of them."""
        cdef ibv_recv_wr *bad = NULL
        cdef ibv_recv_wr *request
        cdef uint32_t i, given
        if self.held_count < self.post_at or not self.is_open or self.receive_frames == 0:
            return
        for i in range(self.held_count):
            request = &self.receives[self.held[i]]
            request.next = (&self.receives[self.held[i + 1]] if i + 1 < self.held_count else NULL)
        given = self.held_count
        if ibv_post_recv(self.pair.qp, &self.receives[self.held[0]], &bad) != 0 and bad != NULL:
            given = 0
            while given < self.held_count and self.held[given] != bad.wr_id:
                given += 1
        for i in range(given):
            self.posted[self.held[i]] = 1
        for i in range(given, self.held_count):
            self.held[i - given] = self.held[i]
        self.held_count -= given

    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """Copy one frame and queue its request; :meth:`flush` rings the doorbell."""
        cdef uint8_t *chunk
        if length > self.longest_bytes:
            self.counts[PORT_TX_TOO_LONG] += 1
            return -1
        if length < INTERNET_ETHERNET_LENGTH or not self.is_open or self.pair.is_down():
            self.counts[PORT_TX_ERRORS] += 1
            return -1
        if self.pair.room() == 0:
            self.pair.reap()
            if self.pair.room() == 0:
                self.counts[PORT_TX_FULL] += 1
                return -1
        # As many requests as chunks: the request's place in its ring is the chunk's.
        chunk = self.region.base + <size_t> self.chunk_bytes * (
            self.receive_frames + (<uint32_t> self.pair.queued & (self.pair.depth - 1)))
        memcpy(chunk, data, length)
        self.pair.add(IBV_WR_SEND, chunk, length, self.region.lkey, 0, 0, False)
        self.counts[PORT_TX_PACKETS] += 1
        self.counts[PORT_TX_BYTES] += length
        return 0

    cdef int flush(self) noexcept nogil:
        """One doorbell for everything that was transmitted; how many frames wait for the next."""
        cdef int waiting
        if not self.is_open:
            return 0
        waiting = self.pair.post()
        self.pair.reap()
        if waiting < 0:
            # The queue pair has failed: what it was not given will never leave.
            self.counts[PORT_TX_ERRORS] += self.pair.queued - self.pair.posted
            self.pair.queued = self.pair.posted
            return 0
        return waiting

    def is_broken(self):
        """Why the port sends nothing any more, empty while it does: :meth:`restart` may help."""
        self.device.look()
        if self.device.is_gone:
            return "the device was removed"
        if self.device.link_is_down:
            return "the link is down"
        if self.receive_failures:
            return "a receive request failed"
        return self.pair.reason()

    def restart(self):
        """Reset the queue pair after a failed request; frames that were out are lost.

        Raises :class:`~nic.port.PortError` where the device is gone.
        """
        if not self.is_open or self.device.is_gone:
            raise PortError(f"{self.name}: the device is gone")
        self.pair.start_raw()
        self.receive_failures = 0
        if self.receive_frames:
            self._empty_receive_queue()
            self._hold_all()
            self.release()

    def _empty_receive_queue(self):
        """Take what the old requests left behind; every chunk counts as held afterwards."""
        cdef Packet packets[BURST]
        self.held_count = 0
        memset(self.posted, 0, self.receive_frames)
        errors = self.counts[PORT_RX_ERRORS]
        while True:
            before = self.counts[PORT_RX_ERRORS]
            self.receive_burst(packets, BURST)
            if self.counts[PORT_RX_ERRORS] == before:
                break
        self.counts[PORT_RX_ERRORS] = errors

    def frames_accounted(self):
        """Where every frame is: ``receive`` and ``transmit``, each name to number of frames.

        Raises :class:`~nic.port.PortError` where a frame is missing or in two places.
        """
        cdef uint32_t i
        if not self.is_open:
            raise PortError(f"{self.name} is closed")
        held = [self.held[i] for i in range(self.held_count)]
        out = [i for i in range(self.receive_frames) if self.posted[i]]
        if sorted(held + out) != list(range(self.receive_frames)):
            raise PortError(f"{self.name}: a receive frame is missing or in two places")
        waiting = self.pair.queued - self.pair.posted
        sent = self.pair.posted - self.pair.completed
        if waiting + sent > self.pair.depth:
            raise PortError(f"{self.name}: more transmit frames are out than there are")
        return {"receive": {"device": len(out), "held": len(held)},
                "transmit": {"free": self.pair.depth - waiting - sent, "queued": waiting,
                             "device": sent}}

    def mode(self):
        """What was truly got; also ``device``, ``destinations``, ``receive_frames``,
        ``transmit_frames``, ``chunk_bytes``, ``huge_pages``, ``inline_bytes``, ``signal_every``."""
        return dict(self.facts)

    def doorbells(self):
        """Posts, completions polled, strange completions and full posts of the sending side."""
        return {"doorbells": self.pair.doorbells, "completions": self.pair.completions,
                "strange": self.pair.strange, "full": self.pair.full}

    def close(self):
        """In order: rules (nothing new comes), queue pair, memory, device, groups.

        Packets that were handed out stay readable as long as the object lives.
        """
        self.is_open = False
        for flow in self.flows:
            self.device.destroy_flow(<ibv_flow *> <size_t> flow)
        self.flows = []
        if self.pair is not None:
            self.pair.close()
        if self.region is not None:
            self.region.close()
        if self.device is not None and self.owns_device:
            self.device.close()
        for member in self.memberships:
            member.close()
        self.memberships = []

    def __dealloc__(self):
        """The request arrays; queue pair and memory go with their objects."""
        free(self.receives)
        free(self.pieces)
        free(self.held)
        free(self.posted)
