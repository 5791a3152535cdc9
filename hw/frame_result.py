# SPDX-License-Identifier: Apache-2.0
"""The one result of each frame, out of everything that was found in it."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.block_check import BlockOutcome
from hw.ip_header import IpFaults
from hw.transport_header import UdpFaults, transport_faults
from nic.framing.enumerations import FRAMING
from nic.framing.feed_format import FeedFormat


class FrameResult(wiring.Component):
    """Results of ``FRAMING``.

    ``ended`` is 1 in the cycle in which the others say what was found in a frame; ``is_cut`` is
    1 when the frame is shorter than its IP packet. ``results`` has the result's bit set for one
    cycle, two cycles later. Frames may end in every cycle.
    """

    def __init__(self, feed: FeedFormat) -> None:
        self.transport = transport_faults(feed)
        super().__init__(
            {
                "ended": In(1),
                "ip": In(IpFaults),
                "udp": In(UdpFaults),
                "faults": In(len(self.transport) + 1),
                "outcome": In(BlockOutcome),
                "is_cut": In(1),
                "results": Out(FRAMING.count),
            }
        )

    def _parts(self) -> list[list[tuple[Value, str]]]:
        """What to look at, in order, in three parts that are looked at side by side."""
        ip, udp, blocks = self.ip, self.udp, self.outcome
        headers = [
            (ip.ethertype, "not_ipv4"),
            (~ip.fixed_end, "truncated"),
            (ip.version, "not_ipv4"),
            (ip.header, "bad_ip_header"),
            (~ip.end, "truncated"),
            (ip.checksum, "bad_ip_checksum"),
            (ip.fragment, "fragment"),
            (ip.protocol, "not_udp"),
            (~udp.end, "truncated"),
            (udp.length, "bad_udp_length"),
            (udp.elsewhere, "not_wanted"),
            (udp.short, "too_short"),
        ]
        transport = [(~self.faults[-1], "truncated")]
        transport += [(self.faults[n], name) for n, name in enumerate(self.transport)]
        walk = [
            (blocks.faults.count, "count_beyond_datagram"),
            (blocks.faults.length, "message_length"),
            (blocks.faults.beyond, "block_beyond_datagram"),
            (blocks.is_open, "truncated"),
            (blocks.is_more & blocks.is_short, "count_beyond_datagram"),
            (blocks.is_more, "truncated"),
            (blocks.is_rest, "trailing_bytes"),
            (self.is_cut, "truncated"),
        ]
        return [headers, transport, walk]

    def elaborate(self, platform: object) -> Module:
        """The first that holds in each part; then of the first part that has one."""
        m = Module()
        ended = Signal()
        m.d.sync += ended.eq(self.ended)
        found: list[tuple[Signal, Signal]] = []
        for number, part in enumerate(self._parts()):
            holds = Signal(name=f"holds_{number}")
            result = Signal(range(FRAMING.count), name=f"result_{number}")
            m.d.sync += holds.eq(1)
            for n, (condition, name) in enumerate(part):
                with m.If(condition) if n == 0 else m.Elif(condition):
                    m.d.sync += result.eq(FRAMING.value(name))
            with m.Else():
                m.d.sync += [holds.eq(0), result.eq(FRAMING.value("ok"))]
            found.append((holds, result))
        chosen = Signal(range(FRAMING.count))
        (first, a), (second, b), (_, c) = found
        with m.If(first):
            m.d.comb += chosen.eq(a)
        with m.Elif(second):
            m.d.comb += chosen.eq(b)
        with m.Else():
            m.d.comb += chosen.eq(c)
        for value in range(FRAMING.count):
            m.d.sync += self.results[value].eq(ended & (chosen == value))
        return m
