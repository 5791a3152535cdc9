# SPDX-License-Identifier: Apache-2.0
"""The exchange's configuration: what is taken, and one line for what is not."""

import pytest

from sim.exchange.config import ExchangeConfigError, load_config, parse_config

SMALL = """
symbols = ["AAPL", "MSFT"]
[feed.a]
group = "239.1.1.1"
port = 26477
"""


def values(**changes):
    return {
        "symbols": ["AAPL", "MSFT"],
        "feed": {"a": {"group": "239.1.1.1", "port": 26477}},
    } | changes


def test_a_small_file(tmp_path):
    path = tmp_path / "exchange.toml"
    path.write_text(SMALL)
    config = load_config(path)
    assert config.symbol_names == ("AAPL", "MSFT")
    assert config.feed.b is None
    assert not config.feed.a.loss.active
    assert config.start_time_ns == 34_200_000_000_000
    assert config.order_entry.sessions[0].username == "trader"


def test_made_up_symbols():
    config = parse_config(values(symbols=[], symbol_count=3))
    assert config.symbol_names == ("SIM001", "SIM002", "SIM003")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"symbols": []}, "symbols or symbol_count is needed"),
        ({"symbol_count": 4}, "exclude each other"),
        ({"symbols": ["AAPL", "AAPL"]}, "symbols: a symbol stands twice"),
        ({"symbols": ["TOOLONGNAME"]}, "symbols: 'TOOLONGNAME' is not a symbol"),
        ({"colour": 1}, "colour: Extra inputs"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0"),
        ({"start_time": "9h"}, "start_time: String should match"),
        ({"feed": {"a": {"group": "239.1.1.1", "port": 70000}}}, "feed.a.port: Input should be"),
        ({"feed": {"a": {"group": "nowhere", "port": 7}}}, "feed.a.group: 'nowhere' is not"),
        ({"feed": {}}, "feed.a: Field required"),
        (
            {"order_entry": {"sessions": [{"username": "toolong"}]}},
            "order_entry.sessions.0.username",
        ),
        ({"order_entry": {"sessions": [{}, {}]}}, "order_entry: two sessions have one name"),
        ({"halts": [{"symbol": "X", "at_seconds": 1, "for_seconds": 1}]}, "halts: 'X' is not"),
        ({"first_prices": [100_000]}, "first_prices: 1 prices for 2 symbols"),
        ({"first_prices": [100_000, 1]}, "first_prices: between"),
        ({"resting_orders": 1024, "flow": {"orders_per_symbol": 1000}}, "resting_orders: needs"),
        (
            {"feed": {"a": {"group": "1.2.3.4", "port": 7, "loss": {"drop": 2}}}},
            "feed.a.loss.drop: Input should be less",
        ),
        (
            {"feed": {"a": {"group": "1.2.3.4", "port": 7, "loss": {"cut_every": 2}}}},
            "feed.a.loss: cut_every needs",
        ),
    ],
)
def test_mistakes_are_one_line_that_names_the_key(changes, text):
    with pytest.raises(ExchangeConfigError) as caught:
        parse_config(values(**changes), "x.toml")
    assert text in str(caught.value)
    assert str(caught.value).startswith("x.toml: ")
    assert "\n" not in str(caught.value)


def test_files_that_can_not_be_read(tmp_path):
    with pytest.raises(ExchangeConfigError, match="No such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("symbols = [")
    with pytest.raises(ExchangeConfigError, match=r"bad\.toml"):
        load_config(tmp_path / "bad.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ExchangeConfigError, match=r"bytes\.toml"):
        load_config(tmp_path / "bytes.toml")
