# SPDX-License-Identifier: Apache-2.0
"""The register map, the records, and a card behind a BAR: a file of the region's size."""

from dataclasses import astuple, fields
from pathlib import Path
from random import Random

import pytest
from bar_card import FileCard
from framing_support import IEX_LINE, PINNED_NASDAQ_LINE, SEED

from nic.offload import records
from nic.offload.bar import BarDevice, BarError, bar_bytes
from nic.offload.card import Card, CardMismatch
from nic.offload.limit_words import WORDS, words_of
from nic.offload.limits import Limits
from nic.offload.order_template import ConnectionAddress, OrderLetters, template_writes
from nic.offload.records import COMMAND_SLOT_BYTES, COMMAND_TABLE, OFFLOAD, RECORD_SLOT_BYTES
from nic.offload.register_map import Block, Register, RegisterMap, event, read, setting
from nic.offload.registers import LAYOUT_HASH, REGISTERS
from nic.offload.trigger import TriggerRow
from nic.wire.reference import WireError, decode

VERDICT = {
    **{"passed": 0, "reason": 29, "action": 0, "side": 66, "time_in_force": 51, "origin": 1},
    **{"symbol_index": 5, "strategy_id": 2, "venue": 1, "quantity": 100, "price": 1_000_000},
    **{"decided_cycle": 77, "t_ns": 123, "pass_number": 9, "tag": 0xFFFFFFFF},
}


@pytest.fixture
def card_file(tmp_path: Path) -> FileCard:
    return FileCard(tmp_path)


def test_registers_do_not_overlap_and_lie_on_their_size() -> None:
    end = 0
    for placed in REGISTERS:
        assert placed.address >= end
        assert placed.address % placed.register.room_bytes == 0
        end = placed.address + 8 * placed.register.count
    assert REGISTERS.end_bytes == end <= REGISTERS.size_bytes
    assert REGISTERS["identity.magic"].address == 0


def test_words_by_place_and_by_name() -> None:
    placed = REGISTERS["line_a.counters"]
    assert placed.word("ok") == placed.address
    assert placed.word("not_ipv4") == placed.word(2) == placed.address + 16
    with pytest.raises(IndexError):
        placed.word(placed.register.count)
    with pytest.raises(ValueError):
        placed.word("no such counter")
    row = REGISTERS["arbiter.filter_row"]
    values = {"locate": 0x1234, "symbol_index": 0xABC, "is_wanted": 1}
    assert row.pack(**values) == 1 << 32 | 0xABC << 16 | 0x1234
    assert row.unpack(row.pack(**values)) == values
    with pytest.raises(ValueError, match="16 bits"):
        row.pack(locate=1 << 16, symbol_index=0, is_wanted=0)
    with pytest.raises(TypeError):
        row.pack(locate=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Register("x", "read", 65, ""),
        lambda: Register("x", "read", 64, "", count=2, names=("a",)),
        lambda: Register("x", "write", 64, "", count=2),
        lambda: Register("x", "read", 3, "", fields=(("a", 1),)),
        lambda: setting("x", 1, "", reset=2),
        lambda: RegisterMap((Block("b", "", (read("x", 1, ""), event("x", 1, ""))),)),
    ],
)
def test_registers_that_can_not_be_are_refused(make: object) -> None:
    with pytest.raises(ValueError):
        make()  # type: ignore[operator]


def test_the_layout_hash_is_of_the_tables() -> None:
    changed = RegisterMap((*REGISTERS.blocks, Block("more", "", (read("x", 1, ""),))))
    assert changed.text != REGISTERS.text
    assert 0 < LAYOUT_HASH < 1 << 64


def test_records_are_whole_words_and_fit_their_places() -> None:
    longest_message = bytes(80)
    up = [
        records.record("event", {"message_length": 80}, longest_message),
        records.record("verdict", VERDICT),
        records.record("outcome", {}),
    ]
    down = [
        records.request(1, quantity=100),
        records.payload(bytes(records.LONGEST_PAYLOAD_BYTES)),
        *(
            records.command(c.name, **{a.name: (1 << a.bits) - 1 for a in c.arguments})
            for c in COMMAND_TABLE
        ),
    ]
    for data, room in [(d, RECORD_SLOT_BYTES) for d in up] + [
        (d, COMMAND_SLOT_BYTES) for d in down
    ]:
        assert len(data) == 8 * data[1] <= room
    name, found = decode(OFFLOAD, records.command("kill", scope=2, id=7), "to_card")
    assert (name, found["number"]) == ("command", [c.name for c in COMMAND_TABLE].index("kill"))
    assert found["payload"] == (2).to_bytes(8, "little") + (7).to_bytes(8, "little")


