"""None of the ways round a rule gets through, where clients share a connection to the monitor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tests.gateway.fake import FakeUpstream
from tests.gateway.test_render import device
from tests.policy.evasions import (
    READS,
    RUNS,
    STOPS,
    TEXT_CHANGES,
    TEXT_REACHES,
    WRITES,
    said_in_text,
)
from tests.policy.test_evasions import HOST_SAFE, JSON, NO_STOP, READ_ONLY, SOMEBODY, TEXT, cases
from tests.shared.stage import Stage, values
from tests.wires import Wire
from txqmp.errors import CommandFailed
from txqmp.gateway.server import GatewayFactory
from txqmp.gateway.table import GatewayTable
from txqmp.jsonqmp.grammar import Command
from txqmp.policy import Policy
from txqmp.proxy.links import Links

LINES = [
    *TEXT,
    *cases(
        (said_in_text(STOPS), {"stop": NO_STOP, "read-only": READ_ONLY}),
        (said_in_text(WRITES + RUNS + READS), {"host-safe": HOST_SAFE, "read-only": READ_ONLY}),
        (TEXT_REACHES, {"host-safe": HOST_SAFE, "read-only": READ_ONLY}),
        (TEXT_CHANGES, {"read-only": READ_ONLY}),
    ),
]


def reads(wire: bytes, byte_by_byte: bool) -> list[bytes]:
    return [wire[place : place + 1] for place in range(len(wire))] if byte_by_byte else [wire]


def test_there_are_enough() -> None:
    assert len(LINES) > 200
    assert len(said_in_text(STOPS + WRITES + RUNS + READS)) > 30


@pytest.mark.parametrize("byte_by_byte", [False, True])
@pytest.mark.parametrize(("policy", "wire"), JSON)
def test_none_gets_through_json(policy: Policy, wire: bytes, byte_by_byte: bool) -> None:
    stage = Stage.ready(policy=policy)
    client = stage.client()
    client.sends(*reads(wire, byte_by_byte))
    client.half_closes()
    asked = values(stage.monitor.heard())
    assert all(command["execute"] == "query-name" for command in asked)
    assert all(command.keys() == {"execute", "id"} for command in asked)


@pytest.mark.parametrize(("policy", "wire"), JSON)
def test_none_gets_through_out_of_band(policy: Policy, wire: bytes) -> None:
    stage = Stage.ready(policy=policy)
    client = stage.client("oob")
    for command in (b"execute", b"\\u0065xecute"):
        wire = wire.replace(b'"%b"' % command, b'"exec-oob"').replace(b"'execute'", b"'exec-oob'")
    client.sends(wire)
    asked = values(stage.monitor.heard())
    assert all(command.get("exec-oob", "query-name") == "query-name" for command in asked)
    assert all(command.get("execute", "query-name") == "query-name" for command in asked)


@pytest.mark.parametrize(("policy", "wire"), LINES)
def test_none_gets_through_a_gateway(policy: Policy, wire: bytes) -> None:
    upstream = FakeUpstream()
    wire_in = Wire(GatewayFactory(upstream, Links(), Clock(), policy=policy))
    wire_in.sends(wire)
    assert all(asked == ("query-name", None) for asked in upstream.asked)


@pytest.mark.parametrize("byte_by_byte", [False, True])
@pytest.mark.parametrize(("policy", "wire"), LINES)
def test_none_gets_through_a_shared_gateway(
    policy: Policy, wire: bytes, byte_by_byte: bool
) -> None:
    stage = Stage.ready(policy=policy)
    stage.text_client().sends(*reads(wire, byte_by_byte))
    for _ in range(3):
        assert stage.monitor.answers({"name": "vm1"}) in ([], ["query-name"])


@pytest.mark.parametrize("byte_by_byte", [False, True])
@pytest.mark.parametrize(("policy", "wire"), LINES)
def test_none_gets_through_to_a_text_monitor(
    policy: Policy, wire: bytes, byte_by_byte: bool
) -> None:
    stage = Stage.ready(text=True, policy=policy)
    stage.text_client().sends(*reads(wire, byte_by_byte))
    assert [line for line in stage.monitor.lines() if line != "info name"] == []


def test_without_a_policy_they_all_do() -> None:
    """Or the tests above would say nothing."""
    through = 0
    for _, wire in (case.values for case in LINES):  # type: ignore[attr-defined]
        upstream = FakeUpstream()
        Wire(GatewayFactory(upstream, Links(), Clock())).sends(wire)
        through += bool(upstream.asked)
    assert through > 0.8 * len(LINES)


def test_the_rest_gets_through() -> None:
    for policy in (NO_STOP, HOST_SAFE, READ_ONLY):
        stage = Stage.ready(policy=policy)
        stage.client().asks("query-name")
        stage.text_client().sends(b"info name\r\ninfo registers\r\n")
        assert stage.monitor.answers({"name": "vm1"}) == ["query-name", "query-name"]
        assert stage.monitor.answers("EIP=0\r\n") == ["human-monitor-command"]


@pytest.mark.parametrize(
    "line",
    [
        "info migrate ok",
        "info",
        "help",
        "? x",
        "info block",
        "info network",
        "print $pc",
        "p/x 1",
        "info cpus",
        "info slirp",
    ],
)
def test_what_read_only_lets_by(line: str) -> None:
    wire = Wire(GatewayFactory(FakeUpstream(), Links(), Clock(), policy=READ_ONLY))
    wire.says(line)
    assert not any("denied" in said for said in wire.heard())


class Willing(FakeUpstream):
    """A monitor that has what it is asked about."""

    async def ask(
        self, command: str, arguments: Mapping[str, Any] | None = None, link: int | None = None
    ) -> Any:
        self.asked.append((command, arguments))
        if command not in SAID and command.startswith("query-"):
            raise CommandFailed("it is not about that")
        return SAID.get(command, {})


IMAGE = {"file": "/x", "node-name": "n", "ro": False, "drv": "qcow2", "image": {"snapshots": []}}
SAID: dict[str, Any] = {
    "query-block": [
        {"device": "cd0", "qdev": "/q", "inserted": IMAGE, "removable": True, "locked": False}
    ],
    "query-cpus-fast": [{"cpu-index": 0}],
    "query-pci": [{"bus": 0, "devices": [device(5, qdev_id="x")]}],
    "query-migrate": {},
    "human-monitor-command": "  Device 0.1, Port 1, Speed 12 Mb/s, ID: x\r\n",
}
VERBS = sorted({alias for entry in GatewayTable(lambda _: None) for alias in entry.aliases})  # type: ignore[arg-type, return-value]
WORDS = st.sampled_from(
    """
    cd0 vnc password passwd unix:/x :1 user tap socket vde dump storage nic host auto remove 0 1 5
    -d -f -dexec:x exec:x fd:x tcp:h:1 disk:/x disk:format=raw:/x host:1.2 tablet user.0 info /x
    tcp::1-:1 tcp:1::1 tcp::1 hostfwd=tcp::1-:1 script=/x smb=/x file=/x if=virtio,file=/x name=x
    usb-host,hostbus=1 driver=vfio-pci,host=1 x,driver=loader model=e1000 model=vfio-pci,host=1
    secret,id=s,file=/x file,id=c,path=/x if=none,file=/x name=x,,,file=/x vlan=1,,file=/x
    registers block network usb profile status 16 -1 /1x raw stop q memsave
    """.split()
)
TRICKS = st.sampled_from(["{}", "{}", "{}", '"{}"', " {}", "\t{}", "{},", ",{}", "{}/x", "{}/1"])


@settings(max_examples=1000)
@given(
    st.sampled_from(VERBS) | WORDS,
    st.lists(st.tuples(WORDS, TRICKS), max_size=4),
    TRICKS,
    st.booleans(),
    st.sampled_from([HOST_SAFE, READ_ONLY]),
)
def test_what_a_gateway_makes_of_a_line_would_be_allowed_as_well(
    verb: str, words: list[tuple[str, str]], trick: str, loud: bool, policy: Policy
) -> None:
    upstream = Willing(known=["snapshot-save", "snapshot-load", "snapshot-delete"])
    wire = Wire(GatewayFactory(upstream, Links(), Clock(), policy=policy))
    parts = [trick.format(verb.upper() if loud else verb)]
    parts += [form.format(word) for word, form in words]
    wire.says(" ".join(parts))
    for name, arguments in upstream.asked:
        command = Command(name, dict(arguments or {}))
        verdict = policy.judge(SOMEBODY, "json", command)
        assert not verdict.denied, (parts, command, verdict)
