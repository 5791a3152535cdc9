# SPDX-License-Identifier: Apache-2.0
from host.book.book import Book

class PriceLevelBook(Book):
    def __init__(
        self, symbols: int = 16384, levels: int = 1_000_000, prefault: bool = False
    ) -> None: ...
    def in_transition(self, symbol: str) -> bool: ...
