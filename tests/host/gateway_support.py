# SPDX-License-Identifier: Apache-2.0
"""An exchange for the gateway's tests: written with the reference codec, driven by hand."""

from host.gateway.memory_stream import MemoryStream
from host.gateway.ouch import OuchChannel
from host.gateway.report_callback import ReportCallback
from host.gateway.soupbintcp import SoupBinTCPClient
from host.ipc.ring import Ring
from host.journal.journal import Journal
from host.journal.record import Record
from host.risk.seal import Seal
from nic.wire.ouch50 import OUCH50
from nic.wire.reference import encode
from nic.wire.soupbintcp import SOUPBINTCP

SECOND = 1_000_000_000
KEY = 0x1234567890ABCDEF1234567890ABCDEF


def soup(name, payload=b"", **fields):
    return encode(SOUPBINTCP, name, {**fields, "payload": payload} if payload else fields)


def login_accepted(session="S1", number=1):
    return soup(
        "login_accepted",
        session=session.rjust(10).encode(),
        sequence_number=str(number).rjust(20).encode(),
    )


def ouch(name, **fields):
    return encode(OUCH50, name, fields)


class Exchange:
    """Every connection made to it, oldest first; the exchange's end of the last one is ``end``."""

    def __init__(self, connecting=False, refuse=0):
        self.connections = []
        self.connecting = connecting
        self.refuse = refuse
        self.buffer = b""

    def connect(self):
        if self.refuse:
            self.refuse -= 1
            raise ConnectionRefusedError("nobody listens")
        ours, theirs = MemoryStream.pair(connecting=self.connecting)
        self.connections.append((ours, theirs))
        self.buffer = b""
        return theirs

    @property
    def end(self):
        return self.connections[-1][0]

    @property
    def client_end(self):
        return self.connections[-1][1]

    def send(self, *packets):
        data = b"".join(packets)
        assert self.end.write(data) == len(data)

    def packets(self):
        """Whole packets that came, as (type letter, payload)."""
        while data := self.end.read():
            self.buffer += data
        found = []
        while len(self.buffer) >= 2:
            size = 2 + int.from_bytes(self.buffer[:2], "big")
            if len(self.buffer) < size:
                break
            found.append((chr(self.buffer[2]), self.buffer[3:size]))
            self.buffer = self.buffer[size:]
        return found


class Desk:
    """A channel with its client, journal and what it reported, and the exchange it talks to."""

    def __init__(self, exchange=None, ring_bytes=1 << 20, channel_options=None, **client_options):
        self.exchange = exchange or Exchange()
        self.ring = Ring(ring_bytes)
        self.journal = Journal(self.ring)
        self.reports = []
        self.states = []
        self.client = SoupBinTCPClient(self.exchange.connect, "user", "secret", **client_options)
        self.seal = Seal(KEY)
        self.channel = OuchChannel(
            self.client,
            self.seal,
            self.journal,
            ReportCallback(
                lambda report, t_ns: self.reports.append(report),
                lambda venue, state, t_ns: self.states.append(state),
            ),
            **(channel_options or {}),
        )
        self.pass_number = 0

    def log_in(self, t_ns=0, session="S1", number=1, next_user_ref_num=1):
        """Connect, log in, answer the account queries; the packets the exchange saw."""
        self.channel.step(t_ns)
        self.channel.step(t_ns)
        seen = self.exchange.packets()
        self.exchange.send(login_accepted(session, number))
        self.channel.step(t_ns)
        queries = self.exchange.packets()
        for kind, message in queries:
            assert (kind, message[:1]) == ("U", b"Q")
            self.answer(next_user_ref_num)
        self.channel.step(t_ns)
        return seen + queries

    def answer(self, next_user_ref_num=1):
        message = ouch("account_query_response", next_user_ref_num=next_user_ref_num)
        self.exchange.send(soup("sequenced_data", message))

    def order(self, number=1, t_ns=0, symbol="AAPL", **fields):
        """Pass an order through: the channel's answer."""
        self.pass_number += 1
        values = {"action": 0, "side": 66, "quantity": 100, "price": 1_000_000, **fields}
        passed = self.seal.passed_order(pass_number=self.pass_number, **values)
        return self.channel.send_passed(passed, number, symbol, t_ns)

    def records(self):
        """What was written to the journal since the last call."""
        found = []
        while (item := self.ring.take()) is not None:
            kind, t_ns, sequence, body = item
            found.append(Record(kind, t_ns, sequence, body))
        return found

    def records_of(self, kind):
        return [record for record in self.records() if record.kind == kind]
