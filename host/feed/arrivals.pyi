# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`host.feed.arrivals`."""

class ArrivalRing:
    """The last first arrivals by sequence number, and the lead times made of them."""

    def __init__(self, messages: int) -> None: ...
