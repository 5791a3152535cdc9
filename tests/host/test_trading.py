# SPDX-License-Identifier: Apache-2.0
"""The trading half as it is wired: limits, sessions, two venues and one engine."""

from dataclasses import asdict

import pytest
from trading_support import LIMITS, MILLISECOND, World, exchange_of

from host.book.order_book import OrderBook
from host.config import ConfigError
from host.engine import Engine
from host.interfaces import Recorder
from host.strategy.python_strategy import PythonStrategy, Strategy
from host.trading import Trading, VenueLogin, limits_of
from nic.offload.enumerations import ALL_CHECKS, MARKET_PHASE, checks
from nic.offload.limits import Limits


def world(*exchanges, **options):
    exchanges = exchanges or (exchange_of(),)
    run = World(*exchanges, strategies=[PythonStrategy(Strategy())], **options)
    return run, run.engine.strategies()[0].orders


def test_limits_are_merged_over_their_base():
    base = limits_of(LIMITS, None, "risk.defaults")
    assert asdict(base) == LIMITS
    mine = limits_of({"maximum_quantity_shares": 7}, base, "risk.symbols.AAPL")
    assert asdict(mine) == LIMITS | {"maximum_quantity_shares": 7}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"maximum_shares": 1}, "risk.defaults: got an unexpected keyword argument"),
        ({"maximum_quantity_shares": -1}, "maximum_quantity_shares: -1 does not fit"),
        ({"maximum_quantity_shares": 1.5}, "maximum_quantity_shares: 1.5 is not an integer"),
        ({"message_burst": 1 << 16}, "message_burst: 65536 does not fit"),
    ],
)
def test_limits_that_can_not_be(values, text):
    with pytest.raises(ConfigError) as caught:
        limits_of(LIMITS | values, None, "risk.defaults")
    assert str(caught.value).startswith("risk.defaults: ")
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_limits_must_be_whole():
    with pytest.raises(ConfigError, match=r"risk\.defaults: missing 37 required keyword-only"):
        limits_of({"maximum_quantity_shares": 7}, None, "risk.defaults")


def test_checks_phases_and_order_types_have_names_in_a_configuration():
    named = {
        "disabled_checks": ["self_trade", "price_band"],
        "allowed_phases": ["market", "market"],
        "allowed_order_types": ["day", "buy"],
    }
    values = {name: value for name, value in LIMITS.items() if name != "enabled_checks"}
    base = limits_of(values, None, "risk.defaults")
    assert base.enabled_checks == ALL_CHECKS
    limits = limits_of(named, base, "risk.symbols.AAPL")
    assert limits.enabled_checks == ALL_CHECKS & ~checks("self_trade", "price_band")
    assert limits.allowed_phases == 1 << MARKET_PHASE.value("market")
    assert limits.allowed_order_types == 0b1001
    for name in named:
        with pytest.raises(ConfigError, match=r"risk.defaults: .* has no entry 'nonsense'"):
            limits_of(values | {name: ["nonsense"]}, None, "risk.defaults")


def test_a_position_is_worth_what_closing_it_would_get():
    run, orders = world()
    run.until_up()
    assert run.book.phase() == "market"
    top = run.book.top("AAPL")
    assert orders.buy("AAPL", 100, top["ask_price"] + 500)
    run.run(0.05)
    index = run.book.index("AAPL")
    exposures = run.trading.gate.exposures
    assert exposures.symbol(index)["position"] > 0
    assert exposures.symbol(index)["mark_price"] == run.book.top("AAPL")["bid_price"]
    value = exposures.symbol(index)["position"] * run.book.top("AAPL")["bid_price"]
    assert exposures.net_position_notional == value
    assert exposures.cash < 0
    loss = -(exposures.cash + value)
    run.trading.set_limits(None, Limits(**(LIMITS | {"maximum_loss": max(loss - 1, 0)})))
    price = run.book.top("MSFT")["bid_price"]
    assert bool(orders.buy("MSFT", 100, price)) == (loss <= 0)


def test_the_market_phase_comes_from_the_feed():
    run, orders = world(limits={"allowed_phases": 1 << MARKET_PHASE.value("post_market")})
    run.until_up()
    assert orders.buy("AAPL", 100, run.book.top("AAPL")["bid_price"]) == 0
    assert run.trading.gate.last_reason_name == "market_phase"
    with pytest.raises(RuntimeError, match="the engine's"):
        run.trading.gate.set_market_phase(MARKET_PHASE.value("post_market"))


