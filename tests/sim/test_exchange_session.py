# SPDX-License-Identifier: Apache-2.0
"""SoupBinTCP sessions in one process: logins, resume, timers, bad input."""

import pytest
from exchange_support import login, ouch, packets, short, soup, unsequenced
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.exchange.acceptor import Acceptor
from sim.exchange.config import parse_config
from sim.exchange.exchange import Exchange

SECOND = 1_000_000_000


class Wire:
    """An exchange without flow, and what each of its connections was sent."""

    def __init__(self, **entry):
        sessions = [
            {"name": "OUCH01", "username": "trader", "password": "secret", "firm": "ONE"},
            {"name": "OUCH02", "username": "other", "password": "", "firm": "TWO"},
        ]
        self.exchange = Exchange(
            parse_config(
                {
                    "symbols": ["AAPL"],
                    "feed": {"a": {"group": "239.1.1.1", "port": 26477}},
                    "flow": {"messages_per_second": 0},
                    "order_entry": {"sessions": sessions} | entry,
                }
            )
        )
        self.now = 0
        self.closed = []
        self.exchange.start(0)

    def connect(self, name):
        self.exchange.on_client_connected(name, self.now)

    def send(self, name, data):
        """Send bytes; what every connection is sent then: (name, letter, rest)."""
        self.exchange.on_client_bytes(name, data, self.now)
        return self.take()

    def take(self):
        found = []
        for name, data, close in self.exchange.take_client_output(self.now):
            found += [(name, letter, rest) for letter, rest in packets(data)]
            if close:
                self.closed.append(name)
        return found

    def wait(self, seconds):
        self.now += int(seconds * SECOND)
        self.exchange.on_timer(self.now)
        return self.take()

    def log_in(self, name, *arguments, **options):
        self.connect(name)
        return self.send(name, login(*arguments, **options))

    @property
    def counters(self):
        return self.exchange.acceptor.counters()


def enter(number):
    return unsequenced(ouch("enter_order", user_ref_num=number))


def test_login_is_accepted_and_replays_from_the_number_asked_for():
    wire = Wire()
    found = wire.log_in("c")
    assert found[0] == ("c", "A", b"    OUCH01" + b"1".rjust(20))
    assert [(letter, rest[:1]) for _, letter, rest in found[1:]] == [("S", b"S")]
    found = wire.send("c", enter(1))
    assert [short(rest) for _, _, rest in found] == [("accepted", 1, 100, "L")]


@pytest.mark.parametrize("session", ["", "OUCH01", "ouch01"])
@pytest.mark.parametrize(("username", "password"), [("trader", "secret"), ("TRADER", "Secret")])
def test_names_do_not_care_for_case(session, username, password):
    wire = Wire()
    assert wire.log_in("c", session, username=username, password=password)[0][1] == "A"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"password": "wrong"}, b"A"),
        ({"username": "nobody"}, b"A"),
        ({"session": "OUCH02"}, b"S"),
        ({"number": 3}, b"S"),
        ({"number": "x"}, b"S"),
        ({"number": "-1"}, b"S"),
        ({"number": ""}, b"S"),
    ],
)
def test_login_is_rejected_and_the_connection_closed(options, reason):
    wire = Wire()
    assert wire.log_in("c", **options) == [("c", "J", reason)]
    assert wire.closed == ["c"]
    assert wire.send("c", enter(1)) == []
    assert wire.counters["rejected_credentials"] + wire.counters["rejected_session"] == 1


def test_resume_replays_exactly_what_was_missed():
    wire = Wire()
    wire.log_in("first")
    for number in range(1, 6):
        wire.send("first", enter(number))
    wire.exchange.on_client_closed("first", wire.now)
    # an execution happens while nobody is there
    wire.exchange.engine.enter_background("AAPL", "S", 150, 1_000_000, 5)
    found = wire.log_in("second", "OUCH01", 5)
    assert found[0] == ("second", "A", b"    OUCH01" + b"5".rjust(20))
    assert [short(rest) for _, _, rest in found[1:]] == [
        ("accepted", 4, 100, "L"),
        ("accepted", 5, 100, "L"),
        ("executed", 1, 100, 1_000_000, "A"),
        ("executed", 2, 50, 1_000_000, "A"),
    ]
    # orders are still there, and the numbers go on
    found = wire.send("second", unsequenced(ouch("account_query_request")))
    assert [short(rest) for _, _, rest in found] == [("account", 6)]
    found = wire.send(
        "second", unsequenced(ouch("cancel_order_request", user_ref_num=3, quantity=0))
    )
    assert [short(rest) for _, _, rest in found] == [("canceled", 3, 100, "U")]


def test_number_zero_asks_for_the_most_recent_message():
    wire = Wire()
    wire.log_in("first")
    for number in range(1, 4):
        wire.send("first", enter(number))
    wire.exchange.on_client_closed("first", wire.now)
    found = wire.log_in("second", number=0)
    assert found[0][2].endswith(b" 4")
    assert [short(rest) for _, _, rest in found[1:]] == [("accepted", 3, 100, "L")]


