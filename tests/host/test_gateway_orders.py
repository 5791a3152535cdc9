# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest
from gateway_support import SECOND, Desk, login_accepted, ouch, soup
from hypothesis import given, settings
from hypothesis import strategies as st

from host.gateway.enumerations import MESSAGE, REFUSED
from host.gateway.soupbintcp import SoupBinTCPClient
from host.risk.seal import Seal
from nic.frame import parse_tcp
from nic.wire.ouch50 import OUCH50
from nic.wire.reference import decode, decode_tags, encode
from nic.wire.table import LengthRule

NEW, REPLACE, CANCEL = range(3)


def up(**options):
    desk = Desk(**options)
    desk.log_in()
    desk.records()
    return desk


def sent(desk):
    """The one OUCH message that the exchange got: its name, fields and option tags."""
    ((kind, message),) = desk.exchange.packets()
    assert kind == "U"
    name, fields = decode(OUCH50, message, "inbound")
    return name, fields, decode_tags(OUCH50, fields.get("payload", b""))


def test_enter_order():
    desk = up(channel_options={"firm": "ABCD", "capacity": "A", "display": "N"})
    fields = {"strategy_id": 0x12, "quantity": 300, "price": 1_234_500, "side": 83}
    assert desk.order(0xBEEF, time_in_force=51, post_only=True, symbol="MSFT", **fields) == 0
    name, values, tags = sent(desk)
    assert name == "enter_order"
    assert values["user_ref_num"] == 0xBEEF
    assert values["side"] == b"S"
    assert values["quantity"] == 300
    assert values["symbol"] == b"MSFT    "
    assert values["price"] == 1_234_500
    assert values["time_in_force"] == b"3"
    assert values["display"] == b"N"
    assert values["capacity"] == b"A"
    assert values["inter_market_sweep_eligibility"] == b"N"
    assert values["cross_type"] == b"N"
    assert values["cl_ord_id"] == b"TW00120000BEEF"
    assert tags == {"firm": b"ABCD", "post_only": b"P"}


def test_templates_keep_nothing_of_the_order_before():
    desk = up()
    assert desk.order(1, post_only=True) == 0
    assert sent(desk)[2] == {"post_only": b"P"}
    assert desk.order(2, post_only=False, quantity=7) == 0
    _, values, tags = sent(desk)
    assert (values["quantity"], values["appendage_length"], tags) == (7, 0, {})


@pytest.mark.parametrize(("post_only", "letter"), [(True, b"P"), (False, b"N")])
def test_replace(post_only, letter):
    desk = up(channel_options={"firm": "ABCD"})
    assert desk.order(9, action=REPLACE, user_ref_num=0) == -REFUSED.value("bad_order")
    seal = desk.seal
    passed = seal.passed_order(
        pass_number=2,
        action=REPLACE,
        side=66,
        quantity=50,
        price=77,
        user_ref_num=8,
        post_only=post_only,
    )
    assert desk.channel.send_passed(passed, 9, "AAPL", 0) == 0
    name, values, tags = sent(desk)
    assert name == "replace_order_request"
    assert (values["orig_user_ref_num"], values["user_ref_num"]) == (8, 9)
    assert (values["quantity"], values["price"]) == (50, 77)
    assert tags == {"post_only": letter}


def test_cancel_carries_the_number_of_its_order():
    desk = up()
    passed = desk.seal.passed_order(
        pass_number=1, action=CANCEL, side=66, quantity=0, price=0, user_ref_num=5
    )
    assert desk.channel.send_passed(passed, 99, "AAPL", 0) == 0
    name, values, _ = sent(desk)
    assert name == "cancel_order_request"
    assert (values["user_ref_num"], values["quantity"]) == (5, 0)
    (record,) = desk.records_of("order_sent")
    assert record.fields["user_ref_num"] == 5
    assert record.fields["action"] == CANCEL


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(1, 2**32 - 1),
            st.integers(0, 2**32 - 1),
            st.integers(-5, 2**63 - 1),
            st.booleans(),
            st.integers(0, 65535),
        ),
        max_size=20,
    )
)
def test_the_record_is_what_went_out(orders):
    desk = up()
    refused = 0
    for i, (action, number, quantity, price, post_only, strategy) in enumerate(orders):
        code = desk.order(
            i + 1,
            action=action,
            user_ref_num=number,
            quantity=quantity,
            price=price,
            post_only=post_only,
            strategy_id=strategy,
        )
        refused += code != 0
        assert code == 0 or (action != CANCEL and (quantity == 0 or price <= 0))
    wire = [(len(m) + 1).to_bytes(2, "big") + k.encode() + m for k, m in desk.exchange.packets()]
    records = desk.records_of("order_sent")
    assert [r.payload for r in records] == wire
    assert len(wire) == len(orders) - refused
    passes = [r.fields["pass_number"] for r in records]
    assert passes == sorted(set(passes))
    assert {r.fields["trace_line"] for r in records} <= {0xFFFF}


