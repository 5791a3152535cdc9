# SPDX-License-Identifier: Apache-2.0
"""Full order-level books with best bid and offer events, ours beside itch-book and itchcpp.

One generated ITCH day (``tools.itch_stream``) in memory, as BinaryFILE frames; in every round each
contender reads all of it once, in one process, in an order that changes from round to round. The
clock counts the thread's processor time, so that being preempted costs nobody; all three work on
the calling thread alone. What each does between the two readings of the clock:

- ``tickwire``: ``OrderBook.apply_binary_file``: checks type and length, books, and writes a record
  of every change of a best bid or offer into an array. Its tables (65,536 symbols, 4 million
  orders) and the array are made and pre-faulted before the clock starts.
- ``itch-book``: ``Session.feed`` of its C++ core (not its slower Python front) with the table
  ``bbo`` alone: books, and appends a row per change, with room for the rows reserved before the
  clock starts.
- ``itchcpp``: ``BookManager.process_stream`` of its C++ core: books of all symbols. Its Python
  interface has no change events, so it is asked for less than the others are.

The results are compared: every record of ours with every row of itch-book, and the final best bid
and offer of every symbol with itchcpp.
"""

from __future__ import annotations

import gc
import importlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host.book.order_book import BBO_CHANGE, OrderBook
from nic.affinity import pin
from tools.itch_stream import generate
from tools.report import console, table

Bytes = NDArray[np.uint8]
OURS = "tickwire"
PEERS = {"itch-book": "itch_book._core", "itchcpp": "itchcpp.book"}
DOES = {
    OURS: "books, type and length checks, a record per BBO change; tables pre-faulted",
    "itch-book": "books, a row per BBO change; room for the rows reserved",
    "itchcpp": "books; no BBO events",
}


@dataclass
class Run:
    """One contender's reading of the stream: its time, and what is left of it."""

    seconds: float
    result: Any
    records: NDArray[np.void] | None = None


