# cython: language_level=3, boundscheck=True, wraparound=False
# SPDX-License-Identifier: Apache-2.0
"""The small XDP program that takes the configured UDP destinations off an interface.

It is assembled here, for exactly the destinations asked for, and loaded with libbpf; no compiler
is needed. A frame goes to the AF_XDP socket of its receive queue when it is Ethernet II with at
most one 802.1Q tag, IPv4 without options, no fragment, UDP, and its destination address and port
are in the list. Everything else is passed to the kernel untouched. In front of a frame it takes,
the program writes eight bytes of metadata: the kernel's monotonic clock, in nanoseconds.

It is attached by a ``bpf_link``, which the kernel takes away with the process, however that ends.
Sources: kernel documents ``bpf/standardization/instruction-set`` and ``networking/af_xdp``.
"""

import os

from libc.errno cimport EBUSY, EINVAL, EOPNOTSUPP, EPERM, ERANGE, errno
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from nic.wire.internet_codec cimport (
    INTERNET_ETHERNET_ETHERTYPE_OFFSET, INTERNET_ETHERNET_LENGTH, INTERNET_ETHERTYPE_IPV4,
    INTERNET_ETHERTYPE_VLAN, INTERNET_IP_PROTOCOL_UDP, INTERNET_IPV4_DESTINATION_ADDRESS_OFFSET,
    INTERNET_IPV4_FLAGS_AND_FRAGMENT_OFFSET_OFFSET, INTERNET_IPV4_FRAGMENT_OFFSET_MASK,
    INTERNET_IPV4_LENGTH, INTERNET_IPV4_MORE_FRAGMENTS, INTERNET_IPV4_PROTOCOL_OFFSET,
    INTERNET_IPV4_VERSION_AND_HEADER_LENGTH_OFFSET, INTERNET_UDP_DESTINATION_PORT_OFFSET,
    INTERNET_UDP_LENGTH, INTERNET_VLAN_ETHERTYPE_OFFSET, INTERNET_VLAN_LENGTH)

from nic.frame import address_number
from nic.link import index_of
from nic.port import PortError

cdef extern from "<linux/bpf.h>":
    struct bpf_insn:
        uint8_t code
        uint8_t dst_reg
        uint8_t src_reg
        int16_t off
        int32_t imm
    int BPF_ALU64, BPF_JMP, BPF_LDX, BPF_LD, BPF_STX, BPF_MEM, BPF_IMM, BPF_DW, BPF_W, BPF_H, BPF_B
    int BPF_ADD, BPF_AND, BPF_LSH, BPF_OR, BPF_MOV, BPF_K, BPF_X, BPF_JA, BPF_JEQ, BPF_JNE
    int BPF_JGT, BPF_CALL, BPF_EXIT, BPF_PSEUDO_MAP_FD, BPF_ANY, XDP_PASS
    int BPF_FUNC_ktime_get_ns, BPF_FUNC_xdp_adjust_meta, BPF_FUNC_redirect_map
    enum bpf_map_type:
        BPF_MAP_TYPE_XSKMAP
    enum bpf_prog_type:
        BPF_PROG_TYPE_XDP
    enum bpf_attach_type:
        BPF_XDP

cdef extern from "<linux/if_link.h>":
    int XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE

cdef extern from *:
    """
    #include <stddef.h>
    #include <linux/bpf.h>
    #define TW_MD_DATA offsetof(struct xdp_md, data)
    #define TW_MD_DATA_END offsetof(struct xdp_md, data_end)
    #define TW_MD_DATA_META offsetof(struct xdp_md, data_meta)
    #define TW_MD_QUEUE offsetof(struct xdp_md, rx_queue_index)
    """
    int TW_MD_DATA, TW_MD_DATA_END, TW_MD_DATA_META, TW_MD_QUEUE

cdef extern from "<bpf/bpf.h>":
    struct bpf_map_create_opts:
        pass
    struct bpf_prog_load_opts:
        size_t sz
        uint32_t log_level
        uint32_t log_size
        char *log_buf
    struct bpf_link_create_opts:
        size_t sz
        uint32_t flags
    int bpf_map_create(bpf_map_type kind, const char *name, uint32_t key_size,
                       uint32_t value_size, uint32_t entries, const bpf_map_create_opts *options)
    int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)
    int bpf_map_delete_elem(int fd, const void *key)
    int bpf_prog_load(bpf_prog_type kind, const char *name, const char *license,
                      const bpf_insn *instructions, size_t count, const bpf_prog_load_opts *options)
    int bpf_link_create(int program, int target, bpf_attach_type kind,
                        const bpf_link_create_opts *options)

cdef extern from "<bpf/libbpf.h>":
    uint32_t libbpf_major_version()
    uint32_t libbpf_minor_version()

