# SPDX-License-Identifier: Apache-2.0
import random
import time

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from verify_support import (
    ACK,
    CLIENT,
    CLIENT_ISN,
    PSH,
    QUERY,
    SERVER,
    Day,
    Segment,
    accepted,
    cancel,
    executed,
    frame,
    good_day,
    order,
    soup,
)

from host.journal.reader import JournalError
from nic.port import PortError
from tools.verify import verify
from tools.verify_report import LISTED


def check(tmp_path, day, segments=None, **options):
    capture = day.write_capture(tmp_path / "orders.pcap", segments)
    journal = day.write_journal(tmp_path / "day.journal")
    return verify([capture], journal, **options)


def kinds(report):
    return dict(report.difference_counts)


def test_a_good_day_agrees(tmp_path):
    report = check(tmp_path, good_day())
    assert report.ok, report.differences
    assert report.differences == [] == report.notes
    assert report.connections == 2
    assert report.orders_on_wire == report.orders_recorded == 42
    assert report.queries_on_wire == 1
    assert report.messages_on_wire == report.messages_recorded == 41
    assert report.packets == {
        "client_login_request": 2,
        "client_unsequenced_data": 43,
        "client_client_heartbeat": 2,
        "client_logout_request": 2,
        "server_login_accepted": 2,
        "server_sequenced_data": 41,
        "server_server_heartbeat": 2,
    }
    values = report.to_dict()
    assert values["ok"] is True
    assert next(iter(values)) == "ok"


def test_port_can_be_given(tmp_path):
    assert check(tmp_path, good_day(), order_entry_port=9000).ok
    report = verify([tmp_path / "orders.pcap"], tmp_path / "day.journal", order_entry_port=9001)
    assert report.difference_counts["no_connection"] == 1
    assert report.difference_counts["not_on_wire"] == 43
    assert len(report.differences) == LISTED


def test_every_changed_byte_of_an_order_is_found(tmp_path):
    day = good_day()
    target = next(s for s in day.segments if s.payload == order(9))
    journal = day.write_journal(tmp_path / "day.journal")
    for at in range(3, len(target.payload)):
        target.payload = order(9)[:at] + bytes([order(9)[at] ^ 1]) + order(9)[at + 1 :]
        report = verify([day.write_capture(tmp_path / "orders.pcap")], journal)
        assert not report.ok, f"byte {at}"
        assert set(kinds(report)) <= {"bytes_differ", "no_risk_pass", "not_on_wire"}
        assert sum(report.difference_counts.values()) <= 2
        if kinds(report) == {"bytes_differ": 1}:
            assert f"first at byte {at} " in report.differences[0]
            assert "enter_order 9" in report.differences[0]


def test_every_changed_byte_of_a_fill_is_found(tmp_path):
    day = good_day()
    whole = soup("sequenced_data", executed(9))
    target = next(s for s in day.segments if s.payload == whole)
    journal = day.write_journal(tmp_path / "day.journal")
    for at in range(3, len(whole)):
        target.payload = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        report = verify([day.write_capture(tmp_path / "orders.pcap")], journal)
        assert kinds(report) == {"message_differs": 1}, f"byte {at}"


def test_order_without_a_pass(tmp_path):
    day = good_day()
    day.connect(number=day.sequence + 1)
    day.send(order(100))
    day.send(order(101), recorded=False)
    day.send(order(102))
    day.end()
    report = check(tmp_path, day)
    assert kinds(report) == {"no_risk_pass": 1}
    assert "enter_order 101" in report.differences[0]


def test_order_recorded_as_a_query_has_no_pass(tmp_path):
    day = good_day()
    day.connect(number=day.sequence + 1)
    day.record("query_sent", order(100), venue=0)
    day.wire(True, order(100))
    day.end()
    assert kinds(check(tmp_path, day)) == {"no_risk_pass": 1}


def test_pass_used_twice(tmp_path):
    day = good_day()
    day.connect(number=day.sequence + 1)
    day.send(order(100))
    day.pass_number -= 1
    day.send(order(101))
    day.end()
    assert kinds(check(tmp_path, day)) == {"journal": 1}


def test_order_missing_on_the_wire(tmp_path):
    day = good_day()
    day.connect(number=day.sequence + 1)
    for i in range(100, 110):
        day.send(order(i), on_wire=i not in (104, 109))
    day.end()
    report = check(tmp_path, day)
    assert kinds(report) == {"not_on_wire": 2}
    assert "enter_order 104" in report.differences[0]
    assert "enter_order 109" in report.differences[1]


