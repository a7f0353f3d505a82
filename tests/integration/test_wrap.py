"""A wrapped QEMU is that QEMU to whoever started it, and what its monitors say is journalled."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.integration.programs import ROOT, Program, Programs, eventually, listens, records
from tests.integration.tool import Tool, accepted, connected_to, listening_at
from txqmp.journal import Kind
from txqmp.monitor.closing import CLOSE_TIMEOUT

pytestmark = [pytest.mark.peer("qemu-system-x86_64")]

EMULATOR = "qemu-system-x86_64"
MACHINE = ("-machine", "none", "-nodefaults", "-display", "none")
CONVERSATION = ["greeting", "command", "success", "command", "success", "command", "success"]


class Wrapped:
    """Starts QEMUs in the folder of a test, and knows what became of their proxies."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self.programs = programs
        self._folder = folder
        self._started: list[bytes] = []

    def start(
        self,
        *arguments: str,
        files: Sequence[int] = (),
        command: Sequence[str] = (EMULATOR, *MACHINE),
    ) -> Program:
        """Start a QEMU as ``txqmp wrap`` does; it is in ``vm.jsonl``."""
        program = self.programs.start(
            sys.executable, "-m", "txqmp", "wrap", "--journal", "vm.jsonl", "--log", "vm.log",
            "--", *command, *arguments, files=files,
        )  # fmt: skip
        self._started.append(str(program.pid).encode())
        return program

    def proxies(self) -> list[int]:
        """The processes of the proxies of what was started."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"txqmp.service.wrap" in words and words[-2] in self._started:
                    found.append(int(folder.name))
        return found

    async def over(self) -> list[str]:
        """Wait for the proxies' end; the kinds of what they journalled, events aside."""
        await eventually(lambda: not self.proxies())
        assert not list(self._folder.glob("*.sock"))
        log = (self._folder / "vm.log").read_text() if (self._folder / "vm.log").exists() else ""
        assert "Traceback" not in log
        kinds = [record.kind for record in records(self._folder / "vm.jsonl")]
        return [str(kind) for kind in kinds if kind not in (Kind.EVENT, Kind.OPENED, Kind.CLOSED)]


@pytest.fixture
def wrapped(programs: Programs, folder: Path) -> Wrapped:
    return Wrapped(programs, folder)


async def test_a_socket_of_its_own(wrapped: Wrapped, folder: Path) -> None:
    path = folder / "q.sock"
    qemu = wrapped.start("-qmp", f"unix:{path},server=on,wait=off", "-name", "vm1")
    await eventually(lambda: listens(path))
    tool = connected_to(path)
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    assert await wrapped.over() == CONVERSATION
    opened = records(folder / "vm.jsonl")[0]
    assert opened.monitor == "vm1"
    assert opened.fields["upstream"] == f"compat_monitor0 of PID {qemu.pid}"


async def test_one_client_after_the_other_as_with_qemu(wrapped: Wrapped, folder: Path) -> None:
    path = folder / "q.sock"
    qemu = wrapped.start(
        "-chardev", f"socket,id=c,path={path},server=on,wait=off", "-mon", "chardev=c,mode=control"
    )
    await eventually(lambda: listens(path))
    tools = [connected_to(path) for _ in range(5)]
    for number, tool in enumerate(tools):
        if number < 4:
            assert "QMP" in tool.hear()
            assert tool.ask("qmp_capabilities") == {"return": {}}
            assert "return" in tool.ask("query-status")
        else:
            tool.talk()
        tool.close()
    assert await qemu.ends() == 0
    assert await wrapped.over() == CONVERSATION[:5] * 4 + CONVERSATION


async def test_the_tool_listens_and_qemu_connects(wrapped: Wrapped, folder: Path) -> None:
    with listening_at(folder / "tool.sock") as port:
        qemu = wrapped.start(
            *("-chardev", f"socket,id=mon,path={folder}/tool.sock"),
            *("-mon", "chardev=mon,mode=control"),
        )
        tool = accepted(port)
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    (folder / "tool.sock").unlink()
    assert await wrapped.over() == CONVERSATION


