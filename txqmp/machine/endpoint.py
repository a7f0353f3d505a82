"""
The endpoint ``machine:``, which connects to a simulated machine in this very process::

    endpoint = clientFromString(reactor, "machine:name=vm1:memory=512:paused=yes")
    endpoint = clientFromString(reactor, "machine:dialect=json")

Importing this module is light, since every endpoint description that is parsed may do so: what
it needs is imported when a machine is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

from txqmp.monitor.adopt import connect_within

if TYPE_CHECKING:
    from txqmp.machine.state import Machine


@implementer(IStreamClientEndpoint)
class MachineEndpoint:
    """
    Connects to a monitor of a simulated machine, through a pair of sockets.

    All connections of one endpoint are to the same machine.

    :ivar machine: the machine.
    :param reactor: runs the connections, and measures the machine's times unless it was given.
    :param machine: None for one with the usual settings.
    :param dialect: what the monitor speaks: ``text``, which is QMP 0.1, or ``json``.
    :raises ValueError: an unknown dialect.
    """

    def __init__(self, reactor: Any, machine: Machine | None = None, dialect: str = "text") -> None:
        from txqmp.machine.state import Machine

        if dialect == "json":
            from txqmp.machine.jsonmonitor import json_monitor_factory as monitor_factory
        elif dialect == "text":
            from txqmp.machine.monitor import monitor_factory  # type: ignore[assignment]
        else:
            raise ValueError(f"dialect is text or json, not {dialect!r}")

        self._reactor = reactor
        self.machine = Machine(clock=reactor) if machine is None else machine
        self._monitor = monitor_factory(self.machine, reactor)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect once.

        :returns: a Deferred that fires with the protocol, which is connected already. It fails
            with :class:`~twisted.internet.error.ConnectError` if there can be no sockets, with
            :class:`~twisted.internet.error.NoProtocol` if the factory gave none, or with what
            the factory or its protocol raised.
        """
        return execute(connect_within, self._reactor, self._monitor, protocolFactory)


_YES_NO = {"yes": True, "no": False}


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class MachineStringParser:
    """
    Reads ``machine:name=vm1:uuid=…:memory=512:cpus=2:paused=yes:dialect=json``; all settings are
    optional, ``memory`` is in MiB, ``dialect`` is ``text`` or ``json``.
    """

    prefix = "machine"

    def parseStreamClient(self, reactor: Any, *args: Any, **kwargs: Any) -> MachineEndpoint:
        """
        Make the endpoint that a description asks for, and its machine.

        :raises ValueError: an unknown setting, or a value that will not do.
        """
        from txqmp.machine.state import Machine

        # "machine:" alone comes as one empty argument.
        if any(args):
            raise ValueError(f"machine: settings are written key=value, not {args[0]!r}")
        settings: dict[str, Any] = {}
        dialect = kwargs.pop("dialect", "text")
        for key, value in kwargs.items():
            if key in ("name", "uuid"):
                settings[key] = value
            elif key in ("memory", "cpus"):
                if not (value.isascii() and value.isdecimal() and len(value) < 10):
                    raise ValueError(f"machine: {key} is a number, not {value!r}")
                settings[key] = int(value)
            elif key == "paused":
                if value not in _YES_NO:
                    raise ValueError(f"machine: paused is yes or no, not {value!r}")
                settings[key] = _YES_NO[value]
            else:
                raise ValueError(
                    f"machine: unknown setting {key!r} "
                    "(known: name, uuid, memory, cpus, paused, dialect)"
                )
        try:
            machine = Machine(clock=reactor, **settings)
            return MachineEndpoint(reactor, machine, dialect)
        except ValueError as error:
            raise ValueError(f"machine: {error}") from None
