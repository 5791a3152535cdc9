# SPDX-License-Identifier: Apache-2.0
"""Two lines of one feed through reference, Cython and gateware, everything held against each other.

The references are given frame by frame and message by message. What Cython made is held against
them, and what gateware made is held against what Cython made, which is then the same: results,
headers, messages, events, each with its cycle where it is gateware's, and all counters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hw.line_signature import PARSER_CYCLES
from hw.stream import LANES
from nic.framing.arbiter import LineArbiter, SymbolFilter
from nic.framing.arbiter_reference import ReferenceArbiter, ReferenceFilter
from nic.framing.enumerations import ARBITER, ARRIVAL, DATAGRAM, FRAMING, PARSER
from nic.framing.feed_format import FeedFormat
from nic.framing.parser import LineParser
from nic.framing.reference import LineSettings, ReferenceParser
from sim.feed_traffic import Frames
from sim.gateware import harness
from sim.gateware.beats import Beats
from sim.gateware.cycle_arbiter import CycleArbiter
from sim.gateware.equality import Difference
from sim.gateware.feed_lines import LINES, FeedLines, settings_value
from sim.gateware.rows import Array

TABLE_BITS = 8
DRAIN_CYCLES = 64
"""Cycles after a line's last beat in which everything comes out."""
COUNTED_CYCLES = 4
"""Cycles after which the arbiter's counters show everything."""
LOCATE = "stock_locate"


def model(feed: FeedFormat, seed: int = 1) -> harness.Model:
    """The block of both lines, compiled."""
    return harness.model(FeedLines(feed, TABLE_BITS), f"feed_lines_{feed.name}", seed=seed)


def same(what: str, found: Any, due: Any) -> None:
    """Raise :class:`Difference` with the first place in which two arrays differ."""
    found, due = np.asarray(found), np.asarray(due)
    if len(found) != len(due):
        raise Difference(f"{what}: {len(found)}, not {len(due)} of them")
    differs = found != due
    if differs.ndim > 1:
        differs = differs.any(axis=1)
    if differs.any():
        at = int(np.argmax(differs))
        shown = [x.tobytes().hex() if x.ndim else x for x in (found[at], due[at])]
        raise Difference(f"{what} {at}: {shown[0]}, not {shown[1]}")


def same_counters(what: str, found: Mapping[str, int], due: Mapping[str, int]) -> None:
    """Raise :class:`Difference` with the first counter that differs."""
    for name, count in due.items():
        if found[name] != count:
            raise Difference(f"{what} counter {name}: {found[name]}, not {count}")


@dataclass(slots=True)
class RecordingArbiter(ReferenceArbiter):
    """The reference, and what it was asked in which order, and what it said."""

    asked: list[tuple[int, int, int]] = field(default_factory=list)
    said: list[int] = field(default_factory=list)

    def message(self, line: int, sequence_number: int) -> Any:
        """As the reference."""
        arrival = ReferenceArbiter.message(self, line, sequence_number)
        self.asked.append((line, sequence_number, 0))
        self.said.append(ARRIVAL.value(arrival.kind))
        return arrival

    def idle(self, sequence_number: int) -> bool:
        """As the reference."""
        opens = ReferenceArbiter.idle(self, sequence_number)
        self.asked.append((0, sequence_number, 1))
        self.said.append(ARRIVAL.value("after_gap" if opens else "new"))
        return opens


