# SPDX-License-Identifier: Apache-2.0
"""An RDMA connection between a publisher and one consumer, and how it is made on either side.

Over one reliable queue pair go up to three rings: the publisher's slots to the consumer (the feed),
the consumer's requests to the publisher, and the publisher's reports to this consumer alone.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import threading
from collections import deque
from dataclasses import dataclass

from nic.port import PortError
from nic.verbs.device import VerbsDevice
from nic.verbs.exchange import VERSION, Body, Exchange, ExchangeError, integer, part, place
from nic.verbs.queue_pair import QueuePair
from nic.verbs.ring import RingReceiver, RingSender, SlotStore, check_size

PSN_BITS = 24
INLINE_BYTES = 128
EXCHANGE_SECONDS = 5.0
BACKLOG = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """How many slots a ring has, a power of two, and of how many bytes."""

    slots: int
    slot_bytes: int

    @classmethod
    def told(cls, body: Body) -> Shape:
        """A shape that the peer said; raises :class:`~nic.port.PortError`."""
        shape = cls(integer(body, "slots", 1, 1 << 24), integer(body, "slot_bytes", 1, 1 << 16))
        check_size(shape.slots, shape.slot_bytes)
        return shape

    def body(self) -> Body:
        """The shape as it is told."""
        return {"slots": self.slots, "slot_bytes": self.slot_bytes}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a publisher publishes: the feed's shape and content, and the rings beside it."""

    feed: Shape
    content: int
    instance: int
    requests: Shape | None = None
    reports: Shape | None = None
    beside: int = 0
    """Content of the rings beside the feed: the number of the table that they follow."""


class Connection:
    """Queue pair, rings and TCP connection of one consumer, on either side.

    On the publisher's side ``feed`` is a sender and ``requests`` a receiver, on the consumer's the
    other way round. Closed in order: queue pair, memory, TCP connection.
    """

    def __init__(
        self, device: VerbsDevice, stream: socket.socket, depth: int, signal_every: int
    ) -> None:
        self.device = device
        self.stream = stream
        self.peer = ""
        self.wanted = 0
        self.instance = 0
        self.psn = secrets.randbits(PSN_BITS)
        self.gid_index, self.gid = device.gid()
        self.mtu_bytes = device.check_port()
        self.pair = QueuePair(
            device, "rc", depth=depth, inline_bytes=INLINE_BYTES, signal_every=signal_every
        )
        self.senders: dict[str, RingSender] = {}
        self.receivers: dict[str, RingReceiver] = {}
        self.stores: list[SlotStore] = []

    def send_from(self, name: str, store: SlotStore, is_own: bool) -> None:
        """Make the sending end of a ring; ``is_own``: the store dies with the connection."""
        if is_own:
            self.stores.append(store)
        self.senders[name] = RingSender(store, self.pair)

    def receive_into(self, name: str, shape: Shape, wanted: int = 0) -> None:
        """Make the receiving end of a ring."""
        self.receivers[name] = RingReceiver(self.pair, shape.slots, shape.slot_bytes, wanted=wanted)

    def description(self) -> Body:
        """Where everything of this side is, for the peer."""
        return {
            "queue_pair": self.pair.number(),
            "psn": self.psn,
            "gid": self.gid.hex(),
            "mtu": self.mtu_bytes,
            "slots": {name: ring.memory_at() for name, ring in self.receivers.items()},
            "credits": {name: ring.credit_at() for name, ring in self.senders.items()},
        }

    def join(self, peer: Body) -> None:
        """Connect with what the peer described; raises :class:`~nic.port.PortError`."""
        try:
            gid = bytes.fromhex(str(peer.get("gid", "")))
        except ValueError:
            raise ExchangeError("the peer's address is none") from None
        if len(gid) != 16:
            raise ExchangeError("the peer's address is none")
        slots, credits = part(peer, "slots"), part(peer, "credits")
        for name, sender in self.senders.items():
            sender.aim(place(slots, name))
        for name, receiver in self.receivers.items():
            receiver.aim(place(credits, name))
        self.pair.connect(
            self.gid_index,
            self.psn,
            integer(peer, "queue_pair", 0, (1 << 24) - 1),
            integer(peer, "psn", 0, (1 << PSN_BITS) - 1),
            gid,
            min(self.mtu_bytes, integer(peer, "mtu", 256, 4096)),
        )

    def push(self, name: str, slot: bytes) -> bool:
        """Send one slot on a ring of one reader; False, and nothing is sent, while it has no room.

        Nothing is ever skipped on these rings: who sends requests has to know of each.
        """
        sender = self.senders[name]
        if not sender.room() or not sender.store.append(slot):
            return False
        sender.flush()
        return True

    def pull(self, name: str, maximum: int = 64) -> list[bytes]:
        """Slots that have come on a ring, oldest first; empty when there is nothing new."""
        found = self.receivers[name].read(maximum)
        return found if isinstance(found, list) else []

    def failure(self) -> str:
        """Why the connection is at its end, empty while it is not; one system call."""
        reason = self.pair.reason()
        for sender in self.senders.values():
            reason = reason or sender.failure()
        if reason:
            return reason
        self.device.look()
        if self.device.is_gone:
            return "the device was removed"
        poll = select.poll()
        poll.register(self.stream, select.POLLIN | select.POLLRDHUP)
        # Nothing is said after the exchange: whatever comes is the end.
        return "the peer went away" if poll.poll(0) else ""

    def close(self) -> None:
        """Give everything back; harmless when closed."""
        self.pair.close()
        ends: list[RingSender | RingReceiver | SlotStore] = [*self.senders.values()]
        ends += [*self.receivers.values(), *self.stores]
        for end in ends:
            end.close()
        self.stream.close()


