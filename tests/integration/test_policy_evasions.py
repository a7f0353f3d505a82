"""The list of evasions is honest: without a policy, a real QEMU does what they are about."""

from __future__ import annotations

import json
import random
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import PATIENCE, Program, Programs, eventually
from tests.policy.evasions import EVIL, NOTHING, READS, RUNS, STOPS, WRITES, Evasion, line
from tests.policy.test_rulesets import QEMU
from txqmp.policy.hmp import read_line

pytestmark = pytest.mark.peer("qemu-system-x86_64")


class Monitor:
    """A connection that says just what it is given."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, name: str) -> Any:
        """Send a command, and read up to its reply."""
        mark = secrets.token_hex(8)
        self._socket.sendall(json.dumps({"execute": name, "id": mark}).encode())
        while True:
            message = json.loads(self._lines.readline())
            if message.get("id") == mark:
                return message.get("return")

    def say(self, wire: bytes) -> str:
        """Say what an evasion says, and read until QEMU is through with it; its status then."""
        self._socket.sendall(wire)
        status: str = self.ask("query-status")["status"]
        return status

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@pytest.fixture
def evil() -> Iterator[Path]:
    """A folder whose name is as long as the one in the list."""
    while True:
        folder = Path("/tmp") / secrets.token_hex(2)
        try:
            folder.mkdir(0o700)
            break
        except FileExistsError:
            continue
    assert len(str(folder)) == len(EVIL)
    (folder / "r").write_bytes(bytes(65536))
    yield folder
    shutil.rmtree(folder)


def said(evasion: Evasion, evil: Path) -> bytes:
    plain = evasion.wire.replace(EVIL.encode(), str(evil).encode())
    return plain.replace(EVIL.replace("/", "\\/").encode(), str(evil).replace("/", "\\/").encode())


def opened(program: Program, path: Path) -> int:
    links = Path(f"/proc/{program.pid}/fd").iterdir()
    return sum(path == link.readlink() for link in links)


async def test_those_that_stop(programs: Programs, folder: Path) -> None:
    await programs.qemu()
    found = {}
    for evasion in STOPS:
        monitor = Monitor(folder / "qemu.sock")
        monitor.ask("cont")
        found[evasion.what] = monitor.say(evasion.wire) == "paused"
        monitor.close()
    assert found == {evasion.what: evasion.works for evasion in STOPS}


async def test_those_that_write(programs: Programs, folder: Path, evil: Path) -> None:
    machine = ("-machine", "pc,accel=tcg", "-nodefaults", "-S", "-device", "qemu-xhci")
    await programs.qemu("qemu.sock", *machine)
    monitor = Monitor(folder / "qemu.sock")
    found = {}
    for evasion in WRITES:
        monitor.say(said(evasion, evil))
        written = [path for path in evil.iterdir() if path.name != "r"]
        found[evasion.what] = bool(written)
        for path in written:
            path.unlink()
    monitor.close()
    # QEMU refuses to dump what no network is there for, and that is the end of that.
    assert found == {evasion.what: evasion.works for evasion in WRITES}


@pytest.mark.parametrize("evasion", [each for each in RUNS if each.works], ids=lambda e: e.what)
async def test_those_that_run_a_program(
    programs: Programs, folder: Path, evil: Path, evasion: Evasion
) -> None:
    await programs.qemu()
    monitor = Monitor(folder / "qemu.sock")
    monitor.say(said(evasion, evil))
    await eventually((evil / "x").exists)
    monitor.close()


async def test_those_that_read(programs: Programs, folder: Path, evil: Path) -> None:
    program = await programs.qemu("qemu.sock", "-machine", "pc,accel=tcg", "-nodefaults", "-S")
    monitor = Monitor(folder / "qemu.sock")
    found = {}
    for evasion in READS:
        before = opened(program, evil / "r")
        monitor.say(said(evasion, evil))
        found[evasion.what] = opened(program, evil / "r") > before
    monitor.close()
    # A secret's file is read and closed again; what is in a transaction wants a disk.
    assert found == {evasion.what: evasion.works for evasion in READS}


NUMBERS = ["0", "16", "(0)", "(1+2)*2", "8 + 8", "0x10", "'a'", "$eip ", "-0", "1.5", "x", "8 %3"]
WORDS = ["w", '"w"', '"w x"', '"a\\"b"', 'w"x"', '""', '"w', "-d", "1", "+", "w;", "'w'"]
BLANKS = ["", " ", "  ", "\t", "\n", "\v\f\r"]


async def test_lines_are_read_as_qemu_reads_them(programs: Programs, folder: Path) -> None:
    await programs.qemu("qemu.sock", "-machine", "pc,accel=tcg", "-nodefaults", "-S")
    monitor = Monitor(folder / "qemu.sock")
    dice = random.Random(20090619)
    here = set(folder.iterdir())
    good = 0
    for _ in range(2000):
        parts = [dice.choice(NUMBERS), dice.choice(NUMBERS), dice.choice(WORDS)]
        text = f"memsave {''.join(dice.choice(BLANKS) + part for part in parts)}"
        text += dice.choice(BLANKS)
        monitor.say(line(text))
        written = set(folder.iterdir()) - here
        for path in written:
            path.unlink()
        read = read_line(text)
        assert read is not None
        name = dict(read.arguments).get("filename") if read.readable else None
        assert [path.name for path in written] == ([name] if name else []), repr(text)
        good += bool(name)
    assert good > 500
    monitor.close()


async def test_those_that_do_nothing(programs: Programs, folder: Path) -> None:
    await programs.qemu()
    monitor = Monitor(folder / "qemu.sock")
    assert [monitor.say(evasion.wire) for evasion in NOTHING] == ["running"] * len(NOTHING)
    monitor.close()


async def test_the_list_of_commands_is_qemus(programs: Programs, folder: Path) -> None:
    await programs.qemu()
    monitor = Monitor(folder / "qemu.sock")
    names = {entry["name"] for entry in monitor.ask("query-commands")}
    monitor.close()
    assert names == set(QEMU["qmp"])
