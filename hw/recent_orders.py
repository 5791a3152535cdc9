# SPDX-License-Identifier: Apache-2.0
"""The orders that passed lately, to tell a duplicate.

A table of sets of a few ways. The set of an order comes from an exclusive-or fold of its key. A new
key takes the place of its like, else the way whose order passed longest ago, the lowest of equals.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.risk_rows import TIME_BITS
from hw.swept_memory import SweptMemory
from nic.offload.enumerations import GATE
from nic.offload.limits import PRICE_BITS, QUANTITY_BITS, Limits

SET_BITS = GATE.value("duplicate_set_bits")
WAYS = GATE.value("duplicate_ways")
WINDOW_BITS = Limits.__dataclass_fields__["duplicate_window_ns"].metadata["bits"]
ORIGIN_STRATEGY_BIT = 32
"""Where the strategy lies in a key's second word, the symbol being below."""


def key_layout(symbol_bits: int, strategy_bits: int) -> data.StructLayout:
    """What makes two orders the same."""
    return data.StructLayout(
        {
            "price": PRICE_BITS,
            "quantity": QUANTITY_BITS,
            "is_sell": 1,
            "symbol_index": symbol_bits,
            "strategy": strategy_bits,
        }
    )


def set_of(key: data.View) -> Value:
    """The set of a key: the fold of ``host/risk/reference.py``."""
    terms = Cat(key.price, key.quantity, key.is_sell)
    origin = Cat(
        key.symbol_index, Const(0, ORIGIN_STRATEGY_BIT - len(key.symbol_index)), key.strategy
    )
    fold = (terms ^ (origin << 13) ^ (origin >> 27))[:64]
    for distance in (32, 2 * SET_BITS, SET_BITS):
        fold = fold ^ (fold >> distance)
    return fold[:SET_BITS]


def pairs_below(left: Value, right: Value) -> tuple[Value, Value]:
    """For each two bits of ``left < right``: whether they are below, and whether not above."""
    width = (max(len(left), len(right)) + 1) // 2
    below, not_above = [], []
    for i in range(width):
        a, b = left[2 * i : 2 * i + 2], right[2 * i : 2 * i + 2]
        below.append(a < b)
        not_above.append(a <= b)
    return Cat(*below), Cat(*not_above)


