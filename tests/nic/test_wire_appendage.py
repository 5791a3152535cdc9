# SPDX-License-Identifier: Apache-2.0
"""Option tags: the Cython walker and the generated writers against the reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nic.wire import compiled, reference
from nic.wire.protocols import PROTOCOLS
from nic.wire.reference import WireError

OUCH = PROTOCOLS["ouch50"]
VALUES = {
    tag.value.name: (
        st.integers(-(1 << 31), (1 << 31) - 1)
        if tag.value.kind == "signed"
        else st.integers(0, (1 << 8 * tag.value.width) - 1)
        if tag.value.is_integer
        else st.binary(min_size=tag.value.width, max_size=tag.value.width)
    )
    for tag in OUCH.tags
}


def outcome(decode, *arguments: object) -> object:
    try:
        return decode(*arguments)
    except WireError as error:
        return error.reason


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_every_tag_survives(values: dict[str, int | bytes]) -> None:
    appendage = compiled.encode_tags("ouch50", values)
    assert appendage == reference.encode_tags(OUCH, values)
    assert compiled.decode_tags("ouch50", appendage) == values
    assert reference.decode_tags(OUCH, appendage) == values
    for tag in OUCH.tags:
        found = compiled.find_tag(appendage, tag.number)
        assert (found is None) == (tag.value.name not in values)
        if found is not None:
            alone = compiled.encode_tags("ouch50", {tag.value.name: values[tag.value.name]})
            assert alone == bytes([1 + len(found), tag.number]) + found


@given(st.lists(st.sampled_from([0, 1, 2, 3, 5, 12, 28, 255, 0x50]), max_size=40))
def test_random_bytes_are_judged_alike(items: list[int]) -> None:
    appendage = bytes(items)
    expected = outcome(reference.decode_tags, OUCH, appendage)
    assert outcome(compiled.decode_tags, "ouch50", appendage) == expected
    at = 0
    first = {}
    while at + 1 < len(appendage) and 0 < appendage[at] < len(appendage) - at:
        first.setdefault(appendage[at + 1], appendage[at + 2 : at + 1 + appendage[at]])
        at += 1 + appendage[at]
    for number in range(256):
        assert compiled.find_tag(appendage, number) == first.get(number)


@pytest.mark.parametrize(
    "appendage", [b"\0", b"\x01", b"\x02\x0c", b"\x02\x0cP\x05\x02LI", b"\xff" * 9]
)
def test_tags_that_are_cut_are_refused(appendage: bytes) -> None:
    for decode, protocol in ((compiled.decode_tags, "ouch50"), (reference.decode_tags, OUCH)):
        with pytest.raises(WireError) as refused:
            decode(protocol, appendage)
        assert refused.value.reason == "length"


def test_tags_of_real_messages() -> None:
    assert compiled.decode_tags("ouch50", bytes.fromhex("05024c494d45")) == {"firm": b"LIME"}
    assert compiled.decode_tags("ouch50", bytes.fromhex("021230")) == {"bbo_weight_indicator": b"0"}


def test_unknown_tags_and_sizes_are_kept_as_bytes() -> None:
    appendage = b"\x02\x13A" + b"\x03\x0cPP" + b"\x01\x1c"
    expected = {"tag_19": b"A", "tag_12": b"PP", "tag_28": b""}
    assert compiled.decode_tags("ouch50", appendage) == expected
    assert reference.decode_tags(OUCH, appendage) == expected


def test_tags_that_cannot_be_encoded() -> None:
    for values, reason in (
        ({"no_such_tag": 1}, "unknown_field"),
        ({"user_ref_idx": 256}, "value"),
        ({"firm": b"TOO LONG"}, "value"),
    ):
        assert outcome(compiled.encode_tags, "ouch50", values) == reason
        assert outcome(reference.encode_tags, OUCH, values) == reason
