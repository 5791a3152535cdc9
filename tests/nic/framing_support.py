# SPDX-License-Identifier: Apache-2.0
"""What the framing tests share: the lines that frames are made for, and the seed."""

import os

from nic.frame import address_number
from nic.framing.feed_format import IEX, NASDAQ
from nic.framing.reference import LineSettings

SEED = int(os.environ.get("TICKWIRE_SEED", "11"))

NASDAQ_GROUP, NASDAQ_PORT = "233.54.12.111", 26477
IEX_GROUP, IEX_PORT = "233.215.21.4", 10378
NASDAQ_LINE = LineSettings(NASDAQ, address_number(NASDAQ_GROUP), NASDAQ_PORT)
IEX_LINE = LineSettings(IEX, address_number(IEX_GROUP), IEX_PORT)
PINNED_NASDAQ_LINE = LineSettings(NASDAQ, address_number(NASDAQ_GROUP), NASDAQ_PORT, b"000000042A")
PINNED_IEX_LINE = LineSettings(IEX, address_number(IEX_GROUP), IEX_PORT, bytes((1, 2, 3, 0x80)))
LINES = {
    "nasdaq": NASDAQ_LINE,
    "nasdaq_pinned": PINNED_NASDAQ_LINE,
    "iex": IEX_LINE,
    "iex_pinned": PINNED_IEX_LINE,
}
