# SPDX-License-Identifier: Apache-2.0
"""Orders of strategy hosts on a feed host: through its gate, under its limits, gone with them."""

import random

import pytest
from order_line_support import DeskWorld, Notes, reports, request

from host.ipc.enumerations import LINE_ACTION, LINE_REFUSAL, LINE_REPORT
from host.ipc.order_layout import SLOT_BYTES
from host.ipc.order_socket import connect_orders
from host.remote.remote_gate import REFUSED_BEFORE_THE_GATE
from host.strategy.market_maker import MarketMaker
from nic.offload.enumerations import RISK

BUY, SELL = ord("B"), ord("S")


@pytest.fixture
def make(tmp_path):
    made = []

    def world(**options):
        made.append(DeskWorld(tmp_path, **options))
        return made[-1].until_up()

    yield world
    for found in made:
        found.close()


@pytest.fixture
def world(make):
    return make()


def raw_line(world):
    """A line without a strategy host behind it, seated; for what none would send."""
    seats = world.desk.report()["joined"]
    line = connect_orders(world.ring + ".orders", name="raw")
    world.seat(lambda: world.desk.report()["joined"] > seats)
    assert reports(line)[0]["kind"] == LINE_REPORT.value("opened")
    return line


def new_order(world, number, handle=None, **values):
    """A good request for a buy that rests."""
    fields = {
        "action": LINE_ACTION.value("new"),
        "side": BUY,
        "time_in_force": ord("0"),
        "symbol": b"AAPL",
        "symbol_index": world.book.index("AAPL"),
        "quantity": 100,
        "price": world.price_below(),
        "handle": number if handle is None else handle,
    }
    return request(number, **(fields | values))


def answers(line):
    """What the answers on a raw line say: refusal by name."""
    kinds = (LINE_REPORT.value("taken"), LINE_REPORT.value("refused"))
    return [LINE_REFUSAL.name_of(r["refusal"]) for r in reports(line) if r["kind"] in kinds]


def wire_orders(world):
    return [name for name, _ in world.wires[0].orders()]


# ---------------------------------------------------------------------- the way there and back


def test_orders_of_two_hosts_arrive_and_each_hears_of_its_own(world):
    notes = [Notes(), Notes()]
    for one in notes:
        world.host(one)
    world.round(3)
    price = world.price_below()
    handles = [
        one.orders.buy("AAPL", 100 * (number + 1), price) for number, one in enumerate(notes)
    ]
    assert handles == [1, 1]  # each counts its own
    world.exchange_orders()
    sent = [f for name, f in world.wires[0].orders() if name == "enter_order"]
    assert sorted((f["quantity"], f["price"], f["symbol"].strip()) for f in sent) == [
        (100, price, b"AAPL"),
        (200, price, b"AAPL"),
    ]
    for number, one in enumerate(notes):
        (event,) = one.events
        assert (event["event"], event["state"], event["user_ref_num"]) == ("accepted", "live", 1)
        assert event["leaves_quantity"] == 100 * (number + 1)
    second = notes[0].orders.replace(1, "B", "AAPL", 300, price - 100)
    world.exchange_orders()
    assert second == 2 and notes[0].kinds(2) == ["replaced"]
    assert notes[0].orders.cancel(1, "AAPL") == 0  # it is replaced: nothing is sent
    assert notes[0].orders.cancel(2, "AAPL") == 2
    world.exchange_orders()
    assert notes[0].kinds(2) == ["replaced", "canceled"]
    assert len(notes[1].events) == 1
    assert world.remote[0].gate.open_orders == 0 and world.remote[1].gate.open_orders == 1
    assert sorted(o["strategy_id"] for o in world.trading.oms.orders()) == [0, 0, 1]
    found = world.desk.report()
    assert (found["requests"], found["taken"], found["refusals"]) == (4, 4, {})
    gate = world.remote[0].gate
    assert gate.counters()["requests"] == gate.counters()["taken"] == 3
    assert gate.round_trip.count == 3


def test_an_order_can_be_cancelled_before_anybody_answered(world):
    notes = Notes()
    host = world.host(notes)
    world.round(3)
    handle = notes.orders.buy("AAPL", 100, world.price_below())
    assert notes.orders.cancel(handle, "AAPL") == handle
    world.exchange_orders()
    assert notes.kinds(handle) == ["accepted", "canceled"]
    assert host.gate.open_orders == 0 and world.trading.oms.open_order_count == 0


