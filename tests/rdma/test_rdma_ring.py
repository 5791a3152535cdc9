# SPDX-License-Identifier: Apache-2.0
"""The RDMA ring over a real device: integrity, slow, killed and returning ends.

Publisher and consumers are processes of their own. Skipped where there is no RDMA device:
``tools/tickwire test --soft-roce`` brings one.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("host.ipc.rdma_stream", reason="libibverbs-dev was missing at the build")

from nic.port import PortError
from nic.verbs.device import VerbsDevice, device_names
from nic.verbs.port import VerbsPort
from nic.verbs.ring import RingReceiver

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "nic"))
from verbs_ring_support import Ring

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).with_name("rdma_peer.py")
EVENTS = int(os.environ.get("TICKWIRE_RDMA_EVENTS", "1000000"))


def devices():
    try:
        return device_names()
    except PortError:
        return []


pytestmark = pytest.mark.skipif(
    "rxe0" not in devices(), reason="no soft-RoCE device: tools/tickwire test --soft-roce"
)


class Peer:
    """A process and what it says."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, str(PEER), *map(str, arguments)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )

    def hear(self):
        line = self.process.stdout.readline()
        assert line, "the process ended"
        return json.loads(line)

    def rest(self, seconds=300):
        """Everything it says until its end; the last of it."""
        out, _ = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0
        return json.loads(out.splitlines()[-1])

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)


@pytest.fixture
def start():
    with contextlib.ExitStack() as stack:

        def begin(*arguments):
            peer = Peer(*arguments)
            stack.callback(peer.process.stdout.close)
            stack.callback(peer.process.wait)
            stack.callback(peer.process.kill)
            return peer

        yield begin


def publisher(start, slots=4096, rate=0, count=EVENTS, port=0, audience=1):
    peer = start("publisher", port, slots, rate, count, audience)
    return peer, peer.hear()


def consumer(start, port, pause_ms=0, say_every=10**9, again=0):
    peer = start("consumer", port, pause_ms, say_every, again)
    assert peer.hear()["mode"]["kind"] == "rdma"
    return peer


def test_a_ring_in_one_process():
    device = VerbsDevice("rxe0")
    ring = Ring(device, device, inline_bytes=128)
    ring.sender.begin()
    found = []
    end = time.monotonic() + 60
    while len(found) < 3000 and time.monotonic() < end:
        if ring.store.published < 3000:
            ring.publish(min(7, 3000 - ring.store.published))
        ring.sender.flush()
        if ring.store.published - ring.reader.next_number > 40:
            time.sleep(0.001)
        found += ring.read()
    lost = sum(item[1] for item in found if isinstance(item, tuple))
    numbers = [item for item in found if isinstance(item, int)]
    assert numbers == sorted(set(numbers))
    assert lost + len(numbers) == ring.store.published
    assert ring.sender.failure() == ""
    assert ring.left.completions < ring.left.doorbells
    ring.close()
    device.close()


def test_pyverbs_sees_what_the_device_can_do():
    pyverbs = pytest.importorskip("pyverbs.device")
    context = pyverbs.Context(name="rxe0")
    device = VerbsDevice("rxe0")
    index, gid = device.gid()
    text = str(context.query_gid(1, index)).strip()
    assert bytes.fromhex(text.replace(":", "")) == gid
    assert device.check_port() == 128 << context.query_port(1).active_mtu
    device.close()


def test_integrity_of_a_million_events(start):
    sender, facts = publisher(start)
    reader = consumer(start, facts["port"])
    said = sender.rest(900)
    heard = reader.rest(60)
    print(f"{EVENTS} events in {said['seconds']:.1f} s (an emulated processor)")
    assert (heard["torn"], heard["jumps"]) == (0, 0)
    assert (heard["taken"], heard["last"]) == (EVENTS, EVENTS)
    assert (heard["lost"], heard["state"]) == (0, "closed")
    assert said["published"] == EVENTS


