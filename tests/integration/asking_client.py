"""A session of qemu.qmp's client: the path of a socket, and commands, one JSON object each."""

import asyncio
import contextlib
import json
import sys

from qemu.qmp import EventListener, ExecuteError, QMPClient

EVENTS = {"cont": "RESUME", "stop": "STOP"}
"""What some commands make a machine say, which is waited for."""


async def main(path: str, *commands: str) -> None:
    client = QMPClient("test")
    await client.connect(path)
    with client.listener(list(EVENTS.values())) as listener:
        for command in map(json.loads, commands):
            await ask(client, listener, command)
    with contextlib.suppress(EOFError):
        await client.disconnect()


async def ask(client: QMPClient, listener: EventListener, command: dict[str, object]) -> None:
    name = str(command["execute"])
    with contextlib.suppress(ExecuteError):
        await client.execute(name, command.get("arguments"))
    if name in EVENTS:
        event = await listener.get()
        assert event["event"] == EVENTS[name]


asyncio.run(main(*sys.argv[1:]))
