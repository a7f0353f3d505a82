"""
Bytes from a client to a monitor and back, unmodified and at once, and descriptors with them.

What the two say is of no concern here: a tap gets a copy after it was passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any, Literal, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txqmp.errors import GreetingTimeout
from txqmp.monitor.closing import CLOSE_TIMEOUT, GracefulClose, abort, ending_text
from txqmp.monitor.observer import OneShotObserver
from txqmp.monitor.writing import is_plain, write_at_once
from txqmp.proxy.descriptors import (
    DescriptorSender,
    carries_descriptors,
    close_all,
    read_in_place,
)
from txqmp.proxy.lastwords import LastWords
from txqmp.proxy.refusal import why_refused

_log = Logger()

Name = Literal["client", "monitor"]


@implementer(IHalfCloseableProtocol)
class Side(Protocol):
    """One of the two ends of a conversation."""

    def __init__(self, name: Name, conversation: Conversation) -> None:
        self.name = name
        self._conversation = conversation
        self.ended = False
        self._close = GracefulClose(conversation.clock, conversation.close_timeout)
        self._pass_on: Callable[[bytes], object] = lambda data: None
        self._descriptors: list[int] = []
        self._sender: DescriptorSender | None = None
        self._last_words: LastWords | None = None
        self.lost = False
        self.other: Side | None = None

    @property
    def wire(self) -> Any:
        """The transport, whose kind is not known beforehand."""
        return self.transport

    def connectionMade(self) -> None:
        """The end is there."""
        self._conversation.made(self)

    def hear_out(self) -> None:
        """Read what it said to the end, whatever becomes of what it is told."""
        if is_plain(self.wire):
            self._last_words = LastWords(self.wire)

    @property
    def _is_gone(self) -> bool:
        return self._last_words is not None and self._last_words.gone

    def join(self, other: Side) -> None:
        """Send what comes here to ``other``, as fast as it takes it."""
        self.other = other
        wire = other.wire
        self._pass_on = partial(write_at_once, wire) if is_plain(wire) else wire.write
        if carries_descriptors(wire) and carries_descriptors(self.wire):
            other._sender = DescriptorSender(wire)
            read_in_place(self.wire, self._descriptors.extend)
        wire.registerProducer(self._producer(), True)

    def _producer(self) -> Any:
        """What is told by the other's transport to read on, or not to."""
        return self.transport

    def dataReceived(self, data: bytes) -> None:
        """Pass on, then let the tap hear."""
        count = len(self._descriptors)
        if count:
            self._pass_on_descriptors()
        if self.other is not None and not self.other.lost:
            self._pass_on(data)
        self._conversation.heard(self, data, count)

    def _pass_on_descriptors(self) -> None:
        descriptors, other = self._descriptors.copy(), self.other
        self._descriptors.clear()
        if other is None or other._sender is None or other.lost:
            close_all(descriptors)
        elif not other._sender.send(descriptors):
            self._conversation.close(
                f"the {other.name} does not take the file descriptors that the {self.name} sends"
            )

    def greets(self, data: bytes) -> bool:
        """Whether that is a monitor's greeting: anything is that it says."""
        return True

    def readConnectionLost(self) -> None:
        """This end says no more; the other hears that, and may go on."""
        if self.ended:
            return
        self.ended = True
        if self._last_words is not None:
            self._last_words.read()
        self._conversation.ended(self, "it closed the connection")
        other = self.other
        if other is None:
            self.close()
        elif other.ended or self._is_gone or self._conversation.is_last(self):
            self.close()
            other.close()
        elif not other.lost:
            # A paused producer would keep the transport from closing its half.
            other.wire.unregisterProducer()
            other.wire.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        """The other end's last bytes have left; what this one says is still passed on."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """This end is gone: the other gets what was on its way, then it goes too."""
        self.lost = True
        self._close.closed()
        close_all(self._descriptors)
        if self._sender is not None:
            self._sender.close()
        self._conversation.ended(self, ending_text(reason.value))
        self._conversation.lost(self)
        self._leave()

    def _leave(self) -> None:
        if self.other is not None:
            self.other.close()

    def close(self) -> None:
        """Lose the connection, once what was written is read or time is up."""
        if not self.lost:
            self._close.close(self.transport)


class Conversation:
    """
    A client, the monitor it talks to, and the tap between.

    One of them comes to us, and then a connection to the other is made.

    :ivar clock: measures the greeting's time-out.
    :ivar close_timeout: seconds in which a side reads its rest.
    """

    def __init__(self, factory: RelayFactory, number: int, tap_for: TapMaker) -> None:
        self.clock = cast(IReactorTime, factory.reactor)
        self.close_timeout = factory.close_timeout
        self.number = number
        self._factory = factory
        self._tap_for = tap_for
        self._tap: Any = None
        self._deaf = False
        self._connecting: Deferred[Any] | None = None
        self._greeting_timer: IDelayedCall | None = None
        self._first = factory.make_side(factory.first, self)
        self._second: Side | None = None
        self._ending: tuple[str, str] | None = None

    @property
    def first(self) -> Side:
        """The end that came to us."""
        return self._first

    @property
    def was_joined(self) -> bool:
        """Whether the other end was there, too."""
        return self._second is not None

    @property
    def _sides(self) -> tuple[Side, ...]:
        return (self._first,) if self._second is None else (self._first, self._second)

    def made(self, side: Side) -> None:
        """A side is there. After the first: its bytes wait in its socket until the other is."""
        if side is not self._first:
            self._second = side
            return
        side.wire.pauseProducing()
        if side.name == "client":
            self._open()
        if not self._factory.quiet:
            peer = side.wire.getPeer()
            _log.info("connection {number}: opened by {peer}", number=self.number, peer=peer)
        self._factory.conversations.add(self)
        other = Factory.forProtocol(self._other_side)
        other.noisy = False
        # It may have connected, or failed, by the time it is back.
        connecting = maybeDeferred(self._factory.endpoint.connect, other)
        self._connecting = connecting
        connecting.addCallbacks(self._joined, self._refused)
        connecting.addErrback(self._broken)

    def _other_side(self) -> Side:
        return self._factory.make_side(
            "client" if self._first.name == "monitor" else "monitor", self
        )

    def _joined(self, second: Side) -> None:
        self._connecting = None
        if self._ending is not None:
            second.close()
            return
        self._open()
        timeout = self._factory.greeting_timeout
        if timeout is not None:
            self._greeting_timer = self.clock.callLater(timeout, self._silent, timeout)
        for side in self._sides:
            if side.name == "monitor":
                side.hear_out()
        second.join(self._first)
        self._first.join(second)
        self._first.wire.resumeProducing()

    def _refused(self, failure: Failure) -> None:
        self._connecting = None
        if self._ending is None:
            name = self._other_side().name
            reason = f"cannot connect to the {name}: {why_refused(failure)}"
            _log.error("connection {number}: {reason}", number=self.number, reason=reason)
            self._end(name, reason)
        self._first.close()

    def _broken(self, failure: Failure) -> None:
        _log.failure("connection {number} failed", failure, number=self.number)
        self.abort("internal error")

    def _silent(self, timeout: float) -> None:
        self._greeting_timer = None
        reason = str(GreetingTimeout(timeout))
        _log.error("connection {number}: {reason}", number=self.number, reason=reason)
        self.close(reason)

    def heard(self, side: Side, data: bytes, descriptors: int = 0) -> None:
        """One end said something, and it was passed on."""
        said = (data, descriptors) if descriptors else (data,)
        if side.name == "client":
            self.tell("to_monitor", *said)
        else:
            if self._greeting_timer is not None and side.greets(data):
                self.wait_no_more()
            self.tell("to_client", *said)

    def _open(self) -> None:
        if self._tap is None:
            self.tell("opened")

    def tell(self, what: str, *args: Any, **named: Any) -> None:
        """
        Let the tap hear; whatever becomes of it, the conversation goes on.

        :param what: a method of :class:`~txqmp.proxy.hearing.ITap`; the rest is for that.
        """
        if self._deaf:
            return
        try:
            if self._tap is None:
                self._tap = self._tap_for(self._client_wire, self.number)
            getattr(self._tap, what)(*args, **named)
        except Exception:
            self._deaf = True
            _log.failure("connection {number}: the tap failed", number=self.number)

    @property
    def _client_wire(self) -> Any:
        for side in self._sides:
            if side.name == "client":
                return side.wire
        return None

    def wait_no_more(self) -> None:
        """The monitor has said something, or will not any more."""
        if self._greeting_timer is not None:
            self._greeting_timer.cancel()
            self._greeting_timer = None

    def ended(self, side: Side, reason: str) -> None:
        """One end says no more, or is gone; the first to do so is remembered."""
        self._end(side.name, reason)

    def _end(self, by: str, reason: str) -> None:
        if self._ending is None:
            self._ending = (reason, by)

    def lost(self, side: Side) -> None:
        """One end is gone."""
        if self._connecting is not None:
            self._connecting.cancel()
        if all(side.lost for side in self._sides):
            self.wait_no_more()
            reason, by = self._ending or ("", "proxy")
            self._open()
            self.tell("closed", reason, by)
            if not self._factory.quiet:
                _log.info(
                    "connection {number}: closed by the {by}: {reason}",
                    number=self.number,
                    by=by,
                    reason=reason,
                )
            self._factory.conversation_over(self)

    def is_last(self, side: Side) -> bool:
        """Whether what a side has said until now, as it says no more, is all there will be."""
        return side.name == "monitor" and self._factory.monitor_is_gone

    def finish(self) -> None:
        """The monitor's process is gone: the client gets its last words, and then the end."""
        monitor = [side for side in self._sides if side.name == "monitor"]
        if not monitor or monitor[0].ended:
            self.close("the monitor is gone")

    def close(self, reason: str) -> None:
        """End both connections, once what is on its way has arrived or time is up."""
        self._end("proxy", reason)
        self.wait_no_more()
        for side in self._sides:
            side.close()

    def abort(self, reason: str) -> None:
        """End both connections now."""
        self._end("proxy", reason)
        for side in self._sides:
            if not side.lost:
                abort(side.transport)


