# SPDX-License-Identifier: Apache-2.0
"""Checksums of a segment from its template's sum and what was filled in (RFC 1624, RFC 1071).

The bytes that are filled in stand at even and at odd places. Those at even places are summed apart
from the others, as bytes; so the same sums serve messages that have a field at another parity.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.carry_save import total
from hw.order_fields import PiecesLayout
from nic.offload.order_template import MESSAGES, PIECES, filled_places

SUM_BITS = 16
CHUNK_BYTES = 4
SYMBOL = "symbol"
"""The piece that comes with its sums, one cycle after the others: it is out of a block RAM."""
PAIR_BITS = 9
GROUP = 3
LATENCY = 5
PLACES = tuple(filled_places(message) for message in MESSAGES)
"""Where the pieces stand, by the number of the action."""

SymbolSums = data.ArrayLayout(10, 2)
"""Sums of the letters of a symbol at even and at odd places of the symbol."""


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
    ``is_filled`` is 0; ``symbol_sums``, one cycle later than all else. ``checksum`` is for the
    header as it is.
    """

    template_sum: In(SUM_BITS)
    payload_sum: In(SUM_BITS)
    sequence_number: In(32)
    acknowledgment_number: In(32)
    window: In(16)
    pieces: In(PiecesLayout)
    symbol_sums: In(SymbolSums)
    action: In(2)
    is_filled: In(1)
    checksum: Out(SUM_BITS)

    def elaborate(self, platform: object) -> Module:
        """Five stages: pairs, groups, sums of the parities, total, fold."""
        m = Module()
        # First: pairs of bytes; at which parity of the message they count, if they do.
        pairs: list[tuple[str, list[Signal]]] = []
        for name, count in PIECES.items():
            for first in range(0, 0 if name == SYMBOL else count, CHUNK_BYTES):
                span = range(first, min(first + CHUNK_BYTES, count))
                both = [Signal(PAIR_BITS, name=f"{name}_{first}_{parity}") for parity in range(2)]
                for parity in range(2):
                    terms = [self.pieces[name][i] for i in span if i % 2 == parity]
                    m.d.sync += both[parity].eq(sum(terms, Const(0, 1)))
                pairs.append((name, both))
        counts = {name: Signal(2, name=f"counts_{name}") for name in PIECES}
        for name, flags in counts.items():
            for parity in range(2):
                numbers = [number for number, places in enumerate(PLACES)
                           if places.get(name, 1 - parity) % 2 == parity]  # fmt: skip
                here = Cat(*(self.action == number for number in numbers)).any()
                m.d.sync += flags[parity].eq(self.is_filled & here)
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

        # Second: a piece at an odd place has its even bytes at the odd ones of the message.
        base = Signal(19)
        m.d.sync += base.eq(total([sequence, acknowledgment, header, payload], 19))
        terms_of: list[list[Value]] = [[], []]
        for name, sums in [*pairs, (SYMBOL, list(self.symbol_sums))]:
            for parity in range(2):
                kept = Mux(counts[name][0], sums[parity], 0)
                swapped = Mux(counts[name][1], sums[1 - parity], 0)
                terms_of[parity].append(kept | swapped)
        later_base = Signal(19)
        m.d.sync += later_base.eq(base)
        totals = []
        for parity, terms in enumerate(terms_of):
            groups: list[Value] = []
            for first in range(0, len(terms), GROUP):
                group = Signal(12, name=f"group_{parity}_{first}")
                members = terms[first : first + GROUP]
                m.d.sync += group.eq(total(members, 12) if len(members) > 1 else members[0])
                groups.append(group)
            # Third.
            both_of = Signal(13, name=f"total_{parity}")
            m.d.sync += both_of.eq(total(groups, 13))
            totals.append(both_of)
        # Fourth: a byte at an even place is the high one of its word.
        whole = Signal(22)
        m.d.sync += whole.eq(total([later_base, Cat(Const(0, 8), totals[0]), totals[1]], 22))
        # Fifth.
        once = Signal(17)
        m.d.comb += once.eq(folded(whole))
        m.d.sync += self.checksum.eq(~(once[:SUM_BITS] + once[SUM_BITS])[:SUM_BITS])
        return m
