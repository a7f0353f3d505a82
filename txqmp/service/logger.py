"""``twistd qmp-logger``: a client that journals the events of monitors, for as long as it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import count
from time import time
from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.usage import UsageError
from zope.interface import implementer

from txqmp.errors import CommandError, InvalidCommand, MonitorError
from txqmp.journal.writer import Journal
from txqmp.proxy.tap import Tap
from txqmp.proxy.tapped import TappedFactory
from txqmp.service.daemon import Daemon
from txqmp.service.options import JournalOptions, client_endpoint, monitor_name, seconds
from txqmp.text.client import TextClient, TextClientFactory
from txqmp.text.grammar import check_command_line

_log = Logger()


class MonitorLog(ClientService):
    """
    Journals one monitor: its greeting, its events, and the answers to what is asked at intervals.

    It connects again for ever; the time without a connection becomes a ``gap`` record.

    :param name: the monitor's name in the journal.
    :param endpoint: where it is.
    :param tap: makes the tap of each connection.
    :param reactor: measures all times.
    :param polls: command lines to send at intervals.
    :param every: seconds between them.
    :param greeting_timeout: seconds in which the monitor must greet.
    :param max_delay: seconds between attempts to connect, at most.
    :param quiet: log no line for each connection.
    """

    def __init__(
        self,
        name: str,
        endpoint: IStreamClientEndpoint,
        tap: Callable[[], Tap],
        reactor: Any,
        *,
        polls: Sequence[str] = (),
        every: float = 10.0,
        greeting_timeout: float = 30.0,
        max_delay: float = 30.0,
        quiet: bool = False,
    ) -> None:
        self._reactor = reactor
        self._monitor = name
        self._polls = polls
        self._every = every
        self._quiet = quiet
        self._backoff = backoffPolicy(0.5, max_delay)
        self._failures = 0
        self._lost_at: float | None = None
        self._problem = ""
        self._client: TextClient | None = None
        super().__init__(
            TroubleReporter(endpoint, self._not_connected),
            TappedFactory(TextClientFactory(reactor, greeting_timeout=greeting_timeout), tap),
            retryPolicy=self._delay,
            clock=reactor,
            prepareConnection=self._connected,
        )

    def stopService(self) -> Deferred[None]:
        """End the connection, if need be without the monitor, and make no other."""
        if self._client is not None:
            self._client.close()
        return super().stopService()

    def _delay(self, attempt: int) -> float:
        # ClientService takes a connection for a success; without a greeting it is none.
        self._failures += 1
        return self._backoff(self._failures)

    def _not_connected(self, reason: str) -> None:
        if not self.running:
            return
        if self._lost_at is None:
            self._lost_at = time()
        if reason != self._problem:
            self._problem = reason
            _log.warn("{name}: no connection: {reason}", name=self._monitor, reason=reason)

    def _connected(self, wrapper: Any) -> None:
        # ClientService cannot have a connection end before this returns: nothing is awaited.
        client: TextClient = wrapper.wrappedProtocol
        self._client = client
        Deferred.fromCoroutine(self._attend(client, wrapper.tap))

    async def _attend(self, client: TextClient, tap: Tap) -> None:
        try:
            await client.when_greeted()
            self._greeted(tap)
            polling = LoopingCall(lambda: Deferred.fromCoroutine(self._poll(client)))
            polling.clock = self._reactor
            if self._polls:
                polling.start(self._every)
            reason: Exception = await client.when_disconnected()
            if polling.running:
                polling.stop()
        except MonitorError as error:
            reason = error
        self._client = None
        self._not_connected(str(reason))

    def _greeted(self, tap: Tap) -> None:
        if self._lost_at is not None:
            tap.gap(self._lost_at, f"no connection: {self._problem}")
        self._lost_at, self._problem, self._failures = None, "", 0
        if not self._quiet:
            _log.info("{name}: connected", name=self._monitor)

    async def _poll(self, client: TextClient) -> None:
        for line in self._polls:
            try:
                await client.execute_line(line, timeout=self._every)
            except CommandError as error:
                # The journal has it; what goes wrong each time is not said each time.
                _log.debug("{name}: {error}", name=self._monitor, error=error)
            except MonitorError:
                return


@implementer(IStreamClientEndpoint)
class TroubleReporter:
    """
    An endpoint that says why it could not connect; ``ClientService`` itself keeps that quiet.

    :param endpoint: what connects.
    :param report: gets the reason.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, report: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._report = report

    def connect(self, factory: Any) -> Deferred[Any]:
        """Connect as the endpoint does."""

        def failed(failure: Failure) -> Failure:
            self._report(failure.getErrorMessage())
            return failure

        connecting: Deferred[Any] = maybeDeferred(self._endpoint.connect, factory)
        return connecting.addErrback(failed)


class LoggerService(MultiService):
    """
    Journals any number of monitors.

    :param monitors: a name, an endpoint and the endpoint's string, for each.
    :param journal: opened and closed with the service.
    :param reactor: the global reactor where it is None.
    :param settings: see :class:`MonitorLog`.
    :raises JournalError: from starting, if the journal cannot be written.
    """

    def __init__(
        self,
        monitors: Sequence[tuple[str, IStreamClientEndpoint, str]],
        journal: Journal,
        reactor: Any = None,
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

        for name, endpoint, upstream in monitors:
            log = MonitorLog(name, endpoint, tap_for(name, upstream), reactor, **settings)
            log.setServiceParent(self)

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


class LoggerOptions(JournalOptions):
    """The command line of ``twistd qmp-logger``."""

    synopsis = "--connect [NAME=]endpoint [--connect …] [options]"
    longdesc = (
        "Connects to QEMU monitors that speak the text protocol of 2009 and writes their events, "
        "and the answers to what it asks at intervals, to a journal. It connects again for ever."
    )
    optParameters = [
        ["journal", "j", "qmp-logger.jsonl", "the file to write to."],
        ["every", None, 10.0, "seconds between polls.", seconds],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["monitors"] = []
        self["polls"] = []

    def opt_connect(self, argument: str) -> None:
        """a monitor, [NAME=]endpoint; may be given several times."""
        name, equals, description = argument.partition("=")
        if not (name and equals) or ":" in name:
            name, description = monitor_name(argument), argument
        if name in (known for known, _, _ in self["monitors"]):
            raise UsageError(f"--connect {argument}: there is a monitor {name} already")
        self["monitors"].append((name, client_endpoint("--connect", description), description))

    opt_c = opt_connect

    def opt_poll(self, line: str) -> None:
        """a command to send at intervals, such as "info status"; may be given several times."""
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
        if not self["monitors"]:
            raise UsageError("say with --connect which monitor to log")


def makeService(options: LoggerOptions) -> Daemon:
    """Make the service that the command line describes."""
    daemon = Daemon("qmp-logger")
    LoggerService(
        options["monitors"],
        options.journal(),
        polls=options["polls"],
        every=options["every"],
        greeting_timeout=options["greeting-timeout"],
        quiet=options["quiet"],
    ).setServiceParent(daemon)
    return daemon


Options = LoggerOptions
