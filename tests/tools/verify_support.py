# SPDX-License-Identifier: Apache-2.0
"""A day of order entry, made by hand: its segments, its journal, and ways to falsify either."""

from dataclasses import dataclass, field

from host.ipc.ring import Ring
from host.journal.journal import Journal
from host.journal.writer import JournalWriter
from nic.pcap import PcapWriter
from nic.wire.internet import ETHERTYPE_IPV4, INTERNET
from nic.wire.ouch50 import OUCH50
from nic.wire.reference import encode
from nic.wire.soupbintcp import SOUPBINTCP

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT = ("10.0.0.1", 40000)
SERVER = ("10.0.0.2", 9000)
CLIENT_ISN = 0xFFFFFF00  # wraps within the first packets
SERVER_ISN = 1000


def address_bytes(text):
    return bytes(int(part) for part in text.split("."))


def frame(source, target, number, flags, payload=b"", acknowledgment=0):
    """An Ethernet frame with one TCP segment."""
    tcp = (
        source[1].to_bytes(2, "big")
        + target[1].to_bytes(2, "big")
        + (number % (1 << 32)).to_bytes(4, "big")
        + (acknowledgment % (1 << 32)).to_bytes(4, "big")
        + bytes([5 << 4, flags])
        + b"\xff\xff"
        + bytes(4)
    )
    total = 20 + len(tcp) + len(payload)
    ip = (
        b"\x45\0"
        + total.to_bytes(2, "big")
        + bytes(4)
        + bytes([64, 6, 0, 0])
        + address_bytes(source[0])
        + address_bytes(target[0])
    )
    words = sum(int.from_bytes(ip[i : i + 2], "big") for i in range(0, 20, 2))
    words = (words & 0xFFFF) + (words >> 16)
    ip = ip[:10] + (~words & 0xFFFF).to_bytes(2, "big") + ip[12:]
    ethernet = bytes(12) + ETHERTYPE_IPV4.to_bytes(2, "big")
    assert len(ethernet) == INTERNET["ethernet"].length
    return ethernet + ip + tcp + payload


def soup(name, payload=b"", **fields):
    return encode(SOUPBINTCP, name, {**fields, "payload": payload} if payload else fields)


def order(number, **fields):
    message = encode(OUCH50, "enter_order", {"user_ref_num": number, "quantity": 100, **fields})
    return soup("unsequenced_data", message)


def cancel(number):
    return soup(
        "unsequenced_data", encode(OUCH50, "cancel_order_request", {"user_ref_num": number})
    )


QUERY = soup("unsequenced_data", encode(OUCH50, "account_query_request", {}))


def executed(number):
    return encode(OUCH50, "order_executed", {"user_ref_num": number, "quantity": 100})


def login(session="", number=1):
    return soup(
        "login_request",
        username=b"user",
        password=b"secret",
        requested_session=session.rjust(10).encode(),
        requested_sequence_number=str(number).rjust(20).encode(),
    )


def accepted(session="S1", number=1):
    return soup(
        "login_accepted",
        session=session.rjust(10).encode(),
        sequence_number=str(number).rjust(20).encode(),
    )


@dataclass
class Segment:
    """One TCP segment: which connection, which way (True: to the server), offset, flags, bytes."""

    connection: int
    to_server: bool
    offset: int
    flags: int
    payload: bytes = b""
    acknowledged: int = 0

    def number(self, to_server, offset):
        """Every connection has its own initial numbers, all between the same ports."""
        start = CLIENT_ISN if to_server else SERVER_ISN
        return start + 100_000 * self.connection + offset

    @property
    def acknowledgment(self):
        return self.number(not self.to_server, self.acknowledged)

    def frame(self):
        source, target = (CLIENT, SERVER) if self.to_server else (SERVER, CLIENT)
        number = self.number(self.to_server, self.offset)
        return frame(source, target, number, self.flags, self.payload, self.acknowledgment)


@dataclass
class Day:
    """Builds segments and journal side by side; whatever a test changes is a falsification."""

    segments: list = field(default_factory=list)
    records: list = field(default_factory=list)
    connection: int = -1
    sent: list = field(default_factory=lambda: [0, 0])
    pass_number: int = 0
    sequence: int = 0

    def connect(self, session="S1", number=1):
        self.connection += 1
        self.sent = [1, 1]
        self.segments.append(Segment(self.connection, True, 0, SYN))
        self.segments.append(Segment(self.connection, False, 0, SYN | ACK, b"", 1))
        self.wire(True, login(session, number))
        self.wire(False, accepted(session, number))
        self.sequence = number - 1
        self.session(2, session=session, number=number)

    def session(self, state, reason=0, session="S1", number=1):
        self.record(
            "session",
            venue=0,
            state=state,
            reason=reason,
            session=session.rjust(10).encode(),
            next_sequence_number=number,
        )

    def wire(self, to_server, data, flags=PSH | ACK):
        at = self.sent[to_server]
        other = self.sent[not to_server]
        self.segments.append(Segment(self.connection, to_server, at, flags, data, other))
        self.sent[to_server] += len(data) + (1 if flags & FIN else 0)

    def record(self, kind, payload=b"", **fields):
        self.records.append((kind, payload, fields))

    def send(self, packet, on_wire=True, recorded=True):
        self.pass_number += 1
        if recorded:
            self.record(
                "order_sent",
                packet,
                pass_number=self.pass_number,
                trace_sequence_number=1,
                trace_line=0,
                trace_message_index=0,
                user_ref_num=1,
                venue=0,
                strategy_id=1,
                action=0,
            )
        if on_wire:
            self.wire(True, packet)

    def query(self):
        self.record("query_sent", QUERY, venue=0)
        self.wire(True, QUERY)

    def receive(self, message, on_wire=True, recorded=True):
        self.sequence += 1
        if on_wire:
            self.wire(False, soup("sequenced_data", message))
        if recorded:
            self.record("inbound", message, venue=0, sequence_number=self.sequence)

    def heartbeats(self):
        self.wire(True, soup("client_heartbeat"))
        self.wire(False, soup("server_heartbeat"))

    def end(self, reason=11):
        self.wire(True, soup("logout_request"))
        self.wire(False, b"", FIN | ACK)
        self.wire(True, b"", FIN | ACK)
        self.session(0, reason=reason)

    def write_capture(self, path, segments=None):
        with PcapWriter(path) as writer:
            for i, segment in enumerate(self.segments if segments is None else segments):
                data = segment if isinstance(segment, bytes) else segment.frame()
                writer.write_frame(data, 1_000_000_000 + i * 1000)
        return path

    def write_journal(self, path):
        ring = Ring(1 << 22)
        journal = Journal(ring)
        for kind, payload, fields in self.records:
            assert journal.write(kind, 0, payload, **fields)
        journal.write("closed", 0, refused=0)
        JournalWriter(ring, path).stop()
        return path


def good_day():
    """Two connections of one session, forty orders, sixty messages."""
    day = Day()
    day.connect()
    day.query()
    day.receive(encode(OUCH50, "account_query_response", {"next_user_ref_num": 1}))
    for i in range(1, 21):
        day.send(order(i))
        day.receive(executed(i))
        if i % 7 == 0:
            day.heartbeats()
            day.send(cancel(i))
    day.end(reason=3)
    day.connect(number=day.sequence + 1)
    for i in range(21, 41):
        day.send(order(i))
        day.receive(executed(i))
    day.end()
    return day
