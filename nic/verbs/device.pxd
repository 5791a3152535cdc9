# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""An RDMA device: opening, memory, queues; each call of libibverbs that makes something."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from nic.verbs.libibverbs cimport (
    ibv_context, ibv_cq, ibv_flow, ibv_flow_attr, ibv_gid, ibv_mr, ibv_pd, ibv_port_attr, ibv_qp,
    ibv_qp_attr, ibv_qp_init_attr)

cdef class VerbsDevice:
    cdef readonly str name
    cdef readonly uint8_t port_number
    cdef readonly bint is_gone         # the device was removed, or has failed
    cdef readonly bint link_is_down
    cdef ibv_context *context
    cdef ibv_pd *pd

    cdef ibv_mr *register_region(self, void *address, size_t size) noexcept
    cdef int forget_region(self, ibv_mr *region) noexcept
    cdef ibv_cq *make_completion_queue(self, int entries, bint stamps) noexcept
    cdef int destroy_completion_queue(self, ibv_cq *queue) noexcept
    cdef ibv_qp *make_queue_pair(self, ibv_qp_init_attr *attributes) noexcept
    cdef int modify_queue_pair(self, ibv_qp *qp, ibv_qp_attr *attributes, int mask) noexcept
    cdef int destroy_queue_pair(self, ibv_qp *qp) noexcept
    cdef ibv_flow *make_flow(self, ibv_qp *qp, ibv_flow_attr *attributes) noexcept
    cdef int destroy_flow(self, ibv_flow *flow) noexcept
    cdef int query_port(self, ibv_port_attr *attributes) noexcept
    cdef int query_gid(self, int index, ibv_gid *gid) noexcept
    cdef int next_event(self) noexcept

cdef class Region:
    cdef readonly size_t size_bytes
    cdef readonly bint on_huge_pages
    cdef VerbsDevice device
    cdef uint8_t *base                 # zeros at the start; NULL when closed
    cdef size_t mapped_bytes
    cdef ibv_mr *region
    cdef uint32_t lkey
    cdef uint32_t rkey
