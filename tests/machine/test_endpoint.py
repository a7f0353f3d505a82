"""The endpoint ``machine:`` over the real reactor."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import ConnectError, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IReactorSocket,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.plugin import IPlugin
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txqmp.machine.endpoint import MachineEndpoint, MachineStringParser
from txqmp.machine.state import Machine
from txqmp.monitor import adopt
from txqmp.monitor.server import State


class Client(LineOnlyReceiver):
    """Keeps lines until they are asked for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.waiting: tuple[int, Deferred[list[str]]] | None = None
        self.lost: Deferred[None] = Deferred()

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line.decode("ascii"))
        self.tell()

    def hear(self, count: int) -> Deferred[list[str]]:
        """The next lines, once there are so many."""
        heard: Deferred[list[str]] = Deferred()
        self.waiting = (count, heard)
        self.tell()
        return heard

    def tell(self) -> None:
        if self.waiting is not None and len(self.lines) >= self.waiting[0]:
            (count, heard), self.waiting = self.waiting, None
            lines, self.lines = self.lines[:count], self.lines[count:]
            heard.callback(lines)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)

    async def leave(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()
        await self.lost


def global_reactor() -> Any:
    from twisted.internet import reactor

    return reactor


async def turns(count: int) -> None:
    """Let the reactor go round."""
    for _ in range(count):
        turn: Deferred[None] = Deferred()
        global_reactor().callLater(0, turn.callback, None)
        await turn


async def connect(endpoint: MachineEndpoint) -> Any:
    client: Any = await endpoint.connect(Factory.forProtocol(Client))
    assert await client.hear(1) == ["+ OK QEMU 0.10.50 QMP 0.1"]
    return client


async def test_a_client_talks_to_the_machine() -> None:
    endpoint = MachineEndpoint(global_reactor())
    client = await connect(endpoint)
    client.sendLine(b"info version")
    assert await client.hear(2) == ["= 0.10.50", "+ OK info version completed"]
    await client.leave()


async def test_two_clients_of_one_machine_hear_each_others_events() -> None:
    endpoint = MachineEndpoint(global_reactor())
    one, other = await gatherResults([Deferred.fromCoroutine(connect(endpoint)) for _ in range(2)])
    one.sendLine(b"stop")
    assert await one.hear(2) == ["* EVENT stop", "+ OK stop completed"]
    assert await other.hear(1) == ["* EVENT stop"]
    other.sendLine(b"system_reset")
    assert await other.hear(2) == ["* EVENT reboot", "+ OK system_reset completed"]
    assert await one.hear(1) == ["* EVENT reboot"]
    assert not endpoint.machine.running
    await one.leave()
    await other.leave()


async def test_two_endpoints_are_two_machines() -> None:
    here, there = MachineEndpoint(global_reactor()), MachineEndpoint(global_reactor())
    client = await connect(here)
    client.sendLine(b"stop")
    await client.hear(2)
    assert (here.machine.running, there.machine.running) == (False, True)
    await client.leave()


async def test_quit_ends_the_connection_and_the_next_one_works() -> None:
    endpoint = MachineEndpoint(global_reactor())
    client = await connect(endpoint)
    client.sendLine(b"quit")
    assert await client.hear(2) == ["* EVENT shutdown", "+ OK quit completed"]
    await client.lost
    await (await connect(endpoint)).leave()


async def test_a_client_that_says_no_more_still_hears() -> None:
    client = await connect(MachineEndpoint(global_reactor()))
    client.sendLine(b"info version")
    client.transport.loseWriteConnection()
    assert await client.hear(2) == ["= 0.10.50", "+ OK info version completed"]
    await client.lost


async def test_a_long_answer_waits_for_a_slow_client() -> None:
    endpoint = MachineEndpoint(global_reactor())
    for number in range(61):
        endpoint.machine.network.add_host("user", f"name={number}{'x' * 3000}")
    client = await connect(endpoint)
    (server,) = endpoint._monitor.connections
    client.transport.pauseProducing()
    for _ in range(8):
        client.sendLine(b"info network")
    await turns(50)
    assert server.paused
    client.transport.resumeProducing()
    heard = await client.hear(8 * 65)
    assert heard[-1] == "+ OK info network completed"
    assert server.state is State.IDLE
    await client.leave()


def test_a_given_machine_is_used() -> None:
    machine = Machine(clock=Clock())
    assert MachineEndpoint(global_reactor(), machine).machine is machine


# What goes wrong.


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


class Nobody(Factory):
    def buildProtocol(self, addr: IAddress | None) -> None:
        return None


class Broken(Factory):
    def buildProtocol(self, addr: IAddress | None) -> Any:
        raise ZeroDivisionError


class Stumbler(Protocol):
    def connectionMade(self) -> None:
        raise ZeroDivisionError


@implementer(IReactorSocket)
class FullReactor:
    """The global reactor, which runs out of descriptors after some adoptions."""

    def __init__(self, adoptions: int) -> None:
        self.left = adoptions

    def adoptStreamConnection(self, descriptor: int, family: int, factory: Any) -> None:
        if not self.left:
            raise OSError(errno.EMFILE, "Too many open files")
        self.left -= 1
        global_reactor().adoptStreamConnection(descriptor, family, factory)

    def __getattr__(self, name: str) -> Any:
        return getattr(global_reactor(), name)


async def failure_of(endpoint: MachineEndpoint, factory: Factory[Any]) -> Exception:
    """What connecting fails with; it must leave nothing open."""
    before = descriptors()
    with pytest.raises(Exception) as raised:  # noqa: PT011
        await endpoint.connect(factory)
    await turns(5)
    assert descriptors() == before
    assert endpoint._monitor.connections == set()
    return raised.value


async def test_a_factory_that_builds_nothing() -> None:
    error = await failure_of(MachineEndpoint(global_reactor()), Nobody())
    assert isinstance(error, NoProtocol)


async def test_a_factory_that_fails() -> None:
    error = await failure_of(MachineEndpoint(global_reactor()), Broken())
    assert isinstance(error, ZeroDivisionError)


async def test_a_protocol_that_fails() -> None:
    error = await failure_of(MachineEndpoint(global_reactor()), Factory.forProtocol(Stumbler))
    assert isinstance(error, ZeroDivisionError)


@pytest.mark.parametrize("adoptions", [0, 1])
async def test_no_descriptor_is_left_for_a_transport(adoptions: int) -> None:
    endpoint = MachineEndpoint(FullReactor(adoptions))
    error = await failure_of(endpoint, Factory.forProtocol(Client))
    assert isinstance(error, ConnectError)
    assert error.osError == errno.EMFILE


async def test_no_descriptor_is_left_for_the_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def socketpair() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(adopt, "socketpair", socketpair)
    error = await failure_of(MachineEndpoint(global_reactor()), Factory.forProtocol(Client))
    assert isinstance(error, ConnectError)
    assert error.osError == errno.EMFILE


async def test_a_reactor_that_cannot_adopt_sockets() -> None:
    error = await failure_of(MachineEndpoint(Clock()), Factory.forProtocol(Client))
    assert isinstance(error, ConnectError)
    assert "this reactor cannot adopt sockets" in str(error)


# The description.


def parse(description: str) -> Machine:
    endpoint = clientFromString(Clock(), description)
    assert isinstance(endpoint, MachineEndpoint)
    return endpoint.machine


def test_the_parser_is_a_plugin_for_client_endpoints() -> None:
    parser = MachineStringParser()
    assert verifyObject(IPlugin, parser)
    assert verifyObject(IStreamClientEndpointStringParserWithReactor, parser)
    assert verifyObject(IStreamClientEndpoint, parser.parseStreamClient(Clock()))


@pytest.mark.parametrize("description", ["machine", "machine:", "MACHINE:"])
def test_a_description_without_settings(description: str) -> None:
    machine = parse(description)
    assert (machine.name, machine.memory, machine.cpus, machine.running) == (None, 512, 2, True)


def test_a_description_with_settings() -> None:
    machine = parse(
        "machine:name=vm1:uuid=550e8400-e29b-41d4-a716-446655440000:memory=64:cpus=4:paused=yes"
    )
    assert machine.name == "vm1"
    assert machine.uuid == "550e8400-e29b-41d4-a716-446655440000"
    assert (machine.memory, machine.cpus, machine.running) == (64, 4, False)


def test_a_description_of_a_machine_that_runs() -> None:
    assert parse("machine:paused=no").running


def test_the_machine_keeps_the_time_of_the_reactor() -> None:
    clock = Clock()
    endpoint = MachineStringParser().parseStreamClient(clock)
    clock.advance(3)
    assert endpoint.machine.guest_clock == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("vm1", "settings are written key=value, not 'vm1'"),
        (
            "colour=red",
            "unknown setting 'colour' (known: name, uuid, memory, cpus, paused, dialect)",
        ),
        ("clock=x", "unknown setting 'clock' (known: name, uuid, memory, cpus, paused, dialect)"),
        ("memory=lots", "memory is a number, not 'lots'"),
        ("memory=-1", "memory is a number, not '-1'"),
        ("memory=0", "memory is 1 to 1048576 MiB, not 0"),
        ("cpus=1000000000000", "cpus is a number, not '1000000000000'"),
        ("cpus=256", "a machine has 1 to 255 CPUs, not 256"),
        ("paused=perhaps", "paused is yes or no, not 'perhaps'"),
        ("uuid=1234", "not a UUID: '1234'"),
        ("dialect=morse", "dialect is text or json, not 'morse'"),
    ],
)
def test_a_description_that_will_not_do(settings: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^machine: {re.escape(message)}$"):
        parse(f"machine:{settings}")


def test_importing_the_endpoint_is_light() -> None:
    script = (
        "import sys, txqmp.machine.endpoint;"
        "heavy = ['twisted.internet.reactor', 'txqmp.machine.state', 'txqmp.machine.monitor'];"
        "sys.exit(', '.join(name for name in heavy if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
