"""libvirt with the wrapper for an emulator: a machine's whole life, with and without it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pytest_twisted import blockon
from twisted.internet.defer import Deferred

from tests.integration.libvirt import Answer, Libvirt, no_namespaces
from tests.integration.programs import ROOT, Programs, eventually, records, short_folder
from txqmp.journal.record import Kind, Record

pytestmark = [pytest.mark.peer("libvirtd", "virsh", "qemu-system-x86_64")]

QEMU = shutil.which("qemu-system-x86_64") or ""

DOMAIN = """
<domain type="qemu" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit="MiB">32</memory>
  <os><type arch="x86_64" machine="pc">hvm</type></os>
  <features><acpi/></features>
  <devices>
    <emulator>{emulator}</emulator>
    <controller type="usb" model="none"/>
    <controller type="scsi" model="virtio-scsi"/>
    <memballoon model="none"/>
  </devices>
  {more}
</domain>
"""

DISK = """
<disk type="file" device="disk">
  <driver name="qemu" type="raw"/>
  <source file="{folder}/disk.img"/>
  <target dev="sda" bus="scsi"/>
</disk>
"""

NONSENSE = '<qemu:commandline><qemu:arg value="-nonsense"/></qemu:commandline>'

CONSOLE_SCRIPT = f"""\
#!{sys.executable}
import os, sys
os.environ["PYTHONPATH"] = {str(ROOT)!r}
sys.path.insert(0, {str(ROOT)!r})
from txqmp.wrap.main import main
sys.exit(main())
"""
"""What pip makes of an entry point; it and its proxy find this checkout."""


def wrapper(folder: Path) -> Path:
    """Install the wrapper in a folder, with its settings beside it."""
    program = folder / "txqmp-qemu"
    program.write_text(CONSOLE_SCRIPT)
    program.chmod(0o755)
    journal = folder / "journals/{name}-{pid}.jsonl"
    program.with_name("txqmp-qemu.toml").write_text(
        f'qemu = "{QEMU}"\njournal = "{journal}"\nlog = "{folder}/wrap.log"\n'
    )
    (folder / "journals").mkdir()
    return program


class Step(NamedTuple):
    """A command of virsh, what came of it, and the state of the machine afterwards."""

    command: str
    answer: Answer
    state: str


class Life:
    """The life of one machine, in steps."""

    def __init__(self, libvirt: Libvirt, emulator: Path) -> None:
        self.libvirt = libvirt
        self.emulator = str(emulator)
        self.steps: list[Step] = []
        self.pids: list[int] = []
        self.emulators: list[str] = []
        self.event = b""
        self.left: list[str] = []

    async def virsh(self, *words: str) -> None:
        """One step."""
        answer = await self.libvirt.virsh(*words)
        state = await self.libvirt.virsh("domstate", "vm1", "--reason")
        self.steps.append(Step(words[0], answer, state.text))

    def said(self) -> list[str]:
        """All that virsh said, where it said something."""
        return [step.answer.text for step in self.steps if step.answer.text]

    def write(self, name: str, text: str) -> str:
        """A file of the test, by its path."""
        path = self.libvirt.folder / name
        path.write_text(text)
        return str(path)

    def domain(self, name: str, more: str = "") -> str:
        """The file of a machine's description."""
        uuid = "3c0b4d3e-54b0-4a52-9c8e-00000000000" + name[-1]
        text = DOMAIN.format(name=name, uuid=uuid, emulator=self.emulator, more=more)
        return self.write(f"{name}.xml", text)

    async def begin(self) -> None:
        """It is made, and started; another one cannot be."""
        await self.virsh("define", self.domain("vm1"))
        await self.virsh("start", "vm1")
        self.remember_pid()
        await self.virsh("dumpxml", "vm1")
        await self.virsh("create", self.domain("vm2", NONSENSE))

    async def run(self) -> None:
        """It runs, is stopped, is asked, and told on."""
        await self.virsh("suspend", "vm1")
        await self.virsh("resume", "vm1")
        await self.virsh("reset", "vm1")
        await self.virsh("qemu-monitor-command", "vm1", json.dumps({"execute": "query-status"}))
        await self.virsh("qemu-monitor-command", "vm1", "--hmp", "info version")
        await self.virsh("qemu-monitor-command", "vm1", json.dumps({"execute": "nonsense"}))
        listener = self.libvirt.listen(
            "qemu-monitor-event", "vm1", "--event", "STOP", "--timeout", "60"
        )
        # Nothing tells when it listens.
        while listener.status is None:
            await self.libvirt.virsh("suspend", "vm1")
            await self.libvirt.virsh("resume", "vm1")
        self.event = listener.out

    async def change(self) -> None:
        """It gets a disk, loses it, and gets another one."""
        (self.libvirt.folder / "disk.img").write_bytes(bytes(1 << 20))
        disk = self.write("disk.xml", DISK.format(folder=self.libvirt.folder))
        await self.virsh("attach-device", "vm1", disk)
        await self.virsh("dumpxml", "vm1")
        await self.virsh("detach-device", "vm1", disk)
        path = str(self.libvirt.folder / "disk.img")
        await self.virsh("attach-disk", "vm1", path, "sdb", "--targetbus", "scsi")
        await self.virsh("domblklist", "vm1")
        await self.virsh("detach-disk", "vm1", "sdb")

    async def move(self) -> None:
        """It survives the daemon, is written to a file, and comes back from there."""
        await self.libvirt.kill_daemon()
        await self.libvirt.start_daemon()
        await self.virsh("qemu-monitor-command", "vm1", "--hmp", "info name")
        core, saved = (str(self.libvirt.folder / name) for name in ("core", "saved"))
        await self.virsh("dump", "vm1", core, "--memory-only", "--live")
        await self.virsh("save", "vm1", saved)
        await self.virsh("restore", saved)
        self.remember_pid()
        await self.virsh("dumpxml", "vm1")

    async def end(self) -> None:
        """It is over, and in the end nothing runs but the daemon."""
        await self.virsh("dumpxml", "vm1", "--inactive")
        await self.virsh("destroy", "vm1")
        await self.virsh("undefine", "vm1")
        with suppress(AssertionError):
            await eventually(lambda: self.running() == ["bash", "libvirtd"])
        self.left = self.running()

    def running(self) -> list[str]:
        """The names of all that runs."""
        return sorted(process.name for process in self.libvirt.processes())

    def remember_pid(self) -> None:
        """It has just been started: keep the pid of its emulator, as libvirt wrote it down."""
        assert self.steps[-1].answer.status == 0, self.steps[-1]
        pid = int((self.libvirt.folder / "run/libvirt/qemu/vm1.pid").read_text())
        self.pids.append(pid)
        self.emulators += [p.name for p in self.libvirt.processes() if p.pid_there == pid]


