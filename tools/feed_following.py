# SPDX-License-Identifier: Apache-2.0
"""What ``tickwire follow`` does: follow a published feed, show its events, report."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from host.ipc.broadcast import BroadcastReader
from host.ipc.event_layout import CONTENT
from host.publish.follower import FeedFollower
from host.publish.streams import read_secret
from nic.clock import Clock
from nic.port import PortError
from tools.report import console, nonzero, price_text, table

BURST = 64
IDLE_SECONDS = 0.0002
LOOK_SECONDS = 0.2
"""How often it is asked whether a silent publisher still lives."""


def event_text(event: Mapping[str, Any]) -> str:
    """One event as a line."""
    parts = [f"{event['sequence_number']}", event["kind"]]
    if event["symbol"]:
        parts.append(event["symbol"])
    if event["side"]:
        parts.append(event["side"])
    if event["price"]:
        parts.append(price_text(event["price"]))
    if event["quantity"]:
        parts.append(f"{event['quantity']}")
    if event["order_reference_number"]:
        parts.append(f"order {event['order_reference_number']}")
    if event["symbol"]:
        bid, ask = (
            f"{price_text(event[f'{side}_price'])} x {event[f'{side}_shares']}"
            for side in ("bid", "ask")
        )
        state = ("", " gapped", " rebuilding")[min(event["book_state"], 2)]
        parts.append(f"| {bid} - {ask}{state}")
    return " ".join(parts)


RDMA = "rdma:"
"""What the name of a feed of another host begins with."""


def open_remote(feed: str, device: str, secret_file: Path | None) -> Any:
    """A reader of ``rdma:HOST:PORT``; raises ``ValueError`` or ``PortError`` in one line."""
    host, _, port = feed.removeprefix(RDMA).rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{feed}: a feed of another host is rdma:HOST:PORT")
    if not device or secret_file is None:
        raise ValueError(f"{feed}: needs --device and --secret-file")
    try:
        from host.ipc.rdma_stream import RdmaReader
    except ImportError as error:
        raise ValueError(
            f"rdma was not built here ({error}): install libibverbs-dev and build again"
        ) from None
    name = f"{socket.gethostname()} {os.getpid()}"
    return RdmaReader(
        device, (host, int(port)), read_secret(secret_file), content=CONTENT, name=name, beside=None
    )


class Following:
    """Follows the ring at ``path``; ``show`` gets the line of each event, ``None``: nobody does.

    ``path`` may be ``rdma:HOST:PORT``, with the RDMA ``device`` and the file of the shared secret.
    Raises ``ValueError``, ``OSError`` or ``PortError`` in one line where it can't be followed.
    """

    def __init__(
        self,
        path: str,
        *,
        device: str = "",
        secret_file: Path | None = None,
        start: Literal["newest", "oldest"] = "newest",
        symbols: Sequence[str] = (),
        count: int | None = None,
        seconds: float | None = None,
        again: bool = False,
        show: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self.symbols = set(symbols)
        self.count = count
        self.seconds = seconds
        self.again = again
        self.show = show
        self.publisher = "open"
        self.publishers = 1
        self._clock = Clock()
        self.is_remote = path.startswith(RDMA)
        self._remote = (device, secret_file)
        if self.is_remote:
            self._attach(open_remote(path, device, secret_file))
        else:
            self._attach(BroadcastReader(path, start=start, content=CONTENT))
        self._earlier: dict[str, int] = {}

    def _attach(self, reader: Any) -> None:
        self.reader = reader
        self.follower = FeedFollower(reader)

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Follow until it is enough, ``should_stop`` says so, or the publisher is gone."""
        begin = heard = time.monotonic()
        while not should_stop() and not self._is_enough(begin):
            try:
                taken = self._take()
            except EOFError:
                taken = 0
                heard = 0.0
            now = time.monotonic()
            if taken:
                heard = now
                continue
            if now - heard >= LOOK_SECONDS:
                heard = now
                self.publisher = self.reader.state()
                if self.publisher != "open" and not self._drain() and not self._next():
                    return
            time.sleep(IDLE_SECONDS)

    def _is_enough(self, begin: float) -> bool:
        if self.seconds is not None and time.monotonic() - begin >= self.seconds:
            return True
        return self.count is not None and self.events() >= self.count

    def events(self) -> int:
        """Events followed, of all publishers."""
        return self._earlier.get("events", 0) + int(self.reader.taken)

    def _take(self) -> int:
        room = BURST if self.count is None else min(BURST, self.count - self.events())
        if self.show is None:
            return self.follower.poll(room)
        before = self.reader.lost
        events = self.follower.poll_events(room)
        if self.reader.lost != before:
            self.show(f"overrun: {self.reader.lost - before} events lost")
        for event in events:
            if not self.symbols or event["symbol"] in self.symbols:
                self.show(event_text(event))
        return len(events)

    def _drain(self) -> bool:
        """Whether something is left of a publisher that is gone."""
        if self.is_remote:
            return False  # what arrived was taken before anybody asked
        return bool(self.reader.next_sequence <= self.reader.newest())

    def _next(self) -> bool:
        """Another publisher's ring, if it is wanted; whether to go on."""
        if not self.again:
            return False
        if self.is_remote:
            return self._reconnect()
        try:
            reader = BroadcastReader(self.path, start="oldest", content=CONTENT)
        except (OSError, ValueError):
            return True  # none yet
        if reader.instance == self.reader.instance:
            reader.close()
            return True
        self._earlier = self.totals()
        self.reader.close()
        self._attach(reader)
        self.publishers += 1
        self.publisher = "open"
        return True

    def _reconnect(self) -> bool:
        """Connect to the other host again; another publisher's symbols are new ones."""
        try:
            if not self.reader.reconnect():
                reader = open_remote(self.path, *self._remote)
                self._earlier = self.totals()
                self.reader.close()
                self._attach(reader)
                self.publishers += 1
        except PortError:
            return True  # none yet
        self.publisher = "open"
        return True

    def totals(self) -> dict[str, int]:
        """Counters of all publishers together."""
        found = dict(self._earlier)
        for name, count in self.follower.counters().items():
            found[name] = found.get(name, 0) + count
        return found

    def report(self) -> dict[str, Any]:
        """What was followed; ``latency_ns`` from the packet's arrival to here."""
        ns = self._clock.ns_per_tick
        latency = self.follower.latency
        tops = self.follower.tops_by_symbol()
        return {
            "path": self.path,
            "publisher": self.publisher,
            "publishers": self.publishers,
            "process": 0 if self.is_remote else self.reader.writer_process,
            "ring": self.reader.mode(),
            "next_sequence": self.reader.next_sequence,
            "feed_sequence_number": self.follower.feed_sequence_number,
            "phase": self.follower.phase(),
            "is_stale": self.follower.is_stale,
            "counters": self.totals(),
            "latency_ns": {
                name: round(latency.percentile(percent) * ns)
                for name, percent in (("p50", 50.0), ("p99", 99.0), ("max", 100.0))
            }
            if latency.count and not self.is_remote
            else {},
            "symbols": len(tops),
            "tops": {
                symbol: top
                for symbol, top in sorted(tops.items())
                if not self.symbols or symbol in self.symbols
            },
        }


def print_report(report: Mapping[str, Any]) -> None:
    """The report for people, on standard error: the events have standard output."""
    out = console(stderr=True)
    counts = ", ".join(f"{name} {count:,}" for name, count in nonzero(report["counters"]).items())
    out.print(f"{report['path']}: publisher {report['publisher']}; {counts or 'no events'}")
    if latency := report["latency_ns"]:
        shown = ", ".join(f"{name} {value:,}" for name, value in latency.items())
        out.print(f"packet taken to event followed, ns: {shown}")
    rows = [
        (
            symbol,
            f"{price_text(top['bid_price'])} x {top['bid_shares']:,}",
            f"{price_text(top['ask_price'])} x {top['ask_shares']:,}",
            top["book_state"],
        )
        for symbol, top in list(report["tops"].items())[:20]
    ]
    if rows:
        title = f"tops, {len(rows)} of {report['symbols']:,} symbols"
        out.print(table(title, ("symbol", "bid", "ask", "book"), rows))