def test_only_a_sealed_order_is_sent():
    desk = up()
    good = desk.seal.passed_order(pass_number=1, action=NEW, side=66, quantity=1, price=1)
    for i in range(len(good)):
        for bit in (1, 0x80):
            bad = good[:i] + bytes([good[i] ^ bit]) + good[i + 1 :]
            assert desk.channel.send_passed(bad, 1, "A", 0) == -REFUSED.value("seal")
    foreign = Seal(99).passed_order(pass_number=1, action=NEW, side=66, quantity=1, price=1)
    assert desk.channel.send_passed(foreign, 1, "A", 0) == -REFUSED.value("seal")
    assert desk.channel.send_passed(bytes(len(good)), 1, "A", 0) == -REFUSED.value("seal")
    assert desk.exchange.packets() == []
    assert desk.records_of("order_sent") == []
    assert desk.channel.counters()["refused_seal"] == 2 * len(good) + 2
    assert desk.channel.send_passed(good, 1, "A", 0) == 0


def test_what_can_not_be_encoded_is_refused():
    desk = up()
    bad = -REFUSED.value("bad_order")
    assert desk.order(0) == bad
    assert desk.order(1, quantity=0) == bad
    assert desk.order(1, price=0) == bad
    assert desk.order(1, price=-1) == bad
    assert desk.order(1, action=3) == bad
    assert desk.order(1, action=CANCEL, user_ref_num=0) == bad
    assert desk.order(1, venue=1) == bad
    assert desk.exchange.packets() == []
    with pytest.raises(ValueError):
        desk.order(1, symbol="TOOLONGNAME")
    with pytest.raises(ValueError):
        desk.channel.send_passed(b"short", 1, "A", 0)


def test_nothing_is_sent_before_the_session_is_up():
    desk = Desk()
    refused = -REFUSED.value("not_ready")
    assert desk.order() == refused
    desk.channel.step(0)
    desk.channel.step(0)
    assert desk.order() == refused
    desk.exchange.send(login_accepted())
    desk.channel.step(0)
    assert desk.channel.reports.session_state_name == "replaying"
    assert desk.order() == refused
    desk.answer()
    desk.channel.step(0)
    assert desk.order() == 0
    desk.exchange.end.close()
    desk.channel.step(0)
    assert desk.order() == refused
    assert desk.channel.counters()["refused_not_ready"] == 4


def test_full_journal_stops_orders_but_not_answers():
    desk = up(ring_bytes=16384, channel_options={"journal_reserve_bytes": 4096})
    count = 0
    while desk.channel.is_ready():
        assert desk.order(count + 1) == 0
        count += 1
    assert desk.order(count + 1) == -REFUSED.value("journal")
    assert len(desk.exchange.packets()) == count > 20
    desk.exchange.send(*[soup("sequenced_data", ouch("cancel_pending", user_ref_num=1))] * 20)
    desk.channel.step(0)
    assert desk.channel.counters()["unrecorded_messages"] == 0
    assert len(desk.reports) == 21
    kinds = [r.kind for r in desk.records()]
    assert kinds == ["order_sent"] * count + ["inbound"] * 20
    assert desk.channel.is_ready()
    assert desk.order(count + 1) == 0


def test_message_without_room_in_the_journal_is_counted_and_still_reported():
    desk = up(ring_bytes=4096, channel_options={"journal_reserve_bytes": 0})
    desk.exchange.send(*[soup("sequenced_data", ouch("cancel_pending", user_ref_num=1))] * 100)
    desk.channel.step(0)
    assert len(desk.reports) == 101
    unrecorded = desk.channel.counters()["unrecorded_messages"]
    assert 0 < unrecorded == 100 - len(desk.records_of("inbound"))


@pytest.mark.parametrize("window", [1, 3, 10, 48, 49])
def test_small_window_delays_but_keeps_order(window):
    desk = up()
    desk.exchange.client_end.window_bytes = window
    for i in range(10):
        assert desk.order(i + 1) == 0
    numbers = []
    for _ in range(800):
        desk.channel.step(0)
        numbers += [
            decode(OUCH50, m, "inbound")[1]["user_ref_num"] for _, m in desk.exchange.packets()
        ]
    assert numbers == list(range(1, 11))
    assert desk.channel.counters()["partial_sends"] > 0


