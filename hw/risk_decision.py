# SPDX-License-Identifier: Apache-2.0
"""The risk gate's decision: everything known about one request in, the verdict three cycles later.

One request may enter in every cycle; nothing stalls. The state that the checks look at must not
change while a request is on its way, and its effect must be in the next view: that is the duty of
``hw/risk_gate.py``.
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.carry_save import MULTIPLIER_BITS, Factor, total
from hw.first_reason import FirstReason
from hw.gate_ports import REASON_BITS
from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS, Action
from hw.risk_checks import early_findings
from hw.risk_products import NotionalChecks, later, size_and_collars
from hw.risk_view import LATE, factors_layout, late_layout, view_layout
from nic.offload.enumerations import FIRST_OF_NEW_RISK, RISK
from nic.offload.limits import NOTIONAL_BITS

DECISION_CYCLES = 3
KILLS = ("kill_global", "heartbeat_lost", "kill_session", "kill_strategy", "kill_symbol")


class RiskDecision(wiring.Component):
    """Decides as ``ReferenceGate.check`` does.

    In cycle 0 ``view``, and ``factors``: the view's price and open shares once more, straight out
    of both registers that may hold them. In cycle 1 ``symbol_message_rate``: the symbol's bucket
    has no token. In cycle 2 ``late``. In cycle 3 ``passed``, ``reason`` (0 when passed),
    ``notional`` (price times open shares) and ``is_credit_alert``.
    """

    def __init__(
        self,
        order_bits: int = 10,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
    ) -> None:
        super().__init__(
            {
                "view": In(view_layout(order_bits, symbol_bits, strategy_bits, venue_bits)),
                "factors": In(factors_layout()),
                "symbol_message_rate": In(1),
                "late": In(late_layout()),
                "passed": Out(1),
                "reason": Out(REASON_BITS),
                "notional": Out(NOTIONAL_BITS),
                "is_credit_alert": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Comparisons, products, and the first that stands against the request."""
        m = Module()
        view = self.view
        early, reduces = early_findings(m, view)
        early["symbol_message_rate"] = self.symbol_message_rate
        price, leaves = (
            Factor(values[0], values[1], is_second=self.factors.is_second)
            for values in (self.factors.prices, self.factors.leaves)
        )
        notionals = NotionalChecks(m, view, price, leaves)
        is_cancel, is_new = (
            later(m, view.request.action == action, 2) for action in (Action.CANCEL, Action.NEW)
        )
        late = {
            **{name: self.late[name] for name in LATE},
            **{name: self.late[name] & ~is_cancel for name in KILLS},
            "duplicate_order": self.late.duplicate_order & is_new,
            **size_and_collars(m, view, price, leaves),
            **notionals.findings,
        }

        enabled = later(m, view.limits.enabled_checks)
        enabled_late = later(m, enabled)
        for findings, bits in ((early, enabled), (late, enabled_late)):
            for name, finding in findings.items():
                number = RISK.value(name)
                if number >= FIRST_OF_NEW_RISK:
                    findings[name] = finding & bits[number]
        verdict = FirstReason(m, early, late, reduces)

        # the product: the lower sum needs no carry from the upper one
        low, *upper = notionals.parts
        half = MULTIPLIER_BITS
        upper_sum = Signal(NOTIONAL_BITS - half)
        rest = later(m, low)
        m.d.sync += [
            upper_sum.eq(total([part[half:] for part in upper], NOTIONAL_BITS - half)),
            self.notional.eq(rest + (upper_sum << half)),
            self.is_credit_alert.eq(
                notionals.is_credit_alert & enabled_late[RISK.value("credit_limit")]
            ),
        ]
        m.d.comb += [self.passed.eq(verdict.passed), self.reason.eq(verdict.reason)]
        return m
