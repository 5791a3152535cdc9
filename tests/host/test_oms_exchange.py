# SPDX-License-Identifier: Apache-2.0
"""A random exchange with delays and cuts: whatever it does legally, both sides end up agreeing."""

import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from oms_support import (
    BUY,
    CANCEL,
    DEAD,
    DOWN,
    LIVE,
    NEW,
    NOW,
    QUERY,
    REPLACE,
    REPLAYING,
    SELL,
    UP,
    Desk,
)

from host.oms.enumerations import EVENT, ORDER_STATE
from host.oms.transitions import OPEN, TRANSITIONS, mask, open_mask


@dataclass
class Resting:
    """An order as the exchange holds it."""

    number: int
    symbol_index: int
    side: int
    price: int
    leaves: int
    executed: int = 0


@dataclass
class ModelExchange:
    """Answers requests as OUCH 5.0 says; what it says waits in ``outbound`` until delivered."""

    random: random.Random
    next_number: int = 1
    match_number: int = 0
    live: dict[int, Resting] = field(default_factory=dict)
    executions: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    outbound: deque[tuple[str, dict[str, int]]] = field(default_factory=deque)

    def say(self, kind, number, **values):
        self.outbound.append((kind, {"user_ref_num": number, **values}))

    def take(self, request):
        if request["action"] == CANCEL:
            self.cancel(request["names"], request["quantity"])
        elif request["user_ref_num"] < self.next_number:
            return
        elif request["action"] == NEW:
            self.enter(request)
        else:
            self.replace(request)

    def enter(self, request):
        number, quantity, price = request["user_ref_num"], request["quantity"], request["price"]
        self.next_number = number + 1
        chance = self.random.random()
        if chance < 0.1:
            self.say("rejected", number, reason=1)
            return
        state = DEAD if chance < 0.15 else LIVE
        self.say("accepted", number, quantity=quantity, price=price, order_state=state)
        if state == LIVE:
            self.live[number] = Resting(
                number, request["symbol_index"], request["side"], price, quantity
            )

    def replace(self, request):
        old, number = request["names"], request["user_ref_num"]
        order = self.live.get(old)
        if order is None:
            return
        chance = self.random.random()
        if chance < 0.1 or request["quantity"] <= order.executed:
            self.say("canceled", old, quantity=order.leaves, reason=ord("Z"))
            del self.live[old]
            return
        self.next_number = number + 1
        if chance < 0.2:
            self.say("rejected", number, reason=0x15)
            return
        del self.live[old]
        leaves = request["quantity"] - order.executed
        state = DEAD if chance < 0.25 else LIVE
        self.say(
            "replaced",
            number,
            original_user_ref_num=old,
            quantity=leaves,
            price=request["price"],
            order_state=state,
        )
        if state == LIVE:
            order.number, order.price, order.leaves = number, request["price"], leaves
            self.live[number] = order

    def cancel(self, number, size):
        order = self.live.get(number)
        if order is None or size >= order.leaves + order.executed:
            return
        if self.random.random() < 0.1:
            self.say("cancel_reject", number)
            return
        removed = order.leaves - max(size - order.executed, 0)
        self.say("canceled", number, quantity=removed, reason=ord("U"))
        order.leaves -= removed
        if order.leaves == 0:
            del self.live[number]

    def happen(self):
        """Something without a request: a fill, shares taken off, a broken trade."""
        chance = self.random.random()
        if chance < 0.05 and self.executions:
            execution = self.executions.pop(self.random.randrange(len(self.executions)))
            self.say("broken", execution[0], match_number=execution[1], reason=ord("E"))
        elif self.live:
            order = self.random.choice(list(self.live.values()))
            shares = self.random.choice((order.leaves, self.random.randrange(order.leaves) + 1))
            order.leaves -= shares
            if chance < 0.15:
                self.say("canceled", order.number, quantity=shares, reason=ord("Q"))
            else:
                order.executed += shares
                self.match_number += 1
                self.executions.append(
                    (order.number, self.match_number, order.symbol_index, order.side, shares)
                )
                self.say(
                    "executed",
                    order.number,
                    quantity=shares,
                    price=order.price,
                    match_number=self.match_number,
                )
            if order.leaves == 0:
                del self.live[order.number]


