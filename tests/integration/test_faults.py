"""Faults between real monitors and the clients that people use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import UNIXClientEndpoint

from tests.integration.programs import Program, Programs, eventually, records
from txqmp.errors import CommandFailed
from txqmp.journal.record import Kind
from txqmp.text.client import TextClient, TextClientFactory


async def proxy(programs: Programs, folder: Path, connect: str, *rules: str) -> Program:
    """A proxy with faults at ``proxy.sock``."""
    faults = [f"--fault={rule}" for rule in rules]
    program = programs.twistd(
        "qmp-proxy", "--connect", connect, "--listen", f"unix:{folder}/proxy.sock", *faults
    )
    await program.says(b"ready")
    return program


def script(name: str) -> str:
    return str(Path(__file__).with_name(name))


def journal(folder: Path, *kinds: Kind) -> list[Any]:
    return [r for r in records(folder / "qmp-proxy.jsonl") if r.kind in kinds]


@pytest.mark.peer("qemu-system-x86_64", "qemu.qmp")
async def test_a_real_client_of_a_real_qemu(programs: Programs, folder: Path) -> None:
    await programs.qemu()
    program = await proxy(
        programs,
        folder,
        "unix:qemu.sock",
        "fail:command=blockdev-add:nth=3:desc=no such file",
        "duplicate:event=STOP",
        "cut:command=query-block:nth=2:connection=1",
    )
    client = programs.python(script("faulty_client.py"), str(folder / "proxy.sock"))
    assert await client.ends() == 0, client.err
    said = json.loads(client.out)
    assert said["added"] == ["done", "done", "GenericError: no such file", "done"]
    assert said["nodes"] == ["a", "b", "d"]
    assert said["events"] == ["STOP", "STOP", "RESUME"]
    assert said["block"] == []
    assert said["lost"] == "ExecInterruptedError"
    # The second connection is whole, and QEMU knows nothing of all this.
    await program.says(b"closed by")
    again = programs.python(script("official_client.py"), str(folder / "proxy.sock"))
    assert await again.ends() == 0, again.err
    await program.terminate()

    faults = journal(folder, Kind.FAULT)
    assert [r.fields["fault"] for r in faults] == ["fail", "duplicate", "cut", "duplicate"]
    assert [r.connection for r in faults] == [1, 1, 1, 2]
    failed, _, cut, _ = faults
    (command,) = [
        r
        for r in journal(folder, Kind.COMMAND)
        if r.connection == 1 and r.seq == failed.fields["reply_to"]
    ]
    assert command.fields["arguments"]["node-name"] == "c"
    (failure,) = [r for r in journal(folder, Kind.FAILURE) if r.connection == 1]
    assert failure.fields["reply_to"] == command.seq
    reply = json.loads(cut.raw)
    assert reply["return"] == []
    assert 0 < cut.fields["bytes"] < len(cut.raw.rstrip())
    closed = journal(folder, Kind.CLOSED)[0]
    assert closed.fields["ended_by"] == "proxy"
    assert closed.fields["reason"] == "fault: cut:command=query-block:nth=2:connection=1"


@pytest.mark.peer("qemu-system-x86_64", "qemu.qmp")
async def test_a_session_in_pieces_is_the_same_session(programs: Programs, folder: Path) -> None:
    qemu = await programs.qemu()
    program = await proxy(programs, folder, "unix:qemu.sock", "split:pieces=5:seconds=0.001")
    client = programs.python(script("official_client.py"), str(folder / "proxy.sock"))
    assert await client.ends() == 0, client.err
    said = json.loads(client.out)
    assert said["schema"] > 200_000
    assert said["events"] == ["STOP", "RESUME"]
    assert await qemu.ends() == 0
    await program.says(b"closed by")
    await program.terminate()
    assert not journal(folder, Kind.UNDECODED)
    faults = journal(folder, Kind.FAULT)
    assert {(r.fields["fault"], r.fields["pieces"]) for r in faults} == {("split", 5)}


@pytest.mark.peer("qemu-system-x86_64", "qemu.qmp")
async def test_the_connection_ends_after_so_many_bytes(programs: Programs, folder: Path) -> None:
    await programs.qemu()
    program = await proxy(programs, folder, "unix:qemu.sock", "close:bytes=50000")
    client = programs.python(script("official_client.py"), str(folder / "proxy.sock"))
    assert await client.ends() == 1
    assert b"ExecInterruptedError" in client.err
    await program.says(b"closed by")
    await program.terminate()
    (closed,) = journal(folder, Kind.CLOSED)
    assert closed.fields["bytes_to_client"] == 50_000
    (fault,) = journal(folder, Kind.FAULT)
    assert fault.fields["command"] == "query-qmp-schema"
    assert len(fault.raw) > 200_000


@pytest.mark.peer("qemu-system-x86_64", "socat")
async def test_what_is_late_comes_though_qemu_is_gone(programs: Programs, folder: Path) -> None:
    qemu = await programs.qemu()
    program = await proxy(
        programs, folder, "unix:qemu.sock", "delay:event=SHUTDOWN:seconds=0.3", "fail:command=stop"
    )
    socat = programs.start("socat", "-t60", "-", f"UNIX-CONNECT:{folder}/proxy.sock")
    commands = ("qmp_capabilities", "stop", "quit")
    socat.write(b"".join(b'{"execute": "%b"}' % name.encode() for name in commands))
    socat.end_input()
    assert await qemu.ends() == 0
    assert await socat.ends() == 0
    said = [json.loads(line) for line in socat.out.splitlines()]
    for message, key in zip(said, ["QMP", "return", "error", "return", "event"], strict=True):
        assert key in message
    await program.says(b"closed by")
    await program.terminate()


@pytest.mark.peer("qemu-system-x86_64", "socat")
async def test_a_proxy_that_stalls_for_ever_can_be_stopped(
    programs: Programs, folder: Path
) -> None:
    await programs.qemu()
    program = await proxy(programs, folder, "unix:qemu.sock", "stall")
    socat = programs.start("socat", "-", f"UNIX-CONNECT:{folder}/proxy.sock")
    await program.says(b"opened by")
    await eventually(lambda: bool(journal(folder, Kind.FAULT)))
    await program.terminate()
    assert await socat.ends() == 0
    assert socat.out == b""
    stalled, held = journal(folder, Kind.FAULT)
    assert (stalled.raw, held.fields["bytes"]) == (None, 0)
    assert b"QMP" in held.raw


@pytest.mark.peer("qemu-system-x86_64")
async def test_descriptors_travel_with_their_commands(programs: Programs, folder: Path) -> None:
    viewers = ("-vnc", f"unix:{folder}/vnc.sock")
    await programs.qemu("qemu.sock", "-machine", "none", "-nodefaults", *viewers)
    program = await proxy(
        programs,
        folder,
        "unix:qemu.sock",
        "drop:event=NOSUCH",
        "fail:command=getfd:connection=2",
        "delay:command=add-fd:every=5:seconds=0.01",
    )
    asking = programs.python("-m", "tests.integration.handing", str(folder / "proxy.sock"))
    assert await asking.ends() == 0, asking.err
    assert json.loads(asking.out)["getfd"] == json.loads(asking.out)["add-fd"] == 20
    await program.says(b"closed by")
    failing = programs.python("-m", "tests.integration.handing", str(folder / "proxy.sock"))
    assert await failing.ends() == 1
    assert b"injected fault" in failing.err
    # That of the command which never reached the monitor is closed.
    await eventually(lambda: not any("memfd" in name for name in program.open_files()))
    await program.terminate()
    passed = journal(folder, Kind.COMMAND)
    assert sum(r.fields.get("descriptors", 0) for r in passed) == 42


async def test_the_text_dialect(programs: Programs, folder: Path) -> None:
    from twisted.internet import reactor

    program = await proxy(
        programs,
        folder,
        "machine:",
        "fail:command=stop:nth=2:desc=not now",
        "drop:event=stop:nth=1",
        "delay:command=info status:seconds=0.1",
    )
    endpoint = UNIXClientEndpoint(reactor, str(folder / "proxy.sock"))
    client: TextClient = await endpoint.connect(TextClientFactory(reactor))
    await client.when_greeted()
    heard: list[str] = []
    client.subscribe(None, lambda event: heard.append(event.name))
    late = client.execute("info", "status")
    await client.execute("stop")
    with pytest.raises(CommandFailed, match="not now"):
        await client.execute("stop")
    assert (await late).text == "VM status: running"
    assert (await client.execute("info", "version")).text
    await client.execute("cont")
    await client.execute("stop")
    await client.close()
    await program.says(b"closed by")
    await program.terminate()
    assert heard.count("stop") == 1
    faults = journal(folder, Kind.FAULT)
    assert {r.fields["fault"] for r in faults} == {"fail", "drop", "delay"}
    assert {r.dialect for r in faults} == {"text"}
    commands = {r.seq: r.fields["command"] for r in journal(folder, Kind.COMMAND)}
    for reply in journal(folder, Kind.SUCCESS, Kind.FAILURE):
        assert commands[reply.fields["reply_to"]] == reply.fields["command"]


async def test_a_rule_that_is_none(programs: Programs, folder: Path) -> None:
    program = programs.twistd("qmp-proxy", "--fault=drop:evnt=RESET")
    assert await program.ends() == 1
    assert (
        b"--fault drop:evnt=RESET: drop has no key 'evnt' "
        b"(known: command, event, nth, every, probability, connection)\n"
    ) in program.out + program.err
    assert b"Traceback" not in program.out + program.err
