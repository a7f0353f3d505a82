"""What was recorded of a real monitor, replayed to the same client; and asked again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.programs import Program, Programs, eventually, listens, records
from tests.integration.talk import Answer, Talk
from txqmp.journal.record import Direction, Kind

CLIENT = str(Path(__file__).with_name("official_client.py"))


async def record(programs: Programs, folder: Path, upstream: str) -> Program:
    """Start a proxy that journals to ``qmp-proxy.jsonl``."""
    daemon = programs.twistd("qmp-proxy", "--quiet", f"--connect={upstream}")
    await daemon.says(b"ready: clients connect to")
    return daemon


async def replay(programs: Programs, folder: Path, *options: str) -> Program:
    """Start a replay of it at ``replay.sock``."""
    path = folder / "replay.sock"
    program = programs.python(
        "-m", "txqmp", "replay", "qmp-proxy.jsonl", f"--listen=unix:{path}", *options
    )
    await program.says(b"replaying qmp-proxy.jsonl at ")
    await eventually(lambda: listens(path))
    return program


async def official(programs: Programs, path: Path) -> bytes:
    """What a session of qemu.qmp's client says."""
    client = programs.python(CLIENT, str(path))
    assert await client.ends() == 0, client.err
    return client.out


async def record_official(programs: Programs, folder: Path) -> bytes:
    """Record such a session before a QEMU."""
    qemu = await programs.qemu()
    proxy = await record(programs, folder, f"unix:{folder / 'qemu.sock'}")
    said = await official(programs, folder / "qmp-proxy.sock")
    assert await qemu.ends() == 0
    await proxy.terminate()
    return said


@pytest.mark.peer("qemu-system-x86_64", "qemu.qmp")
async def test_the_official_client_hears_from_a_replay_what_it_heard_from_qemu(
    programs: Programs, folder: Path
) -> None:
    said = await record_official(programs, folder)
    assert json.loads(said)["schema"] > 200_000
    for options in ((), ("--mode=loose",), ("--speed=0",), ("--mode=loose", "--speed=0")):
        replaying = await replay(programs, folder, *options)
        for _ in range(2):
            assert await official(programs, folder / "replay.sock") == said
        await replaying.terminate()
        assert b"not in the record" not in replaying.err


@pytest.mark.peer("qemu-system-x86_64", "qemu.qmp")
async def test_a_replay_through_the_proxy_is_the_same_conversation(
    programs: Programs, folder: Path
) -> None:
    said = await record_official(programs, folder)
    recorded = records(folder / "qmp-proxy.jsonl")
    (folder / "qmp-proxy.jsonl").rename(folder / "first.jsonl")
    proxy = await record(programs, folder, f"replay:{folder / 'first.jsonl'}:mode=loose")
    assert await official(programs, folder / "qmp-proxy.sock") == said
    await proxy.terminate()
    again = records(folder / "qmp-proxy.jsonl")
    for way in Direction:
        one, other = (
            b"".join(each.raw for each in journal if each.direction is way)
            for journal in (recorded, again)
        )
        assert one == other


@pytest.mark.peer("qemu-system-x86_64", "qemu.qmp")
async def test_the_recorded_client_asks_a_qemu_again(programs: Programs, folder: Path) -> None:
    await record_official(programs, folder)
    qemu = await programs.qemu()
    options = ("replay", "--as-client", "qmp-proxy.jsonl", f"--connect=unix:{folder / 'qemu.sock'}")
    asking = programs.python("-m", "txqmp", *options)
    assert await asking.ends() == 0, asking.out
    assert asking.out == b"7 commands sent, no differences\n"
    assert await qemu.ends() == 0


@pytest.mark.peer("qemu-system-x86_64")
async def test_a_qemu_that_was_started_otherwise_answers_otherwise(
    programs: Programs, folder: Path
) -> None:
    machine = ("-machine", "none", "-nodefaults")
    first = await programs.qemu("qemu.sock", *machine, "-name", "one", "-m", "64")
    proxy = await record(programs, folder, f"unix:{folder / 'qemu.sock'}")
    shell = programs.python("-m", "txqmp", "shell", f"unix:{folder / 'qmp-proxy.sock'}")
    for line in (b"query-name", b"query-status", b"query-memory-size-summary", b"query-kvm"):
        shell.write(line + b"\n")
    shell.end_input()
    assert await shell.ends() == 0, shell.err
    await proxy.terminate()
    await first.terminate()

    second = await programs.qemu("other.sock", *machine, "-name", "two", "-m", "64", "-S")
    options = (
        "replay",
        "--as-client",
        "qmp-proxy.jsonl",
        f"--connect=unix:{folder / 'other.sock'}",
    )
    asking = programs.python("-m", "txqmp", *options)
    assert await asking.ends() == 1
    assert asking.out.decode().splitlines() == [
        "query-name",
        '  recorded  return.name: "one"',
        '  now       return.name: "two"',
        "",
        "query-status",
        '  recorded  return.status: "running"',
        '  now       return.status: "prelaunch"',
        "  recorded  return.running: true",
        "  now       return.running: false",
        "",
        "5 commands sent, 2 differences",
    ]
    await second.terminate()


LINES = (
    "info status", "stop", "info status", "cont", "set_link user.0 down", "info network",
    "set_link foo down", "bar", "quit",
)  # fmt: skip


def session(path: Path) -> list[Answer | str]:
    """A session of a plain client of QMP 0.1, to the monitor's end."""
    talk = Talk(path)
    said: list[Answer | str] = [talk.line(), *map(talk.say, LINES), talk.line()]
    talk.close()
    return said


async def test_a_session_in_text_is_replayed(programs: Programs, folder: Path) -> None:
    from twisted.internet.threads import deferToThread

    proxy = await record(programs, folder, "machine:")
    said = await deferToThread(session, folder / "qmp-proxy.sock")
    await proxy.terminate()
    assert records(folder / "qmp-proxy.jsonl")[-1].kind is Kind.CLOSED
    assert [answer.kind for answer in said[1:-1] if isinstance(answer, Answer)] == [
        "DATA", "OK", "DATA", "OK", "OK", "DATA", "ERR", "BAD", "OK",
    ]  # fmt: skip
    for options in ((), ("--mode=loose", "--speed=0")):
        replaying = await replay(programs, folder, *options)
        assert await deferToThread(session, folder / "replay.sock") == said
        await replaying.terminate()

    options = ("replay", "--as-client", "qmp-proxy.jsonl")
    asking = programs.python("-m", "txqmp", *options, "--connect=machine:")
    assert await asking.ends() == 0, asking.out
    assert asking.out == b"9 commands sent, no differences\n"
