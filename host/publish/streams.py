# SPDX-License-Identifier: Apache-2.0
"""The streams that a configuration publishes its feed on: shared memory, RDMA, or both."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from host.config import ConfigError, FeedPublish, OrderDeskSettings, RdmaPublish
from host.ipc.broadcast import BroadcastWriter
from host.ipc.event_layout import CONTENT, EVENT_BYTES
from host.ipc.event_stream import EventPublisher
from host.ipc.order_layout import ORDER_CONTENT, SLOT_BYTES
from host.ipc.order_socket import SUFFIX, LineError, OrderServer
from host.remote.desk import OrderDesk
from nic.port import PortError


def read_secret(path: Path) -> bytes:
    """The shared secret in a file, without the end of its line; raises :class:`ConfigError`.

    Refused where others than its owner may read it.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: others may read the secret: chmod 600 {path}")
        return path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def open_rdma(settings: RdmaPublish, slots: int, orders: OrderDeskSettings | None) -> Any:
    """The publisher over RDMA, with rings for ``orders`` beside the feed.

    Raises :class:`~nic.port.PortError` or :class:`ConfigError`.
    """
    try:
        from host.ipc.rdma_stream import RdmaPublisher
        from nic.verbs.connection import Shape
    except ImportError as error:
        raise PortError(
            f"rdma was not built here ({error}): install libibverbs-dev and build again"
        ) from None
    shape = Shape(orders.slots, SLOT_BYTES) if orders is not None else None
    return RdmaPublisher(
        settings.device,
        (str(settings.address), settings.port),
        read_secret(settings.secret_file),
        slots=slots,
        slot_bytes=EVENT_BYTES,
        content=CONTENT,
        batch=settings.batch,
        maximum=settings.maximum_consumers,
        requests=shape,
        reports=shape,
        beside=ORDER_CONTENT,
    )


class PublishedStreams:
    """Every stream of ``settings``, open; ``events`` is what is to be published on.

    Raises :class:`ConfigError` or :class:`~nic.port.PortError` in one line.
    """

    def __init__(self, settings: FeedPublish) -> None:
        self._closing = contextlib.ExitStack()
        self._modes: dict[str, Any] = {}
        self._rdma: Any = None
        found: list[EventPublisher] = []
        with contextlib.ExitStack() as opening:
            if settings.path is not None:
                try:
                    writer = BroadcastWriter(
                        settings.path, slots=settings.slots, slot_bytes=EVENT_BYTES, content=CONTENT
                    )
                except ValueError as error:
                    raise ConfigError(f"feed_publish: {error}") from None
                found.append(opening.enter_context(writer))
                self._modes |= writer.mode()
            if settings.rdma is not None:
                self._rdma = opening.enter_context(
                    open_rdma(settings.rdma, settings.slots, settings.orders)
                )
                found.append(self._rdma)
            self._closing = opening.pop_all()
        self.events = found[0]
        if len(found) > 1:
            from host.ipc.event_tee import EventTee

            self.events = EventTee(*found)

    def serve_orders(self, desk: OrderDesk, settings: FeedPublish) -> None:
        """Let strategy hosts send orders to ``desk``: processes of this machine, others by RDMA.

        Raises :class:`ConfigError` in one line.
        """
        if settings.orders is not None and settings.path is not None:
            try:
                desk.serve(OrderServer(f"{settings.path}{SUFFIX}", slots=settings.orders.slots))
            except LineError as error:
                raise ConfigError(f"feed_publish.orders: {error}") from None
        if self._rdma is not None:
            from host.ipc.rdma_line import DeskWatcher

            self._rdma.watcher = DeskWatcher(desk)

    def mode(self) -> dict[str, Any]:
        """What was opened: path and sizes of the shared memory, and ``rdma``."""
        found = dict(self._modes)
        if self._rdma is not None:
            found["rdma"] = {**self._rdma.mode(), **self._rdma.counters()}
        return found

    def __enter__(self) -> PublishedStreams:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()
