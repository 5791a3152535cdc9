# SPDX-License-Identifier: Apache-2.0
"""The prover tells apart what holds, what fails, and what induction can not say."""

from pathlib import Path

import pytest
from amaranth.hdl import Assert, Assume, Cover, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw import formal
from hw.tools import ToolError


class Bucket(wiring.Component):
    """Counts takes up to ``cap``."""

    take: In(1)
    level: Out(4)

    def __init__(self, cap: int) -> None:
        self.cap = cap
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        with m.If(self.take & (self.level != self.cap)):
            m.d.sync += self.level.eq(self.level + 1)
        return m


class BucketSpec(wiring.Component):
    """The level never passes 9, and 7 is reached."""

    take: In(1)

    def __init__(self, cap: int, bounded: bool = True, idle: bool = False) -> None:
        self.cap, self.bounded, self.idle = cap, bounded, idle
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.bucket = bucket = Bucket(self.cap)
        m.d.comb += bucket.take.eq(self.take)
        if self.bounded:
            m.d.comb += Assert(bucket.level <= 9)
        if self.idle:
            m.d.comb += Assume(~self.take)
        m.d.comb += Cover(bucket.level == 7)
        return m


def test_what_holds_is_proved() -> None:
    proof = formal.prove(BucketSpec(9), "bucket", depth=3, fresh=True)
    assert proof.holds and "k-induction" in proof.text


def test_a_mutant_fails_with_a_trace() -> None:
    proof = formal.prove(BucketSpec(10), "bucket", depth=12, fresh=True)
    assert proof.verdict == "fails" and "test_formal.py" in proof.text
    assert proof.trace is not None and "level" in Path(proof.trace).read_text()
    assert Path(proof.trace).name == "trace.vcd"
    again = formal.prove(BucketSpec(10), "bucket", depth=12)
    assert again == proof


def test_beyond_the_depth_nothing_is_said() -> None:
    assert formal.prove(BucketSpec(10), "bucket", depth=5, mode="bmc").holds
    assert formal.prove(BucketSpec(10), "bucket", depth=5).verdict == "unknown"
    assert formal.prove(BucketSpec(10, idle=True), "bucket", depth=12, mode="bmc").holds


def test_cover_shows_what_can_not_happen() -> None:
    assert formal.prove(BucketSpec(9), "bucket", depth=10, mode="cover").holds
    assert not formal.prove(BucketSpec(9, idle=True), "bucket", depth=10, mode="cover").holds


def test_a_specification_without_assertion_is_refused() -> None:
    with pytest.raises(ToolError, match="nothing to assert"):
        formal.prove(BucketSpec(9, bounded=False), "bucket", depth=3)
