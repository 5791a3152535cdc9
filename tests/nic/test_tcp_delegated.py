# SPDX-License-Identifier: Apache-2.0
"""Delegated sends over a wire that loses, repeats and reorders: the venue gets every byte."""

import os
import random

import pytest
from tcp_delegated_support import congestion_window, exchange, nonzero, receive, wait, world

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="TCP_REPAIR and namespaces need root")

PREPARATIONS = ("cached", "armed", "none")


@pytest.fixture(scope="module")
def hosts():
    with world() as found:
        yield found


@pytest.fixture(scope="module")
def raw(hosts):
    with hosts.raw_port() as port:
        yield port


@pytest.fixture(autouse=True)
def perfect_wire(hosts):
    hosts.heal()


def copies(hosts):
    """How often each of the trader's segments with payload was on the wire."""
    return dict(hosts.tell()["left"]["numbers"])


def slowly(stream, peer, data, size=50):
    """Send in pieces, each acknowledged before the next: what arrived."""
    arrived = b""
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        assert stream.write(piece) == len(piece)
        wanted = len(arrived) + len(piece)

        def all_there(wanted=wanted):
            nonlocal arrived
            stream.prepare()
            arrived += receive(peer)
            return len(arrived) >= wanted

        wait(all_there)
    return arrived


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_an_order_is_on_the_wire_once(hosts, raw, preparation):
    with hosts.connection(raw, preparation=preparation) as (stream, peer):
        data = random.Random(preparation).randbytes(5000)
        before = raw.counters()["tx_packets"]
        assert slowly(stream, peer, data) == data
        counters = stream.counters()
        assert (counters["sent"], counters["ordinary_sends"]) == (100, 0)
        assert raw.counters()["tx_packets"] - before == counters["sent"]
        seen = copies(hosts)
        assert len(seen) == 100
        assert sum(seen.values()) == 100 + counters["retransmitted_segments"]
        assert stream.counters()["tx_bytes"] == 5000
        if preparation != "none":
            assert counters["late_refreshes"] < 20
        mode = stream.mode()
        assert (mode["send"], mode["preparation"]) == ("delegated", preparation)
        assert mode["raw"]["kind"] == "af_xdp"
        assert mode["route"]["has_route"] and mode["route"]["neighbour"]


@pytest.mark.parametrize("preparation", PREPARATIONS)
@pytest.mark.parametrize("seed", range(3))
def test_loss_repetition_and_reordering_both_ways(hosts, raw, preparation, seed):
    print(f"seed {seed}")
    source = random.Random(f"{preparation} {seed}")
    fate = {"drop": 0.02, "repeat": 0.05, "delay": 0.1}
    hosts.tell(seed=seed, left=fate, right=fate)
    with hosts.connection(raw, preparation=preparation) as (stream, peer):
        data, answer = source.randbytes(60_000), source.randbytes(20_000)
        arrived, heard = exchange(stream, peer, data, answer, source=source, ahead_bytes=1200)
        assert arrived == data
        assert heard == answer
        counters = stream.counters()
        assert counters["sent"] > 20, counters
        assert counters["delegated_bytes"] + counters["ordinary_bytes"] == 60_000
        found = hosts.tell()
        assert all(found[side]["dropped"] > 0 for side in ("left", "right"))
        assert all(found[side]["repeated"] > 0 for side in ("left", "right"))
        assert found["left"]["delayed"] > 0


def test_ten_million_bytes(hosts, raw):
    """Mostly delegated, some by the kernel, over a wire that is not perfect."""
    source = random.Random(10_000_000)
    hosts.tell(seed=1, left={"drop": 0.0005, "repeat": 0.001, "delay": 0.001})
    with hosts.connection(raw, preparation="armed") as (stream, peer):
        data = source.randbytes(10_000_000)
        arrived, _ = exchange(
            stream, peer, data, source=source, largest=1448, ahead_bytes=8000, seconds=60
        )
        assert arrived == data
        counters = stream.counters()
        print(nonzero(stream))
        assert counters["delegated_bytes"] > 5_000_000
        assert counters["delegated_bytes"] + counters["ordinary_bytes"] == len(data)


