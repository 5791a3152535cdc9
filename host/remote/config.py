# SPDX-License-Identifier: Apache-2.0
"""A strategy host's configuration: strategies here, the feed and the risk gate on another host."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from host.config import ConfigError, Section, Strategy, read_toml, validated

RING = "ring:"
RDMA = "rdma:"


class Follow(Section):
    """Whose feed is followed, and to whom orders go: ``ring:PATH`` or ``rdma:HOST:PORT``."""

    feed: str = Field(min_length=1)
    device: str = ""
    secret_file: Path | None = None
    name: str = Field("", max_length=32)

    @model_validator(mode="after")
    def _is_complete(self) -> Follow:
        if self.feed.startswith(RDMA):
            host, _, port = self.feed.removeprefix(RDMA).rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise ValueError(f"{self.feed}: a feed of another host is rdma:HOST:PORT")
            if not self.device or self.secret_file is None:
                raise ValueError(f"{self.feed} needs a device and a secret_file")
        elif not self.feed.startswith(RING) or self.feed == RING:
            raise ValueError(f"{self.feed}: a feed is ring:PATH or rdma:HOST:PORT")
        return self

    @property
    def is_rdma(self) -> bool:
        """Whether the feed comes from another host."""
        return self.feed.startswith(RDMA)

    @property
    def path(self) -> str:
        """Of the ring."""
        return self.feed.removeprefix(RING)

    @property
    def address(self) -> tuple[str, int]:
        """Of the other host."""
        host, _, port = self.feed.removeprefix(RDMA).rpartition(":")
        return host, int(port)


class Tops(Section):
    """Room for the tops of the feed's symbols."""

    symbols: int = Field(65_536, ge=1, le=65_536)


class StrategyLoop(Section):
    """The hot thread."""

    core: int | None = Field(None, ge=0)
    spin: bool = True
    timer_interval_ns: int = Field(1_000_000, ge=10_000)
    stop_timeout_ns: int = Field(3_000_000_000, ge=0)


class StrategyHostConfig(Section):
    """The whole file."""

    follow: Follow
    strategies: list[Strategy] = Field(min_length=1)
    book: Tops = Tops()
    engine: StrategyLoop = StrategyLoop()

    @model_validator(mode="after")
    def _names_differ(self) -> StrategyHostConfig:
        names = [strategy.name for strategy in self.strategies]
        if len(set(names)) != len(names):
            raise ValueError("two strategies have the same name")
        return self


def load_strategy_host(path: Path, feed: str | None) -> StrategyHostConfig | None:
    """Read and check a strategy host's configuration, ``feed`` instead of the file's.

    ``None`` where the file is an appliance's: it has no ``[follow]``, and no feed was given.
    Raises :class:`~host.config.ConfigError` in one line.
    """
    data = read_toml(path)
    if feed is None and "follow" not in data:
        return None
    for table in ("feed", "venues", "risk", "execution", "journal", "feed_publish"):
        if table in data:
            raise ConfigError(
                f"{path}: {table} is the feed host's; a strategy host has follow, strategies, "
                f"book and engine"
            )
    follow = data.get("follow", {})
    if feed is not None and isinstance(follow, dict):
        data["follow"] = {**follow, "feed": feed}
    return validated(StrategyHostConfig, data, str(path))
