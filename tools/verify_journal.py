# SPDX-License-Identifier: Apache-2.0
"""What a journal says about order entry: packets sent, messages received, logins, by session."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from host.gateway.enumerations import DOWN
from host.journal.enumerations import JOURNAL
from host.journal.reader import JournalReader
from host.journal.record import Record

SESSION_DOWN, SESSION_REPLAYING, SESSION_ENDED = 0, 2, 3

_ORDER_SENT = JOURNAL.value("order_sent")
_ORDER_UNSENT = JOURNAL.value("order_unsent")
_QUERY_SENT = JOURNAL.value("query_sent")
_INBOUND = JOURNAL.value("inbound")
_SESSION = JOURNAL.value("session")
_CLOSED = JOURNAL.value("closed")
_COUNTERS = JOURNAL.value("counters")
_OUR_DOING = {DOWN.value("logged_out"), DOWN.value("stopped")}


@dataclass(slots=True)
class Sent:
    """One packet recorded as sent; ``pass_number`` 0 for what is no order."""

    packet: bytes
    sequence: int
    pass_number: int
    connection: int
    """Number of the connection it was sent on, counting logins from 1."""

    may_be_lost: bool = False
    """Whether its connection was lost after it, so that the kernel may not have sent it."""


@dataclass(slots=True)
class SessionFacts:
    """What was recorded of one session: packets in order, messages by number, logins."""

    sent: list[Sent] = field(default_factory=list)
    messages: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    logins: int = 0


@dataclass(slots=True)
class JournalFacts:
    """What the journal says, by session name; ``faults`` are contradictions within it."""

    sessions: dict[str, SessionFacts] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    last_pass: int = 0
    order_entry: dict[str, Any] | None = None
    """How orders left, as the appliance counted it at its end."""

    def sends(self, name: str) -> int:
        """A counter of order entry over all venues; 0 where the journal says nothing."""
        venues = (self.order_entry or {}).get("venues", {})
        return sum(counters.get(name, 0) for counters in venues.values())


def read_journal(path: str | PathLike[str]) -> JournalFacts:
    """Read the facts; raises :class:`host.journal.reader.JournalError` where it is no journal."""
    facts = JournalFacts()
    venues: dict[int, SessionFacts] = {}
    with JournalReader(path) as reader:
        for record in reader:
            number = record.number
            if number == _INBOUND:
                _take_inbound(record, venues, facts)
            elif number in (_ORDER_SENT, _QUERY_SENT):
                _take_sent(record, venues, facts)
            elif number == _ORDER_UNSENT:
                _take_unsent(record, venues, facts)
            elif number == _SESSION:
                _take_session(record, venues, facts)
            elif number == _COUNTERS:
                facts.order_entry = json.loads(record.payload).get("order_entry")
            elif number == _CLOSED and (refused := _int(record.fields["refused"])):
                facts.notes.append(f"the journal refused {refused} records")
        if reader.tear is not None:
            facts.notes.append(
                f"the journal is torn at offset {reader.tear.offset}: {reader.tear.reason}"
            )
        elif not reader.closed_in_order:
            facts.notes.append("the journal was not closed in order")
    return facts


def _take_sent(record: Record, venues: dict[int, SessionFacts], facts: JournalFacts) -> None:
    fields = record.fields
    session = venues.get(_int(fields["venue"]))
    pass_number = _int(fields.get("pass_number", 0))
    if record.number == _ORDER_SENT:
        if pass_number <= facts.last_pass:
            facts.faults.append(
                f"record {record.sequence}: pass {pass_number} after pass {facts.last_pass}"
            )
        facts.last_pass = max(facts.last_pass, pass_number)
    if session is None:
        facts.faults.append(f"record {record.sequence}: sent before any login")
        return
    session.sent.append(Sent(record.payload, record.sequence, pass_number, session.logins))


def _take_unsent(record: Record, venues: dict[int, SessionFacts], facts: JournalFacts) -> None:
    """Take back the latest packet with these bytes: it did not leave."""
    session = venues.get(_int(record.fields["venue"]))
    sent = session.sent if session is not None else []
    for i in range(len(sent) - 1, -1, -1):
        if sent[i].packet == record.payload:
            del sent[i]
            return
    facts.faults.append(f"record {record.sequence}: unsent, but it was never recorded as sent")


def _take_inbound(record: Record, venues: dict[int, SessionFacts], facts: JournalFacts) -> None:
    fields = record.fields
    session = venues.get(_int(fields["venue"]))
    if session is None:
        facts.faults.append(f"record {record.sequence}: a message before any login")
        return
    number = _int(fields["sequence_number"])
    if number in session.messages:
        facts.faults.append(f"record {record.sequence}: message {number} was recorded before")
    session.messages[number] = record.sequence, record.payload


def _take_session(record: Record, venues: dict[int, SessionFacts], facts: JournalFacts) -> None:
    fields = record.fields
    venue = _int(fields["venue"])
    name = bytes(fields["session"]).decode("latin-1").strip()
    if fields["state"] == SESSION_REPLAYING:
        session = facts.sessions.setdefault(name, SessionFacts())
        session.logins += 1
        venues[venue] = session
    elif fields["state"] in (SESSION_DOWN, SESSION_ENDED) and venue in venues:
        session = venues[venue]
        if fields["reason"] not in _OUR_DOING:
            for item in reversed(session.sent):
                if item.connection != session.logins:
                    break
                item.may_be_lost = True


def _int(value: int | bytes) -> int:
    assert isinstance(value, int)
    return value
