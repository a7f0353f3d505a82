"""Rules, one condition at a time, and what a policy makes of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.jsonqmp import grammar as json_grammar
from txqmp.policy import Action, Client, Policy, Verdict
from txqmp.policy.load import parse
from txqmp.policy.rules import leads
from txqmp.text import grammar as text_grammar

LOCAL = Client(uid=1000, gid=100, executable="/usr/bin/virsh", local=True)
HIDDEN = Client(uid=1000, gid=100, local=True)
REMOTE = Client.from_peer({"address": "10.1.2.3", "port": 4444, "certificate": "CN=ann,O=x"})
MAPPED = Client.from_peer({"address": "::ffff:10.1.2.3", "port": 4444})


def policy(text: str, default: str = "allow", dry_run: bool = False) -> Policy:
    loaded = parse(f'default = "{default}"\n{text}', "test")
    return Policy(loaded.rules, loaded.default, dry_run=dry_run)


def said(name: str, **arguments: object) -> bytes:
    return json.dumps({"execute": name, "arguments": arguments}).encode()


def rule(action: str, more: str) -> str:
    return f'[[rule]]\naction = "{action}"\n{more}\n'


def test_who_is_denied_a_command_is_denied_what_does_it_too() -> None:
    denying = policy(rule("deny", 'command = "device_add"'))
    assert denying.judge(LOCAL, "text", b"usb_add tablet").denied
    assert not denying.judge(LOCAL, "text", b"usb_del 0.1").denied


def test_who_is_allowed_a_command_is_not_allowed_all_that_does_it() -> None:
    allowing = policy(rule("allow", 'command = "device_add"'), "deny")
    assert not allowing.judge(LOCAL, "text", b"device_add usb-tablet").denied
    assert allowing.judge(LOCAL, "text", b"usb_add disk:/x").denied


@pytest.mark.parametrize(
    ("condition", "denied"),
    [
        ("uid = 1000", [LOCAL, HIDDEN]),
        ("uid = [0, 1000]", [LOCAL, HIDDEN]),
        ("uid = 0", []),
        ("gid = 100", [LOCAL, HIDDEN]),
        ('executable = "/usr/bin/*"', [LOCAL, HIDDEN]),
        ('executable = "/opt/*"', [HIDDEN]),
        ('executable = ["/opt/*", "*/virsh"]', [LOCAL, HIDDEN]),
        ('address = "10.0.0.0/8"', [REMOTE, MAPPED]),
        ('address = "10.1.2.3"', [REMOTE, MAPPED]),
        ('address = ["::1", "192.168.0.0/16"]', []),
        ('certificate = "CN=ann,*"', [REMOTE]),
        ('certificate = "*"', [REMOTE]),
        ('uid = 1000, executable = "/opt/*"', [HIDDEN]),
    ],
)
def test_a_denial_by_client(condition: str, denied: list[Client]) -> None:
    judging = policy(rule("deny", f"client = {{ {condition} }}"))
    clients = [LOCAL, HIDDEN, REMOTE, MAPPED]
    assert [c for c in clients if judging.judge(c, "json", said("stop")).denied] == denied


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ("uid = 1000", [LOCAL, HIDDEN]),
        ('executable = "*"', [LOCAL]),
        ('certificate = "*"', [REMOTE]),
        ('address = "10.0.0.0/8"', [REMOTE, MAPPED]),
    ],
)
def test_a_permission_by_client_wants_to_know(condition: str, allowed: list[Client]) -> None:
    judging = policy(rule("allow", f"client = {{ {condition} }}"), "deny")
    clients = [LOCAL, HIDDEN, REMOTE, MAPPED]
    assert [c for c in clients if not judging.judge(c, "json", said("stop")).denied] == allowed


@pytest.mark.parametrize(
    ("condition", "arguments", "denied", "allowed"),
    [
        ('"filename" = "/etc/*"', {"filename": "/etc/x"}, True, True),
        ('"filename" = "/etc/*"', {"filename": "/ETC/x"}, True, False),
        ('"filename" = "/etc/*"', {"filename": "/var/../etc/x"}, True, False),
        ('"filename" = "/var/*"', {"filename": "/var/../etc/x"}, True, False),
        ('"filename" = "/var/*"', {"filename": "/var/a/../x"}, True, True),
        ('"filename" = "/var/*"', {"filename": "/var//x"}, True, True),
        ('"filename" = "/etc/*"', {"filename": "file:/etc/x"}, True, False),
        ('"filename" = "/ETC/*"', {"filename": "/etc/x"}, True, False),
        ('"filename" = "/b/*"', {"filename": "a:" * 17 + "/etc/x"}, True, False),
        ('"filename" = "/etc/*"', {"other": "/etc/x"}, False, False),
        ('"filename" = "/etc/*"', {}, False, False),
        ('"file.filename" = "/a"', {"file": {"filename": "/a"}}, True, True),
        ("file.filename = '/a'", {"file": {"filename": "/a"}}, True, True),
        ('"*.filename" = "/a"', {"file": {"filename": "/a"}}, True, True),
        ('"*.filename" = "/a"', {"filename": "/a"}, False, False),
        ('"**.filename" = "/a"', {"filename": "/a"}, True, True),
        ('"**.filename" = "/a"', {"a": {"b": [{"filename": "/a"}]}}, True, True),
        ('"**.filename" = "/a"', {"a": {"filename": "/a"}, "filename": "/b"}, True, False),
        ('"list.*" = "a"', {"list": ["a", "b"]}, True, False),
        ('"list.1" = "b"', {"list": ["a", "b"]}, True, True),
        ('"size" = "5"', {"size": 5}, True, True),
        ('"on" = "true"', {"on": True}, True, True),
        ('"File_Name" = "x"', {"file-name": "x"}, True, True),
        ('"a" = ["x", "y"]', {"a": "y"}, True, True),
        ('"a" = "x", "b" = "y"', {"a": "x", "b": "z"}, False, False),
        ('"file" = "/a*"', {"file": "json:{"}, True, False),
    ],
)
def test_arguments(
    condition: str, arguments: dict[str, object], denied: bool, allowed: bool
) -> None:
    conditions = f"arguments = {{ {condition} }}"
    message = said("x", **arguments)
    deny, allow = policy(rule("deny", conditions)), policy(rule("allow", conditions), "deny")
    assert deny.judge(LOCAL, "json", message).denied is denied
    assert allow.judge(LOCAL, "json", message).denied is not allowed


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a", False),
        ("a.b", "a.b.c", False),
        ("*", "a", True),
        ("*", "a.b", False),
        ("**", "a.b.c", True),
        ("**.c", "c", True),
        ("a.**.c", "a.c", True),
        ("a.**.c", "a.b.b.c", True),
        ("a.**.c", "a.b.c.d", False),
        ("a.**", "a", True),
        ("**.**.a", "a", True),
        ("f*", "file", True),
        ("**.a.b", "a", False),
        ("**.a.b", "c.a.b", True),
        ("**.a.b", "a.b.c", False),
        ("a.**.a", "a", False),
        ("a.**.b.**.c", "a.x.b.x.c", True),
        ("a.**.b.**.c", "a.x.c", False),
        ("**.*fwd.**", "hostfwd", True),
        ("**.*fwd.**", "hostfwd.0.str", True),
    ],
)
def test_paths(pattern: str, path: str, found: bool) -> None:
    assert leads(tuple(pattern.split(".")), tuple(path.split("."))) is found


@given(st.lists(st.sampled_from(["a", "b"]), max_size=6), st.data())
def test_two_stars_are_any_names(path: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(path)))
    end = data.draw(st.integers(start, len(path)))
    assert leads((*path[:start], "**", *path[end:]), tuple(path))


NAMES = st.lists(st.sampled_from(["a", "b", "c*", "*", "**"]), max_size=5)


@given(NAMES, st.lists(st.sampled_from(["a", "b", "c", "cc"]), max_size=6))
def test_one_way_to_look_finds_what_the_other_does(pattern: list[str], path: list[str]) -> None:
    # With two in a row it is looked at in the general way.
    doubled = [twice for name in pattern for twice in ([name, name] if name == "**" else [name])]
    assert leads(tuple(pattern), tuple(path)) is leads(tuple(doubled), tuple(path))


@pytest.mark.parametrize(
    ("dialect", "voice", "denied"),
    [
        ("json", "json", True),
        ("json", "text", False),
        ("json", "hmp", False),
        ("text", "text", True),
        ("text", "json", False),
    ],
)
def test_dialects(dialect: str, voice: str, denied: bool) -> None:
    judging = policy(rule("deny", f'dialect = "{voice}"'))
    message = said("stop") if dialect == "json" else b"stop"
    assert judging.judge(LOCAL, dialect, message).denied is denied  # type: ignore[arg-type]


def test_a_line_inside_json_has_a_voice_of_its_own() -> None:
    message = said("human-monitor-command", **{"command-line": "stop"})
    judging = policy(rule("deny", 'dialect = "hmp"\ncommand = "stop"'))
    assert judging.judge(LOCAL, "json", message).denied
    assert not judging.judge(LOCAL, "json", said("stop")).denied


def test_out_of_band() -> None:
    judging = policy(rule("deny", "oob = true"))
    assert judging.judge(LOCAL, "json", b'{"exec-oob":"stop"}').denied
    assert not judging.judge(LOCAL, "json", b'{"execute":"stop"}').denied


def test_the_first_that_decides_counts() -> None:
    judging = policy(rule("allow", 'command = "query-name"') + rule("deny", 'command = "query-*"'))
    assert not judging.judge(LOCAL, "json", said("query-name")).denied
    assert judging.judge(LOCAL, "json", said("query-block")).denied
    assert not judging.judge(LOCAL, "json", said("stop")).denied


def test_one_denial_denies_all() -> None:
    judging = policy(
        rule("allow", 'command = ["transaction", "abort"]') + rule("deny", 'command = "drive-*"')
    )
    actions = [{"type": "abort"}, {"type": "drive-backup", "data": {}}]
    assert not judging.judge(LOCAL, "json", said("transaction", actions=actions[:1])).denied
    assert judging.judge(LOCAL, "json", said("transaction", actions=actions)).denied


def test_a_denial_is_stricter_than_any_delay() -> None:
    judging = policy(
        rule("delay", 'command = "abort"\nseconds = 60') + rule("deny", 'command = "drive-*"')
    )
    actions = [{"type": "abort"}, {"type": "drive-backup", "data": {}}]
    assert judging.judge(LOCAL, "json", said("transaction", actions=actions)).denied


def test_delays_and_logs_do_not_decide() -> None:
    judging = policy(
        rule("log", 'name = "seen"')
        + rule("delay", 'command = "s*"\nseconds = 0.5')
        + rule("delay", 'command = "st*"\nseconds = 0.25')
        + rule("deny", 'command = "sto*"')
    )
    assert judging.judge(LOCAL, "json", said("a")) == Verdict(Action.LOG, "seen")
    assert judging.judge(LOCAL, "json", said("stx")) == Verdict(Action.DELAY, "rule 2", "", 0.5)
    assert judging.judge(LOCAL, "json", said("stop")).denied
    assert judging.hits() == {
        "seen": 3,
        "rule 2": 2,
        "rule 3": 2,
        "rule 4": 1,
        "default": 2,
        "unreadable": 0,
    }


def test_negotiation_is_always_allowed() -> None:
    judging = policy(rule("deny", ""), "deny")
    assert not judging.judge(LOCAL, "json", b'{"execute":"qmp_capabilities"}').denied
    assert judging.judge(LOCAL, "text", b"qmp_capabilities").denied


def test_what_cannot_be_read_is_denied() -> None:
    judging = policy("")
    verdict = judging.judge(LOCAL, "json", b'{"execute":"a","execute":"b"}')
    assert verdict.denied
    assert verdict.reply_reason == (
        "denied by policy: it cannot be read: not JSON: duplicate key (rule unreadable)"
    )
    assert judging.hits()["unreadable"] == 1
    assert not judging.judge(LOCAL, "text", b"").denied


def test_commands_that_were_read_already() -> None:
    judging = Policy.of(deny=["stop"])
    assert judging.judge(LOCAL, "json", json_grammar.Command("stop", {})).denied
    command = text_grammar.parse_command(b"stop")
    assert command is not None
    assert judging.judge(LOCAL, "text", command).denied
    assert judging.judge(LOCAL, "text", b"stop\r\n").denied


def test_reasons() -> None:
    judging = policy(rule("deny", 'name = "x"\nreason = "not today"\ncommand = "stop"'), "deny")
    assert judging.judge(LOCAL, "json", said("stop")).reply_reason == (
        "denied by policy: not today (rule x)"
    )
    assert judging.judge(LOCAL, "json", said("cont")).reply_reason == (
        "denied by policy: cont is allowed by no rule (rule default)"
    )
    assert len(judging.judge(LOCAL, "json", said("a" * 10_000)).reply_reason) < 200


def test_what_the_journal_says() -> None:
    text = (rule("log", 'command = "l"') + rule("delay", 'command = "d"\nseconds = 1')) + rule(
        "deny", 'command = "x"'
    )
    for dry_run, would in ((False, ""), (True, "would-")):
        judging = policy(text, dry_run=dry_run)
        verdicts = {name: judging.judge(LOCAL, "json", said(name)) for name in "aldx"}
        assert verdicts["a"].fields() == {}
        assert verdicts["l"].fields() == {"verdict": "log", "rule": "rule 1"}
        assert verdicts["d"].fields() == {
            "verdict": f"{would}delay",
            "rule": "rule 2",
            "seconds": 1.0,
        }
        assert verdicts["x"].fields() == {
            "verdict": f"{would}deny",
            "rule": "rule 3",
            "reason": verdicts["x"].reason,
        }
        assert verdicts["d"].wait == (0.0 if dry_run else 1.0)
        assert verdicts["x"].denied is not dry_run


def test_the_short_forms() -> None:
    def denied(judging: Policy) -> list[str]:
        names = ("query-name", "stop", "cont", "device_del")
        return [name for name in names if judging.judge(LOCAL, "json", said(name)).denied]

    base = parse('default = "deny"\n' + rule("allow", 'command = "cont"'), "test")
    assert denied(Policy.of(deny=["s*"])) == ["stop"]
    assert denied(Policy.of(allow=["s*"])) == ["query-name", "cont", "device_del"]
    assert denied(Policy.of(allow=["*"], deny=["s*"])) == ["stop"]
    assert denied(Policy.of(read_only=True)) == ["stop", "cont", "device_del"]
    assert denied(Policy.of(read_only=True, allow=["cont"])) == ["stop", "device_del"]
    assert denied(Policy.of(read_only=True, deny=["query-*"])) == [
        "query-name", "stop", "cont", "device_del",
    ]  # fmt: skip
    assert denied(Policy.of(base=base)) == ["query-name", "stop", "device_del"]
    assert denied(Policy.of(base=base, allow=["stop"])) == ["query-name", "device_del"]
    assert denied(Policy.of(base=base, allow=["stop"], deny=["cont"])) == [
        "query-name", "cont", "device_del",
    ]  # fmt: skip


def test_a_default_decides() -> None:
    with pytest.raises(ValueError, match="allowed or denied"):
        Policy([], Action.LOG)


def test_names_without_end_are_judged_and_not_kept() -> None:
    judging = Policy.of(deny=["stop", "x-*-7"])
    for number in range(2500):
        assert judging.judge(LOCAL, "json", said(f"x-{number}-{number % 10}")).denied is (
            number % 10 == 7
        )
        assert judging.judge(LOCAL, "json", said("stop")).denied
    assert len(judging._by_names) <= 1000
