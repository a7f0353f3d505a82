from __future__ import annotations

import errno
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, LogLevel, globalLogPublisher

from tests.journal.example import json_command, record
from txqmp.errors import JournalError
from txqmp.journal.file import JournalFile
from txqmp.journal.record import Kind, Record, decode
from txqmp.journal.writer import Journal

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


class Crank:
    """A worker thread that works when it is told to."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], None]) -> None:
        self.work.append(work)

    def turn(self) -> None:
        self.work.pop(0)()


class Disk:
    """Stands in for JournalFile.write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.problem: Exception | None = None
        self.writes: list[bytes] = []
        self._write = JournalFile.write
        disk = self

        def write(file: JournalFile, data: bytes) -> None:
            if disk.problem is not None:
                raise disk.problem
            disk.writes.append(data)
            disk._write(file, data)

        monkeypatch.setattr(JournalFile, "write", write)

    def fill(self) -> None:
        self.problem = OSError(errno.ENOSPC, "No space left on device")

    def free(self) -> None:
        self.problem = None


def at_once(work: Callable[[], None]) -> None:
    work()


def journal(path: Path, in_thread: Callable[[Callable[[], None]], Any] = at_once, **k: Any) -> Any:
    opened = Journal(path, in_thread=in_thread, **k)
    opened.open()
    return opened


def numbered(*numbers: int) -> list[Record]:
    return [record(seq=n, fields={"event": "X"}) for n in numbers]


def told(path: Path) -> list[Any]:
    """The numbers of the records in a journal, and what its gaps say."""
    return [
        r.seq if r.kind is not Kind.GAP else (r.fields["lost"], r.fields["problem"])
        for r in map(decode, path.read_bytes().splitlines())
    ]


def fired(deferred: Deferred[None]) -> bool:
    return deferred.called


# writing


def test_records_are_written_in_order(path: Path) -> None:
    log = journal(path)
    log.record(numbered(1, 2))
    log.record(numbered(3))
    assert fired(log.close())
    assert told(path) == [1, 2, 3]
    assert log.lost == 0


def test_every_record_bears_the_run(path: Path) -> None:
    log = journal(path)
    log.record(numbered(1, 2))
    log.close()
    assert re.fullmatch("[0-9a-f]{8}", log.run)
    assert [decode(line).run for line in path.read_bytes().splitlines()] == [log.run] * 2


def test_two_runs_differ(path: Path) -> None:
    assert Journal(path).run != Journal(path).run


def test_secrets_are_redacted(path: Path) -> None:
    log = journal(path)
    log.record([json_command("set_password", {"password": "hunter2"})])
    log.close()
    assert b"hunter2" not in path.read_bytes()


def test_secrets_are_kept_if_that_is_wanted(path: Path) -> None:
    log = journal(path, redact=False)
    log.record([json_command("set_password", {"password": "hunter2"})])
    log.close()
    assert b"hunter2" in path.read_bytes()


def test_nothing_is_written_before_the_worker_runs(path: Path) -> None:
    crank = Crank()
    log = journal(path, crank)
    log.record(numbered(1))
    assert told(path) == []
    crank.turn()
    assert told(path) == [1]
    log.close()
    crank.turn()


def test_there_is_one_worker_at_a_time(path: Path) -> None:
    crank = Crank()
    log = journal(path, crank)
    log.record(numbered(1))
    log.record(numbered(2))
    log.record(numbered(3))
    assert len(crank.work) == 1
    crank.turn()
    assert told(path) == [1]
    assert len(crank.work) == 1
    crank.turn()
    assert told(path) == [1, 2, 3]
    assert crank.work == []
    log.close()
    crank.turn()


def test_what_waits_is_written_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, crank = Disk(monkeypatch), Crank()
    log = journal(path, crank)
    for n in range(1, 5):
        log.record(numbered(n))
    crank.turn()
    crank.turn()
    assert [data.count(b"\n") for data in disk.writes] == [1, 3]
    log.close()
    crank.turn()


