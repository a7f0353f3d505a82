"""``txqmp journal diff`` of sessions with real QEMUs tells what their command lines make differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import Programs, short_folder

pytestmark = [pytest.mark.peer("qemu-system-x86_64", "qemu.qmp")]

CLIENT = Path(__file__).with_name("asking_client.py")
MACHINE = ("-machine", "pc,accel=tcg", "-S", "-nodefaults")
PLAIN = (*MACHINE, "-m", "64", "-name", "one", "-chardev", "null,id=port0")
QUESTIONS: list[dict[str, Any]] = [
    {"execute": "query-version"},
    {"execute": "query-status"},
    {"execute": "query-name"},
    {"execute": "query-uuid"},
    {"execute": "query-memory-size-summary"},
    {"execute": "query-cpus-fast"},
    {"execute": "query-iothreads"},
    {"execute": "query-block"},
    {"execute": "query-named-block-nodes"},
    {"execute": "query-chardev"},
    {"execute": "query-pci"},
    {"execute": "qom-list", "arguments": {"path": "/machine/peripheral"}},
    {"execute": "qom-get", "arguments": {"path": "/machine/peripheral/rng0", "property": "type"}},
    {"execute": "device_del", "arguments": {"id": "nosuch"}},
    {"execute": "human-monitor-command", "arguments": {"command-line": "info cpus"}},
    {"execute": "human-monitor-command", "arguments": {"command-line": "info memdev"}},
    {"execute": "cont"},
    {"execute": "stop"},
    {"execute": "query-status"},
    {"execute": "quit"},
]


async def recorded(
    programs: Programs,
    journal: Path,
    options: Sequence[str],
    questions: Sequence[dict[str, Any]] = QUESTIONS,
) -> None:
    """Ask a QEMU with these options, through the proxy."""
    with short_folder() as folder:
        qemu = programs.start(
            *("qemu-system-x86_64", *options, "-display", "none"),
            *("-qmp", f"unix:{folder}/qemu.sock,server=on,wait=off"),
        )
        proxy = programs.twistd(
            *("qmp-proxy", "--connect", f"unix:{folder}/qemu.sock", "--journal", str(journal)),
            *("--listen", f"unix:{folder}/proxy.sock", "--name", "vm"),
        )
        await proxy.says(b"ready")
        client = programs.python(
            *(str(CLIENT), f"{folder}/proxy.sock", *(json.dumps(one) for one in questions))
        )
        assert await client.ends() == 0, client.err
        assert await qemu.ends() == 0, qemu.err
        await proxy.says(b"closed by")
        await proxy.terminate()


async def told(programs: Programs, *argv: str, status: int) -> bytes:
    diff = programs.python("-m", "txqmp", "journal", "diff", *argv)
    assert await diff.ends() == status, diff.err
    assert diff.err == b""
    return diff.out


async def test_two_runs_of_one_command_line_are_the_same(programs: Programs, folder: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        await recorded(programs, folder / name, PLAIN)
    assert await told(programs, "a.jsonl", "b.jsonl", status=0) == b""
    assert json.loads(await told(programs, "--json", "a.jsonl", "b.jsonl", status=0))["same"]
    # They are not one and the same: threads and times tell.
    said = await told(programs, "--all", "a.jsonl", "b.jsonl", status=1)
    assert b"    return[cpu-index=0].thread-id: " in said
    assert b"~ event" not in said


OTHER = (
    *(*MACHINE, "-m", "128", "-name", "two", "-smp", "2", "-chardev", "null,id=port0"),
    *("-chardev", "null,id=port1", "-device", "virtio-rng-pci,id=rng0"),
    *("-drive", "if=none,id=disk0,driver=null-co,size=1M"),
)


def answered(command: str, *paths: str) -> tuple[str, str, list[str]]:
    return "answered-otherwise", command, list(paths)


async def test_another_command_line_is_what_differs(programs: Programs, folder: Path) -> None:
    await recorded(programs, folder / "a.jsonl", PLAIN)
    await recorded(programs, folder / "b.jsonl", OTHER)
    found = json.loads(await told(programs, "--json", "a.jsonl", "b.jsonl", status=1))
    # In the order of the questions, and nothing but these.
    assert [
        (one["difference"], one["command"], [f"{c['change']} {c['path']}" for c in one["changes"]])
        for one in found["commands"]
    ] == [
        answered("query-name", "changed return.name"),
        answered("query-memory-size-summary", "changed return.base-memory"),
        answered("query-cpus-fast", "added return[cpu-index=1]"),
        answered("query-block", "added return[device=disk0]"),
        answered("query-named-block-nodes", "added return[node-name=#block*]"),
        answered("query-chardev", "added return[label=port1]"),
        answered("query-pci", "added return[0].devices[4]"),
        answered("qom-list", "added return[name=rng0]"),
        ("succeeds", "qom-get", ["removed class", "removed reason", "added return"]),
        answered("human-monitor-command", "changed return"),
        answered("human-monitor-command", "changed return"),
    ]
    changes = {one["command"]: one["changes"][-1] for one in found["commands"]}
    assert (changes["query-name"]["before"], changes["query-name"]["after"]) == ("one", "two")
    memory = changes["query-memory-size-summary"]
    assert (memory["before"], memory["after"]) == (64 << 20, 128 << 20)
    assert changes["query-pci"]["after"]["qdev_id"] == "rng0"
    assert changes["qom-get"]["after"] == "virtio-rng-pci"
    lines = [one["changes"][0].get("lines") for one in found["commands"][-2:]]
    assert lines == [
        ["+  CPU #1: thread_id=*"],
        [f"-  size:  {64 << 20}", f"+  size:  {128 << 20}"],
    ]
    assert (found["greetings"], found["events"], found["events_reordered"]) == ([], [], False)


async def test_other_questions_are_what_differs(programs: Programs, folder: Path) -> None:
    status, name = {"execute": "query-status"}, {"execute": "query-name"}
    gone = {"execute": "device_del", "arguments": {"id": "gone"}}
    lost = {"execute": "device_del", "arguments": {"id": "lost"}}
    turn, end = [{"execute": "cont"}, {"execute": "stop"}], {"execute": "quit"}
    first = [status, name, gone, *turn, status, end]
    second = [status, lost, *turn, *turn, status, {"execute": "query-uuid"}, end]
    await recorded(programs, folder / "a.jsonl", PLAIN, first)
    await recorded(programs, folder / "b.jsonl", PLAIN, second)
    # It begins with qmp_capabilities, and a command and its answer are two records, an event one.
    assert (
        (await told(programs, "a.jsonl", "b.jsonl", status=1)).decode()
        == """\
--- a.jsonl: 8 commands, 3 events, 1 connection
+++ b.jsonl: 10 commands, 5 events, 1 connection
- query-name  [vm#1:7]
~ device_del {"id":"gone"}  [vm#1:9 → vm#1:7]
    arguments.id: "gone" → "lost"
    reason: "Device 'gone' not found" → "Device 'lost' not found"
+ cont  [vm#1:15]
+ stop  [vm#1:18]
+ query-uuid  [vm#1:23]
+ event RESUME  1 → 2
+ event STOP  1 → 2
"""
    )
