# SPDX-License-Identifier: Apache-2.0
"""Configuration of the simulated exchange: types, bounds, errors of one line that name the key."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from host.config import ConfigError, Section, read_toml, validated

Port = Annotated[int, Field(ge=0, le=65535)]
Probability = Annotated[float, Field(ge=0, le=1)]


class ExchangeConfigError(ConfigError):
    """A configuration that can't be used; the text is one line and names the key."""


class _Model(Section):
    model_config = ConfigDict(str_strip_whitespace=True)


def _address(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise ValueError(f"{value!r} is not an IPv4 address") from None


class LossConfig(_Model):
    """What the network does to one line; probabilities of each datagram. All off by default."""

    seed: int = 1
    drop: Probability = 0.0
    duplicate: Probability = 0.0
    reorder: Probability = 0.0
    reorder_depth: int = Field(default=3, ge=1, le=1000)
    delay_us: int = Field(default=0, ge=0, le=10_000_000)
    jitter_us: int = Field(default=0, ge=0, le=10_000_000)
    cut_every: int = Field(default=0, ge=0)
    cut_length: int = Field(default=0, ge=0)

    @property
    def active(self) -> bool:
        """Whether anything is switched on."""
        return bool(
            self.drop
            or self.duplicate
            or self.reorder
            or self.delay_us
            or self.jitter_us
            or self.cut_every
        )

    @model_validator(mode="after")
    def _cut_is_whole(self) -> LossConfig:
        if self.cut_every and not self.cut_length:
            raise ValueError("cut_every needs a cut_length of at least 1")
        return self


class LineConfig(_Model):
    """One feed line: a multicast (or unicast) destination.

    ``interface`` is the name or the IPv4 address of the interface it leaves on; without it the
    routing table decides.
    """

    group: str
    port: Annotated[int, Field(ge=1, le=65535)]
    interface: str | None = None
    ttl: int = Field(default=1, ge=0, le=255)
    loss: LossConfig = LossConfig()

    _group_is_address = field_validator("group")(_address)


class FeedConfig(_Model):
    """The ITCH feed: session name (10 characters at most), lines, history, pace of packets."""

    session: str = Field(default="TICKWIRE01", min_length=1, max_length=10, pattern=r"^[!-~]+$")
    a: LineConfig
    b: LineConfig | None = None
    flush_interval_us: int = Field(default=500, ge=50, le=100_000)
    heartbeat_ms: int = Field(default=1000, ge=10, le=60_000)
    history_bytes: int = Field(default=1 << 28, ge=1 << 16, le=1 << 36)
    history_messages: int = Field(default=1 << 23, ge=1 << 10, le=1 << 32)
    end_of_session_ms: int = Field(default=1000, ge=0, le=600_000)


class RequestConfig(_Model):
    """Where the re-request server listens; port 0 takes a free one."""

    address: str = "127.0.0.1"
    port: Port = 26490

    _address_is_address = field_validator("address")(_address)


class SessionConfig(_Model):
    """One order-entry port: session name, login, firm."""

    name: str = Field(default="OUCH01", min_length=1, max_length=10, pattern=r"^[!-~]+$")
    username: str = Field(default="trader", min_length=1, max_length=6, pattern=r"^[!-~]+$")
    password: str = Field(default="secret", max_length=10, pattern=r"^[!-~]*$")
    firm: str = Field(default="TICK", min_length=1, max_length=4, pattern=r"^[A-Z0-9]+$")


class OrderEntryConfig(_Model):
    """Where SoupBinTCP listens (port 0 takes a free one), and the rules of order entry."""

    address: str = "127.0.0.1"
    port: Port = 26491
    sessions: tuple[SessionConfig, ...] = Field(
        default=(SessionConfig(),), min_length=1, max_length=64
    )
    cancel_on_disconnect: bool = False
    prevent_self_match: bool = False
    live_orders: int = Field(default=1 << 16, ge=1, le=1 << 24)
    client_silence_ms: int = Field(default=15_000, ge=100, le=600_000)

    _address_is_address = field_validator("address")(_address)

    @model_validator(mode="after")
    def _names_differ(self) -> OrderEntryConfig:
        names = [session.name.upper() for session in self.sessions]
        if len(set(names)) != len(names):
            raise ValueError("two sessions have one name")
        return self


class FlowConfig(_Model):
    """Background order flow over all symbols; 0 messages a second for none."""

    messages_per_second: int = Field(default=20_000, ge=0, le=10_000_000)
    orders_per_symbol: int = Field(default=96, ge=32, le=100_000)


class HaltConfig(_Model):
    """A trading halt (``H``) or pause (``P``), seconds from the start."""

    symbol: str
    at_seconds: float = Field(ge=0, le=86_400)
    for_seconds: float = Field(gt=0, le=86_400)
    state: Literal["H", "P"] = "H"
    reason: str = Field(default="T1", max_length=4, pattern=r"^[A-Z0-9]*$")
    resume_reason: str = Field(default="T3", max_length=4, pattern=r"^[A-Z0-9]*$")


class ExchangeConfig(_Model):
    """Everything about one simulated exchange.

    ``symbols`` are named, or ``symbol_count`` of them are made up. ``first_prices`` (integers with
    four implied decimals, one per symbol) default to prices drawn from the seed. ``start_time`` is
    the time of day that the exchange's clock shows when it starts, HH:MM:SS.
    """

    symbols: tuple[str, ...] = ()
    symbol_count: int = Field(default=0, ge=0, le=60_000)
    first_prices: tuple[int, ...] | None = None
    seed: int = Field(default=1, ge=0, lt=1 << 64)
    tick: int = Field(default=100, ge=1, le=10_000)
    start_time: str = Field(default="09:30:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$")
    resting_orders: int = Field(default=1 << 18, ge=1024, le=1 << 28)
    feed: FeedConfig
    request: RequestConfig = RequestConfig()
    order_entry: OrderEntryConfig = OrderEntryConfig()
    flow: FlowConfig = FlowConfig()
    halts: tuple[HaltConfig, ...] = ()

    @field_validator("symbols")
    @classmethod
    def _symbols_are_symbols(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in symbols:
            if not (1 <= len(symbol) <= 8 and symbol.isascii() and symbol.isprintable()):
                raise ValueError(f"{symbol!r} is not a symbol of 1 to 8 characters")
        if len(set(symbols)) != len(symbols):
            raise ValueError("a symbol stands twice")
        return symbols

    @model_validator(mode="after")
    def _parts_fit(self) -> ExchangeConfig:
        names = self.symbol_names
        if not names:
            raise ValueError("symbols or symbol_count is needed")
        if self.symbols and self.symbol_count:
            raise ValueError("symbols and symbol_count exclude each other")
        if self.first_prices is not None:
            if len(self.first_prices) != len(names):
                raise ValueError(
                    f"first_prices: {len(self.first_prices)} prices for {len(names)} symbols"
                )
            if not all(50_000 <= price <= 1_900_000_000 for price in self.first_prices):
                raise ValueError("first_prices: between 50000 (5.0000) and 1900000000")
        for halt in self.halts:
            if halt.symbol not in names:
                raise ValueError(f"halts: {halt.symbol!r} is not one of the symbols")
        if self.flow.orders_per_symbol * len(names) * 2 > self.resting_orders:
            raise ValueError(
                "resting_orders: needs twice the flow's orders_per_symbol times the symbols,"
                f" {self.flow.orders_per_symbol * len(names) * 2}"
            )
        return self

    @property
    def symbol_names(self) -> tuple[str, ...]:
        """The symbols, named or made up (SIM001 and so on)."""
        if self.symbols:
            return self.symbols
        return tuple(f"SIM{number:03d}" for number in range(1, self.symbol_count + 1))

    @property
    def start_time_ns(self) -> int:
        """``start_time`` in nanoseconds since midnight."""
        hours, minutes, seconds = (int(part) for part in self.start_time.split(":"))
        return (hours * 3600 + minutes * 60 + seconds) * 1_000_000_000


def parse_config(values: dict[str, Any], source: str = "exchange") -> ExchangeConfig:
    """Check a table of values; raises :class:`ExchangeConfigError` with the first mistake."""
    try:
        return validated(ExchangeConfig, values, source)
    except ConfigError as error:
        raise ExchangeConfigError(str(error)) from None


def load_config(path: str | Path) -> ExchangeConfig:
    """Read a TOML file; raises :class:`ExchangeConfigError`."""
    try:
        return validated(ExchangeConfig, read_toml(Path(path)), str(path))
    except ConfigError as error:
        raise ExchangeConfigError(str(error)) from None
