"""
The endpoint ``replay:``, which connects to a replayed monitor in this very process::

    endpoint = clientFromString(reactor, "replay:journal.jsonl:mode=loose:speed=0")

Importing this module is light, since every endpoint description that is parsed may do so: what
it needs is imported when a journal is read.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

from txqmp.errors import JournalError
from txqmp.monitor.adopt import connect_within


@implementer(IStreamClientEndpoint)
class ReplayEndpoint:
    """
    Connects to a replayed monitor, through a pair of sockets.

    :param reactor: runs the connections.
    :param factory: makes the servers; see :func:`~txqmp.replay.factory.replay_factory`.
    """

    def __init__(self, reactor: Any, factory: IProtocolFactory) -> None:
        self._reactor = reactor
        self._factory = factory

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect once.

        :returns: a Deferred that fires with the protocol, which is connected already. It fails
            with :class:`~twisted.internet.error.ConnectError` if there can be no sockets, with
            :class:`~twisted.internet.error.NoProtocol` if a factory gave none, or with what
            the factory or its protocol raised.
        """
        return execute(connect_within, self._reactor, self._factory, protocolFactory)


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class ReplayStringParser:
    """
    Reads ``replay:PATH:mode=loose:speed=0:monitor=vm1:connection=2``; all settings are optional.
    """

    prefix = "replay"

    def parseStreamClient(self, reactor: Any, *args: Any, **kwargs: Any) -> ReplayEndpoint:
        """
        Make the endpoint that a description asks for.

        :raises ValueError: an unknown setting, a value that will not do, or a journal that cannot
            be replayed.
        """
        from txqmp.replay.factory import replay_factory
        from txqmp.replay.recording import Recording

        path = kwargs.pop("path", args[0] if len(args) == 1 else "")
        if not path or len(args) > 1:
            raise ValueError("replay: it is the path of one journal that is wanted")
        unknown = kwargs.keys() - {"mode", "speed", "monitor", "connection"}
        if unknown:
            raise ValueError(
                f"replay: unknown setting {min(unknown)!r} "
                "(known: path, mode, speed, monitor, connection)"
            )
        speed, connection = kwargs.get("speed", "1"), kwargs.get("connection")
        try:
            recording = Recording(
                path,
                monitor=kwargs.get("monitor"),
                connection=None if connection is None else _number("connection", int, connection),
            )
            factory = replay_factory(
                recording,
                reactor,
                mode=kwargs.get("mode", "strict"),
                speed=_number("speed", float, speed),
            )
        except (JournalError, ValueError) as error:
            raise ValueError(f"replay: {error}") from None
        return ReplayEndpoint(reactor, factory)


def _number(name: str, kind: Any, value: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{name} is a number, not {value!r}") from None
