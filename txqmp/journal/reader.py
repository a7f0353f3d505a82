"""Reading journals: whole ones, and ones that are still being written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from txqmp.errors import JournalError
from txqmp.journal.record import Record, decode

_POLL = 4 * 1024 * 1024
_HEAD = 256  # bytes of a first line that tell a file from the one before it


@dataclass(frozen=True, slots=True)
class Torn:
    """
    A line of a journal that is no record: cut off when its writer died, or damaged.

    :ivar line_number: from 1.
    :ivar raw: the bytes of the line, without its end.
    :ivar problem: what is wrong with it.
    :ivar path: of the file, where it was told.
    """

    line_number: int
    raw: bytes
    problem: str
    path: str = ""


def read(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Record | Torn]:
    """
    Read a journal from its start to its present end.

    :param source: a path, or a file opened for reading bytes.
    :raises JournalError: if the file cannot be read.
    """
    if not isinstance(source, (str, os.PathLike)):
        yield from _entries(source)
        return
    try:
        with Path(source).open("rb") as file:
            yield from _entries(file)
    except OSError as error:
        raise JournalError(f"{os.fspath(source)}: {error.strerror}") from error


def _entries(file: BinaryIO) -> Iterator[Record | Torn]:
    for number, line in enumerate(file, 1):
        entry = entry_of(number, line)
        if entry is not None:
            yield entry


def entry_of(number: int, line: bytes) -> Record | Torn | None:
    """Read a line of a journal; an empty one means nothing."""
    body = line.rstrip(b"\r\n")
    if not body:
        return None
    try:
        return decode(body)
    except JournalError as error:
        problem = str(error) if line.endswith(b"\n") else "the last line was not finished"
        return Torn(number, body, problem)


class Follower:
    """
    Reads a journal as it grows, through rotation and truncation.

    :param path: of the journal; it need not exist yet.
    :param rotated: begin with the oldest of the files that rotation left of it.
    """

    def __init__(self, path: str | os.PathLike[str], *, rotated: bool = False) -> None:
        self._path = Path(path).absolute()
        self._rotated_too = rotated
        self._descriptor: int | None = None
        self._take(None)

    def _take(self, descriptor: int | None) -> None:
        self.close()
        self._descriptor = descriptor
        self._position = 0
        self._number = 0
        self._first_line = b""
        self._unfinished = b""

    def close(self) -> None:
        """Close the file; a later poll starts over."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def poll(self) -> list[Record | Torn]:
        """
        Give what has come since the last poll, or since the start of the file at first.

        A line without its end waits for it. Some 4 MiB are read at a time: there may be
        more as long as the list is not empty.

        :raises JournalError: if the journal cannot be read.
        """
        try:
            return self._poll()
        except OSError as error:
            raise JournalError(f"{self._path}: {error.strerror}") from error

    def _poll(self) -> list[Record | Torn]:
        if self._descriptor is None:
            self._take(self._open_first())
        entries: list[Record | Torn] = []
        while self._descriptor is not None:
            # In this order: what is read after the file was moved away is all there will be.
            moved = _identity(self._path) not in (None, _identity(self._descriptor))
            at_end = self._read(self._descriptor, entries)
            if not moved or not at_end:
                break
            successor = self._open_successor(self._descriptor)
            if successor is None:
                break
            if self._unfinished:
                problem = "the last line was not finished"
                entries.append(Torn(self._number + 1, self._unfinished, problem))
            self._take(successor)
        return entries

    def _read(self, descriptor: int, entries: list[Record | Torn]) -> bool:
        self._notice_truncation(descriptor)
        size = _POLL
        while True:
            data = os.pread(descriptor, size, self._position)
            cut = data.rfind(b"\n") + 1
            if cut or len(data) < size:
                break
            size *= 2
        if cut:
            lines = data[: cut - 1].split(b"\n")
            if not self._number:
                self._first_line = lines[0][:_HEAD]
            for number, line in enumerate(lines, self._number + 1):
                entry = entry_of(number, line + b"\n")
                if entry is not None:
                    entries.append(entry)
            self._number += len(lines)
            self._position += cut
        self._unfinished = data[cut:]
        return len(data) < size

    def _notice_truncation(self, descriptor: int) -> None:
        if os.pread(descriptor, len(self._first_line), 0) != self._first_line:
            self._position = self._number = 0
            return
        size = os.fstat(descriptor).st_size
        if size < self._position:
            # The writer took back what it could not write whole; the rest stands.
            self._number = os.pread(descriptor, size, 0).count(b"\n")
            self._position = size

    def _open_first(self) -> int | None:
        rank = 0
        while self._rotated_too and self._rotated(rank + 1).exists():
            rank += 1
        return _open(self._rotated(rank) if rank else self._path)

    def _open_successor(self, descriptor: int) -> int | None:
        """Open the file that was begun after this one: rotation may have gone on since."""
        mine = _identity(descriptor)
        while True:
            rank = self._rank(mine)
            successor = _open(self._rotated(rank - 1) if rank > 1 else self._path)
            if successor is None or self._rank(mine) == rank:
                return successor
            os.close(successor)

    def _rank(self, identity: tuple[int, int] | None) -> int:
        rank = 1
        while (found := _identity(self._rotated(rank))) is not None:
            if found == identity:
                return rank
            rank += 1
        return 0

    def _rotated(self, number: int) -> Path:
        return Path(f"{self._path.resolve()}.{number}")


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _identity(file: Path | int) -> tuple[int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 (it may be a descriptor)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