def test_orders_in_another_order(tmp_path):
    day = good_day()
    day.connect(number=day.sequence + 1)
    day.send(order(100), on_wire=False)
    day.send(order(101))
    day.wire(True, order(100))
    day.end()
    assert kinds(check(tmp_path, day)) == {"not_on_wire": 1, "no_risk_pass": 1}


def test_orders_lost_with_their_connection_are_noted_not_blamed(tmp_path):
    day = Day()
    day.connect()
    day.send(order(1))
    day.send(order(2), on_wire=False)
    day.send(order(3), on_wire=False)
    day.session(0, reason=3)
    day.connect()
    day.send(order(4))
    day.end()
    report = check(tmp_path, day)
    assert report.ok, report.differences
    assert report.lost_with_connection == 2
    assert report.notes == ["2 packets recorded as sent died with their connection"]


def test_only_the_end_of_a_lost_connection_can_be_lost(tmp_path):
    day = Day()
    day.connect()
    day.send(order(1), on_wire=False)
    day.send(order(2))
    day.session(0, reason=3)
    assert kinds(check(tmp_path, day)) == {"not_on_wire": 1}


def test_after_a_logout_nothing_can_be_lost(tmp_path):
    day = Day()
    day.connect()
    day.send(order(1), on_wire=False)
    day.end()
    assert kinds(check(tmp_path, day)) == {"not_on_wire": 1}


def test_what_was_recorded_as_unsent_need_not_be_there(tmp_path):
    day = Day()
    day.connect()
    day.send(order(1))
    day.send(order(2), on_wire=False)
    day.wire(True, order(2)[:20])
    day.record("order_unsent", order(2), venue=0, sent_bytes=20)
    day.session(0, reason=11)
    report = check(tmp_path, day)
    assert report.ok, report.differences
    assert len(report.notes) == 1
    assert "20 bytes of an incomplete packet" in report.notes[0]
    day.record("order_unsent", order(3), venue=0, sent_bytes=0)
    (tmp_path / "day.journal").unlink()
    assert kinds(check(tmp_path, day)) == {"journal": 1}


def test_acknowledgement_that_was_not_recorded(tmp_path):
    day = good_day()
    day.connect(number=day.sequence + 1)
    day.receive(executed(1))
    day.receive(executed(2), recorded=False)
    day.receive(executed(3))
    day.end()
    report = check(tmp_path, day)
    assert kinds(report) == {"message_not_recorded": 1}
    assert report.differences == ["message_not_recorded: sequenced message 43"]


def test_acknowledgement_that_was_never_on_the_wire(tmp_path):
    day = good_day()
    day.connect(number=day.sequence + 1)
    day.receive(executed(1), on_wire=False)
    day.end()
    assert kinds(check(tmp_path, day)) == {"message_not_on_wire": 1}


def test_messages_sent_again_after_a_reconnection(tmp_path):
    day = Day()
    day.connect()
    day.receive(executed(1))
    day.receive(executed(2), recorded=False)
    day.session(0, reason=3)
    day.connect(number=2)
    day.receive(executed(2))
    day.receive(executed(3))
    day.end()
    assert check(tmp_path, day).ok
    day.segments[-4].payload = soup("sequenced_data", executed(77))
    (tmp_path / "day.journal").unlink()
    assert not check(tmp_path, day).ok


def test_login_that_was_not_recorded(tmp_path):
    day = good_day()
    day.connect(number=day.sequence + 1)
    day.records.pop()
    report = check(tmp_path, day)
    assert report.ok, "the connection may have died before the answer was taken"
    assert len(report.notes) == 1
    day.wire(True, QUERY)
    (tmp_path / "day.journal").unlink()
    assert kinds(check(tmp_path, day)) == {"logins": 1, "query_not_recorded": 1}


def test_session_the_journal_does_not_know(tmp_path):
    day = good_day()
    day.connect(session="S2")
    day.records.pop()
    day.wire(True, order(200))
    report = check(tmp_path, day)
    assert kinds(report) == {"unknown_session": 1, "no_risk_pass": 1, "logins": 1}


def test_orders_without_any_login(tmp_path):
    day = good_day()
    day.connect()
    day.records.pop()
    day.segments = [s for s in day.segments if s.payload != accepted() or s.connection == 0]
    day.sent[False] = 1
    day.wire(True, order(500))
    report = check(tmp_path, day)
    assert kinds(report) == {"unknown_session": 1, "no_risk_pass": 1, "logins": 1}


