# SPDX-License-Identifier: Apache-2.0
"""How two hosts agree on an RDMA connection, over TCP: who they are, and where their memory is.

The server says hello; then client, server and client each send a line of JSON and, under it, a line
with its proof: HMAC-SHA-256 with the shared secret over the role and everything that was said so
far, both sides' random numbers included. The secret never goes over the wire, and no address is
believed without a proof. The TCP connection stays open: its end is the quickest news of a peer's
end. What goes over RDMA afterwards is neither encrypted nor signed: the network of the cards has to
be one's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import socket
import time
from typing import Any

from nic.port import PortError

VERSION = "tickwire rdma ring 1"
SHORTEST_SECRET_BYTES = 16
LONGEST_LINE_BYTES = 4096
PROOF_BYTES = 64

Body = dict[str, Any]


class ExchangeError(PortError):
    """The connection did not come about; the text is one line that says why."""


def check_secret(secret: bytes) -> bytes:
    """The secret; raises :class:`ExchangeError` where it is too short to be one."""
    if len(secret) < SHORTEST_SECRET_BYTES:
        raise ExchangeError(f"the shared secret has less than {SHORTEST_SECRET_BYTES} bytes")
    return secret


class Exchange:
    """One side of the conversation on a connected socket; everything has to be said in time."""

    def __init__(self, stream: socket.socket, secret: bytes, role: str, timeout_s: float) -> None:
        self.stream = stream
        self.secret = check_secret(secret)
        self.role = role
        self.peer = "client" if role == "server" else "server"
        self.said = b""
        self.end = time.monotonic() + timeout_s

    def nonce(self) -> str:
        """A new random number."""
        return secrets.token_hex(16)

    def _proof(self, role: str) -> bytes:
        text = role.encode() + b"\0" + self.said
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest().encode()

    def send(self, body: Body, is_proved: bool = True) -> None:
        """Say one thing, with its proof; raises :class:`ExchangeError`."""
        line = json.dumps(body, separators=(",", ":")).encode() + b"\n"
        self.said += line
        try:
            self.stream.settimeout(max(self.end - time.monotonic(), 0.001))
            self.stream.sendall(line + (self._proof(self.role) + b"\n" if is_proved else b""))
        except OSError as error:
            raise ExchangeError(f"the {self.peer} went away: {error}") from None

    def _line(self) -> bytes:
        """One line as it came, with its end."""
        line = b""
        while not line.endswith(b"\n"):
            if len(line) >= LONGEST_LINE_BYTES:
                raise ExchangeError(f"the {self.peer} said too much")
            try:
                self.stream.settimeout(max(self.end - time.monotonic(), 0.001))
                piece = self.stream.recv(1)
            except TimeoutError:
                raise ExchangeError(f"the {self.peer} said nothing in time") from None
            except OSError as error:
                raise ExchangeError(f"the {self.peer} went away: {error}") from None
            if not piece:
                raise ExchangeError(f"the {self.peer} closed the connection")
            line += piece
        return line

    def receive(self, is_proved: bool = True) -> Body:
        """What the peer says, its proof checked first; raises :class:`ExchangeError`."""
        line = self._line()
        self.said += line
        if is_proved:
            wanted = self._proof(self.peer)
            if line.startswith(b'{"refused"'):
                raise ExchangeError(f"the {self.peer} refused: {_refusal(line)}")
            if not hmac.compare_digest(self._line().strip(), wanted):
                raise ExchangeError(f"the {self.peer} does not know the shared secret")
        try:
            body = json.loads(line)
        except ValueError:
            raise ExchangeError(f"the {self.peer} does not speak {VERSION!r}") from None
        if not isinstance(body, dict):
            raise ExchangeError(f"the {self.peer} does not speak {VERSION!r}")
        return body

    def refuse(self, reason: str) -> None:
        """Say why not, as well as that can be done."""
        with contextlib.suppress(OSError):
            self.stream.sendall(json.dumps({"refused": reason}).encode() + b"\n")


def _refusal(line: bytes) -> str:
    """The reason in a refusal: text of a stranger, so only its printable beginning."""
    try:
        text = str(json.loads(line)["refused"])
    except (ValueError, KeyError, TypeError):
        return "no reason"
    return "".join(c for c in text if c.isprintable())[:200]


def integer(body: Body, name: str, low: int, high: int) -> int:
    """A number that the peer said; :class:`ExchangeError` where it is none, or out of bounds."""
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ExchangeError(f"the peer said {name} = {str(value)[:40]}")
    return value


def place(body: Body, name: str) -> tuple[int, int]:
    """Address and key of a piece of the peer's memory; raises :class:`ExchangeError`."""
    pair = body.get(name)
    if (
        not isinstance(pair, list)
        or len(pair) != 2
        or not all(isinstance(v, int) and 0 <= v < 1 << 64 for v in pair)
        or pair[1] >= 1 << 32
    ):
        raise ExchangeError(f"the peer did not say where its {name} are")
    return pair[0], pair[1]


def part(body: Body, name: str) -> Body:
    """A dict inside what the peer said; raises :class:`ExchangeError`."""
    found = body.get(name)
    if not isinstance(found, dict):
        raise ExchangeError(f"the peer said nothing of its {name}")
    return found
