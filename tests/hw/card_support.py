# SPDX-License-Identifier: Apache-2.0
"""The whole card as a model, driven through the host's view of it."""

from __future__ import annotations

import os
from typing import Any

from host.risk.reference import ReferenceGate
from host.risk.reference_request import CANCEL, NEW, Request
from hw.order_builder_reference import Order
from nic.framing.feed_format import NASDAQ, FeedFormat
from nic.offload.builder_enumerations import BUILDER
from nic.offload.card import Card
from nic.offload.commands import TELLS
from nic.offload.enumerations import KILL_SCOPE
from nic.offload.limits import MAXIMUM_PRICE, Limits
from sim.gateware.card import open_card
from sim.gateware.card_model import GatewareDevice
from sim.gateware.card_setup import ROW, SYMBOL
from sim.risk_driver import Pair

SEED = int(os.environ.get("TICKWIRE_SEED", "71"))
TELL_ARGUMENTS = {tell.name: [a.name for a in tell.arguments] for tell in TELLS}
Record = tuple[str, dict[str, Any]]


def new_card(
    seed: int = SEED, feed: FeedFormat = NASDAQ, has_orders: bool = True
) -> tuple[GatewareDevice, Card]:
    """A card fresh out of reset, and the host's view of it."""
    device = open_card(feed, has_orders=has_orders, seed=seed)
    return device, Card(device)


def fired_order(number: int, price: int) -> Order:
    """The order that :data:`ROW` of the card's setup fires, as pass ``number``."""
    return Order(
        action=NEW,
        side=ROW.order_side,
        time_in_force=ROW.time_in_force,
        strategy=ROW.strategy_id,
        venue=ROW.venue,
        symbol=SYMBOL,
        quantity=ROW.quantity,
        price=price,
        user_ref_num=number,
        pass_number=number,
    )


def all_records(card: Card) -> list[Record]:
    """Whatever the card has to say, until nothing moves in it any more."""
    return [(name, dict(fields)) for name, fields in card.records()]


class CardExposures:
    """What is told of orders, as commands."""

    def __init__(self, card: Card) -> None:
        self.card = card

    def tell(self, name: str, *numbers: int) -> None:
        assert self.card.command(name, **dict(zip(TELL_ARGUMENTS[name], numbers, strict=True)))


class CardGate:
    """The card's gate behind the methods of the gate in software."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.exposures = CardExposures(card)
        self.tag = 0

    def settled(self) -> None:
        """Everything given was carried out; no record came of it."""
        self.card.device.run_still()

    def set_session_up(self, venue: int, is_up: bool) -> None:
        assert self.card.command("set_session_up", venue=venue, is_up=int(is_up))

    def set_feed_stale(self, is_stale: bool) -> None:
        assert self.card.command("set_feed_stale", is_stale=int(is_stale))

    def set_market_phase(self, phase: int) -> None:
        assert self.card.command("set_market_phase", phase=phase)

    def set_top(self, symbol_index: int, values: dict[str, int]) -> None:
        there = {
            n: 0 if n.endswith("_price") and v > MAXIMUM_PRICE else v for n, v in values.items()
        }
        assert self.card.command("set_top", symbol_index=symbol_index, **there)

    def set_limits(self, symbol_index: int | None, limits: Limits, sequence_number: int) -> None:
        self.settled()
        before = self._refused_limits()
        assert self.card.set_limits(limits, sequence_number, symbol_index)
        self.settled()
        if self._refused_limits() != before:
            raise ValueError("refused")

    def _refused_limits(self) -> int:
        return self.card.read("gate.limits_late") + self.card.read("gate.limits_unfit")

    def switch(self, name: str, scope: str, id: int | None) -> None:
        assert self.card.command(name, scope=KILL_SCOPE.value(scope), id=id or 0)

    def heartbeat(self, t_ns: int) -> None:
        assert self.card.command("heartbeat", t_ns=t_ns)

    def timer(self, t_ns: int) -> None:
        assert self.card.command("timer", t_ns=t_ns)

    def release_strategy(self, strategy_id: int) -> None:
        assert self.card.command("release_strategy", strategy_id=strategy_id)

    def start_day(self) -> None:
        assert self.card.command("start_day")

    def submit(self, request: Request) -> list[Record]:
        """What came of a request: its verdict, and the builder's outcome where it passed."""
        self.tag += 1
        assert self.card.request(
            self.tag,
            action=request.action,
            side=request.side,
            time_in_force=request.time_in_force,
            post_only=request.post_only,
            venue=request.venue,
            strategy_id=request.strategy_id,
            symbol_index=request.symbol_index,
            quantity=request.quantity,
            price=request.price,
            user_ref_num=request.user_ref_num,
        )
        return all_records(self.card)


