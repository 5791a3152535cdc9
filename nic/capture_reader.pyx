# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""Packets of a pcap or pcapng file, one after the other, as Ethernet frames.

Told by its first bytes, never by its name; plain or gzipped. Packets without an Ethernet header
(raw IP, Linux cooked) get one with the ethertype and zero addresses. A file that ends inside a
record is read up to there and counted. Sources: ``draft-ietf-opsawg-pcap`` (pcap),
``draft-ietf-opsawg-pcapng`` (pcapng), tcpdump.org/linktypes.
"""

from libc.string cimport memset
from nic.ids cimport (
    CAPTURE_BAD_GZIP, CAPTURE_BAD_RECORD, CAPTURE_CUT_PACKETS, CAPTURE_READ_FAILED,
    CAPTURE_TRUNCATED_GZIP, CAPTURE_TRUNCATED_RECORD, CAPTURE_UNKNOWN_INTERFACE,
    CAPTURE_UNSUPPORTED_LINK)
from nic.wire.byteorder cimport load_be16, load_be32, load_le16, load_le32
from nic.wire.internet_codec cimport (
    INTERNET_ETHERNET_LENGTH, INTERNET_ETHERTYPE_IPV4, internet_ethernet_put_ethertype)

from nic.enumerations import CAPTURE

cdef enum:
    PCAP_HEADER = 24
    PCAP_RECORD = 16
    PCAP_VERSION_AT = 4
    PCAP_SNAP_AT = 16
    PCAP_LINK_AT = 20
    LONGEST_PACKET = 262144            # MAXIMUM_SNAPLEN of libpcap
    BLOCK_HEADER = 8
    BLOCK_TRAILER = 4
    LONGEST_BLOCK = 1048576 - 64       # that is looked into; others are passed over
    BLOCK_INTERFACE = 1
    BLOCK_SIMPLE_PACKET = 3
    BLOCK_ENHANCED_PACKET = 6
    ENHANCED_HEADER = 20
    SIMPLE_HEADER = 4
    INTERFACE_HEADER = 8
    SECTION_HEADER = 16
    OPTION_END = 0
    OPTION_TIME_RESOLUTION = 9
    OPTION_TIME_OFFSET = 14
    LINK_ETHERNET = 1
    LINK_RAW = 101
    LINK_IPV4 = 228
    LINK_COOKED = 113
    COOKED_HEADER = 16
    COOKED_ETHERTYPE_AT = 14
    LINK_COOKED_2 = 276
    COOKED_2_HEADER = 20
    COOKED_2_ETHERTYPE_AT = 0

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint64_t tw_ticks_to_ns(uint64_t ticks, uint64_t per_second)
    { return (uint64_t)((unsigned __int128)ticks * 1000000000u / per_second); }
    """
    uint64_t ticks_to_ns "tw_ticks_to_ns"(uint64_t ticks, uint64_t per_second) noexcept nogil

cdef uint32_t BLOCK_SECTION = 0x0A0D0D0A
cdef uint32_t SECTION_MAGIC = 0x1A2B3C4D

PCAP_MAGICS = {
    b"\xd4\xc3\xb2\xa1": (False, 10**6),
    b"\xa1\xb2\xc3\xd4": (True, 10**6),
    b"\x4d\x3c\xb2\xa1": (False, 10**9),
    b"\xa1\xb2\x3c\x4d": (True, 10**9),
}
"""First bytes of a pcap file: whether it is big-endian, and ticks per second."""

PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"

LINK_TYPES = {LINK_ETHERNET: "ethernet", LINK_RAW: "raw-ip", LINK_IPV4: "raw-ipv4",
              LINK_COOKED: "linux-cooked", LINK_COOKED_2: "linux-cooked-v2"}
"""Link types that are read, by their numbers."""


cdef bint is_supported(uint16_t link_type) noexcept nogil:
    """Whether packets of a link type can be turned into Ethernet frames."""
    return (link_type == LINK_ETHERNET or link_type == LINK_RAW or link_type == LINK_IPV4
            or link_type == LINK_COOKED or link_type == LINK_COOKED_2)


