# cython: language_level=3, boundscheck=False, wraparound=False
# SPDX-License-Identifier: Apache-2.0
"""An RDMA device: opening, memory regions, queues; each call of libibverbs that makes something.

These calls are made here and not through pyverbs, because a queue pair of the distribution's
pyverbs does not say where its C object is, and the hot path has to post to it. A device that does
not exist overrides the ``cdef`` methods (``sim/verbs``). Sources: rdma-core, ibv_*(3).
"""

import errno as error_numbers
import os
from pathlib import Path

from libc.errno cimport EAGAIN, errno
from libc.string cimport memset
from nic.verbs.libibverbs cimport (
    IBV_ACCESS_LOCAL_WRITE, IBV_ACCESS_REMOTE_WRITE, IBV_EVENT_DEVICE_FATAL, IBV_EVENT_PORT_ACTIVE,
    IBV_EVENT_PORT_ERR, IBV_PORT_ACTIVE, IBV_WC_EX_WITH_BYTE_LEN,
    IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK, ibv_ack_async_event, ibv_alloc_pd,
    ibv_async_event, ibv_close_device, ibv_cq_ex, ibv_cq_ex_to_cq, ibv_cq_init_attr_ex,
    ibv_create_cq, ibv_create_cq_ex, ibv_create_flow, ibv_create_qp, ibv_dealloc_pd, ibv_dereg_mr,
    ibv_destroy_cq, ibv_destroy_flow, ibv_destroy_qp, ibv_device, ibv_free_device_list,
    ibv_get_async_event, ibv_get_device_list, ibv_get_device_name, ibv_modify_qp, ibv_open_device,
    ibv_query_gid, ibv_query_port, ibv_reg_mr)

from nic.port import PortError

cdef extern from "<sys/mman.h>":
    void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void *address, size_t length)
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MAP_POPULATE, MAP_HUGETLB
    void *MAP_FAILED

cdef enum:
    HUGE_PAGE_BYTES = 2097152
    GIDS = 256

SYSFS = Path("/sys/class/infiniband")
ADVICE = {
    error_numbers.EPERM: " (needs CAP_NET_RAW: run as root)",
    error_numbers.ENOMEM: " (raise the limit of locked memory: ulimit -l unlimited)",
    error_numbers.EOPNOTSUPP: " (the device cannot do that)",
    error_numbers.ENOSYS: " (the kernel has no RDMA)",
}
"""What to do about an error of the kernel."""


def device_names():
    """Names of the RDMA devices of this machine; raises PortError where the kernel has no RDMA."""
    cdef int count = 0
    cdef int i
    cdef ibv_device **found = ibv_get_device_list(&count)
    if found == NULL:
        raise PortError(f"no RDMA devices: {os.strerror(errno)}{ADVICE.get(errno, '')}")
    try:
        return [ibv_get_device_name(found[i]).decode() for i in range(count)]
    finally:
        ibv_free_device_list(found)


