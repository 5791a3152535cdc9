# SPDX-License-Identifier: Apache-2.0
"""The campaign of ``tickwire hw equality``: reference, Cython and gateware, in as many processes as
there are processors.

It is made of pieces that depend on nothing but their numbers, so that each difference comes again
with the piece's seed and cycles.
"""

from __future__ import annotations

import importlib.metadata
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from nic.capture import capture_kind
from nic.frame import address_number
from nic.framing.enumerations import FRAMING
from nic.framing.feed_format import FEEDS, IEX, NASDAQ
from nic.framing.reference import LineSettings
from nic.offload.enumerations import RISK
from nic.pcap import PcapPort
from sim.gateware import equality_feed, equality_gate, equality_traffic
from sim.gateware.equality import Found
from sim.gateware.model import Model
from tools.feed_finder import find_feed
from tools.report import console, nonzero, table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gateware.md"
BEGIN = "<!-- equality: written by tickwire hw equality -->"
END = "<!-- end of equality -->"

CYCLES = 10_000_000
"""Cycles of each kind of traffic through the parsers, and through the gate."""
PIECE_CYCLES = {"parser": 100_000, "gate": 250_000}
SEEDS_APART = 1_000_000_007
PARTS = ("parser", "gate", "captures")
STYLES = ("random", "packed")
TRANSPORTS = {"moldudp64": NASDAQ, "iextp": IEX}
ANY_LINE = (0xE0000001, 1)
"""Address and port that are looked for in a capture without a feed."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work: a part, what it is made of, and a seed.

    ``kind`` is the style of the traffic; of a capture the name of its file, with the address and
    the port of a ``line`` in it.
    """

    part: str
    kind: str
    feed: str = ""
    seed: int = 0
    cycles: int = 0
    line: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """What the report calls everything of its kind."""
        kind = Path(self.kind).name if self.line else self.kind
        return " ".join(filter(None, (self.part, self.feed, kind)))


def pieces_of(parts: Sequence[str], cycles: int, seed: int) -> Iterator[Piece]:
    """Pieces with ``cycles`` of each style for the parser (feeds take turns) and for the gate."""
    for part in parts:
        if part == "captures":
            continue
        for style in STYLES:
            most, left, number = PIECE_CYCLES[part], cycles, 0
            while left > 0:
                feed = tuple(FEEDS)[number % len(FEEDS)] if part == "parser" else ""
                run = min(most, left)
                yield Piece(part, style, feed, seed + SEEDS_APART * number, run)
                left, number = left - run, number + 1


def captures_in(folder: Path) -> Iterator[Piece]:
    """A piece for every packet capture below the folder, on the line that it holds."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            if capture_kind(path) == "binary_file":
                continue  # messages without frames
        except ValueError:
            continue
        try:
            found = find_feed(path)
        except ValueError:  # both parsers are given what is no feed at all
            for feed in FEEDS.values():
                yield Piece("captures", str(path), feed.name, line=ANY_LINE)
            continue
        feed = TRANSPORTS[found.transport]
        for address, port in found.lines:
            line = (address_number(address), port)
            yield Piece("captures", str(path), feed.name, line=line)


@cache
def model_of(part: str, feed: str) -> Model:
    """The model that a piece needs, once per process."""
    return equality_gate.model() if part == "gate" else equality_feed.model(FEEDS[feed])


def run(piece: Piece) -> Found:
    """Do a piece of work."""
    model = model_of(piece.part, piece.feed)
    if piece.part == "gate":
        return equality_gate.GateRun(piece.kind, piece.seed, piece.cycles).run(model)
    if piece.line is None:
        return equality_traffic.run_drawn(model, piece.kind, piece.feed, piece.seed, piece.cycles)
    with PcapPort(piece.kind) as port:
        frames = [bytes(frame) for frame, _ in port]
    settings = LineSettings(FEEDS[piece.feed], *piece.line)
    return equality_traffic.run_captured(model, settings, frames, Path(piece.kind).name)


@dataclass(slots=True)
class Campaign:
    """What was found so far, by the pieces' names."""

    seed: int
    found: dict[str, Found]
    seconds: float = 0.0
    is_stopped: bool = False

    @property
    def differences(self) -> list[str]:
        """What differed, and where."""
        return [found.difference for found in self.found.values() if found.difference]

    def add(self, piece: Piece, found: Found) -> None:
        """Take in what came of a piece; the first difference of its kind stays."""
        name = piece.name
        total = self.found.setdefault(name, Found())
        total.cycles += found.cycles
        total.counts.update(found.counts)
        total.difference = total.difference or found.difference

    def counts(self, part: str) -> Counter[str]:
        """Everything that a part compared."""
        total: Counter[str] = Counter()
        for name, found in self.found.items():
            if name.startswith(part):
                total.update(found.counts)
        return total

    def not_reached(self, parts: Sequence[str]) -> list[str]:
        """Verdicts and results of frames that did not occur."""
        names = {"gate": RISK.names, "parser": FRAMING.names}
        return [
            f"{part}: {name}"
            for part in parts
            for name in names.get(part, ())
            if not self.counts(part)[name]
        ]


