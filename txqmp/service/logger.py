"""``twistd qmp-logger``: a client that journals the events of monitors, for as long as it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.usage import UsageError

from txqmp.errors import InvalidCommand
from txqmp.journal.writer import Journal
from txqmp.proxy.tap import Tap
from txqmp.service.daemon import Daemon
from txqmp.service.monitorlog import MonitorLog
from txqmp.service.options import JournalOptions, client_endpoint, monitor_name, seconds
from txqmp.service.watch import SocketWatch
from txqmp.text.grammar import check_command_line


class LoggerService(MultiService):
    """
    Journals any number of monitors.

    :param monitors: a name, an endpoint and the endpoint's string, for each.
    :param journal: opened and closed with the service.
    :param reactor: the global reactor where it is None.
    :param watch: folders, or globs, whose UNIX sockets are monitors for as long as they are
        there; each is named after its socket.
    :param settings: see :class:`~txqmp.service.monitorlog.MonitorLog`.
    :raises JournalError: from starting, if the journal cannot be written.
    """

    def __init__(
        self,
        monitors: Sequence[tuple[str, IStreamClientEndpoint, str]],
        journal: Journal,
        reactor: Any = None,
        *,
        watch: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        super().__init__()
        if reactor is None:
            from twisted.internet import reactor
        self.journal = journal
        numbers = count(1)
        peer = {"pid": os.getpid(), "program": "qmp-logger"}

        def tap_for(name: str, upstream: str) -> Callable[[], Tap]:
            return lambda: Tap(
                journal.record,
                reactor,
                monitor=name,
                connection=next(numbers),
                peer=peer,
                upstream=upstream,
            )

        def attend(name: str, endpoint: IStreamClientEndpoint, upstream: str) -> MonitorLog:
            return MonitorLog(name, endpoint, tap_for(name, upstream), reactor, **settings)

        def attend_to_socket(path: Path) -> MonitorLog:
            return attend(path.stem, UNIXClientEndpoint(reactor, str(path)), f"unix:{path}")

        for monitor in monitors:
            attend(*monitor).setServiceParent(self)
        for pattern in watch:
            SocketWatch(pattern, attend_to_socket, reactor).setServiceParent(self)

    def startService(self) -> None:
        """Open the journal, then connect."""
        self.journal.open()
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Close the connections, then the journal."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        try:
            await super().stopService()
        finally:
            await self.journal.close()


def _heartbeat(value: str) -> float:
    return 0.0 if value == "0" else seconds(value)


class LoggerOptions(JournalOptions):
    """The command line of ``twistd qmp-logger``."""

    synopsis = "--connect [NAME=]endpoint [--connect …] [options]"
    longdesc = (
        "Connects to QEMU monitors, of the text protocol of 2009 or of today's JSON, and writes "
        "their events, and the answers to what it asks at intervals, to a journal. It connects "
        "again for ever."
    )
    optParameters = [
        ["journal", "j", "qmp-logger.jsonl", "the file to write to."],
        ["every", None, 10.0, "seconds between polls.", seconds],
        [
            "heartbeat",
            None,
            10.0,
            "seconds between signs of life that are asked for; 0: none.",
            _heartbeat,
        ],
    ]

    optFlags = [["passive", None, "ask nothing that --poll does not: no heartbeat, no resync."]]

    def __init__(self) -> None:
        super().__init__()
        self["monitors"] = []
        self["polls"] = []
        self["watch"] = []

    def opt_connect(self, argument: str) -> None:
        """a monitor, [NAME=]endpoint; may be given several times."""
        name, equals, description = argument.partition("=")
        if not (name and equals) or ":" in name:
            name, description = monitor_name(argument), argument
        if name in (known for known, _, _ in self["monitors"]):
            raise UsageError(f"--connect {argument}: there is a monitor {name} already")
        self["monitors"].append((name, client_endpoint("--connect", description), description))

    opt_c = opt_connect

    def opt_watch(self, pattern: str) -> None:
        """a folder, or a glob, whose sockets are monitors; may be given several times."""
        self["watch"].append(pattern)

    def opt_poll(self, line: str) -> None:
        """a command to send at intervals, such as query-status; may be given several times."""
        try:
            check_command_line(line)
        except InvalidCommand as error:
            raise UsageError(f"--poll {line!r}: {error}") from None
        self["polls"].append(line)

    def postOptions(self) -> None:
        """
        Check what was given.

        :raises UsageError: no monitor was.
        """
        if not self["monitors"] and not self["watch"]:
            raise UsageError("say with --connect or --watch which monitor to log")


def makeService(options: LoggerOptions) -> Daemon:
    """Make the service that the command line describes."""
    daemon = Daemon("qmp-logger")
    LoggerService(
        options["monitors"],
        options.journal(),
        watch=options["watch"],
        polls=options["polls"],
        every=options["every"],
        heartbeat=options["heartbeat"],
        passive=options["passive"],
        greeting_timeout=options["greeting-timeout"],
        quiet=options["quiet"],
    ).setServiceParent(daemon)
    return daemon


Options = LoggerOptions