def test_fills_and_positions_come_back(world):
    notes = Notes()
    world.host(notes)
    world.round(3)
    handle = notes.orders.buy("AAPL", 10, world.book.top("AAPL")["ask_price"], time_in_force="ioc")
    world.exchange_orders()
    assert notes.kinds(handle)[:2] == ["accepted", "executed"]
    last = notes.events[-1]
    assert (last["state"], last["leaves_quantity"], last["position"]) == ("filled", 0, 10)
    assert world.trading.oms.positions()[world.book.index("AAPL")]["position"] == 10


def test_a_host_sees_the_feed_hosts_tops(world):
    notes = Notes()
    host = world.host(notes)
    world.round(50)
    tops = host.engine.tops_by_symbol()
    assert set(tops) == {"AAPL", "MSFT", "INTC"}
    for symbol, top in tops.items():
        ours = world.book.top(symbol)
        assert all(
            top[n] == ours[n] for n in ("bid_price", "bid_shares", "ask_price", "ask_shares")
        )
    assert len(notes.books) > 10
    assert {top.symbol for top in notes.books} == set(tops)


def test_slices_are_worked_on_the_strategy_host(world):
    notes = Notes()
    host = world.host(notes)
    world.round(3)
    notes.orders.buy("AAPL", 90, world.price_below(), twap_seconds=0, slices=3)
    for _ in range(100):
        world.round()
        if host.engine.execution.counters()["slices_sent"] == 3:
            break
    world.exchange_orders()
    sent = [f["quantity"] for name, f in world.wires[0].orders() if name == "enter_order"]
    assert sent == [30, 30, 30]


def test_a_compiled_strategy_trades_as_if_it_were_here(world):
    host = world.host(MarketMaker(symbol_capacity=64, minimum_interval_ns=0))
    world.round(600)
    host.engine.stop()
    for _ in range(20):
        world.round()
    found = host.engine.strategies()[0].report()
    assert found["quotes"] > 10 and found["fills"] > 0
    assert host.gate.open_orders == world.trading.oms.open_order_count == 0
    counters = host.gate.counters()
    assert counters["unknown"] == counters["lost_answers"] == 0
    assert counters["requests"] == counters["taken"] + counters["refused"]
    assert world.trading.oms.counters()["executed"] > 0


# ---------------------------------------------------------------------- limits and refusals


def test_a_limit_holds_for_all_hosts_together(make):
    world = make(limits={"maximum_long_position_shares": 500})
    notes = [Notes(), Notes()]
    for one in notes:
        world.host(one)
    world.round(3)
    price = world.price_below()
    first = notes[0].orders.buy("AAPL", 300, price)
    world.exchange_orders()
    second = notes[1].orders.buy("AAPL", 300, price)
    world.exchange_orders()
    assert notes[0].kinds(first) == ["accepted"]
    (event,) = notes[1].events
    assert (event["event"], event["state"], event["user_ref_num"]) == (
        "refused",
        "rejected",
        second,
    )
    assert event["reason"] == RISK.value("maximum_long_position")
    assert world.remote[1].gate.refused() == {"maximum_long_position": 1}
    assert world.remote[1].gate.open_orders == 0
    assert notes[1].orders.buy("AAPL", 200, price) != 0  # what is left of it
    world.exchange_orders()
    assert notes[1].events[-1]["event"] == "accepted"
    assert wire_orders(world).count("enter_order") == 2
    assert world.desk.report()["refusals"] == {"gate": 1}
    assert world.trading.gate.counters()["maximum_long_position"] == 1


def test_a_refused_replace_leaves_its_order_and_a_refused_cancel_tells(make):
    world = make(limits={"maximum_quantity_shares": 100})
    notes = Notes()
    host = world.host(notes)
    world.round(3)
    price = world.price_below()
    first = notes.orders.buy("AAPL", 100, price)
    world.exchange_orders()
    second = notes.orders.replace(first, "B", "AAPL", 900, price)
    world.exchange_orders()
    assert notes.kinds(second) == ["refused"]
    assert notes.events[-1]["reason"] == RISK.value("maximum_quantity")
    assert host.gate.open_orders == 1
    # filled or gone at the feed host, unknown here: the cancel is refused, the strategy hears it
    world.trading.oms.cancel_all(world.now)
    world.settle()
    assert notes.orders.cancel(first, "AAPL") == first
    world.exchange_orders()
    kinds = notes.kinds(first)
    assert kinds[0] == "accepted" and "canceled" in kinds
    assert host.gate.refused() == {"maximum_quantity": 1, "unknown_order": 1}
    assert host.gate.open_orders == 0


