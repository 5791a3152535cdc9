# SPDX-License-Identifier: Apache-2.0
"""What the tests of the exchange share: a small market, OUCH messages by name."""

from __future__ import annotations

from nic.wire import reference
from nic.wire.itch50 import ITCH50
from nic.wire.moldudp64 import MOLDUDP64
from nic.wire.ouch50 import OUCH50
from nic.wire.soupbintcp import SOUPBINTCP
from sim.exchange.enumerations import REJECT_REASON
from sim.exchange.feed_writer import FeedWriter
from sim.exchange.matching import MatchingEngine
from sim.exchange.order_entry import OrderDesk
from sim.exchange.publisher import Publisher
from sim.exchange.sequenced import SequencedStore


def ouch(name, tags=None, **values):
    """An inbound OUCH message; enter and replace get the usual values where none are given."""
    usual = {}
    if name in ("enter_order", "replace_order_request"):
        usual = {
            "quantity": 100,
            "price": 1_000_000,
            "time_in_force": b"0",
            "display": b"Y",
            "inter_market_sweep_eligibility": b"N",
            "cl_ord_id": b"client",
        }
    if name == "enter_order":
        usual |= {"side": b"B", "symbol": b"AAPL", "capacity": b"P", "cross_type": b"N"}
    if tags:
        values["payload"] = reference.encode_tags(OUCH50, tags)
    return reference.encode(OUCH50, name, usual | values)


def decode_ouch(message):
    """Name and fields of an outbound OUCH message, text without padding; tags under ``tags``."""
    name, fields = reference.decode(OUCH50, message, "outbound")
    values = {k: v.rstrip() if isinstance(v, bytes) else v for k, v in fields.items()}
    values["tags"] = reference.decode_tags(OUCH50, fields.get("payload", b""))
    return name, values


def short(message):
    """An outbound message as a short tuple: what tests compare."""
    name, v = decode_ouch(message)
    number = v.get("user_ref_num")
    if name == "order_accepted":
        return ("accepted", number, v["quantity"], v["order_state"].decode())
    if name == "order_replaced":
        return (
            "replaced",
            v["orig_user_ref_num"],
            number,
            v["quantity"],
            v["order_state"].decode(),
        )
    if name == "order_canceled":
        return ("canceled", number, v["quantity"], v["reason"].decode())
    if name == "order_executed":
        return ("executed", number, v["quantity"], v["price"], v["liquidity_flag"].decode())
    if name == "rejected":
        return ("rejected", number, REJECT_REASON.name_of(v["reason"]))
    if name == "order_modified":
        return ("modified", number, v["side"].decode(), v["quantity"])
    if name == "account_query_response":
        return ("account", v["next_user_ref_num"])
    return (name, number)


def itch(message):
    """Type letter and fields of an ITCH message."""
    _, fields = reference.decode(ITCH50, message)
    return chr(message[0]), fields


class Market:
    """An engine with two symbols, AAPL trading and MSFT halted, and two sessions."""

    def __init__(self, **options):
        self.publisher = Publisher("TEST")
        self.feed = FeedWriter(self.publisher, ["AAPL", "MSFT"])
        self.engine = MatchingEngine(self.feed, 4096, **options)
        self.desk = OrderDesk(64)
        self.desk.connect_venue(self.engine)
        self.stores = [SequencedStore(), SequencedStore()]
        for firm, store in zip(["ONE", "TWO"], self.stores, strict=True):
            self.desk.add_session(firm, store)
        self.engine.set_trading_state("AAPL", "T", "", 1)
        self.now = 1
        self._read = [0, 0]
        self._fed = self.publisher.next_sequence_number

    def send(self, message, session=0):
        """Send one message; the outbound messages that it causes, shortened."""
        self.now += 1
        self.desk.receive(session, message, self.now)
        return self.heard(session)

    def heard(self, session=0):
        """Outbound messages of a session since the last look, shortened."""
        return [short(m) for m in self.raw(session)]

    def raw(self, session=0):
        """Outbound messages of a session since the last look."""
        messages = self.stores[session].messages(self._read[session] + 1)
        self._read[session] += len(messages)
        return messages

    def fed(self):
        """Feed messages since the last look: (letter, fields)."""
        messages = self.publisher.messages(self._fed, 1 << 30)
        self._fed = self.publisher.next_sequence_number
        return [itch(m) for m in messages]

    def letters(self):
        """Type letters of the feed messages since the last look."""
        return "".join(letter for letter, _ in self.fed())

    def enter(self, number, side="B", quantity=100, price=1_000_000, session=0, tags=None, **more):
        """Enter an order; what is said about it."""
        return self.send(
            ouch(
                "enter_order",
                tags,
                user_ref_num=number,
                side=side.encode(),
                quantity=quantity,
                price=price,
                **more,
            ),
            session,
        )

    def replace(self, original, number, quantity=100, price=1_000_000, tags=None, **more):
        """Replace an order of the first session."""
        return self.send(
            ouch(
                "replace_order_request",
                tags,
                orig_user_ref_num=original,
                user_ref_num=number,
                quantity=quantity,
                price=price,
                **more,
            )
        )

    def cancel(self, number, quantity=0):
        """Cancel an order of the first session down to a size."""
        return self.send(ouch("cancel_order_request", user_ref_num=number, quantity=quantity))

    def background(self, side, quantity=100, price=1_000_000, **options):
        """An order without a session."""
        self.now += 1
        return self.engine.enter_background("AAPL", side, quantity, price, self.now, **options)

    def queue(self, side, symbol="AAPL"):
        """Displayed orders of a side, best first: (reference, price, shares)."""
        return self.engine.displayed_book.orders(symbol, side)


def blocks(packet):
    """Session, sequence number, count and messages of a MoldUDP64 packet."""
    header = reference.decode_as(MOLDUDP64, "header", packet)
    payload, messages = header["payload"], []
    while payload:
        length = int.from_bytes(payload[:2], "big")
        messages.append(payload[2 : 2 + length])
        assert len(messages[-1]) == length
        payload = payload[2 + length :]
    return header["session"], header["sequence_number"], header["message_count"], messages


def soup(name, **values):
    """A SoupBinTCP packet of a client, its length filled in."""
    packet = reference.encode(SOUPBINTCP, name, {"packet_length": 0} | values)
    return (len(packet) - 2).to_bytes(2, "big") + packet[2:]


def login(session="", number=1, username="trader", password="secret"):
    """A login request."""
    return soup(
        "login_request",
        username=username.encode().ljust(6),
        password=password.encode().ljust(10),
        requested_session=session.encode().ljust(10),
        requested_sequence_number=str(number).encode().rjust(20),
    )


def unsequenced(message):
    """An OUCH message in its packet."""
    return soup("unsequenced_data", payload=message)


def packets(data):
    """A client's stream, taken apart: (type letter, rest)."""
    found = []
    while data:
        length = int.from_bytes(data[:2], "big")
        found.append((chr(data[2]), data[3 : 2 + length]))
        assert len(data) >= 2 + length
        data = data[2 + length :]
    return found
