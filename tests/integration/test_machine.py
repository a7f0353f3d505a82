"""The clients that people use, before the simulated machine's JSON monitor."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.endpoints import UNIXServerEndpoint

from tests.integration.programs import Programs
from txqmp.machine.jsonmonitor import json_monitor_factory
from txqmp.machine.state import Machine


@pytest_twisted.async_yield_fixture
async def machine(folder: Path) -> AsyncIterator[Machine]:
    """A simulated machine whose JSON monitor listens on a UNIX socket."""
    from twisted.internet import reactor

    machine = Machine(clock=reactor)  # type: ignore[arg-type]
    factory = json_monitor_factory(machine, reactor)
    endpoint = UNIXServerEndpoint(reactor, str(folder / "m.sock"), mode=0o600)
    port = await endpoint.listen(factory)
    yield machine
    await port.stopListening()


def script(name: str) -> str:
    return str(Path(__file__).with_name(name))


@pytest.mark.peer("qemu.qmp")
async def test_the_official_client(machine: Machine, programs: Programs, folder: Path) -> None:
    client = programs.python(script("official_client.py"), str(folder / "m.sock"))
    assert await client.ends() == 0, client.err
    said = json.loads(client.out)
    assert said["greeting"]["QMP"]["version"]["qemu"]["major"] == 7
    assert said["status"]["running"] is True
    assert said["schema"] > 5_000
    assert said["events"] == ["STOP", "RESUME"]
    assert said["error"] == "DeviceNotFound"


@pytest.mark.peer("qemu.qmp")
async def test_qmp_shell(machine: Machine, programs: Programs, folder: Path) -> None:
    shell = programs.start("qmp-shell", "-p", str(folder / "m.sock"))
    await shell.says(b"Connected to QEMU 7.2.22")
    shell.write(b"query-status\n")
    await shell.says(b'"running": true')
    shell.write(b"device_del id=nosuch\n")
    await shell.says(b"DeviceNotFound")
    shell.write(b"stop\n")
    shell.write(b"query-status\n")
    await shell.says(b'"running": false')
    assert not machine.running
    shell.end_input()
    await shell.ends()


@pytest.mark.peer("qmp")
async def test_the_client_from_pypi(machine: Machine, programs: Programs, folder: Path) -> None:
    client = programs.python(script("pypi_client.py"), str(folder / "m.sock"))
    assert await client.ends() == 0, client.err
    said = json.loads(client.out)
    assert said["greeting"]["QMP"]["capabilities"] == ["oob"]
    assert said["status"]["running"] is True
    assert said["error"] == "DeviceNotFound"
    assert said["event"] == "STOP"
