# SPDX-License-Identifier: Apache-2.0
"""The first reason against a request, out of findings that are known one after the other.

Findings are bits by name of the table ``RISK``; its order decides. Two groups stand in it: what
holds against everything, and behind it what holds against new risk only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from hw.gate_ports import REASON_BITS
from nic.offload.enumerations import FIRST_OF_NEW_RISK, RISK


def any_of(bits: Iterable[Value]) -> Value:
    """Whether one of the bits is 1; 0 for none."""
    return Cat(*bits, Const(0, 1)).any()


FAN_IN = 3
"""Findings that are merged at once: what one look-up table tells apart."""


def first_found(findings: Mapping[int, Value], otherwise: Value) -> Value:
    """The lowest number whose finding is 1, else ``otherwise``."""
    entries = [(bit, Const(n, REASON_BITS)) for n, bit in sorted(findings.items())]

    def first_of(group: list[tuple[Value, Value]], last: Value) -> Value:
        for found, number in reversed(group):
            last = Mux(found, number, last)
        return last

    while len(entries) > FAN_IN:
        groups = [entries[i : i + FAN_IN] for i in range(0, len(entries), FAN_IN)]
        entries = [
            (any_of(found for found, _ in group), first_of(group[:-1], group[-1][1]))
            for group in groups
        ]
    return first_of(entries, otherwise)


def by_number(findings: Mapping[str, Value]) -> dict[int, Value]:
    """Findings by the number of their reason, in order."""
    numbered = {RISK.value(name): finding for name, finding in findings.items()}
    return dict(sorted(numbered.items()))


class FirstReason:
    """What stands against a request; make it in cycle 2 of the decision.

    ``early``: findings out of registers; ``late``: others of this cycle; ``last``: of the next
    cycle, all against new risk, each counting if ``last_counts`` (of this cycle) says so.
    ``reduces``: what holds against new risk only does not count.
    In the next cycle ``passed``, three look-up tables behind registers, and ``reason`` (0 when
    passed), a few more.

    Early findings are encoded to a number at once. A last one asks one bit that stands ready:
    whether it is blocked, by another that goes before it or by what makes it count.
    """

    def __init__(
        self,
        m: Module,
        early: Mapping[str, Value],
        late: Mapping[str, Value],
        last: Mapping[str, Value],
        last_counts: Mapping[str, Value],
        reduces: Value,
    ) -> None:
        """Raises ``ValueError`` when a reason comes twice."""
        if len({*early, *late, *last}) != len(early) + len(late) + len(last):
            raise ValueError("a reason comes twice")
        border = FIRST_OF_NEW_RISK
        first, second, third = by_number(early), by_number(late), by_number(last)
        if min(third) < border:
            raise ValueError("a last finding holds against everything")

        def registered(value: Value, name: str) -> Signal:
            register = Signal(value.shape(), name=name)
            m.d.sync += register.eq(value)
            return register

        def before(number: int, *groups: Mapping[int, Value]) -> Value:
            return any_of(bit for group in groups for n, bit in group.items() if n < number)

        always = {n: bit for n, bit in first.items() if n < border}
        new_risk = {n: bit for n, bit in first.items() if n >= border}
        late_counting = {n: bit & ~reduces if n >= border else bit for n, bit in second.items()}
        early_always = registered(any_of(always.values()), "early_always")
        early_new_risk = registered(any_of(new_risk.values()) & ~reduces, "early_new_risk")
        late_against = registered(any_of(late_counting.values()), "late_against")
        nothing = Const(0, REASON_BITS)
        always_number = registered(first_found(always, nothing), "always_number")
        new_risk_number = registered(first_found(new_risk, nothing), "new_risk_number")
        standing = {
            n: registered(bit & ~before(n, first), f"standing_{RISK.name_of(n)}")
            for n, bit in late_counting.items()
        }
        counts = by_number(last_counts)
        blocked = {
            n: registered(
                before(n, first, second) | reduces | ~counts[n], f"blocked_{RISK.name_of(n)}"
            )
            for n in third
        }

        # the next cycle
        self.passed, self.reason = Signal(), Signal(REASON_BITS)
        last_standing = {n: bit & ~blocked[n] for n, bit in third.items()}
        early_number = Mux(early_always, always_number, Mux(early_new_risk, new_risk_number, 0))
        against = (early_always, early_new_risk, late_against)
        m.d.comb += [
            self.passed.eq(~any_of((*against, *last_standing.values()))),
            self.reason.eq(first_found(last_standing, first_found(standing, early_number))),
        ]
