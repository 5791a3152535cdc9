# SPDX-License-Identifier: Apache-2.0
"""Proofs about the gate's state: kills, rates, positions. Each has a mutant that fails."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In
from mutants import mutant

from hw import formal
from hw.kill_switch import GLOBAL, SESSION, STRATEGY, SYMBOL, KillSwitch, Step, SwitchCommand
from hw.rate_limits import Bucket, bucket_words
from hw.request import Action
from hw.risk_checks import Positions

pytestmark = pytest.mark.timeout(600)

SCOPES = {"global": GLOBAL, "session": SESSION, "strategy": STRATEGY, "symbol": SYMBOL}
BUY = ord("B")


def held(m: Module, value: Signal) -> None:
    """Assume that an input never changes."""
    before, is_first = Signal.like(value), Signal(init=1)
    m.d.sync += [before.eq(value), is_first.eq(0)]
    m.d.comb += Assume(is_first | (value == before))


# ---------------------------------------------------------------------------- kills


MUTANTS = {
    "what was never armed is reset": ("strategy", "is_armed = armed & ", "is_armed = "),
    "what is armed is another one": (
        "strategy",
        " & (armed_scope == scope) & (armed_id == command.id)",
        "",
    ),
    "a symbol that was never armed is reset": (
        "symbol",
        "is_symbol_armed = armed & ",
        "is_symbol_armed = ",
    ),
    "another symbol is armed": ("symbol", " & (armed_id[:bits] == symbol)", ""),
    "arming outlives a kill": (
        "symbol",
        "(kills | resets):\n            m.d.sync += armed",
        "(resets):\n            m.d.sync += armed",
    ),
}
"""A scope that it shows in, what is changed, and into what."""


class KillSpec(wiring.Component):
    """A kill stops every request from the next cycle on, until an arming and a reset right after.

    Written without the switch's own registers: what stands, and whether the last thing that was
    done was to arm just this.
    """

    valid: In(1)
    command: In(SwitchCommand)
    id: In(1)

    def __init__(self, scope: str, switch: type[KillSwitch] = KillSwitch) -> None:
        self.scope = scope
        self.switch = switch
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.switch = switch = self.switch(1, 1, 1)
        held(m, self.id)
        command = self.command
        m.d.comb += [
            switch.valid.eq(self.valid),
            switch.command.eq(command),
            # all requests are of the one that is watched
            switch.venue.eq(self.id),
            switch.strategy.eq(self.id),
            switch.symbol_index.eq(self.id),
        ]
        number = SCOPES[self.scope]
        is_ours = (command.scope == number) & (
            (command.id == self.id) if number != GLOBAL else Const(1)
        )
        sizes = {GLOBAL: 16, SESSION: 1, STRATEGY: 1, SYMBOL: 1}
        is_named = Cat(
            (command.scope == other) & (command.id >> bits == 0) for other, bits in sizes.items()
        ).any() | (command.scope > SYMBOL) & (command.step != Step.KILL) & (command.scope < 5)
        acts = Signal()
        m.d.comb += [Assume((command.id == 0) | (command.scope != GLOBAL))]
        m.d.comb += acts.eq(self.valid & switch.init_done & is_named)

        stands, armed = Signal(), Signal()
        kill = acts & (command.step == Step.KILL)
        with m.If(kill):
            m.d.sync += armed.eq(0)
        with m.Elif(acts & (command.step == Step.ARM)):
            m.d.sync += armed.eq(is_ours)
        with m.Elif(acts & (command.step == Step.RESET) & is_ours):
            m.d.sync += armed.eq(0)
        with m.If(kill & is_ours):
            m.d.sync += stands.eq(1)
        with m.Elif(acts & (command.step == Step.RESET) & is_ours & armed):
            m.d.sync += stands.eq(0)
        stood = Signal(4)
        m.d.sync += stood.eq(Cat(stands, stood[:-1]))

        out = getattr(switch, f"kill_{self.scope}")
        settled = Signal(3)
        m.d.sync += settled.eq(Cat(switch.init_done, settled[:-1]))
        with m.If(stands):
            m.d.comb += Assert(out)
        # inductive: the switch has armed what this says
        is_same = (switch.armed_id == self.id) if number != GLOBAL else Const(1)
        m.d.comb += [
            Assert(armed == (switch.armed & (switch.armed_scope == number) & is_same)),
            Assert((switch.armed_scope != GLOBAL) | (switch.armed_id == 0)),
            Assert((switch.armed_scope != SYMBOL) | (switch.armed_id >> 1 == 0)),
        ]
        with m.If(out & settled.all()):
            m.d.comb += Assert(stands | stood.any())
        return m


@pytest.mark.parametrize("scope", SCOPES)
def test_a_kill_dominates_until_two_steps_take_it_back(scope: str) -> None:
    proof = formal.prove(KillSpec(scope), f"kill_{scope}", depth=8)
    assert proof.holds, proof.text


@pytest.mark.parametrize("fault", MUTANTS)
def test_a_kill_that_one_step_takes_back_is_found(fault: str) -> None:
    scope, old, new = MUTANTS[fault]
    switch = mutant(KillSwitch, old, new)
    proof = formal.prove(KillSpec(scope, switch), "kill_mutant", depth=10, mode="bmc")
    assert proof.verdict == "fails", proof.text


# ---------------------------------------------------------------------------- rates


RATE_TIME_BITS = 4
RATE_WORDS = bucket_words(2, 2)


class RateSpec(wiring.Component):
    """Tokens granted in a window of any length are never more than its length and the burst allow.

    The window begins with any granted token, at ``start_ns``. Each token is one interval, so with
    ``granted_ns`` of them: ``granted_ns <= t - start_ns + tolerance + interval``. Times are
    narrower than the gate's: solvers are slow with wide sums.
    """

    watch: In(1)
    take: In(1)
    t_ns: In(RATE_TIME_BITS)
    limit: In(RATE_WORDS)

    def __init__(self, bucket: type[Bucket] = Bucket) -> None:
        self.bucket = bucket
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.bucket = bucket = self.bucket(1, True, RATE_WORDS, RATE_TIME_BITS)
        held(m, self.limit.as_value())
        taken_ns, is_busy = Signal(RATE_TIME_BITS), Signal()
        begins = Signal()
        m.d.comb += [
            begins.eq(self.take & ~is_busy & bucket.init_done),
            bucket.index.eq(1),
            bucket.limit.eq(self.limit),
            bucket.take.eq(begins),
            bucket.take_t_ns.eq(Mux(begins, self.t_ns, taken_ns)),
            # time does not run back; the bits above are for the sums
            Assume(self.t_ns >= taken_ns),
            Assume(self.t_ns < 1 << RATE_TIME_BITS - 1),
        ]
        with m.If(begins):
            m.d.sync += [taken_ns.eq(self.t_ns), is_busy.eq(1)]
        with m.Elif(bucket.is_taken):
            m.d.sync += is_busy.eq(0)

        is_watching, start_ns, granted_ns = (
            Signal(),
            Signal(RATE_TIME_BITS),
            Signal(RATE_TIME_BITS + 1),
        )
        with m.If(bucket.is_granted):
            with m.If(is_watching):
                m.d.sync += granted_ns.eq(granted_ns + self.limit.interval_ns)
            with m.Elif(self.watch):
                m.d.sync += [
                    is_watching.eq(1),
                    start_ns.eq(taken_ns),
                    granted_ns.eq(self.limit.interval_ns),
                ]
        bound = taken_ns - start_ns + self.limit.tolerance_ns + self.limit.interval_ns
        with m.If(is_watching):
            m.d.comb += Assert(granted_ns <= bound)
        with m.If(self.limit.is_closed):
            m.d.comb += Assert(~bucket.is_granted)
        # what makes it inductive: one step at a time, and full no sooner than the tokens say
        taking = bucket.taking
        m.d.comb += [
            Assert(bucket.init_done | ~(is_busy | is_watching)),
            Assert(is_busy == taking.any()),
            Assert((taking & (taking - 1)[: len(taking)]) == 0),
        ]
        m.d.comb += Assert(taken_ns >= start_ns)
        with m.If(is_watching & ~is_busy):
            m.d.comb += Assert(bucket.full_ns >= start_ns + granted_ns)
        with m.If(~is_busy):
            m.d.comb += Assert(
                bucket.full_ns <= taken_ns + self.limit.tolerance_ns + self.limit.interval_ns
            )
        return m


def test_a_rate_is_never_exceeded() -> None:
    proof = formal.prove(RateSpec(), "rate", depth=8)
    assert proof.holds, proof.text


def test_a_bucket_without_bottom_is_found() -> None:
    old = "Mux(is_ahead, next_ns, self.take_t_ns)"
    bucket = mutant(Bucket, old, "next_ns")  # what was not used is kept without end
    proof = formal.prove(RateSpec(bucket), "rate_mutant", depth=30, mode="bmc")
    assert proof.verdict == "fails", proof.text


# ---------------------------------------------------------------------------- positions

SHARES_BITS, OPEN_BITS, POSITION_BITS, LIMIT_BITS = 2, 3, 6, 4
POSITION_VIEW = data.StructLayout(
    {
        "request": data.StructLayout({"side": 8, "action": Action, "price": 2}),
        "is_buy": 1,
        "shares_added": SHARES_BITS,
        "is_smaller": 1,
        "limits": data.StructLayout(
            {
                "maximum_long_position_shares": LIMIT_BITS,
                "maximum_short_position_shares": LIMIT_BITS,
                "short_sale_locate_shares": LIMIT_BITS,
            }
        ),
        "exposure": data.StructLayout(
            {
                "position": signed(POSITION_BITS),
                "buy": data.StructLayout({"open_shares": OPEN_BITS, "best_price": 2}),
                "sell": data.StructLayout({"open_shares": OPEN_BITS, "best_price": 2}),
            }
        ),
        "top": data.StructLayout({"bid_price": 2, "short_sale_state": 8}),
    }
)
"""What the checks of a position look at, in narrower words: solvers are slow with wide sums."""


class PositionSpec(wiring.Component):
    """With the gate's check the position stays in its bounds, whatever the exchange executes.

    ``position``, ``bought`` and ``sold`` move as the ledger's do: what passes is reserved, an
    execution moves reserved shares into the position, what is cancelled is given back.
    """

    is_buy: In(1)
    added: In(SHARES_BITS)
    asks: In(1)
    executes: In(1)
    cancels: In(1)
    of_buys: In(1)
    shares: In(SHARES_BITS)
    longest: In(LIMIT_BITS)
    shortest: In(LIMIT_BITS)

    def __init__(self, sees_open_orders: bool = True) -> None:
        self.sees_open_orders = sees_open_orders
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        held(m, self.longest)
        held(m, self.shortest)
        position = Signal(signed(POSITION_BITS))
        bought, sold = (Signal(OPEN_BITS, name=name) for name in ("bought", "sold"))
        view = Signal(POSITION_VIEW)
        m.d.comb += [
            view.request.side.eq(Mux(self.is_buy, BUY, ord("S"))),
            view.is_buy.eq(self.is_buy),
            view.shares_added.eq(self.added),
            view.limits.maximum_long_position_shares.eq(self.longest),
            view.limits.maximum_short_position_shares.eq(self.shortest),
            view.exposure.position.eq(position),
            view.exposure.buy.open_shares.eq(bought if self.sees_open_orders else 0),
            view.exposure.sell.open_shares.eq(sold if self.sees_open_orders else 0),
        ]
        positions = Positions(m, view, Const(1, 1))
        # one request at a time: it is reserved in the cycle in which the findings are known
        asked = Signal(2)
        added, is_buy = ([Signal.like(v, name=f"{v.name}_{i}") for i in range(2)]
                         for v in (self.added, self.is_buy))  # fmt: skip
        m.d.sync += [
            asked.eq(Cat(self.asks & ~asked.any(), asked[0])),
            *(stages[0].eq(v) for stages, v in ((added, self.added), (is_buy, self.is_buy))),
            *(stages[1].eq(stages[0]) for stages in (added, is_buy)),
        ]
        too_far = Mux(
            is_buy[1],
            positions.findings["maximum_long_position"],
            positions.findings["maximum_short_position"],
        )
        passes = asked[1] & (~too_far | positions.closes)
        with m.If(passes):
            for is_side, open_shares in ((is_buy[1], bought), (~is_buy[1], sold)):
                with m.If(is_side):
                    m.d.comb += Assume(open_shares + added[1] < 1 << OPEN_BITS)
                    m.d.sync += open_shares.eq(open_shares + added[1])
        with m.Else():
            for is_side, open_shares, sign in (
                (self.of_buys, bought, 1),
                (~self.of_buys, sold, -1),
            ):
                with m.If(is_side & (self.shares <= open_shares) & (self.executes | self.cancels)):
                    m.d.sync += open_shares.eq(open_shares - self.shares)
                    with m.If(self.executes):
                        m.d.sync += position.eq(position + sign * self.shares)
        m.d.comb += [
            Assert(position <= self.longest),
            Assert(-position <= self.shortest),
            # inductive: even if every open order of a side is executed
            Assert(position + bought <= self.longest),
            Assert(sold - position <= self.shortest),
            Assert(~asked.all()),
        ]
        return m


def test_a_position_is_never_out_of_bounds() -> None:
    proof = formal.prove(PositionSpec(), "position", depth=3)
    assert proof.holds, proof.text


def test_a_gate_blind_for_open_orders_is_found() -> None:
    proof = formal.prove(PositionSpec(sees_open_orders=False), "position_mutant", depth=8)
    assert proof.verdict == "fails", proof.text
