# SPDX-License-Identifier: Apache-2.0
"""The matching engine: price, display, time."""

from host.book.order_book import OrderBook
from sim.exchange.feed_writer import FeedWriter
from sim.exchange.order_entry import Venue

class MatchingEngine(Venue):
    """Books of all symbols of a feed writer."""

    closed: bool
    displayed_book: OrderBook
    hidden_book: OrderBook

    def __init__(
        self, feed: FeedWriter, orders: int = 1 << 18, prevent_self_match: bool = False
    ) -> None:
        """Room for ``orders`` resting orders in each book; all symbols begin halted."""

    def locate(self, symbol: str) -> int:
        """Stock locate of a symbol; raises ``KeyError``."""

    def set_trading_state(self, symbol: str, trading_state: str, reason: str, t_ns: int) -> bool:
        """Halt (``H``), pause (``P``), quote only (``Q``) or trade (``T``); whether it changed."""

    def set_operational_halt(self, symbol: str, halted: bool, t_ns: int) -> bool:
        """Halt or resume a symbol on this market only; whether it changed."""

    def trading_state(self, symbol: str) -> str:
        """Trading state letter of a symbol."""

    def close(self) -> None:
        """Take no more orders."""

    def break_trade(self, match_number: int, reason: str, t_ns: int) -> int:
        """Break a match; how many client sides were told. Raises ``ValueError``."""

    def enter_background(
        self,
        symbol: str,
        side: str,
        shares: int,
        price: int,
        t_ns: int,
        immediate: bool = False,
        hidden: bool = False,
        mpid: str = "",
    ) -> int:
        """An order without a session; the reference of what rests, 0 for nothing."""

    def cancel_background(
        self, reference: int, t_ns: int, shares: int = 0, hidden: bool = False
    ) -> bool:
        """Take shares (0: all) off what ``enter_background`` left; whether it was there."""

    def resting_shares(self) -> int:
        """Open shares in both books."""

    def counters(self) -> dict[str, int]:
        """The counters, by name."""
