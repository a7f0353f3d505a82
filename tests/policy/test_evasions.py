"""None of the ways round a rule gets through."""

from __future__ import annotations

import pytest

from tests.policy.evasions import (
    EVIL,
    READS,
    RUNS,
    STOPS,
    TEXT_STOPS,
    TEXT_WRITES,
    WRITES,
    Evasion,
)
from tests.proxy.conversation import JSON as JSON_GREETING
from tests.proxy.conversation import TEXT as TEXT_GREETING
from tests.proxy.conversation import Conversation
from txqmp.journal.record import Dialect
from txqmp.jsonqmp.values import ValueSplitter
from txqmp.policy import Action, Client, Policy, ruleset
from txqmp.policy.guarding import Guarding
from txqmp.policy.load import parse

SOMEBODY = Client(uid=1000, gid=1000, executable="/usr/bin/socat", local=True)

READ_ONLY = Policy.of(read_only=True)
NO_STOP = Policy.of(deny=["stop"])
HOST_SAFE = Policy(ruleset("host-safe"), Action.ALLOW)
# By the value alone, whatever the command: the default lets everything else through.
NO_FOLDER = Policy(
    parse(
        f"""
        default = "allow"
        [[rule]]
        action = "deny"
        arguments = {{ "**" = "{EVIL}/*" }}
        """,
        "test",
    ).rules,
    Action.ALLOW,
)


def sent_on(policy: Policy, dialect: Dialect, reads: list[bytes]) -> list[bytes]:
    """What a proxy with the policy sends to the monitor, of what it reads."""
    greeting = JSON_GREETING if dialect == "json" else TEXT_GREETING
    talk = Conversation(Guarding(policy).make_side, greeting=greeting)
    for data in reads:
        talk.client.says(data)
    sent = talk.monitor.heard()
    talk.client.says_no_more()
    assert talk.monitor.heard() == b""
    talk.ends()
    if dialect == "text":
        return [line for line in sent.split(b"\n") if line.strip()]
    values = ValueSplitter()
    pieces = values.feed(sent) + values.finish()
    return [piece.raw for piece in pieces if piece.raw.strip()]


def is_harmless(message: bytes) -> bool:
    return message.strip().strip(b"{}") in (b'"execute":"query-name"', b"info name")


def cases(*groups: tuple[list[Evasion], dict[str, Policy]]) -> list[object]:
    return [
        pytest.param(policy, evasion.wire, id=f"{name}: {evasion.what}")
        for evasions, policies in groups
        for evasion in evasions
        for name, policy in policies.items()
    ]


JSON = cases(
    (STOPS, {"stop": NO_STOP, "read-only": READ_ONLY}),
    (WRITES, {"host-safe": HOST_SAFE, "read-only": READ_ONLY, "folder": NO_FOLDER}),
    (RUNS, {"host-safe": HOST_SAFE, "read-only": READ_ONLY}),
    (READS, {"host-safe": HOST_SAFE, "read-only": READ_ONLY, "folder": NO_FOLDER}),
)
TEXT = cases(
    (TEXT_STOPS, {"stop": NO_STOP, "read-only": READ_ONLY}),
    (TEXT_WRITES, {"host-safe": HOST_SAFE, "read-only": READ_ONLY, "folder": NO_FOLDER}),
)


def test_there_are_enough() -> None:
    assert len(STOPS + WRITES + RUNS + READS + TEXT_STOPS + TEXT_WRITES) >= 100


@pytest.mark.parametrize(("policy", "wire"), JSON)
def test_none_gets_through_json(policy: Policy, wire: bytes) -> None:
    assert all(map(is_harmless, sent_on(policy, "json", [wire])))


@pytest.mark.parametrize(("policy", "wire"), JSON)
def test_none_gets_through_json_byte_by_byte(policy: Policy, wire: bytes) -> None:
    reads = [wire[place : place + 1] for place in range(len(wire))]
    assert all(map(is_harmless, sent_on(policy, "json", reads)))


@pytest.mark.parametrize(("policy", "wire"), TEXT)
def test_none_gets_through_text(policy: Policy, wire: bytes) -> None:
    assert all(map(is_harmless, sent_on(policy, "text", [wire])))


@pytest.mark.parametrize(("policy", "wire"), TEXT)
def test_none_gets_through_text_byte_by_byte(policy: Policy, wire: bytes) -> None:
    reads = [wire[place : place + 1] for place in range(len(wire))]
    assert all(map(is_harmless, sent_on(policy, "text", reads)))


@pytest.mark.parametrize(
    "line", ["x/1i 0", "x/4xb 0", " x /1i 0", "xp/1 0", "x\n/1i 0", "p/x $pc", "print $pc"]
)
def test_memory_is_not_read(line: str) -> None:
    arguments = b'{"execute":"human-monitor-command","arguments":{"command-line":"%b"}}'
    message = arguments % line.replace("\n", "\\n").encode()
    verdict = READ_ONLY.judge(SOMEBODY, "json", message)
    assert verdict.denied is not line.startswith("p")
    assert Policy.of(deny=["x", "xp", "print"]).judge(SOMEBODY, "json", message).denied
    assert READ_ONLY.judge(SOMEBODY, "text", line.split("\n")[0].encode()).denied is not (
        line.startswith("p")
    )


@pytest.mark.parametrize("name", ["device_del", "device-del", "Device_Del", "DEVICE-DEL"])
@pytest.mark.parametrize("glob", ["device_del", "device-del", "device?del", "DEVICE_*"])
def test_strokes_and_case_do_not_matter(name: str, glob: str) -> None:
    policy = Policy.of(deny=[glob])
    message = b'{"execute":"%b","arguments":{"id":"a"}}' % name.encode()
    assert policy.judge(SOMEBODY, "json", message).denied
    assert policy.judge(SOMEBODY, "text", f"{name} a".encode()).denied


def test_the_rest_gets_through() -> None:
    for policy in (NO_STOP, HOST_SAFE, NO_FOLDER, READ_ONLY):
        assert len(sent_on(policy, "json", [b"{'execute':'query-name'}" * 3])) == 3
        assert len(sent_on(policy, "text", [b"info name\r\n" * 3])) == 3
    for policy in (NO_STOP, HOST_SAFE, NO_FOLDER):
        assert len(sent_on(policy, "json", [b"{'execute':'cont'}"])) == 1
