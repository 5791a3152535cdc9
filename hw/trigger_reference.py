# SPDX-License-Identifier: Apache-2.0
"""The trigger table as a specification: small, plain Python, integers only.

``hw.trigger`` decides as this does. What the gate says to a request is not asked here: the state
of a row moves on by the messages alone, and by what the host tells of requests that ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from nic.framing.tick_reference import Tick, usable
from nic.offload.trigger import COMPARED_PRICE, PRICE_CONDITION, TRIGGER, WAYS, TriggerRow, tag_of


@dataclass(frozen=True, slots=True)
class TriggerRequest:
    """A request that fired: the fields of the request in gateware that the trigger fills in."""

    side: int
    time_in_force: int
    post_only: int
    strategy: int
    venue: int
    symbol_index: int
    quantity: int
    price: int
    tag: int


@dataclass(slots=True)
class RowState:
    """A row with what it remembers."""

    row: TriggerRow = field(default_factory=TriggerRow)
    was_true: bool = False
    is_spent: bool = False
    in_flight: int = 0


@dataclass(slots=True)
class ReferenceTrigger:
    """The rows of all symbols; ``counters`` has every name of ``TRIGGER``."""

    rows: dict[tuple[int, int], RowState] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TRIGGER.names, 0))

    def arm(self, symbol_index: int, way: int, row: TriggerRow) -> None:
        """Put a row in place of another, which forgets what that remembered."""
        self.rows[symbol_index, way] = RowState(row, was_true=bool(row.starts_true))

    def acknowledge(self, symbol_index: int, way: int, generation: int) -> None:
        """A request of the row is no longer in flight: filled, ended or refused by the gate."""
        state = self.rows.get((symbol_index, way), RowState())
        is_ours = state.row.generation == generation and state.in_flight > 0
        state.in_flight -= is_ours
        self.counters["acknowledged" if is_ours else "stale_acknowledgement"] += 1

    def on_tick(
        self,
        symbol_index: int,
        tick: Tick,
        bid_price: int,
        ask_price: int,
        has_room: bool = True,
    ) -> Iterator[TriggerRequest]:
        """A message of a wanted symbol, and the best prices as the host wrote them.

        Yields what fires, row 0 first. ``has_room`` is 0 while too many requests wait.
        """
        for way in range(WAYS):
            state = self.rows.get((symbol_index, way))
            if state is None or not self.watches(state.row, tick):
                continue
            is_true = self.holds(state.row, tick, bid_price, ask_price)
            outcome = self.outcome(state, is_true, has_room)
            state.was_true = is_true
            self.counters[outcome] += 1
            if outcome == "fired":
                state.is_spent = bool(state.row.is_one_shot)
                state.in_flight += 1
                yield self.request(symbol_index, way, state.row, tick)

    @staticmethod
    def watches(row: TriggerRow, tick: Tick) -> bool:
        """Whether the message is one the row looks at."""
        return bool(
            row.is_armed and row.message_type == tick.message_type and row.side in (0, tick.side)
        )

    @staticmethod
    def holds(row: TriggerRow, tick: Tick, bid_price: int, ask_price: int) -> bool:
        """Whether the row's condition is true. What is not there makes it false."""
        if tick.shares < row.minimum_shares or (row.uses_message_price and not tick.price):
            return False
        if row.price_condition == PRICE_CONDITION.value("any"):
            return True
        compared = {
            COMPARED_PRICE.value("threshold"): row.threshold_price,
            COMPARED_PRICE.value("best_bid"): usable(bid_price),
            COMPARED_PRICE.value("best_ask"): usable(ask_price),
        }.get(row.compared_price, 0)
        if not tick.price or not compared:
            return False
        if row.price_condition == PRICE_CONDITION.value("at_most"):
            return tick.price <= compared
        return row.price_condition == PRICE_CONDITION.value("at_least") and tick.price >= compared

    @staticmethod
    def outcome(state: RowState, is_true: bool, has_room: bool) -> str:
        """What becomes of a message that the row looks at; a name of ``TRIGGER``."""
        if not is_true:
            return "condition_false"
        if state.row.is_edge and state.was_true:
            return "still_true"
        if state.is_spent:
            return "spent"
        if state.in_flight >= state.row.in_flight_cap:
            return "capped"
        return "fired" if has_room else "dropped"

    @staticmethod
    def request(symbol_index: int, way: int, row: TriggerRow, tick: Tick) -> TriggerRequest:
        """The row's order, with what the message fills in."""
        return TriggerRequest(
            side=row.order_side,
            time_in_force=row.time_in_force,
            post_only=row.post_only,
            strategy=row.strategy_id,
            venue=row.venue,
            symbol_index=symbol_index,
            quantity=row.quantity,
            price=tick.price if row.uses_message_price else row.price,
            tag=tag_of(symbol_index, way, row.generation),
        )
