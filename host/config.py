# SPDX-License-Identifier: Apache-2.0
"""The appliance's configuration: what a ``tickwire run`` file may say.

Every table and key is checked when the file is read; what is wrong is said in one line that names
the key. ``docs/operating.md`` and the commented example configurations show every key in use.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, ValidationError, model_validator


class ConfigError(ValueError):
    """A configuration that can't be used; the message is one line."""


class Section(BaseModel):
    """A table of the file: unknown keys are errors, so that a typing mistake is seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Line(Section):
    """One line of the feed: where its packets come from, and by which port."""

    name: Literal["A", "B"]
    group: IPvAnyAddress
    port: int = Field(ge=1, le=65535)
    interface: str = Field(min_length=1)
    path: Literal["udp", "af_xdp", "af_packet", "verbs"] = "udp"
    device: str = ""
    driver_mode: Literal["best", "native", "generic"] = "best"
    copy_mode: Literal["best", "copy", "zero-copy"] = "best"
    queue: int = Field(0, ge=0)
    handover: Literal["frame", "block"] = "frame"
    block_timeout_ms: int = Field(1, ge=1, le=1000)
    receive_buffer_bytes: int = Field(4_194_304, ge=65_536)
    busy_poll_us: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _device_of_verbs(self) -> Line:
        if (self.path == "verbs") != bool(self.device):
            raise ValueError('a device is for path = "verbs", which needs one')
        return self


class Recovery(Section):
    """The re-request server of the feed."""

    address: IPvAnyAddress
    port: int = Field(ge=1, le=65535)
    interface: str = ""


class Feed(Section):
    """The market data feed."""

    transport: Literal["moldudp64", "iextp"] = "moldudp64"
    session: str = Field("", max_length=10)
    restart: Literal["strict", "detect"] = "strict"
    lines: list[Line] = Field(min_length=1, max_length=2)
    recovery: Recovery | None = None
    gap_wait_ns: int = Field(200_000, ge=0)
    request_retry_ns: int = Field(20_000_000, ge=1)
    gap_limit_ns: int = Field(2_000_000_000, ge=1)
    stale_ns: int = Field(3_000_000_000, ge=1)

    @model_validator(mode="after")
    def _lines_differ(self) -> Feed:
        if len({line.name for line in self.lines}) != len(self.lines):
            raise ValueError("two lines have the same name")
        return self


class Book(Section):
    """Room for the books; taken from memory at the start."""

    symbols: int = Field(65_536, ge=1, le=65_536)
    orders: int = Field(1_000_000, ge=1_000)
    prefault: bool = True


class Strategy(Section):
    """One strategy: ``kind`` names a compiled one or ``module:Class`` of a Python one."""

    name: str = Field(min_length=1)
    kind: str = Field(min_length=1)
    symbols: list[str] = []
    parameters: dict[str, int | str | bool] = {}


class Execution(Section):
    """Which venue takes the orders of which symbol."""

    venue: str = Field(min_length=1)
    symbol_venues: dict[str, str] = {}


class Venue(Section):
    """One order-entry session: SoupBinTCP login and OUCH 5.0."""

    name: str = Field(min_length=1)
    address: IPvAnyAddress
    port: int = Field(ge=1, le=65535)
    username: str = Field(max_length=6)
    password: str = Field(max_length=10)
    session: str = Field("", max_length=10)
    firm: str = Field("", max_length=4)


class OrderEntry(Section):
    """How orders leave: by the kernel's sends, or past its TCP stack; see docs/delegated-sends.md.

    Everything but ``send`` is for delegated sends. Without ``interface`` the raw port is on the
    one by which the kernel sends to the venue. With ``vlan`` its frames are tagged, and
    ``vlan_interface`` is the kernel's VLAN device. ``device`` is an RDMA device, for ``verbs``.
    """

    send: Literal["ordinary", "delegated"] = "ordinary"
    path: Literal["af_xdp", "af_packet", "verbs"] = "af_xdp"
    interface: str = ""
    device: str = ""
    queue: int = Field(0, ge=0)
    copy_mode: Literal["best", "copy", "zero-copy"] = "best"
    vlan: int = Field(0, ge=0, le=4094)
    vlan_interface: str = ""
    preparation: Literal["cached", "armed", "none"] = "cached"
    maximum_age_ns: int = Field(10_000_000, ge=0)
    follow_interval_ns: int = Field(1_000_000, ge=0)

    @model_validator(mode="after")
    def _parts_agree(self) -> OrderEntry:
        changed = self.model_dump(exclude_defaults=True)
        if self.send == "ordinary" and changed:
            raise ValueError(f'{next(iter(changed))} is for send = "delegated"')
        if bool(self.vlan) != bool(self.vlan_interface):
            raise ValueError("vlan and vlan_interface belong together")
        if self.vlan and not self.interface and self.path != "verbs":
            raise ValueError("name the interface below the VLAN device")
        if (self.path == "verbs") != bool(self.device):
            raise ValueError('device belongs to path = "verbs"')
        return self


class Risk(Section):
    """Limits of the risk gate: ``defaults`` for every symbol, ``symbols`` for single ones.

    Every limit of ``docs/risk.md`` by name, and ``disabled_checks``.
    """

    defaults: dict[str, int | list[str]]
    symbols: dict[str, dict[str, int | list[str]]] = {}


class Engine(Section):
    """The hot thread."""

    core: int | None = Field(None, ge=0)
    spin: bool = True
    timer_interval_ns: int = Field(1_000_000, ge=10_000)
    stop_timeout_ns: int = Field(3_000_000_000, ge=0)


class Journal(Section):
    """The append-only record."""

    path: Path
    ring_bytes: int = Field(67_108_864, ge=1_048_576)


class RdmaPublish(Section):
    """The feed written into the memory of other hosts; see docs/rdma.md."""

    device: str = Field(min_length=1)
    address: IPvAnyAddress
    port: int = Field(ge=1, le=65535)
    secret_file: Path
    batch: int = Field(16, ge=1, le=1024)
    maximum_consumers: int = Field(16, ge=1, le=256)


class OrderDeskSettings(Section):
    """Order requests of strategy hosts; see docs/feed-following.md."""

    hosts: int = Field(4, ge=1, le=64)
    slots: int = Field(1024, ge=64, le=65_536)
    silence_ns: int = Field(2_000_000_000, ge=0)
    cancel_on_disconnect: bool = True

    @model_validator(mode="after")
    def _slots_are_a_power_of_two(self) -> OrderDeskSettings:
        if self.slots & (self.slots - 1):
            raise ValueError("slots is no power of two")
        return self


class FeedPublish(Section):
    """Where the normalised feed is published for others; see docs/feed-following.md."""

    path: Path | None = None
    slots: int = Field(65_536, ge=64, le=1 << 26)
    refresh_ns: int = Field(1_000_000_000, ge=0)
    rdma: RdmaPublish | None = None
    orders: OrderDeskSettings | None = None

    @model_validator(mode="after")
    def _slots_are_a_power_of_two(self) -> FeedPublish:
        if self.slots & (self.slots - 1):
            raise ValueError("slots is no power of two")
        if self.path is None and self.rdma is None:
            raise ValueError("neither a path nor rdma")
        if self.rdma is not None and self.slots > 1 << 24:
            raise ValueError("rdma takes up to 16,777,216 slots")
        return self


class Offload(Section):
    """A card in the path: the feed goes through it, and its gate is asked before ours.

    ``plant_difference`` names a limit that the card gets otherwise, to rehearse a difference.
    """

    device: Literal["fpga-sim"]
    plant_difference: str = ""


class Config(Section):
    """The whole file."""

    feed: Feed
    book: Book = Book()
    strategies: list[Strategy] = []
    execution: Execution
    venues: list[Venue] = Field(min_length=1, max_length=4)
    order_entry: OrderEntry = OrderEntry()
    risk: Risk
    engine: Engine = Engine()
    journal: Journal
    feed_publish: FeedPublish | None = None
    offload: Offload | None = None

    @model_validator(mode="after")
    def _names_agree(self) -> Config:
        names = [venue.name for venue in self.venues]
        if len(set(names)) != len(names):
            raise ValueError("two venues have the same name")
        for wanted in (self.execution.venue, *self.execution.symbol_venues.values()):
            if wanted not in names:
                raise ValueError(f"execution names the venue {wanted!r}, which is not configured")
        strategies = [strategy.name for strategy in self.strategies]
        if len(set(strategies)) != len(strategies):
            raise ValueError("two strategies have the same name")
        return self


Model = TypeVar("Model", bound=BaseModel)


def one_line(error: ValidationError) -> str:
    """The first complaint of pydantic as one line: where, and what."""
    # An unknown key first: it is usually the mistyped name of the one that is missing.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    more = error.error_count() - 1
    return f"{where + ': ' if where else ''}{what}" + (f" (and {more} more)" if more else "")


def read_toml(path: Path) -> dict[str, Any]:
    """The file as nested dicts; raises :class:`ConfigError` in one line."""
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def validated(model: type[Model], data: dict[str, Any], where: str) -> Model:
    """``data`` as ``model``; raises :class:`ConfigError` in one line that begins with ``where``."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{where}: {one_line(error)}") from None


def load(path: Path) -> Config:
    """Read and check a configuration; raises :class:`ConfigError`."""
    return validated(Config, read_toml(path), str(path))
