# SPDX-License-Identifier: Apache-2.0
import json
import os
import resource
import signal
import time

import pytest

from host.ipc.ring import Ring
from host.journal.enumerations import JOURNAL
from host.journal.journal import Journal
from host.journal.layout import JOURNAL_LAYOUT
from host.journal.reader import JournalError, JournalReader
from host.journal.recording import Recording
from host.journal.salvage import salvage
from host.journal.writer import JournalWriter


def read_all(path):
    with JournalReader(path) as reader:
        return list(reader), reader


def fill(journal, count, start=0):
    for i in range(start, start + count):
        assert journal.write("inbound", i, b"m" * (i % 50), venue=1, sequence_number=i)


def test_every_kind_has_a_layout():
    for entry in JOURNAL.entries:
        assert JOURNAL_LAYOUT[entry.name].length > 0


def test_recording_from_beginning_to_end(tmp_path):
    path = tmp_path / "day.journal"
    with Recording(path, description="a test", created_ns=77) as recording:
        ring_path = recording.ring.path
        assert os.path.exists(ring_path)
        recording.journal.write_json("configuration", 5, {"b": [1], "a": "text"})
        fill(recording.journal, 5000)
        recording.journal.write_json("counters", 6, recording.counters())
    assert not os.path.exists(ring_path)
    records, reader = read_all(path)
    assert reader.header.description == "a test"
    assert reader.header.created_ns == 77
    assert reader.header.process_id == os.getpid()
    assert reader.header.ring_path == ring_path
    assert reader.tear is None
    assert reader.closed_in_order
    assert [r.sequence for r in records] == list(range(1, 5004))
    assert records[0].to_dict()["value"] == {"a": "text", "b": [1]}
    assert records[1001].fields == {"venue": 1, "sequence_number": 1000}
    assert records[1050].payload == b"m" * 49
    assert records[-1].kind == "closed"
    assert records[-1].fields == {"refused": 0}
    for record in records:
        json.dumps(record.to_dict())
    counters = recording.counters()
    assert counters["records"] == counters["writer_records"] == 5003
    assert counters["writer_file_bytes"] == os.path.getsize(path)


def test_unknown_kind_and_field_are_refused():
    journal = Journal(Ring(4096))
    with pytest.raises(KeyError):
        journal.write("nonsense", 0)
    with pytest.raises(ValueError, match="no field"):
        journal.write("closed", 0, nonsense=1)


def test_a_journal_is_never_overwritten(tmp_path):
    path = tmp_path / "day.journal"
    with Recording(path):
        pass
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        Recording(path)
    with pytest.raises(FileExistsError):
        JournalWriter(Ring(4096), path)
    assert path.read_bytes() == before


def test_every_cut_of_the_file_is_survived(tmp_path):
    path = tmp_path / "day.journal"
    with Recording(path) as recording:
        fill(recording.journal, 8)
    whole = path.read_bytes()
    full, reader = read_all(path)
    ends = [reader.header.header_length]
    for record in full:
        ends.append(ends[-1] + (32 + len(record.body) + 7) // 8 * 8)
    torn = tmp_path / "torn.journal"
    for size in range(ends[0], len(whole)):
        torn.write_bytes(whole[:size])
        records, reader = read_all(torn)
        assert records == full[: sum(end <= size for end in ends) - 1]
        assert not reader.closed_in_order
        assert (reader.tear is None) == (size in ends)
        if reader.tear:
            assert reader.tear.offset + reader.tear.left_bytes == size
    torn.write_bytes(whole[:100])
    with pytest.raises(JournalError, match="no journal"):
        JournalReader(torn)


def test_every_changed_byte_is_noticed(tmp_path):
    path = tmp_path / "day.journal"
    with Recording(path) as recording:
        fill(recording.journal, 6)
    whole = path.read_bytes()
    full, reader = read_all(path)
    changed_path = tmp_path / "changed.journal"
    padding = set()
    at = reader.header.header_length
    for record in full:
        end = at + 32 + len(record.body)
        at = (end + 7) // 8 * 8
        padding.update(range(end, at))
    for offset in range(reader.header.header_length, len(whole)):
        if offset in padding:
            continue
        changed_path.write_bytes(
            whole[:offset] + bytes([whole[offset] ^ 0x10]) + whole[offset + 1 :]
        )
        records, reader = read_all(changed_path)
        assert reader.tear is not None
        assert records == full[: len(records)]


def test_zeros_behind_the_end_are_a_tear(tmp_path):
    path = tmp_path / "day.journal"
    with Recording(path) as recording:
        fill(recording.journal, 3)
    with open(path, "ab") as file:
        file.write(b"\0" * 64)
    records, reader = read_all(path)
    assert len(records) == 4
    assert reader.tear.left_bytes == 64


def test_full_disk_stops_the_journal_and_nothing_is_lost(tmp_path):
    """A file size limit stands for the full disk: write(2) fails, then works again."""
    path = tmp_path / "day.journal"
    ring = Ring(1 << 14)
    journal = Journal(ring)
    writer = JournalWriter(ring, path)
    previous = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    pushed = 0
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3001, previous[1]))
        writer.start()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if not journal.write("inbound", pushed, b"x" * 100, venue=0, sequence_number=pushed):
                if writer.counters()["write_errors"]:
                    break
                time.sleep(0.001)
                continue
            pushed += 1
        assert writer.counters()["write_errors"] > 0
        assert writer.last_error == os.strerror(27)
        assert journal.counters()["refused_full"] > 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, previous)
        signal.signal(signal.SIGXFSZ, handler)
    writer.stop()
    records, reader = read_all(path)
    assert reader.tear is None
    assert [r.fields["sequence_number"] for r in records] == list(range(pushed))


