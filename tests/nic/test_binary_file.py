# SPDX-License-Identifier: Apache-2.0
import gzip
import os
import socket
import struct
import threading
from collections import Counter
from pathlib import Path

import pytest

from nic.binary_file import BinaryFile
from nic.capture import capture_kind
from nic.wire.itch50 import ITCH50
from nic.wire.reference import encode

MESSAGES = [encode(ITCH50, m.name, {}) for m in ITCH50.messages if m.code is not None]
END = b"\0\0"


def framed(messages) -> bytes:
    return b"".join(len(m).to_bytes(2, "big") + m for m in messages)


def read(tmp_path, data: bytes):
    path = tmp_path / "session"
    path.write_bytes(data)
    with BinaryFile(path) as source:
        messages = list(source)
        assert source.finished
        assert source.messages == len(messages)
        return messages, {name: n for name, n in source.errors().items() if n}, source.session_ended


@pytest.mark.parametrize("compress", [False, True])
def test_a_whole_session(tmp_path, compress):
    data = framed(MESSAGES * 3) + END + b"what follows is not read"
    got = read(tmp_path, gzip.compress(data) if compress else data)
    assert got == (MESSAGES * 3, {}, True)


def test_a_missing_end_is_reported(tmp_path):
    assert read(tmp_path, framed(MESSAGES)) == (MESSAGES, {"missing_end": 1}, False)
    assert read(tmp_path, b"") == ([], {"missing_end": 1}, False)


@pytest.mark.parametrize("cut", [1, 2, 3, 20])
def test_a_cut_message_is_reported(tmp_path, cut):
    data = framed([*MESSAGES[:5], b"S" * 40])[:-cut]
    expected = {"missing_end": 1, "truncated_record": 1}
    assert read(tmp_path, data) == (MESSAGES[:5], expected, False)
    assert read(tmp_path, framed(MESSAGES[:5]) + b"\0") == (MESSAGES[:5], expected, False)


def test_messages_across_the_pieces_of_a_large_file(tmp_path):
    messages = [bytes([65 + i % 26]) * (1 + i * 37 % 65_000) for i in range(300)]
    assert read(tmp_path, framed(messages) + END) == (messages, {}, True)
    cut = gzip.compress(framed(messages))
    got, errors, _ = read(tmp_path, cut[: len(cut) // 2])
    assert got == messages[: len(got)]
    assert errors["truncated_gzip"] == 1


def test_a_source_that_breaks_off_is_reported():
    piece = 1 << 20
    message = b"S" * 1022  # with its length before it: 1,024 messages fill the first piece
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader = socket.create_connection(listener.getsockname())
        writer = listener.accept()[0]
        sending = threading.Thread(target=writer.sendall, args=(framed([message]) * 1024,))
        sending.start()
        source = BinaryFile(reader.detach())
        sending.join()
        writer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()  # a reset: the next read fails
        assert sum(len(m) + 2 for m in source) == piece
        assert {name for name, n in source.errors().items() if n} == {"missing_end", "read_failed"}


def test_a_closed_file_gives_nothing(tmp_path):
    (tmp_path / "x").write_bytes(framed(MESSAGES) + END)
    source = BinaryFile(tmp_path / "x")
    source.close()
    assert source.read() == []
    with pytest.raises(FileNotFoundError):
        BinaryFile(tmp_path / "absent")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (framed(MESSAGES) + END, "binary_file"),
        (framed(MESSAGES[:2])[:-1], "binary_file"),
        (END, "binary_file"),
        (b"\xd4\xc3\xb2\xa1" + bytes(20), "pcap"),
        (b"\xa1\xb2\x3c\x4d" + bytes(20), "pcap"),
        (b"\x0a\x0d\x0d\x0a" + bytes(20), "pcapng"),
        (b"", None),
        (bytes(100), None),
        (b"timestamp,symbol,price\n" * 9, None),
        (framed([b"S" * 12, b"?" * 12]), None),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_the_kind_is_told_by_the_bytes(tmp_path, data, kind, compress):
    path = tmp_path / "whatever.pcap"
    path.write_bytes(gzip.compress(data) if compress else data)
    if kind is None:
        with pytest.raises(ValueError, match="neither pcap, pcapng nor BinaryFILE"):
            capture_kind(path)
    else:
        assert capture_kind(path) == kind


def test_the_head_of_a_real_day():
    folder = os.environ.get("TICKWIRE_DATA")
    if not folder:
        pytest.skip("TICKWIRE_DATA is not set")
    path = Path(folder) / "nasdaq-itch50" / "first-1000-messages-20191230.itch"
    assert capture_kind(path) == "binary_file"
    with BinaryFile(path) as source:
        assert Counter(m[:1] for m in source) == {b"R": 993, b"H": 3, b"Y": 3, b"S": 1}
        assert source.errors()["missing_end"] == 1
