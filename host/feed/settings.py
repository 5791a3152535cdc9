# SPDX-License-Identifier: Apache-2.0
"""The feed handler's limits and times."""

from __future__ import annotations

from dataclasses import dataclass, fields

from nic.wire.moldudp64 import MAXIMUM_COUNT


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """Limits and times of a feed handler; raises ``ValueError`` for a value out of range.

    Gap recovery: a gap waits ``gap_wait_ns`` for the other line, then is asked for in pieces of at
    most ``maximum_request_messages``, at most ``maximum_outstanding`` gaps at a time and
    ``request_rate_per_second`` requests a second. It is given up after ``request_limit`` requests
    without an answer (each waited for ``request_retry_ns``), or when nothing of it came for
    ``gap_limit_ns``; behind a gap that the server fills, both count from that one's end.

    ``stash_packets`` datagrams of at most ``stash_datagram_bytes`` wait behind gaps. A datagram
    more than ``maximum_gap_messages`` ahead is ignored (None: there is no limit), unless
    ``far_packets`` in a row continue each other: then the feed really is there. ``stale_ns``
    without a datagram on any line makes the feed stale. ``lead_messages`` first arrivals are
    remembered for the lead times, ``gaps_reported`` closed gaps for the report.
    """

    gap_wait_ns: int = 200_000
    request_retry_ns: int = 20_000_000
    request_limit: int = 10
    maximum_outstanding: int = 4
    request_rate_per_second: int = 1_000
    maximum_request_messages: int = 1_000
    gap_limit_ns: int = 2_000_000_000
    stale_ns: int = 3_000_000_000
    maximum_gap_messages: int | None = None
    far_packets: int = 8
    stash_packets: int = 1_024
    stash_datagram_bytes: int = 9_216
    maximum_open_gaps: int = 256
    gaps_reported: int = 1_024
    lead_messages: int = 8_192

    def __post_init__(self) -> None:
        """Check every value against its bounds."""
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = _BOUNDS.get(field.name, (1, 1 << 62))
            if value is None and field.name == "maximum_gap_messages":
                continue
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{field.name} must be {low} to {high}, not {value!r}")


MOST_REQUESTS = 1_000_000

_BOUNDS = {
    "gap_wait_ns": (0, 1 << 62),
    "request_limit": (1, MOST_REQUESTS),
    "maximum_outstanding": (1, 1_000),
    "request_rate_per_second": (1, 1_000_000),
    "maximum_request_messages": (1, MAXIMUM_COUNT),
    "far_packets": (1, 1_000_000),
    "stash_packets": (1, 1 << 20),
    "stash_datagram_bytes": (64, 65_535),
    "maximum_open_gaps": (1, 1 << 16),
    "gaps_reported": (1, 1 << 20),
    "lead_messages": (1, 1 << 24),
}
