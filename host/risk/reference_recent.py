# SPDX-License-Identifier: Apache-2.0
"""What the reference of the risk gate remembers of what passed: recent orders, token buckets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from host.risk.reference_request import SELLS, Request
from nic.offload.derived import Bucket
from nic.offload.enumerations import GATE

SET_BITS = GATE.value("duplicate_set_bits")
WAYS = GATE.value("duplicate_ways")


@dataclass(slots=True)
class Recent:
    """A place in the table of orders that passed lately."""

    key: tuple[int, int] = (0, 0)
    passed_ns: int = 0


class ReferenceRecent:
    """Orders that passed lately: 2^10 sets of 4 ways."""

    def __init__(self) -> None:
        """Begin with empty places, which have passed at time 0."""
        self.sets = [[Recent() for _ in range(WAYS)] for _ in range(1 << SET_BITS)]

    @staticmethod
    def key(request: Request) -> tuple[int, int]:
        """What makes two orders the same: price, quantity and buy or sell; symbol and strategy."""
        terms = request.price | request.quantity << 31 | (request.side in SELLS) << 51
        return terms, request.symbol_index | request.strategy_id << 32

    @staticmethod
    def index(key: tuple[int, int]) -> int:
        """The set of a key: an exclusive-or fold of 64 bits."""
        terms, origin = key
        fold = (terms ^ origin << 13 ^ origin >> 27) & (1 << 64) - 1
        fold ^= fold >> 32
        fold ^= fold >> 2 * SET_BITS
        fold ^= fold >> SET_BITS
        return fold & (1 << SET_BITS) - 1

    def ways(self, key: tuple[int, int]) -> list[Recent]:
        """The places in the set of a key."""
        return self.sets[self.index(key)]

    def holds(self, request: Request, t_ns: int, window_ns: int) -> bool:
        """Whether the same order passed less than the window before, or (clock went back) after."""
        key = self.key(request)
        found = [way for way in self.ways(key) if way.key == key]
        return bool(window_ns and found) and t_ns < found[0].passed_ns + window_ns

    def remember(self, request: Request, t_ns: int) -> Callable[[], None]:
        """The order passed; returns what undoes this.

        It takes the place of its like, else the way that passed longest ago, the lowest of equals.
        """
        key = self.key(request)
        ways = self.ways(key)
        index = next(
            (i for i, way in enumerate(ways) if way.key == key),
            min(range(WAYS), key=lambda i: (ways[i].passed_ns, i)),
        )
        evicted, ways[index] = ways[index], Recent(key, t_ns)

        def undo() -> None:
            ways[index] = evicted

        return undo


class ReferenceBuckets:
    """Token buckets of one kind (by session, symbol or strategy), full at the beginning."""

    def __init__(self) -> None:
        """No message has passed."""
        self.next_ns: dict[int, int] = {}

    def has_token(self, key: int, bucket: Bucket, t_ns: int) -> bool:
        """Whether the bucket holds a token."""
        next_ns = self.next_ns.get(key, 0)
        return not bucket.is_closed and t_ns + bucket.tolerance_ns >= next_ns

    def take(self, key: int, bucket: Bucket, t_ns: int) -> Callable[[], None]:
        """Take a token if there is one (what reduces risk passes without); returns the undo."""
        before = self.next_ns.get(key, 0)
        if self.has_token(key, bucket, t_ns):
            self.next_ns[key] = max(before, t_ns) + bucket.interval_ns

        def undo() -> None:
            self.next_ns[key] = before

        return undo
