# SPDX-License-Identifier: Apache-2.0
"""What is left of the limits over all symbols, worked out ahead of the requests that need it.

Sums are wide and change only between requests, so these subtractions are no part of a decision.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.risk_rows import MONEY_BITS, limits_layout, totals_layout
from hw.risk_view import NOTIONAL_ROOM_BITS, SHARES_ROOM_BITS, rooms_layout
from nic.offload.limits import NOTIONAL_BITS, SCOPE_GATE

ROOM_CYCLES = 4
WIDE_BITS = MONEY_BITS + 3


def clipped(room: Value, bits: int) -> Value:
    """A signed number in ``bits``: -1 for what is below, the largest for what is above."""
    is_large = (room[bits - 1 : -1] != 0) & ~room[-1]
    is_negative = room[-1]
    return Mux(
        is_negative, Const(-1, signed(bits)), Mux(is_large, (1 << bits - 1) - 1, room[:bits])
    )


class RiskRooms(wiring.Component):
    """``rooms`` of ``limits`` and ``totals`` as they were ``ROOM_CYCLES`` before.

    ``held_notional`` is what the order to replace has reserved: as much room more.
    """

    def __init__(self, order_bits: int = 10) -> None:
        super().__init__(
            {
                "limits": In(limits_layout(SCOPE_GATE)),
                "totals": In(totals_layout(order_bits)),
                "held_notional": In(NOTIONAL_BITS),
                "rooms": Out(rooms_layout()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Sums, differences, then what fits a request."""
        m = Module()
        limits, totals = self.limits, self.totals
        cash, net = totals.cash, totals.net_position_notional

        def registered(value: Value, cycles: int = 1) -> Value:
            for _ in range(cycles):
                register: Any = Signal(signed(WIDE_BITS), name="sum")
                m.d.sync += register.eq(value)
                value = register
            return value

        paid = registered(Mux(cash < 0, -cash, 0))
        buys = registered(totals.open_buy_notional)
        credit_used = registered(paid + buys)
        used = {
            "gross_notional": registered(totals.gross_notional, 2),
            "net_notional_buy": registered(net + totals.open_buy_notional, 2),
            "net_notional_sell": registered(totals.open_sell_notional - net, 2),
            "daily_notional": registered(totals.daily_notional, 2),
            "credit": credit_used,
            "credit_alert": credit_used,
        }
        ceilings = {
            "gross_notional": limits.maximum_gross_notional,
            "net_notional_buy": limits.maximum_net_notional,
            "net_notional_sell": limits.maximum_net_notional,
            "daily_notional": limits.maximum_daily_notional,
            "credit": limits.maximum_credit,
            "credit_alert": limits.credit_alert_above,
        }
        for name, sum_ in used.items():
            ceiling = registered(ceilings[name] + self.held_notional, 2)
            room = registered(ceiling - sum_)
            m.d.sync += self.rooms[name].eq(clipped(room, NOTIONAL_ROOM_BITS))
        shares_left = registered(limits.maximum_daily_quantity_shares - totals.daily_shares, 3)
        m.d.sync += self.rooms.daily_shares.eq(clipped(shares_left, SHARES_ROOM_BITS))

        lost = registered(-registered(cash + net))
        allowed = registered(limits.order_to_trade_floor + totals.executions_by_ratio)
        flags = {
            "loss_limit": lost > registered(limits.maximum_loss, 2),
            "open_orders": totals.open_orders >= limits.maximum_open_orders,
            "unacknowledged_orders": (
                totals.unacknowledged_orders >= limits.maximum_unacknowledged_orders
            ),
            "order_to_trade_ratio": registered(totals.messages) >= allowed,
        }
        m.d.sync += [self.rooms[name].eq(flag) for name, flag in flags.items()]
        return m
