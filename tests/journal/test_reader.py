from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.example import record
from txqmp.errors import JournalError
from txqmp.journal.file import JournalFile
from txqmp.journal.reader import Follower, Torn, read
from txqmp.journal.record import Record, encode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def follower(path: Path) -> Iterator[Follower]:
    follower = Follower(path)
    yield follower
    follower.close()


def line(seq: int, size: int = 0) -> bytes:
    return encode(record(seq=seq, raw=b"x" * size))


def lines(*numbers: int) -> bytes:
    return b"".join(map(line, numbers))


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def seen(entries: list[Record | Torn]) -> list[int | bytes]:
    """The numbers of records, the bytes of torn lines."""
    return [entry.raw if isinstance(entry, Torn) else entry.seq for entry in entries]


def descriptors() -> list[Path]:
    return list(Path("/proc/self/fd").iterdir())


def rotating(path: Path, rotate_bytes: int, keep: int = 10) -> JournalFile:
    file = JournalFile(path, rotate_bytes=rotate_bytes, keep=keep)
    file.open()
    return file


# reading once


def test_records_are_read_from_a_path(path: Path) -> None:
    path.write_bytes(lines(1, 2, 3))
    assert list(read(path)) == [record(seq=n, raw=b"") for n in (1, 2, 3)]
    assert seen(list(read(str(path)))) == [1, 2, 3]


def test_records_are_read_from_a_file() -> None:
    assert seen(list(read(io.BytesIO(lines(1, 2))))) == [1, 2]


def test_an_empty_journal() -> None:
    assert list(read(io.BytesIO(b""))) == []


def test_a_torn_last_line() -> None:
    assert list(read(io.BytesIO(lines(1) + line(2)[:-10])))[1] == Torn(
        2, line(2)[:-10], "the last line was not finished"
    )


def test_a_last_line_that_lacks_only_its_end() -> None:
    assert seen(list(read(io.BytesIO(lines(1, 2)[:-1])))) == [1, 2]


def test_a_broken_line_in_the_middle() -> None:
    entries = list(read(io.BytesIO(lines(1) + b"\0\0\xff\n\n" + lines(2))))
    assert seen(entries) == [1, b"\0\0\xff", 2]
    torn = entries[1]
    assert isinstance(torn, Torn)
    assert torn.line_number == 2
    assert torn.problem == "not a line of JSON: not UTF-8"


def test_empty_lines_are_nothing() -> None:
    assert seen(list(read(io.BytesIO(b"\n" + lines(1) + b"\r\n\n" + lines(2))))) == [1, 2]


def test_a_journal_that_is_not_there(path: Path) -> None:
    with pytest.raises(JournalError, match="journal: No such file or directory"):
        list(read(path))


# following


def test_what_is_there_comes_first(path: Path, follower: Follower) -> None:
    path.write_bytes(lines(1, 2))
    assert seen(follower.poll()) == [1, 2]


def test_what_is_added_comes_next(path: Path, follower: Follower) -> None:
    add(path, lines(1))
    assert seen(follower.poll()) == [1]
    assert follower.poll() == []
    add(path, lines(2, 3))
    assert seen(follower.poll()) == [2, 3]
    assert follower.poll() == []


def test_a_journal_that_is_not_there_yet(path: Path, follower: Follower) -> None:
    assert follower.poll() == []
    add(path, lines(1))
    assert seen(follower.poll()) == [1]


def test_a_half_written_line_waits_for_its_rest(path: Path, follower: Follower) -> None:
    add(path, lines(1) + line(2)[:20])
    assert seen(follower.poll()) == [1]
    add(path, line(2)[20:-1])
    assert follower.poll() == []
    add(path, b"\n" + lines(3))
    assert seen(follower.poll()) == [2, 3]


def test_a_half_written_line_that_is_taken_back(path: Path, follower: Follower) -> None:
    add(path, lines(1) + line(2)[:20])
    assert seen(follower.poll()) == [1]
    os.truncate(path, len(lines(1)))
    add(path, lines(3))
    assert seen(follower.poll()) == [3]


def test_whole_lines_that_are_taken_back(path: Path, follower: Follower) -> None:
    # A write of several records failed after the follower had seen some of them.
    add(path, lines(1, 2, 3))
    assert seen(follower.poll()) == [1, 2, 3]
    os.truncate(path, len(lines(1)))
    assert follower.poll() == []
    add(path, lines(4) + b"torn\n")
    assert follower.poll()[1] == Torn(3, b"torn", "not a line of JSON: Expecting value")


def test_a_torn_line_has_its_number(path: Path, follower: Follower) -> None:
    add(path, lines(1))
    follower.poll()
    add(path, lines(2) + b"torn\n")
    entry = follower.poll()[1]
    assert isinstance(entry, Torn)
    assert entry.line_number == 3


def test_an_emptied_journal_starts_over(path: Path, follower: Follower) -> None:
    add(path, lines(1, 2))
    follower.poll()
    os.truncate(path, 0)
    assert follower.poll() == []
    add(path, lines(3))
    assert seen(follower.poll()) == [3]


