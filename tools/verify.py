# SPDX-License-Identifier: Apache-2.0
"""Proves message by message that what went over the wire is what the journal recorded.

Every order on the wire has a recorded risk pass and equals the recorded packet byte for byte, in
order; nothing that was recorded as sent is missing on the wire; every sequenced message on the wire
was recorded, and every recorded one was on the wire; logins and account queries are accounted for.
Where orders were sent past the kernel, each is on the wire once unless the kernel sent it again.
What is no evidence either way (orders that a dying connection took along, a torn end) is named in
``notes``.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath

from nic.wire.soupbintcp import SOUPBINTCP
from tools.verify_compare import WireConnection, WireSession, compare
from tools.verify_journal import JournalFacts, read_journal
from tools.verify_report import VerifyReport
from tools.verify_streams import Connection, left_over, order_entry, packets, read

OTHER_TRAFFIC = ("not_ipv4", "not_tcp")
"""Frames that are none of our business."""

_HEAD = SOUPBINTCP["sequenced_data"].length
_ACCEPTED = SOUPBINTCP["login_accepted"]
_TYPES = {(d, m.code): m.name for d in SOUPBINTCP.directions for m in SOUPBINTCP.of(d)}


def verify(
    captures: Iterable[str | PathLike[str]],
    journal: str | PathLike[str],
    order_entry_port: int | None = None,
) -> VerifyReport:
    """Hold captures against a journal.

    Without ``order_entry_port`` the connections that begin with a SoupBinTCP login are taken.
    Raises :class:`nic.port.PortError`, :class:`host.journal.reader.JournalError` or ``OSError``
    where a file can't be read.
    """
    paths = [fspath(path) for path in captures]
    report = VerifyReport(paths, fspath(journal))
    facts = read_journal(journal)
    traffic = read(paths)
    report.frames = traffic.frames
    for name, count in traffic.not_taken.items():
        if name.startswith("capture_"):
            report.notes.append(f"reading the captures: {count} {name.removeprefix('capture_')}")
        elif name not in OTHER_TRAFFIC:
            report.notes.append(f"{count} frames were not taken: {name}")
    connections = order_entry(traffic, order_entry_port)
    report.connections = len(connections)
    if not connections:
        report.differ("no_connection", "the captures hold no order-entry connection")
    sessions: dict[str, WireSession] = {}
    for connection in connections:
        take_connection(connection, sessions, report)
    report.notes.extend(facts.notes)
    for text in facts.faults:
        report.differ("journal", text)
    compare(sessions, facts, report)
    count_sends(connections, facts, report)
    if report.lost_with_connection:
        report.notes.append(
            f"{report.lost_with_connection} packets recorded as sent died with their connection"
        )
    return report


def count_sends(connections: list[Connection], facts: JournalFacts, report: VerifyReport) -> None:
    """Delegated segments are on the wire once, but for what the kernel sent again.

    With several captures a repetition may be the same segment captured twice: no evidence.
    """
    report.sent_segments = sum(found.to_server.segments for found in connections)
    report.sent_again = sum(found.to_server.repeated_segments for found in connections)
    report.delegated_segments = facts.sends("sent")
    report.retransmitted_segments = facts.sends("retransmitted_segments")
    excess = report.sent_again - report.retransmitted_segments
    if report.delegated_segments and excess > 0:
        text = f"{excess} segments to the exchange were sent again, and not by the kernel"
        if len(report.captures) == 1:
            report.differ("sent_twice", text)
        else:
            report.notes.append(f"{text}, or were captured twice")


def take_connection(
    connection: Connection, sessions: dict[str, WireSession], report: VerifyReport
) -> None:
    """Read the packets of one connection, both ways, into the session it logged in to."""
    for half, way in ((connection.to_server, "to_server"), (connection.to_client, "to_client")):
        report.repeated_segments += half.repeated_segments
        report.reordered_segments += half.reordered_segments
        for offset in half.conflicts:
            report.differ(
                "conflict", f"{connection.name} {way}: two copies differ at offset {offset}"
            )
        if half.data and not half.has_start:
            report.notes.append(f"{connection.name} {way}: the beginning was not captured")
    session, login, number = WireSession(), WireConnection(connection.name), 0
    end = 0
    for offset, packet in packets(connection.to_client):
        end = offset + len(packet)
        kind = _TYPES.get(("to_client", packet[2]), "unknown_type")
        report.packets[f"server_{kind}"] += 1
        if kind == "sequenced_data":
            take_message(connection, session, number, packet[_HEAD:], offset, report)
            number += 1
        elif kind == "login_accepted" and len(packet) == _ACCEPTED.length:
            field_ = _ACCEPTED["session"]
            name = packet[field_.offset : field_.end].decode("latin-1").strip()
            session = sessions.setdefault(name, session)
            session.connections.append(login)
            field_ = _ACCEPTED["sequence_number"]
            digits = packet[field_.offset : field_.end].strip()
            if not digits.isdigit():
                report.differ("capture", f"{connection.name}: a login with the number {digits!r}")
            number = int(digits) if digits.isdigit() else 0
    _note_rest(connection, left_over(connection.to_client, end), "to_client", report)
    end = 0
    for offset, packet in packets(connection.to_server):
        end = offset + len(packet)
        kind = _TYPES.get(("to_server", packet[2]), "unknown_type")
        report.packets[f"client_{kind}"] += 1
        if kind == "unsequenced_data":
            login.packets.append((packet, f"{connection.name} offset {offset}"))
    _note_rest(connection, left_over(connection.to_server, end), "to_server", report)
    if not session.connections and (login.packets or session.messages):
        session.connections.append(login)
        sessions[f"without login: {connection.name}"] = session


def _note_rest(connection: Connection, rest: str, way: str, report: VerifyReport) -> None:
    """Bytes missing in the captures are a difference; a packet cut by the end is a note."""
    if not rest:
        return
    text = f"{connection.name} {way}: {rest}"
    if "incomplete" in rest:
        report.notes.append(text)
    else:
        report.differ("capture", text)


def take_message(
    connection: Connection,
    session: WireSession,
    number: int,
    message: bytes,
    offset: int,
    report: VerifyReport,
) -> None:
    """One sequenced message; the same number again must be the same bytes."""
    known = session.messages.setdefault(number, message)
    if known != message:
        report.differ(
            "conflict",
            f"{connection.name} offset {offset}: message {number} differs from what it was before",
        )
