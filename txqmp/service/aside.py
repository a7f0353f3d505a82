"""
The files of a takeover: a monitor's socket put aside, another in its place, and back again.

Next to ``PATH`` stands a folder, ``PATH.aside``, that the process which has taken ``PATH`` over
holds a lock on::

    pid         which process that is
    monitor     a link to the monitor's socket
    listening   the socket that stands in for it
    ours        a link to that; PATH is another for as long as the takeover lasts
    stand-in    a link to that on its way to PATH

What ``PATH`` is changes by a rename, in both directions: it never is missing. And whatever a
process that is killed leaves behind, the links tell the next one whose socket ``PATH`` is.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from enum import Enum
from pathlib import Path

from txqmp.errors import TakeoverError
from txqmp.service.sockdiag import listens

MONITOR = "monitor"
LISTENING = "listening"
OURS = "ours"
STAND_IN = "stand-in"
PID = "pid"

_MAX_ADDRESS = 107
"""Bytes in the path of a UNIX socket."""


class Outcome(Enum):
    """What became of ``PATH`` at the end."""

    RESTORED = "it is the monitor's socket"
    ENDED = "the monitor listens no more, and nothing of it or ours is left"
    LEFT = "it has become somebody else's, and is left alone"


class Aside:
    """
    The folder next to a monitor's socket.

    :param path: of the socket, or of a symbolic link to it.
    :ivar path: of the socket.
    :ivar folder: the path of the folder.
    :ivar mended: what became of a takeover that was killed; None if there was none.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self.folder = f"{self.path}.aside"
        self.mended: Outcome | None = None
        self._fd = -1
        self._original: os.stat_result | None = None

    def open(self) -> None:
        """
        Lock the folder, mend what is left of a takeover that was killed, and link to the
        monitor's socket.

        :raises TakeoverError: somebody else has taken it over, or it cannot be.
        :raises OSError: something is not allowed.
        """
        if not os.path.lexists(self.folder):
            self._look()
        self._lock()
        try:
            self._mend()
        except Exception:
            self.abandon()
            raise
        try:
            self._original = self._look()
            os.link(self.path, MONITOR, dst_dir_fd=self._fd, follow_symlinks=False)
        except Exception:
            self.close()
            raise

    @property
    def mode(self) -> int:
        """The permissions of the monitor's socket."""
        return stat.S_IMODE(self._known().st_mode)

    def address(self, name: str) -> str:
        """Where the socket of a name can be bound, or connected to: at most 107 bytes."""
        address = f"{self.folder}/{name}"
        if len(os.fsencode(address)) > _MAX_ADDRESS:
            return f"/proc/self/fd/{self._fd}/{name}"
        return address

    def switch(self) -> None:
        """
        Put the socket that is bound to ``listening`` in the place of the monitor's.

        :raises TakeoverError: the monitor's is no longer there.
        :raises OSError: something is not allowed.
        """
        fd, original = self._fd, self._known()
        ours = os.stat(LISTENING, dir_fd=fd)
        if (ours.st_uid, ours.st_gid) != (original.st_uid, original.st_gid):
            os.chown(LISTENING, original.st_uid, original.st_gid, dir_fd=fd)
        for name in (OURS, STAND_IN):
            os.link(LISTENING, name, src_dir_fd=fd, dst_dir_fd=fd)
        if not _same(self._there(), self._status(MONITOR)):
            raise TakeoverError(f"{self.path}: somebody else has just replaced it")
        os.replace(STAND_IN, self.path, src_dir_fd=fd)

    def holds(self) -> bool:
        """Whether ``PATH`` is the socket that was put there."""
        return _same(self._there(), self._status(OURS))

    def restore(self) -> Outcome:
        """
        Give ``PATH`` back, unless it is somebody else's by now.

        :raises TakeoverError: there is nothing to give back.
        :raises OSError: it cannot be given back.
        """
        there, monitor = self._there(), self._status(MONITOR)
        if monitor is None:
            raise TakeoverError(
                f"{self.path} cannot be given back: somebody removed {self.folder}/{MONITOR}"
            )
        if _same(there, monitor):
            # To rename one link over another to the same file does nothing.
            return Outcome.RESTORED
        listening = listens(self.address(MONITOR))
        if _same(there, self._status(OURS)):
            if listening:
                os.replace(MONITOR, self.path, src_dir_fd=self._fd)
                return Outcome.RESTORED
            # A QEMU removes its socket when it ends.
            Path(self.path).unlink()
        elif there is None and listening:
            # Whoever removed ours did not know that it hid another.
            os.link(MONITOR, self.path, src_dir_fd=self._fd, follow_symlinks=False)
            return Outcome.RESTORED
        elif there is not None:
            return Outcome.LEFT
        return Outcome.ENDED

    def close(self) -> None:
        """
        Remove the folder, and let others have the lock.

        :raises OSError: it cannot be removed.
        """
        if self._fd < 0:
            return
        try:
            self._empty()
            Path(self.folder).rmdir()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let others have the lock, and leave the folder for them to mend."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _look(self) -> os.stat_result:
        """Look at what is to be taken over."""
        try:
            status = os.lstat(self.path)
        except OSError as error:
            raise TakeoverError(f"{self.path}: {error.strerror}") from None
        if not stat.S_ISSOCK(status.st_mode):
            raise TakeoverError(f"{self.path} is no socket")
        if os.geteuid() not in (0, status.st_uid):
            raise TakeoverError(
                f"{self.path} belongs to user {status.st_uid}: "
                "only that user, or root, can take it over"
            )
        return status

    def _lock(self) -> None:
        while True:
            with suppress(FileExistsError):
                Path(self.folder).mkdir(0o700)
            try:
                fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue
            try:
                locked = self._try_to_lock(fd)
            except Exception:
                os.close(fd)
                raise
            if locked:
                self._fd = fd
                return
            os.close(fd)

    def _try_to_lock(self, fd: int) -> bool:
        """Lock the folder; False if it was removed before that could be done."""
        status = os.fstat(fd)
        # Another user could make root take another socket for the monitor's.
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise TakeoverError(
                f"{self.folder} is not ours alone "
                f"(user {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o})"
            )
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TakeoverError(
                f"{self.path} is taken over already, by process {self._holder()}"
            ) from None
        try:
            if not os.path.samestat(os.lstat(self.folder), status):
                return False
        except FileNotFoundError:
            return False
        Path(self.folder, PID).write_text(f"{os.getpid()}\n", "ascii")
        return True

    def _holder(self) -> str:
        with suppress(OSError, UnicodeError):
            return Path(self.folder, PID).read_text("ascii").strip() or "?"
        return "?"

    def _mend(self) -> None:
        if self._status(MONITOR) is not None:
            self.mended = self.restore()
        self._empty(but=PID)

    def _empty(self, but: str = "") -> None:
        # While the monitor's link is there, ours must be: without it PATH were a stranger's.
        for name in (STAND_IN, LISTENING, MONITOR, OURS, PID):
            if name != but:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self._fd)

    def _known(self) -> os.stat_result:
        assert self._original is not None, "it is not open"
        return self._original

    def _there(self) -> os.stat_result | None:
        with suppress(FileNotFoundError):
            return os.lstat(self.path)
        return None

    def _status(self, name: str) -> os.stat_result | None:
        with suppress(FileNotFoundError):
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        return None


def _same(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    return one is not None and other is not None and os.path.samestat(one, other)
