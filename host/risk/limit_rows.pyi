# SPDX-License-Identifier: Apache-2.0
"""The limits as the gate reads them: one row per symbol, one for the sums over all symbols."""

from nic.offload.limits import Limits

class LimitRows:
    """Limits by symbol."""

    def __init__(self, symbol_capacity: int) -> None: ...
    def set(self, symbol_index: int | None, limits: Limits, sequence_number: int) -> None:
        """Put a whole set in force: of one symbol, or for ``None`` of all the others."""
    def get(self, symbol_index: int | None = None) -> Limits | None:
        """The set in force for a symbol, or the default one; ``None`` before the first."""
