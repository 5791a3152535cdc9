# SPDX-License-Identifier: Apache-2.0
"""Kills, and the dead-man switch of the risk gate."""

class Switches:
    """What is killed. Kills are sticky; each is taken back in two steps."""

    def __init__(self, symbol_capacity: int) -> None: ...
    def kill(self, scope: str = "global", id: int | None = None) -> None:
        """Kill a scope; disarms a reset."""
    def arm_reset(self, scope: str = "global", id: int | None = None) -> None:
        """First step of taking a kill back (scope ``heartbeat`` too); changes nothing yet."""
    def reset_kill(self, scope: str = "global", id: int | None = None) -> None:
        """Second step; raises ``RuntimeError`` when that one was not armed just before."""
    def killed(self) -> dict[str, bool | list[int]]:
        """What is killed: ``global`` and ``heartbeat`` as bools, the others as lists of ids."""
    def is_killed_now(self, scope: str = "global", id: int | None = None) -> bool:
        """Whether one scope is killed; raises as :meth:`arm_reset` does."""
