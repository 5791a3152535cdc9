# SPDX-License-Identifier: Apache-2.0
"""Exchanges and one appliance in one process and in virtual time: no socket, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from random import Random
from typing import Any

from host.book.order_book import OrderBook
from host.engine import Engine
from host.feed.handler import FeedHandler
from host.gateway.memory_stream import MemoryStream
from host.interfaces import Recorder
from host.strategy.strategy import FastStrategy
from host.trading import Trading, VenueLogin
from nic.offload.enumerations import ALL_CHECKS, checks
from nic.offload.limits import Limits, widest_limits
from nic.stream import Stream
from nic.wire.moldudp64 import END_OF_SESSION_COUNT, MOLDUDP64
from nic.wire.ouch50 import OUCH50
from nic.wire.reference import Value, decode, decode_as, decode_tags, encode
from sim.exchange.config import parse_config
from sim.exchange.exchange import Exchange

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

WIDE = widest_limits(ALL_CHECKS & ~checks("price_band", "short_sale_mark"))
LIMITS = asdict(WIDE) | {
    "maximum_quantity_shares": 5_000,
    "maximum_notional": 20_000_000_000,
    "collar_best_basis_points": 1_000,
    "collar_best_price_units": 10_000,
    "collar_last_basis_points": 1_000,
    "collar_last_price_units": 10_000,
    "reference_age_limit_ns": 60_000_000_000,
    "maximum_long_position_shares": 5_000,
    "maximum_short_position_shares": 5_000,
    "maximum_gross_notional": 2_000_000_000_000,
    "message_rate_per_second": 100_000,
    "message_burst": 10_000,
    "duplicate_window_ns": 0,
}


def exchange_of(symbols: Sequence[str] = ("AAPL", "MSFT", "INTC"), **options: Any) -> Exchange:
    """An exchange with those symbols; ``seed`` and others as in its configuration."""
    rate = options.pop("messages_per_second", 4_000)
    session = options.pop("session", "TICKWIRE01")
    return Exchange(
        parse_config(
            {
                "symbols": list(symbols),
                "feed": {
                    "session": session,
                    "a": {"group": "239.1.1.1", "port": 26400},
                    "history_bytes": 1 << 22,
                    "history_messages": 1 << 17,
                },
                "flow": {"messages_per_second": rate, "orders_per_symbol": 32},
                "resting_orders": 1 << 14,
                **options,
            }
        )
    )


def blocks_of(packet: bytes) -> tuple[dict[str, Value], list[bytes]]:
    """Header and messages of a MoldUDP64 packet."""
    header = decode_as(MOLDUDP64, "header", packet)
    rest, messages = bytes(header["payload"]), []
    while rest:
        length = int.from_bytes(rest[:2], "big")
        messages.append(rest[2 : 2 + length])
        rest = rest[2 + length :]
    return header, messages


def recut(packets: Iterable[bytes], random: Random, most: int) -> list[bytes]:
    """The same messages in other datagrams of 1 to ``most`` messages; empty packets stay."""
    made = []
    for packet in packets:
        header, messages = blocks_of(packet)
        number = int(header["sequence_number"])
        if header["message_count"] in (0, END_OF_SESSION_COUNT):
            made.append(packet)
        while messages:
            size = random.randint(1, most)
            part, messages = messages[:size], messages[size:]
            payload = b"".join(len(m).to_bytes(2, "big") + m for m in part)
            made.append(
                encode(
                    MOLDUDP64,
                    "header",
                    {
                        "session": header["session"],
                        "sequence_number": number,
                        "message_count": len(part),
                        "payload": payload,
                    },
                )
            )
            number += len(part)
    return made


class Wire:
    """One order-entry connection in memory, and every byte that the client sent on it."""

    def __init__(self, world: World, exchange: Exchange) -> None:
        self.world = world
        self.exchange = exchange
        self.sent = bytearray()
        self.server: MemoryStream | None = None
        self.connections = 0

    def connect(self) -> Stream:
        """What the gateway calls for its stream."""
        client, self.server = MemoryStream.pair(1 << 20)
        self.connections += 1
        self.exchange.on_client_connected(self.connections, self.world.now)
        return client

    def pump(self) -> None:
        """Client bytes to the exchange, its answers back."""
        if self.server is None:
            return
        if data := self.server.read(1 << 20):
            self.sent += data
            self.exchange.on_client_bytes(self.connections, data, self.world.now)
        for identity, data, is_closed in self.exchange.take_client_output(self.world.now):
            if identity == self.connections:
                self.server.write(data)
                if is_closed:
                    self.server.close()

    def cut(self) -> None:
        """The connection breaks."""
        assert self.server is not None
        self.server.close()
        self.exchange.on_client_closed(self.connections, self.world.now)

    def orders(self) -> list[tuple[str, dict[str, Value]]]:
        """Enter, replace and cancel messages that were sent, decoded: name, fields and tags."""
        found, rest = [], bytes(self.sent)
        while rest:
            size = 2 + int.from_bytes(rest[:2], "big")
            packet, rest = rest[:size], rest[size:]
            if packet[2:3] == b"U":
                name, fields = decode(OUCH50, packet[3:], "inbound")
                fields["tags"] = decode_tags(OUCH50, bytes(fields.get("payload", b"")))
                if name != "account_query_request":
                    found.append((name, fields))
        return found


class World:
    """One engine with its trading half; ``exchanges`` are its venues, the first is its feed.

    ``cut`` (a seed) cuts the feed's messages into other datagrams, differently on lines A and B.
    """

    def __init__(
        self,
        *exchanges: Exchange,
        strategies: Sequence[FastStrategy] = (),
        limits: dict[str, int] | None = None,
        cut: int | None = None,
        restart: str = "strict",
        **feed_options: Any,
    ) -> None:
        self.now = START
        self.exchanges = exchanges
        self.book = OrderBook(symbols=64, orders=1 << 15)
        self.engine = Engine(self.book)
        self.wires = [Wire(self, exchange) for exchange in exchanges]
        logins = [VenueLogin(wire.connect, "trader", "secret") for wire in self.wires]
        self.trading = Trading(self.engine, logins, Recorder())
        self.feed = FeedHandler(self.engine, restart=restart, start=1, **feed_options)
        self.trading.connect(self.feed)
        self.trading.set_limits(None, Limits(**(LIMITS | (limits or {}))))
        for number, strategy in enumerate(strategies):
            self.engine.add_strategy(strategy, number)
        self.random = None if cut is None else Random(cut)
        self.is_feed_cut = False
        for exchange in exchanges:
            exchange.start(self.now)
        self.engine.start(self.now)

    def publish(self, packets: Sequence[bytes]) -> None:
        """Packets of the feed, on both lines."""
        lines = [packets, packets]
        if self.random is not None:
            lines = [recut(packets, self.random, 9), recut(packets, self.random, 3)]
        places = sorted(
            (place / len(line), number, packet)
            for number, line in enumerate(lines)
            for place, packet in enumerate(line)
        )
        for _, number, packet in places:
            self.engine.datagram(number, packet, self.now)

    def step(
        self, nanoseconds: int = MILLISECOND, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        """Let time go on by one step, and let everything happen that follows.

        ``meanwhile`` happens at the exchange before the orders of this step arrive there.
        """
        self.now += nanoseconds
        for exchange in self.exchanges:
            exchange.on_timer(self.now)
        packets = self.exchanges[0].take_packets()
        if not self.is_feed_cut:
            self.publish(packets)
        meanwhile()
        self.settle()
        self.engine.timer(self.now)
        self.settle()

    def settle(self) -> None:
        """Orders to the exchanges and answers back, at the present time."""
        for wire, channel in zip(self.wires, self.trading.channels, strict=True):
            channel.step(self.now)
            wire.pump()
            channel.step(self.now)

    def run(self, seconds: float) -> World:
        """Run for some time in steps of a millisecond."""
        for _ in range(int(seconds * 1000)):
            self.step()
        return self

    def until_up(self) -> World:
        """Run until every session is up and every symbol has traded, a second at the most."""
        for _ in range(1000):
            self.step()
            tops = [self.book.top(symbol) for symbol in self.book.symbols()]
            if self.trading.are_up() and tops and all(top["last_price"] for top in tops):
                return self
        raise AssertionError("no session, or no trade in every symbol, within a second")

    @property
    def sent(self) -> bytes:
        """Everything that left on the first wire."""
        return bytes(self.wires[0].sent)

    def stop(self) -> World:
        """Stop trading and let the cancels be confirmed."""
        self.engine.stop(self.now)
        for _ in range(5):
            self.settle()
        return self
