# SPDX-License-Identifier: Apache-2.0
"""Kills, and the dead-man switch, as a specification in plain Python."""

from __future__ import annotations

from nic.offload.enumerations import GATE, KILL_SCOPE


class ReferenceSwitches:
    """What is killed. Kills are sticky; each is taken back in two steps.

    The dead-man switch: more than ``timeout_ns`` behind the latest heartbeat the gate kills itself.
    Every command that brings a time looks, so it makes no difference how often one does.
    """

    def __init__(self, symbol_capacity: int) -> None:
        """Begin with nothing killed and no heartbeat heard."""
        self.sizes = {
            "session": GATE.value("venues"),
            "strategy": GATE.value("strategies"),
            "symbol": symbol_capacity,
        }
        self.on: set[tuple[str, int | None]] = set()
        self.armed: tuple[str, int | None] | None = None
        self.heartbeat_ns = 0

    def check_key(self, scope: str, id: int | None, scopes: tuple[str, ...]) -> None:
        """Raise ``ValueError`` for another scope or a missing id, ``IndexError`` for a bad one."""
        if scope not in scopes or (scope in self.sizes) != (id is not None):
            raise ValueError(f"no kill of scope {scope!r} with id {id!r}")
        if id is not None and not 0 <= id < self.sizes[scope]:
            raise IndexError(f"no {scope} {id}")

    def kill(self, scope: str = "global", id: int | None = None) -> None:
        """Refuse every new order and replace: of all, a session, a strategy or a symbol."""
        self.check_key(scope, id, ("global", "session", "strategy", "symbol"))
        self.armed = None
        self.on.add((scope, id))

    def arm_reset(self, scope: str = "global", id: int | None = None) -> None:
        """First step of taking a kill back (scope ``heartbeat`` too); changes nothing yet."""
        self.check_key(scope, id, KILL_SCOPE.names)
        self.armed = (scope, id)

    def reset_kill(self, scope: str = "global", id: int | None = None) -> None:
        """Second step: take back the kill that was armed just before; else ``RuntimeError``."""
        if self.armed != (scope, id):
            raise RuntimeError(f"the reset of kill {scope} {id} is not armed")
        self.armed = None
        self.on.discard((scope, id))

    def is_killed(self, scope: str, id: int | None = None) -> bool:
        """Whether this one is killed."""
        return (scope, id) in self.on

    def killed(self) -> dict[str, bool | list[int]]:
        """What is killed: ``global`` and ``heartbeat`` as bools, the others as lists of ids."""
        found: dict[str, bool | list[int]] = {
            scope: self.is_killed(scope) for scope in ("global", "heartbeat")
        }
        for scope in self.sizes:
            found[scope] = sorted(id for name, id in self.on if name == scope and id is not None)
        return found

    def heartbeat(self, t_ns: int, timeout_ns: int) -> None:
        """The control thread lives. Takes no kill back, not even one for its own silence."""
        self.expire(t_ns, timeout_ns)
        self.heartbeat_ns = t_ns

    def expire(self, t_ns: int, timeout_ns: int) -> None:
        """It is ``t_ns``: kill when the heartbeat is too old; disarms as every kill does."""
        if timeout_ns and self.heartbeat_ns and t_ns - self.heartbeat_ns > timeout_ns:
            if not self.is_killed("heartbeat"):
                self.armed = None
            self.on.add(("heartbeat", None))

    def is_heartbeat_lost(self, timeout_ns: int) -> bool:
        """Whether the dead-man switch holds: killed, or no heartbeat was ever heard."""
        return self.is_killed("heartbeat") or bool(timeout_ns and not self.heartbeat_ns)
