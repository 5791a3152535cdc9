# SPDX-License-Identifier: Apache-2.0
"""Very many events through the broadcast ring: the rounds of ``tickwire soak``, and their count."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.ipc.broadcast_file import check_sizes
from nic.clock import Clock
from tools.report import console
from tools.ring_crew import NEVER, Crew, CrewError, Taken, pinned, shared_folder

SoakError = CrewError

HUNT_SLOTS = 64
SLICE_SECONDS = 0.5
"""How long is written before signals are looked at."""

PROGRESS_SECONDS = 5.0
OnProgress = Callable[[int, int, float], None]


def read_count(path: Path | None) -> int:
    """Items that earlier runs did; raises ``ValueError`` for a file of anything else."""
    if path is None or not path.exists():
        return 0
    try:
        count = json.loads(path.read_text())["items_done"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path}: is no state of a soak") from None
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"{path}: is no state of a soak")
    return count


@dataclass(slots=True)
class Hunt:
    """What the lapped readers got, all rounds together."""

    published: int = 0
    taken: int = 0
    lost: int = 0
    overruns: int = 0


class Soak:
    """One run of the soak; see the verb for what the arguments mean.

    Raises ``ValueError`` for sizes that can't be, and for a state file that is none.
    """

    def __init__(
        self,
        *,
        items: int,
        readers: int,
        slots: int,
        slot_bytes: int,
        round_items: int,
        hunt_seconds: float,
        state: Path | None,
    ) -> None:
        check_sizes(slots, slot_bytes)
        self.items = items
        self.readers = readers
        self.slots = slots
        self.slot_bytes = slot_bytes
        self.round_items = round_items
        self.hunt_seconds = hunt_seconds
        self.state = state
        self.done_before = self.done = read_count(state)
        self.hunt = Hunt()
        self.faults: list[str] = []
        self.rounds = 0
        self.paced_seconds = 0.0
        self._clock = Clock()

    def run(self, should_stop: Callable[[], bool], on_progress: OnProgress) -> dict[str, Any]:
        """Rounds until every item is done, a fault is found or ``should_stop`` says so."""
        with shared_folder() as folder, pinned():
            while self.done < self.items and not self.faults and not should_stop():
                self._paced_round(folder, should_stop, on_progress)
                self._keep()
                if self.hunt_seconds and not self.faults and not should_stop():
                    self._hunt_round(folder)
                self.rounds += 1
        return self.report()

    def _paced_round(
        self, folder: Path, should_stop: Callable[[], bool], on_progress: OnProgress
    ) -> None:
        last = min(self.round_items, self.items - self.done)
        written = 0
        with Crew(
            folder,
            readers=self.readers,
            slots=self.slots,
            slot_bytes=self.slot_bytes,
            base=self.done,
        ) as crew:
            begin = shown = time.perf_counter()
            shown_at = 0
            while written < last and not should_stop():
                written = crew.write(last, SLICE_SECONDS, self._clock.ns_per_tick, is_paced=True)
                now = time.perf_counter()
                if now - shown >= PROGRESS_SECONDS or written == last:
                    rate = (written - shown_at) / max(now - shown, 1e-9)
                    on_progress(self.done + written, self.items, rate)
                    shown, shown_at = now, written
            found = crew.finish()
            self.paced_seconds += time.perf_counter() - begin
        for number, one in enumerate(found):
            if (one.taken, one.lost, one.torn) != (written, 0, 0):
                self._fault("paced", number, written, one)
        if not self.faults:
            self.done += written

    def _hunt_round(self, folder: Path) -> None:
        with Crew(
            folder,
            readers=self.readers,
            slots=HUNT_SLOTS,
            slot_bytes=self.slot_bytes,
            base=self.done,
        ) as crew:
            written = crew.write(
                NEVER - 1, self.hunt_seconds, self._clock.ns_per_tick, is_paced=False
            )
            found = crew.finish()
        self.hunt.published += written
        for number, one in enumerate(found):
            self.hunt.taken += one.taken
            self.hunt.lost += one.lost
            self.hunt.overruns += one.overruns
            if one.torn or one.taken + one.lost != written:
                self._fault("unpaced", number, written, one)

    def _fault(self, how: str, number: int, written: int, one: Taken) -> None:
        self.faults.append(
            f"{how}: of {written} events reader {number} got {one.taken}, lost {one.lost}, "
            f"{one.torn} were torn"
        )

    def _keep(self) -> None:
        if self.state is None:
            return
        new = self.state.with_name(self.state.name + ".new")
        new.write_text(json.dumps({"items_done": self.done}) + "\n")
        os.replace(new, self.state)

    def report(self) -> dict[str, Any]:
        """What was done; ``ok`` unless something was lost or torn."""
        done = self.done - self.done_before
        return {
            "ok": not self.faults,
            "complete": self.done >= self.items,
            "items": self.items,
            "items_done": self.done,
            "items_done_now": done,
            "readers": self.readers,
            "slots": self.slots,
            "slot_bytes": self.slot_bytes,
            "rounds": self.rounds,
            "seconds": round(self.paced_seconds, 3),
            "items_per_second": round(done / self.paced_seconds) if self.paced_seconds else 0,
            "lapped": {
                "published": self.hunt.published,
                "taken": self.hunt.taken,
                "lost": self.hunt.lost,
                "overruns": self.hunt.overruns,
            },
            "faults": self.faults,
        }


def print_report(report: dict[str, Any]) -> None:
    """The report for people."""
    out = console()
    out.print(
        f"{report['items_done']:,} of {report['items']:,} items, "
        f"{report['items_done_now']:,} of them now, to {report['readers']} reader(s): "
        f"{report['items_per_second']:,} a second"
    )
    lapped = report["lapped"]
    out.print(
        f"lapped readers: {lapped['published']:,} published, {lapped['taken']:,} taken whole, "
        f"{lapped['lost']:,} told as lost in {lapped['overruns']:,} overruns"
    )
    for fault in report["faults"]:
        out.print(f"FAULT {fault}", markup=False, style="bold")
    if not report["faults"]:
        out.print("nothing was lost in silence, nothing was torn")
