# SPDX-License-Identifier: Apache-2.0
"""Two publishers of the same events."""

from host.ipc.event_stream import EventPublisher

class EventTee(EventPublisher):
    """Publishes on two streams."""

    left: EventPublisher
    right: EventPublisher
    def __init__(self, left: EventPublisher, right: EventPublisher) -> None: ...