cdef extern from "<arpa/inet.h>":
    uint16_t htons(uint16_t value)
    uint32_t htonl(uint32_t value)

cdef enum:
    MOST_DESTINATIONS = 256
    MOST_INSTRUCTIONS = 64 + 3 * MOST_DESTINATIONS
    LOG_BYTES = 65536
    PLAIN_IPV4 = 0x45          # version 4, header of five words: no options
    METADATA_BYTES = 8

cdef enum:                     # registers, by what the program keeps in them
    R_RESULT = 0
    R_1 = 1
    R_2 = 2
    R_3 = 3
    R_FRAME = 4                # where the Ethernet header would begin if there were no tag
    R_VALUE = 5
    R_CONTEXT = 6              # 6 to 9 survive calls
    R_KEY = 7                  # destination address and port, as on the wire
    R_WANTED = 8
    R_TIME = 9


cdef class Assembler:
    """Instructions one after the other; jumps name a label and are resolved at the end."""

    cdef bpf_insn instructions[MOST_INSTRUCTIONS]
    cdef int count
    cdef dict labels
    cdef list jumps

    def __cinit__(self):
        """Nothing yet."""
        memset(self.instructions, 0, sizeof(self.instructions))
        self.labels = {}
        self.jumps = []

    cdef void put(self, int code, int destination=0, int source=0, int offset=0, int64=0) except *:
        """One instruction."""
        if self.count >= MOST_INSTRUCTIONS:
            raise ValueError("the program is too long")
        cdef bpf_insn *at = &self.instructions[self.count]
        at.code = <uint8_t> code
        at.dst_reg = <uint8_t> destination
        at.src_reg = <uint8_t> source
        at.off = <int16_t> offset
        at.imm = <int32_t> <uint32_t> (<uint64_t> (int64 & 0xFFFFFFFF))
        self.count += 1

    cdef void load(self, int size, int destination, int source, int offset) except *:
        """destination = *(size *)(source + offset)."""
        self.put(BPF_LDX | BPF_MEM | size, destination, source, offset)

    cdef void constant(self, int destination, value, int source=0) except *:
        """destination = a number of 64 bits, or the map whose descriptor it is."""
        self.put(BPF_LD | BPF_DW | BPF_IMM, destination, source, 0, value)
        self.put(0, 0, 0, 0, value >> 32)

    cdef void move(self, int destination, int source) except *:
        """destination = source."""
        self.put(BPF_ALU64 | BPF_MOV | BPF_X, destination, source)

    cdef void calculate(self, int operation, int destination, int value) except *:
        """destination = destination (operation) value."""
        self.put(BPF_ALU64 | operation | BPF_K, destination, 0, 0, value)

    cdef void jump(self, int condition, int register, int value, str label) except *:
        """To the label if the register compares so with a number."""
        self.jumps.append((self.count, label))
        self.put(BPF_JMP | condition | BPF_K, register, 0, 0, value)

    cdef void jump_register(self, int condition, int left, int right, str label) except *:
        """To the label if two registers compare so."""
        self.jumps.append((self.count, label))
        self.put(BPF_JMP | condition | BPF_X, left, right)

    cdef void call(self, int function) except *:
        """Call a helper; registers 1 to 5 are gone afterwards."""
        self.put(BPF_JMP | BPF_CALL, 0, 0, 0, function)

    cdef void label(self, str name) except *:
        """The next instruction is jumped to by this name."""
        self.labels[name] = self.count

    cdef void resolve(self) except *:
        """Fill in how far each jump goes."""
        for at, label in self.jumps:
            self.instructions[<int> at].off = <int16_t> (self.labels[label] - at - 1)


