# SPDX-License-Identifier: Apache-2.0
"""A network that loses, repeats, reorders, delays, corrupts and cuts; the same seed, the same way.

It works in virtual time and holds no clock: datagrams go in with the time they were sent, and come
out with the time they arrive. One object is one line in one direction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from random import Random

from sim.enumerations import NETWORK


@dataclass(slots=True)
class _Held:
    datagram: bytes
    behind: int  # datagrams that overtake it


@dataclass(slots=True)
class LossyNetwork:
    """One line of a bad network; raises ``ValueError`` for a value out of range.

    Probabilities (0 to 1, of each datagram, drawn in this order): ``drop``; ``duplicate`` (arrives
    twice); ``corrupt`` (one bit is flipped, which the UDP checksum would catch on a real path);
    ``truncate`` (loses a part of its end); ``reorder`` (up to ``reorder_depth`` later datagrams
    overtake it). After ``cut_every`` datagrams the line is cut and loses the next ``cut_length``; 0
    never cuts. ``delay_ns`` is the way of every datagram, ``jitter_ns`` the most that is added to
    it at random; jitter alone never changes the order.
    """

    seed: int
    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_depth: int = 3
    corrupt: float = 0.0
    truncate: float = 0.0
    cut_every: int = 0
    cut_length: int = 0
    delay_ns: int = 0
    jitter_ns: int = 0
    _random: Random = field(init=False, repr=False)
    _held: list[_Held] = field(init=False, repr=False, default_factory=list)
    _counts: list[int] = field(init=False, repr=False)
    _since_cut: int = field(init=False, repr=False, default=0)
    _last_ns: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        """Check the values and start the random numbers."""
        for name in ("drop", "duplicate", "reorder", "corrupt", "truncate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, 0 to 1, not {getattr(self, name)!r}")
        for item in fields(self):
            if item.init and item.name != "seed" and getattr(self, item.name) < 0:
                raise ValueError(f"{item.name} must not be negative")
        if self.reorder and self.reorder_depth < 1:
            raise ValueError("reorder_depth must be at least 1")
        if self.cut_every and not self.cut_length:
            raise ValueError("cut_every needs a cut_length of at least 1")
        self._random = Random(self.seed)
        self._counts = [0] * NETWORK.count

    def send(self, datagram: bytes, t_ns: int) -> list[tuple[int, bytes]]:
        """Send one datagram: what now arrives, as ``(deliver_t_ns, datagram)`` in that order."""
        self._count("sent")
        copies = self._copies(datagram)
        out = list(copies)
        if copies and self._draw(self.reorder):
            self._count("reordered")
            behind = self._random.randint(1, self.reorder_depth)
            self._held.append(_Held(out.pop(), behind + 1))
        out += self._overtaken()
        return [(self._arrival(t_ns), each) for each in out]

    def flush(self, t_ns: int) -> list[tuple[int, bytes]]:
        """What is still held back for reordering arrives now."""
        held, self._held = self._held, []
        return [(self._arrival(t_ns), each.datagram) for each in held]

    def counters(self) -> dict[str, int]:
        """Name to number of :data:`~sim.enumerations.NETWORK`."""
        return NETWORK.as_dict(self._counts)

    def _count(self, name: str) -> None:
        self._counts[NETWORK.value(name)] += 1

    def _draw(self, probability: float) -> bool:
        # nothing is drawn for a fault that is off, so a seed keeps its meaning when kinds are added
        return probability > 0 and self._random.random() < probability

    def _copies(self, datagram: bytes) -> list[bytes]:
        """None, one or two of the datagram, as it was damaged."""
        if self.cut_every:
            self._since_cut += 1
            if self._since_cut > self.cut_every:
                if self._since_cut >= self.cut_every + self.cut_length:
                    self._since_cut = 0
                self._count("cut")
                return []
        if self._draw(self.drop):
            self._count("dropped")
            return []
        copies = [datagram]
        if self._draw(self.duplicate):
            self._count("duplicated")
            copies.append(datagram)
        if datagram and self._draw(self.corrupt):
            self._count("corrupted")
            copies[-1] = self._flip(datagram)
        if datagram and self._draw(self.truncate):
            self._count("truncated")
            copies[-1] = copies[-1][: self._random.randrange(len(datagram))]
        return copies

    def _flip(self, datagram: bytes) -> bytes:
        damaged = bytearray(datagram)
        damaged[self._random.randrange(len(damaged))] ^= 1 << self._random.randrange(8)
        return bytes(damaged)

    def _overtaken(self) -> list[bytes]:
        """Datagrams that were held back long enough."""
        for each in self._held:
            each.behind -= 1
        free = [each.datagram for each in self._held if each.behind <= 0]
        self._held = [each for each in self._held if each.behind > 0]
        return free

    def _arrival(self, t_ns: int) -> int:
        jitter = self._random.randint(0, self.jitter_ns) if self.jitter_ns else 0
        self._last_ns = max(self._last_ns, t_ns + self.delay_ns + jitter)
        return self._last_ns
