# SPDX-License-Identifier: Apache-2.0
"""Messages that fire an order: a table of conditions and order templates, two rows per symbol.

The specification is ``hw/trigger_reference.py``. Cycle 0 is the event's: the symbol's rows are
addressed. In cycle 2 they are there, beside the fields of the event, and row 0's order goes to the
gate as a candidate while its condition is worked out. In cycle 3 the condition meets what the row
remembers, and the candidate fires. Row 1's order, and what the gate can not take, wait in a queue.
"""

from itertools import pairwise
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.event import event_layout
from hw.gate_ports import EARLY, TriggerPort
from hw.prices import best_layout
from hw.recent_orders import SET_BITS, set_of
from hw.request import (
    BUY,
    STRATEGY_BITS,
    SYMBOL_BITS,
    VENUE_BITS,
    request_layout,
)
from hw.swept_memory import SweptMemory
from hw.tick import tick_layout
from hw.trigger_queue import TriggerQueue
from hw.trigger_rows import (
    ROW_STATE,
    WAY_BITS,
    TriggerCommand,
    command_layout,
    flags_of,
    request_of,
    row_layout,
)
from nic.framing.feed_format import FeedFormat
from nic.offload.trigger import GENERATION_BITS, TRIGGER, WAYS

COUNTER_BITS = 64


