# SPDX-License-Identifier: Apache-2.0
"""The broadcast ring beside a ring of records and a pipe: time of a hop, events a second.

Two processes, each on a core of its own where there are two. ``hops``: half of a round trip, both
sides spinning, the ways in turn in short blocks. ``rates``: events that one process makes and
another takes and checks word by word, the ways in turn; no event is lost, because the writer is
held back where it would lap a reader. An event of 64 bytes is measured both as a slot of 64 bytes
(56 and the number) and as a payload of 64 bytes (in a slot of 128).
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from host.ipc.broadcast import BroadcastReader, BroadcastWriter
from host.ipc.ring import Ring
from nic.clock import Clock, rdtsc_py
from tools.report import console, table
from tools.ring_crew import (
    CORES,
    NEVER,
    Crew,
    CrewError,
    follow_parent,
    pin_to,
    pinned,
    shared_folder,
)
from tools.ring_runs import (
    Hop,
    PipeHop,
    RecordHop,
    RingHop,
    pop_items,
    push_items,
    read_pipe,
    write_pipe,
)

PAYLOAD_BYTES = 64
SLOT_BYTES = {"slots_64": 64, "slots_128": 128}
"""The broadcast ring's two ways."""

WAYS = (*SLOT_BYTES, "record_ring", "pipe")
SLOTS = 16_384
BLOCK_TRIPS = 500
WARM_UP_TRIPS = 100
LOST_SECONDS = 0.5
IDLE_SECONDS = 10.0
LIMIT_SECONDS = 120.0
PIPE_SHARE = 20
"""A pipe gets only this part of the events: it is that much slower."""

