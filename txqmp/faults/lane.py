"""What is on its way to a client, in order, and what holds it up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txqmp.faults.choice import Strike
from txqmp.faults.rules import Rule


@dataclass(slots=True, eq=False)
class Parcel:
    """
    One message on its way to a client.

    :ivar raw: its bytes.
    :ivar hit: what it is: ``reply``, ``event``, ``greeting``; empty where no rule is about it.
    :ivar known: what a journal says of it: the name of its command, or of the event, its id.
    :ivar descriptors: file descriptors that go with it.
    :ivar fault: what is done to it when its turn has come.
    :ivar ours: the monitor did not say it.
    :ivar late: it was taken out of its place.
    :ivar torn: the message goes on after it, nobody knows how far.
    :ivar sent: how many of its bytes the client has got.
    :ivar over: it has had its turn.
    :ivar pieces: what is left to be sent of a message that goes in pieces.
    :ivar count: how many pieces it was, and how many descriptors went with it.
    """

    raw: bytes
    hit: str = ""
    known: dict[str, object] = field(default_factory=dict)
    descriptors: list[int] = field(default_factory=list)
    fault: Strike | None = None
    ours: bool = False
    late: bool = False
    torn: bool = False
    sent: int = 0
    over: bool = False
    pieces: deque[bytes] = field(default_factory=deque)
    count: tuple[int, int] = (0, 0)

    @property
    def is_inserted(self) -> bool:
        """Whether it comes where the monitor said nothing, or something else."""
        return self.ours or self.late

    def append(self, data: bytes) -> None:
        """Add what belongs to it and came later than the rest; it is not over yet."""
        self.raw += data
        if self.pieces:
            self.pieces[-1] += data


class Pause(NamedTuple):
    """
    Nothing goes on for a while.

    :ivar seconds: None where it is for ever.
    :ivar rule: that says so.
    """

    seconds: float | None
    rule: Rule


class Lane:
    """
    A queue that can be held up.

    :param clock: measures the pauses.
    :param give: takes what has its turn; a pause that it returns comes before the same parcel has
        another turn.
    :param freed: called when it is free again after it had been held up.
    """

    def __init__(
        self,
        clock: IReactorTime,
        give: Callable[[Parcel], Pause | None],
        freed: Callable[[], object],
    ) -> None:
        self._clock = clock
        self._give = give
        self._freed = freed
        self._queue: deque[Parcel | Pause] = deque()
        self._pause: Pause | None = None
        self._timer: IDelayedCall | None = None
        self._busy = False

    @property
    def is_free(self) -> bool:
        """Whether nothing waits in it, and what is put into it has its turn at once."""
        return not (self._queue or self._busy or self._pause)

    def put(self, item: Parcel | Pause) -> None:
        """Add a parcel, or a pause, behind what is there."""
        self._queue.append(item)
        if not self._busy:
            self._go_on()

    def stop(self) -> Iterator[tuple[Parcel, Rule | None]]:
        """
        Stop for good.

        :returns: each parcel that had no turn, and the rule that held it.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        queue, self._queue = self._queue, deque()
        rule = None if self._pause is None else self._pause.rule
        for item in queue:
            if isinstance(item, Pause):
                rule = item.rule
            else:
                yield item, rule

    def _go_on(self) -> None:
        self._busy = True
        while self._queue and self._pause is None:
            item = self._queue.popleft()
            if isinstance(item, Pause):
                self._begin(item)
            elif (pause := self._give(item)) is not None:
                self._queue.appendleft(item)
                self._begin(pause)
        self._busy = False

    def _begin(self, pause: Pause) -> None:
        self._pause = pause
        if pause.seconds is not None:
            self._timer = self._clock.callLater(pause.seconds, self._end)

    def _end(self) -> None:
        self._timer = None
        self._pause = None
        self._go_on()
        if self.is_free:
            self._freed()
