"""Journals that are read together."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from tests.journal.example import TIME, record
from txqmp.errors import JournalError
from txqmp.journal import sources as module
from txqmp.journal.reader import Torn, read
from txqmp.journal.record import Record, encode
from txqmp.journal.sources import Block, Sources, merged, rotated_set


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(*numbers: int, after: float = 0.0) -> bytes:
    """Records of these numbers, each so many seconds after the usual time."""
    return b"".join(encode(record(seq=n, time=TIME + n + after)) for n in numbers)


def seen(entries: object) -> list[int | bytes]:
    assert hasattr(entries, "__iter__")
    return [entry.raw if isinstance(entry, Torn) else entry.seq for entry in entries]


def test_a_file_is_read_as_the_reader_does() -> None:
    Path("j").write_bytes(lines(1, 2) + b"\n\nx\r\ny\rz\n" + lines(3) + b"{")
    got = list(Sources(["j"]).entries())
    assert got == [
        entry
        if isinstance(entry, Record)
        else Torn(entry.line_number, entry.raw, entry.problem, "j")
        for entry in read("j")
    ]
    assert seen(got) == [1, 2, b"x", b"y\rz", 3, b"{"]


@pytest.mark.parametrize("size", [1, 2, 100, 397])
def test_it_does_not_matter_how_much_is_read_at_a_time(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    data = lines(1, 2) + b"\n" + b"x" * 1000 + b"\n" + lines(3) + b"torn"
    Path("j").write_bytes(data)
    monkeypatch.setattr(module, "_BLOCK", size)
    blocks = list(Sources(["j"]).blocks())
    assert b"".join(block.data for block in blocks) == data
    assert all(block.data.endswith(b"\n") for block in blocks[:-1])
    before = 0
    for block in blocks:
        assert block.line_number == 1 + before
        before += block.data.count(b"\n")
    torn = [entry for entry in Sources(["j"]).entries() if isinstance(entry, Torn)]
    assert [(entry.line_number, entry.raw) for entry in torn] == [(4, b"x" * 1000), (6, b"torn")]


def test_a_block_has_the_lines_that_it_is_made_of() -> None:
    for data in (b"a\nb\n", b"a\nb", b"a\r\nb\rc\n", b"\n\n", b"a\rb", b""):
        made = Block("j", 1, data).lines()
        assert b"".join(made) == data
        assert all(line.count(b"\n") == line.endswith(b"\n") for line in made)
        assert len(made) == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def test_several_are_merged_by_time_and_told_apart() -> None:
    Path("a").write_bytes(lines(1, 2, 5))
    Path("b").write_bytes(lines(2, 3, 4, after=0.5))
    told = [
        (path, entry.seq) for path, entry in Sources(["a", "b"]).told() if isinstance(entry, Record)
    ]
    assert told == [("a", 1), ("a", 2), ("b", 2), ("b", 3), ("b", 4), ("a", 5)]
    assert seen(Sources(["b", "a"]).entries()) == [1, 2, 2, 3, 4, 5]


def test_of_the_same_time_the_first_file_comes_first() -> None:
    Path("a").write_bytes(lines(1))
    Path("b").write_bytes(lines(1))
    assert [path for path, _ in Sources(["b", "a"]).told()] == ["b", "a"]


def test_what_is_out_of_order_in_a_file_stays_so_and_holds_nothing_up() -> None:
    Path("a").write_bytes(lines(3, 1) + b"x\n" + lines(2, 6))
    Path("b").write_bytes(lines(2, 4, 5, after=0.5))
    assert seen(Sources(["a", "b"]).entries()) == [2, 3, 1, b"x", 2, 4, 5, 6]


def test_a_torn_line_tells_its_file() -> None:
    Path("a").write_bytes(b"x\n")
    Path("a.1").write_bytes(lines(1) + b"y")
    torn = [entry for entry in Sources(["a"], rotated=True).entries() if isinstance(entry, Torn)]
    assert [(entry.path, entry.line_number) for entry in torn] == [("a.1", 2), ("a", 1)]


def test_what_rotation_left_is_read_from_the_oldest() -> None:
    for rank, name in enumerate(["j.10", "j.2", "j.1", "j"]):
        Path(name).write_bytes(lines(rank))
    for other in ("j.01", "j.x", "j.1.gz", "xj.1", "j.3\n"):
        Path(other).write_bytes(b"")
    assert rotated_set("j") == ["j.10", "j.2", "j.1", "j"]
    assert Sources(["j"], rotated=True).groups == [["j.10", "j.2", "j.1", "j"]]
    assert seen(Sources(["j"], rotated=True).entries()) == [0, 1, 2, 3]
    assert seen(Sources(["j"]).entries()) == [3]


def test_of_a_rotation_the_last_file_may_be_missing() -> None:
    Path("j.1").write_bytes(lines(1))
    assert rotated_set("j") == ["j.1"]
    assert rotated_set("nosuch") == ["nosuch"]
    with pytest.raises(JournalError, match="no/where: No such file"):
        rotated_set("no/where/j")


def test_blocks_come_one_file_after_the_other() -> None:
    Path("a").write_bytes(lines(2))
    Path("b").write_bytes(lines(1))
    assert [block.path for block in Sources(["a", "b"]).blocks()] == ["a", "b"]


def test_standard_input_is_a_file() -> None:
    sources = Sources(["-"], rotated=True, standard_input=io.BytesIO(lines(1) + b"x"))
    assert sources.size() is None
    entries = list(sources.entries())
    assert seen(entries) == [1, b"x"]
    assert isinstance(entries[1], Torn)
    assert entries[1].path == "-"


def test_a_pipe_gives_what_it_has() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as file, open(writing, "wb", buffering=0) as out:  # noqa: PTH123
        entries = Sources(["-"], standard_input=file).entries()
        out.write(lines(1))
        assert seen([next(entries)]) == [1]
        out.write(lines(2))
        assert seen([next(entries)]) == [2]


def test_standard_input_is_read_alone_and_has_to_be_there() -> None:
    with pytest.raises(JournalError, match=r"standard input \(-\) is read alone"):
        Sources(["-", "a"])
    with pytest.raises(JournalError, match="there is no standard input"):
        list(Sources(["-"]).entries())


def test_the_size_is_that_of_all_files_and_passes_by() -> None:
    Path("a").write_bytes(lines(1, 2))
    Path("a.1").write_bytes(lines(3))
    Path("b").write_bytes(lines(1))
    passed: list[int] = []
    sources = Sources(["a", "b"], rotated=True, passed=passed.append)
    assert sources.size() == len(lines(1, 2, 3, 1))
    list(sources.entries())
    assert sum(passed) == sources.size()


def test_what_cannot_be_read() -> None:
    assert Sources(["nosuch"]).size() is None
    for problem, path in (("No such file or directory", "nosuch"), ("Is a directory", ".")):
        for paths in ([path], ["a", path]):
            Path("a").write_bytes(lines(1))
            with pytest.raises(JournalError, match=f"^{path}: {problem}$"):
                list(Sources(paths).entries())


def test_merging_reads_no_more_than_it_has_to() -> None:
    taken: list[int] = []

    def endless(first: int) -> object:
        number = first
        while True:
            taken.append(number)
            yield record(seq=number, time=TIME + number)
            number += 2

    both = merged([("a", endless(0)), ("b", endless(1))])  # type: ignore[arg-type]
    for expected in range(5):
        _, entry = next(both)
        assert isinstance(entry, Record)
        assert entry.seq == expected
    assert max(taken) <= 6


def test_where_one_cannot_be_read_the_others_are_closed() -> None:
    Path("j").write_bytes(lines(1, 2))
    held = Path("/proc/self/fd")
    with pytest.raises(JournalError) as caught:
        list(Sources(["j", "nosuch"]).told())
    assert str(caught.value) == "nosuch: No such file or directory"
    assert Path("j").absolute() not in [each.resolve() for each in held.iterdir()]
