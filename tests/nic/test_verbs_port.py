# SPDX-License-Identifier: Apache-2.0
"""The raw-packet port on a verbs device in memory whose queues can be disturbed."""

import random
import struct

import pytest

pytest.importorskip("nic.verbs.port", reason="libibverbs-dev was missing when this was built")

from nic.frame import address_number, build_udp, parse_udp
from nic.port import PortError
from nic.verbs.device import VerbsDevice
from nic.verbs.port import VerbsPort
from sim.verbs.fake_device import EVENTS, STATUSES, FakeDevice

GROUP, PORT = "239.66.1.1", 26477


@pytest.fixture
def device():
    return FakeDevice()


def port_on(device, **options):
    options = {"destinations": [(GROUP, PORT)], "receive_frames": 64, "join": False} | options
    return VerbsPort(device, huge_pages=False, **options)


def frame(number, size=60):
    return build_udp(number.to_bytes(4, "big") * (size // 4), "10.66.0.1", 5, GROUP, PORT)


def payload(data):
    return int.from_bytes(parse_udp(data)[1]["payload"][:4], "big")


def queue(port, *frames):
    """Transmit without ringing the doorbell: the device takes nothing while it is stalled."""
    return [port.send(data) for data in frames]


def test_frames_come_in_and_chunks_go_back(device):
    with port_on(device) as port:
        posts = device.receive_posts
        for number in range(10_000):
            assert device.deliver(frame(number)) == 1
            assert [payload(data) for data, _ in port.receive()] == [number]
        counters = port.counters()
        assert counters["rx_packets"] == 10_000
        assert counters["rx_bytes"] == sum(len(frame(i)) for i in range(10_000))
        assert counters["rx_errors"] == 0
        accounted = port.frames_accounted()["receive"]
        assert accounted["device"] + accounted["held"] == 64
        # Chunks go back eight at a time: one doorbell for each eight packets.
        assert device.receive_posts - posts <= 10_000 // 8 + 1


def test_without_a_chunk_the_device_drops_and_the_port_recovers(device):
    with port_on(device, receive_frames=16) as port:
        assert sum(device.deliver(frame(number)) for number in range(40)) == 16
        assert [payload(data) for data, _ in port.receive(100)] == list(range(16))
        assert device.deliver(frame(99)) == 1
        assert [payload(data) for data, _ in port.receive(100)] == [99]


def test_sent_frames_leave_in_order_with_one_doorbell_a_burst(device):
    with port_on(device, transmit_frames=64, signal_every=16) as port:
        frames = [frame(number, 4 + number % 1400 // 4 * 4) for number in range(5000)]
        for data in frames:
            assert port.send(data) == 0
        assert device.frames == frames
        counters = port.counters()
        assert (counters["tx_packets"], counters["tx_errors"], counters["tx_full"]) == (5000, 0, 0)
        doorbells = port.doorbells()
        assert doorbells["completions"] == 5000 // 16
        assert doorbells["strange"] == 0
        assert not device.overflowed()


def test_a_full_queue_refuses_and_takes_again(device):
    with port_on(device, transmit_frames=16, signal_every=4) as port:
        device.is_stalled = True
        results = queue(port, *(frame(number) for number in range(20)))
        assert results == [0] * 16 + [-1] * 4
        assert port.counters()["tx_full"] == 4
        assert port.frames_accounted()["transmit"] == {"free": 0, "queued": 0, "device": 16}
        device.is_stalled = False
        device.run()
        assert queue(port, frame(77)) == [0]
        assert [payload(data) for data in device.frames] == [*range(16), 77]


def test_no_frame_is_reused_while_the_device_has_it(device):
    """A completion that stands for several requests frees these, and none behind them."""
    with port_on(device, transmit_frames=16, signal_every=4, inline_bytes=0) as port:
        device.is_stalled = True
        queue(port, *(frame(number) for number in range(16)))
        device.run(6)
        assert queue(port, *(frame(number) for number in range(100, 120)))[:5] == [0, 0, 0, 0, -1]
        device.is_stalled = False
        device.run()
        assert [payload(data) for data in device.frames] == [*range(16), 100, 101, 102, 103]


def test_small_frames_go_inline(device):
    with port_on(device, inline_bytes=128) as port:
        assert port.mode()["inline_bytes"] == 128
        device.is_stalled = True
        queue(port, frame(1), frame(2, 1000))
        # An inline frame was taken with its request: what happens to the memory does not matter.
        port.restart()
        assert device.frames == []
    device = FakeDevice(inline_limit=60)
    with port_on(device, inline_bytes=192) as port:
        assert port.mode()["inline_bytes"] <= 60
        assert any("inline" in note for note in port.mode()["notes"])


def test_completions_out_of_order_are_counted_and_free_nothing_twice(device):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    with port_on(device, transmit_frames=32, signal_every=4) as port:
        sent = []
        for number in range(2000):
            device.hold_completions(rng.random() < 0.9)
            if rng.random() < 0.2:
                device.reverse_completions()
            if port.send(frame(number)) == 0:
                sent.append(number)
            port.frames_accounted()
        device.hold_completions(False)
        port.send(frame(1 << 20))
        assert [payload(data) for data in device.frames][: len(sent)] == sent
        assert port.doorbells()["strange"] > 0
        assert not device.overflowed()


@pytest.mark.parametrize("wr_id", [1 << 40, 5000])
def test_completions_of_nothing_are_not_believed(device, wr_id):
    with port_on(device) as port:
        queue(port, frame(1))
        device.forge_completion(wr_id)
        device.forge_completion(wr_id, receive=True)
        assert port.receive() == []
        assert queue(port, frame(2)) == [0]
        assert port.doorbells()["strange"] == 1
        assert port.counters()["rx_errors"] == 1
        port.frames_accounted()


def test_a_receive_completion_that_comes_twice_is_not_believed(device):
    with port_on(device) as port:
        device.deliver(frame(3))
        device.forge_completion(0, receive=True)
        assert [payload(data) for data, _ in port.receive()] == [3]
        assert port.counters()["rx_errors"] == 1
        port.frames_accounted()


def test_a_failed_send_stops_sending_until_a_restart(device):
    with port_on(device) as port:
        queue(port, frame(1))
        device.send_fault = STATUSES["protection"]
        queue(port, frame(2))
        assert queue(port, frame(3)) == [-1]
        assert "protection" in port.is_broken()
        assert port.counters()["tx_errors"] > 0
        port.restart()
        assert port.is_broken() == ""
        assert queue(port, frame(4)) == [0]
        assert [payload(data) for data in device.frames] == [1, 4]
        assert device.deliver(frame(5)) == 1
        assert [payload(data) for data, _ in port.receive()] == [5]
        port.frames_accounted()


def test_a_failed_receive_is_counted_and_told(device):
    with port_on(device) as port:
        device.deliver(frame(1), status=STATUSES["protection"])
        device.deliver(frame(2))
        assert [payload(data) for data, _ in port.receive()] == [2]
        assert port.counters()["rx_errors"] == 1
        assert "receive" in port.is_broken()
        port.restart()
        assert port.is_broken() == ""


def test_a_removed_device_is_said_and_survived(device):
    with port_on(device) as port:
        device.remove()
        device.report(EVENTS["device fatal"])
        assert queue(port, frame(1), frame(2)) == [0, -1]
        assert port.counters()["tx_errors"] == 2
        assert port.is_broken() == "the device was removed"
        assert queue(port, frame(3)) == [-1]
        assert port.receive() == []
        with pytest.raises(PortError, match="gone"):
            port.restart()
    assert device.made == 0


def test_a_link_that_goes_and_comes_is_told(device):
    with port_on(device) as port:
        device.report(EVENTS["port down"])
        assert port.is_broken() == "the link is down"
        device.report(EVENTS["port active"])
        assert port.is_broken() == ""


def test_hardware_time_where_the_device_has_it():
    device = FakeDevice(has_stamps=True)
    with port_on(device) as port:
        assert port.mode()["timestamps"] == "hardware"
        device.deliver(frame(1), ns=1_700_000_000_123_456_789)
        device.deliver(frame(2), status=STATUSES["flushed"])
        device.deliver(frame(3), ns=1_700_000_000_123_456_999)
        taken = port.receive()
        assert [(payload(data), ns) for data, ns in taken] == [
            (1, 1_700_000_000_123_456_789),
            (3, 1_700_000_000_123_456_999),
        ]
        assert port.counters()["rx_errors"] == 1
        assert port.is_broken() == ""
    with port_on(FakeDevice()) as port:
        assert port.mode()["timestamps"] == "none"
        assert any("no time stamps" in note for note in port.mode()["notes"])


def test_steering_rules_name_the_destinations(device):
    with port_on(device, destinations=[(GROUP, PORT), ("239.66.1.2", 7000)]) as port:
        assert port.mode()["destinations"] == [(GROUP, PORT), ("239.66.1.2", 7000)]
        assert len(device.rules) == 2
        # ibv_flow_attr, then the three parts of the rule in network byte order.
        rule = device.rules[1]
        assert struct.pack("!I", address_number(GROUP)) + bytes(4) not in rule[:20]
        assert struct.pack("!I", address_number(GROUP)) in rule
        assert struct.pack("!H", PORT) in rule
        assert bytes.fromhex("01005e420101") in rule
    assert device.rules == {}


def test_what_was_made_is_given_back_in_order(device):
    port = port_on(device)
    port.close()
    port.close()
    assert device.made == 0
    assert device.order == ["rule", "queue pair", *["completion queue"] * 2, "region"]
    assert port.receive() == []
    assert port.send(frame(1)) == -1
    with pytest.raises(PortError, match="closed"):
        port.frames_accounted()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"receive_frames": 100}, "power of two"),
        ({"transmit_frames": 0}, "power of two"),
        ({"destinations": [("exchange", 1)]}, "address"),
        ({"destinations": [(GROUP, 0)]}, "no UDP port"),
    ],
)
def test_mistakes_are_one_clear_line_and_leave_nothing(device, options, text):
    with pytest.raises(PortError, match=text) as caught:
        port_on(device, **options)
    assert "\n" not in str(caught.value)
    assert device.made == 0


def test_refused_rules_and_a_dead_port(device):
    device.refuses_rules = True
    with pytest.raises(PortError, match=r"steering.*cannot do that"):
        port_on(device)
    assert device.made == 0
    device.is_active = False
    with pytest.raises(PortError, match="not active"):
        port_on(device)
    assert device.made == 0


def test_lengths(device):
    with port_on(device) as port:
        assert port.send(b"x" * 13) == -1
        assert port.send(b"x" * 2049) == -1
        assert port.send(b"x" * 2048) == 0
        counters = port.counters()
        assert (counters["tx_errors"], counters["tx_too_long"]) == (1, 1)


def test_no_such_device_is_one_clear_line():
    with pytest.raises(PortError, match=r"no such RDMA device|no RDMA devices") as caught:
        VerbsDevice("absent0")
    assert "\n" not in str(caught.value)
    with pytest.raises(PortError, match="absent0"):
        VerbsPort("absent0")
