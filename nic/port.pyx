# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""The one interface of every packet path.

A port hands packets out in bursts and takes packets in; it never blocks, and it says what it truly
got (:meth:`Port.mode`) and what happened to every packet (:meth:`Port.counters`).
"""

from libc.stdint cimport uint8_t
from libc.string cimport memset
from nic.ids cimport PORT_COUNT

from nic.enumerations import PORT

cdef enum:
    PYTHON_BURST = 64


class PortError(RuntimeError):
    """A port could not be had as configured; the text is one line that says why and what to do."""


cdef class Port:
    """Base of the ports. ``name`` is for reports, ``layer`` says where its packets begin."""

    def __cinit__(self, *args, **kwargs):
        """Counters at zero, whatever a derived class takes as arguments."""
        self.name = ""
        self.layer = LAYER_FRAME
        memset(self.counts, 0, sizeof(self.counts))

    cdef int receive_burst(self, Packet *packets, int maximum) noexcept nogil:
        """Fill in up to ``maximum`` packets; their number, 0 for none now. Never blocks.

        The bytes stay valid until :meth:`release`, which must come before the next burst.
        """
        return 0

    cdef void release(self) noexcept nogil:
        """Give the buffers of the last bursts back."""

    cdef int transmit(self, const uint8_t *data, uint32_t length) noexcept nogil:
        """Take one packet, copying it; 0, or -1 when it was refused (and counted why)."""
        return -1

    cdef int flush(self) noexcept nogil:
        """Hand what was transmitted to the kernel; how many packets wait for the next call."""
        return 0

    def counters(self):
        """Counters by name, since the port was opened."""
        cdef int i
        return PORT.as_dict([self.counts[i] for i in range(PORT_COUNT)])

    def mode(self):
        """What this port truly got.

        Keys of every port: ``kind``, ``interface``, ``driver_mode`` (native, generic, socket or
        file), ``zero_copy``, ``queue``, ``timestamps`` (kernel-software, xdp-monotonic,
        capture-file or none), ``offloads`` and ``notes`` (lists of text).
        """
        raise NotImplementedError

    def close(self):
        """Give everything back; a closed port receives nothing and refuses to send."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def receive(self, int maximum=PYTHON_BURST):
        """A list of ``(bytes, kernel_ns)`` of at most ``maximum`` packets, empty for none now."""
        cdef Packet packets[PYTHON_BURST]
        cdef int count, i
        taken = []
        while len(taken) < maximum:
            count = self.receive_burst(packets, min(PYTHON_BURST, maximum - len(taken)))
            for i in range(count):
                taken.append((packets[i].data[:packets[i].length], packets[i].kernel_ns))
            self.release()
            if count == 0:
                break
        return taken

    def send(self, const uint8_t[::1] data not None):
        """Transmit one packet and flush; 0, or -1 when it was refused (see the counters)."""
        cdef int result = self.transmit(&data[0] if data.shape[0] else NULL,
                                        <uint32_t> data.shape[0])
        self.flush()
        return result
