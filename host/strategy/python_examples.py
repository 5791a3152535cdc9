# SPDX-License-Identifier: Apache-2.0
"""The two example strategies in plain Python: the same decisions as their compiled twins.

They show the interface to somebody who wants to try an idea, and a test holds them against the
compiled ones: the same feed must give the same orders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from host.strategy.python_strategy import Strategy, TopOfBook

Side = Literal["B", "S"]
BUY: Side = "B"
SELL: Side = "S"


@dataclass(slots=True)
class Quote:
    """One side of a quote: the newest order of its chain and what is awaited."""

    handle: int = 0
    quantity: int = 0
    price: int = 0
    replaced: int = 0
    replaced_price: int = 0
    sent_ns: int = 0
    is_pending: bool = False


@dataclass(slots=True)
class QuoteState:
    """Both quotes and the position of one symbol."""

    bid: Quote = field(default_factory=Quote)
    ask: Quote = field(default_factory=Quote)
    position: int = 0


class MarketMaker(Strategy):
    """One bid and one offer per symbol; see :mod:`host.strategy.market_maker`."""

    def __init__(
        self,
        quantity_shares: int = 100,
        tick: int = 100,
        maximum_position_shares: int = 1000,
        minimum_interval_ns: int = 1_000_000,
    ) -> None:
        if min(quantity_shares, tick, maximum_position_shares) <= 0:
            raise ValueError("quantity_shares, tick and maximum_position_shares must be positive")
        self.quantity = quantity_shares
        self.tick = tick
        self.maximum_position = maximum_position_shares
        self.minimum_interval_ns = minimum_interval_ns
        self.states: dict[int, QuoteState] = {}
        self.counts = {"quotes": 0, "moves": 0, "fills": 0}

    def on_book(self, top: TopOfBook) -> None:
        """Bring both quotes to where they are wanted."""
        state = self.states.setdefault(top.index, QuoteState())
        bid, ask = top.bid_price, top.ask_price
        if top.book_state != 0:
            self._quote(state.bid, BUY, top.index, 0, False)
            self._quote(state.ask, SELL, top.index, 0, False)
            return
        if bid <= 0 or ask <= bid:
            return
        if ask - bid > 2 * self.tick:
            if state.bid.handle == 0 or state.bid.price != bid:
                bid += self.tick
            if state.ask.handle == 0 or state.ask.price != ask:
                ask -= self.tick
        if state.position > 0:
            bid -= self.tick * self._lean(state.position)
        elif state.position < 0:
            ask += self.tick * self._lean(-state.position)
        self._quote(state.bid, BUY, top.index, bid, state.position < self.maximum_position)
        self._quote(state.ask, SELL, top.index, ask, -state.position < self.maximum_position)

    def _lean(self, held: int) -> int:
        return (2 * held >= self.maximum_position) + (held >= self.maximum_position)

    def _quote(self, quote: Quote, side: Side, index: int, price: int, wanted: bool) -> None:
        now = self.orders.t_ns
        if quote.is_pending or now - quote.sent_ns < self.minimum_interval_ns:
            return
        if quote.handle == 0:
            if wanted and price > 0:
                quote.sent_ns = now
                send = self.orders.buy if side == BUY else self.orders.sell
                handle = send(index, self.quantity, price, post_only=True)
                if handle:
                    quote.handle, quote.price, quote.quantity = handle, price, self.quantity
                    quote.is_pending = True
                    self.counts["quotes"] += 1
        elif not wanted:
            quote.sent_ns = now
            if self.orders.cancel(quote.handle, index):
                quote.is_pending = True
        elif price != quote.price and price > 0:
            quote.sent_ns = now
            handle = self.orders.replace(
                quote.handle, side, index, quote.quantity, price, post_only=True
            )
            if handle:
                quote.replaced, quote.replaced_price = quote.handle, quote.price
                quote.handle, quote.price, quote.is_pending = handle, price, True
                self.counts["moves"] += 1

    def on_order(self, event: dict[str, Any]) -> None:
        """Keep the quotes and the position in step with the exchange."""
        state = self.states.setdefault(event["symbol_index"], QuoteState())
        quote = state.bid if event["side"] == BUY else state.ask
        if event["position"] != state.position:
            self.counts["fills"] += 1
        state.position = event["position"]
        number, kind = event["user_ref_num"], event["event"]
        if kind == "other":  # unknown until the session is back
            return
        if event["leaves_quantity"] == 0:
            if number == quote.replaced:
                quote.replaced = 0
            elif number == quote.handle:
                quote.handle = 0
                if kind in ("rejected", "refused"):  # of a replace: the order it named stands
                    quote.handle, quote.price = quote.replaced, quote.replaced_price
                quote.replaced, quote.is_pending = 0, False
        elif number == quote.handle and kind in ("accepted", "replaced"):
            quote.is_pending, quote.replaced, quote.price = False, 0, event["price"]
        elif number == quote.handle and kind == "cancel_reject":
            quote.is_pending = False

    def report(self) -> dict[str, int]:
        """Quotes entered, quotes moved and fills seen."""
        return self.counts


@dataclass(slots=True)
class TakerState:
    """The order in flight and the position of one symbol."""

    handle: int = 0
    sent_ns: int = 0
    position: int = 0


class ImbalanceTaker(Strategy):
    """Takes the thin side of a lopsided touch; see :mod:`host.strategy.imbalance_taker`."""

    def __init__(
        self,
        quantity_shares: int = 100,
        ratio: int = 4,
        maximum_position_shares: int = 1000,
        cooldown_ns: int = 10_000_000,
    ) -> None:
        if min(quantity_shares, ratio) <= 0:
            raise ValueError("quantity_shares and ratio must be positive")
        self.quantity = quantity_shares
        self.ratio = ratio
        self.maximum_position = maximum_position_shares
        self.cooldown_ns = cooldown_ns
        self.states: dict[int, TakerState] = {}
        self.counts = {"orders": 0, "fills": 0}

    def on_book(self, top: TopOfBook) -> None:
        """Take, if one side is thin and nothing is in flight."""
        state = self.states.setdefault(top.index, TakerState())
        now = self.orders.t_ns
        if state.handle or top.bid_price <= 0 or top.ask_price <= top.bid_price:
            return
        if top.book_state != 0 or (state.sent_ns and now - state.sent_ns < self.cooldown_ns):
            return
        if top.bid_shares >= self.ratio * top.ask_shares and state.position < self.maximum_position:
            send, price = self.orders.buy, top.ask_price
        elif (
            top.ask_shares >= self.ratio * top.bid_shares
            and -state.position < self.maximum_position
        ):
            send, price = self.orders.sell, top.bid_price
        else:
            return
        state.sent_ns = now
        state.handle = send(top.index, self.quantity, price, time_in_force="ioc")
        self.counts["orders"] += state.handle != 0

    def on_order(self, event: dict[str, Any]) -> None:
        """Keep the position and the order in flight in step with the exchange."""
        state = self.states.setdefault(event["symbol_index"], TakerState())
        if event["position"] != state.position:
            self.counts["fills"] += 1
        state.position = event["position"]
        if event["user_ref_num"] == state.handle and event["leaves_quantity"] == 0:
            state.handle = 0

    def report(self) -> dict[str, int]:
        """Orders sent and fills seen."""
        return self.counts
