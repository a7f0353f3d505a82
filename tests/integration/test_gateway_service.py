"""The gateway as a service: many clients, a monitor that comes and goes, what the journal tells."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import gatherResults
from twisted.internet.endpoints import UNIXClientEndpoint

from tests.integration.gateways import MACHINE, connect, gateway, sent, start
from tests.integration.programs import PATIENCE, ROOT, Programs, as_it_happened, eventually, records
from tests.integration.talk import Talk
from txqmp import (
    JSONCommandTable,
    JSONServerFactory,
    TextClient,
    TextClientFactory,
)
from txqmp.journal.record import Kind

pytestmark = [pytest.mark.peer("qemu-system-x86_64")]

CLIENTS = 20
COMMANDS = 200


async def text_client(folder: Path, **settings: Any) -> TextClient:
    from twisted.internet import reactor

    endpoint = UNIXClientEndpoint(reactor, str(folder / "text.sock"))
    client: TextClient = await endpoint.connect(TextClientFactory(reactor, **settings))
    await client.when_greeted()
    return client


async def test_twenty_clients_lose_nothing_and_keep_their_order(
    programs: Programs, folder: Path
) -> None:
    await start(programs)
    clients = [await text_client(folder) for _ in range(CLIENTS)]
    heard: list[list[str]] = [[] for _ in clients]
    for client, events in zip(clients, heard, strict=True):
        client.subscribe(None, lambda event, events=events: events.append(event.name))

    # Each answer says for which of a client's commands it is.
    answers: list[list[str]] = [[] for _ in clients]

    def ask(number: int, turn: int) -> Any:
        if turn % 20 == 10:
            return clients[number].execute("cont" if turn % 40 == 10 else "stop")
        name = f"c{number}-{turn}"
        failing = clients[number].execute("set_link", name, "up")
        return failing.addErrback(lambda failure: answers[number].append(failure.value.reason))

    await gatherResults(
        [ask(number, turn) for turn in range(COMMANDS) for number in range(CLIENTS)],
        consumeErrors=True,
    )
    for number in range(CLIENTS):
        assert answers[number] == [
            f"could not find network device 'c{number}-{turn}'"
            for turn in range(COMMANDS)
            if turn % 20 != 10
        ]
    # The last event that anybody caused has come to all before the last answer.
    assert heard[0]
    assert set(heard[0]) == {"cont", "stop"}
    assert all(events == heard[0] for events in heard)
    for client in clients:
        await client.close()
    journal = records(folder / "j.jsonl")
    caused = [r.fields["event"] for r in journal if r.kind is Kind.EVENT and r.dialect == "json"]
    assert [{"STOP": "stop", "RESUME": "cont"}[name] for name in caused] == heard[0]


async def test_the_journal_links_what_was_asked_with_what_it_became(
    programs: Programs, folder: Path
) -> None:
    _, daemon = await start(programs)
    with closing(connect(folder)) as one, closing(connect(folder)) as other:
        for talk, line in ((one, "stop"), (other, "info block"), (one, "foo"), (other, "\x01")):
            talk.say(line)
    await daemon.terminate()

    story = defaultdict(list)
    for record in as_it_happened(folder / "j.jsonl"):
        if "link" in record.fields:
            said = record.fields.get("command")
            story[record.fields["link"]].append((record.dialect, record.kind, said))
    assert story[1] == [
        ("text", Kind.COMMAND, "stop"),
        ("json", Kind.COMMAND, "stop"),
        ("json", Kind.SUCCESS, "stop"),
        ("text", Kind.SUCCESS, "stop"),
    ]
    assert story[2] == [
        ("text", Kind.COMMAND, "info"),
        ("json", Kind.COMMAND, "query-block"),
        ("json", Kind.SUCCESS, "query-block"),
        ("json", Kind.COMMAND, "qom-get"),
        ("json", Kind.SUCCESS, "qom-get"),
        ("text", Kind.OUTPUT, "info"),
        ("text", Kind.SUCCESS, "info"),
    ]
    assert story[3] == [
        ("text", Kind.COMMAND, "foo"),
        ("json", Kind.COMMAND, "human-monitor-command"),
        ("json", Kind.SUCCESS, "human-monitor-command"),
        ("text", Kind.REJECTION, "foo"),
    ]
    # What could not be read became nothing.
    assert [kind for _, kind, _ in story[4]] == [Kind.UNDECODED, Kind.REJECTION]
    assert len(story) == 4


async def test_the_journal_is_whole_when_the_gateway_is_stopped(
    programs: Programs, folder: Path
) -> None:
    _, daemon = await start(programs)
    client = connect(folder)
    client.say("info status")
    await daemon.terminate()
    assert client.line() == ""
    client.close()
    journal = records(folder / "j.jsonl")
    assert [r.kind for r in journal].count(Kind.CLOSED) == 2
    assert not [r for r in journal if r.kind is Kind.GAP]


async def test_a_line_that_is_too_long_has_its_answer_in_the_journal(
    programs: Programs, folder: Path
) -> None:
    _, daemon = await start(programs)
    client = connect(folder)
    client.send("y" * 5000 + "\r\neject x\r\ninfo status")
    answers = [client.answer().completion for _ in range(3)]
    assert answers[0] == "- BAD line too long"
    client.close()
    await daemon.terminate()
    replies = (Kind.SUCCESS, Kind.FAILURE, Kind.REJECTION)
    told = [
        (r.fields["command"], r.kind)
        for r in records(folder / "j.jsonl")
        if r.dialect == "text" and r.kind in replies
    ]
    assert told == [
        ("y" * 5000, Kind.REJECTION), ("eject", Kind.FAILURE), ("info", Kind.SUCCESS),
    ]  # fmt: skip


async def test_a_monitor_that_dies_and_comes_back(programs: Programs, folder: Path) -> None:
    qemu, daemon = await start(programs)
    client = connect(folder)
    os.kill(qemu.pid, signal.SIGSTOP)
    client.send("system_reset")
    await eventually(lambda: "system_reset" in sent(folder))
    qemu.kill()
    assert client.answer().completion == (
        "- ERR monitor is gone: whether it carried system_reset out is unknown"
    )
    assert client.say("info status").completion == "- ERR monitor is gone"
    # One who comes now is greeted all the same.
    late = connect(folder)
    assert late.say("stop").completion == "- ERR monitor is gone"

    (folder / "qemu.sock").unlink()
    await programs.qemu("qemu.sock", *MACHINE)
    await daemon.until(lambda: daemon.out.count(b"vm1: connected") == 2)
    for each in (client, late):
        assert each.say("info status").data == ["VM status: paused"]
        each.close()


async def test_quit_and_what_the_others_hear(programs: Programs, folder: Path) -> None:
    _, daemon = await start(programs)
    quitting, other = connect(folder), connect(folder)
    assert quitting.say("quit") == (["* EVENT shutdown"], [], "+ OK quit completed")
    assert quitting.line() == ""
    assert other.line() == "* EVENT shutdown"
    await daemon.says(b"vm1: no connection: ")
    assert other.say("info status").completion == "- ERR monitor is gone"
    other.close()
    quitting.close()


async def test_clients_may_be_let_go_with_the_monitor(programs: Programs, folder: Path) -> None:
    qemu, _ = await start(programs, "--on-upstream-loss=close")
    client = connect(folder)
    os.kill(qemu.pid, signal.SIGSTOP)
    client.send("stop")
    await eventually(lambda: "stop" in sent(folder))
    qemu.kill()
    assert "monitor is gone" in client.answer().completion
    assert client.line() == ""
    client.close()


async def test_a_monitor_that_somebody_else_holds(programs: Programs, folder: Path) -> None:
    await programs.qemu("qemu.sock", *MACHINE)
    holder = socket.socket(socket.AF_UNIX)
    holder.connect(str(folder / "qemu.sock"))
    assert holder.recv(1) == b"{"
    daemon = await gateway(programs, "--greeting-timeout=0.5")
    await daemon.says(b"no connection: no greeting")
    refused = Talk(folder / "text.sock")
    assert refused.line() == ""
    refused.close()
    await daemon.says(b"there is no monitor: ")
    holder.close()
    await daemon.says(b"vm1: connected")
    with closing(connect(folder)) as client:
        assert client.say("info status").kind == "DATA"


async def test_a_client_may_come_before_the_monitor(programs: Programs, folder: Path) -> None:
    daemon = await gateway(programs)
    client = Talk(folder / "text.sock")
    client.send("info name")
    await daemon.says(b"no connection: ")
    await programs.qemu("qemu.sock", *MACHINE)
    assert client.line().startswith("+ OK QEMU ")
    assert client.answer().data == ["vm1"]
    client.close()


async def test_before_a_monitor_of_2009_nothing_changes(programs: Programs, folder: Path) -> None:
    machine = programs.twistd("qmp-proxy", "--listen=unix:qemu.sock", "--journal=machine.jsonl")
    await machine.says(b"ready: ")
    daemon = await gateway(programs)
    with closing(Talk(folder / "text.sock")) as client:
        assert client.line() == "+ OK QEMU 0.10.50 QMP 0.1"
        assert client.say("stop") == (["* EVENT stop"], [], "+ OK stop completed")
    await daemon.terminate()
    journal = records(folder / "j.jsonl")
    assert {record.connection for record in journal} == {1, 2}
    assert [r.fields["command"] for r in journal if r.kind is Kind.COMMAND] == ["stop"]


async def test_without_the_human_monitor(programs: Programs, folder: Path) -> None:
    await start(programs, "--no-hmp")
    with closing(connect(folder)) as client:
        assert client.say("info status").kind == "DATA"
        for line in ("info registers", "info network", "boot_set n", "foo"):
            assert client.say(line).completion == "- BAD unknown command"
        assert client.say("acl_show x").kind == "ERR"
    assert "human-monitor-command" not in sent(folder)


async def test_events_with_their_data(programs: Programs, folder: Path) -> None:
    await start(programs, "--event-data")
    with closing(connect(folder)) as client:
        assert client.say("quit").events == ["* EVENT shutdown guest=off reason=host-qmp-quit"]


async def test_each_client_has_a_cpu_of_its_own(programs: Programs, folder: Path) -> None:
    await start(programs, machine=(*MACHINE, "-smp", "2"))
    with closing(connect(folder)) as one, closing(connect(folder)) as other:
        assert one.say("cpu 1").kind == "OK"
        assert [line[0] for line in one.say("info cpus").data] == [" ", "*"]
        assert [line[0] for line in other.say("info cpus").data] == ["*", " "]
        assert "CPU#1" in one.say("info registers").data
        assert "CPU#0" in other.say("info registers").data
        assert one.say("cpu 2").completion == "- ERR Invalid CPU index"


async def test_what_is_not_ascii_is_escaped(programs: Programs, folder: Path) -> None:
    await start(programs, machine=(*MACHINE, "-name", "vmé\r\n+ OK ☃"))
    with closing(connect(folder)) as client:
        assert client.say("info name").data == [r"vm\xe9\x0d\x0a+ OK \u2603"]


LONG = ["dev: é" + "x" * 90] * 10_000
"""About a megabyte, as ``info qtree`` of a machine with a thousand devices."""


@pytest.mark.parametrize("readers", [1, 8])
async def test_long_answers_cost_bounded_memory(
    readers: int, programs: Programs, folder: Path
) -> None:
    from twisted.internet import reactor

    table = JSONCommandTable()

    @table.command("human-monitor-command", {"command-line": "str"})
    def human(request: Any, **arguments: Any) -> str:
        return "\r\n".join(LONG) + "\r\n"

    port = await _listen(folder / "qemu.sock", JSONServerFactory(table, reactor))
    daemon = await gateway(programs)
    await daemon.says(b"vm1: connected")
    clients = [await text_client(folder) for _ in range(readers)]
    before = daemon.resident()
    for client in clients:
        client.transport.pauseProducing()
    asked = [client.execute("info", "qtree") for client in clients for _ in range(2)]
    # Who is not read is not asked for: the next question of each waits.
    await eventually(lambda: sent(folder).count("human-monitor-command") == readers)
    assert daemon.resident() - before < (8 + 6 * readers) * 1024 * 1024
    for client in clients:
        client.transport.resumeProducing()
    expected = tuple(line.replace("é", r"\xe9") for line in LONG)
    for reply in await gatherResults(asked):
        assert reply.lines == expected
    for client in clients:
        await client.close()
    await daemon.terminate()
    await port.stopListening()


async def _listen(path: Path, factory: Any) -> Any:
    from twisted.internet import reactor

    return reactor.listenUNIX(str(path), factory)  # type: ignore[attr-defined]


@pytest.mark.peer("socat")
def test_the_example_script(folder: Path) -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "examples" / "gateway.sh")],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=PATIENCE,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder),
        },
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines.count("+ OK quit completed") == 1
    assert [line for line in lines if line.startswith("= VM status")] == [
        "= VM status: running",
        "= VM status: paused",
    ]
    assert "- ERR could not find network device 'foo'" in lines
    assert "= script" in lines
