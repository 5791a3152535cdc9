# SPDX-License-Identifier: Apache-2.0
"""Holds what was on the wire against what the journal recorded, message by message."""

from __future__ import annotations

from dataclasses import dataclass, field

from nic.wire.ouch50 import OUCH50
from nic.wire.soupbintcp import SOUPBINTCP
from tools.verify_journal import JournalFacts, Sent, SessionFacts
from tools.verify_report import VerifyReport

_HEAD = SOUPBINTCP["unsequenced_data"].length
_INBOUND = {m.code: m.name for m in OUCH50.of("inbound")}


@dataclass(slots=True)
class WireConnection:
    """One login on the wire: the client's unsequenced packets, each with the place it stands."""

    name: str
    packets: list[tuple[bytes, str]] = field(default_factory=list)


@dataclass(slots=True)
class WireSession:
    """What all connections of one session carried, in order of time; messages by number."""

    connections: list[WireConnection] = field(default_factory=list)
    messages: dict[int, bytes] = field(default_factory=dict)


def compare(sessions: dict[str, WireSession], facts: JournalFacts, report: VerifyReport) -> None:
    """Hold what was on the wire against the journal, session by session."""
    for name in [*facts.sessions, *(s for s in sessions if s not in facts.sessions)]:
        wire = sessions.get(name, WireSession())
        recorded = facts.sessions.get(name)
        if recorded is None:
            report.differ("unknown_session", f"the journal knows no session {name!r}")
            recorded = SessionFacts()
        compare_connections(name, wire, recorded, report)
        compare_messages(wire.messages, recorded.messages, report)


def compare_connections(
    name: str, wire: WireSession, recorded: SessionFacts, report: VerifyReport
) -> None:
    """Hold the packets of each connection against those recorded since its login.

    Where the logins do not match one to one, the whole session is compared as if it were one.
    """
    connections = list(wire.connections)
    for idle in [c for c in connections if not c.packets]:
        # accepted by the exchange, but gone before the appliance took the answer
        if len(connections) > recorded.logins:
            connections.remove(idle)
            report.notes.append(f"{idle.name}: the login was accepted too late to be recorded")
    if len(connections) == recorded.logins:
        sent: list[list[Sent]] = [[] for _ in connections]
        for item in recorded.sent:
            sent[item.connection - 1].append(item)
        for connection, items in zip(connections, sent, strict=True):
            compare_orders(connection.packets, items, True, report)
        return
    report.differ(
        "logins",
        f"session {name!r}: {len(connections)} on the wire, {recorded.logins} recorded",
    )
    packets = [packet for connection in connections for packet in connection.packets]
    compare_orders(packets, recorded.sent, False, report)


def describe(packet: bytes) -> str:
    """The OUCH message in a packet, for people: its name and number."""
    message = packet[_HEAD:]
    name = _INBOUND.get(message[0], "message of unknown type") if message else "empty message"
    if name == "account_query_request":
        return name
    if name not in _INBOUND.values():
        return name
    place = OUCH50[name]["user_ref_num"]
    return f"{name} {int.from_bytes(message[place.offset : place.end], 'big')}"


def is_order(packet: bytes) -> bool:
    """Whether a packet of the client carries anything but an account query."""
    return packet[_HEAD : _HEAD + 1] != b"Q"


def compare_orders(
    wire: list[tuple[bytes, str]], sent: list[Sent], may_be_lost: bool, report: VerifyReport
) -> None:
    """Walk the packets of the wire and those recorded as sent side by side.

    With ``may_be_lost`` what is missing at the end is excused where the connection was lost: what
    the kernel had not sent by then went nowhere. (Bytes that the exchange acknowledged but no
    capture holds are found with the streams, and never excused.)
    """
    report.orders_on_wire += sum(is_order(packet) for packet, _ in wire)
    report.queries_on_wire += sum(not is_order(packet) for packet, _ in wire)
    report.orders_recorded += sum(1 for item in sent if item.pass_number)
    places = _Places(sent)
    at_wire = at_sent = 0
    while at_wire < len(wire) and at_sent < len(sent):
        packet, place = wire[at_wire]
        item = sent[at_sent]
        if packet == item.packet:
            if is_order(packet) and not item.pass_number:
                report.differ("no_risk_pass", f"{place}: {describe(packet)} was no risk pass")
            at_wire += 1
            at_sent += 1
            continue
        later = places.next_of(packet, at_sent)
        if later is not None:
            for item in sent[at_sent:later]:
                _missing(item, report)
            at_sent = later
        elif describe(packet) == describe(item.packet):
            first = next(
                (i for i, (a, b) in enumerate(zip(packet, item.packet, strict=False)) if a != b),
                min(len(packet), len(item.packet)),
            )
            report.differ(
                "bytes_differ",
                f"{place}: {describe(packet)} is not what record {item.sequence} holds, "
                f"first at byte {first} of the packet",
            )
            at_wire += 1
            at_sent += 1
        else:
            _unrecorded(packet, place, report)
            at_wire += 1
    for packet, place in wire[at_wire:]:
        _unrecorded(packet, place, report)
    for item in sent[at_sent:]:
        if may_be_lost and item.may_be_lost:
            report.lost_with_connection += 1
        else:
            _missing(item, report)


class _Places:
    """Where each packet stands among those recorded, made when it is first asked for."""

    def __init__(self, sent: list[Sent]) -> None:
        self._sent = sent
        self._places: dict[bytes, list[int]] | None = None

    def next_of(self, packet: bytes, start: int) -> int | None:
        """First place from ``start`` on that holds ``packet``."""
        if self._places is None:
            self._places = {}
            for i in range(len(self._sent) - 1, -1, -1):
                self._places.setdefault(self._sent[i].packet, []).append(i)
        places = self._places.get(packet, [])
        while places and places[-1] < start:
            places.pop()
        return places[-1] if places else None


def _unrecorded(packet: bytes, place: str, report: VerifyReport) -> None:
    kind = "no_risk_pass" if is_order(packet) else "query_not_recorded"
    report.differ(kind, f"{place}: {describe(packet)} was not recorded")


def _missing(item: Sent, report: VerifyReport) -> None:
    text = f"record {item.sequence}, {describe(item.packet)}, pass {item.pass_number}"
    report.differ("not_on_wire", text)


def compare_messages(
    wire: dict[int, bytes], recorded: dict[int, tuple[int, bytes]], report: VerifyReport
) -> None:
    """Hold sequenced messages against each other by their numbers."""
    report.messages_on_wire += len(wire)
    report.messages_recorded += len(recorded)
    for number, message in wire.items():
        known = recorded.get(number)
        if known is None:
            report.differ("message_not_recorded", f"sequenced message {number}")
        elif known[1] != message:
            report.differ(
                "message_differs", f"sequenced message {number} is not what record {known[0]} holds"
            )
    for number, (sequence, _) in recorded.items():
        if number not in wire:
            report.differ("message_not_on_wire", f"record {sequence}: sequenced message {number}")
