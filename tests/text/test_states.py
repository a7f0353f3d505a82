"""
The states of client and server: every pair of a state and something that happens.

Each table says, for every pair, where the connection stands afterwards and what was done; the
illegal pairs too. A test at the end of each part makes sure that no pair is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import pytest
from twisted.internet.defer import Deferred

from tests.text.ends import GREETING, ClientWire, ServerWire, table
from tests.wires import Outcomes
from txqmp.errors import (
    BoundExceeded,
    CommandFailed,
    CommandInterrupted,
    CommandRejected,
    CommandTimeout,
    ConnectionUnusable,
    GreetingTimeout,
    ProtocolViolation,
)
from txqmp.monitor.server import State as Server
from txqmp.text.client import Reply, TextClient
from txqmp.text.client import State as Client
from txqmp.text.grammar import Greeting

G, I, B, O = Client.GREETING, Client.IDLE, Client.BUSY, Client.OVER  # noqa: E741


class ClientRun:
    """A client that was brought into a state, and what has happened since."""

    MAX_LINE = 100

    def __init__(self, state: Client) -> None:
        self.outcomes = Outcomes()
        self.command: Deferred[Any] | None = None
        self.wire = ClientWire(
            greeted=state is not G,
            max_line=self.MAX_LINE,
            greeting_timeout=20.0,
            late_reply_timeout=30.0,
        )
        self.events: list[str] = []
        self.wire.client.subscribe(None, lambda event: self.events.append(event.name))
        self.outcomes.watch("greeting", self.wire.client.when_greeted())
        if state is B:
            self.ask()
        elif state is O:
            self.wire.hangs_up()
        assert self.wire.client.state is state
        self.wire.heard()
        self.before = len(self.outcomes.all)

    def ask(self) -> None:
        self.command = self.wire.client.execute("stop")
        self.outcomes.watch("command", self.command)

    def time_out(self) -> None:
        """The command that is owed a reply is cancelled, and the reply stays out."""
        if self.command is not None:
            self.command.cancel()
            self.before = len(self.outcomes.all)
        self.wire.clock.advance(30)

    @property
    def what(self) -> list[Any]:
        """The outcomes since: types of exceptions and results."""
        return [type(outcome) for _, outcome in self.outcomes.all[self.before :]]


CLIENT_INPUTS: dict[str, Callable[[ClientRun], Any]] = {
    "greeting": lambda run: run.wire.says(GREETING),
    "output": lambda run: run.wire.says("= data"),
    "ok": lambda run: run.wire.says("+ OK stop completed"),
    "err": lambda run: run.wire.says("- ERR no"),
    "bad": lambda run: run.wire.says("- BAD no"),
    "event": lambda run: run.wire.says("* EVENT reboot"),
    "unknown star": lambda run: run.wire.says("* NOTE"),
    "garbage": lambda run: run.wire.says("hello"),
    "empty line": lambda run: run.wire.says(""),
    "interior CR": lambda run: run.wire.says("= a\rb"),
    "over-long line": lambda run: run.wire.says("= " + "x" * run.MAX_LINE),
    "execute": lambda run: run.ask(),
    "close": lambda run: run.wire.client.close(),
    "connection lost": lambda run: run.wire.breaks(),
    "greeting time-out": lambda run: run.wire.clock.advance(20),
    "late-reply time-out": lambda run: run.time_out(),
}


class Then(NamedTuple):
    """
    What a client does.

    :ivar state: where it stands afterwards.
    :ivar outcomes: what the greeting's and the command's Deferreds fired with, if they did.
    :ivar transport: "aborted", "disconnecting" or nothing.
    :ivar events: what was told to subscribers.
    :ivar sent: what left.
    """

    state: Client
    outcomes: tuple[type, ...] = ()
    transport: str = ""
    events: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()


NOTHING = {state: Then(state) for state in Client}
NO_GREETING = Then(O, (ProtocolViolation,), "aborted")
TOO_LONG = Then(O, (BoundExceeded,), "aborted")
UNOWED = Then(O, (), "aborted")
BROKEN = Then(O, (CommandInterrupted,), "aborted")
TOLD = {state: Then(state, events=("reboot",)) for state in (I, B)}

CLIENT: dict[tuple[Client, str], Then] = {
    (G, "greeting"): Then(I, (Greeting,)),
    (G, "output"): NO_GREETING,
    (G, "ok"): NO_GREETING,
    (G, "err"): NO_GREETING,
    (G, "bad"): NO_GREETING,
    (G, "event"): NO_GREETING,
    (G, "unknown star"): NO_GREETING,
    (G, "garbage"): NO_GREETING,
    (G, "empty line"): NO_GREETING,
    (G, "interior CR"): NO_GREETING,
    (G, "over-long line"): TOO_LONG,
    (G, "execute"): NOTHING[G],
    (G, "close"): Then(G, transport="disconnecting"),
    (G, "connection lost"): Then(O, (ConnectionUnusable,)),
    (G, "greeting time-out"): Then(O, (GreetingTimeout,), "aborted"),
    (G, "late-reply time-out"): Then(O, (GreetingTimeout,), "aborted"),
    (I, "greeting"): UNOWED,
    (I, "output"): UNOWED,
    (I, "ok"): UNOWED,
    (I, "err"): UNOWED,
    (I, "bad"): UNOWED,
    (I, "event"): TOLD[I],
    (I, "unknown star"): NOTHING[I],
    (I, "garbage"): UNOWED,
    (I, "empty line"): UNOWED,
    (I, "interior CR"): UNOWED,
    (I, "over-long line"): UNOWED,
    (I, "execute"): Then(B, sent=("stop",)),
    (I, "close"): Then(I, transport="disconnecting"),
    (I, "connection lost"): Then(O),
    (I, "greeting time-out"): NOTHING[I],
    (I, "late-reply time-out"): NOTHING[I],
    # A second greeting reads as a completion (rule 2: any text may stand there).
    (B, "greeting"): Then(I, (Reply,)),
    (B, "output"): NOTHING[B],
    (B, "ok"): Then(I, (Reply,)),
    (B, "err"): Then(I, (CommandFailed,)),
    (B, "bad"): Then(I, (CommandRejected,)),
    (B, "event"): TOLD[B],
    (B, "unknown star"): NOTHING[B],
    (B, "garbage"): BROKEN,
    (B, "empty line"): BROKEN,
    (B, "interior CR"): BROKEN,
    (B, "over-long line"): BROKEN,
    (B, "execute"): Then(B, sent=("stop",)),
    (B, "close"): Then(B, transport="disconnecting"),
    (B, "connection lost"): Then(O, (CommandInterrupted,)),
    (B, "greeting time-out"): NOTHING[B],
    (B, "late-reply time-out"): Then(O, (), "aborted"),
    (O, "greeting"): NOTHING[O],
    (O, "output"): NOTHING[O],
    (O, "ok"): NOTHING[O],
    (O, "err"): NOTHING[O],
    (O, "bad"): NOTHING[O],
    (O, "event"): NOTHING[O],
    (O, "unknown star"): NOTHING[O],
    (O, "garbage"): NOTHING[O],
    (O, "empty line"): NOTHING[O],
    (O, "interior CR"): NOTHING[O],
    (O, "over-long line"): NOTHING[O],
    (O, "execute"): Then(O, (ConnectionUnusable,)),
    (O, "close"): NOTHING[O],
    (O, "connection lost"): NOTHING[O],
    (O, "greeting time-out"): NOTHING[O],
    (O, "late-reply time-out"): NOTHING[O],
}


@pytest.mark.parametrize(("state", "happening"), CLIENT)
def test_client(state: Client, happening: str) -> None:
    run = ClientRun(state)
    CLIENT_INPUTS[happening](run)
    transport = run.wire.transport
    then = Then(
        run.wire.client.state,
        tuple(run.what),
        "aborted" if transport.aborted else "disconnecting" if transport.disconnecting else "",
        tuple(run.events),
        tuple(run.wire.heard()),
    )
    assert then == CLIENT[state, happening]


@pytest.mark.parametrize(("state", "happening"), CLIENT)
def test_a_client_that_is_over_has_no_timers_left(state: Client, happening: str) -> None:
    run = ClientRun(state)
    CLIENT_INPUTS[happening](run)
    run.wire.breaks()
    assert run.wire.client.state is O
    assert run.wire.calm


def test_no_pair_of_the_client_s_is_missing() -> None:
    assert set(CLIENT) == set(product(Client, CLIENT_INPUTS))


def test_the_table_of_what_is_legal_agrees_with_what_is_done() -> None:
    kinds = {
        "greeting": {"greeting"},
        "event": {"event"},
        "unknown": {"unknown star"},
        "output": {"output"},
        "success": {"ok", "greeting"},
        "failure": {"err"},
        "rejection": {"bad"},
    }
    legal = {
        (state, name)
        for state, message in TextClient.LEGAL
        for name in kinds[message.__name__.lower()]
    }
    lines = set().union(*kinds.values())
    done = {pair for pair in CLIENT if pair[1] in lines and pair[0] is not O}
    assert legal == {pair for pair in done if CLIENT[pair].transport != "aborted"}


def test_a_command_that_times_out_in_between_keeps_the_client_busy() -> None:
    wire = ClientWire()
    outcomes = Outcomes()
    outcomes.watch("stop", wire.client.execute("stop", timeout=5.0))
    wire.clock.advance(5)
    assert type(outcomes["stop"]) is CommandTimeout
    assert wire.client.state is B
    wire.says("+ OK stop completed")
    assert wire.client.state is I


class ServerRun:
    """A server that was brought into a state, and what has happened since."""

    def __init__(self, state: Server) -> None:
        self.running: Deferred[None] = Deferred()
        self.begun = 0
        self.wire = ServerWire(table(slow=self.slow, stop=self.stop), read_ahead=0)
        if state is Server.BUSY:
            self.wire.says("slow")
        elif state is Server.CLOSING:
            self.wire.server.close()
        elif state is Server.OVER:
            self.wire.hangs_up()
        assert self.wire.server.state is state

    def slow(self, request: Any) -> Deferred[None]:
        return self.running

    def stop(self, request: Any) -> None:
        self.begun += 1


SERVER_INPUTS: dict[str, Callable[[ServerRun], Any]] = {
    "command": lambda run: run.wire.says("stop"),
    "long command": lambda run: run.wire.says("slow"),
    "empty line": lambda run: run.wire.says(""),
    "bad line": lambda run: run.wire.says("\xff"),
    "over-long line": lambda run: run.wire.says("x" * 5000),
    "half-close": lambda run: run.wire.server.readConnectionLost(),
    "event": lambda run: run.wire.factory.broadcast("reboot"),
    "pause": lambda run: run.wire.server.pauseProducing(),
    "resume": lambda run: run.wire.server.resumeProducing(),
    "handler done": lambda run: run.running.callback(None),
    "close": lambda run: run.wire.server.close(),
    "connection lost": lambda run: run.wire.breaks(),
}


class Does(NamedTuple):
    """
    What a server does.

    :ivar state: where it stands afterwards.
    :ivar said: the lines that left.
    :ivar begun: how many times the handler of "stop" ran.
    :ivar reading: whether it reads on.
    :ivar closing: whether the transport was told to close.
    """

    state: Server
    said: tuple[str, ...] = ()
    begun: int = 0
    reading: bool = True
    closing: bool = False


IDLE, BUSY, CLOSING, OVER = Server
OVER_LONG = "- BAD line too long"
NOT_ASCII = "- BAD only ASCII is permitted"
EVENT = "* EVENT reboot"
CLOSES = Does(CLOSING, closing=True)
GONE = Does(OVER)

SERVER: dict[tuple[Server, str], Does] = {
    (IDLE, "command"): Does(IDLE, ("+ OK stop completed",), 1),
    (IDLE, "long command"): Does(BUSY),
    (IDLE, "empty line"): Does(IDLE),
    (IDLE, "bad line"): Does(IDLE, (NOT_ASCII,)),
    (IDLE, "over-long line"): Does(IDLE, (OVER_LONG,)),
    (IDLE, "half-close"): CLOSES,
    (IDLE, "event"): Does(IDLE, (EVENT,)),
    (IDLE, "pause"): Does(IDLE, reading=False),
    (IDLE, "resume"): Does(IDLE),
    (IDLE, "handler done"): Does(IDLE),
    (IDLE, "close"): CLOSES,
    (IDLE, "connection lost"): GONE,
    (BUSY, "command"): Does(BUSY, reading=False),
    (BUSY, "long command"): Does(BUSY, reading=False),
    (BUSY, "empty line"): Does(BUSY),
    (BUSY, "bad line"): Does(BUSY, reading=False),
    (BUSY, "over-long line"): Does(BUSY, reading=False),
    (BUSY, "half-close"): Does(BUSY, reading=False),
    (BUSY, "event"): Does(BUSY, (EVENT,)),
    (BUSY, "pause"): Does(BUSY, reading=False),
    (BUSY, "resume"): Does(BUSY),
    (BUSY, "handler done"): Does(IDLE, ("+ OK slow completed",)),
    (BUSY, "close"): CLOSES,
    (BUSY, "connection lost"): GONE,
    (CLOSING, "command"): CLOSES,
    (CLOSING, "long command"): CLOSES,
    (CLOSING, "empty line"): CLOSES,
    (CLOSING, "bad line"): CLOSES,
    (CLOSING, "over-long line"): CLOSES,
    (CLOSING, "half-close"): CLOSES,
    (CLOSING, "event"): CLOSES,
    (CLOSING, "pause"): CLOSES,
    (CLOSING, "resume"): CLOSES,
    (CLOSING, "handler done"): CLOSES,
    (CLOSING, "close"): CLOSES,
    (CLOSING, "connection lost"): GONE._replace(closing=True),
    (OVER, "command"): GONE,
    (OVER, "long command"): GONE,
    (OVER, "empty line"): GONE,
    (OVER, "bad line"): GONE,
    (OVER, "over-long line"): GONE,
    (OVER, "half-close"): GONE,
    (OVER, "event"): GONE,
    (OVER, "pause"): GONE,
    (OVER, "resume"): GONE,
    (OVER, "handler done"): GONE,
    (OVER, "close"): GONE,
    (OVER, "connection lost"): GONE,
}


@pytest.mark.parametrize(("state", "happening"), SERVER)
def test_server(state: Server, happening: str) -> None:
    run = ServerRun(state)
    SERVER_INPUTS[happening](run)
    transport = run.wire.transport
    does = Does(
        run.wire.server.state,
        tuple(run.wire.heard()),
        run.begun,
        transport.producerState == "producing",
        transport.disconnecting,
    )
    assert does == SERVER[state, happening]


@pytest.mark.parametrize(("state", "happening"), SERVER)
def test_a_server_that_is_over_leaves_nothing(state: Server, happening: str) -> None:
    run = ServerRun(state)
    SERVER_INPUTS[happening](run)
    run.wire.breaks()
    assert run.wire.server.state is OVER
    assert not run.wire.clock.getDelayedCalls()
    assert not run.wire.factory.connections
    assert run.running.called or state is not BUSY


def test_no_pair_of_the_server_s_is_missing() -> None:
    assert set(SERVER) == set(product(Server, SERVER_INPUTS))