def test_one_host_cant_name_anothers_order(world):
    notes = Notes()
    world.host(notes)
    world.round(3)
    notes.orders.buy("AAPL", 100, world.price_below())
    world.exchange_orders()
    number = world.trading.oms.open_orders()[0]["user_ref_num"]
    line = raw_line(world)
    cancel = LINE_ACTION.value("cancel")
    for count, handle in enumerate((number, 1, 0), start=1):
        line.sender.send(request(count, action=cancel, handle=handle))
    line.sender.send(new_order(world, 4, 9, action=LINE_ACTION.value("replace"), original_handle=1))
    world.exchange_orders()
    assert answers(line) == ["unknown_order"] * 4
    assert world.trading.oms.open_order_count == 1
    line.close()


def test_nothing_new_before_the_feed_host_trades_but_cancels(world):
    notes = Notes()
    world.host(notes)
    world.round(3)
    price = world.price_below()
    first = notes.orders.buy("AAPL", 100, price)
    world.exchange_orders()
    world.engine.enable_strategies(False)
    second = notes.orders.buy("AAPL", 100, price)
    third = notes.orders.replace(first, "B", "AAPL", 50, price)
    notes.orders.cancel(first, "AAPL")
    world.exchange_orders()
    reason = REFUSED_BEFORE_THE_GATE + LINE_REFUSAL.value("not_trading")
    refused = [(e["user_ref_num"], e["reason"]) for e in notes.events if e["event"] == "refused"]
    assert refused == [(second, reason), (third, reason)]
    assert notes.kinds(first) == ["accepted", "canceled"]
    assert world.remote[0].gate.refused() == {"not_trading": 2}


def test_a_killed_strategy_is_one_host(world):
    notes = [Notes(), Notes()]
    for one in notes:
        world.host(one)
    world.round(3)
    world.trading.gate.kill("strategy", world.remote[0].gate.strategy_number)
    for one in notes:
        one.orders.buy("AAPL", 100, world.price_below())
    world.exchange_orders()
    assert [one.events[-1]["event"] for one in notes] == ["refused", "accepted"]


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"action": 0}, "unknown_action"),
        ({"action": 99}, "unknown_action"),
        ({"length": SLOT_BYTES - 1}, "wrong_length"),
        ({"length": 255}, "wrong_length"),
        ({"action": 4, "length": 3}, "wrong_length"),
        ({"request_number": 2}, "sequence_gap"),
        ({"request_number": 0}, "sequence_gap"),
        ({"request_number": (1 << 64) - 1}, "sequence_gap"),
        ({"symbol_index": 63}, "unknown_symbol"),
        ({"symbol_index": 64}, "unknown_symbol"),
        ({"symbol_index": 0xFFFFFFFF}, "unknown_symbol"),
        ({"symbol": b"MSFT"}, "unknown_symbol"),
        ({"symbol": b""}, "unknown_symbol"),
        ({"handle": 0}, "bad_handle"),
        ({"side": 0}, "gate"),
        ({"time_in_force": 7}, "gate"),
        ({"post_only": 200}, "gate"),
        ({"quantity": 0}, "gate"),
        ({"quantity": 0xFFFFFFFF}, "gate"),
        ({"price": -1}, "gate"),
        ({"price": (1 << 63) - 1}, "gate"),
    ],
)
def test_what_is_wrong_has_its_own_name_and_goes_nowhere(world, values, refusal):
    line = raw_line(world)
    before = len(world.wires[0].orders())
    fields = {"handle": 1} | values
    assert line.sender.send(new_order(world, fields.pop("request_number", 1), **fields))
    world.exchange_orders()
    assert answers(line) == [refusal]
    assert world.desk.report()["refusals"] == {refusal: 1}
    assert len(world.wires[0].orders()) == before
    if refusal == "gate":
        assert world.trading.gate.counters()["invalid_request"] == 1
    following = values.get("request_number", 1) + 1 if refusal == "sequence_gap" else 2
    line.sender.send(new_order(world, following & ((1 << 64) - 1), 7))
    world.exchange_orders()
    assert answers(line) == ["none"]  # what is right behind it is taken
    line.close()


def test_an_open_orders_handle_cant_be_used_again(world):
    line = raw_line(world)
    line.sender.send(new_order(world, 1, 5))
    line.sender.send(new_order(world, 2, 5))
    line.sender.send(new_order(world, 3, 5 + 8192))  # the same place
    line.sender.send(new_order(world, 4, 6))
    world.exchange_orders()
    assert answers(line) == ["none", "bad_handle", "bad_handle", "none"]
    line.close()


