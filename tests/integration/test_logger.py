"""``twistd qmp-logger`` before text monitors that come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.endpoints import UNIXServerEndpoint

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
        "--poll=info status", "--every=0.05",
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
