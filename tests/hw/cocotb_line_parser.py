# SPDX-License-Identifier: Apache-2.0
"""The line's parser at line rate, cycle by cycle: a beat in every cycle, eight bytes in each beat.

Inputs change on the falling edge. Run by ``test_cocotb.py``.
"""

import os
from collections.abc import Callable

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from hw.event import message_layout
from hw.line_signature import PARSER_CYCLES
from hw.stream import LANES, Beat
from hw.transport_header import line_settings
from nic.framing.enumerations import FRAMING, PARSER
from nic.framing.feed_format import NASDAQ
from nic.framing.reference import LineSettings, ReferenceParser
from sim.feed_traffic import FeedTraffic
from sim.gateware.rows import pack, unpack

SEED = int(os.environ.get("TICKWIRE_SEED", "23"))
CYCLES = 4_000
SETTINGS = LineSettings(NASDAQ, 0xE9360C65, 26477)
FULL = 1472 - NASDAQ.header.length
OK, MESSAGES = FRAMING.value("ok"), PARSER.value("messages")


def whole_beats(frame: bytes) -> bytes:
    """The frame with Ethernet padding behind it, so that its last beat is full, too."""
    return frame + bytes(-len(frame) % LANES)


def minimum(traffic: FeedTraffic) -> bytes:
    """A heartbeat: with its padding eight beats, the least that a frame can be."""
    return traffic.frame(traffic.payload(0), plain=True)


def one_short(traffic: FeedTraffic) -> bytes:
    """One message of the shortest kind: the least frame that carries any."""
    return datagram(traffic, [shortest(traffic)])


def dense(traffic: FeedTraffic) -> bytes:
    """As many of the shortest messages as fit: one in every 1.75 cycles."""
    size = NASDAQ.prefix.width + NASDAQ.shortest_bytes
    return datagram(traffic, [shortest(traffic) for _ in range(FULL // size)])


def packed(traffic: FeedTraffic) -> bytes:
    """As many messages of all types as fit."""
    return traffic.frame(traffic.full_payload(), plain=True)


def shortest(traffic: FeedTraffic) -> bytes:
    kind = min(NASDAQ.messages.by_code().values(), key=lambda message: message.length)
    assert kind.code is not None
    data = bytearray(traffic.rng.randbytes(kind.length))
    data[NASDAQ.messages.type_offset] = kind.code
    return bytes(data)


def datagram(traffic: FeedTraffic, messages: list[bytes]) -> bytes:
    payload = traffic.transport(b"".join(map(traffic.block, messages)), len(messages))
    traffic.sequence_number += len(messages)
    return traffic.frame(payload, plain=True)


class Line:
    """A beat in every cycle, and what came out in which cycle."""

    def __init__(self, dut) -> None:
        self.dut = dut
        self.messages: list[tuple[int, int, bytes]] = []
        self.counted = [0] * PARSER.count
        self.cycle = 0
        self.layout = message_layout(NASDAQ)

    async def reset(self) -> None:
        dut = self.dut
        dut.line__valid.value = 0
        dut.line__beat.value = 0
        dut.settings.value = pack(
            line_settings(NASDAQ),
            {
                "destination_address": SETTINGS.destination_address,
                "destination_port": SETTINGS.destination_port,
            },
        )
        dut.rst.value = 1
        Clock(dut.clk, 6400, unit="ps").start()
        for _ in range(3):
            await FallingEdge(dut.clk)
        dut.rst.value = 0

    async def beat(self, word: int | None, is_last: bool = False) -> None:
        """One cycle; what is out in it is kept."""
        dut = self.dut
        await FallingEdge(dut.clk)
        if dut.parsed__message__valid.value == 1:
            message = unpack(self.layout, int(dut.parsed__message__payload.value))
            octets = message["message"].to_bytes(NASDAQ.longest_bytes, "little")
            found = (self.cycle, message["sequence_number"], octets[: message["length_bytes"]])
            self.messages.append(found)
        pulses = int(dut.pulses.value)
        for number in range(PARSER.count):
            self.counted[number] += pulses >> number & 1
        dut.line__valid.value = int(word is not None)
        dut.line__beat.value = pack(Beat, {"data": word or 0, "last": int(is_last)})
        self.cycle += 1


async def at_line_rate(dut, make: Callable[[FeedTraffic], bytes]) -> None:
    """Frames of one kind without a pause: all their messages come out, each in time."""
    traffic = FeedTraffic(SETTINGS, SEED, unknown_share=0)
    reference = ReferenceParser(SETTINGS)
    line = Line(dut)
    await line.reset()
    assert not hasattr(dut, "line__ready"), "a line can not be asked to wait"
    expected: list[tuple[int, int, bytes]] = []
    size = frames = 0
    begin = line.cycle
    while line.cycle - begin < CYCLES:
        frame = whole_beats(make(traffic))
        first = line.cycle
        for message in reference.frame(frame).messages:
            number = first + message.last_byte // LANES
            expected.append((number, message.sequence_number, message.message))
        for at in range(0, len(frame), LANES):
            word = int.from_bytes(frame[at : at + LANES], "little")
            await line.beat(word, at + LANES == len(frame))
        size += len(frame)
        frames += 1
    cycles = line.cycle - begin
    for _ in range(16):
        await line.beat(None)
    assert size / cycles == 8.0
    assert [found[1:] for found in line.messages] == [wanted[1:] for wanted in expected]
    late = [found[0] - wanted[0] for found, wanted in zip(line.messages, expected, strict=True)]
    assert not late or set(late) == {PARSER_CYCLES}, set(late)
    assert line.counted[OK] == frames
    assert line.counted[MESSAGES] == len(expected)
    assert sum(line.counted[: FRAMING.count]) == frames
    dut._log.info(
        "%d frames, %d messages, %.2f bytes a cycle", frames, len(expected), size / cycles
    )


@cocotb.test()
async def minimum_size_frames(dut) -> None:
    """Heartbeats in the least frames."""
    await at_line_rate(dut, minimum)


@cocotb.test()
async def frames_of_one_message(dut) -> None:
    """The least frames that carry a message."""
    await at_line_rate(dut, one_short)


@cocotb.test()
async def densely_packed_datagrams(dut) -> None:
    """Only shortest messages: as many a cycle as there can be."""
    await at_line_rate(dut, dense)


@cocotb.test()
async def packed_datagrams_of_all_types(dut) -> None:
    """Full datagrams of all types."""
    await at_line_rate(dut, packed)
