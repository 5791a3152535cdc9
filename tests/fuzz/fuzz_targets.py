# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed: each target's modules, built with the sanitizers, and the function to call.

A target's function makes one random case from its generator and feeds it; to refuse is right, to
crash or to read out of bounds is not. A new target is a function and a line in ``TARGETS``.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import fuzz_corpus as corpus

from nic.wire.protocols import PROTOCOLS
from nic.wire.reference import WireError


@dataclass(frozen=True)
class Target:
    """One thing to fuzz: its name, its modules and what feeds it one case."""

    name: str
    modules: tuple[str, ...]
    feed: Callable[[Random], None]
    cost: int = 1
    """How many times as long as others its cases take; it gets as many fewer of them."""


def tight(data: bytes) -> bytearray:
    """The bytes in memory of their own, whose ends the sanitizer watches."""
    return bytearray(data)


def decode_message(rng: Random) -> None:
    from nic.wire import compiled

    protocol = rng.choice(list(PROTOCOLS.values()))
    message = rng.choice(protocol.messages)
    data = tight(corpus.spoil(rng, corpus.message_bytes(rng, protocol, message)))
    for direction in protocol.directions:
        with contextlib.suppress(WireError):
            name, values = compiled.decode(protocol.name, data, direction)
            assert compiled.encode(protocol.name, name, values) == data
    with contextlib.suppress(WireError):
        values = compiled.decode_as(protocol.name, message.name, data)
        if message.has_appendage:
            compiled.decode_tags(protocol.name, tight(values["payload"]))
    compiled.find_tag(data, rng.randrange(32))


def decode_session(rng: Random) -> None:
    from nic.wire import session_file

    data = tight(corpus.spoil(rng, corpus.session(rng)))
    session_file.count_messages(data)
    with contextlib.suppress(WireError):
        session_file.decode_all_fields(data)
    with contextlib.suppress(WireError):
        session_file.decode_record(tight(corpus.spoil(rng, corpus.any_message(rng, "itch50"))))


def parse_frame(rng: Random) -> None:
    from nic import frame

    payload = corpus.any_message(rng, "itch50", "ouch50")
    data = corpus.spoil(rng, corpus.frame(rng, payload, rng.choice(("udp", "tcp"))))
    frame.parse_udp(tight(data))
    frame.parse_tcp(tight(data))


def feed_datagrams(rng: Random) -> None:
    from host.feed.collector import Collector, RequestCollector
    from host.feed.handler import FeedHandler

    kind = rng.choice(("moldudp64", "iextp"))
    handler = FeedHandler(Collector(), RequestCollector(), transport=kind)
    t_ns = 0
    for _ in range(30):
        t_ns += rng.choice((1, 1000, 10**6, 10**9))
        number = handler.next_sequence_number + rng.choice((0, 0, 0, 0, -3, 1, 5, 900))
        number = min(max(0, number), 2**63 - 1)
        packet = getattr(corpus, kind)(rng, number)
        handler.datagram(rng.randrange(2), corpus.spoil(rng, packet), t_ns)
        if rng.random() < 0.1:
            handler.timer(t_ns)
    handler.finish(t_ns)


TARGETS = (
    Target("decode_message", ("nic.wire.compiled",), decode_message),
    Target("decode_session", ("nic.wire.session_file",), decode_session),
    Target("parse_frame", ("nic.frame",), parse_frame),
    Target("feed_datagrams", ("host.feed.handler", "host.feed.reorder"), feed_datagrams, 30),
)
