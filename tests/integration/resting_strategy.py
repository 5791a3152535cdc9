# SPDX-License-Identifier: Apache-2.0
"""A strategy that wants a number of orders to rest far below the market, and asks until they do."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from host.strategy.python_strategy import Strategy, TopOfBook

RETRY_NS = 20_000_000


class Resting(Strategy):
    """Keeps up to ``orders`` buys of 100 shares in the first symbol it sees.

    ``progress``: a file that always holds its report, for who waits for something.
    """

    def __init__(self, orders: int = 8, progress: str = "") -> None:
        self.wanted = orders
        self.progress = Path(progress) if progress else None
        self.top: TopOfBook | None = None
        self.open: set[int] = set()
        self.tried_ns = 0
        self.counts = {"accepted": 0, "canceled": 0, "refused": 0}
        self.reasons: dict[int, int] = {}

    def on_book(self, top: TopOfBook) -> None:
        """Remember one symbol that has a bid."""
        if self.top is None and top.bid_price > 100_000 and top.book_state == 0:
            self.top = top

    def on_timer(self, t_ns: int) -> None:
        """Ask for what is missing."""
        if self.top is None or t_ns - self.tried_ns < RETRY_NS:
            return
        self.tried_ns = t_ns
        for number in range(self.wanted - len(self.open)):
            price = self.top.bid_price - 100 * (50 + number)
            if handle := self.orders.buy(self.top.index, 100, price):
                self.open.add(handle)

    def on_order(self, event: dict[str, Any]) -> None:
        """Keep count."""
        kind = event["event"]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == "refused":
            self.reasons[event["reason"]] = self.reasons.get(event["reason"], 0) + 1
        if event["leaves_quantity"] == 0:
            self.open.discard(event["user_ref_num"])
        if self.progress is not None:
            new = self.progress.with_suffix(".new")
            new.write_text(json.dumps(self.report()))
            os.replace(new, self.progress)

    def report(self) -> dict[str, Any]:
        """Events by kind, and what is thought to be open."""
        return {**self.counts, "open": len(self.open)}
