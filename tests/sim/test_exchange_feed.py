# SPDX-License-Identifier: Apache-2.0
"""The feed can be rebuilt into the engine's own book; the same seed makes the same bytes."""

import random

import pytest
from exchange_support import blocks, itch, login, ouch, packets, unsequenced

from host.book.order_book import OrderBook
from host.book.reference import ReferenceOrderBook
from sim.exchange.config import parse_config
from sim.exchange.exchange import Exchange
from sim.exchange.publisher import Publisher
from sim.exchange.rerequest import RerequestServer

SYMBOLS = ["AAPL", "MSFT", "NVDA", "AMZN"]
MILLISECOND = 1_000_000


def config(**changes):
    values = {
        "symbols": SYMBOLS,
        "seed": 7,
        "feed": {"a": {"group": "239.1.1.1", "port": 26477}},
        "flow": {"messages_per_second": 20_000},
        "halts": [
            {"symbol": "MSFT", "at_seconds": 0.2, "for_seconds": 0.1},
            {"symbol": "NVDA", "at_seconds": 0.25, "for_seconds": 0.1, "state": "P"},
        ],
    }
    return parse_config(values | changes)


class Client:
    """Sends random but plausible orders over a session, deterministically."""

    def __init__(self, exchange, seed):
        self.exchange = exchange
        self.random = random.Random(seed)
        self.number = 0
        self.mine = []
        exchange.on_client_connected("client", 0)
        exchange.on_client_bytes("client", login(), 0)

    def act(self, t_ns):
        pick = self.random
        kind = pick.choices("OUXMC", [45, 25, 18, 14, 1])[0]
        symbol = pick.choice(SYMBOLS)
        top = self.exchange.engine.displayed_book.top(symbol)
        price = (top["bid_price"] or 1_000_000) + 100 * pick.randint(-3, 4)
        tags = {"post_only": b"P"} if pick.random() < 0.2 else None
        shape = {
            "quantity": pick.randint(1, 900),
            "price": price,
            "time_in_force": pick.choice([b"0", b"0", b"3"]),
            "display": pick.choice([b"Y", b"Y", b"Y", b"N", b"A"]),
        }
        if kind == "O":
            self.number += 1
            side = pick.choice([b"B", b"S", b"T"])
            text = ouch(
                "enter_order",
                tags,
                user_ref_num=self.number,
                side=side,
                symbol=symbol.encode(),
                **shape,
            )
            self.mine.append(self.number)
        elif kind == "C":
            self.number += 1
            text = ouch(
                "mass_cancel_request",
                user_ref_num=self.number,
                firm=b"TICK",
                symbol=symbol.encode(),
            )
        elif not self.mine:
            return
        elif kind == "U":
            self.number += 1
            text = ouch(
                "replace_order_request",
                tags,
                orig_user_ref_num=pick.choice(self.mine[-9:]),
                user_ref_num=self.number,
                **shape,
            )
            self.mine.append(self.number)
        elif kind == "X":
            text = ouch(
                "cancel_order_request",
                user_ref_num=pick.choice(self.mine[-9:]),
                quantity=pick.choice([0, 0, 50, 300]),
            )
        else:
            text = ouch(
                "modify_order_request",
                user_ref_num=pick.choice(self.mine[-9:]),
                side=pick.choice([b"S", b"T", b"E"]),
                quantity=pick.randint(0, 500),
            )
        self.exchange.on_client_bytes("client", unsequenced(text), t_ns)


