# SPDX-License-Identifier: Apache-2.0
"""What a line's parser gives to the arbiter: messages, datagrams, early instrument numbers."""

from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import Out

from hw.event import SEQUENCE_NUMBER_BITS, message_layout
from nic.framing.feed_format import FeedFormat

PARSER_CYCLES = 3
"""Cycles from the beat that holds a message's last byte to the cycle of its ``valid``."""

JUMP_CYCLES = 3
"""Cycles from the first in which ``upcoming`` is right to the first message of a datagram."""

LOCATE_BITS = 16
COUNT_BITS = 16


class DatagramKind(enum.Enum, shape=2):  # type: ignore[call-arg]
    """What a datagram carries."""

    DATA = 0
    HEARTBEAT = 1
    END_OF_SESSION = 2


class Datagram(data.Struct):
    """A datagram whose transport header was accepted."""

    sequence_number: SEQUENCE_NUMBER_BITS  # of its first message, or of the next one to come
    count: COUNT_BITS  # messages; of a heartbeat or an end of session 0
    kind: DatagramKind


class ParsedLine(wiring.Signature):
    """A line, parsed. Everything is registered; there is no ``ready``: the wire does not wait.

    ``message``: ``valid`` in exactly one cycle per message, ``PARSER_CYCLES`` after its last byte.

    ``upcoming``: in every cycle, the sequence number of the message that is valid in the next one,
    if one is; in a cycle with a valid message always that message's number plus one. It jumps with
    a datagram's header only, at the latest ``JUMP_CYCLES`` before the datagram's first message. The
    arbiter holds it against its state a cycle ahead.

    ``datagram``: ``valid`` for one cycle per accepted transport header, ``PARSER_CYCLES`` after the
    header's last byte: never in a cycle in which a message of the same line is, and before the
    datagram's first message.

    ``locate``: ``valid`` for one cycle per message that names its instrument by number (none do
    in IEX DEEP), also for one that is dropped later. It comes at least two cycles before the
    message's ``valid``, and at most one cycle before the ``valid`` of the message in front of it:
    ``PARSER_CYCLES - 1`` after the beat with the number's last byte is right for both.
    """

    def __init__(self, feed: FeedFormat) -> None:
        self.feed = feed
        super().__init__(
            {
                "message": Out(
                    wiring.Signature({"valid": Out(1), "payload": Out(message_layout(feed))})
                ),
                "upcoming": Out(SEQUENCE_NUMBER_BITS),
                "datagram": Out(wiring.Signature({"valid": Out(1), "payload": Out(Datagram)})),
                "locate": Out(wiring.Signature({"valid": Out(1), "payload": Out(LOCATE_BITS)})),
            }
        )
