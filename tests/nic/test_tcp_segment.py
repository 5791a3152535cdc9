# SPDX-License-Identifier: Apache-2.0
"""Segments of our own making, read by scapy and by our own dissection."""

import random

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Dot1Q, Ether

from nic.frame import parse_tcp
from nic.tcp.segment import build_tcp

HARDWARE = {
    "source_hardware": bytes.fromhex("020000000001"),
    "destination_hardware": bytes.fromhex("020000000002"),
}


@pytest.mark.parametrize("seed", range(40))
def test_scapy_reads_what_was_meant(seed):
    source = random.Random(seed)
    payload = source.randbytes(source.choice((0, 1, 47, 48, 49, 1447, 1448)))
    vlan = source.choice((0, 1, 4094))
    timestamps = source.choice((None, (source.getrandbits(32), source.getrandbits(32))))
    sequence, acknowledgment = source.getrandbits(32), source.getrandbits(32)
    window = source.getrandbits(16)
    dont_fragment = source.random() < 0.5
    frame = build_tcp(
        payload,
        "10.1.2.3",
        40_000,
        "10.4.5.6",
        443,
        sequence_number=sequence,
        acknowledgment_number=acknowledgment,
        window=window,
        timestamps=timestamps,
        vlan=vlan,
        time_to_live=7,
        type_of_service=0xB8,
        dont_fragment=dont_fragment,
        identification=seed,
        **HARDWARE,
    )
    packet = Ether(frame)
    assert (packet.src, packet.dst) == ("02:00:00:00:00:01", "02:00:00:00:00:02")
    assert (packet[Dot1Q].vlan if vlan else 0) == vlan
    assert packet.haslayer(Dot1Q) == bool(vlan)
    ip, tcp = packet[IP], packet[TCP]
    assert (ip.src, ip.dst, ip.ttl, ip.tos, ip.id) == ("10.1.2.3", "10.4.5.6", 7, 0xB8, seed)
    assert str(ip.flags) == ("DF" if dont_fragment else "")
    assert (tcp.sport, tcp.dport, tcp.seq, tcp.ack) == (40_000, 443, sequence, acknowledgment)
    assert (str(tcp.flags), tcp.window, tcp.urgptr) == ("PA", window, 0)
    options = dict(tcp.options)
    assert options.get("Timestamp") == timestamps
    assert bytes(tcp.payload) == payload
    # Both checksums are what scapy makes of the same packet.
    whole = bytes(ip)
    del ip.chksum, tcp.chksum
    assert bytes(IP(bytes(ip))) == whole
    result, segment = parse_tcp(frame)
    assert result == "ok"
    assert segment["payload"] == payload
    assert segment["vlan"] == vlan


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        build_tcp(
            bytes(9216), "1.1.1.1", 1, "2.2.2.2", 2, sequence_number=0, acknowledgment_number=0
        )
    with pytest.raises(ValueError, match="six bytes"):
        build_tcp(
            b"",
            "1.1.1.1",
            1,
            "2.2.2.2",
            2,
            sequence_number=0,
            acknowledgment_number=0,
            source_hardware=b"short",
        )