def test_wrong_commands_are_refused() -> None:
    with pytest.raises(KeyError):
        records.command("no such command")
    with pytest.raises(TypeError, match="scope, id"):
        records.command("kill", scope=1)
    with pytest.raises(ValueError, match="bits"):
        records.command("heartbeat", t_ns=1 << 63)
    with pytest.raises(ValueError, match="184"):
        records.payload(bytes(185))
    with pytest.raises(ValueError):
        records.payload(b"")
    with pytest.raises(WireError):
        records.request(1, quantity=-1)


def test_a_card_by_its_registers(card_file: FileCard) -> None:
    device = BarDevice(card_file.path)
    card = Card(device)
    assert device.mode()["records"] == "ring of 8"
    card.set_line("b", PINNED_NASDAQ_LINE)
    assert card_file.get("line_b.destination_port") == PINNED_NASDAQ_LINE.destination_port
    session = card_file.get("line_b.session_low").to_bytes(8, "little") + (
        card_file.get("line_b.session_high").to_bytes(2, "little")
    )
    assert session == PINNED_NASDAQ_LINE.session
    card_file.set("line_a.counters", 41, "fragment")
    assert card.counters("line_a.counters")["fragment"] == 41
    assert sum(card.counters("line_a.counters").values()) == 41
    card.set_symbol(3, b"AAPL    ", locate=13)
    assert card_file.get("builder.symbol_text").to_bytes(8, "little") == b"AAPL    "
    assert card.fields("arbiter.filter_row") == {"locate": 13, "symbol_index": 3, "is_wanted": 1}
    with pytest.raises(ValueError, match="filter"):
        card.set_symbol(3, b"AAPL    ", locate=1 << 14)
    with pytest.raises(ValueError, match="fit the card"):
        card.set_symbol(1 << 10, b"AAPL    ")
    with pytest.raises(ValueError, match="can't be written"):
        card.write("gate.verdicts", 1)
    with pytest.raises(ValueError, match="16 bits"):
        card.write("line_a.destination_port", 1 << 16)
    with pytest.raises(CardMismatch, match="itch50"):
        card.set_line("a", IEX_LINE)
    device.close()
    assert device.read(0) == 0
    assert device.take_record() is None


