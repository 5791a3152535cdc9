# SPDX-License-Identifier: Apache-2.0
"""The table of limits: whole sets, in order, default and own, while rows are read every cycle."""

import os
import random
from dataclasses import fields

import pytest

from hw.limits_table import LimitsTable
from nic.offload.limit_words import WORDS, words_of
from nic.offload.limits import SCOPE_SYMBOL, Limits
from sim.gateware import harness

SEED = int(os.environ.get("TICKWIRE_SEED", "31"))
SYMBOL_BITS = 3
SYMBOLS = 1 << SYMBOL_BITS
COMMIT_CYCLES = 4


@pytest.fixture
def model():
    """A table that starts with garbage, after its sweep."""
    made = harness.model(LimitsTable(SYMBOL_BITS), "limits_table", seed=SEED)
    assert not made.step()["commit_ready"]
    made.run(cycles=SYMBOLS + 1, when=None)
    assert made.step()["init_done"]
    return made


def some_limits(r: random.Random) -> Limits:
    """Any values that fit."""
    return Limits(**{f.name: r.getrandbits(f.metadata["bits"]) for f in fields(Limits)})


def of_scope(limits: Limits, scope: str) -> dict[str, int]:
    values = zip(WORDS, words_of(limits), strict=True)
    return {word.name: value for word, value in values if word.scope == scope}


def write(model, limits: Limits, skipped: int = -1) -> None:
    """All words of a set into the shadow, but one."""
    for number, value in enumerate(words_of(limits)):
        if number != skipped:
            model.step(shadow_valid=1, shadow={"number": number, "value": value})


def commit(model, symbol_index: int | None, sequence_number: int) -> bool:
    """Put the shadow in force; whether it was."""
    values = {
        "is_default": int(symbol_index is None),
        "symbol_index": symbol_index or 0,
        "sequence_number": sequence_number,
    }
    assert model.step(commit_valid=1, commit=values)["commit_ready"]
    for _ in range(COMMIT_CYCLES):
        now = model.step()
    assert now["accepted"] != now["refused"]
    return bool(now["accepted"])


def row(model, symbol_index: int) -> dict:
    model.step(symbol_index=symbol_index)
    model.step()
    return model.fields(model.step(), "row")


def test_words_fit() -> None:
    r = random.Random(SEED)
    for _ in range(300):
        for word, value in zip(WORDS, words_of(some_limits(r)), strict=True):
            assert 0 <= value < 1 << word.bits, word


def test_random_sets(model) -> None:
    """Against a dictionary: what is in force for each symbol, and for the gate."""
    print(f"seed {SEED}")
    r = random.Random(SEED)
    shadow: dict[int, int] = {}
    default: dict[str, int] | None = None
    own: dict[int, dict[str, int]] = {}
    last, late, unfit, written = 0, 0, 0, set()
    for _ in range(250):
        limits = some_limits(r)
        number = last + r.choice((0, 1, 1, 1, 5)) if r.random() < 0.8 else r.randrange(last + 1)
        if r.random() < 0.02:
            number = last + (1 << 40)
        symbol_index = r.choice((None, *range(SYMBOLS))) if r.random() < 0.9 else SYMBOLS + 3
        skipped = r.randrange(len(WORDS)) if r.random() < 0.05 else -1
        write(model, limits, skipped)
        for place, value in enumerate(words_of(limits)):
            if place != skipped:
                shadow[place] = value
                written.add(place)
        is_unknown = symbol_index is not None and (default is None or symbol_index >= SYMBOLS)
        taken = commit(model, symbol_index, number)
        assert taken == (number > last and not is_unknown and len(written) == len(WORDS))
        if taken:
            values = {word.name: shadow[place] for place, word in enumerate(WORDS)}
            if symbol_index is None:
                default = values
            else:
                own[symbol_index] = values
            last = number
            written = set()
        else:
            late += number <= last
            unfit += number > last
        now = model.step()
        assert (now["late"], now["unfit"], now["sequence_number"]) == (late, unfit, last)
        assert now["is_set"] == (default is not None)
        if default is None:
            continue
        assert model.fields(now, "gate_limits").items() <= default.items()
        assert model.fields(now, "default_row").items() <= default.items()
        for index in range(SYMBOLS):
            shown = row(model, index)
            assert shown.items() <= own.get(index, default).items()
            assert set(shown) == {word.name for word in WORDS if word.scope == SCOPE_SYMBOL}
    assert late > 20 and unfit > 5 and len(own) == SYMBOLS


def test_a_set_with_a_hole_is_refused(model) -> None:
    """Every word has to be written since the last set, for every word."""
    r = random.Random(SEED)
    write(model, some_limits(r))
    assert commit(model, None, 1)
    for skipped in range(len(WORDS)):
        write(model, some_limits(r), skipped)
        assert not commit(model, None, skipped + 2)
        model.step(shadow_valid=1, shadow={"number": skipped, "value": 0})
        assert commit(model, None, skipped + 2)


def test_every_row_is_one_set(model) -> None:
    """Rows that are read in every cycle while sets change are always of one whole set.

    But for the one that was asked for in the cycle in which the symbol's own set was written.
    """
    r = random.Random(SEED)
    first, second, third = (some_limits(r) for _ in range(3))
    known = [of_scope(limits, SCOPE_SYMBOL) for limits in (first, second, third)]
    write(model, first)
    assert commit(model, None, 1)
    for limits, target, number in ((second, 4, 2), (third, None, 3), (first, 4, 4)):
        write(model, limits)
        before = row(model, 4)
        values = {"is_default": int(target is None), "symbol_index": target or 0,
                  "sequence_number": number}  # fmt: skip
        model.step(symbol_index=4)
        model.step(symbol_index=4, commit_valid=1, commit=values)
        shown = []
        for _ in range(10):
            now = model.step(symbol_index=4)
            shown.append((model.fields(now, "row"), now["accepted"]))
        accepted_at = next(i for i, (_, accepted) in enumerate(shown) if accepted)
        met = None if target is None else accepted_at + 1
        assert all(values in known for i, (values, _) in enumerate(shown) if i != met)
        after = before if target is None else of_scope(limits, SCOPE_SYMBOL)
        assert all(values == before for values, _ in shown[: accepted_at + 1])
        assert all(values == after for values, _ in shown[accepted_at + 2 :])
    assert row(model, 5) == of_scope(third, SCOPE_SYMBOL)


def test_hold(model) -> None:
    write(model, some_limits(random.Random(SEED)))
    values = {"is_default": 1, "symbol_index": 0, "sequence_number": 1}
    for _ in range(10):
        assert not model.step(hold=1, commit_valid=1, commit=values)["commit_ready"]
    assert not model.step(hold=1)["is_set"]
