"""Clients that share a monitor, and a policy that judges what they ask for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import LoggedFailures
from tests.policy.test_rules import policy, rule
from tests.shared.stage import Stage
from tests.shared.test_descriptors import File, getfd
from txqmp.journal.record import Kind
from txqmp.policy import Policy
from txqmp.policy.verdict import Verdict
from txqmp.proxy.descriptors import MAX_WAITING

NO_STOP = Policy.of(deny=["stop"])
DESC = "denied by policy: stop is not allowed (rule --deny stop)"
DENIED = {"error": {"class": "GenericError", "desc": DESC}}
SLOWLY = policy(rule("delay", 'command = "stop"\nseconds = 5'))


def verdicts(stage: Stage) -> list[dict[str, Any]]:
    return [record.fields for record in stage.records(Kind.VERDICT)]


def links(stage: Stage, connection: int = 2) -> list[int]:
    return [r.fields["link"] for r in stage.records(Kind.COMMAND) if r.connection == connection]


# What is denied.


def test_what_is_denied_does_not_reach_the_monitor() -> None:
    stage = Stage.ready(policy=NO_STOP)
    client = stage.client()
    client.asks("stop", "cont")
    assert stage.monitor.answers() == ["cont"]
    assert client.heard() == [DENIED, {"return": {}}]


def test_a_denial_keeps_its_place_in_the_order() -> None:
    stage = Stage.ready(policy=NO_STOP)
    client = stage.client()
    for number, name in enumerate(["a", "stop", "b"]):
        client.asks({"execute": name, "id": number})
    assert client.heard() == []
    assert stage.monitor.answers() == ["a", "b"]
    assert client.heard() == [
        {"return": {}, "id": 0},
        {"id": 1, **DENIED},
        {"return": {}, "id": 2},
    ]


def test_out_of_band_is_judged_too_and_overtakes() -> None:
    stage = Stage.ready(policy=NO_STOP)
    client = stage.client("oob")
    client.asks("cont", {"exec-oob": "stop", "id": 1}, {"exec-oob": "a", "id": 2})
    assert client.heard() == [{"id": 1, **DENIED}]
    assert stage.monitor.answers() == ["cont", "a"]


def test_a_policy_that_is_about_out_of_band() -> None:
    stage = Stage.ready(policy=policy(rule("deny", "oob = true")))
    client = stage.client("oob")
    client.asks({"exec-oob": "a", "id": 1}, "a")
    assert stage.monitor.answers() == ["a"]
    assert [reply.get("id") for reply in client.heard()] == [1, None]


@pytest.mark.parametrize("text", [False, True])
def test_a_text_client_is_told_so_in_its_dialect(text: bool) -> None:
    stage = Stage.ready(text=text, policy=NO_STOP)
    client = stage.text_client()
    client.sends(b"stop\r\n")
    assert client.lines() == [f"- ERR {DESC}"]
    assert stage.monitor.heard() == b""
    client.sends(b"cont\r\n")
    assert b"cont" in stage.monitor.heard()


def test_a_text_client_keeps_its_order_before_a_text_monitor() -> None:
    stage = Stage.ready(text=True, policy=NO_STOP)
    client = stage.text_client()
    client.sends(b"info name\r\nSTOP\r\nfoo bar\r\n")
    assert client.lines() == []
    assert stage.monitor.lines() == ["info name", "foo bar"]
    stage.monitor.says(b"= vm1", b"+ OK info completed", b"+ OK foo completed")
    assert client.lines() == ["= vm1", "+ OK info completed", f"- ERR {DESC}", "+ OK foo completed"]


def test_each_client_is_who_it_is() -> None:
    stage = Stage.ready(policy=policy(rule("deny", 'client = { address = "192.168.1.1" }')))
    client = stage.client()
    client.asks("a")
    (reply,) = client.heard()
    assert "denied by policy" in reply["error"]["desc"]


def test_a_client_is_asked_once_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("txqmp.policy.judged.identify_peer", lambda t: asked.append(t) or {})
    stage = Stage.ready(policy=NO_STOP)
    client = stage.client()
    assert len(asked) == 1
    client.asks("a", "b", "stop")
    assert len(asked) == 1


def test_a_member_that_is_there_twice_is_refused_in_the_words_of_qemu() -> None:
    """It is not judged, and there are not two ways to read it."""
    stage = Stage.ready(policy=NO_STOP)
    client = stage.client()
    client.sends(b'{"execute":"a","execute":"stop"}', b'{"execute":"b","arguments":{"x":1,"x":2}}')
    duplicate = {"error": {"class": "GenericError", "desc": "JSON parse error, duplicate key"}}
    assert client.heard() == [duplicate] * 2
    assert stage.monitor.heard() == b""
    assert verdicts(stage) == []


def test_a_member_that_only_looks_like_another_is_denied() -> None:
    stage = Stage.ready(policy=NO_STOP)
    client = stage.client()
    lines = {"command-line": "info name", "command_line": "stop"}
    client.asks({"execute": "human-monitor-command", "arguments": lines})
    assert stage.monitor.heard() == b""
    assert [fields["rule"] for fields in verdicts(stage)] == ["unreadable"]


def test_what_the_proxy_answers_itself_is_not_judged() -> None:
    stage = Stage.ready(policy=Policy.of(allow=["nothing"]))
    client = stage.arrives()
    client.asks("stop", "qmp_capabilities")
    client.sends(b"]")
    replies = client.heard()[1:]
    assert [reply.get("error", {}).get("class") for reply in replies] == [
        "CommandNotFound",
        None,
        "GenericError",
    ]
    assert verdicts(stage) == []
    assert stage.monitor.heard() == b""


def test_what_the_proxy_itself_asks_for_is_not_judged() -> None:
    file = File()
    stage = Stage.ready(policy=Policy.of(deny=["closefd"]))
    client = stage.client()
    client.passes(file.descriptor, getfd("n"))
    assert stage.monitor.answers() == ["getfd"]
    client.leaves()
    assert stage.monitor.answers() == ["closefd"]


class Broken:
    """A judge that cannot."""

    def judge(self, *_: Any) -> Verdict:
        raise ZeroDivisionError


@pytest.mark.parametrize("oob", [False, True])
def test_a_judge_that_fails_denies(oob: bool, logged_failures: LoggedFailures) -> None:
    stage = Stage.ready(policy=Broken())
    client = stage.client("oob")
    client.asks({"exec-oob" if oob else "execute": "stop"})
    assert stage.monitor.answers() == []
    (reply,) = client.heard()
    assert reply["error"]["desc"] == "internal error: the command could not be judged"
    assert len(logged_failures.take(ZeroDivisionError)) == 1


def test_a_judge_that_fails_denies_text_too(logged_failures: LoggedFailures) -> None:
    stage = Stage.ready(policy=Broken())
    client = stage.text_client()
    client.sends(b"stop\r\n")
    assert client.lines() == ["- ERR internal error: the command could not be judged"]
    assert stage.monitor.heard() == b""
    assert len(logged_failures.take(ZeroDivisionError)) == 1


# What comes with it.


@pytest.mark.parametrize("name", ["getfd", "add-fd"])
def test_the_descriptor_of_what_is_denied_is_closed(name: str) -> None:
    file = File()
    stage = Stage.ready(policy=Policy.of(deny=["getfd", "add-fd"]))
    client = stage.client()
    client.asks("cont")
    client.passes(file.descriptor, getfd("n").replace(b"getfd", name.encode()))
    assert not file.is_open()
    assert stage.monitor.answers() == ["cont"]
    assert stage.monitor.transport.passed == []
    client.asks({"execute": "closefd", "arguments": {"fdname": "n"}})
    # It never was that client's: the monitor is asked for what the client said.
    assert stage.monitor.asked()[0]["arguments"] == {"fdname": "n"}


def test_the_descriptor_of_what_waits_is_closed_when_its_client_leaves() -> None:
    file = File()
    stage = Stage.ready(policy=policy(rule("delay", 'command = "getfd"\nseconds = 5')))
    client = stage.client()
    client.passes(file.descriptor, getfd("n"))
    assert file.is_open()
    client.leaves()
    assert not file.is_open()
    assert stage.monitor.answers() == []


def test_the_descriptor_of_what_waits_goes_with_it() -> None:
    file = File()
    stage = Stage.ready(policy=policy(rule("delay", 'command = "getfd"\nseconds = 5')))
    client = stage.client()
    client.passes(file.descriptor, getfd("n"))
    stage.clock.advance(5)
    assert [inode for _, inode in stage.monitor.transport.passed] == [file.inode]
    stage.monitor.answers()
    assert not file.is_open()


# Answers that serve several.


def test_each_is_judged_before_it_shares_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = iter([{"uid": 1, "path": "p"}, {"uid": 2, "path": "p"}, {"uid": 3, "path": "p"}])
    monkeypatch.setattr("txqmp.policy.judged.identify_peer", lambda transport: next(peers))
    only_one = policy(rule("deny", 'command = "query-name"\nclient = { uid = 2 }'))
    stage = Stage.ready(coalesce=True, policy=only_one)
    one, two, three = (stage.client() for _ in range(3))
    one.asks("a", "b", "c", "d")
    for client in (two, three, one):
        client.asks("query-name")
    assert [reply["error"]["desc"][:16] for reply in two.heard()] == ["denied by policy"]
    assert stage.monitor.answers({"name": "vm1"}) == ["a", "b", "c", "d"]
    assert stage.monitor.answers({"name": "vm1"}) == ["query-name"]
    assert three.heard() == [{"return": {"name": "vm1"}}]
    assert len(one.heard()) == 5
    assert two.heard() == []


# What has to wait.


def test_a_delay_holds_up_its_client_alone() -> None:
    stage = Stage.ready(policy=SLOWLY)
    client, other = stage.client(), stage.client()
    client.asks("a", "stop", "b")
    other.asks("c")
    assert stage.monitor.answers() == ["a", "c"]
    stage.clock.advance(4.9)
    assert stage.monitor.answers() == []
    stage.clock.advance(0.1)
    assert stage.monitor.answers() == ["stop", "b"]
    assert client.heard() == [{"return": {}}] * 3


def test_what_is_answered_here_waits_behind_a_delay_too() -> None:
    stage = Stage.ready(policy=SLOWLY)
    client = stage.client()
    client.asks("stop", "qmp_capabilities")
    assert client.heard() == []
    stage.clock.advance(5)
    assert stage.monitor.answers() == ["stop"]
    assert [("error" in reply) for reply in client.heard()] == [False, True]


def test_one_delay_comes_after_the_other() -> None:
    stage = Stage.ready(policy=SLOWLY)
    stage.client().asks("stop", "stop")
    stage.clock.advance(5)
    assert stage.monitor.answers() == ["stop"]
    stage.clock.advance(4.9)
    assert stage.monitor.answers() == []
    stage.clock.advance(0.1)
    assert stage.monitor.answers() == ["stop"]


def test_who_is_delayed_is_not_read_without_end() -> None:
    stage = Stage.ready(policy=SLOWLY)
    client = stage.client()
    client.asks(*["stop"] * 20)
    assert client.transport.producerState == "paused"
    for _ in range(10):
        stage.clock.advance(5)
        assert stage.monitor.answers() == ["stop"]
    assert client.transport.producerState == "paused"
    for _ in range(10):
        stage.clock.advance(5)
        stage.monitor.answers()
    assert client.transport.producerState == "producing"


def test_out_of_band_overtakes_and_waits_by_itself() -> None:
    slowly = policy(
        rule("delay", 'command = "stop"\nseconds = 5')
        + rule("delay", 'command = "cont"\nseconds = 2')
    )
    stage = Stage.ready(policy=slowly)
    client = stage.client("oob")
    client.asks("stop", {"exec-oob": "cont", "id": 1}, {"exec-oob": "a", "id": 2})
    assert stage.monitor.answers() == ["a"]
    stage.clock.advance(2)
    assert stage.monitor.answers() == ["cont"]
    stage.clock.advance(3)
    assert stage.monitor.answers() == ["stop"]
    assert [reply.get("id") for reply in client.heard()] == [2, 1, None]


@pytest.mark.parametrize("oob", [False, True])
def test_what_waits_for_a_client_that_leaves_is_not_sent(oob: bool) -> None:
    stage = Stage.ready(policy=SLOWLY)
    client = stage.client("oob")
    client.asks({"exec-oob" if oob else "execute": "stop"}, "a")
    before = stage.monitor.answers()
    delays = [call for call in stage.clock.getDelayedCalls() if call.getTime() == 5]
    client.leaves()
    assert [call.active() for call in delays] == [False]
    stage.clock.advance(10)
    assert before + stage.monitor.answers() == (["a"] if oob else [])


@pytest.mark.parametrize("text", [False, True])
def test_what_waits_for_a_text_client_that_leaves_is_not_sent(text: bool) -> None:
    stage = Stage.ready(text=text, policy=SLOWLY)
    client = stage.text_client()
    client.sends(b"stop\r\n")
    client.leaves()
    stage.clock.advance(10)
    assert stage.monitor.heard() == b""


def test_a_client_that_says_no_more_gets_what_was_delayed() -> None:
    stage = Stage.ready(policy=SLOWLY)
    client = stage.client()
    client.asks("stop")
    client.half_closes()
    assert not client.transport.disconnecting
    stage.clock.advance(5)
    assert stage.monitor.answers() == ["stop"]
    assert client.heard() == [{"return": {}}]
    assert client.transport.disconnecting


def test_a_text_client_of_a_gateway_is_delayed_too() -> None:
    stage = Stage.ready(policy=SLOWLY)
    client, other = stage.text_client(), stage.text_client()
    client.sends(b"stop\r\ncont\r\n")
    other.sends(b"system_reset\r\n")
    assert stage.monitor.answers() == ["system_reset"]
    stage.clock.advance(5)
    assert stage.monitor.answers() == ["stop"]
    assert stage.monitor.answers() == ["cont"]
    assert client.lines() == ["+ OK stop completed", "+ OK cont completed"]


# What is journalled.


def test_a_verdict_is_journalled_behind_its_command() -> None:
    stage = Stage.ready(policy=NO_STOP)
    client = stage.client()
    client.asks({"execute": "a", "id": "x"}, {"execute": "stop", "id": [1]})
    stage.monitor.answers()
    story = [
        (r.kind, r.fields.get("command"), r.fields.get("link"))
        for r in stage.records(lambda r: r.connection == 2)
    ][-5:]
    first, second = links(stage)[-2:]
    assert story == [
        (Kind.COMMAND, "a", first),
        (Kind.COMMAND, "stop", second),
        (Kind.VERDICT, "stop", second),
        (Kind.SUCCESS, "a", first),
        (Kind.FAILURE, "stop", second),
    ]
    assert verdicts(stage) == [
        {
            "verdict": "deny",
            "rule": "--deny stop",
            "reason": "stop is not allowed",
            "command": "stop",
            "link": second,
            "id": [1],
        }
    ]


@pytest.mark.parametrize("text", [False, True])
def test_the_verdict_on_a_text_command_is_journalled_too(text: bool) -> None:
    stage = Stage.ready(text=text, policy=NO_STOP)
    client = stage.text_client()
    client.sends(b"\x01\r\nSTOP\r\ncont\r\nstop\r\n")
    stage.monitor.says(b"+ OK cont completed") if text else stage.monitor.answers()
    stops = [
        r.fields["link"]
        for r in stage.records(Kind.COMMAND)
        if r.connection == 2 and r.fields["command"] == "stop"
    ]
    assert [(fields["command"], fields["link"]) for fields in verdicts(stage)] == [
        ("stop", link) for link in stops
    ]
    assert len(set(stops)) == 2
    # The numbers of the commands that are carried out are the same on both sides.
    conts = [
        (r.connection, r.fields["link"])
        for r in stage.records(Kind.COMMAND)
        if r.fields["command"] == "cont"
    ]
    assert sorted(connection for connection, _ in conts) == [1, 2]
    assert len({link for _, link in conts}) == 1


@pytest.mark.parametrize(
    ("action", "dry_run", "verdict", "sent"),
    [
        ("log", False, "log", True),
        ("log", True, "log", True),
        ("deny", True, "would-deny", True),
        ("delay", True, "would-delay", True),
        ("delay", False, "delay", False),
        ("deny", False, "deny", False),
    ],
)
def test_what_is_done_and_what_is_only_journalled(
    action: str, dry_run: bool, verdict: str, sent: bool
) -> None:
    more = "\nseconds = 5" if action == "delay" else ""
    stage = Stage.ready(policy=policy(rule(action, f'command = "stop"{more}'), dry_run=dry_run))
    stage.client().asks("stop")
    assert stage.monitor.answers() == (["stop"] if sent else [])
    (fields,) = verdicts(stage)
    assert (fields["verdict"], fields["rule"]) == (verdict, "rule 1")
    assert fields.get("seconds") == (5 if action == "delay" else None)


def test_of_what_is_plainly_allowed_nothing_is_journalled() -> None:
    stage = Stage.ready(policy=NO_STOP)
    stage.client().asks("cont")
    stage.text_client().sends(b"cont\r\n")
    assert stage.monitor.answers() == ["cont", "cont"]
    assert verdicts(stage) == []


# What is delayed was meant for the monitor of then.

GONE = {"error": {"class": "GenericError", "desc": "monitor is gone"}}


def test_another_monitor_does_not_get_what_was_delayed() -> None:
    stage = Stage.ready(policy=SLOWLY)
    client = stage.client()
    client.asks("stop", "cont")
    stage.monitor.is_gone()
    assert client.heard() == [GONE, GONE, "TXQMP_UPSTREAM_LOST"]
    stage.again()
    stage.clock.advance(5)
    assert stage.monitor.answers() == []


def test_nor_what_was_delayed_out_of_band() -> None:
    stage = Stage.ready(policy=SLOWLY)
    client = stage.client("oob")
    client.asks({"exec-oob": "stop", "id": 1})
    stage.monitor.is_gone()
    stage.again()
    client.raw()
    stage.clock.advance(5)
    assert stage.monitor.answers() == []
    assert client.heard() == [{"id": 1, **GONE}]


def test_nor_what_a_gateway_is_to_make_of_a_line() -> None:
    stage = Stage.ready(policy=SLOWLY)
    client = stage.text_client()
    client.sends(b"stop\r\n")
    stage.monitor.is_gone()
    stage.again()
    client.raw()
    stage.clock.advance(5)
    assert stage.monitor.answers() == []
    assert client.lines() == ["- ERR monitor is gone"]


def test_descriptors_without_end_are_the_end_of_their_client() -> None:
    stage = Stage.ready(policy=NO_STOP)
    client = stage.client()
    files = [File() for _ in range(MAX_WAITING + 1)]
    client.sends(b'{"execute": "')
    for file in files:
        client.passes(file.descriptor, b"x")
    assert client.transport.aborted
    client.leaves()
    assert not any(file.is_open() for file in files)