@pytest.mark.parametrize("preparation", ["cached", "armed"])
def test_the_kernel_sends_a_lost_frame_again(hosts, raw, preparation):
    with hosts.connection(raw, preparation=preparation) as (stream, peer):
        assert slowly(stream, peer, bytes(100)) == bytes(100)
        hosts.tell(left={"drop_next": 1}, forget=True)
        assert stream.write(b"lost on its way") == 15
        arrived = b""

        def is_there():
            nonlocal arrived
            assert stream.read() is None
            arrived += receive(peer)
            return arrived == b"lost on its way"

        wait(is_there)
        counters = stream.counters()
        assert counters["ordinary_sends"] == 0
        assert counters["retransmitted_segments"] >= 1
        assert sum(copies(hosts).values()) == 1 + counters["retransmitted_segments"]


def test_delegated_and_ordinary_sends_share_the_stream(hosts, raw):
    """Every third piece is longer than a segment: the kernel's to send."""
    with hosts.connection(raw) as (stream, peer):
        source = random.Random(3)
        data = b""
        for number in range(60):
            piece = source.randbytes(4000 if number % 3 == 2 else 40)
            data += piece
            while piece:
                piece = piece[stream.write(piece) :]
            wait(stream.prepare)
        arrived = b""

        def all_there():
            nonlocal arrived
            arrived += receive(peer)
            stream.prepare()
            return len(arrived) >= len(data)

        wait(all_there)
        assert arrived == data
        counters = stream.counters()
        assert counters["too_long"] >= 20
        assert counters["sent"] >= 20


@pytest.mark.parametrize("preparation", ["cached", "armed"])
def test_a_retransmission_races_delegated_sends(hosts, raw, preparation):
    """The wire is cut until the kernel's timer ran out, sends go on all the time."""
    source = random.Random(preparation)
    with hosts.connection(raw, preparation=preparation) as (stream, peer):
        assert slowly(stream, peer, bytes(1000)) == bytes(1000)
        data = source.randbytes(30_000)
        sent = 0
        for is_cut in (True, False, True, False):
            hosts.tell(left={"is_cut": is_cut})
            limit = 0

            def goes_on(is_cut=is_cut):
                nonlocal sent, limit
                limit += 1
                if sent < len(data) and limit % 3 == 0:
                    sent += stream.write(data[sent : sent + source.randint(1, 100)])
                stream.prepare()
                retransmitted = stream.counters()["retransmitted_segments"]
                return limit > 150 and (not is_cut or retransmitted > 1)

            wait(goes_on)
        arrived, _ = exchange(stream, peer, data[sent:], source=source)
        rest = b""
        if len(arrived) < len(data):

            def all_there():
                nonlocal rest
                rest += receive(peer)
                stream.prepare()
                return len(arrived) + len(rest) >= len(data)

            wait(all_there, seconds=30)
        assert arrived + rest == data
        counters = stream.counters()
        assert counters["sent"] > 30
        assert counters["retransmitted_segments"] > 1


def test_the_congestion_window_is_respected(hosts, raw):
    """Nothing is acknowledged: only as many segments go out raw as the kernel would send."""
    with hosts.connection(raw, maximum_age_ns=10**12) as (stream, peer):
        assert slowly(stream, peer, bytes(500)) == bytes(500)
        hosts.tell(right={"is_cut": True}, forget=True)
        window = congestion_window(stream)
        before = stream.counters()
        for _ in range(60):
            assert stream.write(b"x" * 20) == 20
        after = stream.counters()
        assert 0 < after["sent"] - before["sent"] <= window
        assert after["no_congestion_window"] > 0
        hosts.tell(right={"is_cut": False})
        arrived = b""

        def all_there():
            nonlocal arrived
            arrived += receive(peer)
            return len(arrived) == 1200

        wait(all_there)
        assert arrived == b"x" * 1200


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_asking_swallows_nothing_that_waits(hosts, raw, preparation):
    """Bytes in the kernel's queue leave when room is acknowledged, questions asked or not."""
    source = random.Random(f"waits {preparation}")
    with hosts.connection(raw, preparation=preparation) as (stream, peer):
        data = source.randbytes(2_000_000)
        arrived, _ = exchange(stream, peer, data, source=source, largest=40_000, seconds=30)
        assert arrived == data
        counters = stream.counters()
        assert counters["ordinary_bytes"] > 1_000_000
        assert counters["refreshes"] > 100
        # What was swallowed would come as a retransmission; a busy machine causes a few others.
        assert counters["retransmitted_segments"] < 70  # of about 1400
