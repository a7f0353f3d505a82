"""Journals of a real QEMU, checked, made safe and exported; and what Wireshark makes of them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from socket import AF_UNIX, socket

import pytest
from twisted.internet.threads import deferToThread

from tests.cli.journal.inside import GOLDEN
from tests.integration.programs import Programs, eventually, listens, records

SECRET = {"qom-type": "secret", "id": "sec0", "data": "hunter2"}
COMMANDS = [
    {"execute": "qmp_capabilities"},
    {"execute": "object-add", "arguments": SECRET},
    {"execute": "qom-get", "arguments": {"path": "/objects/sec0", "property": "data"}, "id": 1},
    {"execute": "query-qmp-schema", "id": [{"a": None}, 1.5, "\u20ac"]},
    {"execute": "stop"},
    {"execute": "nosuch"},
    {"execute": "quit"},
]


def talk(path: Path) -> None:
    """Say the commands, one after the other; without line ends, as many clients do."""
    with socket(AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        with connection.makefile("rwb") as file:
            file.readline()
            for command in COMMANDS:
                file.write(json.dumps(command).encode())
                file.flush()
                while "event" in json.loads(file.readline()):
                    pass


@pytest.mark.peer("qemu-system-x86_64")
async def test_a_session_with_a_real_qemu(programs: Programs, folder: Path) -> None:
    qemu = await programs.qemu()
    proxy = programs.twistd(
        "qmp-proxy", "--no-redact", "--journal=open.jsonl",
        f"--connect=unix:{folder / 'qemu.sock'}", f"--listen=unix:{folder / 'p.sock'}",
    )  # fmt: skip
    await eventually(lambda: listens(folder / "p.sock") or proxy.status is not None)
    await deferToThread(talk, folder / "p.sock")
    assert await qemu.ends() == 0
    await proxy.terminate()

    async def journal(*argv: str) -> bytes:
        program = programs.python("-m", "txqmp", "journal", *argv)
        assert await program.ends() == 0, (program.out, program.err)
        return program.out

    assert b"hunter2" in (folder / "open.jsonl").read_bytes()
    await journal("redact", "open.jsonl", "-o", "safe.jsonl")
    assert b"hunter2" not in (folder / "safe.jsonl").read_bytes()
    for name in ("open.jsonl", "safe.jsonl"):
        assert b"in 1 connection: no problems" in await journal("check", name)

    await journal("export", "open.jsonl", "-o", "open.sqlite")
    with closing(sqlite3.connect(folder / "open.sqlite")) as database:
        rows = database.execute(
            "SELECT command, outcome, answer FROM spans ORDER BY seq"
        ).fetchall()
    assert [command for command, *_ in rows] == [command["execute"] for command in COMMANDS]
    assert [outcome for _, outcome, _ in rows].count("failure") == 1
    assert len(json.loads(rows[3][2])) > 100


def raw(data: bytes) -> bytes:
    """The bytes that tshark found in a stream, both ways, in their order."""
    lines = data.decode().split("Node 1:")[1].splitlines()[1:]
    return b"".join(bytes.fromhex(line.strip()) for line in lines if not line.startswith("="))


@pytest.mark.peer("tshark")
@pytest.mark.parametrize("name", ["text", "secrets"])
async def test_wireshark_follows_the_streams(programs: Programs, folder: Path, name: str) -> None:
    source = GOLDEN / f"{name}.jsonl"
    export = programs.python("-m", "txqmp", "journal", "export", str(source), "-o", "x.pcapng")
    assert await export.ends() == 0, export.err

    async def tshark(*argv: str) -> bytes:
        checked = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
        program = programs.start("tshark", "-r", "x.pcapng", *checked, *argv)
        assert await program.ends() == 0, program.err
        return program.out

    said = b"".join(record.raw or b"" for record in records(source))
    assert raw(await tshark("-q", "-z", "follow,tcp,raw,0")) == said
    assert await tshark("-Y", "tcp.checksum.status != 1 || ip.checksum.status != 1") == b""
    # What TCP would have had to repair, or what no dissector should have looked into.
    assert await tshark("-Y", "_ws.expert.severity >= 0x600000 || !tcp") == b""
    assert await tshark("-Y", "tcp.analysis.flags && !tcp.analysis.keep_alive") == b""
    stamps = await tshark("-T", "fields", "-e", "frame.time_epoch", "-e", "frame.comment")
    first = stamps.splitlines()[0]
    assert first.startswith(b"1795341600.000000000\t")
    assert b"#1 opened " in first