QUANTILES = {"min": 0.0, "p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}


def ends(way: str, folder: Path, stack: ExitStack) -> tuple[Hop, Hop]:
    """The asking and the answering side of one way; the second is for a forked process."""
    if way == "pipe":
        there, back = os.pipe(), os.pipe()
        for descriptor in (*there, *back):
            os.set_blocking(descriptor, False)
            stack.callback(os.close, descriptor)
        return (
            PipeHop(there[1], back[0], PAYLOAD_BYTES),
            PipeHop(back[1], there[0], PAYLOAD_BYTES),
        )
    if way == "record_ring":
        size = SLOTS * PAYLOAD_BYTES
        paths = [folder / f"{way}-{n}" for n in range(2)]
        rings = [Ring(size, path) for path in paths]
        theirs = [Ring.attach(path) for path in paths]
        return (
            RecordHop(rings[0], rings[1], PAYLOAD_BYTES),
            RecordHop(theirs[1], theirs[0], PAYLOAD_BYTES),
        )
    sides = []
    for number in range(2):
        path = folder / f"{way}-{number}"
        writer = BroadcastWriter(path, slots=SLOTS, slot_bytes=SLOT_BYTES[way])
        stack.callback(writer.close)
        sides.append((writer, BroadcastReader(path)))
    return RingHop(sides[0][0], sides[1][1]), RingHop(sides[1][0], sides[0][1])


def _answer(channel: Connection, sides: dict[str, Hop], ns_per_tick: float) -> None:
    follow_parent()
    pin_to(1)
    channel.send("ready")
    while way := channel.recv():
        channel.send("ready")
        sides[way].answer(int(IDLE_SECONDS * 1e9 / ns_per_tick))


def _wait(channel: Connection) -> Any:
    try:
        if not channel.poll(LIMIT_SECONDS):
            raise CrewError("the other process does not answer")
        return channel.recv()
    except (EOFError, ConnectionError):
        raise CrewError("the other process ended early") from None


@contextmanager
def partner(target: Any, *arguments: Any) -> Iterator[Connection]:
    """Another process at the end of a channel, gone afterwards."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.kill()
        process.join()
        ours.close()


def measure_hops(folder: Path, rounds: int, ns_per_tick: float) -> dict[str, Any]:
    """Half a round trip of every way, in nanoseconds."""
    taken: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
    lost = dict.fromkeys(WAYS, 0)
    with ExitStack() as stack:
        sides = {way: ends(way, folder, stack) for way in WAYS}
        theirs = {way: side[1] for way, side in sides.items()}
        channel = stack.enter_context(partner(_answer, theirs, ns_per_tick))
        _wait(channel)
        limit = int(LOST_SECONDS * 1e9 / ns_per_tick)
        for _ in range(rounds):
            for way in WAYS:
                channel.send(way)
                _wait(channel)
                ticks = np.zeros(WARM_UP_TRIPS + BLOCK_TRIPS, dtype=np.uint64)
                asker = sides[way][0]
                asker.ask(ticks[:WARM_UP_TRIPS], limit)
                lost[way] += asker.ask(ticks[WARM_UP_TRIPS:], limit)
                asker.end()
                block = ticks[WARM_UP_TRIPS:]
                taken[way].append(block[block > 0])
        channel.send("")
    found = {}
    for way in WAYS:
        half_ns = np.concatenate(taken[way]) * (ns_per_tick / 2)
        values = np.quantile(half_ns, list(QUANTILES.values())) if len(half_ns) else [0] * 5
        named = zip(QUANTILES, values, strict=True)
        found[way] = {
            **{f"{name}_ns": round(float(value)) for name, value in named},
            "count": len(half_ns),
            "lost": lost[way],
        }
    return found


def ring_rate(
    folder: Path, slot_bytes: int, readers: int, events: int, ns_per_tick: float
) -> dict[str, Any]:
    """Events a second through a broadcast ring; raises :class:`CrewError` if one was not whole."""
    with Crew(folder, readers=readers, slots=SLOTS, slot_bytes=slot_bytes) as crew:
        begin = time.perf_counter()
        written = crew.write(events, LIMIT_SECONDS, ns_per_tick, is_paced=True)
        found = crew.finish()
        seconds = time.perf_counter() - begin
    if any((one.taken, one.lost, one.torn) != (written, 0, 0) for one in found):
        raise CrewError(f"of {written} events the readers got {found}")
    return {"events": written, "seconds": seconds}


def _pop(channel: Connection, path: Path, events: int) -> None:
    follow_parent()
    pin_to(1)
    ring = Ring.attach(path)
    channel.send("ready")
    channel.send(pop_items(ring, events, NEVER))


def _read_pipe(channel: Connection, descriptor: int, events: int) -> None:
    follow_parent()
    pin_to(1)
    channel.send("ready")
    channel.send(read_pipe(descriptor, PAYLOAD_BYTES, events, NEVER))


def record_rate(folder: Path, events: int, ns_per_tick: float) -> dict[str, Any]:
    """Events a second through a ring of records, which waits for its one reader."""
    ring = Ring(SLOTS * PAYLOAD_BYTES, folder / "records")
    try:
        with partner(_pop, folder / "records", events) as channel:
            _wait(channel)
            return _timed(
                channel, lambda limit: push_items(ring, PAYLOAD_BYTES, events, limit), ns_per_tick
            )
    finally:
        ring.unlink()


def pipe_rate(events: int, ns_per_tick: float) -> dict[str, Any]:
    """Events a second through a pipe, one write for each, read as many at once as there are."""
    reading, writing = os.pipe()
    try:
        with partner(_read_pipe, reading, events) as channel:
            _wait(channel)
            return _timed(
                channel,
                lambda limit: write_pipe(writing, PAYLOAD_BYTES, events, limit),
                ns_per_tick,
            )
    finally:
        os.close(reading)
        os.close(writing)


def _timed(channel: Connection, write: Any, ns_per_tick: float) -> dict[str, Any]:
    begin = time.perf_counter()
    written = write(rdtsc_py() + int(LIMIT_SECONDS * 1e9 / ns_per_tick))
    taken, torn = _wait(channel)
    seconds = time.perf_counter() - begin
    if (taken, torn) != (written, 0):
        raise CrewError(f"of {written} events {taken} were taken, {torn} not whole")
    return {"events": written, "seconds": seconds}


def measure_rates(
    folder: Path, rounds: int, events: int, ns_per_tick: float
) -> dict[str, dict[str, Any]]:
    """Events a second of every way; of the broadcast ring with one reader and with three."""
    ways: dict[str, Any] = {
        "slots_64": lambda: ring_rate(folder, 64, 1, events, ns_per_tick),
        "slots_128": lambda: ring_rate(folder, 128, 1, events, ns_per_tick),
        "slots_64_three_readers": lambda: ring_rate(folder, 64, 3, events, ns_per_tick),
        "slots_128_three_readers": lambda: ring_rate(folder, 128, 3, events, ns_per_tick),
        "record_ring": lambda: record_rate(folder, events, ns_per_tick),
        "pipe": lambda: pipe_rate(events // PIPE_SHARE, ns_per_tick),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            found = run()
            taken[way].append(found["events"] / found["seconds"])
    return {
        way: {
            "median_per_second": round(float(np.median(rates))),
            "best_per_second": round(max(rates)),
            "rounds": len(rates),
        }
        for way, rates in taken.items()
    }


def measure(rounds: int = 5, messages: int = 5_000_000) -> dict[str, Any]:
    """``rounds`` rounds of everything: blocks of 500 round trips, runs of ``messages`` events."""
    clock = Clock()
    try:
        with shared_folder() as folder, pinned():
            hops = measure_hops(folder, 4 * rounds, clock.ns_per_tick)
            rates = measure_rates(folder, rounds, messages, clock.ns_per_tick)
    except CrewError as error:
        raise OSError(str(error)) from None
    fastest = hops["slots_64"]["p50_ns"] or 1
    rate = rates["slots_64"]["median_per_second"]
    return {
        "what": f"events of {PAYLOAD_BYTES} bytes from one process to another on this machine",
        "command": f"tickwire bench ring --rounds {rounds} --messages {messages}",
        "environment": {"kernel": platform.release(), "cores": len(CORES)},
        "hops": hops,
        "rates": rates,
        "hop_ratio_p50": {
            way: round(hops[way]["p50_ns"] / fastest, 2) for way in ("record_ring", "pipe")
        },
        "rate_ratio": {
            way: round(rate / rates[way]["median_per_second"], 2) for way in ("record_ring", "pipe")
        },
    }


def print_report(report: dict[str, Any]) -> None:
    """The report for people."""
    out = console()
    names = [*(f"{name}_ns" for name in QUANTILES), "count", "lost"]
    rows = [(way, *(found[name] for name in names)) for way, found in report["hops"].items()]
    out.print(table("one hop (half a round trip)", ["way", *names], rows))
    columns = ["median_per_second", "best_per_second", "rounds"]
    rows = [(way, *(found[name] for name in columns)) for way, found in report["rates"].items()]
    out.print(table("events a second, none lost, each checked", ["way", *columns], rows))
    for way, ratio in report["hop_ratio_p50"].items():
        out.print(
            f"beside the {way.replace('_', ' ')}: a hop at p50 takes 1/{ratio} of the time, "
            f"{report['rate_ratio'][way]} times the events"
        )
