# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""A verbs device in memory: its post and poll functions are queues that tests can disturb.

Everything above :class:`~nic.verbs.device.VerbsDevice` runs unchanged on it: queue pairs of this
process that are connected write into each other's registered memory, raw ones give their frames to
a list and take frames from :meth:`FakeDevice.deliver`. Keys, ranges, states and queue depths are
checked as a device would. Faults: failing and withheld completions, completions in another order,
a stalled wire, full queues, a removed device, events.
"""

from cpython.ref cimport PyObject
from libc.errno cimport EINVAL, ENODEV, ENOENT, ENOMEM, EOPNOTSUPP, errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from nic.verbs.device cimport VerbsDevice
from nic.verbs.libibverbs cimport (
    IBV_EVENT_DEVICE_FATAL, IBV_EVENT_PORT_ACTIVE, IBV_EVENT_PORT_ERR, IBV_PORT_ACTIVE,
    IBV_PORT_DOWN, IBV_QP_DEST_QPN, IBV_QP_STATE, IBV_QPS_ERR, IBV_QPS_RESET, IBV_QPS_RTS,
    IBV_QPT_RAW_PACKET, IBV_SEND_INLINE, IBV_SEND_SIGNALED, IBV_WC_LOC_PROT_ERR,
    IBV_WC_RDMA_WRITE, IBV_WC_RECV, IBV_WC_REM_ACCESS_ERR, IBV_WC_RETRY_EXC_ERR, IBV_WC_SUCCESS,
    IBV_WC_WR_FLUSH_ERR, IBV_WR_RDMA_WRITE, ibv_context, ibv_cq, ibv_cq_ex, ibv_flow,
    ibv_flow_attr, ibv_gid, ibv_mr, ibv_mtu, ibv_pd, ibv_poll_cq_attr, ibv_port_attr, ibv_qp,
    ibv_qp_attr, ibv_qp_init_attr, ibv_recv_wr, ibv_send_wr, ibv_sge, ibv_wc, ibv_wc_opcode,
    ibv_wc_status)

cdef enum:
    NUMBERS = 256          # queue pairs and regions of the process, at most
    FIRST_NUMBER = 16

cdef struct Completion:
    uint64_t wr_id
    uint64_t ns
    int status
    int opcode
    uint32_t length
    uint32_t covers        # requests that it frees

cdef struct FakeQueue:
    ibv_cq_ex head         # first: the same address as an ibv_cq
    Completion *ring
    Completion current
    uint32_t capacity
    uint64_t written
    uint64_t read
    bint held              # completions are there and are not given
    bint lost              # one did not fit

cdef struct Request:
    uint64_t wr_id
    uint64_t address
    uint64_t remote
    uint32_t length
    uint32_t lkey
    uint32_t rkey
    int opcode
    unsigned int flags
    uint8_t inlined[512]

cdef struct FakePair:
    ibv_qp head            # first
    PyObject *device       # borrowed: a pair dies before its device
    FakeQueue *send_queue
    FakeQueue *receive_queue
    uint32_t send_depth
    uint32_t receive_depth
    uint32_t inline_bytes
    uint32_t peer          # number of the peer's pair
    uint32_t out           # send requests that hold a place
    uint32_t since         # executed since the last completion
    Request *waiting       # posted, not executed
    uint64_t posted
    uint64_t executed
    ibv_sge *receives
    uint64_t *receive_ids
    uint64_t receives_posted
    uint64_t receives_used

STATUSES = {
    "success": IBV_WC_SUCCESS,
    "protection": IBV_WC_LOC_PROT_ERR,
    "flushed": IBV_WC_WR_FLUSH_ERR,
    "remote access": IBV_WC_REM_ACCESS_ERR,
    "retry exceeded": IBV_WC_RETRY_EXC_ERR,
}
"""Statuses of completions, for ``send_fault`` and the like."""

EVENTS = {
    "device fatal": IBV_EVENT_DEVICE_FATAL,
    "port down": IBV_EVENT_PORT_ERR,
    "port active": IBV_EVENT_PORT_ACTIVE,
}
"""Events for :meth:`FakeDevice.report`."""

cdef FakePair *PAIRS[NUMBERS]
cdef ibv_mr *REGIONS[NUMBERS]
memset(PAIRS, 0, sizeof(PAIRS))
memset(REGIONS, 0, sizeof(REGIONS))


cdef bint complete(FakeQueue *queue, const Completion *what) noexcept nogil:
    if queue == NULL or queue.written - queue.read == queue.capacity:
        if queue != NULL:
            queue.lost = True
        return False
    queue.ring[queue.written % queue.capacity] = what[0]
    queue.written += 1
    return True


cdef int next_completion(FakeQueue *queue, Completion *found) noexcept nogil:
    if queue.held or queue.read == queue.written:
        return 0
    found[0] = queue.ring[queue.read % queue.capacity]
    queue.read += 1
    return 1


cdef int poll_cq(ibv_cq *queue, int count, ibv_wc *found) noexcept nogil:
    cdef FakeQueue *fake = <FakeQueue *> queue
    cdef FakePair *pair
    cdef Completion one
    cdef int taken = 0
    while taken < count and next_completion(fake, &one):
        memset(&found[taken], 0, sizeof(ibv_wc))
        found[taken].wr_id = one.wr_id
        found[taken].status = <ibv_wc_status> one.status
        found[taken].opcode = <ibv_wc_opcode> one.opcode
        found[taken].byte_len = one.length
        if one.covers:
            pair = <FakePair *> fake.head.cq_context
            if pair != NULL:
                pair.out -= one.covers
        taken += 1
    return taken


cdef int next_poll(ibv_cq_ex *queue) noexcept nogil:
    cdef FakeQueue *fake = <FakeQueue *> queue
    if not next_completion(fake, &fake.current):
        return ENOENT
    queue.wr_id = fake.current.wr_id
    queue.status = <ibv_wc_status> fake.current.status
    return 0


cdef int start_poll(ibv_cq_ex *queue, ibv_poll_cq_attr *attributes) noexcept nogil:
    return next_poll(queue)


cdef void end_poll(ibv_cq_ex *queue) noexcept nogil:
    pass


cdef uint32_t read_byte_len(ibv_cq_ex *queue) noexcept nogil:
    return (<FakeQueue *> queue).current.length


cdef uint64_t read_wallclock_ns(ibv_cq_ex *queue) noexcept nogil:
    return (<FakeQueue *> queue).current.ns


cdef bint in_region(uint32_t key, uint64_t address, uint32_t length) noexcept nogil:
    cdef uint64_t begin
    if key >= NUMBERS or REGIONS[key] == NULL:
        return False
    begin = <uint64_t> <size_t> REGIONS[key].addr
    return address >= begin and address + length <= begin + REGIONS[key].length


cdef int execute_one(FakePair *pair, Request *request) noexcept nogil:
    """What a device does with a request; the status of its completion."""
    cdef FakePair *peer
    cdef const uint8_t *data
    if pair.head.state == IBV_QPS_ERR:
        return IBV_WC_WR_FLUSH_ERR
    if request.flags & IBV_SEND_INLINE:
        data = request.inlined
    else:
        if not in_region(request.lkey, request.address, request.length):
            return IBV_WC_LOC_PROT_ERR
        data = <const uint8_t *> <size_t> request.address
    if request.opcode != IBV_WR_RDMA_WRITE:
        with gil:
            (<FakeDevice> <object> pair.device).frames.append(data[:request.length])
        return IBV_WC_SUCCESS
    peer = PAIRS[pair.peer] if pair.peer < NUMBERS else NULL
    if peer == NULL or peer.head.state == IBV_QPS_ERR or peer.peer != pair.head.qp_num:
        return IBV_WC_RETRY_EXC_ERR
    if not in_region(request.rkey, request.remote, request.length):
        return IBV_WC_REM_ACCESS_ERR
    memcpy(<void *> <size_t> request.remote, data, request.length)
    return IBV_WC_SUCCESS


cdef void execute(FakePair *pair, uint64_t limit, int forced) noexcept nogil:
    """Do what was posted, up to the request numbered ``limit``; ``forced``: fail the first so."""
    cdef Request *request
    cdef Completion done
    memset(&done, 0, sizeof(done))
    while pair.executed < limit:
        request = &pair.waiting[pair.executed % pair.send_depth]
        done.status = forced if forced else execute_one(pair, request)
        forced = 0
        done.wr_id = request.wr_id
        done.opcode = IBV_WC_RDMA_WRITE
        pair.executed += 1
        pair.since += 1
        if done.status != IBV_WC_SUCCESS:
            pair.head.state = IBV_QPS_ERR
        if done.status != IBV_WC_SUCCESS or request.flags & IBV_SEND_SIGNALED:
            done.covers = pair.since
            pair.since = 0
            complete(pair.send_queue, &done)


cdef int post_send(ibv_qp *qp, ibv_send_wr *request, ibv_send_wr **bad) noexcept nogil:
    cdef FakePair *pair = <FakePair *> qp
    cdef Request *to
    cdef int error = 0
    cdef int forced = 0
    cdef bint stalled, gone
    with gil:
        device = <FakeDevice> <object> pair.device
        stalled = device.is_stalled
        gone = device.is_removed
        forced = device.send_fault
        device.posts += 1
    while request != NULL:
        if gone:
            error = ENODEV
        elif qp.state != IBV_QPS_RTS and qp.state != IBV_QPS_ERR:
            error = EINVAL
        elif pair.out >= pair.send_depth:
            error = ENOMEM
        elif request.send_flags & IBV_SEND_INLINE and (
                request.sg_list.length > pair.inline_bytes or request.sg_list.length > 512):
            error = EINVAL
        if error:
            bad[0] = request
            return error
        to = &pair.waiting[pair.posted % pair.send_depth]
        to.wr_id = request.wr_id
        to.address = request.sg_list.addr
        to.length = request.sg_list.length
        to.lkey = request.sg_list.lkey
        to.remote = request.wr.rdma.remote_addr
        to.rkey = request.wr.rdma.rkey
        to.opcode = request.opcode
        to.flags = request.send_flags
        if to.flags & IBV_SEND_INLINE:
            memcpy(to.inlined, <const void *> <size_t> to.address, to.length)
        pair.posted += 1
        pair.out += 1
        request = request.next
    if not stalled:
        if forced:
            with gil:
                (<FakeDevice> <object> pair.device).send_fault = 0
        execute(pair, pair.posted, forced)
    return 0


cdef int post_recv(ibv_qp *qp, ibv_recv_wr *request, ibv_recv_wr **bad) noexcept nogil:
    cdef FakePair *pair = <FakePair *> qp
    cdef bint refuses
    with gil:
        device = <FakeDevice> <object> pair.device
        refuses = device.is_removed
        device.receive_posts += 1
    while request != NULL:
        if refuses or pair.receives_posted - pair.receives_used >= pair.receive_depth:
            bad[0] = request
            return ENODEV if refuses else ENOMEM
        pair.receives[pair.receives_posted % pair.receive_depth] = request.sg_list[0]
        pair.receive_ids[pair.receives_posted % pair.receive_depth] = request.wr_id
        pair.receives_posted += 1
        request = request.next
    return 0


cdef class FakeDevice(VerbsDevice):
    """A device with one active port.

    ``inline_limit``: bytes that its queue pairs take inline, ``has_stamps``: whether completions
    can carry its time, ``interface_name``: the network interface it says it has. ``frames`` is what
    raw queue pairs sent, ``rules`` the steering rules that are in force, ``order`` the names of
    what was given back, in order.
    """

    cdef ibv_context fake_context
    cdef ibv_pd fake_pd
    cdef readonly list frames
    cdef readonly dict rules
    cdef readonly list order
    cdef readonly int posts               # calls of post_send
    cdef readonly int receive_posts
    cdef readonly int made                # things that were made and not given back
    cdef public uint32_t inline_limit
    cdef public bint has_stamps
    cdef public bint is_active
    cdef public bint refuses_rules
    cdef public bint is_stalled           # posted requests wait for run()
    cdef public int send_fault            # status that the next executed request completes with
    cdef bint is_removed
    cdef list events
    cdef str interface_name
    cdef bytes address
    cdef list queues                      # addresses of the completion queues

    def __init__(self, str name="fake0", *, inline_limit=256, has_stamps=False, interface="",
                 address=b"\0" * 10 + b"\xff\xff" + b"\x0a\x54\x57\x01"):
        self.inline_limit = inline_limit
        self.has_stamps = has_stamps
        self.interface_name = interface
        self.address = address
        self.is_active = True
        self.frames = []
        self.rules = {}
        self.order = []
        self.events = []
        self.queues = []
        VerbsDevice.__init__(self, name)

    def open_device(self):
        """Set up the context whose operations are this module's."""
        memset(&self.fake_context, 0, sizeof(self.fake_context))
        self.fake_context.ops.poll_cq = poll_cq
        self.fake_context.ops.post_send = post_send
        self.fake_context.ops.post_recv = post_recv
        self.fake_pd.context = &self.fake_context
        self.context = &self.fake_context
        self.pd = &self.fake_pd

    def close(self):
        """Nothing to give back."""
        if self.context != NULL:
            self.order.append("device")
        self.context = NULL
        self.pd = NULL

    def interface(self):
        """The name that was given."""
        return self.interface_name

    def attribute(self, *parts):
        """Nothing: it is not below /sys."""
        return ""

    cdef ibv_mr *register_region(self, void *address, size_t size) noexcept:
        cdef ibv_mr *region
        cdef uint32_t key
        for key in range(1, NUMBERS):
            if REGIONS[key] == NULL:
                region = <ibv_mr *> calloc(1, sizeof(ibv_mr))
                region.addr = address
                region.length = size
                region.lkey = region.rkey = key
                REGIONS[key] = region
                self.made += 1
                return region
        (&errno)[0] = ENOMEM
        return NULL

    cdef int forget_region(self, ibv_mr *region) noexcept:
        self.order.append("region")
        self.made -= 1
        REGIONS[region.lkey] = NULL
        free(region)
        return 0

    cdef ibv_cq *make_completion_queue(self, int entries, bint stamps) noexcept:
        cdef FakeQueue *queue
        if stamps and not self.has_stamps:
            (&errno)[0] = EOPNOTSUPP
            return NULL
        queue = <FakeQueue *> calloc(1, sizeof(FakeQueue))
        queue.capacity = entries
        queue.ring = <Completion *> calloc(entries, sizeof(Completion))
        queue.head.context = &self.fake_context
        queue.head.start_poll = start_poll
        queue.head.next_poll = next_poll
        queue.head.end_poll = end_poll
        queue.head.read_byte_len = read_byte_len
        queue.head.read_completion_wallclock_ns = read_wallclock_ns
        self.queues.append(<size_t> queue)
        self.made += 1
        return <ibv_cq *> queue

    cdef int destroy_completion_queue(self, ibv_cq *queue) noexcept:
        self.order.append("completion queue")
        self.queues.remove(<size_t> queue)
        self.made -= 1
        free((<FakeQueue *> queue).ring)
        free(queue)
        return 0

    cdef ibv_qp *make_queue_pair(self, ibv_qp_init_attr *attributes) noexcept:
        cdef FakePair *pair
        cdef uint32_t number = FIRST_NUMBER
        if attributes.cap.max_inline_data > self.inline_limit:
            (&errno)[0] = EINVAL
            return NULL
        while number < NUMBERS and PAIRS[number] != NULL:
            number += 1
        if number == NUMBERS:
            (&errno)[0] = ENOMEM
            return NULL
        pair = <FakePair *> calloc(1, sizeof(FakePair))
        pair.head.context = &self.fake_context
        pair.head.qp_num = number
        pair.head.qp_type = attributes.qp_type
        pair.device = <PyObject *> self
        pair.send_queue = <FakeQueue *> attributes.send_cq
        pair.send_queue.head.cq_context = pair
        pair.receive_queue = <FakeQueue *> attributes.recv_cq
        pair.send_depth = attributes.cap.max_send_wr
        pair.receive_depth = max(attributes.cap.max_recv_wr, <uint32_t> 1)
        pair.inline_bytes = attributes.cap.max_inline_data
        pair.waiting = <Request *> calloc(pair.send_depth, sizeof(Request))
        pair.receives = <ibv_sge *> calloc(pair.receive_depth, sizeof(ibv_sge))
        pair.receive_ids = <uint64_t *> calloc(pair.receive_depth, sizeof(uint64_t))
        PAIRS[number] = pair
        self.made += 1
        return &pair.head

    cdef int modify_queue_pair(self, ibv_qp *qp, ibv_qp_attr *attributes, int mask) noexcept:
        cdef FakePair *pair = <FakePair *> qp
        if self.is_removed:
            return ENODEV
        if mask & IBV_QP_DEST_QPN:
            pair.peer = attributes.dest_qp_num
        if mask & IBV_QP_STATE:
            qp.state = attributes.qp_state
            if qp.state == IBV_QPS_RESET:
                pair.posted = pair.executed = pair.receives_posted = pair.receives_used = 0
                pair.out = pair.since = 0
            elif qp.state == IBV_QPS_ERR:
                execute(pair, pair.posted, 0)
                self.flush_receives(pair)
        return 0

    cdef void flush_receives(self, FakePair *pair) noexcept:
        cdef Completion done
        memset(&done, 0, sizeof(done))
        done.status = IBV_WC_WR_FLUSH_ERR
        while pair.receives_used < pair.receives_posted:
            done.wr_id = pair.receive_ids[pair.receives_used % pair.receive_depth]
            pair.receives_used += 1
            complete(pair.receive_queue, &done)

    cdef int destroy_queue_pair(self, ibv_qp *qp) noexcept:
        cdef FakePair *pair = <FakePair *> qp
        self.order.append("queue pair")
        self.made -= 1
        PAIRS[qp.qp_num] = NULL
        free(pair.waiting)
        free(pair.receives)
        free(pair.receive_ids)
        free(pair)
        return 0

    cdef ibv_flow *make_flow(self, ibv_qp *qp, ibv_flow_attr *attributes) noexcept:
        cdef size_t number = max(self.rules, default=0) + 1
        if self.refuses_rules:
            (&errno)[0] = EOPNOTSUPP
            return NULL
        self.rules[number] = (<const char *> attributes)[:attributes.size]
        self.made += 1
        return <ibv_flow *> number

    cdef int destroy_flow(self, ibv_flow *flow) noexcept:
        self.order.append("rule")
        self.made -= 1
        del self.rules[<size_t> flow]
        return 0

    cdef int query_port(self, ibv_port_attr *attributes) noexcept:
        attributes.state = IBV_PORT_ACTIVE if self.is_active else IBV_PORT_DOWN
        attributes.active_mtu = <ibv_mtu> 3
        attributes.gid_tbl_len = 1
        return 0

    cdef int query_gid(self, int index, ibv_gid *gid) noexcept:
        memcpy(gid.raw, <const char *> self.address, 16)
        return 0

    cdef int next_event(self) noexcept:
        return self.events.pop(0) if self.events else -1

    def report(self, int event):
        """Put an event of type ``ibv_event_type`` into the asynchronous queue."""
        self.events.append(event)

    def remove(self):
        """The device is gone: posts fail, what is out never completes."""
        self.is_removed = True
        self.is_stalled = True

    def run(self, int count=-1):
        """Execute stalled requests: ``count`` of each queue pair, or all of them."""
        cdef int number
        cdef FakePair *pair
        for number in range(NUMBERS):
            pair = PAIRS[number]
            if pair != NULL and pair.device == <PyObject *> self:
                limit = pair.posted if count < 0 else min(pair.posted, pair.executed + count)
                fault, self.send_fault = self.send_fault, 0
                execute(pair, limit, fault)

    def hold_completions(self, bint hold):
        """Whether completions stay in their queues."""
        for address in self.queues:
            (<FakeQueue *> <size_t> address).held = hold

    def reverse_completions(self):
        """Turn the order of the completions that lie in each queue round."""
        cdef FakeQueue *queue
        cdef uint64_t low, high
        cdef Completion kept
        for address in self.queues:
            queue = <FakeQueue *> <size_t> address
            low, high = queue.read, queue.written
            while low + 1 < high:
                high -= 1
                kept = queue.ring[low % queue.capacity]
                queue.ring[low % queue.capacity] = queue.ring[high % queue.capacity]
                queue.ring[high % queue.capacity] = kept
                low += 1

    def overflowed(self):
        """Whether a completion found its queue full: the user posted more than it had room for."""
        return any((<FakeQueue *> <size_t> address).lost for address in self.queues)

    def forge_completion(self, uint64_t wr_id, int status=0, *, bint receive=False):
        """A completion of any number in the queues, as a broken device would give."""
        cdef Completion done
        cdef int number
        memset(&done, 0, sizeof(done))
        done.wr_id = wr_id
        done.status = status
        for number in range(NUMBERS):
            if PAIRS[number] != NULL and PAIRS[number].device == <PyObject *> self:
                complete(PAIRS[number].receive_queue if receive else PAIRS[number].send_queue,
                         &done)

    def deliver(self, bytes frame not None, *, uint64_t ns=0, int status=0):
        """A frame comes in at the raw queue pairs; how many had a receive request for it."""
        cdef FakePair *pair
        cdef Completion done
        cdef ibv_sge *piece
        cdef int number
        taken = 0
        for number in range(NUMBERS):
            pair = PAIRS[number]
            if (pair == NULL or pair.device != <PyObject *> self
                    or pair.head.qp_type != IBV_QPT_RAW_PACKET
                    or pair.receives_used == pair.receives_posted):
                continue
            memset(&done, 0, sizeof(done))
            piece = &pair.receives[pair.receives_used % pair.receive_depth]
            done.wr_id = pair.receive_ids[pair.receives_used % pair.receive_depth]
            done.opcode = IBV_WC_RECV
            done.status = status
            done.ns = ns
            done.length = len(frame)
            pair.receives_used += 1
            if status == 0:
                memcpy(<void *> <size_t> piece.addr, <const char *> frame,
                       min(<uint32_t> len(frame), piece.length))
            complete(pair.receive_queue, &done)
            taken += 1
        return taken
