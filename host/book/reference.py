# SPDX-License-Identifier: Apache-2.0
"""The readable reference books: slow, obvious, and what the fast ones are compared with.

They take the same messages and say the same: what changed, tops, levels, queues and counters. They
know no limits but those that the wire formats set, and the size of the table of stock locates.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from nic.offload.enumerations import MARKET_PHASE, PHASE_OF_EVENT
from nic.wire import reference as codec
from nic.wire.deep10 import DEEP10, EVENT_PROCESSING_COMPLETE
from nic.wire.itch50 import ITCH50
from nic.wire.reference import Value, WireError

BBO, TRADE, STATE, DEPTH = 1, 2, 4, 8
"""Bits of what a message changed, as in host/model.pxd."""

EXTENDED_HOURS, ODD_LOT = 0x40, 0x20
HIGHEST_LEVEL = (1 << 40) - 1
ORDER_MESSAGES = ("order_delete", "order_replace", "order_executed", "order_cancel")


@dataclass
class ReferenceTop:
    """The top of one symbol's book; the fields of ``Top`` that the book sets."""

    bid_price: int = 0
    bid_shares: int = 0
    ask_price: int = 0
    ask_shares: int = 0
    last_price: int = 0
    last_shares: int = 0
    timestamp: int = 0
    round_lot_size: int = 0
    trading_state: str = ""
    operational_halt: bool = False
    short_sale_state: str = ""
    book_state: str = "clean"


@dataclass
class ReferenceOrder:
    """One open order."""

    index: int
    side: str
    price: int
    shares: int


@dataclass
class ReferenceBook:
    """What both books have: tops by symbol index, symbols, counters, the last trade."""

    tops: dict[int, ReferenceTop] = field(default_factory=dict)
    symbols: dict[int, bytes] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)
    last_trade: tuple[int, int, str] = (0, 0, "")
    state: str = "clean"
    phase: str = "unknown"

    def top(self, index: int) -> ReferenceTop:
        """The top of a symbol index, made on first use."""
        return self.tops.setdefault(index, ReferenceTop(book_state=self.state))

    def gap(self) -> None:
        """Every book is gapped, also those not yet seen."""
        self.state = "gapped"
        for top in self.tops.values():
            top.book_state = "gapped"
        self.counters["gaps"] += 1

    def system_event(self, code: Value) -> int:
        """The market enters another phase; an unknown event leaves it in an unknown one."""
        self.phase = MARKET_PHASE.name_of(PHASE_OF_EVENT.get(letters(code), 0))
        return 0

    def clear(self) -> None:
        """All books empty and clean, all states unknown; symbols and round lots are kept."""
        self.state = "clean"
        self.phase = "unknown"
        self.tops = {
            index: ReferenceTop(round_lot_size=top.round_lot_size)
            for index, top in self.tops.items()
        }
        self.counters["resets"] += 1

    def levels(self, index: int, side: str) -> list[tuple[int, int, int]]:
        """All levels of a side, best first: price, shares, orders."""
        raise NotImplementedError

    def publish(self, index: int) -> int:
        """Write the best levels into the top; BBO when they were others."""
        top = self.top(index)
        bid = (self.levels(index, "B") or [(0, 0, 0)])[0]
        ask = (self.levels(index, "S") or [(0, 0, 0)])[0]
        new = (bid[0], bid[1], ask[0], ask[1])
        if new == (top.bid_price, top.bid_shares, top.ask_price, top.ask_shares):
            return 0
        top.bid_price, top.bid_shares, top.ask_price, top.ask_shares = new
        self.counters["bbo_changes"] += 1
        return BBO

    def set_state(self, index: int, name: str, value: int | str | bool) -> int:
        """Set a field of the top; STATE when it had another value."""
        if getattr(self.top(index), name) == value:
            return 0
        setattr(self.top(index), name, value)
        return STATE


