# SPDX-License-Identifier: Apache-2.0
"""Configurations of strategy hosts, and of the feed hosts that take their orders."""

import socket
from pathlib import Path

import pytest

from host.config import ConfigError, load
from host.ipc.broadcast import BroadcastWriter
from host.ipc.event_layout import CONTENT, EVENT_BYTES
from host.ipc.order_socket import SUFFIX
from host.remote.config import load_strategy_host
from host.strategy_host import StrategyHost

EXAMPLES = Path(__file__).resolve().parents[2] / "tools" / "examples"
STRATEGY = '[[strategies]]\nname = "a"\nkind = "market_maker"\n'


def file_of(folder, text):
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_the_example_is_one():
    config = load_strategy_host(EXAMPLES / "strategies.toml", None)
    assert config is not None and config.follow.path == "/dev/shm/tickwire-feed"
    assert not config.follow.is_rdma and config.book.symbols == 65_536


def test_the_feed_of_the_command_line_goes_first(tmp_path):
    path = file_of(tmp_path, STRATEGY + '[follow]\nfeed = "ring:/a"\ndevice = "d"\n')
    config = load_strategy_host(path, "ring:/b")
    assert config is not None and (config.follow.path, config.follow.device) == ("/b", "d")
    secret = '[follow]\nfeed = "ring:/a"\ndevice = "d"\nsecret_file = "s"\n'
    config = load_strategy_host(file_of(tmp_path, STRATEGY + secret), "rdma:[::1]:7")
    assert config is not None and config.follow.address == ("[::1]", 7)


def test_an_appliances_file_is_none():
    assert load_strategy_host(EXAMPLES / "appliance.toml", None) is None
    with pytest.raises(ConfigError, match="feed is the feed host's"):
        load_strategy_host(EXAMPLES / "appliance.toml", "ring:/a")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[follow]\nfeed = "ring:"\n' + STRATEGY, "a feed is ring:PATH"),
        ('[follow]\nfeed = "ring:/a"\nrest = 1\n' + STRATEGY, "follow.rest"),
        ('[follow]\nfeed = "rdma:h:0"\n' + STRATEGY, "rdma:HOST:PORT"),
        ('[follow]\nfeed = "rdma:h:7"\ndevice = "d"\n' + STRATEGY, "needs a device and a secret"),
        ('[follow]\nfeed = "ring:/a"\n', "strategies"),
        ('[follow]\nfeed = "ring:/a"\n' + STRATEGY + STRATEGY, "the same name"),
        ('[follow]\nfeed = "ring:/a"\n[risk.defaults]\n' + STRATEGY, "risk is the feed host's"),
        ("follow = 3\n" + STRATEGY, "follow"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        load_strategy_host(file_of(tmp_path, text), None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slots = 100", "slots is no power of two"),
        ("hosts = 0", "feed_publish.orders.hosts"),
        ("hosts = 65", "feed_publish.orders.hosts"),
        ("silence = 3", "feed_publish.orders.silence"),
    ],
)
def test_a_desk_that_cant_be(tmp_path, text, said):
    example = (EXAMPLES / "appliance.toml").read_text()
    desk = f'[feed_publish]\npath = "/dev/shm/x"\n[feed_publish.orders]\n{text}\n'
    with pytest.raises(ConfigError, match=said):
        load(file_of(tmp_path, f"{example}\n{desk}"))


def test_the_example_appliance_with_a_desk(tmp_path):
    """What is commented out in the example is right, too."""
    example = (EXAMPLES / "appliance.toml").read_text()
    at = example.index("# [feed_publish]")
    shown = "\n".join(line.removeprefix("# ") for line in example[at:].splitlines())
    config = load(file_of(tmp_path, example[:at] + shown))
    assert config.feed_publish is not None and config.feed_publish.orders is not None
    assert config.feed_publish.orders == type(config.feed_publish.orders)()


def strategy_host(tmp_path, feed, kind="market_maker"):
    text = f'[follow]\nfeed = "{feed}"\n' + STRATEGY.replace("market_maker", kind)
    return StrategyHost(load_strategy_host(file_of(tmp_path, text), None))


def test_a_feed_that_takes_no_orders_says_so(tmp_path):
    ring = tmp_path / "feed"
    with pytest.raises(ConfigError, match=r"/feed: No such file or directory$"):
        strategy_host(tmp_path, f"ring:{ring}")
    with BroadcastWriter(ring, slots=64, slot_bytes=EVENT_BYTES, content=CONTENT):
        with pytest.raises(ConfigError, match=r"feed\.orders: No such file.*feed_publish\.orders"):
            strategy_host(tmp_path, f"ring:{ring}")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(f"{ring}{SUFFIX}")
            with pytest.raises(ConfigError, match="Connection refused"):
                strategy_host(tmp_path, f"ring:{ring}")
