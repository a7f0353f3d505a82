"""Monitors whose UNIX sockets appear in a folder and vanish from it."""

from __future__ import annotations

import glob
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()


class SocketWatch(MultiService):
    """
    Runs a service for each UNIX socket that is there.

    It looks at short intervals: a folder need not be there yet, may be on any file system, and
    what happened between two looks does not matter.

    :param pattern: a folder, or a glob such as ``/run/vm/*.qmp``.
    :param attend: makes the service for a socket; what it raises is logged, once for each time
        that the socket appears.
    :param clock: measures the intervals.
    :param interval: seconds between two looks.
    """

    def __init__(
        self,
        pattern: str,
        attend: Callable[[Path], IService],
        clock: IReactorTime,
        interval: float = 1.0,
    ) -> None:
        super().__init__()
        self._pattern = pattern
        self._attend = attend
        self._interval = interval
        self._attended: dict[Path, Any] = {}
        self._leaving: set[Deferred[None]] = set()
        self._problem = ""
        self._looked = False
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def startService(self) -> None:
        """Look for the first time, and go on."""
        super().startService()
        self._looking.start(self._interval).addErrback(self._blind)

    def stopService(self) -> Deferred[Any]:
        """Look no more, and stop what was started."""
        if self._looking.running:
            self._looking.stop()
        self._attended.clear()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await super().stopService()
        for leaving in list(self._leaving):
            await leaving

    def _blind(self, failure: Failure) -> None:
        _log.failure("the watch on {pattern} ended", failure, pattern=self._pattern)

    def _look(self) -> None:
        try:
            there = _sockets(self._pattern)
        except OSError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                _log.warn("cannot look: {problem}", problem=self._problem)
            return
        self._problem = ""
        if not there and not self._looked:
            _log.info("there is no socket at {pattern} yet", pattern=self._pattern)
        self._looked = True
        for path in self._attended.keys() - there:
            self._leave(path)
        for path in sorted(there - self._attended.keys()):
            self._attended[path] = self._attend_to(path)

    def _attend_to(self, path: Path) -> Any:
        try:
            service: Any = self._attend(path)
            service.setServiceParent(self)
        except Exception:
            _log.failure("{path} cannot be attended to", path=str(path))
            return None
        _log.info("{path} appeared", path=str(path))
        return service

    def _leave(self, path: Path) -> None:
        service = self._attended.pop(path)
        if service is None:
            return
        _log.info("{path} vanished", path=str(path))
        leaving: Deferred[None] = Deferred.fromCoroutine(_disown(service))
        self._leaving.add(leaving)
        leaving.addBoth(lambda _: self._leaving.discard(leaving))


async def _disown(service: Any) -> None:
    try:
        await maybeDeferred(service.disownServiceParent)
    except Exception:
        _log.failure("a monitor could not be let go")


def _sockets(pattern: str) -> set[Path]:
    folder = Path(pattern)
    found = folder.iterdir() if folder.is_dir() else map(Path, glob.iglob(pattern))  # noqa: PTH207
    return {path for path in found if _is_socket(path)}


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