async def test_qemu_connects_again_and_again(wrapped: Wrapped, folder: Path) -> None:
    with listening_at(folder / "tool.sock") as port:
        qemu = wrapped.start("-qmp", f"unix:{folder}/tool.sock,reconnect=1")
        first = accepted(port)
        assert "QMP" in first.hear()
        first.close()
        second = accepted(port)
    second.talk()
    second.close()
    assert await qemu.ends() == 0
    (folder / "tool.sock").unlink()
    assert await wrapped.over() == ["greeting", *CONVERSATION]


async def test_a_listening_socket_that_was_handed_over(wrapped: Wrapped, folder: Path) -> None:
    with listening_at(folder / "q.sock") as port:
        number = port.fileno()
        qemu = wrapped.start(
            *("-chardev", f"socket,id=mon,fd={number},server=on,wait=off"),
            *("-mon", "chardev=mon,id=monitor,mode=control"),
            files=[number],
        )
    # As libvirt does: it connects before anything runs.
    tool = connected_to(folder / "q.sock")
    assert "QMP" in tool.hear()
    assert _command_line(qemu.pid)[0].endswith(EMULATOR)
    assert f"socket,id=mon,fd={number},server=on,wait=off" in _command_line(qemu.pid)
    assert tool.ask("qmp_capabilities") == {"return": {}}
    tool.close()
    again = connected_to(folder / "q.sock")
    again.talk()
    again.close()
    assert await qemu.ends() == 0
    assert await wrapped.over() == CONVERSATION[:3] + CONVERSATION


async def test_a_connection_that_was_handed_over(wrapped: Wrapped) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        qemu = wrapped.start("-qmp", f"unix:fd={theirs.fileno()}", files=[theirs.fileno()])
    tool = Tool(ours)
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    assert await wrapped.over() == CONVERSATION


async def test_the_proxy_ends_with_the_only_connection(wrapped: Wrapped) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        qemu = wrapped.start("-qmp", f"unix:fd={theirs.fileno()}", files=[theirs.fileno()])
    tool = Tool(ours)
    assert "QMP" in tool.hear()
    tool.close()
    assert await wrapped.over() == ["greeting"]
    assert qemu.status is None
    qemu.kill("TERM")
    assert await qemu.ends() == 0


async def test_over_tcp(wrapped: Wrapped) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    qemu = wrapped.start("-qmp", f"tcp:127.0.0.1:{number},server=on,wait=off")
    connection = socket.socket()
    await eventually(lambda: connection.connect_ex(("127.0.0.1", number)) == 0)
    tool = Tool(connection)
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    assert await wrapped.over() == CONVERSATION


async def test_qemu_waits_for_a_client_where_it_would(wrapped: Wrapped, folder: Path) -> None:
    path = folder / "q.sock"
    qemu = wrapped.start("-qmp", f"unix:{path},server=on", "-pidfile", "pid")
    await eventually(lambda: listens(path))
    tool = connected_to(path)
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    assert await wrapped.over() == CONVERSATION


async def test_several_monitors(wrapped: Wrapped, folder: Path) -> None:
    qemu = wrapped.start(
        *("-qmp", f"unix:{folder}/a.sock,server=on,wait=off"),
        *("-qmp-pretty", f"unix:{folder}/b.sock,server=on,wait=off"),
        *("-monitor", f"unix:{folder}/human.sock,server=on,wait=off"),
    )
    await eventually(lambda: listens(folder / "human.sock"))
    one, two = connected_to(folder / "a.sock"), connected_to(folder / "b.sock")
    assert "QMP" in one.hear()
    one.talk_on()
    one.close()
    two.close()
    assert await qemu.ends() == 0
    await wrapped.over()
    names = {record.monitor for record in records(folder / "vm.jsonl")}
    assert names == {"qemu:compat_monitor0", "qemu:compat_monitor1"}


