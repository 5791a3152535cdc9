# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`sim.offload.port`."""

from nic.port import Port
from sim.offload.feed_audit import FeedAudit

class GatewarePort(Port):
    """A port whose packets went through a line of the card."""

    inner: Port
    def __init__(
        self,
        audit: FeedAudit,
        inner: Port,
        *,
        line: int | None = ...,
        destination: tuple[str, int] | None = ...,
        hands_whole: bool = ...,
    ) -> None: ...
