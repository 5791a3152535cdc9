# SPDX-License-Identifier: Apache-2.0
"""Independent witnesses for captures: what Wireshark's dissectors read in them, and what ours do.

The functions come in pairs that give plain lists, so that ``==`` compares the two. Ours walk the
field tables; Wireshark's (tshark) share no line of code with them. Sessions are without their
padding. Sources: Nasdaq MoldUDP64 1.00; Nasdaq SoupBinTCP 3.00.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

from nic.frame import parse_udp
from nic.pcap import PcapPort
from nic.wire.moldudp64 import MOLDUDP64
from nic.wire.reference import WireError, decode_as, decode_field
from nic.wire.soupbintcp import SOUPBINTCP
from tools.feed_finder import find_feed
from tools.verify_streams import order_entry, packets, read

MoldPacket = tuple[str, int, int, list[int]]
"""Session, sequence number, message count as on the wire, length of each message."""

SoupPacket = tuple[str, str, int]
"""``to_server`` or ``to_client``, packet type letter, packet length as on the wire."""

BLOCK = MOLDUDP64["block"]
TSHARK = ("tshark", "-n", "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,")
REASSEMBLE = ("tcp.desegment_tcp_streams", "tcp.reassemble_out_of_order", "soupbintcp.desegment")


class WitnessError(ValueError):
    """A capture that can't be looked at, or no tshark; the message is one line."""


def feed_ports(path: Path) -> list[int]:
    """UDP ports of the feed that the capture holds; raises ``ValueError`` where it holds none."""
    return [port for _, port in find_feed(path).lines]


def message_lengths(payload: bytes) -> Iterator[int]:
    """Lengths of the message blocks of a packet, as far as they are whole."""
    at = 0
    while at + BLOCK.length <= len(payload):
        length = int(decode_field(BLOCK["message_length"], payload[at:], MOLDUDP64.byte_order))
        at += BLOCK.length + length
        if at <= len(payload):
            yield length


def moldudp64_packets(path: Path, ports: Sequence[int] | None = None) -> list[MoldPacket]:
    """MoldUDP64 packets to ``ports`` (the feed's own where left out), by our dissection."""
    wanted = set(feed_ports(path) if ports is None else ports)
    found: list[MoldPacket] = []
    with PcapPort(path) as port:
        for frame, _ in port:
            _, datagram = parse_udp(frame)
            if datagram is None or datagram["destination_port"] not in wanted:
                continue
            try:
                header = decode_as(MOLDUDP64, "header", datagram["payload"])
            except WireError:
                continue
            session, payload = bytes(header["session"]), bytes(header["payload"])
            found.append(
                (
                    session.decode("latin-1").rstrip(),
                    int(header["sequence_number"]),
                    int(header["message_count"]),
                    list(message_lengths(payload)),
                )
            )
    return found


def tshark_moldudp64(path: Path, ports: Sequence[int] | None = None) -> list[MoldPacket]:
    """The same by Wireshark's dissector; raises :class:`WitnessError`."""
    wanted = feed_ports(path) if ports is None else list(ports)
    to_them = " || ".join(f"udp.dstport == {port}" for port in wanted)
    rows = tshark(
        path,
        [f"udp.port=={port},moldudp64" for port in wanted],
        f"moldudp64 && ({to_them})",
        [f"moldudp64.{name}" for name in ("session", "sequence", "count", "msglen")],
    )
    return [
        (session.rstrip(), int(sequence), int(count), [int(length) for length in values(lengths)])
        for session, sequence, count, lengths in rows
    ]


def soup_port(path: Path) -> int:
    """The server's port of the order-entry connections; raises :class:`WitnessError` for none."""
    found = order_entry(read([path]), None)
    if not found:
        raise WitnessError(f"{path}: no SoupBinTCP connection")
    return found[0].server[1]


def soupbintcp_packets(path: Path, port: int | None = None) -> list[SoupPacket]:
    """SoupBinTCP packets of the connections to ``port``, by our dissection.

    Connections in the order they began, each with all that went to the server first. Without
    ``port`` the connections that look like order entry.
    """
    port = soup_port(path) if port is None else port
    length_field = SOUPBINTCP["debug"]["packet_length"]
    type_offset = SOUPBINTCP.type_offset
    found: list[SoupPacket] = []
    for connection in order_entry(read([path]), port):
        for direction, half in (
            ("to_server", connection.to_server),
            ("to_client", connection.to_client),
        ):
            for _, packet in packets(half):
                length = int(decode_field(length_field, packet, SOUPBINTCP.byte_order))
                found.append((direction, chr(packet[type_offset]), length))
    return found


def tshark_soup(path: Path, port: int | None = None) -> list[SoupPacket]:
    """The same by Wireshark's reassembly and dissector; raises :class:`WitnessError`."""
    port = soup_port(path) if port is None else port
    columns = ("ip.src", "tcp.srcport", "ip.dst", "tcp.dstport")
    rows = tshark(
        path,
        [f"tcp.port=={port},soupbintcp"],
        f"tcp.port == {port}",
        [*columns, "soupbintcp.packet_type", "soupbintcp.packet_length"],
    )
    # Not by tcp.stream: the dissector gives a connection another one once the login is accepted.
    connections: dict[tuple[str, str], dict[str, list[SoupPacket]]] = {}
    for source, source_port, target, target_port, types, lengths in rows:
        is_to_server = int(target_port) == port
        client = (source, source_port) if is_to_server else (target, target_port)
        halves = connections.setdefault(client, {"to_server": [], "to_client": []})
        direction = "to_server" if is_to_server else "to_client"
        for code, length in zip(values(types), values(lengths), strict=True):
            halves[direction].append((direction, letter(code), int(length)))
    return [
        packet for halves in connections.values() for half in halves.values() for packet in half
    ]


def letter(code: str) -> str:
    """A character as tshark shows it: quoted, or as a number where it can't be printed."""
    return code[1] if len(code) == 3 and code[0] == code[2] == "'" else chr(int(code.strip("'"), 0))


def values(column: str) -> list[str]:
    """The values of a column; none of an empty one."""
    return column.split(",") if column else []


def tshark(
    path: str | PathLike[str], decode_as: Sequence[str], matching: str, columns: Sequence[str]
) -> list[list[str]]:
    """A row of columns for each packet that matches; several values of one are comma-separated."""
    command = [*TSHARK, "-r", str(path), "-Y", matching]
    for name in REASSEMBLE:
        command += ["-o", f"{name}:TRUE"]
    for rule in decode_as:
        command += ["-d", rule]
    for column in columns:
        command += ["-e", column]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise WitnessError("tshark is not installed") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("tshark: ")]
        raise WitnessError(lines[0] if lines else f"tshark: exit code {done.returncode}")
    return [line.split("\t") for line in done.stdout.splitlines()]
