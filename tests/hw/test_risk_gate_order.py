# SPDX-License-Identifier: Apache-2.0
"""What comes while a request is on its way: kills count until the last cycle, the rest waits."""

from dataclasses import replace

import numpy as np
import pytest

from host.risk.reference import ReferenceGate
from host.risk.reference_request import BUY, Request
from hw.ledger_ports import KINDS
from hw.limits_table import Commit, ShadowWrite
from nic.offload.enumerations import KILL_SCOPE, MARKET_PHASE, RISK
from nic.offload.limit_words import words_of
from nic.offload.limits import Limits
from sim.gateware import equality_gate, harness, rows
from sim.gateware.gate_bench import GatewareGate

pytestmark = pytest.mark.timeout(900)  # compiling, or proving, on a busy machine

T_NS = 10**12
FIRE, LAST, VERDICT = 3, 3, 5
"""Cycles of a request of the trigger behind its prefetch."""
SYMBOLS = 4
OPEN = dict.fromkeys(("is_allowed",), 1) | {
    "allowed_order_types": 0xFF,
    "allowed_phases": 0x1F,
    "maximum_quantity_shares": 999_999,
    "maximum_notional": (1 << 51) - 1,
    "maximum_long_position_shares": 10_000,
    "maximum_short_position_shares": 10_000,
    "maximum_gross_notional": (1 << 62) - 1,
}
TOP = {
    "bid_price": 9_990,
    "ask_price": 10_000,
    "last_price": 9_995,
    "updated_ns": T_NS,
    "trading_state": ord("T"),
    "short_sale_state": ord("0"),
    "band_lower_price": 1,
    "band_upper_price": 1 << 30,
}


def open_limits() -> Limits:
    """Limits of positions and nothing else."""
    names = ("maximum_long_position", "maximum_short_position", "symbol_halted", "self_trade")
    checks = sum(1 << RISK.value(name) for name in names)
    values = dict.fromkeys(Limits.__dataclass_fields__, 0) | OPEN | {"enabled_checks": checks}
    return Limits(**values)


@pytest.fixture(scope="module")
def model():
    return equality_gate.model()


@pytest.fixture
def pair(model):
    """A gate and its reference, open for trading."""
    gate, reference = GatewareGate(model), ReferenceGate(SYMBOLS, 16)
    gate.set_symbol_count(SYMBOLS)
    gate.set_time(T_NS)
    for each in (gate, reference):
        each.set_limits(None, open_limits(), 1)
        each.set_session_up(0, True)
        each.set_market_phase(MARKET_PHASE.value("market"))
    for symbol in range(SYMBOLS):
        gate.set_top(symbol, TOP)
        reference.set_top(symbol, TOP)
    gate.run(gate.inputs(30))
    return gate, reference


def fire(gate, inputs, at, request, tag=0):
    """A request of the trigger with its prefetch in cycle ``at``."""
    fields = {
        "side": request.side,
        "time_in_force": request.time_in_force,
        "symbol_index": request.symbol_index,
        "quantity": request.quantity,
        "price": request.price,
        "strategy": request.strategy_id,
        "tag": tag,
    }
    inputs["trigger__prefetch"][at] = request.symbol_index
    inputs["trigger__candidate"][at + 2] = gate.row("trigger__candidate", **fields)[0]
    inputs["trigger__offers"][at + FIRE] = inputs["trigger__fire"][at + FIRE] = 1


@pytest.mark.parametrize("scope", ["global", "session", "strategy", "symbol"])
@pytest.mark.parametrize("behind", range(-1, 8))
def test_a_kill_in_flight_refuses_until_the_last_cycle(pair, scope, behind):
    gate, _ = pair
    request = Request(0, BUY, 100, 9_990, symbol_index=2, strategy_id=1)
    number = {"global": 0, "session": 0, "strategy": 1, "symbol": 2}[scope]
    inputs = gate.inputs(80)
    fire(gate, inputs, 1, request)
    inputs["switch_valid"][1 + behind] = 1
    inputs["switch"][1 + behind] = gate.row(
        "switch", step=0, scope=KILL_SCOPE.value(scope), id=number
    )[0]
    start = gate.model.cycle
    (row,) = gate.run(inputs)
    verdict = gate.verdict(row)
    assert gate.cycle_of(row) - start == 1 + VERDICT
    assert verdict["passed"] == (behind > LAST)
    assert verdict["reason"] == (0 if behind > LAST else RISK.value(f"kill_{scope}"))