def test_noise_is_survived(world):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    notes = Notes()
    world.host(notes)
    line = raw_line(world)
    number = 1
    for _ in range(3_000):
        if chance.random() < 0.5:
            slot = chance.randbytes(SLOT_BYTES)
        else:
            slot = bytearray(new_order(world, number))
            slot[chance.randrange(SLOT_BYTES - 8)] ^= 1 << chance.randrange(8)
            number += 1
        line.sender.send(bytes(slot))
        world.desk.take(world.now)
        if chance.random() < 0.2:
            reports(line)
    world.settle()
    found = world.desk.report()
    assert found["requests"] + found["alive"] > 2_000
    assert found["requests"] == found["taken"] + sum(found["refusals"].values())
    assert (
        world.trading.oms.counters()["orders_sent"]
        + world.trading.oms.counters()["cancels_sent"]
        + world.trading.oms.counters()["replaces_sent"]
        == found["taken"]
    )
    assert notes.orders.buy("AAPL", 100, world.price_below())
    world.exchange_orders()
    assert notes.events
    line.close()


# ---------------------------------------------------------------------- coming, going, being slow


def test_the_orders_of_a_host_that_goes_are_cancelled_and_nobody_elses(world):
    notes = [Notes(), Notes()]
    for one in notes:
        world.host(one)
    world.round(3)
    for one in notes:
        for ticks in (20, 21, 22):
            one.orders.buy("AAPL", 100, world.price_below(ticks=ticks))
    world.exchange_orders()
    assert world.trading.oms.open_order_count == 6
    world.remote[0].line.close()
    world.round(2)
    assert [o["strategy_id"] for o in world.trading.oms.open_orders()] == [1, 1, 1]
    first, second = world.desk.report()["hosts"]
    assert (first["state"], first["ended_by"]) == ("free", "the peer went away")
    assert (first["orders_cancelled"], first["refusals"]) == (3, {"went_away": 1})
    assert (second["state"], second["orders_cancelled"]) == ("open", 0)
    assert wire_orders(world).count("cancel_order_request") == 3
    came, went, other = world.desk.take_news()
    assert came["joined"] and came["name"].startswith("host process")
    assert (went["strategy"], went["joined"], went["ended_by"]) == (0, False, "the peer went away")
    assert (other["strategy"], other["joined"]) == (1, True)
    assert world.desk.take_news() == []


def test_configuration_may_leave_them(make):
    world = make(cancels_on_disconnect=False, hosts=1)
    notes = Notes()
    world.host(notes)
    world.round(3)
    notes.orders.buy("AAPL", 100, world.price_below())
    world.exchange_orders()
    world.remote[0].line.close()
    world.round(3)
    assert world.trading.oms.open_order_count == 1
    assert world.desk.report()["hosts"][0]["state"] == "leaving"
    world.trading.oms.cancel_all(world.now)
    world.round(2)
    assert world.desk.report()["hosts"][0]["state"] == "free"


def test_a_seat_is_taken_until_its_orders_are_gone(make):
    world = make(hosts=1)
    notes = Notes()
    world.host(notes)
    world.round(3)
    notes.orders.buy("AAPL", 100, world.price_below())
    world.exchange_orders()
    world.remote.pop().line.close()
    world.desk.service(world.now)  # the cancel is sent and not answered
    late = world.host(Notes(), "late")
    assert late.gate.ended_by() == "no_seat" and not late.gate.is_open
    assert world.desk.report()["refusals"]["no_seat"] == 1
    world.round(2)
    heir = Notes()
    assert world.host(heir, "heir").gate.is_open
    heir.orders.buy("AAPL", 100, world.price_below())
    world.exchange_orders()
    assert [e["event"] for e in heir.events] == ["accepted"]


def test_cancels_wait_for_a_session_that_is_down(world):
    notes = Notes()
    world.host(notes)
    world.round(3)
    notes.orders.buy("AAPL", 100, world.price_below())
    world.exchange_orders()
    world.wires[0].cut()
    world.round(2)
    world.remote[0].line.close()
    world.round(2)
    assert world.trading.oms.open_order_count == 1
    for _ in range(3_000):
        world.round()
        world.trading.drive(world.now)
        if not world.trading.oms.open_order_count:
            break
    assert world.trading.oms.open_order_count == 0
    world.round()
    assert world.desk.report()["hosts"][0]["state"] == "free"


