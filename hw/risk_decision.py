# SPDX-License-Identifier: Apache-2.0
"""The risk gate's decision: everything known about one request in, the verdict three cycles later.

One request may enter in every cycle; nothing stalls. The state that the checks look at must not
change while a request is on its way, and its effect must be in the next view: that is the duty of
``hw/risk_gate.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.carry_save import MULTIPLIER_BITS, total
from hw.first_reason import FirstReason
from hw.gate_ports import REASON_BITS
from hw.request import STRATEGY_BITS, SYMBOL_BITS, VENUE_BITS, Action
from hw.risk_checks import Positions, early_findings
from hw.risk_products import NotionalChecks, later, product_findings
from hw.risk_view import LATE, late_layout, view_layout
from nic.offload.enumerations import FIRST_OF_NEW_RISK, RISK
from nic.offload.limits import NOTIONAL_BITS

DECISION_CYCLES = 3
REASON_CYCLES = 4
NOTIONAL_CYCLES = 4
KILLS = ("kill_global", "heartbeat_lost", "kill_session", "kill_strategy", "kill_symbol")


class RiskDecision(wiring.Component):
    """Decides as ``ReferenceGate.check`` does.

    In cycle 0 ``view``; in cycle 2 ``late``; in cycle 3 ``is_duplicate``: the same order passed
    lately. In that cycle ``passed`` and ``is_credit_alert``; in cycle 4 ``reason`` (0 when passed)
    and ``notional``, price times open shares.
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
                "late": In(late_layout()),
                "is_duplicate": In(1),
                "passed": Out(1),
                "reason": Out(REASON_BITS),
                "is_credit_alert": Out(1),
                "notional": Out(NOTIONAL_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Comparisons, products, and the first that stands against the request."""
        m = Module()
        view = self.view
        was_cancel, was_new = (
            later(m, view.request.action == action) for action in (Action.CANCEL, Action.NEW)
        )
        is_cancel, is_new = later(m, was_cancel), later(m, was_new)
        enabled = later(m, view.limits.enabled_checks)

        def counting(findings: Mapping[str, Value], bits: Value) -> dict[str, Value]:
            """Findings of checks that are enabled, or can not be disabled."""
            numbers = {name: RISK.value(name) for name in findings}
            return {
                name: finding & bits[numbers[name]]
                if numbers[name] >= FIRST_OF_NEW_RISK
                else finding
                for name, finding in findings.items()
            }

        found = early_findings(m, view)
        early = {n: later(m, bit) for n, bit in counting(found, enabled).items()}
        crosses = found["self_trade"]
        positions = Positions(m, view, ~crosses)
        late = {
            **{name: self.late[name] for name in LATE},
            **{name: self.late[name] & ~is_cancel for name in KILLS},
            **positions.findings,
        }
        notionals = NotionalChecks(m, view)
        findings, counts = product_findings(m, view)
        last = {"duplicate_order": self.is_duplicate} | findings | notionals.findings
        last_counts = {"duplicate_order": is_new} | counts | notionals.counts
        is_less = later(m, was_cancel | (~crosses & later(m, view.is_smaller)))
        reduces = is_less | positions.closes
        enabled_late = later(m, enabled)
        verdict = FirstReason(
            m,
            early,
            counting(late, enabled_late),
            last,
            counting(last_counts, enabled_late),
            reduces,
        )
        m.d.comb += [
            self.passed.eq(verdict.passed),
            self.reason.eq(verdict.reason),
            self.is_credit_alert.eq(
                notionals.is_credit_alert
                & later(m, enabled_late[RISK.value("credit_limit")] & ~is_cancel)
            ),
        ]

        # the product: the lower sum needs no carry from the upper one
        low, *upper = notionals.parts
        split = MULTIPLIER_BITS
        upper_sum, rest = Signal(NOTIONAL_BITS - split), later(m, low)
        m.d.sync += [
            upper_sum.eq(total([part[split:] for part in upper], NOTIONAL_BITS - split, m)),
            self.notional.eq(rest + (upper_sum << split)),
        ]
        return m
