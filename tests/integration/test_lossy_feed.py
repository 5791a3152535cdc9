# SPDX-License-Identifier: Apache-2.0
"""A bad network between exchange and feed handler: the book must not show it.

In one process and in virtual time. Both lines lose, repeat and reorder datagrams, each by its own
seed; re-requests and their answers get lost too. The same seed is the same run.
"""

import heapq
from functools import cache
from itertools import count
from typing import Any

import pytest

from host.book.order_book import OrderBook
from host.engine import Engine
from host.feed.collector import RequestCollector
from host.feed.handler import FeedHandler
from sim.exchange.config import parse_config
from sim.exchange.exchange import Exchange
from sim.network import LossyNetwork

SYMBOLS = tuple(f"SYM{number}" for number in range(12))
SEEDS = range(1, 9)
STEP_NS = 100_000
DAY_NS = 500_000_000
PATIENCE_NS = 30_000_000_000
RE_REQUEST = 2


def exchange_of(seed: int) -> Exchange:
    return Exchange(
        parse_config(
            {
                "symbols": SYMBOLS,
                "seed": seed,
                "feed": {
                    "a": {"group": "239.1.1.1", "port": 26400},
                    "heartbeat_ms": 50,
                    "history_bytes": 1 << 22,
                    "history_messages": 1 << 16,
                },
                "flow": {"messages_per_second": 20_000, "orders_per_symbol": 40},
                "resting_orders": 1 << 12,
            }
        )
    )


def bad_line(seed: int, drop: float, **faults: Any) -> LossyNetwork:
    faults = {"delay_ns": 50_000, "jitter_ns": 150_000} | faults
    return LossyNetwork(seed, drop=drop, duplicate=0.05, reorder=0.05, **faults)


def bad_lines(seed: int) -> list[LossyNetwork]:
    """Lines A and B, which are also cut both at once, and the way of answers and of requests."""
    cut = {"cut_every": 2_000, "cut_length": 60}
    return [
        bad_line(seed * 10, 0.08, **cut),
        bad_line(seed * 10 + 1, 0.08, truncate=0.02, jitter_ns=400_000, **cut),
        bad_line(seed * 10 + 2, 0.2),
        bad_line(seed * 10 + 3, 0.2),
    ]


class Listener:
    """A feed handler with its book, and the datagrams on their way to it."""

    def __init__(self, exchange: Exchange, lines: list[LossyNetwork], **settings: int) -> None:
        self.exchange = exchange
        self.networks = lines
        self.requests = RequestCollector()
        self.book = OrderBook(symbols=64, orders=1 << 13)
        self.engine = Engine(self.book)
        self.is_recovering = len(lines) > RE_REQUEST
        sink = self.requests if self.is_recovering else None
        self.feed = FeedHandler(self.engine, sink, start=1, **settings)
        self.engine.connect(self.feed)
        self.on_their_way: list[tuple[int, int, int, bytes]] = []
        self.number = count()

    def send(self, line: int, datagram: bytes, t_ns: int) -> None:
        for arrival, arrived in self.networks[line].send(datagram, t_ns):
            heapq.heappush(self.on_their_way, (arrival, next(self.number), line, arrived))

    def run_until(self, t_ns: int) -> None:
        """What arrives until then, in order of arrival; requests are answered on the way."""
        while self.on_their_way and self.on_their_way[0][0] <= t_ns:
            arrival, _, line, datagram = heapq.heappop(self.on_their_way)
            self.engine.datagram(line, datagram, arrival)
            self.ask(arrival)
        self.engine.timer(t_ns)
        self.ask(t_ns)

    def ask(self, t_ns: int) -> None:
        """Requests go the same bad way as their answers."""
        for request in self.requests.take():
            for arrival, asked in self.networks[RE_REQUEST + 1].send(request, t_ns):
                answer = self.exchange.on_request(asked)
                if answer is not None:
                    self.send(RE_REQUEST, answer, arrival)


def run(exchange: Exchange, listeners: list[Listener]) -> list[bytes]:
    """A day, its end, and the time that recovery may take after it; every packet published."""
    published = []
    now = 1_000_000_000
    end = now + DAY_NS
    exchange.start(now)
    while now < end + PATIENCE_NS and not all(each.feed.state == "ended" for each in listeners):
        now += STEP_NS if now < end else 50 * STEP_NS
        if now >= end:
            exchange.stop(now)
        exchange.on_timer(now)
        for packet in exchange.take_packets():
            published.append(packet)
            for listener in listeners:
                for line in (0, 1):
                    listener.send(line, packet, now)
        for listener in listeners:
            listener.run_until(now)
    return published


