"""The proxy under load: stuck readers, many clients, sudden death."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from tests.integration.programs import Program, Programs, eventually, records
from txqmp.journal.record import Kind
from txqmp.service.port import allow_open_files
from txqmp.text.client import TextClient, TextClientFactory

MEGABYTE = 1_000_000
OFFER = 200 * MEGABYTE
GREETING = b"+ OK QEMU 0.10.50 QMP 0.1\r\n"


class Flood(Protocol):
    """Offers 200 MB of lines as fast as they are taken, and reads nothing."""

    lines = (b"= " + b"x" * 996 + b"\r\n") * 64

    def __init__(self) -> None:
        self.offered = 0
        self.stuck = False
        self._sent_last_turn = -1

    def connectionMade(self) -> None:
        self.transport.write(GREETING)
        self.transport.registerProducer(self, True)
        self.resumeProducing()
        self._watch()

    def _watch(self) -> None:
        """Stuck is who is paused, and was at the last look too."""
        from twisted.internet import reactor

        self.stuck = self._paused and self.offered == self._sent_last_turn
        self._sent_last_turn = self.offered
        self._again = reactor.callLater(0.2, self._watch)

    def connectionLost(self, reason: Any = None) -> None:
        self._again.cancel()

    def resumeProducing(self) -> None:
        self._paused = False
        while not self._paused and self.offered < OFFER:
            self.transport.write(self.lines)
            self.offered += len(self.lines)

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._paused = True


class Mute(Protocol):
    """Greets, and never reads."""

    def connectionMade(self) -> None:
        self.transport.write(GREETING)
        self.transport.pauseProducing()


class Stuck(Protocol):
    """Reads nothing until it is told to, and then only counts."""

    def __init__(self) -> None:
        self.got = 0

    def connectionMade(self) -> None:
        self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        self.got += len(data)


class Made(Factory):
    """Keeps the protocols that it made."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.made: list[Any] = []

    def buildProtocol(self, addr: Any) -> Any:
        self.made.append(super().buildProtocol(addr))
        return self.made[-1]

    async def gone(self) -> None:
        transports = [made.transport for made in self.made]
        for transport in transports:
            transport.abortConnection()
        await eventually(lambda: not any(transport.connected for transport in transports))


@pytest_twisted.async_yield_fixture
async def monitors(folder: Path) -> AsyncIterator[Callable[[Any], Made]]:
    """Makes monitors of a protocol at ``monitor.sock``."""
    from twisted.internet import reactor

    opened = []

    def listen(protocol: Any) -> Made:
        factory = Made(protocol)
        opened.append((reactor.listenUNIX(str(folder / "monitor.sock"), factory), factory))
        return factory

    yield listen
    for port, factory in opened:
        await port.stopListening()
        await factory.gone()


BACKLOG = 16 * 1024 * 1024
"""Bytes of records that may wait for the disk."""


async def proxy_before_them(programs: Programs) -> Program:
    daemon = programs.twistd("qmp-proxy", "--connect=unix:monitor.sock")
    await daemon.says(b"ready: clients connect to")
    return daemon


async def connect(folder: Path, factory: Made) -> Any:
    from twisted.internet import reactor

    return await UNIXClientEndpoint(reactor, str(folder / "qmp-proxy.sock")).connect(factory)


async def test_a_client_that_reads_nothing_of_200_mb_costs_little_memory(
    programs: Programs, folder: Path, monitors: Any
) -> None:
    floods = monitors(Flood)
    daemon = await proxy_before_them(programs)
    before = daemon.resident()
    clients = Made(Stuck)
    stuck = await connect(folder, clients)
    await eventually(lambda: floods.made and floods.made[0].stuck)
    assert floods.made[0].offered < 4 * MEGABYTE
    assert daemon.resident() - before < 8 * MEGABYTE

    # Once it reads, all of it comes; what the journal has not written yet is bounded, too.
    stuck.transport.resumeProducing()
    greeting = len(GREETING)
    await eventually(lambda: stuck.got == floods.made[0].offered + greeting >= OFFER)
    assert daemon.resident() - before < 8 * MEGABYTE + BACKLOG
    await clients.gone()


async def test_a_monitor_that_reads_nothing_of_200_mb_costs_little_memory(
    programs: Programs, folder: Path, monitors: Any
) -> None:
    mutes = monitors(Mute)
    daemon = await proxy_before_them(programs)
    before = daemon.resident()
    clients = Made(Flood)
    flood = await connect(folder, clients)
    await eventually(lambda: flood.stuck)
    assert mutes.made
    assert flood.offered < 4 * MEGABYTE
    assert daemon.resident() - before < 8 * MEGABYTE
    await clients.gone()


