"""``twistd qmp-logger`` before text monitors that come and go."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import UNIXServerEndpoint

import txqmp
from tests.integration.programs import Programs, eventually, records
from txqmp.journal.record import Kind
from txqmp.text.server import TextServerFactory
from txqmp.text.table import CommandTable


def monitor() -> TextServerFactory:
    from twisted.internet import reactor

    table = CommandTable()

    @table.command("info status")
    def info_status(request: Any) -> str:
        return "VM status: running"

    return TextServerFactory(table, reactor)


async def listen(factory: TextServerFactory, path: Path) -> Any:
    from twisted.internet import reactor

    return await UNIXServerEndpoint(reactor, str(path)).listen(factory)


def journal(folder: Path) -> list[Any]:
    path = folder / "qmp-logger.jsonl"
    return [r for r in records(path) if hasattr(r, "kind")] if path.exists() else []


def kinds(folder: Path, name: str) -> list[Kind]:
    return [r.kind for r in journal(folder) if r.monitor == name]


async def test_events_and_polls_of_two_monitors_over_a_loss(
    programs: Programs, folder: Path
) -> None:
    first, second = monitor(), monitor()
    port = await listen(first, folder / "a.sock")
    other = await listen(second, folder / "b.sock")
    daemon = programs.twistd(
        "qmp-logger", "--connect=one=unix:a.sock", "--connect=unix:b.sock",
        "--poll=info status", "--every=0.05", "--passive",
    )  # fmt: skip
    await daemon.says(b"one: connected")
    await daemon.says(b"b: connected")
    first.broadcast("reboot")
    await eventually(lambda: Kind.EVENT in kinds(folder, "one"))
    await eventually(lambda: kinds(folder, "one").count(Kind.SUCCESS) >= 3)

    # The first monitor goes away; it is tried again until it is back.
    await port.stopListening()
    for connection in list(first.connections):
        connection.transport.abortConnection()
    await daemon.says(b"one: no connection: ")
    await eventually(lambda: Kind.CLOSED in kinds(folder, "one"))
    port = await listen(first, folder / "a.sock")
    await eventually(lambda: Kind.GAP in kinds(folder, "one"))
    first.broadcast("stop")
    await eventually(lambda: kinds(folder, "one").count(Kind.EVENT) == 2)

    await daemon.terminate()
    await port.stopListening()
    await other.stopListening()
    one = [r for r in journal(folder) if r.monitor == "one"]
    lost = [r.kind for r in one].index(Kind.CLOSED)
    assert one[lost].fields["ended_by"] == "monitor"
    again = one[lost + 1 :]
    assert [r.kind for r in again if r.kind in (Kind.OPENED, Kind.GREETING, Kind.GAP)] == [
        Kind.OPENED, Kind.GREETING, Kind.GAP,
    ]  # fmt: skip
    (gap,) = [r for r in again if r.kind is Kind.GAP]
    assert gap.fields["problem"].startswith("no connection: ")
    assert again[-1].kind is Kind.CLOSED
    polls = [r for r in one if r.kind is Kind.OUTPUT]
    assert {r.fields["text"] for r in polls} == {"VM status: running"}
    assert Kind.GAP not in kinds(folder, "b")
    assert kinds(folder, "b").count(Kind.OPENED) == 1


@pytest.mark.peer("qemu-system-x86_64")
async def test_ten_qemus_in_a_watched_folder_two_killed_one_stopped(
    programs: Programs, folder: Path
) -> None:
    from twisted.internet import reactor

    (folder / "vm").mkdir()
    names = [f"vm{number}" for number in range(10)]
    # A second monitor of each machine, to command it by: the first is the logger's.
    control = {name: folder / f"{name}.control" for name in names}
    machines = {
        name: await programs.qemu(
            f"vm/{name}", "-machine", "none", "-nodefaults", "-name", f"guest-{name}",
            "-chardev", f"socket,id=c,path={control[name]},server=on,wait=off",
            "-mon", "chardev=c,mode=control",
        )
        for name in names
    }  # fmt: skip
    daemon = programs.twistd("qmp-logger", "--watch=vm", "--heartbeat=2")
    await eventually(lambda: all(Kind.RESYNC in kinds(folder, name) for name in names))

    for name in ("vm0", "vm1"):
        machines[name].kill()
    os.kill(machines["vm2"].pid, signal.SIGSTOP)
    living = names[3:]
    for name in living:
        client = await txqmp.connect(reactor, f"unix:{control[name]}")
        for _ in range(25):
            await client.execute("stop")
            await client.execute("cont")
        await client.close()
    for name in ("vm0", "vm1", "vm2"):
        await eventually(lambda name=name: Kind.CLOSED in kinds(folder, name))
    await eventually(lambda: all(kinds(folder, n).count(Kind.EVENT) == 50 for n in living))
    os.kill(machines["vm2"].pid, signal.SIGCONT)
    await eventually(lambda: kinds(folder, "vm2").count(Kind.RESYNC) == 2)

    client = await txqmp.connect(reactor, f"unix:{control['vm9']}")
    await client.execute("quit")
    await eventually(lambda: Kind.CLOSED in kinds(folder, "vm9"))
    await daemon.terminate()

    def told(name: str, kind: Kind) -> list[Any]:
        return [r.fields for r in journal(folder) if r.monitor == name and r.kind is kind]

    endings = {name: told(name, Kind.CLOSED)[0].get("ending") for name in names}
    assert endings == {
        "vm0": "killed", "vm1": "killed", "vm2": "hung", **dict.fromkeys(living), "vm9": "quit",
    }  # fmt: skip
    for name in living[:-1]:
        assert [e["event"] for e in told(name, Kind.EVENT)] == ["STOP", "RESUME"] * 25
        assert told(name, Kind.GAP) == []
    (gap,) = told("vm2", Kind.GAP)
    assert "the monitor hangs" in gap["problem"] or "no greeting" in gap["problem"]
    for name in names:
        resync = told(name, Kind.RESYNC)[0]
        assert resync["name"] == f"guest-{name}"
        assert resync["status"] == "running"
        assert len(resync["uuid"]) == 36
