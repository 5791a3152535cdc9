# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed: each target's modules, built with the sanitizers, and the function to call.

A target's function makes one random case from its generator and feeds it; to refuse is right, to
crash or to read out of bounds is not. A new target is a function and a line in ``TARGETS``.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import fuzz_corpus as corpus

from nic.wire.protocols import PROTOCOLS
from nic.wire.reference import WireError


@dataclass(frozen=True)
class Target:
    """One thing to fuzz: its name, its modules and what feeds it one case."""

    name: str
    modules: tuple[str, ...]
    feed: Callable[[Random], None]
    cost: int = 1
    """How many times as long as others its cases take; it gets as many fewer of them."""


def tight(data: bytes) -> bytearray:
    """The bytes in memory of their own, whose ends the sanitizer watches."""
    return bytearray(data)


def decode_message(rng: Random) -> None:
    from nic.wire import compiled

    protocol = rng.choice(list(PROTOCOLS.values()))
    message = rng.choice(protocol.messages)
    data = tight(corpus.spoil(rng, corpus.message_bytes(rng, protocol, message)))
    for direction in protocol.directions:
        with contextlib.suppress(WireError):
            name, values = compiled.decode(protocol.name, data, direction)
            assert compiled.encode(protocol.name, name, values) == data
    with contextlib.suppress(WireError):
        values = compiled.decode_as(protocol.name, message.name, data)
        if message.has_appendage:
            compiled.decode_tags(protocol.name, tight(values["payload"]))
    compiled.find_tag(data, rng.randrange(32))


def decode_session(rng: Random) -> None:
    from nic.wire import session_file

    data = tight(corpus.spoil(rng, corpus.session(rng)))
    session_file.count_messages(data)
    with contextlib.suppress(WireError):
        session_file.decode_all_fields(data)
    with contextlib.suppress(WireError):
        session_file.decode_record(tight(corpus.spoil(rng, corpus.any_message(rng, "itch50"))))


def parse_frame(rng: Random) -> None:
    from nic import frame

    payload = corpus.any_message(rng, "itch50", "ouch50")
    data = corpus.spoil(rng, corpus.frame(rng, payload, rng.choice(("udp", "tcp"))))
    frame.parse_udp(tight(data))
    frame.parse_tcp(tight(data))


def parse_lines(rng: Random) -> None:
    """Both lines' parsers and the arbiter; the parser's result is the reference's."""
    from nic.framing.arbiter import LineArbiter
    from nic.framing.feed_format import IEX, NASDAQ
    from nic.framing.parser import LineParser
    from nic.framing.reference import LineSettings, ReferenceParser

    feed, kind = rng.choice(((NASDAQ, "moldudp64"), (IEX, "iextp")))
    settings = LineSettings(feed, 0, 0)
    parser, reference, arbiter = LineParser(settings), ReferenceParser(settings), LineArbiter()
    for _ in range(20):
        packet = getattr(corpus, kind)(rng, rng.choice((0, 1, 7, 900, 2**63 - 1)))
        data = corpus.spoil(rng, corpus.frame(rng, packet, "udp"))
        has_error = rng.random() < 0.1
        parsed = parser.frame(tight(data), has_error)
        assert parsed == reference.frame(data, has_error)
        for message in parsed.messages:
            arbiter.message(rng.randrange(2), message.sequence_number)
    assert parser.counters == reference.counters


def feed_datagrams(rng: Random) -> None:
    from host.feed.collector import Collector, RequestCollector
    from host.feed.handler import FeedHandler

    kind = rng.choice(("moldudp64", "iextp"))
    handler = FeedHandler(Collector(), RequestCollector(), transport=kind)
    t_ns = 0
    for _ in range(30):
        t_ns += rng.choice((1, 1000, 10**6, 10**9))
        number = handler.next_sequence_number + rng.choice((0, 0, 0, 0, -3, 1, 5, 900))
        number = min(max(0, number), 2**63 - 1)
        packet = getattr(corpus, kind)(rng, number)
        handler.datagram(rng.randrange(2), corpus.spoil(rng, packet), t_ns)
        if rng.random() < 0.1:
            handler.timer(t_ns)
    handler.finish(t_ns)


