"""From the command line to the denial: in every way in which a proxy serves its clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_twisted
from twisted.internet.endpoints import UNIXClientEndpoint

from txqmp.errors import CommandFailed
from txqmp.journal.reader import read
from txqmp.journal.record import Dialect, Kind, Record
from txqmp.jsonqmp.client import JSONClientFactory
from txqmp.service.daemon import Daemon
from txqmp.service.proxyoptions import ProxyOptions, makeService
from txqmp.text.client import TextClientFactory


class Way(NamedTuple):
    """How clients are served: the options, the client's dialect, the monitor's."""

    options: tuple[str, ...]
    client: Dialect
    monitor: Dialect


LISTEN, LISTEN_TEXT = "--listen=unix:{}/p", "--listen-text=unix:{}/p"
WAYS = [
    Way((LISTEN,), "text", "text"),
    Way((LISTEN,), "json", "json"),
    Way((LISTEN, "--shared"), "text", "text"),
    Way((LISTEN, "--shared"), "json", "json"),
    Way(("--listen=unix:{}/other", LISTEN_TEXT, "--shared"), "text", "json"),
    Way((LISTEN, "--dialect=text"), "text", "json"),
    Way((LISTEN, "--dialect=text"), "text", "text"),
]


class Served:
    """A proxy, and a client of it."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        self._reactor = reactor
        self._folder = folder
        self._daemon = Daemon("none")
        self.client: Any = None

    async def begins(self, way: Way, *policy: str) -> Any:
        options = ProxyOptions()
        options.parseOptions(
            [
                *(option.format(self._folder) for option in way.options),
                f"--connect=machine:dialect={way.monitor}",
                f"--journal={self._folder}/j",
                *policy,
            ]
        )
        self._daemon = makeService(options)
        self._daemon.privilegedStartService()
        self._daemon.startService()
        factory: Any = TextClientFactory if way.client == "text" else JSONClientFactory
        endpoint = UNIXClientEndpoint(self._reactor, str(self._folder / "p"))
        self.client = await endpoint.connect(factory(self._reactor))
        await self.client.when_greeted()
        return self.client

    async def ends(self) -> None:
        """Stop both; the journal is whole then."""
        if self.client is not None:
            await self.client.close()
            self.client = None
            await self._daemon.stopService()

    def found(self, kind: Kind) -> list[Record]:
        records = [record for record in read(self._folder / "j") if isinstance(record, Record)]
        return [record for record in records if record.kind is kind]


@pytest_twisted.async_yield_fixture
async def served(short_path: Path, running_reactor: Any) -> AsyncIterator[Served]:
    served = Served(running_reactor, short_path)
    yield served
    await served.ends()


@pytest.mark.parametrize("way", WAYS)
async def test_it_is_denied(served: Served, way: Way) -> None:
    client = await served.begins(way, "--deny=stop")
    with pytest.raises(CommandFailed, match="denied by policy: stop is not allowed"):
        await client.execute("stop")
    await client.execute("cont")


@pytest.mark.parametrize("way", WAYS)
async def test_the_journal_tells_of_it(served: Served, way: Way) -> None:
    client = await served.begins(way, "--read-only", "--policy-dry-run")
    await client.execute("stop")
    await served.ends()
    (verdict,) = served.found(Kind.VERDICT)
    assert (verdict.fields["verdict"], verdict.fields["command"]) == ("would-deny", "stop")
    (command,) = [
        record
        for record in served.found(Kind.COMMAND)
        if record.connection == verdict.connection and record.fields["command"] == "stop"
    ]
    assert verdict.fields.get("link") == command.fields.get("link")
    assert verdict.fields.get("reply_to", command.seq) == command.seq
    # Who it was is told as the policy knows it, so that one can be tried on the journal.
    assert command.peer is not None
    assert command.peer["executable"].startswith("/")
