"""Descriptors through the proxy: each comes once, with the byte that it was sent with."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.integration.programs import Program, Programs, records
from txqmp.journal import Kind


def files_of(proxy: Program, path: Path) -> list[str]:
    """What a proxy has open when its reactor runs: it has taken a client."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.recv(1)
    return proxy.open_files()


async def test_a_thousand_each_at_its_place(programs: Programs, folder: Path) -> None:
    path = folder / "proxy.sock"
    proxy = programs.twistd(
        "qmp-proxy", "--connect", "unix:monitor.sock", "--listen", f"unix:{path}"
    )
    await proxy.says(b"ready")
    before = files_of(proxy, path)
    passing = programs.python(
        "-m",
        "tests.integration.passing",
        str(path),
        str(folder / "monitor.sock"),
        "20090619",
        "500",
    )
    assert await passing.ends() == 0, passing.err
    result = json.loads(passing.out)
    assert result["descriptors"] == 1000
    assert result["in_place"]
    # The proxy notices that both are gone, and holds nothing that it did not hold before.
    await proxy.closes_all_but(before)
    await proxy.terminate()
    commands = [r for r in records(folder / "qmp-proxy.jsonl") if r.kind is Kind.COMMAND]
    told = {
        str(line): record.fields["descriptors"]
        for line, record in enumerate(commands)
        if "descriptors" in record.fields
    }
    assert told == result["of_lines"]


@pytest.mark.peer("qemu-system-x86_64")
async def test_a_real_qemu_takes_them(programs: Programs, folder: Path) -> None:
    viewers = ("-vnc", f"unix:{folder}/vnc.sock")
    await programs.qemu("qemu.sock", "-machine", "none", "-nodefaults", *viewers)
    path = folder / "proxy.sock"
    proxy = programs.twistd("qmp-proxy", "--connect", "unix:qemu.sock", "--listen", f"unix:{path}")
    await proxy.says(b"ready")
    before = files_of(proxy, path)
    asking = programs.python("-m", "tests.integration.handing", str(path))
    assert await asking.ends() == 0, asking.err
    assert json.loads(asking.out) == {"getfd": 20, "add-fd": 20, "opaques": 20, "viewer": "RFB"}
    await proxy.closes_all_but(before)
    await proxy.terminate()
    given = [
        record.fields["command"]
        for record in records(folder / "qmp-proxy.jsonl")
        if record.fields.get("descriptors")
    ]
    assert given == ["getfd", "add-fd"] * 20 + ["getfd"]
