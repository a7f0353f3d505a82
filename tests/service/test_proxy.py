"""The proxy as a service: in an application of one's own, and as twistd makes it."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.application.service import MultiService
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.logger import LogLevel, capturedLogs

from tests.wires import Sockets, pending
from txqmp.errors import CommandFailed, CommandRejected, JournalError
from txqmp.faults.plan import FaultPlan
from txqmp.faults.rules import parse_rule
from txqmp.journal.reader import read
from txqmp.journal.record import Kind, Record
from txqmp.journal.writer import Journal
from txqmp.machine.endpoint import MachineEndpoint
from txqmp.service import port, proxy, proxyoptions
from txqmp.service.port import allow_open_files
from txqmp.service.proxy import ProxyService
from txqmp.service.proxyoptions import ProxyOptions, makeService
from txqmp.text.client import TextClient, TextClientFactory

OURS = (proxyoptions.__name__, port.__name__)


class Application(MultiService):
    """An application that has a proxy in it, and a client of that."""

    def __init__(self, reactor: Any, folder: Path, **settings: Any) -> None:
        super().__init__()
        self.reactor = reactor
        self.folder = folder
        self.socket = folder / "p.sock"
        self.journal = Journal(folder / "j", in_thread=lambda work: work())
        self.proxy = ProxyService(
            f"unix:{self.socket}",
            MachineEndpoint(reactor),
            self.journal,
            reactor,
            name="vm1",
            upstream="machine:",
            **settings,
        )
        self.proxy.setServiceParent(self)

    async def client(self) -> TextClient:
        endpoint = UNIXClientEndpoint(self.reactor, str(self.socket))
        client: TextClient = await endpoint.connect(TextClientFactory(self.reactor))
        await client.when_greeted()
        return client

    async def asks(self, command: str) -> tuple[str, ...]:
        client = await self.client()
        reply = await client.execute_line(command)
        await client.close()
        return reply.lines

    def records(self) -> list[Record]:
        return [record for record in read(self.folder / "j") if isinstance(record, Record)]

    def kinds(self) -> list[str]:
        return [str(record.kind) for record in self.records()]


@pytest_twisted.async_yield_fixture
async def application(short_path: Path, running_reactor: Any) -> AsyncIterator[Application]:
    application = Application(running_reactor, short_path, quiet=True)
    yield application
    await application.stopService()


CONVERSATION = ["opened", "greeting", "command", "output", "success", "closed"]


async def test_it_relays_and_journals_until_it_is_stopped(application: Application) -> None:
    application.startService()
    assert await application.asks("info status") == ("VM status: running",)
    await application.stopService()
    assert application.kinds() == CONVERSATION
    opened = application.records()[0]
    assert (opened.monitor, opened.connection) == ("vm1", 1)
    assert opened.fields == {"upstream": "machine:"}
    assert opened.peer is not None
    assert (opened.peer["path"], opened.peer["pid"]) == (str(application.socket), os.getpid())
    assert not application.socket.exists()


async def test_it_can_be_started_again(application: Application) -> None:
    for _ in range(3):
        application.startService()
        assert await application.asks("info status") == ("VM status: running",)
        await application.stopService()
        assert list(application.proxy) == []
    assert application.kinds() == CONVERSATION * 3
    assert [r.connection for r in application.records() if r.kind is Kind.OPENED] == [1, 2, 3]


async def test_conversations_end_before_the_journal_is_closed(application: Application) -> None:
    application.startService()
    client = await application.client()
    await application.stopService()
    await client.when_disconnected()
    closed = application.records()[-1]
    assert (closed.kind, closed.fields["reason"]) == (Kind.CLOSED, "the proxy is stopped")
    assert closed.fields["ended_by"] == "proxy"


async def test_nobody_can_connect_while_it_waits_for_the_last_to_leave(
    application: Application,
) -> None:
    application.startService()
    client = await application.client()
    stopped = application.stopService()
    assert pending(stopped)
    with pytest.raises(Exception, match="No such file"):
        await application.client()
    await stopped
    await client.when_disconnected()


async def test_the_socket_is_for_its_owner_alone(application: Application) -> None:
    application.startService()
    assert application.socket.stat().st_mode & 0o777 == 0o600


async def test_a_privileged_start_opens_the_port_and_the_start_does_not_again(
    application: Application,
) -> None:
    application.privilegedStartService()
    assert application.socket.exists()
    application.startService()
    assert await application.asks("info status") == ("VM status: running",)


async def test_one_client_too_many_is_let_go(short_path: Path, running_reactor: Any) -> None:
    application = Application(running_reactor, short_path, max_connections=1)
    application.startService()
    client = await application.client()
    with pytest.raises(Exception, match="closed cleanly"):
        await application.client()
    await client.close()
    await application.stopService()


async def test_where_the_port_cannot_be_had_the_journal_is_let_go_until_it_can(
    tmp_path: Path, running_reactor: Any
) -> None:
    taken = running_reactor.listenTCP(0, Factory(), interface="127.0.0.1")
    number = taken.getHost().port
    service = ProxyService(
        f"tcp:{number}",
        MachineEndpoint(running_reactor),
        Journal(tmp_path / "j", in_thread=lambda work: work()),
        running_reactor,
        name="vm1",
    )
    with pytest.raises(CannotListenError):
        service.startService()
    another = Journal(tmp_path / "j", in_thread=lambda work: work())
    another.open()
    await another.close()
    await taken.stopListening()
    service.startService()
    client = await TCP4ClientEndpoint(running_reactor, "127.0.0.1", number).connect(
        TextClientFactory(running_reactor)
    )
    assert (await client.execute("info", "status")).text == "VM status: running"
    await client.close()
    await service.stopService()


@pytest.mark.parametrize("privileged", [False, True])
async def test_where_the_journal_cannot_be_had_the_port_is_let_go(
    application: Application, privileged: bool
) -> None:
    application.folder.joinpath("j").mkdir()
    if privileged:
        application.privilegedStartService()
    with pytest.raises(JournalError):
        application.proxy.startService()
    await Sockets(application.reactor, "unix", application.folder).until(
        lambda: not application.socket.exists()
    )


async def test_it_can_be_stopped_without_a_start(application: Application) -> None:
    await application.stopService()
    await application.stopService()


def test_a_bad_port_is_refused_at_once(tmp_path: Path, running_reactor: Any) -> None:
    with pytest.raises(ValueError, match="nosuch"):
        ProxyService("nosuch:1", MachineEndpoint(running_reactor), Journal(tmp_path / "j"), name="")


# twistd qmp-proxy


async def test_the_service_that_the_command_line_describes(
    short_path: Path, running_reactor: Any
) -> None:
    options = ProxyOptions()
    options.parseOptions([
        f"--listen=unix:{short_path}/p.sock", f"--journal={short_path}/j", "--name=vm7",
        "--no-redact", "--quiet",
    ])  # fmt: skip
    with capturedLogs() as logs:
        daemon = makeService(options)
        daemon.startService()
        endpoint = UNIXClientEndpoint(running_reactor, str(short_path / "p.sock"))
        client: TextClient = await endpoint.connect(TextClientFactory(running_reactor))
        with pytest.raises(CommandRejected):
            await client.execute_line("block_passwd ide0-hd0 geheim")
        await client.close()
        await daemon.stopService()
    records = [record for record in read(short_path / "j") if isinstance(record, Record)]
    assert {record.monitor for record in records} == {"vm7"}
    assert b"geheim" in (records[2].raw or b"")
    said = [e["log_format"].format(**e) for e in logs if e["log_namespace"] in OURS]
    listen = f"unix:{short_path}/p.sock:backlog=1024:mode=600"
    assert said == [
        "no monitor was given with --connect: clients talk to a simulated machine",
        f"ready: clients connect to {listen}, the monitor is machine:",
    ]


async def test_what_is_not_to_be_decoded_is_recorded_as_it_comes(
    short_path: Path, running_reactor: Any
) -> None:
    application = Application(running_reactor, short_path, decode=False, quiet=True)
    application.startService()
    assert await application.asks("info status") == ("VM status: running",)
    await application.stopService()
    opened, *said, closed = application.records()
    assert (opened.kind, closed.kind) == (Kind.OPENED, Kind.CLOSED)
    assert {record.kind for record in said} == {Kind.UNDECODED}
    raw = b"".join(record.raw or b"" for record in said)
    assert b"info status\r\n" in raw
    assert raw.endswith(b"+ OK info status completed\r\n")


async def test_faults_are_injected_and_journalled(short_path: Path, running_reactor: Any) -> None:
    plan = FaultPlan([parse_rule("fail:command=info status:desc=no")])
    application = Application(running_reactor, short_path, faults=plan, quiet=True)
    application.startService()
    client = await application.client()
    with pytest.raises(CommandFailed, match="no"):
        await client.execute_line("info status")
    assert (await client.execute_line("info version")).lines == ("0.10.50",)
    await client.close()
    await application.stopService()
    assert application.kinds() == [
        "opened", "greeting", "command", "fault", "failure", "command", "output", "success",
        "closed",
    ]  # fmt: skip


@pytest.mark.parametrize(("argv", "decode"), [([], True), (["--no-decode"], False)])
def test_the_command_line_says_whether_it_is_decoded(
    argv: list[str], decode: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    # Only its settings matter.
    monkeypatch.setattr(port, "Tap", lambda *args, **settings: given.update(settings))
    monkeypatch.setattr(proxy, "describe_peer", lambda transport: {})
    options = ProxyOptions()
    options.parseOptions([*argv, f"--journal={tmp_path}/j"])
    (service,) = makeService(options)
    service._client_tap(None, 1)
    assert given["decode"] is decode


def test_a_machine_that_was_asked_for_is_not_announced(tmp_path: Path) -> None:
    options = ProxyOptions()
    options.parseOptions(["--connect=machine:name=vm1", f"--journal={tmp_path}/j"])
    with capturedLogs() as logs:
        makeService(options)
    assert logs == []


SETTINGS = [
    ("--max-connections=7", "max_connections", 7),
    ("--greeting-timeout=7", "greeting_timeout", 7.0),
    ("--quiet", "quiet", True),
]


@pytest.mark.parametrize(("argument", "setting", "value"), SETTINGS)
def test_the_options_reach_the_relay(
    argument: str, setting: str, value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(proxy, "RelayFactory", lambda *args, **kwargs: given.update(kwargs))
    options = ProxyOptions()
    options.parseOptions([argument, f"--journal={tmp_path}/j"])
    makeService(options)
    assert given[setting] == value


# Open files.


class Limits:
    """The limits of a process, as the system keeps them."""

    def __init__(self, soft: int, hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", lambda kind: self.now)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, kind: int, limits: tuple[int, int]) -> None:
        assert kind == resource.RLIMIT_NOFILE
        self.now = limits


ANY = resource.RLIM_INFINITY
LIMITS = [
    # soft, hard -> soft, and whether that is too few
    (1024, 4096, 2000, False),
    (1024, ANY, 2000, False),
    (4000, 4096, 4000, False),
    (ANY, ANY, ANY, False),
    (1024, 1500, 1500, True),
]


@pytest.mark.parametrize(("soft", "hard", "then", "too_few"), LIMITS)
def test_as_many_files_may_be_open_as_connections_want(
    soft: int, hard: int, then: int, too_few: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(soft, hard, monkeypatch)
    with capturedLogs() as logs:
        allow_open_files(2000)
    assert limits.now == (then, hard)
    warnings = [event for event in logs if event["log_level"] is LogLevel.warn]
    assert len(warnings) == too_few


async def test_a_start_allows_what_the_connections_want(
    short_path: Path, running_reactor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[int] = []
    monkeypatch.setattr(port, "allow_open_files", wanted.append)
    application = Application(running_reactor, short_path, max_connections=10)
    application.startService()
    await application.stopService()
    (files,) = wanted
    assert files >= 40