def test_a_disk_that_stays_full_is_an_error_at_the_end(tmp_path):
    ring = Ring(1 << 14, tmp_path / "ring")
    journal = Journal(ring)
    writer = JournalWriter(ring, tmp_path / "day.journal", idle_ns=1000)
    fill(journal, 30)
    previous = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, previous[1]))
        with pytest.raises(OSError, match="too large"):
            writer.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, previous)
        signal.signal(signal.SIGXFSZ, handler)
    done = salvage(tmp_path / "day.journal", even_if_running=True)
    assert done.last_sequence == 30
    records, _ = read_all(tmp_path / "day.journal")
    assert [r.fields["sequence_number"] for r in records] == list(range(30))


@pytest.mark.parametrize("seed", range(4))
def test_killed_process_loses_no_record(tmp_path, seed):
    """SIGKILL at some moment: file and ring together hold every record that was acknowledged."""
    path = tmp_path / "day.journal"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        recording = Recording(path, capacity_bytes=1 << 15, ring=str(tmp_path / "ring"))
        number = 0
        while True:
            body = b"m" * (number % 90)
            if recording.journal.write("inbound", 1, body, venue=0, sequence_number=number):
                number += 1
                os.write(writing, b".")
    acknowledged = 0
    while acknowledged < 500 * (seed + 1):
        acknowledged += len(os.read(reading, 512))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(writing)
    while more := os.read(reading, 1 << 16):
        acknowledged += len(more)
    os.close(reading)
    done = salvage(path)
    records, reader = read_all(path)
    assert reader.tear is None
    assert not (tmp_path / "ring").exists()
    assert len(records) == done.last_sequence
    assert acknowledged <= len(records) <= acknowledged + 1, f"seed {seed}"
    assert [r.fields["sequence_number"] for r in records] == list(range(len(records)))
    assert [r.payload for r in records] == [b"m" * (i % 90) for i in range(len(records))]


def test_salvage_refuses_what_it_can_not_do(tmp_path):
    path = tmp_path / "day.journal"
    ring = Ring(4096, tmp_path / "ring")
    journal = Journal(ring)
    writer = JournalWriter(ring, path)
    with pytest.raises(JournalError, match="still running"):
        salvage(path)
    fill(journal, 2)
    ring.take()
    with pytest.raises(JournalError, match="begins with record 2"):
        salvage(path, even_if_running=True)
    ring.unlink()
    with pytest.raises(FileNotFoundError):
        salvage(path, even_if_running=True)
    (tmp_path / "ring").write_bytes(b"no ring at all")
    with pytest.raises(JournalError, match="is no ring"):
        salvage(path, even_if_running=True)
    writer.stop()


def test_salvage_leaves_a_closed_journal_alone(tmp_path):
    path = tmp_path / "day.journal"
    with Recording(path) as recording:
        fill(recording.journal, 2)
    before = path.read_bytes()
    assert salvage(path).to_dict() == {"cut_bytes": 0, "appended_records": 0, "last_sequence": 3}
    assert path.read_bytes() == before
