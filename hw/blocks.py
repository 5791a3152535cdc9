# SPDX-License-Identifier: Apache-2.0
"""The blocks of the gateware by name, each with the parameters it is built with.

``tickwire hw build`` and ``tickwire hw report`` work through this table.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from amaranth.lib import wiring


@dataclass(frozen=True, slots=True)
class Block:
    """A component to build by itself."""

    component: str
    """Module and class: ``hw.replay_ring:ReplayRing``."""
    duty: str
    """What it does, for people."""
    parameters: dict[str, Any] = field(default_factory=dict)

    def make(self) -> wiring.Component:
        """A new instance."""
        module, name = self.component.split(":")
        made: wiring.Component = getattr(importlib.import_module(module), name)(**self.parameters)
        return made


BLOCKS: dict[str, Block] = {
    "limits_table": Block("hw.limits_table:LimitsTable", "limits by symbol, one set at a time"),
}
"""In the way of a tick: line, event, prices, trigger, gate and its state, order, registers, top."""
