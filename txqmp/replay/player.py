"""A recording on the stage: who gets which conversation, and when what is said."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txqmp.replay.matching import MODES, Asked, Mode, NotRecorded, make_matcher, shown
from txqmp.replay.recording import Recording
from txqmp.replay.script import Exchange, Said, Script

_log = Logger()

MAX_UNEXPECTED = 1000
"""Commands kept of those that are not in the record."""


class Replay:
    """
    A recording that is replayed to any number of clients.

    Each new client gets the next conversation; after the last comes the first again.

    :ivar recording: what is replayed.
    :ivar clock: measures all times.
    :ivar mode: ``strict`` or ``loose``.
    :ivar unexpected: what was asked and not in the record, in words; of many, the latest.
    :param speed: how many times as fast as recorded; 0: nothing is waited for.
    :raises ValueError: an unknown mode, or a negative speed.
    """

    def __init__(
        self, recording: Recording, clock: IReactorTime, mode: Mode = "strict", speed: float = 1.0
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode is strict or loose, not {mode!r}")
        if not 0 <= speed < float("inf"):
            raise ValueError(f"speed is 0 or more, not {speed:g}")
        self.recording = recording
        self.clock = clock
        self.mode = mode
        self.unexpected: deque[str] = deque(maxlen=MAX_UNEXPECTED)
        self._speed = speed
        self._clients = 0
        self._asked: list[set[int]] = [set() for _ in recording.conversations]

    def begin(self) -> Player:
        """
        Take the part of the monitor for a new client.

        :raises JournalError: the journal cannot be read any more.
        """
        index = self._clients % len(self._asked)
        script = self.recording.script(self.recording.conversations[index])
        self._clients += 1
        return Player(self, script, self._asked[index])

    def delay(self, seconds: float) -> float:
        """How long what was recorded as so many seconds takes now."""
        return seconds / self._speed if self._speed else 0.0

    def refused(self, asked: str) -> None:
        """Something was asked that is not in the record."""
        self.unexpected.append(asked)
        _log.warn("not in the record: {asked}", asked=asked)

    def unasked(self) -> Iterator[str]:
        """The recorded commands that no client has asked yet, in words, in their order."""
        for conversation, asked in zip(self.recording.conversations, self._asked, strict=True):
            if len(asked) < conversation.commands:
                for exchange in self.recording.script(conversation).exchanges:
                    if exchange.name and exchange.place not in asked:
                        yield shown(exchange.name, exchange.arguments)


class Player:
    """
    The monitor of one client.

    :ivar script: what it plays.
    :param replay: what it is a part of.
    :param asked: the places of the commands that were asked; it adds to them.
    """

    def __init__(self, replay: Replay, script: Script, asked: set[int]) -> None:
        self.script = script
        self._replay = replay
        self._asked = asked
        self._matcher = make_matcher(replay.mode, script)
        self._played: set[int] = set()
        self._trails: list[_Trail] = []
        self._say: Callable[[Said], None] = lambda said: None

    def begin(self, say: Callable[[Said], None]) -> None:
        """
        The client was greeted.

        :param say: tells the client of an event, or of the end, at once.
        """
        self._say = say
        self._follow(-1, self.script.before)

    def stop(self) -> None:
        """The client is gone."""
        for trail in self._trails:
            trail.stop()
        self._trails.clear()

    def find(self, asked: Asked) -> Exchange:
        """
        Find what a client asks for in the record.

        :raises NotRecorded: it is not there.
        """
        exchange = self._matcher.find(asked)
        if exchange.name:
            self._asked.add(exchange.place)
        return exchange

    def fit(self, raw: bytes) -> bytes:
        """Write a recorded message with the client's names."""
        return self._matcher.names.fit(raw)

    def refused(self, asked: Asked) -> None:
        """The client was refused what it asked for."""
        self._replay.refused(str(asked))

    async def answer(self, exchange: Exchange, tell: Callable[[Said], Awaitable[None]]) -> None:
        """
        Say what was said to a command, each thing at its time.

        :param tell: says one thing when the client reads.
        :raises NotRecorded: the reply is not in the journal.
        """
        for trail in self._trails:
            # What had been said before is said before.
            if trail.place < exchange.place:
                trail.hurry()
        self._trails = [trail for trail in self._trails if not trail.is_over]
        if exchange.is_withheld:
            raise NotRecorded("the answer was secret, and is not in the journal")
        for said in exchange.answer:
            delay = self._replay.delay(said.delay)
            if delay:
                await deferLater(self._replay.clock, delay)
            await tell(said)
        if not exchange.is_answered and not exchange.ends:
            raise NotRecorded("it was not answered in the journal")

    def answered(self, exchange: Exchange) -> None:
        """The answer was given: what was said after it follows, the first time."""
        if exchange.place not in self._played:
            self._played.add(exchange.place)
            self._follow(exchange.place, exchange.after)

    def _follow(self, place: int, said: list[Said]) -> None:
        if said:
            trail = _Trail(self._replay, place, said, self._say)
            self._trails.append(trail)
            trail.go_on()


class _Trail:
    """What was said between the reply to a command and the next command."""

    def __init__(
        self, replay: Replay, place: int, said: list[Said], say: Callable[[Said], None]
    ) -> None:
        self.place = place
        self._replay = replay
        self._left = deque(said)
        self._say = say
        self._timer: IDelayedCall | None = None

    @property
    def is_over(self) -> bool:
        return not self._left

    def go_on(self) -> None:
        """Say what it is time for, and wait for the rest."""
        while self._left:
            delay = self._replay.delay(self._left[0].delay)
            if delay:
                clock: Any = self._replay.clock
                self._timer = clock.callLater(delay, self._due)
                return
            self._say(self._left.popleft())

    def _due(self) -> None:
        self._timer = None
        self._say(self._left.popleft())
        self.go_on()

    def hurry(self) -> None:
        """Say the rest at once."""
        self._cancel()
        while self._left:
            self._say(self._left.popleft())

    def stop(self) -> None:
        """Say no more."""
        self._cancel()
        self._left.clear()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
