# SPDX-License-Identifier: Apache-2.0
"""The orders that passed lately, to tell a duplicate.

A table of sets of a few ways. The set of an order comes from an exclusive-or fold of its key. A new
key takes the place of its like, else the way whose order passed longest ago, the lowest of equals.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.request import BUY
from hw.risk_rows import TIME_BITS
from hw.swept_memory import SweptMemory
from nic.offload.enumerations import GATE
from nic.offload.limits import PRICE_BITS, QUANTITY_BITS, Limits

SET_BITS = GATE.value("duplicate_set_bits")
WAYS = GATE.value("duplicate_ways")
WINDOW_BITS = Limits.__dataclass_fields__["duplicate_window_ns"].metadata["bits"]
ORIGIN_STRATEGY_BIT = 32
"""Where the strategy lies in a key's second word, the symbol being below."""

HALF_BITS = TIME_BITS // 2
"""Of a time that are compared in one cycle."""


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


def key_fields(request: Any) -> dict[str, Value]:
    """What a request's key holds."""
    fields = ("price", "quantity", "symbol_index", "strategy")
    return {name: getattr(request, name) for name in fields} | {"is_sell": request.side != BUY}


def set_of(
    price: ValueLike = 0,
    quantity: ValueLike = 0,
    is_sell: ValueLike = 0,
    symbol_index: ValueLike = 0,
    strategy: ValueLike = 0,
) -> Value:
    """The set of a key: the fold of ``host/risk/reference_recent.py``.

    It is linear: the exclusive-or of the sets of a key's parts, with 0 for the others, is the set
    of the whole.
    """

    def wide(value: ValueLike, bits: int) -> Value:
        return Cat(Value.cast(value), Const(0, bits))[:bits]

    terms = Cat(wide(price, PRICE_BITS), wide(quantity, QUANTITY_BITS), wide(is_sell, 1))
    origin = Cat(wide(symbol_index, ORIGIN_STRATEGY_BIT), Value.cast(strategy))
    fold = (terms ^ (origin << 13) ^ (origin >> 27))[:64]
    for distance in (32, 2 * SET_BITS, SET_BITS):
        fold = fold ^ (fold >> distance)
    return fold[:SET_BITS]


