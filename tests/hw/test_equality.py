# SPDX-License-Identifier: Apache-2.0
"""A short campaign of ``tickwire hw equality``, and that it finds what differs."""

import json
import os
from dataclasses import replace

import pytest
from click.testing import CliRunner

from nic.framing.feed_format import FEEDS
from sim.gateware import equality_feed, equality_gate
from sim.gateware.equality import Difference
from sim.gateware.equality_feed import FeedRun
from sim.gateware.equality_gate import GateRun
from sim.gateware.equality_traffic import STYLES, Drawn, run_drawn
from tools import hw_equality
from tools.verbs.hw import command

SEED = int(os.environ.get("TICKWIRE_SEED", "31"))
CYCLES = 15_000
RUNS = 3

pytestmark = pytest.mark.timeout(600)  # the first time the models are compiled


@pytest.fixture(scope="module", params=FEEDS)
def lines(request):
    return hw_equality.model_of("parser", request.param), request.param


@pytest.fixture(scope="module")
def gate():
    return hw_equality.model_of("gate", "")  # one for the tests and for the verb


@pytest.mark.parametrize("style", STYLES)
def test_lines_are_equal(lines, style):
    model, feed = lines
    messages = 0
    for seed in range(SEED, SEED + RUNS):
        found = run_drawn(model, style, feed, seed, CYCLES)
        assert not found.difference
        assert found.cycles == CYCLES
        messages += found.counts["messages"]
    assert messages > 500


@pytest.mark.parametrize("setting", ["destination_port", "destination_address"])
def test_a_line_that_is_set_otherwise_differs(lines, setting):
    model, feed = lines
    drawn = Drawn(FEEDS[feed], "packed", SEED, CYCLES)
    run = FeedRun(model, drawn.settings, drawn.symbols, is_arbitrating=drawn.is_arbitrating)
    given = equality_feed.settings_value(drawn.settings[1])
    model.hold(settings_b=given | {setting: given[setting] ^ 1})
    with pytest.raises(Difference, match="line b: result"):
        run.take(drawn.traffic(), CYCLES)


@pytest.mark.parametrize("feed", FEEDS)
def test_traffic_is_the_same_by_its_seed(feed):
    first, again, other = (
        [one.frames.data for one in Drawn(FEEDS[feed], "random", seed, CYCLES).traffic()]
        for seed in (SEED, SEED, SEED + 1)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("style", STYLES)
def test_gates_are_equal(gate, style):
    found = GateRun(style, SEED, CYCLES).run(gate)
    assert not found.difference
    assert found.cycles >= CYCLES
    verdicts = sum(count for name, count in found.counts.items() if name != "steps")
    assert verdicts > 50


@pytest.mark.parametrize("style", STYLES)
def test_limits_that_gateware_does_not_keep_differ(gate, style, monkeypatch):
    """With its checks against new risk switched off, a verdict soon differs."""
    right = equality_gate.GatewareGate.set_limits

    def broken(self, symbol_index, limits, sequence_number):
        right(self, symbol_index, replace(limits, enabled_checks=0), sequence_number)

    monkeypatch.setattr(equality_gate.GatewareGate, "set_limits", broken)
    found = GateRun(style, SEED, 20 * CYCLES).run(gate)
    assert "reason: 0, in the reference" in found.difference
    assert f"seed {SEED}, step " in found.difference


def test_pieces_make_up_the_cycles():
    pieces = list(hw_equality.pieces_of(hw_equality.PARTS, 1_050_000, SEED))
    for part in ("parser", "gate"):
        for style in STYLES:
            chosen = [p for p in pieces if (p.part, p.kind) == (part, style)]
            assert sum(p.cycles for p in chosen) == 1_050_000
            assert len({p.seed for p in chosen}) == len(chosen)
    assert {p.feed for p in pieces if p.part == "parser"} == set(FEEDS)


def run_verb(*arguments):
    return CliRunner().invoke(command, ["equality", "--processes", "1", *arguments])


def test_verb_reports_what_it_compared(gate):
    done = run_verb("--cycles", "5000", "--part", "gate", "--seed", str(SEED), "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["differences"] == []
    assert [row["name"] for row in report["rows"]] == ["gate random", "gate packed"]
    assert all(row["cycles"] >= 5000 and row["verdicts"] > 10 for row in report["rows"])
    assert sum(report["verdicts"].values()) == sum(row["verdicts"] for row in report["rows"])
    part = hw_equality.page_part(report)
    assert part.startswith(hw_equality.BEGIN) and part.endswith(hw_equality.END)
    text = hw_equality.PAGE.read_text()
    assert text.count(hw_equality.BEGIN) == text.count(hw_equality.END) == 1


def test_verb_fails_when_something_differs(gate, monkeypatch):
    found = equality_gate.Found(1, difference="reason: 3, in the reference 2; step 7")
    monkeypatch.setattr(equality_gate.GateRun, "run", lambda self, model: found)
    done = run_verb("--cycles", "1000", "--part", "gate", "--seed", "1")
    assert done.exit_code == 1
    assert "difference: reason: 3, in the reference 2; step 7" in done.stdout