def mangled(day, seed):
    """The same bytes as TCP may bring them: split, joined, repeated, out of order."""
    source = random.Random(seed)
    found = []
    for segment in day.segments:
        at = 0
        while at < len(segment.payload):
            size = source.randrange(1, 40)
            found.append(
                Segment(
                    segment.connection,
                    segment.to_server,
                    segment.offset + at,
                    PSH | ACK,
                    segment.payload[at : at + size],
                )
            )
            at += size
        if not segment.payload:
            found.append(segment)
    for _ in range(60):
        copy = source.choice(found)
        place = min(found.index(copy) + source.randrange(1, 20), len(found))
        if copy.payload:
            found.insert(place, copy)
    for _ in range(60):
        i = source.randrange(len(found) - 1)
        if found[i].payload and found[i + 1].payload:
            found[i], found[i + 1] = found[i + 1], found[i]
    return found


@pytest.mark.parametrize("seed", range(12))
def test_what_tcp_may_do_changes_nothing(tmp_path, seed):
    day = good_day()
    report = check(tmp_path, day, mangled(day, seed))
    assert report.ok, (seed, report.differences)
    assert report.repeated_segments > 0
    assert report.reordered_segments > 0
    assert report.orders_on_wire == 42


def test_whole_day_in_one_segment_and_overlapping_retransmissions(tmp_path):
    day = Day()
    day.connect()
    for i in range(1, 11):
        day.send(order(i))
    data = b"".join(order(i) for i in range(1, 11))
    first = next(s for s in day.segments if s.payload == order(1))
    joined = [s for s in day.segments if s.offset < first.offset]
    joined.append(Segment(0, True, first.offset, ACK, data[:170]))
    joined.append(Segment(0, True, first.offset + 100, ACK, data[100:300]))
    joined.append(Segment(0, True, first.offset + 50, ACK, data[50:]))
    report = check(tmp_path, day, joined)
    assert report.ok, report.differences
    assert report.repeated_segments == 2
    joined[-1].payload = data[50:200] + b"!" + data[201:]
    report = verify([day.write_capture(tmp_path / "x.pcap", joined)], tmp_path / "day.journal")
    assert kinds(report) == {"conflict": 1}


def test_the_same_line_captured_twice(tmp_path):
    day = good_day()
    here = day.write_capture(tmp_path / "here.pcap")
    there = day.write_capture(tmp_path / "there.pcap", mangled(day, 5))
    journal = day.write_journal(tmp_path / "day.journal")
    report = verify([here, there], journal)
    assert report.ok, report.differences
    assert report.connections == 2
    target = next(s for s in day.segments if s.payload == order(30))
    target.payload = order(30, quantity=999)
    report = verify([here, day.write_capture(tmp_path / "changed.pcap")], journal)
    assert kinds(report) == {"conflict": 1}


def test_what_one_capture_dropped_the_other_has(tmp_path):
    day = good_day()
    journal = day.write_journal(tmp_path / "day.journal")
    lost = [s for s in day.segments if s.payload != order(32)]
    half = day.write_capture(tmp_path / "half.pcap", lost)
    report = verify([half], journal)
    assert report.difference_counts["capture"] == 1
    assert report.difference_counts["not_on_wire"] > 0
    assert f"{len(order(32))} bytes from offset" in report.differences[0]
    assert verify([half, day.write_capture(tmp_path / "whole.pcap")], journal).ok


def test_order_at_the_end_that_the_capture_dropped(tmp_path):
    """The connection is lost, but the exchange acknowledged the bytes: they were on the wire."""
    day = Day()
    day.connect()
    day.send(order(1))
    day.send(order(2))
    day.receive(executed(1))
    day.session(0, reason=3)
    segments = [s for s in day.segments if s.payload != order(2)]
    report = check(tmp_path, day, segments)
    assert kinds(report) == {"capture": 1}
    assert f"{len(order(2))} bytes from offset" in report.differences[0]
    assert report.lost_with_connection == 1