def number(value: Value) -> int:
    """A decoded field that is a number."""
    assert isinstance(value, int)
    return value


def letters(value: Value) -> str:
    """A decoded field that is text."""
    assert isinstance(value, bytes)
    return value.decode("latin-1")


@dataclass
class ReferenceOrderBook(ReferenceBook):
    """Order-level books from ITCH 5.0; a dictionary keeps the order of insertion: priority."""

    locates: int = 65536
    orders: dict[int, ReferenceOrder] = field(default_factory=dict)
    halted: dict[int, set[str]] = field(default_factory=dict)

    def queue(self, index: int, side: str) -> list[tuple[int, int, int]]:
        """Every order of a side in priority: reference, price, shares."""
        found = [
            (reference, order.price, order.shares)
            for reference, order in self.orders.items()
            if (order.index, order.side) == (index, side)
        ]
        return sorted(found, key=lambda entry: -entry[1] if side == "B" else entry[1])

    def levels(self, index: int, side: str) -> list[tuple[int, int, int]]:
        """All levels of a side, best first: price, shares, orders."""
        levels: dict[int, list[int]] = {}
        for _, price, shares in self.queue(index, side):
            levels.setdefault(price, []).append(shares)
        return [(price, sum(shares), len(shares)) for price, shares in levels.items()]

    def apply(self, message: bytes) -> int:
        """Apply one message; what it changed."""
        try:
            name, values = codec.decode(ITCH50, message)
        except WireError as error:
            self.counters["wrong_length" if error.reason == "length" else error.reason] += 1
            return 0
        locate = number(values["stock_locate"])
        if locate < self.locates:
            self.top(locate).timestamp = number(values["timestamp"])
        if name == "system_event":
            return self.system_event(values["event_code"])
        if name.startswith(ORDER_MESSAGES):
            return self.on_order(name, values, locate)
        handler = getattr(self, f"on_{name}", None)
        if handler is None:
            return 0
        if not 0 < locate < self.locates:
            self.counters["locate_out_of_range"] += 1
            return 0
        changed: int = handler(values, locate)
        return changed

    def on_order(self, name: str, values: dict[str, Value], locate: int) -> int:
        """Delete, replace, execute or cancel an open order."""
        key = "original_order_reference_number"
        reference = number(values[key if name == "order_replace" else "order_reference_number"])
        order = self.orders.get(reference)
        if order is None:
            self.counters["unknown_order"] += 1
            return 0
        if order.index != locate:
            self.counters["locate_mismatch"] += 1
        if name == "order_delete":
            del self.orders[reference]
            return DEPTH | self.publish(order.index)
        if name == "order_replace":
            del self.orders[reference]
            self.insert(
                number(values["new_order_reference_number"]),
                ReferenceOrder(
                    order.index, order.side, number(values["price"]), number(values["shares"])
                ),
            )
            return DEPTH | self.publish(order.index)
        key = "cancelled_shares" if name == "order_cancel" else "executed_shares"
        shares = number(values[key])
        if shares == 0:
            self.counters["zero_shares"] += 1
            return 0
        executed = min(shares, order.shares)
        self.counters["reduced_too_much"] += shares > order.shares
        order.shares -= executed
        if order.shares == 0:
            del self.orders[reference]
        changed = DEPTH | self.publish(order.index)
        if name == "order_executed":
            changed |= self.trade(order.index, order.price, executed, order.side)
        elif name == "order_executed_with_price" and values["printable"] == b"Y":
            price = number(values["execution_price"])
            if price:
                changed |= self.trade(order.index, price, executed, order.side)
        return changed

    def insert(self, reference: int, order: ReferenceOrder) -> int:
        """Put an order at the end of its queue, unless it can't be one."""
        if order.shares == 0:
            self.counters["zero_shares"] += 1
        elif order.price == 0:
            self.counters["bad_price"] += 1
        elif reference in self.orders:
            self.counters["duplicate_reference"] += 1
        else:
            self.orders[reference] = order
            return DEPTH
        return 0

    def know(self, locate: int, stock: Value) -> int:
        """A message names a symbol: remember the first, count any other."""
        assert isinstance(stock, bytes)
        known = self.symbols.get(locate)
        if known is None and stock != bytes(8):
            self.symbols[locate] = stock
            return STATE
        self.counters["symbol_mismatch"] += known is not None and known != stock
        return 0

    def on_add_order(self, values: dict[str, Value], locate: int) -> int:
        """Add an order."""
        changed = self.know(locate, values["stock"])
        side = letters(values["buy_sell_indicator"])
        if side not in "BS":
            self.counters["bad_side"] += 1
            return changed
        reference = number(values["order_reference_number"])
        order = ReferenceOrder(locate, side, number(values["price"]), number(values["shares"]))
        changed |= self.insert(reference, order)
        return changed | self.publish(locate)

    on_add_order_with_mpid = on_add_order

    def trade(self, index: int, price: int, shares: int, side: str) -> int:
        """Remember a trade."""
        self.last_trade = (price, shares, side)
        self.top(index).last_price = price
        self.top(index).last_shares = shares
        self.counters["trades"] += 1
        return TRADE

    def on_trade(self, values: dict[str, Value], locate: int) -> int:
        """An execution of an order that was not displayed."""
        if values["shares"] == 0:
            self.counters["zero_shares"] += 1
            return 0
        return self.trade(locate, number(values["price"]), number(values["shares"]), "")

    def on_cross_trade(self, values: dict[str, Value], locate: int) -> int:
        """A cross; one without shares is no trade, and more than 63 bits of them are none."""
        shares = number(values["shares"])
        if not 0 < shares < 1 << 63:
            return 0
        return self.trade(locate, number(values["cross_price"]), shares, "")

    def on_stock_directory(self, values: dict[str, Value], locate: int) -> int:
        """The directory is the authority on symbols."""
        stock = values["stock"]
        assert isinstance(stock, bytes)
        changed = self.set_state(locate, "round_lot_size", number(values["round_lot_size"]))
        if stock != bytes(8) and self.symbols.get(locate) != stock:
            self.symbols[locate] = stock
            changed = STATE
        return changed

    def on_stock_trading_action(self, values: dict[str, Value], locate: int) -> int:
        """Trading state."""
        state = letters(values["trading_state"]).replace("\0", "")
        return self.know(locate, values["stock"]) | self.set_state(locate, "trading_state", state)

    def on_reg_sho_restriction(self, values: dict[str, Value], locate: int) -> int:
        """Short sale price test."""
        state = letters(values["reg_sho_action"]).replace("\0", "")
        return self.know(locate, values["stock"]) | self.set_state(
            locate, "short_sale_state", state
        )

    def on_operational_halt(self, values: dict[str, Value], locate: int) -> int:
        """Halted while any market says so; only 'T' ends it, and unknown markets count as one."""
        markets = self.halted.setdefault(locate, set())
        market = letters(values["market_code"])
        market = market if market in "QBX" else "?"
        if values["operational_halt_action"] == b"T":
            markets.discard(market)
        else:
            markets.add(market)
        changed = self.know(locate, values["stock"])
        return changed | self.set_state(locate, "operational_halt", bool(markets))

    def clear(self) -> None:
        """All books empty and clean, all states unknown; symbols and round lots are kept."""
        super().clear()
        self.orders.clear()
        self.halted.clear()


