# SPDX-License-Identifier: Apache-2.0
"""A row of the trigger table: its fields in RAM, its order, its condition.

The specification is ``hw/trigger_reference.py``; the cycles are those of ``hw/trigger.py``.
"""

from dataclasses import fields
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, enum

from hw.request import Action, Origin
from nic.offload.trigger import (
    COMPARED_PRICE,
    GENERATION_BITS,
    IN_FLIGHT_BITS,
    PRICE_CONDITION,
    WAYS,
    TriggerRow,
)

WAY_BITS = (WAYS - 1).bit_length()


class TriggerCommand(enum.Enum, shape=1):  # type: ignore[call-arg]
    """What the host does to a row."""

    ARM = 0
    ACKNOWLEDGE = 1


def row_layout(strategy_bits: int, venue_bits: int) -> data.StructLayout:
    """A row as it lies in RAM: the fields of ``TriggerRow``, numbers as wide as the gate's."""
    narrower = {"strategy_id": strategy_bits, "venue": venue_bits}
    return data.StructLayout(
        {f.name: narrower.get(f.name, f.metadata["bits"]) for f in fields(TriggerRow)}
    )


def command_layout(symbol_bits: int, strategy_bits: int, venue_bits: int) -> data.StructLayout:
    """What the host does to a row, and all of it where it arms one."""
    return data.StructLayout(
        {
            "kind": TriggerCommand,
            "symbol_index": symbol_bits,
            "way": WAY_BITS,
            "generation": GENERATION_BITS,
            "row": row_layout(strategy_bits, venue_bits),
        }
    )


ROW_STATE = data.StructLayout({"was_true": 1, "is_spent": 1, "in_flight": IN_FLIGHT_BITS})
"""What a row remembers."""


def request_of(m: Module, request: Any, way: int, row: Any, tick: Any) -> None:
    """The order of a row, with the message's price if it wants that."""
    m.d.comb += [
        request.action.eq(Action.NEW),
        request.side.eq(row.order_side),
        request.time_in_force.eq(row.time_in_force),
        request.post_only.eq(row.post_only),
        request.strategy.eq(row.strategy_id),
        request.venue.eq(row.venue),
        request.symbol_index.eq(tick.symbol_index),
        request.quantity.eq(row.quantity),
        request.price.eq(Mux(row.uses_message_price, tick.price, row.price)),
        request.origin.eq(Origin.TRIGGER),
        request.tag.eq(Cat(Signal(WAY_BITS, init=way), row.generation, tick.symbol_index)),
    ]


def flags_of(
    m: Module, way: int, row: Any, step: Any, tick: Any, has_price: Value, best: Any
) -> Any:
    """What is known of a row in cycle 3 but for what it remembers."""
    flags = Signal(
        data.StructLayout(
            {
                "watches": 1,
                "holds": 1,
                "is_edge": 1,
                "is_one_shot": 1,
                "in_flight_cap": IN_FLIGHT_BITS,
                "is_generation": 1,
            }
        ),
        name=f"flags_{way}",
    )
    # A price of 0 is not there: below the message's it never is, as that is above 0 here.
    # Whether the others are there is known too late for more than to be asked in cycle 3.
    asked = {
        name: row.price_condition == PRICE_CONDITION.value(name)
        for name in ("any", "at_most", "at_least")
    }
    below: list[Value] = []
    holds_below, above, is_there, is_enough = Signal(), Signal(3), Signal(3), Signal()
    for number, (name, compared) in enumerate(
        (
            ("threshold", row.threshold_price),
            ("best_bid", best.bid_price),
            ("best_ask", best.ask_price),
        )
    ):
        is_compared = has_price & (row.compared_price == COMPARED_PRICE.value(name))
        below.append(is_compared & asked["at_most"] & (tick.price <= compared))
        m.d.sync += [
            is_there[number].eq(compared.any()),
            above[number].eq(is_compared & asked["at_least"] & (tick.price >= compared)),
        ]
    m.d.comb += flags.holds.eq((holds_below | (above & is_there).any()) & is_enough)
    m.d.sync += [
        holds_below.eq(asked["any"] | Cat(*below).any()),
        is_enough.eq((tick.shares >= row.minimum_shares) & (has_price | ~row.uses_message_price)),
        flags.watches.eq(
            step.is_event
            & row.is_armed
            & (row.message_type == tick.message_type)
            & ((row.side == 0) | (row.side == tick.side))
        ),
        flags.is_edge.eq(row.is_edge),
        flags.is_one_shot.eq(row.is_one_shot),
        flags.in_flight_cap.eq(row.in_flight_cap),
        flags.is_generation.eq(row.generation == step.generation),
    ]
    return flags
