# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`host.risk.card_watch`."""

from host.interfaces import Recorder
from host.risk.offload import GateOffload
from host.risk.switches import Switches

class CardWatch:
    """Watches the gate of a card."""

    offload: GateOffload
    is_out: bool
    def __init__(
        self, offload: GateOffload, switches: Switches, recorder: Recorder | None
    ) -> None: ...
    def put_out(self, failure: str, t_ns: int = 0) -> None:
        """The card is out of step for a reason found elsewhere, a name of ``CARD_FAILURE``."""
    def failure(self) -> dict[str, int | str] | None:
        """Why the card is out of the path, by names; ``None`` while it is in step."""
