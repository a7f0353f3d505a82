"""Real clients, a real proxy whose clients share a connection, a real QEMU, and a policy."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.gateways import connect
from tests.integration.programs import Program, Programs, as_it_happened
from tests.integration.test_policy_evasions import Monitor, evil, opened, said
from tests.policy.evasions import (
    NOTHING,
    READS,
    RUNS,
    STOPS,
    TEXT_CHANGES,
    TEXT_REACHES,
    TEXT_STOPS,
    TEXT_WRITES,
    WRITES,
    Evasion,
    said_in_text,
)
from txqmp.journal.record import Kind

__all__ = ["evil"]

pytestmark = pytest.mark.peer("qemu-system-x86_64")

MACHINE = ("-machine", "pc,accel=tcg", "-nodefaults", "-netdev", "user,id=user.0")
HOST_SAFE = 'default = "allow"\ninclude = "host-safe"\n'
Start = Callable[..., Awaitable[Program]]


async def shared(programs: Programs, *options: str) -> Program:
    """A proxy with both ports."""
    return await _proxy(
        programs, "--shared", "--listen=unix:proxy.sock", "--listen-text=unix:text.sock", *options
    )


async def gateway(programs: Programs, *options: str) -> Program:
    return await _proxy(programs, "--dialect=text", "--listen=unix:text.sock", *options)


async def _proxy(programs: Programs, *options: str) -> Program:
    proxy = programs.twistd(
        "qmp-proxy", "--connect=unix:qemu.sock", "--journal=j.jsonl", "--name=vm1", *options
    )
    await proxy.says(b"vm1: connected")
    return proxy


BOTH = pytest.mark.parametrize("proxy", [shared, gateway])


def touched(qemu: Program, evil: Path) -> list[str]:
    """What was written there, or is open."""
    return [path.name for path in evil.iterdir() if path.name != "r" or opened(qemu, path)]


# None of the ways round a rule gets through.


@pytest.mark.parametrize(
    ("policy", "evasions"),
    [
        (["--read-only"], [*STOPS, *NOTHING, *WRITES, *RUNS, *READS]),
        (["--policy=policy.toml"], [*WRITES, *RUNS, *READS]),
        (["--deny=stop"], [*STOPS, *NOTHING]),
    ],
    ids=["read-only", "host-safe", "stop"],
)
async def test_none_gets_through_json(
    programs: Programs, folder: Path, evil: Path, policy: list[str], evasions: list[Evasion]
) -> None:
    (folder / "policy.toml").write_text(HOST_SAFE)
    qemu = await programs.qemu("qemu.sock", *MACHINE)
    await shared(programs, *policy)
    for evasion in evasions:
        monitor = Monitor(folder / "proxy.sock")
        assert monitor.say(said(evasion, evil)) == "running", evasion.what
        assert touched(qemu, evil) == [], evasion.what
        monitor.close()


@BOTH
@pytest.mark.parametrize(
    ("policy", "evasions"),
    [
        (
            ["--read-only"],
            [
                *said_in_text([*STOPS, *WRITES, *RUNS, *READS]),
                *(*TEXT_STOPS, *TEXT_WRITES, *TEXT_REACHES, *TEXT_CHANGES),
            ],
        ),
        (
            ["--policy=policy.toml"],
            [*said_in_text([*WRITES, *RUNS, *READS]), *TEXT_WRITES, *TEXT_REACHES],
        ),
    ],
    ids=["read-only", "host-safe"],
)
async def test_none_gets_through_text(
    programs: Programs,
    folder: Path,
    evil: Path,
    proxy: Start,
    policy: list[str],
    evasions: list[Evasion],
) -> None:
    (folder / "policy.toml").write_text(HOST_SAFE)
    qemu = await programs.qemu("qemu.sock", *MACHINE)
    await proxy(programs, *policy)
    for evasion in evasions:
        with closing(connect(folder)) as talk:
            for line in said(evasion, evil).decode().splitlines():
                talk.send(line)
            talk.send("info status")
            answer = talk.answer()
            while answer.completion != "+ OK info status completed":
                assert answer.completion.startswith(("- ", "+ OK info name ")), evasion.what
                answer = talk.answer()
            assert answer.data == ["VM status: running"], evasion.what
        assert touched(qemu, evil) == [], evasion.what


async def test_without_a_policy_text_does_it(programs: Programs, folder: Path, evil: Path) -> None:
    """Or the tests above would say nothing."""
    qemu = await programs.qemu("qemu.sock", *MACHINE)
    await gateway(programs)
    done = 0
    with closing(connect(folder)) as talk:
        for evasion in said_in_text(WRITES + READS):
            before = touched(qemu, evil), opened(qemu, evil / "r")
            talk.say(said(evasion, evil).decode().rstrip())
            done += (touched(qemu, evil), opened(qemu, evil / "r")) != before
            for path in evil.iterdir():
                if path.name != "r":
                    path.unlink()
    assert done >= 10


# A policy that changes.

NO_STOP = 'default = "allow"\n[[rule]]\nname = "one"\naction = "deny"\ncommand = "stop"\n'
NO_CONT = 'default = "allow"\n[[rule]]\nname = "two"\naction = "deny"\ncommand = "cont"\n'
BROKEN = 'default = "allow"\n[[rule]]\naction = "forbid"\n'


@BOTH
async def test_a_policy_is_read_again(programs: Programs, folder: Path, proxy: Start) -> None:
    path = folder / "policy.toml"
    path.write_text(NO_STOP)
    await programs.qemu("qemu.sock", *MACHINE)
    daemon = await proxy(programs, "--policy=policy.toml")
    with closing(connect(folder)) as talk:
        assert talk.say("stop").completion == (
            "- ERR denied by policy: stop is not allowed (rule one)"
        )
        assert talk.say("cont").kind == "OK"
        path.write_text(NO_CONT)
        daemon.kill("HUP")
        await daemon.says(b"policy read again; rules: 1")
        assert talk.say("stop").kind == "OK"
        assert talk.say("cont").completion == (
            "- ERR denied by policy: cont is not allowed (rule two)"
        )
        path.write_text(BROKEN)
        daemon.kill("HUP")
        await daemon.says(b"policy refused, the old one stays: policy.toml:3: ")
        assert talk.say("cont").completion == (
            "- ERR denied by policy: cont is not allowed (rule two)"
        )
    assert daemon.status is None
    await daemon.terminate()
    assert b"policy: rules met: two 2" in daemon.out


async def test_it_holds_for_json_clients_that_are_connected(
    programs: Programs, folder: Path
) -> None:
    path = folder / "policy.toml"
    path.write_text(NO_STOP)
    await programs.qemu()
    daemon = await shared(programs, "--policy=policy.toml")
    monitor = Monitor(folder / "proxy.sock")
    assert monitor.say(b'{"execute": "stop"}') == "running"
    path.write_text(NO_CONT)
    daemon.kill("HUP")
    await daemon.says(b"policy read again")
    assert monitor.say(b'{"execute": "stop"}') == "paused"
    assert monitor.say(b'{"execute": "cont"}') == "paused"
    monitor.close()


@pytest.mark.parametrize("mode", ["--shared", "--dialect=text"])
async def test_a_broken_one_is_no_beginning(programs: Programs, folder: Path, mode: str) -> None:
    (folder / "policy.toml").write_text(BROKEN)
    proxy = programs.twistd("qmp-proxy", mode, "--connect=unix:q.sock", "--policy=policy.toml")
    assert await proxy.ends() == 1
    assert b"policy.toml:3: " in proxy.out + proxy.err
    assert b"Traceback" not in proxy.out + proxy.err


# What would be denied.


@BOTH
async def test_a_dry_run_carries_out_and_tells(
    programs: Programs, folder: Path, proxy: Start
) -> None:
    await programs.qemu("qemu.sock", *MACHINE)
    daemon = await proxy(programs, "--read-only", "--policy-dry-run")
    with closing(connect(folder)) as talk:
        assert talk.say("stop").kind == "OK"
        assert talk.say("info status").data == ["VM status: paused"]
    await daemon.terminate()
    journal = as_it_happened(folder / "j.jsonl")
    (verdict,) = [record for record in journal if record.kind is Kind.VERDICT]
    assert (verdict.fields["verdict"], verdict.fields["rule"]) == ("would-deny", "read-only: rest")
    linked = [record for record in journal if record.fields.get("link") == verdict.fields["link"]]
    told = [(record.dialect, record.kind) for record in linked if record is not verdict]
    assert told == [
        ("text", Kind.COMMAND),
        ("json", Kind.COMMAND),
        ("json", Kind.SUCCESS),
        ("text", Kind.SUCCESS),
    ]
    shown = programs.python("-m", "txqmp", "journal", "check", "j.jsonl")
    assert await shown.ends() == 0, shown.out + shown.err


# Who is who.

ASK = """
import json, socket, sys
path, *commands = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as monitor:
    monitor.connect(path)
    lines = monitor.makefile("rb")
    lines.readline()
    for name in ("qmp_capabilities", *commands):
        monitor.sendall(json.dumps({"execute": name}).encode())
        while "event" in (answer := json.loads(lines.readline())):
            pass
        print(answer.get("error", {}).get("desc", "fine"), flush=True)