class Traffic:
    """Frames of a line and when their beats are on it, in cycles from a run's begin."""

    def __init__(self, frames: Frames, at: Array | None = None, skew: int = 0) -> None:
        self.frames = frames
        self.beats = Beats(frames)
        self.at: Array = (np.arange(self.beats.count) if at is None else at) + skew

    @property
    def end(self) -> int:
        """The cycle behind its last beat."""
        return int(self.at[-1]) + 1 if len(self.at) else 0

    def port(self, cycles: int) -> dict[str, Any]:
        """What the line's port is given; between beats there is junk."""
        valid = np.zeros(cycles, np.uint8)
        valid[self.at] = 1
        words = {}
        for name, values in self.beats.fields.items():
            words[name] = np.full(cycles, 1 if name != "data" else (1 << 64) - 1, np.uint64)
            words[name][self.at] = values
        return {"valid": valid, "beat": words}

    def cycle_of(self, frame: Array, byte: Array) -> Array:
        """The cycle in which a byte of a frame is on the line."""
        found: Array = self.at[self.beats.starts[frame] + byte // LANES]
        return found


def inputs_of(given: Sequence[Traffic], cycles: int) -> dict[str, Any]:
    """What the model of both lines is given for so many cycles."""
    inputs: dict[str, Any] = {"cycle": np.arange(cycles, dtype=np.uint64)}
    for name, traffic in zip(LINES, given, strict=True):
        inputs |= {f"line_{name}__{part}": value for part, value in traffic.port(cycles).items()}
    return inputs


class Line:
    """One line's three parsers."""

    def __init__(self, name: str, settings: LineSettings) -> None:
        self.name, self.settings = name, settings
        self.reference, self.compiled = ReferenceParser(settings), LineParser(settings)
        self.pulses: Counter[str] = Counter()
        self.frames = 0

    def software(self, frames: Frames) -> dict[str, Array]:
        """What Cython makes of the frames, once it is what the reference makes of them."""
        results, headers, messages = [], [], []
        for number, (frame, error) in enumerate(frames):
            parsed = self.reference.frame(frame, error)
            results.append(FRAMING.value(parsed.result))
            if parsed.datagram:
                d = parsed.datagram
                headers.append((number, d.sequence_number, d.count, DATAGRAM.value(d.kind)))
            messages += [
                (number, m.sequence_number, m.last_byte, m.message) for m in parsed.messages
            ]
        found = self.compiled.frames(
            np.frombuffer(frames.data, np.uint8), frames.lengths, frames.errors
        )
        same(self.what("result in Cython, frame"), found["result"], results)
        names = ("datagram_frame", "datagram_sequence_number", "datagram_count", "datagram_kind")
        columns: list[Any] = list(zip(*headers, strict=True)) or [()] * len(names)
        for name, due in zip(names, columns, strict=True):
            same(self.what(f"{name} in Cython"), found[name], np.array(due, found[name].dtype))
        columns = list(zip(*messages, strict=True)) or [()] * 4
        for name, due in zip(("frame", "sequence_number", "last_byte"), columns, strict=False):
            same(self.what(f"{name} in Cython"), found[name], np.array(due, found[name].dtype))
        longest = self.settings.feed.longest_bytes
        text = b"".join(one.ljust(longest, b"\0") for one in columns[3])
        whole = np.frombuffer(text, np.uint8).reshape(-1, longest)
        same(self.what("length in Cython"), found["length"], [len(one) for one in columns[3]])
        same(self.what("message in Cython"), found["message"], whole)
        same_counters(self.what("Cython's"), self.compiled.counters, self.reference.counters)
        return found

    def gateware(
        self, model: harness.Model, rows: Array, traffic: Traffic, due: dict[str, Array]
    ) -> tuple[Array, Array]:
        """Hold a run's rows against ``due``; cycles of the messages and of the headers."""
        cycle = rows["cycle"].astype(np.int64)
        port = f"parsed_{self.name}"
        pulses = rows[f"pulses_{self.name}"].astype(np.int64)
        results = pulses & ((1 << FRAMING.count) - 1)
        results = results[results != 0]
        same(self.what("result, frame"), results, 1 << due["result"].astype(np.int64))
        for entry in (*FRAMING.entries, *PARSER.entries):
            self.pulses[entry.name] += int((pulses >> entry.value & 1).sum())

        is_datagram = rows[f"{port}__datagram__valid"] != 0
        for name in ("sequence_number", "count", "kind"):
            found = model.field(rows[is_datagram], f"{port}__datagram__payload", name)
            same(self.what(f"datagram's {name}"), found, due[f"datagram_{name}"])
        headers = cycle[is_datagram]
        frame = np.searchsorted(traffic.at, headers - PARSER_CYCLES, side="right") - 1
        frame = np.searchsorted(traffic.beats.starts, frame, side="right") - 1
        same(self.what("frame of datagram"), frame, due["datagram_frame"])

        is_message = rows[f"{port}__message__valid"] != 0
        messages = rows[is_message]
        payload = f"{port}__message__payload"
        same(
            self.what("sequence number"),
            model.field(messages, payload, "sequence_number"),
            due["sequence_number"],
        )
        same(self.what("length"), model.field(messages, payload, "length_bytes"), due["length"])
        text = clean(model.field(messages, payload, "message"), due["length"], due["message"])
        same(self.what("message"), text, due["message"])
        came = traffic.cycle_of(due["frame"], due["last_byte"]) + PARSER_CYCLES
        same(self.what("cycle of message"), cycle[is_message], came)
        same_counters(self.what("gateware's"), self.pulses, self.reference.counters)
        return came, headers

    def what(self, thing: str) -> str:
        """A thing of this line, for people."""
        return f"line {self.name}: {thing}"


def clean(messages: Array, lengths: Array, like: Array) -> Array:
    """Messages as wide as ``like``; what stands behind their lengths is undefined, and cleared."""
    width = like.shape[1]
    used = np.arange(width)[None, :] < lengths[:, None]
    found: Array = np.where(used, messages[:, :width], 0)
    return found


class FeedRun:
    """Both lines from a reset on; :meth:`take` gives them traffic, and may be called again.

    ``symbols`` is what the filter knows: stock locate (below 2 to the ``TABLE_BITS``) to index.
    """

    def __init__(
        self,
        model: harness.Model,
        settings: Sequence[LineSettings],
        symbols: Mapping[int, int],
        *,
        is_arbitrating: bool = True,
        drops_unwanted: bool = False,
    ) -> None:
        self.model, self.feed = model, settings[0].feed
        self.lines = [Line(name, one) for name, one in zip(LINES, settings, strict=True)]
        self.recorder = RecordingArbiter(is_arbitrating=is_arbitrating)
        self.spec = CycleArbiter(self.recorder)
        self.compiled = LineArbiter(is_arbitrating=is_arbitrating)
        self.known, self.filter = (
            ReferenceFilter(symbols, TABLE_BITS),
            SymbolFilter(symbols, TABLE_BITS),
        )
        self.drops_unwanted = drops_unwanted
        self.extra: Counter[str] = Counter()
        model.reset()
        model.hold(
            is_arbitrating=int(is_arbitrating),
            drops_unwanted=int(drops_unwanted),
            **{f"settings_{one.name}": settings_value(one.settings) for one in self.lines},
        )
        model.run(cycles=(1 << TABLE_BITS) + 4, when=None)
        self._write(symbols)

    def _write(self, symbols: Mapping[int, int]) -> None:
        """Fill the filter's table."""
        if not symbols:
            return
        rows = {"is_wanted": 1, "symbol_index": np.array(list(symbols.values()), np.uint64)}
        layout = self.model.ports["write__payload"].layout
        fields = {"locate": np.array(list(symbols), np.uint64), "row": rows}
        feed = harness.Feed(harness.pack_rows(layout, fields, len(symbols)), self.model.cycle)
        self.model.run(cycles=2 * len(symbols) + 8, when=None, feeds={"write": feed})
        if feed.taken != len(symbols):
            raise Difference("the filter's table is not written")

    def take(self, given: Sequence[Traffic], cycles: int = 0) -> int:
        """Give the lines their traffic, for ``cycles`` or until all came out; cycles that were run.

        Raises :class:`Difference`.
        """
        total = max(cycles, *(one.end + DRAIN_CYCLES for one in given))
        due = [line.software(one.frames) for line, one in zip(self.lines, given, strict=True)]
        when = [
            f"{what}_{n}{part}"
            for n in LINES
            for what, part in (
                ("parsed", "__message__valid"),
                ("parsed", "__datagram__valid"),
                ("pulses", ""),
            )
        ]
        begin = self.model.cycle
        rows = self.model.run(inputs_of(given, total), when=[*when, "event__valid"])
        rows["cycle"] -= begin
        came = [
            line.gateware(self.model, rows, one, theirs)
            for line, one, theirs in zip(self.lines, given, due, strict=True)
        ]
        self._arbitrate(total, due, came)
        self._events(rows[rows["event__valid"] != 0], due, came)
        self._state()
        return total

    def _arbitrate(
        self, total: int, due: Sequence[dict[str, Array]], came: Sequence[tuple[Array, Array]]
    ) -> None:
        """What the reference and Cython make of the messages in their order of arrival."""
        spec, recorder = self.spec, self.recorder
        spec.events.clear()
        recorder.asked.clear()
        recorder.said.clear()
        numbers = [[0] * total for _ in self.lines]
        idles = [[0] * total for _ in self.lines]
        for line, (theirs, (messages, headers)) in enumerate(zip(due, came, strict=True)):
            for cycle, number in zip(
                messages.tolist(), theirs["sequence_number"].tolist(), strict=True
            ):
                numbers[line][cycle] = number
            for cycle, number, kind in zip(
                headers.tolist(),
                theirs["datagram_sequence_number"].tolist(),
                theirs["datagram_kind"].tolist(),
                strict=True,
            ):
                idles[line][cycle] = number if kind != DATAGRAM.value("data") else 0
        for cycle, (a, b, idle_a, idle_b) in enumerate(zip(*numbers, *idles, strict=True)):
            if a or b or idle_a or idle_b or not spec.is_quiet:
                spec.step(cycle, a, b, idle_a, idle_b, None)
        if not spec.is_quiet:
            raise Difference("the lines did not come to rest")
        asked = np.array(recorder.asked, np.uint64).reshape(-1, 3)
        kinds = self.compiled.arrivals(
            asked[:, 0].astype(np.uint8), asked[:, 1].copy(), asked[:, 2].astype(np.uint8)
        )
        same("arrival in Cython", kinds, np.array(recorder.said, np.uint8))

    def _events(
        self, rows: Array, due: Sequence[dict[str, Array]], came: Sequence[tuple[Array, Array]]
    ) -> None:
        """Hold gateware's events against those of the reference."""
        columns = list(zip(*self.spec.events, strict=True)) or [()] * 6
        cycle, line, number, opens, late, received = (np.array(c, np.int64) for c in columns)
        column = {
            name: self.model.field(rows, "event__payload", name)
            for name in (
                "line",
                "sequence_number",
                "after_gap",
                "is_late",
                "received_cycle",
                "is_wanted",
                "symbol_index",
                "length_bytes",
                "message",
            )
        }
        same("cycle of event", rows["cycle"], cycle)
        for name, values in (
            ("line", line),
            ("sequence_number", number),
            ("after_gap", opens),
            ("is_late", late),
            ("received_cycle", received - PARSER_CYCLES),
        ):
            same(f"event's {name}", column[name].astype(np.int64), values)
        index = [np.searchsorted(came[n][0], received) for n in range(len(self.lines))]
        from_b = line != 0
        first = {name: [theirs[name] for theirs in due] for name in ("length", "message")}
        length, text = (self._either(first[name], index, from_b) for name in ("length", "message"))
        same("event's length", column["length_bytes"], length)
        same("event's message", clean(column["message"], length, text), text)
        wanted, symbol = self._symbols(text)
        same("event's is_wanted", column["is_wanted"], wanted)
        same("event's symbol_index", np.where(wanted, column["symbol_index"], 0), symbol)
        for_host = wanted | (not self.drops_unwanted)
        same("event's is_for_host", rows["is_for_host"] != 0, for_host)
        self.extra["unwanted"] += int((~wanted).sum())
        self.extra["unwanted_dropped"] += int((~for_host).sum())

    def _either(self, of_lines: Sequence[Array], index: Sequence[Array], from_b: Array) -> Array:
        """Rows of line A's or of line B's messages."""
        a, b = of_lines
        found = np.zeros((len(from_b), *a.shape[1:]), a.dtype)
        found[~from_b] = a[index[0][~from_b]]
        found[from_b] = b[index[1][from_b]]
        return found

    def _symbols(self, text: Array) -> tuple[Array, Array]:
        """Whether each event's instrument is wanted, and its index."""
        kinds = self.feed.messages.by_code().values()
        places = {(f.offset, f.end) for kind in kinds for f in kind if f.name == LOCATE}
        if not places:
            return np.zeros(len(text), bool), np.zeros(len(text), np.int64)
        ((start, end),) = places
        locates: Array = np.ascontiguousarray(text[:, start:end]).view(">u2")[:, 0]
        locates = locates.astype(np.uint16)
        found = [self.known.find(locate) for locate in locates.tolist()]
        wanted = np.array([one[0] for one in found], bool)
        index = np.array([one[1] for one in found], np.int64)
        same("symbol in Cython", self.filter.find_all(locates), np.where(wanted, index, -1))
        return wanted, index

    def _state(self) -> None:
        """Hold the arbiters' state and counters against each other."""
        due, compiled = self.recorder, self.compiled
        row = self.model.run(cycles=COUNTED_CYCLES)[-1]
        for name in ("expected", "gap_next", "gap_end"):
            same(f"{name} in Cython", [getattr(compiled, name)], [getattr(due, name)])
        due_open = due.gap_end - due.gap_next
        same("expected", [int(row["expected"])], [due.expected])
        same("open gap", [int(row["gap_end"]) - int(row["gap_next"])], [due_open])
        same_counters("Cython's arbiter", compiled.counters, due.counters)
        counted = {**due.counters, **self.extra, "overrun": self.spec.overrun}
        found = self.model.fields(row, "counters")
        same_counters("gateware's arbiter", found, {n: counted[n] for n in ARBITER.names})

    def counts(self) -> Counter[str]:
        """What was compared."""
        counts = Counter(
            frames=sum(
                sum(line.reference.counters[n] for n in FRAMING.names) for line in self.lines
            ),
            events=self.recorder.counters["events"],
            gaps=self.recorder.counters["gaps"],
            overrun=self.spec.overrun,
        )
        for line in self.lines:
            counts.update(line.reference.counters)
        return counts
