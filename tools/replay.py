# SPDX-License-Identifier: Apache-2.0
"""A capture through feed handler, book and strategy: what ``tickwire replay`` does and reports.

Nothing in the report depends on when or how fast it was made: two runs of one file are the same.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from host.book.book import Book
from host.book.order_book import OrderBook
from host.book.price_level_book import PriceLevelBook
from host.capture_loop import CaptureLoop
from host.engine import BookObserver, Engine
from host.feed.enumerations import ERRORS as FEED_ERRORS
from host.feed.handler import FeedHandler
from nic.binary_file import BinaryFile
from nic.capture import capture_kind
from nic.frame import address_number
from nic.pcap import PcapPort
from tools.feed_finder import find_feed, find_session
from tools.report import nonzero

if TYPE_CHECKING:
    from sim.offload.gateware_path import GatewareFeed
    from tools.bbo_writer import BboWriter
    from tools.replay_trading import ReplayTrading

STEP = 4096
"""Packets or messages between two looks at the progress."""

GAP_LIMIT_NS = 100_000_000
"""How late a message may come: there is nobody to ask for it, so it is not worth a longer wait."""

BOOK_ERRORS = ("unknown_type", "wrong_length")


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What a replay is asked for."""

    path: Path
    bbo: Path | None = None
    strategy: str = "none"
    pace: float | None = None
    orders: int = 4_000_000
    symbols: int = 65_536
    has_card: bool = False


