"""``text_server txqmp|stock|asyncio SOCKET``: servers of QMP 0.1 with the command ``stop``."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.programs.meter import allow_many_files

BACKLOG = 1024


def _twisted(kind: str, path: str) -> None:
    from twisted.internet import reactor
    from twisted.internet.interfaces import IProtocolFactory

    factory: IProtocolFactory
    if kind == "txqmp":
        from txqmp import CommandTable, TextServerFactory

        table = CommandTable()
        table.command("stop")(lambda request: None)
        factory = TextServerFactory(table, reactor)
    else:
        from benchmarks.stock import StockServerFactory

        factory = StockServerFactory({"stop": lambda: None})
    reactor.listenUNIX(path, factory, backlog=BACKLOG)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


_commands = {"stop": lambda: None}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"+ OK QEMU 0.10.50 QMP 0.1\r\n")
    while line := await reader.readline():
        words = line.decode("ascii").split()
        if not words:
            continue
        handler = _commands.get(words[0].lower())
        if handler is None:
            writer.write(b"- BAD unknown command\r\n")
        else:
            handler()
            writer.write(b"+ OK " + words[0].encode("ascii") + b" completed\r\n")
        await writer.drain()
    writer.close()


async def _asyncio(path: str) -> None:
    server = await asyncio.start_unix_server(_serve, path, backlog=BACKLOG)
    await server.serve_forever()


def main() -> None:
    """Do what the command line says."""
    _, kind, path = sys.argv
    allow_many_files()
    if kind == "asyncio":
        asyncio.run(_asyncio(path))
    else:
        _twisted(kind, path)


if __name__ == "__main__":
    main()
