"""
Many clients at once: qemu.qmp's, and plain ones of QMP 0.1. Run with the paths of a JSON and a text
socket, how many clients of each, and how many commands each of them sends.

Each has an object of its own in QEMU, sets a number there and asks for it, several commands ahead:
a reply that is another's shows. Meanwhile one more stops and continues the machine, and all hear.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence

from qemu.qmp import EventListener, QMPClient

AHEAD = 4
"""Pairs of commands that a client sends before it hears of the first."""

CHANGES = 10
"""How often the machine is stopped and continued."""

HAPPENS = ["STOP", "RESUME"] * CHANGES


class JSONClient:
    """One of qemu.qmp's; it numbers its commands from 1, as all of them do."""

    def __init__(self, name: str, path: str) -> None:
        self.wrong = 0
        self._name = name
        self._path = path
        self._client = QMPClient(name)
        self._events = EventListener()

    async def connect(self) -> None:
        self._client.register_listener(self._events)
        await self._client.connect(self._path)

    async def run(self, commands: int) -> int:
        client, path = self._client, f"/objects/{self._name}"
        await client.execute("object-add", {"qom-type": "iothread", "id": self._name})
        place = {"path": path, "property": "poll-max-ns"}
        numbers = list(range(1, commands // 2))
        for batch in (numbers[i : i + AHEAD] for i in range(0, len(numbers), AHEAD)):
            calls = []
            for number in batch:
                calls.append(client.execute("qom-set", {**place, "value": number}))
                calls.append(client.execute("qom-get", place))
            said = await asyncio.gather(*calls)
            self.wrong += said != [value for number in batch for value in ({}, number)]
        await client.execute("object-del", {"id": self._name})
        return 2 + 2 * len(numbers)

    async def change(self) -> None:
        for _ in range(CHANGES):
            await self._client.execute("stop")
            await asyncio.sleep(0)
            await self._client.execute("cont")

    async def events(self) -> list[str]:
        return [(await self._events.get())["event"] for _ in HAPPENS]

    async def close(self) -> None:
        with contextlib.suppress(EOFError):
            await self._client.disconnect()


class TextClient:
    """One of QMP 0.1."""

    def __init__(self, name: str, path: str) -> None:
        self.wrong = 0
        self._name = name
        self._path = path
        self._heard: list[str] = []

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_unix_connection(self._path)
        assert (await self._line()).startswith("+ OK QEMU")

    async def _line(self) -> str:
        return (await self._reader.readline()).decode("ascii").removesuffix("\r\n")

    async def _completion(self) -> list[str]:
        lines = []
        while not lines or lines[-1].startswith("= "):
            line = await self._line()
            if line.startswith("* EVENT "):
                self._heard.append({"stop": "STOP", "cont": "RESUME"}[line[8:]])
            else:
                lines.append(line)
        return lines

    async def _say(self, lines: Sequence[str]) -> list[list[str]]:
        self._writer.write("".join(f"{line}\n" for line in lines).encode("ascii"))
        return [await self._completion() for _ in lines]

    async def run(self, commands: int) -> int:
        place = f"/objects/{self._name} poll-max-ns"
        await self._say([f"object_add iothread,id={self._name}"])
        numbers = list(range(1, commands // 2))
        for batch in (numbers[i : i + AHEAD] for i in range(0, len(numbers), AHEAD)):
            lines = []
            for number in batch:
                lines += [f"qom-set {place} {number}", f"qom-get {place}"]
            said = await self._say(lines)
            self.wrong += [lines[0] for lines in said[1::2]] != [f"= {n}" for n in batch]
        await self._say([f"object_del {self._name}"])
        return 2 + 2 * len(numbers)

    async def events(self) -> list[str]:
        while len(self._heard) < len(HAPPENS):
            self._writer.write(b"info name\n")
            await self._completion()
        return self._heard

    async def close(self) -> None:
        self._writer.close()


async def main(json_path: str, text_path: str, jsons: int, texts: int, commands: int) -> None:
    clients: list[JSONClient | TextClient] = [
        *(JSONClient(f"j{number}", json_path) for number in range(jsons)),
        *(TextClient(f"t{number}", text_path) for number in range(texts)),
    ]
    changing = JSONClient("changing", json_path)
    everybody = [changing, *clients]
    await asyncio.gather(*(client.connect() for client in everybody))
    *counts, _ = await asyncio.gather(*(c.run(commands) for c in clients), changing.change())
    events = await asyncio.gather(*(client.events() for client in everybody))
    await asyncio.gather(*(client.close() for client in everybody))
    result = {
        "commands": sum(counts),
        "wrong": sum(client.wrong for client in clients),
        "heard_all_events": sum(heard == HAPPENS for heard in events),
    }
    print(json.dumps(result))


asyncio.run(main(*sys.argv[1:3], *map(int, sys.argv[3:])))
