"""
Start a QEMU with a recording proxy before its monitors.

The process that was started becomes QEMU, by ``exec``, so that its number, its parent, its
signals, its exit status and all that it inherited are QEMU's. The proxy is a process of its own.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from txqmp.errors import WrapError
from txqmp.wrap.arguments import (
    DescriptorAddress,
    Monitor,
    Reading,
    UnixAddress,
    machine_name,
    read,
    rewrite,
)
from txqmp.wrap.early import NotStarted, start_proxy
from txqmp.wrap.plan import Plan, Post, hand_over
from txqmp.wrap.settings import Settings
from txqmp.wrap.sockets import (
    client_place,
    connect_to,
    give_back,
    inherited,
    listen_at,
    listens,
    name_in_file_system,
)

_LONG = 90
"""Bytes in the path of the private folder, at most."""

_HIGH = 64
"""Our descriptors are numbered from here on: tools count on low numbers, and name them."""


def launch(emulator: str, arguments: Sequence[str], settings: Settings) -> NoReturn:
    """
    Become the emulator; before, have a proxy if any of its monitors is in control mode.

    :param emulator: a path.
    :param arguments: without the program's name.
    :raises WrapError: the journal cannot be written, or a process cannot be started.
    """
    reading = read(arguments)
    if reading.monitors:
        arguments = _Wrapping(arguments, reading, settings).begin()
    # Python ignores these, and a process hands that on.
    for name in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    try:
        os.execve(emulator, [emulator, *arguments], _environment())
    except OSError as error:
        raise WrapError(f"{emulator}: {error.strerror}") from None


class _Wrapping:
    """What is prepared for one QEMU."""

    def __init__(self, arguments: Sequence[str], reading: Reading, settings: Settings) -> None:
        self._arguments = arguments
        self._reading = reading
        self._settings = settings
        self._name = settings.name or machine_name(arguments) or "qemu"
        self._folder: Path | None = None
        self._private = count()
        self._paths: list[Path] = []
        self._started = False
        self._ours: list[socket.socket] = []
        # What QEMU gets: a descriptor or a path for a monitor, and where a descriptor goes.
        self._replacements: dict[Monitor, int | str] = {}
        self._moves: list[tuple[int, int]] = []

    def begin(self) -> list[str]:
        """
        Tell the proxy what to do.

        :returns: the arguments for QEMU.
        """
        journal = self._settings.journal_of(self._name, os.getpid())
        is_new = _check_writable(journal)
        try:
            self._folder = _private_folder()
            posts = [
                post for monitor in self._reading.monitors if (post := self._take_over(monitor))
            ]
            if not posts:
                if is_new:
                    journal.unlink(missing_ok=True)
                return list(self._arguments)
            alive, held = os.pipe()
            held = _high(held)
            plan = Plan(
                pid=os.getpid(),
                name=self._name,
                posts=tuple(posts),
                left=self._reading.left,
                alive=alive,
                folder=str(self._folder),
                journal=str(journal),
                log=str(Path(self._settings.log).absolute()) if self._settings.log else "",
                rotate_bytes=self._settings.rotate_bytes,
                keep=self._settings.keep,
                redact=self._settings.redact,
                decode=self._settings.decode,
            )
            hand_over(plan, start_proxy())
            self._started = True
        except (OSError, NotStarted) as error:
            raise WrapError(f"no proxy can be started: {error}") from None
        finally:
            if not self._started:
                self._take_back()
        os.close(alive)
        os.set_inheritable(held, True)
        self._let_go()
        return rewrite(self._arguments, self._replacements)

    def _take_back(self) -> None:
        """Leave everything as it was: there will be no proxy."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        for path in self._paths:
            path.unlink(missing_ok=True)
            give_back(path, os.getpid())

    def _let_go(self) -> None:
        """Keep what is QEMU's, where it expects it, and nothing else."""
        for ours in self._ours:
            ours.close()
        for number, place in self._moves:
            os.dup2(number, place, inheritable=True)
            os.close(number)
        for replacement in self._replacements.values():
            if isinstance(replacement, int):
                os.set_inheritable(replacement, True)

    def _take_over(self, monitor: Monitor) -> Post | None:
        """
        Stand where a monitor was to be.

        :returns: None if that cannot be: then QEMU tries, and says so.
        """
        address = monitor.address
        shown = _shown(monitor)
        try:
            if isinstance(address, DescriptorAddress):
                handed = inherited(address)
                if handed is None:
                    return None
                if listens(handed):
                    return self._listening(monitor, shown, [handed])
                return self._connected(monitor, shown, handed)
            if monitor.server:
                return self._listening(monitor, shown, listen_at(address))
            if monitor.reconnect:
                return self._dialling(monitor, shown)
            return self._connected(monitor, shown, connect_to(address))
        except (OSError, ValueError, OverflowError):
            return None

    def _private_path(self) -> str:
        assert self._folder is not None
        return str(self._folder / str(next(self._private)))

    def _listening(self, monitor: Monitor, shown: str, public: list[socket.socket]) -> Post:
        private = socket.socket(socket.AF_UNIX)
        path = self._private_path()
        private.bind(path)
        private.listen()
        paths = []
        for listening in public:
            name = name_in_file_system(listening)
            # One that was handed over may have another name by now, which is nobody's business.
            with contextlib.suppress(OSError):
                if name:
                    status = Path(name).stat()
                    paths.append((str(Path(name).absolute()), status.st_dev, status.st_ino))
        self._paths += [Path(name) for name, _, _ in paths]
        self._give(monitor, private)
        numbers = tuple(self._keep(listening) for listening in public)
        return Post(monitor.name, shown, listening=numbers, paths=tuple(paths), monitor=path)

    def _connected(self, monitor: Monitor, shown: str, public: socket.socket) -> Post:
        ours, theirs = socket.socketpair()
        self._give(monitor, theirs)
        return Post(monitor.name, shown, connected=self._keep(public), joined=self._keep(ours))

    def _dialling(self, monitor: Monitor, shown: str) -> Post:
        client = client_place(monitor.address)
        waiting = socket.socket(socket.AF_UNIX)
        path = self._private_path()
        waiting.bind(path)
        waiting.listen()
        self._replacements[monitor] = path
        return Post(monitor.name, shown, client=client, waiting=self._keep(waiting))

    def _give(self, monitor: Monitor, theirs: socket.socket) -> None:
        number = _high(theirs.detach())
        if isinstance(monitor.address, DescriptorAddress):
            self._moves.append((number, monitor.address.number))
        else:
            self._replacements[monitor] = number

    def _keep(self, ours: socket.socket) -> int:
        self._ours.append(ours)
        return ours.fileno()