def test_but_not_so_much_that_a_file_would_grow_past_its_size(path: Path) -> None:
    crank = Crank()
    log = journal(path, crank, rotate_bytes=500)
    for n in range(1, 9):
        log.record(numbered(n))
    crank.turn()
    crank.turn()
    log.close()
    crank.turn()
    files = list(path.parent.iterdir())
    assert len(files) > 1
    assert max(file.stat().st_size for file in files) <= 500


def test_no_records_are_no_work_and_no_loss(path: Path, logged: list[LogEvent]) -> None:
    crank = Crank()
    log = journal(path, crank)
    log.record([])
    assert crank.work == []
    log.close()
    crank.turn()
    log.record([])
    assert logged == []


# closing


def test_closing_writes_what_waits(path: Path) -> None:
    crank = Crank()
    log = journal(path, crank)
    log.record(numbered(1))
    log.record(numbered(2))
    closed = log.close()
    crank.turn()
    assert not fired(closed)
    crank.turn()
    assert fired(closed)
    assert told(path) == [1, 2]


def test_closing_unlocks_the_file(path: Path) -> None:
    journal(path).close()
    journal(path).close()


def test_closing_twice(path: Path) -> None:
    crank = Crank()
    log = journal(path, crank)
    first, second = log.close(), log.close()
    assert len(crank.work) == 1
    crank.turn()
    assert fired(first)
    assert fired(second)
    assert fired(log.close())


def test_closing_what_was_never_opened(path: Path) -> None:
    assert fired(Journal(path).close())


@pytest.mark.parametrize("state", ["new", "closing", "closed"])
def test_a_record_for_a_journal_that_is_not_open_is_lost(path: Path, state: str) -> None:
    crank = Crank()
    log = Journal(path, in_thread=crank)
    if state != "new":
        log.open()
        log.close()
    if state == "closed":
        crank.turn()
    log.record(numbered(1, 2))
    assert log.lost == 2
    if state == "closing":
        crank.turn()
    log.close()


def test_a_journal_that_cannot_be_opened(path: Path) -> None:
    log = Journal(path / "no" / "directory", in_thread=at_once)
    with pytest.raises(JournalError, match="No such file"):
        log.open()
    assert fired(log.close())


# loss


