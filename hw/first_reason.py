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


def first_number(findings: Mapping[int, Value]) -> Value:
    """The lowest number whose finding is 1, as a balanced tree; undefined without any."""

    def tree(entries: list[tuple[int, Value]]) -> tuple[Value, Value]:
        if len(entries) == 1:
            return entries[0][1], Const(entries[0][0], REASON_BITS)
        half = (len(entries) + 1) // 2
        (found, number), (found_behind, number_behind) = tree(entries[:half]), tree(entries[half:])
        return found | found_behind, Mux(found, number, number_behind)

    return tree(sorted(findings.items()))[1] if findings else Const(0, REASON_BITS)


def by_number(findings: Mapping[str, Value]) -> dict[int, Value]:
    """Findings by the number of their reason, in order."""
    numbered = {RISK.value(name): finding for name, finding in findings.items()}
    return dict(sorted(numbered.items()))


class FirstReason:
    """What stands against a request; make it in cycle 2 of the decision.

    ``early``: findings out of registers; ``late``: others of this cycle; ``last``: of the next
    cycle, all against new risk. ``reduces``: what holds against new risk only does not count.
    In the next cycle ``passed``, three look-up tables behind registers, and ``reason`` (0 when
    passed), a few more.

    Early findings are encoded to a number at once. A late or last one asks one bit that stands
    ready: whether another goes before it.
    """

    def __init__(
        self,
        m: Module,
        early: Mapping[str, Value],
        late: Mapping[str, Value],
        last: Mapping[str, Value],
        reduces: Value,
    ) -> None:
        """Raises ``ValueError`` when a reason comes twice."""
        if len({*early, *late, *last}) != len(early) + len(late) + len(last):
            raise ValueError("a reason comes twice")
        border = FIRST_OF_NEW_RISK
        first, second, third = by_number(early), by_number(late), by_number(last)
        if min(third) < border:
            raise ValueError("a last finding holds against everything")
        known = first | second

        def registered(value: Value, name: str) -> Signal:
            register = Signal(value.shape(), name=name)
            m.d.sync += register.eq(value)
            return register

        def groups(findings: Mapping[int, Value], when: str) -> tuple[Signal, Signal]:
            always = any_of(bit for n, bit in findings.items() if n < border)
            new_risk = any_of(bit for n, bit in findings.items() if n >= border)
            return registered(always, f"{when}_always"), registered(new_risk, f"{when}_new_risk")

        early_always, early_new_risk = groups(first, "early")
        late_always, late_new_risk = groups(second, "late")
        is_reducing = registered(reduces, "is_reducing")
        always_number, new_risk_number = (
            registered(
                first_number({n: b for n, b in first.items() if (n < border) == below}), name
            )
            for below, name in ((True, "always_number"), (False, "new_risk_number"))
        )
        standing = {
            n: registered(
                bit & ~any_of(b for before, b in first.items() if before < n),
                f"standing_{RISK.name_of(n)}",
            )
            for n, bit in second.items()
        }
        earlier = {
            n: registered(
                any_of(b for before, b in known.items() if before < n),
                f"earlier_{RISK.name_of(n)}",
            )
            for n in third
        }

        # the next cycle
        self.passed, self.reason = Signal(), Signal(REASON_BITS)
        has_always, counts = early_always | late_always, ~is_reducing
        has_last = any_of(third.values())
        last_standing = {n: bit & ~earlier[n] for n, bit in third.items()}
        early_number = Mux(early_always, always_number, new_risk_number)
        late_counting = {n: bit & counts if n >= border else bit for n, bit in standing.items()}
        known_number = Mux(any_of(late_counting.values()), first_number(standing), early_number)
        known_counts = has_always | (counts & (early_new_risk | late_new_risk))
        m.d.comb += [
            self.passed.eq(~(has_always | (counts & (early_new_risk | late_new_risk | has_last)))),
            self.reason.eq(
                Mux(
                    counts & any_of(last_standing.values()),
                    first_number(last_standing),
                    Mux(known_counts, known_number, 0),
                )
            ),
        ]
