# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""SoupBinTCP 3.00 client session: a state machine over a byte stream, without a clock."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from host.gateway.ids cimport GATEWAY_COUNT
from nic.stream cimport Stream


cdef class PacketSink:
    cdef void on_login(self, uint64_t next_sequence_number, uint64_t t_ns) noexcept nogil
    cdef void on_sequenced(self, const uint8_t *message, uint32_t length,
                           uint64_t sequence_number, uint64_t t_ns) noexcept nogil
    cdef void on_unsent(self, const uint8_t *packet, uint32_t length, uint32_t sent_bytes,
                        uint64_t t_ns) noexcept nogil
    cdef void on_down(self, int reason, uint64_t t_ns) noexcept nogil


cdef class SoupBinTCPClient:
    cdef readonly int state                    # CLIENT_*
    cdef readonly int down_reason              # DOWN_*, of the last time it went down
    cdef readonly uint64_t next_sequence_number   # of the next sequenced message to deliver
    cdef uint64_t counts[GATEWAY_COUNT]
    cdef PacketSink sink
    cdef object factory                        # makes a Stream
    cdef Stream stream
    cdef bint stream_dropped                   # the driver has to close it
    cdef bint broken                           # the stream refused a send: drop at the next poll
    cdef bint ask_current_session              # the session we knew was not available
    cdef bint has_session
    cdef uint8_t username[6]
    cdef uint8_t password[10]
    cdef uint8_t session[10]
    cdef uint64_t incoming_sequence_number     # of the next sequenced message to come
    cdef uint64_t heartbeat_interval_ns
    cdef uint64_t server_timeout_ns
    cdef uint64_t connect_timeout_ns
    cdef uint64_t login_timeout_ns
    cdef uint64_t logout_timeout_ns
    cdef uint64_t first_backoff_ns
    cdef uint64_t maximum_backoff_ns
    cdef uint64_t backoff_ns
    cdef uint64_t connect_at_ns
    cdef uint64_t state_since_ns
    cdef uint64_t last_sent_ns
    cdef uint64_t last_received_ns
    cdef uint8_t *inbound
    cdef uint32_t inbound_capacity
    cdef uint32_t inbound_count
    cdef uint32_t maximum_packet_bytes
    cdef uint8_t *outbound                     # whole packets; the first may have left in part
    cdef uint32_t outbound_capacity
    cdef uint32_t outbound_count
    cdef uint32_t outbound_sent
    cdef uint64_t connection_number            # changes when a connection ends

    cdef void poll(self, uint64_t t_ns) noexcept nogil
    cdef void on_timer(self, uint64_t t_ns) noexcept nogil
    cdef bint has_room(self, uint32_t length) noexcept nogil
    cdef int transmit(self, const uint8_t *packet, uint32_t length, uint64_t t_ns) noexcept nogil
    cdef bint needs_driver(self, uint64_t t_ns) noexcept nogil
    cdef void logout(self, uint64_t t_ns) noexcept nogil
    cdef void drop(self, int reason, uint64_t t_ns) noexcept nogil
    cdef void enter(self, int state, uint64_t t_ns) noexcept nogil
    cdef void send_login(self, uint64_t t_ns) noexcept nogil
    cdef void send_control(self, uint8_t packet_type, uint64_t t_ns) noexcept nogil
    cdef void flush(self, uint64_t t_ns) noexcept nogil
    cdef void compact(self) noexcept nogil
    cdef void report_unsent(self, uint64_t t_ns) noexcept nogil
    cdef void take_packets(self, uint64_t t_ns) noexcept nogil
    cdef void take_packet(self, const uint8_t *packet, uint32_t length,
                          uint64_t t_ns) noexcept nogil
    cdef void take_login_accepted(self, const uint8_t *packet, uint64_t t_ns) noexcept nogil
    cdef void take_login_rejected(self, const uint8_t *packet, uint64_t t_ns) noexcept nogil
    cdef void take_sequenced(self, const uint8_t *packet, uint32_t length,
                             uint64_t t_ns) noexcept nogil
