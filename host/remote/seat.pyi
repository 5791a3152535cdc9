# SPDX-License-Identifier: Apache-2.0
"""The feed host's side of one strategy host: its requests, its orders, its reports."""

from typing import Any

from host.metrics.histogram import Histogram

class Seat:
    strategy_id: int
    line: Any
    name: str
    ended_by: str
    end_reason: int
    is_leaving: bool
    latency: Histogram
    def is_free(self) -> bool: ...
    def sit(self, line: Any) -> None: ...
    def leave(self, reason: int, why: str = "") -> None: ...
    def take_news(self) -> list[dict[str, Any]]: ...
    def service(self, t_ns: int, cancels: bool) -> None: ...
    def report(self) -> dict[str, Any]: ...