cdef class VerbsDevice:
    """An open RDMA device with a protection domain; ``port_number`` counts from 1.

    Raises :class:`~nic.port.PortError` where there is none of that name, naming those there are.
    """

    def __cinit__(self, *args, **kwargs):
        """Nothing open."""
        self.name = ""
        self.port_number = 1

    def __init__(self, str name not None, uint8_t port_number=1):
        self.name = name
        self.port_number = port_number
        self.open_device()

    def open_device(self):
        """Open the device of this name and make its protection domain."""
        cdef int count = 0
        cdef int i
        cdef ibv_device **found = ibv_get_device_list(&count)
        cdef bytes wanted = self.name.encode()
        if found == NULL:
            raise PortError(f"verbs {self.name}: no RDMA devices: "
                            f"{os.strerror(errno)}{ADVICE.get(errno, '')}")
        names = []
        try:
            for i in range(count):
                names.append(ibv_get_device_name(found[i]).decode())
                if ibv_get_device_name(found[i]) == wanted:
                    self.context = ibv_open_device(found[i])
                    if self.context == NULL:
                        raise self.failure("opening the device", errno)
        finally:
            ibv_free_device_list(found)
        if self.context == NULL:
            there = f"there are {', '.join(names)}" if names else "this machine has none"
            raise PortError(f"verbs {self.name}: no such RDMA device, {there}")
        self.pd = ibv_alloc_pd(self.context)
        if self.pd == NULL:
            raise self.failure("making a protection domain", errno)
        os.set_blocking(self.context.async_fd, False)

    def failure(self, str what, int error):
        """The error to raise: one line with what to do about it."""
        return PortError(f"verbs {self.name}: {what}: {os.strerror(error)}"
                         f"{ADVICE.get(error, '')}")

    cdef ibv_mr *register_region(self, void *address, size_t size) noexcept:
        """Let the device, and whoever is told the key, write to memory."""
        # Not relaxed ordering: the rings need a slot's last word to be placed last.
        return ibv_reg_mr(self.pd, address, size,
                          IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE)

    cdef int forget_region(self, ibv_mr *region) noexcept:
        """Undo :meth:`register_region`; 0 or an errno."""
        return ibv_dereg_mr(region)

    cdef ibv_cq *make_completion_queue(self, int entries, bint stamps) noexcept:
        """A completion queue; with ``stamps`` one that gives the device's time, or NULL."""
        cdef ibv_cq_init_attr_ex wanted
        cdef ibv_cq_ex *extended
        if not stamps:
            return ibv_create_cq(self.context, entries, NULL, NULL, 0)
        memset(&wanted, 0, sizeof(wanted))
        wanted.cqe = entries
        wanted.wc_flags = IBV_WC_EX_WITH_BYTE_LEN | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK
        extended = ibv_create_cq_ex(self.context, &wanted)
        return NULL if extended == NULL else ibv_cq_ex_to_cq(extended)

    cdef int destroy_completion_queue(self, ibv_cq *queue) noexcept:
        """Give a completion queue back; 0 or an errno."""
        return ibv_destroy_cq(queue)

    cdef ibv_qp *make_queue_pair(self, ibv_qp_init_attr *attributes) noexcept:
        """A queue pair, or NULL and errno."""
        return ibv_create_qp(self.pd, attributes)

    cdef int modify_queue_pair(self, ibv_qp *qp, ibv_qp_attr *attributes, int mask) noexcept:
        """0 or an errno."""
        return ibv_modify_qp(qp, attributes, mask)

    cdef int destroy_queue_pair(self, ibv_qp *qp) noexcept:
        """0 or an errno."""
        return ibv_destroy_qp(qp)

    cdef ibv_flow *make_flow(self, ibv_qp *qp, ibv_flow_attr *attributes) noexcept:
        """A steering rule, or NULL and errno."""
        return ibv_create_flow(qp, attributes)

    cdef int destroy_flow(self, ibv_flow *flow) noexcept:
        """0 or an errno."""
        return ibv_destroy_flow(flow)

    cdef int query_port(self, ibv_port_attr *attributes) noexcept:
        """State and MTU of the port; 0 or an errno."""
        return ibv_query_port(self.context, self.port_number, attributes)

    cdef int query_gid(self, int index, ibv_gid *gid) noexcept:
        """One of the port's addresses; 0 or -1."""
        return ibv_query_gid(self.context, self.port_number, index, gid)

    cdef int next_event(self) noexcept:
        """Take one event off the device's asynchronous queue; its type, -1 for none."""
        cdef ibv_async_event event
        cdef int kind
        if ibv_get_async_event(self.context, &event) != 0:
            if errno != EAGAIN:
                self.is_gone = True
            return -1
        kind = event.event_type
        ibv_ack_async_event(&event)
        return kind

    def look(self):
        """Take what the device reports; afterwards ``is_gone`` and ``link_is_down`` are current."""
        cdef int kind
        while self.context != NULL and not self.is_gone:
            kind = self.next_event()
            if kind < 0:
                break
            if kind == IBV_EVENT_DEVICE_FATAL:
                self.is_gone = True
            elif kind == IBV_EVENT_PORT_ERR:
                self.link_is_down = True
            elif kind == IBV_EVENT_PORT_ACTIVE:
                self.link_is_down = False

    def check_port(self):
        """Raise :class:`~nic.port.PortError` unless the port is active; its MTU in bytes."""
        cdef ibv_port_attr attributes
        memset(&attributes, 0, sizeof(attributes))
        error = self.query_port(&attributes)
        if error:
            raise self.failure(f"asking for port {self.port_number}", error)
        if attributes.state != IBV_PORT_ACTIVE:
            raise PortError(f"verbs {self.name}: port {self.port_number} is not active: "
                            "is the interface up?")
        return 128 << <int> attributes.active_mtu

    def gids(self):
        """Addresses of the port by index, those of RoCE version 2 where the kernel tells."""
        cdef ibv_gid gid
        cdef ibv_port_attr attributes
        cdef int index
        memset(&attributes, 0, sizeof(attributes))
        if self.query_port(&attributes) != 0:
            return {}
        found = {}
        for index in range(min(attributes.gid_tbl_len, GIDS)):
            if self.query_gid(index, &gid) == 0 and any(gid.raw[:16]):
                if "v1" not in self.attribute("gid_attrs", "types", index):
                    found[index] = bytes(gid.raw[:16])
        return found

    def gid(self, index=None):
        """``(index, address)`` to use: that of an IPv4 address where there is one."""
        found = self.gids()
        if index is not None:
            if index not in found:
                raise PortError(f"verbs {self.name}: no address {index}, there are {sorted(found)}")
            return index, found[index]
        for number, address in found.items():
            if address.startswith(bytes(10) + b"\xff\xff"):
                return number, address
        if not found:
            raise PortError(f"verbs {self.name}: the port has no address: give the interface one")
        return next(iter(found.items()))

    def attribute(self, *parts):
        """What the kernel says of the port below /sys, empty where it says nothing."""
        path = SYSFS / self.name / "ports" / str(self.port_number)
        try:
            return path.joinpath(*map(str, parts)).read_text().strip()
        except OSError:
            return ""

    def interface(self):
        """Name of the network interface, empty where the kernel does not say."""
        return self.attribute("gid_attrs", "ndevs", 0)

    def close(self):
        """Close the device, after everything that was made on it; harmless when closed."""
        if self.pd != NULL:
            ibv_dealloc_pd(self.pd)
            self.pd = NULL
        if self.context != NULL:
            ibv_close_device(self.context)
            self.context = NULL


