# SPDX-License-Identifier: Apache-2.0
import json
import os
import socket
import time

import pytest

from nic import link
from tools.namespaces import Link, inside, joined

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
LEFT, RIGHT = (f"tw-link-{os.getpid()}-{end}" for end in "ab")
WIRE = Link("wire0", "10.67.0.1", "10.67.0.2")


def test_the_loopback():
    facts = link.facts("lo")
    assert facts.index == link.index_of("lo") == link.index_of("127.0.0.1")
    assert facts.is_up
    assert "127.0.0.1" in facts.addresses
    assert facts.xdp_attached == "none"
    assert link.name_of("127.0.0.1") == "lo"
    assert "lo" in link.interface_names()
    assert json.loads(json.dumps(facts.as_dict()))["name"] == "lo"


@pytest.mark.parametrize("name", ["no-such-device", "203.0.113.9", ""])
def test_what_is_not_there(name):
    with pytest.raises(ValueError, match="no interface"):
        link.facts(name)


@root_only
def test_a_veth_pair():
    with joined(LEFT, RIGHT, [WIRE]), inside(LEFT):
        facts = link.facts("wire0")
        assert (facts.kind, facts.driver, facts.mtu_bytes) == ("veth", "veth", 1500)
        assert (facts.is_up, facts.has_carrier) == (True, True)
        assert facts.addresses == ("10.67.0.1",)
        assert facts.xdp_features is None or "basic" in facts.xdp_features
        assert "receive-software" in facts.timestamping
        assert facts.hardware_clock is None
        assert len(link.hardware_bytes(facts.hardware_address)) == 6
        assert link.neighbour("10.67.0.2", "wire0") is None
        assert "tx-checksum-ip-generic" not in facts.offloads
        link.set_transmit_checksum_offload("wire0", True)
        assert "tx-checksum-ip-generic" in link.facts("wire0").offloads
        link.set_receive_queues("wire0", 1)
        assert link.facts("wire0").channels == 1
        with pytest.raises(OSError, match="receive queues"):
            link.set_receive_queues("wire0", 4096)


@root_only
def test_a_neighbour_becomes_known():
    with joined(LEFT, RIGHT, [WIRE]):
        with inside(RIGHT):
            expected = link.facts("wire0").hardware_address
        with inside(LEFT):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
                handle.sendto(b"who has", ("10.67.0.2", 9))
            limit = time.monotonic() + 2
            while link.neighbour("10.67.0.2", "wire0") is None and time.monotonic() < limit:
                time.sleep(0.01)
            assert link.neighbour("10.67.0.2", "wire0") == expected


def test_hardware_addresses():
    assert link.hardware_bytes("02:00:00:00:00:0a") == b"\x02\0\0\0\0\x0a"
    with pytest.raises(ValueError, match="no hardware address"):
        link.hardware_bytes("02:00")
