# SPDX-License-Identifier: Apache-2.0
import random

import pytest
from gateway_support import SECOND, Desk, Exchange, login_accepted, ouch, soup
from hypothesis import given, settings
from hypothesis import strategies as st

from host.gateway.soupbintcp import SoupBinTCPClient
from nic.wire.reference import decode
from nic.wire.soupbintcp import SOUPBINTCP

DOWN, UP, REPLAYING, ENDED = range(4)
EXECUTED = ouch("order_executed", user_ref_num=7, quantity=1, price=5, match_number=9)


def login_of(packet):
    kind, payload = packet
    assert kind == "L"
    return decode(SOUPBINTCP, b"\0\x2fL" + payload, "to_server")[1]


def test_first_login_asks_for_the_current_session_from_its_start():
    desk = Desk()
    seen = desk.log_in()
    login = login_of(seen[0])
    assert login["username"] == b"user  "
    assert login["password"] == b"secret    "
    assert login["requested_session"] == b" " * 10
    assert login["requested_sequence_number"] == b"                   1"
    assert desk.states == [REPLAYING, UP]
    assert desk.client.session_name == "S1"
    assert desk.client.state_name == "logged_in"
    assert desk.channel.is_ready()


def test_configured_session_and_number_are_asked_for():
    desk = Desk(session="S9", next_sequence_number=42)
    login = login_of(desk.log_in(session="S9", number=42)[0])
    assert login["requested_session"] == b"        S9"
    assert login["requested_sequence_number"].strip() == b"42"
    assert desk.client.next_sequence_number == 43


def test_reconnection_resumes_at_the_next_message():
    desk = Desk()
    desk.log_in()
    desk.exchange.send(*[soup("sequenced_data", EXECUTED)] * 3)
    desk.channel.step(0)
    assert desk.client.next_sequence_number == 5
    desk.exchange.end.close()
    desk.channel.step(SECOND)
    assert desk.states == [REPLAYING, UP, DOWN]
    assert desk.client.down_reason_name == "closed_by_peer"
    assert not desk.channel.is_ready()
    login = login_of(desk.log_in(2 * SECOND, number=5)[0])
    assert login["requested_session"] == b"        S1"
    assert login["requested_sequence_number"].strip() == b"5"
    assert desk.states == [REPLAYING, UP, DOWN, REPLAYING, UP]
    assert desk.channel.counters()["sequence_gaps"] == 0


def test_messages_seen_before_are_dropped_and_a_skip_is_counted():
    desk = Desk()
    desk.log_in()
    desk.exchange.send(*[soup("sequenced_data", EXECUTED)] * 3)
    desk.channel.step(0)
    desk.exchange.end.close()
    desk.channel.step(SECOND)
    desk.channel.step(2 * SECOND)
    desk.channel.step(2 * SECOND)
    desk.exchange.send(login_accepted(number=3), *[soup("sequenced_data", EXECUTED)] * 4)
    before = len(desk.reports)
    desk.channel.step(2 * SECOND)
    assert desk.channel.counters()["duplicate_messages"] == 2
    assert [r["sequence_number"] for r in desk.reports[before:]] == [5, 6]
    desk.exchange.end.close()
    desk.channel.step(3 * SECOND)
    desk.log_in(4 * SECOND, number=100)
    assert desk.channel.counters()["sequence_gaps"] == 1
    assert desk.reports[-1]["sequence_number"] >= 100


def test_replay_ends_with_the_answer_of_this_connection():
    """The answer to a query of the connection before comes among the missed messages."""
    desk = Desk()
    desk.channel.step(0)
    desk.channel.step(0)
    desk.exchange.packets()
    desk.exchange.send(login_accepted())
    desk.channel.step(0)
    assert [p[1][:1] for p in desk.exchange.packets()] == [b"Q"]
    desk.exchange.end.close()
    desk.channel.step(SECOND)
    desk.channel.step(2 * SECOND)
    desk.channel.step(2 * SECOND)
    desk.exchange.packets()
    desk.exchange.send(login_accepted())
    desk.channel.step(2 * SECOND)
    assert [p[1][:1] for p in desk.exchange.packets()] == [b"Q", b"Q"]
    desk.answer(3)
    desk.exchange.send(soup("sequenced_data", EXECUTED))
    desk.channel.step(2 * SECOND)
    assert desk.states[-1] == REPLAYING
    desk.answer(4)
    desk.channel.step(2 * SECOND)
    assert desk.states[-1] == UP
    assert [r["kind"] for r in desk.reports] == ["other", "executed", "other"]
    assert desk.reports[-1]["user_ref_num"] == 4
    assert desk.reports[-1]["reason"] == ord("Q")
    assert desk.channel.reports.next_user_ref_num == 4