def test_a_full_disk_leaves_a_gap(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    log = journal(path)
    log.record(numbered(1))
    disk.fill()
    log.record(numbered(2, 3))
    log.record(numbered(4))
    assert log.lost == 3
    disk.free()
    log.record(numbered(5))
    log.record(numbered(6))
    log.close()
    assert told(path) == [1, (3, "No space left on device"), 5, 6]
    assert log.lost == 3


def test_a_gap_is_a_record_of_the_journal_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    log = journal(path)
    disk.fill()
    log.record(numbered(1))
    disk.free()
    log.record(numbered(2))
    log.close()
    gap = json.loads(path.read_bytes().splitlines()[0])
    assert re.fullmatch(ISO, gap["since"])
    assert re.fullmatch(ISO, gap["time"])
    assert gap["since"] <= gap["time"]
    assert (gap["run"], gap["monitor"], gap["connection"], gap["seq"]) == (log.run, "", 0, 0)
    assert {"direction", "dialect", "raw", "peer"}.isdisjoint(gap)


def test_a_gap_that_does_not_fit_is_kept_for_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    log = journal(path)
    disk.fill()
    log.record(numbered(1))
    disk.problem = OSError(errno.EIO, "Input/output error")
    log.record(numbered(2))
    disk.free()
    log.record(numbered(3))
    log.close()
    assert told(path) == [(2, "No space left on device"), 3]


def test_closing_tells_of_a_gap(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    log = journal(path)
    disk.fill()
    log.record(numbered(1))
    disk.free()
    log.close()
    assert told(path) == [(1, "No space left on device")]


def test_closing_with_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    log = journal(path)
    disk.fill()
    log.record(numbered(1))
    assert fired(log.close())
    assert told(path) == []


def test_a_device_that_is_really_full(logged: list[LogEvent]) -> None:
    log = journal(Path("/dev/full"))
    log.record(numbered(1))
    log.record(numbered(2))
    assert fired(log.close())
    assert log.lost == 2
    assert [event["problem"] for event in logged] == ["No space left on device"]


def test_any_trouble_of_the_file_is_loss(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    log = journal(path)
    disk.problem = JournalError("it is in use by another process")
    log.record(numbered(1))
    disk.problem = KeyError("unforeseen")
    log.record(numbered(2))
    disk.free()
    log.record(numbered(3))
    log.close()
    assert told(path) == [(2, "it is in use by another process"), 3]


def size_of(records: list[Record], path: Path) -> int:
    scale = path.with_name("scale")
    log = journal(scale)
    log.record(records)
    log.close()
    size = scale.stat().st_size
    scale.unlink()
    return size


def test_what_does_not_fit_in_the_backlog_is_lost(path: Path) -> None:
    crank = Crank()
    room = 2 * size_of(numbered(1), path)
    log = journal(path, crank, max_backlog=room)
    log.record(numbered(1))  # with the worker
    log.record(numbered(2))
    log.record(numbered(3))
    log.record(numbered(4))
    assert log.lost == 2
    crank.turn()
    log.record(numbered(5))
    crank.turn()
    log.close()
    crank.turn()
    # In its place: after what had waited, before what came later.
    assert told(path) == [1, 2, (2, f"more than {room} bytes wait to be written"), 5]


def test_the_backlog_is_free_again_after_a_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    log = journal(path, max_backlog=size_of(numbered(1), path))
    disk.fill()
    log.record(numbered(1))
    disk.free()
    log.record(numbered(2))
    log.close()
    assert told(path) == [(1, "No space left on device"), 2]


def test_a_gap_of_the_backlog_does_not_wait_for_the_next_record(path: Path) -> None:
    crank = Crank()
    log = journal(path, crank, max_backlog=size_of(numbered(1), path))
    log.record(numbered(1))
    log.record(numbered(2))
    crank.turn()
    crank.turn()
    assert [entry if entry == 1 else entry[0] for entry in told(path)] == [1, 1]
    log.close()
    crank.turn()


def test_what_json_cannot_write_is_kept_as_raw(path: Path) -> None:
    log = journal(path)
    log.record([record(fields={"id": float("inf")}, raw=b'{"id":1e999}'), *numbered(2)])
    log.close()
    first, second = map(decode, path.read_bytes().splitlines())
    assert first.raw == b'{"id":1e999}'
    assert "not JSON compliant" in first.fields["problem"]
    assert second.seq == 2
    assert log.lost == 0


@pytest.mark.parametrize(
    "fields", [{"kind": "forged"}, {"x": object()}, {"x": {1, 2}}], ids=["name", "object", "set"]
)
def test_fields_that_cannot_be_written_are_left_out(path: Path, fields: dict[str, Any]) -> None:
    log = journal(path, redact=False)
    log.record([record(fields=fields, raw=b"x")])
    log.close()
    (only,) = map(decode, path.read_bytes().splitlines())
    assert only.raw == b"x"
    assert only.kind is Kind.EVENT


def test_fields_too_deep_for_json_are_left_out(path: Path) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    log = journal(path, redact=False)
    log.record([record(fields={"return": deep}, raw=b"x")])
    log.close()
    assert [decode(line).raw for line in path.read_bytes().splitlines()] == [b"x"]


def test_a_record_beyond_help_is_lost_alone(path: Path) -> None:
    log = journal(path)
    log.record([*numbered(1), record(time=float("nan")), *numbered(3)])
    log.close()
    assert [entry for entry in told(path) if isinstance(entry, int)] == [1, 3]
    assert (1, "the record cannot be written as JSON") in told(path)
    assert log.lost == 1


def test_no_thread_is_loss(path: Path, logged: list[LogEvent]) -> None:
    threads = iter([False, True])

    def in_thread(work: Callable[[], None]) -> None:
        if not next(threads, True):
            raise RuntimeError("can't start new thread")
        work()

    log = journal(path, in_thread, max_backlog=size_of(numbered(1), path))
    log.record(numbered(1))
    assert log.lost == 1
    log.record(numbered(2))  # there is room for it
    log.close()
    assert told(path) == [(1, "no thread to write in: can't start new thread"), 2]


def test_no_thread_at_the_end(path: Path) -> None:
    def in_thread(work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    log = journal(path, in_thread)
    log.record(numbered(1))
    assert fired(log.close())
    assert told(path) == [(1, "no thread to write in: can't start new thread")]


# what the operator hears


def test_loss_is_logged_when_it_starts_and_when_it_ends(
    path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[LogEvent]
) -> None:
    disk = Disk(monkeypatch)
    log = journal(path)
    disk.fill()
    log.record(numbered(1))
    log.record(numbered(2, 3))
    assert len(logged) == 1
    assert logged[0]["log_level"] is LogLevel.error
    assert (logged[0]["path"], logged[0]["problem"]) == (str(path), "No space left on device")
    disk.free()
    log.record(numbered(4))
    log.record(numbered(5))
    assert len(logged) == 2
    assert (logged[1]["path"], logged[1]["lost"]) == (str(path), 3)
    log.close()


def test_each_loss_is_logged(
    path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[LogEvent]
) -> None:
    disk = Disk(monkeypatch)
    log = journal(path)
    for _ in range(2):
        disk.fill()
        log.record(numbered(1))
        disk.free()
        log.record(numbered(2))
    assert [event["log_level"].name for event in logged] == ["error", "info"] * 2
    assert [event["lost"] for event in logged if "lost" in event] == [1, 1]
    log.close()


def test_a_full_backlog_is_logged(path: Path, logged: list[LogEvent]) -> None:
    crank = Crank()
    log = journal(path, crank, max_backlog=size_of(numbered(1), path))
    for n in range(5):
        log.record(numbered(n))
    assert len(logged) == 1
    crank.turn()
    assert len(logged) == 1  # the gap is not written yet
    crank.turn()
    assert logged[1]["lost"] == 4
    log.close()
    crank.turn()


def test_nothing_is_logged_from_a_worker(
    path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[LogEvent]
) -> None:
    disk = Disk(monkeypatch)
    back = Crank()
    log = journal(path, from_thread=back)
    disk.fill()
    log.record(numbered(1))
    assert logged == []
    back.turn()
    assert len(logged) == 1
    log.close()
    back.turn()


def test_a_log_message_is_no_format_for_what_it_tells(
    path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[LogEvent]
) -> None:
    disk = Disk(monkeypatch)
    log = journal(path)
    disk.problem = OSError(errno.EIO, "{danger} %s")
    log.record(numbered(1))
    assert "{danger}" not in logged[0]["log_format"]
    log.close()


# with the reactor


async def test_a_hung_disk_does_not_hold_up_the_reactor(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twisted.internet.threads import deferToThread

    hung, released = threading.Event(), threading.Event()
    write = JournalFile.write
    wrote_in = []

    def hang(file: JournalFile, data: bytes) -> None:
        wrote_in.append(threading.current_thread())
        hung.set()
        released.wait(10)
        write(file, data)

    monkeypatch.setattr(JournalFile, "write", hang)
    log = Journal(path)
    log.open()
    log.record(numbered(1))
    await deferToThread(hung.wait, 10)
    log.record(numbered(2))
    closed = log.close()
    assert not fired(closed)
    released.set()
    await closed
    assert told(path) == [1, 2]
    assert threading.current_thread() not in wrote_in


async def test_many_records_through_the_reactor(path: Path) -> None:
    log = Journal(path, rotate_bytes=0)
    log.open()
    for n in range(1, 2001):
        log.record(numbered(n))
    await log.close()
    assert told(path) == list(range(1, 2001))
