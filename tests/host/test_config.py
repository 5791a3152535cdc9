# SPDX-License-Identifier: Apache-2.0
"""The configuration refuses what it can't use, in one line that names the key."""

from pathlib import Path

import pytest

from host.appliance import feed_settings
from host.config import ConfigError, load

EXAMPLE = """
[feed]
lines = [{name = "A", group = "239.0.0.1", port = 26477, interface = "lo"}]
[execution]
venue = "exchange"
[[venues]]
name = "exchange"
address = "127.0.0.1"
port = 7001
username = "trader"
password = "secret"
[risk]
defaults = {maximum_quantity_shares = 100}
[journal]
path = "journal.bin"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_example_is_read(tmp_path: Path) -> None:
    config = load(write(tmp_path, EXAMPLE))
    assert config.feed.lines[0].path == "udp"
    assert config.venues[0].name == config.execution.venue


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("port = 26477", "port = 70000", "feed.lines.0.port"),
        ('interface = "lo"', 'interfaze = "lo"', "interfaze"),
        ('venue = "exchange"', 'venue = "nowhere"', "nowhere"),
        ("[journal]", "[journal", "line"),
        ('group = "239.0.0.1"', 'group = "not an address"', "feed.lines.0.group"),
        ('path = "journal.bin"', "", "journal.path"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, old: str, new: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, EXAMPLE.replace(old, new)))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "nothing.toml")


def test_a_gap_is_asked_for_as_long_as_it_may_take(tmp_path: Path) -> None:
    times = "gap_limit_ns = 1_000\nrequest_retry_ns = 300\n"
    feed = load(write(tmp_path, EXAMPLE.replace("[feed]\n", "[feed]\n" + times))).feed
    settings = feed_settings(feed)
    assert settings.request_limit * settings.request_retry_ns >= settings.gap_limit_ns == 1_000
    assert feed_settings(feed.model_copy(update={"gap_limit_ns": 1 << 60})).request_limit > 1_000
