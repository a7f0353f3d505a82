"""``txqmp takeover`` before a real QEMU."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import Program, Programs, eventually, listens, records
from txqmp.journal.record import Kind
from txqmp.sniffer import connect

pytestmark = [pytest.mark.peer("qemu-system-x86_64")]

JOURNAL = "qmp-proxy.jsonl"


async def taken(programs: Programs, *options: str) -> Program:
    """Start a takeover, and wait until it stands."""
    takeover = programs.python("-m", "txqmp", "takeover", "--quiet", *options, "qemu.sock")
    await takeover.says(b"is taken over")
    return takeover


async def refused(programs: Programs) -> bytes:
    """Start a takeover that is not to be had: what it says."""
    takeover = programs.python("-m", "txqmp", "takeover", "qemu.sock")
    assert await takeover.ends() == 1
    assert takeover.out == b""
    (line,) = takeover.err.splitlines()
    return line


async def client(folder: Path) -> Any:
    from twisted.internet import reactor

    return await connect(reactor, f"unix:{folder / 'qemu.sock'}")


async def asks(folder: Path) -> None:
    """Be served by QEMU, whether through a takeover or not."""
    asking = await client(folder)
    assert (await asking.execute("query-status"))["running"] is True
    await asking.close()


def commands(folder: Path) -> list[str]:
    return [r.fields["command"] for r in records(folder / JOURNAL) if r.kind is Kind.COMMAND]


def left(folder: Path) -> set[str]:
    """What is in the folder, besides the journal."""
    return {path.name for path in folder.iterdir()} - {JOURNAL}


async def test_what_is_said_at_qemus_socket_is_recorded_and_qemu_gets_it_back(
    programs: Programs, folder: Path
) -> None:
    await programs.qemu()
    socket = folder / "qemu.sock"
    original = socket.stat()
    takeover = await taken(programs)
    ours = socket.stat()
    assert ours.st_ino != original.st_ino
    assert (ours.st_mode, ours.st_uid, ours.st_gid) == (
        original.st_mode, original.st_uid, original.st_gid,
    )  # fmt: skip
    await asks(folder)
    await takeover.terminate()
    assert takeover.out.endswith(b"qemu.sock is the monitor's own again\n")
    assert socket.stat().st_ino == original.st_ino
    assert left(folder) == {"qemu.sock"}
    assert commands(folder) == ["qmp_capabilities", "query-status"]
    # Greeted by QEMU itself: nobody records this.
    await asks(folder)
    assert commands(folder) == ["qmp_capabilities", "query-status"]


async def test_killed_the_next_start_mends_it(programs: Programs, folder: Path) -> None:
    await programs.qemu()
    inode = (folder / "qemu.sock").stat().st_ino
    takeover = await taken(programs)
    client_of_the_first = await client(folder)
    takeover.kill()
    await takeover.ends()
    await client_of_the_first.when_disconnected()
    assert left(folder) == {"qemu.sock", "qemu.sock.aside"}

    takeover = await taken(programs)
    assert takeover.out.startswith(b"an earlier takeover was killed: ")
    await asks(folder)
    await takeover.terminate()
    assert (folder / "qemu.sock").stat().st_ino == inode
    assert left(folder) == {"qemu.sock"}
    # The last words of the first may be lost.
    assert commands(folder)[-2:] == ["qmp_capabilities", "query-status"]
    await asks(folder)


async def test_it_is_refused_while_a_client_is_connected_who_does_not_notice(
    programs: Programs, folder: Path
) -> None:
    await programs.qemu()
    inode = (folder / "qemu.sock").stat().st_ino
    connected = await client(folder)
    assert b"qemu.sock: a client is connected; " in await refused(programs)
    assert (folder / "qemu.sock").stat().st_ino == inode
    assert left(folder) == {"qemu.sock"}
    assert (await connected.execute("query-status"))["running"] is True
    await connected.close()


async def test_a_second_takeover_is_refused(programs: Programs, folder: Path) -> None:
    await programs.qemu()
    takeover = await taken(programs)
    words = f"qemu.sock is taken over already, by process {takeover.pid}"
    assert (await refused(programs)).endswith(words.encode())
    await asks(folder)
    await takeover.terminate()
    assert commands(folder) == ["qmp_capabilities", "query-status"]


async def quit_by_a_client(qemu: Program, folder: Path) -> None:
    asking = await client(folder)
    await asking.execute("quit")
    await asking.close()


async def killed(qemu: Program, folder: Path) -> None:
    qemu.kill()


@pytest.mark.parametrize("ending", [quit_by_a_client, killed])
async def test_a_qemu_that_ends_ends_it(
    programs: Programs, folder: Path, ending: Callable[[Program, Path], Awaitable[None]]
) -> None:
    qemu = await programs.qemu()
    takeover = await taken(programs)
    await ending(qemu, folder)
    await qemu.ends()
    assert await takeover.ends() == 0
    assert takeover.out.splitlines()[1:] == [
        b"%s is over: the monitor listens no more, so nothing is left to give back"
        % bytes(folder.resolve() / "qemu.sock")
    ]
    assert left(folder) == set()


async def test_a_qemu_that_was_started_anew_keeps_its_socket(
    programs: Programs, folder: Path
) -> None:
    old = await programs.qemu()
    takeover = await taken(programs)
    # It would see the old one end, and remove its own socket.
    os.kill(takeover.pid, signal.SIGSTOP)
    old.kill()
    await old.ends()
    new = await programs.qemu()
    os.kill(takeover.pid, signal.SIGCONT)
    assert await takeover.ends() == 0
    assert takeover.out.endswith(b"has become somebody else's meanwhile, and was left alone\n")
    assert left(folder) == {"qemu.sock"}
    await asks(folder)
    assert new.status is None


async def test_killed_and_qemu_was_started_anew(programs: Programs, folder: Path) -> None:
    old = await programs.qemu()
    takeover = await taken(programs)
    takeover.kill()
    await takeover.ends()
    old.kill()
    await old.ends()
    await programs.qemu()
    inode = (folder / "qemu.sock").stat().st_ino
    takeover = await taken(programs)
    assert (
        b"and %s is a new socket since: cleared up" % bytes(folder.resolve() / "qemu.sock")
        in takeover.out
    )
    await asks(folder)
    await takeover.terminate()
    assert (folder / "qemu.sock").stat().st_ino == inode
    assert left(folder) == {"qemu.sock"}


async def test_killed_and_qemu_has_ended(programs: Programs, folder: Path) -> None:
    qemu = await programs.qemu()
    takeover = await taken(programs)
    takeover.kill()
    await takeover.ends()
    qemu.kill("TERM")
    await qemu.ends()
    takeover = programs.python("-m", "txqmp", "takeover", "qemu.sock")
    assert await takeover.ends() == 1
    assert (
        takeover.out == b"an earlier takeover was killed, and its monitor has ended: cleared up\n"
    )
    assert takeover.err.endswith(b"qemu.sock: No such file or directory\n")
    assert left(folder) == set()


async def test_a_qemu_that_waits_for_its_first_client_goes_on_waiting(
    programs: Programs, folder: Path
) -> None:
    socket = folder / "qemu.sock"
    qemu = programs.start(
        "qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none",
        "-qmp", f"unix:{socket},server=on,wait=on",
        "-qmp", f"unix:{folder / 'second.sock'},server=on,wait=off",
    )  # fmt: skip
    await eventually(lambda: qemu.status is not None or listens(socket))
    takeover = await taken(programs)
    # Its second monitor is not made before the first has its client.
    assert not (folder / "second.sock").exists()
    await asks(folder)
    assert (folder / "second.sock").exists()
    await takeover.terminate()
