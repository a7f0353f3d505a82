"""Events of a monitor: who wants which, waiting for one, and bounded queues of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txqmp.errors import EventTimeout


class NamedEvent(Protocol):
    """An event of either dialect."""

    @property
    def name(self) -> str:
        """As the monitor wrote it."""


_E = TypeVar("_E", bound=NamedEvent)
Wanted = str | Callable[[_E], bool] | None
"""Which events: a name (case does not matter, rule 7), a predicate, or None for all."""


class Subscription(Generic[_E]):
    """A callback that gets events until it is cancelled."""

    def __init__(
        self, hub: EventHub[_E], wanted: Wanted[_E], callback: Callable[[_E], object]
    ) -> None:
        self._hub = hub
        self._wanted = hub.canonical(wanted) if isinstance(wanted, str) else wanted
        self._callback = callback
        self._active = True

    def cancel(self) -> None:
        """Get no more events; a second call changes nothing."""
        self._active = False
        self._hub.drop(self)

    def offer(self, event: _E, name: str) -> bool:
        """
        Deliver an event if it is wanted. What a callback raises is logged.

        :returns: whether it was.
        """
        wanted = self._wanted
        if not self._active:
            return False
        try:
            if wanted is None or wanted == name or (callable(wanted) and wanted(event)):
                self._callback(event)
                return True
        except Exception:
            self._hub.log.failure("an event's subscriber failed", event=event)
            return True
        return False


class EventQueue(Generic[_E]):
    """
    Events kept until they are asked for: ``async for event in queue``.

    It ends with the connection, when all that had come is taken.

    :ivar dropped: events lost because the queue was full; the oldest go first.
    """

    def __init__(self, limit: int, forget: Callable[[EventQueue[_E]], object]) -> None:
        self.dropped = 0
        self._forget = forget
        self._events: deque[_E] = deque(maxlen=limit)
        self._waiting: deque[Deferred[_E]] = deque()
        self._closed = False
        self.subscription: Subscription[_E]

    def put(self, event: _E) -> None:
        """Add an event."""
        if self._waiting:
            self._waiting.popleft().callback(event)
            return
        self.dropped += len(self._events) == self._events.maxlen
        self._events.append(event)

    def close(self) -> None:
        """Take no more events; whoever waits, or asks when it is empty, is told that it ended."""
        self._closed = True
        self.subscription.cancel()
        self._forget(self)
        while self._waiting:
            self._waiting.popleft().errback(StopAsyncIteration())

    def __aiter__(self) -> EventQueue[_E]:
        return self

    def __anext__(self) -> Deferred[_E]:
        deferred: Deferred[_E] = Deferred(self._waiting.remove)
        if self._events:
            deferred.callback(self._events.popleft())
        elif self._closed:
            deferred.errback(StopAsyncIteration())
        else:
            self._waiting.append(deferred)
        return deferred


class EventHub(Generic[_E]):
    """
    Hands each event to all who want it.

    :param clock: measures the time-outs.
    :param canonical: gives the one name of an event that goes by several.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, canonical: Callable[[str], str]) -> None:
        self._clock = clock
        self.canonical = canonical
        self._subscriptions: list[Subscription[_E]] = []
        self._waiting: list[Deferred[_E]] = []
        self._queues: list[EventQueue[_E]] = []

    def subscribe(self, wanted: Wanted[_E], callback: Callable[[_E], object]) -> Subscription[_E]:
        """Call back with each event that is wanted, in the order in which they come."""
        subscription = Subscription(self, wanted, callback)
        self._subscriptions = [*self._subscriptions, subscription]
        return subscription

    def drop(self, subscription: Subscription[_E]) -> None:
        """Forget a subscription."""
        self._subscriptions = [s for s in self._subscriptions if s is not subscription]

    def wait_for(self, wanted: Wanted[_E], timeout: float | None) -> Deferred[_E]:
        """
        Wait for the next event that is wanted.

        :param timeout: seconds; None: for ever.
        :returns: fails with :class:`~txqmp.EventTimeout`, or with what ended the connection.
        """

        def done(result: object) -> object:
            subscription.cancel()
            self._waiting.remove(deferred)
            if timer is not None and timer.active():
                timer.cancel()
            return result

        def expired() -> None:
            label = wanted if isinstance(wanted, str) else "that is wanted"
            deferred.errback(EventTimeout(label, timeout or 0.0))

        deferred: Deferred[_E] = Deferred()
        timer = None if timeout is None else self._clock.callLater(timeout, expired)
        subscription = self.subscribe(wanted, deferred.callback)
        self._waiting.append(deferred)
        deferred.addBoth(done)
        return deferred

    def queue(self, wanted: Wanted[_E], limit: int) -> EventQueue[_E]:
        """
        Keep the events that are wanted until they are asked for.

        :param limit: events kept at most.
        """
        queue: EventQueue[_E] = EventQueue(limit, self._forget)
        queue.subscription = self.subscribe(wanted, queue.put)
        self._queues.append(queue)
        return queue

    def _forget(self, queue: EventQueue[_E]) -> None:
        self._queues = [q for q in self._queues if q is not queue]

    def dispatch(self, event: _E) -> bool:
        """
        Deliver an event.

        :returns: whether anybody wanted it.
        """
        name = self.canonical(event.name)
        taken = False
        for subscription in self._subscriptions:
            taken = subscription.offer(event, name) or taken
        return taken

    def close(self, reason: Exception) -> None:
        """The connection is over: nobody needs to wait any more."""
        for deferred in list(self._waiting):
            deferred.errback(reason)
        while self._queues:
            self._queues[0].close()
        self._subscriptions = []
