# SPDX-License-Identifier: Apache-2.0
"""One end of a stream of events, in a process of its own: ``rdma_peer.py publisher|consumer ...``.

What it says on standard output is one JSON object a line. Every word of an event is the event's
number, so that a torn or a foreign one is seen. Loads little: it runs on an emulated processor.
"""

import json
import sys
import time

from host.ipc.rdma_stream import RdmaPublisher, RdmaReader
from nic.port import PortError

SECRET = b"a secret of the guest"
SLOT_BYTES = 64
WORDS = SLOT_BYTES // 8
CONTENT = 99


def events(first, count):
    """Events one behind the other; the publisher writes the last word of each anew."""
    return b"".join(n.to_bytes(8, "little") * WORDS for n in range(first, first + count))


def numbers_of(slots):
    """Numbers of slots that were read, and how many of these are not whole."""
    numbers = [int.from_bytes(slot[-8:], "little") for slot in slots]
    return numbers, sum(slot != slot[-8:] * WORDS for slot in slots)


def say(**facts):
    print(json.dumps(facts), flush=True)


def publisher(port, slots, rate, count, audience):
    """Publish ``count`` events, ``rate`` a second (0: as the slowest consumer takes them).

    Begins once ``audience`` consumers are there.
    """
    with RdmaPublisher(
        "rxe0", ("127.0.0.1", port), SECRET, slots=slots, slot_bytes=SLOT_BYTES, content=CONTENT
    ) as stream:
        say(port=stream.server.address[1], instance=stream.instance)
        while stream.joined < audience:
            stream.service()
            time.sleep(0.001)
        begin = time.monotonic()
        while stream.published < count:
            stream.beat(time.monotonic_ns())
            behind = (
                min((c.senders["feed"].consumed() for c in stream.consumers), default=1 << 60)
                if rate == 0
                else 0
            )
            burst = 512 if rate == 0 else max(1, rate // 100)
            if rate == 0 and stream.published + burst > behind + slots:
                stream.push()
                continue
            stream.publish_events(
                events(stream.published + 1, min(burst, count - stream.published))
            )
            stream.push()
            if rate:
                time.sleep(0.01)
        seconds = time.monotonic() - begin
        end = time.monotonic() + 60
        while time.monotonic() < end and any(
            c.senders["feed"].consumed() + slots // 8 < count and not c.failure()
            for c in stream.consumers
        ):
            stream.push()
            stream.beat(time.monotonic_ns())
            time.sleep(0.001)
        stream.service()
        facts = stream.counters()
        facts["departures"] = stream.departures
    say(seconds=seconds, **facts)


def consumer(port, pause_ms, say_every, again):
    """Take everything until the end; with ``again`` connect anew when the publisher dies."""
    try:
        reader = RdmaReader("rxe0", ("127.0.0.1", port), SECRET, content=CONTENT, name="peer")
    except PortError as error:
        say(error=str(error))
        return
    say(mode=dict(reader.mode()))
    last = torn = jumps = said = restarts = 0
    silent = time.monotonic()
    state = "open"
    while True:
        try:
            lost, slots = reader.read(1024)
        except EOFError:
            state = reader.state()
            break
        last += lost
        if slots:
            numbers, damaged = numbers_of(slots)
            torn += damaged
            jumps += last != 0 and numbers[0] != last + 1
            jumps += numbers != list(range(numbers[0], numbers[0] + len(numbers)))
            last = numbers[-1]
        if slots and reader.taken - said >= say_every:
            said = reader.taken
            say(taken=reader.taken, last=last)
        if slots:
            silent = time.monotonic()
            if pause_ms:
                time.sleep(pause_ms / 1000)
        elif time.monotonic() - silent > 0.2:
            state = reader.state()
            if state == "died":
                failure = reader.failure()
                if not again:
                    break
                end = time.monotonic() + 30
                while True:
                    try:
                        if not reader.reconnect():
                            last = 0
                        restarts += 1
                        state = "open"
                        break
                    except PortError:
                        if time.monotonic() > end:
                            say(error=failure)
                            return
                        time.sleep(0.1)
            silent = time.monotonic()
    say(
        state=state,
        failure=reader.failure(),
        taken=reader.taken,
        lost=reader.lost,
        overruns=reader.overruns,
        last=last,
        torn=torn,
        jumps=jumps,
        restarts=restarts,
        instance=reader.instance,
    )
    reader.close()


if __name__ == "__main__":
    {"publisher": publisher, "consumer": consumer}[sys.argv[1]](*map(int, sys.argv[2:]))
