# SPDX-License-Identifier: Apache-2.0
"""The blocks of the gateware by name, each with the parameters it is built with.

``tickwire hw build`` and ``tickwire hw report`` work through this table.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from amaranth.lib import wiring

from hw.register_file import FIXED
from hw.request import SYMBOL_BITS
from nic.framing.feed_format import IEX, NASDAQ
from nic.offload.registers import REGISTERS


@dataclass(frozen=True, slots=True)
class Block:
    """A component to build by itself."""

    component: str
    """Module and class: ``hw.replay_ring:ReplayRing``."""
    duty: str
    """What it does, for people."""
    parameters: dict[str, Any] = field(default_factory=dict)
    placer: str = "heap"
    """The better one for it of ``hw.synthesis.PLACERS``."""

    def make(self) -> wiring.Component:
        """A new instance."""
        module, name = self.component.split(":")
        made: wiring.Component = getattr(importlib.import_module(module), name)(**self.parameters)
        return made


def register_constants() -> dict[str, int]:
    """Values for the register file's constants, where it stands alone."""
    paths = {placed.path for placed in REGISTERS if placed.register.access == "constant"}
    return dict.fromkeys(sorted(paths - set(FIXED)), 1)


BLOCKS: dict[str, Block] = {
    "line_parser": Block(
        "hw.line_parser:LineParser", "frames of a line to messages, Nasdaq", {"feed": NASDAQ}
    ),
    "line_parser_iex": Block(
        "hw.line_parser:LineParser", "frames of a line to messages, IEX", {"feed": IEX}
    ),
    "symbol_filter": Block("hw.symbol_filter:SymbolFilter", "which instruments are wanted"),
    "arbiter": Block("hw.arbiter:Arbiter", "two lines to one sequence of events", {"feed": NASDAQ}),
    "prices": Block("hw.prices:Prices", "what is known of each instrument's market"),
    "tick": Block("hw.tick:Ticks", "fields of events by their role", {"feed": NASDAQ}),
    "trigger": Block("hw.trigger:Trigger", "messages that fire an order", {"feed": NASDAQ}),
    "risk_decision": Block("hw.risk_decision:RiskDecision", "every check of the risk gate"),
    "limits_table": Block("hw.limits_table:LimitsTable", "limits by symbol, one set at a time"),
    "exposure": Block("hw.exposure:Exposure", "the ledger: orders, positions, sums"),
    "recent_orders": Block(
        "hw.recent_orders:RecentOrders", "what passed lately: duplicates", placer="anchored"
    ),
    "rate_limits": Block(
        "hw.rate_limits:Bucket", "token buckets of the message rate", {"bits": SYMBOL_BITS}
    ),
    "kill_switch": Block("hw.kill_switch:KillSwitch", "kills by scope, and the dead-man switch"),
    "risk_gate": Block(
        "hw.risk_gate:RiskGate",
        "the gate with its state, 511 symbols",
        {"symbol_bits": 9},
        placer="anchored",
    ),
    "order_builder": Block("hw.order_builder:OrderBuilder", "verdicts to frames of orders"),
    "replay_ring": Block("hw.replay_ring:ReplayRing", "segments sent, for retransmission"),
    "counter_bank": Block("hw.counter_bank:CounterBank", "64 counters", {"count": 64}),
    "register_file": Block(
        "hw.register_file:RegisterFile",
        "the host's view of all blocks",
        {"constants": register_constants()},
    ),
    "command_reader": Block("hw.command_reader:CommandReader", "the host's words to commands"),
    "record_writer": Block(
        "hw.record_writer:RecordWriter", "what happened to words for the host", {"feed": NASDAQ}
    ),
    "feed_card": Block(
        "hw.feed_card:FeedCard",
        "a card without orders, Nasdaq",
        {"feed": NASDAQ},
        placer="anchored",
    ),
    "top": Block(
        "hw.top:Top",
        "the whole card, Nasdaq, 511 symbols",
        {"feed": NASDAQ, "symbol_bits": 9},
        placer="static",
    ),
}
"""In the way of a tick: lines, event, gate and its state, order, registers."""
