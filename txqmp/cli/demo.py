"""``txqmp demo``: a session through the proxy, and the journal that is written of it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.task import deferLater, react
from twisted.python.usage import UsageError

from txqmp.cli.command import CommandOptions
from txqmp.errors import CommandFailed, CommandRejected, MonitorError
from txqmp.journal.display import RecordPrinter
from txqmp.journal.reader import Follower, Torn
from txqmp.journal.record import Kind, Record
from txqmp.journal.writer import Journal
from txqmp.machine.endpoint import MachineEndpoint
from txqmp.service.proxy import ProxyService
from txqmp.text.client import TextClient, TextClientFactory

_PATIENCE = 10.0
"""Seconds in which a record must be in the journal."""

_SESSION = [
    ("info network", "A question, and an answer of several lines:"),
    ("stop", "The machine stops, and says so in an event:"),
    ("info status", ""),
    ("cont", "It goes on:"),
    ("set_link foo down", "A command that cannot be carried out is an ERR:"),
    ("foo", "One that is not understood is a BAD:"),
    ("change vnc password", ""),
    ("quit", "And the end:"),
]

_NOW_YOU = """
The journal is in {journal}. Read it again with

    txqmp journal show {journal}

Before a real QEMU the same proxy stands like this:

    qemu-system-x86_64 … -qmp unix:qemu.sock,server=on,wait=off
    twistd -n qmp-proxy --connect unix:qemu.sock --listen unix:qmp-proxy.sock

The client that used qemu.sock now uses qmp-proxy.sock; qmp-proxy.jsonl tells what the two say.
"""


class DemoOptions(CommandOptions):
    """The command line of ``txqmp demo``."""

    synopsis = "txqmp demo [options]"
    longdesc = (
        "Starts the service of twistd qmp-proxy before a simulated machine, holds a short session "
        "through it, and shows the journal as it is written."
    )
    optParameters = [["journal", "j", "txqmp-demo.jsonl", "the file to write to."]]

    def parseArgs(self, *extra: str) -> None:
        """Take no arguments but options."""
        if extra:
            raise UsageError(f"unexpected argument: {extra[0]}")

    def run(self) -> None:
        """Hold the session; see ``txqmp demo --help``."""
        react(_run, (self["journal"],))


def _run(reactor: Any, journal: str) -> Deferred[None]:
    return Deferred.fromCoroutine(_demo(reactor, journal))


async def _demo(reactor: Any, path: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="txqmp-"))
    socket = folder / "proxy.sock"
    journal = Journal(path)
    service = ProxyService(
        f"unix:{socket}:mode=600",
        MachineEndpoint(reactor),
        journal,
        reactor,
        name="demo",
        upstream="machine:",
    )
    try:
        service.startService()
        try:
            await _session(reactor, UNIXClientEndpoint(reactor, str(socket)), path)
        finally:
            await service.stopService()
    except (MonitorError, OSError) as error:
        raise SystemExit(f"txqmp: {error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(_NOW_YOU.format(journal=path))


async def _session(reactor: Any, endpoint: Any, path: str) -> None:
    show = _Shower(reactor, path)
    print("A client connects through the proxy, and is greeted:\n")
    client: TextClient = await endpoint.connect(TextClientFactory(reactor))
    await client.when_greeted()
    await show.until(lambda record: record.kind is Kind.GREETING)
    for line, comment in _SESSION:
        if comment:
            print(f"\n{comment}\n")
        with suppress(CommandFailed, CommandRejected):
            await client.execute_line(line, timeout=_PATIENCE)
        await show.until(lambda record: "latency" in record.fields)
    await client.close()
    await show.until(lambda record: record.kind is Kind.CLOSED)


class _Shower:
    """Shows what is new in the journal, as it gets there."""

    def __init__(self, reactor: Any, path: str) -> None:
        self._reactor = reactor
        self._follower = Follower(path)
        self._unseen: deque[Record | Torn] = deque()
        self._printer = RecordPrinter(color=sys.stdout.isatty())
        # What an earlier demo left in the file is not of this session.
        self._follower.poll()

    async def until(self, last: Callable[[Record], bool]) -> None:
        """Show records until one of them is the last."""
        for _ in range(int(_PATIENCE / 0.01)):
            self._unseen.extend(self._follower.poll())
            while self._unseen:
                record = self._unseen.popleft()
                if isinstance(record, Record):
                    print(self._printer.line(record), flush=True)
                    if last(record):
                        return
            await deferLater(self._reactor, 0.01)
        raise MonitorError(f"no record came within {_PATIENCE:g} s")