def test_full_outbound_buffer_refuses_before_anything_is_recorded():
    desk = up(outbound_bytes=1024)
    desk.exchange.client_end.window_bytes = 0
    count = 0
    while desk.order(count + 1) == 0:
        count += 1
    assert desk.order(count + 1) == -REFUSED.value("no_room")
    assert not desk.channel.is_ready()
    assert len(desk.records_of("order_sent")) == count
    desk.exchange.client_end.window_bytes = 60
    desk.channel.step(0)
    desk.channel.step(0)
    assert desk.channel.is_ready()
    assert desk.order(count + 1) == 0
    desk.exchange.client_end.window_bytes = 100_000
    desk.channel.step(0)
    assert len(desk.exchange.packets()) == count + 1


def test_what_did_not_leave_is_recorded_as_such():
    desk = up()
    desk.exchange.client_end.window_bytes = 30
    for i in range(3):
        assert desk.order(i + 1) == 0
    sent_records = desk.records_of("order_sent")
    desk.exchange.end.close()
    desk.channel.step(SECOND)
    unsent = [r for r in desk.records() if r.kind == "order_unsent"]
    assert b"".join(r.payload for r in unsent) in b"".join(r.payload for r in sent_records)
    left = sum(len(r.payload) for r in sent_records) - sum(
        len(r.payload) - r.fields["sent_bytes"] for r in unsent
    )
    assert left == desk.exchange.end.waiting_bytes()
    assert desk.channel.counters()["unsent_packets"] == len(unsent) > 0


def test_connection_that_is_just_gone():
    desk = up()
    desk.exchange.end.close()
    assert desk.order(1) == -REFUSED.value("closed")
    assert not desk.channel.is_ready()
    assert desk.states[-1] == 1
    kinds = [(r.kind, r.fields.get("sent_bytes")) for r in desk.records()]
    assert kinds == [("order_sent", None), ("order_unsent", 0)]
    desk.channel.step(0)
    assert desk.states[-1] == 0


def test_session_states_and_queries_are_recorded():
    desk = Desk()
    desk.log_in(5)
    desk.exchange.end.close()
    desk.channel.step(6)
    records = desk.records()
    assert [r.kind for r in records] == ["session", "query_sent", "inbound", "session", "session"]
    assert [r.fields["state"] for r in records if r.kind == "session"] == [2, 1, 0]
    assert records[0].fields["session"] == b"        S1"
    assert records[0].fields["next_sequence_number"] == 1
    assert records[1].payload == b"\x00\x04UQ\x00\x00"
    assert records[-1].fields["next_sequence_number"] == 2


def value_of(field):
    if not field.is_integer:
        return {1: b"L"}.get(field.width, b"X" * field.width)
    return int.from_bytes(bytes(range(1, field.width + 1)), "big")


KINDS = {
    "order_accepted": "accepted",
    "order_replaced": "replaced",
    "order_canceled": "canceled",
    "aiq_canceled": "canceled",
    "order_executed": "executed",
    "broken_trade": "broken",
    "rejected": "rejected",
    "cancel_pending": "cancel_pending",
    "cancel_reject": "cancel_reject",
    "order_priority_update": "priority",
    "order_modified": "modified",
    "order_restated": "restated",
}
SAME = ("user_ref_num", "quantity", "price", "order_reference_number", "match_number", "timestamp")


@pytest.mark.parametrize("message", OUCH50.of("outbound"), ids=lambda m: m.name)
def test_every_outbound_message_is_decoded(message):
    """Field by field against the reference codec, with and without an appendage."""
    fields = {f.name: value_of(f) for f in message if f.name not in ("message_type",)}
    fields.pop("appendage_length", None)
    variants = [encode(OUCH50, message.name, fields)]
    if message.has_appendage:
        variants.append(encode(OUCH50, message.name, {**fields, "payload": b"\x02\x1c\x05"}))
    if message.length_rule is LengthRule.OPTIONAL_APPENDAGE:
        variants.append(encode(OUCH50, message.name, {**fields, "appendage_length": 0}))
    for data in variants:
        desk = up()
        desk.exchange.send(soup("sequenced_data", data))
        desk.channel.step(0)
        report = desk.reports[-1]
        assert report["kind"] == KINDS.get(message.name, "other")
        for name in SAME:
            if name in fields:
                assert report[name] == fields[name], name
        assert report["sequence_number"] == 2
        if "orig_user_ref_num" in fields:
            assert report["original_user_ref_num"] == fields["orig_user_ref_num"]
        if "decrement_shares" in fields:
            assert report["quantity"] == fields["decrement_shares"]
            assert report["price"] == fields["execution_price"]
        if "reason" in fields:
            reason = fields["reason"]
            assert report["reason"] == (reason if isinstance(reason, int) else reason[0])
        if "order_state" in fields:
            assert report["order_state"] == ord("L")
        if report["kind"] == "other":
            assert report["reason"] == message.code
        if message.name == "account_query_response":
            assert report["user_ref_num"] == fields["next_user_ref_num"]
        if message.name == "system_event":
            assert report["liquidity_flag"] == ord("L")
        expected = 2 if message.name == "account_query_response" else 1
        assert desk.channel.counters()[f"message_{message.name}"] == expected
        (record,) = [r for r in desk.records() if r.kind == "inbound"]
        assert record.payload == data
        assert record.fields == {"venue": 0, "sequence_number": 2}


