"""A policy between real clients and a real QEMU, each with a connection of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import Program, Programs, records
from tests.integration.test_policy_evasions import Monitor, evil, opened, said
from tests.policy.evasions import NOTHING, READS, RUNS, STOPS, WRITES
from txqmp.journal.record import Kind

__all__ = ["evil"]

pytestmark = pytest.mark.peer("qemu-system-x86_64")

POLICY = """\
default = "allow"
include = "host-safe"

[[rule]]
name = "no stop"
action = "deny"
command = "stop"
"""


async def proxy(programs: Programs, folder: Path, *options: str) -> Program:
    """A proxy at ``proxy.sock`` of a QEMU."""
    program = programs.twistd(
        "qmp-proxy", "--connect", "unix:qemu.sock", f"--listen=unix:{folder}/proxy.sock", *options
    )
    await program.says(b"ready")
    return program


def verdicts(folder: Path) -> list[dict[str, Any]]:
    return [r.fields for r in records(folder / "qmp-proxy.jsonl") if r.kind is Kind.VERDICT]


@pytest.mark.parametrize("options", [["--policy=p.toml"], ["--read-only"]], ids=" ".join)
async def test_no_evasion_gets_through(
    programs: Programs, folder: Path, evil: Path, options: list[str]
) -> None:
    (folder / "p.toml").write_text(POLICY)
    beside = f"unix:{folder}/direct.sock,server=on,wait=off"
    qemu = await programs.qemu(
        "qemu.sock", "-machine", "pc,accel=tcg", "-nodefaults", "-S", "-qmp", beside
    )
    program = await proxy(programs, folder, *options)
    direct = Monitor(folder / "direct.sock")
    found = []
    for evasion in STOPS:
        direct.ask("cont")
        monitor = Monitor(folder / "proxy.sock")
        if monitor.say(evasion.wire) != "running":
            found.append(evasion.what)
        monitor.close()
    monitor = Monitor(folder / "proxy.sock")
    before = opened(qemu, evil / "r")
    for evasion in [*WRITES, *RUNS, *READS]:
        monitor.say(said(evasion, evil))
        if [path.name for path in evil.iterdir()] != ["r"] or opened(qemu, evil / "r") > before:
            found.append(evasion.what)
    assert found == []
    assert [monitor.say(each.wire) for each in NOTHING] == ["running"] * len(NOTHING)
    monitor.close()
    direct.close()
    await program.terminate()
    denied = [v for v in verdicts(folder) if v["verdict"] == "deny"]
    assert len(denied) >= len(STOPS + WRITES + RUNS + READS)


@pytest.mark.peer("qemu-system-x86_64", "qemu.qmp")
async def test_what_was_learned_of_a_client_is_enough_for_it(
    programs: Programs, folder: Path
) -> None:
    script = str(Path(__file__).with_name("official_client.py"))
    await programs.qemu()
    program = await proxy(programs, folder)
    client = programs.python(script, str(folder / "proxy.sock"))
    assert await client.ends() == 0, client.err
    await program.terminate()

    learner = programs.python("-m", "txqmp", "policy", "learn", "qmp-proxy.jsonl")
    assert await learner.ends() == 0, learner.err
    (folder / "learned.toml").write_bytes(learner.out)
    (folder / "qmp-proxy.jsonl").unlink()

    await programs.qemu()
    program = await proxy(programs, folder, "--policy", "learned.toml")
    monitor = Monitor(folder / "proxy.sock")
    assert monitor.ask("query-version") is None
    monitor.close()
    again = programs.python(script, str(folder / "proxy.sock"))
    assert await again.ends() == 0, again.err
    assert json.loads(again.out) == json.loads(client.out)
    await program.terminate()
    (only,) = verdicts(folder)
    assert (only["verdict"], only["command"]) == ("deny", "query-version")


async def test_the_file_is_read_again(programs: Programs, folder: Path) -> None:
    (folder / "p.toml").write_text(POLICY)
    await programs.qemu()
    program = await proxy(programs, folder, "--policy", "p.toml")
    monitor = Monitor(folder / "proxy.sock")
    assert monitor.say(b'{"execute":"stop"}') == "running"

    (folder / "p.toml").write_text(POLICY.replace('"deny"', '"dney"'))
    program.kill("HUP")
    await program.says(b"policy refused, the old one stays: p.toml:6: ")
    assert monitor.say(b'{"execute":"stop"}') == "running"

    (folder / "p.toml").write_text(POLICY.replace("stop", "quit"))
    program.kill("HUP")
    await program.says(b"policy read again")
    assert monitor.say(b'{"execute":"stop"}') == "paused"
    assert monitor.say(b'{"execute":"quit"}') == "paused"
    monitor.close()
    await program.terminate()
    assert b"rules met: no stop 2" in program.err + program.out
    assert [v["rule"] for v in verdicts(folder)] == ["no stop", "no stop", "no quit"]


async def test_a_dry_run_only_says_it(programs: Programs, folder: Path) -> None:
    await programs.qemu()
    program = await proxy(programs, folder, "--deny=stop", "--policy-dry-run")
    monitor = Monitor(folder / "proxy.sock")
    assert monitor.say(b'{"execute":"stop"}') == "paused"
    monitor.close()
    await program.terminate()
    (only,) = verdicts(folder)
    assert (only["verdict"], only["rule"]) == ("would-deny", "--deny stop")


@pytest.mark.peer("qemu-system-x86_64", "socat")
async def test_who_may_is_told_by_the_program(programs: Programs, folder: Path) -> None:
    (folder / "p.toml").write_text(
        'default = "allow"\n[[rule]]\nname = "by hand"\naction = "deny"\ncommand = "stop"\n'
        'client = { executable = "*/socat*" }\n'
    )
    await programs.qemu()
    program = await proxy(programs, folder, "--policy", "p.toml")
    user = programs.start("socat", "-", "UNIX-CONNECT:proxy.sock")
    user.write(b'{"execute":"qmp_capabilities"}{"execute":"stop"}\n')
    await user.says(b"denied by policy: stop is not allowed (rule by hand)")
    user.end_input()
    assert await user.ends() == 0
    monitor = Monitor(folder / "proxy.sock")
    assert monitor.say(b'{"execute":"query-name"}') == "running"
    assert monitor.say(b'{"execute":"stop"}') == "paused"
    monitor.close()
    await program.terminate()
    journal = records(folder / "qmp-proxy.jsonl")
    names = {Path(r.peer["executable"]).name[:5] for r in journal if r.connection == 1}
    assert names == {"socat"}


async def test_text_is_guarded_as_well(programs: Programs, folder: Path) -> None:
    program = programs.twistd(
        "qmp-proxy", f"--listen=unix:{folder}/proxy.sock", "--read-only", "--connect=machine:"
    )
    await program.says(b"ready")
    client = programs.python("-m", "txqmp", "run", "unix:proxy.sock", "stop")
    assert await client.ends() == 1
    assert b"denied by policy: it is no query" in client.err
    client = programs.python("-m", "txqmp", "run", "unix:proxy.sock", "info", "status")
    assert await client.ends() == 0
    assert b"running" in client.out
    await program.terminate()


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--policy=nosuch.toml", b"nosuch.toml: No such file or directory"),
        ("--policy=p.toml", b"p.toml:6: "),
        ("--policy-dry-run", b"--policy-dry-run goes with"),
    ],
)
async def test_a_policy_that_cannot_be_read_is_told_at_the_start(
    programs: Programs, folder: Path, option: str, says: bytes
) -> None:
    (folder / "p.toml").write_text(POLICY.replace('"deny"', '"dney"'))
    program = programs.twistd("qmp-proxy", option)
    assert await program.ends() == 1
    assert says in program.err + program.out
    assert b"Traceback" not in program.err + program.out
    assert not (folder / "qmp-proxy.jsonl").exists()
