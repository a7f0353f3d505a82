"""A relay's conversation with something in it that decides what reaches the other end, and when."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from txqmp.journal.record import Direction
from txqmp.proxy.descriptors import close_all
from txqmp.proxy.relay import Conversation, Name, Side


class IInterposer(Interface):
    """Stands between the two ends of a conversation; nothing passes but by it."""

    def hear(way: Direction, data: bytes, descriptors: list[int]) -> None:
        """
        One end said something.

        :param way: where it goes.
        :param descriptors: that came with its first byte; they are the interposer's from now on.
        """

    def client_reads(reads: bool) -> None:
        """The client has fallen behind with reading what it is told, or has caught up."""

    def when_asked_all(then: Callable[[], object]) -> None:
        """
        The client says no more.

        :param then: to be called when the monitor was sent all of it that it is to get.
        """

    def when_at_rest(then: Callable[[], object]) -> None:
        """
        The monitor says no more.

        :param then: to be called when the client was sent all that it is to get.
        """

    def client_is_gone() -> None:
        """Nobody is there any more who could be told something."""

    def stop() -> None:
        """The conversation ends now: nothing is to be sent any more."""


class IEnds(Interface):
    """The two ends of a conversation, and the tap."""

    def write(way: Direction, data: bytes, descriptors: list[int]) -> None:
        """
        Pass bytes on to one end.

        :param descriptors: go with the first of them.
        """

    def heard(way: Direction, data: bytes, descriptors: int = 0) -> None:
        """Let the tap hear what was said to one end."""

    def fault(
        way: Direction,
        fields: dict[str, Any],
        of_last: bool = False,
        withheld: bytes = b"",
        delivered: int = 0,
    ) -> None:
        """Let the tap hear what was done, as :class:`~txqmp.proxy.hearing.ITap` has it."""

    def verdict(fields: dict[str, Any], raw: bytes, sent: bool) -> None:
        """Let the tap hear what a policy made of what it has heard last, as it has it."""

    def client() -> Any:
        """The client's transport."""

    def read(wanted: bool, way: Direction | None = None) -> None:
        """
        Read from an end, or do not for a while.

        :param way: where goes what is read; None for both.
        """

    def close(reason: str) -> None:
        """End the conversation."""


Interpose = Callable[[Any, Conversation], Any]
"""
Makes an :class:`IInterposer` for the :class:`IEnds` of a conversation, both of which are there.
"""


class InterposedSide(Side):
    """
    One of the two ends of a conversation that has an interposer.

    :ivar between: stands between it and the other; None until both are there.
    """

    def __init__(self, name: Name, conversation: Conversation, interpose: Interpose) -> None:
        super().__init__(name, conversation)
        self._interpose = interpose
        self.between: Any = None

    def join(self, other: Side) -> None:
        """Have what comes here sent to ``other``, as the interposer will have it."""
        super().join(other)
        assert isinstance(other, InterposedSide)
        if other.between is not None:
            self.between = other.between
            return
        client, monitor = (self, other) if self.name == "client" else (other, self)
        self.between = self._interpose(
            Ends(self._conversation, client, monitor), self._conversation
        )

    def _producer(self) -> Any:
        return _Throttle(self) if self.name == "monitor" else self.transport

    def dataReceived(self, data: bytes) -> None:
        """Let the interposer have it."""
        descriptors = self._descriptors.copy()
        self._descriptors.clear()
        if self.between is None:
            close_all(descriptors)
        elif self.name == "client":
            self.between.hear(Direction.TO_MONITOR, data, descriptors)
        else:
            if self.greets(data):
                self._conversation.wait_no_more()
            self.between.hear(Direction.TO_CLIENT, data, descriptors)

    def greets(self, data: bytes) -> bool:
        """Whether that is a monitor's greeting. White space is none: it says no dialect."""
        return not data.isspace()

    def send(self, data: bytes, descriptors: list[int]) -> None:
        """Send the other end something in the place of this one."""
        if descriptors:
            self._descriptors += descriptors
            self._pass_on_descriptors()
        if self.other is not None and not self.other.lost:
            self._pass_on(data)

    def readConnectionLost(self) -> None:
        """This end says no more; the other hears that when it has all that is to reach it."""
        self._when_passed_on(super().readConnectionLost)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """This end is gone: the other gets what is to reach it, then it goes, too."""
        if self.between is not None and self.name == "client":
            self.between.client_is_gone()
        super().connectionLost(reason)

    def _leave(self) -> None:
        self._when_passed_on(super()._leave)

    def _when_passed_on(self, then: Callable[[], object]) -> None:
        if self.between is None:
            then()
        elif self.name == "client":
            self.between.when_asked_all(then)
        else:
            self.between.when_at_rest(then)

    def close(self) -> None:
        """Lose the connection; what the interposer holds is not sent any more."""
        if self.between is not None and self.name == "client":
            self.between.stop()
        super().close()


@implementer(IPushProducer)
class _Throttle:
    """What the client's transport has for its producer: the monitor's end, and the interposer."""

    def __init__(self, monitor: InterposedSide) -> None:
        self._monitor = monitor

    def pauseProducing(self) -> None:
        """The client does not read."""
        self._monitor.wire.pauseProducing()
        self._monitor.between.client_reads(False)

    def resumeProducing(self) -> None:
        """It reads again."""
        self._monitor.wire.resumeProducing()
        self._monitor.between.client_reads(True)

    def stopProducing(self) -> None:
        """It is gone."""
        self._monitor.wire.stopProducing()


@implementer(IEnds)
class Ends:
    """The ends of a conversation as its interposer has them."""

    def __init__(
        self, conversation: Conversation, client: InterposedSide, monitor: InterposedSide
    ) -> None:
        self._from = {Direction.TO_MONITOR: client, Direction.TO_CLIENT: monitor}
        self._conversation = conversation
        self.fault = partial(conversation.tell, "fault")
        self.verdict = partial(conversation.tell, "verdict")
        self.close = conversation.close

    def client(self) -> Any:
        """The client's transport."""
        return self._from[Direction.TO_MONITOR].wire

    def write(self, way: Direction, data: bytes, descriptors: list[int]) -> None:
        """Pass bytes on to one end, with descriptors."""
        self._from[way].send(data, descriptors)

    def heard(self, way: Direction, data: bytes, descriptors: int = 0) -> None:
        """Let the tap hear what was said to one end."""
        self._conversation.heard(self._from[way], data, descriptors)

    def read(self, wanted: bool, way: Direction | None = None) -> None:
        """Read from an end, or from both, or do not for a while."""
        for heads_for, side in self._from.items():
            if way in (None, heads_for) and not side.lost:
                (side.wire.resumeProducing if wanted else side.wire.pauseProducing)()
