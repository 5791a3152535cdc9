# SPDX-License-Identifier: Apache-2.0
"""The broadcast ring: late readers, overruns told exactly, nothing torn, bad files, deaths."""

import multiprocessing
import os
import random
import signal
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.ipc.broadcast import BroadcastReader, BroadcastWriter
from host.ipc.broadcast_layout import BROADCAST, PAGE_BYTES
from host.ipc.ring import Ring
from tools.ring_crew import NEVER, Crew, shared_folder
from tools.ring_runs import PROGRESS_WORDS, read_items, write_items

FORK = multiprocessing.get_context("fork")
CONTROL = BROADCAST["control"]


def event(number, size=64):
    return number.to_bytes(8, "little") * (size // 8 - 1)


def number_of(slot):
    """The number that the ring gave; what the event holds must agree with it."""
    (number,) = struct.unpack("<Q", slot[-8:])
    assert slot == event(number, len(slot)) + slot[-8:]
    return number


def publish(writer, count):
    for _ in range(count):
        assert writer.publish_event(event(writer.published + 1, writer.slot_bytes))


def numbers(reader, maximum=4096):
    lost, slots = reader.read(maximum)
    return lost, [number_of(slot) for slot in slots]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ring"


def test_events_come_in_order_and_numbered(path):
    with BroadcastWriter(path, slots=8) as writer, BroadcastReader(path) as reader:
        assert numbers(reader) == (0, [])
        publish(writer, 5)
        assert numbers(reader, 2) == (0, [1, 2])
        assert numbers(reader) == (0, [3, 4, 5])
        publish(writer, 6)  # over the end of the ring
        assert numbers(reader) == (0, [6, 7, 8, 9, 10, 11])
        assert (reader.taken, reader.lost, reader.newest()) == (11, 0, 11)
        assert reader.read(0) == (0, [])


@pytest.mark.parametrize("size", [64, 128, 192, 4096])
def test_slots_of_every_size(path, size):
    with BroadcastWriter(path, slots=4, slot_bytes=size) as writer:
        reader = BroadcastReader(path)
        for turn in range(5):
            publish(writer, 3)
            assert numbers(reader) == (0, [3 * turn + 1, 3 * turn + 2, 3 * turn + 3])
        with pytest.raises(ValueError, match=f"{size} bytes"):
            writer.publish_event(bytes(size - 16))


def test_late_readers_begin_where_they_want(path):
    with BroadcastWriter(path, slots=16) as writer:
        publish(writer, 10)
        assert numbers(BroadcastReader(path)) == (0, [])
        assert numbers(BroadcastReader(path, start="oldest")) == (0, list(range(1, 11)))
        assert numbers(BroadcastReader(path, start=7)) == (0, [7, 8, 9, 10])
        assert numbers(BroadcastReader(path, start=11)) == (0, [])
        publish(writer, 30)
        newest = BroadcastReader(path)
        # the very oldest may be overwritten at any moment
        assert numbers(BroadcastReader(path, start="oldest")) == (0, list(range(26, 41)))
        lost, found = numbers(BroadcastReader(path, start=7))
        assert lost + len(found) == 34 and found[-1] == 40
        publish(writer, 1)
        assert numbers(newest) == (0, [41])
        with pytest.raises(ValueError, match="no event 43 yet, the newest is 41"):
            BroadcastReader(path, start=43)
        for bad in (0, -1, "middle"):
            with pytest.raises(ValueError, match="starts at"):
                BroadcastReader(path, start=bad)


def test_overrun_is_told_exactly(path):
    with BroadcastWriter(path, slots=8) as writer, BroadcastReader(path) as reader:
        publish(writer, 8)
        assert numbers(reader, 3) == (0, [1, 2, 3])
        publish(writer, 3)  # 11: event 4 is still there
        assert numbers(reader, 1) == (0, [4])
        publish(writer, 2)  # 13: event 5 was overwritten
        lost, found = numbers(reader)
        assert (lost, found) == (5, [10, 11, 12, 13])  # the middle of what is there
        assert (reader.lost, reader.overruns, reader.last_lost) == (5, 1, 5)
        publish(writer, 1_000)
        lost, found = numbers(reader)
        assert found[-1] == 1_013 and found[0] == 14 + lost and len(found) == 4
        assert reader.taken + reader.lost == writer.published


@settings(max_examples=150)
@given(
    st.sampled_from([2, 4, 8, 32]),
    st.lists(
        st.one_of(
            st.tuples(st.just("publish"), st.integers(1, 70)),
            st.tuples(st.just("read"), st.integers(1, 40)),
            st.tuples(st.just("attach"), st.sampled_from(["newest", "oldest"])),
        ),
        max_size=40,
    ),
)
def test_ring_is_what_the_model_says(slots, steps):
    """Beside a list that forgets nothing: what is read, what is lost, where an overrun leads."""
    with shared_folder() as folder, BroadcastWriter(folder / "ring", slots=slots) as writer:
        readers = [(BroadcastReader(folder / "ring"), [1])]
        for step, value in steps:
            if step == "publish":
                publish(writer, value)
                continue
            newest = writer.published
            if step == "attach":
                reader = BroadcastReader(folder / "ring", start=value)
                first = newest + 1 if value == "newest" else max(newest - slots + 2, 1)
                readers.append((reader, [first]))
                continue
            for reader, place in readers:
                lost = 0
                if newest >= place[0] + slots:
                    middle = newest - slots // 2 + 1
                    lost, place[0] = middle - place[0], middle
                expected = list(range(place[0], min(newest, place[0] + value - 1) + 1))
                assert numbers(reader, value) == (lost, expected)
                place[0] += len(expected)
                assert reader.next_sequence == place[0]


def follow(path, channel, is_slow):
    """A reader in a process: until the writer ends; what it got."""
    reader = BroadcastReader(path, start="oldest")
    channel.send("ready")
    got = wrong = 0
    place = 1
    while True:
        try:
            lost, slots = reader.read(64)
        except EOFError:
            break
        place += lost
        for slot in slots:
            wrong += number_of(slot) != place
            place += 1
        got += len(slots)
        time.sleep(0.003 if is_slow else 0.0001)
    channel.send((got, reader.lost, wrong, place))


def start(target, *arguments):
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=target, args=(*arguments[:1], theirs, *arguments[1:]))
    process.start()
    theirs.close()
    assert ours.poll(20) and ours.recv() == "ready"
    return process, ours