class World:
    """A desk and an exchange with a wire between them that can be cut."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.desk = Desk(open_orders=64, capacity=4096)
        self.exchange = ModelExchange(self.random)
        self.inbound = deque()
        self.seen = 0
        self.is_up = True

    def collect(self):
        channel = self.desk.channels[0]
        fresh = channel.count - self.seen
        self.inbound.extend(channel.sent()[-fresh:] if fresh else ())
        self.seen = channel.count

    def submit(self):
        r = self.random
        open_numbers = [order["user_ref_num"] for order in self.desk.oms.open_orders()]
        action = r.choices((NEW, REPLACE, CANCEL), (50, 30, 20))[0] if open_numbers else NEW
        side = r.choice((BUY, SELL))
        price = r.randrange(900, 950) * 100 if side == BUY else r.randrange(1_050, 1_100) * 100
        fields = {"side": side, "price": price, "quantity": r.randrange(1, 10) * 100}
        if action != NEW:
            number = r.choice(open_numbers)
            fields["user_ref_num"] = number
            if action == CANCEL:
                fields["quantity"] = r.choice((0, 0, fields["quantity"]))
            elif self.desk.oms.order(number)["side"] != chr(side):
                fields["price"] = self.desk.oms.order(number)["price"]
        self.desk.submit(action, symbol_index=r.randrange(2), **fields)
        self.collect()

    def deliver(self):
        kind, values = self.exchange.outbound.popleft()
        self.desk.oms.reports.report(kind, NOW, **values)

    def cut(self):
        """The session breaks: part of what was sent never arrives; then it is up again."""
        self.desk.oms.reports.session(0, DOWN, NOW)
        for _ in range(self.random.randrange(len(self.inbound) + 1)):
            self.exchange.take(self.inbound.popleft())
        self.inbound.clear()
        for _ in range(self.random.randrange(3)):
            self.exchange.happen()
        self.desk.oms.reports.session(0, REPLAYING, NOW)
        while self.exchange.outbound:
            self.deliver()
        self.desk.oms.reports.report(
            "other", NOW, user_ref_num=self.exchange.next_number, reason=QUERY
        )
        self.desk.oms.reports.session(0, UP, NOW)

    def step(self):
        kind = self.random.choices(
            ("submit", "arrive", "happen", "deliver", "cut"), (30, 30, 15, 50, 0.5)
        )[0]
        if kind == "submit":
            self.submit()
        elif kind == "arrive" and self.inbound:
            self.exchange.take(self.inbound.popleft())
        elif kind == "happen":
            self.exchange.happen()
        elif kind == "deliver" and self.exchange.outbound:
            self.deliver()
        elif kind == "cut":
            self.cut()

    def settle(self):
        """Everything arrives, everything is delivered."""
        while self.inbound or self.exchange.outbound:
            while self.inbound:
                self.exchange.take(self.inbound.popleft())
            while self.exchange.outbound:
                self.deliver()

    def compare(self, message):
        desk, exchange = self.desk, self.exchange
        counters = desk.oms.counters()
        assert {k: v for k, v in counters.items() if k.startswith("illegal") and v} == {}, message
        assert counters["unknown_order"] == counters["still_unknown"] == 0, message
        ours = {o["user_ref_num"]: o["leaves_quantity"] for o in desk.oms.open_orders()}
        assert ours == {n: order.leaves for n, order in exchange.live.items()}, message
        for symbol in range(2):
            signed = sum(
                shares if side == BUY else -shares
                for _, _, index, side, shares in exchange.executions
                if index == symbol
            )
            position = desk.oms.positions().get(symbol, {"position": 0})["position"]
            assert position == signed, message
        buys = sum(o.leaves for o in exchange.live.values() if o.side == BUY and not o.symbol_index)
        assert desk.reserved(0)[0] == buys, message


@pytest.mark.parametrize("seed", range(12))
def test_both_sides_agree(seed):
    world = World(seed)
    for step in range(1_500):
        world.step()
        if step % 25 == 0:
            world.desk.check()
        if step % 250 == 249:
            world.settle()
            world.desk.check()
            world.compare(f"{seed=} {step=}")
    counters = world.desk.oms.counters()
    assert min(counters[k] for k in ("replaced", "canceled", "executed", "broken")) > 0


@pytest.mark.parametrize("seed", range(4))
def test_noise_never_breaks_the_books(seed):
    """Random messages, mostly nonsense: counted, and every sum still holds."""
    r = random.Random(seed)
    world = World(seed)
    kinds = [entry.name for entry in EVENT.entries[:12]]
    for step in range(1_500):
        world.step()
        if r.random() < 0.3:
            world.desk.oms.reports.report(
                r.choice(kinds),
                NOW,
                user_ref_num=r.randrange(world.desk.oms.next_user_ref_num + 2),
                original_user_ref_num=r.randrange(world.desk.oms.next_user_ref_num + 2),
                quantity=r.choice((0, 100, 300, 2**32 - 1)),
                price=r.choice((0, -1, 100_000, 2**62)),
                match_number=r.randrange(1, 50),
                order_state=r.choice((0, LIVE, DEAD)),
                venue=r.choice((0, 0, 1, 65_535)),
            )
        if step % 50 == 0:
            world.desk.check()
    world.desk.check()


def test_the_table_names_what_exists():
    states = set(ORDER_STATE.names)
    assert set(TRANSITIONS) == {entry.name for entry in EVENT.entries} - {"other"}
    for event, rows in TRANSITIONS.items():
        for state, following in rows.items():
            assert {state, *following} <= states, event
            assert mask(state, event) == sum(1 << ORDER_STATE.value(name) for name in following)
    assert open_mask() == sum(1 << ORDER_STATE.value(name) for name in OPEN)


def test_nothing_comes_back_from_the_dead():
    dead = set(ORDER_STATE.names) - set(OPEN)
    for event, rows in TRANSITIONS.items():
        for state, following in rows.items():
            if state in dead:
                assert set(following) <= dead, event
