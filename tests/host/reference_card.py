# SPDX-License-Identifier: Apache-2.0
"""A card in Python whose gate is the reference: requests and commands in, verdicts out."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

from host.risk.card_gate import CardGate
from host.risk.reference import ReferenceGate
from host.risk.reference_request import Request
from nic.offload import records
from nic.offload.enumerations import KILL_SCOPE, RISK
from nic.offload.limits import Limits
from nic.offload.python_device import PythonDevice
from nic.offload.record_stream import RecordStream
from nic.offload.records import COMMAND_TABLE, OFFLOAD
from nic.offload.registers import REGISTERS
from nic.wire.reference import decode

TELLS = {"fill", "terms", "canceled", "cancel_ended", "closed", "replaced", "replace_ended"} | {
    "broken",
    "mark",
}
SET_TIME = REGISTERS["control.set_time_ns"].address
LIMITS_NUMBER = REGISTERS["gate.limits_sequence_number"].address
IS_IDLE = REGISTERS["gate.is_idle"].address


class ReferenceCard(PythonDevice):
    """The device; ``delay_ns`` is how much later than the host's its verdicts are.

    ``spoil`` gets every record on its way out, as a dict, and may change it; what it answers goes
    instead, ``None`` for nothing. ``refuses``: how many commands find no room at first.
    """

    def __init__(self, symbols: int, orders: int) -> None:
        super().__init__("reference card")
        self.gate = ReferenceGate(symbols, orders)
        self.limits: dict[int, tuple[Limits, int | None]] = {}
        self.out: deque[bytes] = deque()
        self.number = 0
        self.t_ns = 0
        self.delay_ns = 0
        self.refuses = 0
        self.spoil: Any = lambda fields: fields
        self.commands: list[str] = []

    def on_load(self, address: int) -> int:
        if address == LIMITS_NUMBER:
            return self.gate.limits_sequence_number
        return int(address == IS_IDLE)

    def on_store(self, address: int, value: int) -> None:
        if address == SET_TIME:
            self.t_ns = value

    def on_take(self) -> bytes | None:
        return self.out.popleft() if self.out else None

    def on_give(self, command: bytes) -> bool:
        if self.refuses:
            self.refuses -= 1
            return False
        name, fields = decode(OFFLOAD, command, "to_card")
        if name == "request":
            self.decide({key: value for key, value in fields.items() if isinstance(value, int)})
            return True
        payload = fields["payload"]
        assert isinstance(payload, bytes)
        words = [int.from_bytes(payload[i : i + 8], "little") for i in range(0, len(payload), 8)]
        entry = COMMAND_TABLE[int(fields["number"])]
        assert len(words) == len(entry.arguments)
        for word, argument in zip(words, entry.arguments, strict=True):
            assert word < 1 << argument.bits, f"{entry.name}: {argument.name}"
        self.commands.append(entry.name)
        self.carry_out(entry.name, words)
        return True

    def carry_out(self, name: str, words: list[int]) -> None:
        if name in TELLS:
            getattr(self.gate.exposures, f"on_{name}")(*words)
        elif name in ("kill", "arm_reset", "reset_kill"):
            scope = KILL_SCOPE.name_of(words[0])
            getattr(self.gate, name)(scope, None if scope in ("global", "heartbeat") else words[1])
        elif name == "set_top":
            entry = next(c for c in COMMAND_TABLE if c.name == name)
            names = [argument.name for argument in entry.arguments[1:]]
            self.gate.set_top(words[0], dict(zip(names, words[1:], strict=True)))
        else:
            getattr(self.gate, name)(*words)

    def decide(self, fields: dict[str, int]) -> None:
        names = Request.__dataclass_fields__
        request = Request(**{key: value for key, value in fields.items() if key in names})
        t_ns = self.t_ns + self.delay_ns
        number = self.gate.submit(request, t_ns)
        self.say(
            "verdict",
            passed=int(self.gate.last_reason == RISK.value("passed")),
            reason=self.gate.last_reason,
            action=fields["action"],
            t_ns=t_ns,
            pass_number=self.gate.passes,
            user_ref_num=number,
            order_user_ref_num=fields["user_ref_num"],
            origin=1,
            tag=fields["tag"],
        )

    def say(self, name: str, **fields: int) -> None:
        self.number += 1
        told = self.spoil({"record_number": self.number, **fields})
        if told is not None:
            self.out.append(records.record(name, told))

    def set_limits(
        self, limits: Limits, sequence_number: int, symbol_index: int | None = None
    ) -> bool:
        """As ``Card.set_limits``: the words of a set can't be taken apart again."""
        self.gate.set_limits(symbol_index, limits, sequence_number)
        return True


def card_gate(device: ReferenceCard, **options: Any) -> CardGate:
    """The host's side of it; the capacities do not matter here."""
    identity = {"symbol_bits": 10, "order_bits": 4, "strategy_bits": 16, "venue_bits": 4}
    card: Any = SimpleNamespace(identity=identity, set_limits=device.set_limits)
    return CardGate(card, RecordStream(device), **options)
