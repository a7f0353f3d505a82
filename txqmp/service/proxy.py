"""``twistd qmp-proxy``: a recording proxy between the clients of a monitor and the monitor."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.usage import UsageError

from txqmp.journal.writer import Journal
from txqmp.proxy.peer import describe_peer
from txqmp.proxy.relay import RelayFactory
from txqmp.proxy.tap import HOLD, Tap
from txqmp.service.daemon import Daemon
from txqmp.service.gateway import GatewayService
from txqmp.service.options import (
    JournalOptions,
    check_server_string,
    client_endpoint,
    monitor_name,
    positive,
    safe_server_string,
)
from txqmp.service.port import JournalledPort

_log = Logger()


class ProxyService(JournalledPort):
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
    :param decode: False to journal what is said as it comes, undecoded.
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
        decode: bool = True,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._decode = decode
        self._relay = RelayFactory(
            endpoint,
            self._client_tap,
            reactor,
            greeting_timeout=greeting_timeout,
            max_connections=max_connections,
            quiet=quiet,
        )
        super().__init__(
            listen,
            self._relay,
            journal,
            reactor,
            name=name,
            upstream=upstream,
            max_connections=max_connections,
        )

    def _client_tap(self, transport: Any, number: int) -> Tap:
        return self._tap(number, describe_peer(transport), hold=HOLD, decode=self._decode)

    async def _close(self) -> None:
        await self._relay.close_all("the proxy is stopped")


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
        [
            "dialect",
            None,
            None,
            "what clients speak; text: a gateway to a monitor that speaks JSON.",
        ],
        [
            "on-upstream-loss",
            None,
            None,
            "with --dialect text: hold the clients when the monitor is gone, or close.",
        ],
    ]
    optFlags = [
        ["no-decode", None, "record what is said as it comes, undecoded: for bulk."],
        ["no-hmp", None, "with --dialect text: never use human-monitor-command."],
        ["event-data", None, "with --dialect text: append the data of events."],
    ]

    def postOptions(self) -> None:
        """
        Check what was given.

        :raises UsageError: an endpoint is none, or options do not go together.
        """
        self._check_dialect()
        self["listen"] = safe_server_string(self["listen"])
        check_server_string("--listen", self["listen"])
        self["endpoint"] = client_endpoint("--connect", self["connect"])
        if self["name"] is None:
            self["name"] = monitor_name(self["connect"])

    def _check_dialect(self) -> None:
        if self["dialect"] not in (None, "text"):
            raise UsageError(f"--dialect {self['dialect']}: only text can be spoken for a monitor")
        if self["on-upstream-loss"] not in (None, "hold", "close"):
            raise UsageError(f"--on-upstream-loss {self['on-upstream-loss']}: not hold or close")
        for option in ("on-upstream-loss", "no-hmp", "event-data"):
            if self[option] and self["dialect"] is None:
                raise UsageError(f"--{option} goes with --dialect text")
        if self["no-decode"] and self["dialect"] is not None:
            raise UsageError("--no-decode: what a gateway says has to be decoded to be linked")


def makeService(options: ProxyOptions) -> Daemon:
    """Make the service that the command line describes."""
    daemon = Daemon("qmp-proxy")
    arguments = (options["listen"], options["endpoint"], options.journal())
    settings = {
        "name": options["name"],
        "upstream": options["connect"],
        "greeting_timeout": options["greeting-timeout"],
        "max_connections": options["max-connections"],
        "quiet": options["quiet"],
    }
    service: JournalledPort
    if options["dialect"] == "text":
        service = GatewayService(
            *arguments,
            **settings,
            human=not options["no-hmp"],
            event_data=bool(options["event-data"]),
            on_loss=options["on-upstream-loss"] or "hold",
        )
    else:
        service = ProxyService(*arguments, **settings, decode=not options["no-decode"])
    service.setServiceParent(daemon)
    if options["connect"] == "machine:":
        _log.info("no monitor was given with --connect: clients talk to a simulated machine")
    return daemon


Options = ProxyOptions
