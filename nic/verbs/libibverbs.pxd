# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""What is used of libibverbs: rdma-core's ``<infiniband/verbs.h>``, its manual pages ibv_*(3).

``ibv_post_send``, ``ibv_post_recv`` and ``ibv_poll_cq`` are inline calls through the context's
``ops``, the calls of an extended completion queue through pointers in the queue itself.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "<infiniband/verbs.h>" nogil:
    enum: IBV_SYSFS_NAME_MAX

    enum ibv_mtu:
        IBV_MTU_1024
    enum ibv_port_state:
        IBV_PORT_DOWN
        IBV_PORT_ACTIVE
    enum ibv_qp_type:
        IBV_QPT_RC
        IBV_QPT_RAW_PACKET
    enum ibv_qp_state:
        IBV_QPS_RESET
        IBV_QPS_INIT
        IBV_QPS_RTR
        IBV_QPS_RTS
        IBV_QPS_ERR
    enum ibv_wc_status:
        IBV_WC_SUCCESS
        IBV_WC_LOC_PROT_ERR
        IBV_WC_WR_FLUSH_ERR
        IBV_WC_REM_ACCESS_ERR
        IBV_WC_RETRY_EXC_ERR
        IBV_WC_FATAL_ERR
    enum ibv_wc_opcode:
        IBV_WC_SEND
        IBV_WC_RDMA_WRITE
        IBV_WC_RECV
    enum ibv_wr_opcode:
        IBV_WR_RDMA_WRITE
        IBV_WR_SEND
    enum ibv_event_type:
        IBV_EVENT_DEVICE_FATAL
        IBV_EVENT_PORT_ACTIVE
        IBV_EVENT_PORT_ERR
        IBV_EVENT_QP_FATAL
    enum ibv_flow_attr_type:
        IBV_FLOW_ATTR_NORMAL
    enum ibv_flow_spec_type:
        IBV_FLOW_SPEC_ETH
        IBV_FLOW_SPEC_IPV4
        IBV_FLOW_SPEC_UDP

    int IBV_SEND_SIGNALED, IBV_SEND_INLINE
    int IBV_ACCESS_LOCAL_WRITE, IBV_ACCESS_REMOTE_WRITE
    int IBV_QP_STATE, IBV_QP_PKEY_INDEX, IBV_QP_PORT, IBV_QP_ACCESS_FLAGS, IBV_QP_AV
    int IBV_QP_PATH_MTU, IBV_QP_DEST_QPN, IBV_QP_RQ_PSN, IBV_QP_MAX_DEST_RD_ATOMIC
    int IBV_QP_MIN_RNR_TIMER, IBV_QP_TIMEOUT, IBV_QP_RETRY_CNT, IBV_QP_RNR_RETRY
    int IBV_QP_SQ_PSN, IBV_QP_MAX_QP_RD_ATOMIC
    int IBV_WC_EX_WITH_BYTE_LEN, IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK

    struct ibv_device:
        pass
    struct ibv_context_ops:
        int (*poll_cq)(ibv_cq *cq, int count, ibv_wc *wc) noexcept nogil
        int (*post_send)(ibv_qp *qp, ibv_send_wr *wr, ibv_send_wr **bad) noexcept nogil
        int (*post_recv)(ibv_qp *qp, ibv_recv_wr *wr, ibv_recv_wr **bad) noexcept nogil
    struct ibv_context:
        ibv_context_ops ops
        int async_fd
    struct ibv_pd:
        ibv_context *context
    struct ibv_comp_channel:
        pass
    struct ibv_srq:
        pass
    struct ibv_mr:
        void *addr
        size_t length
        uint32_t lkey
        uint32_t rkey
    struct ibv_cq:
        ibv_context *context
        void *cq_context
    struct ibv_cq_ex:
        ibv_context *context
        void *cq_context
        ibv_wc_status status
        uint64_t wr_id
        int (*start_poll)(ibv_cq_ex *queue, ibv_poll_cq_attr *attributes) noexcept nogil
        int (*next_poll)(ibv_cq_ex *queue) noexcept nogil
        void (*end_poll)(ibv_cq_ex *queue) noexcept nogil
        uint32_t (*read_byte_len)(ibv_cq_ex *queue) noexcept nogil
        uint64_t (*read_completion_wallclock_ns)(ibv_cq_ex *queue) noexcept nogil
    struct ibv_qp:
        ibv_context *context
        void *qp_context
        ibv_cq *send_cq
        ibv_cq *recv_cq
        uint32_t qp_num
        ibv_qp_state state
        ibv_qp_type qp_type
    struct ibv_flow:
        pass

    struct ibv_sge:
        uint64_t addr
        uint32_t length
        uint32_t lkey
    struct ibv_send_wr_rdma:
        uint64_t remote_addr
        uint32_t rkey
    union ibv_send_wr_wr:
        ibv_send_wr_rdma rdma
    struct ibv_send_wr:
        uint64_t wr_id
        ibv_send_wr *next
        ibv_sge *sg_list
        int num_sge
        ibv_wr_opcode opcode
        unsigned int send_flags
        ibv_send_wr_wr wr
    struct ibv_recv_wr:
        uint64_t wr_id
        ibv_recv_wr *next
        ibv_sge *sg_list
        int num_sge
    struct ibv_wc:
        uint64_t wr_id
        ibv_wc_status status
        ibv_wc_opcode opcode
        uint32_t byte_len
        uint32_t qp_num

    struct ibv_device_attr:
        int max_qp_wr
        int max_cqe
    struct ibv_port_attr:
        ibv_port_state state
        ibv_mtu active_mtu
        int gid_tbl_len
    union ibv_gid:
        uint8_t raw[16]
    struct ibv_qp_cap:
        uint32_t max_send_wr
        uint32_t max_recv_wr
        uint32_t max_send_sge
        uint32_t max_recv_sge
        uint32_t max_inline_data
    struct ibv_qp_init_attr:
        ibv_cq *send_cq
        ibv_cq *recv_cq
        ibv_qp_cap cap
        ibv_qp_type qp_type
        int sq_sig_all
    struct ibv_global_route:
        ibv_gid dgid
        uint8_t sgid_index
        uint8_t hop_limit
    struct ibv_ah_attr:
        ibv_global_route grh
        uint8_t is_global
        uint8_t port_num
    struct ibv_qp_attr:
        ibv_qp_state qp_state
        ibv_mtu path_mtu
        uint32_t rq_psn
        uint32_t sq_psn
        uint32_t dest_qp_num
        unsigned int qp_access_flags
        ibv_ah_attr ah_attr
        uint16_t pkey_index
        uint8_t max_rd_atomic
        uint8_t max_dest_rd_atomic
        uint8_t min_rnr_timer
        uint8_t port_num
        uint8_t timeout
        uint8_t retry_cnt
        uint8_t rnr_retry
    struct ibv_poll_cq_attr:
        uint32_t comp_mask
    struct ibv_cq_init_attr_ex:
        uint32_t cqe
        uint64_t wc_flags
    struct ibv_async_event:
        ibv_event_type event_type

    struct ibv_flow_eth_filter:
        uint8_t dst_mac[6]
        uint16_t ether_type
    struct ibv_flow_spec_eth:
        ibv_flow_spec_type type
        uint16_t size
        ibv_flow_eth_filter val
        ibv_flow_eth_filter mask
    struct ibv_flow_ipv4_filter:
        uint32_t dst_ip
    struct ibv_flow_spec_ipv4:
        ibv_flow_spec_type type
        uint16_t size
        ibv_flow_ipv4_filter val
        ibv_flow_ipv4_filter mask
    struct ibv_flow_tcp_udp_filter:
        uint16_t dst_port
    struct ibv_flow_spec_tcp_udp:
        ibv_flow_spec_type type
        uint16_t size
        ibv_flow_tcp_udp_filter val
        ibv_flow_tcp_udp_filter mask
    struct ibv_flow_attr:
        ibv_flow_attr_type type
        uint16_t size
        uint8_t num_of_specs
        uint8_t port

    ibv_device **ibv_get_device_list(int *count)
    void ibv_free_device_list(ibv_device **devices)
    const char *ibv_get_device_name(ibv_device *device)
    ibv_context *ibv_open_device(ibv_device *device)
    int ibv_close_device(ibv_context *context)
    int ibv_query_device(ibv_context *context, ibv_device_attr *attributes)
    int ibv_query_port(ibv_context *context, uint8_t port, ibv_port_attr *attributes)
    int ibv_query_gid(ibv_context *context, uint8_t port, int index, ibv_gid *gid)
    ibv_pd *ibv_alloc_pd(ibv_context *context)
    int ibv_dealloc_pd(ibv_pd *pd)
    ibv_mr *ibv_reg_mr(ibv_pd *pd, void *address, size_t length, int access)
    int ibv_dereg_mr(ibv_mr *region)
    ibv_cq *ibv_create_cq(ibv_context *context, int entries, void *cq_context,
                          ibv_comp_channel *channel, int vector)
    ibv_cq_ex *ibv_create_cq_ex(ibv_context *context, ibv_cq_init_attr_ex *attributes)
    ibv_cq *ibv_cq_ex_to_cq(ibv_cq_ex *queue)
    int ibv_destroy_cq(ibv_cq *queue)
    ibv_qp *ibv_create_qp(ibv_pd *pd, ibv_qp_init_attr *attributes)
    int ibv_modify_qp(ibv_qp *qp, ibv_qp_attr *attributes, int mask)
    int ibv_destroy_qp(ibv_qp *qp)
    ibv_flow *ibv_create_flow(ibv_qp *qp, ibv_flow_attr *attributes)
    int ibv_destroy_flow(ibv_flow *flow)
    int ibv_get_async_event(ibv_context *context, ibv_async_event *event)
    void ibv_ack_async_event(ibv_async_event *event)
    const char *ibv_wc_status_str(ibv_wc_status status)

    int ibv_poll_cq(ibv_cq *queue, int count, ibv_wc *found) noexcept nogil
    int ibv_post_send(ibv_qp *qp, ibv_send_wr *request, ibv_send_wr **bad) noexcept nogil
    int ibv_post_recv(ibv_qp *qp, ibv_recv_wr *request, ibv_recv_wr **bad) noexcept nogil
    int ibv_start_poll(ibv_cq_ex *queue, ibv_poll_cq_attr *attributes) noexcept nogil
    int ibv_next_poll(ibv_cq_ex *queue) noexcept nogil
    void ibv_end_poll(ibv_cq_ex *queue) noexcept nogil
    uint32_t ibv_wc_read_byte_len(ibv_cq_ex *queue) noexcept nogil
    uint64_t ibv_wc_read_completion_wallclock_ns(ibv_cq_ex *queue) noexcept nogil