def apply_to_books(rng: Random) -> None:
    from host.book.order_book import OrderBook
    from host.book.price_level_book import PriceLevelBook

    if rng.random() < 0.5:
        book, name = OrderBook(symbols=64, orders=64, levels=32), "itch50"
    else:
        book, name = PriceLevelBook(symbols=16, levels=32), "deep10"
    for _ in range(100):
        data = corpus.book_message(rng, name)
        book.apply_message(tight(corpus.spoil(rng, data) if rng.random() < 0.3 else data))
    for symbol in book.symbols():
        for side in "BS":
            prices = [price for price, _, _ in book.levels(symbol, side, 100)]
            assert prices == sorted(set(prices), reverse=side == "B")


def hear_the_exchange(rng: Random) -> None:
    """The gateway's session and its decoder, at the other end of a stream of spoiled packets."""
    from host.gateway.memory_stream import MemoryStream
    from host.gateway.ouch import OuchChannel
    from host.gateway.report_callback import ReportCallback
    from host.gateway.soupbintcp import SoupBinTCPClient
    from host.interfaces import Recorder
    from host.risk.seal import Seal
    from nic.port import PortError

    def nothing(*_: object) -> None:
        """Reports are not looked at."""

    ends: list[MemoryStream] = []

    def connect() -> MemoryStream:
        client, server = MemoryStream.pair(1 << 16)
        ends.append(server)
        return client

    session = SoupBinTCPClient(connect, "fuzz", "fuzz")
    channel = OuchChannel(session, Seal(7), Recorder(), ReportCallback(nothing, nothing))
    t_ns = 1
    for _ in range(30):
        t_ns += rng.choice((1, 10**6, 10**9))
        channel.step(t_ns)
        if ends:
            data = corpus.soup_to_client(rng)
            with contextlib.suppress(PortError):  # the client has closed its end
                ends[-1].write(corpus.spoil(rng, data) if rng.random() < 0.3 else data)
    channel.step(t_ns)


def hear_the_client(rng: Random) -> None:
    """The exchange's acceptor and order entry, with spoiled packets of a client."""
    from sim.exchange.config import parse_config
    from sim.exchange.exchange import Exchange

    line = {"group": "239.0.0.1", "port": 1}
    exchange = Exchange(
        parse_config(
            {
                "symbols": ["AAPL", "MSFT"],
                "resting_orders": 1024,
                "feed": {"a": line, "history_bytes": 1 << 16, "history_messages": 1 << 10},
                "flow": {"messages_per_second": 0},
            }
        )
    )
    exchange.start(1)
    for turn in range(20):
        exchange.on_client_connected(turn, 2)
        exchange.on_client_bytes(turn, corpus.login(rng), 2)
        for _ in range(5):
            data = corpus.soup_to_server(rng)
            data = corpus.spoil(rng, data) if rng.random() < 0.3 else data
            exchange.on_client_bytes(turn, tight(data), 3)
        exchange.take_client_output(3)
        exchange.on_client_closed(turn, 3)
        exchange.on_request(corpus.spoil(rng, corpus.moldudp64(rng, rng.randrange(50)))[:20])


TARGETS = (
    Target("decode_message", ("nic.wire.compiled",), decode_message),
    Target("decode_session", ("nic.wire.session_file",), decode_session),
    Target("parse_frame", ("nic.frame",), parse_frame),
    Target("parse_lines", ("nic.framing.parser", "nic.framing.arbiter"), parse_lines, 20),
    Target("feed_datagrams", ("host.feed.handler", "host.feed.reorder"), feed_datagrams, 30),
    Target(
        "apply_to_books", ("host.book.order_book", "host.book.price_level_book"), apply_to_books, 40
    ),
    Target(
        "hear_the_exchange",
        ("host.gateway.soupbintcp", "host.gateway.reports"),
        hear_the_exchange,
        30,
    ),
    Target(
        "hear_the_client",
        ("sim.exchange.acceptor", "sim.exchange.order_entry"),
        hear_the_client,
        60,
    ),
)
