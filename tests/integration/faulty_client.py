"""What qemu.qmp's client makes of a monitor with faults: run with the path of a socket."""

import asyncio
import contextlib
import json
import sys
from typing import Any

from qemu.qmp import ExecuteError, QMPClient


async def add(client: QMPClient, name: str) -> str:
    """Add a block device, and say what was answered."""
    try:
        await client.execute("blockdev-add", {"driver": "null-co", "node-name": name})
    except ExecuteError as error:
        return f"{error.error_class}: {error}"
    return "done"


async def main(path: str) -> None:
    client = QMPClient("test")
    await client.connect(path)
    said: dict[str, Any] = {}
    # All at once: each answer has to find its command.
    said["added"] = await asyncio.gather(*(add(client, name) for name in ("a", "b", "c", "d")))
    nodes = await client.execute("query-named-block-nodes")
    said["nodes"] = sorted(node["node-name"] for node in nodes)
    with client.listener(("STOP", "RESUME")) as listener:
        await client.execute("stop")
        await client.execute("cont")
        said["events"] = [(await listener.get())["event"] for _ in range(3)]
    for _ in range(2):
        try:
            said["block"] = await client.execute("query-block")
        except Exception as error:
            said["lost"] = type(error).__name__
    with contextlib.suppress(Exception):
        await client.disconnect()
    print(json.dumps(said))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