@cache
def bad_day(seed: int) -> tuple[Exchange, Listener, list[bytes]]:
    exchange = exchange_of(seed)
    listener = Listener(exchange, bad_lines(seed))
    return exchange, listener, run(exchange, [listener])


def market(book: OrderBook) -> dict[str, Any]:
    """Tops, price levels and every order in its queue, of every symbol."""
    tops = {symbol: book.top(symbol) for symbol in book.symbols()}
    for top in tops.values():
        del top["updated_ns"]  # when it was heard, which the network may well change
    return {
        symbol: {
            "top": tops[symbol],
            **{f"levels {side}": book.levels(symbol, side, 1000) for side in "BS"},
            **{f"orders {side}": book.orders(symbol, side) for side in "BS"},
        }
        for symbol in book.symbols()
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_book_is_that_of_a_network_without_loss(seed: int) -> None:
    exchange, listener, published = bad_day(seed)
    where = f"seed {seed}: {listener.feed.gaps() | {'list': []}}"
    assert listener.feed.state == "ended", where
    quiet = Engine(OrderBook(symbols=64, orders=1 << 13))
    quiet.connect(FeedHandler(quiet, start=1))
    for packet in published:
        quiet.datagram(0, packet, 0)
    assert quiet.counters()["messages"] == exchange.publisher.next_sequence_number - 1
    assert quiet.counters()["messages"] > 6_000
    assert listener.engine.counters()["messages"] == quiet.counters()["messages"], where
    assert listener.engine.message_types() == quiet.message_types(), where
    found = market(listener.book)
    assert sorted(found) == sorted(SYMBOLS)
    assert found == market(quiet.book), where
    own = exchange.engine.displayed_book
    for symbol in SYMBOLS:
        assert found[symbol]["top"]["book_state"] == "clean", where
        for side in "BS":
            orders = own.orders(symbol, side)
            assert orders
            assert found[symbol][f"orders {side}"] == orders, f"{symbol} {side}, {where}"


def test_every_way_of_closing_a_gap_was_taken() -> None:
    counters = [bad_day(seed)[1].feed.counters() for seed in SEEDS]
    for seed, found in zip(SEEDS, counters, strict=True):
        print(seed, {name: value for name, value in found.items() if value})
        assert found["gaps"] > 10, f"seed {seed}"
        assert found["gaps_never"] == found["messages_lost"] == 0, f"seed {seed}"
        closed = sum(found[f"gaps_{how}"] for how in ("other_line", "re_request", "late"))
        assert closed == found["gaps"], f"seed {seed}"
    for name in (
        "gaps_other_line",
        "gaps_re_request",
        "gaps_late",
        "duplicates_a",
        "duplicates_b",
        "duplicates_same_line",
        "duplicates_re_request",
        "requests_retried",
        "requests_partial",
        "stashed",
    ):
        assert sum(found[name] for found in counters) > 0, name


def test_the_network_was_bad() -> None:
    for seed in SEEDS:
        _, listener, published = bad_day(seed)
        assert len(published) > 3_000
        for line, network in enumerate(listener.networks):
            found = network.counters()
            assert found["dropped"] > 5, f"seed {seed}, line {line}"
            if line < RE_REQUEST:
                assert found["duplicated"] > 100, f"seed {seed}, line {line}"
                assert found["reordered"] > 100, f"seed {seed}, line {line}"
                assert found["cut"] >= 60, f"seed {seed}, line {line}"


def test_same_seed_same_run() -> None:
    exchange = exchange_of(3)
    again = Listener(exchange, bad_lines(3))
    run(exchange, [again])
    assert again.feed.counters() == bad_day(3)[1].feed.counters()
    assert again.feed.gaps() == bad_day(3)[1].feed.gaps()


@pytest.mark.parametrize("seed", SEEDS)
def test_without_recovery_the_books_are_gapped(seed: int) -> None:
    exchange = exchange_of(seed)
    lines = [bad_line(seed * 10, 0.2), bad_line(seed * 10 + 1, 0.2)]
    listener = Listener(exchange, lines, gap_limit_ns=20_000_000)
    run(exchange, [listener])
    counters = listener.feed.counters()
    where = f"seed {seed}: {listener.feed.gaps() | {'list': []}}"
    assert listener.feed.state == "ended", where
    assert counters["gaps_never"] > 0 and counters["requests"] == 0, where
    assert counters["gaps_other_line"] > 0 and counters["gaps_late"] > 0, where
    lost = listener.engine.counters()["lost_messages"]
    assert lost == counters["messages_lost"] > 0, where
    delivered = listener.engine.counters()["messages"]
    assert delivered + lost == exchange.publisher.next_sequence_number - 1, where
    assert {listener.book.top(s)["book_state"] for s in listener.book.symbols()} == {"gapped"}
