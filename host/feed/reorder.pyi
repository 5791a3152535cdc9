# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`host.feed.reorder`."""

class Stash:
    """Holds a bounded number of datagrams that wait for earlier messages."""

    def __init__(self, capacity: int, place_bytes: int) -> None: ...
