# SPDX-License-Identifier: Apache-2.0
"""Several runs on the loopback interface of one machine."""

import json
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools import loopback_ports as ports
from tools.demo_config import appliance_text, exchange_text

ROOT = Path(__file__).resolve().parents[2]


def ports_of(text: str) -> set[int]:
    """Every port of a configuration."""
    found: set[int] = set()

    def look(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                found.add(inner) if key == "port" else look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(tomllib.loads(text))
    return found


def test_two_runs_get_different_ports_and_give_them_back():
    with ports.loopback_ports() as first:
        with ports.loopback_ports() as second:
            assert abs(first - second) >= ports.BLOCK_PORTS
        with ports.loopback_ports() as again:
            assert again == second


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_block_with_a_server_in_it_is_left_out(kind):
    with socket.socket(socket.AF_INET, kind) as server:
        with ports.loopback_ports() as first:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # despite TIME_WAIT
            server.bind(("127.0.0.1", first + 20))
            if kind == socket.SOCK_STREAM:
                server.listen()
        with ports.loopback_ports() as other:
            assert not other <= first + 20 < other + ports.BLOCK_PORTS


def test_no_ports_left(monkeypatch):
    monkeypatch.setattr(ports, "PORTS_END", ports.FIRST_PORT)
    with pytest.raises(OSError, match=r"no 32 free ports on 127\.0\.0\.1"), ports.loopback_ports():
        pass


def test_both_sides_of_a_run_have_its_ports():
    exchange = ports_of(exchange_text(27000, 5, 1_000))
    assert exchange == {27000, 27001, 27010, 27020}
    assert ports_of(appliance_text(27000, "udp", Path("j"))) == exchange
    assert ports_of(exchange_text(None, 5, 1_000)) == {26400, 26401, 26410, 26420}


def test_two_demos_at_once():
    command = [sys.executable, "-m", "tools.main", "demo", "--loopback", "--json", "--seconds", "2"]
    demos = [
        subprocess.Popen(
            [*command, "--symbols", str(symbols)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for symbols in (3, 5)
    ]
    for demo, symbols in zip(demos, (3, 5), strict=True):
        out, said = demo.communicate(timeout=120)
        assert out, said
        exchange = json.loads(out)["exchange"]
        assert exchange["symbols"] == symbols
        assert exchange["acceptor"]["logins"] == 1
        assert exchange["order_entry"]["accepted"] > 0
