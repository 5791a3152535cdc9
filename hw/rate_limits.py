# SPDX-License-Identifier: Apache-2.0
"""Token buckets by session, symbol and strategy.

A bucket is kept as the time at which it will be full again (``nic/offload/derived.py``): a token is
there while that time is at most the tolerance ahead; taking it moves the time one interval on.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.carry_save import exceeds
from hw.risk_rows import TIME_BITS
from hw.swept_memory import SweptMemory
from nic.offload.derived import INTERVAL_BITS, TOLERANCE_BITS

KINDS = ("session", "symbol", "strategy")


def bucket_words(interval_bits: int, tolerance_bits: int) -> data.StructLayout:
    """The words of a bucket."""
    return data.StructLayout(
        {"interval_ns": interval_bits, "tolerance_ns": tolerance_bits, "is_closed": 1}
    )


bucket_layout = bucket_words(INTERVAL_BITS, TOLERANCE_BITS)
"""``<kind>_interval_ns`` and so on in ``nic/offload/limit_words.py``."""


class Bucket(wiring.Component):
    """The buckets of one kind; two to ``bits`` of them.

    ``index`` in cycle 0 (with ``is_immediate``: in cycle 2) is the one that is asked for in cycle
    3, when ``limit`` and ``t_ns`` are given for it; ``is_empty`` in cycle 4 says that it has no
    token. ``take``, with ``index``, ``take_t_ns`` and ``limit`` held until ``is_taken``: take a
    token if there is one; meanwhile nothing is answered.
    """

    def __init__(
        self,
        bits: int,
        is_immediate: bool = False,
        words: data.StructLayout = bucket_layout,
        time_bits: int = TIME_BITS,
    ) -> None:
        """``is_immediate`` is for a few dozen buckets; raises ``ValueError`` outside 1 to 16.

        ``words`` and ``time_bits`` may be narrower, for proofs.
        """
        if not 1 <= bits <= 16:
            raise ValueError(f"bits {bits} is not from 1 to 16")
        self.bits = bits
        self.is_immediate = is_immediate
        self._full_bits = time_bits + 1
        super().__init__(
            {
                "index": In(bits),
                "limit": In(words),
                "t_ns": In(time_bits),
                "is_empty": Out(1),
                "take": In(1),
                "take_t_ns": In(time_bits),
                "is_taken": Out(1),
                "is_granted": Out(1),  # with is_taken: there was one
                "full_ns": Out(self._full_bits),  # where immediate: of the index of a cycle before
                "init_done": Out(1),
            }
        )

        self.taking = Signal(6)
        """A register, for proofs: one bit per step of taking a token."""

    def elaborate(self, platform: object) -> Module:
        """One reading port: taking has it while it lasts."""
        m = Module()
        m.submodules.table = table = SweptMemory(
            self._full_bits,
            1 << self.bits,
            registered=not self.is_immediate,
            is_immediate=self.is_immediate,
            may_collide=self.is_immediate,
        )
        address, row = table.read()
        next_ns, index_later = Signal(self._full_bits), Signal(self.bits)
        m.d.sync += [index_later.eq(self.index), next_ns.eq(row)]
        taking, is_taking = self.taking, Signal()
        m.d.comb += [
            self.init_done.eq(table.init_done),
            address.eq(self.index),
        ]
        m.d.sync += [
            taking.eq(Cat(self.take, taking[:-1])),
            is_taking.eq(self.take | taking[:-1].any()),  # that any bit of it is 1
        ]
        t_ns = Mux(is_taking, self.take_t_ns, self.t_ns)
        is_closed = Signal()
        lacks = exceeds(m, [next_ns], [t_ns, self.limit.tolerance_ns], parts=3)
        m.d.sync += is_closed.eq(self.limit.is_closed)
        m.d.comb += self.is_empty.eq(is_closed | lacks)

        # step 0: raw; 1: registered, compared; 2: empty or not, the later time; 3: the sum;
        # 4: written
        later, moved, has_token = Signal(self._full_bits), Signal(self._full_bits), Signal()
        is_ahead, interval_ns = Signal(), Signal.like(self.limit.interval_ns)
        m.d.sync += [
            interval_ns.eq(self.limit.interval_ns),  # it stands still meanwhile
            is_ahead.eq(next_ns > self.take_t_ns),
            later.eq(Mux(is_ahead, next_ns, self.take_t_ns)),
            moved.eq(later + interval_ns),
        ]
        with m.If(taking[2]):
            m.d.sync += has_token.eq(~self.is_empty)
        m.d.comb += [
            table.write_enable.eq(taking[4] & has_token),
            table.write_address.eq(index_later),
            table.write_data.eq(moved),
            self.is_taken.eq(taking[5]),
            self.is_granted.eq(taking[5] & has_token),
            self.full_ns.eq(next_ns),
        ]
        return m


class RateLimits(wiring.Component):
    """The buckets of all kinds.

    ``symbol`` in cycle 0, ``strategy`` and ``session`` in cycle 2 are those of a request of cycle
    2, when ``t_ns`` is given; ``<kind>_limit`` are those of cycle 3. ``<kind>_is_empty`` in cycle 4
    says that there is no token. One request per cycle.
    ``take_valid``, ``take_t_ns``: a request passed; taken while ``take_ready``, and done when it is
    ready again (7 cycles). Until then ``symbol``, ``strategy``, ``session`` and the limits are to
    be that request's, the symbol from a cycle before the taking on. What is asked for meanwhile, or
    less than two cycles before, has no answer.
    """

    def __init__(self, symbol_bits: int = 10, strategy_bits: int = 4, venue_bits: int = 4) -> None:
        """Two to the power of each."""
        self._bits = {"session": venue_bits, "symbol": symbol_bits, "strategy": strategy_bits}
        members: dict[str, Any] = {
            "session": In(venue_bits),
            "symbol": In(symbol_bits),
            "strategy": In(strategy_bits),
            "t_ns": In(TIME_BITS),
            "take_valid": In(1),
            "take_t_ns": In(TIME_BITS),
            "take_ready": Out(1),
            "init_done": Out(1),
        }
        for kind in KINDS:
            members[f"{kind}_limit"] = In(bucket_layout)
            members[f"{kind}_is_empty"] = Out(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """The buckets side by side."""
        m = Module()
        taken_ns = Signal(TIME_BITS)
        is_busy, begins = Signal(), Signal()
        m.d.comb += self.take_ready.eq(self.init_done & ~is_busy)
        m.d.sync += begins.eq(self.take_valid & self.take_ready)
        done = Signal()
        t_before = Signal(TIME_BITS)
        m.d.sync += t_before.eq(self.t_ns)
        init_done: list[Value] = []
        for kind in KINDS:
            m.submodules[kind] = bucket = Bucket(self._bits[kind], kind != "symbol")
            m.d.comb += [
                bucket.index.eq(getattr(self, kind)),
                bucket.limit.eq(getattr(self, f"{kind}_limit")),
                bucket.t_ns.eq(t_before),
                getattr(self, f"{kind}_is_empty").eq(bucket.is_empty),
                bucket.take.eq(begins),
                bucket.take_t_ns.eq(taken_ns),
            ]
            if kind == "symbol":  # all take the same time
                m.d.comb += done.eq(bucket.is_taken)
            init_done.append(bucket.init_done)
        with m.If(self.take_valid & self.take_ready):
            m.d.sync += [taken_ns.eq(self.take_t_ns), is_busy.eq(1)]
        with m.Elif(done):
            m.d.sync += is_busy.eq(0)
        m.d.comb += self.init_done.eq(Cat(*init_done).all())
        return m
