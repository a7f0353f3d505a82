"""
The file a journal is written to: whole records or nothing, rotation, one writer at a time.

Everything here blocks: :class:`~txqmp.journal.writer.Journal` calls it in a worker thread.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

from twisted.logger import Logger

from txqmp.errors import JournalError

_log = Logger()

# Whatever is behind these belongs to whoever redirected it, even if it is a regular file.
_REDIRECTIONS = ("/dev/std", "/dev/fd/", "/proc/")


def _at_once(call: Callable[[], None]) -> None:
    call()


class JournalFile:
    """
    A file that only grows by whole records, and that nobody else may write to.

    A regular file is cut back when a write fails half-way, and is rotated: ``path`` becomes
    ``path.1``, which becomes ``path.2``, and so on. FIFOs, devices and the process's own
    standard output are only written to.

    :param path: made absolute at once, for daemons change their directory.
    :param rotate_bytes: the size in bytes that the file does not pass by a further
        write; 0 for no rotation.
    :param keep: how many rotated files are kept; the oldest goes.
    :param log_in: calls a function in the thread where logging is safe.
    :raises ValueError: for a negative size, or less than one file to keep.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rotate_bytes: int,
        keep: int,
        log_in: Callable[[Callable[[], None]], object] = _at_once,
    ) -> None:
        if rotate_bytes < 0:
            raise ValueError("rotate_bytes cannot be negative")
        if keep < 1:
            raise ValueError("keep must be at least 1")
        self.path = Path(path).absolute()
        self._rotate_bytes = rotate_bytes
        self._rotate_at = rotate_bytes
        self._rotation_failed = False
        self._keep = keep
        self._log_in = log_in
        self._descriptor: int | None = None
        self._identity = (0, 0)
        self._ours = False
        self._torn = False

    def open(self) -> None:
        """
        Open the file, creating it if need be with mode 0600, and lock it.

        :raises JournalError: if it cannot be opened, or another process writes to it.
        """
        created = False
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        # A FIFO nobody reads would otherwise hold up whoever opens it.
        flags |= os.O_NONBLOCK
        try:
            try:
                descriptor = os.open(self.path, flags | os.O_EXCL, 0o600)
                created = True
            except FileExistsError:
                descriptor = os.open(self.path, flags, 0o600)
        except (OSError, ValueError) as error:
            raise JournalError(f"{self.path}: {_why(error)}") from error
        try:
            self._take(descriptor, created)
        except OSError as error:
            os.close(descriptor)
            raise JournalError(f"{self.path}: {_why(error)}") from error

    def _take(self, descriptor: int, created: bool) -> None:
        os.set_blocking(descriptor, True)
        if created:
            os.fchmod(descriptor, 0o600)  # the umask may have taken from it
        status = os.fstat(descriptor)
        ours = stat.S_ISREG(status.st_mode) and not str(self.path).startswith(_REDIRECTIONS)
        if ours:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OSError(errno.EBUSY, "it is in use by another process") from error
            mode = stat.S_IMODE(status.st_mode)
            if mode & 0o077:
                self._warn("the journal {path} can be read by others: its mode is {mode:04o}", mode)
        self._torn = ours and status.st_size > 0 and not self._ends_whole()
        self.close()
        self._descriptor = descriptor
        self._identity = (status.st_dev, status.st_ino)
        self._ours = ours

    def _ends_whole(self) -> bool:
        try:
            with self.path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1) == b"\n"
        except OSError:
            return False  # it may be written to and not read; one empty line more does no harm

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def write(self, data: bytes) -> None:
        """
        Append whole records: all of them, or none.

        A file that somebody else has renamed or removed is opened anew first.

        :raises OSError: if they could not be written; the next write may do better.
        :raises JournalError: if the file had to be opened anew and could not be.
        """
        size = self._make_ready(len(data)) if self._ours else None
        if self._descriptor is None:
            raise JournalError(f"{self.path} is not open")
        if self._torn:
            data = b"\n" + data
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            if written:
                self._undo(self._descriptor, size)
            raise
        self._torn = False

    def _undo(self, descriptor: int, size: int | None) -> None:
        if size is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
                return
        self._torn = True

    def _make_ready(self, coming: int) -> int:
        status = self._status()
        if status is None or (status.st_dev, status.st_ino) != self._identity:
            self.open()
            status = self._status()
        size = 0 if status is None else status.st_size
        if self._rotate_bytes and size > 0 and size + coming > self._rotate_at:
            size = self._rotate(size)
        return size

    def _status(self) -> os.stat_result | None:
        try:
            return self.path.stat()
        except FileNotFoundError:
            return None

    def _rotate(self, size: int) -> int:
        try:
            self._shift()
        except (OSError, JournalError) as error:
            # Not at every write: a directory that cannot be written to stays so for a while.
            self._rotate_at = size + self._rotate_bytes
            if not self._rotation_failed:
                self._warn("the journal {path} cannot be rotated: {problem}", problem=_why(error))
            self._rotation_failed = True
            return size
        self._rotate_at = self._rotate_bytes
        self._rotation_failed = False
        return 0

    def _shift(self) -> None:
        path = self.path.resolve()
        for number in range(self._keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}.{number}").replace(f"{path}.{number + 1}")
        first = path.replace(f"{path}.1")
        try:
            self.open()
        except JournalError:
            first.replace(path)
            raise

    def _warn(self, message: str, mode: int = 0, problem: str = "") -> None:
        self._log_in(lambda: _log.warn(message, path=str(self.path), mode=mode, problem=problem))


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
