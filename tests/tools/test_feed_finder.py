# SPDX-License-Identifier: Apache-2.0
"""Which feed a capture holds."""

import gzip
import os
from pathlib import Path
from random import Random

import pytest
from replay_support import LINES, START, day, frames, write_pcap

from nic.frame import build_udp
from nic.wire.iextp import IEXTP, MESSAGE_PROTOCOL_DEEP10
from nic.wire.moldudp64 import END_OF_SESSION_COUNT, MOLDUDP64
from nic.wire.reference import encode
from tools.feed_finder import FoundFeed, find_feed, find_in, find_session, transport_of

DATA = os.environ.get("TICKWIRE_DATA")


def moldudp64(count=0, payload=b"", session=b"S"):
    values = {"session": session, "sequence_number": 1, "message_count": count, "payload": payload}
    return encode(MOLDUDP64, "header", values)


def iextp(messages, **overrides):
    payload = b"".join(len(message).to_bytes(2, "little") + message for message in messages)
    values = {
        "version": 1,
        "message_protocol_id": MESSAGE_PROTOCOL_DEEP10,
        "session_id": 7,
        "payload_length": len(payload),
        "message_count": len(messages),
        "payload": payload,
    }
    return encode(IEXTP, "header", values | overrides)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (moldudp64(), ("moldudp64", b"S" + b" " * 9)),
        (moldudp64(END_OF_SESSION_COUNT), ("moldudp64", b"S" + b" " * 9)),
        (moldudp64(2, b"\0\1x\0\0"), ("moldudp64", b"S" + b" " * 9)),
        (moldudp64(2, b"\0\1x"), None),  # the count lies
        (moldudp64(1, b"\0\1x!"), None),  # trailing bytes
        (moldudp64(1), None),  # a re-request
        (moldudp64()[:-1], None),
        (iextp([]), ("iextp", b"7")),
        (iextp([b"abc", b""]), ("iextp", b"7")),
        (iextp([b"abc"], message_count=2), None),
        (iextp([b"abc"], payload_length=4), None),
        (iextp([b"abc"], version=2), None),
        (iextp([b"abc"], message_protocol_id=0x8001), None),
        (b"", None),
        (b"x" * 40, None),
    ],
)
def test_transport_of_a_datagram(payload, expected):
    assert transport_of(payload) == expected


def test_random_bytes_are_no_feed():
    random = Random(5)
    assert not any(transport_of(random.randbytes(random.randrange(1500))) for _ in range(2_000))


def test_lines_in_the_order_they_were_seen(tmp_path):
    recorded = frames(day(0.05))
    path = write_pcap(tmp_path / "two.pcap", recorded)
    assert find_feed(path) == FoundFeed("moldudp64", LINES, recorded[0][0])
    turned = write_pcap(tmp_path / "turned.pcap", recorded[1:])
    assert find_feed(turned).lines == LINES[::-1]
    one = write_pcap(tmp_path / "one.pcap", frames(day(0.05), [1]))
    assert find_feed(one).lines == LINES[1:]


def test_busiest_session_and_its_busiest_lines():
    recorded = [(frame, now) for now, frame in frames(day(0.05))]
    other = [(frame, now) for now, frame in frames(day(0.02, session="OTHER"), [1])]
    third = ("239.9.9.9", 9)
    answers = [(build_udp(moldudp64(), "10.0.0.1", 1, *third), START)] * 3
    noise = [(b"", START), (b"\xff" * 60, START), (build_udp(b"?", "1.2.3.4", 1, *third), START)]
    assert find_in(noise + answers + other + recorded).lines == LINES
    assert find_in(answers).lines == (third,)
    assert find_in(noise) is None and find_in([]) is None


def test_iextp_is_found_behind_a_tag():
    frame = build_udp(iextp([b"abc"]), "10.0.0.1", 1, "224.2.3.10", 16648, vlan=7)
    assert find_in([(frame, 5)]) == FoundFeed("iextp", (("224.2.3.10", 16648),), 5)


def test_capture_without_a_feed(tmp_path):
    path = write_pcap(
        tmp_path / "none.pcap", [(START, build_udp(b"?", "1.1.1.1", 1, "2.2.2.2", 2))]
    )
    with pytest.raises(ValueError, match=r"none\.pcap: no MoldUDP64 and no IEX-TP DEEP datagram"):
        find_feed(path)
    with pytest.raises(ValueError, match="no MoldUDP64"):
        find_feed(write_pcap(tmp_path / "empty.pcap", []))


def test_first_moment_of_a_session_file(tmp_path):
    message = b"S" + bytes(4) + (34_200_000_000_000).to_bytes(6, "big") + b"O"
    path = tmp_path / "day.itch"
    path.write_bytes(len(message).to_bytes(2, "big") + message)
    assert find_session(path) == FoundFeed("moldudp64", (), 34_200_000_000_000)
    packed = tmp_path / "day.itch.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert find_session(packed) == find_session(path)
    path.write_bytes(bytes(2))
    with pytest.raises(ValueError, match="holds no message"):
        find_session(path)


@pytest.mark.skipif(not DATA, reason="TICKWIRE_DATA is not set")
def test_real_captures():
    folder = Path(DATA or "")
    for path in (folder / "nasdaq-itch50").glob("*.pcap"):
        assert find_feed(path).lines == (("233.54.12.111", 26477),)
    found = find_feed(folder / "iex" / "DEEP10.pcap.gz")
    assert (found.transport, found.lines) == ("iextp", (("224.2.3.10", 16648),))
