"""A client or a server of our own whose conversation is journalled as a stranger's would be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from txqmp.monitor.closing import abort, ending_text
from txqmp.monitor.writing import writer_at_once
from txqmp.proxy.descriptors import carries_descriptors, close_all, read_in_place

CONNECTION = "connection"
"""Where a server keeps the number of its connection."""


class TappedProtocol(ProtocolWrapper):
    """
    Lets a tap hear what a client protocol writes and reads.

    :ivar tap: what hears it.
    :ivar problem: why the client gave up, in words; empty while it has not.
    """

    def __init__(self, factory: TappedFactory, protocol: Any) -> None:
        super().__init__(factory, protocol)  # type: ignore[arg-type]
        self.tap = factory.make_tap()
        self.problem = ""
        self._descriptors = 0
        self._ending: Callable[[], str] = str

    def connectionMade(self) -> None:
        """The monitor is there."""
        self.tap.opened()
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """The monitor said something."""
        self.tap.to_client(data)
        super().dataReceived(data)

    def sendFileDescriptor(self, descriptor: int) -> None:
        """The client passes a descriptor, with the next that it says."""
        self._descriptors += 1
        self.transport.sendFileDescriptor(descriptor)  # type: ignore[union-attr]

    def write(self, data: bytes) -> None:
        """The client says something."""
        super().write(data)
        self._said(data)

    def write_at_once(self, data: bytes) -> None:
        """The client says something, and it is sent now if it can be."""
        writer_at_once(self.transport)(data)
        self._said(data)

    def _said(self, data: bytes) -> None:
        if self._descriptors:
            passed, self._descriptors = self._descriptors, 0
            self.tap.to_monitor(data, passed)
        else:
            self.tap.to_monitor(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """The client says something, in pieces."""
        self.write(b"".join(data))

    def abortConnection(self) -> None:
        """The client ends it, and does not wait."""
        self.disconnecting = 1
        abort(self.transport)

    def ask_for_ending(self, ending: Callable[[], str]) -> None:
        """
        Have it journalled how the monitor ended.

        :param ending: says it in one word, once the monitor has.
        """
        self._ending = ending

    def give_up(self, ending: str, problem: str) -> None:
        """
        The client ends it, for a reason.

        :param ending: the reason in one word.
        """
        self.problem = problem
        self._ending = lambda: ending
        self.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        ours = bool(self.disconnecting)
        super().connectionLost(reason)
        ending = self._ending() if self.problem or not ours else ""
        problem = self.problem or ending_text(reason.value)
        self.tap.closed(problem, "client" if ours else "monitor", ending)


class TappedFactory(WrappingFactory):
    """
    Wraps a client factory.

    :param wrapped: makes the clients.
    :param make_tap: makes an :class:`~txqmp.proxy.hearing.ITap` for each connection.
    """

    noisy = False
    protocol = TappedProtocol

    def __init__(self, wrapped: Any, make_tap: Callable[[], Any]) -> None:
        super().__init__(wrapped)
        self.make_tap = make_tap


@implementer(IHalfCloseableProtocol)
class TappedServer(ProtocolWrapper):
    """
    Lets a tap hear what a server protocol reads and writes.

    :param factory: wraps the server's.
    :param server: can be told of half-closed connections.
    :param number: the connection's.
    """

    factory: TappedServerFactory

    def __init__(self, factory: TappedServerFactory, server: Any, number: int) -> None:
        super().__init__(factory, server)  # type: ignore[arg-type]
        self._number = number
        self._tap: Any = None
        self._descriptors: list[int] = []
        self._left = False

    def connectionMade(self) -> None:
        """The client is there."""
        self._tap = self.factory.make_tap(self.transport, self._number)
        self._tap.opened()
        if self.factory.take_descriptors is not None and carries_descriptors(self.transport):
            read_in_place(self.transport, self._descriptors.extend)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """The client said something, and may have passed descriptors with its first byte."""
        if self._descriptors:
            passed = self._descriptors.copy()
            self._descriptors.clear()
            self._tap.to_monitor(data, len(passed))
            self.factory.take_descriptors(self.wrappedProtocol, passed)  # type: ignore[misc]
        else:
            self._tap.to_monitor(data)
        super().dataReceived(data)

    def lost_events(self, count: int, since: float) -> None:
        """
        Have it journalled that events were not told to the client.

        :param since: when that began, in seconds since the epoch.
        """
        self._tap.gap(since, "the client did not read: events were dropped", count)

    def verdict(self, fields: dict[str, Any]) -> None:
        """
        Have it journalled what a policy made of a command.

        :param fields: that, and of which command.
        """
        self._tap.verdict(fields)

    def write(self, data: bytes) -> None:
        """The server says something."""
        super().write(data)
        self._tap.to_client(data)

    def write_at_once(self, data: bytes) -> None:
        """The server says something, and it is sent now if it can be."""
        writer_at_once(self.transport)(data)
        self._tap.to_client(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """The server says something, in pieces."""
        self.write(b"".join(data))

    def abortConnection(self) -> None:
        """The server ends it, and does not wait."""
        self.disconnecting = 1
        abort(self.transport)

    def readConnectionLost(self) -> None:
        """The client says no more: what is done then is to end what it has ended."""
        self._left = not self.disconnecting
        self.wrappedProtocol.readConnectionLost()  # type: ignore[attr-defined]

    def writeConnectionLost(self) -> None:
        """The client reads no more."""
        self.wrappedProtocol.writeConnectionLost()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        ours = bool(self.disconnecting) and not self._left
        why = "it closed the connection" if self._left else ending_text(reason.value)
        close_all(self._descriptors)
        super().connectionLost(reason)
        by = "proxy" if ours else "client"
        self._tap.closed(why, by)
        self.factory.over(self._number, why, by)


class TappedServerFactory(WrappingFactory):
    """
    Wraps a server factory.

    :param wrapped: makes the servers; in the ``memory`` of each its connection's number is kept.
    :param make_tap: makes an :class:`~txqmp.proxy.hearing.ITap` for a client's transport and the
        number of its connection.
    :param numbers: the numbers of connections.
    :param over: called with the number of a connection that is over, why, and who ended it.
    :param take_descriptors: gets a server and the file descriptors that its client has passed,
        before it gets the byte that they came with. Without it they are for the transport to
        close.
    """

    noisy = False

    def __init__(
        self,
        wrapped: Any,
        make_tap: Callable[[Any, int], Any],
        numbers: Iterator[int],
        over: Callable[[int, str, str], object],
        take_descriptors: Callable[[Any, list[int]], object] | None = None,
    ) -> None:
        super().__init__(wrapped)
        self.make_tap = make_tap
        self.over = over
        self.take_descriptors = take_descriptors
        self._numbers = numbers

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make a server for one connection, or None when there are too many."""
        server = self.wrappedFactory.buildProtocol(addr)
        if server is None:
            return None
        number = next(self._numbers)
        server.memory[CONNECTION] = number
        return TappedServer(self, server, number)