class RecentOrders(wiring.Component):
    """A fixed table of what passed, and when.

    Look-up: ``key``, ``t_ns`` and ``window_ns`` in cycle 0; in cycle 2 ``holds`` says whether the
    same order passed less than the window before, or (the clock went back) after. One per cycle,
    but not while ``remember_ready`` is 0: then ``holds`` means nothing.

    ``remember_valid``, ``remember_key``, ``remember_t_ns``: the order passed; taken while
    ``remember_ready``, in the table when it is ready again (8 cycles).
    """

    def __init__(self, symbol_bits: int = 10, strategy_bits: int = 4) -> None:
        """Raises ``ValueError`` for widths that the key has no room for."""
        if not 1 <= symbol_bits <= ORIGIN_STRATEGY_BIT or not 1 <= strategy_bits <= 16:
            raise ValueError(f"symbol_bits {symbol_bits}, strategy_bits {strategy_bits}")
        self._key = key_layout(symbol_bits, strategy_bits)
        super().__init__(
            {
                "key": In(self._key),
                "t_ns": In(TIME_BITS),
                "window_ns": In(WINDOW_BITS),
                "holds": Out(1),
                "remember_valid": In(1),
                "remember_key": In(self._key),
                "remember_t_ns": In(TIME_BITS),
                "remember_ready": Out(1),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The ways, the look-up in two stages, the replacement in steps."""
        m = Module()
        row_layout = data.StructLayout({"key": self._key, "passed_ns": TIME_BITS})
        ways = [SweptMemory(row_layout, 1 << SET_BITS, is_transparent=False) for _ in range(WAYS)]
        for number, way in enumerate(ways):
            m.submodules[f"way_{number}"] = way
        is_busy = Signal()
        new = Signal(row_layout)
        new_set = Signal(SET_BITS)
        m.d.comb += self.init_done.eq(ways[0].init_done)
        for way in ways:
            m.d.comb += [
                way.read_address[0].eq(Mux(is_busy, new_set, set_of(self.key))),
                way.write_address.eq(new_set),
                way.write_data.eq(new),
            ]
        self._look_up(m, ways)

        # replacement: read, match, compare the ages of two and two, compare the older, write
        found = Signal(WAYS)
        keys = [Signal(self._key, name=f"key_{i}") for i in range(WAYS)]
        ages = [Signal(TIME_BITS, name=f"age_{i}") for i in range(WAYS)]
        older = [Signal(range(WAYS), name=f"older_{i}") for i in range(WAYS // 2)]
        oldest_ages = [Signal(TIME_BITS, name=f"oldest_age_{i}") for i in range(WAYS // 2)]
        chosen = Signal(range(WAYS))
        m.d.comb += self.remember_ready.eq(~is_busy & self.init_done)
        with m.FSM(name="replacement"):
            with m.State("IDLE"), m.If(self.remember_valid & self.remember_ready):
                m.d.sync += [
                    new.key.eq(self.remember_key),
                    new.passed_ns.eq(self.remember_t_ns),
                    new_set.eq(set_of(self.remember_key)),
                    is_busy.eq(1),
                ]
                m.next = "READ"
            with m.State("READ"):
                m.next = "KEEP"
            with m.State("KEEP"):
                for number, way in enumerate(ways):
                    row = way.read_data[0]
                    m.d.sync += [keys[number].eq(row.key), ages[number].eq(row.passed_ns)]
                m.next = "MATCH"
            with m.State("MATCH"):
                m.d.sync += [
                    found[number].eq(kept.as_value() == new.key.as_value())
                    for number, kept in enumerate(keys)
                ]
                m.next = "PAIRS"
            with m.State("PAIRS"):
                for i, (index, age) in enumerate(zip(older, oldest_ages, strict=True)):
                    second = Signal(name=f"second_{i}")
                    m.d.comb += second.eq(ages[2 * i + 1] < ages[2 * i])
                    m.d.sync += [
                        index.eq(2 * i + second),
                        age.eq(Mux(second, ages[2 * i + 1], ages[2 * i])),
                    ]
                m.next = "OLDEST"
            with m.State("OLDEST"):
                m.d.sync += chosen.eq(Mux(oldest_ages[1] < oldest_ages[0], older[1], older[0]))
                for number in reversed(range(WAYS)):
                    with m.If(found[number]):
                        m.d.sync += chosen.eq(number)
                m.next = "WRITE"
            with m.State("WRITE"):
                for number, way in enumerate(ways):
                    m.d.comb += way.write_enable.eq(chosen == number)
                m.d.sync += is_busy.eq(0)
                m.next = "IDLE"
        return m

    def _look_up(self, m: Module, ways: list[SweptMemory]) -> None:
        """Stage 1: one look-up table behind the RAM; stage 2: the rest."""
        key = Signal(self._key)
        earliest = Signal(TIME_BITS + 1)  # a passing after this is less than the window ago
        is_on = Signal(2)
        m.d.sync += [
            key.eq(self.key),
            earliest.eq(self.t_ns - self.window_ns),
            is_on.eq(Cat(self.window_ns.any(), is_on[0])),
        ]
        is_before_all_now = Signal()
        m.d.sync += is_before_all_now.eq(earliest[-1])
        hits = []
        for number, way in enumerate(ways):
            row = way.read_data[0]
            raw, wanted = row.key.as_value(), key.as_value()
            same = Signal((len(raw) + 1) // 2, name=f"same_{number}")
            below = Signal((TIME_BITS + 1) // 2, name=f"below_{number}")
            not_above = Signal.like(below, name=f"not_above_{number}")
            pairs = pairs_below(earliest[:TIME_BITS], row.passed_ns)
            m.d.sync += [below.eq(pairs[0]), not_above.eq(pairs[1])]
            for i in range(len(same)):
                m.d.sync += same[i].eq(raw[2 * i : 2 * i + 2] == wanted[2 * i : 2 * i + 2])
            # a carry runs through pairs that are equal and begins in one that is below
            is_below = (not_above + below)[len(below)]
            hits.append(same.all() & (is_below | is_before_all_now))
        m.d.comb += self.holds.eq(is_on[1] & Cat(*hits).any())
