# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""An order line over RDMA: the rings beside a feed as ends of ``slot_ring``."""

from host.ipc.slot_ring cimport SlotReceiver, SlotSender
from nic.verbs.ring cimport RingReceiver, RingSender

cdef class RdmaSender(SlotSender):
    cdef RingSender ring

cdef class RdmaReceiver(SlotReceiver):
    cdef RingReceiver ring
