# SPDX-License-Identifier: Apache-2.0
"""The first reason against a request, out of findings that are known one after the other.

Findings are bits by name of the table ``RISK``; its order decides. Two groups stand in it: what
holds against everything, and behind it what holds against new risk only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

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
    cycle, all against new risk, each counting if ``last_counts`` (of this cycle) says so and
    nothing is reduced.
    ``reduces``: what holds against new risk only does not count.
    In the next cycle ``passed``, three look-up tables behind registers; in the one after it
    ``reason`` (0 when passed), a few more: whether anything stands against a request is urgent,
    what it is is not.

    Early findings are encoded to a number at once. Of late and last ones it is known one cycle
    after the other whether one that goes before them stands in their way.
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

        def before(number: int, group: Mapping[int, Value]) -> Value:
            return any_of(bit for n, bit in group.items() if n < number)

        def split(group: Mapping[int, Value]) -> tuple[dict[int, Value], dict[int, Value]]:
            """What holds against everything, and against new risk."""
            always = {n: bit for n, bit in group.items() if n < border}
            return always, {n: bit for n, bit in group.items() if n >= border}

        always, new_risk = split(first)
        late_always, late_new_risk = split(second)
        nothing = Const(0, REASON_BITS)
        is_always, is_new_risk, is_late_always, is_late_new_risk = (
            registered(any_of(group.values()), f"any_{name}")
            for name, group in (
                ("always", always),
                ("new_risk", new_risk),
                ("late_always", late_always),
                ("late_new_risk", late_new_risk),
            )
        )
        reduced = registered(reduces, "reduced")
        always_number = registered(first_found(always, nothing), "always_number")
        new_risk_number = registered(first_found(new_risk, nothing), "new_risk_number")
        found_late = {n: registered(bit, f"late_{RISK.name_of(n)}") for n, bit in second.items()}
        counts = {
            n: registered(bit & ~reduces, f"counts_{RISK.name_of(n)}")
            for n, bit in by_number(last_counts).items()
        }
        # whether there is an early one, between one of the others and the next
        borders = [0, *sorted((*second, *third))]
        segments = {
            n: registered(
                any_of(bit for at, bit in first.items() if low <= at < n), f"early_to_{n}"
            )
            for low, n in pairwise(borders)
            if any(low <= at < n for at in first)
        }

        def behind_early(number: int) -> Value:
            return any_of(bit for n, bit in segments.items() if n <= number)

        # the next cycle
        self.passed, self.reason = Signal(), Signal(REASON_BITS)
        found_last = {n: bit & counts[n] for n, bit in third.items()}
        known = is_always | is_late_always | ((is_new_risk | is_late_new_risk) & ~reduced)
        m.d.comb += self.passed.eq(~any_of((known, *found_last.values())))
        standing = {
            n: registered(
                bit & ~behind_early(n) & ~(reduced & (n >= border)), f"standing_{RISK.name_of(n)}"
            )
            for n, bit in found_late.items()
        }
        last_standing = {
            n: registered(
                bit & ~behind_early(n) & ~before(n, found_late),
                f"standing_{RISK.name_of(n)}",
            )
            for n, bit in found_last.items()
        }
        early_number = registered(
            Mux(is_always, always_number, Mux(is_new_risk & ~reduced, new_risk_number, 0)),
            "early_number",
        )

        # the cycle after it
        m.d.comb += self.reason.eq(first_found(last_standing, first_found(standing, early_number)))
