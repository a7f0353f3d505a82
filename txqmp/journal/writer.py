"""
The journal as the proxy sees it: records go in, in the reactor thread; nothing ever comes back.

The conversation is never held up by it. A record that cannot be kept is counted, logged,
and told of in the journal itself by a ``gap``.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from txqmp.journal.file import JournalFile
from txqmp.journal.lines import Liner
from txqmp.journal.record import Entry, Kind, Record, encode, iso_time

__all__ = ["Journal", "JournalFile"]

_log = Logger()

_CHUNK = 64 * 1024
"""Bytes handed to the file at once, where more waits."""
_PAUSE = 0.01
"""
Seconds before records go to a worker: what comes meanwhile goes with them. To wake it, and the
reactor when it is done, costs more than a dozen records.
"""


@dataclass(slots=True)
class _Lines:
    """Records that wait to be written."""

    data: bytes
    count: int
    since: float


@dataclass(slots=True)
class _Loss:
    """Records that are missing here, and nothing in the journal says so yet."""

    count: int
    problem: str
    since: float

    def and_then(self, later: _Loss) -> _Loss:
        return _Loss(self.count + later.count, self.problem, self.since)


@dataclass(slots=True)
class _Outcome:
    """What a worker tells the reactor thread."""

    data: int = 0
    lost: int = 0
    problem: str = ""
    whole: bool = False
    closed: bool = False


class Journal:
    """
    A journal that records go to from the reactor thread.

    Lines wait in a backlog for the one worker at a time that writes them, so that a slow or
    hung disk delays nothing but itself.

    :param path: of the file; see :class:`~txqmp.journal.file.JournalFile`.
    :param rotate_bytes: the size of a file in bytes; 0 for no rotation.
    :param keep: how many rotated files are kept.
    :param redact: take secrets out of the records.
    :param max_backlog: bytes that may wait; what comes while they do is lost.
    :param in_thread: runs a function in another thread; without it, the reactor's
        ``callInThread``.
    :param from_thread: takes a function from there back to the reactor thread; without it,
        the reactor's ``callFromThread``, or with an ``in_thread`` of your own a plain call.
    :ivar run: a mark of eight hexadecimal digits that every record of this journal bears.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rotate_bytes: int = 100_000_000,
        keep: int = 10,
        redact: bool = True,
        max_backlog: int = 16 * 1024 * 1024,
        in_thread: Callable[[Callable[[], None]], object] | None = None,
        from_thread: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.run = secrets.token_hex(4)
        # A pause of the reactor's, and none where there may be no reactor.
        self._call_later = _call_later if in_thread is None else None
        self._pause: IDelayedCall | None = None
        self._in_thread = in_thread or _call_in_thread
        if from_thread is None:
            from_thread = _call_from_thread if in_thread is None else _call
        self._from_thread = from_thread
        self._file = JournalFile(path, rotate_bytes=rotate_bytes, keep=keep, log_in=from_thread)
        self._liner = Liner(self.run, redact)
        self._chunk = min(_CHUNK, rotate_bytes or _CHUNK)
        self._max_backlog = max_backlog
        self._backlog = 0
        self._queue: list[_Lines | _Loss] = []
        self._state = "new"
        self._working = False
        self._waiting: list[Deferred[None]] = []
        self._lost = 0
        self._losing: int | None = None
        # The worker's own, from one worker to the next.
        self._owed: _Loss | None = None

    @property
    def lost(self) -> int:
        """How many records were lost, in all."""
        return self._lost

    def open(self) -> None:
        """
        Open the file. It blocks, if only for as long as that takes.

        :raises JournalError: if it cannot be opened, or another process writes to it.
        """
        self._file.open()
        self._state = "open"

    def record(self, records: Sequence[Entry]) -> None:
        """
        Write records, and runs of them, in this order and after all that came before. It never
        raises.

        They are the journal's from now on: it marks them with its ``run``.
        """
        if not records:
            return
        if self._state != "open":
            self._lose(sum(map(_count, records)), "the journal is not open")
            return
        data, count, lost = self._liner.text(records)
        if lost:
            self._lose(lost, "the record cannot be written as JSON")
        if self._backlog + len(data) > self._max_backlog:
            self._lose(count, f"more than {self._max_backlog} bytes wait to be written")
        elif count:
            self._backlog += len(data)
            self._queue.append(_Lines(data, count, time.time()))
        self._start()

    def close(self) -> Deferred[None]:
        """
        Write what waits, and close the file.

        :returns: fires when that is done, however it went. A disk that hangs holds it up.
        """
        if self._state in ("new", "closed"):
            self._state = "closed"
            return succeed(None)
        self._state = "closing"
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        self._start()
        if self._pause is not None:
            self._pause.cancel()
            self._begin()
        return waiting

    def _lose(self, count: int, problem: str) -> None:
        self._count_lost(count, problem)
        loss = _Loss(count, problem, time.time())
        if self._queue and isinstance(self._queue[-1], _Loss):
            self._queue[-1] = self._queue[-1].and_then(loss)
        elif self._state != "closed":
            self._queue.append(loss)

    def _count_lost(self, count: int, problem: str) -> None:
        self._lost += count
        if self._losing is None:
            self._losing = 0
            _log.error(
                "records of the journal {path} are being lost: {problem}",
                path=str(self._file.path),
                problem=problem,
            )
        self._losing += count

    def _start(self) -> None:
        if self._working or not (self._queue or self._state == "closing"):
            return
        self._working = True
        if self._call_later is None or self._state == "closing":
            self._begin()
        else:
            self._pause = self._call_later(_PAUSE, self._begin)

    def _begin(self) -> None:
        self._pause = None
        last = self._state == "closing"
        entries, self._queue = self._queue, []
        work = partial(self._work, entries, last)
        try:
            self._in_thread(work)
        except Exception as error:
            # No thread to be had. At the end the reactor thread has the time to do it.
            if last:
                work()
                return
            self._working = False
            for entry in entries:
                if isinstance(entry, _Lines):
                    self._backlog -= len(entry.data)
                    self._lose(entry.count, f"no thread to write in: {error}")

    def _work(self, entries: list[_Lines | _Loss], last: bool) -> None:
        outcome = _Outcome(closed=last)
        for entry in _joined(entries, self._chunk):
            if isinstance(entry, _Loss):
                self._owe(entry)
                continue
            outcome.data += len(entry.data)
            problem = self._put(entry.data)
            if problem:
                outcome.lost += entry.count
                outcome.problem = problem
                self._owe(_Loss(entry.count, problem, entry.since))
        if self._owed is not None and (last or not outcome.problem):
            self._put(b"")
        outcome.whole = self._owed is None
        if last:
            self._file.close()
        self._from_thread(partial(self._done, outcome))

    def _owe(self, loss: _Loss) -> None:
        self._owed = loss if self._owed is None else self._owed.and_then(loss)

    def _put(self, data: bytes) -> str:
        """Write, with what is owed before it; return what went wrong."""
        try:
            if self._owed is not None:
                data = encode(self._gap(self._owed)) + data
            self._file.write(data)
        except Exception as error:
            return (isinstance(error, OSError) and error.strerror) or str(error)
        self._owed = None
        return ""

    def _gap(self, loss: _Loss) -> Record:
        return Record(
            time=time.time(),
            mono=time.monotonic(),
            monitor="",
            connection=0,
            seq=0,
            kind=Kind.GAP,
            fields={"lost": loss.count, "problem": loss.problem, "since": iso_time(loss.since)},
            run=self.run,
        )

    def _done(self, outcome: _Outcome) -> None:
        self._working = False
        self._backlog -= outcome.data
        if outcome.lost:
            self._count_lost(outcome.lost, outcome.problem)
        unsaid = any(isinstance(entry, _Loss) for entry in self._queue)
        if outcome.whole and self._losing is not None and not unsaid:
            _log.info(
                "the journal {path} is written again; {lost} records were lost",
                path=str(self._file.path),
                lost=self._losing,
            )
            self._losing = None
        if not outcome.closed:
            self._start()
            return
        self._state = "closed"
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)