def test_login_takes_over_from_a_connection_that_still_stands():
    wire = Wire()
    wire.log_in("old")
    found = wire.log_in("new")
    assert ("new", "A") in [each[:2] for each in found]
    assert wire.closed == ["old"]
    assert wire.send("old", enter(1)) == []
    assert wire.counters["takeovers"] == 1


def test_sessions_do_not_hear_each_other():
    wire = Wire()
    wire.log_in("one")
    wire.log_in("two", username="other", password="")
    assert {name for name, _, _ in wire.send("one", enter(1))} == {"one"}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_packets_may_be_cut_anywhere(size):
    wire = Wire()
    wire.connect("c")
    stream = login() + enter(1) + enter(2) + soup("client_heartbeat") + enter(3)
    found = []
    for at in range(0, len(stream), size):
        found += wire.send("c", stream[at : at + size])
    assert [short(rest) for _, _, rest in found[2:]] == [
        ("accepted", number, 100, "L") for number in (1, 2, 3)
    ]


def test_heartbeats_and_silence():
    wire = Wire()
    wire.log_in("c")
    assert wire.wait(0.5) == []
    assert wire.wait(0.5) == [("c", "H", b"")]
    for _ in range(20):
        wire.send("c", soup("client_heartbeat"))
        assert [letter for _, letter, _ in wire.wait(1)] == ["H"]
    assert wire.wait(13.9)
    assert wire.closed == []
    wire.wait(0.2)
    assert wire.closed == ["c"]
    assert wire.counters["silent"] == 1


def test_a_connection_that_does_not_log_in_is_dropped():
    wire = Wire()
    wire.connect("c")
    wire.wait(29)
    assert wire.closed == []
    wire.wait(1)
    assert wire.closed == ["c"]


def test_logout_closes_and_the_session_stays():
    wire = Wire()
    wire.log_in("c")
    wire.send("c", enter(1))
    wire.send("c", soup("logout_request"))
    assert wire.closed == ["c"]
    assert len(wire.exchange.desk.open_orders()) == 1
    assert wire.log_in("d", number=3)[0][1] == "A"


@pytest.mark.parametrize("how", ["logout", "close", "silence", "framing"])
def test_cancel_on_disconnect(how):
    wire = Wire(cancel_on_disconnect=True)
    wire.log_in("c")
    wire.send("c", enter(1))
    if how == "logout":
        wire.send("c", soup("logout_request"))
    elif how == "close":
        wire.exchange.on_client_closed("c", wire.now)
    elif how == "silence":
        wire.wait(16)
    else:
        wire.send("c", b"\0\0")
    assert wire.exchange.desk.open_orders() == []
    found = wire.log_in("d", number=3)
    assert [short(rest) for _, _, rest in found[1:]] == [("canceled", 1, 100, "Z")]


def test_bad_input_is_counted():
    wire = Wire()
    wire.connect("nologin")
    wire.send("nologin", enter(1))
    wire.connect("shortlogin")
    wire.send("shortlogin", b"\0\x2a" + login()[2:-5])
    assert wire.closed == ["nologin", "shortlogin"]
    assert wire.counters["bad_login"] == 2
    wire.log_in("c")
    for packet in (b"\0\x01Q", b"\0\x02Rx", login(), soup("debug", payload=b"hello")):
        assert wire.send("c", packet) == []
    assert "c" not in wire.closed
    assert (wire.counters["unknown_type"], wire.counters["bad_length"]) == (2, 1)
    assert wire.counters["debug"] == 1
    wire.send("c", unsequenced(b"nonsense"))
    assert wire.exchange.desk.counters()["unknown_type"] == 1
    wire.send("c", b"\0\0" + enter(1))
    assert wire.closed[-1] == "c"
    assert wire.counters["bad_framing"] == 1


def test_end_of_day_cancels_tells_and_closes():
    wire = Wire()
    wire.log_in("c")
    wire.send("c", enter(1))
    wire.exchange.stop(wire.now)
    found = wire.take()
    assert [short(rest) for _, letter, rest in found if letter == "S"] == [
        ("canceled", 1, 100, "E"),
        ("system_event", None),
    ]
    assert found[-1][:2] == ("c", "Z")
    assert wire.closed == ["c"]
    assert wire.log_in("d") == [("d", "J", b"S")]
    by_type = wire.exchange.publisher.messages_by_type()
    assert (by_type["A"], by_type["D"]) == (1, 1)


@settings(max_examples=150)
@given(st.lists(st.binary(min_size=1, max_size=120), max_size=12), st.booleans())
def test_random_bytes_never_trouble_the_acceptor(pieces, logged_in):
    wire = Wire()
    wire.connect("c")
    if logged_in:
        wire.send("c", login())
    for piece in pieces:
        wire.send("c", piece)
    wire.wait(1)
    assert wire.log_in("fresh", username="other", password="")[-1][0] == "fresh"


def test_wrong_sessions():
    acceptor: Acceptor = Wire().exchange.acceptor
    with pytest.raises(ValueError, match="two order-entry sessions"):
        acceptor.add_session("ouch01", "x", "y", "F")
    with pytest.raises(ValueError, match="longer than 4"):
        acceptor.add_session("OUCH09", "x", "y", "FIRMS")
    with pytest.raises(ValueError, match="1 to 10"):
        acceptor.add_session("OUCH0123456789", "x", "y", "F")
