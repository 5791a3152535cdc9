# SPDX-License-Identifier: Apache-2.0
"""Commands of the host: words in; requests, payloads and what changes the gate out, in order."""

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.host_payload import PayloadWord
from hw.kill_switch import Step, SwitchCommand
from hw.ledger_ports import TELL_NAMES, tell_layout
from hw.limits_table import Commit
from hw.prices import groups_layout
from hw.request import (
    STRATEGY_BITS,
    SYMBOL_BITS,
    VENUE_BITS,
    Action,
    Origin,
    request_layout,
)
from hw.risk_view import PHASE_BITS, top_layout
from hw.trigger_rows import TriggerCommand, command_layout
from nic.offload.commands import Command
from nic.offload.limits import PRICE_BITS, QUANTITY_BITS
from nic.offload.records import COMMAND_TABLE, OFFLOAD, WORD_BYTES
from nic.wire.table import Field

WORD_BITS = 8 * WORD_BYTES
COUNTER_BITS = 64
ARGUMENTS = max(len(command.arguments) for command in COMMAND_TABLE)
REQUEST = OFFLOAD["request"]
REQUEST_WORDS = REQUEST.length // WORD_BYTES
STEPS = {"kill": Step.KILL, "arm_reset": Step.ARM, "reset_kill": Step.RESET}
TRIGGER_STEPS = {
    "arm_trigger": TriggerCommand.ARM,
    "acknowledge_trigger": TriggerCommand.ACKNOWLEDGE,
}

DESTINATIONS = {
    **dict.fromkeys(TELL_NAMES, "tell"),
    **dict.fromkeys(STEPS, "switch"),
    **dict.fromkeys(TRIGGER_STEPS, "trigger"),
    "set_top": "top",
    "set_market_phase": "phase",
    "heartbeat": "heartbeat",
    **dict.fromkeys(("set_session_up", "set_feed_stale", "timer", "set_limits"), ""),
}
"""To whom each command is handed over; to nobody what takes effect by itself: levels, the time (the
card has a clock of its own), and sets of limits, which have their own way."""

SIZE_CYCLES = 3
"""To work out how many words a payload of the size that it says has."""


