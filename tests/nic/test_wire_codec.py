# SPDX-License-Identifier: Apache-2.0
"""The generated Cython codecs against the reference: same values, same bytes, same refusals."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_support import EVERY_DIRECTION, EVERY_MESSAGE, field_values, message_id, wire_bytes

from nic.wire import compiled, reference
from nic.wire.protocols import PROTOCOLS
from nic.wire.reference import WireError
from nic.wire.table import LengthRule, Message, Protocol

EXAMPLES = 15
"""Per message; there are 88 of them."""


def outcome(call: Callable, *arguments: object) -> object:
    """What a call returns, or the name it refuses under."""
    try:
        return call(*arguments)
    except WireError as error:
        return error.reason


def directions_of(protocol: Protocol, message: Message) -> list[str]:
    return [d for d, names in protocol.directions.items() if message.name in names]


@pytest.mark.parametrize(("protocol", "message"), EVERY_MESSAGE, ids=message_id)
def test_decode_then_encode_gives_the_same_bytes(protocol: Protocol, message: Message) -> None:
    @settings(max_examples=EXAMPLES)
    @given(wire_bytes(protocol, message))
    def check(data: bytes) -> None:
        values = reference.decode_as(protocol, message.name, data)
        assert compiled.decode_as(protocol.name, message.name, data) == values
        assert reference.encode(protocol, message.name, values) == data
        assert compiled.encode(protocol.name, message.name, values) == data
        if message.code is not None:
            for direction in directions_of(protocol, message):
                assert reference.decode(protocol, data, direction) == (message.name, values)
                assert compiled.decode(protocol.name, data, direction) == (message.name, values)

    check()


@pytest.mark.parametrize(("protocol", "message"), EVERY_MESSAGE, ids=message_id)
def test_encode_then_decode_gives_the_same_values(protocol: Protocol, message: Message) -> None:
    @settings(max_examples=EXAMPLES)
    @given(field_values(message), st.binary(max_size=20))
    def check(values: dict[str, int | bytes], payload: bytes) -> None:
        if message.length_rule is not LengthRule.EXACT:
            values = values | {"payload": payload}
        data = compiled.encode(protocol.name, message.name, values)
        assert reference.encode(protocol, message.name, values) == data
        found = compiled.decode_as(protocol.name, message.name, data)
        for field in message:
            if message.code is not None and field.offset == protocol.type_offset:
                assert found[field.name] == bytes([message.code])
            elif field.counts and field.name in found:
                assert found[field.name] == message.count(field, len(found.get("payload", b"")))
            elif field.name in values:
                value = values[field.name]
                if isinstance(value, bytes):
                    value = value.ljust(field.width, b" " if field.kind == "text" else b"\0")
                assert found[field.name] == value
        assert found.get("payload", payload) == payload

    check()


@pytest.mark.parametrize(("protocol", "message"), EVERY_MESSAGE, ids=message_id)
def test_every_other_length_is_refused(protocol: Protocol, message: Message) -> None:
    """A message cut or made longer byte by byte is accepted only where its rule says so."""
    for size in range(message.length + 8):
        data = bytearray(size)
        if message.code is not None and size > protocol.type_offset:
            data[protocol.type_offset] = message.code
        accepted = {
            LengthRule.EXACT: size == message.length,
            LengthRule.AT_LEAST: size >= message.length,
            LengthRule.PAYLOAD: size >= message.length,
            LengthRule.APPENDAGE: size == message.length,
            LengthRule.OPTIONAL_APPENDAGE: size in (message.shortest_length, message.length),
        }[message.length_rule]
        for found in (
            outcome(reference.decode_as, protocol, message.name, bytes(data)),
            outcome(compiled.decode_as, protocol.name, message.name, data),
        ):
            assert isinstance(found, dict) == accepted, size
            assert accepted or found == "length"


@pytest.mark.parametrize(("protocol", "direction"), EVERY_DIRECTION, ids=message_id)
@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_random_bytes_are_judged_alike(protocol: Protocol, direction: str, seed: int) -> None:
    rng = random.Random(seed)
    codes = list(protocol.by_code(direction)) or [0]
    for _ in range(40):
        data = bytearray(rng.randbytes(rng.choice((0, 1, 2, 3, 12, 19, 36, rng.randrange(90)))))
        if len(data) > protocol.type_offset and rng.random() < 0.8:
            data[protocol.type_offset] = rng.choice(codes)
        expected = outcome(reference.decode, protocol, bytes(data), direction)
        assert outcome(compiled.decode, protocol.name, data, direction) == expected, (seed, data)


REFUSED_VALUES = [
    ("itch50", "add_order", {"shares": 1 << 32}, "value"),
    ("itch50", "add_order", {"shares": -1}, "value"),
    ("itch50", "add_order", {"shares": b"1"}, "value"),
    ("itch50", "add_order", {"timestamp": 1 << 48}, "value"),
    ("itch50", "add_order", {"stock": b"TOO LONG."}, "value"),
    ("itch50", "add_order", {"stock": 5}, "value"),
    ("itch50", "add_order", {"colour": 5}, "unknown_field"),
    ("itch50", "add_order", {"payload": b""}, "unknown_field"),
    ("deep10", "trade_report", {"price": 1 << 63}, "value"),
    ("ouch50", "enter_order", {"payload": bytes(65536)}, "value"),
    ("ouch50", "enter_order", {"payload": "text"}, "value"),
]


@pytest.mark.parametrize(("protocol", "name", "values", "reason"), REFUSED_VALUES)
def test_values_that_make_no_message(
    protocol: str, name: str, values: dict[str, object], reason: str
) -> None:
    assert outcome(reference.encode, PROTOCOLS[protocol], name, values) == reason
    assert outcome(compiled.encode, protocol, name, values) == reason


def test_names_that_do_not_exist() -> None:
    for arguments in (("fix44", b"A", ""), ("itch50", b"A", "inbound"), ("ouch50", b"O", "")):
        with pytest.raises(KeyError):
            compiled.decode(*arguments)
    for call in (compiled.decode_as, compiled.encode):
        with pytest.raises(KeyError):
            call("itch50", "no_such_message", b"" if call is compiled.decode_as else {})


def test_length_fields_are_filled_in() -> None:
    soup = compiled.encode("soupbintcp", "unsequenced_data", {"payload": b"abc"})
    assert soup == b"\x00\x04Uabc"
    udp = compiled.encode("internet", "udp", {"payload": b"abc"})
    assert compiled.decode_as("internet", "udp", udp)["length"] == 11
    segment = compiled.encode("iextp", "header", {"payload": b"abc"})
    assert compiled.decode_as("iextp", "header", segment)["payload_length"] == 3
    lying = compiled.encode("moldudp64", "block", {"message_length": 9, "payload": b"abc"})
    assert lying == b"\x00\x09abc"
