# SPDX-License-Identifier: Apache-2.0
"""The limits of the risk gate in block RAM, changed one whole set at a time.

The host writes a set word by word into shadow registers and then commits it, for one symbol or
as the default of all symbols without a set of their own. The commit bears a sequence number; one
that is not above the last is refused. Nothing of a set is in force before all of it is.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.risk_rows import limits_layout
from hw.swept_memory import SweptMemory
from nic.offload.limit_words import WORDS
from nic.offload.limits import SCOPE_GATE, SCOPE_SYMBOL

VALUE_BITS = 64
SEQUENCE_BITS = 64
INDEX_BITS = 32
COUNTER_BITS = 32
RAM_BITS = 18 * 1024
WIDEST_PIECE = 36
"""Of a block RAM: all of it, and as wide as it can be."""

FIELDS = len(WORDS)

ShadowWrite = data.StructLayout({"number": range(FIELDS), "value": VALUE_BITS})
"""A word of the shadow set, by its place in ``WORDS``; bits above its width are cut."""

Commit = data.StructLayout(
    {"is_default": 1, "symbol_index": INDEX_BITS, "sequence_number": SEQUENCE_BITS}
)
"""Put the shadow set in force: as the default one, or for a symbol."""


class LimitsTable(wiring.Component):
    """Limits by symbol, and those of the whole gate.

    Members: ``shadow_valid``, ``shadow``: write a word, taken at once; not while a commit is given
    and not yet accepted or refused. ``commit_valid``, ``commit``, ``commit_ready``: taken while
    ``hold`` is 0; four cycles later ``accepted`` or ``refused`` is 1 for a cycle, and an accepted
    set is in force. Refused is a number that is not above the last (counted in ``late``), a set of
    a symbol before the first default set or for an unknown symbol, and a set of which a word was
    not written since the last accepted one (both counted in ``unfit``).

    ``symbol_index``: of which ``row`` shows the limits two cycles later: an own set if it was in
    force before ``symbol_index`` was given (given in the cycle in which it changes: anything).
    ``gate_limits`` and ``default_row``: of the default set. ``is_set``: there is one; before,
    nothing may pass. ``sequence_number``: of the latest set.
    """

    def __init__(self, symbol_bits: int = 10) -> None:
        """``symbol_bits``: two to this power symbols; raises ``ValueError`` outside 1 to 16."""
        if not 1 <= symbol_bits <= 16:
            raise ValueError(f"symbol_bits {symbol_bits} is not from 1 to 16")
        self.symbol_bits = symbol_bits
        super().__init__(
            {
                "shadow_valid": In(1),
                "shadow": In(ShadowWrite),
                "commit_valid": In(1),
                "commit": In(Commit),
                "commit_ready": Out(1),
                "hold": In(1),
                "accepted": Out(1),
                "refused": Out(1),
                "symbol_index": In(symbol_bits),
                "row": Out(limits_layout(SCOPE_SYMBOL)),
                "gate_limits": Out(limits_layout(SCOPE_GATE)),
                "default_row": Out(limits_layout(SCOPE_SYMBOL)),
                "is_set": Out(1),
                "sequence_number": Out(SEQUENCE_BITS),
                "late": Out(COUNTER_BITS),
                "unfit": Out(COUNTER_BITS),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Shadow, commit in two steps, table, default."""
        m = Module()
        row_layout, gate_layout = limits_layout(SCOPE_SYMBOL), limits_layout(SCOPE_GATE)
        shadow_row = Signal(row_layout)
        shadow_gate = Signal(gate_layout)
        written = Signal(FIELDS)
        places = []
        for word in WORDS:
            home = shadow_row if word.scope == SCOPE_SYMBOL else shadow_gate
            places.append(home[word.name])
        writes, value = Signal(FIELDS), Signal(VALUE_BITS)  # which goes far
        m.d.sync += value.eq(self.shadow.value)
        for number, place in enumerate(places):
            m.d.sync += writes[number].eq(self.shadow_valid & (self.shadow.number == number))
            with m.If(writes[number]):
                m.d.sync += [place.eq(value), written[number].eq(1)]

        # commit: take, compare, judge, apply; the sequence number is too wide for a cycle with the
        # rest, and what applies a set goes far
        taken = Signal(Commit)
        compare, judge, is_late, is_unfit = Signal(), Signal(), Signal(), Signal()
        passes, fails, sets_default = Signal(), Signal(), Signal()
        busy = Signal()
        m.d.comb += [
            self.commit_ready.eq(self.init_done & ~self.hold & ~busy),
        ]
        takes = self.commit_valid & self.commit_ready
        m.d.sync += [compare.eq(takes), judge.eq(compare), busy.eq(takes | compare | judge)]
        with m.If(~busy):
            m.d.sync += taken.eq(self.commit)
        out_of_table = taken.symbol_index >> self.symbol_bits != 0
        m.d.sync += [
            is_late.eq(taken.sequence_number <= self.sequence_number),
            is_unfit.eq(~written.all() | (~taken.is_default & (~self.is_set | out_of_table))),
        ]
        is_good = judge & ~is_late & ~is_unfit
        m.d.sync += [
            passes.eq(is_good),
            sets_default.eq(is_good & taken.is_default),
            self.accepted.eq(passes),
            fails.eq(judge & (is_late | is_unfit)),
            self.refused.eq(fails),
        ]
        with m.If(judge & is_late):
            m.d.sync += self.late.eq(self.late + 1)
        with m.If(judge & ~is_late & is_unfit):
            m.d.sync += self.unfit.eq(self.unfit + 1)
        with m.If(passes):
            m.d.sync += [self.sequence_number.eq(taken.sequence_number), written.eq(0)]
        with m.If(sets_default):
            m.d.sync += [
                self.default_row.eq(shadow_row),
                self.gate_limits.eq(shadow_gate),
                self.is_set.eq(1),
            ]

        # rows in pieces as wide as a RAM, each with a bit that says it was ever written: that bit
        # chooses between the piece and the default set, and has not far to go
        shadow, default, row = (
            view.as_value() for view in (shadow_row, self.default_row, self.row)
        )
        done = []
        piece_bits = min(WIDEST_PIECE, max(2, RAM_BITS >> self.symbol_bits))
        for start in range(0, len(row), piece_bits - 1):
            end = min(start + piece_bits - 1, len(row))
            piece = SweptMemory(
                end - start + 1, 1 << self.symbol_bits, registered=1, may_collide=False
            )
            m.submodules[f"piece_{start}"] = piece
            address, found = piece.read()
            m.d.comb += [
                piece.write_enable.eq(passes & ~taken.is_default),
                piece.write_address.eq(taken.symbol_index),
                piece.write_data.eq(Cat(shadow[start:end], 1)),
                address.eq(self.symbol_index),
                row[start:end].eq(Mux(found[-1], found[:-1], default[start:end])),
            ]
            done.append(piece.init_done)
        m.d.comb += self.init_done.eq(done[0])
        return m