cdef void assemble(Assembler a, destinations, int map_descriptor, bint stamps) except *:
    """The whole program; frame offsets are those of an untagged frame."""
    cdef int ip = INTERNET_ETHERNET_LENGTH
    cdef int udp = ip + INTERNET_IPV4_LENGTH
    a.move(R_CONTEXT, R_1)
    a.load(BPF_W, R_FRAME, R_CONTEXT, TW_MD_DATA)
    a.load(BPF_W, R_3, R_CONTEXT, TW_MD_DATA_END)
    a.move(R_2, R_FRAME)
    a.calculate(BPF_ADD, R_2, udp + INTERNET_UDP_LENGTH)
    a.jump_register(BPF_JGT, R_2, R_3, "pass")
    a.load(BPF_H, R_VALUE, R_FRAME, INTERNET_ETHERNET_ETHERTYPE_OFFSET)
    a.jump(BPF_JEQ, R_VALUE, htons(INTERNET_ETHERTYPE_IPV4), "untagged")
    a.jump(BPF_JNE, R_VALUE, htons(INTERNET_ETHERTYPE_VLAN), "pass")
    a.calculate(BPF_ADD, R_2, INTERNET_VLAN_LENGTH)
    a.jump_register(BPF_JGT, R_2, R_3, "pass")
    a.load(BPF_H, R_VALUE, R_FRAME, ip + INTERNET_VLAN_ETHERTYPE_OFFSET)
    a.jump(BPF_JNE, R_VALUE, htons(INTERNET_ETHERTYPE_IPV4), "pass")
    a.calculate(BPF_ADD, R_FRAME, INTERNET_VLAN_LENGTH)
    a.label("untagged")
    a.load(BPF_B, R_VALUE, R_FRAME, ip + INTERNET_IPV4_VERSION_AND_HEADER_LENGTH_OFFSET)
    a.jump(BPF_JNE, R_VALUE, PLAIN_IPV4, "pass")
    a.load(BPF_H, R_VALUE, R_FRAME, ip + INTERNET_IPV4_FLAGS_AND_FRAGMENT_OFFSET_OFFSET)
    a.calculate(BPF_AND, R_VALUE,
                htons(INTERNET_IPV4_MORE_FRAGMENTS | INTERNET_IPV4_FRAGMENT_OFFSET_MASK))
    a.jump(BPF_JNE, R_VALUE, 0, "pass")
    a.load(BPF_B, R_VALUE, R_FRAME, ip + INTERNET_IPV4_PROTOCOL_OFFSET)
    a.jump(BPF_JNE, R_VALUE, INTERNET_IP_PROTOCOL_UDP, "pass")
    a.load(BPF_W, R_KEY, R_FRAME, ip + INTERNET_IPV4_DESTINATION_ADDRESS_OFFSET)
    a.calculate(BPF_LSH, R_KEY, 16)
    a.load(BPF_H, R_VALUE, R_FRAME, udp + INTERNET_UDP_DESTINATION_PORT_OFFSET)
    a.put(BPF_ALU64 | BPF_OR | BPF_X, R_KEY, R_VALUE)
    for address, port in destinations:
        key = <uint64_t> htonl(address_number(address)) << 16 | htons(port)
        a.constant(R_WANTED, key)
        a.jump_register(BPF_JEQ, R_KEY, R_WANTED, "take")
    a.label("pass")
    a.calculate(BPF_MOV, R_RESULT, XDP_PASS)
    a.put(BPF_JMP | BPF_EXIT)
    a.label("take")
    if stamps:
        assemble_stamp(a)
    a.label("redirect")
    a.constant(R_1, map_descriptor, BPF_PSEUDO_MAP_FD)
    a.load(BPF_W, R_2, R_CONTEXT, TW_MD_QUEUE)
    a.calculate(BPF_MOV, R_3, XDP_PASS)  # where no socket stands at the queue
    a.call(BPF_FUNC_redirect_map)
    a.put(BPF_JMP | BPF_EXIT)
    a.resolve()


cdef void assemble_stamp(Assembler a) except *:
    """Write the time in front of the frame; without a stamp where the driver has no room for it."""
    a.move(R_1, R_CONTEXT)
    a.calculate(BPF_MOV, R_2, -METADATA_BYTES)
    a.call(BPF_FUNC_xdp_adjust_meta)
    a.jump(BPF_JNE, R_RESULT, 0, "redirect")
    a.call(BPF_FUNC_ktime_get_ns)
    a.move(R_TIME, R_RESULT)
    a.load(BPF_W, R_2, R_CONTEXT, TW_MD_DATA_META)
    a.load(BPF_W, R_3, R_CONTEXT, TW_MD_DATA)
    a.move(R_1, R_2)
    a.calculate(BPF_ADD, R_1, METADATA_BYTES)
    a.jump_register(BPF_JGT, R_1, R_3, "redirect")
    a.put(BPF_STX | BPF_MEM | BPF_DW, R_2, R_TIME)


