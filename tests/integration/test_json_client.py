"""The client of JSON QMP and a real QEMU."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.application.internet import ClientService
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.task import deferLater

from tests.integration.programs import Program, Programs
from tests.wires import interrupted, result
from txqmp.errors import CommandFailed, CommandInterrupted, ProtocolViolation
from txqmp.jsonqmp.client import JSONClient, JSONClientFactory
from txqmp.sniffer import connect

pytestmark = [pytest.mark.peer("qemu-system-x86_64")]

MACHINE = ("-machine", "pc,accel=tcg", "-m", "32", "-nodefaults", "-S")


@pytest_twisted.async_yield_fixture
async def clients(running_reactor: Any, folder: Path) -> AsyncIterator[Any]:
    """Connects clients to the QEMU in the folder, and closes them at the end."""
    opened: list[JSONClient] = []

    async def make(**settings: Any) -> JSONClient:
        endpoint = UNIXClientEndpoint(running_reactor, str(folder / "qemu.sock"))
        client: Any = await endpoint.connect(JSONClientFactory(running_reactor, **settings))
        opened.append(client)
        await client.when_greeted()
        return client

    yield make
    for client in opened:
        await client.close()


async def test_it_negotiates(programs: Programs, clients: Any) -> None:
    await programs.qemu()
    client = await clients()
    assert client.greeting.qemu.startswith("7.2.")
    assert client.oob
    assert await client.execute("query-status") == {
        "status": "running", "running": True, "singlestep": False,
    }  # fmt: skip


async def test_connect_tells_the_dialect(
    programs: Programs, folder: Path, running_reactor: Any
) -> None:
    await programs.qemu()
    client: Any = await connect(running_reactor, f"unix:{folder / 'qemu.sock'}")
    assert isinstance(client, JSONClient)
    assert await client.execute("query-name") == {}
    await client.close()


async def test_pretty_printed_output(
    programs: Programs, folder: Path, running_reactor: Any
) -> None:
    qemu = programs.start(
        "qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none",
        "-qmp-pretty", f"unix:{folder / 'pretty.sock'},server=on,wait=on",
    )  # fmt: skip
    await qemu.says(b"waiting for connection")
    client: Any = await connect(running_reactor, f"unix:{folder / 'pretty.sock'}")
    assert len(await client.execute("query-qmp-schema")) > 500
    assert await client.execute("quit") == {}
    await client.close()


async def test_errors_are_the_command_s(programs: Programs, clients: Any) -> None:
    await programs.qemu()
    client = await clients()
    replies = [
        client.execute("nosuch"),
        client.execute("device_del", {"id": "nosuch"}),
        client.execute("query-status", {"surplus": 1}),
        client.execute("query-name"),
    ]
    errors = [result_ for _, result_ in await DeferredList(replies, consumeErrors=True)]
    assert [error.value.error_class for error in errors[:3]] == [
        "CommandNotFound", "DeviceNotFound", "GenericError",
    ]  # fmt: skip
    assert all(error.check(CommandFailed) for error in errors[:3])
    assert errors[0].value.reason == "The command nosuch has not been found"
    assert errors[3] == {}


async def test_what_runs_out_of_band_overtakes(programs: Programs, clients: Any) -> None:
    await programs.qemu()
    client = await clients()
    order: list[str] = []
    slow = [client.execute("query-qmp-schema") for _ in range(20)]
    for reply in slow:
        reply.addCallback(lambda _: order.append("in band"))
    urgent = client.execute("query-yank", oob=True)
    urgent.addCallback(lambda _: order.append("out of band"))
    await DeferredList([*slow, urgent])
    assert order.count("in band") == 20
    assert order.index("out of band") < 8


async def test_events_come_before_the_reply_to_their_command(
    programs: Programs, clients: Any
) -> None:
    qemu = await programs.qemu("qemu.sock", *MACHINE)
    client = await clients()
    told: list[str] = []
    client.subscribe(None, lambda event: told.append(event.name))
    reset = client.wait_for_event("RESET")
    await client.execute("system_reset")
    assert (await reset).data == {"guest": False, "reason": "host-qmp-system-reset"}
    assert (await client.execute("query-status"))["running"] is False
    await client.execute("cont")
    assert told == ["RESET", "RESUME"]
    assert (await client.execute("query-status"))["running"] is True
    await client.execute("stop")
    assert told == ["RESET", "RESUME", "STOP"]
    shutdown = client.wait_for_event("shutdown")
    assert await client.execute("quit") == {}
    assert (await shutdown).data["reason"] == "host-qmp-quit"
    assert await qemu.ends() == 0
    assert not isinstance(await client.when_disconnected(), ProtocolViolation)


def same_file(qemu: Program, theirs: int, ours: int) -> bool:
    """Whether a descriptor of QEMU's is one of ours."""
    return os.path.samestat(Path(f"/proc/{qemu.pid}/fd/{theirs}").stat(), os.fstat(ours))