async def test_500_clients_at_once_lose_nothing(programs: Programs, folder: Path) -> None:
    from twisted.internet import reactor

    allow_open_files(1200)
    daemon = programs.twistd("qmp-proxy", "--quiet")
    await daemon.says(b"ready: clients connect to")
    endpoint = UNIXClientEndpoint(reactor, str(folder / "qmp-proxy.sock"))
    factory = TextClientFactory(reactor)

    async def one(number: int) -> TextClient:
        client: TextClient = await endpoint.connect(factory)
        await client.when_greeted()
        return client

    def start(jobs: list[Any]) -> Any:
        return gatherResults([Deferred.fromCoroutine(job) for job in jobs], consumeErrors=True)

    clients = await start([one(number) for number in range(500)])

    async def session(number: int, client: TextClient) -> None:
        for turn in range(20):
            reply = await client.execute("info", "network" if turn % 2 else "status")
            assert len(reply.lines) == (3 if turn % 2 else 1)
        await client.close()

    await start([session(*pair) for pair in enumerate(clients)])
    await daemon.terminate()

    by_connection: dict[int, list[Any]] = {}
    for record in records(folder / "qmp-proxy.jsonl"):
        by_connection.setdefault(record.connection, []).append(record)
    assert len(by_connection) == 500
    for conversation in by_connection.values():
        kinds = [r.kind for r in conversation]
        assert kinds[0] is Kind.OPENED
        assert kinds[-1] is Kind.CLOSED
        assert kinds.count(Kind.COMMAND) == kinds.count(Kind.SUCCESS) == 20
        assert [r.seq for r in conversation] == list(range(1, len(conversation) + 1))


@pytest.mark.peer("socat")
async def test_a_client_killed_in_mid_line_ends_its_conversation(
    programs: Programs, folder: Path
) -> None:
    daemon = programs.twistd("qmp-proxy")
    await daemon.says(b"ready: clients connect to")
    client = programs.start("socat", "-", "UNIX-CONNECT:qmp-proxy.sock")
    await client.says(b"QMP 0.1")
    client.write(b"info stat")
    await eventually(lambda: daemon_read(folder, b"opened"))
    client.kill()
    await client.ends()
    await daemon.says(b"closed by the client")
    await daemon.terminate()
    journal = records(folder / "qmp-proxy.jsonl")
    assert journal[-1].fields["ended_by"] == "client"
    torn = [r for r in journal if r.kind is Kind.UNDECODED]
    assert all(r.raw == b"info stat" for r in torn)


def daemon_read(folder: Path, text: bytes) -> bool:
    journal = folder / "qmp-proxy.jsonl"
    return journal.exists() and text in journal.read_bytes()


async def test_the_proxy_killed_while_it_writes_leaves_a_journal_that_can_be_read_and_continued(
    programs: Programs, folder: Path
) -> None:
    from twisted.internet import reactor

    daemon = programs.twistd("qmp-proxy", "--name=before")
    await daemon.says(b"ready: clients connect to")
    endpoint = UNIXClientEndpoint(reactor, str(folder / "qmp-proxy.sock"))
    client: TextClient = await endpoint.connect(TextClientFactory(reactor))
    replies = [client.execute("help") for _ in range(2000)]
    for reply in replies:
        reply.addErrback(lambda failure: None)
    await replies[200]
    daemon.kill()
    await daemon.ends()
    await client.when_disconnected()
    # A write that was cut short, as a kill in the middle of one leaves it.
    with (folder / "qmp-proxy.jsonl").open("ab") as journal:
        journal.write(b'{"v":1,"time":"2026-')

    again = programs.twistd("qmp-proxy", "--name=after")
    await again.says(b"ready: clients connect to")
    client = await endpoint.connect(TextClientFactory(reactor))
    await client.execute("info", "status")
    await client.close()
    await again.terminate()
    journal = records(folder / "qmp-proxy.jsonl")
    whole = [r for r in journal if hasattr(r, "monitor")]
    assert len(whole) == len(journal) - 1
    assert [r.kind for r in whole if r.monitor == "after"] == [
        Kind.OPENED, Kind.GREETING, Kind.COMMAND, Kind.OUTPUT, Kind.SUCCESS, Kind.CLOSED,
    ]  # fmt: skip
    assert sum(r.kind is Kind.SUCCESS for r in whole if r.monitor == "before") > 100