class CommandReader(wiring.Component):
    """Reads one command after the other and hands it to whom it is for.

    ``commands``: words as the host gives them (``nic/offload/records.py``). ``request``,
    ``payload``, ``tell``, ``trigger``, ``top``, ``phase``: handed over, the next command after
    they were taken. ``commit`` and ``switch`` as their parts take them, ``switch`` a cycle
    later than others; ``heartbeat``: for a cycle.
    ``sessions_up``, ``is_stale``: what was last said.
    ``done`` counts commands of all kinds that were handed over, ``refused`` those of unknown type
    or number, with other words than the table says, or that name a row no table has.

    A request of a value that is too wide for the gate becomes one that the gate refuses for that:
    a quantity or price of 0 (of a cancel the largest quantity), the last symbol, which is unknown.
    """

    def __init__(
        self,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
    ) -> None:
        self._rows = {"symbol": symbol_bits, "strategy": strategy_bits, "venue": venue_bits}
        indexes = (symbol_bits, strategy_bits, venue_bits)
        top = data.StructLayout(
            {"symbol_index": symbol_bits, "groups": groups_layout(), "top": top_layout()}
        )
        super().__init__(
            {
                "commands": In(stream.Signature(WORD_BITS)),
                "request": Out(stream.Signature(request_layout(*indexes))),
                "payload": Out(stream.Signature(PayloadWord)),
                "tell": Out(stream.Signature(tell_layout(symbol_bits, strategy_bits))),
                "trigger": Out(stream.Signature(command_layout(*indexes))),
                "top": Out(stream.Signature(top)),
                "phase": Out(stream.Signature(PHASE_BITS)),
                "commit_valid": Out(1),
                "commit": Out(Commit),
                "commit_ready": In(1),
                "commit_done": In(1),
                "switch_valid": Out(1),
                "switch": Out(SwitchCommand),
                "heartbeat": Out(1),
                "sessions_up": Out(1 << venue_bits),
                "is_stale": Out(1),
                "is_idle": Out(1),
                "done": Out(COUNTER_BITS),
                "refused": Out(COUNTER_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """First word, the others, then the handing over."""
        m = Module()
        first = Signal(WORD_BITS)
        arguments = [Signal(WORD_BITS, name=f"argument_{i}") for i in range(ARGUMENTS)]
        at, words, kind = Signal(8), Signal(8), Signal(8)
        next_argument = Signal(ARGUMENTS)  # a bit each
        word = self.commands.payload
        refuses, finishes, has_refused, has_finished = (Signal() for _ in range(4))
        m.d.sync += [
            has_refused.eq(refuses),
            has_finished.eq(finishes),
            self.refused.eq(self.refused + has_refused),
            self.done.eq(self.done + has_finished),
        ]
        place = OFFLOAD["command"]
        m.d.comb += [
            kind.eq(_bits(word, place["record_type"])),
            words.eq(_bits(first, place["words"])),
        ]
        self._is_command = Signal(len(COMMAND_TABLE))  # which one, a cycle behind the first word
        number = _bits(first, place["number"])
        m.d.sync += self._is_command.eq(Cat(number == i for i in range(len(COMMAND_TABLE))))
        self._destinations(m, arguments)
        is_right = self._is_right(m, first, arguments)
        m.d.sync += [self.switch_valid.eq(0), self.heartbeat.eq(0)]
        with m.FSM():
            with m.State("FIRST"):
                # Until there is one, what is taken for it is anything.
                m.d.comb += [self.commands.ready.eq(1), self.is_idle.eq(1)]
                m.d.sync += [first.eq(word), at.eq(1), next_argument.eq(1)]
                with m.If(self.commands.valid):
                    with m.If(kind == (OFFLOAD["payload"].code or 0)):
                        m.next = "SIZE"
                    with m.Else():
                        m.next = "MORE"
            with m.State("MORE"):
                # The next argument is anything, too, until it is there; behind the last it stays.
                for argument, is_next in zip(arguments, next_argument, strict=True):
                    with m.If(is_next):
                        m.d.sync += argument.eq(word)
                with m.If(at >= words):
                    m.next = "CHECK"
                with m.Else():
                    m.d.comb += self.commands.ready.eq(1)
                    with m.If(self.commands.valid):
                        m.d.sync += [at.eq(at + 1), next_argument.eq(next_argument << 1)]
            self._payload(m, first, at, words, finishes, refuses)
            with m.State("CHECK"):
                m.next = "DECIDE"
            with m.State("DECIDE"):
                self._decide(m, first, is_right, refuses)
            with m.State("REQUEST"):
                m.d.comb += self.request.valid.eq(1)
                with m.If(self.request.ready):
                    m.d.comb += finishes.eq(1)
                    m.next = "FIRST"
            with m.State("COMMAND"), m.If(self._command(m, arguments)):
                m.d.comb += finishes.eq(1)
                m.next = "FIRST"
            with m.State("COMMIT"):
                m.d.comb += self.commit_valid.eq(1)
                with m.If(self.commit_ready):
                    m.next = "COMMITTED"
            with m.State("COMMITTED"), m.If(self.commit_done):
                m.d.comb += finishes.eq(1)
                m.next = "FIRST"
        self._request(m, first, arguments)
        self._static(m, arguments)
        return m

    def _payload(
        self, m: Module, first: Value, at: Value, words: Value, finishes: Value, refuses: Value
    ) -> None:
        """Words of a payload go through as they come; one that lies about its length is eaten."""
        size = _bits(first, OFFLOAD["payload"]["payload_bytes"])
        due, words_due = Signal(16), Signal(17)  # words that the size needs; the first one too
        is_true, is_over, is_last = Signal(), Signal(), Signal()
        m.d.sync += [
            due.eq((size + (WORD_BYTES - 1)) >> 3),
            words_due.eq(due + 1),
            is_true.eq((size != 0) & (words_due == words)),
        ]
        m.d.comb += [
            self.payload.payload.data.eq(self.commands.payload),
            self.payload.payload.last.eq(is_last),
            self.payload.payload.empty.eq(Mux(is_last, -size, 0)),
        ]
        for number in range(SIZE_CYCLES):
            with m.State("SIZE" if number == 0 else f"SIZE_{number}"):
                m.d.sync += [is_over.eq(words < 2), is_last.eq(words == 2)]
                m.next = f"SIZE_{number + 1}" if number < SIZE_CYCLES - 1 else "PAYLOAD"
        with m.State("PAYLOAD"):
            m.d.comb += [
                self.payload.valid.eq(self.commands.valid & is_true & ~is_over),
                self.commands.ready.eq((self.payload.ready | ~is_true) & ~is_over),
            ]
            with m.If(is_over):
                m.d.comb += [refuses.eq(~is_true), finishes.eq(is_true)]
                m.next = "FIRST"
            with m.Elif(self.commands.valid & self.commands.ready):
                m.d.sync += [at.eq(at + 1), is_over.eq(is_last), is_last.eq(at + 2 == words)]

    def _is_right(self, m: Module, first: Value, arguments: Any) -> Signal:
        """Whether a command is as long as the table says, and of rows that are there.

        Two cycles behind its last word.
        """
        words = _bits(first, OFFLOAD["command"]["words"])
        fits, is_right = Signal(len(COMMAND_TABLE)), Signal()
        for place, command in enumerate(COMMAND_TABLE):
            m.d.sync += fits[place].eq(
                (words == len(command.arguments) + 1) & ~Cat(self._beyond(command, arguments)).any()
            )
        m.d.sync += is_right.eq((self._is_command & fits).any())
        return is_right

    def _decide(self, m: Module, first: Value, is_right: Value, refuses: Value) -> None:
        """Where a whole record goes, two cycles behind its last word."""
        kind = _bits(first, OFFLOAD["command"]["record_type"])
        words = _bits(first, OFFLOAD["command"]["words"])
        m.d.comb += refuses.eq(1)
        m.next = "FIRST"
        with m.If((kind == (REQUEST.code or 0)) & (words == REQUEST_WORDS)):
            m.d.comb += refuses.eq(0)
            m.next = "REQUEST"
        with m.Elif((kind == (OFFLOAD["command"].code or 0)) & is_right):
            m.d.comb += refuses.eq(0)
            m.next = "COMMAND"
            with m.If(self._is_command[_number("set_limits")]):
                m.next = "COMMIT"

    def _beyond(self, command: Command, arguments: Any) -> Iterator[Value]:
        """For each argument that is the row of a table, whether the table is smaller.

        Of a set of limits the table itself says so; of the default one the symbol does not count.
        """
        for place, argument in enumerate(command.arguments):
            if argument.index and command.name != "set_limits":
                yield (arguments[place][: argument.bits] >> self._rows[argument.index]) != 0

    def _request(self, m: Module, first: Value, arguments: Any) -> None:
        """The request's fields, as narrow as the gate has them."""
        whole = Cat(first, *(arguments[i] for i in range(REQUEST_WORDS - 1)))
        given = {f.name: whole[8 * f.offset : 8 * f.end] for f in REQUEST}
        request = self.request.payload
        cancel = Value.cast(Action.CANCEL)
        is_cancel = given["action"] == cancel
        too_many = (given["quantity"] >> QUANTITY_BITS) != 0
        unknown = Cat(
            (given[name] >> self._rows[kind]) != 0
            for name, kind in (("strategy_id", "strategy"), ("venue", "venue"))
        ).any()
        odd = (given["post_only"] > 1) | unknown
        symbol_bits = self._rows["symbol"]
        m.d.sync += [
            request.action.eq(Mux(given["action"] > cancel, Action.INVALID, given["action"])),
            request.side.eq(given["side"]),
            request.time_in_force.eq(given["time_in_force"]),
            request.post_only.eq(given["post_only"]),
            request.strategy.eq(given["strategy_id"]),
            request.venue.eq(given["venue"]),
            request.symbol_index.eq(
                Mux((given["symbol_index"] >> symbol_bits) != 0, -1, given["symbol_index"])
            ),
            request.quantity.eq(
                Mux(too_many | odd, Mux(is_cancel & too_many, -1, 0), given["quantity"])
            ),
            request.price.eq(Mux((given["price"] >> PRICE_BITS) != 0, 0, given["price"])),
            request.user_ref_num.eq(given["user_ref_num"]),
            request.origin.eq(Origin.HOST),
            request.tag.eq(given["tag"]),
        ]

    def _command(self, m: Module, arguments: Any) -> Value:
        """Hand a command over; whether it was taken."""
        streams = {"tell": self.tell, "trigger": self.trigger, "top": self.top, "phase": self.phase}
        waits = []
        for name, stream_ in streams.items():
            m.d.comb += stream_.valid.eq(self._goes_to[name])
            waits.append(self._goes_to[name] & ~stream_.ready)
        m.d.sync += self.switch_valid.eq(self._goes_to["switch"])
        m.d.sync += self.heartbeat.eq(self._goes_to["heartbeat"])
        with m.If(self._is_command[_number("set_session_up")]):
            values = self._values("set_session_up", arguments)
            with m.Switch(values["venue"]):
                for venue in range(1 << self._rows["venue"]):
                    with m.Case(venue):
                        m.d.sync += self.sessions_up[venue].eq(values["is_up"])
        with m.If(self._is_command[_number("set_feed_stale")]):
            values = self._values("set_feed_stale", arguments)
            m.d.sync += self.is_stale.eq(values["is_stale"])
        return ~Cat(waits).any()

    @staticmethod
    def _values(name: str, arguments: Any) -> dict[str, Value]:
        """The arguments of a command by name."""
        command = COMMAND_TABLE[_number(name)]
        return {a.name: arguments[i][: a.bits] for i, a in enumerate(command.arguments)}

    def _destinations(self, m: Module, arguments: Any) -> None:
        """Where a command goes and what it brings: ready before it is handed over."""
        names = sorted(set(DESTINATIONS.values()) - {""})
        self._goes_to = {name: Signal(name=f"goes_to_{name}") for name in names}
        goes: dict[str, list[Value]] = {name: [] for name in names}
        brought: dict[str, tuple[Value, list[Value]]] = {}
        for is_meant, command in zip(self._is_command, COMMAND_TABLE, strict=True):
            goes.get(DESTINATIONS[command.name], []).append(is_meant)
            for name, place, value in self._brings(command, arguments):
                brought.setdefault(name, (place, []))[1].append(Mux(is_meant, value, 0))
        m.d.sync += [self._goes_to[name].eq(Cat(bits).any()) for name, bits in goes.items()]
        m.d.sync += [place.eq(reduce(or_, values)) for place, values in brought.values()]

    def _brings(self, command: Command, arguments: Any) -> Iterator[tuple[str, Value, ValueLike]]:
        """The payload of a command, at its destination: a name for each place, the place, what."""
        name, values = command.name, self._values(command.name, arguments)
        destination = DESTINATIONS[name]
        found: list[tuple[str, Any, ValueLike]] = []
        if destination == "tell":
            tell = self.tell.payload
            found.append(("kind", tell.kind, TELL_NAMES.index(name)))
            for key, value in values.items():
                key = "quantity" if key == "leaves" else key
                found.append((key, tell[key], value))
        elif destination == "switch":
            found.append(("step", self.switch.step, STEPS[name]))
            found += [(key, self.switch[key], value) for key, value in values.items()]
        elif destination == "trigger":
            trigger = self.trigger.payload
            found.append(("kind", trigger.kind, TRIGGER_STEPS[name]))
            for key, value in values.items():
                if key in ("symbol_index", "way", "generation"):
                    found.append((key, trigger[key], value))
                if name == "arm_trigger" and key not in ("symbol_index", "way"):
                    found.append((f"row.{key}", trigger.row[key], value))
        elif destination == "phase":
            found.append(("phase", self.phase.payload, values["phase"]))
        for key, place, what in found:
            target = Value.cast(place)
            yield f"{destination}.{key}", target, Value.cast(what)[: len(target)]

    def _static(self, m: Module, arguments: Any) -> None:
        """Wide things that stand still while their command is handed over."""
        found = {command.name: command for command in COMMAND_TABLE}
        top = self.top.payload
        for place, argument in enumerate(found["set_top"].arguments):
            value = arguments[place][: argument.bits]
            home = top.symbol_index if argument.index else getattr(top.top, argument.name)
            m.d.comb += home.eq(value)
        m.d.comb += [
            group.eq(1) for group in (top.groups[name] for name in groups_layout().members)
        ]
        for place, argument in enumerate(found["set_limits"].arguments):
            m.d.comb += self.commit[argument.name].eq(arguments[place][: argument.bits])


def _number(name: str) -> int:
    """A command's place in the table."""
    return next(i for i, command in enumerate(COMMAND_TABLE) if command.name == name)


def _bits(word: Value, field: Field) -> Value:
    """A field of the first word."""
    return word[8 * field.offset : 8 * field.end]
