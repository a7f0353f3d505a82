"""One monitor, journalled for as long as a logger runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from txqmp.errors import CommandError, CommandTimeout, InvalidCommand, MonitorError
from txqmp.proxy.kept import KeptMonitor
from txqmp.proxy.tap import Tap
from txqmp.proxy.tapped import TappedProtocol
from txqmp.service.attend import LastWords, ask, survey
from txqmp.sniffer import Client

_log = Logger()


class MonitorLog(KeptMonitor):
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
    :param settings: see :class:`~txqmp.proxy.kept.KeptMonitor`.
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
        **settings: Any,
    ) -> None:
        super().__init__(name, endpoint, tap, reactor, **settings)
        self._polls = polls
        self._every = every
        self._heartbeat = 0.0 if passive else heartbeat
        self._passive = passive
        self._lost_at: float | None = None
        self._why_lost = ""
        self._calls: list[LoopingCall] = []
        self._unaskable: set[str] = set()

    def _missing(self, reason: str) -> None:
        if self._lost_at is None:
            self._lost_at = time()
        self._why_lost = reason

    def _met(self, client: Client, wrapper: TappedProtocol) -> None:
        last_words = LastWords()
        client.subscribe(None, last_words.hear)
        wrapper.ask_for_ending(lambda: last_words.ending)

    async def _attend(self, client: Client, wrapper: TappedProtocol) -> None:
        if self._lost_at is not None:
            wrapper.tap.gap(self._lost_at, f"no connection: {self._why_lost}")
            self._lost_at = None
        if not self._passive:
            wrapper.tap.resync(await survey(client, self._timeout))
        if self._polls:
            self._every_so_often(self._every, self._poll, client)
        if self._heartbeat:
            self._every_so_often(self._heartbeat, self._beat, client, wrapper)

    def _left(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            if call.running:
                call.stop()

    def _every_so_often(self, seconds: float, act: Callable[..., Any], *to: Any) -> None:
        call = LoopingCall(lambda: Deferred.fromCoroutine(act(*to)))
        call.clock = self._reactor
        self._calls.append(call)
        running = call.start(seconds)
        running.addErrback(
            lambda failure: _log.failure("{name}: asking failed", failure, name=self._monitor)
        )

    async def _poll(self, client: Client) -> None:
        for line in self._polls:
            try:
                await ask(client, line, self._every)
            except InvalidCommand as error:
                if line not in self._unaskable:
                    self._unaskable.add(line)
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
