"""A client that comes back: ``ClientService`` with a ``TextClientFactory``."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.application.internet import ClientService
from twisted.internet.task import Clock

from tests.wires import Sockets, interrupted, result
from txqmp.testing import ScriptedMonitor
from txqmp.text.client import Reply, TextClient, TextClientFactory

FIRST = """
    S: + OK QEMU 0.10.50 QMP 0.1
    C: stop
    S: + OK stop completed
    C: cont
    S: * EVENT cont
"""

SECOND = """
    S: + OK QEMU 0.11.0 QMP 0.1
    C: info status
    S: = VM status: running
    S: + OK info status completed
"""


async def met(service: ClientService) -> TextClient:
    client: Any = await service.whenConnected()
    assert isinstance(client, TextClient)
    await client.when_greeted()
    return client


async def gone(client: TextClient, sockets: Sockets) -> None:
    await client.when_disconnected()
    await sockets.turn(1)  # only now has the service heard of it


def at_once(attempt: int) -> float:
    return 0.0


async def test_it_connects_again_and_is_greeted_again(sockets: Sockets) -> None:
    monitor = ScriptedMonitor(FIRST, SECOND)
    await sockets.listen(monitor)
    service = ClientService(sockets.endpoint, TextClientFactory(Clock()), retryPolicy=at_once)
    service.startService()
    first = await met(service)
    assert await first.execute("stop") == Reply("stop", (), "stop")
    unanswered, event = first.execute("cont"), first.wait_for_event("cont")
    await event
    monitor.disconnect()
    await gone(first, sockets)
    assert interrupted([result(unanswered)]) == ["cont"]
    second = await met(service)
    assert second is not first
    assert second.greeting is not None
    assert second.greeting.qemu == "0.11.0"
    assert (await second.execute("info", "status")).text == "VM status: running"
    await service.stopService()
    monitor.check()


@pytest.mark.parametrize("kind", ["unix"])
async def test_it_waits_for_a_monitor_that_was_away(sockets: Sockets) -> None:
    monitor = ScriptedMonitor("S: + OK QEMU 0.10.50 QMP 0.1", SECOND)
    await sockets.listen(monitor)
    attempts: list[int] = []

    def policy(attempt: int) -> float:
        attempts.append(attempt)
        return 0.0

    service = ClientService(sockets.endpoint, TextClientFactory(Clock()), retryPolicy=policy)
    service.startService()
    first = await met(service)
    await sockets.drop()
    monitor.disconnect()
    await gone(first, sockets)
    await sockets.until(lambda: len(attempts) > 3)
    await sockets.listen(monitor)
    second = await met(service)
    assert (await second.execute("info", "status")).text == "VM status: running"
    await service.stopService()
    monitor.check()


async def test_a_silent_monitor_is_left_for_another_try(sockets: Sockets) -> None:
    monitor = ScriptedMonitor("", SECOND)
    await sockets.listen(monitor)
    clock = Clock()
    factory = TextClientFactory(clock, greeting_timeout=5.0)
    service = ClientService(sockets.endpoint, factory, retryPolicy=at_once)
    service.startService()
    silent: Any = await service.whenConnected()
    clock.advance(5)
    await gone(silent, sockets)
    second = await met(service)
    assert (await second.execute("info", "status")).text == "VM status: running"
    await service.stopService()
