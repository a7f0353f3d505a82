"""Sessions typed with socat at the simulated machine, through the proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.programs import Programs, records
from txqmp.journal.record import Kind

pytestmark = [pytest.mark.peer("socat")]


async def test_a_typed_session(programs: Programs, folder: Path) -> None:
    daemon = programs.twistd("qmp-proxy", "--name=vm1")
    await daemon.says(b"clients talk to a simulated machine")
    await daemon.says(b"ready: clients connect to")
    assert (folder / "qmp-proxy.sock").stat().st_mode & 0o777 == 0o600
    user = programs.start("socat", "-", "UNIX-CONNECT:qmp-proxy.sock")
    await user.says(b"+ OK QEMU 0.10.50 QMP 0.1\r\n")
    typed = [
        (b"info network\n", b"+ OK info network completed\r\n"),
        (b"STOP\n", b"* EVENT stop\r\n+ OK stop completed\r\n"),
        (b"info status\n", b"= VM status: paused\r\n+ OK info status completed\r\n"),
        (b"set_link foo down\n", b"- ERR could not find network device 'foo'\r\n"),
        (b"foo\n", b"- BAD unknown command\r\n"),
        (b"quit\n", b"* EVENT shutdown\r\n+ OK quit completed\r\n"),
    ]
    for line, answer in typed:
        user.write(line)
        await user.says(answer)
    assert await user.ends() == 0
    await daemon.terminate()

    journal = records(folder / "qmp-proxy.jsonl")
    assert {r.monitor for r in journal} == {"vm1"}
    assert b"".join(r.raw for r in journal if r.direction == "to-client") == user.out
    assert [r.kind for r in journal if r.kind is not Kind.OUTPUT] == [
        Kind.OPENED, Kind.GREETING,
        Kind.COMMAND, Kind.SUCCESS,
        Kind.COMMAND, Kind.EVENT, Kind.SUCCESS,
        Kind.COMMAND, Kind.SUCCESS,
        Kind.COMMAND, Kind.FAILURE,
        Kind.COMMAND, Kind.REJECTION,
        Kind.COMMAND, Kind.EVENT, Kind.SUCCESS,
        Kind.CLOSED,
    ]  # fmt: skip
    assert journal[0].peer is not None
    assert journal[0].peer["pid"] == user.pid
    assert journal[0].peer["program"] == "socat"


async def test_a_script_piped_in_gets_all_its_answers(programs: Programs, folder: Path) -> None:
    daemon = programs.twistd("qmp-proxy")
    await daemon.says(b"ready: clients connect to")
    script = programs.start("socat", "-t60", "-", "UNIX-CONNECT:qmp-proxy.sock")
    script.write(b"stop\ninfo status\ncont\n")
    script.end_input()
    assert await script.ends() == 0
    assert script.out == (
        b"+ OK QEMU 0.10.50 QMP 0.1\r\n"
        b"* EVENT stop\r\n+ OK stop completed\r\n"
        b"= VM status: paused\r\n+ OK info status completed\r\n"
        b"* EVENT cont\r\n+ OK cont completed\r\n"
    )


async def test_two_clients_share_the_machine_and_hear_its_events(
    programs: Programs, folder: Path
) -> None:
    daemon = programs.twistd("qmp-proxy")
    await daemon.says(b"ready: clients connect to")
    first = programs.start("socat", "-", "UNIX-CONNECT:qmp-proxy.sock")
    second = programs.start("socat", "-", "UNIX-CONNECT:qmp-proxy.sock")
    await first.says(b"QMP 0.1")
    await second.says(b"QMP 0.1")
    first.write(b"system_reset\r\n")
    await second.says(b"* EVENT reboot\r\n")
