"""
The proxy's process of a wrapped QEMU (``txqmp wrap``).

It was handed the sockets that stand in QEMU's place, and QEMU the ones that stand in its clients'.
It lives as long as QEMU and what its monitors' clients have still to read.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from socket import socket
from typing import Any, TextIO

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, DeferredLock
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError, ConnectionDone, NoProtocol
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor, IStreamClientEndpoint
from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from txqmp.journal.writer import Journal
from txqmp.monitor.adopt import adopt_connection, adopt_port
from txqmp.monitor.closing import CLOSE_TIMEOUT
from txqmp.proxy.endpoints import DescriptorClientEndpoint
from txqmp.proxy.peer import describe_peer
from txqmp.proxy.relay import Conversation, RelayFactory
from txqmp.proxy.tap import HOLD, Tap
from txqmp.wrap.plan import Plan, Post, receive
from txqmp.wrap.sockets import give_back

_log = Logger()


@implementer(IReadDescriptor)
class Lifeline:
    """
    A pipe whose other end QEMU holds, and nobody else: it ends when QEMU does.

    :param number: of our end; closed with it.
    :param over: called once it has ended.
    """

    def __init__(self, number: int, over: Callable[[], object]) -> None:
        self._number = number
        self._over = over

    def fileno(self) -> int:
        """The descriptor, for the reactor."""
        return self._number

    def logPrefix(self) -> str:
        """What the reactor's own messages about it begin with."""
        return "lifeline"

    def doRead(self) -> Failure | None:
        """It has ended, for nobody writes."""
        return None if os.read(self._number, 64) else Failure(ConnectionDone())

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has let it go."""
        os.close(self._number)
        self._over()


@implementer(IStreamClientEndpoint)
class Turns:
    """
    Connections to a monitor, one after the other: QEMU does not take another before.

    :param endpoint: where the monitor is.
    :param gone: called when nobody is there.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, gone: Callable[[], object]) -> None:
        self._endpoint = endpoint
        self._gone = gone
        self._lock = DeferredLock()

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Connect when it is its turn."""
        return self._lock.acquire().addCallback(self._connect, protocolFactory)

    def _connect(self, lock: DeferredLock, factory: Any) -> Deferred[Any]:
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        return connecting.addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        self._lock.release()
        if failure.check(Refused):
            self._gone()
        return failure

    def over(self) -> None:
        """A connection is over: it is the next one's turn."""
        self._lock.release()


class PostFactory(RelayFactory):
    """
    The conversations of one monitor: what it lets go of, the next one gets.

    While somebody waits no other is taken, as with QEMU: who waits in a socket may leave.
    """

    turns: Turns | None = None
    over: Callable[[], object] | None = None
    ports: Sequence[Any] = ()

    def buildProtocol(self, addr: Any) -> Any:
        """Begin a conversation."""
        if self.turns is not None and self.conversations:
            for port in self.ports:
                port.stopReading()
        return super().buildProtocol(addr)

    def conversation_over(self, conversation: Conversation) -> None:
        """Both ends are gone, and the tap knows."""
        if self.turns is not None and conversation.was_joined:
            self.turns.over()
        super().conversation_over(conversation)
        for port in self.ports:
            if self.turns is not None and port.connected and len(self.conversations) < 2:
                port.startReading()
        if self.over is not None:
            self.over()


