"""The place where a policy judges what clients ask for."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from tests.conftest import LoggedFailures
from tests.shared.stage import Stage
from txqmp.errors import CommandFailed, CommandRejected
from txqmp.shared.asked import Member


class Court:
    """
    A judge.

    :param verdicts: by the name of a command.
    """

    def __init__(self, **verdicts: Any) -> None:
        self.heard: list[tuple[int, str, Any]] = []
        self._verdicts = verdicts

    def __call__(self, client: Member, command: Any) -> Any:
        name = command.verb if client.dialect == "text" else command.name
        self.heard.append((client.number, client.dialect, command.arguments))
        verdict = self._verdicts.get(name)
        if isinstance(verdict, ZeroDivisionError):
            raise verdict
        return verdict


NO = CommandFailed("not for you", error_class="GenericError")


def test_it_gets_who_asks_and_what_and_says_nothing() -> None:
    court = Court()
    stage = Stage.ready(judge=court)
    client = stage.client()
    client.asks({"execute": "device_del", "arguments": {"id": "x"}})
    assert stage.monitor.answers() == ["device_del"]
    assert court.heard == [(2, "json", {"id": "x"})]
    assert client.heard() == [{"return": {}}]


def test_a_denial_keeps_its_place_in_the_order() -> None:
    stage = Stage.ready(judge=Court(cont=NO))
    client = stage.client()
    for number, name in enumerate(["stop", "cont", "foo"]):
        client.asks({"execute": name, "id": number})
    assert client.heard() == []
    assert stage.monitor.answers() == ["stop", "foo"]
    assert client.heard() == [
        {"return": {}, "id": 0},
        {"id": 1, "error": {"class": "GenericError", "desc": "not for you"}},
        {"return": {}, "id": 2},
    ]


def test_a_verdict_that_takes_its_time_holds_up_its_client_alone() -> None:
    verdict: Deferred[None] = Deferred()
    stage = Stage.ready(judge=Court(stop=verdict))
    client, other = stage.client(), stage.client()
    client.asks("stop", "foo")
    other.asks("bar")
    assert stage.monitor.answers() == ["bar"]
    verdict.callback(None)
    assert stage.monitor.answers() == ["stop", "foo"]
    assert client.heard() == [{"return": {}}] * 2


def test_a_client_that_leaves_before_its_verdict() -> None:
    verdict: Deferred[None] = Deferred()
    stage = Stage.ready(judge=Court(stop=verdict))
    client = stage.client()
    client.asks("stop")
    client.leaves()
    verdict.callback(None)
    assert stage.monitor.answers() == []


def test_out_of_band_is_judged_too() -> None:
    stage = Stage.ready(judge=Court(stop=succeed(NO)))
    client = stage.client("oob")
    client.asks({"exec-oob": "stop", "id": 1})
    assert stage.monitor.answers() == []
    assert [reply["error"]["desc"] for reply in client.heard()] == ["not for you"]


def test_a_judge_that_fails_denies(logged_failures: LoggedFailures) -> None:
    stage = Stage.ready(judge=Court(stop=ZeroDivisionError()))
    client = stage.client()
    client.asks("stop")
    assert stage.monitor.answers() == []
    (reply,) = client.heard()
    assert reply["error"]["desc"] == "internal error: the command could not be judged"
    assert len(logged_failures.take(ZeroDivisionError)) == 1


@pytest.mark.parametrize("text", [False, True])
def test_text_clients_are_judged_by_what_they_say(text: bool) -> None:
    court = Court(stop=NO, cont=CommandRejected("what?"))
    stage = Stage.ready(text=text, judge=court)
    client = stage.text_client()
    client.sends(b"stop\r\ncont\r\n")
    assert client.lines() == ["- ERR not for you", "- BAD what?"]
    client.sends(b"quit\r\n")
    assert stage.monitor.heard() != b""
    assert court.heard == [(2, "text", ())] * 3


def test_what_the_proxy_answers_itself_is_not_judged() -> None:
    court = Court()
    stage = Stage.ready(judge=court)
    stage.client().asks("qmp_capabilities")
    assert court.heard == []
