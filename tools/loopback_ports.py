# SPDX-License-Identifier: Apache-2.0
"""Ports on loopback for one run, so that several runs fit on one machine."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

FIRST_PORT, PORTS_END = 26400, 32768
"""Ports that are looked through: those of the examples first, none that the kernel hands out."""
BLOCK_PORTS = 32
"""Ports of one run."""


@contextlib.contextmanager
def loopback_ports() -> Iterator[int]:
    """The first of ``BLOCK_PORTS`` ports that nobody uses, TCP or UDP; ``OSError`` if none is left.

    No other run that asks here gets them before this one ends. What tells the runs apart is a
    socket's name in the abstract namespace: it is gone with its process, however that ends.
    """
    for first in range(FIRST_PORT, PORTS_END, BLOCK_PORTS):
        with socket.socket(socket.AF_UNIX) as claim:
            try:
                claim.bind(f"\0tickwire-loopback-{first}")
            except OSError:
                continue  # another run's
            if all(map(_is_free, range(first, first + BLOCK_PORTS))):
                yield first
                return
    raise OSError(f"no {BLOCK_PORTS} free ports on 127.0.0.1 from {FIRST_PORT} to {PORTS_END - 1}")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            # A connection that lingers in TIME_WAIT does not keep a server from its port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
