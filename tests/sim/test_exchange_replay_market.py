# SPDX-License-Identifier: Apache-2.0
"""Client orders on a replayed book: taking, queueing, being traded through."""

import pytest
from exchange_support import login, ouch, packets, short, unsequenced

from host.book.order_book import OrderBook
from nic.wire.itch50 import ITCH50
from nic.wire.reference import encode
from sim.exchange.config import parse_config
from sim.exchange.exchange import Exchange
from sim.exchange.replay_exchange import ReplayExchange

P = 1_000_000
MILLISECOND = 1_000_000


class Replay:
    """A recorded AAPL that trades, and a client that is logged in."""

    def __init__(self, state="T", **options):
        self.book = OrderBook(symbols=16, orders=1000, levels=1000)
        self.exchange = ReplayExchange(self.book, **options)
        self.now = 1
        self.reference = 0
        if state:
            self.feed("stock_trading_action", stock=b"AAPL", trading_state=state.encode())
        else:
            self.feed("stock_directory", stock=b"AAPL", round_lot_size=100)
        self.exchange.on_client_connected("c", 0)
        self.send(None)

    def feed(self, name, **values):
        """One message of the recording."""
        self.now += 1
        self.exchange.on_message(
            encode(ITCH50, name, {"stock_locate": 1, "timestamp": self.now} | values), self.now
        )

    def add(self, side, shares=100, price=P):
        """A recorded order; its reference."""
        self.reference += 1
        self.feed(
            "add_order",
            order_reference_number=self.reference,
            buy_sell_indicator=side.encode(),
            shares=shares,
            price=price,
            stock=b"AAPL",
        )
        return self.reference

    def execute(self, reference, shares):
        """A recorded execution."""
        self.feed("order_executed", order_reference_number=reference, executed_shares=shares)

    def send(self, message):
        """Log in (None) or send a message; what is said, shortened."""
        data = login() if message is None else unsequenced(message)
        self.exchange.on_client_bytes("c", data, self.now)
        return self.heard()

    def heard(self):
        """What was said since the last look, shortened."""
        found = []
        for _, data, _ in self.exchange.take_client_output(self.now):
            found += [short(rest) for kind, rest in packets(data) if kind == "S"]
        return found

    def enter(self, number, side="B", quantity=100, price=P, tags=None, **more):
        """Enter an order; what is said."""
        return self.send(
            ouch(
                "enter_order",
                tags,
                user_ref_num=number,
                side=side.encode(),
                quantity=quantity,
                price=price,
                **more,
            )
        )

    def ahead(self):
        """Shares ahead of the only resting order."""
        ((_, _, _, reference, *_),) = self.exchange.desk.open_orders()
        return self.exchange.market.shares_ahead(reference)


def test_takes_displayed_shares_level_by_level():
    replay = Replay()
    replay.add("S", 30)
    replay.add("S", 20)
    replay.add("S", 40, P + 100)
    assert replay.enter(1, quantity=70, price=P + 100) == [
        ("accepted", 1, 70, "L"),
        ("executed", 1, 50, P, "R"),
        ("executed", 1, 20, P + 100, "R"),
    ]


def test_what_was_taken_stays_taken_until_the_level_changes():
    replay = Replay()
    first = replay.add("S", 50)
    assert replay.enter(1, quantity=30, time_in_force=b"3")[1:] == [("executed", 1, 30, P, "R")]
    assert replay.enter(2, quantity=30, time_in_force=b"3")[1:] == [
        ("executed", 2, 20, P, "R"),
        ("canceled", 2, 10, "I"),
    ]
    replay.add("B", 10, P - 500)
    assert replay.enter(3, time_in_force=b"3")[1:] == [("canceled", 3, 100, "I")]
    # the level shows another size: what stands there now is new
    replay.execute(first, 10)
    assert replay.enter(4, time_in_force=b"3")[1:] == [
        ("executed", 4, 40, P, "R"),
        ("canceled", 4, 60, "I"),
    ]


def test_the_replayed_book_itself_is_not_touched():
    replay = Replay()
    replay.add("S", 50)
    replay.enter(1)
    assert replay.book.levels("AAPL", "S") == [(P, 50, 1)]
    assert replay.book.levels("AAPL", "B") == []


