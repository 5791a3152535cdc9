# SPDX-License-Identifier: Apache-2.0
"""The ledger against the reference: rows, sums, orders and numbers after every operation."""

import os
import random

import pytest

from host.risk.reference_exposure import ReferenceExposures
from host.risk.reference_request import BUY, CANCEL, NEW, REPLACE, SELLS, Request
from hw.exposure import Exposure
from hw.ledger_ports import KINDS
from sim.gateware import harness

SEED = int(os.environ.get("TICKWIRE_SEED", "5"))
ORDER_BITS, SYMBOL_BITS, STRATEGY_BITS, VENUE_BITS = 4, 3, 2, 2
SYMBOLS = 4
NEW_CYCLES, REPLACE_CYCLES, CANCEL_CYCLES, TELL_CYCLES = 14, 18, 8, 41


class Pair:
    """The model and the reference, told the same."""

    def __init__(self, model, seed: int) -> None:
        self.model = model
        self.random = random.Random(seed)
        self.seed = seed
        self.reference = ReferenceExposures(1 << SYMBOL_BITS, 1 << ORDER_BITS)
        self.next_number = 1
        self.daily = {"daily_shares": 0, "daily_notional": 0, "messages": 0}
        self.ratio = 0
        self.longest: dict[str, int] = {}
        self.searches = 0
        model.reset()
        model.hold(ratio=0)
        model.run(cycles=(1 << max(ORDER_BITS, SYMBOL_BITS)) + 2, when=None)
        assert model.step()["init_done"]

    def where(self) -> str:
        return f"seed {self.seed}"

    # ------------------------------------------------------------------ operations

    def give(self, name: str, **values: object) -> int:
        """Offer something until it is taken; the cycles until idle, the one of taking included."""
        for _ in range(200):
            if self.model.step(**{f"{name}_valid": 1, **values})[f"{name}_ready"]:
                break
        else:
            raise AssertionError(f"{name} is not taken, {self.where()}")
        cycles = 1
        while not (now := self.model.step())["is_idle"] and now["is_settled"]:
            cycles += 1
            assert cycles < 100, self.where()
        return cycles

    def settle(self) -> None:
        for _ in range(3 * (1 << ORDER_BITS) + 40):
            now = self.model.step()
            if now["is_idle"] and now["is_settled"] and now["ratio_is_settled"]:
                return
        raise AssertionError(f"does not settle, {self.where()}")

    def expected_number(self) -> int:
        number = self.next_number
        while self.reference.is_taken(number):
            number += 1
        return number

    def open(self, request: Request) -> None:
        """A request passes."""
        order = self.reference.orders.get(request.user_ref_num)
        leaves = request.quantity - (order.executed if order else 0)
        notional = leaves * request.price
        shares_added, notional_added = leaves, notional
        if order and request.action == REPLACE:
            shares_added = max(leaves - order.leaves, 0)
            notional_added = max(notional - order.leaves * order.price, 0)
        fields = {
            "action": request.action,
            "side": request.side,
            "symbol_index": request.symbol_index,
            "strategy": request.strategy_id,
            "venue": request.venue,
            "quantity": request.quantity,
            "price": request.price,
            "user_ref_num": request.user_ref_num,
        }
        number = request.user_ref_num
        if request.action != CANCEL:
            number = self.expected_number()
            now = self.model.step()
            for _ in range(4 << ORDER_BITS):  # the search for a free place
                now = now if now["number_is_ready"] else self.model.step()
            assert (now["number"], now["number_is_ready"]) == (number, 1), self.where()
            self.next_number = number + 1
            self.daily["daily_shares"] += shares_added
            self.daily["daily_notional"] += notional_added
        self.daily["messages"] += 1
        opened = {"request": fields}
        if request.action != CANCEL:
            opened |= {"notional": notional, "shares_added": shares_added,
                       "notional_added": notional_added}  # fmt: skip
        cycles = self.give("opened", opened=opened)
        names = {NEW: "new", REPLACE: "replace", CANCEL: "cancel"}
        self.note(names[request.action], cycles)
        assert self.reference.on_opened(request, number)

    def tell(self, name: str, *numbers: int) -> None:
        """Something happened."""
        names = {
            "fill": ("user_ref_num", "symbol_index", "side", "quantity", "price"),
            "terms": ("user_ref_num", "quantity", "price"),
            "canceled": ("user_ref_num", "quantity"),
            "replaced": ("user_ref_num", "quantity", "price"),
            "broken": ("symbol_index", "side", "quantity", "price"),
            "mark": ("symbol_index", "price"),
            "release_strategy": ("strategy_id",),
            "start_day": (),
        }.get(name, ("user_ref_num",))
        self.note("tell", self.give(
            "tell", tell={"kind": KINDS[name], **dict(zip(names, numbers, strict=True))}
        ))  # fmt: skip
        if name == "release_strategy":
            self.reference.on_strategy_released(*numbers)
        elif name == "start_day":
            self.reference.on_day_started()
            self.daily = dict.fromkeys(self.daily, 0)
        else:
            self.reference.tell(name, *numbers)

    def note(self, name: str, cycles: int) -> None:
        self.longest[name] = max(self.longest.get(name, 0), cycles)

    # ------------------------------------------------------------------ random steps

    def request(self) -> Request | None:
        r = self.random
        open_orders = self.reference.orders
        action = r.choices((NEW, REPLACE, CANCEL), (60, 25, 15))[0]
        quantity, price = r.choice((1, 100, 200, 500, 999_999)), r.randrange(980, 1_020) * 10
        if r.random() < 0.02:
            price = r.choice((1, (1 << 31) - 1))
        if action == NEW:
            if len(open_orders) >= 1 << ORDER_BITS:
                return None
            side = r.choice((BUY, *SELLS))
            return Request(
                NEW, side, quantity, price, r.randrange(SYMBOLS),
                strategy_id=r.randrange(1 << STRATEGY_BITS), venue=r.randrange(1 << VENUE_BITS),
            )  # fmt: skip
        if not open_orders:
            return None
        number = r.choice(list(open_orders))
        order = open_orders[number]
        request = Request(
            action, order.side, quantity, price, order.symbol_index,
            strategy_id=order.strategy_id, venue=order.venue, user_ref_num=number,
        )  # fmt: skip
        if action == CANCEL:
            request.quantity = r.choice((0, 0, 100))
            return request
        is_busy = order.pending or order.replaces or order.cancel_in_flight
        is_full = len(open_orders) >= 1 << ORDER_BITS
        return None if is_busy or is_full or quantity <= order.executed else request

    def report(self) -> None:
        r = self.random
        known = list(self.reference.orders.items())
        price = r.randrange(9_800, 10_200)
        index, side = r.randrange(SYMBOLS), r.choice((BUY, *SELLS))
        told: list[tuple] = [
            ("mark", index, price),
            ("broken", index, side, r.randrange(1, 1_000), price),
            ("release_strategy", r.randrange(1 << STRATEGY_BITS)),
            ("fill", 4_000_000_000, index, side, r.randrange(1, 1_000_000), price),
        ]
        if r.random() < 0.02:
            told.append(("start_day",))
        if known:
            number, order = r.choice(known)
            if r.random() < 0.03:
                number = r.choice((number + (1 << ORDER_BITS), 0))
            quantity = r.randrange(1, max(order.leaves, 1) + 1)
            at = order.price or 10_000
            if order.replaces:
                usual: list[tuple] = [
                    ("replaced", number, r.choice((0, 100, 300)), price),
                    ("replace_ended", number),
                    ("closed", number),
                    ("cancel_ended", number),
                    ("terms", number, 100, price),
                ]
            else:
                usual = [
                    ("fill", number, order.symbol_index, order.side, quantity, at),
                    ("fill", number, order.symbol_index, order.side, order.leaves, at),
                    ("fill", number, order.symbol_index, order.side, order.leaves + 5, at),
                    ("canceled", number, quantity),
                    ("closed", number),
                    ("closed", number),
                    ("terms", number, r.randrange(1, 500), price),
                    ("cancel_ended", number),
                    ("replaced", number, 5, price),
                    ("replace_ended", number),
                ]
                if r.random() < 0.05:
                    usual.append(("fill", number, index, side, quantity, at))
            told = told[:1] + usual if r.random() < 0.9 else told
        chosen = r.choice(told)
        if chosen[0] == "fill" and chosen[4] >= 1 << 20:
            return
        self.tell(*chosen)

    def step(self) -> None:
        r = self.random
        if r.random() < 0.01:
            self.ratio = r.choice((0, 1, 7, 65_535))
            self.model.hold(ratio=self.ratio)
            self.settle()
        if r.random() < 0.55:
            request = self.request()
            if request:
                self.open(request)
        else:
            self.report()
        if not self.model.step()["is_settled"]:
            self.searches += 1
            if r.random() < 0.6:  # requests may pass while a best price is looked for
                request = self.request()
                if request and (request.action == CANCEL or self.model.step()["number_is_ready"]):
                    self.open(request)
        self.settle()
        self.compare()

    # ------------------------------------------------------------------ comparison

    def row(self, symbol_index: int) -> dict:
        self.model.step(prefetch=symbol_index)
        self.model.step()
        return self.model.fields(self.model.step(), "row")

    def compare(self) -> None:
        reference = self.reference
        now = self.model.step()
        totals = self.model.fields(now, "totals")
        by_ratio = totals.pop("executions_by_ratio")
        assert by_ratio == self.ratio * reference.executions, self.where()
        assert totals == {**reference.totals(), **self.daily}, self.where()
        index = self.random.randrange(SYMBOLS)
        row, expected = self.row(index), reference.symbol(index)
        found = {name: row[name] for name in ("position", "mark_price", "position_notional")}
        for side in ("buy", "sell"):
            found |= {
                f"open_{side}_shares": row[side]["open_shares"],
                f"open_{side}_notional": row[side]["open_notional"],
                f"open_{side}_orders": row[side]["orders"],
                f"best_own_{side}": row[side]["best_price"],
            }
        assert found == expected, self.where()
        strategy = self.random.randrange(1 << STRATEGY_BITS)
        self.model.step(strategy=strategy)
        executions = self.model.step()["strategy_executions"]
        assert executions == reference.strategy_executions.get(strategy, 0), self.where()
        number = self.random.choice((*reference.orders, 77))
        self.look_up(number)

    def look_up(self, number: int) -> None:
        assert self.model.step(look_up_valid=1, look_up_number=number)["look_up_ready"]
        while not (now := self.model.step())["look_up_done"]:
            pass
        order = self.reference.orders.get(number)
        assert now["order_found"] == (order is not None), self.where()
        if order:
            row = self.model.fields(now, "order")
            for name in ("symbol_index", "side", "venue", "price", "leaves", "executed",
                         "pending", "replaces", "cancel_in_flight", "is_acknowledged"):  # fmt: skip
                assert row[name] == getattr(order, name), (name, self.where())
            assert row["strategy"] == order.strategy_id
            assert row["notional"] == order.leaves * order.price


