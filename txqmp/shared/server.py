"""What the clients of a shared monitor connect to, in either dialect: who is served, and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txqmp.errors import CommandError, CommandFailed, InvalidCommand
from txqmp.gateway.server import OnLoss
from txqmp.journal.record import Dialect
from txqmp.monitor.server import END, MonitorServer, MonitorServerFactory
from txqmp.policy.interface import IJudge
from txqmp.policy.judged import Judged
from txqmp.proxy.common import GONE, IMonitorListener, NoAnswer
from txqmp.proxy.links import Links
from txqmp.proxy.tapped import CONNECTION
from txqmp.shared.asked import Asked, Member
from txqmp.shared.monitor import SharedMonitor

LOST, BACK = "TXQMP_UPSTREAM_LOST", "TXQMP_UPSTREAM_BACK"
"""The events that tell clients that the monitor is gone, and that there is one again."""

WINDOW = 8
"""Commands of a client that are with the proxy or the monitor at a time."""


class _Place:
    """A command's place in its client's order; :ivar answer: what is said to it, once known."""

    __slots__ = ("answer",)

    def __init__(self) -> None:
        self.answer: bytes | None = None


class SharedServer(MonitorServer):
    """
    One connection of a client.

    Its commands go to the monitor up to a window, and are answered in their order. What is not
    for the monitor is answered here, in its place, when all before it is.

    :ivar dialect: what it speaks.
    """

    factory: SharedFactory
    dialect: Dialect
    member: Member

    def __init__(self, factory: Any) -> None:
        super().__init__(factory)
        self._places: deque[_Place] = deque()
        self._advancing = False
        self._judged: Judged | None = None
        self._delayed: Deferred[None] | None = None

    # What a dialect fills in.

    def _to_forward(self, item: Any) -> Any:
        """The command in what was read; None if it is not for the monitor."""
        raise NotImplementedError

    def _number(self, item: Any) -> int:
        """The number that a command has in the journal."""
        raise NotImplementedError

    def _asked(self, command: Any, item: Any, link: int, deliver: Callable[[Any], object]) -> Asked:
        """
        Make what is submitted for a command.

        :raises InvalidCommand: it cannot be sent.
        """
        raise NotImplementedError

    def _refused(self, item: Any) -> None:
        """A command is not submitted."""

    def _write_outcome(self, item: Any, outcome: Any) -> bytes:
        """Write an answer, with its line end."""
        raise NotImplementedError

    # The life of the connection.

    def connectionMade(self) -> None:
        """Greet the client."""
        factory = self.factory
        self.member = Member(self.memory.get(CONNECTION, 0))
        if factory.policy is not None:
            self._judged = Judged(factory.policy, self.dialect, self.transport, factory.reactor)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone: what it waited for is not sent, or its answer is dropped."""
        super().connectionLost(reason)
        self._places.clear()
        if self._delayed is not None:
            self._delayed.cancel()
        self.factory.monitor.leave(self.member, self._left_behind())

    def _left_behind(self) -> list[str]:
        """The descriptors of this client alone that the monitor still has, by name."""
        return []

    def monitor_lost(self) -> None:
        """The monitor is gone, and what clients have left in it. What is delayed was for it."""
        if self._delayed is not None:
            self._delayed.cancel()

    # Commands.

    def _advance(self) -> None:
        # What can be answered at once leads here again.
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._ahead and not self._held_up and self._begin():
                pass
        finally:
            self._advancing = False

    @property
    def _held_up(self) -> bool:
        return self._busy or self._blocked or self._delayed is not None

    def _begin(self) -> bool:
        item = self._ahead[0]
        command = None if item is END else self._to_forward(item)
        if command is None:
            return not self._places and self._begin_next()
        if len(self._places) >= self.factory.window:
            return False
        del self._ahead[0]
        place = _Place()
        self._places.append(place)
        deliver = partial(self._answered_in_place, place, item)
        link = self._number(item)
        try:
            delay = self._judge(command, link)
        except CommandFailed as denial:
            self._refuse(item, denial, deliver)
            return True
        if delay is None:
            self._submit(command, item, link, deliver)
            return True
        # Until then nothing after it begins.
        self._delayed = delay
        delay.addCallback(self._delay_over, command, item, link, deliver)
        delay.addErrback(self._delay_cut, item, deliver)
        delay.addErrback(self._unanswered)
        return True

    def _judge(self, command: Any, link: int) -> Deferred[None] | None:
        """
        See what a policy makes of a command.

        :returns: None, or what fires when the command may be submitted.
        :raises CommandFailed: it is denied.
        """
        return None if self._judged is None else self._judged.judge(command, link)

    def _delay_over(
        self, _: None, command: Any, item: Any, link: int, deliver: Callable[[Any], object]
    ) -> None:
        self._delayed = None
        self._submit(command, item, link, deliver)

    def _delay_cut(self, failure: Failure, item: Any, deliver: Callable[[Any], object]) -> None:
        failure.trap(CancelledError)
        self._delayed = None
        if not self._over:
            self._refuse(item, NoAnswer(GONE), deliver)

    def _refuse(self, item: Any, error: CommandError, deliver: Callable[[Any], object]) -> None:
        self._refused(item)
        deliver(error)

    def _submit(self, command: Any, item: Any, link: int, deliver: Callable[[Any], object]) -> None:
        if self._over or self._closing:
            return
        try:
            asked = self._asked(command, item, link, deliver)
        except (CommandError, InvalidCommand) as error:
            failed = error if isinstance(error, CommandError) else CommandFailed(str(error))
            self._refuse(item, failed, deliver)
        else:
            self.factory.monitor.submit(asked)
        self._advance()
        self._regulate()

    def _answered_in_place(self, place: _Place, item: Any, outcome: Any) -> None:
        if self._over or self._closing:
            return
        place.answer = self._write_outcome(item, outcome)
        while self._places and (answer := self._places[0].answer) is not None:
            self._places.popleft()
            self._hand_out(answer)
        self._advance()
        self._regulate()

    def _hand_out(self, answer: bytes) -> None:
        if self._blocked:
            # After the events that came before it.
            self._events.append(answer)
        else:
            self.write(answer)