class Server:
    """Takes consumers in, in a thread of its own; ``arrived`` holds those that are connected.

    ``address``: an IPv4 address and a port, 0 for any; ``store``: the feed's slots.
    Raises :class:`~nic.port.PortError`.
    """

    def __init__(
        self,
        device: VerbsDevice,
        address: tuple[str, int],
        secret: bytes,
        store: SlotStore,
        offer: Offer,
        *,
        maximum: int = 16,
        depth: int = 256,
        signal_every: int = 32,
    ) -> None:
        self.device = device
        self.secret = secret
        self.store = store
        self.offer = offer
        self.maximum = maximum
        self.depth = depth
        self.signal_every = signal_every
        self.arrived: deque[Connection] = deque()
        self.connected = 0
        self.refused = 0
        self.last_refusal = ""
        try:
            self._listener = socket.create_server(address, backlog=BACKLOG)
        except OSError as error:
            raise PortError(f"rdma {address[0]}:{address[1]}: {error.strerror}") from None
        self.address: tuple[str, int] = self._listener.getsockname()
        self._thread = threading.Thread(target=self._run, name="rdma-server", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            # Each in its own time: one that says nothing holds up nobody else.
            threading.Thread(target=self._take_in, args=(stream,), daemon=True).start()

    def _take_in(self, stream: socket.socket) -> None:
        with contextlib.ExitStack() as closing:
            closing.callback(stream.close)
            talk = Exchange(stream, self.secret, "server", EXCHANGE_SECONDS)
            try:
                connection = self._agree(talk, closing)
            except PortError as error:
                self.refused += 1
                self.last_refusal = str(error)
                talk.refuse(str(error))
                return
            closing.pop_all()
            self.arrived.append(connection)

    def _agree(self, talk: Exchange, closing: contextlib.ExitStack) -> Connection:
        offer = self.offer
        talk.send(
            {
                "version": VERSION,
                "nonce": talk.nonce(),
                "content": offer.content,
                "instance": offer.instance,
                "feed": offer.feed.body(),
                "requests": offer.requests.body() if offer.requests else None,
                "reports": offer.reports.body() if offer.reports else None,
                "beside": offer.beside,
            },
            is_proved=False,
        )
        client = talk.receive()
        if self.connected + len(self.arrived) >= self.maximum:
            raise ExchangeError(f"there are {self.maximum} consumers already")
        connection = Connection(self.device, talk.stream, self.depth, self.signal_every)
        closing.callback(connection.close)
        connection.send_from("feed", self.store, is_own=False)
        # A consumer that only follows has made no ends for the rings beside the feed.
        if offer.requests and "requests" in part(client, "credits"):
            connection.receive_into("requests", offer.requests)
        if offer.reports and "reports" in part(client, "slots"):
            shape = offer.reports
            connection.send_from(
                "reports", SlotStore(self.device, shape.slots, shape.slot_bytes), is_own=True
            )
        connection.peer = "".join(c for c in str(client.get("name", "")) if c.isprintable())[:40]
        if integer(client, "instance", 0, (1 << 64) - 1) == offer.instance:
            connection.wanted = integer(client, "wanted", 0, (1 << 48) - 1)
        connection.join(client)
        talk.send(connection.description())
        talk.receive()
        return connection

    def close(self) -> None:
        """Take nobody in any more; those that arrived and were not fetched are closed."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(1)
        while self.arrived:
            self.arrived.popleft().close()


def connect(
    device: VerbsDevice,
    address: tuple[str, int],
    secret: bytes,
    *,
    content: int,
    name: str = "",
    instance: int = 0,
    wanted: int = 0,
    beside: int | None = 0,
    depth: int = 256,
    signal_every: int = 32,
    timeout_s: float = EXCHANGE_SECONDS,
) -> Connection:
    """Connect to a publisher; its connection, whose feed begins with the publisher's next slot.

    ``content``: the number of the table that the slots follow; ``beside``: that of the rings beside
    the feed, where they are offered, ``None`` to have none of them. ``instance`` and ``wanted``: of
    the connection before and the slot to go on with, where this is a reconnection.
    Raises :class:`~nic.port.PortError` in one line.
    """
    where = f"rdma {address[0]}:{address[1]}"
    with contextlib.ExitStack() as closing:
        try:
            stream = socket.create_connection(address, timeout_s)
        except OSError as error:
            raise ExchangeError(f"{where}: {error.strerror or error}") from None
        closing.callback(stream.close)
        try:
            connection = _agree(
                Exchange(stream, secret, "client", timeout_s),
                device,
                closing,
                {"name": name, "instance": instance, "wanted": wanted},
                (content, beside),
                (depth, signal_every),
            )
        except PortError as error:
            raise ExchangeError(f"{where}: {error}") from None
        closing.pop_all()
        return connection


def _agree(
    talk: Exchange,
    device: VerbsDevice,
    closing: contextlib.ExitStack,
    about: Body,
    contents: tuple[int, int | None],
    queue: tuple[int, int],
) -> Connection:
    content, beside = contents
    hello = talk.receive(is_proved=False)
    if hello.get("version") != VERSION:
        raise ExchangeError(f"the server does not speak {VERSION!r}")
    if hello.get("content") != content:
        raise ExchangeError(
            f"other events than this version reads: content {str(hello.get('content'))[:20]}, "
            f"should be {content}"
        )
    has_rings = beside is not None and bool(hello.get("requests") or hello.get("reports"))
    if has_rings and hello.get("beside") != beside:
        raise ExchangeError("other requests and reports than this version speaks")
    instance = integer(hello, "instance", 0, (1 << 64) - 1)
    connection = Connection(device, talk.stream, *queue)
    closing.callback(connection.close)
    connection.instance = instance
    is_same = instance == about["instance"]
    feed = Shape.told(part(hello, "feed"))
    connection.receive_into("feed", feed, about["wanted"] if is_same else 0)
    if has_rings and hello.get("requests"):
        shape = Shape.told(part(hello, "requests"))
        connection.send_from(
            "requests", SlotStore(device, shape.slots, shape.slot_bytes), is_own=True
        )
    if has_rings and hello.get("reports"):
        connection.receive_into("reports", Shape.told(part(hello, "reports")))
    talk.send({**about, "nonce": talk.nonce(), **connection.description()})
    connection.join(talk.receive())
    for sender in connection.senders.values():
        sender.begin()
    talk.send({"ready": True})
    return connection
