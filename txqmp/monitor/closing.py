"""Ending a connection so that it does end."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

CLOSE_TIMEOUT = 10.0
"""Seconds a peer gets to read what was written before a connection is aborted."""


def abort(transport: Any) -> None:
    """Drop a connection and what was not read yet, as far as its transport can."""
    # Those of processes and of standard input have no abortConnection.
    getattr(transport, "abortConnection", transport.loseConnection)()


def ending_text(error: BaseException | None) -> str:
    """Say in words why a connection ended; OpenSSL says it in a list of triples."""
    said = error.args if error is not None else ()
    reasons = said[0] if said and isinstance(said[0], list) else []
    words = [str(reason[-1] if isinstance(reason, tuple) else reason) for reason in reasons]
    return "; ".join(words) or str(error) or type(error).__name__


class GracefulClose:
    """
    Lose a connection, and abort it when the peer does not read its rest in time.

    :param clock: measures the time.
    :param timeout: seconds from :meth:`close` to the abort; None if there is none.
    """

    __slots__ = ("_clock", "_closing", "_timeout", "_timer")

    def __init__(self, clock: IReactorTime, timeout: float | None = CLOSE_TIMEOUT) -> None:
        self._clock = clock
        self._timeout = timeout
        self._timer: IDelayedCall | None = None
        self._closing = False

    @property
    def closing(self) -> bool:
        """Whether the end was asked for and has not come yet."""
        return self._closing

    def close(self, transport: Any) -> None:
        """Begin to close; a second call changes nothing."""
        if not self._closing:
            self._closing = True
            if self._timeout is not None:
                self._timer = self._clock.callLater(self._timeout, self._expired, transport)
            # With a paused producer registered, loseConnection would wait for it for ever.
            transport.unregisterProducer()
            transport.loseConnection()

    def _expired(self, transport: Any) -> None:
        self._timer = None
        abort(transport)

    def closed(self) -> None:
        """To be called from ``connectionLost``."""
        self._closing = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
