# SPDX-License-Identifier: Apache-2.0
"""How a strategy process of the same machine gets an order line: a Unix socket and sealed memory.

The feed host listens on a socket that only its own user can open. Who connects says what it is; the
answer brings the descriptor of fresh memory with two rings in it, requests one way, reports the
other. The memory is sealed against shrinking, so that nobody can pull it away from under the hot
thread. The connection stays open: its end is the end of the line, also where a process was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import stat
import struct
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from host.ipc.order_layout import ORDER_CONTENT, SLOT_BYTES
from host.ipc.slot_ring import (
    MemoryReceiver,
    MemorySender,
    SlotMemory,
    SlotReceiver,
    SlotSender,
    ring_bytes,
)

VERSION = "tickwire order line 1"
SUFFIX = ".orders"
"""The socket's name behind the path of the feed's ring."""

LONGEST_PATH_BYTES = 107
"""Of a Unix socket's address; source: unix(7)."""

LONGEST_LINE_BYTES = 1024
EXCHANGE_SECONDS = 5.0
BACKLOG = 16
SOCKET_MODE = 0o600
"""Only the feed host's own user may send orders."""

_CREDENTIALS = struct.Struct("3i")


class LineError(ValueError):
    """The order line did not come about; the text is one line."""


class OrderLine:
    """One order line, on either side: what it sends with, what it receives from, who is there."""

    is_local = True

    def __init__(
        self,
        stream: socket.socket,
        memory: SlotMemory,
        sender: SlotSender,
        receiver: SlotReceiver,
        peer: str,
    ) -> None:
        self.stream = stream
        self.memory = memory
        self.sender = sender
        self.receiver = receiver
        self.peer = peer

    def failure(self) -> str:
        """Why the line is at its end, empty while it is not; one system call."""
        poll = select.poll()
        poll.register(self.stream, select.POLLIN | select.POLLRDHUP)
        # Nothing is said after the beginning: whatever comes is the end.
        return "the peer went away" if poll.poll(0) else ""

    def close(self) -> None:
        """Give everything back; harmless when closed."""
        self.memory.close()
        self.stream.close()


def _printable(text: object) -> str:
    return "".join(c for c in str(text) if c.isprintable())[:40]


