# SPDX-License-Identifier: Apache-2.0
"""What triggers and prices see of an event, a cycle later; the tables of ``tick_reference``."""

from collections.abc import Iterable

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.event import event_layout, field_value, message_type
from hw.request import LETTER_BITS, SYMBOL_BITS
from nic.framing.feed_format import FeedFormat
from nic.framing.tick_reference import (
    HALTS,
    MARKETS,
    PHASE_FIELDS,
    PRICE_FIELDS,
    PRINTABLE,
    PRINTABLE_FIELD,
    RESUMED,
    SHARES_BITS,
    SHARES_FIELDS,
    SIDE_FIELDS,
    SIDE_OF_MESSAGE,
    STATES,
    TRADES,
)
from nic.offload.enumerations import MARKET_PHASE, PHASE_OF_EVENT
from nic.offload.limits import PRICE_BITS
from nic.wire.table import Field, Message

MARKET_COUNT = len(MARKETS) + 1
PHASE_BITS = (MARKET_PHASE.count - 1).bit_length()


def tick_layout(symbol_bits: int) -> data.StructLayout:
    """An event of a wanted instrument; a price of 0 is not there."""
    return data.StructLayout(
        {
            "symbol_index": symbol_bits,
            "message_type": 8,
            "price": PRICE_BITS,
            "shares": SHARES_BITS,
            "side": LETTER_BITS,
            "is_trade": 1,
            "trade_price": PRICE_BITS,
            "has_trading_state": 1,
            "has_short_sale_state": 1,
            "letter": LETTER_BITS,  # the new state
            "halts": MARKET_COUNT,  # whose operational halt changes, one bit per market
            "is_halted": 1,
        }
    )