def _shown(monitor: Monitor) -> str:
    """An address as the string of an endpoint."""
    address = monitor.address
    if isinstance(address, DescriptorAddress):
        return f"fd:{address.number}"
    if isinstance(address, UnixAddress):
        path = address.path if address.abstract else str(Path(address.path).absolute())
        name = _escaped(path)
        return f"unix-abstract:{name}" if address.abstract else f"unix:{name}"
    return f"tcp:{_escaped(address.host)}:{_escaped(address.port)}"


def _environment() -> Mapping[Any, Any]:
    """What this process was started with: Python may have chosen another locale for itself."""
    try:
        said = Path("/proc/self/environ").read_bytes()
    except OSError:
        return os.environ
    pairs = (part.partition(b"=") for part in said.split(b"\0") if part)
    return {name: value for name, _, value in pairs}


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace(":", r"\:")


def _high(number: int) -> int:
    """Move a descriptor out of the way of low numbers."""
    moved = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    os.close(number)
    return moved


def _private_folder() -> Path:
    """A folder for this process alone, whose path leaves room for the name of a socket."""
    folder = Path(tempfile.mkdtemp(prefix="txqmp-")).absolute()
    if len(os.fsencode(folder)) > _LONG:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="txqmp-", dir="/tmp"))
    return folder


def _check_writable(journal: Path) -> bool:
    """
    See that the journal can be written: nobody reads the proxy's complaints in time.

    :returns: whether there was none.
    :raises WrapError: it cannot.
    """
    is_new = not journal.exists()
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
        number = os.open(journal, flags, 0o600)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(number)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK:
            raise WrapError(
                f"{journal}: it is in use by another process (put {{pid}} into its name)"
            ) from None
        raise WrapError(f"{journal}: {error.strerror}") from None
    except ValueError as error:
        raise WrapError(f"{journal}: {error}") from None
    return is_new