def test_many_readers_in_processes(path):
    with BroadcastWriter(path, slots=256) as writer:
        readers = [start(follow, path, is_slow) for is_slow in (False, False, True, True)]
        for _ in range(100):
            publish(writer, 50)
            time.sleep(0.0005)
    for process, channel in readers:
        assert channel.poll(20)
        got, lost, wrong, place = channel.recv()
        process.join()
        assert (got + lost, wrong, place) == (5_000, 0, 5_001)


def test_killed_reader_hinders_nobody(path):
    with BroadcastWriter(path, slots=64) as writer:
        victim, _ = start(follow, path, True)
        other, channel = start(follow, path, False)
        publish(writer, 100)
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        for _ in range(20):
            publish(writer, 10)
            time.sleep(0.002)
    assert channel.poll(20)
    got, lost, wrong, _ = channel.recv()
    other.join()
    assert (got + lost, wrong) == (300, 0)


def publish_for_ever(path, channel):
    writer = BroadcastWriter(path, slots=1024)
    channel.send("ready")
    while True:
        publish(writer, 1)
        writer.beat(time.monotonic_ns())


def test_killed_writer_is_noticed_and_replaced(path):
    process, _ = start(publish_for_ever, path)
    reader = BroadcastReader(path)
    assert reader.state() == "open" and reader.writer_process == process.pid
    deadline = time.monotonic() + 20
    while reader.taken < 100 and time.monotonic() < deadline:
        numbers(reader)
    assert reader.taken >= 100 and reader.heard() > 0
    with pytest.raises(ValueError, match=f"process {process.pid} publishes there already"):
        BroadcastWriter(path)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert reader.state() == "died"
    while numbers(reader)[1]:  # what it published is still there, and whole
        pass
    assert reader.next_sequence == reader.newest() + 1
    assert numbers(BroadcastReader(path, start="oldest"))[1]
    with BroadcastWriter(path, slots=64) as successor:
        assert reader.state() == "replaced" and not reader.is_current()
        with pytest.raises(EOFError):
            reader.read()
        again = BroadcastReader(path)
        assert again.instance == successor.instance != reader.instance
        publish(successor, 3)
        assert numbers(again) == (0, [1, 2, 3])
    assert not path.exists()


def test_closing_in_order(path):
    writer = BroadcastWriter(path, slots=8)
    reader = BroadcastReader(path)
    publish(writer, 3)
    writer.close()
    writer.close()
    assert not writer.publish_event(event(4))
    assert reader.state() == "closed" and not path.exists()
    assert numbers(reader) == (0, [1, 2, 3])
    with pytest.raises(EOFError):
        reader.read()
    reader.close()
    reader.close()
    with pytest.raises(EOFError):
        reader.read()
    kept = BroadcastWriter(path, slots=8)
    publish(kept, 2)
    kept.close(keep=True)
    late = BroadcastReader(path, start="oldest")
    assert late.state() == "closed" and numbers(late) == (0, [1, 2])
    BroadcastWriter(path, slots=8).close()
    assert late.state() == "replaced"


def test_a_writer_removes_only_its_own_file(path):
    writer = BroadcastWriter(path, slots=8)
    path.rename(path.with_name("elsewhere"))
    path.write_text("somebody else's")
    writer.close()
    assert path.read_text() == "somebody else's"


