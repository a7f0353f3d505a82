"""A recording relay in the place of a running monitor's own socket."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePath
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from txqmp.errors import TakeoverError
from txqmp.journal.writer import Journal
from txqmp.monitor.closing import abort
from txqmp.monitor.observer import OneShotObserver
from txqmp.proxy.peer import describe_peer
from txqmp.proxy.relay import RelayFactory
from txqmp.proxy.tap import HOLD, Tap
from txqmp.service.aside import LISTENING, MONITOR, Aside, Outcome
from txqmp.service.sockdiag import census, listens

_log = Logger()

PROBE_TIMEOUT = 3.0
"""Seconds in which a monitor greets that has no client, where the kernel does not tell."""

MAX_CONNECTIONS = 100
"""Clients at a time. A QEMU serves one, and lets hardly more than one wait."""


class Takeover:
    """
    Takes the socket of a running monitor over, and gives it back at the end.

    :param path: of the socket.
    :param journal: opened and closed with the takeover.
    :param reactor: the global reactor where it is None.
    :param name: the monitor's name in the journal; after the path where it is None.
    :param greeting_timeout: seconds in which the monitor must greet a client.
    :param quiet: log no line for each connection.
    :param interval: seconds between two looks whether the monitor is still there.
    """

    def __init__(
        self,
        path: str,
        journal: Journal,
        reactor: Any = None,
        *,
        name: str | None = None,
        greeting_timeout: float = 30.0,
        quiet: bool = False,
        interval: float = 1.0,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self.journal = journal
        self._reactor = reactor
        self._aside = Aside(path)
        self._name = PurePath(path).stem if name is None else name
        self._greeting_timeout = greeting_timeout
        self._quiet = quiet
        self._interval = interval
        self._relay: RelayFactory | None = None
        self._port: Any = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._told = False
        self._doubt = False
        self._warned = False
        self._over: OneShotObserver[None] = OneShotObserver()

    @property
    def path(self) -> str:
        """The path of the socket, with no symbolic links in it."""
        return self._aside.path

    @property
    def name(self) -> str:
        """The monitor's name in the journal."""
        return self._name

    @property
    def mended(self) -> Outcome | None:
        """What became of an earlier takeover that was killed; None if there was none."""
        return self._aside.mended

    def begin(self) -> Deferred[None]:
        """
        Take the socket over.

        :returns: fires when clients come here. Fails with :class:`~txqmp.TakeoverError`, or with
            :class:`~txqmp.JournalError`; then everything is as it was, but for what was mended.
        """
        return Deferred.fromCoroutine(self._begin())

    def when_over(self) -> Deferred[None]:
        """
        Wait for the monitor to listen no more.

        :returns: a Deferred of its own for each caller. The takeover has yet to be ended.
        """
        return self._over.when()

    def end(self) -> Deferred[Outcome]:
        """
        Give the socket back, and end the conversations, each within 10 seconds.

        :returns: what became of the path. Fails with :class:`~txqmp.TakeoverError` if it cannot
            be given back.
        """
        return Deferred.fromCoroutine(self._end())

    async def _begin(self) -> None:
        try:
            self._aside.open()
        except OSError as problem:
            raise self._failed("cannot be taken over", problem) from None
        try:
            await self._check("")
            self.journal.open()
            self._listen()
            self._aside.switch()
            # Whoever came until then has the monitor's own socket.
            await self._check(" since just now")
        except (OSError, CannotListenError) as problem:
            await self._end()
            raise self._failed("cannot be taken over", problem) from None
        except Exception:
            await self._end()
            raise
        self._reactor.addReader(self._port)
        looking = self._looking.start(self._interval, now=False)
        looking.addErrback(lambda failure: _log.failure("the watch ended", failure))

    def _failed(self, what: str, problem: Exception) -> TakeoverError:
        reason = str(problem)
        if isinstance(problem, OSError) and problem.strerror:
            reason = problem.strerror
        return TakeoverError(f"{self.path} {what}: {reason}")

    async def _check(self, since: str) -> None:
        """See that the monitor listens, and has no client."""
        found = census(self._aside.address(MONITOR))
        self._told = found is not None and found.listening
        if found is not None and found.listening:
            free = found.clients == 0
        else:
            free = await self._greets()
        if not free:
            raise TakeoverError(
                f"{self.path}: a client is connected{since}; "
                "what it says could not be recorded, so it has to leave first"
            )

    async def _greets(self) -> bool:
        """Find out by a connection whether the monitor serves us, or somebody else."""
        probe = Factory.forProtocol(_Probe)
        probe.noisy = False
        try:
            connecting = self._endpoint().connect(probe)
            greeted: Deferred[bool] = (await connecting).greeted
        except error.ConnectionRefusedError:
            raise TakeoverError(f"{self.path}: nobody listens there") from None
        except ConnectError:
            return False
        timer = self._reactor.callLater(PROBE_TIMEOUT, greeted.cancel)
        try:
            return await greeted
        finally:
            if timer.active():
                timer.cancel()

    def _endpoint(self) -> UNIXClientEndpoint:
        return UNIXClientEndpoint(self._reactor, self._aside.address(MONITOR))

    def _listen(self) -> None:
        self._relay = RelayFactory(
            self._endpoint(),
            self._tap,
            self._reactor,
            greeting_timeout=self._greeting_timeout,
            max_connections=MAX_CONNECTIONS,
            quiet=self._quiet,
        )
        self._port = self._reactor.listenUNIX(
            self._aside.address(LISTENING), self._relay, mode=self._aside.mode
        )
        # Clients wait until it is certain that there were none before.
        self._reactor.removeReader(self._port)

    def _tap(self, transport: Any, number: int) -> Tap:
        self._doubt = True
        return Tap(
            self.journal.record,
            self._reactor,
            monitor=self._name,
            connection=number,
            # The name that the socket was bound to is not the one that clients know.
            peer={**describe_peer(transport), "path": self.path},
            upstream=f"unix:{self.path}",
            hold=HOLD,
        )

    def _look(self) -> None:
        """See whether the monitor still listens, and whether clients come here."""
        removed = not self._warned and not self._aside.holds()
        self._doubt = self._doubt or removed
        if self._is_gone():
            self._over.fire(None)
        elif removed:
            self._warned = True
            _log.warn("{path} was removed or replaced: no client comes here", path=self.path)

    def _is_gone(self) -> bool:
        monitor = self._aside.address(MONITOR)
        found = census(monitor)
        if found is not None and found.listening:
            return False
        busy = self._relay is not None and self._relay.conversations
        if not self._told and (busy or not self._doubt):
            # To ask is to connect: only when something happened, and nobody is served.
            return False
        self._doubt = False
        return not listens(monitor)

    async def _end(self) -> Outcome:
        if self._looking.running:
            self._looking.stop()
        try:
            outcome = self._aside.restore()
        except (OSError, TakeoverError) as problem:
            await self._close()
            self._aside.abandon()
            if isinstance(problem, TakeoverError):
                raise
            raise self._failed(
                f"cannot be given back (the monitor is {self._aside.folder}/{MONITOR}, "
                "the next takeover will try again)",
                problem,
            ) from None
        await self._stop_listening()
        try:
            self._aside.close()
        except OSError as problem:
            raise self._failed(f"is in order, but not {self._aside.folder}", problem) from None
        finally:
            await self._close()
        return outcome

    async def _close(self) -> None:
        await self._stop_listening()
        if self._relay is not None:
            await self._relay.close_all("the takeover is over")
        await self.journal.close()

    async def _stop_listening(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            with suppress(OSError):
                await port.stopListening()


class _Probe(Protocol):
    """
    Hears whether a monitor says anything, and leaves.

    :ivar greeted: fires with whether it did; it may be cancelled.
    """

    def __init__(self) -> None:
        self.greeted: Deferred[bool] = Deferred(self._silent)

    def dataReceived(self, data: bytes) -> None:
        """It speaks: it has no other client."""
        self._done(True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It does not want us."""
        self._done(False)

    def _silent(self, greeted: Deferred[bool]) -> None:
        self._done(False)

    def _done(self, greeted: bool) -> None:
        if not self.greeted.called:
            self.greeted.callback(greeted)
            abort(self.transport)
