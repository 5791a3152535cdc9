# SPDX-License-Identifier: Apache-2.0
"""Checksums of a segment from its template's sum and what was filled in (RFC 1624, RFC 1071).

The bytes that are filled in stand at even and at odd places. Those at even places are summed apart
from the others, as bytes; so the same sums serve messages that have a field at another parity.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.carry_save import total
from hw.order_fields import PiecesLayout
from nic.offload.order_template import MESSAGES, PIECES, filled_places

SUM_BITS = 16
CHUNK_BYTES = 4
LATE = "symbol"
"""The piece that is there one cycle after the others: it comes out of a block RAM."""
LATENCY = 5
PLACES = tuple(filled_places(message) for message in MESSAGES)
"""Where the pieces stand, by the number of the action."""


def network_order(value: Value) -> Value:
    """Two bytes of a sum as they go on the wire, the first one lowest."""
    return Cat(value[8:16], value[:8])


def folded(value: Value) -> Value:
    """A sum brought back to 16 bits, but for a last carry: 17 bits."""
    return value[:SUM_BITS] + value[SUM_BITS:]


class SegmentChecksum(wiring.Component):
    """The TCP checksum of a segment, ``LATENCY`` cycles after its parts are there.

    Members: ``template_sum`` and ``payload_sum`` (ones' complement sums), ``sequence_number``,
    ``acknowledgment_number``, ``window``; ``pieces``, of which those of ``action`` count, none when
    ``is_filled`` is 0; the symbol may come one cycle later than all else. ``checksum`` is for the
    header as it is.
    """

    template_sum: In(SUM_BITS)
    payload_sum: In(SUM_BITS)
    sequence_number: In(32)
    acknowledgment_number: In(32)
    window: In(16)
    pieces: In(PiecesLayout)
    action: In(2)
    is_filled: In(1)
    checksum: Out(SUM_BITS)

    def elaborate(self, platform: object) -> Module:
        """Five stages: pairs, parity of the message, sums of the parities, total, fold."""
        m = Module()
        # First: pairs of bytes; second, for what comes late.
        chunks: dict[tuple[str, int], tuple[Signal, Signal]] = {}
        for name, count in PIECES.items():
            for first in range(0, count, CHUNK_BYTES):
                span = range(first, min(first + CHUNK_BYTES, count))
                pair = []
                for parity in range(2):
                    here = Signal(9, name=f"{name}_{first}_{parity}")
                    terms = [self.pieces[name][i] for i in span if i % 2 == parity]
                    m.d.sync += here.eq(sum(terms, Const(0, 1)))
                    pair.append(here)
                chunks[name, first] = (pair[0], pair[1])
        sequence = Signal(17)
        acknowledgment = Signal(17)
        header = Signal(17)
        payload = Signal(16)
        m.d.sync += [
            sequence.eq(self.sequence_number[:16] + self.sequence_number[16:]),
            acknowledgment.eq(self.acknowledgment_number[:16] + self.acknowledgment_number[16:]),
            header.eq(self.template_sum + self.window),
            payload.eq(self.payload_sum),
        ]
        # Second: what counts in this message, even or odd.
        parities: list[list[Value]] = [[], []]
        for (name, _), sums in chunks.items():
            for parity in range(2):
                value: Value = Const(0, 9)
                for number, places in enumerate(PLACES):
                    if name in places:
                        own = (parity + places[name]) % 2
                        value = Mux(self.action == number, sums[own], value)
                if name != LATE:
                    parities[parity].append(Mux(self.is_filled, value, 0))
        late = chunks[LATE, 0], chunks[LATE, CHUNK_BYTES]
        ((late_number, late_offset),) = (
            (number, places[LATE]) for number, places in enumerate(PLACES) if LATE in places
        )
        counts_late = self.is_filled & (self.action == late_number)
        base = Signal(19)
        m.d.sync += base.eq(total([sequence, acknowledgment, header, payload], 19))
        totals = []
        for parity in range(2):
            early = Signal(13, name=f"early_{parity}")
            m.d.sync += early.eq(total(parities[parity], 13))
            # Third.
            own = (parity + late_offset) % 2
            both = Signal(13, name=f"both_{parity}")
            letters = [Mux(counts_late, sums[own], 0) for sums in late]
            m.d.sync += both.eq(total([early, *letters], 13))
            totals.append(both)
        later_base = Signal(19)
        m.d.sync += later_base.eq(base)
        # Fourth: a byte at an even place is the high one of its word.
        whole = Signal(22)
        m.d.sync += whole.eq(total([later_base, Cat(Const(0, 8), totals[0]), totals[1]], 22))
        # Fifth: with both carries that the fold may have.
        once = Signal(17)
        m.d.comb += once.eq(folded(whole))
        m.d.sync += self.checksum.eq(~(once[:SUM_BITS] + once[SUM_BITS])[:SUM_BITS])
        return m
