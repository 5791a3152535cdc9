# SPDX-License-Identifier: Apache-2.0
"""Strategies on a simulated exchange in virtual time: the examples, their twins, and bad ones."""

import sys
from functools import partial

import pytest
from trading_support import MILLISECOND, World, exchange_of

from host.strategy.catalogue import make
from host.strategy.python_strategy import PythonStrategy, Strategy
from nic.wire.ouch50 import OUCH50
from nic.wire.reference import decode

SYMBOLS = 64
TWINS = {
    "market_maker": "host.strategy.python_examples:MarketMaker",
    "imbalance_taker": "host.strategy.python_examples:ImbalanceTaker",
}
PARAMETERS = {
    "market_maker": [
        {},
        {"quantity_shares": 7, "tick": 200, "maximum_position_shares": 21},
        {"quantity_shares": 300, "minimum_interval_ns": 5 * MILLISECOND},
    ],
    "imbalance_taker": [
        {},
        {"quantity_shares": 13, "ratio": 2, "maximum_position_shares": 26},
        {"ratio": 1, "cooldown_ns": 3 * MILLISECOND},
    ],
}
CASES = [(kind, values) for kind in TWINS for values in PARAMETERS[kind]]


def world(*strategies, seed=1, **options):
    return World(exchange_of(seed=seed), strategies=strategies, **options)


def python(strategy, symbols=()):
    return PythonStrategy(strategy, symbols)


def executions(world):
    """Liquidity flags of what the exchange executed for us."""
    messages = world.exchanges[0].sessions[0].store.messages(1)
    decoded = [decode(OUCH50, message, "outbound") for message in messages]
    return [fields["liquidity_flag"] for name, fields in decoded if name == "order_executed"]


def trouble(run, millisecond):
    """Halts that meet orders on their way, and a connection that breaks with requests in flight."""
    for symbol in run.book.symbols():
        if millisecond % 20 == 10:
            run.exchanges[0].set_trading_state(symbol, "H", "T1", run.now)
        if millisecond % 20 == 11:
            run.exchanges[0].set_trading_state(symbol, "T", "T3", run.now)
    if millisecond % 500 == 250:
        run.wires[0].cut()


def eventful(kind, values, seed):
    """A run with trouble; after it everything is cancelled."""
    run = world(make(kind, (), values, SYMBOLS), seed=seed).until_up()
    for millisecond in range(1200):
        run.step(meanwhile=partial(trouble, run, millisecond))
    return run.stop()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("kind", "values"), CASES)
def test_python_twin_sends_the_same_bytes(kind, values, seed):
    compiled = eventful(kind, values, seed)
    python = eventful(TWINS[kind], values, seed)
    assert compiled.sent == python.sent, f"seed {seed}"
    assert compiled.engine.strategies()[0].report() == python.engine.strategies()[0].report()
    assert compiled.engine.strategies()[0].report()["fills"] > 0
    assert len(compiled.wires[0].orders()) > 30
    assert compiled.wires[0].connections == 3
    assert compiled.trading.oms.open_order_count == 0


def test_orders_depend_on_the_feed():
    """What the twins are held against each other with is not one constant answer."""
    sent = {eventful("market_maker", {}, seed).sent for seed in (1, 2, 3)}
    assert len(sent) == 3


@pytest.mark.parametrize("kind", [*TWINS, *TWINS.values()])
def test_only_its_symbols(kind):
    run = world(make(kind, ("MSFT", "NONE"), {}, SYMBOLS)).until_up().run(1)
    symbols = {fields["symbol"] for name, fields in run.wires[0].orders() if name == "enter_order"}
    assert symbols == {b"MSFT    "}
    assert world(make(kind, ("NONE",), {}, SYMBOLS)).until_up().run(0.5).wires[0].orders() == []


def test_market_maker_makes_and_imbalance_taker_takes():
    maker = world(make("market_maker", (), {}, SYMBOLS)).until_up().run(1)
    for name, fields in maker.wires[0].orders():
        assert name == "cancel_order_request" or fields["tags"]["post_only"] == b"P"
        assert name == "cancel_order_request" or fields["time_in_force"] == b"0"
    assert set(executions(maker)) == {b"A"}
    taker = world(make("imbalance_taker", (), {}, SYMBOLS)).until_up().run(1)
    assert {fields["time_in_force"] for _, fields in taker.wires[0].orders()} == {b"3"}
    assert set(executions(taker)) == {b"R"}
    assert taker.trading.oms.open_order_count == 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["market_maker", TWINS["market_maker"]])
def test_market_maker_has_one_order_a_side(kind, seed):
    """Also where halts refuse its replaces and the connection breaks with requests in flight."""
    run = world(make(kind, (), {}, SYMBOLS), seed=seed).until_up()
    for millisecond in range(1500):
        run.step(meanwhile=partial(trouble, run, millisecond))
        sides = [
            (order["symbol_index"], order["side"])
            for order in run.trading.oms.open_orders()
            if order["replaces"] == 0 or order["state"] not in ("pending_new", "unknown")
        ]
        assert len(sides) == len(set(sides)), f"seed {seed}, millisecond {millisecond}: {sides}"
    counters = run.trading.oms.counters()
    assert counters["rejected"] > 0 and counters["executed"] > 0
    assert run.wires[0].connections == 4