def test_a_resting_order_waits_for_the_shares_ahead():
    replay = Replay()
    ahead = replay.add("B", 100)
    assert replay.enter(1, quantity=60) == [("accepted", 1, 60, "L")]
    assert replay.ahead() == 100
    behind = replay.add("B", 100)
    assert replay.ahead() == 100
    replay.execute(ahead, 70)
    assert (replay.heard(), replay.ahead()) == ([], 30)
    replay.execute(ahead, 30)
    assert (replay.heard(), replay.ahead()) == ([], 0)
    replay.execute(behind, 40)
    assert replay.heard() == [("executed", 1, 40, P, "A")]
    replay.execute(behind, 40)
    assert replay.heard() == [("executed", 1, 20, P, "A")]
    replay.execute(behind, 20)
    assert replay.heard() == []


def test_one_execution_can_use_up_the_queue_and_fill():
    replay = Replay()
    replay.add("B", 100)
    replay.enter(1)
    other = replay.add("B", 500)
    replay.execute(other, 130)
    assert replay.heard() == [("executed", 1, 30, P, "A")]


def test_cancelled_shares_ahead_move_the_order_up():
    replay = Replay()
    first = replay.add("B", 100)
    replay.enter(1)
    replay.feed("order_delete", order_reference_number=first)
    assert replay.ahead() == 0


def test_two_own_orders_share_one_execution():
    replay = Replay()
    replay.enter(1, quantity=30)
    replay.enter(2, quantity=30)
    other = replay.add("B", 500)
    replay.execute(other, 40)
    assert replay.heard() == [("executed", 1, 30, P, "A"), ("executed", 2, 10, P, "A")]


def test_a_trade_through_fills_at_the_orders_price():
    replay = Replay()
    replay.add("B", 100)
    replay.enter(1, quantity=60)
    lower = replay.add("B", 500, P - 100)
    replay.execute(lower, 40)
    assert replay.heard() == [("executed", 1, 40, P, "A")]
    # a trade on the other side is none of its business
    sell = replay.add("S", 500, P + 100)
    replay.execute(sell, 100)
    assert replay.heard() == []


def test_a_trade_without_a_side_counts_at_the_price_and_through_it():
    replay = Replay()
    replay.enter(1, quantity=60)
    replay.feed("trade", stock=b"AAPL", shares=20, price=P)
    assert replay.heard() == [("executed", 1, 20, P, "A")]
    replay.feed("trade", stock=b"AAPL", shares=10, price=P - 50)
    assert replay.heard() == [("executed", 1, 10, P, "A")]
    replay.feed("trade", stock=b"AAPL", shares=10, price=P + 100)
    assert replay.heard() == []


def test_an_order_that_comes_to_stand_against_a_resting_one_fills_it_once():
    replay = Replay()
    replay.enter(1, quantity=100)
    replay.add("S", 30, P - 100)
    assert replay.heard() == [("executed", 1, 30, P, "A")]
    replay.add("B", 10, P - 900)
    assert replay.heard() == []


def test_hidden_orders_fill_only_through_or_against():
    replay = Replay()
    replay.enter(1, quantity=60, display=b"N")
    other = replay.add("B", 500)
    replay.execute(other, 100)
    assert replay.heard() == []
    lower = replay.add("B", 500, P - 100)
    replay.execute(lower, 10)
    assert replay.heard() == [("executed", 1, 10, P, "J")]


def test_post_only_and_minimum_quantity():
    replay = Replay()
    replay.add("S", 50)
    assert replay.enter(1, tags={"post_only": b"P"})[1:] == [("canceled", 1, 100, "G")]
    assert replay.enter(2, tags={"min_qty": 51}, time_in_force=b"3")[1:] == [
        ("canceled", 2, 100, "I")
    ]
    assert replay.enter(3, tags={"min_qty": 50}, time_in_force=b"3")[1] == (
        "executed",
        3,
        50,
        P,
        "R",
    )
    # those 50 are taken: nothing is there to be taken now
    assert replay.enter(4, tags={"post_only": b"P"}) == [("accepted", 4, 100, "L")]