class Trigger(wiring.Component):
    """The trigger table of two to the power ``symbol_bits`` symbols.

    ``event`` in cycle 0, ``tick`` (``hw.tick``) of the same event in cycle 1, the ``best`` prices
    of its symbol in cycle 2. ``gate`` is how requests leave; ``candidate_early`` is
    what was known of the candidate when its row was armed.

    ``command`` arms a row (``row``, all of it) or acknowledges a request of a ``generation``; taken
    when ``ready``, a cycle after it is there at the earliest and without an event of a wanted
    symbol: one in the next cycle finds it done. ``has_room``: what fires in this cycle can be kept.
    ``counters`` (the table ``TRIGGER``) follow by two cycles.
    """

    def __init__(
        self,
        feed: FeedFormat,
        symbol_bits: int = SYMBOL_BITS,
        strategy_bits: int = STRATEGY_BITS,
        venue_bits: int = VENUE_BITS,
    ) -> None:
        self.symbol_bits = symbol_bits
        self._row = row_layout(strategy_bits, venue_bits)
        self._request = request_layout(symbol_bits, strategy_bits, venue_bits)
        self._shown = data.StructLayout({"request": self._request, "early": EARLY})
        self._state = data.ArrayLayout(ROW_STATE, WAYS)
        event, tick = event_layout(feed, symbol_bits), tick_layout(symbol_bits)
        super().__init__(
            {
                "event": In(wiring.Signature({"valid": Out(1), "payload": Out(event)})),
                "tick": In(wiring.Signature({"valid": Out(1), "payload": Out(tick)})),
                "best": In(best_layout()),
                "candidate_early": Out(EARLY),
                "gate": Out(TriggerPort(symbol_bits, strategy_bits, venue_bits)),
                "command": In(
                    stream.Signature(command_layout(symbol_bits, strategy_bits, venue_bits))
                ),
                "has_room": Out(1),
                "counters": Out(data.StructLayout(dict.fromkeys(TRIGGER.names, COUNTER_BITS))),
                "init_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The way of an event through the rows; signals end with the cycle they belong to."""
        m = Module()
        step = data.StructLayout(
            {
                "is_event": 1,
                "is_arm": 1,
                "is_acknowledge": 1,
                "symbol_index": self.symbol_bits,
                "way": WAY_BITS,
                "generation": GENERATION_BITS,
                "starts_true": 1,
            }
        )
        steps = [Signal(step, name=f"step_{cycle}") for cycle in range(4)]
        for now, then in pairwise(steps):
            m.d.sync += then.eq(now)
        held, held_early = self._begin(m, steps[0])
        rows_2 = self._rows(m, steps[0], held, held_early)
        tick_2, has_price_2 = Signal(self.tick.payload.shape()), Signal()
        price_set_2 = Signal(SET_BITS)
        m.d.sync += [
            tick_2.eq(self.tick.payload),
            has_price_2.eq(self.tick.payload.price.any()),
            price_set_2.eq(set_of(price=self.tick.payload.price)),
        ]

        flags_3 = []
        shown_2 = Signal(data.ArrayLayout(self._shown, WAYS))
        shown_3 = Signal.like(shown_2)
        m.d.sync += shown_3.eq(shown_2)
        for way, (row, early) in enumerate(rows_2):
            request_of(m, shown_2[way].request, way, row, tick_2)
            m.d.comb += [
                shown_2[way].early.is_buy.eq(early.is_buy),
                shown_2[way].early.set.eq(early.set ^ Mux(row.uses_message_price, price_set_2, 0)),
            ]
            flags_3.append(flags_of(m, way, row, steps[2], tick_2, has_price_2, self.best))
        fires_3 = self._decide(m, steps, flags_3)
        self._leave(m, steps, fires_3, shown_2, shown_3)
        return m

    def _begin(self, m: Module, step: Any) -> tuple[Any, Any]:
        """Cycle 0: an event of a wanted symbol, else a command.

        A command is looked at a cycle before it can be taken: its registered copy goes to the
        tables. Returned with it: what is known of its row's order, but for the message's price.
        """
        event, command = self.event, self.command
        held: Any = Signal(command.payload.shape(), name="held_command")
        is_held, is_arm, is_acknowledge, takes = Signal(), Signal(), Signal(), Signal()
        held_early = Signal(EARLY)
        row = command.payload.row
        is_wanted = event.valid & event.payload.is_wanted
        m.d.comb += takes.eq(is_held & ~is_wanted)
        waits = command.valid & self.init_done & ~takes
        m.d.sync += [
            held.eq(command.payload),
            held_early.is_buy.eq(row.order_side == BUY),
            held_early.set.eq(
                set_of(
                    Mux(row.uses_message_price, 0, row.price),
                    row.quantity,
                    row.order_side != BUY,
                    command.payload.symbol_index,
                    row.strategy_id,
                )
            ),
            is_held.eq(waits),
            is_arm.eq(waits & (command.payload.kind == TriggerCommand.ARM)),
            is_acknowledge.eq(waits & (command.payload.kind == TriggerCommand.ACKNOWLEDGE)),
        ]
        m.d.comb += [
            command.ready.eq(takes),
            step.is_event.eq(is_wanted & self.init_done),
            step.is_arm.eq(is_arm & ~is_wanted),
            step.is_acknowledge.eq(is_acknowledge & ~is_wanted),
            step.symbol_index.eq(Mux(is_wanted, event.payload.symbol_index, held.symbol_index)),
            step.way.eq(held.way),
            step.generation.eq(held.generation),
            step.starts_true.eq(held.row.starts_true),
        ]
        return held, held_early

    def _rows(self, m: Module, step: Any, held: Any, held_early: Any) -> list[tuple[Any, Value]]:
        """The rows of the symbol and what is known early, in cycle 2; ``held`` may change one."""
        found = []
        swept = []
        for way in range(WAYS):
            # A row is written in the cycle of its own address only, and not looked at then.
            layout = data.StructLayout({"row": self._row, "early": EARLY})
            table = SweptMemory(layout, 1 << self.symbol_bits, registered=1, may_collide=False)
            m.submodules[f"rows_{way}"] = table
            address, found_row = table.read()
            m.d.comb += [
                address.eq(step.symbol_index),
                table.write_enable.eq(step.is_arm & (step.way == way)),
                table.write_address.eq(held.symbol_index),
                table.write_data.row.eq(held.row),
                table.write_data.early.eq(held_early),
            ]
            swept.append(table.init_done)
            found.append((found_row.row, found_row.early))
        m.d.sync += self.init_done.eq(swept[0])
        return found

    def _remembered(self, m: Module, steps: list[Any], after: Any) -> Any:
        """What the rows remember, in cycle 3; ``after`` is what they do behind it.

        An event's change is in the RAM in cycle 5: those at its heels take it from ``after`` and
        what was that a cycle and two ago.
        """
        table = SweptMemory(self._state, 1 << self.symbol_bits, registered=1, may_collide=False)
        m.submodules.state = table
        past: list[Any] = [Signal(self._state, name=f"past_{cycle}") for cycle in (4, 5, 6)]
        symbols: list[Any] = [Signal(self.symbol_bits, name=f"symbol_{cycle}") for cycle in (4, 5)]
        does = [Signal(name=f"does_{cycle}") for cycle in (4, 5)]
        works = [step.is_event | step.is_arm | step.is_acknowledge for step in steps]
        for now, then in ((after, past[0]), (past[0], past[1]), (past[1], past[2])):
            m.d.sync += then.eq(now)
        for now, then in ((steps[3].symbol_index, symbols[0]), (symbols[0], symbols[1])):
            m.d.sync += then.eq(now)
        m.d.sync += [does[0].eq(works[3]), does[1].eq(does[0])]
        m.d.comb += [
            table.read_address[0].eq(steps[0].symbol_index),
            table.write_enable.eq(does[0]),
            table.write_address.eq(symbols[0]),
            table.write_data.eq(past[0]),
        ]
        # In cycle 1: whether the same symbol goes one, two, three, four cycles ahead.
        mine = steps[1].symbol_index
        others = [
            (works[2], steps[2].symbol_index),
            (works[3], steps[3].symbol_index),
            (does[0], symbols[0]),
            (does[1], symbols[1]),
        ]
        is_same_2 = [Signal(name=f"is_same_2_{i}") for i in range(len(others))]
        for flag, (work, symbol) in zip(is_same_2, others, strict=True):
            m.d.sync += flag.eq(work & (symbol == mine))
        kept_2 = table.read_data[0]
        older_3, is_same_3 = Signal(self._state), Signal()
        m.d.sync += [
            older_3.eq(
                Mux(is_same_2[1], past[0],
                    Mux(is_same_2[2], past[1], Mux(is_same_2[3], past[2], kept_2)))
            ),
            is_same_3.eq(is_same_2[0]),
        ]  # fmt: skip
        state = Signal(self._state, name="state_3")
        m.d.comb += state.eq(Mux(is_same_3, past[0], older_3))
        return state

    def _decide(self, m: Module, steps: list[Any], flags: list[Any]) -> list[Value]:
        """Cycle 3: which rows fire, what they remember from now on, and the counters."""
        after = Signal(self._state, name="after_3")
        state = self._remembered(m, steps, after)
        step = steps[3]
        fires: list[Value] = []
        hits: dict[str, list[Value]] = {name: [] for name in TRIGGER.names}
        for way, (flag, was, then) in enumerate(zip(flags, state, after, strict=True)):
            is_mine = step.way == way
            watches = flag.watches
            is_still = flag.is_edge & was.was_true
            is_capped = was.in_flight >= flag.in_flight_cap
            may = flag.holds & ~is_still & ~was.is_spent & ~is_capped
            fire = Signal(name=f"fire_{way}")
            acknowledges = Signal(name=f"acknowledges_{way}")
            m.d.comb += [
                fire.eq(watches & may & self.has_room),
                acknowledges.eq(
                    step.is_acknowledge & is_mine & flag.is_generation & was.in_flight.any()
                ),
                then.was_true.eq(Mux(watches, flag.holds, was.was_true)),
                then.is_spent.eq(was.is_spent | (fire & flag.is_one_shot)),
                then.in_flight.eq(was.in_flight + fire - acknowledges),
            ]
            with m.If(step.is_arm & is_mine):
                m.d.comb += [
                    then.was_true.eq(step.starts_true),
                    then.is_spent.eq(0),
                    then.in_flight.eq(0),
                ]
            fires.append(fire)
            found = {
                "fired": fire,
                "condition_false": watches & ~flag.holds,
                "still_true": watches & flag.holds & is_still,
                "spent": watches & flag.holds & ~is_still & was.is_spent,
                "capped": watches & flag.holds & ~is_still & ~was.is_spent & is_capped,
                "dropped": watches & may & ~self.has_room,
                "acknowledged": acknowledges,
                "stale_acknowledgement": step.is_acknowledge & is_mine & ~acknowledges,
            }
            for name, hit in found.items():
                hits[name].append(hit)
        for name, both in hits.items():
            count = Signal(range(WAYS + 1), name=f"{name}_now")
            m.d.sync += [
                count.eq(sum(both[1:], both[0])),
                self.counters[name].eq(self.counters[name] + count),
            ]
        return fires

    def _leave(
        self, m: Module, steps: list[Any], fires: list[Value], shown_2: Any, shown_3: Any
    ) -> None:
        """To the gate: row 0's request at once, others out of the queue, all in order."""
        m.submodules.queue = queue = TriggerQueue(self._shown)
        gate, is_shown, awaited = self.gate, Signal(), Signal(self.symbol_bits)
        shown, waiting = Signal(self._shown), queue.current
        m.d.comb += [
            gate.prefetch.eq(Mux(steps[0].is_event, steps[0].symbol_index, awaited)),
            shown.eq(Mux(steps[2].is_event, shown_2[0].as_value(), waiting.as_value())),
            gate.candidate.eq(shown.request),
            self.candidate_early.eq(shown.early),
            gate.fire.eq((fires[0] & queue.is_empty) | is_shown),
            queue.pop.eq(is_shown & gate.ready),
            queue.push.eq(Cat(fires[0] & ~(queue.is_empty & gate.ready), *fires[1:])),
            queue.keeps.eq(Cat(*fires).any() & ~queue.is_empty),
            queue.pair.eq(shown_3),
            self.has_room.eq(queue.has_room),
        ]
        m.d.sync += [
            is_shown.eq(~steps[2].is_event & queue.has_current & ~queue.pop),
            gate.offers.eq(steps[2].is_event | queue.has_current),
            awaited.eq(
                Mux(
                    queue.has_current,
                    waiting.request.symbol_index,
                    Mux(
                        queue.has_following,
                        queue.following.request.symbol_index,
                        steps[2].symbol_index,
                    ),
                )
            ),
        ]
