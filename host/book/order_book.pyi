# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from host.book.book import Book

BBO_CHANGE: np.dtype[np.void]

class OrderBook(Book):
    def __init__(
        self,
        symbols: int = 65536,
        orders: int = 4_000_000,
        levels: int = 1_000_000,
        prefault: bool = False,
    ) -> None: ...
    @property
    def order_count(self) -> int: ...
    def add(self, index: int, reference: int, side: str, shares: int, price: int) -> int: ...
    def reduce(self, reference: int, shares: int) -> int: ...
    def delete(self, reference: int) -> int: ...
    def replace(self, reference: int, new_reference: int, shares: int, price: int) -> int: ...
    def orders(self, symbol: str, side: str) -> list[tuple[int, int, int]]: ...
    def apply_binary_file(
        self, data: Buffer | NDArray[np.uint8], bbo_changes: NDArray[np.void] | None = None
    ) -> dict[str, Any]: ...
