"""A connection that was closed does end."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock

from tests.wires import Transport
from txqmp.monitor.closing import CLOSE_TIMEOUT, GracefulClose, abort, ending_text


class Parts:
    def __init__(self, timeout: float = 5.0) -> None:
        self.clock = Clock()
        self.transport = Transport()
        self.end = GracefulClose(self.clock, timeout)


def test_the_connection_is_lost_and_the_producer_does_not_hold_it_up() -> None:
    parts = Parts()
    parts.transport.registerProducer(object(), True)
    parts.end.close(parts.transport)
    assert parts.transport.disconnecting
    assert parts.transport.producer is None
    assert not parts.transport.aborted


def test_a_peer_that_does_not_read_is_aborted_after_the_timeout() -> None:
    parts = Parts(5.0)
    parts.end.close(parts.transport)
    parts.clock.advance(4.9)
    assert not parts.transport.aborted
    parts.clock.advance(0.1)
    assert parts.transport.aborted


def test_the_timeout_is_ten_seconds_where_it_is_not_said() -> None:
    transport, clock = Transport(), Clock()
    GracefulClose(clock).close(transport)
    (call,) = clock.getDelayedCalls()
    assert call.getTime() == CLOSE_TIMEOUT == 10.0


def test_a_connection_that_ended_in_time_is_not_aborted() -> None:
    parts = Parts()
    parts.end.close(parts.transport)
    parts.end.closed()
    assert not parts.clock.getDelayedCalls()
    assert not parts.end.closing


def test_closing_again_does_not_postpone_the_abort() -> None:
    parts = Parts(5.0)
    parts.end.close(parts.transport)
    parts.clock.advance(3)
    parts.end.close(parts.transport)
    parts.clock.advance(2)
    assert parts.transport.aborted


def test_it_is_closing_from_the_wish_to_the_end() -> None:
    parts = Parts(5.0)
    assert not parts.end.closing
    parts.end.close(parts.transport)
    assert parts.end.closing
    parts.end.closed()
    assert not parts.end.closing


def test_it_is_still_closing_between_the_abort_and_the_end() -> None:
    parts = Parts(5.0)
    parts.end.close(parts.transport)
    parts.clock.advance(5)
    assert parts.end.closing
    parts.end.close(parts.transport)
    assert not parts.clock.getDelayedCalls()


def test_an_end_that_nobody_asked_for_is_none_of_its_business() -> None:
    parts = Parts()
    parts.end.closed()
    assert not parts.end.closing
    assert not parts.transport.disconnecting


class ProcessTransport:
    """Like that of a ``ProcessEndpoint``, which has no ``abortConnection``."""

    lost = False

    def loseConnection(self) -> None:
        self.lost = True


@pytest.mark.parametrize("transport", [Transport(), ProcessTransport()])
def test_abort_does_what_the_transport_can(transport: Transport | ProcessTransport) -> None:
    abort(transport)
    if isinstance(transport, Transport):
        assert transport.aborted
        assert not transport.disconnecting
    else:
        assert transport.lost


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionDone(), "Connection was closed cleanly."),
        (
            ValueError([("SSL routines", "", "certificate verify failed")]),
            "certificate verify failed",
        ),
        (ValueError([("a", "", "one"), ("b", "", "two")]), "one; two"),
        (ValueError([KeyError("a name that mismatches")]), "'a name that mismatches'"),
        (ValueError(), "ValueError"),
        (ValueError([]), "[]"),
    ],
)
def test_why_it_ended_is_told_in_words(error: Exception, text: str) -> None:
    assert ending_text(error) == text
