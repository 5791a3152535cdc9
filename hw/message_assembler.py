# SPDX-License-Identifier: Apache-2.0
"""A message's bytes out of the lanes they came in, into a register with byte 0 lowest.

All beats of a message but the one that it begins in are turned by the same number of lanes, so one
rotator is enough: each turned byte always goes to the same place of an eight-byte word, only the
word changes. The bytes of the beat in which a message begins are picked apart from the rotator,
which is still busy with the end of the message before, and written one cycle later, when that
message was seen.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.block_walk import LANE_BITS, choose
from hw.frame_beats import FrameBeat, octet
from hw.stream import LANES
from nic.framing.feed_format import FeedFormat


class MessageAssembler(wiring.Component):
    """Puts messages together.

    ``valid``, ``beat``, ``starts`` and ``lane`` (the low bits of ``place``) are the walk's.
    ``message`` has a message's bytes three cycles after the one with its last byte on the line,
    in that cycle only; bytes behind its length are undefined.
    """

    def __init__(self, feed: FeedFormat) -> None:
        self.longest_bytes = feed.longest_bytes
        super().__init__(
            {
                "valid": In(1),
                "beat": In(FrameBeat),
                "starts": In(1),
                "lane": In(LANE_BITS),
                "message": Out(8 * feed.longest_bytes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The rotator, the head, and the words' registers."""
        m = Module()
        words = -(-self.longest_bytes // LANES)
        lanes = [octet(self.beat, n) for n in range(LANES)]
        turn = Signal(LANE_BITS)  # lane of the open message's first byte
        high_word = Signal(words + 1)  # one-hot: the word for lanes from turn on
        upper = Signal(LANES)  # turned bytes that came from lanes below turn

        turned = Signal(8 * LANES)
        turned_upper = Signal(LANES)
        turned_word = Signal(words + 1)
        m.d.sync += [
            turned.eq(
                Cat(
                    choose(turn, [lanes[(n + k) % LANES] for k in range(LANES)])
                    for n in range(LANES)
                )
            ),
            turned_upper.eq(upper),
            turned_word.eq(high_word & self.valid.replicate(words + 1)),
        ]

        head = Signal(8 * (LANES - 1))
        held = Signal(8 * (LANES - 1))
        head_valid = Signal(2)
        m.d.sync += [
            head.eq(
                Cat(
                    choose(self.lane, [lanes[min(k + 1 + n, LANES - 1)] for k in range(LANES)])
                    for n in range(LANES - 1)
                )
            ),
            held.eq(head),
            head_valid.eq(Cat(self.starts & (self.lane != LANES - 1), head_valid)),
        ]

        with m.If(self.starts):
            m.d.sync += [
                turn.eq(self.lane + 1),
                high_word.eq(Mux(self.lane == LANES - 1, 0b01, 0b10)),
                upper.eq(Cat((self.lane + 1)[:LANE_BITS] + n >= LANES for n in range(LANES))),
            ]
        with m.Elif(self.valid):
            m.d.sync += high_word.eq(high_word << 1)

        for n in range(self.longest_bytes):
            word, place = divmod(n, LANES)
            source = turned[8 * place : 8 * place + 8]
            enable = Mux(turned_upper[place], turned_word[word + 1], turned_word[word])
            if word == 0 and place < LANES - 1:
                source = Mux(enable, source, held[8 * place : 8 * place + 8])
                enable = enable | head_valid[1]
            with m.If(enable):
                m.d.sync += self.message[8 * n : 8 * n + 8].eq(source)
        return m