cdef class XdpProgram:
    """The program on one interface, and the map of its AF_XDP sockets by receive queue.

    ``destinations`` are ``(IPv4 address, UDP port)`` pairs. ``driver_mode`` is ``native`` (in the
    driver), ``generic`` (in the kernel's stack, on any device) or ``best``: native where the driver
    can, and a note where it can't. Raises :class:`~nic.port.PortError`.
    """

    cdef readonly str interface
    cdef readonly str driver_mode     # native or generic: what was got
    cdef readonly bint stamps         # whether it writes time stamps
    cdef readonly list notes
    cdef readonly tuple destinations
    cdef int map_descriptor
    cdef int program_descriptor
    cdef int link_descriptor

    def __cinit__(self, *args, **kwargs):
        """Nothing is loaded."""
        self.map_descriptor = self.program_descriptor = self.link_descriptor = -1

    def __init__(self, str interface not None, destinations, *, str driver_mode="best",
                 bint stamps=True, int queues=64):
        self.interface = interface
        self.stamps = stamps
        self.notes = []
        self.destinations = tuple((str(address), int(port)) for address, port in destinations)
        if not 0 < len(self.destinations) <= MOST_DESTINATIONS:
            raise PortError(f"xdp on {interface}: give 1 to {MOST_DESTINATIONS} destinations")
        for _address, port in self.destinations:
            if not 0 < port < 65536:
                raise PortError(f"xdp on {interface}: {port} is no UDP port")
        if driver_mode not in ("native", "generic", "best"):
            raise PortError(f"xdp on {interface}: driver mode must be native, generic or best, "
                            f"not {driver_mode!r}")
        try:
            self._load(queues)
            self.driver_mode = driver_mode
        except ValueError as failure:
            raise PortError(f"xdp on {interface}: {failure}") from None
        except BaseException:
            self.close()
            raise

    def _load(self, uint32_t queues):
        """Make the map and load the program."""
        cdef Assembler assembler = Assembler()
        cdef bpf_prog_load_opts options
        cdef bytearray log = bytearray(LOG_BYTES)
        cdef char *text = log
        self.map_descriptor = bpf_map_create(BPF_MAP_TYPE_XSKMAP, b"tickwire_xsk", 4, 4, queues,
                                             NULL)
        if self.map_descriptor < 0:
            raise self._failure("making the socket map", errno)
        assemble(assembler, self.destinations, self.map_descriptor, self.stamps)
        memset(&options, 0, sizeof(options))
        options.sz = sizeof(options)
        # Level 0 with a buffer: libbpf asks for the log only where loading fails.
        options.log_level = 0
        options.log_size = LOG_BYTES
        options.log_buf = text
        self.program_descriptor = bpf_prog_load(
            BPF_PROG_TYPE_XDP, b"tickwire", b"Apache-2.0", assembler.instructions,
            <size_t> assembler.count, &options)
        if self.program_descriptor < 0:
            error = errno
            lines = bytes(log).split(b"\0")[0].decode(errors="replace").strip().splitlines()
            said = [line for line in lines if not line.startswith("processed")]
            raise self._failure("loading the program", error, said[-1] if said else "")

    def attach(self):
        """Attach the program to the interface in the mode that was asked for."""
        modes = ("native", "generic") if self.driver_mode == "best" else (self.driver_mode,)
        for mode in modes:
            error = self._link(mode)
            if error == 0:
                self.driver_mode = mode
                return
            if error not in (EOPNOTSUPP, EINVAL, ERANGE):
                break
            self.notes.append(f"{mode} XDP refused: {os.strerror(error)}")
        said = ""
        if error == EBUSY:
            said = f"another XDP program is attached; see 'ip link show {self.interface}'"
        elif error in (EINVAL, ERANGE):
            said = "an MTU above 3500 bytes or receive offloads forbid native XDP on most drivers"
        raise self._failure(f"attaching {mode}", error, said)

    def _link(self, str mode):
        """0, or the error number of attaching in one mode."""
        cdef bpf_link_create_opts options
        memset(&options, 0, sizeof(options))
        options.sz = sizeof(options)
        options.flags = XDP_FLAGS_DRV_MODE if mode == "native" else XDP_FLAGS_SKB_MODE
        self.link_descriptor = bpf_link_create(self.program_descriptor, index_of(self.interface),
                                               BPF_XDP, &options)
        return 0 if self.link_descriptor >= 0 else errno

    def _failure(self, str what, int error, str said=""):
        """The error to raise: one line."""
        if error == EPERM and not said:
            said = "needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF: run as root"
        text = f"xdp on {self.interface}: {what}: {os.strerror(error)}"
        return PortError(f"{text} ({said})" if said else text)

    def insert(self, uint32_t queue, int descriptor):
        """Have frames of a receive queue go to an AF_XDP socket."""
        if bpf_map_update_elem(self.map_descriptor, &queue, &descriptor, BPF_ANY) != 0:
            raise self._failure(f"entering the socket of queue {queue}", errno)

    def remove(self, uint32_t queue):
        """Have frames of a receive queue go to the kernel again."""
        bpf_map_delete_elem(self.map_descriptor, &queue)

    def close(self):
        """Detach and unload; the kernel does the same when the process ends in any way."""
        for descriptor in (self.link_descriptor, self.program_descriptor, self.map_descriptor):
            if descriptor >= 0:
                os.close(descriptor)
        self.link_descriptor = self.program_descriptor = self.map_descriptor = -1

    def __dealloc__(self):
        """Detach and unload."""
        self.close()


def library_version():
    """Version of libbpf, as text."""
    return f"{libbpf_major_version()}.{libbpf_minor_version()}"
