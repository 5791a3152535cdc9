# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A queue pair's sending side: requests gathered, posted with one doorbell, completed in order.

Requests are posted the classic way, with ``ibv_post_send``: the extended way has wrong inline
lengths on rxe in rdma-core 44. Only one request in ``signal_every`` reports its completion; it
stands for all before it, because a send queue completes in order. After the first failed
completion the queue pair is in the error state and takes nothing more.
"""

import os

from libc.errno cimport ENOMEM, errno
from libc.stdlib cimport calloc, free
from libc.string cimport memset
from nic.verbs.device cimport VerbsDevice
from nic.verbs.libibverbs cimport (
    IBV_ACCESS_LOCAL_WRITE, IBV_ACCESS_REMOTE_WRITE, IBV_QP_ACCESS_FLAGS, IBV_QP_AV,
    IBV_QP_DEST_QPN, IBV_QP_MAX_DEST_RD_ATOMIC, IBV_QP_MAX_QP_RD_ATOMIC, IBV_QP_MIN_RNR_TIMER,
    IBV_QP_PATH_MTU, IBV_QP_PKEY_INDEX, IBV_QP_PORT, IBV_QP_RETRY_CNT, IBV_QP_RNR_RETRY,
    IBV_QP_RQ_PSN, IBV_QP_SQ_PSN, IBV_QP_STATE, IBV_QP_TIMEOUT, IBV_QPS_ERR, IBV_QPS_INIT,
    IBV_QPS_RESET, IBV_QPS_RTR, IBV_QPS_RTS, IBV_QPT_RAW_PACKET, IBV_QPT_RC, IBV_SEND_INLINE,
    IBV_SEND_SIGNALED, IBV_WC_SUCCESS, ibv_mtu, ibv_poll_cq, ibv_post_send, ibv_qp_attr,
    ibv_qp_init_attr, ibv_wc, ibv_wc_status, ibv_wc_status_str, ibv_wr_opcode)

from nic.port import PortError

cdef enum:
    POLL = 16                # completions taken by one call
    MIN_RNR_TIMER = 12       # 0.64 ms; shorter ones make storms of RNR retries on rxe
    TIMEOUT = 14             # 4.096 us * 2^14 = 67 ms for an acknowledgement
    RETRIES = 7
    HOPS = 64


cdef class QueuePair:
    """A queue pair of a device: ``kind`` is ``rc`` or ``raw``.

    ``depth``: send requests out at a time, a power of two; ``receives``: receive requests, 0 for
    none; ``inline_bytes``: asked for, what was got stands in the attribute; ``stamps``: try to have
    the device's time on receive completions. Raises :class:`~nic.port.PortError`.
    """

    def __cinit__(self, *args, **kwargs):
        """Nothing made."""
        self.status = IBV_WC_SUCCESS

    def __init__(self, VerbsDevice device not None, str kind not None, *, uint32_t depth=256,
                 uint32_t receives=0, uint32_t inline_bytes=0, uint32_t signal_every=32,
                 bint stamps=False):
        cdef ibv_qp_init_attr wanted
        self.device = device
        if not 1 < depth <= 1 << 15 or depth & (depth - 1):
            raise PortError(f"verbs {device.name}: a depth of {depth}: must be a power of two")
        self.depth = depth
        self.signal_every = max(1, min(signal_every, depth // 2))
        self.requests = <ibv_send_wr *> calloc(depth, sizeof(ibv_send_wr))
        self.pieces = <ibv_sge *> calloc(depth, sizeof(ibv_sge))
        if self.requests == NULL or self.pieces == NULL:
            raise MemoryError(device.name)
        self.send_queue = device.make_completion_queue(depth, False)
        if self.send_queue == NULL:
            raise device.failure("making a completion queue", errno)
        if receives:
            if stamps:
                self.receive_queue = device.make_completion_queue(receives, True)
                self.stamps = self.receive_queue != NULL
            if self.receive_queue == NULL:
                self.receive_queue = device.make_completion_queue(receives, False)
            if self.receive_queue == NULL:
                raise device.failure("making a completion queue", errno)
        memset(&wanted, 0, sizeof(wanted))
        wanted.send_cq = self.send_queue
        wanted.recv_cq = self.receive_queue if receives else self.send_queue
        wanted.qp_type = IBV_QPT_RAW_PACKET if kind == "raw" else IBV_QPT_RC
        wanted.cap.max_send_wr = depth
        wanted.cap.max_recv_wr = receives
        wanted.cap.max_send_sge = wanted.cap.max_recv_sge = 1
        wanted.cap.max_inline_data = inline_bytes
        self.qp = device.make_queue_pair(&wanted)
        while self.qp == NULL and wanted.cap.max_inline_data:
            wanted.cap.max_inline_data = wanted.cap.max_inline_data // 2 & ~7
            self.qp = device.make_queue_pair(&wanted)
        if self.qp == NULL:
            raise device.failure(f"making a {kind} queue pair", errno)
        self.inline_bytes = min(wanted.cap.max_inline_data, inline_bytes)

    cdef int change_state(self, attributes, int mask) except -1:
        """One step of the queue pair's states; raises PortError."""
        cdef ibv_qp_attr wanted
        cdef bytes gid
        memset(&wanted, 0, sizeof(wanted))
        wanted.qp_state = attributes["state"]
        wanted.port_num = self.device.port_number
        wanted.qp_access_flags = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE
        wanted.timeout = TIMEOUT
        wanted.retry_cnt = wanted.rnr_retry = RETRIES
        wanted.min_rnr_timer = MIN_RNR_TIMER
        wanted.max_rd_atomic = wanted.max_dest_rd_atomic = 1
        wanted.sq_psn = attributes.get("own_psn", 0)
        if "peer_number" in attributes:
            gid = attributes["peer_gid"]
            wanted.dest_qp_num = attributes["peer_number"]
            wanted.rq_psn = attributes["peer_psn"]
            wanted.path_mtu = <ibv_mtu> <int> attributes["mtu"]
            wanted.ah_attr.is_global = 1
            wanted.ah_attr.port_num = self.device.port_number
            wanted.ah_attr.grh.sgid_index = attributes["gid_index"]
            wanted.ah_attr.grh.hop_limit = HOPS
            for i in range(16):
                wanted.ah_attr.grh.dgid.raw[i] = gid[i]
        error = self.device.modify_queue_pair(self.qp, &wanted, mask)
        if error:
            raise self.device.failure("setting up the queue pair", error)
        return 0

    def start_raw(self):
        """Bring a raw queue pair up; from any state, forgetting every request."""
        self.forget()
        self.change_state({"state": IBV_QPS_RESET}, IBV_QP_STATE)
        self.change_state({"state": IBV_QPS_INIT}, IBV_QP_STATE | IBV_QP_PORT)
        self.change_state({"state": IBV_QPS_RTR}, IBV_QP_STATE)
        self.change_state({"state": IBV_QPS_RTS}, IBV_QP_STATE)

    def connect(self, int gid_index, int own_psn, uint32_t peer_number, int peer_psn,
                bytes peer_gid not None, int mtu_bytes):
        """Bring an RC queue pair up with its peer."""
        if len(peer_gid) != 16:
            raise PortError(f"verbs {self.device.name}: an address of {len(peer_gid)} bytes")
        self.change_state({"state": IBV_QPS_INIT}, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT
                          | IBV_QP_ACCESS_FLAGS)
        self.change_state(
            {"state": IBV_QPS_RTR, "peer_number": peer_number, "peer_psn": peer_psn,
             "peer_gid": peer_gid, "gid_index": gid_index,
             "mtu": max(1, min(5, mtu_bytes.bit_length() - 8))},
            IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN
            | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER)
        self.change_state(
            {"state": IBV_QPS_RTS, "own_psn": own_psn},
            IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN
            | IBV_QP_MAX_QP_RD_ATOMIC)

    def number(self):
        """The queue pair's number, which the peer needs."""
        return 0 if self.qp == NULL else self.qp.qp_num

    def reason(self):
        """Why nothing can be sent any more, as text; empty while something can."""
        if self.status != IBV_WC_SUCCESS:
            return ibv_wc_status_str(<ibv_wc_status> self.status).decode()
        return os.strerror(self.post_error) if self.post_error else ""

    def forget(self):
        """No request is out any more: the queue pair is about to be reset."""
        self.reap()
        self.queued = self.posted = self.completed = 0
        self.status = IBV_WC_SUCCESS
        self.post_error = 0

    cdef void add(self, int opcode, const uint8_t *data, uint32_t length, uint32_t lkey,
                  uint64_t remote, uint32_t rkey, bint must_signal) noexcept nogil:
        """Queue one request; the caller looked at :meth:`room`. The bytes stay until it is done."""
        cdef uint32_t index = <uint32_t> self.queued & (self.depth - 1)
        cdef ibv_send_wr *request = &self.requests[index]
        cdef ibv_sge *piece = &self.pieces[index]
        piece.addr = <uint64_t> <size_t> data
        piece.length = length
        piece.lkey = lkey
        request.wr_id = self.queued
        request.next = NULL
        request.sg_list = piece
        request.num_sge = 1
        request.opcode = <ibv_wr_opcode> opcode
        request.send_flags = 0
        if length <= self.inline_bytes:
            request.send_flags |= IBV_SEND_INLINE
        if must_signal or (self.queued + 1) % self.signal_every == 0:
            request.send_flags |= IBV_SEND_SIGNALED
        request.wr.rdma.remote_addr = remote
        request.wr.rdma.rkey = rkey
        if self.queued != self.posted:
            self.requests[<uint32_t> (self.queued - 1) & (self.depth - 1)].next = request
        self.queued += 1

    cdef int post(self) noexcept nogil:
        """Give what is queued to the device with one call; how many requests it had no room for.

        -1 when the queue pair takes nothing any more.
        """
        cdef ibv_send_wr *bad = NULL
        cdef int error
        if self.is_down() or self.qp == NULL:
            return -1
        if self.queued == self.posted:
            return 0
        error = ibv_post_send(self.qp, &self.requests[<uint32_t> self.posted & (self.depth - 1)],
                              &bad)
        self.doorbells += 1
        if error == 0:
            self.posted = self.queued
            return 0
        if bad != NULL:
            self.posted = bad.wr_id
        if error != ENOMEM:
            self.post_error = error
            return -1
        self.full += 1
        return <int> (self.queued - self.posted)

    cdef void reap(self) noexcept nogil:
        """Take completions: everything up to a completed request is done with."""
        cdef ibv_wc found[POLL]
        cdef int count = POLL
        cdef int i
        if self.send_queue == NULL:
            return
        while count == POLL:
            count = ibv_poll_cq(self.send_queue, POLL, found)
            if count < 0:
                self.post_error = ENOMEM if self.post_error == 0 else self.post_error
                return
            for i in range(count):
                self.completions += 1
                if found[i].status != IBV_WC_SUCCESS and self.status == IBV_WC_SUCCESS:
                    self.status = found[i].status
                # One of a request that is not out, or out of turn, moves nothing.
                if found[i].wr_id >= self.posted or found[i].wr_id < self.completed:
                    self.strange += 1
                else:
                    self.completed = found[i].wr_id + 1

    def drain(self):
        """Put the queue pair into the error state, so that nothing touches memory any more."""
        cdef ibv_qp_attr wanted
        if self.qp == NULL:
            return
        memset(&wanted, 0, sizeof(wanted))
        wanted.qp_state = IBV_QPS_ERR
        self.device.modify_queue_pair(self.qp, &wanted, IBV_QP_STATE)
        self.reap()

    def close(self):
        """Give the queue pair back, then its completion queues; harmless when closed."""
        self.drain()
        if self.qp != NULL:
            self.device.destroy_queue_pair(self.qp)
            self.qp = NULL
        if self.receive_queue != NULL:
            self.device.destroy_completion_queue(self.receive_queue)
            self.receive_queue = NULL
        if self.send_queue != NULL:
            self.device.destroy_completion_queue(self.send_queue)
            self.send_queue = NULL

    def __dealloc__(self):
        """The request arrays; what the device gave is given back by :meth:`close`, or with it."""
        free(self.requests)
        free(self.pieces)
