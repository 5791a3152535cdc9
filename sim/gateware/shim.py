# SPDX-License-Identifier: Apache-2.0
"""What is around a Verilated block: rows of bytes in, rows of bytes out.

A row is one cycle. Its layout is made here, once for the C++ and once as a numpy type.

Verilator evaluates logic behind an input whenever the model is evaluated, and most logic is behind
the reset. So the block is wrapped: inputs go through registers of the same clock. A rising edge
then ends the cycle before, with the inputs of that one, and shows the next, with its own; all logic
is evaluated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hw.verilog import Port

CYCLE = "cycle"
"""First column of a captured row: the cycle's number since the model was made."""

CYCLE_BYTES = 8


def port_bytes(width_bits: int) -> int:
    """How many bytes a port takes in a row: as Verilator stores it."""
    for size in (1, 2, 4, 8):
        if width_bits <= 8 * size:
            return size
    return 4 * ((width_bits + 31) // 32)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a port stands in its row."""

    port: Port
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The ports of one direction, aligned to their size, and the size of the whole row."""

    places: dict[str, Place]
    size_bytes: int
    has_cycle: bool

    @classmethod
    def of(cls, ports: Sequence[Port], has_cycle: bool) -> RowLayout:
        """Lay out ``ports`` in their order; a captured row begins with its cycle."""
        places = {}
        offset = CYCLE_BYTES if has_cycle else 0
        for port in ports:
            size = port_bytes(port.width_bits)
            align = min(size, 8) if size in (1, 2, 4, 8) else 4
            offset = -(-offset // align) * align
            places[port.name] = Place(port, offset, size)
            offset += size
        return cls(places, max(8, -(-offset // 8) * 8), has_cycle)

    @property
    def dtype(self) -> np.dtype[np.void]:
        """A row as a numpy structure: numbers to 64 bits, wider ports as rows of bytes."""
        names = [CYCLE] if self.has_cycle else []
        formats: list[object] = ["<i8"] if self.has_cycle else []
        offsets = [0] if self.has_cycle else []
        for name, place in self.places.items():
            names.append(name)
            wide = place.port.width_bits > 64
            formats.append(("u1", (place.size_bytes,)) if wide else f"<u{place.size_bytes}")
            offsets.append(place.offset)
        shape = {
            "names": names,
            "formats": formats,
            "offsets": offsets,
            "itemsize": self.size_bytes,
        }
        return np.dtype(shape)  # type: ignore[call-overload, no-any-return]


RUN = """
// The input stream of a handshake: its rows are given one after the other, each when its cycle has
// come, and each until the gateware takes it.
struct Stream {
    int64_t count, next;
    const uint8_t *rows;
    const int64_t *not_before;
    int64_t *taken_at;
    int32_t valid_at, payload_at, payload_bytes, ready_at;
};

struct Model {
    VerilatedContext context;
    Top *top = nullptr;
    int64_t cycle = 0;
    alignas(8) uint8_t row[INPUT_BYTES] = {};

    // The cycle before ends, the next one begins with the inputs as they are set now.
    void next() {
        top->clk = 1;
        top->eval();
        top->clk = 0;
        top->eval();
    }
};

extern "C" {

uint32_t gateware_abi() { return 1; }

Model *gateware_create(uint32_t seed) {
    Model *model = new Model;
    model->context.threads(1);
    model->context.randReset(2);
    model->context.randSeed(static_cast<int>(seed));
    model->top = new Top{&model->context, "top"};
    model->top->clk = 0;
    model->top->rst = 1;
    model->top->eval();
    return model;
}

void gateware_destroy(Model *model) {
    model->top->final();
    delete model->top;
    delete model;
}

void gateware_reset(Model *model, int64_t cycles) {
    memset(model->row, 0, INPUT_BYTES);
    set_inputs(model->top, model->row);
    model->top->rst = 1;
    for (int64_t n = 0; n < cycles; ++n) model->next();
    model->top->rst = 0;
}

int64_t gateware_cycle(const Model *model) { return model->cycle; }

int64_t gateware_run(Model *model, const uint8_t *inputs, int64_t stride, int64_t cycles,
                     Stream *streams, int32_t stream_count,
                     const int32_t *when, int32_t when_count,
                     uint8_t *rows, int64_t capacity, int64_t *captured) {
    Top *const top = model->top;
    alignas(8) uint8_t scratch[OUTPUT_BYTES] = {};
    int64_t used = 0, done = 0;
    for (; done < cycles; ++done) {
        if (used == capacity && when_count >= 0) break;
        const uint8_t *row = inputs + done * stride;
        if (stream_count) {
            memcpy(model->row, row, INPUT_BYTES);
            for (int32_t s = 0; s < stream_count; ++s) {
                Stream &feed = streams[s];
                const bool has = feed.next < feed.count
                                 && feed.not_before[feed.next] <= model->cycle;
                model->row[feed.valid_at] = has;
                if (has)
                    memcpy(model->row + feed.payload_at,
                           feed.rows + feed.next * feed.payload_bytes, feed.payload_bytes);
            }
            row = model->row;
        }
        set_inputs(top, row);
        model->next();
        uint8_t *out = when_count < 0 ? scratch : rows + used * OUTPUT_BYTES;
        if (when_count >= 0 || stream_count) {
            get_outputs(top, out);
            for (int32_t s = 0; s < stream_count; ++s) {
                Stream &feed = streams[s];
                if (row[feed.valid_at] && out[feed.ready_at]) {
                    feed.taken_at[feed.next++] = model->cycle;
                }
            }
            if (when_count >= 0) {
                bool wanted = when_count == 0;
                for (int32_t n = 0; n < when_count; ++n) wanted |= out[when[n]] != 0;
                if (wanted) {
                    memcpy(out, &model->cycle, sizeof model->cycle);
                    ++used;
                }
            }
        }
        ++model->cycle;
    }
    *captured = used;
    return done;
}

}
"""


def _copy(member: str, place: Place, to_model: bool) -> str:
    where = f"row + {place.offset}"
    size = place.size_bytes
    if place.port.width_bits <= 64:
        first, second = (f"&top->{member}", where) if to_model else (where, f"&top->{member}")
        return f"    memcpy({first}, {second}, {size});"
    words = f"top->{member}.data()"
    first, second = (words, where) if to_model else (where, words)
    return f"    memcpy({first}, {second}, {size});"


IN, OUT = "i_", "o_"
"""Before the names of the wrapped block's ports: none is a word of Verilog or C++ then."""


def top_name(name: str) -> str:
    """The name of the module around block ``name``."""
    return f"{name}_wrapped"


def wrapper(name: str, ports: Sequence[Port], has_clock: bool) -> str:
    """The Verilog of the module around block ``name``."""
    clock = ["  .clk(clk), .rst(reset)"] if has_clock else []
    declared = ["  input clk,", "  input rst"]
    body = ["  reg reset = 1;", "  always @(posedge clk) reset <= rst;"]
    for port in ports:
        bits = f"[{port.width_bits - 1}:0]"
        if port.is_input:
            declared[-1] += ","
            declared.append(f"  input {bits} {IN}{port.name}")
            body.append(f"  reg {bits} held_{port.name} = 0;")
            body.append(f"  always @(posedge clk) held_{port.name} <= {IN}{port.name};")
            clock.append(f"  .\\{port.name} (held_{port.name})")
        else:
            declared[-1] += ","
            declared.append(f"  output {bits} {OUT}{port.name}")
            clock.append(f"  .\\{port.name} ({OUT}{port.name})")
    inner = [f"  \\{name} block (", ",\n".join(clock), "  );"]
    return "\n".join([f"module {top_name(name)}(", *declared, ");", *body, *inner, "endmodule", ""])


def _member(port: Port) -> str:
    """A port's name as Verilator writes it in C++."""
    return (IN if port.is_input else OUT) + port.name.replace("__", "___05F")


def source(name: str, inputs: RowLayout, outputs: RowLayout) -> str:
    """The C++ of one model, for the class that Verilator makes of the wrapped block ``name``."""
    lines = [
        "// Generated by sim/gateware/shim.py",
        "#include <cstdint>",
        "#include <cstring>",
        f'#include "V{top_name(name)}.h"',
        "namespace {",
        f"using Top = V{top_name(name)};",
        f"constexpr int64_t INPUT_BYTES = {inputs.size_bytes};",
        f"constexpr int64_t OUTPUT_BYTES = {outputs.size_bytes};",
        "inline void set_inputs(Top *top, const uint8_t *row) {",
        *(_copy(_member(place.port), place, True) for place in inputs.places.values()),
        "    (void)top, (void)row;",
        "}",
        "inline void get_outputs(Top *top, uint8_t *row) {",
        *(_copy(_member(place.port), place, False) for place in outputs.places.values()),
        "    (void)top, (void)row;",
        "}",
        "}",
    ]
    return "\n".join(lines) + "\n" + RUN
