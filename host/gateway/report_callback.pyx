# cython: language_level=3
# SPDX-License-Identifier: Apache-2.0
"""Reports for Python: a sink that calls a function, for tools, not for the hot path."""

from libc.stdint cimport uint16_t, uint64_t
from host.interfaces cimport ReportSink
from host.model cimport (
    REPORT_ACCEPTED, REPORT_BROKEN, REPORT_CANCEL_PENDING, REPORT_CANCEL_REJECT, REPORT_CANCELED,
    REPORT_EXECUTED, REPORT_MODIFIED, REPORT_OTHER, REPORT_PRIORITY, REPORT_REJECTED,
    REPORT_REPLACED, REPORT_RESTATED, Report)

REPORT_NAMES = {
    REPORT_ACCEPTED: "accepted",
    REPORT_REPLACED: "replaced",
    REPORT_CANCELED: "canceled",
    REPORT_EXECUTED: "executed",
    REPORT_REJECTED: "rejected",
    REPORT_BROKEN: "broken",
    REPORT_CANCEL_PENDING: "cancel_pending",
    REPORT_CANCEL_REJECT: "cancel_reject",
    REPORT_RESTATED: "restated",
    REPORT_MODIFIED: "modified",
    REPORT_PRIORITY: "priority",
    REPORT_OTHER: "other",
}
"""Kind number to name."""


cdef class ReportCallback(ReportSink):
    """Calls ``on_report(dict, t_ns)`` and ``on_session(venue, state, t_ns)``.

    The dict has the fields of ``Report`` of ``host/model.pxd``, ``kind`` as its name. What a
    function raises is printed as unraisable: the gateway goes on.
    """

    cdef object report_function
    cdef object session_function

    def __init__(self, on_report, on_session) -> None:
        self.report_function = on_report
        self.session_function = on_session

    cdef void on_report(self, const Report *report, uint64_t t_ns) noexcept nogil:
        """One decoded outbound message of the exchange."""
        with gil:
            values = <dict> report[0]
            values["kind"] = REPORT_NAMES[report.kind]
            self.report_function(values, t_ns)

    cdef void on_session(self, uint16_t venue, int state, uint64_t t_ns) noexcept nogil:
        """The order-entry session of a venue changed its state (SESSION_*)."""
        with gil:
            self.session_function(venue, state, t_ns)
