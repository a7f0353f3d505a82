"""From the command line to the denial: in every way in which a proxy serves its clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.task import deferLater

from txqmp.errors import CommandFailed
from txqmp.journal.reader import read
from txqmp.journal.record import Kind, Record
from txqmp.jsonqmp.client import JSONClientFactory
from txqmp.service.daemon import Daemon
from txqmp.service.proxyoptions import ProxyOptions, makeService
from txqmp.text.client import TextClientFactory

WAYS = [
    # How clients are served, by which of two ports, what speaks to whom.
    pytest.param([], "p", "text", "text", id="text"),
    pytest.param([], "p", "json", "json", id="json"),
    pytest.param(["--shared"], "p", "text", "text", id="shared text"),
    pytest.param(["--shared"], "p", "json", "json", id="shared json"),
    pytest.param(["--shared", "--listen-text=unix:T"], "T", "json", "text", id="shared gateway"),
    pytest.param(["--dialect=text"], "p", "json", "text", id="gateway"),
    pytest.param(["--dialect=text"], "p", "text", "text", id="gateway before a text monitor"),
]
Start = Callable[..., Coroutine[Any, Any, Any]]


@pytest_twisted.async_yield_fixture
async def start(short_path: Path, running_reactor: Any) -> AsyncIterator[Start]:
    daemons: list[Daemon] = []
    clients: list[Any] = []

    async def make(way: list[str], port: str, monitor: str, client: str, *policy: str) -> Any:
        options = ProxyOptions()
        way = [option.replace("unix:T", f"unix:{short_path}/T") for option in way]
        options.parseOptions(
            [
                *way,
                *policy,
                f"--listen=unix:{short_path}/p",
                f"--connect=machine:dialect={monitor}",
                f"--journal={short_path}/j",
            ]
        )
        daemon = makeService(options)
        daemons.append(daemon)
        daemon.privilegedStartService()
        daemon.startService()
        factory = TextClientFactory if client == "text" else JSONClientFactory
        endpoint = UNIXClientEndpoint(running_reactor, str(short_path / port))
        made: Any = await endpoint.connect(factory(running_reactor))
        clients.append(made)
        await made.when_greeted()
        return made

    yield make
    for client in clients:
        await client.close()
    for daemon in daemons:
        await daemon.stopService()


def found(folder: Path, kind: Kind) -> list[Record]:
    records = [record for record in read(folder / "j") if isinstance(record, Record)]
    return [record for record in records if record.kind is kind]


@pytest.mark.parametrize(("way", "port", "monitor", "client"), WAYS)
async def test_it_is_denied(
    start: Start, way: list[str], port: str, monitor: str, client: str
) -> None:
    talk = await start(way, port, monitor, client, "--deny=stop")
    with pytest.raises(CommandFailed, match="denied by policy: stop is not allowed") as failed:
        await talk.execute("stop")
    assert failed.value.error_class == "GenericError" or client == "text"
    await talk.execute("cont")


@pytest.mark.parametrize(("way", "port", "monitor", "client"), WAYS)
async def test_the_journal_tells_of_it(
    start: Start,
    short_path: Path,
    running_reactor: Any,
    way: list[str],
    port: str,
    monitor: str,
    client: str,
) -> None:
    talk = await start(way, port, monitor, client, "--read-only", "--policy-dry-run")
    await talk.execute("stop")
    while not (verdicts := found(short_path, Kind.VERDICT)):
        await deferLater(running_reactor, 0.01)
    (verdict,) = verdicts
    assert (verdict.fields["verdict"], verdict.fields["command"]) == ("would-deny", "stop")
    (command,) = [
        record
        for record in found(short_path, Kind.COMMAND)
        if record.connection == verdict.connection and record.fields["command"] == "stop"
    ]
    assert verdict.fields.get("link") == command.fields.get("link")
    assert verdict.fields.get("reply_to", command.seq) == command.seq
    # Who it was is told as the policy knows it, so that one can be tried on the journal.
    assert command.peer is not None
    assert command.peer["executable"].startswith("/")
