"""Sockets that somebody else has made, as Twisted's connections and ports."""

from __future__ import annotations

from socket import AF_UNIX, socket, socketpair
from typing import Any

from twisted.internet import unix
from twisted.internet.error import ConnectError, NoProtocol, getConnectError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorSocket,
)
from zope.interface import implementer

_BACKLOG = 1024
"""Connections that may wait to be taken."""


@implementer(IProtocolFactory)
class _Once:
    """Hands out one protocol of another factory, and remembers what came of it."""

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory = factory
        self.protocol: IProtocol | None = None
        self.error: Exception | None = None

    def doStart(self) -> None:
        """Nothing to start: there is no port."""

    def doStop(self) -> None:
        """Nothing to stop."""

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """Build it; a failure is kept, since the transport would leak its socket if it saw one."""
        try:
            self.protocol = self._factory.buildProtocol(addr)
        except Exception as error:
            self.error = error
        return self.protocol


def adopt_connection(reactor: Any, connection: socket, factory: Any) -> IProtocol:
    """
    Make a connected socket the connection of a protocol.

    :param connection: is copied, and stays the caller's.
    :param factory: makes the protocol, which is connected when this returns.
    :raises ConnectError: this reactor cannot, or the socket will not do.
    :raises NoProtocol: the factory gave none.
    """
    if not IReactorSocket.providedBy(reactor):
        raise ConnectError(string="this reactor cannot adopt sockets")
    once: Any = _Once(factory)
    try:
        connection.setblocking(False)
        connection.getpeername()  # Twisted would find out too late to let go of it
        reactor.adoptStreamConnection(connection.fileno(), connection.family, once)
    except Exception as error:
        transport = getattr(once.protocol, "transport", None)
        if transport is not None:
            transport.abortConnection()
        if isinstance(error, OSError):
            raise getConnectError(error) from error
        raise
    if once.error is not None:
        raise once.error
    if once.protocol is None:
        raise NoProtocol
    protocol: IProtocol = once.protocol
    return protocol


def connect_within(reactor: Any, server: Any, client: Any) -> IProtocol:
    """
    Connect two factories in this process, through a pair of sockets.

    :returns: the client's protocol, which is connected already.
    :raises ConnectError: there can be no sockets.
    :raises NoProtocol: a factory gave no protocol.
    """
    try:
        ours, theirs = socketpair()
    except OSError as error:
        raise getConnectError(error) from error
    with ours, theirs:
        adopt_connection(reactor, theirs, server)
        return adopt_connection(reactor, ours, client)


class _AdoptedUNIXPort(unix.Port):
    """
    A UNIX socket whose name in the file system is somebody else's: ``adoptStreamPort`` would
    make it everybody's (mode 666), and remove it at the end.
    """

    def __init__(self, listening: socket, factory: Any, backlog: int, reactor: Any) -> None:
        # An abstract name: nothing in the file system is touched for it.
        super().__init__(b"\0adopted", factory, backlog, reactor=reactor)
        self._preexistingSocket = listening


def adopt_port(reactor: Any, listening: socket, factory: Any) -> IListeningPort:
    """
    Take connections at a socket that listens.

    :param listening: a copy of it is used; it stays the caller's.
    """
    listening.setblocking(False)
    if listening.family == AF_UNIX:
        port = _AdoptedUNIXPort(listening.dup(), factory, _BACKLOG, reactor)
        port.startListening()
        return port
    adopted: IListeningPort = reactor.adoptStreamPort(listening.fileno(), listening.family, factory)
    return adopted