def test_a_slow_consumer_is_told_its_loss_and_holds_up_nobody(start):
    count = 20_000
    sender, facts = publisher(start, slots=256, rate=2000, count=count, audience=2)
    quick = consumer(start, facts["port"])
    slow = consumer(start, facts["port"], pause_ms=1500)
    said = sender.rest()
    fast = quick.rest()
    heard = slow.rest()
    assert (fast["torn"], fast["jumps"], fast["last"]) == (0, 0, count)
    assert (heard["torn"], heard["jumps"], heard["last"]) == (0, 0, count)
    assert heard["lost"] > 0
    assert heard["overruns"] > 0
    assert said["skipped"] >= heard["lost"]


def test_a_killed_consumer_is_taken_out(start):
    sender, facts = publisher(start, slots=1024, rate=1000, count=12_000, audience=2)
    victim = consumer(start, facts["port"], say_every=500)
    witness = consumer(start, facts["port"])
    while victim.hear()["taken"] < 1500:
        pass
    victim.kill()
    said = sender.rest()
    heard = witness.rest()
    assert (said["joined"], said["parted"]) == (2, 1)
    assert said["departures"][0][0] == "peer"
    assert (heard["torn"], heard["jumps"], heard["lost"], heard["last"]) == (0, 0, 0, 12_000)


def test_a_killed_publisher_is_noticed(start):
    sender, facts = publisher(start, slots=1024, rate=1000)
    reader = consumer(start, facts["port"], say_every=500)
    while reader.hear()["taken"] < 1500:
        pass
    sender.kill()
    heard = reader.rest(60)
    assert heard["state"] == "died"
    assert heard["failure"]
    assert (heard["torn"], heard["jumps"], heard["lost"]) == (0, 0, 0)


def test_a_consumer_finds_the_next_publisher(start):
    """Killed in mid-stream; another takes its place at the same port: the stream begins anew."""
    first, facts = publisher(start, slots=1024, rate=1000)
    reader = consumer(start, facts["port"], say_every=500, again=1)
    while reader.hear()["taken"] < 1000:
        pass
    first.kill()
    first.process.wait()
    _, again = publisher(start, slots=1024, rate=1000, count=3000, port=facts["port"])
    heard = reader.rest(120)
    assert heard["instance"] == again["instance"] != facts["instance"]
    assert (heard["state"], heard["last"], heard["restarts"]) == ("closed", 3000, 1)
    assert (heard["torn"], heard["jumps"]) == (0, 0)


def test_a_reconnection_in_mid_stream_loses_nothing(start):
    """The consumer's connection is cut again and again; the publisher and its numbers stay."""
    from host.ipc.rdma_stream import RdmaReader

    sys.path.insert(0, str(PEER.parent))
    from rdma_peer import CONTENT, SECRET, numbers_of

    sender, facts = publisher(start, slots=8192, rate=1000, count=10_000)
    reader = RdmaReader("rxe0", ("127.0.0.1", facts["port"]), SECRET, content=CONTENT)
    numbers = []
    cut_at = 1500
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            lost, slots = reader.read(256)
        except EOFError:
            break
        assert lost == 0
        if slots:
            found, damaged = numbers_of(slots)
            assert damaged == 0
            numbers += found
        if len(numbers) >= cut_at:
            cut_at += 1500
            assert reader.reconnect() is True
        time.sleep(0.001)
    said = sender.rest()
    assert numbers == list(range(numbers[0], 10_001))
    assert reader.connections >= 5
    assert said["joined"] == reader.connections
    reader.close()


def test_memory_that_was_not_given_can_not_be_written(start):
    """The device refuses a key that is not the region's; the connection ends."""
    device = VerbsDevice("rxe0")
    ring = Ring(device, device, inline_bytes=128)
    assert isinstance(ring.reader, RingReceiver)
    address, key = ring.reader.memory_at()
    ring.sender.aim((address, key ^ 0xFF))
    ring.sender.begin()
    end = time.monotonic() + 20
    while not ring.sender.failure() and time.monotonic() < end:
        ring.sender.is_delivered()
        time.sleep(0.01)
    assert "access" in ring.sender.failure()
    assert ring.read() == []
    ring.close()
    device.close()


def test_a_raw_port_is_refused_in_one_line():
    """soft-RoCE has no raw-packet queue pairs: it is said, not worked around."""
    with pytest.raises(PortError, match="raw queue pair") as caught:
        VerbsPort("rxe0", destinations=[("239.1.1.1", 5000)])
    assert "\n" not in str(caught.value)