def test_limits_and_templates_go_word_by_word(
    card_file: FileCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(BarDevice(card_file.path))
    written: list[tuple[str, int]] = []
    monkeypatch.setattr(card, "write", lambda path, value, index=0: written.append((path, value)))
    limits = Limits(**{f.name: 1 for f in fields(Limits)})
    assert card.set_limits(limits, 12, symbol_index=4)
    assert [v for path, v in written if path == "gate.limit_value"] == list(words_of(limits))
    assert [v for path, v in written if path == "gate.limit_number"] == list(range(len(WORDS)))
    command = card_file.take()
    assert command == records.command(
        "set_limits", is_default=0, symbol_index=4, sequence_number=12
    )
    row = TriggerRow(is_armed=1, generation=7, message_type=ord("P"), quantity=100, venue=3)
    assert card.arm_trigger(9, 1, row)
    _, found = decode(OFFLOAD, card_file.take() or b"", "to_card")
    payload = found["payload"]
    assert isinstance(payload, bytes)
    words = [int.from_bytes(payload[i : i + 8], "little") for i in range(0, len(payload), 8)]
    assert words == [9, 1, *astuple(row)]
    written.clear()
    address = ConnectionAddress(
        **{"source_mac": bytes(6), "destination_mac": bytes(6), "source_address": 1},
        **{"destination_address": 2, "source_port": 3, "destination_port": 4},
    )
    card.load_templates(address, OrderLetters())
    pairs = [(a, v) for (_, v), (_, a) in zip(written[::2], written[1::2], strict=True)]
    assert pairs == template_writes(address, OrderLetters())


@pytest.mark.parametrize("name", ["magic", "interface_version", "layout_hash", "feed"])
def test_a_card_that_was_made_otherwise_is_refused(card_file: FileCard, name: str) -> None:
    card_file.set(f"identity.{name}", 0x1234)
    with pytest.raises((CardMismatch, BarError), match=f"{name}|no card|feed"):
        Card(BarDevice(card_file.path))


def test_files_that_are_no_region_are_refused(card_file: FileCard, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_bytes(bytes(64))
    with pytest.raises(BarError, match="no region"):
        BarDevice(short)
    with pytest.raises(OSError):
        BarDevice(tmp_path / "missing")
    for slots in (0, 3, 1 << 40):
        card_file.set("identity.record_slots", slots)
        with pytest.raises(BarError, match="places"):
            BarDevice(card_file.path)
    card_file.set("identity.record_slots", 64)
    with pytest.raises(BarError, match="no room"):
        BarDevice(card_file.path)
    assert bar_bytes(8, 4) & (bar_bytes(8, 4) - 1) == 0


def test_records_come_in_order_through_the_ring(card_file: FileCard) -> None:
    """Thousands of records of every type through eight places; nothing lost, nothing changed."""
    card = Card(BarDevice(card_file.path))
    rng = Random(SEED)
    print(f"TICKWIRE_SEED={SEED}")
    sent, got = [], []
    for number in range(1, 3000):
        name = rng.choice(("event", "verdict", "outcome"))
        values = {"record_number": number}
        message = b""
        if name == "event":
            message = rng.randbytes(rng.randint(1, 80))
            values |= {"message_length": len(message), "sequence_number": rng.getrandbits(63)}
        elif name == "verdict":
            values |= VERDICT
        data = records.record(name, values, message)
        while not card_file.put(data):
            got += card.records(rng.randrange(1, 20))
        sent.append((name, values, message))
    got += card.records()
    assert len(got) == len(sent)
    for (name, values, message), (name_got, found) in zip(sent, got, strict=True):
        assert name_got == name
        assert {key: found[key] for key in values} == values
        if name == "event":
            assert found["message"] == message
    assert (card.records_lost, card.records_malformed) == (0, 0)


def test_lost_and_broken_records_are_noticed(card_file: FileCard) -> None:
    device = BarDevice(card_file.path)
    card = Card(device)
    for number in (1, 2, 5):
        card_file.put(records.record("outcome", {"record_number": number}))
    assert len(list(card.records())) == 3
    assert card.records_lost == 2
    card_file.put(bytes(16))
    card_file.put(b"?\x02" + bytes(14))
    card_file.put(b"V\x02" + bytes(14))
    card_file.put(records.record("outcome", {"record_number": 6}))
    assert [fields["record_number"] for _, fields in card.records()] == [6]
    assert (device.broken_records, card.records_malformed) == (1, 2)
    card_file.set("rings.records_made", 0)  # the card began anew
    assert list(card.records()) == []
    assert device.broken_records == 2
    card_file.put(records.record("outcome", {"record_number": 7}))
    assert len(list(card.records())) == 1


def test_commands_wait_when_the_ring_is_full(card_file: FileCard) -> None:
    card = Card(BarDevice(card_file.path))
    rng = Random(SEED)
    sent, taken = [], []
    for tag in range(500):
        fields = {"quantity": rng.getrandbits(20), "price": rng.getrandbits(31), "side": 66}
        while not card.request(tag, **fields):
            assert card_file.get("rings.commands_made") - len(taken) == 4
            taken.append(card_file.take())
        sent.append(records.request(tag, **fields))
    assert card.device.read(REGISTERS["rings.commands_made"].address) == 500
    assert not card.payload(b"login")
    while (command := card_file.take()) is not None:
        taken.append(command)
    assert taken == sent
    assert card.payload(b"login")
    assert card_file.take() == records.payload(b"login")
    with pytest.raises(ValueError, match="no command"):
        card.device.give_command(b"R\x05" + bytes(6))


def test_a_host_that_comes_back_goes_on(card_file: FileCard) -> None:
    first = Card(BarDevice(card_file.path))
    for number in range(1, 6):
        card_file.put(records.record("outcome", {"record_number": number}))
    assert len(list(first.records(3))) == 3
    first.command("start_day")
    again = Card(BarDevice(card_file.path))
    assert [fields["record_number"] for _, fields in again.records()] == [4, 5]
    again.command("heartbeat", t_ns=5)
    assert card_file.take() == records.command("start_day")
    assert card_file.take() == records.command("heartbeat", t_ns=5)


def test_addresses_outside_the_map_are_refused(card_file: FileCard) -> None:
    device = BarDevice(card_file.path)
    for address in (4, REGISTERS.size_bytes):
        with pytest.raises(ValueError, match="no register"):
            device.read(address)
        with pytest.raises(ValueError, match="no register"):
            device.write(address, 0)
