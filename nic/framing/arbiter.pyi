# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`nic.framing.arbiter`."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nic.framing.arbiter_reference import Arrival

class LineArbiter:
    """Arbitration of two lines, as :class:`nic.framing.arbiter_reference.ReferenceArbiter`."""

    expected: int
    is_arbitrating: bool
    def __init__(self, expected: int = 0, is_arbitrating: bool = True) -> None: ...
    @property
    def counters(self) -> dict[str, int]: ...
    @property
    def gap_next(self) -> int: ...
    @property
    def gap_end(self) -> int: ...
    def start(self, expected: int) -> None: ...
    def message(self, line: int, sequence_number: int) -> Arrival: ...
    def idle(self, sequence_number: int) -> bool: ...
    def arrivals(
        self,
        lines: NDArray[np.uint8],
        sequence_numbers: NDArray[np.uint64],
        idles: NDArray[np.uint8],
    ) -> NDArray[np.uint8]: ...

class SymbolFilter:
    """Which instruments are wanted, as :class:`nic.framing.arbiter_reference.ReferenceFilter`."""

    locate_bits: int
    def __init__(self, symbols: Mapping[int, int], locate_bits: int = 14) -> None: ...
    def find(self, locate: int | None) -> tuple[bool, int]: ...
    def find_all(self, locates: NDArray[np.uint16]) -> NDArray[np.int32]: ...
