# SPDX-License-Identifier: Apache-2.0
"""Lines of best bids and offers."""

import io

import pytest

from host.book.order_book import OrderBook
from host.engine import Engine
from host.feed.handler import FeedHandler
from nic.wire.itch50 import ITCH50
from nic.wire.moldudp64 import MOLDUDP64
from nic.wire.reference import encode
from tools.bbo_writer import BboWriter


class File(io.BytesIO):
    """Keeps what was written when it is closed."""

    def close(self):
        self.written = self.getvalue()
        super().close()


def add(number, side, price, shares, symbol="AAPL", locate=1):
    return encode(
        ITCH50,
        "add_order",
        {
            "stock_locate": locate,
            "timestamp": 34_200_000_000_000 + number,
            "order_reference_number": number,
            "buy_sell_indicator": side.encode(),
            "shares": shares,
            "stock": symbol.ljust(8).encode(),
            "price": price,
        },
    )


def delete(number, reference, locate=1):
    values = {"stock_locate": locate, "timestamp": number, "order_reference_number": reference}
    return encode(ITCH50, "order_delete", values)


def feed(engine, messages, first=1):
    for number, message in enumerate(messages, first):
        values = {
            "session": b"S",
            "sequence_number": number,
            "message_count": 1,
            "payload": len(message).to_bytes(2, "big") + message,
        }
        engine.datagram(0, encode(MOLDUDP64, "header", values), number)


def written_by(file):
    engine = Engine(OrderBook(symbols=64, orders=100_000))
    writer = BboWriter(file)
    engine.connect(FeedHandler(engine), observer=writer)
    return engine, writer


def test_a_line_for_each_change():
    file = File()
    engine, writer = written_by(file)
    feed(
        engine,
        [
            add(1, "B", 1_000_000, 100),
            add(2, "B", 990_000, 100),  # behind the best: no line
            add(3, "S", 1_010_000, 7),
            add(4, "B", 1_000_000, 50),
            add(5, "S", 4_294_967_295, 999_999, symbol="ABCDEFGH", locate=2),
            delete(6, 1),
            delete(7, 4),
            delete(8, 2),
            delete(9, 3),
        ],
    )
    assert writer.lines == 8
    writer.close()
    assert file.written.decode().splitlines() == [
        "34200000000001,AAPL,1000000,100,0,0",
        "34200000000003,AAPL,1000000,100,1010000,7",
        "34200000000004,AAPL,1000000,150,1010000,7",
        "34200000000005,ABCDEFGH,0,0,4294967295,999999",
        "6,AAPL,1000000,50,1010000,7",
        "7,AAPL,990000,100,1010000,7",
        "8,AAPL,0,0,1010000,7",
        "9,AAPL,0,0,0,0",
    ]
    assert file.written.endswith(b"\n")


def test_more_lines_than_the_buffer_holds():
    file = File()
    engine, writer = written_by(file)
    count = 40_000
    feed(engine, [add(number, "B", 1_000_000 + number, number) for number in range(1, count + 1)])
    assert len(file.getvalue()) > 1_000_000, "the buffer of a megabyte was emptied on the way"
    writer.close()
    expected = (
        f"{34_200_000_000_000 + n},AAPL,{1_000_000 + n},{n},0,0\n" for n in range(1, count + 1)
    )
    assert file.written.decode() == "".join(expected)
    assert writer.lines == count


def test_no_change_no_line():
    file = File()
    _, writer = written_by(file)
    writer.close()
    assert file.written == b"" and writer.lines == 0


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("gone")])
def test_error_of_the_file_is_raised_when_it_is_closed(error):
    class Full(File):
        writes = 0

        def write(self, data):
            self.writes += 1
            raise error

    file = Full()
    engine, writer = written_by(file)
    feed(engine, [add(number, "B", 1_000_000 + number, 1) for number in range(1, 80_001)])
    with pytest.raises(type(error), match=str(error.args[-1])):
        writer.close()
    assert file.writes == 1, "after an error nothing more is written"
    assert file.closed
