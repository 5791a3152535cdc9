# SPDX-License-Identifier: Apache-2.0
"""Pinning the calling thread to a core."""

from __future__ import annotations

import os


def pin(core: int | None) -> int | None:
    """Pin the calling thread to ``core``; ``None`` leaves it. Raises ``ValueError`` in one line."""
    if core is None:
        return None
    allowed = os.sched_getaffinity(0)
    if core not in allowed:
        raise ValueError(f"core {core} is not available here, only {sorted(allowed)}")
    os.sched_setaffinity(0, {core})
    return core