def _read_line(stream: socket.socket, end: float) -> tuple[dict[str, Any], list[int]]:
    """One line of JSON and the descriptors that came with it; raises :class:`LineError`."""
    line = b""
    descriptors: list[int] = []
    try:
        while not line.endswith(b"\n"):
            stream.settimeout(max(end - time.monotonic(), 0.001))
            piece, got, _, _ = socket.recv_fds(stream, LONGEST_LINE_BYTES, 1)
            descriptors += got
            line += piece
            if not piece or len(line) > LONGEST_LINE_BYTES:
                raise LineError(f"the peer does not speak {VERSION!r}")
        body = json.loads(line)
        if not isinstance(body, dict):
            raise LineError(f"the peer does not speak {VERSION!r}")
    except TimeoutError:
        _close_all(descriptors)
        raise LineError("the peer said nothing in time") from None
    except (OSError, ValueError) as error:
        _close_all(descriptors)
        if isinstance(error, LineError):
            raise
        raise LineError(f"the peer does not speak {VERSION!r}") from None
    return body, descriptors


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _sealed_memory(size_bytes: int) -> int:
    """A descriptor of fresh memory whose size nobody can change."""
    descriptor = os.memfd_create("tickwire-orders", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class OrderServer:
    """Takes strategy processes in, in a thread of its own; ``arrived`` holds those connected.

    ``path``: of the socket; ``slots``: of each ring, a power of two. A socket that a dead process
    left is replaced. Raises :class:`LineError` in one line.
    """

    def __init__(self, path: str | Path, *, slots: int) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self.slots = slots
        self.arrived: deque[OrderLine] = deque()
        self.refused = 0
        self.last_refusal = ""
        self._one_bytes = ring_bytes(slots, SLOT_BYTES)
        if len(os.fsencode(self.path)) > LONGEST_PATH_BYTES:
            raise LineError(f"{self.path}: longer than {LONGEST_PATH_BYTES} bytes")
        self._listener = self._listen()
        self._inode = os.stat(self.path).st_ino
        self._thread = threading.Thread(target=self._run, name="order-server", daemon=True)
        self._thread.start()

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if os.path.lexists(self.path):
                self._remove_dead()
            # nobody connects before the rights are what they should be: it does not listen yet
            listener.bind(self.path)
            os.chmod(self.path, SOCKET_MODE)
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise LineError(f"{self.path}: {error.strerror}") from None
        except BaseException:
            listener.close()
            raise
        return listener

    def _remove_dead(self) -> None:
        if not stat.S_ISSOCK(os.lstat(self.path).st_mode):
            raise LineError(f"{self.path}: something else is there")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(self.path)
            except ConnectionRefusedError:
                os.unlink(self.path)
                return
        raise LineError(f"{self.path}: another feed host takes orders there already")

    def _run(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take_in, args=(stream,), daemon=True).start()

    def _take_in(self, stream: socket.socket) -> None:
        try:
            self.arrived.append(self._agree(stream))
        except (LineError, OSError, MemoryError) as error:
            self.refused += 1
            self.last_refusal = str(error)
            with contextlib.suppress(OSError):
                stream.sendall(json.dumps({"refused": str(error)}).encode() + b"\n")
            stream.close()

    def _agree(self, stream: socket.socket) -> OrderLine:
        body, descriptors = _read_line(stream, time.monotonic() + EXCHANGE_SECONDS)
        _close_all(descriptors)
        if body.get("version") != VERSION or body.get("content") != ORDER_CONTENT:
            raise LineError("the strategy host is of another version")
        got = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process, _, _ = _CREDENTIALS.unpack(got)
        descriptor = _sealed_memory(2 * self._one_bytes)
        try:
            memory = SlotMemory(descriptor, 2 * self._one_bytes)
            answer = json.dumps({"version": VERSION, "slots": self.slots}).encode() + b"\n"
            socket.send_fds(stream, [answer], [descriptor])
        finally:
            os.close(descriptor)
        return OrderLine(
            stream,
            memory,
            MemorySender(memory, self._one_bytes, self.slots, SLOT_BYTES),
            MemoryReceiver(memory, 0, self.slots, SLOT_BYTES),
            f"{_printable(body.get('name', ''))} process {process}".strip(),
        )

    def close(self) -> None:
        """Take nobody in any more, remove the socket; those that were not fetched are closed."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(1)
        with contextlib.suppress(OSError):
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        while self.arrived:
            self.arrived.popleft().close()


def connect_orders(
    path: str | Path, *, name: str = "", timeout_s: float = EXCHANGE_SECONDS
) -> OrderLine:
    """The strategy process's end of a new order line; raises :class:`LineError` in one line."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    descriptors: list[int] = []
    try:
        try:
            stream.settimeout(timeout_s)
            stream.connect(os.fspath(path))
            hello = {"version": VERSION, "content": ORDER_CONTENT, "name": name}
            stream.sendall(json.dumps(hello).encode() + b"\n")
        except OSError as error:
            raise LineError(f"{path}: {error.strerror or error}") from None
        body, descriptors = _read_line(stream, time.monotonic() + timeout_s)
        if "refused" in body:
            raise LineError(f"{path}: refused: {_printable(body['refused'])}")
        slots = body.get("slots")
        if body.get("version") != VERSION or not isinstance(slots, int) or len(descriptors) != 1:
            raise LineError(f"{path}: the feed host is of another version")
        one_bytes = ring_bytes(slots, SLOT_BYTES)
        if os.fstat(descriptors[0]).st_size < 2 * one_bytes:
            raise LineError(f"{path}: the feed host gave too little memory")
        memory = SlotMemory(descriptors[0], 2 * one_bytes)
        return OrderLine(
            stream,
            memory,
            MemorySender(memory, 0, slots, SLOT_BYTES),
            MemoryReceiver(memory, one_bytes, slots, SLOT_BYTES),
            os.fspath(path),
        )
    except BaseException:
        stream.close()
        raise
    finally:
        _close_all(descriptors)
