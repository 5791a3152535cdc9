# SPDX-License-Identifier: Apache-2.0
"""What the exchange and the session say, applied to the orders."""

from host.interfaces import ReportSink

class OrderReports(ReportSink):
    """The order management's side for the gateways of all venues."""

    def report(self, kind: str, t_ns: int = 0, **values: int) -> None:
        """Take a message of the exchange given by its fields; ``kind`` is a name of ``EVENT``."""
    def session(self, venue: int, state: int, t_ns: int = 0) -> None:
        """Take a session's new state (SESSION_* of ``host/interfaces.pxd``)."""
