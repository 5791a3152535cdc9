# SPDX-License-Identifier: Apache-2.0
"""The port of one line of the feed, as the configuration names it."""

from __future__ import annotations

from host.config import Line
from nic.port import Port, PortError
from nic.udp import UdpPort


def open_line(line: Line) -> Port:
    """The port of one line; raises :class:`nic.port.PortError` in one line."""
    group = (str(line.group), line.port)
    name = f"line {line.name}"
    if line.path == "af_xdp":
        try:
            from nic.af_xdp import AfXdpPort
        except ImportError:
            raise PortError("af_xdp was not built here: libbpf-dev is missing") from None
        return AfXdpPort(
            line.interface,
            destinations=[group],
            queue=line.queue,
            driver_mode=line.driver_mode,
            copy_mode=line.copy_mode,
            name=name,
        )
    if line.path == "af_packet":
        from nic.af_packet import AfPacketPort

        return AfPacketPort(
            line.interface,
            destinations=[group],
            handover=line.handover,
            block_timeout_ms=line.block_timeout_ms,
            name=name,
        )
    if line.path == "verbs":
        try:
            from nic.verbs.port import VerbsPort
        except ImportError:
            raise PortError(
                "verbs was not built here: install libibverbs-dev and build again"
            ) from None
        return VerbsPort(line.device, destinations=[group], name=name)
    return UdpPort(
        group=group,
        interface=line.interface,
        receive_buffer_bytes=line.receive_buffer_bytes,
        busy_poll_us=line.busy_poll_us,
        name=name,
    )
