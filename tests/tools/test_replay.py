# SPDX-License-Identifier: Apache-2.0
"""``tickwire replay``: generated recordings, spoiled ones, and with ``TICKWIRE_DATA`` real ones."""

import gzip
import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from replay_support import MILLISECOND, SECOND, START, Tickwire, day, frames, write_pcap
from scapy.utils import PcapNgWriter, PcapReader

from host.book.reference import BBO, ReferenceBook, ReferenceOrderBook, ReferencePriceLevelBook
from nic.wire.binaryfile import BINARYFILE
from nic.wire.itch50 import ITCH50
from nic.wire.moldudp64 import MOLDUDP64
from nic.wire.reference import decode_as
from tools.itch_stream import generate

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TICKWIRE_DATA", ""))
needs_data = pytest.mark.skipif(
    "TICKWIRE_DATA" not in os.environ, reason="TICKWIRE_DATA is not set"
)
IEX = DATA / "iex" / "DEEP10.pcap.gz"
STRATEGIES = ("none", "market_maker", "imbalance_taker")


@pytest.fixture
def tickwire(monkeypatch, capsys) -> Tickwire:
    return Tickwire(monkeypatch, capsys)


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    """A day on two lines, of which each lost some packets, no packet on both."""
    packets = day(0.5)
    lost = [(place % 2, place) for place in range(5, len(packets) - 1, 7)]
    path = tmp_path_factory.mktemp("capture") / "day.pcap"
    return write_pcap(path, frames(packets, lost=lost))


@pytest.fixture(scope="module")
def session_file(tmp_path_factory) -> Path:
    """A generated day as a BinaryFILE."""
    path = tmp_path_factory.mktemp("session") / "day.itch"
    path.write_bytes(generate(5_000, symbols=9, live_orders=150).tobytes() + bytes(2))
    return path


def messages_of(packets: Any) -> list[bytes]:
    found = []
    for _, packet in packets:
        rest = bytes(decode_as(MOLDUDP64, "header", packet)["payload"])
        while rest:
            length = int.from_bytes(rest[:2], "big")
            found.append(rest[2 : 2 + length])
            rest = rest[2 + length :]
    return found


def test_report_says_what_the_capture_holds(tickwire, capture):
    report = tickwire.report(capture, "--strategy", "none")
    packets = day(0.5)
    messages = messages_of(packets)
    assert report["messages"] == dict(sorted(Counter(chr(m[0]) for m in messages).items()))
    assert report["packets"] == 2 * len(packets) - len(range(5, len(packets) - 1, 7))
    assert report["lines"] == ["239.1.1.1:26400", "239.1.1.2:26401"]
    assert (report["file"], report["kind"]) == ("day.pcap", "pcap")
    assert report["transport"] == "moldudp64"
    assert report["gaps"] == report["lost_messages"] == report["restarts"] == 0
    assert report["errors"] == {} and report["unwanted_datagrams"] == 0
    assert report["duplicates"] > 0.7 * len(messages)
    assert report["symbols"] == 3 and sorted(report["best"]) == ["AAPL", "INTC", "MSFT"]
    assert report["bbo_changes"] > 100 and report["trades"] > 10
    reference = ReferenceOrderBook()
    for message in messages:
        reference.apply(message)
    for locate, name in reference.symbols.items():
        top = reference.top(locate)
        assert report["best"][name.decode().rstrip()] == {
            "bid_price": top.bid_price,
            "bid_size": top.bid_shares,
            "ask_price": top.ask_price,
            "ask_size": top.ask_shares,
        }


def test_lost_messages_are_a_gap(tickwire, tmp_path):
    packets = day(0.4)
    path = write_pcap(tmp_path / "gap.pcap", frames(packets, lost=[(0, 150), (1, 150)]))
    report = tickwire.report(path)
    count = int(decode_as(MOLDUDP64, "header", packets[150][1])["message_count"])
    assert (report["gaps"], report["lost_messages"]) == (1, count)
    assert sum(report["messages"].values()) == len(messages_of(packets)) - count
    before = tickwire.report(write_pcap(tmp_path / "before.pcap", frames(packets[:150])))
    assert report["strategy"]["quotes"] == before["strategy"]["quotes"] > 0, "no books, no quotes"
    assert report["open_orders"] == 0