def run(changes=None, seed=3, steps=400, after=lambda exchange: None):
    """Drive an exchange and a client for ``steps`` milliseconds; feed packets and client bytes."""
    exchange = Exchange(config(**(changes or {})))
    exchange.start(0)
    client = Client(exchange, seed)
    feed, answers = [], []
    for step in range(1, steps + 1):
        t_ns = step * MILLISECOND
        exchange.on_timer(t_ns)
        client.act(t_ns + 1000)
        after(exchange)
        feed += exchange.take_packets()
        answers += [data for _, data, _ in exchange.take_client_output(t_ns + 1000)]
    exchange.stop((steps + 1) * MILLISECOND)
    after(exchange)
    feed += exchange.take_packets()
    answers += [data for _, data, _ in exchange.take_client_output((steps + 1) * MILLISECOND)]
    return exchange, feed, b"".join(answers)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_books_built_from_the_feed_equal_the_engines_book(seed):
    fast, readable = OrderBook(symbols=64, orders=10_000, levels=10_000), ReferenceOrderBook()
    taken = {"next": 1, "compared": 0}

    def compare(exchange):
        # the engine stands still between its steps, so the books are compared after each of them
        messages = exchange.publisher.messages(taken["next"], 1 << 30)
        taken["next"] += len(messages)
        for message in messages:
            fast.apply_message(message)
            readable.apply(message)
        own = exchange.engine.displayed_book
        for locate, symbol in enumerate(SYMBOLS, start=1):
            for side in "BS":
                expected = own.orders(symbol, side)
                assert fast.orders(symbol, side) == expected
                assert readable.queue(locate, side) == expected
                taken["compared"] += 1

    exchange, _, _ = run(seed=seed, after=compare)
    assert taken["compared"] == 401 * 8
    counters = fast.counters()
    assert not any(counters[name] for name in counters if name not in ("bbo_changes", "trades"))
    by_type = exchange.publisher.messages_by_type()
    assert set("SRHAFEXDUP") <= set(by_type), by_type
    orders = exchange.desk.counters()
    for name in ("accepted", "replaced", "canceled", "executions", "modified", "rejected"):
        assert orders[name], name
    assert exchange.engine.counters()["hidden_trades"]


@pytest.mark.parametrize("seed", [21, 22])
def test_books_are_equal_after_each_event(seed):
    """One flow event at a time, a client's between them: the touched symbols after each of them."""
    exchange = Exchange(config())
    exchange.start(0)
    client = Client(exchange, seed)
    fast, readable = OrderBook(symbols=64, orders=10_000, levels=10_000), ReferenceOrderBook()
    own = exchange.engine.displayed_book
    seen, most = 1, 0
    for step in range(1, 4001):
        # 20,000 messages a second: one falls due every 50 microseconds
        exchange.on_timer(step * 50_000)
        if step % 5 == 0:
            client.act(step * 50_000)
        messages = exchange.publisher.messages(seen, 1 << 30)
        seen += len(messages)
        most = max(most, len(messages) if step > 5 else 0)
        for message in messages:
            fast.apply_message(message)
            readable.apply(message)
        for locate in {int.from_bytes(m[1:3], "big") for m in messages} - {0}:
            for side in "BS":
                expected = own.orders(SYMBOLS[locate - 1], side)
                assert fast.orders(SYMBOLS[locate - 1], side) == expected, (seed, step)
                assert readable.queue(locate, side) == expected, (seed, step)
    assert seen > 4000
    assert most < 60


def test_displayed_book_is_never_crossed():
    def check(exchange):
        for symbol in SYMBOLS:
            top = exchange.engine.displayed_book.top(symbol)
            if top["bid_price"] and top["ask_price"]:
                assert top["bid_price"] < top["ask_price"]

    run(seed=11, after=check)


def test_the_same_seed_makes_the_same_bytes():
    _, feed, answers = run()
    _, again, answers_again = run()
    assert feed == again
    assert answers == answers_again
    assert run({"seed": 8})[1] != feed
    assert run(seed=4)[1] != feed


def test_the_pace_of_calls_changes_no_message():
    def feed(step):
        exchange = Exchange(config())
        exchange.start(0)
        for t_ns in range(step, 300 * MILLISECOND + 1, step):
            exchange.on_timer(t_ns)
        return exchange.publisher.messages(1, 1 << 30)

    assert feed(MILLISECOND) == feed(100 * MILLISECOND)


def test_shares_are_conserved():
    exchange, _, _ = run(seed=5)
    counters = exchange.engine.counters()
    assert counters["entered_shares"] == (
        exchange.engine.resting_shares()
        + 2 * counters["traded_shares"]
        + counters["canceled_shares"]
    )
    assert counters["no_room"] == 0


def test_feed_executions_and_owner_executions_agree():
    """Shares in E and P, by match number, equal those told to owners; each match twice at most."""
    exchange, _, answers = run(seed=6)
    fed = {}
    for message in exchange.publisher.messages(1, 1 << 30):
        letter, fields = itch(message)
        if letter in "EP":
            assert fields["match_number"] not in fed
            fed[fields["match_number"]] = fields["executed_shares" if letter == "E" else "shares"]
    told = [body for kind, body in packets(answers) if kind == "S" and body[:1] == b"E"]
    assert len(told) == exchange.desk.counters()["executions"] > 0
    for body in told:
        assert int.from_bytes(body[13:17], "big") == fed[int.from_bytes(body[26:34], "big")]
    assert sum(fed.values()) == exchange.engine.counters()["traded_shares"]


