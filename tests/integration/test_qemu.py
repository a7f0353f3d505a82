"""A real QEMU behind the proxy, and the clients that people use before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from twisted.internet.endpoints import UNIXClientEndpoint

from tests.integration.programs import Programs, records
from tests.integration.wiretap import Wiretap
from txqmp.journal.record import Kind
from txqmp.journal.writer import Journal
from txqmp.service.proxy import ProxyService

pytestmark = [pytest.mark.peer("qemu-system-x86_64")]


def proxy(folder: Path, target: str) -> ProxyService:
    from twisted.internet import reactor

    path = str(folder / target)
    return ProxyService(
        f"unix:{folder / 'proxy.sock'}:mode=600",
        UNIXClientEndpoint(reactor, path),
        Journal(str(folder / "journal.jsonl")),
        reactor,
        name="vm1",
        upstream=f"unix:{path}",
    )


@pytest.mark.peer("qemu.qmp")
async def test_the_official_client_is_journalled_and_its_bytes_are_untouched(
    programs: Programs, folder: Path
) -> None:
    from twisted.internet import reactor

    qemu = await programs.qemu()
    inner = Wiretap(reactor, str(folder / "qemu.sock"))
    inner_port = await inner.listen(str(folder / "inner.sock"))
    service = proxy(folder, "inner.sock")
    service.startService()
    outer = Wiretap(reactor, str(folder / "proxy.sock"))
    outer_port = await outer.listen(str(folder / "outer.sock"))

    client = programs.python(
        str(Path(__file__).with_name("official_client.py")), str(folder / "outer.sock")
    )
    assert await client.ends() == 0, client.err
    assert await qemu.ends() == 0
    await outer_port.stopListening()
    await service.stopService()
    await inner_port.stopListening()

    assert outer.said == inner.said
    assert outer.heard == inner.heard
    said = json.loads(client.out)
    assert said["status"]["running"] is True
    assert said["schema"] > 200_000
    assert said["events"] == ["STOP", "RESUME"]
    assert said["error"] == "DeviceNotFound"

    journal = records(folder / "journal.jsonl")
    heard = [r for r in journal if r.direction == "to-client"]
    assert b"".join(r.raw for r in heard) == outer.heard
    assert b"".join(r.raw for r in journal if r.direction == "to-monitor") == outer.said
    assert not [r for r in journal if r.kind is Kind.UNDECODED]

    commands = {r.seq: r for r in journal if r.kind is Kind.COMMAND}
    replies = [r for r in journal if r.kind in (Kind.SUCCESS, Kind.FAILURE)]
    assert [r.fields["command"] for r in commands.values()] == [
        "qmp_capabilities", "query-status", "query-qmp-schema",
        "stop", "cont", "device_del", "quit",
    ]  # fmt: skip
    assert [r.fields["reply_to"] for r in replies] == list(commands)
    for reply in replies:
        command = commands[reply.fields["reply_to"]]
        assert reply.fields["command"] == command.fields["command"]
        assert 0 <= reply.fields["latency"] == pytest.approx(reply.mono - command.mono, abs=2e-6)
    (schema,) = [r for r in replies if r.fields["command"] == "query-qmp-schema"]
    assert len(schema.raw) > 200_000
    assert schema.raw.count(b"\n") == 1


@pytest.mark.peer("qemu.qmp")
async def test_qmp_shell_completes_a_session_through_the_proxy(
    programs: Programs, folder: Path
) -> None:
    qemu = await programs.qemu()
    service = proxy(folder, "qemu.sock")
    service.startService()
    shell = programs.start("qmp-shell", "-p", str(folder / "proxy.sock"))
    await shell.says(b"Connected to QEMU")
    shell.write(b"query-status\n")
    await shell.says(b'"running": true')
    shell.write(b"device_del id=nosuch\n")
    await shell.says(b"DeviceNotFound")
    shell.write(b"quit\n")
    assert await qemu.ends() == 0
    shell.end_input()
    await shell.ends()
    await service.stopService()

    replies = {
        r.fields["command"]: r.kind
        for r in records(folder / "journal.jsonl")
        if r.kind in (Kind.SUCCESS, Kind.FAILURE)
    }
    assert replies["query-status"] is Kind.SUCCESS
    assert replies["device_del"] is Kind.FAILURE
    assert replies["quit"] is Kind.SUCCESS


@pytest.mark.peer("qmp")
async def test_the_client_from_pypi_completes_a_session_through_the_proxy(
    programs: Programs, folder: Path
) -> None:
    qemu = await programs.qemu()
    service = proxy(folder, "qemu.sock")
    service.startService()
    client = programs.python(
        str(Path(__file__).with_name("pypi_client.py")), str(folder / "proxy.sock")
    )
    assert await client.ends() == 0, client.err
    assert await qemu.ends() == 0
    await service.stopService()

    assert json.loads(client.out)["event"] == "STOP"
    replies = [
        (r.fields["command"], r.kind)
        for r in records(folder / "journal.jsonl")
        if r.kind in (Kind.SUCCESS, Kind.FAILURE)
    ]
    assert replies == [
        ("qmp_capabilities", Kind.SUCCESS), ("query-status", Kind.SUCCESS),
        ("device_del", Kind.FAILURE), ("stop", Kind.SUCCESS), ("quit", Kind.SUCCESS),
    ]  # fmt: skip


async def test_a_second_client_of_a_busy_monitor_is_let_go_after_the_greeting_timeout(
    programs: Programs, folder: Path
) -> None:
    await programs.qemu()
    first = programs.start("socat", "-", f"UNIX-CONNECT:{folder / 'qemu.sock'}")
    await first.says(b"QMP")
    daemon = programs.twistd(
        "qmp-proxy", "--greeting-timeout=0.3", f"--connect=unix:{folder / 'qemu.sock'}"
    )
    await daemon.says(b"ready: clients connect to")
    second = programs.start("socat", "-", f"UNIX-CONNECT:{folder / 'qmp-proxy.sock'}")
    assert await second.ends() == 0
    assert second.out == b""
    await daemon.says(b"no greeting within 0.3 s (is another client connected to this monitor?)")
    await daemon.terminate()
    closed = records(folder / "qmp-proxy.jsonl")[-1]
    assert closed.kind is Kind.CLOSED
    assert closed.fields["ended_by"] == "proxy"
    assert "no greeting" in closed.fields["reason"]


async def test_qemu_killed_in_mid_session_ends_the_conversation_and_the_journal_says_so(
    programs: Programs, folder: Path
) -> None:
    qemu = await programs.qemu()
    service = proxy(folder, "qemu.sock")
    service.startService()
    client = programs.start("socat", "-", f"UNIX-CONNECT:{folder / 'proxy.sock'}")
    await client.says(b"QMP")
    client.write(b'{"execute":"qmp_cap')
    qemu.kill()
    assert await client.ends() == 0
    await service.stopService()
    journal = records(folder / "journal.jsonl")
    assert [r.kind for r in journal if r.direction == "to-monitor"] in ([], [Kind.UNDECODED])
    assert journal[-1].kind is Kind.CLOSED
    assert journal[-1].fields["ended_by"] == "monitor"
