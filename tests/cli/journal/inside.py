"""The program ``txqmp``, run within the test."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from txqmp.cli.main import main

GOLDEN = Path(__file__).with_name("golden")


class Ended(NamedTuple):
    """How it ended: its exit status, and all that it wrote."""

    status: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> Ended:
    capsys.readouterr()
    status, problem = 0, ""
    try:
        main([str(word) for word in argv])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        problem = f"{end.code}\n" if isinstance(end.code, str) else ""
    said = capsys.readouterr()
    return Ended(status, said.out, said.err + problem)


class Cut(NamedTuple):
    """
    What is left of a journal.

    :ivar records: how many are whole; one may lack its line end.
    :ivar torn: there is a part of another.
    """

    data: bytes
    records: int
    torn: bool


def cuts(whole: bytes, lines: int = 3) -> list[Cut]:
    """A journal, cut at every byte of its last lines."""
    start = len(b"".join(whole.splitlines(keepends=True)[:-lines]))
    return [_cut(whole[:end], whole[end : end + 1]) for end in range(start, len(whole) + 1)]


def _cut(data: bytes, following: bytes) -> Cut:
    unfinished = bool(data.rpartition(b"\n")[2])
    records = data.count(b"\n") + (unfinished and following == b"\n")
    return Cut(data, records, unfinished and following != b"\n")
