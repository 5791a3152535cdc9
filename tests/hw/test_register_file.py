# SPDX-License-Identifier: Apache-2.0
"""The register file against its table, register by register, and the counters it reads."""

import os
from random import Random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from hw.counter_bank import CounterBank
from hw.register_file import FIXED, READ_CYCLES, RegisterFile, is_bank
from nic.offload.register_map import Placed
from nic.offload.registers import IDENTITY, REGISTERS
from sim.gateware import harness

# Components that refuse their arguments are never elaborated.
pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

SEED = int(os.environ.get("TICKWIRE_SEED", "11"))
CONSTANTS = {
    f"identity.{r.name}": Random(i).getrandbits(64)
    for i, r in enumerate(IDENTITY.registers)
    if f"identity.{r.name}" not in FIXED
}


def port(placed: Placed, part: str = "") -> str:
    """The port of a register in the compiled model."""
    name = f"{placed.block.name}__{placed.register.name}"
    return f"{name}__{part}" if part else name


@pytest.fixture(scope="module")
def made():
    """The register file, compiled once."""
    return harness.model(RegisterFile(CONSTANTS), "register_file", seed=SEED)


def test_every_word_reads_what_it_must(made) -> None:
    """Random words in every register; every address of the map is read, one per cycle."""
    rng = Random(SEED)
    print(f"TICKWIRE_SEED={SEED}")
    inputs: dict[str, object] = {}
    expected = np.zeros(REGISTERS.size_bytes // 8, np.uint64)
    kept, bank_values = {}, {}
    for placed in REGISTERS:
        register, at = placed.register, placed.address // 8
        values = [rng.getrandbits(register.bits) for _ in range(register.count)]
        if register.access == "constant":
            values = [(FIXED | CONSTANTS)[placed.path]]
        elif is_bank(register):
            bank_values[placed.path] = values
        elif register.access == "read":
            whole = sum(v << (register.bits * i) for i, v in enumerate(values))
            inputs[port(placed)] = whole
        elif register.access == "read_write":
            kept[placed.path] = values
        else:
            values = [0]
        expected[at : at + register.count] = values
    writes = [(REGISTERS[p].word(i), v) for p, vs in kept.items() for i, v in enumerate(vs)]
    cycles = len(writes) + len(expected) + 8
    write = np.zeros((3, cycles), np.uint64)
    for cycle, (address, value) in enumerate(writes):
        write[:, cycle] = (1, address, value)
    addresses = np.zeros(cycles, np.uint64)
    addresses[len(writes) : len(writes) + len(expected)] = 8 * np.arange(len(expected))
    # A bank's value follows its index by two cycles; the index is the low bits of the address.
    for path, values in bank_values.items():
        placed = REGISTERS[path]
        room = max(placed.register.room_bytes // 8, 4)
        words = (addresses // 8).astype(np.int64) % room
        shown = np.zeros(cycles, np.uint64)
        table = np.array(values + [0xDEAD] * (room - len(values)), np.uint64)
        shown[2:] = table[words[:-2]]
        inputs[port(placed, "value")] = shown
    rows = made.run(
        {
            "write_valid": write[0],
            "write_address": write[1],
            "write_data": write[2],
            "read_address": addresses,
            **inputs,
        },
    )
    start = len(writes) + READ_CYCLES
    found = rows["read_data"][start : start + len(expected)]
    wrong = np.flatnonzero(found != expected)
    assert not len(wrong), [(hex(8 * i), hex(found[i]), hex(expected[i])) for i in wrong[:5]]


def test_a_write_reaches_its_register_alone(made) -> None:
    """Random words to every address of the map, with pauses: kept values and pulses."""
    rng = Random(SEED + 1)
    words = REGISTERS.size_bytes // 8
    order = [8 * rng.randrange(words) for _ in range(3000)] + [8 * i for i in range(words)]
    cycles = len(order) + 2
    valid = np.array([rng.random() < 0.8 for _ in range(cycles)], np.uint64)
    valid[-2:] = 0
    data = np.array([rng.getrandbits(64) for _ in range(cycles)], np.uint64)
    addresses = np.array([*order, 0, 0], np.uint64)
    fresh = harness.model(RegisterFile(CONSTANTS), "register_file", seed=SEED)
    rows = fresh.run({"write_valid": valid, "write_address": addresses, "write_data": data})
    for placed in REGISTERS:
        register = placed.register
        mask = np.uint64((1 << register.bits) - 1)
        if register.access == "write":
            hits = (valid == 1) & (addresses == placed.address)
            assert (rows[port(placed, "valid")][1:] == hits[:-1]).all(), placed.path
            at = np.flatnonzero(hits)
            got = rows[port(placed, "payload")][at + 1]
            assert len(at)
            assert (got == data[at] & mask).all(), placed.path
        elif register.access == "read_write" and register.count == 1:
            value = np.full(cycles, register.reset, np.uint64)
            for cycle in np.flatnonzero((valid == 1) & (addresses == placed.address)):
                value[cycle + 1 :] = data[cycle] & mask
            assert (rows[port(placed)] == value).all(), placed.path


def test_constants_must_be_complete() -> None:
    with pytest.raises(ValueError, match=r"identity\.feed"):
        RegisterFile({k: v for k, v in CONSTANTS.items() if k != "identity.feed"})
    with pytest.raises(ValueError, match="more"):
        RegisterFile(CONSTANTS | {"identity.more": 1})
    with pytest.raises(ValueError, match="does not fit"):
        RegisterFile(CONSTANTS | {"identity.feed": 1 << 64})


@pytest.mark.parametrize("count", [1, 5, 24])
def test_counters(count: int) -> None:
    """Random events, every one counted; the RAM begins with garbage."""
    bank = CounterBank(count)
    made = harness.model(bank, f"counter_bank_{count}", seed=SEED)
    rng = np.random.default_rng(SEED)
    total = np.zeros(count, np.uint64)
    for share in (0.02, 0.5, 1.0):
        busy = 20 * bank.depth + 7
        bits = rng.random((busy, count)) < share
        total += bits.sum(axis=0).astype(np.uint64)
        events = (bits * (1 << np.arange(count, dtype=np.uint64))).sum(axis=1).astype(np.uint64)
        quiet = bank.lag_cycles
        reads = np.arange(bank.depth, dtype=np.uint64)
        made.run({"events": events}, when=None)
        rows = made.run(
            {
                "events": np.zeros(quiet + bank.depth + 2, np.uint64),
                "index": np.concatenate([np.zeros(quiet, np.uint64), reads, [0, 0]]).astype(
                    np.uint64
                ),
            },
        )
        assert rows["init_done"].all()
        shown = rows["value"][quiet + 2 :]
        assert shown[:count].tolist() == total.tolist()
        assert not shown[count:].any()


class Counted(wiring.Component):
    """A register file with one of its banks behind it."""

    def __init__(self) -> None:
        self.file = RegisterFile(CONSTANTS)
        bus = ("write_valid", "write_address", "write_data", "read_address", "read_data")
        members = {name: self.file.signature.members[name] for name in bus}
        self.bank = CounterBank(REGISTERS["arbiter.counters"].register.count)
        super().__init__({**members, "events": self.bank.signature.members["events"]})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.file, m.submodules.bank = self.file, self.bank
        for name in ("write_valid", "write_address", "write_data", "read_address"):
            m.d.comb += getattr(self.file, name).eq(getattr(self, name))
        counters = self.file.arbiter.counters
        m.d.comb += [
            self.read_data.eq(self.file.read_data),
            self.bank.events.eq(self.events),
            self.bank.index.eq(counters.index),
            counters.value.eq(self.bank.value),
        ]
        return m


def test_a_bank_behind_the_register_file() -> None:
    made = harness.model(Counted(), "counted", seed=SEED)
    placed = REGISTERS["arbiter.counters"]
    made.run({"events": np.full(5, 1 << 3, np.uint64)}, when=None)
    made.run({"events": np.full(7, 1, np.uint64)}, when=None)
    made.run(cycles=100, when=None)
    addresses = np.array([placed.word(i) for i in range(placed.register.count)] + [0] * 8)
    rows = made.run({"read_address": addresses.astype(np.uint64)})
    found = rows["read_data"][READ_CYCLES : READ_CYCLES + placed.register.count].tolist()
    assert found == [7, 0, 0, 5, *[0] * (placed.register.count - 4)]
