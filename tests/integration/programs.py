"""Programs that tests run, talk to, wait for and stop."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a test gives up; nothing is measured by it."""


class Program(ProcessProtocol):
    """A running program, what it has said, and how it ended."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.status: int | None = None
        self.pid = 0
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def outReceived(self, data: bytes) -> None:
        self.out += data
        self._look()

    def errReceived(self, data: bytes) -> None:
        self.err += data
        self._look()

    def processEnded(self, reason: Failure) -> None:
        value: Any = reason.value
        self.status = -value.signal if value.signal else value.exitCode
        self._look()

    def _look(self) -> None:
        for pair in list(self._waiting):
            if pair[0]():
                self._waiting.remove(pair)
                pair[1].callback(None)

    async def until(self, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
        """
        Wait until something is so; what it said is shown if it never is.

        :param patience: seconds.
        """
        from twisted.internet import reactor

        if condition():
            return
        waiting: Deferred[None] = Deferred()
        self._waiting.append((condition, waiting))
        waiting.addTimeout(patience, reactor)
        try:
            await waiting
        except Exception as error:
            raise AssertionError(f"it never came\nout: {self.out!r}\nerr: {self.err!r}") from error

    async def says(self, text: bytes) -> None:
        """Wait until it has said this."""
        await self.until(lambda: text in self.out + self.err or self.status is not None)
        assert text in self.out + self.err, (self.out, self.err, self.status)

    async def ends(self) -> int:
        """Wait for the end; minus the signal that ended it, or its exit status."""
        await self.until(lambda: self.status is not None)
        assert self.status is not None
        return self.status

    def write(self, data: bytes) -> None:
        """Type something."""
        assert self.transport is not None
        self.transport.write(data)

    def end_input(self) -> None:
        """Type no more."""
        assert self.transport is not None
        self.transport.closeStdin()

    def kill(self, name: str = "KILL") -> None:
        """Send a signal, if it is still there."""
        try:
            assert self.transport is not None
            self.transport.signalProcess(name)
        except ProcessExitedAlready:
            pass

    async def terminate(self) -> None:
        """Ask it to end, and see that it does so in order (twistd ends by the signal)."""
        self.kill("TERM")
        assert await self.ends() in (0, -signal.SIGTERM), self.err

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.pid = int(self.transport.pid)

    def resident(self) -> int:
        """Bytes of memory it has now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def open_files(self) -> list[str]:
        """What it has open now."""
        names = []
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed in between
                names.append(str(link.readlink()))
        return sorted(names)

    async def closes_all_but(self, names: list[str]) -> None:
        """Wait until it has no files open but these (some of which it may have closed)."""

        def others() -> Counter[str]:
            return Counter(self.open_files()) - Counter(names)

        with suppress(AssertionError):
            await eventually(lambda: not others())
        assert not others()


class Programs:
    """Starts programs, and stops them all at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Program] = []

    def start(self, *argv: str, files: Sequence[int] | Mapping[int, int] = ()) -> Program:
        """
        Run a program in the test's folder.

        :param files: descriptors that it inherits, by the same numbers or by others.
        """
        inherited = files if isinstance(files, Mapping) else {file: file for file in files}
        from twisted.internet import reactor

        program = Program()
        executable = shutil.which(argv[0])
        assert executable is not None, f"{argv[0]} is not installed"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        reactor.spawnProcess(  # type: ignore[attr-defined]
            program,
            executable,
            argv,
            env=environment,
            path=str(self.folder),
            childFDs={0: "w", 1: "r", 2: "r", **inherited},
        )
        self._started.append(program)
        return program

    def python(self, *argv: str) -> Program:
        """Run this Python, with the checkout on its path."""
        return self.start(sys.executable, *argv)

    def twistd(self, *argv: str, files: Sequence[int] = ()) -> Program:
        """Run twistd in the foreground."""
        twistd = str(Path(sys.executable).with_name("twistd"))
        pidfile = f"--pidfile=twistd{len(self._started)}.pid"
        return self.start(twistd, "-n", pidfile, *argv, files=files)

    async def qemu(self, name: str = "qemu.sock", *options: str) -> Program:
        """Start a QEMU without a machine, its monitor on a UNIX socket."""
        path = self.folder / name
        machine = options or ("-machine", "none", "-nodefaults")
        program = self.start(
            "qemu-system-x86_64", *machine, "-display", "none",
            "-qmp", f"unix:{path},server=on,wait=off",
        )  # fmt: skip
        await eventually(lambda: program.status is not None or listens(path))
        assert program.status is None, program.err
        return program

    async def stop(self) -> None:
        """Stop all that still run."""
        for program in self._started:
            if program.status is None:
                program.kill("TERM" if program.transport is not None else "KILL")
                # A stopped program would not hear it.
                os.kill(program.pid, signal.SIGCONT)
                await program.ends()


def listens(path: Path) -> bool:
    """Whether a UNIX socket takes connections, found out without making one."""
    table = Path("/proc/net/unix").read_text().splitlines()
    return any(line.endswith(f" {path}") and line.split()[3] == "00010000" for line in table)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody announces."""
    from twisted.internet import reactor

    for _ in range(int(PATIENCE / 0.01)):
        if condition():
            return
        await deferLater(reactor, 0.01)  # type: ignore[arg-type]
    raise AssertionError("it never came to be")


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for the name of a UNIX socket (107 bytes in all)."""
    folder = Path(tempfile.mkdtemp(prefix="q"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def records(path: Path) -> Sequence[Any]:
    """All that a journal holds."""
    from txqmp.journal.reader import read

    return list(read(path))


def as_it_happened(path: Path) -> Sequence[Any]:
    """The same in order of time: in the file other connections may be out of order."""
    return sorted(records(path), key=lambda record: record.mono)
