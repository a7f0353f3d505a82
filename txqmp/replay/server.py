"""What the servers of a replay share, whatever their dialect: they say what the record says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from txqmp.errors import JournalError
from txqmp.journal.record import Kind
from txqmp.monitor.observer import OneShotObserver
from txqmp.monitor.server import MonitorServer, MonitorServerFactory
from txqmp.replay.elsewhere import Elsewhere
from txqmp.replay.fitting import complete
from txqmp.replay.matching import Asked, NotRecorded
from txqmp.replay.player import Player, Replay
from txqmp.replay.script import Exchange, Said

_log = Logger()

MAX_COMMAND = 4 * 1024 * 1024
"""Bytes in a command: a longer one is not in a journal."""


class ReplayingFactory(MonitorServerFactory):
    """
    What the factories of both dialects share.

    :ivar replay: what is replayed.
    :ivar elsewhere: the monitor that is asked what is not in the record, or None.
    """

    replay: Replay
    elsewhere: Elsewhere | None
    _idle: OneShotObserver[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make the server of the next conversation, or None when there are too many."""
        try:
            return super().buildProtocol(addr)
        except JournalError as error:
            _log.error("refused {peer}: {error}", peer=addr, error=str(error))
            return None

    def left(self) -> None:
        """A client is gone; with the last one goes the connection elsewhere."""
        if not self.connections:
            if self.elsewhere is not None:
                self.elsewhere.close()
            if self._idle is not None:
                self._idle.fire(None)

    def close_all(self) -> Deferred[None]:
        """
        End every connection, once what is on its way was read or time is up.

        :returns: fires when none is left.
        """
        if self._idle is None:
            self._idle = OneShotObserver()
        for connection in list(self.connections):
            connection.close()
        self.left()
        return self._idle.when()


class Found(NamedTuple):
    """
    Something that a client asks for, and what the record has of it.

    :ivar exchange: the recorded command, or why there is none.
    """

    asked: Asked
    exchange: Exchange | NotRecorded


class ReplayingServer(MonitorServer):
    """
    One connection of a client to a replayed monitor.

    A dialect's server sets ``player``, looks up what comes with ``_find``, and answers it in its
    turn with ``_reply``.
    """

    factory: Any
    player: Player

    def _greet(self) -> None:
        greeting = self.player.script.greeting
        if greeting is None:
            super()._greet()
        else:
            self.write(complete(greeting))
        self.player.begin(self._say_now)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone."""
        self.player.stop()
        super().connectionLost(reason)
        self.factory.left()

    def _say_now(self, said: Said) -> None:
        if said.kind is Kind.CLOSED:
            self.close()
        elif said.raw is not None:
            self.send_event(complete(said.raw))

    def _find(self, asked: Asked) -> Found:
        """Look something up as soon as it comes: commands out of band overtake others later."""
        try:
            return Found(asked, self.player.find(asked))
        except NotRecorded as problem:
            return Found(asked, problem)

    async def _reply(self, found: Found) -> None:
        asked, exchange = found
        if isinstance(exchange, NotRecorded):
            await self._without_record(asked, exchange)
            return
        try:
            await self.player.answer(exchange, self._teller(asked))
        except NotRecorded as problem:
            self._refuse(asked, problem)
        self._answered_from(exchange)
        self.player.answered(exchange)

    async def _without_record(self, asked: Asked, problem: NotRecorded) -> None:
        elsewhere = self.factory.elsewhere
        if elsewhere is not None and asked.name:
            await self._ask_elsewhere(asked, elsewhere)
        else:
            self.player.refused(asked)
            self._refuse(asked, problem)

    def _teller(self, asked: Asked) -> Callable[[Said], Awaitable[None]]:
        async def tell(said: Said) -> None:
            await self._until_writable()
            if said.kind in (Kind.EVENT, Kind.CLOSED):
                self._say_now(said)
            elif said.raw is not None:
                self._utter(self._fitted(said, asked))

        return tell

    def _utter(self, data: bytes) -> None:
        if not (self._closing or self._over):
            self.write(data)

    # What a dialect fills in.

    def _fitted(self, said: Said, asked: Asked) -> bytes:
        """Write a part of an answer so that it fits what was asked."""
        return self.player.fit(complete(said.raw or b""))

    def _answered_from(self, exchange: Exchange) -> None:
        """An answer was given from the record."""

    def _refuse(self, asked: Asked, problem: NotRecorded) -> None:
        """Answer what is not in the record."""
        raise NotImplementedError

    async def _ask_elsewhere(self, asked: Asked, elsewhere: Elsewhere) -> None:
        """Let the other monitor answer."""
        raise NotImplementedError
