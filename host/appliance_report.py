# SPDX-License-Identifier: Apache-2.0
"""What an appliance shows at the end of a run."""

from __future__ import annotations

from typing import Any

from host.appliance import Appliance


def report_of(appliance: Appliance) -> dict[str, Any]:
    """Everything worth showing, as nested dicts of plain values; prices have four decimals."""
    engine = appliance.engine
    return {
        "ports": [
            {**port.mode(), "name": port.name, "counters": port.counters()}
            for port in (*appliance.lines, appliance.recovery)
            if port is not None
        ],
        "memory": appliance.memory,
        "symbols_awaited": appliance.symbols_awaited(),
        "core": appliance.config.engine.core,
        "messages": {
            "delivered": engine.counters()["messages"],
            "types": engine.message_types(),
        },
        "engine": engine.counters(),
        "loop": appliance.loop.report(),
        "frame_errors": engine.frame_errors(),
        "feed": appliance.feed.counters(),
        "gaps": gaps_of(appliance),
        "lead_times_ns": appliance.feed.lead_times(),
        "book": appliance.engine.book.counters(),
        "risk": appliance.trading.gate.counters(),
        "exposure": {
            **appliance.trading.gate.exposures.totals(),
            **appliance.trading.gate.daily_totals(),
        },
        "kills": appliance.trading.gate.kills(),
        "execution": appliance.trading.execution.counters(),
        "orders": appliance.trading.oms.counters(),
        "open_orders": appliance.open_orders_at_end,
        "venues": [
            {"name": venue.name, **channel.counters()}
            for venue, channel in zip(
                appliance.config.venues, appliance.trading.channels, strict=True
            )
        ],
        "order_entry": appliance.streams.report(),
        "strategies": [
            {"name": config.name, **strategy.orders.counters(), **strategy.report()}
            # behind these is the desk of the strategy hosts, if there is one
            for config, strategy in zip(
                appliance.config.strategies, engine.strategies(), strict=False
            )
        ],
        "positions": positions_of(appliance),
        "stages": appliance.stages.summary(),
        "journal": appliance.recording.counters(),
        "feed_publish": feed_publish_of(appliance),
        "strategy_hosts": strategy_hosts_of(appliance),
        "offload": appliance.card.report() if appliance.card is not None else None,
    }


def feed_publish_of(appliance: Appliance) -> dict[str, Any] | None:
    """What was published for followers, and where; ``None`` where nothing was."""
    if appliance.publisher is None:
        return None
    return {**appliance.streams_published.mode(), "events": appliance.publisher.counters()}


def strategy_hosts_of(appliance: Appliance) -> dict[str, Any] | None:
    """What strategy hosts asked for and got, with the times of their requests' way here.

    Those are of lines within this machine only. ``None`` where there is no desk for them.
    """
    desk = appliance.desk
    if desk is None:
        return None
    ns = appliance.clock.ns_per_tick
    found = desk.report()
    for host in found["hosts"]:
        latency = next(s.latency for s in desk.seats if s.strategy_id == host["strategy"])
        host["latency_ns"] = {
            name: round(latency.percentile(percent) * ns)
            for name, percent in (("p50", 50.0), ("p99", 99.0), ("max", 100.0))
            if latency.count
        }
    return dict(found)


def gaps_of(appliance: Appliance) -> dict[str, int]:
    """How many gaps there were, and how many were closed by what."""
    found = appliance.feed.gaps()
    del found["list"]
    return dict(found)


def positions_of(appliance: Appliance) -> dict[str, dict[str, int]]:
    """Position and profit per symbol that was ever traded."""
    names = {}
    for index, position in appliance.trading.oms.positions().items():
        names[appliance.engine.book.symbol_name(index)] = position
    return dict(sorted(names.items()))