def test_query_without_answer_is_repeated():
    desk = Desk()
    desk.channel.step(0)
    desk.channel.step(0)
    desk.exchange.send(login_accepted())
    desk.channel.step(0)
    desk.channel.step(SECOND - 1)
    assert desk.channel.counters()["query_retries"] == 0
    desk.channel.step(SECOND)
    assert desk.channel.counters()["query_retries"] == 1
    assert desk.channel.counters()["queries_sent"] == 2
    desk.answer()
    desk.channel.step(SECOND)
    assert desk.states == [REPLAYING, UP]


@pytest.mark.parametrize(
    ("reason", "state", "down"),
    [(b"A", "refused", "not_authorized"), (b"S", "idle", "session_not_available")],
)
def test_login_rejected(reason, state, down):
    desk = Desk()
    desk.channel.step(0)
    desk.channel.step(0)
    desk.exchange.send(soup("login_rejected", reason=reason))
    desk.channel.step(0)
    assert desk.client.state_name == state
    assert desk.client.down_reason_name == down
    assert desk.channel.counters()["login_rejects"] == 1
    desk.channel.step(60 * SECOND)
    desk.channel.step(60 * SECOND)
    assert len(desk.exchange.connections) == (1 if state == "refused" else 2)
    if state == "refused":
        desk.client.restart(61 * SECOND)
        desk.log_in(61 * SECOND)
        assert desk.states == [REPLAYING, UP]


def test_session_that_is_gone_is_given_up_for_the_current_one():
    desk = Desk()
    desk.log_in()
    desk.exchange.end.close()
    desk.channel.step(SECOND)
    desk.channel.step(2 * SECOND)
    desk.channel.step(2 * SECOND)
    assert login_of(desk.exchange.packets()[0])["requested_session"] == b"        S1"
    desk.exchange.send(soup("login_rejected", reason=b"S"))
    desk.channel.step(2 * SECOND)
    login = login_of(desk.log_in(10 * SECOND, session="S2", number=1)[0])
    assert login["requested_session"] == b" " * 10
    assert login["requested_sequence_number"].strip() == b"1"
    assert desk.channel.counters()["sessions_changed"] == 1
    assert desk.client.session_name == "S2"
    assert desk.states[-1] == UP


