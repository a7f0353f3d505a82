"""Why a connection was not made."""

from __future__ import annotations

from twisted.internet.error import ConnectError, ConnectionDone, UnknownHostError
from twisted.python.failure import Failure

from txqmp.proxy.refusal import why_refused


def test_others_wait_already() -> None:
    # What Twisted makes of a UNIX socket that says EAGAIN.
    full = Failure(ConnectError(string=Failure(ConnectionDone())))
    assert why_refused(full).startswith("it takes no more connections (is another client")


def test_all_else_is_told_in_the_words_of_the_error() -> None:
    assert why_refused(Failure(ConnectError())) == "An error occurred while connecting."
    assert "nowhere" in why_refused(Failure(UnknownHostError("nowhere")))
