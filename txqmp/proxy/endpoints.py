"""
Endpoints for sockets that this process was started with: ``fd:N``.

``--listen fd:3`` takes clients at a socket that listens, ``--connect fd:4`` has a connection to
the monitor already. systemd's are better named with Twisted's own ``systemd:``.
"""

from __future__ import annotations

import os
from socket import SO_ACCEPTCONN, SOCK_STREAM, SOL_SOCKET, socket
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.error import AlreadyListened, ConnectError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

from txqmp.monitor.adopt import adopt_connection, adopt_port


class _Inherited:
    """
    A socket of this process, by its number. It is used, and closed, once.

    :raises ValueError: it is no stream socket, or not one that listens, or does.
    """

    def __init__(self, reactor: Any, number: int, listens: bool) -> None:
        self._reactor = reactor
        self._number = number
        self._used = False
        try:
            # A copy, so that to look at it does not close it.
            with socket(fileno=os.dup(number)) as copy:
                streams = copy.type == SOCK_STREAM
                listening = bool(copy.getsockopt(SOL_SOCKET, SO_ACCEPTCONN))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "no such number"
            raise ValueError(f"fd:{number}: {reason}") from None
        if not streams:
            raise ValueError(f"fd:{number} is not a stream socket")
        if listening is not listens:
            raise ValueError(
                f"fd:{number} is a socket that {'listens' if listening else 'does not listen'}"
            )

    def _take(self) -> socket:
        self._used = True
        taken = socket(fileno=self._number)
        taken.set_inheritable(False)
        return taken


@implementer(IStreamServerEndpoint)
class DescriptorServerEndpoint(_Inherited):
    """
    Listens at a socket that does so already. Its name in the file system stays as it is.

    :param number: of the descriptor.
    :raises ValueError: it is not a stream socket that listens.
    """

    def __init__(self, reactor: Any, number: int) -> None:
        super().__init__(reactor, number, listens=True)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Listen, once.

        :returns: fails with :class:`~twisted.internet.error.AlreadyListened` a second time.
        """
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        if self._used:
            raise AlreadyListened
        with self._take() as listening:
            return adopt_port(self._reactor, listening, factory)


@implementer(IStreamClientEndpoint)
class DescriptorClientEndpoint(_Inherited):
    """
    Has a connection already.

    :ivar once: it cannot be made again.
    :param number: of the descriptor.
    :raises ValueError: it is not a stream socket, or one that listens.
    """

    once = True

    def __init__(self, reactor: Any, number: int) -> None:
        super().__init__(reactor, number, listens=False)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect, once.

        :returns: fails with :class:`~twisted.internet.error.ConnectError` a second time, or if
            the other end has left.
        """
        return execute(self._connect, protocolFactory)

    def _connect(self, factory: IProtocolFactory) -> IProtocol:
        if self._used:
            raise ConnectError(string=f"the connection of fd:{self._number} is over")
        with self._take() as connection:
            return adopt_connection(self._reactor, connection, factory)


def _number(arguments: tuple[Any, ...], settings: dict[str, Any]) -> int:
    if settings or len(arguments) != 1 or not (arguments[0].isascii() and arguments[0].isdigit()):
        raise ValueError("fd: it is the number of a descriptor that is wanted, as in fd:3")
    return int(arguments[0])


@implementer(IPlugin, IStreamServerEndpointStringParser)
class DescriptorServerParser:
    """Reads ``fd:N``, of a socket that listens."""

    prefix = "fd"

    def parseStreamServer(
        self, reactor: Any, *args: Any, **kwargs: Any
    ) -> DescriptorServerEndpoint:
        """
        Make the endpoint.

        :raises ValueError: it is no such descriptor.
        """
        return DescriptorServerEndpoint(reactor, _number(args, kwargs))


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class DescriptorClientParser:
    """Reads ``fd:N``, of a socket that is connected."""

    prefix = "fd"

    def parseStreamClient(
        self, reactor: Any, *args: Any, **kwargs: Any
    ) -> DescriptorClientEndpoint:
        """
        Make the endpoint.

        :raises ValueError: it is no such descriptor.
        """
        return DescriptorClientEndpoint(reactor, _number(args, kwargs))
