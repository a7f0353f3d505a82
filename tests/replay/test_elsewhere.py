"""What is not in the record is asked elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError  # noqa: A004
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from tests.replay.example import JSON, JSON_GREETING, TEXT, TEXT_GREETING, recorded
from txqmp.errors import CommandFailed, CommandRejected
from txqmp.jsonqmp.client import JSONClient, JSONClientFactory
from txqmp.machine.endpoint import MachineEndpoint
from txqmp.replay.endpoint import ReplayEndpoint
from txqmp.replay.factory import replay_factory
from txqmp.replay.recording import Recording
from txqmp.text.client import TextClient, TextClientFactory

JSON_LEAVES = f"""
    S: {JSON_GREETING}
    C: {{"execute": "qmp_capabilities"}}
    S: {{"return": {{}}}}
    C: {{"execute": "query-uuid"}}
    X: monitor
"""


def global_reactor() -> Any:
    from twisted.internet import reactor

    return reactor


class Replayed:
    """Recordings before a simulated machine, and their clients."""

    def __init__(self) -> None:
        self.clients: list[Any] = []

    async def client(self, dialect: Any, elsewhere: Any) -> Any:
        reactor = global_reactor()
        recording = Recording(recorded(JSON if dialect == "json" else TEXT, dialect))
        factory = replay_factory(recording, reactor, mode="loose", speed=0, elsewhere=elsewhere)
        make: Any = JSONClientFactory if dialect == "json" else TextClientFactory
        client: Any = await ReplayEndpoint(reactor, factory).connect(make(reactor))
        self.clients.append(client)
        await client.when_greeted()
        self.factory = factory
        return client


@pytest_twisted.async_yield_fixture
async def replayed() -> AsyncIterator[Replayed]:
    """All clients leave at the end; the connection to the machine ends with the last of them."""
    made = Replayed()
    yield made
    for client in made.clients:
        await client.close()


async def test_in_json(replayed: Replayed) -> None:
    endpoint = MachineEndpoint(global_reactor(), dialect="json")
    client: JSONClient = await replayed.client("json", endpoint)
    assert await client.execute("query-status") == {"status": "running"}
    assert (await client.execute("query-uuid"))["UUID"].startswith("0000")
    with pytest.raises(CommandFailed, match="net1") as caught:
        await client.execute("device_del", {"id": "net1"})
    assert caught.value.error_class == "DeviceNotFound"
    assert not replayed.factory.replay.unexpected


async def test_its_events_come_too(replayed: Replayed) -> None:
    endpoint = MachineEndpoint(global_reactor(), dialect="json")
    client: JSONClient = await replayed.client("json", endpoint)
    resumed = client.wait_for_event("RESUME")
    await client.execute("query-uuid")
    endpoint.machine.stop()
    await client.execute("cont")
    assert (await resumed).name == "RESUME"


async def test_in_text(replayed: Replayed) -> None:
    client: TextClient = await replayed.client("text", MachineEndpoint(global_reactor()))
    assert (await client.execute("info", "status")).text == "VM status: running"
    assert (await client.execute("info", "uuid")).text.startswith("0000")
    rebooted = client.wait_for_event("reboot")
    assert (await client.execute("system_reset")).completed == "system_reset"
    await rebooted
    with pytest.raises(CommandFailed, match="nothing"):
        await client.execute("set_link", "nothing", "down")
    with pytest.raises(CommandRejected, match="unknown command"):
        await client.execute("bar")


@implementer(IStreamClientEndpoint)
class Nowhere:
    """An endpoint without a monitor."""

    def connect(self, factory: Any) -> Deferred[Any]:
        return fail(ConnectionRefusedError())


@pytest.mark.parametrize("dialect", ["json", "text"])
async def test_when_it_is_not_there(replayed: Replayed, dialect: str) -> None:
    client = await replayed.client(dialect, Nowhere())
    with pytest.raises(
        CommandFailed, match="replay: the other monitor cannot be asked: Connection"
    ):
        await client.execute("query-uuid")


@pytest.mark.parametrize(("dialect", "other"), [("json", "text"), ("text", "json")])
async def test_when_it_speaks_otherwise(replayed: Replayed, dialect: str, other: str) -> None:
    client = await replayed.client(dialect, MachineEndpoint(global_reactor(), dialect=other))
    with pytest.raises(CommandFailed, match=f"it speaks {other}, and the journal {dialect}"):
        await client.execute("query-uuid")


@pytest.mark.parametrize(
    ("dialect", "dialogue", "command"),
    [
        ("json", JSON_LEAVES, "query-uuid"),
        ("text", f"S: {TEXT_GREETING}\nC: system_reset\nX: monitor", "system_reset"),
    ],
)
async def test_when_it_leaves_without_an_answer(
    replayed: Replayed, dialect: Any, dialogue: str, command: str
) -> None:
    """And the next command finds it again."""
    other = replay_factory(
        Recording(recorded(dialogue, dialect)), global_reactor(), mode="loose", speed=0
    )
    client = await replayed.client(dialect, ReplayEndpoint(global_reactor(), other))
    for _ in range(2):
        with pytest.raises(CommandFailed, match=r"replay: the outcome of '.*' is unknown"):
            await client.execute(command)
    assert list(other.replay.unasked()) == []
