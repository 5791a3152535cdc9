# SPDX-License-Identifier: Apache-2.0
"""The exchange process on loopback: feed on two lines, re-request, order entry, a graceful end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from exchange_support import blocks, login, ouch, packets, unsequenced

from sim.exchange.config import ExchangeConfigError, parse_config
from sim.exchange.server import ExchangeServer, run_exchange

LIMIT_SECONDS = 20


def receiver():
    """A bound datagram socket with room for a second of feed."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(LIMIT_SECONDS)
    return sock


def config(port_a, port_b, loss=None, **changes):
    return parse_config(
        {
            "symbols": ["AAPL", "MSFT", "NVDA"],
            "feed": {
                "a": {"group": "127.0.0.1", "port": port_a} | ({"loss": loss} if loss else {}),
                "b": {"group": "127.0.0.1", "port": port_b},
                "end_of_session_ms": 50,
            },
            "request": {"port": 0},
            "order_entry": {"port": 0},
            "flow": {"messages_per_second": 5000},
        }
        | changes
    )


def drain(sock):
    """Datagrams up to and with the end of the session."""
    found = []
    while not found or blocks(found[-1])[2] != 0xFFFF:
        found.append(sock.recv(2048))
    return found


class Running:
    """An exchange in a thread."""

    def __init__(self, settings):
        self.stop = threading.Event()
        self.ready = threading.Event()
        self.report = None
        self.addresses = {}
        self.thread = threading.Thread(target=self._run, args=(settings,), daemon=True)
        self.thread.start()
        assert self.ready.wait(LIMIT_SECONDS)

    def _run(self, settings):
        self.report = run_exchange(settings, self.stop.is_set, self._is_ready)

    def _is_ready(self, addresses):
        self.addresses = addresses
        self.ready.set()

    def finish(self):
        self.stop.set()
        self.thread.join(LIMIT_SECONDS)
        assert not self.thread.is_alive()
        return self.report


@contextlib.contextmanager
def exchange(**options):
    with receiver() as a, receiver() as b:
        running = Running(config(a.getsockname()[1], b.getsockname()[1], **options))
        try:
            yield running, a, b
        finally:
            running.finish()


def read_packets(sock, wanted):
    """Read a client's stream until it holds a message of a type (outbound OUCH letter)."""
    data = b""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        data += sock.recv(4096)
        with contextlib.suppress(AssertionError, IndexError):
            if any(kind == "S" and rest[:1] == wanted for kind, rest in packets(data)):
                return packets(data)
    raise AssertionError(f"no {wanted!r} in {data!r}")


def test_feed_request_and_order_entry_on_loopback():
    with exchange() as (running, a, b):
        with socket.create_connection(running.addresses["order_entry"], LIMIT_SECONDS) as client:
            client.sendall(login())
            text = ouch("enter_order", user_ref_num=1, price=10_000, symbol=b"AAPL")
            client.sendall(unsequenced(text))
            found = read_packets(client, b"A")
            assert [kind for kind, _ in found][:2] == ["A", "S"]
            with receiver() as asker:
                asker.sendto(
                    b"TICKWIRE01" + (1).to_bytes(8, "big") + (5).to_bytes(2, "big"),
                    running.addresses["request"],
                )
                _, number, count, answer = blocks(asker.recv(2048))
            assert (number, count) == (1, 5)
            time.sleep(0.3)
            running.stop.set()
            rest = b""
            with contextlib.suppress(ConnectionError):
                while chunk := client.recv(4096):
                    rest += chunk
            assert [kind for kind, _ in packets(rest)][-1] == "Z"
        report = running.finish()
        line_a, line_b = drain(a), drain(b)
    assert line_a == line_b
    messages = [m for packet in line_a for m in blocks(packet)[3]]
    assert len(messages) == report["messages"]
    assert messages[:5] == answer
    assert report["messages_per_second"] > 1000
    assert report["lines"]["a"]["datagrams"] >= len(line_a)
    assert report["order_entry"]["accepted"] == report["acceptor"]["logins"] == 1
    assert report["order_entry"]["canceled"] == 1
    assert report["requests"]["answered"] == 1


def test_a_lossy_line_loses_what_the_other_has():
    loss = {"seed": 4, "drop": 0.2, "duplicate": 0.1, "reorder": 0.1, "delay_us": 500}
    with exchange(loss=loss) as (running, a, b):
        time.sleep(0.4)
        report = running.finish()
        line_b = drain(b)
        a.settimeout(0.2)
        line_a = []
        with contextlib.suppress(TimeoutError):
            while True:
                line_a.append(a.recv(2048))
    network = report["lines"]["a"]["network"]
    assert network["dropped"] and network["duplicated"] and network["reordered"]
    assert set(line_a) < set(line_b)
    assert len(line_a) == network["sent"] - network["dropped"] + network["duplicated"]


def test_a_port_in_use_is_one_line():
    with receiver() as a, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = config(a.getsockname()[1], 9, order_entry={"port": port})
        with pytest.raises(
            ExchangeConfigError, match=r"^order_entry: 127\.0\.0\.1:\d+: .+ in use$"
        ):
            ExchangeServer(settings)


def test_an_interface_that_is_not_there_is_one_line():
    settings = parse_config(
        {
            "symbols": ["AAPL"],
            "feed": {"a": {"group": "239.1.1.1", "port": 26477, "interface": "nosuchif"}},
            "request": {"port": 0},
            "order_entry": {"port": 0},
        }
    )
    with pytest.raises(ExchangeConfigError, match=r"^feed\.a: .*nosuchif"):
        ExchangeServer(settings)


PROCESS = """
import os, sys
from sim.exchange.config import parse_config
from sim.exchange.server import run_exchange
settings = parse_config({
    "symbols": ["AAPL"],
    "feed": {"a": {"group": "127.0.0.1", "port": int(sys.argv[1])}, "end_of_session_ms": 20},
    "request": {"port": 0}, "order_entry": {"port": 0},
})
report = run_exchange(settings, ready_callback=lambda _: print("ready", flush=True),
                      parent_pid=os.getppid())
print(report["messages_by_type"]["S"], flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_gracefully(number):
    with receiver() as a:
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(a.getsockname()[1])],
            stdout=subprocess.PIPE,
            text=True,
            cwd=os.getcwd(),
        )
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.1)
            process.send_signal(number)
            output, _ = process.communicate(timeout=LIMIT_SECONDS)
        finally:
            process.kill()
            process.wait()
        assert (process.returncode, output) == (0, "6\n")
        assert blocks(drain(a)[-1])[2] == 0xFFFF
