"""
Doubles for the tests of code that talks to a monitor, or that is one.

A test reads as section 4 of the specification does, and takes no time::

    def test_asks_for_the_name() -> None:
        clock = Clock()
        monitor = ScriptedMonitor('''
            S: + OK QEMU 0.10.50 QMP 0.1
            C: info name
            S: = build-7
            S: + OK info name completed
        ''')
        pair = connect(TextClientFactory(clock), monitor, clock)
        name = ask_for_the_name(pair.client)
        pair.flush()
        monitor.check()
        assert successResultOf(name) == "build-7"
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from twisted.internet import error
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.test import iosim

from txqmp.journal.reader import Torn
from txqmp.journal.record import Record
from txqmp.monitor.framing import BoundedLineReceiver
from txqmp.monitor.observer import OneShotObserver
from txqmp.replay.factory import replay_factory
from txqmp.replay.matching import Mode
from txqmp.replay.recording import Recording

__all__ = ["Pair", "ReplayedMonitor", "ScriptedMonitor", "connect"]


class Pair:
    """
    A client and a server that are connected in memory.

    :ivar client: what the client's factory built.
    :ivar server: what the server's factory built.
    :ivar clock: measures the time of both.
    """

    def __init__(self, client: Any, server: Any, clock: Clock) -> None:
        self.client = client
        self.server = server
        self.clock = clock
        self._transports = (iosim.makeFakeClient(client), iosim.makeFakeServer(server))
        ours, theirs = self._transports
        self._pump = iosim.connect(server, theirs, client, ours, clock=clock)

    def flush(self) -> None:
        """Deliver all that is on its way, and what is said because of it."""
        self._pump.flush()

    def advance(self, seconds: float) -> None:
        """Let time pass, then deliver what was said because of it."""
        self.clock.advance(seconds)
        self.flush()

    def cut(self) -> None:
        """Break the connection: what is on its way is lost, both ends see ``ConnectionLost``."""
        for transport in self._transports:
            transport.getOutBuffer()
            transport.disconnectReason = error.ConnectionLost()
            transport.loseConnection()
        self.flush()


def connect(
    client_factory: IProtocolFactory, server_factory: IProtocolFactory, clock: Clock
) -> Pair:
    """
    Connect a client and a server in memory; the greeting has come when this returns.

    Nothing holds a writer back in memory: back-pressure and half-closing want a socket.

    :param clock: the one both factories were given.
    :raises twisted.internet.error.ConnectionRefusedError: a factory builds no protocol.
    """
    address = UNIXAddress(None)
    server = server_factory.buildProtocol(address)
    client = client_factory.buildProtocol(address)
    if server is None or client is None:
        raise error.ConnectionRefusedError
    return Pair(client, server, clock)


class _Step(NamedTuple):
    speaker: str
    line: str


_STEP = re.compile(r"\s*([CS]):(?: (.*))?", re.DOTALL)


def _read(dialogue: str) -> list[_Step]:
    steps = []
    for line in dialogue.split("\n"):
        match = _STEP.fullmatch(line)
        if match is not None:
            steps.append(_Step(match[1], match[2] or ""))
        elif line.strip():
            raise ValueError(f"a line of a dialogue begins with 'S: ' or 'C: ', not {line!r}")
    return steps


class _Player(BoundedLineReceiver):
    """One connection, on which one dialogue is played."""

    def __init__(self, monitor: ScriptedMonitor, number: int, steps: list[_Step]) -> None:
        super().__init__()
        self.finished = False
        self._monitor = monitor
        self._number = number
        self._steps = steps
        self._position = 0

    def connectionMade(self) -> None:
        self._speak()

    def lineReceived(self, line: bytes) -> None:
        said = line.decode("latin-1")
        if self._position == len(self._steps):
            self._give_up(f"the dialogue was over, but the client said {said!r}")
        elif said != self._steps[self._position].line:
            self._give_up(f"the client said {said!r}")
        else:
            self._position += 1
            self._speak()

    def _speak(self) -> None:
        for speaker, line in self._steps[self._position :]:
            if speaker == "C":
                return
            self.sendLine(line.encode("latin-1"))
            self._position += 1
        self.finished = True
        self._monitor._played()

    def _give_up(self, problem: str) -> None:
        self._monitor._failed(self.describe(problem))
        assert self.transport is not None
        self.transport.loseConnection()

    def describe(self, problem: str) -> str:
        """Show where in the dialogue something went wrong."""
        shown = [
            f"{'>' if index == self._position else ' '} {step.speaker}: {step.line}"
            for index, step in enumerate([*self._steps, _Step("-", "(end)")])
        ]
        return "\n".join([f"dialogue {self._number}: {problem}", *shown])


class ScriptedMonitor(Factory):
    """
    A monitor that plays a dialogue written as in section 4 of the specification.

    It says the lines that begin with ``S:`` and expects those that begin with ``C:``, byte for
    byte and in order. A client that says anything else is disconnected, and :meth:`check`
    tells why. It is a factory, for :func:`connect` as well as for a real endpoint.

    :param dialogues: one for each connection that will be made. One space after the colon
        is left out; blank lines do not count.
    :raises ValueError: a line of a dialogue begins with something else.
    """

    noisy = False

    def __init__(self, *dialogues: str) -> None:
        self._dialogues = [_read(dialogue) for dialogue in dialogues]
        self._players: list[_Player] = []
        self._problem: str | None = None
        self._end: OneShotObserver[None] = OneShotObserver()

    def buildProtocol(self, addr: IAddress | None) -> _Player | None:
        """Play the next dialogue; refuse a connection for which there is none."""
        number = len(self._players)
        if number == len(self._dialogues):
            self._failed(f"connection {number + 1} was made, but there is no dialogue for it")
            return None
        player = _Player(self, number + 1, self._dialogues[number])
        self._players.append(player)
        return player

    def say(self, line: str) -> None:
        """Say a line that is in no dialogue, now: an event, a late reply."""
        self._players[-1].sendLine(line.encode("latin-1"))

    def disconnect(self) -> None:
        """End the latest connection."""
        transport = self._players[-1].transport
        assert transport is not None
        transport.loseConnection()

    def check(self) -> None:
        """
        Make sure that every dialogue was played to its end.

        :raises AssertionError: one was not; the message shows where it stopped.
        """
        if self._problem is not None:
            raise AssertionError(self._problem)
        for player in self._players:
            if not player.finished:
                raise AssertionError(player.describe("the client did not say"))
        if len(self._players) < len(self._dialogues):
            raise AssertionError(f"dialogue {len(self._players) + 1}: the client did not connect")

    def when_finished(self) -> Deferred[None]:
        """
        Wait until every dialogue was played to its end.

        :returns: fails with an ``AssertionError`` as soon as a client says something else.
        """
        return self._end.when()

    def _played(self) -> None:
        finished = [player for player in self._players if player.finished]
        if len(finished) == len(self._dialogues):
            self._end.fire(None)

    def _failed(self, problem: str) -> None:
        if self._problem is None:
            self._problem = problem
            self._end.fire(Failure(AssertionError(problem)))


class ReplayedMonitor(Factory):
    """
    A monitor that answers as a recorded one did, in the dialect of the record.

    It is a factory, for :func:`connect` as well as for a real endpoint. Each connection gets the
    next recorded conversation that has a command; after the last comes the first again.

    :param journal: the path of a journal, or its records.
    :param clock: measures all times.
    :param mode: ``strict``: the same commands in the same order; ``loose``: by command and
        arguments.
    :param speed: how many times as fast as recorded; 0: nothing is waited for.
    :param monitor: only conversations with the monitor of this name.
    :param connection: only conversations of this number.
    :raises JournalError: the journal cannot be read, or nothing was asked in it.
    """

    noisy = False

    def __init__(
        self,
        journal: str | os.PathLike[str] | Iterable[Record | Torn],
        clock: Clock,
        *,
        mode: Mode = "strict",
        speed: float = 1.0,
        monitor: str | None = None,
        connection: int | None = None,
    ) -> None:
        recording = Recording(journal, monitor=monitor, connection=connection)
        self._clock = clock
        self._factory = replay_factory(recording, clock, mode=mode, speed=speed)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Play the next conversation."""
        return self._factory.buildProtocol(addr)

    def connect(self, client_factory: IProtocolFactory) -> Pair:
        """Connect a client in memory; the greeting has come when this returns."""
        return connect(client_factory, self, self._clock)

    @property
    def unexpected(self) -> list[str]:
        """What was asked and is not in the record, in words; of many, the latest 1000."""
        return list(self._factory.replay.unexpected)

    @property
    def unasked(self) -> list[str]:
        """The recorded commands that nobody has asked, in words."""
        return list(self._factory.replay.unasked())

    def check(self) -> None:
        """
        Make sure that all that was recorded was asked, and nothing else.

        :raises AssertionError: it was not; the message tells what.
        """
        problems = [f"asked, but not in the record: {asked}" for asked in self.unexpected]
        problems += [f"in the record, but not asked: {command}" for command in self.unasked]
        if problems:
            raise AssertionError("\n".join(problems))
