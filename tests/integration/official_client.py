"""A session of qemu.qmp's client: run with the path of a socket."""

import asyncio
import contextlib
import json
import sys

from qemu.qmp import ExecuteError, QMPClient


async def main(path: str) -> None:
    client = QMPClient("test")
    await client.connect(path)
    said = {"greeting": client.greeting._asdict()}
    said["status"] = await client.execute("query-status")
    said["schema"] = len(json.dumps(await client.execute("query-qmp-schema")))
    with client.listener(("STOP", "RESUME")) as listener:
        await client.execute("stop")
        await client.execute("cont")
        said["events"] = [(await listener.get())["event"], (await listener.get())["event"]]
    try:
        await client.execute("device_del", {"id": "nosuch"})
    except ExecuteError as error:
        said["error"] = error.error_class
    await client.execute("quit")
    with contextlib.suppress(EOFError):
        await client.disconnect()
    print(json.dumps(said))


asyncio.run(main(sys.argv[1]))
