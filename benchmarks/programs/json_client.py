"""``json_client txqmp|qemu.qmp SOCKET COUNT COMMAND…``: commands to a QEMU, one by one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

from benchmarks.programs.meter import Meter, tell


async def one_by_one(client: Any, commands: Sequence[str], count: int) -> None:
    """Send a command when the one before is answered."""
    for command in islice(cycle(commands), count):
        await client.execute(command)


async def measure(client: Any, commands: Sequence[str], count: int) -> None:
    """Get warm, measure, tell."""
    await one_by_one(client, commands, max(2, count // 10))
    meter = Meter()
    await one_by_one(client, commands, count)
    used = meter.stop(count)
    tell({**used, "orjson": float(sys.modules.get("orjson") is not None)})


async def _txqmp(reactor: Any, path: str, commands: Sequence[str], count: int) -> None:
    from twisted.internet.endpoints import UNIXClientEndpoint

    from txqmp import JSONClientFactory

    client: Any = await UNIXClientEndpoint(reactor, path).connect(JSONClientFactory(reactor))
    await client.when_greeted()
    await measure(client, commands, count)
    await client.close()


async def _official(path: str, commands: Sequence[str], count: int) -> None:
    from qemu.qmp import QMPClient

    client = QMPClient("benchmark")
    await client.connect(path)
    await measure(client, commands, count)
    await client.disconnect()


def main() -> None:
    """Do what the command line says."""
    _, kind, path, count, *commands = sys.argv
    if kind == "qemu.qmp":
        asyncio.run(_official(path, commands, int(count)))
        return
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    react(lambda reactor: Deferred.fromCoroutine(_txqmp(reactor, path, commands, int(count))))


if __name__ == "__main__":
    main()
