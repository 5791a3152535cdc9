# SPDX-License-Identifier: Apache-2.0
"""What an order fills into its template: the pieces, and where they stand in the payload."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data

from hw.gate_ports import PASS_NUMBER_BITS
from hw.request import USER_REF_NUM_BITS, request_layout
from nic.offload.order_template import (
    MESSAGES,
    PAYLOAD_WORDS,
    PIECES,
    WORD_BYTES,
    filled_places,
)

HEXADECIMAL_BITS = 4

PiecesLayout = data.StructLayout({name: data.ArrayLayout(8, n) for name, n in PIECES.items()})
"""The pieces, each with its first byte on the wire at index 0."""


def order_layout(symbol_bits: int, strategy_bits: int, venue_bits: int) -> data.StructLayout:
    """An order that the gate passed."""
    return data.StructLayout(
        {
            "request": request_layout(symbol_bits, strategy_bits, venue_bits),
            "user_ref_num": USER_REF_NUM_BITS,  # the new order's; a cancel has none
            "pass_number": PASS_NUMBER_BITS,
        }
    )


def octets(value: Value, count: int) -> list[Value]:
    """The bytes of a number, the most significant one first."""
    wide = Cat(value, Const(0, max(8 * count - len(value), 0)))
    return [wide[8 * i : 8 * i + 8] for i in reversed(range(count))]


def hexadecimal(value: Value, digits: int) -> list[Value]:
    """The letters of a number in hexadecimal, the most significant one first."""
    wide = Cat(value, Const(0, max(HEXADECIMAL_BITS * digits - len(value), 0)))
    nibbles = [wide[4 * i : 4 * i + 4] for i in reversed(range(digits))]
    return [Mux(n < 10, Const(ord("0"), 8) + n, Const(ord("A") - 10, 8) + n)[:8] for n in nibbles]


def pieces_of(order: data.View[data.StructLayout], symbol_text: Value) -> dict[str, list[Value]]:
    """The bytes of every piece; ``symbol_text`` has its first letter in the lowest byte."""
    request = order.request
    count = PIECES
    return {
        "number": octets(order.user_ref_num, count["number"]),
        "order_number": octets(request.user_ref_num, count["order_number"]),
        "side": octets(request.side, count["side"]),
        "quantity": octets(request.quantity, count["quantity"]),
        "price": octets(request.price, count["price"]),
        "time_in_force": octets(request.time_in_force, count["time_in_force"]),
        "symbol": [symbol_text[8 * i : 8 * i + 8] for i in range(count["symbol"])],
        "strategy_text": hexadecimal(request.strategy, count["strategy_text"]),
        "number_text": hexadecimal(order.user_ref_num, count["number_text"]),
    }


def filled_word(m: Module, pieces: data.View[data.StructLayout], action: Value,
                index: Value) -> Signal:  # fmt: skip
    """A word of the payload with nothing but the pieces in it, for an action and a word's index."""
    word = Signal(8 * WORD_BYTES)
    with m.Switch(Cat(index[: (PAYLOAD_WORDS - 1).bit_length()], action)):
        for number, message in enumerate(MESSAGES):
            content: list[list[Value]] = [[Const(0, 8)] * WORD_BYTES for _ in range(PAYLOAD_WORDS)]
            for name, offset in filled_places(message).items():
                for i in range(PIECES[name]):
                    at = offset + i
                    content[at // WORD_BYTES][at % WORD_BYTES] = pieces[name][i]
            for i, lanes in enumerate(content):
                with m.Case(number << (PAYLOAD_WORDS - 1).bit_length() | i):
                    m.d.comb += word.eq(Cat(*lanes))
    return word
