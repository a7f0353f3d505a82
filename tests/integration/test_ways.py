"""Either side of the proxy connects or is connected to, and may be a descriptor it was handed."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.integration.programs import Programs, records
from tests.integration.tool import Tool, accepted, connected_to, listening_at
from txqmp.journal import Kind

pytestmark = [pytest.mark.peer("qemu-system-x86_64")]

QEMU = ("qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none")


CONVERSATION = ["greeting", "command", "success", "command", "success", "command", "success"]


def told(folder: Path) -> list[str]:
    kinds = [record.kind for record in records(folder / "qmp-proxy.jsonl")]
    assert kinds[0] is Kind.OPENED
    assert kinds[-1] is Kind.CLOSED
    return [str(kind) for kind in kinds[1:-1] if kind is not Kind.EVENT]


async def test_the_monitor_connects_and_so_does_the_client(
    programs: Programs, folder: Path
) -> None:
    monitor, client = folder / "monitor.sock", folder / "client.sock"
    proxy = programs.twistd(
        "qmp-proxy", "--listen-monitor", f"unix:{monitor}", "--listen", f"unix:{client}"
    )
    await proxy.says(b"ready")
    qemu = programs.start(*QEMU, "-qmp", f"unix:{monitor}")
    tool = connected_to(client)
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    await proxy.says(b"closed by")
    await proxy.terminate()
    assert told(folder) == CONVERSATION


async def test_the_monitor_connects_to_a_tool_that_listens(
    programs: Programs, folder: Path
) -> None:
    monitor = folder / "monitor.sock"
    with listening_at(folder / "tool.sock") as port:
        proxy = programs.twistd(
            "qmp-proxy",
            *("--listen-monitor", f"unix:{monitor}"),
            *("--connect-client", f"unix:{folder}/tool.sock"),
        )
        await proxy.says(b"ready")
        qemu = programs.start(*QEMU, "-qmp", f"unix:{monitor}")
        tool = accepted(port)
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    await proxy.says(b"closed by")
    await proxy.terminate()
    assert told(folder) == CONVERSATION


async def test_the_proxy_connects_to_both(programs: Programs, folder: Path) -> None:
    qemu = await programs.qemu("qemu.sock")
    with listening_at(folder / "tool.sock") as port:
        proxy = programs.twistd(
            "qmp-proxy",
            *("--connect", f"unix:{folder}/qemu.sock"),
            *("--connect-client", f"unix:{folder}/tool.sock"),
        )
        tool = accepted(port)
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    await proxy.says(b"closed by")
    await proxy.terminate()
    assert told(folder) == CONVERSATION


async def test_the_clients_port_is_handed_over(programs: Programs, folder: Path) -> None:
    qemu = await programs.qemu("qemu.sock")
    with listening_at(folder / "client.sock") as port:
        number = port.fileno()
        proxy = programs.twistd(
            "qmp-proxy",
            *("--listen", f"fd:{number}", "--connect", f"unix:{folder}/qemu.sock"),
            files=[number],
        )
    # It listens before anybody runs: who connects waits.
    tool = connected_to(folder / "client.sock")
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    await proxy.says(b"closed by")
    await proxy.terminate()
    assert told(folder) == CONVERSATION


async def test_systemds_socket_stays_as_it_is(programs: Programs, folder: Path) -> None:
    qemu = await programs.qemu("qemu.sock")
    path = folder / "client.sock"
    with listening_at(path) as port:
        path.chmod(0o600)
        # What systemd (of 2015 and later) tells a service; the number of the process is its own.
        script = 'exec env LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=client "$@"'
        proxy = programs.start(
            *("sh", "-c", script, "sh", str(Path(sys.executable).with_name("twistd"))),
            *("-n", "--pidfile=", "qmp-proxy", "--connect", f"unix:{folder}/qemu.sock"),
            *("--listen", "systemd:domain=UNIX:index=0"),
            files={3: port.fileno()},
        )
    await proxy.says(b"ready")
    tool = connected_to(path)
    assert "QMP" in tool.hear()
    assert path.stat().st_mode & 0o777 == 0o600
    tool.talk_on()
    tool.close()
    assert await qemu.ends() == 0
    await proxy.says(b"closed by")
    await proxy.terminate()
    assert path.exists()


async def test_both_connections_are_handed_over_and_it_ends_with_them(
    programs: Programs, folder: Path
) -> None:
    ours, theirs = socket.socketpair()
    theirs_of_qemu, qemus = socket.socketpair()
    files = (theirs.fileno(), theirs_of_qemu.fileno())
    client, monitor = files
    proxy = programs.twistd(
        "qmp-proxy",
        *("--connect-client", f"fd:{client}", "--connect", f"fd:{monitor}"),
        files=files,
    )
    qemu = programs.start(*QEMU, "-qmp", f"unix:fd={qemus.fileno()}", files=[qemus.fileno()])
    for handed in (theirs, theirs_of_qemu, qemus):
        handed.close()
    tool = Tool(ours)
    tool.talk()
    tool.close()
    assert await qemu.ends() == 0
    assert await proxy.ends() == 0
    assert told(folder) == CONVERSATION


async def test_a_descriptor_that_is_none(programs: Programs) -> None:
    proxy = programs.twistd("qmp-proxy", "--listen", "fd:77")
    assert await proxy.ends() == 1
    assert b"--listen fd:77: fd:77: Bad file descriptor" in proxy.out + proxy.err


async def test_a_monitor_that_has_more_than_enough_clients(
    programs: Programs, folder: Path
) -> None:
    proxy = programs.twistd(
        "qmp-proxy",
        *("--connect", f"unix:{folder}/qemu.sock"),
        *("--listen", f"unix:{folder}/proxy.sock"),
    )
    await proxy.says(b"ready")
    # One is all that may wait at it, and it takes none.
    with listening_at(folder / "qemu.sock") as port:
        port.listen(0)
        first, second = connected_to(folder / "qemu.sock"), connected_to(folder / "proxy.sock")
        await proxy.says(b"connection 1: cannot connect to the monitor: it takes no more conn")
        first.close()
        second.close()
