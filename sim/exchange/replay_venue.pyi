# SPDX-License-Identifier: Apache-2.0
from host.book.book import Book
from host.capture_loop import Counterparty
from host.engine import BookObserver
from nic.stream import Stream
from sim.exchange.order_entry import OrderDesk
from sim.exchange.replay_exchange import ReplayExchange
from sim.exchange.replay_market import ReplayMarket

SESSION: str
USERNAME: str
PASSWORD: str
FIRM: str

class ReplayObserver(BookObserver):
    def __init__(self, market: ReplayMarket, following: BookObserver | None = None) -> None: ...

class ReplayVenue(Counterparty):
    market: ReplayMarket
    desk: OrderDesk
    exchange: ReplayExchange
    def __init__(self, book: Book, orders: int = 65536) -> None: ...
    def connect(self) -> Stream: ...
    def step(self, t_ns: int) -> None: ...
    def counters(self) -> dict[str, int]: ...
