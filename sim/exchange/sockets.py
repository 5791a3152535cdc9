# SPDX-License-Identifier: Apache-2.0
"""Sockets of the exchange process: feed senders, request socket, listener, client connections."""

from __future__ import annotations

import heapq
import ipaddress
import socket
import struct

from sim.exchange.config import ExchangeConfigError, LineConfig
from sim.network import LossyNetwork

MICROSECOND_NS = 1_000
RECEIVE_BYTES = 65_536
BACKLOG_BYTES = 16 << 20
"""A client that lets so much pile up unread is dropped."""


def interface_request(interface: str) -> bytes:
    """``struct ip_mreqn`` for IP_MULTICAST_IF, from an interface's name or its IPv4 address.

    Raises ``OSError`` for a name that does not exist.
    """
    any_address = socket.inet_aton("0.0.0.0")
    try:
        address = ipaddress.IPv4Address(interface).packed
    except ValueError:
        return struct.pack("@4s4si", any_address, any_address, socket.if_nametoindex(interface))
    return struct.pack("@4s4si", any_address, address, 0)


class FeedLine:
    """Sends one line's datagrams, over a bad network where the configuration has one."""

    def __init__(self, name: str, config: LineConfig) -> None:
        """Open the socket; raises :class:`ExchangeConfigError`."""
        self.name = name
        self.destination = (config.group, config.port)
        self.sent = 0
        self.send_errors = 0
        self._waiting: list[tuple[int, int, bytes]] = []
        self._order = 0
        self._network: LossyNetwork | None = None
        loss = config.loss
        if loss.active:
            self._network = LossyNetwork(
                loss.seed,
                drop=loss.drop,
                duplicate=loss.duplicate,
                reorder=loss.reorder,
                reorder_depth=loss.reorder_depth,
                cut_every=loss.cut_every,
                cut_length=loss.cut_length,
                delay_ns=loss.delay_us * MICROSECOND_NS,
                jitter_ns=loss.jitter_us * MICROSECOND_NS,
            )
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if ipaddress.IPv4Address(config.group).is_multicast:
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, config.ttl)
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
                if config.interface is not None:
                    self._socket.setsockopt(
                        socket.IPPROTO_IP,
                        socket.IP_MULTICAST_IF,
                        interface_request(config.interface),
                    )
            self._socket.connect(self.destination)
        except OSError as error:
            self._socket.close()
            raise ExchangeConfigError(
                f"feed.{name}: {config.group}:{config.port} on"
                f" {config.interface or 'any interface'}: {error.strerror or error}"
            ) from None

    def send(self, packets: list[bytes], t_ns: int) -> None:
        """Send packets; what the network delays stays until ``deliver``."""
        if self._network is None:
            for packet in packets:
                self._transmit(packet)
            return
        for packet in packets:
            self._delay(self._network.send(packet, t_ns))
        self.deliver(t_ns)

    def deliver(self, t_ns: int) -> None:
        """Send what the network has delayed until now."""
        while self._waiting and self._waiting[0][0] <= t_ns:
            self._transmit(heapq.heappop(self._waiting)[2])

    def close(self, t_ns: int) -> None:
        """Send what still waits, and close."""
        if self._network is not None:
            self._delay(self._network.flush(t_ns))
        while self._waiting:
            self._transmit(heapq.heappop(self._waiting)[2])
        self._socket.close()

    def report(self) -> dict[str, object]:
        """Datagrams sent, errors, and what the network did."""
        return {
            "destination": f"{self.destination[0]}:{self.destination[1]}",
            "datagrams": self.sent,
            "send_errors": self.send_errors,
            "network": {} if self._network is None else self._network.counters(),
        }

    def _delay(self, arrivals: list[tuple[int, bytes]]) -> None:
        for due, packet in arrivals:
            self._order += 1
            heapq.heappush(self._waiting, (due, self._order, packet))

    def _transmit(self, packet: bytes) -> None:
        try:
            self._socket.send(packet)
            self.sent += 1
        except OSError:
            # a full queue: receivers recover; or a unicast line where nobody listens
            self.send_errors += 1


class ClientSocket:
    """One TCP connection of a client, with what could not be written yet."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over an accepted connection."""
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.pending = bytearray()
        self.closing = False

    def fileno(self) -> int:
        """The descriptor, for select."""
        return self.socket.fileno()

    def read(self) -> bytes | None:
        """What has come; ``b""`` for nothing, ``None`` when the client closed or the line broke."""
        try:
            return self.socket.recv(RECEIVE_BYTES) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def write(self, data: bytes) -> bool:
        """Write as much as goes, keep the rest; False when the connection is of no use any more."""
        self.pending += data
        try:
            while self.pending:
                del self.pending[: self.socket.send(self.pending)]
        except BlockingIOError:
            return len(self.pending) <= BACKLOG_BYTES
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


def bound_socket(kind: socket.SocketKind, address: str, port: int, key: str) -> socket.socket:
    """A non-blocking socket bound to an address; a :class:`ExchangeConfigError` names ``key``."""
    bound = socket.socket(socket.AF_INET, kind)
    try:
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        if kind == socket.SOCK_STREAM:
            bound.listen(16)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise ExchangeConfigError(f"{key}: {address}:{port}: {error.strerror or error}") from None
    return bound