def test_price_bands_are_told_to_the_book():
    run, orders = world(limits={"enabled_checks": checks("price_band")})
    run.until_up()
    bid = run.book.top("AAPL")["bid_price"]
    assert orders.buy("AAPL", 100, bid - 1_000) == 0
    assert run.trading.gate.last_reason_name == "price_band"
    run.book.set_price_band("AAPL", bid - 50_000, bid - 1_000)
    assert orders.buy("AAPL", 100, bid - 1_000)
    assert orders.buy("AAPL", 100, bid - 999) == 0


def test_silence_of_the_control_thread_is_seen_by_the_timer():
    run, _ = world(limits={"heartbeat_timeout_ns": 10 * 1_000_000})
    gate = run.trading.gate
    gate.heartbeat(run.now)
    run.run(0.01)
    assert not gate.kills()["heartbeat"]
    run.step()
    assert gate.kills()["heartbeat"]


def test_each_set_of_limits_takes_the_next_sequence_number():
    run, orders = world()
    run.until_up()
    price = run.book.top("AAPL")["bid_price"] - 1_000
    assert run.trading.gate.limits_sequence_number == 1
    index = run.book.index("AAPL")
    run.trading.set_limits(index, Limits(**(LIMITS | {"maximum_quantity_shares": 10})))
    assert run.trading.gate.limits_sequence_number == 2
    assert orders.buy("AAPL", 11, price) == 0
    assert orders.buy("AAPL", 10, price)
    assert orders.buy("MSFT", 11, run.book.top("MSFT")["bid_price"] - 1_000)
    assert run.trading.gate.counters()["maximum_quantity"] == 1


def test_nothing_is_sent_before_limits_were_set():
    engine = Engine(OrderBook(symbols=64, orders=1_000))
    trading = Trading(engine, [], Recorder())
    assert trading.gate.submit_order(action=0, t_ns=1, side=66, quantity=1, price=1) == 0
    assert trading.gate.last_reason_name == "no_limits_set"
    assert trading.are_up(), "no session is wanted, so none is missing"


def test_nothing_is_sent_before_the_session_is_up():
    run, orders = world()
    run.publish(run.exchanges[0].take_packets())
    assert not run.trading.are_up()
    assert orders.buy("AAPL", 100, 10_000) == 0
    assert run.trading.gate.last_reason_name == "order_entry_down"


def test_wrong_password_is_not_up():
    exchange = exchange_of()
    run = World(exchange)
    login = VenueLogin(run.wires[0].connect, "trader", "wrong")
    trading = Trading(Engine(run.book), [login], Recorder())
    for _ in range(100):
        run.now += MILLISECOND
        trading.drive(run.now)
        trading.channels[0].step(run.now)
        run.wires[0].pump()
    assert not trading.are_up()
    assert trading.channels[0].client.state_name == "refused"
    assert exchange.report(run.now)["acceptor"]["rejected_credentials"] == 1


def test_every_session_must_be_up():
    run, _ = world(exchange_of(), exchange_of(messages_per_second=0))
    run.until_up()
    assert run.trading.are_up()
    run.wires[1].cut()
    run.step()
    assert not run.trading.are_up()


def test_broken_connection_resumes_and_orders_are_known_again():
    run, orders = world()
    run.until_up()
    price = run.book.top("AAPL")["bid_price"] - 1_000
    resting = orders.buy("AAPL", 100, price)
    run.settle()
    lost = orders.buy("AAPL", 200, price)
    run.wires[0].server.close()  # what the client sent last was never read
    run.exchanges[0].on_client_closed(1, run.now)
    run.step()
    assert run.trading.oms.order(lost)["state"] == "unknown"
    assert orders.buy("AAPL", 100, price) == 0
    run.exchanges[0].engine.enter_background("AAPL", "S", 50_000, price, run.now)
    run.run(0.5)
    assert run.wires[0].connections == 2 and run.trading.are_up()
    assert run.trading.oms.order(lost)["state"] == "not_received"
    assert run.trading.oms.order(resting)["state"] == "filled"
    assert run.trading.oms.positions()[run.book.index("AAPL")]["position"] == 100
    assert orders.buy("AAPL", 100, price)
    assert run.stop().trading.oms.open_order_count == 0