def _joined(entries: list[_Lines | _Loss], limit: int) -> Iterator[_Lines | _Loss]:
    """Join neighbours to chunks of at most ``limit`` bytes: fewer, larger writes."""
    chunk: list[_Lines] = []
    size = 0
    for entry in entries:
        if chunk and (isinstance(entry, _Loss) or size + len(entry.data) > limit):
            yield _join(chunk)
            chunk, size = [], 0
        if isinstance(entry, _Loss):
            yield entry
        else:
            chunk.append(entry)
            size += len(entry.data)
    if chunk:
        yield _join(chunk)


def _join(chunk: list[_Lines]) -> _Lines:
    return _Lines(
        b"".join(lines.data for lines in chunk), sum(lines.count for lines in chunk), chunk[0].since
    )


def _count(entry: Entry) -> int:
    return 1 if isinstance(entry, Record) else entry.count


def _call(function: Callable[[], None]) -> None:
    function()


def _call_later(seconds: float, function: Callable[[], None]) -> IDelayedCall:
    from twisted.internet import reactor

    return reactor.callLater(seconds, function)


def _call_in_thread(function: Callable[[], None]) -> None:
    from twisted.internet import reactor

    reactor.callInThread(function)  # type: ignore[attr-defined]


def _call_from_thread(function: Callable[[], None]) -> None:
    from twisted.internet import reactor

    reactor.callFromThread(function)  # type: ignore[attr-defined]
