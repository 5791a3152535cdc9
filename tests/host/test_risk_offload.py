# SPDX-License-Identifier: Apache-2.0
"""The host's gate with a card's gate beside it: the same verdicts, or a full stop."""

from __future__ import annotations

import os
from typing import Any

import pytest
from reference_card import ReferenceCard, card_gate

from host.interfaces import Recorder
from host.risk.gate import RiskGate
from host.risk.reference_request import NEW
from nic.offload.card import CardMismatch
from nic.offload.enumerations import ALL_CHECKS
from nic.offload.limits import widest_limits
from sim.risk_driver import ORDERS, SYMBOLS, Pair, new_gate

SEED = int(os.environ.get("TICKWIRE_SEED", "42"))
ORDER = {"action": NEW, "quantity": 100, "price": 10_000, "t_ns": 5_000}
LIMITS = widest_limits()


class Beside(Pair):
    """The driver's gate has a card beside it."""

    def make_gate(self) -> Any:
        self.card = ReferenceCard(SYMBOLS, ORDERS)
        return new_gate(offload=card_gate(self.card))


@pytest.fixture
def card() -> ReferenceCard:
    return ReferenceCard(SYMBOLS, ORDERS)


def gate_of(card: ReferenceCard, recorder: Recorder | None = None, **options: Any) -> RiskGate:
    gate = new_gate(recorder=recorder, offload=card_gate(card, **options))
    gate.set_limits(None, LIMITS, 1)
    gate.set_session_up(0, True)
    return gate


def stands(gate: RiskGate, failure: str) -> None:
    """The card is out for this reason, and nothing new passes."""
    found = gate.card_failure()
    assert found is not None and found["failure"] == failure
    assert gate.offload is not None and gate.offload.failure_name == failure
    assert gate.kills()["global"] is True
    assert gate.submit_order(**ORDER) == 0
    assert gate.last_reason_name == "kill_global"


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_random_steps_leave_both_in_step(seed: int) -> None:
    print(f"seed {seed}")
    pair = Beside(seed)
    for _ in range(3_000):
        pair.step()
        assert pair.card.error is None, pair.where()
    offload = pair.gate.offload
    counters = offload.counters()
    assert not offload.has_failed
    assert counters["verdicts"] > 800 and counters["passes"] > 100
    assert counters["differences"] == counters["not_asked"] == 0
    totals = pair.card.gate.exposures.totals()
    assert totals == pair.gate.exposures.totals()
    assert pair.card.gate.daily_totals() == pair.gate.daily_totals()
    assert pair.card.gate.counters() == pair.gate.counters()


def test_the_verdicts_time_is_the_one_that_counts(card: ReferenceCard) -> None:
    card.delay_ns = 640
    gate = gate_of(card)
    slow = widest_limits(ALL_CHECKS)
    gate.set_limits(None, slow, 2)
    for number in range(40):
        gate.submit_order(**{**ORDER, "t_ns": 5_000 + number})
    assert gate.card_failure() is None


def spoilt(**changes: Any) -> Any:
    return lambda fields: {**fields, **changes}


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"passed": 0, "reason": 12}, "verdict_differs"),
        ({"passed": 0}, "verdict_differs"),
        ({"user_ref_num": 7}, "number_differs"),
        ({"pass_number": 9}, "pass_number_differs"),
        ({"tag": 99}, "request_differs"),
        ({"record_number": 5}, "records"),
    ],
)
def test_a_difference_stops_everything(
    card: ReferenceCard, changes: dict[str, int], failure: str
) -> None:
    gate = gate_of(card)
    number = gate.submit_order(**ORDER)
    assert number == 1
    card.spoil = spoilt(**changes)
    assert gate.submit_order(**ORDER) == 0
    stands(gate, failure)
    assert card.gate.switches.is_killed("global")  # the card is told, too
    # a cancel still passes, and nobody can take the kill back
    assert gate.submit_order(action=2, user_ref_num=number, t_ns=6_000) == number
    gate.arm_reset()
    with pytest.raises(RuntimeError, match="out of step"):
        gate.reset_kill()


def test_what_differs_is_said(card: ReferenceCard) -> None:
    gate = gate_of(card)
    card.spoil = spoilt(passed=0, reason=12)
    gate.submit_order(**ORDER)
    found = gate.card_failure()
    assert found is not None
    assert found["host_reason"] == "passed" and found["host_user_ref_num"] == 1
    assert found["card_reason"] != "passed"


def test_no_answer_is_no_pass(card: ReferenceCard) -> None:
    gate = gate_of(card, polls=10)
    card.spoil = lambda fields: None
    assert gate.submit_order(**ORDER) == 0
    stands(gate, "no_answer")


def test_what_is_no_record_is_no_pass(card: ReferenceCard) -> None:
    gate = gate_of(card)
    card.out.append(b"X" * 64)
    assert gate.submit_order(**ORDER) == 0
    stands(gate, "records")


def test_a_command_waits_for_room_but_not_for_ever(card: ReferenceCard) -> None:
    gate = gate_of(card, polls=10)
    card.refuses = 5
    assert gate.submit_order(**ORDER) == 1
    assert gate.offload is not None and gate.offload.counters()["waits"] == 5
    card.refuses = 1_000
    assert gate.submit_order(**ORDER) == 0
    stands(gate, "command_refused")


def test_a_planted_difference_is_found(card: ReferenceCard) -> None:
    gate = new_gate(offload=card_gate(card, planted="maximum_quantity_shares"))
    gate.set_limits(None, widest_limits(ALL_CHECKS), 1)
    gate.set_session_up(0, True)
    gate.set_market_phase(3)
    top = {
        "bid_price": 9_900, "ask_price": 10_000, "last_price": 10_000, "updated_ns": 4_000,
        "trading_state": ord("T"), "short_sale_state": ord("0"), "band_lower_price": 9_000,
        "band_upper_price": 11_000,
    }  # fmt: skip
    gate.set_top(0, top)
    assert gate.submit_order(**ORDER) == 0
    found = gate.card_failure()
    assert found is not None
    assert found["host_reason"] == "passed" and found["card_reason"] == "maximum_quantity"


def test_only_a_limit_can_be_planted(card: ReferenceCard) -> None:
    with pytest.raises(CardMismatch, match="no limit 'nonsense'"):
        card_gate(card, planted="nonsense")


def test_a_heartbeat_lost_by_the_timer_is_lost_there_too(card: ReferenceCard) -> None:
    gate = gate_of(card)
    values = {**{n: getattr(LIMITS, n) for n in LIMITS.__dataclass_fields__}}
    values["heartbeat_timeout_ns"] = 1_000
    gate.set_limits(None, type(LIMITS)(**values), 2)
    gate.heartbeat(5_000)
    gate.timer(7_000)
    assert card.commands[-1] == "timer"
    gate.submit_order(**{**ORDER, "t_ns": 6_500})  # the clock went back
    assert gate.last_reason_name == "heartbeat_lost"
    assert gate.card_failure() is None