cdef class CaptureReader:
    """The packets of ``path``. Raises ``OSError``, or ``ValueError`` where it is no capture."""

    def __cinit__(self, *args, **kwargs):
        """No errors, no interfaces."""
        memset(self.errors, 0, sizeof(self.errors))
        memset(self.interfaces, 0, sizeof(self.interfaces))

    def __init__(self, path):
        self.source = ByteSource(path)
        magic = self.source.head(4)
        try:
            if magic in PCAP_MAGICS:
                self._pcap_header(*PCAP_MAGICS[magic])
            elif magic == PCAPNG_MAGIC:
                self.kind = "pcapng"
                self.is_pcapng = True
            else:
                raise ValueError(f"{path}: neither a pcap nor a pcapng file")
        except BaseException:
            self.source.close()
            raise

    def _pcap_header(self, bint big_endian, uint64_t ticks_per_second):
        """The file header of pcap: one interface for all packets."""
        self.kind = "pcap"
        self.swapped = big_endian
        if self.source.end - self.source.at < PCAP_HEADER:
            raise ValueError(f"{self.source.path}: the pcap file ends inside its header")
        self.interfaces[0].link_type = <uint16_t> self.number32(self.source.at + PCAP_LINK_AT)
        self.interfaces[0].ticks_per_second = ticks_per_second
        self.interface_count = 1
        if not is_supported(self.interfaces[0].link_type):
            raise ValueError(f"{self.source.path}: link type {self.interfaces[0].link_type} is not "
                             "supported (Ethernet, raw IP and Linux cooked are)")
        self.source.at += PCAP_HEADER

    def errors_by_name(self):
        """Faults of the file that were met so far, by the names of ``nic.enumerations.CAPTURE``."""
        return CAPTURE.as_dict([self.errors[i] for i in range(CAPTURE_COUNT)])

    def link_types(self):
        """Names of the link types met so far, in order of the interfaces."""
        return [LINK_TYPES.get(self.interfaces[i].link_type, str(self.interfaces[i].link_type))
                for i in range(self.interface_count)]

    cdef uint16_t number16(self, const uint8_t *at) noexcept nogil:
        """A number of two bytes in the file's byte order."""
        return load_be16(at) if self.swapped else load_le16(at)

    cdef uint32_t number32(self, const uint8_t *at) noexcept nogil:
        """A number of four bytes in the file's byte order."""
        return load_be32(at) if self.swapped else load_le32(at)

    cdef int next_packet(self, CapturedPacket *out, bint may_refill) noexcept nogil:
        """CAPTURE_PACKET and the packet, CAPTURE_AGAIN or CAPTURE_END.

        Reading on moves the window: with ``may_refill`` packets handed out before are gone.
        """
        cdef int result = CAPTURE_AGAIN
        if self.finished:
            return CAPTURE_END
        while result == CAPTURE_AGAIN:
            if self.skip_bytes and not self.skip(may_refill):
                return self.run_out()
            if self.is_pcapng:
                result = self.pcapng_block(out, may_refill)
            else:
                result = self.pcap_record(out, may_refill)
            if result == CAPTURE_END:
                return self.run_out() if not self.finished else CAPTURE_END
        return result

    cdef bint need(self, size_t count, bint may_refill) noexcept nogil:
        """Whether the window holds ``count`` bytes, after reading on where that is allowed."""
        while <size_t> (self.source.end - self.source.at) < count:
            if not may_refill or not self.source.refill():
                return False
        return True

    cdef bint skip(self, bint may_refill) noexcept nogil:
        """Pass over the rest of a block; whether all of it has gone by."""
        cdef size_t have
        while self.skip_bytes:
            if not self.need(1, may_refill):
                return False
            have = <size_t> (self.source.end - self.source.at)
            have = have if have < self.skip_bytes else self.skip_bytes
            self.source.at += have
            self.skip_bytes -= have
        return True

    cdef int run_out(self) noexcept nogil:
        """The window holds no whole record: the end of the file, or of the window only."""
        if not self.source.ended:
            return CAPTURE_AGAIN
        self.finished = True
        self.errors[CAPTURE_TRUNCATED_GZIP] += self.source.gzip_truncated
        self.errors[CAPTURE_BAD_GZIP] += self.source.gzip_damaged
        self.errors[CAPTURE_READ_FAILED] += self.source.read_failed
        if self.source.at != self.source.end or self.skip_bytes:
            self.errors[CAPTURE_TRUNCATED_RECORD] += 1
        return CAPTURE_END

    cdef int fail(self) noexcept nogil:
        """Lengths that contradict each other: nothing behind them can be trusted."""
        self.errors[CAPTURE_BAD_RECORD] += 1
        self.finished = True
        return CAPTURE_END

    cdef int pcap_record(self, CapturedPacket *out, bint may_refill) noexcept nogil:
        """One record of a pcap file; CAPTURE_END where the window holds no whole one."""
        cdef uint8_t *at
        cdef uint32_t kept
        cdef uint64_t ticks
        if not self.need(PCAP_RECORD, may_refill):
            return CAPTURE_END
        kept = self.number32(self.source.at + 8)
        if kept > LONGEST_PACKET:
            return self.fail()
        if not self.need(PCAP_RECORD + kept, may_refill):
            return CAPTURE_END
        at = self.source.at
        self.source.at += PCAP_RECORD + kept
        ticks = self.number32(at) * self.interfaces[0].ticks_per_second + self.number32(at + 4)
        return self.deliver(out, 0, at + PCAP_RECORD, kept, self.number32(at + 12), ticks)

    cdef int pcapng_block(self, CapturedPacket *out, bint may_refill) noexcept nogil:
        """One block of a pcapng file; CAPTURE_END where the window holds no whole one."""
        cdef uint32_t kind, length
        cdef int result
        if not self.need(BLOCK_HEADER + BLOCK_TRAILER, may_refill):
            return CAPTURE_END
        kind = load_le32(self.source.at)
        if kind == BLOCK_SECTION and not self.section():
            return self.fail()
        kind = self.number32(self.source.at)
        length = self.number32(self.source.at + 4)
        if length < BLOCK_HEADER + BLOCK_TRAILER or length & 3:
            return self.fail()
        if (kind != BLOCK_SECTION and kind != BLOCK_INTERFACE and kind != BLOCK_SIMPLE_PACKET
                and kind != BLOCK_ENHANCED_PACKET):
            self.skip_bytes = length
            return CAPTURE_AGAIN if self.skip(may_refill) else CAPTURE_END
        if length > LONGEST_BLOCK:
            return self.fail()
        if not self.need(length, may_refill):
            return CAPTURE_END
        if self.number32(self.source.at + length - BLOCK_TRAILER) != length:
            return self.fail()
        result = self.look_into(kind, length, out)
        self.source.at += length
        return result

    cdef int section(self) noexcept nogil:
        """A new section: its byte order, and no interfaces yet; whether it is one."""
        cdef uint32_t magic = load_le32(self.source.at + BLOCK_HEADER)
        if magic != SECTION_MAGIC and load_be32(self.source.at + BLOCK_HEADER) != SECTION_MAGIC:
            return False
        self.swapped = magic != SECTION_MAGIC
        self.interface_count = 0
        return True

    cdef int look_into(self, uint32_t kind, uint32_t length, CapturedPacket *out) noexcept nogil:
        """A whole block at the front of the window."""
        if kind == BLOCK_ENHANCED_PACKET:
            return self.enhanced_packet(length, out)
        if kind == BLOCK_SIMPLE_PACKET:
            return self.simple_packet(length, out)
        if kind == BLOCK_INTERFACE:
            return self.describe_interface(length)
        return CAPTURE_AGAIN

    cdef int enhanced_packet(self, uint32_t length, CapturedPacket *out) noexcept nogil:
        """Interface, time stamp, kept and original length, packet."""
        cdef uint8_t *at = self.source.at + BLOCK_HEADER
        cdef uint32_t kept
        cdef uint64_t ticks
        if length < BLOCK_HEADER + ENHANCED_HEADER + BLOCK_TRAILER:
            return self.fail()
        kept = self.number32(at + 12)
        if kept > length - (BLOCK_HEADER + ENHANCED_HEADER + BLOCK_TRAILER):
            return self.fail()
        ticks = <uint64_t> self.number32(at + 4) << 32 | self.number32(at + 8)
        return self.deliver(out, self.number32(at), at + ENHANCED_HEADER, kept,
                            self.number32(at + 16), ticks)

    cdef int simple_packet(self, uint32_t length, CapturedPacket *out) noexcept nogil:
        """Original length and packet, of the first interface, without a time stamp."""
        cdef uint8_t *at = self.source.at + BLOCK_HEADER
        cdef uint32_t kept, original, room
        if length < BLOCK_HEADER + SIMPLE_HEADER + BLOCK_TRAILER:
            return self.fail()
        room = length - (BLOCK_HEADER + SIMPLE_HEADER + BLOCK_TRAILER)
        original = self.number32(at)
        kept = original
        if self.interface_count and self.interfaces[0].snap_bytes \
                and kept > self.interfaces[0].snap_bytes:
            kept = self.interfaces[0].snap_bytes
        if kept > room:
            return self.fail()
        return self.deliver(out, 0, at + SIMPLE_HEADER, kept, original, 0)

    cdef int describe_interface(self, uint32_t length) noexcept nogil:
        """Link type, longest packet kept, options."""
        cdef uint8_t *at = self.source.at + BLOCK_HEADER
        cdef CaptureInterface *interface = &self.interfaces[self.interface_count]
        if length < BLOCK_HEADER + INTERFACE_HEADER + BLOCK_TRAILER \
                or self.interface_count == MOST_INTERFACES:
            return self.fail()
        interface.link_type = self.number16(at)
        interface.snap_bytes = self.number32(at + 4)
        interface.ticks_per_second = 1000000
        interface.offset_seconds = 0
        if not self.interface_options(interface, at + INTERFACE_HEADER,
                                      self.source.at + length - BLOCK_TRAILER):
            return self.fail()
        self.interface_count += 1
        return CAPTURE_AGAIN

    cdef bint interface_options(self, CaptureInterface *interface, const uint8_t *at,
                                const uint8_t *end) noexcept nogil:
        """Resolution and offset of the time stamps; whether the options are whole."""
        cdef uint16_t code, size
        cdef uint64_t low
        cdef int exponent
        while end - at >= 4:
            code = self.number16(at)
            size = self.number16(at + 2)
            at += 4
            if code == OPTION_END:
                return True
            if size > end - at:
                return False
            if code == OPTION_TIME_RESOLUTION and size >= 1:
                exponent = at[0] & 0x7F
                if exponent > (63 if at[0] & 0x80 else 19):
                    return False
                interface.ticks_per_second = 1
                while exponent:
                    interface.ticks_per_second *= 2 if at[0] & 0x80 else 10
                    exponent -= 1
            elif code == OPTION_TIME_OFFSET and size >= 8:
                low = self.number32(at if not self.swapped else at + 4)
                interface.offset_seconds = <int64_t> (
                    low | <uint64_t> self.number32(at + 4 if not self.swapped else at) << 32)
            at += (size + 3) & ~3
        return True

    cdef int deliver(self, CapturedPacket *out, uint32_t interface, uint8_t *data,
                     uint32_t kept, uint32_t original, uint64_t ticks) noexcept nogil:
        """The packet as an Ethernet frame; CAPTURE_AGAIN where it is left out.

        A header that is made takes the place of the record's own, which was read by now.
        """
        cdef uint16_t ethertype = INTERNET_ETHERTYPE_IPV4
        cdef uint32_t header = 0
        cdef uint16_t link_type
        if interface >= self.interface_count:
            self.errors[CAPTURE_UNKNOWN_INTERFACE] += 1
            return CAPTURE_AGAIN
        link_type = self.interfaces[interface].link_type
        if not is_supported(link_type):
            self.errors[CAPTURE_UNSUPPORTED_LINK] += 1
            return CAPTURE_AGAIN
        if kept < original:
            self.errors[CAPTURE_CUT_PACKETS] += 1
        if link_type == LINK_COOKED:
            header = COOKED_HEADER
        elif link_type == LINK_COOKED_2:
            header = COOKED_2_HEADER
        if kept < header:
            self.errors[CAPTURE_BAD_RECORD] += 1
            return CAPTURE_AGAIN
        if link_type == LINK_COOKED:
            ethertype = load_be16(data + COOKED_ETHERTYPE_AT)
        elif link_type == LINK_COOKED_2:
            ethertype = load_be16(data + COOKED_2_ETHERTYPE_AT)
        out.data = data
        out.length = kept
        if link_type != LINK_ETHERNET:
            out.data = data + header - INTERNET_ETHERNET_LENGTH
            out.length = kept - header + INTERNET_ETHERNET_LENGTH
            memset(out.data, 0, INTERNET_ETHERNET_LENGTH)
            internet_ethernet_put_ethertype(out.data, ethertype)
        out.time_ns = 0
        if ticks:
            out.time_ns = <uint64_t> self.interfaces[interface].offset_seconds * 1000000000
            out.time_ns += ticks_to_ns(ticks, self.interfaces[interface].ticks_per_second)
        return CAPTURE_PACKET

    def close(self):
        """Close the file; packets that were not read yet are not read any more."""
        self.finished = True
        self.source.close()
