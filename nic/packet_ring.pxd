# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""The rings that an AF_PACKET socket shares with the kernel (TPACKET, versions 2 and 3).

A frame or block changes hands by its status word: who gives it away stores the status with release
order, the other side reads it with acquire order. Source: kernel document
``networking/packet_mmap``, header ``linux/if_packet.h``.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef extern from "<linux/if_packet.h>":
    struct tpacket2_hdr:
        uint32_t tp_status
        uint32_t tp_len
        uint32_t tp_snaplen
        uint16_t tp_mac
        uint32_t tp_sec
        uint32_t tp_nsec
        uint16_t tp_vlan_tci
        uint16_t tp_vlan_tpid
    struct tpacket_hdr_variant1:
        uint32_t tp_vlan_tci
        uint16_t tp_vlan_tpid
    struct tpacket3_hdr:
        uint32_t tp_next_offset
        uint32_t tp_sec
        uint32_t tp_nsec
        uint32_t tp_snaplen
        uint32_t tp_len
        uint32_t tp_status
        uint16_t tp_mac
        tpacket_hdr_variant1 hv1
    struct tpacket_hdr_v1:
        uint32_t block_status
        uint32_t num_pkts
        uint32_t offset_to_first_pkt
    union tpacket_bd_header_u:
        tpacket_hdr_v1 bh1
    struct tpacket_block_desc:
        tpacket_bd_header_u hdr
    struct tpacket_req3:
        unsigned int tp_block_size
        unsigned int tp_block_nr
        unsigned int tp_frame_size
        unsigned int tp_frame_nr
        unsigned int tp_retire_blk_tov
        unsigned int tp_sizeof_priv
        unsigned int tp_feature_req_word
    struct tpacket_req:
        pass
    struct tpacket_stats_v3:
        unsigned int tp_packets
        unsigned int tp_drops
        unsigned int tp_freeze_q_cnt
    int TPACKET_V2, TPACKET_V3, TPACKET_ALIGNMENT, TPACKET2_HDRLEN, TPACKET3_HDRLEN
    int PACKET_VERSION, PACKET_RESERVE, PACKET_RX_RING, PACKET_TX_RING, PACKET_STATISTICS
    int PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING
    int TP_STATUS_KERNEL, TP_STATUS_USER, TP_STATUS_CSUMNOTREADY
    int TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID
    int TP_STATUS_AVAILABLE, TP_STATUS_SEND_REQUEST, TP_STATUS_WRONG_FORMAT

cdef struct SlotRing:             # slots of equal size, one behind the other
    uint8_t *slots
    uint32_t count
    uint32_t slot_bytes
    uint32_t position             # the slot that is looked at next
    uint32_t oldest               # the first that was not given away yet
    uint32_t held                 # how many lie between them


cdef inline uint8_t *ring_slot(const SlotRing *ring, uint32_t index) noexcept nogil:
    """A frame or block of the ring."""
    return ring.slots + <size_t> index * ring.slot_bytes


cdef inline uint32_t ring_next(const SlotRing *ring, uint32_t index) noexcept nogil:
    """The slot behind another one."""
    return index + 1 if index + 1 < ring.count else 0