def timed(work: Callable[[], Any]) -> float:
    """Processor seconds of this thread that ``work`` takes, without the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        start = time.thread_time()
        work()
        return time.thread_time() - start
    finally:
        gc.enable()


def run_ours(stream: Bytes, raw: bytes, messages: int) -> Run:
    """Our book, with an array for the records that is in memory."""
    records = np.zeros(messages // 2, dtype=BBO_CHANGE)
    records["timestamp"] = 1
    book = OrderBook(prefault=True)
    result: dict[str, Any] = {}
    seconds = timed(lambda: result.update(book.apply_binary_file(stream, records)))
    if result["bbo_changes"] > len(records):
        raise ValueError("more best bid and offer changes than there is room for")
    return Run(seconds, book, records[: result["bbo_changes"]])


def run_itch_book(stream: Bytes, raw: bytes, messages: int) -> Run:
    """The C++ core of itch-book."""
    core = importlib.import_module(PEERS["itch-book"])
    session = core.Session(tables=["bbo"], depth=0, symbols=[])
    session.reserve(messages // 2)
    return Run(timed(lambda: session.feed(stream)), session)


def run_itchcpp(stream: Bytes, raw: bytes, messages: int) -> Run:
    """The C++ core of itchcpp, which takes bytes only."""
    manager = importlib.import_module(PEERS["itchcpp"]).BookManager()
    return Run(timed(lambda: manager.process_stream(raw)), manager)


RUNS = {OURS: run_ours, "itch-book": run_itch_book, "itchcpp": run_itchcpp}


def agrees_with_itch_book(ours: Run, theirs: Run) -> bool:
    """Whether every change of a best bid or offer is the same, in the same order."""
    assert ours.records is not None
    rows = theirs.result.take_bbo()
    columns = {
        "timestamp": "ts",
        "symbol_index": "locate",
        "bid_price": "bid_px",
        "bid_shares": "bid_sz",
        "ask_price": "ask_px",
        "ask_shares": "ask_sz",
    }
    return all(np.array_equal(ours.records[us], rows[them]) for us, them in columns.items())


def agrees_with_itchcpp(ours: Run, theirs: Run) -> bool:
    """Whether the final best bid and offer of every symbol is the same."""
    book: OrderBook = ours.result
    for symbol in book.symbols():
        top, peer = book.top(symbol), theirs.result.book_for_symbol(symbol).bbo()
        bid = (round(peer.bid_price * 10_000), peer.bid_shares) if peer.has_bid else (0, 0)
        ask = (round(peer.ask_price * 10_000), peer.ask_shares) if peer.has_ask else (0, 0)
        if bid != (top["bid_price"], top["bid_shares"]):
            return False
        if ask != (top["ask_price"], top["ask_shares"]):
            return False
    return True


AGREES = {"itch-book": agrees_with_itch_book, "itchcpp": agrees_with_itchcpp}


def installed(name: str) -> str | None:
    """Version of a peer, None where it is not installed."""
    try:
        importlib.import_module(PEERS[name])
        return metadata.version(name)
    except ImportError:
        return None


def measure(
    messages: int = 10_000_000,
    rounds: int = 5,
    symbols: int = 500,
    live_orders: int = 220_000,
    seed: int = 1,
    core: int | None = None,
) -> dict[str, Any]:
    """Run the contenders round by round on one stream; nanoseconds a message, ratios, agreement."""
    pin(core)
    stream = generate(messages, symbols, live_orders, seed)
    raw = stream.tobytes()
    versions = {name: installed(name) for name in PEERS}
    names = [OURS, *(name for name in PEERS if versions[name])]
    times: dict[str, list[float]] = {name: [] for name in names}
    agree: dict[str, bool] = {}
    mix: dict[str, float] = {}
    live = changes = 0
    for number in range(rounds):
        turn = number % len(names)
        runs = {}
        for name in names[turn:] + names[:turn]:
            runs[name] = RUNS[name](stream, raw, messages)
            times[name].append(runs[name].seconds * 1e9 / messages)
            if number:
                del runs[name]  # only the first round's results are compared
        if not number:
            agree = {name: AGREES[name](runs[OURS], runs[name]) for name in names[1:]}
            book: OrderBook = runs[OURS].result
            live, changes = book.order_count, book.counters()["bbo_changes"]
            mix = {k: round(n / messages, 5) for k, n in book.message_counts().items()}
        runs.clear()
    report: dict[str, Any] = {
        "benchmark": "book",
        "command": f"tickwire bench book --messages {messages} --rounds {rounds}",
        "messages": messages,
        "stream_bytes": len(stream),
        "symbols": symbols,
        "live_orders": live,
        "bbo_changes": changes,
        "seed": seed,
        "mix": mix,
        "rounds": rounds,
        "pre_faulted": {OURS: True, "itch-book": False, "itchcpp": False},
        "ns_per_message": {
            name: {
                "min": min(found),
                "median": statistics.median(found),
                "rounds": found,
                "does": DOES[name],
                "version": versions.get(name),
            }
            for name, found in times.items()
        },
        "not_installed": [name for name in PEERS if not versions[name]],
        "agree": agree,
    }
    report["times_faster"] = {
        name: {
            "of_minima": min(times[name]) / min(times[OURS]),
            "of_medians": statistics.median(times[name]) / statistics.median(times[OURS]),
        }
        for name in names[1:]
    }
    if report["times_faster"]:
        report["times_faster_than_the_better"] = min(
            found["of_medians"] for found in report["times_faster"].values()
        )
    return report


def print_report(report: dict[str, Any]) -> None:
    """The report for people."""
    out = console()
    mix = ", ".join(f"{k} {v:.1%}" for k, v in sorted(report["mix"].items(), key=lambda e: -e[1]))
    out.print(
        f"book: {report['messages']:,} messages ({report['stream_bytes']:,} bytes), "
        f"{report['symbols']} symbols, {report['live_orders']:,} open orders, "
        f"{report['bbo_changes']:,} BBO changes, seed {report['seed']}\nmix: {mix}"
    )
    rows = []
    for name, found in report["ns_per_message"].items():
        faster = report["times_faster"].get(name, {}).get("of_medians", 1.0)
        agrees = "" if name == OURS else "yes" if report["agree"][name] else "NO"
        title = f"{name} {found['version'] or ''}".strip()
        rows.append((title, found["min"], found["median"], faster, agrees))
    columns = ("ns a message", "min", "median", "of ours", "agrees")
    out.print(table(f"{report['rounds']} rounds, interleaved", columns, rows))
    for name, found in report["ns_per_message"].items():
        out.print(f"{name}: {found['does']}")
    for name in report["not_installed"]:
        out.print(f"{name} is not installed: pip install tickwire[bench]")
