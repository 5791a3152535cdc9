# SPDX-License-Identifier: Apache-2.0
"""The host's view of a card: registers by name, counters by table, records and commands as fields.

It stands on any :class:`nic.offload.device.OffloadDevice` and refuses a card that was not made of
the tables that the host has. Setting a card up is done here; the hot path talks to the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from nic.framing.feed_format import FEEDS
from nic.framing.reference import LineSettings
from nic.offload import records
from nic.offload.device import OffloadDevice
from nic.offload.limit_words import words_of
from nic.offload.limits import Limits
from nic.offload.order_template import ConnectionAddress, OrderLetters, template_writes
from nic.offload.records import OFFLOAD
from nic.offload.register_map import WORD_BITS
from nic.offload.registers import IDENTITY, INTERFACE_VERSION, LAYOUT_HASH, MAGIC, REGISTERS
from nic.offload.trigger import TriggerRow
from nic.wire.reference import Value, WireError, decode

SESSION_LOW_BYTES = WORD_BITS // 8
SYMBOL_TEXT_BYTES = 8


class CardMismatch(Exception):
    """The card was not made for this host; the text says what differs."""


class Card:
    """A card that has the host's tables.

    ``records_lost`` counts records that never came, by the holes in their numbers;
    ``records_malformed`` those that are not as the table says.
    Raises :class:`CardMismatch` where the card's identity is another than the host's.
    """

    def __init__(self, device: OffloadDevice) -> None:
        self.device = device
        self.identity = {
            register.name: device.read(REGISTERS[f"{IDENTITY.name}.{register.name}"].address)
            for register in IDENTITY.registers
        }
        for name, expected in (
            ("magic", MAGIC),
            ("interface_version", INTERFACE_VERSION),
            ("layout_hash", LAYOUT_HASH),
        ):
            if self.identity[name] != expected:
                raise CardMismatch(
                    f"{device.name}: {name} is {self.identity[name]:#x}, here {expected:#x}"
                )
        if self.identity["feed"] >= len(FEEDS):
            raise CardMismatch(f"{device.name}: feed {self.identity['feed']} is not known here")
        self.feed = list(FEEDS.values())[self.identity["feed"]]
        self.records_lost = 0
        self.records_malformed = 0
        self._last_number: int | None = None

    def read(self, path: str, index: int | str = 0) -> int:
        """A register, or one word of it by place or by name."""
        return self.device.read(REGISTERS[path].word(index))

    def fields(self, path: str) -> dict[str, int]:
        """The values of a register with fields."""
        return REGISTERS[path].unpack(self.read(path))

    def counters(self, path: str) -> dict[str, int]:
        """The counters of a table by name."""
        placed = REGISTERS[path]
        return {name: self.read(path, name) for name in placed.register.names}

    def write(self, path: str, value: int, index: int = 0) -> None:
        """Write a register. Raises ``ValueError`` for one that can't be, or has fewer bits."""
        placed = REGISTERS[path]
        if placed.register.access in ("constant", "read"):
            raise ValueError(f"{path} can't be written")
        if not 0 <= value < 1 << placed.register.bits:
            raise ValueError(f"{path}: {value} has not {placed.register.bits} bits")
        self.device.write(placed.word(index), value)

    def write_row(self, path: str, **values: int) -> None:
        """Write a register with fields."""
        self.write(path, REGISTERS[path].pack(**values))

    def set_line(self, letter: str, settings: LineSettings) -> None:
        """What line ``a`` or ``b`` carries. Raises :class:`CardMismatch` for another feed."""
        if settings.feed is not self.feed:
            raise CardMismatch(f"{self.device.name} parses {self.feed.name}")
        block = f"line_{letter}"
        session = settings.session
        self.write(f"{block}.destination_address", settings.destination_address)
        self.write(f"{block}.destination_port", settings.destination_port)
        self.write(f"{block}.session_low", int.from_bytes(session[:SESSION_LOW_BYTES], "little"))
        self.write(f"{block}.session_high", int.from_bytes(session[SESSION_LOW_BYTES:], "little"))
        self.write(f"{block}.is_pinned", int(bool(session)))

    def set_symbol(self, symbol_index: int, symbol: bytes, locate: int | None = None) -> None:
        """A symbol's eight bytes on the wire, and its instrument number where the feed has one.

        Raises ``ValueError`` for more symbols than the card has, or another length.
        """
        if symbol_index >> self.identity["symbol_bits"] or len(symbol) != SYMBOL_TEXT_BYTES:
            raise ValueError(f"symbol {symbol_index} {symbol!r} does not fit the card")
        self.write("builder.symbol_text", int.from_bytes(symbol, "little"))
        self.write("builder.symbol_index", symbol_index)
        if locate is not None:
            if locate >> self.identity["locate_bits"]:
                raise ValueError(f"locate {locate} does not fit the card's filter")
            self.write_row(
                "arbiter.filter_row", locate=locate, symbol_index=symbol_index, is_wanted=1
            )

    def set_limits(
        self, limits: Limits, sequence_number: int, symbol_index: int | None = None
    ) -> bool:
        """Put a whole set in force, the default one without a symbol; as :meth:`command`.

        The sequence number must be above that of every set before.
        """
        for number, value in enumerate(words_of(limits)):
            self.write("gate.limit_value", value)
            self.write("gate.limit_number", number)
        return self.command(
            "set_limits",
            is_default=int(symbol_index is None),
            symbol_index=symbol_index or 0,
            sequence_number=sequence_number,
        )

    def load_templates(self, address: ConnectionAddress, letters: OrderLetters) -> None:
        """The templates of the order builder; only while there is no connection."""
        for at, word in template_writes(address, letters):
            self.write("builder.template_value", word)
            self.write("builder.template_address", at)

    def command(self, name: str, **arguments: int) -> bool:
        """A command for gate or trigger; ``False`` where there is no room now: try again."""
        return self.device.give_command(records.command(name, **arguments))

    def arm_trigger(self, symbol_index: int, way: int, row: TriggerRow) -> bool:
        """Write a row of the trigger table; as :meth:`command`."""
        return self.command("arm_trigger", symbol_index=symbol_index, way=way, **asdict(row))

    def request(self, tag: int, **fields: int) -> bool:
        """An order request; as :meth:`command`."""
        return self.device.give_command(records.request(tag, **fields))

    def payload(self, data: bytes) -> bool:
        """Bytes for the order-entry session, sent as one segment; as :meth:`command`."""
        return self.device.give_command(records.payload(data))

    def records(self, limit: int = 1 << 16) -> Iterator[tuple[str, Mapping[str, Value]]]:
        """The records that are there, at most ``limit``: name and fields, in order.

        The message of an event stands under ``message``, cut to its length.
        """
        for _ in range(limit):
            data = self.device.take_record()
            if data is None:
                return
            try:
                name, found = decode(OFFLOAD, data, "from_card")
            except WireError:
                self.records_malformed += 1
                continue
            number = int(found["record_number"])
            if self._last_number is not None:
                self.records_lost += number - self._last_number - 1
            self._last_number = number
            if name == "event":
                behind = found.pop("payload")
                assert isinstance(behind, bytes)
                found["message"] = behind[: int(found["message_length"])]
            yield name, found
