# SPDX-License-Identifier: Apache-2.0
"""The ring of an order line, and how a strategy process gets its end of one."""

import contextlib
import fcntl
import json
import mmap
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from host.ipc import order_socket
from host.ipc.order_layout import ORDER_CONTENT, ORDER_LINE, SLOT_BYTES
from host.ipc.order_socket import VERSION, LineError, OrderServer, connect_orders
from host.ipc.slot_ring import MemoryReceiver, MemorySender, SlotMemory, ring_bytes

ROOT = Path(__file__).resolve().parents[2]
SLOTS = 16


def memory_of(size=None):
    descriptor = os.memfd_create("ring")
    os.ftruncate(descriptor, size or ring_bytes(SLOTS, SLOT_BYTES))
    memory = SlotMemory(descriptor, size or ring_bytes(SLOTS, SLOT_BYTES))
    os.close(descriptor)
    return memory


@pytest.fixture
def ring():
    memory = memory_of()
    yield MemorySender(memory, 0, SLOTS, SLOT_BYTES), MemoryReceiver(memory, 0, SLOTS, SLOT_BYTES)
    memory.close()


def slot(number):
    return bytes([number % 256]) * (SLOT_BYTES - 8) + bytes(8)


def test_both_records_fill_one_slot():
    assert SLOT_BYTES == 64
    for message in ORDER_LINE.messages:
        assert message.length == SLOT_BYTES
        assert [f.name for f in message][-1] == "sequence_number"


def test_nothing_is_skipped_and_a_full_ring_refuses(ring):
    sender, receiver = ring
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    sent = taken = refused = 0
    for _ in range(20_000):
        if chance.random() < 0.8:
            if sender.send(slot(sent + 1)):
                sent += 1
            else:
                refused += 1
                assert sent - taken >= SLOTS - SLOTS // 8  # credit comes by the eighth
        else:
            for _ in range(chance.randrange(8)):
                got = receiver.receive()
                if got is None:
                    assert taken == sent
                    assert sender.free() == SLOTS  # who finds nothing has said what it took
                    break
                taken += 1
                assert got[:-8] == slot(taken)[:-8]
                assert int.from_bytes(got[-8:], "little") == taken
    assert sent > 1000 and refused > 100
    assert not sender.misled and receiver.torn == 0


def test_a_slot_that_is_not_all_there_waits():
    memory = memory_of()
    sender = MemorySender(memory, 0, SLOTS, SLOT_BYTES)
    receiver = MemoryReceiver(memory, 0, SLOTS, SLOT_BYTES)
    sender.send(slot(1))
    at = SLOT_BYTES  # slot 1 lies behind slot 0
    memory.write(at, b"\xff")
    assert receiver.receive() is None
    assert receiver.torn == 1
    memory.write(at, slot(1)[:1])
    assert receiver.receive()[:-8] == slot(1)[:-8]
    memory.close()
    assert receiver.receive() is None
    assert not sender.send(slot(2))


@pytest.mark.parametrize("number", [2, 1 + SLOTS, (1 << 48) - 1])
def test_a_number_that_comes_too_early_is_told(number):
    memory = memory_of()
    receiver = MemoryReceiver(memory, 0, SLOTS, SLOT_BYTES)
    memory.write(2 * SLOT_BYTES - 8, number.to_bytes(8, "little"))
    with pytest.raises(ValueError, match="lost"):
        receiver.receive()
    memory.close()


@pytest.mark.parametrize("credit", [5, 1 << 63])
def test_credit_for_what_was_never_sent_is_not_believed(credit):
    memory = memory_of()
    sender = MemorySender(memory, 0, SLOTS, SLOT_BYTES)
    assert sender.send(slot(1))
    memory.write(SLOTS * SLOT_BYTES, credit.to_bytes(8, "little"))
    assert sender.free() == 0
    assert sender.misled
    assert not sender.send(slot(2))
    memory.close()


@pytest.mark.parametrize(("slots", "size"), [(12, 64), (4, 64), (16, 12), (16, 8192)])
def test_a_ring_that_cant_be(slots, size):
    with pytest.raises(ValueError):
        ring_bytes(slots, size)


def test_a_ring_that_does_not_fit():
    memory = memory_of(4096)
    with pytest.raises(ValueError, match="fits"):
        MemorySender(memory, 0, 64, SLOT_BYTES)
    with pytest.raises(ValueError, match="fits"):
        MemoryReceiver(memory, 4096, 8, SLOT_BYTES)
    memory.close()


# ---------------------------------------------------------------------- the socket


