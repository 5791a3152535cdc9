# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The four rings that an AF_XDP socket shares with the kernel: one producer, one consumer each.

Indices run freely over 32 bits. The side that writes an index publishes it with release order, the
other reads it with acquire order, so that entries are seen whole. Source: kernel document
``networking/af_xdp``, header ``linux/if_xdp.h``.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "<linux/if_xdp.h>":
    struct xdp_desc:
        uint64_t addr
        uint32_t len
        uint32_t options
    struct xdp_ring_offset:
        uint64_t producer
        uint64_t consumer
        uint64_t desc
        uint64_t flags
    struct xdp_mmap_offsets:
        xdp_ring_offset rx
        xdp_ring_offset tx
        xdp_ring_offset fr
        xdp_ring_offset cr
    struct xdp_umem_reg:
        uint64_t addr
        uint64_t len
        uint32_t chunk_size
        uint32_t headroom
        uint32_t flags
    struct xdp_statistics:
        uint64_t rx_dropped
        uint64_t rx_invalid_descs
        uint64_t tx_invalid_descs
        uint64_t rx_ring_full
        uint64_t rx_fill_ring_empty_descs
        uint64_t tx_ring_empty_descs
    struct xdp_options:
        uint32_t flags
    struct sockaddr_xdp:
        uint16_t sxdp_family
        uint16_t sxdp_flags
        uint32_t sxdp_ifindex
        uint32_t sxdp_queue_id
        uint32_t sxdp_shared_umem_fd
    int XDP_COPY, XDP_ZEROCOPY, XDP_USE_NEED_WAKEUP, XDP_RING_NEED_WAKEUP
    int XDP_MMAP_OFFSETS, XDP_RX_RING, XDP_TX_RING, XDP_UMEM_REG, XDP_UMEM_FILL_RING
    int XDP_UMEM_COMPLETION_RING, XDP_STATISTICS, XDP_OPTIONS, XDP_OPTIONS_ZEROCOPY
    uint64_t XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING
    uint64_t XDP_UMEM_PGOFF_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING

cdef extern from *:
    """
    #ifndef TICKWIRE_XDP_RING_H
    #define TICKWIRE_XDP_RING_H
    #include <stdint.h>
    #ifndef XDP_MAX_TX_SKB_BUDGET
    #define XDP_MAX_TX_SKB_BUDGET 9   /* linux 6.17 */
    #endif
    static inline uint32_t tw_load_acquire(const uint32_t *p)
    { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void tw_store_release(uint32_t *p, uint32_t v)
    { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    #endif
    """
    int XDP_MAX_TX_SKB_BUDGET
    uint32_t load_acquire "tw_load_acquire"(const uint32_t *p) noexcept nogil
    void store_release "tw_store_release"(uint32_t *p, uint32_t v) noexcept nogil
    void prefetch "__builtin_prefetch"(const void *p) noexcept nogil

cdef struct Ring:
    uint32_t *producer     # shared: entries below it were written
    uint32_t *consumer     # shared: entries below it were read
    uint32_t *flags        # shared: XDP_RING_NEED_WAKEUP
    void *entries          # of xdp_desc (rx, tx) or uint64_t (fill, completion)
    uint32_t mask          # entries - 1
    uint32_t position      # our own index: of the next entry that we write or read
    void *area             # the mapping
    size_t area_bytes


cdef inline xdp_desc *ring_descriptor(const Ring *ring, uint32_t index) noexcept nogil:
    """Entry of a receive or transmit ring."""
    return &(<xdp_desc *> ring.entries)[index & ring.mask]


cdef inline uint64_t *ring_address(const Ring *ring, uint32_t index) noexcept nogil:
    """Entry of a fill or completion ring."""
    return &(<uint64_t *> ring.entries)[index & ring.mask]
