# SPDX-License-Identifier: Apache-2.0
"""From the parameters of a card to its running model.

The model is found by what it is made of, so that to open a card that was built before takes no
longer than to load it; building one takes minutes.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib import wiring

from hw import cache, verilog
from hw.feed_card import FeedCard, sources
from hw.top import Top
from hw.verilog import Port
from nic.framing.feed_format import FeedFormat
from nic.offload.registers import REGISTERS
from sim.gateware import compile, harness, verilator
from sim.gateware.card_model import GatewareDevice
from sim.gateware.model import Model

OPTIMISE = "-O2"
HERE = Path(__file__).resolve().parent
MAKERS = ("compile", "harness", "model", "shim")
"""Modules of this folder that decide what a model is."""

SIMULATED = {"symbol_bits": 10, "locate_bits": 14}
WITH_ORDERS = {"order_bits": 10, "strategy_bits": 4, "venue_bits": 4, "slots": 64}
"""Parameters that a model has where nothing else is said."""

LONGEST_SWEEP_CYCLES = 1 << 20
SWEEP_STEP_CYCLES = 1 << 10

Say = Callable[[str], None]


def say_on_stderr(text: str) -> None:
    """Progress, on what is standard error now."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class CardParameters:
    """What a card is: for which feed, with or without orders, how large."""

    feed: FeedFormat
    has_orders: bool
    sizes: dict[str, int]

    @property
    def name(self) -> str:
        """Of the top module."""
        return "top" if self.has_orders else "feed_card"

    def make(self) -> wiring.Component:
        """The gateware."""
        return (Top if self.has_orders else FeedCard)(self.feed, **self.sizes)

    def hash(self) -> str:
        """What its model is made of: sources, tools, parameters."""
        parts = [self.feed.name, self.name, json.dumps(self.sizes, sort_keys=True), OPTIMISE]
        made_by = [*(HERE / f"{name}.py" for name in MAKERS), Path(verilog.__file__)]
        parts += [path.read_text() for path in (*sources(), *made_by)]
        parts += [importlib.metadata.version("amaranth"), verilator.find().version]
        return cache.key(*parts, compile.processor())


def parameters_of(feed: FeedFormat, has_orders: bool, given: Mapping[str, int]) -> CardParameters:
    """What is given, and for the rest what a model has where nothing else is said."""
    sizes = SIMULATED | (WITH_ORDERS if has_orders else {}) | dict(given)
    return CardParameters(feed, has_orders, sizes)


def _build(kept: Path, card: CardParameters, say: Say) -> None:
    """Make the model, and write down where it is and what its ports are."""
    began = time.monotonic()
    say(f"gateware: building the model {card.name} for {card.feed.name}, this takes minutes ...")
    with harness.model(card.make(), card.name, optimise=OPTIMISE) as made:
        ports = [[port.name, port.is_input, port.width_bits] for port in made.ports.values()]
        library = made.path.name
    unfinished = kept.with_suffix(".partial")
    unfinished.write_text(json.dumps({"library": library, "ports": ports}))
    unfinished.replace(kept)
    say(f"gateware: built in {time.monotonic() - began:.0f} s")


def _open(card: CardParameters, seed: int, say: Say) -> Model:
    """The model, made unless the same was made before."""
    kept = cache.folder("cards") / f"{card.name}-{card.hash()}.json"
    with cache.locked(kept):
        if not kept.exists() or not _found(kept)[0].exists():
            _build(kept, card, say)
    library, ports = _found(kept)
    return Model(library, ports, seed)


def _found(kept: Path) -> tuple[Path, list[Port]]:
    """What is written down of a model."""
    found = json.loads(kept.read_text())
    ports = [Port(name, is_input, bits, None) for name, is_input, bits in found["ports"]]
    return cache.folder("models") / found["library"], ports


def open_card(
    feed: FeedFormat,
    *,
    has_orders: bool = True,
    seed: int = 1,
    say: Say = say_on_stderr,
    **given: int,
) -> GatewareDevice:
    """A card for ``feed`` that is a model of the gateware; its tables are clear.

    ``has_orders``: :class:`hw.top.Top`, else :class:`hw.feed_card.FeedCard`, which runs several
    times as fast; ``given``: their parameters. ``seed`` fills what has no defined start. ``say`` is
    told when the model has to be built first. Raises :class:`hw.tools.ToolError` where that can't
    be done, ``RuntimeError`` for a card that does not get ready.
    """
    card = parameters_of(feed, has_orders, given)
    mode = {
        "device": "gateware model",
        "clock": "simulated: runs only when it is used",
        "simulator": f"Verilator {verilator.find().release}",
        "gateware": card.name,
        "feed": feed.name,
        **{name: str(value) for name, value in card.sizes.items()},
    }
    device = GatewareDevice(_open(card, seed, say), mode)
    init_done = REGISTERS["control.init_done"].address
    for _ in range(LONGEST_SWEEP_CYCLES // SWEEP_STEP_CYCLES):
        if device.read(init_done):
            return device
        device.run_cycles(SWEEP_STEP_CYCLES)
    device.close()
    raise RuntimeError(f"{device.name}: its tables did not get clear")
