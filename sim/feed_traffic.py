# SPDX-License-Identifier: Apache-2.0
"""Random traffic of a feed's line: whole, packed, minimal and damaged frames, the same by seed.

What comes out is meant for parsers: every result of ``nic.framing.enumerations.FRAMING`` has a kind
of damage that aims at it, on frames with and without a tag, with IP options and with padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nic.frame import address_text, build_udp
from nic.frame_reference import checksum
from nic.framing.feed_format import LARGEST_SEQUENCE_NUMBER
from nic.framing.reference import LineSettings
from nic.wire.internet import INTERNET, IPV4_FRAGMENT_OFFSET_MASK, IPV4_MORE_FRAGMENTS
from nic.wire.reference import Value, encode
from nic.wire.table import Message

Style = Literal["mixed", "packed", "minimum", "damaged"]

ETHERNET, TAG, IPV4, UDP = (INTERNET[name] for name in ("ethernet", "vlan", "ipv4", "udp"))
SMALLEST_FRAME = 60
"""Bytes of the shortest Ethernet frame, without its check sequence."""
FULL_PACKET = 1500
"""Bytes of the longest IP packet on an ordinary link."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames one behind the other: their bytes, their lengths, and which had a wrong FCS."""

    data: bytes
    lengths: NDArray[np.uint32]
    errors: NDArray[np.uint8]

    def __iter__(self) -> Iterator[tuple[bytes, bool]]:
        """Each frame and whether its check sequence is wrong."""
        at = 0
        for length, error in zip(self.lengths.tolist(), self.errors.tolist(), strict=True):
            yield self.data[at : at + length], bool(error)
            at += length


def put(header: Message, data: bytearray, start: int, name: str, value: int) -> None:
    """Overwrite a field of a header that begins at byte ``start``; the internet's byte order."""
    field = header[name]
    data[start + field.offset : start + field.end] = value.to_bytes(field.width, "big")


def get(header: Message, data: bytes | bytearray, start: int, name: str) -> int:
    """A field of a header that begins at byte ``start``."""
    field = header[name]
    return int.from_bytes(data[start + field.offset : start + field.end], "big")


def sum_ip_header(data: bytearray, start: int) -> None:
    """Make the checksum of the IP header at ``start`` right."""
    words = get(IPV4, data, start, "version_and_header_length") & 15
    put(IPV4, data, start, "header_checksum", 0)
    total = checksum(bytes(data[start : start + 4 * words]))
    put(IPV4, data, start, "header_checksum", total)


