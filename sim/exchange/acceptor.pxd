# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The SoupBinTCP server: connections, logins, resume."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from sim.exchange.ids cimport ACCEPTOR_COUNT
from sim.exchange.order_entry cimport OrderDesk
from sim.exchange.sequenced cimport SequencedStore

cdef class OrderEntrySession:
    cdef readonly str name
    cdef readonly str username
    cdef str password
    cdef readonly SequencedStore store
    cdef readonly uint32_t index       # the order desk's
    cdef Connection connection         # logged in, or None

cdef class Connection:
    cdef readonly object identity
    cdef bytearray received
    cdef list output
    cdef OrderEntrySession session     # None before the login
    cdef uint64_t sent                 # sequenced messages given to the connection, by number
    cdef uint64_t received_ns
    cdef uint64_t sent_ns

cdef class Acceptor:
    cdef OrderDesk desk
    cdef list sessions
    cdef dict connections
    cdef list closed                   # connections to be closed by the driver
    cdef bint cancel_on_disconnect
    cdef readonly bint ended
    cdef uint64_t heartbeat_ns
    cdef uint64_t silence_ns
    cdef uint64_t login_timeout_ns
    cdef uint64_t counts[ACCEPTOR_COUNT]

    cdef void _on_packet(self, Connection connection, const uint8_t *packet, uint32_t length,
                         uint64_t t_ns)
    cdef void _log_in(self, Connection connection, const uint8_t *packet, uint64_t t_ns)
    cdef void _reject_login(self, Connection connection, uint8_t reason, uint64_t t_ns)
    cdef void _write(self, Connection connection, bytes packet, uint64_t t_ns)
    cdef void _pump(self, Connection connection, uint64_t t_ns)
    cdef void _close(self, Connection connection, uint64_t t_ns)