class CardPair(Pair):
    """The steps of the risk gate's driver for a card, held against the reference.

    The reference decides at the time that the verdict says.
    """

    def __init__(self, seed: int, card: Card) -> None:
        self.card = card
        self.told_ns = 0
        super().__init__(seed)

    def make_gate(self) -> Any:
        return CardGate(self.card)

    def in_time(self) -> None:
        """Both are at the driver's time."""
        if self.told_ns != self.t_ns:
            # Off the round numbers of the limits: the card's clock goes on while it works.
            self.t_ns += self.random.randrange(1_000_000)
            self.told_ns = self.t_ns
            self.gate.settled()
            self.card.write("control.set_time_ns", self.t_ns)
        self.reference.timer(self.t_ns)

    def both(self, command: str, *arguments: Any) -> None:
        if not self.told_ns:  # the first command: now the reference's size can be the card's
            symbols = (1 << self.card.identity["symbol_bits"]) - 1
            self.reference = ReferenceGate(symbols, 1 << self.card.identity["order_bits"])
        self.in_time()
        if command in ("kill", "arm_reset", "reset_kill"):
            # What the card refuses of these it does not say; verdicts and registers show it.
            self.gate.switch(command, *arguments)
            try:
                getattr(self.reference, command)(*arguments)
            except (ValueError, RuntimeError):
                return
        else:
            super().both(command, *arguments)
        self.reference.timer(self.t_ns)

    def tell(self, *told: Any) -> None:
        self.in_time()
        super().tell(*told)

    def clear(self) -> None:
        for scope, found in self.reference.kills().items():
            for id in found if isinstance(found, list) else [None] * found:
                if self.random.random() < 0.95:
                    self.both("arm_reset", scope, id)
                if self.random.random() < 0.02:
                    self.both("kill", *self.scope())
                self.both("reset_kill", scope, id)

    def request(self) -> Request:
        """What has no bits in a request record can not be asked of a card."""
        request = super().request()
        if not 0 <= request.price < 1 << 32:
            request.price = 0
        request.symbol_index = min(request.symbol_index, 0xFFFF)
        request.strategy_id = min(request.strategy_id, 15)
        return request

    def submit(self) -> None:
        self.in_time()
        request = self.request()
        found = self.gate.submit(request)
        name, verdict = found[0]
        assert name == "verdict", self.where()
        number = self.reference.submit(request, verdict["t_ns"])
        reference = self.reference
        assert 0 <= verdict["t_ns"] - self.t_ns < 10_000_000, self.where()
        assert verdict["reason"] == reference.last_reason, (verdict, self.where())
        assert verdict["passed"] == (number != 0), self.where()
        assert verdict["user_ref_num"] == number, self.where()
        assert verdict["pass_number"] == (reference.passes if number else 0), self.where()
        assert verdict["tag"] == self.gate.tag, self.where()
        assert verdict["order_user_ref_num"] == request.user_ref_num, self.where()
        if not number:
            assert len(found) == 1, self.where()
            return
        ((name, outcome),) = found[1:]  # there is no connection
        assert (name, outcome["result"]) == ("outcome", BUILDER.value("not_connected"))
        assert outcome["pass_number"] == reference.passes, self.where()
        if request.action == NEW:
            self.latest = request
        if request.action != CANCEL:
            assert verdict["quantity"] == request.quantity, self.where()

    def compare(self) -> None:
        """Now and then what the registers show; verdicts were compared already."""
        if self.steps % 100:
            return
        assert not all_records(self.card), self.where()
        assert self.card.counters("gate.verdicts") == self.reference.counters(), self.where()
        assert self.card.read("gate.open_orders") == len(self.reference.exposures.orders)
        assert self.card.read("gate.pass_number") == self.reference.passes, self.where()
        kills = self.reference.kills()
        killed = self.card.fields("gate.killed")
        assert killed == {n: int(bool(kills[n])) for n in ("global", "heartbeat")}, self.where()

    def where(self) -> str:
        return f"seed {self.seed}, step {self.steps}, time {self.t_ns}"
