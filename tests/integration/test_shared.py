"""One real QEMU, or a monitor that floods, and many clients at once: ``qmp-proxy --shared``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.programs import Program, Programs, records
from txqmp.journal import Kind

MEGABYTE = 1 << 20


async def shared(programs: Programs, *options: str) -> Program:
    proxy = programs.twistd(
        "qmp-proxy", "--shared", "--connect", "unix:qemu.sock", "--listen", "unix:proxy.sock",
        "--listen-text", "unix:text.sock", "--client-queue", "3000000",
        "--journal", "j.jsonl", *options,
    )  # fmt: skip
    await proxy.says(b"ready: clients connect to")
    return proxy


@pytest.mark.peer("qemu-system-x86_64", "qemu.qmp")
@pytest.mark.parametrize(("jsons", "texts"), [(50, 0), (25, 25)])
async def test_fifty_clients_at_once(
    programs: Programs, folder: Path, jsons: int, texts: int
) -> None:
    await programs.qemu()
    proxy = await shared(programs)
    crowd = programs.python(
        "-m", "tests.integration.crowd", "proxy.sock", "text.sock", str(jsons), str(texts), "200"
    )
    assert await crowd.ends() == 0, crowd.err
    assert json.loads(crowd.out) == {"commands": 10_000, "wrong": 0, "heard_all_events": 51}
    await proxy.terminate()
    ids: Counter[str] = Counter()
    sent: dict[int, int] = {}
    asked: dict[int, int] = {}
    for record in records(folder / "j.jsonl"):
        if record.kind is not Kind.COMMAND or record.fields["command"] == "qmp_capabilities":
            continue
        by = sent if record.connection == 1 else asked
        by[record.fields["link"]] = by.get(record.fields["link"], 0) + 1
        if record.connection > 1 and record.dialect == "json":
            ids[record.fields["id"]] += 1
    # Each id is that of a command of every JSON client.
    assert sum(count == jsons for count in ids.values()) >= 150
    assert set(asked.values()) == {1}
    assert asked.keys() >= sent.keys()
    assert len(asked) >= 10_000 + 20


@pytest.mark.peer("qemu-system-x86_64")
async def test_two_who_hand_descriptors_of_the_same_names(programs: Programs, folder: Path) -> None:
    viewers = ("-vnc", f"unix:{folder}/vnc.sock")
    await programs.qemu("qemu.sock", "-machine", "none", "-nodefaults", *viewers)
    proxy = await shared(programs)
    await proxy.says(b": connected")
    before = proxy.open_files()
    pair = [
        programs.python("-m", "tests.integration.handing", str(folder / "proxy.sock"))
        for _ in range(2)
    ]
    for handing in pair:
        assert await handing.ends() == 0, handing.err
        done = json.loads(handing.out)
        assert done == {"getfd": 20, "add-fd": 20, "opaques": 20, "viewer": "RFB"}
    await proxy.closes_all_but(before)


@pytest.mark.peer("qemu-system-x86_64")
async def test_the_monitor_is_killed_and_started_again(programs: Programs, folder: Path) -> None:
    qemu = await programs.qemu()
    await shared(programs)
    talk = programs.start("socat", "-", "UNIX-CONNECT:proxy.sock")
    talk.write(b'{"execute":"qmp_capabilities"}{"execute":"quit","id":1}')
    await talk.says(b'{"return": {}, "id": 1}')
    await talk.says(b'"TXQMP_UPSTREAM_LOST"')
    assert await qemu.ends() == 0
    talk.write(b'{"execute":"stop","id":2}')
    await talk.says(b'{"id": 2, "error": {"class": "GenericError", "desc": "monitor is gone"}}')
    await programs.qemu()
    await talk.says(b'"TXQMP_UPSTREAM_BACK"')
    talk.write(b'{"execute":"stop","id":3}')
    await talk.says(b'{"return": {}, "id": 3}')


async def test_one_is_stuck_in_a_flood_of_events(programs: Programs, folder: Path) -> None:
    events = 100_000
    flood = programs.python("-m", "tests.integration.flood", str(folder), str(events))
    await flood.says(b"listening")
    proxy = await shared(programs, "--journal", "/dev/null")
    flood.write(b"go\n")
    await flood.says(b"ready")
    before = proxy.resident()
    flood.write(b"go\n")
    await flood.says(b"done")
    peak = _peak(proxy.pid)
    flood.write(b"go\n")
    assert await flood.ends() == 0, flood.err
    result = json.loads(flood.out.splitlines()[-1])
    assert result["read"] == [events] * 3
    # It gets what has waited for it, in the queue and in the buffers of sockets, and no more.
    assert 0 < result["stuck"] < events / 2
    # The backlog of the journal may take 16 MiB, the queue one, and Python its part of it.
    assert peak - before < 64 * MEGABYTE


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
