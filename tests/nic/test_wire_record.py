# SPDX-License-Identifier: Apache-2.0
"""ITCH 5.0 messages decoded by byte shuffles, and whole sessions of them, against the reference."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_support import data_folder, message_id, wire_bytes

from nic.wire import reference
from nic.wire.layout import struct_layout
from nic.wire.protocols import PROTOCOLS
from nic.wire.reference import WireError
from nic.wire.session_file import count_messages, decode_all_fields, decode_record
from nic.wire.table import Message

ITCH = PROTOCOLS["itch50"]
RECORD = 64


def record_of(data: bytes) -> bytes:
    """The struct of a message as the reference sees it, zero where there is no field."""
    name, values = reference.decode(ITCH, data)
    memory = bytearray(RECORD)
    for place in struct_layout(ITCH[name])[0]:
        value = values[place.field.name]
        raw = value.to_bytes(place.size, "little") if isinstance(value, int) else value
        memory[place.offset : place.end] = raw
    return bytes(memory)


def checksum(messages: list[bytes]) -> int:
    words = (record_of(m)[at : at + 8] for m in messages for at in range(0, RECORD, 8))
    return sum(int.from_bytes(word, "little") for word in words) % 2**64


def framed(messages: list[bytes]) -> bytes:
    return b"".join(len(m).to_bytes(2, "big") + m for m in messages)


def random_messages(seed: int, count: int) -> list[bytes]:
    rng = random.Random(seed)
    chosen = rng.choices(ITCH.messages, k=count)
    return [bytes([m.code]) + rng.randbytes(m.length - 1) for m in chosen]


@pytest.mark.parametrize("message", ITCH.messages, ids=message_id)
def test_every_type_decodes_into_its_struct(message: Message) -> None:
    @settings(max_examples=30)
    @given(wire_bytes(ITCH, message))
    def check(data: bytes) -> None:
        assert decode_record(data) == record_of(data)
        # amid other bytes the message is not copied first, and in a session it is streamed
        assert decode_all_fields(framed([data, data, data])) == (3, checksum([data] * 3))

    check()


@settings(max_examples=60)
@given(st.binary(max_size=60), st.sampled_from([m.code for m in ITCH.messages]), st.booleans())
def test_refusals_are_those_of_the_reference(data: bytes, code: int, known: bool) -> None:
    if known:
        data = bytes([code]) + data[1:]
    try:
        expected = record_of(data)
    except WireError as error:
        with pytest.raises(WireError) as refused:
            decode_record(data)
        assert refused.value.reason == error.reason
    else:
        assert decode_record(data) == expected


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 1000])
def test_sessions_of_many_messages(count: int) -> None:
    messages = random_messages(count, count)
    data = framed(messages)
    expected = (count, checksum(messages))
    assert decode_all_fields(data) == expected
    assert decode_all_fields(data + bytes(2)) == expected
    assert decode_all_fields(data + bytes(300)) == expected
    assert decode_all_fields(memoryview(bytearray(data + b"\x00\x24A"))) == expected
    assert count_messages(data + bytes(300)) == (count, len(data))


@pytest.mark.parametrize("place", [0, 1, 63, 255, 256, 299])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"zzz", "unknown_type"),
        (b"A" * 35, "length"),
        (b"D" * 276, "length"),
        (b"?", "unknown_type"),
    ],
)
def test_a_refused_message_is_named_by_its_place(place: int, bad: bytes, reason: str) -> None:
    messages = random_messages(1, 300)
    before = framed(messages[:place])
    with pytest.raises(WireError, match=f"message {place} at byte {len(before)} ") as refused:
        decode_all_fields(before + framed([bad, *messages[place:]]))
    assert refused.value.reason == reason


@given(st.integers(0, 2**32))
def test_random_sessions_end_or_are_refused(seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(framed(random_messages(seed, 20)))
    for _ in range(rng.randrange(4)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    data = data[: rng.randrange(len(data) + 1)]
    taken = []
    at = 0
    refused = None
    while at + 2 <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end == at + 2 or end > len(data):
            break
        try:
            reference.decode(ITCH, bytes(data[at + 2 : end]))
        except WireError as error:
            refused = error.reason
            break
        taken.append(bytes(data[at + 2 : end]))
        at = end
    if refused:
        with pytest.raises(WireError, match=f"message {len(taken)} at byte {at} ") as found:
            decode_all_fields(data)
        assert found.value.reason == refused, seed
    else:
        assert decode_all_fields(data) == (len(taken), checksum(taken)), seed


def test_the_head_of_a_real_day() -> None:
    data = (data_folder() / "nasdaq-itch50" / "first-1000-messages-20191230.itch").read_bytes()
    messages = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        messages.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    assert decode_all_fields(data) == (1000, checksum(messages))
    assert count_messages(data) == (1000, len(data))