async def test_as_libvirt_asks_what_a_qemu_can_do(wrapped: Wrapped, folder: Path) -> None:
    path = folder / "q.sock"
    qemu = wrapped.start(
        *("-S", "-no-user-config", "-qmp", f"unix:{path},server=on,wait=off"),
        *("-pidfile", str(folder / "pid"), "-daemonize"),
    )
    # It is a daemon, so whoever started it waits for its end, and for that of its output.
    assert await qemu.ends() == 0
    pid = int((folder / "pid").read_text())
    try:
        assert pid != qemu.pid
        tool = connected_to(path)
        assert "QMP" in tool.hear()
        assert tool.ask("qmp_capabilities") == {"return": {}}
        tool.close()
        assert wrapped.proxies()
    finally:
        os.kill(pid, signal.SIGTERM)
    assert await wrapped.over() == CONVERSATION[:3]


async def test_qemu_outlives_its_proxy(wrapped: Wrapped, folder: Path) -> None:
    path = folder / "q.sock"
    qemu = wrapped.start("-qmp", f"unix:{path},server=on,wait=off", "-name", "vm1")
    await eventually(lambda: listens(path))
    tool = connected_to(path)
    assert "QMP" in tool.hear()
    private = _peers_of(qemu.pid)
    (proxy,) = wrapped.proxies()
    os.kill(proxy, signal.SIGKILL)
    assert tool.ended()
    tool.close()
    # Its monitor still answers, where it is for the proxy alone.
    again = connected_to(private)
    again.talk()
    again.close()
    assert await qemu.ends() == 0
    path.unlink()
    assert not private.exists()
    private.parent.rmdir()


@pytest.mark.parametrize("noticed", [False, True])
async def test_a_proxy_does_not_end_before_the_last_word_is_read(
    wrapped: Wrapped, folder: Path, noticed: bool
) -> None:
    path = folder / "q.sock"
    qemu = wrapped.start("-qmp", f"unix:{path},server=on,wait=off")
    await eventually(lambda: listens(path))
    tool = connected_to(path)
    assert "QMP" in tool.hear()
    assert tool.ask("qmp_capabilities") == {"return": {}}
    # More than the socket of a client that does not read takes.
    tool.say("query-qmp-schema", "quit")
    assert await qemu.ends() == 0
    if noticed:
        await eventually(lambda: not listens(path))
    (proxy,) = wrapped.proxies()
    # Whoever ends all of a machine's processes asks this one, too.
    os.kill(proxy, signal.SIGTERM)
    heard = tool.hear_out()
    tool.close()
    assert (await wrapped.over())[:5] == [*CONVERSATION[:3], "command", "command"]
    said = records(folder / "vm.jsonl")[-1].fields["bytes_to_client"]
    assert len(heard) == said > 100_000


