# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""Capture files as ports: packets come from a pcap or pcapng file, and go to a pcap file.

Source: ``draft-ietf-opsawg-pcap``; the reader is :mod:`nic.capture_reader`.
"""

import os

from libc.errno cimport errno
from libc.stdio cimport _IOFBF, fclose, fflush, fopen, fwrite, setvbuf
from nic.capture_reader cimport CAPTURE_PACKET
from nic.clock cimport rdtsc
from nic.ids cimport (
    PORT_RX_BYTES, PORT_RX_PACKETS, PORT_TX_BYTES, PORT_TX_ERRORS, PORT_TX_PACKETS,
    PORT_TX_TOO_LONG)
from nic.port cimport LAYER_FRAME
from nic.wire.byteorder cimport store_le16, store_le32

from nic.port import PortError

cdef enum:
    FILE_HEADER = 24
    RECORD_HEADER = 16
    BUFFER_BYTES = 1048576
    LINK_ETHERNET = 1
    SNAP_BYTES = 262144

cdef uint32_t NANOSECOND_MAGIC = 0xA1B23C4D


cdef class PcapWriter(Port):
    """A pcap file with nanosecond time stamps, little-endian, of Ethernet frames; an old one is
    replaced.

    As a port it only transmits: :meth:`transmit` stamps with ``time_ns``, which the owner sets.
    Raises :class:`~nic.port.PortError`.
    """

    def __cinit__(self, *args, **kwargs):
        """No file."""
        self.file = NULL
        self.layer = LAYER_FRAME

    def __init__(self, path, *, str name=""):
        cdef uint8_t header[FILE_HEADER]
        encoded = os.fsencode(path)
        self.path = os.fsdecode(path)
        self.name = name or f"pcap {self.path}"
        self.snap_bytes = SNAP_BYTES
        self.file = fopen(encoded, "wb")
        if self.file == NULL:
            raise PortError(f"{self.name}: {os.strerror(errno)}")
        setvbuf(self.file, NULL, _IOFBF, BUFFER_BYTES)
        store_le32(header, NANOSECOND_MAGIC)
        store_le16(header + 4, 2)       # version 2.4
        store_le16(header + 6, 4)
        store_le32(header + 8, 0)
        store_le32(header + 12, 0)
        store_le32(header + 16, self.snap_bytes)
        store_le32(header + 20, LINK_ETHERNET)
        fwrite(header, 1, FILE_HEADER, self.file)

    cdef int write(self, const uint8_t *data, uint32_t length, uint64_t time_ns) noexcept nogil:
        """Append one frame; 0, or -1 when it was refused (see the counters)."""
        cdef uint8_t header[RECORD_HEADER]
        if length > self.snap_bytes:
            self.counts[PORT_TX_TOO_LONG] += 1
            return -1
        store_le32(header, <uint32_t> (time_ns // 1000000000))
        store_le32(header + 4, <uint32_t> (time_ns % 1000000000))
        store_le32(header + 8, length)
        store_le32(header + 12, length)
        if (self.file == NULL or fwrite(header, 1, RECORD_HEADER, self.file) != RECORD_HEADER
                or fwrite(data, 1, length, self.file) != length):
            self.counts[PORT_TX_ERRORS] += 1
            return -1
        self.counts[PORT_TX_PACKETS] += 1
        self.counts[PORT_TX_BYTES] += length
        return 0

    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """Append one frame at ``time_ns``."""
        return self.write(data, length, self.time_ns)

    cdef int flush(self) noexcept nogil:
        """Hand everything to the kernel; 0."""
        if self.file != NULL and fflush(self.file) != 0:
            self.counts[PORT_TX_ERRORS] += 1
        return 0

    def write_frame(self, const uint8_t[::1] data not None, uint64_t time_ns):
        """Append one frame that was seen at ``time_ns`` since the epoch; 0 or -1."""
        return self.write(&data[0] if data.shape[0] else NULL, <uint32_t> data.shape[0], time_ns)

    def mode(self):
        """A file."""
        return {
            "kind": "pcap",
            "interface": self.path,
            "driver_mode": "file",
            "zero_copy": False,
            "queue": None,
            "timestamps": "none",
            "offloads": [],
            "notes": [],
        }

    def close(self):
        """Write what is buffered and close the file."""
        if self.file != NULL:
            if fclose(self.file) != 0:
                self.counts[PORT_TX_ERRORS] += 1
            self.file = NULL

    def __dealloc__(self):
        """Close the file."""
        if self.file != NULL:
            fclose(self.file)


cdef class PcapPort(Port):
    """The packets of a capture file, pcap or pcapng, plain or gzipped, each as an Ethernet frame.

    ``writer`` takes what is transmitted, stamped with the time of the packet received last, so
    that the same input gives the same file. Raises :class:`~nic.port.PortError`.
    """

    def __cinit__(self, *args, **kwargs):
        """No file."""
        self.layer = LAYER_FRAME
        self.writer = None

    def __init__(self, path, *, PcapWriter writer=None, str name=""):
        self.name = name or f"pcap {os.fsdecode(path)}"
        self.writer = writer
        try:
            self.reader = CaptureReader(path)
        except OSError as failure:
            raise PortError(f"{self.name}: {failure.strerror}") from None
        except ValueError as failure:
            raise PortError(str(failure)) from None
        # pcapng says what a packet's link type is on the way to it.
        self.has_pending = self.reader.next_packet(&self.pending, True) == CAPTURE_PACKET
        if not self.has_pending and self.errors()["unsupported_link"]:
            self.close()
            raise PortError(f"{self.name}: link type {', '.join(self.reader.link_types())} is not "
                            "supported (Ethernet, raw IP and Linux cooked are)")

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil:
        """The next packets of the file, fewer where the window ends; 0 at the end of the file."""
        cdef CapturedPacket packet
        cdef uint64_t tsc = rdtsc(), size = 0
        cdef int count = 0
        while count < maximum:
            if self.has_pending:
                packet = self.pending
                self.has_pending = False
            elif self.reader.next_packet(&packet, count == 0) != CAPTURE_PACKET:
                break
            packets[count].data = packet.data
            packets[count].length = packet.length
            packets[count].source_address = 0
            packets[count].source_port = 0
            packets[count].kernel_ns = packet.time_ns
            packets[count].tsc = tsc
            size += packet.length
            count += 1
        if count:
            self.time_ns = packets[count - 1].kernel_ns
        self.counts[PORT_RX_PACKETS] += <uint64_t> count
        self.counts[PORT_RX_BYTES] += size
        return count

    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """Append a frame to the writer's file; refused where there is none."""
        if self.writer is None:
            self.counts[PORT_TX_ERRORS] += 1
            return -1
        if self.writer.write(data, length, self.time_ns) != 0:
            self.counts[PORT_TX_ERRORS] += 1
            return -1
        self.counts[PORT_TX_PACKETS] += 1
        self.counts[PORT_TX_BYTES] += length
        return 0

    cdef int flush(self) noexcept nogil:
        """Hand what was written to the kernel; 0."""
        return self.writer.flush() if self.writer is not None else 0

    @property
    def finished(self):
        """Whether every packet was received."""
        return self.reader.finished and not self.has_pending

    def errors(self):
        """Faults of the file met so far, by the names of ``nic.enumerations.CAPTURE``."""
        return self.reader.errors_by_name()

    def __iter__(self):
        """``(frame, time_ns)`` of every packet that was not received yet."""
        while burst := self.receive():
            yield from burst

    def mode(self):
        """A file; also ``format`` (pcap or pcapng), ``compression`` and ``link_types``."""
        return {
            "kind": "pcap",
            "interface": self.reader.source.path,
            "driver_mode": "file",
            "zero_copy": False,
            "queue": None,
            "timestamps": "capture-file",
            "offloads": [],
            "notes": [],
            "format": self.reader.kind,
            "compression": "gzip" if self.reader.source.is_gzip else "none",
            "link_types": self.reader.link_types(),
        }

    def close(self):
        """Close the file; the writer is its owner's to close."""
        self.has_pending = False
        if self.reader is not None:
            self.reader.close()
