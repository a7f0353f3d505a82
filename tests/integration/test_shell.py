"""``txqmp run`` and ``txqmp shell`` before a real QEMU."""

from __future__ import annotations

import json
import sys

import pytest
from twisted.internet.threads import deferToThread

from tests.cli.terminal import ENTER, TAB, terminal
from tests.integration.programs import Program, Programs

pytestmark = pytest.mark.peer("qemu-system-x86_64")


async def txqmp(programs: Programs, *argv: str, stdin: bytes = b"") -> Program:
    program = programs.start(sys.executable, "-m", "txqmp", *argv)
    program.write(stdin)
    program.end_input()
    await program.ends()
    return program


async def test_run_asks_a_real_qemu(programs: Programs) -> None:
    await programs.qemu()
    done = await txqmp(programs, "run", "unix:qemu.sock", "query-status")
    assert (done.status, done.err) == (0, b"")
    assert json.loads(done.out)["status"] == "running"
    assert len(done.out.splitlines()) == 1


async def test_run_gives_arguments_to_a_real_qemu(programs: Programs) -> None:
    await programs.qemu()
    words = ("object-add", "qom-type=iothread", "id=io0", "poll-max-ns=7")
    assert (await txqmp(programs, "run", "unix:qemu.sock", *words)).out == b"{}\n"
    asked = await txqmp(
        programs, "run", "unix:qemu.sock", "qom-get path=/objects/io0 property=poll-max-ns"
    )
    assert asked.out == b"7\n"


async def test_run_fails_with_the_words_of_a_real_qemu(programs: Programs) -> None:
    await programs.qemu()
    done = await txqmp(programs, "run", "unix:qemu.sock", "device_del", "id=nosuch")
    assert (done.status, done.out) == (1, b"")
    assert done.err == b"txqmp: device_del: Device 'nosuch' not found\n"


async def test_a_script_drives_a_real_qemu(programs: Programs) -> None:
    await programs.qemu()
    lines = b"stop\n{'execute': 'query-status'}\nquit\n"
    done = await txqmp(programs, "shell", "unix:qemu.sock", stdin=lines)
    assert (done.status, done.err) == (0, b"")
    first, second, third = done.out.splitlines()
    assert (first, third) == (b"{}", b"{}")
    assert json.loads(second)["status"] == "paused"


async def test_a_person_talks_with_a_real_qemu(programs: Programs) -> None:
    await programs.qemu()

    def talk() -> None:
        with terminal(programs.folder, "shell", "unix:qemu.sock") as screen:
            screen.says(b"(json)")
            screen.says(b"qmp>")
            # The schema was asked for before: it is there when this is answered.
            screen.type(b"query-name", ENTER)
            screen.says(b"{}\n")
            screen.says(b"qmp>")
            screen.type(b"query-stat", TAB, b"us", ENTER)
            screen.says(b'"status": "running"')
            screen.says(b"qmp>")
            screen.type(b"stop", ENTER)
            screen.says(b"* STOP\n")
            screen.says(b"qmp>")
            screen.type(b"device_del i", TAB, b"x", ENTER)
            screen.says(b"error: device_del: Device 'x' not found")
            screen.says(b"qmp>")
            screen.type(b"human-monitor-command command-line='info status'", ENTER)
            screen.says(b"VM status: paused\n")
            screen.says(b"qmp>")
            screen.type(b"quit", ENTER)
            screen.says(b"* SHUTDOWN {")
            assert screen.ends() == 0

    await deferToThread(talk)
