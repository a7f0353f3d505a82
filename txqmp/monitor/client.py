"""What the clients of both dialects share: greeting, commands, events, the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

from txqmp.errors import (
    BoundExceeded,
    CommandInterrupted,
    ConnectionUnusable,
    GreetingTimeout,
    ProtocolViolation,
)
from txqmp.monitor.closing import GracefulClose, abort, ending_text
from txqmp.monitor.events import EventHub, EventQueue, NamedEvent, Subscription, Wanted
from txqmp.monitor.framing import BoundedLineReceiver
from txqmp.monitor.observer import OneShotObserver
from txqmp.monitor.pending import CommandQueue, Pending

_log = Logger()
_E = TypeVar("_E", bound=NamedEvent)
_G = TypeVar("_G")


class IMonitorClient(Interface):
    """A connection to a monitor, whatever its dialect."""

    greeting = Attribute("What the monitor said first, or None before it has.")

    def execute(command: str, arguments: Any = None) -> Deferred[Any]:
        """
        Send a command; the Deferred fires with its reply, or fails with a CommandError.

        Arguments are a dialect's own: any number of words in text, one mapping in JSON. Both
        take the keyword ``timeout``, in seconds.
        """

    def subscribe(wanted: Any, callback: Callable[[Any], object]) -> Any:
        """Call back with events, by name or predicate, until the result is cancelled."""

    def wait_for_event(wanted: Any, timeout: float | None = None) -> Deferred[Any]:
        """Wait for the next event of a name, or that a predicate likes."""

    def events(wanted: Any = None, limit: int = 1000) -> Any:
        """Keep events, to be taken with ``async for``."""

    def when_greeted() -> Deferred[Any]:
        """Fires with the greeting; fails when there will be none."""

    def when_disconnected() -> Deferred[Exception]:
        """Fires with the reason once the connection is over."""

    def close() -> Deferred[Exception]:
        """End the connection; fires as ``when_disconnected`` does."""


class MonitorClientFactory(Factory):
    """
    Settings of the clients of either dialect.

    :param reactor: measures all times; the global reactor where it is None.
    :param greeting_timeout: seconds in which the greeting must be there.
    :param command_timeout: seconds in which a reply must be there, where ``execute`` does
        not say; None: for ever.
    :param window: commands sent ahead at most (rule 4); 1 turns pipelining off.
    :param max_queue: commands that may wait, sent or not.
    :param max_line: bytes in a line of the monitor (rule 12).
    :param max_response: bytes in the data of one reply (rule 12).
    :param late_reply_timeout: seconds for which the reply to a command that was cancelled or
        timed out may still come once it is the next; after them the connection is given up
        (rule 5).
    :param unknown_event: called with each event that nobody subscribed to.
    """

    noisy = False

    def __init__(
        self,
        reactor: Any = None,
        *,
        greeting_timeout: float = 30.0,
        command_timeout: float | None = None,
        window: int = 64,
        max_queue: int = 10_000,
        max_line: int = 1024 * 1024,
        max_response: int = 64 * 1024 * 1024,
        late_reply_timeout: float = 60.0,
        unknown_event: Callable[[Any], object] | None = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        if window < 1 or max_queue < 1:
            raise ValueError("window and max_queue must be at least 1")
        self.reactor = reactor
        self.greeting_timeout = greeting_timeout
        self.command_timeout = command_timeout
        self.window = window
        self.max_queue = max_queue
        self.max_line = max_line
        self.max_response = max_response
        self.late_reply_timeout = late_reply_timeout
        self.unknown_event = unknown_event


class MonitorClient(BoundedLineReceiver, Generic[_G, _E]):
    """
    One connection to a monitor.

    A dialect's client says how a line is read, what may come when, and what is done then; it
    calls ``_greeted``, ``_event`` and ``_violated``.

    :ivar greeting: what the monitor said first, or None before it has.
    :cvar dialect: ``text`` or ``json``.
    :cvar LEGAL: what a server may send in which state, and what is done then. All else is a
        :class:`~txqmp.ProtocolViolation`; once the connection is over nothing is read any more.
    """

    factory: MonitorClientFactory
    greeting: _G | None = None
    dialect: ClassVar[str]
    LEGAL: ClassVar[Mapping[tuple[Any, type], Callable[[Any, Any], None]]]
    _queue_class: ClassVar[type[CommandQueue]] = CommandQueue

    def __init__(self, factory: MonitorClientFactory) -> None:
        super().__init__()
        clock: IReactorTime = factory.reactor
        self.factory = factory
        self.MAX_LENGTH = factory.max_line
        self._clock = clock
        self._commands = self._queue_class(
            clock,
            factory.window,
            factory.max_queue,
            factory.late_reply_timeout,
            self._send,
            self._overdue,
        )
        self._hub: EventHub[_E] = EventHub(clock, self.canonical_event)
        self._when_greeted: OneShotObserver[_G] = OneShotObserver()
        self._when_disconnected: OneShotObserver[Exception] = OneShotObserver()
        self._end = GracefulClose(clock)
        self._greeting_timer: IDelayedCall | None = None
        self._connected = False
        self._over: Exception | None = None

    # What a dialect fills in.

    def canonical_event(self, name: str) -> str:
        """The one name of an event."""
        return name

    @property
    def state(self) -> Any:
        """Where the conversation stands; ``LEGAL`` says what may come then."""
        raise NotImplementedError

    def _parse(self, line: bytes) -> Any:
        """Read a line, or raise a ProtocolViolation; None when the message goes on."""
        raise NotImplementedError

    def _ends_well(self, pending: Pending) -> Any:
        """The result of a command for which the monitor closes without an answer, or None."""
        raise NotImplementedError

    # What users call.

    def when_greeted(self) -> Deferred[_G]:
        """
        Wait until the monitor is ready for commands.

        :returns: fires with the greeting; fails with :class:`~txqmp.GreetingTimeout`,
            :class:`~txqmp.ProtocolViolation`, or :class:`~txqmp.ConnectionUnusable` when the
            connection ends before.
        """
        return self._when_greeted.when()

    def when_disconnected(self) -> Deferred[Exception]:
        """
        Wait for the end of the connection.

        :returns: fires, never fails, with the reason.
        """
        return self._when_disconnected.when()

    def subscribe(self, wanted: Wanted[_E], callback: Callable[[_E], object]) -> Subscription[_E]:
        """
        Call back with each event that is wanted, until the subscription is cancelled.

        :param wanted: a name (case does not matter), a predicate, or None for every event.
        """
        return self._hub.subscribe(wanted, callback)

    def wait_for_event(self, wanted: Wanted[_E], timeout: float | None = None) -> Deferred[_E]:
        """
        Wait for the next event that is wanted.

        :param timeout: seconds; None: for ever.
        :returns: fails with :class:`~txqmp.EventTimeout`, or with
            :class:`~txqmp.ConnectionUnusable` when the connection ends before.
        """
        if self._over is not None:
            return fail(self._unusable())
        return self._hub.wait_for(wanted, timeout)

    def events(self, wanted: Wanted[_E] = None, limit: int = 1000) -> EventQueue[_E]:
        """
        Keep events, to be taken with ``async for``; it ends with the connection.

        :param limit: events kept at most; the oldest are dropped, and counted.
        """
        queue = self._hub.queue(wanted, limit)
        if self._over is not None:
            queue.close()
        return queue

    def close(self) -> Deferred[Exception]:
        """
        End the connection once what was sent has left.

        Commands that have no reply by then fail with :class:`~txqmp.CommandInterrupted`.

        :returns: fires with the reason once the connection is over.
        """
        if self._over is None and self._connected:
            self.flush()
            self._end.close(self.transport)
        return self.when_disconnected()

    def unknownEventReceived(self, event: _E) -> None:
        """An event came that nobody subscribed to (rule 22): the factory's hook gets it."""
        if self.factory.unknown_event is not None:
            self.factory.unknown_event(event)

    # The life of the connection.

    def connectionMade(self) -> None:
        """Begin to wait for the greeting."""
        self._connected = True
        timeout = self.factory.greeting_timeout
        self._greeting_timer = self._clock.callLater(timeout, self._silent, timeout)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end: everything that waits is told."""
        closed_here = self._end.closing
        self._end.closed()
        error = reason.value
        if not isinstance(error, Exception):
            error = ConnectionDone()
        self._finish(error, closed_by_peer=not closed_here)
        self._when_disconnected.fire(self._over or error)

    def lineReceived(self, line: bytes) -> None:
        """Read a line of the monitor."""
        if self._over is not None:
            return
        try:
            message = self._parse(line)
            if message is None:
                return
            act = self.LEGAL.get((self.state, type(message)))
            if act is None:
                raise ProtocolViolation("a reply that nobody is waiting for", line)
            act(self, message)
        except ProtocolViolation as violation:
            self._violated(violation)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is longer than ``max_line``: nothing after it can be trusted (rule 12)."""
        if self._over is None:
            problem = f"a line of more than {self.MAX_LENGTH} bytes (max_line)"
            self._violated(BoundExceeded(problem, line))

    def _send(self, pending: Pending) -> None:
        self.write(pending.data)

    def _greeted(self, greeting: _G) -> None:
        if self._greeting_timer is not None:
            self._greeting_timer.cancel()
            self._greeting_timer = None
        self.greeting = greeting
        self._commands.open()
        self._when_greeted.fire(greeting)

    def _silent(self, timeout: float) -> None:
        self._greeting_timer = None
        self._violated(GreetingTimeout(timeout))

    def _event(self, event: _E) -> None:
        if not self._hub.dispatch(event):
            try:
                self.unknownEventReceived(event)
            except Exception:
                _log.failure("the hook for unknown events failed", event=event)

    def _enqueue(
        self,
        line: str,
        timeout: float | None,
        data: bytes,
        number: int = 0,
        urgent: bool = False,
    ) -> Deferred[Any]:
        if self._over is not None or self._end.closing:
            return fail(self._unusable())
        if timeout is None:
            timeout = self.factory.command_timeout
        return self._commands.add(line, timeout, data, number, urgent)

    def _overdue(self, pending: Pending) -> None:
        self._violated(
            ConnectionUnusable(
                f"the reply to {pending.line!r} is still owed after "
                f"{self.factory.late_reply_timeout:g} s: whose a later reply is cannot be told"
            )
        )

    def _unusable(self) -> ConnectionUnusable:
        # A new one each time: its traceback grows wherever it is raised.
        if self._over is None:
            return ConnectionUnusable("the connection is being closed")
        if isinstance(self._over, ConnectionUnusable):
            return ConnectionUnusable(str(self._over))
        return ConnectionUnusable(f"the connection is over: {ending_text(self._over)}")

    def _violated(self, error: Exception) -> None:
        """Give the connection up at once."""
        if isinstance(error, ProtocolViolation):
            _log.warn("the monitor broke the protocol: {error}", error=error)
        self._finish(error)
        if self._connected:
            abort(self.transport)

    def _finish(self, error: Exception, closed_by_peer: bool = False) -> None:
        if self._over is not None:
            return
        self._over = error
        if self._greeting_timer is not None:
            self._greeting_timer.cancel()
            self._greeting_timer = None
        # The queue is emptied first: what a callback asks for now must fail at once.
        sent, unsent = self._commands.take_all()
        for pending in sent:
            result = self._ends_well(pending) if closed_by_peer else None
            if result is not None:
                pending.succeed(result)
            else:
                pending.fail(CommandInterrupted(pending.line, error, pending.lines))
        for pending in unsent:
            pending.fail(self._unusable())
        silent = isinstance(error, (GreetingTimeout, ProtocolViolation))
        self._when_greeted.fire(Failure(error if silent else self._unusable()))
        self._hub.close(self._unusable())
