"""Tests with the doubles of txqmp.testing: no socket, no waiting; run them with pytest."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txqmp import CommandTable, CommandTimeout, TextClient, TextClientFactory, TextServerFactory
from txqmp.testing import ScriptedMonitor, connect


async def pause(client: TextClient) -> str:
    """Stop the machine and say how it is then; this is what the tests are about."""
    await client.execute("stop", timeout=5.0)
    reply = await client.execute("info", "status")
    return reply.text


def test_it_stops_the_machine_and_asks() -> None:
    clock = Clock()
    monitor = ScriptedMonitor("""
        S: + OK QEMU 0.10.50 QMP 0.1
        C: stop
        S: * EVENT stop
        S: + OK stop completed
        C: info status
        S: = VM status: paused
        S: + OK info status completed
    """)
    pair = connect(TextClientFactory(clock), monitor, clock)
    paused = Deferred.fromCoroutine(pause(pair.client))
    pair.flush()
    monitor.check()
    assert paused.result == "VM status: paused"


def test_it_waits_five_seconds() -> None:
    clock = Clock()
    monitor = ScriptedMonitor("S: + OK QEMU 0.10.50 QMP 0.1\n C: stop")
    pair = connect(TextClientFactory(clock), monitor, clock)
    outcome = Deferred.fromCoroutine(pause(pair.client)).addErrback(lambda failure: failure.value)
    pair.advance(4.9)
    assert not outcome.called
    pair.advance(0.1)
    assert isinstance(outcome.result, CommandTimeout)


def test_a_table_of_commands_answers_it() -> None:
    clock, table = Clock(), CommandTable()
    table.command("stop")(lambda request: None)
    table.command("info status")(lambda request: "VM status: paused")
    pair = connect(TextClientFactory(clock), TextServerFactory(table, clock), clock)
    paused = Deferred.fromCoroutine(pause(pair.client))
    pair.flush()
    assert paused.result == "VM status: paused"