class WrapService(MultiService):
    """
    Stands before the monitors of one QEMU.

    :param plan: what was prepared.
    :param journal: opened and closed with the service.
    :param reactor: runs it.
    """

    def __init__(self, plan: Plan, journal: Journal, reactor: Any) -> None:
        super().__init__()
        self._plan = plan
        self._journal = journal
        self._reactor = reactor
        self._numbers = count(1)
        self._ports: list[Any] = []
        self._posts: list[PostFactory] = []
        self._ending = False
        self._last_call: IDelayedCall | None = None
        self._over: Deferred[None] = Deferred()

    def when_over(self) -> Deferred[None]:
        """
        Wait for the end: QEMU is gone, every client has what it said, and the journal is closed.

        :returns: to be asked for once.
        """
        return self._over

    def startService(self) -> None:
        """
        Open the journal, and take clients.

        :raises JournalError: it cannot be written. QEMU and its clients can talk all the same.
        """
        super().startService()
        for name, reason in self._plan.left:
            _log.warn("the monitor {name} is not recorded: {reason}", name=name, reason=reason)
        try:
            self._journal.open()
        finally:
            self._reactor.addReader(Lifeline(self._plan.alive, self.finish))
            for post in self._plan.posts:
                try:
                    self._stand(post)
                except (ConnectError, NoProtocol) as error:
                    _log.warn(
                        "the monitor {name} is lost: {reason}", name=post.name, reason=str(error)
                    )
                    if post.joined is not None:
                        os.close(post.joined)
            self._check_useful()
            for relay in self._posts:
                relay.over = self._check_useful

    def _stand(self, post: Post) -> None:
        name = self._plan.name
        if len(self._plan.posts) > 1:
            name = f"{name}:{post.name}"
        tap_for = self._tap_maker(name, f"{post.name} of PID {self._plan.pid}")
        relay = PostFactory(
            self._other_end(post),
            tap_for,
            self._reactor,
            numbers=self._numbers,
            greeting_timeout=None,
            close_timeout=None,
            quiet=True,
            first="client" if post.waiting is None else "monitor",
        )
        if isinstance(relay.endpoint, Turns):
            relay.turns = relay.endpoint
        self._posts.append(relay)
        ports: list[Any] = []
        numbers = post.listening if post.waiting is None else (post.waiting,)
        for number in numbers:
            with socket(fileno=number) as listening:
                ports.append(adopt_port(self._reactor, listening, relay))
        relay.ports = ports
        self._ports += ports
        if post.connected is not None:
            with socket(fileno=post.connected) as connection:
                adopt_connection(self._reactor, connection, relay)

    def _other_end(self, post: Post) -> Any:
        """What the relay connects to when somebody is there."""
        reactor = self._reactor
        if post.joined is not None:
            return DescriptorClientEndpoint(reactor, post.joined)
        if post.monitor:
            return Turns(UNIXClientEndpoint(reactor, post.monitor), self.finish)
        kind, place, *port = post.client
        if kind == "unix":
            return UNIXClientEndpoint(reactor, place)
        return HostnameEndpoint(reactor, place, int(port[0]))

    def _tap_maker(self, name: str, upstream: str) -> Callable[[Any, int], Tap]:
        def tap_for(transport: Any, number: int) -> Tap:
            return Tap(
                self._journal.record,
                self._reactor,
                monitor=name,
                connection=number,
                peer={} if transport is None else describe_peer(transport),
                upstream=upstream,
                hold=HOLD,
                decode=self._plan.decode,
            )

        return tap_for

    def _check_useful(self) -> None:
        """Where all that was connected is over, and nothing can be, there is no more to do."""
        if not self._ports and all(not post.conversations for post in self._posts):
            self.finish()

    def _told_to_end(self) -> None:
        # Who is still reading gets what there is; told again, we wait for nobody.
        if self._last_call is None:
            self._last_call = self._reactor.callLater(CLOSE_TIMEOUT, self._abort)
        elif self._last_call.active():
            self._last_call.reset(0)

    def _abort(self) -> None:
        for relay in self._posts:
            for conversation in list(relay.conversations):
                conversation.abort("the proxy was told to end")

    def finish(self) -> None:
        """QEMU is gone: let each client have its last words, then end."""
        if not self._ending:
            self._ending = True
            Deferred.fromCoroutine(self._finish()).chainDeferred(self._over)

    async def _finish(self) -> None:
        # In this order: while we listen, nobody else's socket can have the inode of ours.
        for post in self._plan.posts:
            for path, device, inode in post.paths:
                _remove(Path(path), (device, inode), self._plan.pid)
        for port in self._ports:
            await port.stopListening()
        over = DeferredList([relay.finish() for relay in self._posts])
        # From now on there are only clients to wait for, and that may have an end.
        told = self._told_to_end
        signal.signal(signal.SIGTERM, lambda *_: self._reactor.callFromThread(told))
        await over
        if self._last_call is not None and self._last_call.active():
            self._last_call.cancel()
        await self._journal.close()
        shutil.rmtree(self._plan.folder, ignore_errors=True)


def _remove(path: Path, identity: tuple[int, int], pid: int) -> None:
    """Remove a socket, as QEMU does when it ends, unless somebody else's stands there by now."""
    with suppress(OSError):
        status = path.lstat()
        if (status.st_dev, status.st_ino) == identity:
            path.unlink()
    if not path.exists():
        give_back(path, pid)


class _LateFile:
    """A log that is a file once there is something to say."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: TextIO | None = None

    def write(self, text: str) -> None:
        """Write, and lose what cannot be written: there is nobody else to tell."""
        with suppress(OSError):
            if self._file is None:
                number = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                self._file = os.fdopen(number, "a", encoding="utf-8")
            self._file.write(text)
            self._file.flush()

    def flush(self) -> None:
        """Nothing is kept back."""


def _begin_logging(plan: Plan) -> None:
    if plan.log:
        level, path = LogLevel.info, plan.log
    else:
        level, path = LogLevel.warn, f"{plan.journal}.log"
    observer: Any = textFileLogObserver(_LateFile(path))  # type: ignore[arg-type]
    predicate = LogLevelFilterPredicate(level)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(observer, [predicate])], redirectStandardIO=False
    )


def main(argv: list[str]) -> None:
    """
    Be the proxy of a QEMU.

    :param argv: the number of a socket that tells what to do, and that of QEMU's process, which
        is for people to read.
    """
    from twisted.internet import reactor as running_reactor

    reactor: Any = running_reactor
    plan = receive(socket(fileno=int(argv[0])))
    if plan is None:
        return
    # Whoever ends QEMU may send a signal to all that belongs to it: the last words are still to
    # be heard then. The end comes by itself.
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    _begin_logging(plan)
    journal = Journal(
        plan.journal,
        rotate_bytes=plan.rotate_bytes,
        keep=plan.keep,
        redact=plan.redact,
    )
    service = WrapService(plan, journal, reactor)

    def stop(result: object) -> None:
        if isinstance(result, Failure):
            _log.failure("the proxy failed at its end", result)
        reactor.stop()

    service.when_over().addBoth(stop)

    def start() -> None:
        try:
            service.startService()
        except Exception:
            _log.failure("nothing can be journalled")

    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False)


if __name__ == "__main__":
    main(sys.argv[1:])
