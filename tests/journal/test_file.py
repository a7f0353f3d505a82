from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.logger import LogEvent, globalLogPublisher

from txqmp.errors import JournalError
from txqmp.journal.file import JournalFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def opened(path: Path, rotate_bytes: int = 0, keep: int = 3) -> JournalFile:
    file = JournalFile(path, rotate_bytes=rotate_bytes, keep=keep)
    file.open()
    return file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


class Disk:
    """Stands in for os.write: it takes so many bytes, and then it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int, at_once: int = 1 << 30) -> None:
        self.room = room
        self.at_once = at_once
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        taken = data[: min(self.room, self.at_once)]
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(taken)
        return self._write(descriptor, taken)


# opening


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_a_new_file_is_for_its_owner_alone(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        opened(path).close()
    finally:
        os.umask(before)
    assert mode(path) == 0o600


def test_a_wider_mode_is_kept_and_warned_of(path: Path, logged: list[LogEvent]) -> None:
    path.touch()
    path.chmod(0o640)
    opened(path).close()
    assert mode(path) == 0o640
    (warning,) = logged
    assert warning["path"] == str(path)
    assert warning["mode"] == 0o640
    assert warning["log_level"].name == "warn"


def test_a_private_file_is_not_warned_of(path: Path, logged: list[LogEvent]) -> None:
    opened(path).close()
    opened(path).close()
    assert logged == []


def test_records_are_appended(path: Path) -> None:
    path.write_bytes(b"old\n")
    file = opened(path)
    file.write(b"new\n")
    file.close()
    assert path.read_bytes() == b"old\nnew\n"


@pytest.mark.parametrize("torn", [b"t", b"to"])
def test_a_torn_line_is_ended_first(path: Path, torn: bytes) -> None:
    path.write_bytes(b"whole\n" + torn)
    file = opened(path)
    file.write(b"new\n")
    file.write(b"newer\n")
    file.close()
    assert path.read_bytes() == b"whole\n" + torn + b"\nnew\nnewer\n"


def test_a_torn_line_is_left_alone_until_there_is_something_to_write(path: Path) -> None:
    path.write_bytes(b"to")
    opened(path).close()
    assert path.read_bytes() == b"to"


def test_only_one_may_write(path: Path) -> None:
    first = opened(path)
    with pytest.raises(JournalError, match="journal: it is in use by another process"):
        opened(path)
    first.close()
    opened(path).close()


def test_a_refused_file_leaves_no_descriptor(path: Path) -> None:
    first = opened(path)
    before = descriptors()
    with pytest.raises(JournalError):
        opened(path)
    assert descriptors() == before
    first.close()


def test_programs_that_are_started_do_not_get_the_file(path: Path) -> None:
    file = opened(path)
    assert file._descriptor is not None
    assert fcntl.fcntl(file._descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    file.close()


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="nowhere/journal: No such file or directory"):
        opened(tmp_path / "nowhere" / "journal")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="Is a directory"):
        opened(tmp_path)


def test_a_file_as_directory(path: Path) -> None:
    path.touch()
    with pytest.raises(JournalError, match="Not a directory"):
        opened(path / "journal")


def test_not_allowed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(JournalError, match="journal: Permission denied"):
        opened(path)


def test_an_impossible_name() -> None:
    with pytest.raises(JournalError, match="null byte"):
        opened(Path("jour\0nal"))


@pytest.mark.parametrize(("rotate_bytes", "keep"), [(-1, 1), (0, 0)])
def test_impossible_limits(path: Path, rotate_bytes: int, keep: int) -> None:
    with pytest.raises(ValueError, match=r"rotate_bytes|keep"):
        JournalFile(path, rotate_bytes=rotate_bytes, keep=keep)


def test_a_relative_path_outlives_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = JournalFile("journal", rotate_bytes=0, keep=1)
    monkeypatch.chdir("/")
    file.open()
    file.close()
    assert (tmp_path / "journal").exists()


def test_closing_twice(path: Path) -> None:
    file = opened(path)
    file.close()
    file.close()


def test_writing_to_a_closed_file(path: Path) -> None:
    with pytest.raises(JournalError, match="is not open"):
        JournalFile(path, rotate_bytes=0, keep=1).write(b"x\n")


# a full disk


@pytest.mark.parametrize("room", range(6))
def test_a_write_that_does_not_fit_is_taken_back(
    path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    file = opened(path)
    file.write(b"one\n")
    disk = Disk(monkeypatch, room)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"a\nb\nc\n")
    assert path.read_bytes() == b"one\n"
    disk.room = 100
    file.write(b"two\n")
    file.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_short_writes_are_gone_on_with(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = opened(path)
    Disk(monkeypatch, room=100, at_once=3)
    file.write(b"0123456789\n")
    file.close()
    assert path.read_bytes() == b"0123456789\n"


def test_what_cannot_be_taken_back_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    file = opened(path)
    disk = Disk(monkeypatch, room=2)
    monkeypatch.setattr(os, "ftruncate", fail)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"lost\n")
    disk.room = 100
    file.write(b"kept\n")
    file.close()
    assert path.read_bytes() == b"lo\nkept\n"


def test_a_torn_line_is_still_ended_after_a_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"to")
    file = opened(path)
    disk = Disk(monkeypatch, room=3)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"lost\n")
    disk.room = 100
    file.write(b"kept\n")
    file.close()
    assert path.read_bytes() == b"to\nkept\n"


def test_a_file_that_was_emptied_is_not_filled_with_holes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(path)
    file.write(b"x" * 1000 + b"\n")
    os.truncate(path, 0)
    Disk(monkeypatch, room=1)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"lost\n")
    file.close()
    assert path.read_bytes() == b""


# rotation


def test_rotation(path: Path) -> None:
    file = opened(path, rotate_bytes=8, keep=2)
    for line in (b"one\n", b"two\n", b"three\n", b"four\n", b"five\n", b"six\n"):
        file.write(line)
    file.close()
    # one and two were in the oldest, which has gone.
    assert sorted(p.name for p in path.parent.iterdir()) == ["journal", "journal.1", "journal.2"]
    assert path.read_bytes() == b"six\n"
    assert path.with_name("journal.1").read_bytes() == b"five\n"
    assert path.with_name("journal.2").read_bytes() == b"four\n"


def test_a_file_may_be_filled_to_the_last_byte(path: Path) -> None:
    file = opened(path, rotate_bytes=8)
    file.write(b"one\n")
    file.write(b"two\n")
    file.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_large_record_has_a_file_of_its_own(path: Path) -> None:
    file = opened(path, rotate_bytes=8)
    file.write(b"a very long record\n")
    file.write(b"x\n")
    file.close()
    assert path.with_name("journal.1").read_bytes() == b"a very long record\n"
    assert path.read_bytes() == b"x\n"


def test_no_rotation(path: Path) -> None:
    file = opened(path, rotate_bytes=0)
    for _ in range(100):
        file.write(b"record\n")
    file.close()
    assert [p.name for p in path.parent.iterdir()] == ["journal"]


def test_what_was_there_counts(path: Path) -> None:
    path.write_bytes(b"1234567\n")
    file = opened(path, rotate_bytes=8)
    file.write(b"new\n")
    file.close()
    assert path.with_name("journal.1").read_bytes() == b"1234567\n"


def test_the_new_file_is_private_and_locked(path: Path) -> None:
    file = opened(path, rotate_bytes=4)
    file.write(b"one\n")
    file.write(b"two\n")
    assert mode(path) == 0o600
    with pytest.raises(JournalError, match="in use"):
        opened(path)
    file.close()


def test_the_old_file_is_let_go_of(path: Path) -> None:
    file = opened(path, rotate_bytes=4)
    file.write(b"one\n")
    before = descriptors()
    file.write(b"two\n")
    assert len(descriptors()) == len(before)
    file.close()


def test_a_failed_rotation_goes_on_in_the_same_file(path: Path, logged: list[LogEvent]) -> None:
    (path.parent / "journal.1").mkdir()
    file = opened(path, rotate_bytes=4, keep=1)
    for line in (b"one\n", b"two\n", b"3\n", b"4\n", b"5\n", b"6\n", b"7\n"):
        file.write(line)
    assert path.read_bytes() == b"one\ntwo\n3\n4\n5\n6\n7\n"
    (warning,) = logged
    assert warning["problem"] == "Is a directory"
    (path.parent / "journal.1").rmdir()
    file.write(b"another\n")
    file.close()
    assert path.read_bytes() == b"another\n"


def test_a_new_file_that_cannot_be_made_undoes_the_rotation(
    path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[LogEvent]
) -> None:
    file = opened(path, rotate_bytes=4)
    file.write(b"one\n")

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as full:
        full.setattr(os, "open", refuse)
        file.write(b"two\n")
    file.close()
    assert [p.name for p in path.parent.iterdir()] == ["journal"]
    assert path.read_bytes() == b"one\ntwo\n"
    assert len(logged) == 1


def test_a_link_stays_a_link(path: Path) -> None:
    real = path.with_name("real")
    path.symlink_to(real)
    file = opened(path, rotate_bytes=4)
    file.write(b"one\n")
    file.write(b"two\n")
    file.close()
    assert path.is_symlink()
    assert real.read_bytes() == b"two\n"
    assert path.with_name("real.1").read_bytes() == b"one\n"


# other people's hands


def test_a_file_that_was_renamed_is_followed_by_a_new_one(path: Path) -> None:
    file = opened(path)
    file.write(b"one\n")
    path.rename(path.with_name("elsewhere"))
    file.write(b"two\n")
    file.close()
    assert path.with_name("elsewhere").read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"


def test_a_file_that_was_removed_is_made_again(path: Path) -> None:
    file = opened(path)
    path.unlink()
    file.write(b"one\n")
    file.close()
    assert path.read_bytes() == b"one\n"
    assert mode(path) == 0o600


def test_a_file_that_was_replaced_is_appended_to(path: Path) -> None:
    file = opened(path)
    path.unlink()
    path.write_bytes(b"new\n")
    path.chmod(0o600)
    file.write(b"one\n")
    file.close()
    assert path.read_bytes() == b"new\none\n"


def test_a_directory_that_has_gone_is_an_error_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "dir" / "journal"
    path.parent.mkdir()
    file = opened(path)
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(JournalError, match="No such file"):
        file.write(b"lost\n")
    path.parent.mkdir()
    file.write(b"kept\n")
    file.close()
    assert path.read_bytes() == b"kept\n"


# what is not a file


def test_a_fifo_wants_a_reader(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(JournalError, match="No such device or address"):
        opened(path)


def test_a_fifo_is_written_to(path: Path) -> None:
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = opened(path, rotate_bytes=4)
    assert file._descriptor is not None
    assert os.get_blocking(file._descriptor)
    file.write(b"one\n")
    file.write(b"two\n")
    file.close()
    assert os.read(reader, 100) == b"one\ntwo\n"
    os.close(reader)


def test_a_line_begun_in_a_fifo_is_ended_before_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = opened(path)
    disk = Disk(monkeypatch, room=2)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"lost\n")
    disk.room = 100
    file.write(b"kept\n")
    file.close()
    assert os.read(reader, 100) == b"lo\nkept\n"
    os.close(reader)


def test_a_full_device() -> None:
    file = opened(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left on device"):
        file.write(b"x\n")
    file.close()


def test_a_device_may_be_shared() -> None:
    first, second = opened(Path("/dev/null")), opened(Path("/dev/null"))
    first.close()
    second.close()


def test_standard_output_is_not_rotated_where_it_leads(
    tmp_path: Path, logged: list[LogEvent]
) -> None:
    output = (tmp_path / "output").open("wb")
    file = opened(Path(f"/proc/self/fd/{output.fileno()}"), rotate_bytes=4)
    file.write(b"one\n")
    file.write(b"two\n")
    file.close()
    output.close()
    assert [p.name for p in tmp_path.iterdir()] == ["output"]
    assert (tmp_path / "output").read_bytes() == b"one\ntwo\n"
    assert logged == []


def test_warnings_go_where_logging_is_safe(path: Path, logged: list[LogEvent]) -> None:
    later = []
    path.touch(0o644)
    path.chmod(0o644)
    file = JournalFile(path, rotate_bytes=0, keep=1, log_in=later.append)
    file.open()
    file.close()
    assert logged == []
    later[0]()
    assert len(logged) == 1
