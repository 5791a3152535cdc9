# SPDX-License-Identifier: Apache-2.0
import os
import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.ipc.ring import Ring, crc32c

VECTORS = (
    (b"", 0x00000000),
    (b"\x00" * 32, 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
    (b"123456789", 0xE3069283),
)


@pytest.mark.parametrize(("data", "crc"), VECTORS)
def test_crc32c_vectors(data, crc):
    assert crc32c(data) == crc


@given(st.binary(max_size=200), st.integers(0, 200))
def test_crc32c_continues_at_any_cut(data, cut):
    assert crc32c(data[cut:], crc32c(data[:cut])) == crc32c(data)


def test_records_come_back_in_order_and_numbered():
    ring = Ring(4096)
    assert ring.take() is None
    for i in range(5):
        assert ring.append(i, 1000 + i, b"x" * i)
    assert [ring.take() for _ in range(5)] == [(i, 1000 + i, i + 1, b"x" * i) for i in range(5)]
    assert ring.take() is None
    assert ring.used_bytes() == 0


def test_full_ring_refuses_counts_and_overwrites_nothing():
    ring = Ring(4096)
    pushed = 0
    while ring.append(1, pushed, pushed.to_bytes(8, "little") * 10):
        pushed += 1
    assert not ring.append(1, 0, b"x" * 80)
    assert ring.counters() == {"records": pushed, "full": 2, "too_long": 0}
    assert pushed == 4096 // (32 + 80)
    for i in range(pushed):
        assert ring.take() == (1, i, i + 1, i.to_bytes(8, "little") * 10)
    assert ring.append(1, 0, b"again")
    assert ring.take() == (1, 0, pushed + 1, b"again")


def test_record_that_can_never_fit_is_refused():
    ring = Ring(4096)
    assert ring.append(1, 0, b"x" * ring.maximum_bytes)
    ring.take()
    assert not ring.append(1, 0, b"x" * (ring.maximum_bytes + 1))
    assert ring.counters()["too_long"] == 1


@settings(max_examples=60)
@given(st.lists(st.one_of(st.none(), st.binary(max_size=900)), max_size=200))
def test_ring_is_a_queue(steps):
    ring = Ring(4096)
    model = []
    number = 0
    for step in steps:
        if step is None:
            expected = model.pop(0) if model else None
            assert ring.take() == expected
        elif ring.append(7, number, step):
            number += 1
            model.append((7, number - 1, number, step))
        else:
            assert ring.used_bytes() + 2 * (32 + len(step) + 8) > 4096
    while model:
        assert ring.take() == model.pop(0)


def test_two_threads_lose_nothing():
    seed = 20261122
    ring = Ring(8192)
    total = 4_000

    def produce():
        random_source = random.Random(seed)
        sent = 0
        while sent < total:
            body = sent.to_bytes(4, "little") * random_source.randrange(1, 30)
            while not ring.append(3, sent, body):
                pass
            sent += 1

    thread = threading.Thread(target=produce)
    thread.start()
    random_source = random.Random(seed)
    for i in range(total):
        record = None
        while record is None:
            record = ring.take()
        body = i.to_bytes(4, "little") * random_source.randrange(1, 30)
        assert record == (3, i, i + 1, body), f"seed {seed}"
    thread.join()


def test_another_process_reads_the_file(tmp_path):
    path = tmp_path / "ring"
    ring = Ring(4096, path)
    assert ring.append(1, 2, b"from the parent")
    child = os.fork()
    if child == 0:
        other = Ring.attach(path)
        os._exit(0 if other.take() == (1, 2, 1, b"from the parent") else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ring.used_bytes() == 0
    ring.append(1, 3, b"more")
    reopened = Ring.attach(path)
    assert reopened.take() == (1, 3, 2, b"more")
    ring.unlink()
    assert not path.exists()


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "ring"
    ring = Ring(4096, path)
    ring.append(1, 2, b"precious")
    with open(path, "r+b") as file:
        file.seek(4096 + 32)
        file.write(b"P")
    with pytest.raises(ValueError, match="damaged"):
        ring.take()
    ring.append(1, 2, b"precious")
    with open(path, "r+b") as file:
        file.seek(4096 + 40)
        file.write(b"\xff\xff\xff\x7f")
    with pytest.raises(ValueError, match="over the end"):
        ring.take()


def test_only_rings_are_attached(tmp_path):
    path = tmp_path / "no-ring"
    path.write_bytes(b"x" * 10_000)
    with pytest.raises(ValueError, match="no ring"):
        Ring.attach(path)
    with pytest.raises(FileExistsError):
        Ring(4096, path)
    ring = Ring(4096, tmp_path / "ring")
    os.truncate(ring.path, 4096)
    with pytest.raises(ValueError, match="damaged"):
        Ring.attach(ring.path)


def test_closed_ring_refuses():
    ring = Ring(4096)
    ring.close()
    ring.close()
    assert not ring.append(1, 2, b"x")
    assert ring.take() is None
    assert ring.counters()["records"] == 0