def test_one_that_leaves_its_reports_is_cut_off_with_its_orders(make):
    world = make(slots=64)
    world.round(3)
    line = raw_line(world)
    number = 1
    for _ in range(8):
        for _ in range(8):
            number += line.sender.send(new_order(world, number))
        world.desk.take(world.now)
    assert world.desk.report()["left"] == 0
    world.settle()  # the acceptances find no room behind the answers
    world.desk.service(world.now)
    (host,) = world.desk.report()["hosts"]
    assert host["refusals"]["too_slow"] == 1 and host["ended_by"] == "too_slow"
    world.round(3)
    (host,) = world.desk.report()["hosts"]
    assert world.trading.oms.open_order_count == 0
    assert host["state"] == "free" and host["orders_cancelled"] > 10
    assert host["reports_dropped"] > 0
    line.close()


def test_requests_wait_while_answers_would_find_no_room(make):
    """A host that only asks and does not listen is held up, and nobody is cut off for it."""
    world = make(slots=64, limits={"maximum_quantity_shares": 1})
    line = raw_line(world)
    sent = 0
    for number in range(1, 300):
        sent += line.sender.send(new_order(world, number))
        world.desk.take(world.now)
    found = world.desk.report()
    assert sent < 150 and found["requests"] < 64 and found["left"] == 0
    answered = answers(line)
    for _ in range(50):
        world.desk.take(world.now)
        answered += answers(line)
    assert len(answered) == sent and set(answered) == {"gate"}
    line.close()


def test_one_that_says_nothing_is_cut_off(make):
    world = make(silence_ns=50_000_000)
    talker, silent = raw_line(world), raw_line(world)
    alive = request(0, action=LINE_ACTION.value("alive"))
    for _ in range(100):
        talker.sender.send(alive)
        world.round()
    first, second = world.desk.report()["hosts"]
    assert first["state"] == "open" and first["alive"] == 100
    assert (second["ended_by"], second["refusals"]) == ("silent", {"silent": 1})
    closed = reports(silent)[-1]
    assert closed["kind"] == LINE_REPORT.value("closed")
    assert closed["refusal"] == LINE_REFUSAL.value("silent")
    assert silent.failure()
    talker.close()
    silent.close()


def test_a_strategy_host_without_anything_to_say_says_that_it_lives(world):
    host = world.host(Notes())
    host.gate.timer(1_000_000_000)
    host.gate.timer(1_000_000_001)
    host.gate.timer(1_100_000_000)
    world.exchange_orders()
    assert world.desk.report()["alive"] >= 2
    assert world.desk.report()["requests"] == 0


@pytest.mark.parametrize(("offset", "value"), [(64 * 2 - 8, 9), (None, 1 << 40)])
def test_a_ring_that_was_tampered_with_is_the_end(world, offset, value):
    line = raw_line(world)
    line.sender.send(new_order(world, 1))
    line.sender.send(new_order(world, 2))
    world.exchange_orders()
    reports(line)
    if offset is None:  # credit for reports that were never sent, behind the second ring's slots
        line.memory.write(line.memory.size_bytes - 128, value.to_bytes(8, "little"))
    else:
        at = 3 * SLOT_BYTES
        line.memory.write(at + SLOT_BYTES - 8, value.to_bytes(8, "little"))
    line.sender.send(new_order(world, 3)) if offset is None else None
    world.round(3)
    (host,) = world.desk.report()["hosts"]
    name = "false_credit" if offset is None else "lost_slots"
    assert host["refusals"] == {name: 1}
    assert host["state"] == "free" and world.trading.oms.open_order_count == 0
    line.close()


def test_everybody_is_served_in_turn(world):
    lines = [raw_line(world) for _ in range(3)]
    for count, line in zip((200, 200, 3), lines, strict=True):
        for number in range(1, count + 1):
            assert line.sender.send(new_order(world, number, quantity=0))
    world.desk.take(world.now)
    taken = [host["requests"] for host in world.desk.report()["hosts"]]
    assert taken == [8, 8, 3]
    for _ in range(3):
        world.desk.take(world.now)
    taken = [host["requests"] for host in world.desk.report()["hosts"]]
    assert taken == [32, 32, 3]
    for line in lines:
        line.close()


def test_the_feed_host_stops(world):
    notes = Notes()
    host = world.host(notes)
    world.round(3)
    notes.orders.buy("AAPL", 100, world.price_below())
    world.exchange_orders()
    world.engine.stop(world.now)
    world.settle()
    host.turn()
    assert [e["event"] for e in notes.events] == ["accepted", "canceled"]
    world.desk.close()
    host.turn()
    assert host.gate.ended_by() == "stopped"
    assert host.line.failure() == "the peer went away"
    assert notes.orders.buy("AAPL", 100, 10_000) == 0
    assert host.gate.counters()["not_sent"] == 1