def campaign(
    pieces: Sequence[Piece], seed: int, processes: int, say: Callable[[str], None]
) -> Campaign:
    """Run all pieces; Ctrl-C ends it early, with what was found until then."""
    began = time.monotonic()
    done = Campaign(seed, {})
    for part, feed in dict.fromkeys((p.part if p.part == "gate" else "", p.feed) for p in pieces):
        say(f"model of {'the risk gate' if part else f'both lines, {feed}'}")
        model_of(part, feed)
    if processes == 1:
        try:
            for number, piece in enumerate(pieces, 1):
                _take(done, piece, run(piece), number, len(pieces), say)
        except KeyboardInterrupt:
            done.is_stopped = True
    else:
        _spread(done, pieces, processes, say)
    done.seconds = time.monotonic() - began
    return done


def _take(
    done: Campaign, piece: Piece, found: Found, number: int, of: int, say: Callable[[str], None]
) -> None:
    done.add(piece, found)
    seed = "" if piece.line else f", seed {piece.seed}"
    outcome = f"DIFFERENCE: {found.difference}" if found.difference else "equal"
    say(f"{number}/{of} {piece.name}{seed}: {found.cycles:,} cycles, {outcome}")


def _spread(
    done: Campaign, pieces: Sequence[Piece], processes: int, say: Callable[[str], None]
) -> None:
    """Pieces over processes; those do not see Ctrl-C, so that it ends nothing half done."""
    pool = ProcessPoolExecutor(
        processes,
        get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        waiting = {pool.submit(run, piece): piece for piece in pieces}
        for number, future in enumerate(as_completed(waiting), 1):
            _take(done, waiting[future], future.result(), number, len(pieces), say)
    except KeyboardInterrupt:
        done.is_stopped = True
    finally:
        pool.shutdown(cancel_futures=True)


def report_of(done: Campaign, parts: Sequence[str], cycles: int) -> dict[str, Any]:
    """Everything as one object; ``ok`` when nothing differs and, in a whole run, all occurred."""
    missing = done.not_reached(parts)
    return {
        "seed": done.seed,
        "cycles": cycles,
        "seconds": round(done.seconds),
        "verilator": _verilator(),
        "rows": [
            {
                "name": name,
                "cycles": found.cycles,
                **{kind: found.counts[kind] for kind in ("frames", "messages", "events")},
                "verdicts": sum(found.counts[reason] for reason in RISK.names)
                if name.startswith("gate")
                else 0,
                "differences": int(bool(found.difference)),
            }
            for name, found in done.found.items()
        ],
        "results": nonzero({name: done.counts("parser")[name] for name in FRAMING.names}),
        "verdicts": nonzero({name: done.counts("gate")[name] for name in RISK.names}),
        "not_reached": missing,
        "differences": done.differences,
        "is_stopped": done.is_stopped,
        "ok": not (done.differences or done.is_stopped or (missing and cycles >= CYCLES)),
    }


def _verilator() -> str:
    from sim.gateware import verilator

    release, amaranth = verilator.find().release, importlib.metadata.version("amaranth")
    return f"Verilator {release}, amaranth {amaranth}"


COLUMNS = ("traffic", "cycles", "frames", "messages", "events", "verdicts", "differences")


def _rows(report: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    keys = ("name", *COLUMNS[1:])
    return [tuple(row[key] for key in keys) for row in report["rows"]]


def show(report: Mapping[str, Any]) -> None:
    """The report for people."""
    out = console()
    title = f"reference, Cython and gateware; seed {report['seed']}, {report['seconds']} s"
    out.print(table(title, COLUMNS, _rows(report)))
    for what in ("results", "verdicts"):
        if report[what]:
            rows = sorted(report[what].items(), key=lambda one: -one[1])
            out.print(table(f"\n{what}", ("name", "count"), rows))
    if report["not_reached"]:
        out.print(f"\ndid not occur: {', '.join(report['not_reached'])}", markup=False)
    for difference in report["differences"]:
        out.print(f"\ndifference: {difference}", markup=False)
    if report["is_stopped"]:
        out.print("\nstopped before its end", markup=False)


def page_part(report: Mapping[str, Any]) -> str:
    """The figures as the part of ``docs/gateware.md`` between its markers."""
    reasons = len(report["verdicts"])
    lines = [
        BEGIN,
        "",
        f"Seed {report['seed']}; {report['verilator']}; {report['seconds']:,} s. "
        f"Command: `tickwire hw equality --cycles {report['cycles']}`.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "| --- |" + " ---: |" * (len(COLUMNS) - 1),
    ]
    for name, *numbers in _rows(report):
        lines.append(f"| {name} | " + " | ".join(f"{n:,}" for n in numbers) + " |")
    lines += [
        "",
        f"{reasons} of {RISK.count} verdicts and {len(report['results'])} of {FRAMING.count} "
        "results of frames occurred. Messages are those of both lines; events the first copies.",
    ]
    return "\n".join([*lines, "", END])


def write(report: Mapping[str, Any]) -> None:
    """Put the figures into ``docs/gateware.md``, where this is a checkout."""
    if not PAGE.exists():
        return
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(before + page_part(report) + after)


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))
