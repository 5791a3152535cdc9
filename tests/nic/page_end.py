# SPDX-License-Identifier: Apache-2.0
"""Decodes messages that end where the readable memory ends; a read beyond them kills the process.

Run by test_wire_boundary.py in a process of its own. With ``--control`` it does read beyond, to
show that such a read is noticed.
"""

import contextlib
import ctypes
import mmap
import random
import sys

from nic.wire import compiled
from nic.wire.protocols import PROTOCOLS
from nic.wire.reference import WireError
from nic.wire.session_file import count_messages, decode_all_fields, decode_record

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
memory = mmap.mmap(-1, 2 * PAGE)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
if libc.mprotect(ctypes.c_void_p(start + PAGE), ctypes.c_size_t(PAGE), 0) != 0:
    sys.exit("mprotect refused")


def at_the_end(data: bytes) -> memoryview:
    """The bytes, placed so that the byte after them cannot be read."""
    memory[PAGE - len(data) : PAGE] = data
    return memoryview(memory)[PAGE - len(data) : PAGE]


def main() -> None:
    """Every message and every part of it, in every direction; sessions of ITCH messages."""
    rng = random.Random(5)
    for protocol in PROTOCOLS.values():
        for message in protocol.messages:
            whole = bytearray(rng.randbytes(message.length))
            if message.code is not None:
                whole[protocol.type_offset] = message.code
            for size in range(message.length + 1):
                data = at_the_end(bytes(whole[:size]))
                with contextlib.suppress(WireError):
                    compiled.decode_as(protocol.name, message.name, data)
                for direction in protocol.directions:
                    with contextlib.suppress(WireError):
                        compiled.decode(protocol.name, data, direction)
                if protocol.name == "itch50":
                    with contextlib.suppress(WireError):
                        decode_record(data)
    for size in range(12):
        for length in range(256):
            data = at_the_end(bytes([length]) * size)
            compiled.find_tag(data, 7)
            with contextlib.suppress(WireError):
                compiled.decode_tags("ouch50", data)
    itch = PROTOCOLS["itch50"].messages
    for _ in range(300):
        chosen = rng.choices(itch, k=rng.randrange(1, 8))
        blocks = [
            m.length.to_bytes(2, "big") + bytes([m.code or 0]) + rng.randbytes(m.length - 1)
            for m in chosen
        ]
        session = b"".join(blocks)
        assert decode_all_fields(at_the_end(session))[0] == len(chosen)
        assert count_messages(at_the_end(session))[0] == len(chosen)
        cut = session[: rng.randrange(len(session))]
        decode_all_fields(at_the_end(cut))
    print("no read beyond the end")


if "--control" in sys.argv:
    ctypes.string_at(start + PAGE - 1, 2)
else:
    main()