def test_packets_carry_every_message_once_and_fit():
    exchange, feed, _ = run(steps=100)
    expected = 1
    for packet in feed:
        session, number, count, messages = blocks(packet)
        assert session == b"TICKWIRE01"
        assert len(packet) <= 1400
        assert number == expected
        if count != 0xFFFF:
            assert count == len(messages)
            expected += count
    assert expected == exchange.publisher.next_sequence_number
    assert blocks(feed[-1])[2] == 0xFFFF


def test_start_and_end_of_the_day():
    exchange, _, _ = run(steps=5)
    messages = [itch(m) for m in exchange.publisher.messages(1, 1 << 30)]
    head = "".join(letter for letter, _ in messages[:11])
    assert head == "SRRRRHHHHSS"
    events = [fields["event_code"] for letter, fields in messages if letter == "S"]
    assert events == [b"O", b"S", b"Q", b"M", b"E", b"C"]
    assert messages[0][1]["timestamp"] == (9 * 3600 + 30 * 60) * 1_000_000_000
    assert messages[-1][1]["event_code"] == b"C"


def test_heartbeats_and_end_of_session_packets():
    publisher = Publisher("QUIET")
    publisher.publish(b"S" + bytes(11), 0)
    publisher.timer(0)
    publisher.take_packets()
    second = 1_000_000_000
    for t_ns in range(0, 3 * second + 1, second // 4):
        publisher.timer(t_ns)
    beats = [blocks(p) for p in publisher.take_packets()]
    assert beats == [(b"QUIET     ", 2, 0, [])] * 3
    publisher.end(4 * second)
    publisher.timer(5 * second)
    ends = [blocks(p)[:3] for p in publisher.take_packets()]
    assert ends == [(b"QUIET     ", 2, 0xFFFF)] * 2
    assert publisher.counters()["heartbeats"] == 3


def request(number, count, session=b"TICKWIRE01"):
    return session + number.to_bytes(8, "big") + count.to_bytes(2, "big")


def test_rerequest_serves_everything_from_the_first_message():
    exchange, feed, _ = run(steps=50)
    sent = [m for p in feed for m in blocks(p)[3]]
    got = []
    while len(got) < len(sent):
        session, number, count, messages = blocks(exchange.on_request(request(len(got) + 1, 60)))
        assert (session, number, count) == (b"TICKWIRE01", len(got) + 1, len(messages))
        assert messages
        got += messages
    assert got == sent


def test_bad_requests_are_counted_and_get_no_answer():
    publisher = Publisher("TICKWIRE01", 1 << 16, 1 << 10)
    for number in range(3000):
        publisher.publish(b"S" + number.to_bytes(11, "big"), 0)
    server = RerequestServer(publisher)
    for bad in (
        b"",
        request(1, 1)[:-1],
        request(1, 1) + b"x",
        request(2999, 1, b"TICKWIRE02"),
        request(2999, 0),
        request(2999, 0xFFFF),
        request(0, 1),
        request(3001, 1),
        request(1, 1),
    ):
        assert server.answer(bad) is None
    counters = server.counters()
    assert counters["requests"] == 9
    assert counters["bad_length"] == 3
    assert counters["bad_session"] == counters["dropped_from_history"] == 1
    assert counters["bad_count"] == counters["bad_sequence_number"] == 2
    assert counters["answered"] == 0
    _, number, count, messages = blocks(server.answer(request(2999, 9)))
    assert (number, count) == (2999, 2)
    assert messages == publisher.messages(2999, 2)
    assert server.counters()["short_answers"] == 1


def test_history_is_bounded_and_right_when_it_wraps():
    publisher = Publisher("WRAP", 1 << 16, 1 << 12)
    pick = random.Random(9)
    sent = [bytes([65 + pick.randrange(20)]) * pick.randint(1, 64) for _ in range(20_000)]
    for message in sent:
        publisher.publish(message, 0)
        publisher.take_packets()
    first = publisher.first_sequence_number
    assert 1000 < 20_001 - first < 1 << 12
    assert publisher.messages(1, 1 << 30) == sent[first - 1 :]
    assert publisher.counters()["history_dropped"] == first - 1
