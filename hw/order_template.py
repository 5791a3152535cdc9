# SPDX-License-Identifier: Apache-2.0
"""Where the templates are kept that the host wrote, and the payload of the host beside them."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from nic.offload.builder_enumerations import TEMPLATE
from nic.offload.order_template import (
    ADDRESS_BITS,
    DESCRIPTOR,
    DESCRIPTOR_AT,
    HEADER_AT,
    HEADER_DESCRIPTOR,
    HEADER_DESCRIPTOR_AT,
    HEADER_WORDS,
    HOST_PAYLOAD_AT,
    HOST_WORDS,
)

WORD_BITS = 64
PAYLOAD_ROWS = HEADER_AT
Descriptor = data.StructLayout(dict(DESCRIPTOR))
HeaderDescriptor = data.StructLayout(dict(HEADER_DESCRIPTOR))

TemplateWrite = data.StructLayout({"address": ADDRESS_BITS, "data": WORD_BITS})


class OrderTemplates(wiring.Component):
    """Header and payload words, and their descriptors.

    Members: ``write_valid``, ``write``: a word at an address of ``nic.offload.order_template``;
    ``is_locked`` refuses it, which makes ``refused`` 1 for a cycle. ``is_loaded``: the last word
    written was the last one of the templates. ``host_*``: a word of the host's payload.
    ``header_row``, ``payload_row``: which words are shown, in the same cycle, in ``header`` and
    ``payload``. ``descriptors``, one per kind, and ``header_descriptor`` are always shown.
    """

    write_valid: In(1)
    write: In(TemplateWrite)
    is_locked: In(1)
    refused: Out(1)
    is_loaded: Out(1)
    host_valid: In(1)
    host_index: In(range(HOST_WORDS))
    host_data: In(WORD_BITS)
    header_row: In(range(HEADER_WORDS))
    header: Out(WORD_BITS)
    payload_row: In(range(PAYLOAD_ROWS))
    payload: Out(WORD_BITS)
    descriptors: Out(data.ArrayLayout(Descriptor, TEMPLATE.count))
    header_descriptor: Out(HeaderDescriptor)

    def elaborate(self, platform: object) -> Module:
        """Two small RAMs that are read in the same cycle, and registers for the descriptors."""
        m = Module()
        small = {"ram_style": "distributed"}
        m.submodules.headers = headers = memory.Memory(
            shape=WORD_BITS, depth=HEADER_WORDS, init=[], attrs=small
        )
        m.submodules.payloads = payloads = memory.Memory(
            shape=WORD_BITS, depth=PAYLOAD_ROWS, init=[], attrs=small
        )
        for ram, row, word in (
            (headers, self.header_row, self.header),
            (payloads, self.payload_row, self.payload),
        ):
            port = ram.read_port(domain="comb")
            m.d.comb += [port.addr.eq(row), word.eq(port.data)]
        address = self.write.address
        write = Signal()
        m.d.comb += write.eq(self.write_valid & ~self.is_locked)
        m.d.sync += self.refused.eq(self.write_valid & self.is_locked)
        is_payload = address < PAYLOAD_ROWS
        is_header = (address >= HEADER_AT) & (address < DESCRIPTOR_AT)
        to_headers = headers.write_port()
        m.d.comb += [
            to_headers.en.eq(write & is_header),
            to_headers.addr.eq(address),
            to_headers.data.eq(self.write.data),
        ]
        to_payloads = payloads.write_port()
        m.d.comb += [
            to_payloads.en.eq((write & is_payload) | self.host_valid),
            to_payloads.addr.eq(Mux(self.host_valid, HOST_PAYLOAD_AT + self.host_index, address)),
            to_payloads.data.eq(Mux(self.host_valid, self.host_data, self.write.data)),
        ]
        with m.If(write):
            m.d.sync += self.is_loaded.eq(address == HEADER_DESCRIPTOR_AT)
            with m.If(address == HEADER_DESCRIPTOR_AT):
                m.d.sync += self.header_descriptor.eq(self.write.data)
            for kind in range(TEMPLATE.count):
                with m.If(address == DESCRIPTOR_AT + kind):
                    m.d.sync += self.descriptors[kind].eq(self.write.data)
        return m
