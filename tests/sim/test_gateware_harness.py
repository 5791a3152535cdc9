# SPDX-License-Identifier: Apache-2.0
"""The harness against components whose behaviour is plain: values, cycles, garbage, handshakes."""

import os

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from sim.gateware import harness, rows
from sim.gateware.harness import Feed

SEED = int(os.environ.get("TICKWIRE_SEED", "7"))

PAIR = data.StructLayout(
    {"narrow": 3, "wide": 90, "number": signed(17), "inner": data.StructLayout({"a": 64, "b": 5})}
)


class Mixer(wiring.Component):
    """Every width once, registered, and a sum that needs all of a cycle's inputs."""

    one: In(1)
    byte: In(8)
    word: In(33)
    big: In(131)
    pair: In(PAIR)
    one_q: Out(1)
    byte_q: Out(8)
    word_q: Out(33)
    big_q: Out(131)
    pair_q: Out(PAIR)
    now: Out(40)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.now.eq(self.word + self.byte)
        for name in ("one", "byte", "word", "big"):
            m.d.sync += getattr(self, f"{name}_q").eq(getattr(self, name))
        m.d.sync += self.pair_q.eq(self.pair)
        return m


class Store(wiring.Component):
    """A memory that is written and one that is only read."""

    address: In(4)
    value: In(16)
    write: In(1)
    found: Out(16)
    constant: Out(16)

    def elaborate(self, platform):
        m = Module()
        m.submodules.kept = kept = memory.Memory(shape=16, depth=16, init=[])
        m.submodules.fixed = fixed = memory.Memory(shape=16, depth=16, init=range(100, 116))
        write, read, look = kept.write_port(), kept.read_port(domain="comb"), fixed.read_port()
        m.d.comb += [
            write.addr.eq(self.address),
            write.data.eq(self.value),
            write.en.eq(self.write),
            read.addr.eq(self.address),
            self.found.eq(read.data),
            look.addr.eq(self.address),
            self.constant.eq(look.data),
        ]
        return m


class Taker(wiring.Component):
    """Takes from its stream while ``may`` says so, and shows what it took."""

    i: In(stream.Signature(24))
    may: In(1)
    total: Out(32)
    took: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(self.may)
        m.d.sync += self.took.eq(self.i.valid & self.may)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += self.total.eq(self.total + self.i.payload)
        return m


class Adder(wiring.Component):
    """No clock at all."""

    a: In(8)
    b: In(8)
    total: Out(9)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.total.eq(self.a + self.b)
        return m


