# SPDX-License-Identifier: Apache-2.0
import time

import pytest

from nic.port import PortError
from nic.udp import UdpPort

GROUP = "239.255.77.1"


def collect(port, count, seconds=2.0, receive=None):
    receive = receive or port.receive
    taken = []
    limit = time.monotonic() + seconds
    while len(taken) < count and time.monotonic() < limit:
        taken += receive()
    return taken


def free_port() -> int:
    with UdpPort(bind=("127.0.0.1", 0)) as port:
        return port.local_address()[1]


def test_unicast_there_and_back():
    with (
        UdpPort(bind=("127.0.0.1", 0)) as server,
        UdpPort(destination=server.local_address(), connect=True) as client,
    ):
        before = time.time_ns()
        assert [client.send(bytes([i]) * i) for i in range(5)] == [0] * 5
        taken = collect(server, 5, receive=server.receive_from)
        assert [data for data, _, _, _ in taken] == [bytes([i]) * i for i in range(5)]
        for _, kernel_ns, address, port in taken:
            assert before <= kernel_ns <= time.time_ns()
            assert (address, port) == ("127.0.0.1", client.local_address()[1])
        assert server.send_to(b"answer", taken[0][2], taken[0][3]) == 0
        assert [data for data, _ in collect(client, 1)] == [b"answer"]
        assert client.counters()["tx_packets"] == 5
        assert client.counters()["tx_bytes"] == 10
        assert server.counters()["rx_packets"] == 5
        assert server.counters()["rx_bytes"] == 10
        assert server.receive() == []


@pytest.mark.parametrize("interface", ["lo", "127.0.0.1"])
def test_multicast_on_loopback(interface):
    port = free_port()
    with (
        UdpPort(group=(GROUP, port), interface=interface) as one,
        UdpPort(group=(GROUP, port), interface=interface) as two,
        UdpPort(group=("239.255.77.2", port), interface=interface) as other,
        UdpPort(destination=(GROUP, port), interface=interface) as sender,
    ):
        assert sender.send(b"tick") == 0
        assert [data for data, _ in collect(one, 1)] == [b"tick"]
        assert [data for data, _ in collect(two, 1)] == [b"tick"]
        assert collect(other, 1, seconds=0.1) == []


def test_a_datagram_longer_than_its_room_is_counted():
    with (
        UdpPort(bind=("127.0.0.1", 0), packet_bytes=64) as server,
        UdpPort(destination=server.local_address()) as client,
    ):
        for size in (65, 64, 1000):
            client.send(b"x" * size)
        assert [len(data) for data, _ in collect(server, 1)] == [64]
        collect(server, 1, seconds=0.1)
        assert server.counters()["rx_truncated"] == 2
        assert server.counters()["rx_packets"] == 1


def test_drops_of_the_kernel_are_counted():
    with (
        UdpPort(bind=("127.0.0.1", 0), receive_buffer_bytes=4096) as server,
        UdpPort(destination=server.local_address()) as client,
    ):
        for _ in range(200):
            client.send(b"y" * 500)
        taken = len(collect(server, 200, seconds=0.2))
        client.send(b"last")  # the count travels with the next datagram that gets in
        taken += len(collect(server, 1))
        assert taken + server.counters()["rx_dropped"] == 201
        assert server.counters()["rx_dropped"] > 0


def test_refused_sends_are_counted():
    with UdpPort(bind=("127.0.0.1", 0)) as port:
        assert port.send(b"nowhere") == -1
        assert port.counters()["tx_errors"] == 1
        assert port.send_to(b"z" * 65508, "127.0.0.1", 9) == -1
        assert port.counters()["tx_too_long"] == 1


def test_mode_says_what_was_got():
    with UdpPort(bind=("127.0.0.1", 0), receive_buffer_bytes=1 << 16) as port:
        mode = port.mode()
        assert mode["kind"] == "udp"
        assert mode["driver_mode"] == "socket"
        assert mode["zero_copy"] is False
        assert mode["timestamps"] == "kernel-software"
        assert mode["receive_buffer_bytes"] >= 1 << 16
        assert mode["notes"] == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"bind": ("203.0.113.77", 1)}, "assign requested address"),
        ({"bind": ("127.0.0.1", 0), "group": (GROUP, 1)}, "not both"),
        ({"group": (GROUP, 5), "interface": "no-such-device"}, "no interface 'no-such-device'"),
        ({"connect": True}, "needs a destination"),
        ({"burst": 65}, "burst must be"),
        ({"destination": ("127.0.0.1", 0)}, "no UDP port"),
    ],
)
def test_mistakes_are_one_clear_line(arguments, text):
    with pytest.raises(PortError, match=text) as caught:
        UdpPort(**arguments)
    assert "\n" not in str(caught.value)


def test_a_closed_port_does_nothing():
    port = UdpPort(bind=("127.0.0.1", 0), destination=("127.0.0.1", 9))
    port.close()
    port.close()
    assert port.receive() == []
    assert port.send(b"x") == -1
