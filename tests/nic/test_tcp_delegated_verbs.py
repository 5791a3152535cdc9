# SPDX-License-Identifier: Apache-2.0
"""Delegated sends whose raw port is a queue pair: its frames reach the wire, or the kernel heals.

The verbs device is one in memory; what was posted to it the test carries to the interface.
"""

import os
import random
import socket

import pytest

pytest.importorskip("nic.verbs.port", reason="libibverbs-dev was missing when this was built")

from tcp_delegated_support import DEVICE, receive, wait, world

from nic.verbs.port import VerbsPort
from sim.verbs.fake_device import STATUSES, FakeDevice
from tools.namespaces import inside

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="TCP_REPAIR and namespaces need root")


@pytest.fixture(scope="module")
def hosts():
    with world() as found:
        yield found


@pytest.fixture
def card(hosts):
    """A device of the trader's interface, and what carries its frames to the wire."""
    hosts.heal()
    with inside(hosts.trader):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        wire.bind((DEVICE, 0))
        address = wire.getsockname()[4]
        device = FakeDevice(interface=DEVICE, address=address)
        port = VerbsPort(device, receive_frames=64, huge_pages=False)

    def carry():
        frames, device.frames[:] = list(device.frames), []
        for frame in frames:
            wire.send(frame)

    with port, wire:
        yield device, port, carry


def delivered(stream, peer, data, carry):
    """What of ``data`` arrived, each piece acknowledged before the next."""
    arrived = b""
    for at in range(0, len(data), 50):
        piece = data[at : at + 50]
        assert stream.write(piece) == len(piece)
        wanted = len(arrived) + len(piece)

        def all_there(wanted=wanted):
            nonlocal arrived
            carry()
            stream.prepare()
            arrived += receive(peer)
            return len(arrived) >= wanted

        wait(all_there)
    return arrived


@pytest.mark.parametrize("preparation", ["none", "cached", "armed"])
def test_orders_leave_by_the_queue_pair(hosts, card, preparation):
    _, port, carry = card
    with hosts.connection(port, preparation=preparation) as (stream, peer):
        data = random.Random(preparation).randbytes(2500)
        assert delivered(stream, peer, data, carry) == data
        counters = stream.counters()
        assert (counters["sent"], counters["ordinary_sends"]) == (50, 0)
        assert port.counters()["tx_packets"] == 50
        assert stream.mode()["raw"]["kind"] == "verbs"
        seen = hosts.tell()["left"]["numbers"]
        assert sum(dict(seen).values()) == 50 + counters["retransmitted_segments"]


def test_a_failed_request_is_healed_by_the_kernel(hosts, card):
    """The queue pair does nothing more from then on: every later order is the kernel's to send."""
    device, port, carry = card
    with hosts.connection(port) as (stream, peer):
        assert delivered(stream, peer, b"first", carry) == b"first"
        device.send_fault = STATUSES["protection"]
        assert delivered(stream, peer, b"lost in the card", carry) == b"lost in the card"
        assert stream.counters()["retransmitted_segments"] >= 1
        assert delivered(stream, peer, b"behind it", carry) == b"behind it"
        assert len(device.frames) == 0
        assert port.is_broken()
        before = stream.counters()
        assert delivered(stream, peer, b"refused", carry) == b"refused"
        assert stream.counters()["port_refused"] == before["port_refused"] + 1
