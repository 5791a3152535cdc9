# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""From the call of a send to the frame at the peer's end; the loops of :mod:`tools.bench_sends`.

Payloads begin with the number of the message. The peer's process spins on a packet socket and
writes the time stamp counter into memory that both share, at the message's number.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from nic.clock cimport rdtsc
from nic.frame cimport Ipv4Packet, frame_parse_ipv4
from nic.ids cimport FRAME_OK
from nic.tcp.delegated_stream cimport DelegatedStream
from nic.tcp.ids cimport DELEGATION_SENT
from nic.tcp.kernel_side cimport monotonic_ns
from nic.tcp.segment cimport SEGMENT_LONGEST, segment_build
from nic.wire.byteorder cimport load_le64, store_le64
from nic.wire.internet_codec cimport (
    INTERNET_IP_PROTOCOL_TCP, INTERNET_TCP_LENGTH, internet_tcp_data_offset,
    internet_tcp_destination_port)

from nic.tcp.delegated_stream import PREPARATIONS

cdef extern from "<sys/socket.h>":
    int MSG_DONTWAIT
    ssize_t c_recv "recv"(int fd, void *data, size_t length, int flags) noexcept nogil
    int setsockopt(int fd, int level, int name, const void *value, unsigned int size) noexcept nogil

cdef extern from "<netinet/tcp.h>":
    int TCP_QUICKACK

cdef extern from "<netinet/in.h>":
    int IPPROTO_TCP

cdef extern from *:
    ctypedef uint64_t volatile_uint64 "volatile uint64_t"

cdef enum:
    LARGEST = 4096
    SETTLE_CALLS = 400         # idle receive calls before a send, at most


cdef inline void note(const uint8_t *frame, uint32_t length, int port,
                      uint64_t[::1] seen) noexcept nogil:
    """Write down when a message's segment was first seen."""
    cdef Ipv4Packet packet
    cdef uint64_t now = rdtsc()
    cdef uint64_t number
    cdef uint32_t header_length
    if (frame_parse_ipv4(frame, length, &packet) != FRAME_OK
            or packet.protocol != INTERNET_IP_PROTOCOL_TCP
            or packet.payload_length < INTERNET_TCP_LENGTH
            or internet_tcp_destination_port(packet.payload) != port):
        return
    header_length = internet_tcp_data_offset(packet.payload) >> 4 << 2
    if packet.payload_length < header_length + 8:
        return
    number = load_le64(packet.payload + header_length)
    if number < <uint64_t> seen.shape[0] and seen[number] == 0:
        seen[number] = now


def watch(int packet_descriptor, int stream_descriptor, int port, uint64_t[::1] seen not None,
          double idle_seconds, double ns_per_tick):
    """Note every segment to ``port``, read and acknowledge the stream; until it is at its end.

    Ends as well when nothing came for ``idle_seconds``.
    """
    cdef uint8_t data[LARGEST]
    cdef ssize_t got
    cdef int one = 1
    cdef uint64_t last = rdtsc()
    cdef uint64_t idle = <uint64_t> (idle_seconds * 1e9 / ns_per_tick)
    with nogil:
        while rdtsc() - last < idle:
            got = c_recv(packet_descriptor, data, LARGEST, MSG_DONTWAIT)
            if got <= 0:
                continue
            note(data, <uint32_t> got, port, seen)
            last = rdtsc()
            got = c_recv(stream_descriptor, data, LARGEST, MSG_DONTWAIT)
            if got == 0:
                break
            if got > 0:
                setsockopt(stream_descriptor, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one))


cdef void send_frame(DelegatedStream stream, const uint8_t *payload,
                     uint32_t length) noexcept nogil:
    """The raw frame alone: with numbers that the peer has acknowledged, so that it drops it."""
    cdef uint32_t frame_bytes
    stream.numbers.sequence_number = stream.kernel.sequence_number - length
    stream.numbers.acknowledgment_number = stream.kernel.acknowledged
    stream.numbers.window = stream.kernel.window
    stream.numbers.identification += 1
    stream.numbers.timestamp = stream.kernel.timestamp(monotonic_ns())
    frame_bytes = segment_build(stream.frame, SEGMENT_LONGEST, &stream.path, &stream.numbers,
                                payload, length)
    stream.raw.transmit(stream.frame, frame_bytes)
    stream.raw.flush()


cdef void settle(DelegatedStream stream) noexcept nogil:
    """Idle, as a loop between two orders is: until all is acknowledged and known."""
    cdef uint8_t data[64]
    cdef int calls = 0
    while calls < SETTLE_CALLS:
        stream.receive(data, sizeof(data))
        calls += 1
        if calls > 2 and stream.kernel.is_settled and not stream.is_stale:
            return


def send_each(DelegatedStream stream not None, str path not None, uint64_t[::1] seen not None,
              uint64_t first, uint64_t[::1] ticks not None, uint64_t[::1] call_ticks not None,
              int payload_bytes, double lost_seconds, double ns_per_tick):
    """Send messages ``first`` and on, one after the other, by one path.

    ``path`` is ``send`` (the kernel's), ``frame`` (a raw frame that belongs to no send, for which
    the last message must have had the same length) or a name of ``PREPARATIONS``. Fills
    ``ticks`` with the time from the call to the frame at the peer, ``call_ticks`` with that of
    the call itself; 0 where it was not seen within ``lost_seconds`` or the other way was taken.
    Returns how many those were.
    """
    cdef uint8_t payload[LARGEST]
    cdef uint64_t start, end, patience = <uint64_t> (lost_seconds * 1e9 / ns_per_tick)
    cdef uint64_t number, before, missed = 0
    cdef bint is_ordinary = path == "send"
    cdef bint is_frame = path == "frame"
    cdef int preparation = PREPARATIONS.get(path, PREPARATIONS["cached"])
    cdef bint is_delegated
    cdef Py_ssize_t i
    if not 8 <= payload_bytes <= 1400:
        raise ValueError("payload_bytes must be 8 to 1400")
    memset(payload, 0, sizeof(payload))
    stream.kernel.disarm()
    stream.preparation = preparation
    for i in range(ticks.shape[0]):
        PyErr_CheckSignals()       # a round may take long on a busy machine
        number = first + <uint64_t> i
        store_le64(payload, number)
        with nogil:
            settle(stream)
            before = stream.results[DELEGATION_SENT]
            start = rdtsc()
            if is_ordinary:
                stream.send_ordinary(payload, <uint32_t> payload_bytes)
            elif is_frame:
                send_frame(stream, payload, <uint32_t> payload_bytes)
            else:
                stream.send(payload, <uint32_t> payload_bytes)
            end = rdtsc()
            while (<volatile_uint64 *> &seen[number])[0] == 0 and rdtsc() - end < patience:
                pass
        is_delegated = stream.results[DELEGATION_SENT] != before
        ticks[i] = call_ticks[i] = 0
        if seen[number] == 0 or is_delegated == (is_ordinary or is_frame):
            missed += 1
        else:
            ticks[i] = seen[number] - start
            call_ticks[i] = end - start
    return missed