def test_nothing_is_left_where_a_ring_cant_be(tmp_path):
    for slots, size in ((3, 64), (0, 64), (1, 64), (64, 0), (64, 100), (64, 8192), (1 << 40, 4096)):
        with pytest.raises(ValueError, match=r"power of two|multiple of 64|too large"):
            BroadcastWriter(tmp_path / "ring", slots=slots, slot_bytes=size)
    with pytest.raises(OSError, match=r"No space|too large|Invalid"):
        BroadcastWriter("/dev/shm/tickwire-test-too-large", slots=1 << 33)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        BroadcastWriter(tmp_path / "no" / "ring")


def patched(path, name, value):
    raw = bytearray(path.read_bytes())
    field = CONTROL[name]
    raw[field.offset : field.end] = value.to_bytes(field.width, "little")
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: p.write_bytes(b""), "is empty"),
        (lambda p: p.write_bytes(b"x" * 10_000), "is no broadcast ring"),
        (lambda p: p.write_bytes(bytes(100)), "is no broadcast ring"),
        (lambda p: os.truncate(p, PAGE_BYTES + 64), "truncated"),
        (lambda p: os.truncate(p, 100), "truncated.*100 bytes"),
        (lambda p: patched(p, "magic", int.from_bytes(b"TWCAST99", "little")), "another version"),
        (lambda p: patched(p, "slots", 7), "damaged.*power of two"),
        (lambda p: patched(p, "slots", 1 << 60), "damaged.*too large"),
        (lambda p: patched(p, "slots", 1 << 20), "truncated"),
        (lambda p: patched(p, "slot_bytes", 63), "damaged.*multiple of 64"),
        (lambda p: patched(p, "data_offset", 8), "damaged.*byte 8"),
        (lambda p: patched(p, "data_offset", 1 << 50), "truncated"),
        (lambda p: patched(p, "content", 6), "content 6, should be 5"),
    ],
)
def test_bad_files_are_refused_in_one_line(path, spoil, said):
    BroadcastWriter(path, slots=64, content=5).close(keep=True)
    BroadcastReader(path, content=5).close()
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=said) as refusal:
        BroadcastReader(path, content=5)
    assert "\n" not in str(refusal.value)
    if "content" not in said:
        with pytest.raises(ValueError, match=said):
            BroadcastWriter(path)
        assert path.read_bytes() == before


def test_other_things_in_the_place(tmp_path):
    with pytest.raises(FileNotFoundError):
        BroadcastReader(tmp_path / "nothing")
    with pytest.raises(ValueError, match="directory"):
        BroadcastReader(tmp_path)
    with pytest.raises(IsADirectoryError):
        BroadcastWriter(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="seek"):
        BroadcastReader(tmp_path / "pipe")
    Ring(4096, tmp_path / "records")
    with pytest.raises(ValueError, match="no broadcast ring"):
        BroadcastReader(tmp_path / "records")
    with pytest.raises(ValueError, match="no broadcast ring"):
        BroadcastReader("/dev/zero")


def test_readers_cannot_write(path):
    with BroadcastWriter(path, slots=64):
        reader = BroadcastReader(path)
        with open("/proc/self/smaps") as file:
            rights = [line.split()[1] for line in file if line.rstrip().endswith(str(path))]
        assert rights == ["r--s"]  # the writer's mapping still bears the name it was made under
        reader.close()


@pytest.mark.parametrize("size", [64, 128, 256])
def test_hunt_for_torn_events(size):
    """A ring of two slots, a writer that laps its readers all the time: whole, or told as lost."""
    with (
        shared_folder() as folder,
        Crew(folder, readers=2, slots=2, slot_bytes=size, base=1 << 40) as crew,
    ):
        written = crew.write(NEVER - 1, 1.5, 0.4, is_paced=False)
        found = crew.finish()
    assert written > 100_000
    for one in found:
        assert one.torn == 0
        assert one.taken + one.lost == written
    assert sum(one.overruns for one in found) > 0


def test_paced_crew_loses_nothing():
    with shared_folder() as folder, Crew(folder, readers=3, slots=1024, slot_bytes=64) as crew:
        written = crew.write(300_000, 30, 0.4, is_paced=True)
        assert written == 300_000
        assert [(t.taken, t.lost, t.torn) for t in crew.finish()] == [(300_000, 0, 0)] * 3


def test_the_check_finds_what_is_torn(path):
    """The hunt could not fail if its check could not: spoil a word of one event in its slot."""
    seed = random.randrange(1 << 32)
    place = random.Random(seed).randrange(7)
    progress = np.zeros(PROGRESS_WORDS, dtype=np.uint64)
    with BroadcastWriter(path, slots=64) as writer:
        reader = BroadcastReader(path)
        write_items(writer, progress, 0, 5, 40, 0, NEVER)
        with open(path, "r+b") as file:
            file.seek(PAGE_BYTES + 20 * 64 + place * 8)
            word = file.read(8)
            file.seek(-8, os.SEEK_CUR)
            file.write(bytes([word[0] ^ 1]) + word[1:])
        assert read_items(reader, progress, 0, 5, 40, NEVER) == 1, f"seed {seed}"
        other = BroadcastReader(path, start="oldest")
        assert read_items(other, progress, 0, 6, 40, NEVER) == 40