@pytest.fixture(scope="module")
def model():
    """A small ledger; its memories start with garbage."""
    made = harness.model(
        Exposure(ORDER_BITS, SYMBOL_BITS, STRATEGY_BITS, VENUE_BITS), "exposure", seed=SEED
    )
    made.run(cycles=500, when=None)
    return made


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_same_as_reference(model, seed: int) -> None:
    print(f"seed {seed}")
    pair = Pair(model, seed)
    for _ in range(1_500):
        pair.step()
    print(pair.longest, pair.searches, len(pair.reference.orders))
    assert pair.searches > 30
    assert pair.longest["new"] <= NEW_CYCLES
    assert pair.longest["replace"] <= REPLACE_CYCLES
    assert pair.longest["cancel"] <= CANCEL_CYCLES
    assert pair.longest["tell"] <= TELL_CYCLES


def test_full_table_and_numbers(model) -> None:
    """Every place is taken; a place that comes free is the next number's, wherever it is."""
    pair = Pair(model, SEED)
    for _ in range(1 << ORDER_BITS):
        pair.open(Request(NEW, BUY, 100, 10_000))
    model.run(cycles=60, when=None)
    assert not model.step()["number_is_ready"]
    assert model.fields(model.step(), "totals")["open_orders"] == 1 << ORDER_BITS
    for number in (9, 3, 15):
        pair.tell("closed", number)
        pair.settle()
        model.run(cycles=60, when=None)
        now = model.step()
        assert (now["number_is_ready"], now["number"]) == (1, pair.expected_number())
    for _ in range(3):
        pair.open(Request(NEW, BUY, 100, 10_000))
        model.run(cycles=60, when=None)
    pair.compare()


