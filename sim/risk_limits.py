# SPDX-License-Identifier: Apache-2.0
"""Random sets of limits: mostly wide, a few of them tight enough to refuse."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from nic.offload.enumerations import ALL_CHECKS, RISK
from nic.offload.limits import Limits, widest_limits

WIDE = replace(
    widest_limits(ALL_CHECKS),
    collar_best_basis_points=500,
    collar_best_price_units=100,
    collar_last_basis_points=1_000,
    collar_last_price_units=100,
    reference_age_limit_ns=1_000_000_000,
    maximum_quantity_shares=5_000,
    maximum_notional=10**10,
)

TIGHT: dict[str, tuple[int, ...]] = {
    "is_restricted": (1,),
    "is_allowed": (0,),
    "allowed_order_types": (0b1111_1001, 0b0111_1111, 0b1110_1111),
    "allowed_phases": (0b01000, 0b10111),
    "minimum_quantity_shares": (101, 200),
    "lot_size_shares": (0, 3, 100, 200),
    "tick_size_price_units": (0, 7, 50, 100),
    "tick_size_from_price": (10_000, 1 << 30),
    "maximum_quantity_shares": (300,),
    "maximum_notional": (4_000_000,),
    "average_daily_volume_bound_shares": (100, 300),
    "collar_best_basis_points": (0, 100),
    "collar_best_price_units": (0, 10),
    "collar_last_basis_points": (0, 200),
    "collar_last_price_units": (0, 200),
    "reference_age_limit_ns": (10_000_000, 10**12),
    "short_sale_locate_shares": (0, 300, 600),
    "maximum_long_position_shares": (0, 300, 600),
    "maximum_short_position_shares": (0, 600, 3_000),
    "symbol_message_rate_per_second": (0, 60, 3_000),
    "symbol_message_burst": (0, 1, 5),
    "maximum_gross_notional": (3_000_000, 10_000_000),
    "maximum_net_notional": (5_000_000, 15_000_000),
    "maximum_daily_quantity_shares": (0, 2_000),
    "maximum_daily_notional": (0, 15_000_000),
    "maximum_loss": (0, 0, 50_000),
    "maximum_credit": (0, 5_000_000, 20_000_000),
    "maximum_open_orders": (0, 3, 8),
    "maximum_unacknowledged_orders": (0, 2, 5),
    "message_rate_per_second": (0, 60, 3_000),
    "message_burst": (0, 1, 5),
    "strategy_message_rate_per_second": (0, 60, 3_000),
    "strategy_message_burst": (0, 1, 5),
    "maximum_executions": (0, 1, 3),
    "order_to_trade_floor": (0, 5, 40),
    "order_to_trade_ratio": (0, 1, 3),
    "duplicate_window_ns": (100_000_000, 10**9),
    "heartbeat_timeout_ns": (100_000_000, 10**9),
}
"""Values that refuse now and then."""

PAIRS = {
    "tick_size_from_price": "tick_size_price_units",
    "tick_size_price_units": "tick_size_from_price",
    "message_burst": "message_rate_per_second",
    "symbol_message_burst": "symbol_message_rate_per_second",
    "strategy_message_burst": "strategy_message_rate_per_second",
    "order_to_trade_floor": "order_to_trade_ratio",
    "order_to_trade_ratio": "order_to_trade_floor",
}
"""Limits that are only tight with another one."""

SIDES = ("short_sale_mark", "short_sale_locate", "short_sale_restricted")


def random_limits(random: Random) -> Limits:
    """A set with a few tight limits and a few checks disabled."""
    enabled = ALL_CHECKS
    for name in RISK.names:
        chance = 0.7 if name in SIDES else 0.1
        if random.random() < chance:
            enabled &= ~(1 << RISK.value(name))
    if random.random() < 0.1:
        enabled = random.randrange(1 << RISK.count)
    names = set(random.sample(sorted(TIGHT), random.choice((1, 2, 3))))
    names |= {PAIRS[name] for name in names & PAIRS.keys()}
    tight = {name: random.choice(TIGHT[name]) for name in sorted(names)}
    return replace(WIDE, enabled_checks=enabled, **tight)
