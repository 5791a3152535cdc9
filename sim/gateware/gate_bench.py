# SPDX-License-Identifier: Apache-2.0
"""The risk gate as gateware behind the methods of the gate in software, with tops beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from host.risk.reference_request import Request
from hw.ledger_ports import KINDS
from hw.limits_table import Commit, ShadowWrite
from hw.recent_orders import key_fields, set_of
from hw.request import BUY, Action, Origin
from hw.risk_gate import RiskGate
from hw.risk_view import top_layout
from hw.swept_memory import SweptMemory
from nic.offload.commands import TELLS
from nic.offload.enumerations import KILL_SCOPE, RISK
from nic.offload.limit_words import words_of
from nic.offload.limits import MAXIMUM_PRICE, Limits
from sim.gateware import harness, rows
from sim.gateware.rows import Array

ORDER_BITS, SYMBOL_BITS, STRATEGY_BITS, VENUE_BITS = 4, 3, 2, 3
SETTLE_CYCLES = 80
TELL_ARGUMENTS = {tell.name: [a.name for a in tell.arguments] for tell in TELLS}


class GateBench(wiring.Component):
    """A gate, and the RAM of tops that it reads."""

    def __init__(self, **parameters: int) -> None:
        self.gate = RiskGate(ORDER_BITS, SYMBOL_BITS, STRATEGY_BITS, VENUE_BITS, **parameters)
        members = dict(self.gate.signature.members)
        del members["top"], members["candidate_early"]
        self.forwarded = tuple(members)
        super().__init__(
            {**members, "top_write": In(1), "top_index": In(SYMBOL_BITS), "top": In(top_layout())}
        )

    def elaborate(self, platform: object) -> Module:
        """The RAM in front of the gate; everything else goes through."""
        m = Module()
        m.submodules.gate = gate = self.gate
        m.submodules.tops = tops = SweptMemory(top_layout(), 1 << SYMBOL_BITS)
        address, found = tops.read()
        shown = Signal(top_layout())
        m.d.sync += shown.eq(found)
        m.d.comb += [
            gate.top.eq(shown),
            gate.candidate_early.set.eq(set_of(**key_fields(gate.trigger.candidate))),
            gate.candidate_early.is_buy.eq(gate.trigger.candidate.side == BUY),
            address.eq(gate.symbol_index),
            tops.write_enable.eq(self.top_write),
            tops.write_address.eq(self.top_index),
            tops.write_data.eq(self.top),
        ]
        for name in self.forwarded:
            member = gate.signature.members[name]
            outer, inner = getattr(self, name), getattr(gate, name)
            if member.is_signature:
                wiring.connect(m, wiring.flipped(outer), inner)
            elif member.flow == In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner)
        return m


def told_fields(name: str, *numbers: int) -> dict[str, int]:
    """What is told to the ledger, as fields of its layout."""
    arguments = dict(zip(TELL_ARGUMENTS[name], numbers, strict=True))
    if "leaves" in arguments:
        arguments["quantity"] = arguments.pop("leaves")
    return {"kind": KINDS[name], **arguments}


class GatewareGate:
    """Takes a command, runs until it is carried out, and says what the gate in software says."""

    def __init__(self, model: harness.Model) -> None:
        self.model = model
        self.layouts = {name: port.layout for name, port in model.ports.items()}
        model.reset()
        self.sessions = 0
        self.last_reason = self.passes = self.alerts = self.refused_switches = 0
        self.counts, self.counted = [0] * RISK.count, [0] * RISK.count
        self.latencies: dict[str, list[int]] = {"fast": [], "retried": [], "host": []}
        model.hold(symbol_count=0, t_ns=0, market_phase=0, sessions_up=0, is_stale=0)
        model.run(cycles=(1 << 10) + 50, when=None)

    # ------------------------------------------------------------------ running

    def row(self, port: str, **fields: Any) -> Array:
        """A structure as what a port takes in a cycle."""
        bits = self.model.ports[port].width_bits
        octets = rows.from_int(harness.pack(self.layouts[port], fields), bits)
        return rows.port_array(octets[None], bits)

    def inputs(self, cycles: int) -> Array:
        """Held inputs for some cycles, to be changed."""
        return self.model.inputs(cycles, {})

    def run(self, inputs: Array, **feeds: harness.Feed) -> list[Any]:
        """Run, then until everything is carried out; the rows with a verdict's reason."""
        return [row for row in self.seen(inputs, **feeds) if row["explained__valid"]]

    def seen(self, inputs: Array, *also: str, **feeds: harness.Feed) -> list[Any]:
        """The same, with the rows in which one of the outputs ``also`` is not 0."""
        when = ("verdict__valid", "explained__valid", "alerts", "verdicts", *also)
        found = list(self.model.run(inputs, when=when, feeds=feeds))
        for _ in range(20):
            rested = list(self.model.run(cycles=1))
            found += rested
            if rested[0]["is_idle"]:
                break
            found += list(self.model.run(cycles=20, when=when, feeds=feeds))
        else:
            raise AssertionError("the gate does not come to rest")
        for name, feed in feeds.items():
            assert feed.taken == len(feed.payloads), name
        self.alerts += sum(int(row["alerts"]) for row in found)
        given, explained = (
            [int(row["cycle"]) for row in found if row[f"{name}__valid"]]
            for name in ("verdict", "explained")
        )
        assert explained == [cycle + 1 for cycle in given], "each is explained in the next cycle"
        for row in found:
            bits = rows.to_int(row["verdicts"])
            self.counted = [count + (bits >> n & 1) for n, count in enumerate(self.counted)]
        return found

    def pulse(self, valid: str, port: str | None = None, **fields: Any) -> Any:
        """One cycle of something, and what the gate showed behind it."""
        inputs = self.inputs(20)
        inputs[valid][0] = 1
        if port:
            inputs[port][0] = self.row(port, **fields)[0]
        self.run(inputs)
        return self.model.run(cycles=1)[0]

    # ------------------------------------------------------------------ commands

    def set_time(self, t_ns: int) -> None:
        """It is ``t_ns`` from now on."""
        self.model.hold(t_ns=t_ns)
        self.model.run(cycles=3, when=None)

    def set_symbol_count(self, count: int) -> None:
        """Symbols from ``count`` on are unknown."""
        self.model.hold(symbol_count=count)

    def set_session_up(self, venue: int, is_up: bool) -> None:
        """A venue's session can take orders, or can't."""
        self.sessions = self.sessions & ~(1 << venue) | is_up << venue
        self.model.hold(sessions_up=self.sessions)

    def set_feed_stale(self, is_stale: bool) -> None:
        """The feed went silent, or is back."""
        self.model.hold(is_stale=int(is_stale))

    def set_market_phase(self, phase: int) -> None:
        """The market is in another phase."""
        self.model.hold(market_phase=phase)

    def set_top(self, symbol_index: int, values: dict[str, int]) -> None:
        """A symbol's market changed; a price that no order can have is none."""
        there = {
            n: 0 if n.endswith("_price") and v > MAXIMUM_PRICE else v for n, v in values.items()
        }
        inputs = self.inputs(6)
        inputs["top_write"][0], inputs["top_index"][0] = 1, symbol_index
        inputs["top"][0] = self.row("top", **there)[0]
        self.run(inputs)

    def set_limits(self, symbol_index: int | None, limits: Limits, sequence_number: int) -> None:
        """Put a whole set in force; ``ValueError`` when it is refused."""
        words = words_of(limits)
        count = len(words)
        inputs = self.inputs(count + 30)
        inputs["shadow_valid"][:count] = 1
        values = np.array(words, np.uint64)
        inputs["shadow"][:count] = harness.pack_rows(
            ShadowWrite, {"number": np.arange(count), "value": values}, count
        )
        fields = {
            "is_default": int(symbol_index is None),
            "symbol_index": symbol_index or 0,
            "sequence_number": sequence_number,
        }
        inputs["commit_valid"][count] = 1
        bits = self.model.ports["commit"].width_bits
        number = harness.pack(Commit, fields)
        inputs["commit"][count] = rows.port_array(rows.from_int(number, bits)[None], bits)[0]
        seen = self.model.run(inputs, when=("accepted", "refused"))
        assert len(seen) == 1
        self.run(self.inputs(1))
        if seen[0]["refused"]:
            raise ValueError("refused")

    def switch(self, step: int, scope: str, id: int | None, error: type[Exception]) -> None:
        """A step at the kill switch; raises ``error`` when it is refused."""
        number = KILL_SCOPE.value(scope)
        after = self.pulse("switch_valid", "switch", step=step, scope=number, id=id or 0)
        before, self.refused_switches = self.refused_switches, int(after["switch_refused"])
        if before != self.refused_switches:
            raise error(f"{scope} {id}")

    def kill(self, scope: str = "global", id: int | None = None) -> None:
        """Refuse every new order and replace of a scope."""
        self.switch(0, scope, id, ValueError)

    def arm_reset(self, scope: str = "global", id: int | None = None) -> None:
        """First step of taking a kill back."""
        self.switch(1, scope, id, ValueError)

    def reset_kill(self, scope: str = "global", id: int | None = None) -> None:
        """Second step of taking a kill back."""
        self.switch(2, scope, id, RuntimeError)

    def heartbeat(self, t_ns: int) -> None:
        """The control thread lives."""
        self.pulse("heartbeat")

    def timer(self, t_ns: int) -> None:
        """The gate looks at the time by itself."""

    def release_strategy(self, strategy_id: int) -> None:
        """Let a strategy execute again."""
        self.send_tell(kind=KINDS["release_strategy"], strategy_id=strategy_id)

    def start_day(self) -> None:
        """What is summed since the start of the day begins anew."""
        self.send_tell(kind=KINDS["start_day"])

    def tell(self, name: str, *numbers: int) -> None:
        """Tell what happened to an order or a position."""
        self.send_tell(**told_fields(name, *numbers))

    def send_tell(self, **fields: int) -> None:
        """Give the ledger one command."""
        self.run(self.inputs(20), tell=harness.Feed(self.row("tell__payload", **fields)))

    # ------------------------------------------------------------------ requests

    def request_fields(self, request: Request, by_trigger: bool) -> dict[str, int]:
        """A request as fields of its layout."""
        return {
            "action": Action(min(request.action, 3)).value,
            "side": request.side,
            "time_in_force": request.time_in_force,
            "post_only": request.post_only,
            "strategy": request.strategy_id,
            "venue": request.venue,
            "symbol_index": request.symbol_index,
            "quantity": request.quantity,
            "price": request.price,
            "user_ref_num": request.user_ref_num,
            "origin": Origin(Origin.TRIGGER if by_trigger else Origin.HOST).value,
            "tag": self.passes & 0xFFFF_FFFF,
        }

    def submit(
        self, request: Request, by_trigger: bool, wrong_prefetch: bool = False
    ) -> dict[str, Any]:
        """The verdict; ``by_trigger`` shows and fires it, else the host asks."""
        fields = self.request_fields(request, by_trigger)
        inputs = self.inputs(SETTLE_CYCLES)
        start = self.model.cycle
        if by_trigger:
            symbol = (request.symbol_index + wrong_prefetch) % (1 << SYMBOL_BITS)
            inputs["trigger__prefetch"][0] = symbol
            inputs["trigger__candidate"][2] = self.row("trigger__candidate", **fields)[0]
            inputs["trigger__offers"][3] = inputs["trigger__fire"][3] = 1
            verdicts = self.run(inputs)
        else:
            verdicts = self.run(inputs, host=harness.Feed(self.row("host__payload", **fields)))
        assert len(verdicts) == 1, "one verdict for one request"
        row = verdicts[0]
        kind = "host" if not by_trigger else "retried" if wrong_prefetch else "fast"
        self.latencies[kind].append(self.cycle_of(row) - start)
        return self.decided(row)

    @staticmethod
    def cycle_of(row: Any) -> int:
        """The cycle of the verdict that is explained in a captured row."""
        return int(row["cycle"]) - 1

    def verdict(self, row: Any) -> dict[str, Any]:
        """The verdict in a captured row, and its reason; its number is 0 unless it passed."""
        explained: dict[str, Any] = harness.unpack(
            self.layouts["explained__payload"], rows.to_int(row["explained__payload"])
        )
        verdict: dict[str, Any] = explained["verdict"] | {"reason": explained["reason"]}
        if not verdict["passed"]:
            verdict["user_ref_num"] = verdict["pass_number"] = 0
        return verdict

    def decided(self, row: Any) -> dict[str, Any]:
        """The verdict in a captured row; it is counted."""
        verdict = self.verdict(row)
        self.last_reason = verdict["reason"]
        assert verdict["passed"] == (self.last_reason == 0)
        self.counts[self.last_reason] += 1
        self.passes += verdict["passed"]
        return verdict

    def counters(self) -> dict[str, int]:
        """Number of verdicts by reason."""
        assert self.counted == self.counts, "counted as decided"
        return RISK.as_dict(self.counts)