@dataclass
class ReferencePriceLevelBook(ReferenceBook):
    """Price-level books from DEEP 1.0."""

    sides: dict[tuple[int, str], dict[int, int]] = field(default_factory=dict)
    pending: dict[int, int] = field(default_factory=dict)
    indices: dict[bytes, int] = field(default_factory=dict)

    def levels(self, index: int, side: str) -> list[tuple[int, int, int]]:
        """All levels of a side, best first: price, shares, 0 (how many orders is unknown)."""
        levels = self.sides.get((index, side), {})
        return [(price, levels[price], 0) for price in sorted(levels, reverse=side == "B")]

    def apply(self, message: bytes) -> int:
        """Apply one message; what it changed."""
        try:
            name, values = codec.decode(DEEP10, message)
        except WireError as error:
            self.counters["wrong_length" if error.reason == "length" else error.reason] += 1
            return 0
        if name == "system_event":
            return self.system_event(values["system_event"])
        symbol = values["symbol"]
        assert isinstance(symbol, bytes)
        if symbol == bytes(8):
            self.counters["symbol_pool_full"] += 1
            return 0
        changed = 0
        index = self.indices.setdefault(symbol, len(self.indices))
        if index not in self.symbols:
            self.symbols[index] = symbol
            changed = STATE
        self.top(index).timestamp = number(values["timestamp"]) % (1 << 64)
        handler = getattr(self, f"on_{name.removesuffix('_buy').removesuffix('_sell')}", None)
        if handler is not None:
            changed |= handler(index, values, "S" if name.endswith("_sell") else "B")
        return changed

    def on_price_level_update(self, index: int, values: dict[str, Value], side: str) -> int:
        """Set a level at once; publish only when the event is complete and no gap lies before."""
        timestamp = number(values["timestamp"])
        self.counters["orphan_transition"] += self.pending.get(index, timestamp) != timestamp
        changed = self.set_level(index, side, number(values["price"]), number(values["size"]))
        if number(values["event_flags"]) & EVENT_PROCESSING_COMPLETE:
            self.pending.pop(index, None)
            if self.top(index).book_state == "clean":
                changed |= self.publish(index)
        else:
            self.pending[index] = timestamp
        return changed

    def set_level(self, index: int, side: str, price: int, shares: int) -> int:
        """Set the shares of a level; 0 deletes it."""
        levels = self.sides.setdefault((index, side), {})
        if not 0 < price < HIGHEST_LEVEL:
            self.counters["bad_price"] += 1
            return 0
        if shares:
            levels[price] = shares
        elif price in levels:
            del levels[price]
        else:
            self.counters["absent_level"] += 1
            return 0
        return DEPTH

    def on_trade_report(self, index: int, values: dict[str, Value], side: str) -> int:
        """A trade; regular and not an odd lot, it sets the last price."""
        price, shares = number(values["price"]), number(values["size"])
        self.last_trade = (price, shares, "")
        self.counters["trades"] += 1
        if not number(values["sale_condition_flags"]) & (EXTENDED_HOURS | ODD_LOT):
            self.top(index).last_price = price
            self.top(index).last_shares = shares
        return TRADE

    def on_trading_status(self, index: int, values: dict[str, Value], side: str) -> int:
        """Trading state."""
        state = letters(values["trading_status"]).replace("\0", "")
        return self.set_state(index, "trading_state", state)

    def on_operational_halt_status(self, index: int, values: dict[str, Value], side: str) -> int:
        """Halted unless the message says 'N'."""
        halted = values["operational_halt_status"] != b"N"
        return self.set_state(index, "operational_halt", halted)

    def on_short_sale_price_test_status(
        self, index: int, values: dict[str, Value], side: str
    ) -> int:
        """Short sale price test, in the letters of ITCH."""
        return self.set_state(index, "short_sale_state", "1" if values["status"] else "0")

    def on_security_directory(self, index: int, values: dict[str, Value], side: str) -> int:
        """Round lot."""
        return self.set_state(index, "round_lot_size", number(values["round_lot_size"]))

    def gap(self) -> None:
        """Every book is gapped; what was pending is not known any more."""
        super().gap()
        self.pending.clear()

    def clear(self) -> None:
        """All books empty and clean, all states unknown; symbols and round lots are kept."""
        super().clear()
        self.sides.clear()
        self.pending.clear()