def _command_line(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def _peers_of(pid: int) -> Path:
    """The private socket of a QEMU's monitor."""
    inodes = {
        link.readlink().name[8:-1]
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if link.readlink().name.startswith("socket:")
    }
    for line in Path("/proc/net/unix").read_text().splitlines():
        words = line.split()
        if words[6] in inodes and len(words) > 7 and words[3] == "00010000":
            return Path(words[7])
    raise AssertionError("it has none")


class TestIdentity:
    """The same with the wrapper and without."""

    def both(
        self, folder: Path, *arguments: str, command: Sequence[str] = (EMULATOR,)
    ) -> list[tuple[int, bytes, bytes]]:
        wrapper = (sys.executable, "-m", "txqmp", "wrap", "--journal", "vm-{pid}.jsonl", "--")
        done = [
            subprocess.run(
                [*way, *command, *arguments],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
                check=False,
            )
            for way in ((), wrapper)
        ]
        return [(one.returncode, one.stdout, one.stderr) for one in done]

    @pytest.mark.parametrize(
        "arguments",
        [
            ["-version"],
            ["--help"],
            ["-machine", "help"],
            ["-device", "e1000,help"],
            ["-nonsense"],
            ["-version", "-qmp", "unix:q.sock,server=on,wait=off"],
            ["-nonsense", "-qmp", "unix:q.sock,server=on,wait=off"],
            [*MACHINE, "-qmp", "unix:nobody.sock"],
            [*MACHINE, "-qmp", "unix:/no/such/folder/q.sock,server=on,wait=off"],
            [*MACHINE, "-qmp", "tcp:127.0.0.1:1"],
            [*MACHINE, "-qmp", "unix:q.sock,server=perhaps"],
            [*MACHINE, "-mon", "chardev=none,mode=control"],
            [*MACHINE, "-qmp", "unix:q.sock,server=on,wait=off", "-object", "none"],
        ],
        ids=" ".join,
    )
    def test_what_it_says_and_how_it_ends(self, folder: Path, arguments: list[str]) -> None:
        plain, with_proxy = self.both(folder, *arguments)
        # QEMU names a program by what it was called: a path here.
        said = with_proxy[2].replace(b"/usr/bin/qemu-system", b"qemu-system")
        assert (with_proxy[0], with_proxy[1], said) == plain

    def test_it_may_have_no_standard_streams(self, folder: Path) -> None:
        arguments = [*MACHINE, "-qmp", "unix:q.sock,server=on,wait=off", "-nonsense"]
        script = 'exec <&- >&- 2>&-; "$@"; exit $?'
        shell = ("sh", "-c", script, "sh")
        wrapper = (sys.executable, "-m", "txqmp", "wrap", "-j", "vm.jsonl", "--", EMULATOR)
        done = subprocess.run(
            [*shell, *wrapper, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert (folder / "vm.jsonl").exists()

    async def test_a_signal_is_qemus(self, wrapped: Wrapped, folder: Path) -> None:
        path = folder / "q.sock"
        for name, status in (("KILL", -signal.SIGKILL), ("TERM", 0), ("INT", 0)):
            qemu = wrapped.start("-qmp", f"unix:{path},server=on,wait=off")
            tool = await _greeted(path)
            qemu.kill(name)
            assert await qemu.ends() == status
            assert tool.ended() or "event" in tool.hear()
            tool.close()
            await wrapped.over()

    def test_its_parent_its_folder_its_environment_and_its_signals(self, folder: Path) -> None:
        # In QEMU's place a shell tells of itself.
        script = folder / "tell"
        script.write_text(
            "#!/bin/sh\nreadlink /proc/$$/cwd\n"
            "grep -E '^(PPid|SigIgn|Uid|NSsid)' /proc/$$/status\n"
            "env | grep -v -e ^_= -e ^PWD= | sort\ncut -d' ' -f5-7 /proc/$$/stat\n"
        )
        script.chmod(0o755)
        monitor = ("-qmp", "unix:q.sock,server=on,wait=off")
        plain, with_proxy = self.both(folder, *monitor, command=(str(script),))
        assert with_proxy[1].splitlines() == plain[1].splitlines()
        assert with_proxy == plain

    async def test_it_inherits_what_it_would(self, wrapped: Wrapped, folder: Path) -> None:
        path = folder / "q.sock"
        with (folder / "image").open("wb") as file, socket.socket() as tap:
            numbers = [file.fileno(), tap.fileno()]
            qemu = wrapped.start("-qmp", f"unix:{path},server=on,wait=off", files=numbers)
            tool = await _greeted(path)
            of_qemu, of_proxy = (
                {int(link.name): str(link.readlink()) for link in files_of(pid)}
                for pid in (qemu.pid, *wrapped.proxies())
            )
            for number in numbers:
                kept = str(Path(f"/proc/self/fd/{number}").readlink())
                assert of_qemu[number] == kept
                assert kept not in of_proxy.values()
        assert [of_proxy[number] for number in (0, 1, 2)] == ["/dev/null"] * 3
        tool.ask("qmp_capabilities")
        tool.ask("quit")
        tool.close()
        assert await qemu.ends() == 0
        await wrapped.over()


def files_of(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/fd").iterdir())


async def _greeted(path: Path) -> Tool:
    await eventually(lambda: listens(path))
    tool = connected_to(path)
    assert "QMP" in tool.hear()
    return tool


class TestErrors:
    def fails(self, folder: Path, *arguments: str, **environ: str) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", "txqmp", "wrap", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert done.stdout == b""
        return done.stderr

    MONITOR = ("--", EMULATOR, *MACHINE, "-qmp", "unix:q.sock,server=on,wait=off")

    def test_no_emulator(self, folder: Path) -> None:
        assert self.fails(folder) == (
            b"txqmp: wrap wants an emulator: txqmp wrap -- qemu-system-x86_64 \xe2\x80\xa6 "
            b"(txqmp wrap --help tells more)\n"
        )
        assert self.fails(folder, "--", "nonsuch") == b"txqmp: nonsuch: there is no such program\n"

    def test_a_journal_that_cannot_be_written(self, folder: Path) -> None:
        assert self.fails(folder, "-j", "/none/x.jsonl", *self.MONITOR) == (
            b"txqmp: /none/x.jsonl: No such file or directory\n"
        )
        assert not (folder / "q.sock").exists()

    def test_a_file_of_settings_that_cannot_be_read(self, folder: Path) -> None:
        (folder / "c.toml").write_text("nonsense = 1")
        said = self.fails(folder, *self.MONITOR, TXQMP_CONFIG="c.toml")
        assert said.startswith(b"txqmp: c.toml: nonsense is no setting (known: qemu,")

    async def test_a_journal_that_is_in_use(self, wrapped: Wrapped, folder: Path) -> None:
        qemu = wrapped.start("-qmp", f"unix:{folder}/q.sock,server=on,wait=off")
        tool = await _greeted(folder / "q.sock")
        assert self.fails(folder, "-j", "vm.jsonl", *self.MONITOR) == (
            f"txqmp: {folder}/vm.jsonl: it is in use by another process "
            "(put {pid} into its name)\n".encode()
        )
        tool.ask("qmp_capabilities")
        tool.ask("quit")
        tool.close()
        assert await qemu.ends() == 0
        await wrapped.over()


VECTORS = [
    ("c", "-chardev socket,id=c,path={}/q.sock,server=on,wait=off -qmp chardev:c"),
    ("c", "-mon c,mode=control -chardev id=c,server,nowait,backend=socket,path={}/q.sock"),
    ("compat_monitor1", "-monitor null -qmp unix:{}/q.sock,server=on,wait=off,logfile=l"),
    ("compat_monitor0", "-monitor none -qmp unix:path={}/q.sock,server=yes,wait=no"),
    ("compat_monitor1", "-qmp null --qmp unix:{}/q.sock,server=on,wait=off"),
]


@pytest.mark.parametrize(("label", "line"), VECTORS)
async def test_qemu_reads_what_it_is_given_instead(
    wrapped: Wrapped, folder: Path, label: str, line: str
) -> None:
    qemu = wrapped.start(*line.format(folder).split())
    tool = await _greeted(folder / "q.sock")
    assert tool.ask("qmp_capabilities") == {"return": {}}
    devices: Any = tool.ask("query-chardev")["return"]
    private = [device["label"] for device in devices if "txqmp-" in device["filename"]]
    assert private == [label]
    tool.ask("quit")
    tool.close()
    assert await qemu.ends() == 0
    assert len(await wrapped.over()) == len(CONVERSATION)


async def test_an_abstract_name(wrapped: Wrapped, folder: Path) -> None:
    name = f"txqmp-test-{os.getpid()}"
    qemu = wrapped.start("-qmp", f"unix:{name},abstract=on,server=on,wait=off")
    connection = socket.socket(socket.AF_UNIX)
    await eventually(lambda: connection.connect_ex(f"\0{name}") == 0)
    tool = Tool(connection)
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    assert await wrapped.over() == CONVERSATION


@pytest.mark.peer("qemu-storage-daemon")
async def test_the_storage_daemon(wrapped: Wrapped, folder: Path) -> None:
    daemon = wrapped.start(
        *("--chardev", f"socket,id=c,path={folder}/q.sock,server=on,wait=off"),
        *("--monitor", "chardev=c"),
        command=("qemu-storage-daemon",),
    )
    tool = await _greeted(folder / "q.sock")
    assert tool.ask("qmp_capabilities") == {"return": {}}
    assert "return" in tool.ask("query-block-exports")
    tool.ask("quit")
    tool.close()
    assert await daemon.ends() == 0
    assert await wrapped.over() == CONVERSATION


async def test_by_the_name_of_an_emulator(programs: Programs, folder: Path) -> None:
    """As a tool that takes a path does: a file beside it says what it cannot be told."""
    script = folder / "my-qemu"
    script.write_text(f"#!{sys.executable}\nfrom txqmp.wrap.main import main\n\nmain()\n")
    script.chmod(0o755)
    (folder / "my-qemu.toml").write_text(
        f'qemu = "{EMULATOR}"\njournal = "{folder}/{{name}}-{{pid}}.jsonl"\n'
    )
    qemu = programs.start(
        str(script), *MACHINE, "-name", "vm7", "-qmp", f"unix:{folder}/q.sock,server=on,wait=off"
    )
    tool = await _greeted(folder / "q.sock")
    tool.talk_on()
    tool.close()
    assert await qemu.ends() == 0
    journal = folder / f"vm7-{qemu.pid}.jsonl"
    await eventually(lambda: any(record.kind is Kind.CLOSED for record in records(journal)))


class TestTrouble:
    """What goes wrong costs no more than it would without the wrapper."""

    @pytest.mark.parametrize("more", [["-nonsense"], ["-version"], ["-pidfile", "/no/such/pid"]])
    async def test_one_that_ends_early_leaves_the_socket_of_one_that_runs(
        self, wrapped: Wrapped, folder: Path, more: list[str]
    ) -> None:
        path = folder / "q.sock"
        monitor = ("-qmp", f"unix:{path},server=on,wait=off")
        first = wrapped.start(*monitor)
        tool = await _greeted(path)
        tool.close()
        before = path.stat().st_ino
        second = (sys.executable, "-m", "txqmp", "wrap", "-j", "second.jsonl", "--", EMULATOR)
        done = wrapped.programs.start(*second, *MACHINE, *monitor, *more)
        await done.ends()
        await eventually(lambda: path.exists() and path.stat().st_ino == before)
        again = connected_to(path)
        again.talk()
        again.close()
        assert await first.ends() == 0
        await wrapped.over()

    async def test_what_is_said_to_a_dead_qemu_costs_none_of_its_words(
        self, wrapped: Wrapped, folder: Path
    ) -> None:
        path = folder / "q.sock"
        log = folder / "said"
        qemu = wrapped.start("-qmp", f"unix:{path},server=on,wait=off,logfile={log}")
        tool = await _greeted(path)
        assert tool.ask("qmp_capabilities") == {"return": {}}
        # More than the tool's own socket and the proxy take: some is still on its way to it.
        tool.say("query-qmp-schema", "query-qmp-schema", "query-status")
        await eventually(lambda: b'"singlestep": false' in log.read_bytes())
        qemu.kill()
        assert await qemu.ends() == -signal.SIGKILL
        tool.say(*["query-status"] * 100)
        for _ in range(2):
            assert len(str(tool.hear()["return"])) > 200_000
        assert tool.hear()["return"]
        assert tool.ended()
        tool.close()
        await wrapped.over()

    async def test_who_waits_may_leave(self, wrapped: Wrapped, folder: Path) -> None:
        path = folder / "q.sock"
        qemu = wrapped.start("-qmp", f"unix:{path},server=on,wait=off")
        holder = await _greeted(path)
        (proxy,) = wrapped.proxies()
        for _ in range(100):
            connected_to(path).close()
        assert holder.ask("qmp_capabilities") == {"return": {}}
        assert len(files_of(proxy)) < 60
        assert holder.ask("quit") == {"return": {}}
        holder.close()
        assert await qemu.ends() == 0
        await wrapped.over()

    async def test_a_handed_socket_that_has_another_name_by_now(
        self, wrapped: Wrapped, folder: Path
    ) -> None:
        with listening_at(folder / "first") as port:
            (folder / "first").rename(folder / "handed.sock")
            number = port.fileno()
            qemu = wrapped.start(
                *("-chardev", f"socket,id=a,fd={number},server=on,wait=off"),
                *("-mon", "chardev=a,mode=control"),
                *("-qmp", f"unix:{folder}/q.sock,server=on,wait=off"),
                files=[number],
            )
        other = await _greeted(folder / "q.sock")
        tool = connected_to(folder / "handed.sock")
        tool.talk()
        tool.close()
        other.close()
        assert await qemu.ends() == 0
        (folder / "handed.sock").unlink()
        await wrapped.over()

    async def test_a_connection_that_is_gone_at_once_costs_no_other_monitor(
        self, wrapped: Wrapped, folder: Path
    ) -> None:
        with socket.socket() as port:
            port.bind(("127.0.0.1", 0))
            port.listen()
            qemu = wrapped.start(
                *("-qmp", f"tcp:127.0.0.1:{port.getsockname()[1]}"),
                *("-qmp", f"unix:{folder}/q.sock,server=on,wait=off"),
            )
            connection, _ = port.accept()
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()
        tool = await _greeted(folder / "q.sock")
        tool.talk_on()
        tool.close()
        assert await qemu.ends() == 0
        await wrapped.over()

    @pytest.mark.parametrize("temporary", [".", "x" * 90])
    async def test_wherever_temporary_files_are(
        self, wrapped: Wrapped, folder: Path, temporary: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / temporary).mkdir(exist_ok=True)
        monkeypatch.setenv("TMPDIR", temporary if temporary == "." else str(folder / temporary))
        qemu = wrapped.start("-qmp", f"unix:{folder}/q.sock,server=on,wait=off")
        tool = await _greeted(folder / "q.sock")
        tool.talk_on()
        tool.close()
        assert await qemu.ends() == 0
        assert await wrapped.over() == CONVERSATION

    @pytest.mark.parametrize("again", [False, True])
    async def test_after_qemu_one_that_does_not_read_keeps_nobody_waiting(
        self, wrapped: Wrapped, folder: Path, again: bool
    ) -> None:
        path, log = folder / "q.sock", folder / "said"
        qemu = wrapped.start("-qmp", f"unix:{path},server=on,wait=off,logfile={log}")
        stuck = await _greeted(path)
        assert stuck.ask("qmp_capabilities") == {"return": {}}
        stuck.say("query-qmp-schema", "query-status")
        waiting = connected_to(path)
        await eventually(lambda: b'"singlestep": false' in log.read_bytes())
        qemu.kill()
        await qemu.ends()
        assert waiting.ended()
        waiting.close()
        (proxy,) = wrapped.proxies()
        os.kill(proxy, signal.SIGTERM)
        told = monotonic()

        def is_over() -> bool:
            if again:
                with suppress(ProcessLookupError):
                    os.kill(proxy, signal.SIGTERM)
            return not wrapped.proxies()

        await eventually(is_over)
        assert not again or monotonic() - told < CLOSE_TIMEOUT - 1
        stuck.close()
        await wrapped.over()

    @pytest.mark.parametrize(
        "address",
        ["tcp:localhost:\u00b2,server=on,wait=off", "tcp:a..b:44", "unix:fd=99999999999999"],
    )
    async def test_an_address_that_is_none_is_for_qemu_to_refuse(
        self, wrapped: Wrapped, address: str
    ) -> None:
        qemu = wrapped.start("-qmp", address)
        assert await qemu.ends() == 1
        assert b"Traceback" not in qemu.err
        assert b"qemu-system-x86_64: -qmp " in qemu.err