@pytest.mark.parametrize("kind", list(TWINS))
def test_position_stays_within_its_limit(kind):
    values = {"maximum_position_shares": 150, "quantity_shares": 100}
    run = world(make(kind, (), values, SYMBOLS)).until_up()
    largest = 0
    for _ in range(1500):
        run.step()
        positions = [each["position"] for each in run.trading.oms.positions().values()]
        largest = max([largest, *map(abs, positions)])
    assert 100 <= largest <= 250


class Spoiled(Strategy):
    """Rests and slices, then raises in the callback that ``where`` names."""

    def __init__(self, where, error=RuntimeError, *, at_once=False):
        self.where, self.error, self.at_once = where, error, at_once
        self.calls = {}
        self.slices = self.resting = 0

    def called(self, where):
        self.calls[where] = self.calls.get(where, 0) + 1
        if where == self.where and (self.resting or self.at_once):
            raise self.error("spoiled")

    def on_start(self):
        self.called("on_start")

    def on_book(self, top):
        if top.symbol == "AAPL" and top.last_price and top.ask_price and not self.slices:
            self.slices = self.orders.buy("AAPL", 1000, top.bid_price - 500, twap_seconds=60)
            self.resting = self.orders.buy("AAPL", 100, top.bid_price - 500)
        self.called("on_book")

    def on_trade(self, symbol, price, shares):
        self.called("on_trade")

    def on_order(self, event):
        self.called("on_order")

    def on_timer(self, t_ns):
        self.called("on_timer")

    def on_stop(self):
        self.called("on_stop")


@pytest.mark.parametrize("where", ["on_book", "on_trade", "on_order", "on_timer"])
@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_strategy_that_raises_is_stopped_and_the_engine_goes_on(where, error):
    spoiled = Spoiled(where, error)
    run = world(python(spoiled), make("market_maker", (), {}, SYMBOLS)).until_up().run(1)
    first, second = run.engine.strategies()
    assert first.report()["error"].endswith("spoiled")
    assert first.error.startswith("Traceback") and "called" in first.error
    assert second.report()["fills"] > 0 and "error" not in second.report()
    assert spoiled.slices and spoiled.resting
    calls = dict(spoiled.calls)
    execution = run.trading.execution.counters()
    assert execution["schedules_started"] == execution["schedules_done"] == 1
    messages = run.engine.counters()["messages"]
    run.engine.enable_strategies(False)
    run.engine.enable_strategies(True)
    run.run(0.5)
    assert spoiled.calls == calls, "a failed strategy is not called again"
    assert spoiled.orders.buy("AAPL", 100, 10_000) == 0
    assert run.trading.execution.counters()["slices_sent"] == execution["slices_sent"]
    assert spoiled.orders.cancel(spoiled.resting, "AAPL") == spoiled.resting
    assert run.engine.counters()["messages"] > messages
    assert run.stop().trading.oms.open_order_count == 0


def test_strategy_that_raises_at_the_start_never_trades():
    spoiled = Spoiled("on_start", at_once=True)
    run = world(python(spoiled)).until_up().run(0.2)
    assert spoiled.calls == {"on_start": 1}
    assert run.wires[0].orders() == []
    assert run.engine.strategies()[0].report() == {"error": "RuntimeError: spoiled"}


def test_strategy_whose_stop_or_report_raises():
    spoiled = Spoiled("on_stop")
    run = world(python(spoiled)).until_up().run(0.2).stop()
    assert run.engine.strategies()[0].report() == {"error": "RuntimeError: spoiled"}
    assert run.trading.oms.open_order_count == 0

    class Speechless(Strategy):
        def report(self):
            return {}["nothing"]

    silent = world(python(Speechless()))
    assert silent.engine.strategies()[0].report() == {"error": "KeyError: 'nothing'"}


def test_interrupt_in_a_strategy_reaches_the_driver():
    run = world(python(Spoiled("on_book", KeyboardInterrupt)))
    with pytest.raises(KeyboardInterrupt):
        run.until_up().run(1)
    assert "KeyboardInterrupt" in run.engine.strategies()[0].report()["error"]


class Watching(Strategy):
    """Keeps what it is told."""

    def __init__(self):
        self.tops, self.trades, self.events, self.times = [], [], [], []
        self.order = 0
        self.world = None

    def on_book(self, top):
        book = self.world.book.top(top.symbol)
        assert self.world.book.index(top.symbol) == top.index
        for name in ("bid_price", "bid_shares", "ask_price", "ask_shares", "trading_state"):
            assert getattr(top, name) == book[name], name
        assert repr(top).startswith(f"TopOfBook({top.symbol} {top.bid_shares} x")
        self.tops.append(top)

    def on_trade(self, symbol, price, shares):
        self.trades.append((symbol, price, shares, self.orders.t_ns))

    def on_order(self, event):
        self.events.append(event)

    def on_timer(self, t_ns):
        self.times.append(t_ns)


