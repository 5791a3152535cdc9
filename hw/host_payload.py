# SPDX-License-Identifier: Apache-2.0
"""A payload of the host on its way into a segment: stored, measured and summed before it goes."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.checksum import SUM_BITS, folded, network_order
from hw.transmit import PAYLOAD_BITS
from nic.offload.order_template import HOST_WORDS, WORD_BYTES
from nic.wire.internet import INTERNET

IP_BYTES = INTERNET["ipv4"].length
TCP_BYTES = INTERNET["tcp"].length


class PayloadWord(data.Struct):
    """Eight bytes of a payload, the first one lowest."""

    data: 64
    last: 1
    empty: 3
    """Bytes at the top of the last word that hold nothing; 0 in every other word."""


class HostPayload(wiring.Component):
    """Takes one payload, holds it until it is ``taken``.

    Members: ``payload``: words in; not ready while one is held. ``write_*``: the words for the
    builder's memory. ``is_held``: it is whole, and ``payload_bytes``, ``total_length`` (of the IP
    packet), ``payload_sum`` (with the TCP length) are right; ``is_too_long``: it is to be
    dropped. ``taken``: its turn came, and nothing is held any more; ``released``, in that cycle or
    later: its words and numbers are not needed any more, and the next payload may come.
    """

    payload: In(stream.Signature(PayloadWord))
    write_valid: Out(1)
    write_index: Out(range(HOST_WORDS))
    write_data: Out(64)
    is_held: Out(1)
    is_too_long: Out(1)
    payload_bytes: Out(PAYLOAD_BITS)
    total_length: Out(16)
    payload_sum: Out(SUM_BITS)
    taken: In(1)
    released: In(1)

    def elaborate(self, platform: object) -> Module:
        """Load; two steps of folding; wait until the room for it is told; hold."""
        m = Module()
        word = self.payload.payload
        count = Signal(range(HOST_WORDS + 1))
        sums = Signal(18)
        sums_valid = Signal()
        whole = Signal(SUM_BITS + 8)
        settle = Signal(3)
        is_kept = Signal()  # from its last word until it is released
        is_loading = Signal()
        m.d.comb += is_loading.eq(~is_kept)
        m.d.comb += self.payload.ready.eq(is_loading)
        kept = [Mux(word.last & (i + word.empty >= WORD_BYTES), 0, word.data[8 * i : 8 * i + 8])
                for i in range(WORD_BYTES)]  # fmt: skip
        m.d.sync += [self.write_valid.eq(0), sums_valid.eq(0)]
        m.d.sync += [self.write_index.eq(count), self.write_data.eq(Cat(*kept))]
        halves = [network_order(self.write_data[16 * i : 16 * i + 16]) for i in range(4)]
        m.d.sync += sums_valid.eq(self.write_valid)
        m.d.sync += sums.eq((halves[0] + halves[1]) + (halves[2] + halves[3]))
        with m.If(is_loading & self.payload.valid):
            with m.If(count == HOST_WORDS):
                m.d.sync += self.is_too_long.eq(1)
            with m.Else():
                m.d.sync += [self.write_valid.eq(1), count.eq(count + 1)]
            with m.If(word.last):
                m.d.sync += [
                    is_kept.eq(1),
                    settle.eq(1),
                    self.payload_bytes.eq(Cat(~word.empty, count)[:PAYLOAD_BITS] + 1),
                ]
        with m.If(sums_valid):
            m.d.sync += whole.eq(whole + sums)
        with m.If(settle == 3):
            m.d.sync += self.total_length.eq(self.payload_bytes + (IP_BYTES + TCP_BYTES))
        with m.If(settle == 4):
            m.d.sync += whole.eq(whole + self.total_length - IP_BYTES)
        with m.If((settle == 5) | (settle == 6)):
            m.d.sync += whole.eq(folded(whole))
        with m.If(settle == 6):
            m.d.sync += [settle.eq(0), self.is_held.eq(1)]
        with m.Elif(settle != 0):
            m.d.sync += settle.eq(settle + 1)
        m.d.comb += self.payload_sum.eq(whole)
        with m.If(self.taken):
            m.d.sync += self.is_held.eq(0)
        with m.If(self.released):
            m.d.sync += [
                is_kept.eq(0),
                self.is_too_long.eq(0),
                count.eq(0),
                whole.eq(0),
            ]
        return m