@pytest.fixture
def server(tmp_path):
    found = OrderServer(tmp_path / "feed.orders", slots=SLOTS)
    yield found
    found.close()
    assert not Path(found.path).exists()


def arrived(server):
    end = time.monotonic() + 5
    while not server.arrived:
        assert time.monotonic() < end
        time.sleep(0.001)
    return server.arrived.popleft()


def test_a_line_carries_both_ways_and_ends_with_either_side(server):
    here = connect_orders(server.path, name="strategy 7")
    there = arrived(server)
    assert there.peer == f"strategy 7 process {os.getpid()}"
    assert here.sender.send(slot(1)) and there.receiver.receive()[:-8] == slot(1)[:-8]
    assert there.sender.send(slot(2)) and here.receiver.receive()[:-8] == slot(2)[:-8]
    assert here.failure() == there.failure() == ""
    here.close()
    assert there.failure() == "the peer went away"
    there.close()
    assert not there.sender.send(slot(3))


def test_a_killed_process_ends_its_line(server):
    code = (
        "import sys, time; from host.ipc.order_socket import connect_orders\n"
        "line = connect_orders(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, server.path], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"open\n"
        line = arrived(server)
        assert line.failure() == ""
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert line.failure() == "the peer went away"
        line.close()
    finally:
        process.kill()
        process.communicate()


def test_only_the_owner_may_connect_and_nobody_can_shrink_the_memory(server):
    assert stat.S_IMODE(os.stat(server.path).st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(server.path)
        hello = {"version": VERSION, "content": ORDER_CONTENT, "name": ""}
        stream.sendall(json.dumps(hello).encode() + b"\n")
        _, (descriptor,), _, _ = socket.recv_fds(stream, 1024, 1)
        size = os.fstat(descriptor).st_size
        for wanted in (0, size // 2, size * 2):
            with pytest.raises(PermissionError):
                os.ftruncate(descriptor, wanted)
        with pytest.raises(PermissionError):
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
        with mmap.mmap(descriptor, size) as memory:
            assert not any(bytes(memory))
        os.close(descriptor)
        arrived(server).close()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b"x" * 5000,
        json.dumps({"version": VERSION, "content": 1}).encode() + b"\n",
        json.dumps({"version": "other", "content": ORDER_CONTENT}).encode() + b"\n",
    ],
)
def test_a_stranger_is_refused_and_survived(server, said):
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(server.path)
        stream.sendall(said)
        stream.shutdown(socket.SHUT_WR)
        stream.settimeout(5)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while data := stream.recv(1024):
                answer += data
        assert not answer or "refused" in json.loads(answer)
    end = time.monotonic() + 5
    while not server.refused and time.monotonic() < end:
        time.sleep(0.001)
    assert server.refused == 1 and not server.arrived
    here = connect_orders(server.path)
    arrived(server).close()
    here.close()


def test_one_that_says_nothing_holds_up_nobody(server, monkeypatch):
    monkeypatch.setattr(order_socket, "EXCHANGE_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(server.path)
        here = connect_orders(server.path)
        arrived(server).close()
        here.close()
        end = time.monotonic() + 5
        while not server.refused and time.monotonic() < end:
            time.sleep(0.005)
        assert server.last_refusal == "the peer said nothing in time"


def test_the_clients_errors_are_one_line(server, tmp_path, monkeypatch):
    with pytest.raises(LineError, match=r"nothing\.orders: No such file"):
        connect_orders(tmp_path / "nothing.orders")

    def refuse(stream):
        stream.recv(1024)
        raise LineError("another version")

    monkeypatch.setattr(server, "_agree", refuse)
    with pytest.raises(LineError, match=r"feed\.orders: refused: another version"):
        connect_orders(server.path)


def test_a_dead_feed_hosts_socket_is_replaced_and_a_living_ones_is_not(server, tmp_path):
    with pytest.raises(LineError, match="takes orders there already"):
        OrderServer(server.path, slots=SLOTS)
    dead = tmp_path / "dead.orders"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(dead))
    found = OrderServer(dead, slots=SLOTS)
    connect_orders(dead).close()
    found.close()
    with pytest.raises(LineError, match="longer than"):
        OrderServer(tmp_path / ("x" * 120), slots=SLOTS)
    with pytest.raises(LineError, match="No such file"):
        OrderServer(tmp_path / "none" / "feed.orders", slots=SLOTS)
    plain = tmp_path / "plain"
    plain.write_text("something else")
    with pytest.raises(LineError, match="something else"):
        OrderServer(plain, slots=SLOTS)
    assert plain.read_text() == "something else"
