"""A test with a recorded monitor: pause.jsonl is a journal of ``twistd qmp-proxy``."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txqmp import TextClient, TextClientFactory
from txqmp.testing import ReplayedMonitor

JOURNAL = Path(__file__).with_name("pause.jsonl")


async def pause(client: TextClient) -> str:
    """Stop the machine and say how it is then; this is what the test is about."""
    await client.execute("stop", timeout=5.0)
    reply = await client.execute("info", "status")
    return reply.text


def test_it_does_what_was_recorded() -> None:
    clock = Clock()
    monitor = ReplayedMonitor(JOURNAL, clock, speed=0)
    pair = monitor.connect(TextClientFactory(clock))
    paused = Deferred.fromCoroutine(pause(pair.client))
    pair.flush()
    assert paused.result == "VM status: paused"
    monitor.check()