@implementer(IMonitorListener)
class SharedFactory(MonitorServerFactory):
    """
    Makes servers of a dialect that share a monitor.

    :param monitor: the monitor; the factory becomes a listener of it.
    :param links: numbers the commands.
    :param table: what is answered here.
    :param reactor: measures all times; the global reactor where it is None.
    :param window: commands of a client that are with the proxy or the monitor at a time.
    :param policy: judges each command before it is queued; None to let everything by.
    :param on_loss: hold the clients, or close their connections, when the monitor is gone.
    :param settings: see the dialect's factory.
    """

    connections: set[SharedServer]  # type: ignore[assignment]

    def __init__(
        self,
        monitor: SharedMonitor,
        links: Links,
        table: Any,
        reactor: Any = None,
        *,
        window: int = WINDOW,
        policy: IJudge | None = None,
        on_loss: OnLoss = "hold",
        **settings: Any,
    ) -> None:
        # The dialect's factory comes next.
        super().__init__(table, reactor, **settings)  # type: ignore[call-arg]
        self.monitor = monitor
        self.links = links
        self.window = window
        self.policy = policy
        self._on_loss = on_loss
        self._was_lost = False
        monitor.listeners.append(self)

    def _announce(self, name: str, greeting: Any = None) -> None:
        """
        Tell all clients what has become of the monitor.

        :param greeting: of the one that is there.
        """
        raise NotImplementedError

    def _greeted(self, greeting: Any) -> None:
        """There is a monitor: from now on clients are greeted as it does."""
        raise NotImplementedError

    # What the monitor does.

    def monitor_ready(self, greeting: Any) -> None:
        """It takes commands."""
        self._greeted(greeting)
        if self._was_lost:
            self._was_lost = False
            self._announce(BACK, greeting)

    def monitor_event(self, event: Any) -> None:
        """Tell all clients."""
        raise NotImplementedError

    def monitor_lost(self) -> None:
        """It is gone; whoever waited for it was told."""
        self._was_lost = True
        for connection in self.connections:
            connection.monitor_lost()
        if self._on_loss == "close":
            self.close_connections()
        else:
            self._announce(LOST)

    def close_connections(self) -> None:
        """Close all connections, once what was written has been read."""
        for connection in list(self.connections):
            connection.close()