def test_what_a_strategy_is_told():
    watching = Watching()
    run = world(python(watching, ("AAPL",)))
    watching.world = run
    run.until_up()
    assert run.engine.strategies()[0].error is None
    assert {top.symbol for top in watching.tops} == {"AAPL"}
    assert watching.tops[0].trading_state == ""
    assert watching.tops[-1].trading_state == "T"
    assert {trade[0] for trade in watching.trades} == {"AAPL"}
    last = watching.trades[-1]
    assert run.book.top("AAPL")["last_price"] == last[1] > 0 and last[2] > 0
    assert watching.times == [run.now - n * MILLISECOND for n in range(len(watching.times))][::-1]

    best = run.book.top("AAPL")["bid_price"]
    handle = watching.orders.buy("AAPL", 100, best - 1_000, post_only=True)
    assert handle
    run.settle()
    newer = watching.orders.replace(handle, "B", "AAPL", 150, best - 900)
    run.settle()
    assert watching.orders.cancel(newer, "AAPL") == newer
    run.settle()
    assert [(e["event"], e["user_ref_num"], e["leaves_quantity"]) for e in watching.events] == [
        ("accepted", handle, 100),
        ("replaced", newer, 150),
        ("canceled", newer, 0),
    ]
    assert [e["state"] for e in watching.events] == ["live", "live", "cancelled"]
    assert all(e["side"] == "B" and e["position"] == 0 for e in watching.events)
    bought = watching.orders.buy("AAPL", 100, best + 3_000, time_in_force="ioc")
    run.settle()
    filled = sum(e["quantity"] for e in watching.events if e["event"] == "executed")
    assert filled > 0
    assert watching.events[-1]["user_ref_num"] == bought
    assert watching.events[-1]["position"] == filled
    with pytest.raises(KeyError, match="no symbol 'ZZZ'"):
        watching.orders.sell("ZZZ", 1, 1)
    with pytest.raises(KeyError):
        watching.orders.sell("AAPL", 1, 1, time_in_force="week")
    assert watching.orders.sell(1 << 20, 1, 1) == 0, "no such symbol index"
    assert watching.orders.sell("AAPL", 0, 1) == 0


def test_timers_and_stop_reach_every_strategy_and_orders_their_owner():
    first, second = Watching(), Watching()
    run = world(python(first), python(second))
    first.world = second.world = run
    run.until_up()
    assert first.times == second.times and len(first.tops) == len(second.tops) > 0
    second.orders.buy("MSFT", 100, run.book.top("MSFT")["bid_price"] - 500)
    run.settle()
    assert not first.events and [e["event"] for e in second.events] == ["accepted"]


@pytest.mark.parametrize(
    ("kind", "parameters", "text"),
    [
        ("maker", {}, "no strategy 'maker': name one of market_maker, imbalance_taker"),
        ("", {}, "no strategy ''"),
        ("no_such_module:Class", {}, "No module named 'no_such_module'"),
        (":Class", {}, "Empty module name"),
        ("host.strategy.python_examples:Nobody", {}, "has no attribute 'Nobody'"),
        ("host.strategy.python_examples:Quote", {}, "Quote is no Strategy"),
        ("host.strategy.python_examples:BUY", {}, "BUY is no Strategy"),
        ("market_maker", {"speed": 3}, "unexpected keyword argument 'speed'"),
        ("market_maker", {"tick": "one"}, "integer"),
        ("market_maker", {"quantity_shares": -1}, "negative"),
        ("market_maker", {"quantity_shares": 0}, "must be positive"),
        ("market_maker", {"maximum_position_shares": 0}, "must be positive"),
        ("imbalance_taker", {"ratio": 0}, "must be positive"),
        ("imbalance_taker", {"quantity_shares": 1 << 40}, "too large"),
        ("host.strategy.python_examples:MarketMaker", {"tick": 0}, "must be positive"),
        ("host.strategy.python_examples:ImbalanceTaker", {"pace": 0}, "'pace'"),
        ("broken_strategies:AnyClass", {}, "spoiled import"),
        ("spoiled_strategies:Raising", {}, "KeyError"),
        ("spoiled_strategies:Talking", {}, "first line"),
    ],
)
def test_catalogue_says_what_is_wrong_in_one_line(kind, parameters, text, tmp_path, monkeypatch):
    (tmp_path / "broken_strategies.py").write_text("raise RuntimeError('spoiled import')\n")
    (tmp_path / "spoiled_strategies.py").write_text(
        "from host.strategy.python_strategy import Strategy\n"
        "class Raising(Strategy):\n    def __init__(self):\n        raise KeyError()\n"
        "class Talking(Strategy):\n"
        "    def __init__(self):\n        raise ValueError('first line\\nsecond line')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"^(no )?strategy ") as caught:
        make(kind, (), parameters, SYMBOLS)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    sys.modules.pop("spoiled_strategies", None)


def test_symbols_of_a_strategy_are_checked():
    with pytest.raises(ValueError, match="longer than 8"):
        make("market_maker", ("ABCDEFGHI",), {}, SYMBOLS)
    with pytest.raises(ValueError, match="ascii"):
        make(TWINS["market_maker"], ("Ä",), {}, SYMBOLS)
