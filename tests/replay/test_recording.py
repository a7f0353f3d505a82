"""Which conversations of a journal are replayed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from tests.replay.example import JSON, JSON_GREETING, TEXT, recorded, written
from tests.wires import Wire
from txqmp.errors import JournalError
from txqmp.journal.reader import Torn
from txqmp.journal.record import Direction, Kind, Record
from txqmp.proxy.decode import UnknownDecoder
from txqmp.replay.recording import Recording
from txqmp.testing import ReplayedMonitor

SILENT = f"S: {JSON_GREETING}\nX: client"


def ask(name: str) -> str:
    return f'S: {JSON_GREETING}\nC: {{"execute": "{name}"}}\nS: {{"return": {{}}}}\nX: client'


def names(recording: Recording) -> list[str]:
    """The first command of each conversation."""
    return [recording.script(each).exchanges[0].name for each in recording.conversations]


def journal(folder: Path, *conversations: list[Record]) -> Path:
    path = folder / "journal.jsonl"
    path.write_bytes(written(*conversations))
    return path


def test_those_with_a_command_in_the_order_of_the_journal(tmp_path: Path) -> None:
    path = journal(
        tmp_path,
        recorded(SILENT),
        recorded(ask("b"), connection=2),
        recorded(ask("a"), connection=3),
    )
    recording = Recording(path)
    assert names(recording) == ["b", "a"]
    assert (recording.name, recording.dialect) == (str(path), "json")


def test_a_path_may_be_a_string_and_a_journal_may_be_records(tmp_path: Path) -> None:
    records = recorded(ask("a"))
    assert names(Recording(str(journal(tmp_path, records)))) == ["a"]
    assert names(Recording(iter([Torn(1, b"x", "no record"), *records]))) == ["a"]


def test_conversations_may_be_interleaved(tmp_path: Path) -> None:
    one, other = recorded(ask("a")), recorded(ask("b"), connection=2)
    mixed = [record for pair in zip(one, other, strict=True) for record in pair]
    recording = Recording(journal(tmp_path, mixed))
    assert names(recording) == ["a", "b"]
    for script in map(recording.script, recording.conversations):
        assert len(script.exchanges) == 1
        assert script.exchanges[0].is_answered


def test_runs_number_their_connections_alike() -> None:
    recording = Recording([*recorded(ask("a")), *recorded(ask("b"), run="11111111")])
    assert names(recording) == ["a", "b"]


def test_a_monitor_and_a_connection_may_be_chosen() -> None:
    records = [
        *recorded(ask("a"), monitor="vm1", connection=1),
        *recorded(ask("b"), monitor="vm2", connection=1),
        *recorded(ask("c"), monitor="vm2", connection=2),
    ]
    assert names(Recording(records, monitor="vm2")) == ["b", "c"]
    assert names(Recording(records, connection=1)) == ["a", "b"]
    assert names(Recording(records, monitor="vm2", connection=2)) == ["c"]
    with pytest.raises(JournalError, match=r"it has no monitor vm3 \(it has: vm1, vm2\)"):
        Recording(records, monitor="vm3")
    with pytest.raises(JournalError, match=r"it has no connection 2 \(it has: 1\)"):
        Recording(records, monitor="vm1", connection=2)


def test_one_dialect_is_replayed_that_of_the_first_with_a_command() -> None:
    records = [
        *recorded(SILENT),
        *recorded(TEXT, "text", connection=2),
        *recorded(ask("a"), connection=3),
    ]
    recording = Recording(records)
    assert (recording.dialect, names(recording)) == ("text", ["info"])
    assert Recording(records, connection=3).dialect == "json"


def test_a_gap_of_the_journal_is_no_conversation() -> None:
    gap = Record(0.0, 0.0, "", 0, 0, Kind.GAP, fields={"lost": 3, "problem": "full"})
    assert names(Recording([gap, *recorded(ask("a"))])) == ["a"]


def test_nothing_was_asked() -> None:
    with pytest.raises(JournalError, match="the journal: no command was recorded in it"):
        Recording(recorded(SILENT))


def test_nothing_was_decoded() -> None:
    records = recorded(SILENT)[:1]
    for way, data in ((Direction.TO_CLIENT, b"{}"), (Direction.TO_MONITOR, b"{}")):
        for message, _ in UnknownDecoder("not decoded").feed(way, data):
            records.append(
                Record(1.0, 1.0, "vm1", 1, len(records) + 1, message.kind, direction=way,
                       fields=message.fields, raw=message.raw, run="0a1b2c3d")
            )  # fmt: skip
    with pytest.raises(JournalError, match="what was said in it is not decoded"):
        Recording(records)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nosuch"
    with pytest.raises(JournalError, match="nosuch: No such file or directory"):
        Recording(path)


def test_a_file_that_goes_away(tmp_path: Path) -> None:
    path = journal(tmp_path, recorded(ask("a")))
    recording = Recording(path)
    path.unlink()
    with pytest.raises(JournalError, match="No such file or directory"):
        recording.script(recording.conversations[0])


def test_what_can_be_read_but_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(JournalError, match="pipe is not a file: it could be read but once"):
        Recording(path)


def test_lines_that_are_no_records_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = written(recorded(ask("a"))).splitlines(keepends=True)
    path.write_bytes(b"\n".join([b"torn\n", *lines[:2], b'{"v":1,\n', *lines[2:]]))
    recording = Recording(path)
    assert recording.script(recording.conversations[0]).exchanges[0].is_answered


@pytest.mark.parametrize("mode", ["strict", "loose"])
@pytest.mark.parametrize(("dialogue", "dialect"), [(JSON, "json"), (TEXT, "text")])
def test_a_journal_that_was_cut_is_replayed_up_to_there(
    tmp_path: Path, dialogue: str, dialect: str, mode: str
) -> None:
    """Cut it at every byte of its last three lines, the monitor's last words among them."""
    records = recorded(dialogue, dialect)  # type: ignore[arg-type]
    data = written(records)
    lines = data.splitlines(keepends=True)
    path = tmp_path / "journal.jsonl"
    for size in range(len(data) - sum(map(len, lines[-3:])), len(data)):
        path.write_bytes(data[:size])
        # A line that lacks nothing but its end is a record.
        whole = data[: size + 1].count(b"\n")
        kept = records[:whole]
        clock = Clock()
        monitor = ReplayedMonitor(path, clock, mode=mode, speed=0)  # type: ignore[arg-type]
        wire = Wire(monitor)
        asked = [r for r in kept if r.kind is Kind.COMMAND]
        for record in asked:
            wire.sends(record.raw)
        heard = wire.transport.value()
        said = b"".join(r.raw or b"" for r in kept if r.direction is Direction.TO_CLIENT)
        unanswered = len(asked) - sum("latency" in r.fields for r in kept)
        assert heard.startswith(said)
        assert heard[len(said) :].count(b"not answered in the journal") == unanswered
        assert monitor.unexpected == []
        wire.hangs_up()