async def live(libvirt: Libvirt, emulator: Path) -> Life:
    """A machine's whole life with an emulator."""
    life = Life(libvirt, emulator)
    await life.begin()
    await life.run()
    await life.change()
    await life.move()
    await life.end()
    return life


class Lives(NamedTuple):
    """The same life with QEMU for an emulator, and with the wrapper before it."""

    plain: Life
    wrapped: Life


@pytest.fixture(scope="module")
def lives(pytestconfig: pytest.Config, running_reactor: Any) -> Iterator[Lives]:
    """Two lives with one daemon."""
    if os.geteuid() != 0:
        pytest.skip("needs root: libvirtd gets namespaces of its own")
    missing = no_namespaces()
    if missing and pytestconfig.getoption("--require-peers"):
        pytest.fail(missing, pytrace=False)
    if missing:
        pytest.skip(missing)
    with short_folder() as folder:
        libvirt = Libvirt(Programs(folder))
        try:
            yield blockon(Deferred.fromCoroutine(two_lives(libvirt)))
        finally:
            blockon(Deferred.fromCoroutine(libvirt.stop()))


async def two_lives(libvirt: Libvirt) -> Lives:
    await libvirt.start()
    plain = await live(libvirt, Path(QEMU))
    return Lives(plain, await live(libvirt, wrapper(libvirt.folder)))


# What virsh sees.


def test_a_machine_lives_behind_the_wrapper(lives: Lives) -> None:
    assert [(step.command, step.answer.status, step.state) for step in lives.wrapped.steps] == [
        ("define", 0, "shut off (unknown)"),
        ("start", 0, "running (booted)"),
        ("dumpxml", 0, "running (booted)"),
        ("create", 1, "running (booted)"),
        ("suspend", 0, "paused (user)"),
        ("resume", 0, "running (unpaused)"),
        ("reset", 0, "running (unpaused)"),
        ("qemu-monitor-command", 0, "running (unpaused)"),
        ("qemu-monitor-command", 0, "running (unpaused)"),
        ("qemu-monitor-command", 0, "running (unpaused)"),
        ("attach-device", 0, "running (unpaused)"),
        ("dumpxml", 0, "running (unpaused)"),
        ("detach-device", 0, "running (unpaused)"),
        ("attach-disk", 0, "running (unpaused)"),
        ("domblklist", 0, "running (unpaused)"),
        ("detach-disk", 0, "running (unpaused)"),
        ("qemu-monitor-command", 0, "running (unpaused)"),
        ("dump", 0, "running (unpaused)"),
        ("save", 0, "shut off (saved)"),
        ("restore", 0, "running (restored)"),
        ("dumpxml", 0, "running (restored)"),
        ("dumpxml", 0, "running (restored)"),
        ("destroy", 0, "shut off (destroyed)"),
        ("undefine", 0, "error: failed to get domain 'vm1'"),
    ]


# Numbers of libvirt's own commands; whether QEMU ended before or after libvirt connected.
CHANCE = re.compile(
    r"libvirt-\d+|qemu unexpectedly closed the monitor|process exited while connecting to monitor"
)


def test_virsh_hears_what_it_hears_without_the_wrapper(lives: Lives) -> None:
    plain, wrapped = (
        [CHANCE.sub("…", text) for text in life.said() if text[0] != "<"] for life in lives
    )
    assert wrapped == plain
    assert len(plain) == 6