class Replay:
    """One replay: made, run to the end, reported.

    Raises ``ValueError`` or ``OSError`` in one line.
    """

    def __init__(self, options: ReplayOptions) -> None:
        self.options = options
        self.kind = capture_kind(options.path)
        self.found = (
            find_session(options.path) if self.kind == "binary_file" else find_feed(options.path)
        )
        self.book = self._make_book()
        self.engine = Engine(self.book)
        self.feed = FeedHandler(
            self.engine,
            transport=self.found.transport,
            restart="detect",
            start="first",
            gap_limit_ns=GAP_LIMIT_NS,
        )
        self.trading = self._make_trading()
        self.card = self._make_card()
        self.packets = 0
        self.capture_errors: dict[str, int] = {}
        if options.bbo is not None and options.bbo.exists() and options.bbo.samefile(options.path):
            raise ValueError(f"{options.bbo}: is the recording itself and would be overwritten")

    def _make_book(self) -> Book:
        if self.found.transport == "iextp":
            return PriceLevelBook(symbols=self.options.symbols)
        return OrderBook(symbols=self.options.symbols, orders=self.options.orders)

    def _make_trading(self) -> ReplayTrading | None:
        if self.options.strategy == "none":
            return None
        from tools.replay_trading import ReplayTrading

        return ReplayTrading(self.engine, self.options.strategy)

    def _make_card(self) -> GatewareFeed | None:
        """The gateware's feed side; it does not arbitrate, as a recording may hold restarts."""
        if not self.options.has_card:
            return None
        if self.kind == "binary_file":
            raise ValueError(f"{self.options.path}: holds no frames that a line could bring")
        from sim.offload.gateware_path import GatewareFeed

        lines = [(address_number(address), port) for address, port in self.found.lines]
        return GatewareFeed(self.found.transport, lines, is_arbitrating=False, has_orders=False)

    def run(self, on_progress: Callable[[int], None]) -> None:
        """Take the whole file; ``on_progress`` gets the number of packets or messages so far."""
        with contextlib.ExitStack() as stack:
            observer = stack.enter_context(bbo_file(self.options.bbo))
            loop = self._connect(observer)
            if self.kind == "binary_file":
                with BinaryFile(self.options.path) as file:
                    self._take(loop, lambda step: loop.run_messages(file, step), on_progress)
                    self.capture_errors = file.errors()
            else:
                with PcapPort(self.options.path) as port:
                    through = port if self.card is None else self.card.through(None, port)
                    self._take(loop, lambda step: loop.run_port(through, step), on_progress)
                    self.capture_errors = port.errors()
                    if self.card is not None:
                        self.card.finish()
                self.packets = loop.packets
                self.engine.finish(loop.last_ns)
            if self.trading is not None:
                self.trading.finish(loop.last_ns)

    def _connect(self, observer: BookObserver | None) -> CaptureLoop:
        for line, (address, port) in enumerate(self.found.lines):
            self.engine.set_line(line, address_number(address), port)
        if self.trading is None:
            self.engine.connect(self.feed, observer=observer)
            return CaptureLoop(self.engine)
        return self.trading.connect(self.feed, observer, self.found.first_ns)

    def _take(
        self, loop: CaptureLoop, take: Callable[[int], int], on_progress: Callable[[int], None]
    ) -> None:
        done = 0
        begin = time.monotonic_ns()
        first_ns = 0
        step = STEP if self.options.pace is None else 1
        while taken := take(step):
            done += taken
            if done % STEP < taken:
                on_progress(done)
            if self.options.pace is not None:
                first_ns = first_ns or loop.last_ns
                due = begin + int((loop.last_ns - first_ns) / self.options.pace)
                time.sleep(max(due - time.monotonic_ns(), 0) / 1e9)

    def report(self) -> dict[str, Any]:
        """What the file held, and what became of it."""
        feed = self.feed.counters()
        book = self.book.counters()
        errors = {
            **self.capture_errors,
            **self.engine.frame_errors(),
            **{name: feed[name] for name in FEED_ERRORS},
            **{name: book[name] for name in BOOK_ERRORS},
        }
        engine = self.engine.counters()
        report: dict[str, Any] = {
            "file": self.options.path.name,
            "kind": self.kind,
            "transport": "none" if self.kind == "binary_file" else self.found.transport,
            "lines": [f"{address}:{port}" for address, port in self.found.lines],
            "packets": self.packets,
            "messages": self.engine.message_types(),
            "errors": nonzero(errors),
            "gaps": feed["gaps_never"],
            "lost_messages": feed["messages_lost"],
            "restarts": self.feed.restarts,
            "runs": self.feed.restarts + 1,
            "heartbeats": feed["heartbeats"],
            "duplicates": feed["duplicates_a"] + feed["duplicates_b"],
            "unwanted_datagrams": engine["unwanted"],
            "symbols": len(self.book.symbols()),
            "bbo_changes": engine["bbo_changes"],
            "trades": engine["trades"],
            "book": nonzero({k: v for k, v in book.items() if k not in BOOK_ERRORS}),
            "best": self.best(),
        }
        if self.trading is not None:
            report.update(self.trading.report())
        if self.card is not None:
            report["offload"] = self.card.report()
        return report

    def best(self) -> dict[str, dict[str, Any]]:
        """Best bid and offer of every symbol that has one, by name."""
        found = {}
        for symbol in sorted(self.book.symbols()):
            top = self.book.top(symbol)
            if top["bid_price"] or top["ask_price"]:
                found[symbol] = {
                    "bid_price": top["bid_price"],
                    "bid_size": top["bid_shares"],
                    "ask_price": top["ask_price"],
                    "ask_size": top["ask_shares"],
                }
        return found


@contextlib.contextmanager
def bbo_file(path: Path | None) -> Iterator[BookObserver | None]:
    """A writer of best bids and offers to a new file, or ``None`` where no file is wanted."""
    if path is None:
        yield None
        return
    from tools.bbo_writer import BboWriter

    with open(path, "wb") as file:
        writer = BboWriter(file)
        try:
            yield writer
            close_writer(writer, path)
        except BaseException:
            if path.is_file():  # a part that looks like the whole
                path.unlink()
            raise


def close_writer(writer: BboWriter, path: Path) -> None:
    """Write what is left; raises ``OSError`` that names the file."""
    try:
        writer.close()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