cdef class Region:
    """Memory that the device may read and write, on huge pages where some are free; zeros at first.

    Raises :class:`~nic.port.PortError`.
    """

    def __init__(self, VerbsDevice device not None, size_t size_bytes, *, bint huge_pages=True):
        cdef int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE
        cdef void *area = MAP_FAILED
        self.device = device
        self.size_bytes = size_bytes
        if huge_pages and size_bytes >= HUGE_PAGE_BYTES // 2:
            self.mapped_bytes = (size_bytes + HUGE_PAGE_BYTES - 1) & ~<size_t>(HUGE_PAGE_BYTES - 1)
            area = mmap(NULL, self.mapped_bytes, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB, -1, 0)
        self.on_huge_pages = area != MAP_FAILED
        if not self.on_huge_pages:
            self.mapped_bytes = size_bytes
            area = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, flags, -1, 0)
            if area == MAP_FAILED:
                raise device.failure("reserving memory", errno)
        self.base = <uint8_t *> area
        self.region = device.register_region(area, size_bytes)
        if self.region == NULL:
            raise device.failure("registering memory", errno)
        self.lkey = self.region.lkey
        self.rkey = self.region.rkey

    def close(self):
        """Take the memory away from the device; it stays mapped as long as the object lives."""
        if self.region != NULL:
            self.device.forget_region(self.region)
            self.region = NULL

    def __dealloc__(self):
        """The mapping; a region that was not closed is the device's until that is closed."""
        if self.region == NULL and self.base != NULL:
            munmap(self.base, self.mapped_bytes)
