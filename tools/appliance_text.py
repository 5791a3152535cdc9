# SPDX-License-Identifier: Apache-2.0
"""The appliance's report for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.report import console, nonzero, price_text, table

STAGE_COLUMNS = ("stage", "min", "p50", "p99", "p99.9", "max", "count")


def print_appliance(report: Mapping[str, Any]) -> None:
    """Print the report of one run."""
    out = console()
    core = "not pinned" if report["core"] is None else f"pinned to core {report['core']}"
    out.print(f"hot thread: {core}, memory {report['memory']}", markup=False)
    if report["symbols_awaited"]:
        awaited = ", ".join(report["symbols_awaited"])
        out.print(f"nothing was traded: the feed never showed {awaited}", style="bold")
    for port in report["ports"]:
        counters = port["counters"]
        copy = "zero-copy" if port.get("zero_copy") else "copy"
        out.print(
            f"port {port['name']}: {port['kind']} on {port['interface']}, {port['driver_mode']}, "
            f"{copy}, time stamps {port['timestamps']}; {counters['rx_packets']:,} packets, "
            f"{counters['rx_dropped']:,} dropped",
            markup=False,
        )
    feed = report["messages"]
    types = ", ".join(f"{letter} {count:,}" for letter, count in feed["types"].items())
    out.print(f"messages: {feed['delivered']:,} ({types})", markup=False)
    gaps = ", ".join(f"{name} {count:,}" for name, count in report["gaps"].items())
    out.print(f"gaps closed by: {gaps}", markup=False)
    _counters("feed", nonzero(report["feed"]))
    _counters("orders", nonzero(report["orders"]))
    refused = {k: v for k, v in nonzero(report["risk"]).items() if k != "passed"}
    out.print(f"risk gate: {report['risk']['passed']:,} passed", markup=False)
    _counters("refused by reason", refused)
    for venue, counters in report["order_entry"]["venues"].items():
        _counters(f"{report['order_entry']['send']} sends to {venue}", nonzero(counters))
    for strategy in report["strategies"]:
        _counters(
            f"strategy {strategy['name']}", {k: v for k, v in strategy.items() if k != "name"}
        )
    if report["feed_publish"] is not None:
        _counters(
            f"published at {report['feed_publish'].get('path', 'rdma')}",
            nonzero(report["feed_publish"]["events"]),
        )
        if rdma := report["feed_publish"].get("rdma"):
            numbers = {key: value for key, value in rdma.items() if isinstance(value, int)}
            _counters(f"published by rdma at {rdma['address']}", nonzero(numbers))
    if report["strategy_hosts"] is not None:
        print_strategy_hosts(report["strategy_hosts"])
    if report["offload"] is not None:
        print_offload(report["offload"])
    print_positions(report["positions"])
    print_stages(report["stages"])


def _counters(title: str, counters: Mapping[str, Any]) -> None:
    shown = ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"
        for name, value in counters.items()
    )
    console().print(f"{title}: {shown or 'none'}", markup=False)


def print_strategy_hosts(found: Mapping[str, Any]) -> None:
    """Print what strategy hosts asked for, and who they were."""
    counters = {key: value for key, value in found.items() if isinstance(value, int)}
    _counters("orders of strategy hosts", nonzero(counters))
    _counters("refused to them", found["refusals"])
    for host in found["hosts"]:
        ended = f", {host['ended_by']}" if host["ended_by"] else ""
        console().print(
            f"  strategy {host['strategy']}, {host['name']}: {host['state']}{ended}; "
            f"{host['requests']:,} requests, {host['taken']:,} taken, "
            f"{host['orders_cancelled']:,} cancelled behind it",
            markup=False,
        )


def print_offload(found: Mapping[str, Any]) -> None:
    """Print what was compared with the card in the path."""
    out = console()
    device, identity = found["device"], found["identity"]
    out.print(
        f"card: {device['device']} of {device['feed']}, build {identity['build_hash']}, "
        f"{found['cycles']:,} cycles",
        markup=False,
    )
    out.print(
        f"  events compared: {found['events_compared']:,}, "
        f"{found['event_differences']:,} differ; frames {found['frames']:,}",
        markup=False,
    )
    if first := found["first_event_difference"]:
        out.print(f"  first: {first}", markup=False)
    for name, values in found["counter_differences"].items():
        out.print(f"  counter {name}: card {values['card']}, host {values['host']}", markup=False)
    if "verdicts_compared" in found:
        out.print(
            f"  verdicts compared: {found['verdicts_compared']:,}, "
            f"{found['verdict_differences']:,} differ; {found['cycles_per_second']:,} cycles a "
            f"second while it ran",
            markup=False,
        )
    if failure := found.get("failure"):
        shown = ", ".join(f"{key} {value}" for key, value in failure.items())
        out.print(f"  TRADING WAS STOPPED: {shown}", markup=False, style="bold")


def print_positions(positions: Mapping[str, Mapping[str, int]]) -> None:
    """Position and profit per symbol; profits are in dollars."""
    rows = [
        (
            symbol,
            found["position"],
            price_text(found["average_price"]),
            price_text(found["realised"]),
            price_text(found["unrealised"]),
        )
        for symbol, found in positions.items()
    ]
    columns = ("symbol", "shares", "average price", "realised", "unrealised")
    out = console()
    out.print(table("position and PnL", columns, rows))
    realised = sum(found["realised"] for found in positions.values())
    unrealised = sum(found["unrealised"] for found in positions.values())
    out.print(f"total: realised {price_text(realised)}, unrealised {price_text(unrealised)}")


def print_stages(stages: Mapping[str, Mapping[str, float]]) -> None:
    """Latency percentiles of each stage, in nanoseconds."""
    rows = [
        (name, *(int(found[key] or 0) for key in ("min", "p50", "p99", "p99_9", "max", "count")))
        for name, found in stages.items()
    ]
    console().print(table("latency in ns, packets that led to an order", STAGE_COLUMNS, rows))
