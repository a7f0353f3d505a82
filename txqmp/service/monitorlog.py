"""One monitor, journalled for as long as a logger runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import time
from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txqmp.connect import Client, SnifferFactory
from txqmp.errors import CommandError, CommandTimeout, InvalidCommand, MonitorError
from txqmp.proxy.tap import Tap
from txqmp.proxy.tapped import TappedFactory, TappedProtocol
from txqmp.service.attend import LastWords, ask, survey

_log = Logger()


class MonitorLog(ClientService):
    """
    Journals one monitor: its greeting, its events, and the answers to what is asked at intervals.

    It connects again for ever; the time without a connection becomes a ``gap`` record. After
    each connection it asks what the machine is and how it is, a ``resync`` record: a change
    that was missed is seen there.

    :param name: the monitor's name in the journal.
    :param endpoint: where it is.
    :param tap: makes the tap of each connection.
    :param reactor: measures all times.
    :param polls: commands to send at intervals, as :func:`~txqmp.service.attend.ask` takes them.
    :param every: seconds between them.
    :param heartbeat: seconds between questions whether the monitor is still alive, and for
        the answer; 0: none is asked.
    :param passive: ask nothing that the user did not: no heartbeat, no ``resync``.
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
        heartbeat: float = 10.0,
        passive: bool = False,
        greeting_timeout: float = 30.0,
        max_delay: float = 30.0,
        quiet: bool = False,
    ) -> None:
        self._reactor = reactor
        self._monitor = name
        self._polls = polls
        self._every = every
        self._heartbeat = 0.0 if passive else heartbeat
        self._passive = passive
        self._timeout = greeting_timeout
        self._quiet = quiet
        self._backoff = backoffPolicy(0.5, max_delay)
        self._failures = 0
        self._lost_at: float | None = None
        self._problem = ""
        self._wrapper: TappedProtocol | None = None
        super().__init__(
            TroubleReporter(endpoint, self._not_connected),
            TappedFactory(SnifferFactory(reactor, greeting_timeout), tap),
            retryPolicy=self._delay,
            clock=reactor,
            prepareConnection=self._connected,
        )

    def stopService(self) -> Deferred[None]:
        """End the connection, if need be without the monitor, and make no other."""
        stopping: Deferred[None] = super().stopService()
        if self._wrapper is not None:
            self._wrapper.abortConnection()
        return stopping

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
        self._wrapper = wrapper
        attending = Deferred.fromCoroutine(self._attend(wrapper))
        attending.addErrback(self._failed, wrapper)

    def _failed(self, failure: Failure, wrapper: TappedProtocol) -> None:
        _log.failure("{name}: it cannot be attended to", failure, name=self._monitor)
        wrapper.abortConnection()

    async def _attend(self, wrapper: TappedProtocol) -> None:
        calls: list[LoopingCall] = []
        try:
            client: Client = await wrapper.wrappedProtocol.known  # type: ignore[attr-defined]
            last_words = LastWords()
            client.subscribe(None, last_words.hear)
            wrapper.ask_for_ending(lambda: last_words.ending)
            await client.when_greeted()
            self._greeted(wrapper.tap)
            if not self._passive:
                wrapper.tap.resync(await survey(client, self._timeout))
            calls = self._calls(client, wrapper)
            reason: Exception = await client.when_disconnected()
        except MonitorError as error:
            reason = error
        finally:
            for call in calls:
                if call.running:
                    call.stop()
        self._wrapper = None
        self._not_connected(wrapper.problem or str(reason))

    def _greeted(self, tap: Tap) -> None:
        if self._lost_at is not None:
            tap.gap(self._lost_at, f"no connection: {self._problem}")
        self._lost_at, self._problem, self._failures = None, "", 0
        if not self._quiet:
            _log.info("{name}: connected", name=self._monitor)

    def _calls(self, client: Client, wrapper: TappedProtocol) -> list[LoopingCall]:
        calls = []
        if self._polls:
            calls.append(self._every_so_often(self._every, self._poll, client))
        if self._heartbeat:
            calls.append(self._every_so_often(self._heartbeat, self._beat, client, wrapper))
        return calls

    def _every_so_often(self, seconds: float, act: Callable[..., Any], *to: Any) -> LoopingCall:
        call = LoopingCall(lambda: Deferred.fromCoroutine(act(*to)))
        call.clock = self._reactor
        running = call.start(seconds)
        running.addErrback(
            lambda failure: _log.failure("{name}: asking failed", failure, name=self._monitor)
        )
        return call

    async def _poll(self, client: Client) -> None:
        for line in self._polls:
            try:
                await ask(client, line, self._every)
            except InvalidCommand as error:
                _log.warn(
                    "{name}: cannot ask {line!r}: {error}",
                    name=self._monitor,
                    line=line,
                    error=error,
                )
            except CommandError as error:
                # The journal has it; what goes wrong each time is not said each time.
                _log.debug("{name}: {error}", name=self._monitor, error=error)
            except MonitorError:
                return

    async def _beat(self, client: Client, wrapper: TappedProtocol) -> None:
        line = "info status" if client.dialect == "text" else "query-status"
        try:
            await ask(client, line, self._heartbeat)
        except CommandTimeout:
            wrapper.give_up("hung", f"no answer within {self._heartbeat:g} s: the monitor hangs")
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
