"""
The states of the client of JSON QMP: every pair of a state and something that happens.

The table says, for every pair, where the connection stands afterwards and what was done; the
illegal pairs too. A test at the end makes sure that no pair is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import pytest
from twisted.internet.defer import Deferred

from tests.jsonqmp.client_wire import JSONWire, greeting
from tests.wires import Outcomes
from txqmp.errors import (
    BoundExceeded,
    CommandFailed,
    CommandInterrupted,
    ConnectionUnusable,
    GreetingTimeout,
    ProtocolViolation,
)
from txqmp.jsonqmp.client import JSONClient, State
from txqmp.jsonqmp.grammar import Greeting

G, N, I, B, O = State  # noqa: E741


class Run:
    """A client that was brought into a state, and what has happened since."""

    MAX_LINE = 200

    def __init__(self, state: State) -> None:
        self.outcomes = Outcomes()
        self.command: Deferred[Any] | None = None
        self.wire = JSONWire(negotiated=False, max_line=self.MAX_LINE, greeting_timeout=20.0)
        self.events: list[str] = []
        self.wire.client.subscribe(None, lambda event: self.events.append(event.name))
        self.outcomes.watch("greeting", self.wire.client.when_greeted())
        if state is not G:
            self.wire.tells(greeting())
        if state not in (G, N):
            self.wire.tells({"return": {}, "id": 0})
        if state is B:
            self.ask()
        elif state is O:
            self.wire.hangs_up()
        assert self.wire.client.state is state
        self.wire.commands()
        self.before = len(self.outcomes.all)

    def ask(self) -> None:
        self.command = self.wire.client.execute("stop")
        self.outcomes.watch("command", self.command)

    def cancel(self) -> None:
        """The command that is owed a reply is cancelled, and the reply stays out for long."""
        if self.command is not None:
            self.command.cancel()
            self.before = len(self.outcomes.all)
            self.wire.clock.advance(1000)

    @property
    def what(self) -> tuple[type, ...]:
        """The outcomes since: types of exceptions and results."""
        return tuple(type(outcome) for _, outcome in self.outcomes.all[self.before :])


ERROR = {"class": "GenericError", "desc": "no"}
MESSAGES: dict[str, Any] = {
    "greeting": greeting(),
    "negotiated": {"return": {}, "id": 0},
    "refused": {"error": ERROR, "id": 0},
    "success": {"return": [], "id": 1},
    "failure": {"error": ERROR, "id": 1},
    "nameless success": {"return": []},
    "nameless failure": {"error": ERROR},
    "unknown id": {"return": [], "id": 77},
    "event": {"event": "STOP"},
}
INPUTS: dict[str, Callable[[Run], Any]] = {
    **{
        name: lambda run, message=message: run.wire.tells(message)
        for name, message in MESSAGES.items()
    },
    "garbage": lambda run: run.wire.says("hello"),
    "no message": lambda run: run.wire.tells({}),
    "empty line": lambda run: run.wire.says(""),
    "half a message": lambda run: run.wire.says("{"),
    "over-long line": lambda run: run.wire.says("x" * (run.MAX_LINE + 1)),
    "execute": lambda run: run.ask(),
    "close": lambda run: run.wire.client.close(),
    "connection lost": lambda run: run.wire.breaks(),
    "greeting time-out": lambda run: run.wire.clock.advance(20),
    "cancel": lambda run: run.cancel(),
}


class Then(NamedTuple):
    """
    What a client does.

    :ivar state: where it stands afterwards.
    :ivar outcomes: what the greeting's and the command's Deferreds fired with, if they did.
    :ivar transport: "aborted", "disconnecting" or nothing.
    :ivar events: what was told to subscribers.
    :ivar sent: the commands that left.
    """

    state: State
    outcomes: tuple[type, ...] = ()
    transport: str = ""
    events: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()


NOTHING = {state: Then(state) for state in State}
NO_GREETING = Then(O, (ProtocolViolation,), "aborted")
TOO_LONG = Then(O, (BoundExceeded,), "aborted")
UNOWED = Then(O, (), "aborted")
BROKEN = Then(O, (CommandInterrupted,), "aborted")
SILENT = Then(O, (GreetingTimeout,), "aborted")
TOLD = {state: Then(state, events=("STOP",)) for state in (N, I, B)}
CLOSING = {state: Then(state, transport="disconnecting") for state in State}

TABLE: dict[tuple[State, str], Then] = {
    (G, "greeting"): Then(N, sent=("qmp_capabilities",)),
    (G, "negotiated"): NO_GREETING,
    (G, "refused"): NO_GREETING,
    (G, "success"): NO_GREETING,
    (G, "failure"): NO_GREETING,
    (G, "nameless success"): NO_GREETING,
    (G, "nameless failure"): NO_GREETING,
    (G, "unknown id"): NO_GREETING,
    (G, "event"): NO_GREETING,
    (G, "garbage"): NO_GREETING,
    (G, "no message"): NO_GREETING,
    (G, "empty line"): NOTHING[G],
    (G, "half a message"): NOTHING[G],
    (G, "over-long line"): TOO_LONG,
    (G, "execute"): NOTHING[G],
    (G, "close"): CLOSING[G],
    (G, "connection lost"): Then(O, (ConnectionUnusable,)),
    (G, "greeting time-out"): SILENT,
    (G, "cancel"): NOTHING[G],
    (N, "greeting"): NO_GREETING,
    (N, "negotiated"): Then(I, (Greeting,)),
    (N, "refused"): NO_GREETING,
    (N, "success"): NO_GREETING,
    (N, "failure"): NO_GREETING,
    (N, "nameless success"): NO_GREETING,
    (N, "nameless failure"): NO_GREETING,
    (N, "unknown id"): NO_GREETING,
    (N, "event"): TOLD[N],
    (N, "garbage"): NO_GREETING,
    (N, "no message"): NO_GREETING,
    (N, "empty line"): NOTHING[N],
    (N, "half a message"): NOTHING[N],
    (N, "over-long line"): TOO_LONG,
    (N, "execute"): NOTHING[N],
    (N, "close"): CLOSING[N],
    (N, "connection lost"): Then(O, (ConnectionUnusable,)),
    (N, "greeting time-out"): SILENT,
    (N, "cancel"): NOTHING[N],
    (I, "greeting"): UNOWED,
    (I, "negotiated"): UNOWED,
    (I, "refused"): UNOWED,
    (I, "success"): UNOWED,
    (I, "failure"): UNOWED,
    (I, "nameless success"): UNOWED,
    (I, "nameless failure"): UNOWED,
    (I, "unknown id"): UNOWED,
    (I, "event"): TOLD[I],
    (I, "garbage"): UNOWED,
    (I, "no message"): UNOWED,
    (I, "empty line"): NOTHING[I],
    (I, "half a message"): NOTHING[I],
    (I, "over-long line"): UNOWED,
    (I, "execute"): Then(B, sent=("stop",)),
    (I, "close"): CLOSING[I],
    (I, "connection lost"): Then(O),
    (I, "greeting time-out"): NOTHING[I],
    (I, "cancel"): NOTHING[I],
    (B, "greeting"): BROKEN,
    (B, "negotiated"): BROKEN,
    (B, "refused"): BROKEN,
    (B, "success"): Then(I, (list,)),
    (B, "failure"): Then(I, (CommandFailed,)),
    (B, "nameless success"): BROKEN,
    (B, "nameless failure"): BROKEN,
    (B, "unknown id"): BROKEN,
    (B, "event"): TOLD[B],
    (B, "garbage"): BROKEN,
    (B, "no message"): BROKEN,
    (B, "empty line"): NOTHING[B],
    (B, "half a message"): NOTHING[B],
    (B, "over-long line"): BROKEN,
    (B, "execute"): Then(B, sent=("stop",)),
    (B, "close"): CLOSING[B],
    (B, "connection lost"): Then(O, (CommandInterrupted,)),
    (B, "greeting time-out"): NOTHING[B],
    # A late reply does no harm: it may come for ever.
    (B, "cancel"): NOTHING[B],
    (O, "greeting"): NOTHING[O],
    (O, "negotiated"): NOTHING[O],
    (O, "refused"): NOTHING[O],
    (O, "success"): NOTHING[O],
    (O, "failure"): NOTHING[O],
    (O, "nameless success"): NOTHING[O],
    (O, "nameless failure"): NOTHING[O],
    (O, "unknown id"): NOTHING[O],
    (O, "event"): NOTHING[O],
    (O, "garbage"): NOTHING[O],
    (O, "no message"): NOTHING[O],
    (O, "empty line"): NOTHING[O],
    (O, "half a message"): NOTHING[O],
    (O, "over-long line"): NOTHING[O],
    (O, "execute"): Then(O, (ConnectionUnusable,)),
    (O, "close"): NOTHING[O],
    (O, "connection lost"): NOTHING[O],
    (O, "greeting time-out"): NOTHING[O],
    (O, "cancel"): NOTHING[O],
}


@pytest.mark.parametrize(("state", "happening"), TABLE)
def test_client(state: State, happening: str) -> None:
    run = Run(state)
    INPUTS[happening](run)
    transport = run.wire.transport
    then = Then(
        run.wire.client.state,
        run.what,
        "aborted" if transport.aborted else "disconnecting" if transport.disconnecting else "",
        tuple(run.events),
        tuple(name for name, _ in run.wire.asked()),
    )
    assert then == TABLE[state, happening]


@pytest.mark.parametrize(("state", "happening"), TABLE)
def test_a_client_that_is_over_has_no_timers_left(state: State, happening: str) -> None:
    run = Run(state)
    INPUTS[happening](run)
    run.wire.breaks()
    assert run.wire.client.state is O
    assert run.wire.calm


def test_no_pair_is_missing() -> None:
    assert set(TABLE) == set(product(State, INPUTS))


def test_the_table_of_what_is_legal_agrees_with_what_is_done() -> None:
    kinds = {
        "greeting": "Greeting",
        "negotiated": "Success",
        "refused": "Failure",
        "success": "Success",
        "failure": "Failure",
        "event": "Event",
    }
    legal = {(state, kind.__name__) for state, kind in JSONClient.LEGAL}
    done = {
        (state, kinds[happening])
        for (state, happening), then in TABLE.items()
        if happening in kinds and state is not O and then.transport != "aborted"
    }
    # A refusal is expected, and ends the connection.
    assert legal == done | {(N, "Failure")}