def test_heartbeat_when_nothing_was_sent_for_a_second():
    desk = Desk()
    desk.log_in(5 * SECOND)
    desk.channel.step(6 * SECOND - 1)
    assert desk.exchange.packets() == []
    desk.channel.step(6 * SECOND)
    assert desk.exchange.packets() == [("R", b"")]
    desk.channel.step(6 * SECOND + SECOND // 2)
    assert desk.order(t_ns=6 * SECOND + SECOND // 2) == 0
    desk.channel.step(7 * SECOND)
    assert [kind for kind, _ in desk.exchange.packets()] == ["U"]
    desk.channel.step(7 * SECOND + SECOND // 2)
    assert desk.exchange.packets() == [("R", b"")]
    assert desk.channel.counters()["client_heartbeats"] == 2


def test_silent_server_is_dropped_and_a_heartbeat_keeps_it():
    desk = Desk()
    desk.log_in()
    desk.channel.step(14 * SECOND)
    desk.exchange.send(soup("server_heartbeat"))
    desk.channel.step(14 * SECOND)
    desk.channel.step(29 * SECOND - 1)
    assert desk.client.state_name == "logged_in"
    desk.channel.step(29 * SECOND)
    assert desk.client.state_name == "idle"
    assert desk.client.down_reason_name == "server_silent"
    assert desk.states[-1] == DOWN
    desk.channel.step(29 * SECOND)
    assert desk.exchange.client_end.status() == "closed"


def test_timeouts_of_connection_and_login():
    desk = Desk(Exchange(connecting=True))
    desk.channel.step(0)
    desk.channel.step(5 * SECOND - 1)
    assert desk.client.state_name == "connecting"
    desk.channel.step(5 * SECOND)
    assert desk.client.down_reason_name == "connect_timeout"
    desk.channel.step(6 * SECOND)
    desk.exchange.end.open()
    desk.channel.step(6 * SECOND)
    assert desk.client.state_name == "login_sent"
    for second in range(7, 16):
        desk.exchange.send(soup("server_heartbeat"))
        desk.channel.step(second * SECOND)
    assert desk.client.state_name == "login_sent"
    desk.channel.step(16 * SECOND)
    assert desk.client.down_reason_name == "login_timeout"
    assert desk.states == []
    counters = desk.channel.counters()
    assert counters["connect_timeouts"] == counters["login_timeouts"] == 1


def test_backoff_doubles_up_to_its_limit_and_begins_anew_after_a_login():
    desk = Desk(Exchange(refuse=9))
    waits = []
    t_ns = 0
    for _ in range(9):
        desk.channel.step(t_ns)
        assert desk.client.state_name == "idle"
        waits.append(desk.client.connect_due_ns - t_ns)
        desk.channel.step(desk.client.connect_due_ns - 1)
        assert desk.channel.counters()["connects"] == len(waits)
        t_ns = desk.client.connect_due_ns
    tenth = SECOND // 10
    assert waits == [tenth * min(2**i, 100) for i in range(9)]
    desk.log_in(t_ns)
    desk.exchange.end.close()
    desk.channel.step(t_ns)
    assert desk.client.connect_due_ns - t_ns == tenth
    assert desk.channel.counters()["connect_failures"] == 9


def test_connection_that_fails_later_is_tried_again():
    desk = Desk(Exchange(connecting=True))
    desk.channel.step(0)
    desk.exchange.client_end.close()
    desk.channel.step(0)
    assert desk.client.down_reason_name == "connect_failed"
    desk.channel.step(SECOND)
    assert len(desk.exchange.connections) == 2


def test_end_of_session_is_final():
    desk = Desk()
    desk.log_in()
    desk.exchange.send(soup("end_of_session"))
    desk.channel.step(0)
    assert desk.states[-1] == ENDED
    desk.channel.step(100 * SECOND)
    assert len(desk.exchange.connections) == 1
    assert desk.client.state_name == "ended"
    assert desk.records()[-1].fields["state"] == ENDED


def test_logout_takes_what_still_comes():
    desk = Desk()
    desk.log_in()
    desk.channel.request_logout(SECOND)
    assert desk.exchange.packets() == [("O", b"")]
    assert not desk.channel.is_ready()
    assert desk.order() != 0
    desk.exchange.send(soup("sequenced_data", EXECUTED))
    desk.exchange.end.close()
    desk.channel.step(SECOND)
    assert desk.reports[-1]["kind"] == "executed"
    desk.channel.step(SECOND)
    assert desk.client.state_name == "stopped"
    assert desk.client.down_reason_name == "logged_out"
    desk.channel.step(100 * SECOND)
    assert len(desk.exchange.connections) == 1


def test_logout_does_not_wait_for_ever():
    desk = Desk()
    desk.log_in()
    desk.channel.request_logout(SECOND)
    desk.channel.step(3 * SECOND - 1)
    assert desk.client.state_name == "logging_out"
    desk.channel.step(3 * SECOND)
    assert desk.client.state_name == "stopped"
    desk = Desk(Exchange(refuse=5))
    desk.channel.step(0)
    desk.channel.request_logout(0)
    assert desk.client.state_name == "stopped"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 33, 64])
def test_any_segmentation_gives_the_same_messages(size):
    messages = [ouch("order_executed", user_ref_num=i, quantity=i + 1) for i in range(20)]
    desk = Desk()
    desk.log_in()
    desk.exchange.client_end.segment_bytes = size
    desk.exchange.send(
        soup("debug", b"hello"),
        *[soup("sequenced_data", m) + soup("server_heartbeat") for m in messages],
    )
    for _ in range(20 * 45):
        desk.channel.step(0)
    assert [r["user_ref_num"] for r in desk.reports[1:]] == list(range(20))
    assert [r["quantity"] for r in desk.reports[1:]] == list(range(1, 21))
    assert desk.channel.counters()["server_heartbeats"] == 20
    assert desk.channel.counters()["debug_packets"] == 1


def test_cut_at_every_byte():
    stream = (
        login_accepted()
        + soup("sequenced_data", EXECUTED)
        + soup("server_heartbeat")
        + soup("sequenced_data", EXECUTED)
    )
    for cut in range(len(stream) + 1):
        desk = Desk()
        desk.channel.step(0)
        desk.channel.step(0)
        for part in (stream[:cut], stream[cut:]):
            if part:
                desk.exchange.send(part)
            desk.channel.step(0)
        assert len(desk.reports) == 2, f"cut at {cut}"
        assert desk.channel.counters()["bytes_received"] == len(stream)


BAD = {
    "bad_packet_length": [b"\0\0", b"\0\x02HH", b"\0\x05Zabcd", b"\0\x01J"],
    "packet_too_long": [b"\xff\xffS", b"\x10\x00S"],
    "unexpected_packet": [login_accepted(), soup("login_rejected", reason=b"A")],
}


@pytest.mark.parametrize(("counter", "data"), [(k, d) for k, v in BAD.items() for d in v])
def test_lost_framing_drops_the_connection(counter, data):
    desk = Desk()
    desk.log_in()
    desk.exchange.send(data)
    desk.channel.step(SECOND)
    assert desk.channel.counters()[counter] == 1
    assert desk.states[-1] == DOWN
    desk.log_in(2 * SECOND, number=2)
    assert desk.states[-1] == UP


@pytest.mark.parametrize(
    "data",
    [
        soup("sequenced_data", EXECUTED),
        soup("unsequenced_data", EXECUTED),
        soup("login_accepted", session=b"S1", sequence_number=b"nonsense"),
        soup("login_accepted", session=b"S1", sequence_number=b"99999999999999999999"),
        soup("login_accepted", session=b"S1", sequence_number=b" " * 20),
    ],
)
def test_wrong_answer_to_a_login_drops_the_connection(data):
    desk = Desk()
    desk.channel.step(0)
    desk.channel.step(0)
    desk.exchange.send(data)
    desk.channel.step(0)
    assert desk.client.down_reason_name == "protocol_violation"
    assert desk.states == []


def test_unknown_types_are_counted_and_passed_over():
    desk = Desk()
    desk.log_in()
    desk.exchange.send(b"\0\x04?abc", soup("unsequenced_data", EXECUTED), b"\0\x01R")
    desk.exchange.send(soup("sequenced_data", EXECUTED))
    desk.channel.step(0)
    counters = desk.channel.counters()
    assert counters["unknown_packet_type"] == 2
    assert counters["unsequenced_messages"] == 1
    assert desk.reports[-1]["kind"] == "executed"
    assert desk.client.state_name == "logged_in"


@settings(max_examples=150)
@given(st.lists(st.binary(max_size=80), max_size=8), st.booleans(), st.integers(1, 50))
def test_random_bytes_of_the_server_are_survived(parts, logged_in, segment):
    desk = Desk()
    desk.channel.step(0)
    desk.channel.step(0)
    if logged_in:
        desk.exchange.send(login_accepted())
        desk.channel.step(0)
    for i, part in enumerate(parts):
        t_ns = i * SECOND
        if desk.exchange.end.status() == "open" and desk.exchange.client_end.status() == "open":
            desk.exchange.client_end.segment_bytes = segment
            desk.exchange.end.write(bytearray(part))
        for _ in range(5):
            desk.channel.step(t_ns)
    desk.channel.step(1000 * SECOND)
    desk.channel.step(1001 * SECOND)
    counters = desk.channel.counters()
    assert counters["disconnects"] <= counters["connects"]


@pytest.mark.parametrize("seed", range(20))
def test_damaged_streams_are_survived(seed):
    """Valid packets with a few bytes changed: whatever happens, a clean session follows."""
    source = random.Random(seed)
    desk = Desk()
    desk.log_in()
    stream = bytearray(
        b"".join(
            soup("sequenced_data", EXECUTED) if source.random() < 0.7 else soup("server_heartbeat")
            for _ in range(50)
        )
    )
    for _ in range(3):
        stream[source.randrange(len(stream))] = source.randrange(256)
    desk.exchange.send(bytes(stream))
    for _ in range(10):
        desk.channel.step(SECOND)
    if desk.client.state_name == "logged_in":
        desk.exchange.end.close()
    desk.channel.step(SECOND)
    if desk.client.state_name == "ended":
        desk.client.restart(SECOND)
    desk.log_in(20 * SECOND, number=desk.client.next_sequence_number)
    assert desk.states[-1] == UP, f"seed {seed}"


def test_bad_settings_are_refused():
    for options in (
        {"username": "seven77"},
        {"password": "p" * 11},
        {"session": "é"},
        {"first_backoff_ns": 0},
        {"maximum_packet_bytes": 70_000},
        {"outbound_bytes": 10},
    ):
        values = {"username": "u", "password": "p", **options}
        with pytest.raises(ValueError):
            SoupBinTCPClient(lambda: None, **values)
