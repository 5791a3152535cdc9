# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""Round trips between two ports, spinning on both sides; the loops of :mod:`tools.bench_ports`.

Each side does what an appliance does: take the packet, on a frame port parse its headers and make
the answer's with real checksums, transmit, flush. The payload begins with its sequence number.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from nic.clock cimport rdtsc
from nic.frame cimport UdpDatagram, UdpPath, frame_build_udp, frame_parse_udp
from nic.ids cimport FRAME_OK
from nic.port cimport LAYER_FRAME, Packet, Port
from nic.wire.byteorder cimport load_le64, store_le64

from nic.frame import address_number

cdef enum:
    BURST = 16
    LARGEST = 2048

cdef uint64_t END = <uint64_t> -1


cdef class Side:
    """One side: a port, the addresses its frames bear, a payload of 8 to 1400 bytes."""

    cdef Port port
    cdef UdpPath path
    cdef uint32_t payload_bytes
    cdef uint8_t payload[LARGEST]
    cdef uint8_t frame[LARGEST]

    def __init__(self, Port port not None, source, destination, *, bytes source_hardware=bytes(6),
                 bytes destination_hardware=bytes(6), uint32_t payload_bytes=32):
        if not 8 <= payload_bytes <= 1400:
            raise ValueError("payload_bytes must be 8 to 1400")
        self.port = port
        self.payload_bytes = payload_bytes
        memset(&self.path, 0, sizeof(self.path))
        memset(self.payload, 0, LARGEST)
        memcpy(self.path.source_hardware, <const uint8_t *> source_hardware, 6)
        memcpy(self.path.destination_hardware, <const uint8_t *> destination_hardware, 6)
        self.path.source_address = address_number(source[0])
        self.path.source_port = source[1]
        self.path.destination_address = address_number(destination[0])
        self.path.destination_port = destination[1]
        self.path.time_to_live = 1

    cdef void send(self, uint64_t sequence_number) noexcept nogil:
        """One packet with this number."""
        cdef uint32_t length
        store_le64(self.payload, sequence_number)
        if self.port.layer == LAYER_FRAME:
            length = frame_build_udp(self.frame, LARGEST, &self.path, <uint16_t> sequence_number,
                                     self.payload, self.payload_bytes)
            self.port.transmit(self.frame, length)
        else:
            self.port.transmit(self.payload, self.payload_bytes)
        self.port.flush()

    cdef bint take(self, uint64_t *sequence_number) noexcept nogil:
        """Whether a packet came; the number of the last one."""
        cdef Packet packets[BURST]
        cdef UdpDatagram datagram
        cdef bint came = False
        cdef int i, count = self.port.receive_burst(packets, BURST)
        for i in range(count):
            datagram.payload = packets[i].data
            datagram.length = packets[i].length
            if self.port.layer == LAYER_FRAME and frame_parse_udp(
                    packets[i].data, packets[i].length, &datagram) != FRAME_OK:
                continue
            if datagram.length >= 8:
                sequence_number[0] = load_le64(datagram.payload)
                came = True
        if count:
            self.port.release()
        return came

    def answer(self, double idle_seconds, double ns_per_tick):
        """Send every packet back, until the end mark or a long silence; how many those were."""
        cdef uint64_t sequence_number = 0, answered = 0, last = rdtsc()
        cdef uint64_t idle = <uint64_t> (idle_seconds * 1e9 / ns_per_tick)
        with nogil:
            while rdtsc() - last < idle:
                if self.take(&sequence_number):
                    if sequence_number == END:
                        break
                    self.send(sequence_number)
                    answered += 1
                    last = rdtsc()
        return answered

    def ask(self, uint64_t[::1] ticks not None, double lost_seconds, double ns_per_tick):
        """Fill ``ticks`` with round trips, one after the other; 0 where an answer did not come.

        Returns how many did not come within ``lost_seconds``.
        """
        cdef uint64_t sequence_number = 0, start, now, lost = 0
        cdef uint64_t patience = <uint64_t> (lost_seconds * 1e9 / ns_per_tick)
        cdef Py_ssize_t i
        with nogil:
            for i in range(ticks.shape[0]):
                ticks[i] = 0
                start = rdtsc()
                now = start
                self.send(<uint64_t> i)
                while now - start < patience:
                    if self.take(&sequence_number) and sequence_number == <uint64_t> i:
                        ticks[i] = rdtsc() - start
                        break
                    now = rdtsc()
                lost += ticks[i] == 0
        return lost

    def end(self):
        """Tell the other side that this was all."""
        self.send(END)


def burst(Port port not None, const uint8_t[::1] frame not None, int count):
    """Transmit one packet ``count`` times, then flush once; how many the port took."""
    cdef int taken = 0
    with nogil:
        for _ in range(count):
            taken += port.transmit(&frame[0], <uint32_t> frame.shape[0]) == 0
        port.flush()
    return taken