def random_rows(random: np.random.Generator, count: int, width_bits: int) -> np.ndarray:
    octets = random.integers(0, 256, (count, 4 * -(-width_bits // 32)), np.uint8)
    octets[:, -(-width_bits // 8) :] = 0
    octets[:, width_bits // 8] &= (1 << width_bits % 8) - 1
    return octets


def test_every_width_arrives_in_its_cycle() -> None:
    print(f"seed {SEED}")
    random = np.random.default_rng(SEED)
    count = 500
    given = {
        "one": random.integers(0, 2, count),
        "byte": random.integers(0, 256, count),
        "word": random.integers(0, 1 << 33, count),
        "big": random_rows(random, count, 131),
        "pair": {
            "narrow": random.integers(0, 8, count),
            "wide": random_rows(random, count, 90),
            "number": random.integers(-(1 << 16), 1 << 16, count),
            "inner": {"a": random.integers(0, 1 << 63, count), "b": random.integers(0, 32, count)},
        },
    }
    with harness.model(Mixer(), "mixer", optimise="-O1") as model:
        found = model.run(given)
        assert list(found["cycle"]) == list(range(count))
        assert (found["now"] == given["word"] + given["byte"]).all()
        for name in ("one", "byte", "word", "big"):
            assert (found[f"{name}_q"][1:] == given[name][:-1]).all(), name
            assert not found[f"{name}_q"][0].any()
        pair = given["pair"]
        for name in ("narrow", "wide", "number"):
            assert (model.field(found, "pair_q", name)[1:] == pair[name][:-1]).all(), name
        for name in ("a", "b"):
            back = model.field(found, "pair_q", "inner", name)
            assert (back[1:] == pair["inner"][name][:-1]).all()
        assert model.fields(found[7], "pair_q")["number"] == pair["number"][6]
        wanted = model.run(given, when="one_q")
        assert list(wanted["cycle"] - count - 1) == [n for n in range(count - 1) if given["one"][n]]


def test_a_row_is_what_steps_are() -> None:
    random = np.random.default_rng(SEED)
    words = [int(word) for word in random.integers(0, 1 << 33, 50)]
    with (
        harness.model(Mixer(), "mixer", optimise="-O1") as at_once,
        harness.model(Mixer(), "mixer", optimise="-O1") as singly,
    ):
        singly.hold(one=1)
        at_once.hold(one=1)
        block = at_once.run({"word": np.array(words)})
        steps = [singly.step(word=word) for word in words]
        assert [step["word_q"] for step in steps] == [int(row["word_q"]) for row in block]
        assert [step["one_q"] for step in steps] == [0] + 49 * [1]
        assert singly.cycle == at_once.cycle == 50


def test_more_rows_than_one_call_captures() -> None:
    count = 150_000
    with harness.model(Mixer(), "mixer", optimise="-O1") as model:
        found = model.run({"word": np.arange(count)})
        assert (found["cycle"] == np.arange(count)).all()
        assert (found["word_q"][1:] == np.arange(count - 1)).all()
        assert len(model.run(cycles=10, when=None)) == 0
        assert model.cycle == count + 10


def test_reset_clears_registers_and_not_memories() -> None:
    with harness.model(Mixer(), "mixer", optimise="-O1") as model:
        model.step(word=5)
        model.reset()
        assert model.step()["word_q"] == 0
    with harness.model(Store(), "store", optimise="-O1") as model:
        model.step(address=3, value=77, write=1)
        model.reset()
        assert model.step(address=3)["found"] == 77


def test_written_memories_start_with_garbage() -> None:
    def contents(**options) -> tuple[list[int], list[int]]:
        with harness.model(Store(), "store", optimise="-O1", **options) as model:
            found = model.run({"address": np.arange(17) % 16})
            return [int(v) for v in found["found"][:16]], [int(v) for v in found["constant"][1:]]

    constants = list(range(100, 116))
    assert contents(random_memory=False) == (16 * [0], constants)
    first, second = contents(seed=1), contents(seed=2)
    assert first == contents(seed=1)
    assert first[0] != second[0] and len(set(first[0])) > 8
    assert first[1] == second[1] == constants


class Partial(wiring.Component):
    """A combinational signal of which most bits are never assigned: they are 0."""

    enable: In(1)
    out: Out(32)

    def elaborate(self, platform):
        m = Module()
        part = Signal(32)
        with m.If(self.enable):
            m.d.comb += part[8:16].eq(0xFF)
        m.d.sync += self.out.eq(part)
        return m


def test_bits_never_assigned_are_zero() -> None:
    for seed in range(3):
        with harness.model(Partial(), "partial", seed=seed) as model:
            model.step(enable=1)
            assert model.step(enable=0)["out"] == 0xFF00
            assert model.step(enable=0)["out"] == 0


def test_a_feed_waits_for_ready_and_for_its_cycle() -> None:
    random = np.random.default_rng(SEED)
    payloads = random.integers(0, 1 << 24, 100).astype(np.uint32)
    may = random.integers(0, 2, 600)
    not_before = np.sort(random.integers(0, 400, 100))
    feed = Feed(payloads, not_before)
    with harness.model(Taker(), "taker", optimise="-O1") as model:
        first = model.run({"may": may[:300]}, feeds={"i": feed})
        assert 0 < feed.taken < 100
        second = model.run({"may": may[300:]}, feeds={"i": feed})
        assert feed.taken == 100
        assert second["total"][-1] == payloads.sum()
        assert (feed.taken_at >= not_before).all()
        assert may[feed.taken_at].all()
        took = np.concatenate([first["took"], second["took"]])
        assert list(np.flatnonzero(took) - 1) == list(feed.taken_at)


def test_a_block_without_clock() -> None:
    with harness.model(Adder(), "adder", optimise="-O1") as model:
        assert model.step(a=200, b=100)["total"] == 300


def test_values_that_do_not_fit_are_refused() -> None:
    with harness.model(Mixer(), "mixer", optimise="-O1") as model:
        too_wide = np.full((1, 20), 255, np.uint8)
        for wrong in (
            {"one": 2},
            {"byte": np.array([256])},
            {"big": 1 << 131},
            {"big": too_wide},
            {"pair": {"narrow": np.array([8])}},
            {"pair": {"number": np.array([1 << 16])}},
            {"nothing": 1},
            {"byte_q": 1},
        ):
            with pytest.raises((ValueError, KeyError)):
                model.run(wrong, cycles=1)
        with pytest.raises(ValueError, match="no output"):
            model.run(cycles=1, when="one")


def test_structures_as_numbers() -> None:
    fields = {"narrow": 5, "wide": 1 << 89, "number": -3, "inner": {"a": 9, "b": 31}}
    assert rows.unpack(PAIR, rows.pack(PAIR, fields)) == fields
    with pytest.raises(ValueError, match="narrow"):
        rows.pack(PAIR, {"narrow": 8})


def test_ports_must_be_signals() -> None:
    class Constant(wiring.Component):
        o: Out(stream.Signature(8, always_ready=True))

        def elaborate(self, platform):
            m = Module()
            m.d.comb += self.o.payload.eq(Cat(1, 0))
            return m

    component = Constant()
    component._MustUse__silence = True  # it is refused before it would be used
    with pytest.raises(TypeError, match=r"o\.ready"):
        harness.model(component, "constant")


def test_the_compiler_of_verilog_is_heard() -> None:
    from sim.gateware import compile as compiling

    with pytest.raises(harness.ToolError, match="verilator"):
        compiling.library("broken", "module broken(input clk; endmodule\n", "")
