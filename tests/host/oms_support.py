# SPDX-License-Identifier: Apache-2.0
"""A gate, an order management and a paper venue, ready to trade; used by the tests of both."""

from __future__ import annotations

from dataclasses import replace

from host.oms.oms import OrderManager
from host.oms.paper_channel import PaperChannel
from host.risk.gate import RiskGate
from host.risk.seal import Seal
from nic.offload.enumerations import ALL_CHECKS, checks
from nic.offload.limits import widest_limits

KEY = 0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3211
BUY, SELL = ord("B"), ord("S")
NEW, REPLACE, CANCEL = 0, 1, 2
DOWN, UP, REPLAYING, ENDED = 0, 1, 2, 3
LIVE, DEAD = ord("L"), ord("D")
QUERY = ord("Q")
NOW = 10**12

LIMITS = replace(
    widest_limits(ALL_CHECKS & ~checks("price_band", "short_sale_mark")),
    maximum_quantity_shares=100_000,
    maximum_notional=10**14,
    collar_best_basis_points=10_000,
    collar_best_price_units=0,
    collar_last_basis_points=10_000,
    collar_last_price_units=0,
    reference_age_limit_ns=10**11,
    maximum_long_position_shares=10**9,
    maximum_short_position_shares=10**9,
    maximum_gross_notional=1 << 61,
    message_rate_per_second=1_000_000,
    message_burst=60_000,
    duplicate_window_ns=0,
)

TOP = {
    "bid_price": 99_000,
    "ask_price": 101_000,
    "last_price": 100_000,
    "updated_ns": NOW,
    "trading_state": ord("T"),
}


class Desk:
    """One symbol-rich desk: requests in, paper orders out, reports back in."""

    def __init__(
        self, symbols: int = 2, open_orders: int = 64, capacity: int = 256, venues: int = 1
    ):
        self.gate = RiskGate(symbols, open_orders, Seal(KEY))
        self.oms = OrderManager(self.gate, capacity=capacity, executions=1_000)
        self.channels = [PaperChannel() for _ in range(venues)]
        for venue, channel in enumerate(self.channels):
            self.oms.set_channel(venue, channel)
            self.oms.reports.session(venue, UP)
        self.gate.set_limits(None, LIMITS, 1)
        for i in range(symbols):
            symbol = int.from_bytes(f"SYM{i}".ljust(8).encode(), "little")
            self.gate.set_top(i, {**TOP, "symbol": symbol})

    def submit(self, action: int, t_ns: int = NOW, **fields: int) -> int:
        """Submit a request; its number, or 0."""
        return self.gate.submit_order(action=action, t_ns=t_ns, **fields)

    def new(self, side: int = BUY, quantity: int = 100, price: int = 100_000, **fields: int) -> int:
        """A new order that must pass; its number."""
        number = self.submit(NEW, side=side, quantity=quantity, price=price, **fields)
        assert number, self.gate.last_reason_name
        return number

    def replace(self, number: int, quantity: int, price: int = 100_000) -> int:
        """A replace that must pass; its number."""
        found = self.submit(REPLACE, user_ref_num=number, quantity=quantity, price=price)
        assert found, self.gate.last_reason_name
        return found

    def cancel(self, number: int, quantity: int = 0) -> int:
        """A cancel that must pass."""
        found = self.submit(CANCEL, user_ref_num=number, quantity=quantity)
        assert found == number, self.gate.last_reason_name
        return found

    def report(self, kind: str, number: int, **values: int) -> None:
        """The exchange says something about an order."""
        self.oms.reports.report(kind, NOW, user_ref_num=number, **values)

    def accept(
        self, number: int, quantity: int = 100, price: int = 100_000, state: int = LIVE
    ) -> None:
        """The exchange accepts an order."""
        self.report("accepted", number, quantity=quantity, price=price, order_state=state)

    def execute(self, number: int, quantity: int, price: int = 100_000, match: int = 1) -> None:
        """The exchange executes shares."""
        self.report("executed", number, quantity=quantity, price=price, match_number=match)

    def replaced(
        self, old: int, new: int, leaves: int, price: int = 100_000, state: int = LIVE
    ) -> None:
        """The exchange replaces an order."""
        self.report(
            "replaced",
            new,
            original_user_ref_num=old,
            quantity=leaves,
            price=price,
            order_state=state,
        )

    def live(self, side: int = BUY, quantity: int = 100, price: int = 100_000) -> int:
        """A new order that the exchange accepted."""
        number = self.new(side, quantity, price)
        self.accept(number, quantity, price)
        return number

    def state(self, number: int) -> str:
        """State of an order by name."""
        return self.oms.order(number)["state"]

    def reserved(self, symbol: int = 0) -> tuple[int, int]:
        """Shares that the gate reserves for open buys and sells."""
        found = self.gate.exposures.symbol(symbol)
        return found["open_buy_shares"], found["open_sell_shares"]

    def check(self) -> None:
        """What must hold at all times: the gate reserves at least what is open, nothing else."""
        orders = self.oms.open_orders()
        assert self.oms.counters()["illegal_internal"] == 0
        assert len(orders) == self.oms.open_order_count == self.gate.exposures.open_orders
        sides: dict[tuple[int, str], int] = {}
        for order in orders:
            key = (order["symbol_index"], order["side"])
            sides[key] = sides.get(key, 0) + order["leaves_quantity"]
        pending = any(order["state"] == "replace_pending" or order["replaces"] for order in orders)
        for symbol in range(self.gate.exposures.symbol_capacity):
            found = self.gate.exposures.symbol(symbol)
            position = self.oms.positions().get(symbol, {"position": 0})["position"]
            assert found["position"] == position
            for letter, name in (("B", "open_buy_shares"), ("S", "open_sell_shares")):
                shares = sides.get((symbol, letter), 0)
                assert found[name] >= shares
                assert found[name] == shares or pending
