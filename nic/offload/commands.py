# SPDX-License-Identifier: Apache-2.0
"""Everything that changes the state of a risk gate but order requests: the table of commands.

A gate starts empty; after the same commands and requests in the same order two gates decide the
same. ``COMMANDS`` are methods of the gate (``host/risk/reference.py``), ``TELLS`` go to what it
counts: they are ``on_<name>`` of ``host/risk/reference_exposure.py``, in the same order of
arguments. A gate with a clock of its own behaves as if ``timer`` came all the time.
"""

from __future__ import annotations

from dataclasses import dataclass

from nic.offload.enumerations import GATE, KILL_SCOPE, MARKET_PHASE
from nic.offload.limits import PRICE_BITS, QUANTITY_BITS

SYMBOL_BITS = 16
STRATEGY_BITS = (GATE.value("strategies") - 1).bit_length()
VENUE_BITS = (GATE.value("venues") - 1).bit_length()
NUMBER_BITS = 32
TIME_BITS = 63
SEQUENCE_NUMBER_BITS = 64


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command: unsigned, ``bits`` wide.

    ``index`` names the table (``symbol``, ``strategy``, ``venue``) that it is a row of; gateware
    with a smaller table has fewer bits.
    """

    name: str
    bits: int
    meaning: str
    index: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name, its number in the table, its arguments in order."""

    name: str
    meaning: str
    arguments: tuple[Argument, ...]

    @property
    def bits(self) -> int:
        """All arguments together."""
        return sum(argument.bits for argument in self.arguments)


SYMBOL = Argument("symbol_index", SYMBOL_BITS, "the symbol", "symbol")
STRATEGY = Argument("strategy_id", STRATEGY_BITS, "the strategy", "strategy")
VENUE = Argument("venue", VENUE_BITS, "the order-entry session", "venue")
NUMBER = Argument("user_ref_num", NUMBER_BITS, "the order")
SIDE = Argument("side", 8, "letter of OUCH: B, S, T or E")
QUANTITY = Argument("quantity", QUANTITY_BITS, "shares")
LEAVES = Argument("leaves", QUANTITY_BITS, "shares open")
PRICE = Argument("price", PRICE_BITS, "price units")
T_NS = Argument("t_ns", TIME_BITS, "the time, ns")
SCOPE = Argument("scope", (KILL_SCOPE.count - 1).bit_length(), "number of KILL_SCOPE")
ID = Argument("id", SYMBOL_BITS, "session, strategy or symbol; 0 of the other scopes")


def price(name: str, meaning: str) -> Argument:
    """A price of the market; 0: not there."""
    return Argument(name, PRICE_BITS, meaning)


COMMANDS = (
    Command(
        "set_limits",
        "a whole set, :class:`nic.offload.limits.Limits` in the order of the table",
        (
            Argument("is_default", 1, "1: the default set; the symbol is ignored"),
            SYMBOL,
            Argument("sequence_number", SEQUENCE_NUMBER_BITS, "counts up over all sets"),
        ),
    ),
    Command("kill", "refuse every new order and replace of a scope", (SCOPE, ID)),
    Command("arm_reset", "first step of taking a kill back", (SCOPE, ID)),
    Command("reset_kill", "second step of taking a kill back", (SCOPE, ID)),
    Command("heartbeat", "the control thread lives", (T_NS,)),
    Command("timer", "it is so late", (T_NS,)),
    Command(
        "set_session_up",
        "a venue's session can take orders, or can't",
        (VENUE, Argument("is_up", 1, "1: it can")),
    ),
    Command(
        "set_feed_stale",
        "the feed went silent, or is back",
        (Argument("is_stale", 1, "1: nothing is heard"),),
    ),
    Command(
        "set_market_phase",
        "the market is in another phase",
        (Argument("phase", (MARKET_PHASE.count - 1).bit_length(), "number of MARKET_PHASE"),),
    ),
    Command(
        "set_top",
        "what is known of a symbol's market, all of it or some; Top of host/model.pxd",
        (
            SYMBOL,
            price("bid_price", "best bid"),
            price("ask_price", "best offer"),
            price("last_price", "of the last trade"),
            Argument("updated_ns", TIME_BITS, "time of the last message"),
            Argument("trading_state", 8, "letter of ITCH, T trading; 0 unknown"),
            Argument("operational_halt", 1, "1: halted operationally"),
            Argument("book_state", 2, "0: clean"),
            Argument("short_sale_state", 8, "letter of ITCH, 0 unrestricted; 0 unknown"),
            price("band_lower_price", "lower price band"),
            price("band_upper_price", "upper price band"),
        ),
    ),
    Command("release_strategy", "let a strategy execute again as often as it may", (STRATEGY,)),
    Command("start_day", "what is summed since the start of the day begins anew", ()),
)
"""What the operator, the feed and the sessions say to the gate."""

TELLS = (
    Command("fill", "shares were executed", (NUMBER, SYMBOL, SIDE, QUANTITY, PRICE)),
    Command("terms", "the exchange said what is open", (NUMBER, LEAVES, PRICE)),
    Command("canceled", "shares were taken off the order, and it lives on", (NUMBER, QUANTITY)),
    Command("cancel_ended", "the cancel of all shares was refused or lost", (NUMBER,)),
    Command("closed", "the order is no longer live; its replace in flight neither", (NUMBER,)),
    Command("replaced", "the replace in flight came to be", (NUMBER, LEAVES, PRICE)),
    Command("replace_ended", "the replace in flight will not be", (NUMBER,)),
    Command("broken", "an execution was broken", (SYMBOL, SIDE, QUANTITY, PRICE)),
    Command("mark", "the position is worth this price a share from now on", (SYMBOL, PRICE)),
)
"""What the order management tells of what happened to the orders."""
