# SPDX-License-Identifier: Apache-2.0
"""The whole card, as the host sees it: what goes in on lines and commands, what comes out."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from card_support import SEED, CardPair, all_records, fired_order, new_card
from line_support import IEX_LINE, NASDAQ_LINE
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from hw.order_builder_reference import NEW, Order
from hw.request import Origin
from nic.framing.arbiter_reference import ReferenceArbiter, ReferenceFilter
from nic.framing.enumerations import ARRIVAL, FRAMING, PARSER
from nic.framing.reference import ReferenceParser
from nic.offload.builder_enumerations import BUILDER
from nic.offload.card import Card, CardMismatch
from nic.offload.enumerations import RISK
from nic.offload.records import NOT_WANTED
from nic.offload.registers import REGISTERS
from nic.offload.trigger import TRIGGER, tag_of
from sim.feed_traffic import FeedTraffic
from sim.gateware.card_setup import ADDRESS, ROW, SYMBOL, T_NS, THRESHOLD, prepare, trade

pytestmark = pytest.mark.timeout(1800)  # the first time the model is compiled

LOCATES = (1, 2, 3, 77, 200, 8191, 16_383, 40_000)
KNOWN = {1: 5, 2: 1022, 77: 0, 8191: 9}
FRAMES = 600
STEPS = 4_500
LINE_TO_ORDER_CYCLES = 10
LINE_TO_VERDICT_CYCLES = 9
"""At most four from the last byte to the event, at most five from there."""


def test_a_card_of_other_tables_is_refused():
    device, card = new_card()
    assert card.feed is NASDAQ_LINE.feed
    assert card.identity["symbol_bits"] == 10
    assert device.mode()["device"] == "gateware model"

    class Altered:
        name = "altered"

        def read(self, address):
            value = device.read(address)
            return value ^ (address == REGISTERS["identity.layout_hash"].address)

    with pytest.raises(CardMismatch, match="layout_hash"):
        Card(Altered())


def test_registers_keep_what_is_written():
    device, card = new_card()
    r = random.Random(SEED)
    settings = [p for p in REGISTERS if p.register.access == "read_write"]
    written = {}
    for placed in settings:
        written[placed.path] = r.getrandbits(placed.register.bits)
        card.write(placed.path, written[placed.path])
    kept = {
        path: value
        for path, value in written.items()
        if path not in ("rings.records_taken", "rings.commands_made")
    }
    assert {path: card.read(path) for path in kept} == kept
    assert card.read("control.init_done") == 1
    with pytest.raises(ValueError, match="no register"):
        device.read(REGISTERS.size_bytes)
    card.write("control.set_time_ns", T_NS)
    before = device.cycles_run
    first = card.read("control.time_ns")
    device.run_cycles(10_000)
    cycles = device.cycles_run - before
    assert 0 <= first - T_NS < 100
    assert abs(card.read("control.time_ns") - T_NS - cycles * 6.4) < 200


def test_close_ends_it():
    device, card = new_card()
    device.close()
    assert device.read(0) == 0
    assert device.take_record() is None
    assert not card.command("start_day")
    with pytest.raises(ValueError, match="line"):
        device.receive(0, bytes(60))


# ---------------------------------------------------------------------- the feed


def published(traffic: FeedTraffic) -> list[bytes]:
    """Frames of a feed, some damaged where that does not move the sequence numbers far away."""
    kinds = ("_cut", "_other_ethertype", "_other_ip", "_bad_ip_sum", "_bad_udp_length")
    kinds += ("_elsewhere", "_longer_packet", "_short_frame")
    damages = [damage for damage in traffic.damages if damage.__name__ in kinds]
    assert len(damages) == len(kinds)
    return [
        traffic.rng.choice(damages)() if traffic.rng.random() < 0.1 else traffic.whole()
        for _ in range(FRAMES)
    ]


def arrivals(frames: list[bytes], r: random.Random) -> list[tuple[int, bytes, bool]]:
    """Line, frame and whether it is broken, in order; both lines lose some, B is late."""
    timed = [
        (place + line * r.choice((0, 0, 1, 7)), line, frame)
        for place, frame in enumerate(frames)
        for line in range(2)
        if r.random() < 0.85
    ]
    timed.sort(key=lambda entry: entry[:2])
    return [(line, frame, r.random() < 0.02) for _, line, frame in timed]


CARDS = {
    "whole card": (NASDAQ_LINE, True, 1),
    "whole card, every message": (NASDAQ_LINE, True, 0),
    "without orders": (NASDAQ_LINE, False, 1),
    "without orders, IEX, every message": (IEX_LINE, False, 0),
}


@pytest.mark.parametrize(("settings", "has_orders", "is_arbitrating"), CARDS.values(), ids=CARDS)
def test_events_and_counters_are_those_of_the_references(settings, has_orders, is_arbitrating):
    device, card = new_card(feed=settings.feed, has_orders=has_orders)
    has_locates = settings.feed is NASDAQ_LINE.feed
    print(f"seed {SEED}")
    for letter in "ab":
        card.set_line(letter, settings)
    card.write("control.gives_events", 1)
    card.write("control.is_arbitrating", is_arbitrating)
    for locate, index in KNOWN.items():
        card.set_symbol(index, b"SYMBOL  ", locate)
    traffic = FeedTraffic(settings, SEED, locates=LOCATES, unknown_share=0.002)
    parsers = [ReferenceParser(settings) for _ in "ab"]
    arbiter = ReferenceArbiter(is_arbitrating=bool(is_arbitrating))
    known = ReferenceFilter(KNOWN)
    expected, found = [], []
    for line, frame, is_broken in arrivals(published(traffic), random.Random(SEED)):
        device.receive(line, frame, is_broken)
        if traffic.rng.random() < 0.5:
            found += all_records(card)
        else:
            device.run_cycles(traffic.rng.randrange(8, 40))
        parsed = parsers[line].frame(frame, is_broken)
        datagram = parsed.datagram
        if datagram is not None and datagram.kind != "data":
            arbiter.idle(datagram.sequence_number)
        for message in parsed.messages:
            arrival = arbiter.message(line, message.sequence_number)
            if arrival.is_event:
                locate = int.from_bytes(message.message[1:3], "big") if has_locates else None
                wanted, index = known.find(locate)
                expected.append(
                    {
                        "line": line,
                        "arrival": ARRIVAL.value(arrival.kind),
                        "symbol_index": index if wanted else NOT_WANTED,
                        "sequence_number": message.sequence_number,
                        "message_length": len(message.message),
                        "message": message.message,
                    }
                )
    found += all_records(card)
    assert len(found) == len(expected) > 1_500
    for number, ((name, event), wanted) in enumerate(zip(found, expected, strict=True), 1):
        assert (name, event["record_number"]) == ("event", number)
        assert {key: event[key] for key in wanted} == wanted
    arrived = Counter(event["arrival"] for _, event in found)
    print({ARRIVAL.name_of(kind): count for kind, count in arrived.items()})
    assert (len(arrived) == 3) == bool(is_arbitrating)
    for letter, parser in zip("ab", parsers, strict=True):
        assert card.counters(f"line_{letter}.counters") == parser.counters
        assert parser.counters["fcs_errors"] and parser.counters["bad_ip_checksum"]
    assert set(parsers[0].counters) == set(FRAMING.names) | set(PARSER.names)
    counters = card.counters("arbiter.counters")
    unwanted = sum(event["symbol_index"] == NOT_WANTED for _, event in found)
    assert 0 < unwanted < len(found) if has_locates else unwanted == len(found)
    assert counters == arbiter.counters | {"unwanted": unwanted, "unwanted_dropped": 0}
    assert card.read("control.feed_gap") == bool(arbiter.counters["gaps"])
    assert card.read("control.records") == len(found)
    assert card.read("control.records_dropped") == card.records_lost == 0
    if is_arbitrating:
        assert card.read("arbiter.expected") == arbiter.expected
        card.write("control.clear_feed_gap", 1)
        assert card.read("control.feed_gap") == 0


# ---------------------------------------------------------------------- the gate


def test_verdicts_are_those_of_the_reference():
    device, card = new_card()
    print(f"seed {SEED}")
    pair = CardPair(SEED, card)
    for _ in range(STEPS):
        pair.step()
    counters = card.counters("gate.verdicts")
    assert counters == pair.reference.counters()
    requests = sum(counters.values())
    print(f"{requests} requests, {device.cycles_run} cycles")
    print(sorted(counters.items(), key=lambda item: -item[1]))
    assert requests >= 2_000
    assert sum(count > 0 for count in counters.values()) > 25
    assert card.records_lost == card.records_malformed == 0
    assert card.read("control.commands_refused") == 0
    assert card.read("builder.next_sequence_number") == 0


# ---------------------------------------------------------------------- the trigger


def test_a_message_fires_an_order_within_ten_cycles():
    device, card = new_card()
    r = random.Random(SEED)
    locate, symbol_index = 77, 40
    builder = prepare(card, NASDAQ_LINE, locate, symbol_index)
    assert not all_records(card)
    assert card.read("gate.limits_set") == 1
    traffic = FeedTraffic(NASDAQ_LINE, SEED, locates=(2,), unknown_share=0)
    tag = tag_of(symbol_index, 0, ROW.generation)
    to_order, to_verdict, offsets, sums = [], [], set(), set()
    fired = 0
    for _ in range(200):
        price = r.choice((9_999, 10_000, 10_050))
        before = [traffic.block(traffic.message()) for _ in range(r.randrange(6))]
        after = [traffic.block(traffic.message()) for _ in range(r.choice((0, 0, 3)))]
        blocks = [*before, traffic.block(trade(NASDAQ_LINE, locate, price)), *after]
        payload = traffic.transport(b"".join(blocks), len(blocks))
        trigger_number = traffic.sequence_number + len(before)
        traffic.sequence_number += len(blocks)
        frame = traffic.frame(payload)
        parsed = ReferenceParser(NASDAQ_LINE).frame(frame)
        message = parsed.messages[len(before)]
        device.run_still()
        begun = device.cycles_run
        device.receive(r.randrange(2), frame)
        found = all_records(card)
        events = {e["sequence_number"]: e for name, e in found if name == "event"}
        assert len(events) == len(blocks)
        verdicts = [v for name, v in found if name == "verdict"]
        outcomes = [o for name, o in found if name == "outcome"]
        assert len(verdicts) == len(outcomes) == (price >= THRESHOLD)
        if price < THRESHOLD:
            assert device.sent_frame() is None
            continue
        fired += 1
        (verdict,), (outcome,) = verdicts, outcomes
        assert verdict["passed"] == 1 and verdict["reason"] == RISK.value("passed")
        assert verdict["origin"] == Origin.TRIGGER.value and verdict["tag"] == tag
        assert (verdict["pass_number"], verdict["user_ref_num"]) == (fired, fired)
        assert (verdict["quantity"], verdict["price"]) == (300, price)
        assert (verdict["symbol_index"], verdict["strategy_id"]) == (symbol_index, 5)
        first_byte, slot = builder.next_sequence_number, builder.segments % builder.slots
        result, expected = builder.order(fired_order(fired, price))
        assert outcome["result"] == BUILDER.value(result) == BUILDER.value("orders_sent")
        assert (outcome["sequence_number"], outcome["slot"]) == (first_byte, slot)
        sent = device.sent_frame()
        assert sent is not None and device.sent_frame() is None
        cycle, octets = sent
        assert octets == expected
        dissected = Ether(octets)
        fresh = dissected.copy()
        del fresh[IP].chksum, fresh[TCP].chksum
        assert bytes(Ether(bytes(fresh))) == octets, "checksums"
        assert dissected[TCP].seq == first_byte and dissected[TCP].dport == ADDRESS.destination_port
        last_beat = begun + message.last_byte // 8
        to_order.append(cycle - last_beat)
        received = events[trigger_number]["received_cycle"]
        to_verdict.append(verdict["decided_cycle"] - received)
        sums.add(received - last_beat)
        offsets.add(message.last_byte % 8)
        assert card.command(
            "acknowledge_trigger", symbol_index=symbol_index, way=0, generation=ROW.generation
        )
    print(
        f"{fired} orders; last byte to verdict {min(to_verdict)} to {max(to_verdict)} cycles, "
        f"to the order's first byte {min(to_order)} to {max(to_order)}"
    )
    assert fired > 100 and offsets == set(range(8))
    assert len(sums) == 1, "an event's stamp is the cycle of its last byte, whatever its place"
    assert max(to_verdict) <= LINE_TO_VERDICT_CYCLES
    assert max(to_order) <= LINE_TO_ORDER_CYCLES
    counters = card.counters("trigger.counters")
    assert counters == TRIGGER.as_dict(
        [{"fired": fired, "condition_false": 200 - fired, "acknowledged": fired}.get(n, 0)
         for n in TRIGGER.names]
    )  # fmt: skip
    assert card.counters("builder.counters")["orders_sent"] == fired
    assert card.read("builder.next_sequence_number") == builder.next_sequence_number


def test_host_orders_and_payloads_share_the_connection():
    device, card = new_card()
    builder = prepare(card, NASDAQ_LINE, 77, 40)
    assert card.payload(b"\0\1H")
    ((name, outcome),) = all_records(card)
    result, expected = builder.payload(b"\0\1H")
    assert (name, outcome["result"]) == ("outcome", BUILDER.value(result))
    assert device.sent_frame()[1] == expected
    request = {
        "action": NEW, "side": ord("B"), "time_in_force": ord("0"), "post_only": 0, "venue": 2,
        "strategy_id": 1, "symbol_index": 40, "quantity": 100, "price": 10_000, "user_ref_num": 0,
    }  # fmt: skip
    assert card.request(9, **request)
    verdict, outcome = (fields for _, fields in all_records(card))
    assert (verdict["passed"], verdict["tag"], verdict["user_ref_num"]) == (1, 9, 1)
    assert outcome["result"] == BUILDER.value("orders_sent")
    order = Order(
        action=NEW, strategy=1, venue=2, symbol=SYMBOL, quantity=100, price=10_000,
        user_ref_num=1, pass_number=1,
    )  # fmt: skip
    assert device.sent_frame()[1] == builder.order(order)[1]
    # What could not leave is refused before: the session counts as down.
    card.write("builder.peer_window", 0)
    assert card.request(10, **request)
    ((_, verdict),) = all_records(card)
    assert (verdict["passed"], verdict["reason"]) == (0, RISK.value("order_entry_down"))
    assert device.sent_frame() is None
    # A kill holds back what the host and the trigger ask for.
    card.write("builder.peer_window", 1 << 20)
    assert card.command("kill", scope=0, id=0)
    assert card.request(11, **request)
    ((_, verdict),) = all_records(card)
    assert (verdict["passed"], verdict["reason"]) == (0, RISK.value("kill_global"))
    assert card.fields("gate.killed")["global"] == 1
    assert card.command("kill", scope=1, id=2)
    device.run_still()
    assert card.read("gate.killed_sessions") == 1 << 2
    # A reset without its first step does nothing, and is seen to do nothing.
    assert card.command("reset_kill", scope=1, id=2)
    device.run_still()
    assert card.read("gate.switches_refused") == 1
    assert card.read("gate.killed_sessions") == 1 << 2