"""


async def test_two_programs_of_one_user(programs: Programs, folder: Path) -> None:
    """The same script, run by Python and by a copy of it."""
    trusted = folder / "trusted"
    shutil.copy2(Path(sys.executable).resolve(), trusted)
    (folder / "ask.py").write_text(ASK)
    (folder / "policy.toml").write_text(
        f"""
        default = "deny"
        [[rule]]
        action = "allow"
        client = {{ uid = {folder.stat().st_uid}, executable = "{trusted.resolve()}" }}
        [[rule]]
        name = "look"
        action = "allow"
        command = "query-*"
        """
    )
    await programs.qemu()
    await shared(programs, "--policy=policy.toml")
    outcomes = []
    for python in (sys.executable, str(trusted)):
        asking = programs.start(python, "-I", "-S", "ask.py", "proxy.sock", "query-name", "stop")
        assert await asking.ends() == 0, asking.err
        outcomes.append(asking.out.decode().splitlines())
    denied = "denied by policy: stop is allowed by no rule (rule default)"
    assert outcomes == [["fine", "fine", denied], ["fine", "fine", "fine"]]


@pytest.mark.peer("socat")
async def test_two_programs_of_one_user_in_text(programs: Programs, folder: Path) -> None:
    (folder / "policy.toml").write_text(
        """
        default = "allow"
        [[rule]]
        action = "deny"
        reason = "not from a shell"
        command = "stop"
        client = { executable = "*/socat*" }
        """
    )
    await programs.qemu("qemu.sock", *MACHINE)
    await gateway(programs, "--policy=policy.toml")
    socat = programs.start("socat", "-t10", "-", "UNIX-CONNECT:text.sock")
    await socat.says(b"+ OK QEMU")
    socat.write(b"stop\r\n")
    socat.end_input()
    await socat.ends()
    assert socat.out.splitlines()[1:] == [b"- ERR denied by policy: not from a shell (rule rule 1)"]
    with closing(connect(folder)) as talk:
        assert talk.say("stop").kind == "OK"


async def test_a_delay_is_one(programs: Programs, folder: Path) -> None:
    (folder / "policy.toml").write_text(
        'default = "allow"\n[[rule]]\naction = "delay"\nseconds = 0.2\ncommand = "stop"\n'
    )
    await programs.qemu()
    proxy = await shared(programs, "--policy=policy.toml")
    monitor = Monitor(folder / "proxy.sock")
    assert monitor.say(b'{"execute": "stop"}') == "paused"
    monitor.close()
    await proxy.terminate()
    said, sent = [
        record.mono
        for record in as_it_happened(folder / "j.jsonl")
        if record.kind is Kind.COMMAND and record.fields["command"] == "stop"
    ]
    assert sent - said >= 0.2
