# SPDX-License-Identifier: Apache-2.0
"""The compiled gateware as the card in the path of a running host, or of a replay."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from host.risk.card_gate import CardGate
from host.risk.gate import RiskGate
from nic.clock import Clock
from nic.framing.feed_format import IEX, NASDAQ, FeedFormat
from nic.framing.reference import LineSettings
from nic.offload.card import Card
from nic.offload.record_stream import RecordStream
from nic.port import Port
from sim.gateware.card import open_card
from sim.offload.feed_audit import FeedAudit
from sim.offload.port import GatewarePort

FEED_OF_TRANSPORT: dict[str, FeedFormat] = {"moldudp64": NASDAQ, "iextp": IEX}


class GatewareFeed:
    """The feed side of a model: frames through its lines, its events to the host.

    ``lines``: destination address (a number) and port of each, A first; ``session`` pins them.
    Without ``is_arbitrating`` both lines' messages all come up, in whole frames. ``has_orders``:
    the model has a gate, too. Raises :class:`hw.tools.ToolError` where no model can be built.
    """

    def __init__(
        self,
        transport: str,
        lines: Sequence[tuple[int, int]],
        *,
        session: bytes = b"",
        is_arbitrating: bool,
        has_orders: bool,
    ) -> None:
        feed = FEED_OF_TRANSPORT[transport]
        self.device = (
            open_card(feed)
            if has_orders
            else open_card(feed, has_orders=False, lines=len(lines))  # fewer make it faster
        )
        self.card = Card(self.device)
        self.stream = RecordStream(self.device)
        self.hands_whole = not is_arbitrating
        settings = [LineSettings(feed, address, port, session) for address, port in lines]
        self.audit = FeedAudit(self.card, self.stream, settings, is_arbitrating=is_arbitrating)
        self.counter_differences: dict[str, dict[str, int]] = {}
        self._began = time.monotonic()

    def through(
        self, number: int | None, port: Port, destination: tuple[str, int] | None = None
    ) -> Port:
        """A line's packets after the card; without a number a frame's destination says its line."""
        return GatewarePort(
            self.audit, port, line=number, destination=destination, hands_whole=self.hands_whole
        )

    def finish(self) -> None:
        """The last packet came: compare what is left, and the counters."""
        self.audit.finish()
        if self.audit.difference == 0:
            self.counter_differences = self.audit.counters_that_differ()

    def report(self) -> dict[str, Any]:
        """What was compared; the same for the same input."""
        counters = self.audit.counters()
        return {
            "device": self.device.mode(),
            "identity": {
                name: f"{value:#x}" if name.endswith(("magic", "hash")) else value
                for name, value in self.card.identity.items()
            },
            "cycles": self.device.cycles_run,
            "frames": counters["frames"],
            "events_compared": counters["events"],
            "event_differences": counters["differences"],
            "first_event_difference": self.audit.first_difference(),
            "counter_differences": self.counter_differences,
            "feed": counters,
            "records_lost": self.stream.records_lost,
            "records_malformed": self.stream.records_malformed,
            "ok": not (
                self.audit.difference
                or self.counter_differences
                or self.stream.records_lost
                or self.stream.records_malformed
            ),
        }

    def busy_seconds(self) -> float:
        """Time spent in the model for the feed."""
        return self.audit.busy_ticks * Clock().ns_per_tick / 1e9

    def close(self) -> None:
        """Let the model go."""
        self.device.close()


class GatewarePath(GatewareFeed):
    """The whole card in the path: :class:`host.card_path.CardPath`.

    ``planted``: name of a limit that the card's gate gets otherwise, to see that it is found.
    """

    def __init__(
        self,
        transport: str,
        lines: Sequence[tuple[int, int]],
        *,
        session: bytes = b"",
        is_arbitrating: bool = True,
        planted: str | None = None,
    ) -> None:
        super().__init__(
            transport, lines, session=session, is_arbitrating=is_arbitrating, has_orders=True
        )
        self.gate = CardGate(self.card, self.stream, planted=planted)
        self._host_gate: RiskGate | None = None

    def attach(self, gate: RiskGate) -> None:
        """Stop this gate when the feed side differs."""
        self._host_gate = gate
        self.audit.attach(gate)

    def finish(self) -> None:
        """As the feed's; counters that differ put the card out of the path, too."""
        super().finish()
        if self.counter_differences and self._host_gate and self._host_gate.watch:
            self._host_gate.watch.put_out("counters_differ")

    def report(self) -> dict[str, Any]:
        """What was compared of events and verdicts, and how fast the model ran."""
        found = super().report()
        counters = self.gate.counters()
        failure = self._host_gate.card_failure() if self._host_gate else None
        busy = self.busy_seconds() + self.gate.busy_ticks * Clock().ns_per_tick / 1e9
        return {
            **found,
            "verdicts_compared": counters["verdicts"],
            "verdict_differences": counters["differences"],
            "failure": failure,
            "gate": counters,
            "busy_seconds": round(busy, 3),
            "cycles_per_second": int(found["cycles"] / busy) if busy else 0,
            "ok": found["ok"] and failure is None,
        }