TapMaker = Callable[[Any, int], Any]
"""
Makes an :class:`~txqmp.proxy.hearing.ITap` for the client's transport, which is None if none could
be had, and the conversation's number.
"""

SideMaker = Callable[[Name, Conversation], Side]
"""Makes an end of a conversation."""


class RelayFactory(Factory):
    """
    Gives each client a connection of its own to the monitor; or each monitor one to a client.

    :param endpoint: where the monitor is, or the client where the monitor comes first.
    :param tap_for: makes the tap of a conversation.
    :param reactor: measures all times; the global reactor where it is None.
    :param greeting_timeout: seconds in which the monitor must say something; None to wait.
    :param max_connections: clients at a time; more are closed at once.
    :param quiet: log no line for each connection.
    :param numbers: the numbers of conversations; from 1 on where none are given.
    :param first: who comes to us: a connection to the other one is made then.
    :param close_timeout: seconds in which one side reads what the other said before it left;
        None to wait for as long as it is there.
    :param make_side: makes the ends of a conversation, where they are to do something else than
        to pass on what comes.
    """

    noisy = False

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        tap_for: TapMaker,
        reactor: Any = None,
        *,
        greeting_timeout: float | None = 30.0,
        max_connections: int = 1000,
        quiet: bool = False,
        numbers: Iterator[int] | None = None,
        first: Name = "client",
        close_timeout: float | None = CLOSE_TIMEOUT,
        make_side: SideMaker = Side,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self.endpoint = endpoint
        self.reactor = reactor
        self.greeting_timeout = greeting_timeout
        self.max_connections = max_connections
        self.quiet = quiet
        self.first: Name = first
        self.close_timeout = close_timeout
        self.make_side = make_side
        self.conversations: set[Conversation] = set()
        self.monitor_is_gone = False
        self._tap_for = tap_for
        self._numbers = count(1) if numbers is None else numbers
        self._idle: OneShotObserver[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Side | None:
        """Begin a conversation, or refuse it where there are too many."""
        if len(self.conversations) >= self.max_connections:
            _log.warn(
                "refused a {name}: {limit} are connected (max_connections)",
                name=self.first,
                limit=self.max_connections,
            )
            return None
        return Conversation(self, next(self._numbers), self._tap_for).first

    def conversation_over(self, conversation: Conversation) -> None:
        """Both ends are gone, and the tap knows."""
        self.conversations.discard(conversation)
        self._check_idle()

    def close_all(self, reason: str) -> Deferred[None]:
        """
        End every conversation.

        :returns: fires when none is left, which takes no longer than a peer gets to read its rest.
        """
        for conversation in list(self.conversations):
            conversation.close(reason)
        return self.when_idle()

    def finish(self) -> Deferred[None]:
        """
        Let every conversation come to its end: the monitor's process is gone.

        :returns: fires when none is left: each client has what the monitor said last, or left.
        """
        self.monitor_is_gone = True
        for conversation in list(self.conversations):
            conversation.finish()
        return self.when_idle()

    def when_idle(self) -> Deferred[None]:
        """
        Wait until no conversation is held.

        :returns: fires when none is.
        """
        if self._idle is None:
            self._idle = OneShotObserver()
        idle = self._idle.when()
        self._check_idle()
        return idle

    def _check_idle(self) -> None:
        if self._idle is not None and not self.conversations:
            idle, self._idle = self._idle, None
            idle.fire(None)
