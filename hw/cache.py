# SPDX-License-Identifier: Apache-2.0
"""Results of slow tools, kept by what they were made from."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIGITS = 20


def folder(kind: str) -> Path:
    """The folder for results of one kind, made if need be.

    ``TICKWIRE_HW_CACHE`` names another place than ``build/hw`` of the checkout; an installed
    package keeps its results below the user's cache.
    """
    named = os.environ.get("TICKWIRE_HW_CACHE")
    if named:
        base = Path(named)
    elif (ROOT / "pyproject.toml").exists() and os.access(ROOT, os.W_OK):
        base = ROOT / "build" / "hw"
    else:
        base = Path.home() / ".cache" / "tickwire" / "hw"
    found = base / kind
    found.mkdir(parents=True, exist_ok=True)
    return found


def key(*parts: str | bytes) -> str:
    """A name for what is made from ``parts``: hexadecimal digits, the same for the same parts."""
    digest = hashlib.sha256()
    for part in parts:
        octets = part.encode() if isinstance(part, str) else part
        digest.update(len(octets).to_bytes(8, "little"))
        digest.update(octets)
    return digest.hexdigest()[:DIGITS]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of ``path``, so that two processes do not make the same thing at once."""
    lock = path.with_name(path.name + ".lock")
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
