# SPDX-License-Identifier: Apache-2.0
"""Frame in memory to order in memory: the whole way, compiled and Python strategy side by side.

A seeded exchange day is published into a capture; the capture is replayed through the same stages
as live (feed handler, book, strategy, execution, gate, order management, gateway) with a stream in
memory at the end. Every packet that leads to an order is timed from its turn (t0) to the order's
bytes in the stream (t5). The market answers between bursts, as the live loop reads its answers: not
in the figures, but it cools the caches.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from host.book.order_book import OrderBook
from host.engine import Engine
from host.feed.handler import FeedHandler
from host.metrics.stages import StageClock
from nic.affinity import pin
from nic.clock import Clock
from nic.frame import address_number, build_udp
from nic.memory import lock_memory
from nic.pcap import PcapPort, PcapWriter
from sim.exchange.config import parse_config
from sim.exchange.exchange import Exchange
from tools.replay_trading import ReplayTrading
from tools.report import console, table

GROUP, PORT = "239.71.0.1", 26400
KINDS = {
    "compiled": "market_maker",
    "python": "host.strategy.python_examples:MarketMaker",
}
STEP_NS = 50_000
START_NS = 1_000_000_000


def record_day(path: Path, seconds: float, symbols: int, rate: int, seed: int) -> int:
    """Publish a seeded day into a capture of line A; the number of packets."""
    config = parse_config(
        {
            "symbol_count": symbols,
            "seed": seed,
            "feed": {"a": {"group": GROUP, "port": PORT}, "flush_interval_us": 50},
            "flow": {"messages_per_second": rate},
        }
    )
    exchange = Exchange(config)
    writer = PcapWriter(path)
    packets = 0
    exchange.start(START_NS)
    for step in range(int(seconds * 1e9) // STEP_NS):
        now = START_NS + step * STEP_NS
        exchange.on_timer(now)
        for packet in exchange.take_packets():
            frame = build_udp(packet, "10.71.1.1", PORT, GROUP, PORT)
            writer.write_frame(frame, now)
            packets += 1
    writer.close()
    return packets


def replay_once(path: Path, strategy: str, stages: StageClock) -> dict[str, int]:
    """Replay the capture through every stage; the engine's counters."""
    engine = Engine(OrderBook(symbols=1024, orders=200_000, prefault=True), is_measured=True)
    engine.set_line(0, address_number(GROUP), PORT)
    trading = ReplayTrading(engine, strategy, stages=stages)
    with PcapPort(path) as port:
        loop = trading.connect(
            FeedHandler(engine), None, START_NS, stamps=True, settle_by_burst=True
        )
        while loop.run_port(port, 4096):
            pass
    return {**engine.counters(), "orders": trading.trading.gate.counters()["passed"]}


def measure(
    seconds: float = 5.0,
    rounds: int = 3,
    symbols: int = 20,
    rate: int = 20_000,
    seed: int = 1,
    core: int | None = None,
) -> dict[str, Any]:
    """Interleave the strategies, round by round, and report the percentiles of each stage."""
    pin(core)
    lock_memory()  # as live: the tables are there before the first packet
    clock = Clock()
    stages = {name: StageClock(clock.ns_per_tick) for name in KINDS}
    with tempfile.TemporaryDirectory(prefix="tickwire-bench-") as folder:
        path = Path(folder) / "day.pcap"
        packets = record_day(path, seconds, symbols, rate, seed)
        counters: dict[str, dict[str, int]] = {}
        for _ in range(rounds):
            for name, strategy in KINDS.items():
                counters[name] = replay_once(path, strategy, stages[name])
    return {
        "benchmark": "pipeline",
        "command": f"tickwire bench pipeline --seconds {seconds:g} --rounds {rounds}",
        "packets": packets,
        "messages": counters["compiled"]["messages"],
        "symbols": symbols,
        "seed": seed,
        "orders": {name: found["orders"] for name, found in counters.items()},
        "stages_ns": {name: found.summary() for name, found in stages.items()},
    }


def print_report(report: dict[str, Any]) -> None:
    """The report for people."""
    out = console()
    out.print(
        f"pipeline: {report['messages']:,} messages in {report['packets']:,} packets, "
        f"{report['symbols']} symbols, seed {report['seed']}"
    )
    for name, stages in report["stages_ns"].items():
        rows = [
            (stage, *(int(v[k] or 0) for k in ("min", "p50", "p99", "p99_9", "max", "count")))
            for stage, v in stages.items()
        ]
        columns = ("stage (ns)", "min", "p50", "p99", "p99.9", "max", "count")
        out.print(table(f"{name} strategy", columns, rows))
