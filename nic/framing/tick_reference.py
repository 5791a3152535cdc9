# SPDX-License-Identifier: Apache-2.0
"""What a trigger and the table of prices see of a message, and the readable specification of it.

The roles of fields stand here once, by name, for every feed; ``hw.tick`` is made from the same
tables. Sources: Nasdaq TotalView-ITCH 5.0 sections 1.1 to 1.5; IEX DEEP 1.0, Message Formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nic.framing.feed_format import FeedFormat
from nic.offload.enumerations import PHASE_OF_EVENT
from nic.offload.limits import PRICE_BITS
from nic.wire.reference import Value, decode

PRICE_FIELDS = ("price", "execution_price", "cross_price")
SHARES_FIELDS = ("shares", "executed_shares", "cancelled_shares", "size")
SIDE_FIELDS = ("buy_sell_indicator",)
SHARES_BITS = 32
"""Shares beyond are as many as this holds."""

SIDE_OF_MESSAGE = {"price_level_update_buy": "B", "price_level_update_sell": "S"}
"""Messages whose type says the side."""

TRADES = {
    "trade": ("price", "shares"),
    "order_executed_with_price": ("execution_price", "executed_shares"),
    "cross_trade": ("cross_price", "shares"),
    "trade_report": ("price", "size"),
}
"""Messages that carry the price of a trade, and the fields with its price and its shares.

What is executed at an order's display price says no price: that needs the book.
"""

PRINTABLE_FIELD, PRINTABLE = "printable", "Y"
"""A trade that has the field is one only with this letter."""

STATES = {
    "stock_trading_action": ("trading_state", "trading_state"),
    "trading_status": ("trading_state", "trading_status"),
    "reg_sho_restriction": ("short_sale_state", "reg_sho_action"),
}
"""Messages that change a letter of the symbol: which of the table of prices, by which field."""

HALTS = {"operational_halt": ("operational_halt_action", "market_code")}
"""Messages of an operational halt, by market: the fields of action and market."""

RESUMED = "T"
MARKETS = "QBX"
"""Markets told apart in an operational halt; the others count as one more."""

PHASE_FIELDS = ("event_code", "system_event")
"""Fields with a code of ``PHASE_OF_EVENT``; they concern no symbol."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A message as triggers and prices see it; a price or shares of 0 are not there.

    ``side`` is a letter's code, 0 without one. ``trade`` is the price of a trade (``None``: the
    message is none; 0: one whose price can't be used). ``states`` are changes of letters by name,
    ``halt`` a change of (market number, halted).
    """

    message_type: int
    price: int = 0
    shares: int = 0
    side: int = 0
    trade: int | None = None
    states: dict[str, int] = field(default_factory=dict)
    halt: tuple[int, bool] | None = None
    phase: int | None = None


def usable(price: int) -> int:
    """A price that fits the gate's, else 0."""
    return price if 0 < price < 1 << PRICE_BITS else 0


def first(fields: dict[str, Value], names: tuple[str, ...]) -> Value | None:
    """The first of the named fields that is there."""
    return next((fields[name] for name in names if name in fields), None)


def letter(value: Value | None) -> int:
    """The code of a letter; 0 for none."""
    return value[0] if isinstance(value, bytes) else 0


def tick_of(feed: FeedFormat, message: bytes) -> Tick:
    """What a whole message says; one of an unknown type says nothing but that.

    Raises ``WireError`` for a known type with another length than its own.
    """
    code = message[feed.messages.type_offset]
    if code not in feed.lengths_bytes:
        return Tick(code)
    name, fields = decode(feed.messages, message)
    price, shares = first(fields, PRICE_FIELDS), first(fields, SHARES_FIELDS)
    side = SIDE_OF_MESSAGE.get(name)
    trade = None
    if name in TRADES and fields.get(PRINTABLE_FIELD, PRINTABLE.encode()) == PRINTABLE.encode():
        price_field, shares_field = TRADES[name]
        if fields[shares_field] != 0:
            traded = fields[price_field]
            assert isinstance(traded, int)
            trade = usable(traded)
    halt = None
    if name in HALTS:
        action, market = (fields[key] for key in HALTS[name])
        number = MARKETS.find(chr(letter(market)))
        halt = (number if number >= 0 else len(MARKETS), chr(letter(action)) != RESUMED)
    event = letter(first(fields, PHASE_FIELDS))
    return Tick(
        message_type=feed.messages[name].code or 0,
        price=usable(price) if isinstance(price, int) else 0,
        shares=min(shares, (1 << SHARES_BITS) - 1) if isinstance(shares, int) else 0,
        side=ord(side) if side else letter(first(fields, SIDE_FIELDS)),
        trade=trade,
        states={STATES[name][0]: letter(fields[STATES[name][1]])} if name in STATES else {},
        halt=halt,
        phase=PHASE_OF_EVENT.get(chr(event)),
    )
