# SPDX-License-Identifier: Apache-2.0
"""The exchange as a process: sockets, clock and pace around the deterministic core."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable

from sim.exchange.config import ExchangeConfig, ExchangeConfigError
from sim.exchange.exchange import MILLISECOND_NS, Exchange
from sim.exchange.sockets import RECEIVE_BYTES, ClientSocket, FeedLine, bound_socket

PR_SET_PDEATHSIG = 1
MAXIMUM_CLIENTS = 128
CATCH_UP_NS = 250 * MILLISECOND_NS
"""What a late process makes good; the messages of a longer delay are given up and counted."""
STOP_CHECK_NS = 10 * MILLISECOND_NS
FAREWELL_NS = 500 * MILLISECOND_NS
"""How long clients may take to read the last bytes."""


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel for SIGTERM when the parent ends; exit at once if it has ended already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        raise SystemExit(1)


class ExchangeServer:
    """Sockets around an :class:`Exchange`; ``run`` drives it until it is told to stop.

    Raises :class:`ExchangeConfigError` when a socket can't be opened as configured.
    """

    def __init__(self, config: ExchangeConfig) -> None:
        """Open every socket; nothing is sent before ``run``."""
        self.config = config
        self.exchange = Exchange(config)
        rate = config.flow.messages_per_second
        self.exchange.flow.catch_up_messages = max(rate * CATCH_UP_NS // 1_000_000_000, 1000)
        self._lines: list[FeedLine] = []
        self._clients: dict[int, ClientSocket] = {}
        self._next_identity = 1
        self._refused = 0
        self._request_socket: socket.socket | None = None
        self._listener: socket.socket | None = None
        try:
            self._lines.append(FeedLine("a", config.feed.a))
            if config.feed.b is not None:
                self._lines.append(FeedLine("b", config.feed.b))
            self._request_socket = bound_socket(
                socket.SOCK_DGRAM, config.request.address, config.request.port, "request"
            )
            self._listener = bound_socket(
                socket.SOCK_STREAM,
                config.order_entry.address,
                config.order_entry.port,
                "order_entry",
            )
        except ExchangeConfigError:
            self.close(time.monotonic_ns())
            raise

    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where to reach it: ``request``, ``order_entry``, and the lines ``feed_a``, ``feed_b``."""
        assert self._request_socket is not None and self._listener is not None
        return {
            "request": self._request_socket.getsockname(),
            "order_entry": self._listener.getsockname(),
        } | {f"feed_{line.name}": line.destination for line in self._lines}

    def run(self, should_stop: Callable[[], bool]) -> dict[str, object]:
        """Run the day until ``should_stop()``; then end it gracefully and give the report."""
        clock = time.monotonic_ns
        interval = self.config.feed.flush_interval_us * 1000
        now = clock()
        self.exchange.start(now)
        next_tick = next_check = now
        while True:
            self._serve(max(next_tick - clock(), 0) / 1e9)
            now = clock()
            if now >= next_tick:
                self.exchange.on_timer(now)
                next_tick = max(next_tick + interval, now)
            self._send(now)
            if now >= next_check:
                if should_stop():
                    break
                next_check = now + STOP_CHECK_NS
        return self._finish(clock)

    def close(self, t_ns: int) -> None:
        """Close every socket."""
        for line in self._lines:
            line.close(t_ns)
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        for each in (self._request_socket, self._listener):
            if each is not None:
                each.close()

    def report(self, t_ns: int) -> dict[str, object]:
        """The exchange's report, and what each line sent."""
        report = self.exchange.report(t_ns)
        report["lines"] = {line.name: line.report() for line in self._lines}
        report["connections_refused"] = self._refused
        return report

    def _finish(self, clock: Callable[[], int]) -> dict[str, object]:
        """End the day, announce it for as long as configured, answer requests meanwhile."""
        now = clock()
        self.exchange.stop(now)
        until = now + self.config.feed.end_of_session_ms * MILLISECOND_NS
        farewell = now + FAREWELL_NS
        while True:
            self._send(now)
            if now >= until and (not self._clients or now >= farewell):
                break
            self._serve(0.005)
            now = clock()
            self.exchange.on_timer(now)
        report = self.report(now)
        self.close(now)
        return report

    def _serve(self, timeout: float) -> None:
        """Wait for input up to ``timeout`` seconds and take what has come."""
        listener, requests = self._listener, self._request_socket
        assert listener is not None and requests is not None
        writers = [client for client in self._clients.values() if client.pending]
        readers: list[socket.socket | ClientSocket] = [listener, requests]
        readers += self._clients.values()
        readable, writable, _ = select.select(readers, writers, [], timeout)
        if not readable and not writable:
            return
        now = time.monotonic_ns()
        for client in writable:
            client.write(b"")
        if requests in readable:
            self._answer(requests)
        if listener in readable:
            self._accept(listener, now)
        for identity, client in list(self._clients.items()):
            if client in readable:
                self._read(identity, client, now)

    def _answer(self, requests: socket.socket) -> None:
        while True:
            try:
                data, address = requests.recvfrom(RECEIVE_BYTES)
            except (BlockingIOError, ConnectionError):
                return
            answer = self.exchange.on_request(data)
            if answer is not None:
                try:
                    requests.sendto(answer, address)
                except OSError:
                    continue  # no room, or the asker is gone: it asks again

    def _accept(self, listener: socket.socket, now: int) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        if len(self._clients) >= MAXIMUM_CLIENTS or not self.exchange.running:
            self._refused += 1
            connection.close()
            return
        identity = self._next_identity
        self._next_identity += 1
        self._clients[identity] = ClientSocket(connection)
        self.exchange.on_client_connected(identity, now)

    def _read(self, identity: int, client: ClientSocket, now: int) -> None:
        data = client.read()
        if data is None:
            self.exchange.on_client_closed(identity, now)
            self._drop(identity)
        elif data and not client.closing:
            self.exchange.on_client_bytes(identity, data, now)

    def _send(self, now: int) -> None:
        """Send packets on every line, and to the clients what is theirs."""
        packets = self.exchange.take_packets()
        for line in self._lines:
            line.send(packets, now)
            line.deliver(now)
        for identity, data, closing in self.exchange.take_client_output(now):
            client = self._clients.get(identity)  # type: ignore[call-overload]
            if client is None:
                continue
            if not client.write(data):
                self.exchange.on_client_closed(identity, now)
                self._drop(identity)  # type: ignore[arg-type]
            elif closing:
                client.closing = True
        for identity in [k for k, c in self._clients.items() if c.closing and not c.pending]:
            self._drop(identity)

    def _drop(self, identity: int) -> None:
        self._clients.pop(identity).close()


def run_exchange(
    config: ExchangeConfig,
    should_stop: Callable[[], bool] = lambda: False,
    ready_callback: Callable[[dict[str, tuple[str, int]]], None] | None = None,
    *,
    parent_pid: int | None = None,
) -> dict[str, object]:
    """Run an exchange until ``should_stop()`` or SIGTERM or SIGINT; gives its report.

    ``ready_callback`` is called once with the addresses when every socket is open. With
    ``parent_pid`` the process ends (gracefully) when that parent ends. Signals are taken only in
    the main thread. Raises :class:`ExchangeConfigError`.
    """
    signalled = threading.Event()
    former = {}
    if parent_pid is not None:
        die_with_parent(parent_pid)
    server = ExchangeServer(config)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            former[number] = signal.signal(number, lambda *_: signalled.set())
    try:
        if ready_callback is not None:
            ready_callback(server.addresses())
        return server.run(lambda: signalled.is_set() or should_stop())
    finally:
        server.close(time.monotonic_ns())
        for number, handler in former.items():
            signal.signal(number, handler)
