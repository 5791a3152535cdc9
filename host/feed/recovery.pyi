# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`host.feed.recovery`."""

from host.feed.gaps import GapTable
from host.feed.settings import FeedSettings
from host.interfaces import RequestSink

class Recovery:
    """Asks for the gaps of a table through a request sink."""

    def __init__(
        self,
        requests: RequestSink | None,
        table: GapTable,
        transport: int,
        settings: FeedSettings,
    ) -> None: ...
