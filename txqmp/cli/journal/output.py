"""Files that commands write: whole or not at all, and for their owner alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from txqmp.errors import JournalError, escaped

STANDARD_OUTPUT = "-"


def plain(text: str) -> str:
    """Show a name or a word of a peer so that it is safe in one line of a terminal."""
    return escaped(text.encode("utf-8", "surrogatepass"))


@contextmanager
def written(path: str, force: bool) -> Iterator[BinaryIO]:
    """
    Write a file, which is seen under its name only when it is whole. Its mode is 0600.

    :param path: of the file; ``-`` is standard output.
    :param force: a file that is there already is replaced.
    :raises JournalError: it cannot be written, or is there already.
    """
    if path == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        return
    target = Path(path)
    if target.is_symlink() or target.exists():
        _see_about(target, force)
    try:
        descriptor, temporary = mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
        try:
            os.close(descriptor)
            with Path(temporary).open("r+b") as file:
                yield file
            _give_name(temporary, target, force)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror or error}") from error


def _see_about(target: Path, force: bool) -> None:
    if not target.is_file():
        raise JournalError(f"{target}: it is there already, and is no file to replace")
    if not force:
        raise JournalError(f"{target}: it is there already; --force replaces it")


def _give_name(temporary: str, target: Path, force: bool) -> None:
    if force:
        Path(temporary).replace(target)
        return
    try:
        os.link(temporary, target)
    except FileExistsError:
        _see_about(target, force)
    except OSError:  # there are file systems without links
        Path(temporary).replace(target)