def test_an_emptied_journal_that_has_grown_again(path: Path, follower: Follower) -> None:
    add(path, lines(1))
    follower.poll()
    os.truncate(path, 0)
    add(path, lines(2, 3, 4))
    assert seen(follower.poll()) == [2, 3, 4]


def test_rotation_between_polls(path: Path, follower: Follower) -> None:
    file = rotating(path, rotate_bytes=2 * len(line(1)))
    file.write(line(1))
    assert seen(follower.poll()) == [1]
    for n in (2, 3):
        file.write(line(n))
    assert path.with_name("journal.1").exists()
    before = descriptors()
    assert seen(follower.poll()) == [2, 3]
    assert len(descriptors()) == len(before)
    file.write(line(4))
    assert seen(follower.poll()) == [4]
    file.close()


def test_several_rotations_between_polls(path: Path, follower: Follower) -> None:
    file = rotating(path, rotate_bytes=2 * len(line(1)))
    file.write(line(1))
    assert seen(follower.poll()) == [1]
    for n in range(2, 10):
        file.write(line(n))
    assert path.with_name("journal.4").exists()
    assert seen(follower.poll()) == [2, 3, 4, 5, 6, 7, 8, 9]
    assert follower.poll() == []
    file.close()


def test_rotations_that_have_dropped_the_file(path: Path, follower: Follower) -> None:
    file = rotating(path, rotate_bytes=len(line(1)), keep=1)
    file.write(line(1))
    assert seen(follower.poll()) == [1]
    for n in range(2, 6):
        file.write(line(n))
    assert seen(follower.poll()) == [5]
    file.close()


def test_a_rotation_that_goes_on_meanwhile(
    path: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = rotating(path, rotate_bytes=len(line(1)))
    file.write(line(1))
    assert seen(follower.poll()) == [1]
    file.write(line(2))
    file.write(line(3))
    find = follower._open_successor

    def find_and_rotate(descriptor: int) -> int | None:
        monkeypatch.setattr(follower, "_open_successor", find)
        rank = follower._rank

        def rank_and_rotate(identity: tuple[int, int] | None) -> int:
            found = rank(identity)
            monkeypatch.setattr(follower, "_rank", rank)
            file.write(line(4))
            return found

        monkeypatch.setattr(follower, "_rank", rank_and_rotate)
        return find(descriptor)

    monkeypatch.setattr(follower, "_open_successor", find_and_rotate)
    assert seen(follower.poll()) == [2, 3, 4]
    file.close()


def test_the_moment_between_two_files(path: Path, follower: Follower) -> None:
    add(path, lines(1))
    follower.poll()
    add(path, lines(2))
    path.rename(path.with_name("journal.1"))
    assert seen(follower.poll()) == [2]
    assert follower.poll() == []
    add(path, lines(3))
    assert seen(follower.poll()) == [3]


def test_a_line_that_stays_unfinished_in_a_rotated_file(path: Path, follower: Follower) -> None:
    add(path, lines(1) + b"torn")
    follower.poll()
    path.rename(path.with_name("journal.1"))
    add(path, lines(2))
    entries = follower.poll()
    assert entries[0] == Torn(2, b"torn", "the last line was not finished")
    assert seen(entries) == [b"torn", 2]


def test_a_journal_that_was_replaced(path: Path, follower: Follower) -> None:
    add(path, lines(1))
    follower.poll()
    # Kept elsewhere, or the new file might be given its inode.
    path.rename(path.with_name("elsewhere"))
    add(path, lines(2))
    assert seen(follower.poll()) == [2]


def test_a_poll_gives_no_more_than_it_should(
    path: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("txqmp.journal.reader._POLL", 3 * len(line(1)) + 5)
    add(path, lines(1, 2, 3, 4, 5, 6, 7))
    path.rename(path.with_name("journal.1"))
    path.with_name("journal.1").rename(path)
    polls = [seen(follower.poll()) for _ in range(4)]
    assert polls == [[1, 2, 3], [4, 5, 6], [7], []]


def test_a_line_longer_than_a_poll(
    path: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("txqmp.journal.reader._POLL", 64)
    add(path, line(1, size=5000) + lines(2))
    assert seen(follower.poll() + follower.poll()) == [1, 2]


def test_a_large_rotated_file_is_read_to_its_end(
    path: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("txqmp.journal.reader._POLL", 2 * len(line(1)) + 5)
    add(path, lines(1))
    follower.poll()
    add(path, lines(2, 3, 4))
    path.rename(path.with_name("journal.1"))
    add(path, lines(5))
    polls = [entry for _ in range(4) for entry in seen(follower.poll())]
    assert polls == [2, 3, 4, 5]


def test_empty_lines_are_not_followed(path: Path, follower: Follower) -> None:
    add(path, b"\n" + lines(1) + b"\n")
    assert seen(follower.poll()) == [1]


def test_a_directory_cannot_be_followed(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    with pytest.raises(JournalError, match="Is a directory"):
        follower.poll()
    follower.close()


def test_closing_twice_and_starting_over(path: Path, follower: Follower) -> None:
    add(path, lines(1))
    follower.poll()
    follower.close()
    follower.close()
    assert seen(follower.poll()) == [1]
