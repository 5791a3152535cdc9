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

from hw.gate_ports import REASON_BITS
from nic.offload.enumerations import FIRST_OF_NEW_RISK, RISK


def any_of(bits: list[Value]) -> Value:
    """Whether one of the bits is 1; 0 for none."""
    return Cat(*bits).any() if bits else Const(0, 1)


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
    """What stands against a request; make it in the cycle of the early findings.

    ``early`` and ``late`` are findings by name, the late ones of the next cycle; ``reduces`` (known
    early) says that only what stands before ``FIRST_OF_NEW_RISK`` holds against the request.
    A cycle after the late ones: ``passed``, one look-up table behind registers, and ``reason`` (0
    when passed), a few of them.
    """

    def __init__(
        self,
        m: Module,
        early: Mapping[str, Value],
        late: Mapping[str, Value],
        reduces: Value,
    ) -> None:
        """Raises ``ValueError`` when a reason is both early and late."""
        if set(early) & set(late):
            raise ValueError(f"early and late: {set(early) & set(late)}")
        border = FIRST_OF_NEW_RISK
        numbered, awaited = by_number(early), by_number(late)

        # next to the early findings: all that the late ones ask of them
        kept = {n: Signal(name=f"found_{RISK.name_of(n)}") for n in numbered}
        earlier = {n: Signal(name=f"earlier_{RISK.name_of(n)}") for n in awaited}
        has_always, has_new_risk, is_reducing = Signal(), Signal(), Signal()
        m.d.sync += [kept[n].eq(bit) for n, bit in numbered.items()]
        m.d.sync += [
            earlier[n].eq(any_of([bit for before, bit in numbered.items() if before < n]))
            for n in awaited
        ]
        m.d.sync += [
            has_always.eq(any_of([bit for n, bit in numbered.items() if n < border])),
            has_new_risk.eq(any_of([bit for n, bit in numbered.items() if n >= border])),
            is_reducing.eq(reduces),
        ]

        # next to the late ones
        counting = {n: bit & ~is_reducing if n >= border else bit for n, bit in awaited.items()}
        standing = {n: Signal(name=f"standing_{RISK.name_of(n)}") for n in awaited}
        always_number, new_risk_number = Signal(REASON_BITS), Signal(REASON_BITS)
        by_always, by_new_risk = Signal(), Signal()
        thirds = [list(counting.values())[i::3] for i in range(3)]
        against = [Signal(name=f"against_{i}") for i in range(4)]
        self.passed = Signal()
        self.reason = Signal(REASON_BITS)
        m.d.sync += [standing[n].eq(bit & ~earlier[n]) for n, bit in counting.items()]
        m.d.sync += [
            against[0].eq(has_always | (has_new_risk & ~is_reducing)),
            *(part.eq(any_of(bits)) for part, bits in zip(against[1:], thirds, strict=True)),
            always_number.eq(first_number({n: b for n, b in kept.items() if n < border})),
            new_risk_number.eq(first_number({n: b for n, b in kept.items() if n >= border})),
            by_always.eq(has_always),
            by_new_risk.eq(has_new_risk & ~is_reducing),
        ]

        early_number = Mux(by_always, always_number, Mux(by_new_risk, new_risk_number, 0))
        any_standing = any_of(list(standing.values()))
        m.d.comb += [
            self.passed.eq(~Cat(*against).any()),
            self.reason.eq(Mux(any_standing, first_number(standing), early_number)),
        ]
