# SPDX-License-Identifier: Apache-2.0
"""Frames as the beats of a line, for a model."""

from __future__ import annotations

import numpy as np

from hw.stream import LANES
from sim.feed_traffic import Frames
from sim.gateware.rows import Array

JUNK = 0xA5
"""What stands in lanes that hold nothing."""


class Beats:
    """The beats of ``frames``, back to back.

    ``fields``: arrays of ``hw.stream.Beat``, one entry per beat. ``starts``: the number of each
    frame's first beat.
    """

    def __init__(self, frames: Frames) -> None:
        lengths = frames.lengths.astype(np.int64)
        counts = -(-lengths // LANES)
        self.starts: Array = np.cumsum(counts) - counts
        self.count = int(counts.sum())
        octets = np.full(self.count * LANES, JUNK, np.uint8)
        shift = self.starts * LANES - (np.cumsum(lengths) - lengths)
        octets[np.arange(int(lengths.sum())) + np.repeat(shift, lengths)] = np.frombuffer(
            frames.data, np.uint8
        )
        last = np.zeros(self.count, np.uint8)
        empty = np.zeros(self.count, np.uint8)
        error = np.zeros(self.count, np.uint8)
        ends = self.starts + counts - 1
        last[ends] = 1
        empty[ends] = counts * LANES - lengths
        error[ends] = frames.errors
        words = octets.view("<u8")
        self.fields = {"data": words, "last": last, "empty": empty, "error": error}

    def beat_of(self, frame: int, byte: int) -> int:
        """The number of the beat with a byte of a frame."""
        return int(self.starts[frame]) + byte // LANES