def test_other_traffic_is_left_alone(tmp_path):
    day = good_day()
    noise = [
        frame(("10.0.0.9", 22), ("10.0.0.1", 5555), 5, ACK, b"\0\x2fLnot a login"),
        frame(("10.0.0.9", 80), ("10.0.0.1", 5556), 5, PSH | ACK, b"HTTP/1.1 200 OK"),
        b"\xff" * 60,
        b"short",
    ]
    segments = [x for s in day.segments for x in (s, random.Random(1).choice(noise))]
    report = check(tmp_path, day, segments + noise)
    assert report.ok, report.differences
    assert report.connections == 2


def test_frames_built_by_scapy(tmp_path):
    """Another hand made these frames: options in the header, an odd trailer, real checksums."""
    day = Day()
    day.connect()
    day.send(order(1))
    day.receive(executed(1))
    frames = []
    for segment in day.segments:
        source, target = (CLIENT, SERVER) if segment.to_server else (SERVER, CLIENT)
        number = (CLIENT_ISN if segment.to_server else 1000) + segment.offset
        layer = TCP(
            sport=source[1],
            dport=target[1],
            seq=number % (1 << 32),
            ack=segment.acknowledgment % (1 << 32),
            flags=segment.flags,
            options=[("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)],
        )
        packet = Ether() / IP(src=source[0], dst=target[0]) / layer / segment.payload
        frames.append(bytes(packet) + b"\0\xee")
    report = check(tmp_path, day, frames)
    assert report.ok, report.differences


def test_connection_whose_beginning_was_not_captured(tmp_path):
    day = good_day()
    segments = [s for s in day.segments if s.connection == 1 and s.payload]
    report = check(tmp_path, day, segments)
    assert report.connections == 1
    assert not report.ok
    assert sum("beginning was not captured" in note for note in report.notes) == 2
    assert kinds(report) == {"message_not_on_wire": 21, "not_on_wire": 23, "logins": 1}


def test_torn_journal_is_noted(tmp_path):
    day = good_day()
    capture = day.write_capture(tmp_path / "orders.pcap")
    journal = day.write_journal(tmp_path / "day.journal")
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-45])
    report = verify([capture], journal)
    assert any("torn" in note for note in report.notes)
    assert report.ok
    journal.write_bytes(whole[: len(whole) // 2])
    report = verify([capture], journal)
    assert report.difference_counts["no_risk_pass"] > 5


def test_files_that_are_none_of_it(tmp_path):
    day = good_day()
    capture = day.write_capture(tmp_path / "orders.pcap")
    journal = day.write_journal(tmp_path / "day.journal")
    with pytest.raises(JournalError):
        verify([capture], capture)
    with pytest.raises(PortError):
        verify([journal], journal)
    with pytest.raises(FileNotFoundError):
        verify([capture], tmp_path / "none")
    with pytest.raises(PortError):
        verify([tmp_path / "none"], journal)


@pytest.mark.parametrize("seed", range(30))
def test_any_changed_byte_of_the_stream_is_found(tmp_path, seed):
    """Whatever byte of an order or message changes, framing included: they differ."""
    source = random.Random(seed)
    day = good_day()
    packets = [
        s
        for s in day.segments
        if s.payload and s.payload[2:3] in b"US" and s.payload != soup("server_heartbeat")
    ]
    target = source.choice(packets)
    at = source.randrange(len(target.payload))
    changed = bytearray(target.payload)
    changed[at] ^= source.randrange(1, 256)
    target.payload = bytes(changed)
    report = check(tmp_path, day)
    assert not report.ok, f"seed {seed}: byte {at}"


def test_report_for_people(tmp_path):
    day = good_day()
    lines = check(tmp_path, day).lines()
    assert lines[0] == "captures and journal agree"
    assert "  orders: 42 on the wire, 42 recorded" in lines
    report = verify([tmp_path / "orders.pcap"], tmp_path / "day.journal", order_entry_port=1)
    lines = report.lines()
    assert lines[0] == "captures and journal DIFFER"
    assert any(line.startswith("  and ") for line in lines)


def test_it_is_fast_enough(tmp_path):
    """A million messages must take about a minute; here is room for a busy machine."""
    day = Day()
    day.connect()
    for i in range(1, 2001):
        day.send(order(i))
        day.receive(executed(i))
        day.send(cancel(i))
    capture = day.write_capture(tmp_path / "orders.pcap")
    journal = day.write_journal(tmp_path / "day.journal")
    start = time.perf_counter()
    report = verify([capture], journal)
    seconds = time.perf_counter() - start
    assert report.ok, report.differences
    assert report.orders_on_wire == 4000
    assert seconds < 6000 * 60e-6 * 10