def test_every_outbound_message_has_a_counter():
    assert len(MESSAGE.entries) == 17


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=90))
def test_malformed_messages_are_counted_and_recorded(data):
    desk = up()
    desk.exchange.send(soup("sequenced_data", data))
    desk.channel.step(0)
    counters = desk.channel.counters()
    try:
        name, _ = decode(OUCH50, data, "outbound")
    except ValueError as error:
        counter = "unknown_type" if error.reason == "unknown_type" else "bad_length"
        assert counters[f"message_{counter}"] == 1
        assert len(desk.reports) == 1
    else:
        assert counters[f"message_{name}"] >= 1
    assert [r.payload for r in desk.records() if r.kind == "inbound"] == [data]


def test_every_cut_of_every_message_is_survived():
    desk = up()
    for message in OUCH50.of("outbound"):
        whole = encode(OUCH50, message.name, {})
        for size in range(len(whole)):
            desk.exchange.send(soup("sequenced_data", whole[:size]))
            desk.channel.step(0)
    assert desk.client.state_name == "logged_in"
    assert desk.channel.counters()["message_bad_length"] > 300


DATA = os.environ.get("TICKWIRE_DATA")
PCAP_HEADER_BYTES = 24
PCAP_RECORD_BYTES = 16


def real_payload(name):
    """TCP payload of the only frame of a real capture."""
    raw = (Path(DATA) / "nasdaq-ouch50" / name).read_bytes()
    result, segment = parse_tcp(raw[PCAP_HEADER_BYTES + PCAP_RECORD_BYTES :])
    assert result == "ok"
    return segment["payload"]


@pytest.mark.skipif(not DATA, reason="TICKWIRE_DATA is not set")
def test_real_order_accepted_is_decoded():
    payload = real_payload("OrderAcceptedMessage.pcap")
    desk = up()
    desk.exchange.send(payload)
    desk.channel.step(0)
    name, fields = decode(OUCH50, payload[3:], "outbound")
    report = desk.reports[-1]
    assert name == "order_accepted"
    assert report["kind"] == "accepted"
    for key in ("user_ref_num", "quantity", "price", "order_reference_number", "timestamp"):
        assert report[key] == fields[key]


@pytest.mark.skipif(not DATA, reason="TICKWIRE_DATA is not set")
def test_real_heartbeat_and_enter_order_are_what_we_send():
    desk = up()
    desk.channel.step(2 * SECOND)
    assert desk.exchange.end.read() == real_payload("ClientHeartbeatPacket.pcap")
    payload = real_payload("EnterOrderMessage.pcap")
    _, fields = decode(OUCH50, payload[3:], "inbound")
    desk.order(
        fields["user_ref_num"],
        symbol=fields["symbol"].decode().strip(),
        side=fields["side"][0],
        quantity=fields["quantity"],
        price=fields["price"],
        time_in_force=fields["time_in_force"][0],
    )
    ours = desk.exchange.end.read()
    own = ("display", "capacity", "inter_market_sweep_eligibility", "cross_type", "cl_ord_id")
    _, sent_fields = decode(OUCH50, ours[3:], "inbound")
    for name, value in fields.items():
        if name not in (*own, "appendage_length", "payload"):
            assert sent_fields[name] == value, name


def test_a_channel_checks_its_letters():
    for options in ({"display": "x"}, {"capacity": "PP"}, {"cross_type": ""}, {"firm": "FIVE5"}):
        with pytest.raises(ValueError):
            Desk(channel_options=options)
    with pytest.raises(TypeError):
        SoupBinTCPClient()
