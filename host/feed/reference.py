# SPDX-License-Identifier: Apache-2.0
"""The arbitration of feed lines in readable Python: the specification of ``host/feed/handler.pyx``.

It knows no time, no limits and no re-requests: a gap stays open until a line closes it or the input
is over. What it delivers, and which datagrams it refuses by which name, the handler must deliver
and refuse as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from nic.wire import iextp, moldudp64
from nic.wire.reference import decode_as

LARGEST_SEQUENCE = (1 << 63) - 1 - (1 << 16)
SESSIONS_LEFT = 8
RE_REQUEST = 2


class Refused(ValueError):
    """A datagram that is not taken; the text is the name of the counter."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A datagram of either transport: messages ``first``, ``first + 1`` and so on.

    ``channel``, ``stream_offset`` and ``send_time`` are 0 for MoldUDP64. ``end`` marks an end of
    session.
    """

    session: object
    first: int
    messages: tuple[bytes, ...]
    end: bool = False
    channel: int = 0
    stream_offset: int = 0
    send_time: int = 0

    @property
    def next(self) -> int:
        """Sequence number after the last message; of a heartbeat, that of the next message."""
        return self.first + len(self.messages)


def blocks(data: bytes, count: int, byte_order: str) -> tuple[bytes, ...]:
    """The messages of exactly ``count`` blocks that fill ``data``."""
    messages = []
    at = 0
    for _ in range(count):
        if at + 2 > len(data):
            raise Refused("count_beyond_datagram")
        size = int.from_bytes(data[at : at + 2], byte_order)  # type: ignore[arg-type]
        at += 2
        if at + size > len(data):
            raise Refused("block_beyond_datagram")
        messages.append(data[at : at + size])
        at += size
    if at != len(data):
        raise Refused("trailing_bytes")
    return tuple(messages)


def parse_moldudp64(payload: bytes) -> Segment:
    """A MoldUDP64 packet; raises :class:`Refused`."""
    if len(payload) < moldudp64.MOLDUDP64["header"].length:
        raise Refused("too_short")
    header = decode_as(moldudp64.MOLDUDP64, "header", payload)
    first, count = int(header["sequence_number"]), int(header["message_count"])
    end = count == moldudp64.END_OF_SESSION_COUNT
    if not 0 < first <= LARGEST_SEQUENCE:
        raise Refused("sequence_out_of_range")
    messages = blocks(bytes(header["payload"]), 0 if end else count, "big")
    return Segment(header["session"], first, messages, end)


def parse_iextp(
    payload: bytes, message_protocol_id: int = iextp.MESSAGE_PROTOCOL_DEEP10
) -> Segment:
    """An IEX-TP segment; raises :class:`Refused`."""
    if len(payload) < iextp.IEXTP["header"].length:
        raise Refused("too_short")
    header = decode_as(iextp.IEXTP, "header", payload)
    data = bytes(header["payload"])
    if header["version"] != iextp.VERSION:
        raise Refused("wrong_version")
    if header["message_protocol_id"] != message_protocol_id:
        raise Refused("wrong_protocol")
    length, count = int(header["payload_length"]), int(header["message_count"])
    if length < len(data):
        raise Refused("trailing_bytes")
    if length > len(data) or (count == 0 and length != 0):
        raise Refused("payload_length_mismatch")
    first = int(header["first_message_sequence_number"])
    if not 0 < first <= LARGEST_SEQUENCE:
        raise Refused("sequence_out_of_range")
    return Segment(
        header["session_id"],
        first,
        blocks(data, count, "little"),
        channel=int(header["channel_id"]),
        stream_offset=int(header["stream_offset"]),
        send_time=int(header["send_time"]),
    )


class Arbiter:
    """Delivers each message once and in order to ``events``, in the form of ``Collector.events``.

    Of several waiting copies of a message that of the datagram with the lowest start is delivered;
    copies differ only when one was damaged on the way.

    Parameters as for the feed handler; ``session`` is None for the first that is seen, else as
    :attr:`Segment.session` has it.
    """

    def __init__(
        self,
        transport: str = "moldudp64",
        session: object = None,
        start: int | str = "first",
        restart: str = "strict",
    ) -> None:
        self.parse = parse_moldudp64 if transport == "moldudp64" else parse_iextp
        self.runs = transport == "iextp"
        self.pinned = session
        self.start = start
        self.detect = restart == "detect"
        self.events: list[tuple[object, ...]] = []
        self.errors: Counter[str] = Counter()
        self.current: Segment | None = None  # the segment that the session was entered with
        self.left: list[object] = []
        self.newest_send_time: int | None = None
        self._begin_at(1)
        self.run_send_time: int | None = None

    def _begin_at(self, sequence_number: int) -> None:
        self.expected = self.highest = sequence_number
        self.waiting: list[Segment] = []
        self.line_next: Counter[int] = Counter()
        self.end_at: int | None = None
        self.ended = False

    def run(self, datagrams: Iterable[tuple[int, bytes]]) -> list[tuple[object, ...]]:
        """Take ``(line, payload)`` one after the other, finish, and give the events."""
        for line, payload in datagrams:
            self.datagram(line, payload)
        self.finish()
        return self.events

    def datagram(self, line: int, payload: bytes) -> None:
        """Take one UDP payload of line 0 (A), 1 (B) or 2 (re-request)."""
        try:
            segment = self.parse(payload)
            self._enter_session(line, segment)
            if self.runs:
                self._follow_run(line, segment)
        except Refused as refused:
            self.errors[str(refused)] += 1
            return
        self.line_next[line] = max(self.line_next[line], segment.next)
        self._follow_end(segment)
        self.highest = max(self.highest, segment.next)
        if segment.first <= self.expected:
            self._deliver(segment)
        elif segment.messages:
            self.waiting.append(segment)
        self._go_on()

    def finish(self) -> None:
        """The input is over: what is missing is lost, what waits is delivered."""
        while self.expected < self.highest:
            found = min([self.highest, *(waiting.first for waiting in self.waiting)])
            self.events.append(("lost", self.expected, found - 1))
            self.expected = found
            self._go_on()

    def _enter_session(self, line: int, segment: Segment) -> None:
        """Returns when the segment is of the session that is, or now becomes, the one taken."""
        current = self.current
        if current is None:
            if line == RE_REQUEST or self.pinned not in (None, segment.session):
                raise Refused("foreign_session")
        elif segment.channel != current.channel:
            raise Refused("foreign_channel")
        elif segment.session == current.session:
            return
        elif (
            self.pinned is not None
            or line == RE_REQUEST
            or not (self.detect or self.ended)
            or segment.end
            or segment.session in self.left
        ):
            raise Refused("foreign_session")
        else:
            self.left = [*self.left, current.session][-SESSIONS_LEFT:]
            self.finish()
            self.events.append(("restart", "session"))
            self.run_send_time = None
        self.current = segment
        self._begin_at(segment.first if self.start == "first" else int(self.start))

    def _follow_run(self, line: int, segment: Segment) -> None:
        """A publisher's restart; segments it sent before are refused."""
        if self.run_send_time is not None and segment.send_time < self.run_send_time:
            raise Refused("previous_run")
        if line == RE_REQUEST:
            return
        newest = self.newest_send_time
        if (
            self.detect
            and segment.first == 1
            and segment.stream_offset == 0
            and self.line_next[line] > 1
            and newest is not None
            and segment.send_time > newest
        ):
            self.finish()
            self.events.append(("restart", "publisher"))
            self._begin_at(1)
            self.run_send_time = segment.send_time
        self.newest_send_time = max(segment.send_time, newest or segment.send_time)

    def _follow_end(self, segment: Segment) -> None:
        if not segment.end:
            if self.end_at is not None and segment.next > self.end_at:
                self.errors["data_after_end"] += 1
                self.end_at, self.ended = None, False
        elif segment.first < self.expected:
            self.errors["end_below_expected"] += 1
        elif self.end_at is None or segment.first > self.end_at:
            self.end_at, self.ended = segment.first, False

    def _deliver(self, segment: Segment) -> None:
        for number, message in enumerate(segment.messages, segment.first):
            if number == self.expected:
                self.events.append(("message", number, message))
                self.expected += 1

    def _go_on(self) -> None:
        """Deliver what waited, the lowest first, and end the session when it is whole."""
        while ready := [waiting for waiting in self.waiting if waiting.first <= self.expected]:
            segment = min(ready, key=lambda waiting: waiting.first)
            self.waiting.remove(segment)
            self._deliver(segment)
        if self.end_at is not None and not self.ended and self.expected >= self.end_at:
            self.ended = True
            self.events.append(("end_of_session",))