@pytest.mark.parametrize("behind", range(-30, 30))
def test_a_fill_around_a_request_is_before_it_or_after_it(pair, behind):
    """Two hundred shares are bought: with them the request is one hundred beyond the limit."""
    gate, reference = pair
    start = 40
    inputs = gate.inputs(160)
    request = Request(0, BUY, 9_900, 9_990, symbol_index=2)
    fire(gate, inputs, start, request)
    told = gate.row(
        "tell__payload", kind=KINDS["fill"], user_ref_num=99, symbol_index=2, side=BUY,
        quantity=200, price=9_990,
    )  # fmt: skip
    begin = gate.model.cycle
    tell = harness.Feed(told, not_before=begin + start + behind)
    (row,) = gate.run(inputs, tell=tell)
    fill = ("fill", 99, 2, BUY, 200, 9_990)
    is_before = int(tell.taken_at[0]) < begin + start + FIRE
    if is_before:
        reference.exposures.tell(*fill)
    number = reference.submit(request, T_NS)
    verdict = gate.verdict(row)
    assert (verdict["user_ref_num"], verdict["reason"]) == (number, reference.last_reason)
    assert is_before == (number == 0)
    waited = gate.cycle_of(row) - begin - start
    assert waited == VERDICT or -60 < behind < FIRE


@pytest.mark.parametrize("behind", range(-20, 12))
def test_new_limits_around_a_request_hold_for_it_or_not(pair, behind):
    """A commit is taken before the request or waits; offered for one cycle, it may be lost."""
    gate, _ = pair
    words = words_of(replace(open_limits(), maximum_long_position_shares=100))
    start = len(words) + 30
    inputs = gate.inputs(start + 120)
    inputs["shadow_valid"][: len(words)] = 1
    inputs["shadow"][: len(words)] = harness.pack_rows(
        ShadowWrite,
        {"number": np.arange(len(words)), "value": np.array(words, np.uint64)},
        len(words),
    )
    fire(gate, inputs, start, Request(0, BUY, 200, 9_990, symbol_index=2))
    inputs["commit_valid"][start + behind] = 1
    committed = harness.pack(Commit, {"is_default": 1, "sequence_number": 2})
    bits = gate.model.ports["commit"].width_bits
    inputs["commit"][start + behind] = rows.port_array(rows.from_int(committed, bits)[None], bits)[
        0
    ]
    outputs = gate.model.run(inputs)
    is_taken = bool(outputs["commit_ready"][start + behind])
    (row,) = outputs[outputs["explained__valid"] == 1]
    assert outputs["accepted"].sum() == is_taken
    assert is_taken or behind >= FIRE
    assert gate.verdict(row)["passed"] == (behind >= FIRE)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_top_that_is_changing_is_not_looked_at(pair, is_told):
    """The symbol seems halted for some cycles around a request: told of it, the gate waits."""
    gate, _ = pair
    start, passed, waited = 20, [], []
    for behind in range(-8, 10):
        for length in (1, 2, 5):
            inputs = gate.inputs(100)
            fire(gate, inputs, start, Request(0, BUY, 1, 9_990, symbol_index=2))
            begin, end = start + behind, start + behind + length
            inputs["top_is_changing"][begin:end] = int(is_told)
            for cycle, state in ((begin, "H"), (end, "T")):  # a write is seen two cycles later
                inputs["top_write"][cycle - 2], inputs["top_index"][cycle - 2] = 1, 2
                inputs["top"][cycle - 2] = gate.row("top", **TOP | {"trading_state": ord(state)})[0]
            at = gate.model.cycle + start
            (row,) = gate.run(inputs)
            verdict = gate.verdict(row)
            assert verdict["reason"] in (0, RISK.value("symbol_halted"))
            passed.append(verdict["passed"])
            waited.append(gate.cycle_of(row) - at - VERDICT)
            if verdict["passed"]:
                gate.tell("closed", verdict["user_ref_num"])
    assert all(passed) == is_told
    assert any(waited) == is_told
    assert not all(waited)
