"""``text_client txqmp|stock SOCKET COUNT WINDOW``: commands of QMP 0.1, a Deferred each."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import react

from benchmarks.programs.meter import Meter, tell


def _txqmp(reactor: Any, window: int) -> Any:
    from txqmp import TextClientFactory

    return TextClientFactory(reactor, window=window)


def _stock(reactor: Any, window: int) -> Any:
    from benchmarks.stock import StockClient

    return Factory.forProtocol(StockClient)


async def one_by_one(client: Any, count: int) -> None:
    """Send a command when the one before is answered."""
    for _ in range(count):
        await client.execute("stop")


async def many_ahead(client: Any, count: int, window: int) -> None:
    """Keep a window of commands on the way: each reply sends the next."""
    done: Deferred[None] = Deferred()
    sent = answered = 0

    def send() -> None:
        nonlocal sent
        sent += 1
        client.execute("stop").addCallback(next_one)

    def next_one(_: Any) -> None:
        nonlocal answered
        answered += 1
        if sent < count:
            send()
        elif answered == count:
            done.callback(None)

    for _ in range(window):
        send()
    await done


async def measure(reactor: Any, kind: str, path: str, count: int, window: int) -> None:
    """Connect, get warm, measure, tell."""
    factory = {"txqmp": _txqmp, "stock": _stock}[kind](reactor, window)
    client: Any = await UNIXClientEndpoint(reactor, path).connect(factory)
    await client.when_greeted()
    await one_by_one(client, 100)
    meter = Meter()
    if window == 1:
        await one_by_one(client, count)
    else:
        await many_ahead(client, count, window)
    tell(meter.stop(count))


if __name__ == "__main__":
    _, _kind, _path, _count, _window = sys.argv
    react(
        lambda reactor: Deferred.fromCoroutine(
            measure(reactor, _kind, _path, int(_count), int(_window))
        )
    )
