# SPDX-License-Identifier: Apache-2.0
"""``--port`` of ``tickwire run``: which lines get which port, and what is refused."""

from pathlib import Path

import pytest

from host.config import Config, ConfigError, load
from tools.port_choice import PATHS, with_ports

EXAMPLE = Path(__file__).resolve().parents[2] / "tools" / "examples" / "appliance.toml"


@pytest.fixture(scope="module")
def config() -> Config:
    return load(EXAMPLE)


def places(config: Config) -> list[tuple[str, str]]:
    return [(line.path, line.interface) for line in config.feed.lines]


def test_without_a_choice_nothing_changes(config: Config) -> None:
    assert with_ports(config, ()) is config


def test_one_choice_is_for_every_line(config: Config) -> None:
    before = places(config)
    found = with_ports(config, ("af_packet",))
    assert places(found) == [("af_packet", interface) for _, interface in before]
    assert places(with_ports(config, ("udp:eth7",))) == [("udp", "eth7")] * 2
    assert places(config) == before
    assert found.feed.lines[0].group == config.feed.lines[0].group


def test_a_choice_for_each_line(config: Config) -> None:
    found = with_ports(config, ("af_packet:eth1", "af_xdp:eth2"))
    assert places(found) == [("af_packet", "eth1"), ("af_xdp", "eth2")]


def test_a_verbs_device_and_back(config: Config) -> None:
    found = with_ports(config, ("verbs:mlx5_0",))
    assert [(line.path, line.device) for line in found.feed.lines] == [("verbs", "mlx5_0")] * 2
    back = with_ports(found, ("udp",))
    assert [(line.path, line.device) for line in back.feed.lines] == [("udp", "")] * 2


@pytest.mark.parametrize(
    ("choices", "named"),
    [
        (("verbs",), "verbs:DEVICE"),
        (("carrier_pigeon",), "carrier_pigeon"),
        (("af_packet:",), "no interface"),
        (("udp", "udp", "udp"), "3 times for 2 lines"),
    ],
)
def test_mistakes_are_one_line(config: Config, choices: tuple[str, ...], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        with_ports(config, choices)
    assert "\n" not in str(caught.value)


def test_every_path_of_a_line_can_be_chosen() -> None:
    assert {"udp", "af_xdp", "af_packet", "verbs"} <= set(PATHS)
