"""What is read as one journal: a file, what rotation made of it, several files, standard input."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from txqmp.errors import JournalError
from txqmp.journal.reader import Torn, entry_of
from txqmp.journal.record import Record

STANDARD_INPUT = "-"

_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """
    Some lines of a file.

    :ivar path: of the file.
    :ivar line_number: of the first line, from 1.
    :ivar data: whole lines; the last one of the file may lack its end.
    """

    path: str
    line_number: int
    data: bytes

    def lines(self) -> list[bytes]:
        """Take the lines apart; each has its end, but for the last, maybe."""
        return (
            self.data.splitlines(keepends=True) if b"\r" not in self.data else _by_feeds(self.data)
        )

    def entries(self) -> Iterator[Record | Torn]:
        """Read the lines."""
        for number, line in enumerate(self.lines(), self.line_number):
            entry = entry_of(number, line)
            if isinstance(entry, Torn):
                yield replace(entry, path=self.path)
            elif entry is not None:
                yield entry


def _by_feeds(data: bytes) -> list[bytes]:
    # A journal has no carriage returns: what has some is damaged, and no more lines for it.
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def rotated_set(path: str) -> list[str]:
    """Name the files of a journal that was rotated, the oldest first: ``path.2``, ``path.1``…"""
    whole = Path(path)
    pattern = re.compile(rf"{re.escape(whole.name)}\.([1-9][0-9]*)", re.ASCII)
    ranks = []
    try:
        for other in whole.parent.iterdir():
            found = pattern.fullmatch(other.name)
            if found:
                ranks.append(int(found[1]))
    except OSError as error:
        raise JournalError(f"{whole.parent}: {error.strerror}") from error
    older = [f"{path}.{rank}" for rank in sorted(ranks, reverse=True)]
    return [*older, path] if whole.exists() or not older else older


class Sources:
    """
    Journals that are read together.

    :param paths: of the files; ``-`` is standard input.
    :param rotated: with the older files that rotation left of each.
    :param standard_input: what ``-`` is.
    :param passed: is told how many bytes were read, each time some were.
    :raises JournalError: a folder cannot be read, or ``-`` is named with other files.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        rotated: bool = False,
        standard_input: BinaryIO | None = None,
        passed: Callable[[int], None] | None = None,
    ) -> None:
        if STANDARD_INPUT in paths and len(paths) > 1:
            raise JournalError("standard input (-) is read alone, without other files")
        self._paths = list(paths)
        self._standard_input = standard_input
        self._passed = passed
        self.groups: list[list[str]] = [
            rotated_set(path) if rotated and path != STANDARD_INPUT else [path] for path in paths
        ]
        """Files that follow each other, for each path."""

    def size(self) -> int | None:
        """Tell how many bytes there are; None if that is not known, as of a pipe."""
        total = 0
        for path in (path for group in self.groups for path in group):
            if path == STANDARD_INPUT or not Path(path).is_file():
                return None
            total += Path(path).stat().st_size
        return total

    def entries(self) -> Iterator[Record | Torn]:
        """
        Read all, merged by time. What a file has out of order stays so.

        :raises JournalError: a file cannot be read.
        """
        return (entry for _, entry in self.told())

    def told(self) -> Iterator[tuple[str, Record | Torn]]:
        """
        Read all, merged by time, and tell of each which path it is from, as that was given.

        :raises JournalError: a file cannot be read.
        """
        streams = [
            (path, _entries(self._blocks(group)))
            for path, group in zip(self._paths, self.groups, strict=True)
        ]
        try:
            yield from merged(streams)
        finally:
            for _, stream in streams:
                stream.close()

    def blocks(self) -> Iterator[Block]:
        """
        Read all, one file after the other, in blocks of lines.

        :raises JournalError: a file cannot be read.
        """
        for group in self.groups:
            yield from self._blocks(group)

    def _blocks(self, group: Sequence[str]) -> Iterator[Block]:
        for path in group:
            with _reading(path, self._standard_input) as file:
                yield from _cut(path, file, self._passed)


@contextmanager
def _reading(path: str, standard_input: BinaryIO | None) -> Iterator[BinaryIO]:
    name = "standard input" if path == STANDARD_INPUT else path
    try:
        if path == STANDARD_INPUT:
            if standard_input is None:
                raise JournalError("there is no standard input")
            yield standard_input
        else:
            with Path(path).open("rb", buffering=0) as file:
                yield file
    except OSError as error:
        raise JournalError(f"{name}: {error.strerror}") from error


def _cut(path: str, file: BinaryIO, passed: Callable[[int], None] | None) -> Iterator[Block]:
    """Read blocks that end where a line does; a line that is longer makes a longer block."""
    number = 1
    parts: list[bytes] = []
    read = getattr(file, "read1", file.read)  # what there is of a pipe, and not until it is full
    while data := read(_BLOCK):
        if passed is not None:
            passed(len(data))
        end = data.rfind(b"\n") + 1
        if end:
            block = b"".join([*parts, data[:end]])
            yield Block(path, number, block)
            number += block.count(b"\n")
            parts = []
        if end < len(data):
            parts.append(data[end:])
    if parts:
        yield Block(path, number, b"".join(parts))


def _entries(blocks: Iterator[Block]) -> Generator[Record | Torn, None, None]:
    for block in blocks:
        yield from block.entries()


def merged(
    streams: Sequence[tuple[str, Iterator[Record | Torn]]],
) -> Iterator[tuple[str, Record | Torn]]:
    """
    Merge what comes from several places by time. What is out of order in one of them stays so.

    :param streams: the names of the places, and what comes from each.
    """
    if len(streams) == 1:
        name, entries = streams[0]
        return ((name, entry) for entry in entries)
    timed = [_timed(entries, rank) for rank, (_, entries) in enumerate(streams)]
    return (
        (streams[rank][0], entry)
        for _, rank, entry in heapq.merge(*timed, key=lambda item: item[:2])
    )


def _timed(
    entries: Iterator[Record | Torn], rank: int
) -> Iterator[tuple[float, int, Record | Torn]]:
    """Give each entry its time, for merging; a torn line keeps its place in its file."""
    time = 0.0
    for entry in entries:
        time = time if isinstance(entry, Torn) else entry.time
        yield time, rank, entry