class RecentOrders(wiring.Component):
    """A fixed table of what passed, and when.

    Look-up: ``key`` with its ``set`` (:func:`set_of`, which takes its time and is worked out where
    there is some), ``t_ns`` and ``window_ns`` in cycle 0; in cycle 3 ``holds`` says whether the
    same order passed less than the window before, or (the clock went back) after. One per cycle,
    but not while ``remember_ready`` is 0: then ``holds`` means nothing.

    ``remember_valid``, ``remember_key``, ``remember_t_ns``: the order passed; taken while
    ``remember_ready``, in the table when it is ready again (11 cycles). Until then ``key`` and
    ``set`` are to be the same order's: that set is looked at, and written to.
    """

    def __init__(self, symbol_bits: int = 10, strategy_bits: int = 4) -> None:
        """Raises ``ValueError`` for widths that the key has no room for."""
        if not 1 <= symbol_bits <= ORIGIN_STRATEGY_BIT or not 1 <= strategy_bits <= 16:
            raise ValueError(f"symbol_bits {symbol_bits}, strategy_bits {strategy_bits}")
        self._key = key_layout(symbol_bits, strategy_bits)
        super().__init__(
            {
                "key": In(self._key),
                "set": In(SET_BITS),
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
        """The ways, the look-up in three stages, the replacement in steps."""
        m = Module()
        row_layout = data.StructLayout({"key": self._key, "passed_ns": TIME_BITS})
        ways = [
            SweptMemory(row_layout, 1 << SET_BITS, registered=1, may_collide=False)
            for _ in range(WAYS)
        ]
        for number, way in enumerate(ways):
            m.submodules[f"way_{number}"] = way
        is_busy, writes = Signal(), Signal(WAYS)
        new = Signal(row_layout)
        set_later = Signal(SET_BITS)
        m.d.sync += set_later.eq(self.set)
        m.d.comb += self.init_done.eq(ways[0].init_done)
        for number, way in enumerate(ways):
            m.d.comb += [
                way.write_enable.eq(writes[number]),
                way.read_address[0].eq(self.set),
                way.write_address.eq(set_later),
                way.write_data.eq(new),
            ]
        same, ages, is_below = self._compare(m, ways)
        was_same = Signal(WAYS)
        was_below = [Signal(len(terms), name=f"was_below_{i}") for i, terms in enumerate(is_below)]
        m.d.sync += [
            was_same.eq(same),
            *(flags.eq(Cat(*terms)) for flags, terms in zip(was_below, is_below, strict=True)),
        ]
        counts = [  # a look-up table each
            is_same & (high_below | (high_not_above & low_below))
            for is_same, (high_below, high_not_above, low_below) in zip(
                was_same, was_below, strict=True
            )
        ]
        m.d.comb += self.holds.eq(Cat(*counts).any())

        # replacement: read, match and compare the ages of two and two in halves, compare the older,
        # write
        found = Signal(WAYS)
        older = [Signal(range(WAYS), name=f"older_{i}") for i in range(WAYS // 2)]
        oldest_ages = [Signal(TIME_BITS, name=f"oldest_age_{i}") for i in range(WAYS // 2)]
        high_less, high_not_more, low_less = (
            Signal(WAYS // 2, name=name) for name in ("high_less", "high_not_more", "low_less")
        )
        is_second = Signal(WAYS // 2)  # the older of two
        is_last_pair = Signal()
        chosen = Signal(range(WAYS))
        m.d.comb += self.remember_ready.eq(~is_busy & self.init_done)
        with m.FSM(name="replacement"):
            with m.State("IDLE"), m.If(self.remember_valid & self.remember_ready):
                m.d.sync += [
                    new.key.eq(self.remember_key),
                    new.passed_ns.eq(self.remember_t_ns),
                    is_busy.eq(1),
                ]
                m.next = "READ"
            with m.State("READ"):
                m.next = "COMPARE"
            with m.State("COMPARE"):
                m.next = "PAIRS"
            with m.State("PAIRS"):
                for i in range(WAYS // 2):
                    first, second = ages[2 * i], ages[2 * i + 1]
                    m.d.sync += [
                        high_less[i].eq(second[HALF_BITS:] < first[HALF_BITS:]),
                        high_not_more[i].eq(second[HALF_BITS:] <= first[HALF_BITS:]),
                        low_less[i].eq(second[:HALF_BITS] < first[:HALF_BITS]),
                    ]
                m.next = "JOIN"
            with m.State("JOIN"):
                m.d.sync += is_second.eq(high_less | (high_not_more & low_less))
                m.next = "OLDER"
            with m.State("OLDER"):
                m.d.sync += found.eq(was_same)
                for i, (index, age) in enumerate(zip(older, oldest_ages, strict=True)):
                    m.d.sync += [
                        index.eq(2 * i + is_second[i]),
                        age.eq(Mux(is_second[i], ages[2 * i + 1], ages[2 * i])),
                    ]
                m.next = "OLDEST"
            with m.State("OLDEST"):
                m.d.sync += is_last_pair.eq(oldest_ages[1] < oldest_ages[0])
                m.next = "CHOOSE"
            with m.State("CHOOSE"):
                m.d.sync += chosen.eq(Mux(is_last_pair, older[1], older[0]))
                for number in reversed(range(WAYS)):
                    with m.If(found[number]):
                        m.d.sync += chosen.eq(number)
                m.next = "WRITE"
            with m.State("WRITE"):  # in the next cycle, as the RAMs are far
                m.d.sync += writes.eq(Cat(chosen == number for number in range(WAYS)))
                m.next = "WRITTEN"
            with m.State("WRITTEN"):
                m.d.sync += [writes.eq(0), is_busy.eq(0)]
                m.next = "IDLE"
        return m

    def _compare(
        self, m: Module, ways: list[SweptMemory]
    ) -> tuple[Value, list[Value], list[tuple[Value, ...]]]:
        """For each way, in cycle 2: whether the key is the same, when it passed, and of whether
        that is lately: the upper half below, not above, the lower half below.
        """
        key, key_later = Signal(self._key), Signal(self._key)
        earliest = Signal(TIME_BITS + 1)  # a passing after this is less than the window ago
        earliest_later = Signal.like(earliest)
        is_on = Signal()
        m.d.sync += [
            key.eq(self.key),
            key_later.eq(key),
            earliest.eq(self.t_ns - self.window_ns),
            is_on.eq(self.window_ns.any()),
            earliest_later.eq(Mux(is_on, earliest, (1 << TIME_BITS) - 1)),  # nothing is after that
        ]
        low, high = earliest_later[:HALF_BITS], earliest_later[HALF_BITS:].as_signed()
        same, ages, is_below = [], [], []
        for way in ways:
            row = way.read_data[0]
            age = row.passed_ns
            same.append(row.key.as_value() == key_later.as_value())  # in one chain of carries
            ages.append(age)
            late = age[HALF_BITS:]
            is_below.append((high < late, high <= late, low < age[:HALF_BITS]))
        return Cat(*same), ages, is_below