class FeedTraffic:
    """Frames of one line of a feed; ``sequence_number`` is the next message's.

    ``locates`` are the instrument numbers that messages of a feed with such numbers carry; empty
    for any. ``unknown_share`` of the messages are of a type that no table has. Everything that is
    drawn comes from ``seed``.
    """

    def __init__(
        self,
        settings: LineSettings,
        seed: int,
        *,
        sequence_number: int = 1,
        locates: tuple[int, ...] = (),
        unknown_share: float = 0.01,
    ) -> None:
        self.settings = settings
        self.feed = settings.feed
        self.rng = Random(seed)
        self.sequence_number = sequence_number
        self.locates = locates
        self.unknown_share = unknown_share
        known = self.feed.messages.by_code()
        self.known = [
            (code, kind.length, next((f for f in kind if f.name == "stock_locate"), None))
            for code, kind in known.items()
        ]
        self.unknown = sorted(set(range(256)) - set(known))
        self.shortest_bytes = self.feed.shortest_bytes
        self.longest_bytes = self.feed.longest_bytes
        self.type_at = self.feed.messages.type_offset
        self.prefix_bytes = self.feed.prefix.width
        width = self.feed.session_field.width
        self.session: Value = settings.session or b"0123456789"[:width]
        if self.feed.session_field.is_integer:
            self.session = int.from_bytes(self.session, self.feed.byte_order)
        self.damages: tuple[Callable[[], bytes], ...] = (
            self._cut,
            self._short_frame,
            self._other_ethertype,
            self._other_ip,
            self._bad_ip_sum,
            self._bad_udp_length,
            self._elsewhere,
            self._bad_header,
            self._bad_sequence_number,
            self._bad_count,
            self._bad_prefix,
            self._flipped,
            self._longer_packet,
            self._noise,
        )

    def message(self) -> bytes:
        """A message: the right type code, all else random."""
        if self.rng.random() < self.unknown_share:
            code = self.rng.choice(self.unknown)
            size = self.rng.randint(self.shortest_bytes, self.longest_bytes)
            data = bytearray(self.rng.randbytes(size))
        else:
            code, size, locate = self.rng.choice(self.known)
            data = bytearray(self.rng.randbytes(size))
            if self.locates and locate is not None:
                value = self.rng.choice(self.locates)
                data[locate.offset : locate.end] = value.to_bytes(locate.width, "big")
        data[self.type_at] = code
        return bytes(data)

    def block(self, message: bytes, length: int | None = None) -> bytes:
        """A message behind its length, or behind another one."""
        size = len(message) if length is None else length
        return size.to_bytes(self.prefix_bytes, self.feed.byte_order) + message

    def payload(self, count: int) -> bytes:
        """A datagram with the next ``count`` messages; 0 is a heartbeat."""
        blocks = b"".join(self.block(self.message()) for _ in range(count))
        return self._next(count, blocks)

    def full_payload(self) -> bytes:
        """A datagram with as many messages as an ordinary link carries."""
        room = FULL_PACKET - IPV4.length - UDP.length - self.feed.header.length
        blocks: list[bytes] = []
        size = 0
        while size + len(block := self.block(self.message())) <= room:
            blocks.append(block)
            size += len(block)
        return self._next(len(blocks), b"".join(blocks))

    def end_of_session(self) -> bytes:
        """The datagram that announces the end; a heartbeat in a feed that has none."""
        return self.transport(b"", self.feed.end_of_session_count or self.feed.heartbeat_count)

    def transport(self, blocks: bytes, count: int, **fields: Value) -> bytes:
        """A datagram at the present sequence number; ``fields`` replaces what its header says."""
        values: dict[str, Value] = {
            **{name: value for name, value, _ in self.feed.fixed},
            self.feed.session: self.session,
            self.feed.sequence_number: self.sequence_number,
            self.feed.count: count,
            **fields,
        }
        return encode(self.feed.transport, "header", values | {"payload": blocks})

    def frame(self, payload: bytes, *, plain: bool = False) -> bytes:
        """A frame of the line; unless ``plain``, some have a tag, IP options or padding."""
        draw = 1.0 if plain else self.rng.random()
        data = bytearray(
            build_udp(
                payload,
                "10.0.0.1",
                self.rng.randrange(1, 1 << 16),
                address_text(self.settings.destination_address),
                self.settings.destination_port,
                vlan=self.rng.randrange(1, 4095) if draw < 0.2 else 0,
                identification=self.rng.randrange(1 << 16),
            )
        )
        if 0.15 < draw < 0.25:
            self._insert_options(data, 4 * self.rng.randint(1, 10))
        data += bytes(max(0, SMALLEST_FRAME - len(data)))
        if 0.24 < draw < 0.3:
            data += self.rng.randbytes(self.rng.randrange(1, 40))
        return bytes(data)

    def whole(self, style: Style = "mixed") -> bytes:
        """A frame without damage."""
        draw = self.rng.random()
        if style == "packed":
            return self.frame(self.full_payload(), plain=True)
        if style == "minimum":
            return self.frame(self.payload(int(draw < 0.6)), plain=True)
        if draw < 0.04:
            return self.frame(self.end_of_session())
        if draw < 0.15:
            return self.frame(self.full_payload())
        return self.frame(self.payload(self.rng.randrange(0, 8)))

    def damaged(self) -> bytes:
        """A frame with one kind of damage, each as likely as the others."""
        return self.rng.choice(self.damages)()

    def frames(self, count: int, style: Style = "mixed", damage_share: float = 0.0) -> Frames:
        """Frames in a row; ``damage_share`` of them are damaged, all of style ``damaged``."""
        share = 1.0 if style == "damaged" else damage_share
        found = [
            self.damaged() if self.rng.random() < share else self.whole(style) for _ in range(count)
        ]
        errors = [share > 0 and self.rng.random() < 0.02 for _ in range(count)]
        lengths = np.array([len(frame) for frame in found], np.uint32)
        return Frames(b"".join(found), lengths, np.array(errors, np.uint8))

    def _next(self, count: int, blocks: bytes) -> bytes:
        """A datagram, and the sequence number moves on."""
        payload = self.transport(blocks, count)
        self.sequence_number += count
        return payload

    def _some(self) -> bytearray:
        """A whole frame to be damaged."""
        return bytearray(self.frame(self.payload(self.rng.randrange(1, 6))))

    def _ip_at(self, frame: bytes | bytearray) -> int:
        """Where the IP header of a frame of ours begins."""
        has_tag = get(ETHERNET, frame, 0, "ethertype") == 0x8100
        return ETHERNET.length + (TAG.length if has_tag else 0)

    def _udp_at(self, frame: bytes | bytearray) -> int:
        """Where its UDP header begins."""
        at = self._ip_at(frame)
        return at + 4 * (get(IPV4, frame, at, "version_and_header_length") & 15)

    def _insert_options(self, frame: bytearray, size: int) -> None:
        """Put ``size`` bytes of IP options in."""
        at = self._ip_at(frame)
        frame[at + IPV4.length : at + IPV4.length] = self.rng.randbytes(size)
        first = get(IPV4, frame, at, "version_and_header_length")
        put(IPV4, frame, at, "version_and_header_length", first + size // 4)
        put(IPV4, frame, at, "total_length", get(IPV4, frame, at, "total_length") + size)
        sum_ip_header(frame, at)

    def _cut(self) -> bytes:
        frame = self._some()
        return bytes(frame[: self.rng.randrange(1, len(frame))])

    def _short_frame(self) -> bytes:
        return bytes(self._some()[: self.rng.randrange(1, 70)])

    def _other_ethertype(self) -> bytes:
        frame = self._some()
        choice = self.rng.randrange(3)
        if choice == 0:
            value = self.rng.choice((0x0806, 0x88A8, 0x86DD, 0x8100, 0x9100))
            put(ETHERNET, frame, 0, "ethertype", value)
        elif choice == 1:
            frame[12:12] = bytes.fromhex("8100000181000002")
        else:
            at = self._ip_at(frame)
            put(IPV4, frame, at, "version_and_header_length", self.rng.choice((0x65, 0x55, 0x15)))
        return bytes(frame)

    def _other_ip(self) -> bytes:
        frame = self._some()
        at = self._ip_at(frame)
        choice = self.rng.randrange(5)
        if choice == 0:
            put(IPV4, frame, at, "version_and_header_length", 0x40 | self.rng.randrange(5))
        elif choice == 1:
            put(IPV4, frame, at, "total_length", self.rng.randrange(28))
        elif choice == 2:
            flag = self.rng.choice((IPV4_MORE_FRAGMENTS, 1, IPV4_FRAGMENT_OFFSET_MASK))
            put(IPV4, frame, at, "flags_and_fragment_offset", flag)
        elif choice == 3:
            put(IPV4, frame, at, "protocol", self.rng.choice((1, 6, 47)))
        else:
            put(IPV4, frame, at, "flags_and_fragment_offset", 0xC000)  # reserved bit, whole packet
        sum_ip_header(frame, at)
        return bytes(frame)

    def _bad_ip_sum(self) -> bytes:
        frame = self._some()
        at = self._ip_at(frame)
        frame[self.rng.randrange(at + 4, self._udp_at(frame))] ^= 1 << self.rng.randrange(8)
        return bytes(frame)

    def _bad_udp_length(self) -> bytes:
        frame = self._some()
        at = self._udp_at(frame)
        length = get(UDP, frame, at, "length")
        value = self.rng.choice((0, 7, 8, length + 1, length - 1, 0xFFFF, self.rng.randrange(60)))
        put(UDP, frame, at, "length", value)
        return bytes(frame)

    def _elsewhere(self) -> bytes:
        frame = self._some()
        if self.rng.random() < 0.5:
            at = self._udp_at(frame)
            bit = 1 << self.rng.randrange(16)
            put(UDP, frame, at, "destination_port", self.settings.destination_port ^ bit)
        else:
            at = self._ip_at(frame)
            bit = 1 << self.rng.randrange(32)
            put(IPV4, frame, at, "destination_address", self.settings.destination_address ^ bit)
            sum_ip_header(frame, at)
        return bytes(frame)

    def _bad_header(self) -> bytes:
        """A byte of the transport header changed, or the header cut."""
        payload = bytearray(self.payload(self.rng.randrange(3)))
        if self.rng.random() < 0.3:
            return self.frame(bytes(payload[: self.rng.randrange(self.feed.header.length)]))
        names = [self.feed.session, *(name for name, _, _ in self.feed.fixed)]
        if self.feed.payload_length:
            names.append(self.feed.payload_length)
        field = self.feed.header[self.rng.choice(names)]
        payload[self.rng.randrange(field.offset, field.end)] ^= 1 << self.rng.randrange(8)
        return self.frame(bytes(payload))

    def _bad_sequence_number(self) -> bytes:
        value = self.rng.choice(
            (0, LARGEST_SEQUENCE_NUMBER, LARGEST_SEQUENCE_NUMBER + 1, (1 << 63) - 1)
        )
        kept, self.sequence_number = self.sequence_number, value
        payload = self.transport(self.block(self.message()), 1)
        self.sequence_number = kept
        return self.frame(payload)

    def _bad_count(self) -> bytes:
        """A count that is not that of the blocks, also of a heartbeat; bytes behind the blocks."""
        real = self.rng.randrange(4)
        blocks = b"".join(self.block(self.message()) for _ in range(real))
        said = self.rng.choice((0, 1, real + 1, real + 2, 0xFFFE, 0xFFFF, max(real - 1, 0)))
        rest = self.rng.randbytes(self.rng.choice((0, 0, 1, 2, 5)))
        return self.frame(self.transport(blocks + rest, said))

    def _bad_prefix(self) -> bytes:
        """A message length that is wrong, or a type of another length, amid right ones."""
        before = [self.block(self.message()) for _ in range(self.rng.randrange(4))]
        shortest, longest = self.shortest_bytes, self.longest_bytes
        message = self.message()
        size = len(message)
        wrong = (0, 1, shortest - 1, shortest, longest, longest + 1, self.rng.randint(2, longest))
        said = self.rng.choice((*wrong, size - 1, size + 1, size | 0x100, size << 8, 0xFFFF))
        after = [self.block(self.message()) for _ in range(self.rng.randrange(3))]
        count = len(before) + 1 + len(after)
        blocks = b"".join((*before, self.block(message, said), *after))
        return self.frame(self.transport(blocks, count))

    def _flipped(self) -> bytes:
        frame = self._some()
        for _ in range(self.rng.randint(1, 4)):
            frame[self.rng.randrange(len(frame))] ^= 1 << self.rng.randrange(8)
        return bytes(frame)

    def _longer_packet(self) -> bytes:
        """An IP length beyond the frame, or beyond the UDP length."""
        frame = self._some()
        at = self._ip_at(frame)
        value = get(IPV4, frame, at, "total_length") + self.rng.choice((1, 2, 8, 40, 9000))
        put(IPV4, frame, at, "total_length", value)
        sum_ip_header(frame, at)
        frame += self.rng.randbytes(self.rng.choice((0, 0, 1, 2, 8, 41)))
        return bytes(frame)

    def _noise(self) -> bytes:
        """No frame of ours at all, of one byte up to jumbo size; some begin like one."""
        size = self.rng.choice((1, 8, 9, 64, 1514, self.rng.randrange(1, 9200)))
        noise = self.rng.randbytes(size)
        begin = bytes(self._some()[: self.rng.randrange(60)]) if self.rng.random() < 0.5 else b""
        return (begin + noise)[:size]
