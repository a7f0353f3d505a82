"""``twistd qmp-proxy``: a recording proxy between the clients of a monitor and the monitor."""

from __future__ import annotations

import resource
from typing import Any

from twisted.application.service import MultiService
from twisted.application.strports import service as port_service
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger

from txqmp.journal.writer import Journal
from txqmp.proxy.peer import describe_peer
from txqmp.proxy.relay import RelayFactory
from txqmp.proxy.tap import Tap
from txqmp.service.daemon import Daemon
from txqmp.service.options import (
    JournalOptions,
    check_server_string,
    client_endpoint,
    monitor_name,
    positive,
    safe_server_string,
)

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


class ProxyService(MultiService):
    """
    Listens for clients, gives each a connection of its own to the monitor, and journals what
    they say.

    :param listen: the string of the server endpoint.
    :param endpoint: where the monitor is.
    :param journal: opened and closed with the service.
    :param reactor: the global reactor where it is None.
    :param name: the monitor's name in the journal.
    :param upstream: the monitor's address in the journal.
    :param greeting_timeout: seconds in which the monitor must greet.
    :param max_connections: clients at a time.
    :param quiet: log no line for each connection.
    :raises ValueError: ``listen`` is not the string of an endpoint.
    :raises CannotListenError: from starting, if the port cannot be had.
    :raises JournalError: from starting, if the journal cannot be written.
    """

    def __init__(
        self,
        listen: str,
        endpoint: IStreamClientEndpoint,
        journal: Journal,
        reactor: Any = None,
        *,
        name: str,
        upstream: str = "",
        greeting_timeout: float = 30.0,
        max_connections: int = 1000,
        quiet: bool = False,
    ) -> None:
        super().__init__()
        if reactor is None:
            from twisted.internet import reactor
        self.journal = journal
        self._reactor = reactor
        self._listen = safe_server_string(listen)
        serverFromString(reactor, self._listen)
        self._port: Any = None
        self._name = name
        self._upstream = upstream
        self._relay = RelayFactory(
            endpoint,
            self._tap,
            reactor,
            greeting_timeout=greeting_timeout,
            max_connections=max_connections,
            quiet=quiet,
        )

    def _tap(self, transport: Any, number: int) -> Tap:
        return Tap(
            self.journal.record,
            self._reactor,
            monitor=self._name,
            connection=number,
            peer=describe_peer(transport),
            upstream=self._upstream,
        )

    def privilegedStartService(self) -> None:
        """Open the port (``twistd`` only)."""
        self._add_port()
        super().privilegedStartService()

    def startService(self) -> None:
        """Open the journal, then the port; neither stays open if the other cannot be."""
        # Two a conversation, two more where the machine is simulated, and some for ourselves.
        allow_open_files(4 * self._relay.max_connections + 64)
        try:
            self.journal.open()
            self._add_port()
            super().startService()
        except Exception:
            self.stopService()
            raise
        _log.info(
            "ready: clients connect to {listen}, the monitor is {upstream}",
            listen=self._listen,
            upstream=self._upstream,
        )

    def stopService(self) -> Deferred[None]:
        """Close the port, the conversations, then the journal."""
        return Deferred.fromCoroutine(self._stop())

    def _add_port(self) -> None:
        # The service of a port starts once, and stops only if it was started.
        if self._port is None:
            self._port = port_service(self._listen, self._relay, self._reactor)
            self._port.setServiceParent(self)

    async def _stop(self) -> None:
        port, self._port = self._port, None
        try:
            await super().stopService()
            await self._relay.close_all("the proxy is stopped")
        finally:
            if port is not None:
                port.disownServiceParent()
            await self.journal.close()


class ProxyOptions(JournalOptions):
    """The command line of ``twistd qmp-proxy``."""

    synopsis = "[options]"
    longdesc = (
        "Stands between the clients of a QEMU monitor and the monitor, passes on what they say "
        "as it is, in the text protocol of 2009 or in JSON, and writes it to a journal."
    )
    optParameters = [
        ["listen", "l", "unix:qmp-proxy.sock:mode=600", "where clients connect (an endpoint)."],
        [
            "connect",
            "c",
            "machine:",
            "where the monitor is (an endpoint); a simulated machine unless given.",
        ],
        ["journal", "j", "qmp-proxy.jsonl", "the file to write to."],
        ["name", "n", None, "the monitor's name in the journal."],
        ["max-connections", None, 1000, "clients at a time.", positive],
    ]

    def postOptions(self) -> None:
        """
        Check what was given.

        :raises UsageError: an endpoint is none.
        """
        self["listen"] = safe_server_string(self["listen"])
        check_server_string("--listen", self["listen"])
        self["endpoint"] = client_endpoint("--connect", self["connect"])
        if self["name"] is None:
            self["name"] = monitor_name(self["connect"])


def makeService(options: ProxyOptions) -> Daemon:
    """Make the service that the command line describes."""
    daemon = Daemon("qmp-proxy")
    ProxyService(
        options["listen"],
        options["endpoint"],
        options.journal(),
        name=options["name"],
        upstream=options["connect"],
        greeting_timeout=options["greeting-timeout"],
        max_connections=options["max-connections"],
        quiet=options["quiet"],
    ).setServiceParent(daemon)
    if options["connect"] == "machine:":
        _log.info("no monitor was given with --connect: clients talk to a simulated machine")
    return daemon


Options = ProxyOptions
