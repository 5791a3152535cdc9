# SPDX-License-Identifier: Apache-2.0
"""The tables that host and gateware share, and what is derived from limits."""

import os
from dataclasses import fields, replace
from random import Random

import pytest

from nic.offload import derived
from nic.offload.commands import COMMANDS, TELLS
from nic.offload.enumerations import (
    ALL_CHECKS,
    FIRST_OF_NEW_RISK,
    KILL_SCOPE,
    MARKET_PHASE,
    ORDER_TYPE,
    PHASE_OF_EVENT,
    RISK,
    checks,
)
from nic.offload.limits import CHECK_BITS, SCOPE_SYMBOL, Limits, limits_of_scope, widest_limits
from nic.wire.deep10 import DEEP10
from nic.wire.itch50 import ITCH50

SEED = int(os.environ.get("TICKWIRE_SEED", "1"))


def bits(name):
    """Bits of a limit."""
    return next(f.metadata["bits"] for f in fields(Limits) if f.name == name)


def test_masks_have_a_bit_for_each_entry():
    assert bits("enabled_checks") == CHECK_BITS == RISK.count
    assert bits("allowed_order_types") == ORDER_TYPE.count
    assert bits("allowed_phases") == MARKET_PHASE.count
    assert checks(*RISK.names[FIRST_OF_NEW_RISK:]) == ALL_CHECKS
    assert checks("self_trade", "self_trade") == 1 << RISK.value("self_trade")
    with pytest.raises(KeyError):
        checks("no_such_check")


def test_every_system_event_has_a_phase():
    for protocol, name in ((ITCH50, "event_code"), (DEEP10, "system_event")):
        message = next(m for m in protocol.messages if m.name == "system_event")
        text = next(f.meaning for f in message.fields if f.name == name)
        codes = {code for code in map(chr, range(ord("A"), ord("["))) if f"'{code}'" in text}
        assert len(codes) == 6
        assert codes <= PHASE_OF_EVENT.keys()


def test_limits_of_symbols_come_first():
    names = [f.name for f in fields(Limits)]
    symbols = list(limits_of_scope(SCOPE_SYMBOL))
    assert names[: len(symbols)] == symbols


@pytest.mark.parametrize("width", [20, 31, 32])
def test_divisors_tell_multiples(width):
    random = Random(SEED)
    top = (1 << width) - 1
    for _ in range(4_000):
        number = random.randrange(1, 1 << random.randrange(1, width))
        test = derived.divisor(number, width)
        multiple = number * random.randrange(1, top // number + 1)
        for value in (multiple, multiple - 1, multiple + 1, random.randrange(1, top), top):
            if 0 < value <= top:
                assert test.divides(value) == (value % number == 0), (SEED, number, value)
    assert not any(derived.divisor(0, width).divides(value) for value in (1, 2, top))


def test_buckets():
    assert derived.bucket(3, 2) == derived.Bucket(333_333_334, 333_333_334, False)
    assert derived.bucket(0, 5).is_closed
    assert derived.bucket(5, 0).is_closed
    widest = derived.session_bucket(replace(widest_limits(), message_rate_per_second=1))
    assert widest.interval_ns < 1 << derived.INTERVAL_BITS
    assert widest.tolerance_ns < 1 << derived.TOLERANCE_BITS


@pytest.mark.parametrize("limit", [0, 1, 9, 10, 11, (1 << 62) - 1])
def test_the_alert_is_above_seventy_percent(limit):
    above = derived.credit_alert_above(replace(widest_limits(), maximum_credit=limit))
    for used in (above - 1, above, above + 1):
        assert (used > above) == (10 * used > 7 * limit)


def test_commands_have_names_and_widths_of_their_own():
    names = [command.name for command in (*COMMANDS, *TELLS)]
    assert len(set(names)) == len(names)
    for command in (*COMMANDS, *TELLS):
        arguments = [argument.name for argument in command.arguments]
        assert len(set(arguments)) == len(arguments)
        assert command.bits == sum(argument.bits for argument in command.arguments)
        assert all(0 < argument.bits <= 64 for argument in command.arguments)
    scope = next(c for c in COMMANDS if c.name == "kill").arguments[0]
    assert KILL_SCOPE.count <= 1 << scope.bits