def test_people_read_the_same(tickwire, capture):
    report = tickwire.report(capture)
    lines = tickwire.replay(capture).splitlines()
    assert lines[0] == "day.pcap: pcap, transport moldudp64"
    total = sum(report["messages"].values())
    assert lines[1].startswith(f"packets {report['packets']:,}, messages {total:,}: ")
    assert f"bbo changes: {report['bbo_changes']:,}" in lines
    assert "errors: none" in lines
    assert [line.split()[0] for line in lines[-3:]] == ["AAPL", "INTC", "MSFT"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_runs_are_the_same_to_the_byte(tickwire, capture, strategy):
    """In two processes whose hashes differ."""
    command = [sys.executable, "-m", "tools.main", "replay", str(capture), "--strategy", strategy]
    runs = [
        subprocess.run(
            [*command, "--json"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout != b""
    assert runs[0].stderr == runs[1].stderr == b""
    assert tickwire.replay(*command[4:], "--json").encode() == runs[0].stdout
    assert tickwire.replay(*command[4:]) == tickwire.replay(*command[4:])


@pytest.mark.parametrize("kind", ["market_maker", "imbalance_taker"])
def test_strategy_trades_on_the_recorded_market(tickwire, capture, kind):
    report = tickwire.report(capture, "--strategy", kind)
    assert report["strategy"]["fills"] > 10
    assert report["orders"]["executed"] == report["strategy"]["fills"]
    assert report["open_orders"] == 0
    assert report["market"]["executions"] == report["orders"]["executed"]
    bought = sum(each["bought_shares"] for each in report["positions"].values())
    sold = sum(each["sold_shares"] for each in report["positions"].values())
    assert bought + sold == report["market"]["executed_shares"] > 0
    assert not [name for name in report["orders"] if name.startswith(("illegal", "unknown"))]
    class_name = {"market_maker": "MarketMaker", "imbalance_taker": "ImbalanceTaker"}[kind]
    twin = tickwire.report(capture, "--strategy", f"host.strategy.python_examples:{class_name}")
    assert twin == report
    plain = tickwire.report(capture, "--strategy", "none")
    assert {name: report[name] for name in plain} == plain, "a strategy changes no recording"


def test_containers_hold_the_same(tickwire, capture, session_file, tmp_path):
    def same(path: Path, original: dict[str, Any]) -> None:
        report = tickwire.report(path)
        assert {**report, "file": "", "kind": ""} == {**original, "file": "", "kind": ""}

    original = tickwire.report(capture)
    (tmp_path / "day.pcap.gz").write_bytes(gzip.compress(capture.read_bytes()))
    same(tmp_path / "day.pcap.gz", original)
    with PcapReader(str(capture)) as reader, PcapNgWriter(str(tmp_path / "day.pcapng")) as writer:
        for packet in reader:
            writer.write(packet)
    (tmp_path / "day.pcapng.gz").write_bytes(gzip.compress((tmp_path / "day.pcapng").read_bytes()))
    microseconds = tickwire.report(tmp_path / "day.pcapng")
    assert microseconds["kind"] == "pcapng" and microseconds["messages"] == original["messages"]
    same(tmp_path / "day.pcapng.gz", microseconds)
    original = tickwire.report(session_file)
    assert (original["kind"], original["transport"]) == ("binary_file", "none")
    assert original["packets"] == 0 and original["errors"] == {}
    (tmp_path / "day.itch.gz").write_bytes(gzip.compress(session_file.read_bytes()))
    same(tmp_path / "day.itch.gz", original)


# ------------------------------------------------------------------ best bids and offers


def blocks(data: bytes, at: int, order: str) -> Iterator[bytes]:
    """Messages behind their lengths of two bytes."""
    while at + 2 <= len(data):
        length = int.from_bytes(data[at : at + 2], order)  # type: ignore[arg-type]
        if length == 0 or at + 2 + length > len(data):
            return
        yield data[at + 2 : at + 2 + length]
        at += 2 + length


def bbo_line(book: ReferenceBook, index: int) -> str:
    top, symbol = book.top(index), book.symbols[index].decode().rstrip()
    prices = f"{top.bid_price},{top.bid_shares},{top.ask_price},{top.ask_shares}"
    return f"{top.timestamp},{symbol},{prices}\n"


def itch_lines(messages: Any) -> Iterator[str]:
    """By the reference book of ITCH; messages that name no price are passed over."""
    book = ReferenceOrderBook()
    for message in messages:
        if book.apply(message) & BBO:
            yield bbo_line(book, int.from_bytes(message[1:3], "big"))


def iex_segments(path: Path) -> Iterator[tuple[int, bytes]]:
    """First sequence number and segment of each whole packet of IEX's sample, by hand."""
    data = gzip.decompress(path.read_bytes())
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        payload = data[at + 16 + 42 : at + 16 + size]
        at += 16 + size
        if at <= len(data):
            yield struct.unpack_from("<q", payload, 24)[0], payload


def iex_lines(path: Path) -> Iterator[str]:
    """By the reference book of DEEP, a new one for each of the publisher's runs."""
    book, expected = ReferencePriceLevelBook(), 1
    for first, payload in iex_segments(path):
        if first < expected:
            book = ReferencePriceLevelBook()
        messages = list(blocks(payload, 40, "little"))
        expected = first + len(messages)
        for message in messages:
            # only price level updates move a price; the others would only take time
            if message[:1] in b"85" and book.apply(message) & BBO:
                symbol = message[10:18]
                index = next(i for i, known in book.symbols.items() if known == symbol)
                yield bbo_line(book, index)


@needs_data
def test_bbo_of_the_iex_capture_is_that_of_the_reference(tickwire, tmp_path):
    report = tickwire.report(IEX, "--bbo", tmp_path / "bbo.csv", "--strategy", "none")
    found = (tmp_path / "bbo.csv").read_text().splitlines(keepends=True)
    assert found == list(iex_lines(IEX))
    assert len(found) == report["bbo_changes"] > 3_000


def test_bbo_of_a_generated_day_is_that_of_the_reference(tickwire, session_file, tmp_path):
    bbo = tmp_path / "bbo.csv"
    report = tickwire.report(session_file, "--bbo", bbo, "--strategy", "none")
    expected = "".join(itch_lines(blocks(session_file.read_bytes(), 0, "big")))
    assert bbo.read_text() == expected
    assert report["bbo_changes"] == expected.count("\n") > 500
    assert ",0,0\n" in expected and ",0,0," in expected, "empty sides are there"


def test_bbo_of_a_capture_is_that_of_the_reference(tickwire, capture, tmp_path):
    bbo = tmp_path / "bbo.csv"
    for strategy in ("none", "market_maker"):
        tickwire.report(capture, "--bbo", bbo, "--strategy", strategy)
        assert bbo.read_text() == "".join(itch_lines(messages_of(day(0.5))))


# ------------------------------------------------------------------ time and sessions


def two_days(distance_ns: int) -> tuple[Any, Any]:
    first = day(0.4)
    second = day(0.4, seed=2, session="DAY2", start=START + distance_ns)
    return first, second


@pytest.mark.parametrize("distance_ns", [SECOND, 50 * SECOND, 7 * 86_400 * SECOND])
def test_another_session_resets_the_books_and_trading_goes_on(tickwire, tmp_path, distance_ns):
    """Also after a week of silence, over which no order-entry session lasts."""
    first, second = two_days(distance_ns)
    path = write_pcap(tmp_path / "days.pcap", frames(first + second))
    alone = write_pcap(tmp_path / "first.pcap", frames(first))
    report, before = tickwire.report(path), tickwire.report(alone)
    after = tickwire.report(write_pcap(tmp_path / "second.pcap", frames(second)))
    assert report["restarts"] == 1 and report["gaps"] == 0
    assert report["best"] == after["best"]
    assert report["book"]["resets"] == 1
    assert before["strategy"]["fills"] > 5 and after["strategy"]["fills"] > 5
    fills = report["strategy"]["fills"] - before["strategy"]["fills"]
    assert fills > after["strategy"]["fills"] // 2
    assert report["open_orders"] == 0
    lines = [*itch_lines(messages_of(first)), *itch_lines(messages_of(second))]
    tickwire.report(path, "--bbo", tmp_path / "bbo.csv")
    assert (tmp_path / "bbo.csv").read_text() == "".join(lines), "a reset writes no line"


def test_times_that_step_back(tickwire, tmp_path):
    recorded = frames(day(0.3))
    turned = [
        (now - (place % 5) * 3 * MILLISECOND, frame) for place, (now, frame) in enumerate(recorded)
    ]
    path = write_pcap(tmp_path / "turned.pcap", turned)
    report = tickwire.report(path)
    straight = tickwire.report(write_pcap(tmp_path / "straight.pcap", recorded))
    assert report["best"] == straight["best"] and report["messages"] == straight["messages"]
    assert report["strategy"]["quotes"] > 0 and report["open_orders"] == 0
    assert tickwire.report(path) == report


def test_pace_takes_the_time_it_says_and_changes_nothing(tickwire, tmp_path):
    path = write_pcap(tmp_path / "day.pcap", frames(day(0.4)))
    fast = tickwire.replay(path)
    begin = time.monotonic()
    assert tickwire.replay(path, "--pace", "2") == fast
    assert 0.18 < time.monotonic() - begin < 10
    begin = time.monotonic()
    assert tickwire.replay(path, "--pace", "1000000") == fast
    assert time.monotonic() - begin < 10


def test_interrupted_replay_leaves_nothing(capture, tmp_path):
    bbo = tmp_path / "bbo.csv"
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.main", "replay", capture, "--pace", "0.01", "--bbo", bbo],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 30
    while not bbo.exists() and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err.strip()) == (130, "", "tickwire: stopped")
    assert not bbo.exists()


# ------------------------------------------------------------------ what can't be replayed


def cut_capture(folder: Path) -> Path:
    whole = gzip.compress(write_pcap(folder / "whole.pcap", frames(day(0.3))).read_bytes())
    path = folder / "cut.pcap.gz"
    path.write_bytes(whole[: len(whole) // 2])
    return path


def damaged_capture(folder: Path) -> Path:
    recorded = frames(day(0.3)) * 12  # more than is looked at before the replay begins
    whole = bytearray(gzip.compress(write_pcap(folder / "whole.pcap", recorded).read_bytes()))
    whole[-8] ^= 1  # the checksum at the end
    path = folder / "damaged.pcap.gz"
    path.write_bytes(whole)
    return path


def cut_session(folder: Path) -> Path:
    path = folder / "cut.itch.gz"
    path.write_bytes(gzip.compress(generate(3_000, 9, 100).tobytes())[:20_000])
    return path


def file_with(name: str, data: bytes) -> Any:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


BAD = {
    "missing": (lambda folder: folder / "nothing.pcap", "No such file or directory"),
    "directory": (lambda folder: folder, "Is a directory"),
    "empty": (file_with("empty", b""), "neither pcap, pcapng nor BinaryFILE"),
    "text": (file_with("notes.txt", b"no capture, but a letter\n" * 99), "neither pcap"),
    "cut head": (file_with("head.gz", gzip.compress(b"\xd4\xc3\xb2\xa1" * 9)[:12]), "neither"),
    "no packets": (lambda folder: write_pcap(folder / "none.pcap", []), "no MoldUDP64 and no"),
}

CUT = {
    "cut gzip": (cut_capture, "truncated_gzip"),
    "damaged gzip": (damaged_capture, "bad_gzip"),
    "cut session": (cut_session, "truncated_gzip"),
}


@pytest.mark.parametrize("what", list(CUT))
def test_damage_is_counted_and_what_stands_before_it_is_kept(tickwire, tmp_path, what):
    make, name = CUT[what]
    code, out, err = tickwire.run("replay", make(tmp_path), "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["errors"][name] == 1
    assert sum(report["messages"].values()) > 100


@pytest.mark.parametrize("json_option", [[], ["--json"]])
@pytest.mark.parametrize("what", list(BAD))
def test_bad_file_is_one_line_and_exit_code_2(tickwire, tmp_path, what, json_option):
    make, text = BAD[what]
    path = make(tmp_path)
    bbo = tmp_path / "bbo.csv"
    code, out, err = tickwire.run("replay", path, "--bbo", bbo, *json_option)
    assert (code, out) == (2, "")
    assert err.startswith(f"tickwire: {path}: ") and text in err
    assert err.count("\n") == 1 and err.endswith("\n")
    assert not bbo.exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--strategy", "nobody"], "no strategy 'nobody'"),
        (["--strategy", "no_such_module:Class"], "No module named"),
        (["--pace", "0"], "'--pace'"),
        (["--orders", "1"], "'--orders'"),
        (["--nonsense"], "No such option"),
        ([], None),
    ],
)
def test_bad_option_is_one_line_and_exit_code_2(tickwire, capture, tmp_path, options, text):
    bbo = tmp_path / "bbo.csv"
    code, out, err = tickwire.run("replay", capture, "--bbo", bbo, *options)
    if text is None:
        assert code == 0 and err == "" and bbo.stat().st_size > 0
        return
    assert (code, out) == (2, "")
    assert text in err and err.startswith("tickwire: ") and err.count("\n") == 1
    assert not bbo.exists()


def test_missing_argument_is_one_line(tickwire):
    code, out, err = tickwire.run("replay")
    assert (code, out) == (2, "") and "FILE" in err and err.count("\n") == 1


def test_bbo_file_that_can_not_be_written(tickwire, capture, tmp_path):
    code, out, err = tickwire.run("replay", capture, "--bbo", tmp_path / "no" / "bbo.csv")
    assert (code, out) == (2, "")
    assert err == f"tickwire: {tmp_path}/no/bbo.csv: No such file or directory\n"
    code, out, err = tickwire.run("replay", capture, "--bbo", "/dev/full")
    assert (code, out, err) == (2, "", "tickwire: /dev/full: No space left on device\n")


def test_recording_is_not_overwritten_by_its_own_bbo(tickwire, capture, tmp_path):
    path = tmp_path / "day.pcap"
    path.write_bytes(capture.read_bytes())
    (tmp_path / "link").symlink_to(path)
    for bbo in (path, tmp_path / "link"):
        code, out, err = tickwire.run("replay", path, "--bbo", bbo)
        assert (code, out) == (2, "") and "the recording itself" in err
        assert path.read_bytes() == capture.read_bytes()


def test_cut_record_is_counted_and_what_is_whole_is_replayed(tickwire, tmp_path):
    whole = write_pcap(tmp_path / "whole.pcap", frames(day(0.2), [0])).read_bytes()
    (tmp_path / "cut.pcap").write_bytes(whole[:-5])
    report = tickwire.report(tmp_path / "cut.pcap")
    assert report["errors"] == {"truncated_record": 1}
    assert report["packets"] == len(day(0.2)) - 1


def test_strategy_that_raises_is_reported(tickwire, capture, tmp_path, monkeypatch):
    (tmp_path / "spoiled_replay.py").write_text(
        "from host.strategy.python_strategy import Strategy\n"
        "class Spoiled(Strategy):\n"
        "    def on_book(self, top):\n        raise RuntimeError('spoiled')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    report = tickwire.report(capture, "--strategy", "spoiled_replay:Spoiled")
    assert report["strategy"]["error"] == "RuntimeError: spoiled"
    assert "error RuntimeError: spoiled" in tickwire.replay(
        capture, "--strategy", "spoiled_replay:Spoiled"
    )
    assert report["messages"] == tickwire.report(capture)["messages"]


@pytest.mark.parametrize("seed", range(24))
def test_spoiled_recording_is_replayed_or_refused(tickwire, capture, session_file, tmp_path, seed):
    """Changed bytes anywhere behind the file's own header: counted, or one line; never a crash."""
    random = Random(seed)
    is_capture = seed % 2 == 0
    spoiled = bytearray((capture if is_capture else session_file).read_bytes()[:200_000])
    for _ in range(random.choice([1, 5, 50, 500])):
        spoiled[random.randrange(24 if is_capture else 0, len(spoiled))] = random.randrange(256)
    path = tmp_path / "spoiled"
    path.write_bytes(spoiled)
    strategy = random.choice(STRATEGIES)
    arguments = ("replay", path, "--strategy", strategy, "--json", "--orders", 20_000)
    code, out, err = tickwire.run(*arguments)
    assert (code == 0 and err == "") or (code == 2 and out == "" and err.count("\n") == 1)
    if code == 0:
        report = json.loads(out)
        assert tickwire.run(*arguments) == (code, out, err)
        assert report["errors"] or sum(report["messages"].values()) > 0


# ------------------------------------------------------------------ real recordings


@needs_data
def test_iex_capture(tickwire):
    report = tickwire.report(IEX, "--strategy", "none")
    assert report["transport"] == "iextp"
    assert report["packets"] == 121_314
    assert sum(report["messages"].values()) == 391_999
    assert report["heartbeats"] == 7_937
    assert report["symbols"] == 7_802
    assert report["restarts"] == 11
    assert report["gaps"] == report["lost_messages"] == report["duplicates"] == 0
    assert report["errors"] == {"truncated_record": 1}


@needs_data
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_iex_capture_twice_is_the_same(tickwire, strategy):
    for options in ([], ["--json"]):
        first = tickwire.replay(IEX, "--strategy", strategy, *options)
        assert tickwire.replay(IEX, "--strategy", strategy, *options) == first
    if strategy != "none":
        report = json.loads(first)
        assert report["strategy"]["fills"] > 100 and report["open_orders"] == 0


@needs_data
def test_nasdaq_captures(tickwire):
    packets, messages = 0, Counter()
    for path in sorted((DATA / "nasdaq-itch50").glob("*.pcap")):
        report = tickwire.report(path)
        assert report["errors"] == {} and report["restarts"] == 0
        assert report["gaps"] == (path.name == "Multiple.Packets.pcap"), "its two are far apart"
        assert report["lines"] == ["233.54.12.111:26477"]
        packets += report["packets"]
        messages.update(report["messages"])
    assert packets == 9
    assert messages == {"A": 37, "F": 2, "D": 2, "L": 1, "I": 1, "E": 1, "U": 1, "H": 1}


@needs_data
def test_head_of_a_nasdaq_day(tickwire, tmp_path):
    path = DATA / "nasdaq-itch50" / "first-1000-messages-20191230.itch"
    bbo = tmp_path / "bbo.csv"
    report = tickwire.report(path, "--bbo", bbo)
    assert report["messages"] == {"R": 993, "H": 3, "Y": 3, "S": 1}
    assert report["symbols"] == 993
    assert report["errors"] == {"missing_end": 1}, "it is a head"
    assert bbo.read_bytes() == b"" and report["bbo_changes"] == 0


def test_tables_of_this_test() -> None:
    """The lengths that stand here in numbers are those of the tables."""
    assert BINARYFILE["block"].length == 2 and ITCH50["system_event"]["stock_locate"].offset == 1
