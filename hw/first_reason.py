# SPDX-License-Identifier: Apache-2.0
"""The first reason against a request, out of findings that are known one after the other.

Findings are bits by name of the table ``RISK``; its order decides. Two groups stand in it: what
holds against everything, and behind it what holds against new risk only. Most findings are early:
they are encoded to a number a cycle before the late ones are known. Each late finding then only
asks one bit that stands ready: whether an early one goes before it.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from nic.offload.enumerations import RISK

REASON_BITS = (RISK.count - 1).bit_length()


def any_of(bits: list[Value]) -> Value:
    """Whether one of the bits is 1; 0 for none."""
    return Cat(*bits).any() if bits else Const(0, 1)


def first_number(findings: Mapping[int, Value], bits: int) -> Value:
    """The lowest number whose finding is 1, as a balanced tree; undefined without any."""

    def tree(entries: list[tuple[int, Value]]) -> tuple[Value, Value]:
        if len(entries) == 1:
            return entries[0][1], Const(entries[0][0], bits)
        half = (len(entries) + 1) // 2
        (found, number), (found_behind, number_behind) = tree(entries[:half]), tree(entries[half:])
        return found | found_behind, Mux(found, number, number_behind)

    return tree(sorted(findings.items()))[1] if findings else Const(0, bits)


def by_number(findings: Mapping[str, Value]) -> dict[int, Value]:
    """Findings by the number of their reason, in order."""
    numbered = {RISK.value(name): finding for name, finding in findings.items()}
    return dict(sorted(numbered.items()))


class FirstReason:
    """What stands against a request; make it in the cycle of the early findings.

    ``early`` and ``late`` are findings by name, the late ones of the next cycle; ``first_new_risk``
    names the first reason that does not hold against what ``reduces`` risk (known early).
    A cycle after the late ones: ``passed``, and ``reason`` (0 when passed), a few gates behind
    registers.
    """

    def __init__(
        self,
        m: Module,
        early: Mapping[str, Value],
        late: Mapping[str, Value],
        reduces: Value,
        first_new_risk: str,
    ) -> None:
        """Raises ``ValueError`` when a reason is both early and late."""
        if set(early) & set(late):
            raise ValueError(f"early and late: {set(early) & set(late)}")
        border = RISK.value(first_new_risk)
        numbered, awaited = by_number(early), by_number(late)
        always = {n: bit for n, bit in numbered.items() if n < border}
        new_risk = {n: bit for n, bit in numbered.items() if n >= border}

        has_always, has_new_risk, is_reducing = Signal(), Signal(), Signal()
        always_number, new_risk_number = Signal(REASON_BITS), Signal(REASON_BITS)
        earlier = {n: Signal(name=f"earlier_{RISK.name_of(n)}") for n in awaited}
        m.d.sync += [
            has_always.eq(any_of(list(always.values()))),
            has_new_risk.eq(any_of(list(new_risk.values()))),
            is_reducing.eq(reduces),
            always_number.eq(first_number(always, REASON_BITS)),
            new_risk_number.eq(first_number(new_risk, REASON_BITS)),
        ]
        m.d.sync += [
            earlier[late_number].eq(any_of([b for n, b in numbered.items() if n < late_number]))
            for late_number in awaited
        ]

        early_number = Signal(REASON_BITS)
        counting = {n: bit & ~is_reducing if n >= border else bit for n, bit in awaited.items()}
        standing = {n: Signal(name=f"standing_{RISK.name_of(n)}") for n in awaited}
        self.passed = Signal()
        self.reason = Signal(REASON_BITS)
        m.d.sync += [standing[n].eq(bit & ~earlier[n]) for n, bit in counting.items()]
        m.d.sync += [
            self.passed.eq(
                ~(has_always | (has_new_risk & ~is_reducing) | any_of(list(counting.values())))
            ),
            early_number.eq(
                Mux(has_always, always_number, Mux(is_reducing, 0, new_risk_number))
                & (has_always | has_new_risk).replicate(REASON_BITS)
            ),
        ]
        late_number_value = first_number(standing, REASON_BITS)
        m.d.comb += self.reason.eq(
            Mux(any_of(list(standing.values())), late_number_value, early_number)
        )
