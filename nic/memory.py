# SPDX-License-Identifier: Apache-2.0
"""Keeping the process's memory in place, so that no page fault lands on the hot path."""

from __future__ import annotations

import ctypes
import os
import resource

MCL_CURRENT = 1
MCL_FUTURE = 2


def lock_memory() -> str:
    """Lock all memory, now and later: tables are backed by pages when they are made.

    Returns ``"locked"``, or why it was left alone. Never tries under a limit on locked memory:
    later allocations would fail (mlockall(2), ENOMEM).
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:
        return f"not locked: the limit on locked memory is {soft} bytes (ulimit -l)"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE) != 0:
        return f"not locked: {os.strerror(ctypes.get_errno())}"
    return "locked"