def test_the_machine_is_described_as_without_the_wrapper(lives: Lives) -> None:
    """Running, with a disk, restored, and inactive; but for its emulator, and its number."""
    plain, wrapped = (
        [
            re.sub(r" id='\d+'>", " id='N'>", text, count=1).replace(life.emulator, "EMULATOR")
            for text in life.said()
            if text[0] == "<"
        ]
        for life in lives
    )
    assert wrapped == plain
    assert ["sda" in text for text in plain] == [False, True, False, False]


def test_an_event_reaches_virsh(lives: Lives) -> None:
    assert lives.wrapped.event.startswith(b"event STOP at ")


def test_what_libvirt_started_is_qemu(lives: Lives) -> None:
    assert lives.wrapped.emulators == lives.plain.emulators == ["qemu-system-x86"] * 2


def test_nothing_remains_of_it(lives: Lives) -> None:
    assert lives.wrapped.left == ["bash", "libvirtd"]


def test_the_proxies_have_nothing_to_complain_about(lives: Lives) -> None:
    log = (lives.wrapped.libvirt.folder / "wrap.log").read_text()
    assert "#info" in log
    assert not re.findall(r"^.*#(?:warn|error|critical)\].*$", log, re.MULTILINE)


# What the journals tell.


def all_journals(lives: Lives) -> dict[str, list[Record]]:
    """By their names."""
    folder = lives.wrapped.libvirt.folder / "journals"
    return {path.name: list(records(path)) for path in folder.glob("*.jsonl")}


def journals(lives: Lives) -> list[list[Record]]:
    """Of the machine's first start, and of its second, when it was restored."""
    everything = all_journals(lives)
    return [everything[f"vm1-{pid}.jsonl"] for pid in lives.wrapped.pids]


def test_each_qemu_has_a_journal_by_the_pid_that_libvirt_knows(lives: Lives) -> None:
    names = all_journals(lives)
    assert {f"vm1-{pid}.jsonl" for pid in lives.wrapped.pids} == {
        name for name in names if name.startswith("vm1-")
    }


def test_the_examination_of_the_emulator_is_journalled(lives: Lives) -> None:
    """
    libvirt starts a nameless one, and where there is KVM another one, to ask what it can do; and
    again, where it takes what it has noted of that for outdated.
    """
    asked = [
        [r.fields["command"] for r in journal if r.kind is Kind.COMMAND]
        for name, journal in all_journals(lives).items()
        if not name.startswith("vm")
    ]
    assert all("query-machines" in commands for commands in asked)
    assert any("query-qmp-schema" in commands for commands in asked)


def test_every_command_has_its_reply(lives: Lives) -> None:
    for journal in journals(lives):
        commands = {
            (r.connection, r.seq): r.fields["command"] for r in journal if r.kind is Kind.COMMAND
        }
        replies = {
            (r.connection, r.fields["reply_to"]): r.fields["command"]
            for r in journal
            if r.kind in (Kind.SUCCESS, Kind.FAILURE)
        }
        assert replies == commands
        assert len(commands) > 400


def test_nothing_is_undecoded_or_missing(lives: Lives) -> None:
    for journal in all_journals(lives).values():
        assert not [r for r in journal if r.kind in (Kind.UNDECODED, Kind.REJECTION, Kind.GAP)]
        for connection in {r.connection for r in journal}:
            numbers = [r.seq for r in journal if r.connection == connection]
            assert numbers == list(range(1, len(numbers) + 1))


def test_the_events_of_the_machine_are_there(lives: Lives) -> None:
    first, second = (
        [r.fields for r in journal if r.kind is Kind.EVENT] for journal in journals(lives)
    )
    # The guest, which finds nothing to boot, resets itself at times.
    resets = Counter(e["data"]["reason"] for e in first if e["event"] == "RESET")
    assert resets["host-qmp-system-reset"] == 1
    names = Counter(e["event"] for e in first)
    assert names["DEVICE_DELETED"] == 2
    assert names["DUMP_COMPLETED"] == 1
    assert names["STOP"] == names["RESUME"] >= 3
    assert [e["event"] for e in second if e["event"] != "RESET"] == [
        "MIGRATION", "MIGRATION", "MIGRATION", "RESUME", "SHUTDOWN",
    ]  # fmt: skip


def test_descriptors_cross_for_a_dump_and_for_a_save(lives: Lives) -> None:
    first, _ = journals(lives)
    got = [
        r.fields["arguments"]["fdname"]
        for r in first
        if r.kind is Kind.COMMAND and r.fields["command"] == "getfd"
    ]
    assert got == ["dump", "migrate"]
    done = [r.fields["command"] for r in first if r.kind is Kind.SUCCESS]
    assert [c for c in done if c in ("getfd", "dump-guest-memory", "migrate")] == [
        "getfd", "dump-guest-memory", "getfd", "migrate",
    ]  # fmt: skip


def test_a_daemon_that_was_killed_and_came_back_is_the_second_connection(lives: Lives) -> None:
    first, second = journals(lives)
    assert [r.connection for r in first if r.kind is Kind.OPENED] == [1, 2]
    assert [r.connection for r in second if r.kind is Kind.OPENED] == [1]
