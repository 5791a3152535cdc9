# SPDX-License-Identifier: Apache-2.0
import socket
import time

import pytest

from nic.port import PortError
from nic.tcp_stream import TcpStream


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as handle:
        handle.settimeout(2)
        yield handle


def wait(condition, seconds=2.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.001)


def pair(listener, **options):
    client = TcpStream(*listener.getsockname(), **options)
    server = TcpStream.from_descriptor(listener.accept()[0].detach())
    wait(lambda: client.status() == "open")
    return client, server


def read(stream, count):
    data = b""

    def enough():
        nonlocal data
        data += stream.read() or b""
        return len(data) >= count

    wait(enough)
    return data


def test_bytes_travel_both_ways(listener):
    client, server = pair(listener)
    with client, server:
        assert client.read() is None
        assert client.write(b"enter order") == 11
        assert read(server, 11) == b"enter order"
        assert server.write(b"accepted") == 8
        assert read(client, 8) == b"accepted"
        assert client.read() is None
        assert client.write(b"") == 0
        assert client.counters() == {"rx_bytes": 8, "tx_bytes": 11}
        mode = client.mode()
        assert mode["no_delay"] is True
        assert mode["quick_ack"] is True


def test_a_full_socket_takes_a_part_then_nothing(listener):
    client, server = pair(listener)
    with client, server:
        block = bytes(range(256)) * 8192
        sent = taken = 0
        while True:
            count = client.write(block)
            sent += count
            if count == 0:
                break
            taken = taken or len(block) - count
        received = read(server, sent)
        assert len(received) == sent
        wait(lambda: client.write(b"more") == 4)


def test_the_peers_end_is_seen(listener):
    client, server = pair(listener)
    server.write(b"last words")
    server.close()
    assert read(client, 10) == b"last words"
    wait(lambda: client.read() == b"")
    assert client.status() == "closed"
    assert client.reason() == "closed"
    with pytest.raises(PortError):
        client.write(b"x")
    client.close()


def test_a_reset_is_seen_with_its_reason(listener):
    client = TcpStream(*listener.getsockname())
    peer = listener.accept()[0]
    wait(lambda: client.status() == "open")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    wait(lambda: client.read() == b"")
    assert client.reason() == "Connection reset by peer"


def test_a_refused_connection_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as handle:
        address = handle.getsockname()
    client = TcpStream(*address)
    wait(lambda: client.status() == "closed")
    assert client.reason() == "Connection refused"
    assert client.read() == b""


def test_nothing_is_taken_while_connecting():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as handle:
        # The queue of connections that wait to be accepted holds one: later ones get no answer.
        clients = [TcpStream(*handle.getsockname()) for _ in range(4)]
        wait(lambda: clients[0].status() == "open")
        late = clients[-1]
        assert late.status() == "connecting"
        assert late.write(b"too early") == 0
        assert late.read() is None
        assert late.reason() == ""
        for client in clients:
            client.close()


def test_source_address_and_name_errors(listener):
    client, server = pair(listener, source="127.0.0.2", quick_ack=False, busy_poll_us=0)
    with client, server:
        assert client.mode()["local"].startswith("127.0.0.2:")
        assert client.mode()["quick_ack"] is False
    with pytest.raises(PortError, match="tcp"):
        TcpStream("127.0.0.1", 1, interface="no-such-device")


def test_closing_twice_is_harmless(listener):
    client, server = pair(listener)
    client.close()
    client.close()
    assert client.fileno() == -1
    assert client.read() == b""
    assert client.mode()["status"] == "closed"
    server.close()
