"""A QEMU with a gateway before it, and clients of that."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from tests.integration.programs import Program, Programs, records, short_folder
from tests.integration.talk import Talk
from txqmp.journal.record import Kind

MACHINE = (
    "-machine", "pc,accel=tcg", "-S", "-nodefaults", "-name", "vm1", "-vga", "std",
    "-serial", "null",
    "-netdev", "user,id=user.0",
    "-device", "e1000,netdev=user.0,id=e1000.0,mac=52:54:00:12:34:56,addr=0x10",
    "-device", "virtio-balloon",
    "-drive", "if=ide,index=2,media=cdrom",
)  # fmt: skip
GREETING = re.compile(r"\+ OK QEMU \d+\.\d+\.\d+ QMP 0\.1")


async def start(
    programs: Programs, *options: str, machine: tuple[str, ...] = MACHINE
) -> tuple[Program, Program]:
    """Start a QEMU, and a gateway before it."""
    qemu = await programs.qemu("qemu.sock", *machine)
    return qemu, await gateway(programs, *options)


async def gateway(programs: Programs, *options: str) -> Program:
    daemon = programs.twistd(
        "qmp-proxy", "--dialect=text", "--name=vm1", "--connect=unix:qemu.sock",
        "--listen=unix:text.sock", "--journal=j.jsonl", *options,
    )  # fmt: skip
    await daemon.says(b"ready: clients connect to")
    return daemon


def connect(folder: Path) -> Talk:
    talk = Talk(folder / "text.sock")
    assert GREETING.fullmatch(talk.line())
    return talk


@asynccontextmanager
async def attended(machine: tuple[str, ...], *images: str) -> AsyncIterator[Talk]:
    """A machine with disks, the gateway before it, and a client."""
    with short_folder() as folder:
        programs = Programs(folder)
        try:
            for image in images:
                path = f"{image}.qcow2"
                made = programs.start("qemu-img", "create", "-f", "qcow2", path, "64M")
                assert await made.ends() == 0, made.err
            await start(programs, machine=machine)
            with closing(connect(folder)) as talk:
                yield talk
        finally:
            await programs.stop()


def sent(folder: Path) -> list[str]:
    """The JSON commands that have gone to QEMU so far."""
    commands = [r for r in records(folder / "j.jsonl") if r.kind is Kind.COMMAND]
    return [r.fields["command"] for r in commands if r.dialect == "json"]