def test_own_orders_that_cross_trade_with_each_other():
    replay = Replay()
    replay.enter(1, "S", 40)
    replay.add("S", 30, P + 100)
    assert replay.enter(2, "B", 100, P + 100) == [
        ("accepted", 2, 100, "L"),
        ("executed", 1, 40, P, "A"),
        ("executed", 2, 40, P, "R"),
        ("executed", 2, 30, P + 100, "R"),
    ]


def test_cancel_replace_and_modify_work_as_in_front_of_the_engine():
    replay = Replay()
    first = replay.add("B", 100)
    replay.enter(1)
    replay.execute(first, 60)
    cancel = ouch("cancel_order_request", user_ref_num=1, quantity=50)
    assert replay.send(cancel) == [("canceled", 1, 50, "U")]
    assert replay.ahead() == 40
    replay.add("B", 100)
    assert replay.send(
        ouch("replace_order_request", orig_user_ref_num=1, user_ref_num=2, quantity=50)
    ) == [("replaced", 1, 2, 50, "L")]
    assert replay.ahead() == 140
    assert replay.send(ouch("cancel_order_request", user_ref_num=2)) == [("canceled", 2, 50, "U")]
    assert replay.exchange.desk.live_count == 0


@pytest.mark.parametrize(
    ("state", "options", "accepted"),
    [
        ("T", {}, True),
        ("H", {}, False),
        ("", {}, False),
        ("", {"unknown_state_trades": True}, True),
    ],
)
def test_trading_states(state, options, accepted):
    replay = Replay(state, **options)
    heard = replay.enter(1)
    assert heard == [("accepted", 1, 100, "L") if accepted else ("rejected", 1, "halted")]


def test_restart_cancels_what_rests():
    replay = Replay()
    replay.enter(1)
    replay.book.clear()
    replay.exchange.on_restart(replay.now)
    assert replay.heard() == [("canceled", 1, 100, "Z")]


def recording():
    """Half a second of the simulated exchange's own feed."""
    exchange = Exchange(
        parse_config(
            {
                "symbols": ["AAPL", "MSFT"],
                "feed": {"a": {"group": "239.1.1.1", "port": 26477}},
                "flow": {"messages_per_second": 10_000},
            }
        )
    )
    exchange.start(0)
    exchange.on_timer(500 * MILLISECOND)
    return exchange.publisher.messages(1, 1 << 30)


def replay_once(messages):
    book = OrderBook(symbols=16, orders=10_000, levels=10_000)
    exchange = ReplayExchange(book)
    exchange.on_client_connected("c", 0)
    exchange.on_client_bytes("c", login(), 0)
    answers, number = [], 0
    for count, message in enumerate(messages):
        t_ns = int.from_bytes(message[5:11], "big")
        exchange.on_message(message, t_ns)
        if count > 100 and count % 10 == 0:
            number += 1
            top = book.top("AAPL")
            side = b"B" if number % 2 else b"S"
            near = top["bid_price" if number % 2 else "ask_price"]
            far = top["ask_price" if number % 2 else "bid_price"]
            text = ouch(
                "enter_order",
                user_ref_num=number,
                side=side,
                price=far if number % 5 == 0 else near,
                time_in_force=b"3" if number % 5 == 0 else b"0",
            )
            exchange.on_client_bytes("c", unsequenced(text), t_ns)
        answers += [data for _, data, _ in exchange.take_client_output(t_ns)]
    exchange.stop(t_ns)
    answers += [data for _, data, _ in exchange.take_client_output(t_ns)]
    return exchange, b"".join(answers)


def test_replay_is_deterministic_and_conserves_shares():
    messages = recording()
    exchange, answers = replay_once(messages)
    assert replay_once(messages)[1] == answers
    heard = [short(rest) for kind, rest in packets(answers) if kind == "S"]
    total = {"accepted": 0, "executed": 0, "canceled": 0}
    for each in heard:
        if each[0] in total:
            total[each[0]] += each[2]
    assert total["accepted"] == total["executed"] + total["canceled"] > 0
    market = exchange.market.counters()
    assert market["queue_fills"] and market["taken_shares"] and market["traded_through"]
    assert exchange.desk.live_count == 0
