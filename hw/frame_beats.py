# SPDX-License-Identifier: Apache-2.0
"""The first stage of a line's parser: beats in a register, with what is known of their place."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.stream import LANES, LineSignature

LAST_INDEX = 5
"""Beats are numbered up to this; every later one of a frame has it too."""
BEFORE_LANES = 2


class FrameBeat(data.Struct):
    """A beat, and where in its frame it stands."""

    data: 64
    before: 8 * BEFORE_LANES  # the upper lanes of the beat before it
    top: range(LANES)  # the highest lane that holds a byte of the frame
    there: LANES  # which lanes hold one; as ``top``, but with no comparison
    last: 1
    error: 1
    index: range(LAST_INDEX + 1)  # number in the frame, of the fifth and every later one 5


def octet(beat: data.View, lane: int) -> Value:
    """The byte in a lane; lanes -1 and -2 are the upper ones of the beat before."""
    if lane >= 0:
        return beat.data[8 * lane : 8 * lane + 8]
    return beat.before[8 * (lane + BEFORE_LANES) : 8 * (lane + BEFORE_LANES) + 8]


class FrameBeats(wiring.Component):
    """Registers beats: ``valid`` and ``beat`` are one cycle behind ``line``.

    ``beat`` keeps its value while nothing comes.
    """

    line: In(LineSignature)
    valid: Out(1)
    beat: Out(FrameBeat)

    def __init__(self) -> None:
        super().__init__()
        self.next_index = Signal(range(LAST_INDEX + 1))

    def elaborate(self, platform: object) -> Module:
        """The register and the beat's number."""
        m = Module()
        index = self.next_index
        given = self.line.beat
        m.d.sync += self.valid.eq(self.line.valid)
        with m.If(self.line.valid):
            m.d.sync += [
                self.beat.data.eq(given.data),
                self.beat.before.eq(self.beat.data[8 * (LANES - BEFORE_LANES) :]),
                self.beat.top.eq(Mux(given.last, ~given.empty, LANES - 1)),
                self.beat.there.eq(
                    Cat(
                        ~(given.last & given.empty.matches(*range(LANES - n, LANES)))
                        for n in range(LANES)
                    )
                ),
                self.beat.last.eq(given.last),
                self.beat.error.eq(given.error & given.last),
                self.beat.index.eq(index),
                index.eq(Mux(given.last, 0, Mux(index == LAST_INDEX, index, index + 1))),
            ]
        return m


def lanes_of(beat: data.View, first: int, width: int) -> Value:
    """``width`` bytes beginning at lane ``first``, the first one lowest."""
    return Cat(*(octet(beat, lane) for lane in range(first, first + width)))
