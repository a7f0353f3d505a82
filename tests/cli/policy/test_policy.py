"""``txqmp policy`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_program import program
from txqmp.journal.record import Dialect, Direction, Kind, Record, encode

POLICY = """\
default = "allow"
include = "host-safe"

[[rule]]
name = "no-stop"
action = "deny"
reason = "it has to run"
command = "stop"
client = { uid = 1000 }

[[rule]]
name = "slowly"
action = "delay"
seconds = 0.5
command = "query-*"

[[rule]]
action = "log"
command = "cont"
"""


def record(
    seq: int, raw: bytes | None, peer: dict[str, Any] | None = None, **fields: object
) -> bytes:
    """A line of a journal: what a client said, in JSON unless it does not look so."""
    dialect: Dialect = "text" if raw is not None and raw[:1] not in b"{'\"" else "json"
    return encode(
        Record(
            time=1_795_000_000.0 + seq,
            mono=float(seq),
            monitor="vm1",
            connection=1,
            seq=seq,
            kind=Kind.COMMAND if fields else Kind.UNDECODED,
            peer=peer or {"path": "q.sock", "uid": 1000},
            direction=Direction.TO_MONITOR,
            dialect=dialect,
            fields=dict(fields) or {"problem": "not JSON"},
            raw=raw,
            run="0a1b2c3d",
        )
    )


def journal(folder: Path) -> None:
    lines = [
        record(1, b'{"execute":"qmp_capabilities"}', command="qmp_capabilities"),
        record(2, b'{"execute":"stop"}', command="stop"),
        record(3, b'{"execute":"stop"}', {"path": "q.sock", "uid": 0}, command="stop"),
        record(4, b'{"execute":"query-name"}', command="query-name"),
        record(5, b"cont\r\n", command="cont", arguments=[]),
        record(6, None, command="memsave", arguments={"filename": "/x"}),
        record(7, b'{"execute":"a\x1b","execute":"b"}'),
        record(8, b'{"execute":"memsave"}', {"program": "txqmp"}, command="memsave"),
        record(9, b" \r\n"),
        b"torn\n",
    ]
    (folder / "j.jsonl").write_bytes(b"".join(lines))
    (folder / "p.toml").write_text(POLICY)


def test_check_shows_the_rules(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(POLICY)
    lines = program("policy", "check", "p.toml", folder=tmp_path).stdout.decode().splitlines()
    assert [" ".join(line.split()) for line in lines[:3]] == [
        "no-stop deny stop, of uid 1000",
        "slowly delay query-*, by 0.5 s",
        "rule 3 log cont",
    ]
    assert lines[3].startswith("host-safe: migration ")
    assert " ".join(lines[-1].split()) == "default allow every command that no rule decides"


def test_check_tells_the_line(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('default = "deny"\n\n[[rule]]\nactoin = "deny"\n')
    done = program("policy", "check", "p.toml", folder=tmp_path, status=1)
    assert done.stderr == (b"txqmp: p.toml:4: a rule has no 'actoin' (did you mean 'action'?)\n")
    assert done.stdout == b""


def test_test_shows_what_would_have_been(tmp_path: Path) -> None:
    journal(tmp_path)
    lines = program("policy", "test", "p.toml", "j.jsonl", folder=tmp_path).stdout.decode()
    said, _, hits = lines.partition("7 commands: ")
    memory = "(rule host-safe: memory: memory of the guest in a file of the host)"
    unreadable = "(rule unreadable: it cannot be read: not JSON: Invalid control character at)"
    assert [line.partition(" ")[2] for line in said.splitlines()] == [
        'vm1#1 deny {"execute":"stop"} (rule no-stop: it has to run)',
        'vm1#1 delay {"execute":"query-name"} (rule slowly)',
        "vm1#1 log cont (rule rule 3)",
        f'vm1#1 deny {{"execute":"memsave","arguments":{{"filename":"/x"}}}} {memory}',
        f'vm1#1 deny {{"execute":"a\\x1b","execute":"b"}} {unreadable}',
    ]
    shown = dict(line.strip().rsplit("  ", 1) for line in hits.splitlines()[1:])
    counts = {name.strip(): count.strip() for name, count in shown.items()}
    assert hits.startswith("3 denied, 1 delayed, 1 logged\n")
    assert counts["no-stop"] == counts["slowly"] == counts["rule 3"] == "1"
    assert counts["host-safe: memory"] == "1"
    assert counts["host-safe: gdb"] == "never"
    assert counts["unreadable"] == "1"


def test_test_as_json(tmp_path: Path) -> None:
    journal(tmp_path)
    done = program("policy", "test", "p.toml", "j.jsonl", "--json", folder=tmp_path)
    told = json.loads(done.stdout)
    assert told["counts"] == {"allow": 2, "log": 1, "delay": 1, "deny": 3}
    assert told["rules"]["no-stop"] == 1
    assert told["commands"][0] == {
        "time": "2026-11-18T11:06:42.000000Z",
        "run": "0a1b2c3d",
        "monitor": "vm1",
        "connection": 1,
        "seq": 2,
        "command": "stop",
        "action": "deny",
        "rule": "no-stop",
        "reason": "it has to run",
    }


@pytest.mark.parametrize("options", [[], ["--arguments"]])
def test_what_was_learned_denies_nothing_of_it(tmp_path: Path, options: list[str]) -> None:
    journal(tmp_path)
    learned = program("policy", "learn", *options, "j.jsonl", folder=tmp_path).stdout
    assert learned.startswith(b"# 1 messages could not be read: every policy denies such.\n")
    (tmp_path / "l.toml").write_bytes(learned)
    done = program("policy", "test", "l.toml", "j.jsonl", "--json", folder=tmp_path)
    told = json.loads(done.stdout)
    assert [command["rule"] for command in told["commands"]] == ["unreadable"]


def decided(seq: int, kind: Kind, **fields: object) -> bytes:
    """A line of a journal that is about a command."""
    stamp = 1_795_000_000.0 + seq
    run = "0a1b2c3d"
    return encode(Record(stamp, float(seq), "vm1", 1, seq, kind, fields=dict(fields), run=run))


def test_what_a_policy_denied_is_not_learned(tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").write_bytes(
        record(1, b'{"execute":"stop"}', command="stop")
        + decided(2, Kind.VERDICT, verdict="deny", rule="x", command="stop", reply_to=1)
        + record(3, b'{"execute":"cont"}', command="cont")
        + decided(4, Kind.VERDICT, verdict="would-deny", rule="x", command="cont", reply_to=3)
        + record(5, b'{"execute":"quit"}', command="quit", link=7)
        + record(6, b'{"execute":"change"}', command="system_reset", link=8)
        + record(7, b'{"execute":"eject"}', command="eject", link=9)
        + decided(8, Kind.VERDICT, verdict="deny", rule="x", command="quit", link=7)
        + decided(9, Kind.SUCCESS, command="change", reply_to=6, link=8)
    )
    learned = program("policy", "learn", "j.jsonl", folder=tmp_path).stdout
    names = (b"stop", b"cont", b"quit", b"change", b"eject")
    allowed = {name for name in names if b'"' + name + b'"' in learned}
    assert allowed == {b"cont", b"change", b"eject"}


def test_lines_that_are_no_records_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "torn.jsonl").write_bytes(b"query-status\ncont\n")
    (tmp_path / "p.toml").write_text(POLICY)
    told = b"txqmp: left out: 2 lines that are no records (txqmp journal check tells more)\n"
    for command in (["learn"], ["test", "p.toml"]):
        done = program("policy", *command, "torn.jsonl", folder=tmp_path)
        assert done.stderr == told


@pytest.mark.parametrize("command", ["check", "learn", "test"])
def test_help_has_an_example(tmp_path: Path, command: str) -> None:
    shown = program("policy", command, "--help", folder=tmp_path).stdout.decode()
    assert f"Example: txqmp policy {command} " in " ".join(shown.split())
