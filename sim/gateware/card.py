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
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hw import cache
from hw.verilog import Port
from nic.framing.feed_format import FeedFormat
from nic.offload.registers import REGISTERS
from sim.gateware import compile, harness, verilator
from sim.gateware.card_model import GatewareDevice
from sim.gateware.model import Model

NAME = "top"
OPTIMISE = "-O2"
ROOT = Path(__file__).resolve().parents[2]

SIMULATED = {"order_bits": 10, "symbol_bits": 10, "strategy_bits": 4, "venue_bits": 4}
"""Parameters of :class:`hw.top.Top` that a model has where nothing else is said."""

LONGEST_SWEEP_CYCLES = 1 << 20
SWEEP_STEP_CYCLES = 1 << 10

Say = Callable[[str], None]
say_on_stderr: Say = partial(print, file=sys.stderr, flush=True)


def sources_hash(feed: FeedFormat, parameters: dict[str, int]) -> str:
    """What the model is made of: every source, the tools, the parameters."""
    parts: list[str | bytes] = [feed.name, json.dumps(parameters, sort_keys=True), OPTIMISE]
    for folder in ("hw", "nic/framing", "nic/offload", "nic/wire", "sim/gateware"):
        for path in sorted((ROOT / folder).glob("*.py")):
            parts += [f"{folder}/{path.name}", path.read_bytes()]
    parts += [importlib.metadata.version("amaranth"), verilator.find().version]
    return cache.key(*parts, compile.processor())


def _built(kept: Path, feed: FeedFormat, parameters: dict[str, int], say: Say) -> None:
    """Make the model, and write down where it is and what its ports are."""
    from hw.top import Top  # takes a second that nobody needs who finds the model made

    began = time.monotonic()
    say(f"gateware: building the model of the card for {feed.name}, this takes minutes ...")
    made = harness.model(Top(feed, **parameters), NAME, optimise=OPTIMISE)
    ports = [[port.name, port.is_input, port.width_bits] for port in made.ports.values()]
    made.close()
    partial_file = kept.with_suffix(".partial")
    partial_file.write_text(json.dumps({"library": made.path.name, "ports": ports}))
    partial_file.replace(kept)
    say(f"gateware: built in {time.monotonic() - began:.0f} s")


def open_model(feed: FeedFormat, *, seed: int = 1, say: Say = say_on_stderr, **given: int) -> Model:
    """The model of a card, just reset; as :func:`open_card`."""
    parameters = SIMULATED | given
    kept = cache.folder("cards") / f"{sources_hash(feed, parameters)}.json"
    library = None
    with cache.locked(kept):
        for _ in range(2):
            if kept.exists():
                found = json.loads(kept.read_text())
                library = cache.folder("models") / found["library"]
                if library.exists():
                    break
            _built(kept, feed, parameters, say)
    assert library is not None
    ports = [Port(name, is_input, bits, None) for name, is_input, bits in found["ports"]]
    return Model(library, ports, seed)


def open_card(
    feed: FeedFormat, *, seed: int = 1, say: Say = say_on_stderr, **given: int
) -> GatewareDevice:
    """A card for ``feed`` that is a model of the gateware; its tables are clear.

    ``given``: parameters of :class:`hw.top.Top`. ``seed`` fills what has no defined start.
    ``say`` is told when the model has to be built first. Raises :class:`hw.tools.ToolError` where
    that can't be done, ``RuntimeError`` for a card that does not get ready.
    """
    parameters = SIMULATED | given
    model = open_model(feed, seed=seed, say=say, **parameters)
    mode = {
        "device": "gateware model",
        "clock": "simulated: runs only when it is used",
        "simulator": verilator.find().version,
        "feed": feed.name,
        **{name: str(value) for name, value in parameters.items()},
    }
    device = GatewareDevice(model, mode)
    init_done = REGISTERS["control.init_done"].address
    for _ in range(LONGEST_SWEEP_CYCLES // SWEEP_STEP_CYCLES):
        if device.read(init_done):
            return device
        device.run_cycles(SWEEP_STEP_CYCLES)
    device.close()
    raise RuntimeError(f"{device.name}: its tables did not get clear")
