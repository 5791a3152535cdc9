# SPDX-License-Identifier: Apache-2.0
"""What the gateway records is what its wire shows, whatever happens to its connections."""

import random

import pytest
from verify_support import ACK, FIN, PSH, SYN, Segment, accepted, executed, soup

from host.gateway.memory_stream import MemoryStream
from host.gateway.ouch import OuchChannel
from host.gateway.report_callback import ReportCallback
from host.gateway.soupbintcp import SoupBinTCPClient
from host.journal.recording import Recording
from host.risk.seal import Seal
from nic.pcap import PcapWriter
from nic.wire.ouch50 import OUCH50
from nic.wire.reference import encode
from tools.verify import verify

SECOND = 1_000_000_000
ANSWER = encode(OUCH50, "account_query_response", {"next_user_ref_num": 1})


class TappedExchange:
    """Answers logins and queries, fills orders, and keeps every segment that crossed the wire."""

    def __init__(self, source):
        self.source = source
        self.segments = []
        self.messages = []
        self.connection = -1
        self.end = None

    def connect(self):
        self.end, theirs = MemoryStream.pair()
        theirs.segment_bytes = self.source.randrange(5, 200)
        theirs.window_bytes = self.source.choice((20, 60, 10_000))
        self.connection += 1
        self.offsets = [1, 1]
        self.buffer = b""
        self.add(True, b"", SYN, 0)
        self.add(False, b"", SYN | ACK, 0)
        return theirs

    def add(self, to_server, data, flags=PSH | ACK, offset=None):
        at = self.offsets[to_server] if offset is None else offset
        other = self.offsets[not to_server]
        self.segments.append(Segment(self.connection, to_server, at, flags, data, other))
        if offset is None:
            self.offsets[to_server] += len(data)

    def send(self, data):
        if self.end.status() == "open":
            taken = self.end.write(data)
            assert taken == len(data)
            self.add(False, data)

    def sequenced(self, message):
        self.messages.append(message)
        self.send(soup("sequenced_data", message))

    def turn(self):
        """Read what came, answer it."""
        while self.end is not None and self.end.status() == "open":
            data = self.end.read(self.source.randrange(1, 90))
            if not data:
                return
            self.add(True, data)
            self.buffer += data
            while len(self.buffer) > 2:
                size = 2 + int.from_bytes(self.buffer[:2], "big")
                if len(self.buffer) < size:
                    break
                packet, self.buffer = self.buffer[:size], self.buffer[size:]
                self.take(packet)

    def take(self, packet):
        kind, message = packet[2:3], packet[3:]
        if kind == b"L":
            number = int(packet[29:49])
            self.send(accepted(number=number))
            for old in self.messages[number - 1 :]:
                self.send(soup("sequenced_data", old))
        elif kind == b"U" and message[:1] == b"Q":
            self.sequenced(ANSWER)
        elif kind == b"U":
            self.sequenced(executed(int.from_bytes(message[1:5], "big")))
        elif kind == b"O":
            self.add(False, b"", FIN | ACK)
            self.end.close()

    def cut(self):
        """The connection dies; what was under way may or may not have crossed the wire."""
        if self.end is not None and self.end.status() == "open":
            data = self.end.read()
            if data and self.source.random() < 0.5:
                self.add(True, data[: self.source.randrange(len(data)) + 1])
            self.end.close()


@pytest.mark.parametrize("seed", range(25))
def test_an_honest_gateway_is_believed(tmp_path, seed):
    source = random.Random(seed)
    exchange = TappedExchange(source)
    client = SoupBinTCPClient(exchange.connect, "user", "secret")
    seal = Seal(source.getrandbits(128) | 1)
    reports = []
    journal = tmp_path / "day.journal"
    with Recording(journal, capacity_bytes=1 << 20, ring=str(tmp_path / "ring")) as recording:
        sink = ReportCallback(lambda report, t_ns: reports.append(report), lambda *_: None)
        channel = OuchChannel(client, seal, recording.journal, sink)
        t_ns = 0
        number = 0
        for step in range(400):
            t_ns += source.randrange(SECOND // 20)
            channel.step(t_ns)
            if source.random() < 0.8:
                exchange.turn()
            if channel.is_ready() and source.random() < 0.7:
                number += 1
                passed = seal.passed_order(
                    pass_number=number, action=0, side=66, quantity=100 + step, price=10_000
                )
                channel.send_passed(passed, number, "AAPL", t_ns)
            if source.random() < 0.02:
                exchange.cut()
        while client.state_name != "logged_in":
            t_ns += SECOND // 10
            channel.step(t_ns)
            exchange.turn()
        for _ in range(200):
            channel.step(t_ns)
            exchange.turn()
        channel.request_logout(t_ns)
        for _ in range(20_000):  # five bytes at a time, at worst
            channel.step(t_ns)
            exchange.turn()
            if client.state_name == "stopped":
                break
        assert client.state_name == "stopped"
    with PcapWriter(tmp_path / "orders.pcap") as writer:
        for i, segment in enumerate(exchange.segments):
            writer.write_frame(segment.frame(), SECOND + i)
    report = verify([tmp_path / "orders.pcap"], journal, order_entry_port=9000)
    assert report.ok, (seed, report.differences)
    assert report.messages_recorded == len(exchange.messages) == len(reports)
    assert report.orders_on_wire > 50
    assert report.connections == exchange.connection + 1
