"""Ports and a journal that open and close together."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from socket import AF_UNIX
from typing import Any

from twisted.application.service import MultiService
from twisted.application.strports import service as port_service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, serverFromString
from twisted.logger import Logger

from txqmp.journal.writer import Journal
from txqmp.proxy.endpoints import DescriptorServerEndpoint
from txqmp.proxy.tap import Tap
from txqmp.service.options import safe_server_string

_log = Logger()


def allow_open_files(count: int) -> None:
    """Raise the limit of open files of this process, as far as that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < count:
        _log.warn(
            "only {allowed} files may be open; all connections would want {count}",
            allowed=wanted,
            count=count,
        )


def _left_as_it_is(endpoint: Any, reactor: Any) -> Any:
    """A UNIX socket of systemd's: Twisted would make it everybody's, and remove it at the end."""
    adopted = isinstance(endpoint, AdoptedStreamServerEndpoint)
    if adopted and endpoint.addressFamily == AF_UNIX:
        return DescriptorServerEndpoint(reactor, endpoint.fileno)
    return endpoint


class JournalledPort(MultiService):
    """
    Listens for clients, or for monitors, and journals what they say.

    :param ports: the string of a server endpoint and the factory of its protocols, for each port.
    :param journal: opened and closed with the service.
    :param reactor: listens.
    :param name: the monitor's name in the journal.
    :param upstream: the monitor's address, in the journal and for the log.
    :param downstream: the address of the clients, for the log.
    :param max_connections: clients at a time.
    :raises ValueError: the string of a port is not that of an endpoint.
    :raises CannotListenError: from starting, if a port cannot be had.
    :raises JournalError: from starting, if the journal cannot be written.
    """

    def __init__(
        self,
        ports: Sequence[tuple[str, Any]],
        journal: Journal,
        reactor: Any,
        *,
        name: str,
        upstream: str,
        downstream: str,
        max_connections: int,
    ) -> None:
        super().__init__()
        self.journal = journal
        self._reactor = reactor
        self._ports = [(safe_server_string(listen), factory) for listen, factory in ports]
        for listen, _ in self._ports:
            serverFromString(reactor, listen)
        self._open_ports: list[Any] = []
        self._name = name
        self._upstream = upstream
        self._downstream = downstream
        self._max_connections = max_connections

    async def _close(self) -> None:
        """End what goes on with clients; the ports are closed by then."""
        raise NotImplementedError

    def privilegedStartService(self) -> None:
        """Open the ports (``twistd`` only)."""
        self._add_ports()
        super().privilegedStartService()

    def startService(self) -> None:
        """Open the journal, then the ports; none stays open if another cannot be."""
        # Two a conversation, two more where the machine is simulated, and some for ourselves.
        allow_open_files(4 * self._max_connections + 64)
        try:
            self.journal.open()
            self._add_ports()
            super().startService()
        except Exception:
            self.stopService()
            raise
        _log.info(
            "ready: clients connect to {downstream}, the monitor is {upstream}",
            downstream=self._downstream,
            upstream=self._upstream,
        )

    def _tap(self, number: int, peer: dict[str, Any], **settings: Any) -> Tap:
        """Make the tap of a connection."""
        return Tap(
            self.journal.record,
            self._reactor,
            monitor=self._name,
            connection=number,
            peer=peer,
            upstream=self._upstream,
            **settings,
        )

    def stopService(self) -> Deferred[None]:
        """Close the ports, the conversations, then the journal."""
        return Deferred.fromCoroutine(self._stop())

    def _add_ports(self) -> None:
        # The service of a port starts once, and stops only if it was started.
        if not self._open_ports:
            for listen, factory in self._ports:
                port = port_service(listen, factory, self._reactor)
                port.endpoint = _left_as_it_is(port.endpoint, self._reactor)
                self._open_ports.append(port)
                port.setServiceParent(self)

    async def _stop(self) -> None:
        ports, self._open_ports = self._open_ports, []
        try:
            await super().stopService()
            await self._close()
        finally:
            for port in ports:
                port.disownServiceParent()
            await self.journal.close()
