# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`sim.offload.feed_audit`."""

from collections.abc import Sequence

from host.risk.gate import RiskGate
from nic.framing.reference import LineSettings
from nic.offload.card import Card
from nic.offload.record_stream import RecordStream

class FeedAudit:
    """The feed side of a card and the host's own parse, side by side."""

    card: Card
    difference: int
    busy_ticks: int
    def __init__(
        self,
        card: Card,
        stream: RecordStream,
        lines: Sequence[LineSettings],
        *,
        is_arbitrating: bool,
    ) -> None: ...
    def attach(self, gate: RiskGate) -> None:
        """Tell this gate of a difference: it then kills everything."""
    def finish(self) -> None:
        """The last frame was brought: take what is left and compare the counters."""
    def counters(self) -> dict[str, int]:
        """Everything counted."""
    def first_difference(self) -> dict[str, int | str] | None:
        """What differed first; ``None`` if nothing does."""
    def counters_that_differ(self) -> dict[str, dict[str, int]]:
        """Registers that are not what the host counted, after :meth:`finish`."""
