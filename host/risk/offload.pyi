# SPDX-License-Identifier: Apache-2.0
"""A second gate that is asked before the host's own."""

from nic.offload.limits import Limits

class GateOffload:
    """A gate beside the host's; this one does not answer."""

    failure: int
    @property
    def has_failed(self) -> bool:
        """Whether it is out of the path."""
    @property
    def failure_name(self) -> str:
        """Why it is out of the path: a name of ``CARD_FAILURE``."""
    def set_limits(self, symbol_index: int | None, limits: Limits, sequence_number: int) -> None:
        """Put a whole set of limits in force, as the host's gate did."""
    def counters(self) -> dict[str, int]:
        """Everything counted."""
