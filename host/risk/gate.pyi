# SPDX-License-Identifier: Apache-2.0
"""The risk gate: between execution and order management, the only way to an order on the wire."""

from collections.abc import Mapping

from host.interfaces import OrderEntry, OrderPath, Recorder
from host.risk.card_watch import CardWatch
from host.risk.exposure import Exposures
from host.risk.offload import GateOffload
from host.risk.seal import Seal
from nic.offload.limits import Limits

class RiskGate(OrderEntry):
    """Decides about every order request and passes what is allowed on to ``path``."""

    exposures: Exposures
    offload: GateOffload | None
    watch: CardWatch | None
    last_reason: int
    limits_sequence_number: int
    def __init__(
        self,
        symbol_capacity: int,
        order_capacity: int,
        seal: Seal,
        path: OrderPath | None = None,
        recorder: Recorder | None = None,
        offload: GateOffload | None = None,
    ) -> None: ...
    @property
    def last_reason_name(self) -> str:
        """Name of the latest verdict."""
    @property
    def passes(self) -> int:
        """Pass number of the latest order that was sent."""
    def submit_order(
        self,
        *,
        action: int,
        t_ns: int,
        side: int = ...,
        quantity: int = 0,
        price: int = 0,
        symbol_index: int = 0,
        time_in_force: int = ...,
        post_only: int = 0,
        strategy_id: int = 0,
        venue: int = 0,
        user_ref_num: int = 0,
        parent: int = 0,
    ) -> int:
        """Submit a request given by its fields; the order's number, or 0 when it was refused."""
    def set_limits(self, symbol_index: int | None, limits: Limits, sequence_number: int) -> None:
        """Put a whole set of limits in force: of one symbol, or for ``None`` of all the others."""
    def limits(self, symbol_index: int | None = None) -> Limits | None:
        """The set in force for a symbol, or the default one; ``None`` before the first."""
    def kill(self, scope: str = "global", id: int | None = None) -> None:
        """Refuse every new order and replace: of all, a session, a strategy or a symbol."""
    def arm_reset(self, scope: str = "global", id: int | None = None) -> None:
        """First step of taking a kill back; changes nothing yet."""
    def reset_kill(self, scope: str = "global", id: int | None = None) -> None:
        """Second step: take back the kill that :meth:`arm_reset` named just before."""
    def card_failure(self) -> dict[str, int | str] | None:
        """Why the card in the path is out of it, by names; ``None`` while it is in step."""
    def kills(self) -> dict[str, bool | list[int]]:
        """What is killed: ``global`` and ``heartbeat`` as bools, the others as lists of ids."""
    def kill_state(self, scope: str = "global", id: int | None = None) -> str:
        """``running``, ``draining`` (killed, orders of the scope are open) or ``drained``."""
    def heartbeat(self, t_ns: int) -> None:
        """The control thread lives. Takes no kill back, not even one for its own silence."""
    def timer(self, t_ns: int) -> None:
        """It is ``t_ns``: kill when the latest heartbeat is too old."""
    def set_market_phase(self, phase: int) -> None:
        """The market is in another phase, a number of ``MARKET_PHASE``."""
    def release_strategy(self, strategy_id: int) -> None:
        """Let a strategy execute again as often as it may."""
    def start_day(self) -> None:
        """What is summed since the start of the day begins anew; positions and cash stay."""
    def daily_totals(self) -> dict[str, int]:
        """What passed since the start of the day, and ``credit_alerts`` since ever."""
    def set_feed_stale(self, is_stale: bool) -> None:
        """Tell that the feed went silent, or is back."""
    def set_session_up(self, venue: int, is_up: bool) -> None:
        """Tell that a venue's session can take orders, or can't."""
    def set_top(self, symbol_index: int, top: Mapping[str, int]) -> None:
        """Change a symbol in the gate's own table; ``top`` maps fields of ``Top`` to values."""
    def counters(self) -> dict[str, int]:
        """Number of passes and of refusals by reason."""