def test_hold_keeps_tells_out(model) -> None:
    pair = Pair(model, SEED)
    tell = {"kind": KINDS["mark"], "symbol_index": 1, "price": 5}
    for _ in range(20):
        assert not model.step(hold=1, tell_valid=1, tell=tell)["tell_ready"]
    assert model.step(tell_valid=1, tell=tell)["tell_ready"]
    pair.settle()
    assert pair.row(1)["mark_price"] == 5


def test_row_and_sums_change_together(model) -> None:
    """What is asked for after ``written`` shows the new row; the sums are new in that cycle."""
    pair = Pair(model, SEED)
    pair.tell("broken", 2, SELLS[0], 10, 0)
    pair.settle()
    for price in (100, 101, 250):
        tell = {"kind": KINDS["mark"], "symbol_index": 2, "price": price}
        assert model.step(tell_valid=1, tell=tell)["tell_ready"]
        shown = []
        for _ in range(TELL_CYCLES + 4):
            now = model.step(prefetch=2)
            shown.append(
                (
                    now["written"],
                    model.fields(now, "row")["mark_price"],
                    model.fields(now, "totals")["gross_notional"],
                )
            )
        written_at = next(i for i, (written, *_) in enumerate(shown) if written)
        assert shown[written_at][2] != 10 * price == shown[written_at + 1][2]
        assert shown[written_at + 2][1] != price == shown[written_at + 3][1]
        pair.settle()