class Ticks(wiring.Component):
    """Fields of events by their role. ``tick`` is registered, a cycle after its event.

    ``tick.valid``: the event was of a wanted instrument. ``phase.valid``: an event, of whatever
    instrument, said that the market is in phase ``phase.payload`` (``MARKET_PHASE``).
    """

    def __init__(self, feed: FeedFormat, symbol_bits: int = SYMBOL_BITS) -> None:
        self.feed = feed
        event = event_layout(feed, symbol_bits)
        super().__init__(
            {
                "event": In(wiring.Signature({"valid": Out(1), "payload": Out(event)})),
                "tick": Out(
                    wiring.Signature({"valid": Out(1), "payload": Out(tick_layout(symbol_bits))})
                ),
                "phase": Out(wiring.Signature({"valid": Out(1), "payload": Out(PHASE_BITS)})),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Every role: which message types have it, and where."""
        m = Module()
        self._is: dict[str, Signal] = {}
        code = message_type(self.event.payload.message, self.feed.messages)
        for message in self._messages():
            self._is[message.name] = Signal(name=f"is_{message.name}")
            m.d.comb += self._is[message.name].eq(code == message.code)

        tick, event = self.tick.payload, self.event
        price, _ = self._field(PRICE_FIELDS)
        shares, _ = self._field(SHARES_FIELDS)
        letter, _ = self._chosen(
            (message, message[STATES[message.name][1]])
            for message in self._messages()
            if message.name in STATES
        )
        printable = self._value_of_any(PRINTABLE_FIELD)
        is_trade, traded = self._trade(printable)
        m.d.sync += [
            self.tick.valid.eq(event.valid & event.payload.is_wanted),
            tick.symbol_index.eq(event.payload.symbol_index),
            tick.message_type.eq(code),
            tick.price.eq(usable(price)),
            tick.shares.eq(Mux(shares[SHARES_BITS:].any(), (1 << SHARES_BITS) - 1, shares)),
            tick.side.eq(self._side()),
            tick.is_trade.eq(is_trade),
            tick.trade_price.eq(traded),
            tick.has_trading_state.eq(self._changes("trading_state")),
            tick.has_short_sale_state.eq(self._changes("short_sale_state")),
            tick.letter.eq(letter),
        ]
        self._halt(m)
        event_code, is_system = self._field(PHASE_FIELDS)
        known = [event_code == ord(letter) for letter in PHASE_OF_EVENT]
        m.d.sync += [
            self.phase.valid.eq(event.valid & is_system & Cat(*known).any()),
            self.phase.payload.eq(
                one_of((hit, Const(phase)) for hit, phase in
                       zip(known, PHASE_OF_EVENT.values(), strict=True))
            ),
        ]  # fmt: skip
        return m

    def _messages(self) -> list[Message]:
        """The feed's messages that have a type code."""
        return list(self.feed.messages.by_code().values())

    def _chosen(self, places: Iterable[tuple[Message, Field]]) -> tuple[Value, Value]:
        """The field of whichever message it is, 0 of another; and whether one has it.

        Types that have it at the same place share a way.
        """
        shared: dict[tuple[int, int], tuple[Field, list[Value]]] = {}
        for message, found in places:
            place = (found.offset, found.width)
            shared.setdefault(place, (found, []))[1].append(self._is[message.name])
        order, octets = self.feed.messages.byte_order, self.event.payload.message
        ways = [(Cat(*hits).any(), field_value(octets, f, order)) for f, hits in shared.values()]
        return one_of(ways), Cat(*(hit for hit, _ in ways)).any()

    def _field(self, names: Iterable[str]) -> tuple[Value, Value]:
        """The first of the named fields that the message has, and whether it has one."""
        wanted = tuple(names)
        found = (
            (message, next((f for name in wanted for f in message if f.name == name), None))
            for message in self._messages()
        )
        return self._chosen((message, f) for message, f in found if f is not None)

    def _value_of_any(self, name: str) -> Value:
        """Whether the message lacks the field of that name, or it is PRINTABLE there."""
        value, present = self._field((name,))
        return ~present | (value == ord(PRINTABLE))

    def _trade(self, printable: Value) -> tuple[Value, Value]:
        """Whether it is a trade, and its price if that can be used."""
        names = [m for m in self._messages() if m.name in TRADES]
        price, is_one = self._chosen((m, m[TRADES[m.name][0]]) for m in names)
        shares, _ = self._chosen((m, m[TRADES[m.name][1]]) for m in names)
        return is_one & printable & shares.any(), usable(price)

    def _side(self) -> Value:
        """The letter of the side; 0 without one."""
        side, _ = self._field(SIDE_FIELDS)
        told = [
            (self._is[name], Const(ord(letter), LETTER_BITS))
            for name, letter in SIDE_OF_MESSAGE.items()
            if name in self._is
        ]
        return side | one_of(told) if told else side

    def _changes(self, state: str) -> Value:
        """Whether the message changes the state of that name."""
        return Cat(
            *(self._is[name] for name, (which, _) in STATES.items()
              if which == state and name in self._is)
        ).any()  # fmt: skip

    def _halt(self, m: Module) -> None:
        """Which market's operational halt changes, and to what."""
        for name, (action_name, market_name) in HALTS.items():
            message = next((found for found in self._messages() if found.name == name), None)
            if message is None or not any(f.name == market_name for f in message):
                continue
            action, _ = self._chosen([(message, message[action_name])])
            market, _ = self._chosen([(message, message[market_name])])
            hits = [market == ord(letter) for letter in MARKETS]
            hits.append(~Cat(*hits).any())
            m.d.sync += [
                self.tick.payload.halts.eq(Cat(*hits) & self._is[name].replicate(MARKET_COUNT)),
                self.tick.payload.is_halted.eq(action != ord(RESUMED)),
            ]


def one_of(ways: Iterable[tuple[Value, Value]]) -> Value:
    """The value whose bit is 1, of which at most one is; 0 if none is."""
    chosen: Value = Const(0, 1)
    for hit, value in ways:
        # Not the bit many times: each time it would be computed anew.
        chosen = chosen | Mux(hit, value, 0)
    return chosen


def usable(price: Value) -> Value:
    """A price that fits the gate's, else 0."""
    if len(price) <= PRICE_BITS:
        return price
    return Mux(price[PRICE_BITS:].any(), 0, price[:PRICE_BITS])
