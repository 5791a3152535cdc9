# SPDX-License-Identifier: Apache-2.0
"""How orders leave, as the configuration says it: what is refused, which streams are made."""

import os
import socket
import time

import pytest

from host.config import ConfigError, OrderEntry, Venue, validated
from host.order_entry import VenueStreams
from nic.port import PortError
from nic.tcp.delegated_stream import DelegatedStream
from nic.tcp_stream import TcpStream
from tools.namespaces import Link, inside, joined

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="raw ports and namespaces need root")


def venue(address, port, name="exchange"):
    return Venue(name=name, address=address, port=port, username="u", password="p")


def wait(condition, seconds=3.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"send": "by pigeon"}, "send"),
        ({"path": "af_packet"}, 'path is for send = "delegated"'),
        ({"send": "delegated", "vlan": 7}, "vlan and vlan_interface belong together"),
        (
            {"send": "delegated", "vlan": 7, "vlan_interface": "eth0.7"},
            "name the interface below the VLAN device",
        ),
        ({"send": "delegated", "path": "verbs"}, "device belongs to"),
        ({"send": "delegated", "vlan": 4095}, "vlan"),
        ({"send": "delegated", "preparation": "much"}, "preparation"),
        ({"sent": "delegated"}, "sent"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(given, said):
    with pytest.raises(ConfigError, match=said) as found:
        validated(OrderEntry, given, "order_entry")
    assert "\n" not in str(found.value)


def test_a_configuration_survives_being_written_down():
    for given in ({}, {"send": "delegated", "path": "af_packet", "interface": "eth1"}):
        config = OrderEntry(**given)
        assert OrderEntry(**config.model_dump(mode="json")) == config


def test_ordinary_streams_count_over_all_connections():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = venue(*listener.getsockname())
        streams = VenueStreams(OrderEntry(), [place])
        for number in range(3):
            stream = streams.connect(place)
            assert type(stream) is TcpStream
            peer, _ = listener.accept()
            wait(lambda stream=stream: stream.status() == "open")
            assert stream.write(b"order") == 5
            with peer:
                assert peer.recv(10) == b"order"
            assert streams.report() == {
                "send": "ordinary",
                "venues": {"exchange": {"rx_bytes": 0, "tx_bytes": 5 * (number + 1)}},
            }
        streams.close()
        assert streams.report()["venues"]["exchange"]["tx_bytes"] == 15


@needs_root
@pytest.mark.parametrize("path", ["af_xdp", "af_packet"])
def test_delegated_streams_find_their_interface_and_share_its_port(path):
    trader, far = (f"tw-entry-{os.getpid()}-{end}" for end in "ab")
    with joined(trader, far, [Link("entry0", "10.92.0.1", "10.92.0.2")]):
        with inside(far):
            listener = socket.create_server(("10.92.0.2", 0))
        with listener, inside(trader):
            port = listener.getsockname()[1]
            venues = [venue("10.92.0.2", port, name) for name in ("first", "second")]
            config = OrderEntry(send="delegated", path=path)
            streams = VenueStreams(config, venues)
            try:
                for place in venues:
                    stream = streams.connect(place)
                    assert type(stream) is DelegatedStream
                    peer, _ = listener.accept()
                    wait(stream.prepare)
                    assert stream.write(b"order") == 5
                    with peer:
                        assert peer.recv(10) == b"order"
                report = streams.report()
                assert [found["kind"] for found in report["ports"]] == [path]
                assert report["ports"][0]["interface"] == "entry0"
                assert report["ports"][0]["counters"]["tx_packets"] == 2
                assert all(counters["sent"] == 1 for counters in report["venues"].values())
            finally:
                streams.close()
            assert streams.report()["venues"]["first"]["sent"] == 1


@needs_root
def test_no_way_to_the_venue_is_said_in_one_line():
    trader, far = (f"tw-entry-{os.getpid()}-{end}" for end in "cd")
    with joined(trader, far, [Link("entry0", "10.92.0.1", "10.92.0.2")]), inside(trader):
        with pytest.raises(PortError, match=r"no route to 192\.0\.2\.1") as found:
            VenueStreams(OrderEntry(send="delegated"), [venue("192.0.2.1", 1)])
        assert "\n" not in str(found.value)
        with pytest.raises(PortError, match="no-such"):
            VenueStreams(OrderEntry(send="delegated", interface="no-such"), [venue("10.92.0.2", 1)])