@pytest.fixture
def files(folder: Path) -> Any:
    """Descriptors of some files."""
    opened = [os.open(folder / f"file{n}", os.O_RDWR | os.O_CREAT) for n in range(6)]
    yield opened
    for descriptor in opened:
        os.close(descriptor)


async def test_several_descriptors_at_once_keep_their_commands(
    programs: Programs, clients: Any, files: list[int]
) -> None:
    qemu = await programs.qemu()
    client = await clients()
    replies = []
    for number, descriptor in enumerate(files):
        client.execute("query-name")
        replies.append(client.send_fd(descriptor, "add-fd", {"fdset-id": number}))
    # One that nobody waits for must not be mistaken for the next.
    replies[2].cancel()
    assert isinstance(result(replies.pop(2)), CancelledError)
    files.pop(2)
    for descriptor, reply in zip(files, replies, strict=True):
        assert same_file(qemu, (await reply)["fd"], descriptor)


async def test_one_that_is_cancelled_when_sent_takes_its_own(
    programs: Programs, clients: Any, files: list[int]
) -> None:
    qemu = await programs.qemu()
    client = await clients()
    first = client.send_fd(files[0], "add-fd", {"fdset-id": 0})
    second = client.send_fd(files[1], "add-fd", {"fdset-id": 1})
    first.cancel()
    assert isinstance(result(first), CancelledError)
    assert same_file(qemu, (await second)["fd"], files[1])
    sets = {fdset["fdset-id"]: fdset["fds"] for fdset in await client.execute("query-fdsets")}
    assert same_file(qemu, sets[0][0]["fd"], files[0])


async def test_descriptors_by_name(programs: Programs, clients: Any, files: list[int]) -> None:
    await programs.qemu()
    client = await clients()
    for number, descriptor in enumerate(files):
        assert await client.send_fd(descriptor, "getfd", {"fdname": f"f{number}"}) == {}
    for number in range(len(files)):
        assert await client.execute("closefd", {"fdname": f"f{number}"}) == {}
    with pytest.raises(CommandFailed, match="No file descriptor supplied"):
        await client.execute("getfd", {"fdname": "none"})


def cancelling(outcome: Any, other: Deferred[Any]) -> Any:
    """Cancel another command in a callback."""
    other.cancel()
    return outcome


async def test_a_thousand_at_once_some_cancelled_and_each_gets_its_own(
    programs: Programs, clients: Any
) -> None:
    await programs.qemu()
    client = await clients()
    chance = random.Random(2009)
    replies = [
        client.execute("human-monitor-command", {"command-line": f"print/d {n}"})
        for n in range(1000)
    ]
    gone = set(chance.sample(range(1000), 300))
    for number in gone:
        if number < 500:
            replies[number].cancel()
        else:
            # When the reply to another comes: some of them have been sent, some have not.
            replies[number - chance.randrange(1, 20)].addBoth(cancelling, replies[number])
    outcomes = await DeferredList(replies, consumeErrors=True)
    for number, (succeeded, outcome) in enumerate(outcomes):
        assert succeeded is (number not in gone)
        if succeeded:
            assert outcome == f"{number}\r\n"
        else:
            assert outcome.check(CancelledError)
    assert await client.execute("query-name") == {}


async def test_killed_with_commands_outstanding(programs: Programs, clients: Any) -> None:
    qemu = await programs.qemu()
    client = await clients(window=100)
    qemu.kill("STOP")
    replies = [client.execute("query-name") for _ in range(50)]
    await deferLater(client.factory.reactor, 0)
    qemu.kill()
    outcomes = await DeferredList(replies, consumeErrors=True)
    assert interrupted(outcome.value for _, outcome in outcomes) == ["query-name"] * 50


async def test_a_service_connects_again_to_a_qemu_that_was_restarted(
    programs: Programs, folder: Path, running_reactor: Any
) -> None:
    service = ClientService(
        UNIXClientEndpoint(running_reactor, str(folder / "qemu.sock")),
        JSONClientFactory(running_reactor),
        retryPolicy=lambda _: 0.01,
    )
    qemu = await programs.qemu()
    service.startService()
    first: Any = await service.whenConnected()
    assert await first.execute("query-status")
    qemu.kill()
    assert await qemu.ends()
    await first.when_disconnected()
    with pytest.raises(Exception, match="the connection is over") as caught:
        await first.execute("query-status")
    assert not isinstance(caught.value, CommandInterrupted)
    await programs.qemu()
    await deferLater(running_reactor, 0)
    second: Any = await service.whenConnected()
    assert second is not first
    assert await second.execute("query-status")
    await service.stopService()
