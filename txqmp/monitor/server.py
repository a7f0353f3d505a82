"""What the servers of both dialects share: one command at a time, read-ahead, events, the end."""

from __future__ import annotations

import inspect
from enum import Enum
from time import time
from typing import Any, Literal, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txqmp.monitor.closing import GracefulClose, abort
from txqmp.monitor.framing import BoundedLineReceiver

_log = Logger()

DONE = object()
"""There is nothing to go on with."""

END = object()
"""The client will ask for nothing more."""

SlowClient = Literal["drop-events", "disconnect"]


class State(Enum):
    """Where a server's connection stands."""

    IDLE = "waits for a command"
    BUSY = "carries a command out"
    CLOSING = "says its last words"
    OVER = "is over"


class MonitorServerFactory(Factory):
    """
    Settings of the servers of either dialect, and all their connections.

    :param reactor: measures all times; the global reactor where it is None.
    :param read_ahead: commands read before their turn; reading stops beyond it (rule 4).
    :param max_connections: connections at a time; more are closed at once. None: any number.
    :param event_queue: events kept for a client that does not read.
    :param event_bytes: bytes in them, at most; None: no matter how many.
    :param slow_client: what to do when they are more: drop the newest, or disconnect.
    :ivar dropped: events that were dropped, in all.
    """

    noisy = False

    def __init__(
        self,
        reactor: Any = None,
        *,
        read_ahead: int = 8,
        max_connections: int | None = None,
        event_queue: int = 1000,
        event_bytes: int | None = None,
        slow_client: SlowClient = "drop-events",
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        if slow_client not in ("drop-events", "disconnect"):
            raise ValueError(f"slow_client is 'drop-events' or 'disconnect', not {slow_client!r}")
        self.reactor = reactor
        self.read_ahead = read_ahead
        self.max_connections = max_connections
        self.event_queue = event_queue
        self.event_bytes = event_bytes
        self.dropped = 0
        self.slow_client = slow_client
        self.connections: set[MonitorServer] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make a server for one connection, or None when there are too many."""
        limit = self.max_connections
        if limit is not None and len(self.connections) >= limit:
            _log.warn("refused {peer}: {limit} connections are open", peer=addr, limit=limit)
            return None
        return self._build()

    def _build(self) -> MonitorServer:
        raise NotImplementedError

    def _tell_all(self, event: bytes) -> None:
        for connection in list(self.connections):
            connection.send_event(event)


class MonitorRequest:
    """
    A command while it is carried out, as its handler sees it.

    :ivar name: the command's canonical name (rule 2).
    :ivar state: kept as long as the connection lives: a handler's notes (rule 21).
    """

    def __init__(self, name: str, state: dict[str, Any]) -> None:
        self.name = name
        self.state = state
        self.closing = False

    def close(self) -> None:
        """Close the connection once the command is answered (rule 18)."""
        self.closing = True


async def settled(result: Any) -> Any:
    """Wait for what a handler returned: a value, or a Deferred or a coroutine of one."""
    while isinstance(result, Deferred) or inspect.iscoroutine(result):
        result = await result
    return result


@implementer(IHalfCloseableProtocol, IPushProducer)
class MonitorServer(BoundedLineReceiver):
    """
    One connection of a client.

    It is the producer of its own transport: while the client does not read, no command is
    begun and nothing more is read from it. A dialect's server calls ``_enqueue`` for each thing
    that wants an answer and writes that answer in ``_answer``.

    :ivar memory: kept for the connection's life, for handlers to use (rule 21).
    """

    factory: MonitorServerFactory

    _busy = False
    _running: Deferred[None] | None = None
    _blocked = False
    _dropped = 0
    _dropped_since = 0.0
    _held_bytes = 0
    _read_closed = False
    _closing = False
    _over = False

    def __init__(self, factory: MonitorServerFactory) -> None:
        super().__init__()
        self.factory = factory
        self.memory: dict[str, Any] = {}
        self._ahead: list[Any] = []  # short: no more is read when there are some
        self._writable: list[Deferred[None]] = []
        self._events: list[bytes] = []  # and answers in between, where a subclass puts them
        self._overtaking: tuple[Deferred[None], ...] = ()
        self._end = GracefulClose(cast(IReactorTime, factory.reactor))

    @property
    def state(self) -> State:
        """Where the connection stands."""
        if self._over:
            return State.OVER
        if self._closing:
            return State.CLOSING
        return State.BUSY if self._busy else State.IDLE

    # What a dialect fills in.

    def _greet(self) -> None:
        """Write the greeting."""
        raise NotImplementedError

    async def _answer(self, item: Any) -> None:
        """Do what one item asks for, and write its answer."""
        raise NotImplementedError

    def _answer_at_once(self, item: Any) -> Any:
        """
        Do what one item asks for and write its answer, if that takes no waiting.

        :returns: what ``_answer`` has to go on with, or ``DONE``.
        """
        return item

    # The life of the connection.

    def connectionMade(self) -> None:
        """Greet the client."""
        self.factory.connections.add(self)
        cast(IConsumer, self.transport).registerProducer(self, True)
        self._greet()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone; what is being done for it is cancelled."""
        self._over = True
        self._end.closed()
        self.factory.connections.discard(self)
        if self._dropped:
            self._lost_events(self._dropped, self._dropped_since)
        self._ahead.clear()
        self._events.clear()
        for running in [*self._overtaking, self._running]:
            if running is not None:
                running.cancel()

    def close(self) -> None:
        """Close once what was written has been read; nothing more is answered."""
        if not self._over:
            self._closing = True
            self._ahead.clear()
            self.flush()
            self._end.close(self.transport)

    def readConnectionLost(self) -> None:
        """The client says no more: answer what it said, then close."""
        # Resuming a transport that was at its end before makes it say so again.
        if not self._read_closed:
            self._read_closed = True
            self._enqueue(END)

    def writeConnectionLost(self) -> None:
        """The client reads no more."""
        self.close()

    # Commands, one at a time.

    def _enqueue(self, item: Any) -> None:
        if self._closing or self._over:
            return
        self._ahead.append(item)
        self._advance()
        self._regulate()

    def _overtake(self, item: Any) -> None:
        """Answer an item at once, whatever waits or runs."""
        if not (self._closing or self._over):
            running = Deferred.fromCoroutine(self._answer(item))
            self._overtaking = (*self._overtaking, running)
            running.addErrback(self._unanswered)
            running.addCallback(self._overtaken, running)
            self._regulate()

    def _overtaken(self, _: object, running: Deferred[None]) -> None:
        self._overtaking = tuple(each for each in self._overtaking if each is not running)
        if not self._over:
            self._advance()
            self._regulate()

    def _advance(self) -> None:
        while self._ahead and not self._busy and not self._blocked:
            if not self._begin_next():
                return

    def _begin_next(self) -> bool:
        """Begin with what is next; False if it has to wait, or was the end."""
        if self._ahead[0] is END:
            if not self._overtaking:
                self.close()
            return False
        self._busy = True
        item = self._ahead.pop(0)
        try:
            item = self._answer_at_once(item)
        except Exception:
            self._unanswered(Failure())
            item = DONE
        if item is DONE:
            self._busy = False
            return True
        running = Deferred.fromCoroutine(self._answer(item))
        running.addErrback(self._unanswered)
        if running.called:
            self._busy = False
        else:
            self._running = running
            running.addCallback(self._answered)
        return True

    def _answered(self, _: object) -> None:
        self._busy = False
        self._running = None
        if not self._over:
            self._advance()
            self._regulate()

    def _unanswered(self, failure: Failure) -> None:
        if not self._over:
            _log.failure("an answer could not be written", failure)
            self.close()

    # Back-pressure, both ways.

    def pauseProducing(self) -> None:
        """The client does not read: say nothing more, read nothing more."""
        self._blocked = True
        self._regulate()

    def resumeProducing(self) -> None:
        """The client reads again."""
        self._blocked = False
        if self._events:
            held, self._events = b"".join(self._events), []
            self._held_bytes = 0
            self.write(held)
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._lost_events(dropped, self._dropped_since)
        while self._writable and not self._blocked:
            self._writable.pop(0).callback(None)
        self._advance()
        self._regulate()

    def _lost_events(self, count: int, since: float) -> None:
        """The client reads again, and was not told of some events."""
        transport = cast(Any, self.transport)
        _log.warn(
            "{dropped} events were dropped for {peer}, which did not read",
            dropped=count,
            peer=transport.getPeer(),
        )
        if hasattr(transport, "lost_events"):
            transport.lost_events(count, since)

    def stopProducing(self) -> None:
        """The transport is gone; ``connectionLost`` follows."""

    def _regulate(self) -> None:
        if self._closing or self._over:
            return
        waiting = len(self._ahead) + len(self._overtaking)
        full = self._blocked or waiting > self.factory.read_ahead
        if full and not self.paused:
            super().pauseProducing()
        elif self.paused and not full:
            super().resumeProducing()

    def _failed(self, name: str) -> None:
        """Log the exception that a handler raised, and that it should not have."""
        _log.failure("the handler of {command} failed", command=name)

    async def _until_writable(self) -> None:
        while self._blocked:
            writable: Deferred[None] = Deferred()
            self._writable.append(writable)
            await writable

    def send_event(self, event: bytes) -> None:
        """
        Send an event at once, or keep it for a client that does not read.

        :param event: the line, with its end.
        """
        if self._closing or self._over:
            return
        if not self._blocked:
            self.write(event)
        elif self._has_room(event):
            self._held_bytes += len(event)
            self._events.append(event)
        elif self.factory.slow_client == "disconnect":
            transport = cast(ITCPTransport, self.transport)
            _log.warn(
                "disconnected {peer}, which did not read: "
                "{waiting} events, of {size} bytes, wait for it (event_queue)",
                peer=transport.getPeer(),
                waiting=len(self._events),
                size=self._held_bytes,
            )
            self._closing = True
            self._ahead.clear()
            abort(transport)
        else:
            if not self._dropped:
                self._dropped_since = time()
            self._dropped += 1
            self.factory.dropped += 1

    def _has_room(self, event: bytes) -> bool:
        # Once one was dropped a smaller one does not slip in after it: it is one run.
        if self._dropped or len(self._events) >= self.factory.event_queue:
            return False
        limit = self.factory.event_bytes
        return limit is None or self._held_bytes + len(event) <= limit
