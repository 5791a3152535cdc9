# SPDX-License-Identifier: Apache-2.0
"""Parses frames that end where the readable memory ends; a read beyond them kills the process.

Run by test_framing_equality.py in a process of its own. With ``--control`` it does read beyond, to
show that such a read is noticed.
"""

import ctypes
import mmap
import sys

from framing_support import LINES, SEED

from nic.framing.parser import LineParser
from sim.feed_traffic import FeedTraffic

BYTES = 4 * mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
memory = mmap.mmap(-1, BYTES + mmap.PAGESIZE)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
if libc.mprotect(ctypes.c_void_p(start + BYTES), ctypes.c_size_t(mmap.PAGESIZE), 0) != 0:
    sys.exit("mprotect refused")


def main() -> None:
    """Whole and damaged frames of every line, each also cut at every place up to 200 bytes."""
    for settings in LINES.values():
        parser = LineParser(settings)
        traffic = FeedTraffic(settings, SEED)
        for frame, error in traffic.frames(300, "mixed", 0.7):
            for size in {*range(min(len(frame), 200)), len(frame)}:
                memory[BYTES - size : BYTES] = frame[:size]
                parser.frame(memoryview(memory)[BYTES - size : BYTES], error)
    print("no read beyond the end")


if "--control" in sys.argv:
    ctypes.string_at(start + BYTES - 1, 2)
else:
    main()
