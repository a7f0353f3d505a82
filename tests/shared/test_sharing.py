"""Many JSON clients on one monitor: who is greeted, who is answered, and with what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.shared.stage import GREETING, Stage
from txqmp.journal import Kind

NOT_YET = {
    "class": "CommandNotFound",
    "desc": "Expecting capabilities negotiation with 'qmp_capabilities'",
}


def ask(name: str, id: Any = None, **arguments: Any) -> dict[str, Any]:
    command: dict[str, Any] = {"execute": name, "arguments": arguments}
    return command if id is None else {**command, "id": id}


# Greeting and negotiation.


def test_each_is_greeted_in_the_monitor_s_words() -> None:
    stage = Stage.ready()
    assert [stage.arrives().raw() for _ in range(3)] == [GREETING] * 3


def test_one_who_comes_early_waits_for_the_monitor() -> None:
    stage = Stage()
    client = stage.arrives()
    assert client.raw() == b""
    stage.begins()
    assert client.raw() == GREETING


def test_each_negotiates_for_itself_and_the_monitor_does_not_hear_of_it() -> None:
    stage = Stage.ready()
    one, other = stage.arrives(), stage.arrives()
    one.asks("qmp_capabilities", "query-status")
    other.asks("query-status")
    assert [command["execute"] for command in stage.monitor.asked()] == ["query-status"]
    assert one.heard()[1:] == [{"return": {}}]
    assert other.heard()[1:] == [{"error": NOT_YET}]


def test_negotiating_twice_is_refused_as_qemu_does() -> None:
    client = Stage.ready().client()
    client.asks("qmp_capabilities")
    (reply,) = client.heard()
    assert reply["error"]["desc"] == (
        "Capabilities negotiation is already complete, command ignored"
    )


def test_no_event_before_the_negotiation() -> None:
    stage = Stage.ready()
    ready, early = stage.client(), stage.arrives()
    early.raw()
    stage.monitor.says({"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}})
    assert (ready.heard(), early.heard()) == (["STOP"], [])


def test_oob_is_offered_only_where_the_monitor_offers_it() -> None:
    stage = Stage()
    stage.begins(GREETING.replace(b'["oob"]', b"[]"))
    client = stage.arrives()
    client.raw()
    client.asks(ask("qmp_capabilities", enable=["oob"]))
    (reply,) = client.heard()
    assert reply["error"]["desc"] == "Parameter 'enable[0]' does not accept value 'oob'"


# Ids and values.


@pytest.mark.parametrize("id", [0, 1, "1", None, True, 1.5, [1, {"a": None}], {"id": {"id": 1}}])
def test_an_id_of_any_type_comes_back(id: Any) -> None:
    stage = Stage.ready()
    client = stage.client()
    client.asks({"execute": "stop", "id": id})
    assert stage.monitor.answers() == ["stop"]
    assert client.heard() == [{"return": {}, "id": id}]


@pytest.mark.parametrize("command", [b"execute", b"exec-oob"])
@pytest.mark.parametrize("id", [b"[" * 1020 + b"]" * 1020, b'{"a": ' * 1020 + b"1" + b"}" * 1020])
def test_an_id_comes_back_however_deeply_it_is_nested(command: bytes, id: bytes) -> None:
    stage = Stage.ready()
    client = stage.client("oob")
    client.sends(b'{"%b": "stop", "id": %b}' % (command, id))
    stage.monitor.answers()
    assert client.raw() == b'{"return": {}, "id": %b}\r\n' % id
    # QEMU writes the id of an error first.
    client.sends(b'{"%b": "stop", "id": %b}' % (command, id))
    (asked,) = stage.monitor.asked()
    stage.monitor.says(b'{"id": %d, "error": {"class": "GenericError", "desc": ""}}' % asked["id"])
    assert client.raw().startswith(b'{"id": %b, "error": ' % id)


def test_the_same_id_of_many_clients() -> None:
    stage = Stage.ready()
    clients = [stage.client() for _ in range(4)]
    for number, client in enumerate(clients):
        client.asks(ask("qom-get", 1, path=f"/{number}"))
    for command in reversed(stage.monitor.asked()):
        stage.monitor.returns(command["arguments"]["path"], command["id"])
    assert [client.heard() for client in clients] == [
        [{"return": f"/{number}", "id": 1}] for number in range(4)
    ]


def test_an_absent_id_stays_absent() -> None:
    stage = Stage.ready()
    client = stage.client()
    client.asks("stop", "foo")
    stop, foo = stage.monitor.asked()
    stage.monitor.returns({}, stop["id"])
    stage.monitor.says({"id": foo["id"], "error": {"class": "CommandNotFound", "desc": "no"}})
    assert client.raw() == (
        b'{"return": {}}\r\n{"error": {"class": "CommandNotFound", "desc": "no"}}\r\n'
    )


@pytest.mark.parametrize(
    "value",
    [
        b'{"z": 1, "a": 123456789012345678901234567890, "id": 3, "f": 1.10}',
        b'"\\u00C4, \\"id\\": 1}"',
        b"[1e2, 0.10000000000000000555, -0]",
    ],
)
def test_a_value_is_passed_on_as_it_is(value: bytes) -> None:
    stage = Stage.ready()
    client = stage.client()
    client.asks({"execute": "qom-get", "id": "x"})
    stage.monitor.says(b'{"return": ' + value + b', "id": 1}')
    assert client.raw() == b'{"return": ' + value + b', "id": "x"}\r\n'


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b'{"id":1,"return":[1]}', b'{"return": [1], "id": "x"}\r\n'),
        (b'{"return":[1],"id":1}', b'{"return": [1], "id": "x"}\r\n'),
        (
            b'{\n    "return": [\n        1\n    ],\n    "id": 1\n}',
            b'{"return": [1], "id": "x"}\r\n',
        ),
        (
            b'{"error":{"class":"GenericError","desc":"no"},"id":1}',
            b'{"id": "x", "error": {"class": "GenericError", "desc": "no"}}\r\n',
        ),
    ],
)
def test_a_monitor_that_writes_otherwise(said: bytes, heard: bytes) -> None:
    stage = Stage.ready()
    client = stage.client()
    client.asks({"execute": "qom-get", "id": "x"})
    stage.monitor.says(said)
    assert client.raw() == heard


def test_a_command_reaches_the_monitor_with_all_its_arguments() -> None:
    stage = Stage.ready()
    client = stage.client()
    client.sends(
        b"{'execute': 'qom-set', 'arguments': {'value': 18446744073709551615, 'f': 1e-7},"
        b" 'id': 'x'}"
    )
    assert stage.monitor.heard() == (
        b'{"execute":"qom-set","arguments":{"value":18446744073709551615,"f":1e-07},"id":1}'
    )


def test_what_is_no_command_is_answered_here_in_its_place() -> None:
    stage = Stage.ready()
    client = stage.client()
    client.sends(b'{"execute": "stop"} {"execute": "cont", "execute": "cont"} [1] {"execute": 1}')
    client.asks("cont")
    assert client.heard() == []
    assert stage.monitor.answers() == ["stop"]
    heard = client.heard()
    assert [reply.get("error", {}).get("desc") for reply in heard] == [
        None,
        "JSON parse error, duplicate key",
        "QMP input must be a JSON object",
        "QMP input member 'execute' must be a string",
    ]
    assert stage.monitor.answers() == ["cont"]


# Pipelining, leaving, half-closing.


def test_a_pipelining_client_is_answered_in_order() -> None:
    # It wedges a proxy that takes one command for each reply.
    stage = Stage.ready(window=3)
    client = stage.client()
    client.sends(b"".join(b'{"execute": "c%d", "id": %d}' % (n, n) for n in range(50)))
    done: list[str] = []
    while commands := stage.monitor.answers():
        assert len(commands) <= 3
        done += commands
    assert done == [f"c{number}" for number in range(50)]
    assert [reply["id"] for reply in client.heard()] == list(range(50))


def test_a_client_that_leaves_in_mid_command() -> None:
    # Its reply garbles, or wedges, a proxy that hands it to the next client.
    stage = Stage.ready()
    leaving, staying = stage.client(), stage.client()
    leaving.asks(ask("savevm", 1))
    leaving.sends(b'{"execute": "half a comm')
    staying.asks(ask("query-status", 1))
    leaving.leaves()
    later = stage.client()
    later.asks(ask("query-name", 1))
    for command in stage.monitor.asked():
        stage.monitor.returns(command["execute"], command["id"])
    assert leaving.raw() == b""
    assert staying.heard() == [{"return": "query-status", "id": 1}]
    assert later.heard() == [{"return": "query-name", "id": 1}]
    heard = stage.records(lambda r: r.connection == 1 and r.kind is Kind.SUCCESS)
    assert [record.fields["return"] for record in heard][1:] == [
        "savevm", "query-status", "query-name"
    ]  # fmt: skip


def test_what_a_client_that_leaves_has_not_had_sent_is_not_sent() -> None:
    stage = Stage.ready()
    leaving, staying = stage.client(), stage.client()
    leaving.sends(b"".join(b'{"execute": "c%d"}' % number for number in range(8)))
    staying.asks("stop")
    leaving.leaves()
    sent = stage.monitor.answers() + stage.monitor.answers()
    assert sent == ["c0", "c1", "c2", "c3", "stop"]
    assert stage.monitor.answers() == []


def test_an_event_while_nobody_is_connected() -> None:
    # It wedges a proxy that has nobody to tell it to.
    stage = Stage.ready()
    stage.client().leaves()
    stage.monitor.says({"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}})
    client = stage.client()
    client.asks("cont")
    assert stage.monitor.answers() == ["cont"]
    assert client.heard() == [{"return": {}}]
    assert len(stage.records(Kind.EVENT)) == 1


def test_one_who_says_no_more_is_answered_first() -> None:
    stage = Stage.ready()
    client = stage.client()
    client.asks("stop", "cont")
    client.half_closes()
    assert not client.transport.disconnecting
    assert stage.monitor.answers() == ["stop", "cont"]
    assert (client.heard(), client.transport.disconnecting) == ([{"return": {}}] * 2, True)


def test_one_who_comes_when_there_are_too_many_is_refused() -> None:
    stage = Stage.ready(max_connections=1)
    stage.client()
    with pytest.raises(AttributeError):
        stage.arrives()


# Out of band.


def test_what_is_out_of_band_overtakes() -> None:
    stage = Stage.ready()
    busy, urgent = stage.client(), stage.client("oob")
    busy.sends(b'{"execute": "slow"}' * 9)
    urgent.sends(b'{"execute": "slow"}{"exec-oob": "migrate-pause", "id": 7}')
    commands = stage.monitor.asked()
    assert commands[-1] == {"exec-oob": "migrate-pause", "id": 5}
    stage.monitor.returns("now", 5)
    assert urgent.heard() == [{"return": "now", "id": 7}]


def test_one_who_has_not_asked_for_it_cannot_overtake() -> None:
    client = Stage.ready().client()
    client.asks({"exec-oob": "migrate-pause"})
    (reply,) = client.heard()
    assert reply["error"]["desc"] == "QMP input member 'exec-oob' is unexpected"


def test_one_who_leaves_before_the_answer_out_of_band() -> None:
    stage = Stage.ready()
    client = stage.client("oob")
    client.asks({"exec-oob": "migrate-pause"})
    client.leaves()
    assert stage.monitor.answers() == ["migrate-pause"]
    assert client.raw() == b""


# Events.


def test_events_go_to_all_as_they_are() -> None:
    stage = Stage.ready()
    clients = [stage.client() for _ in range(3)]
    event = b'{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "A", "data": {"n": 1.10}}'
    stage.monitor.says(event)
    assert [client.raw() for client in clients] == [event + b"\r\n"] * 3


def test_an_event_keeps_its_place_before_the_reply() -> None:
    stage = Stage.ready()
    client = stage.client()
    client.asks("stop")
    stage.monitor.says({"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}})
    stage.monitor.answers()
    assert client.heard() == ["STOP", {"return": {}}]


# The journal.


def test_both_sides_of_a_command_are_linked_and_its_times_are_told() -> None:
    stage = Stage.ready()
    one, other = stage.client(), stage.client()
    one.sends(b'{"execute": "a"}' * 4)
    other.asks(ask("b", 9))
    stage.clock.advance(1)
    assert stage.monitor.answers() == ["a"] * 4
    stage.clock.advance(2)
    assert stage.monitor.answers() == ["b"]
    records = stage.records(lambda record: record.fields.get("command") == "b")
    assert [(r.connection, r.kind) for r in records] == [
        (3, Kind.COMMAND), (1, Kind.COMMAND), (1, Kind.SUCCESS), (3, Kind.SUCCESS),
    ]  # fmt: skip
    assert len({record.fields["link"] for record in records}) == 1
    assert (records[-1].fields["waited"], records[-1].fields["executed"]) == (1.0, 2.0)
    assert "waited" not in records[-2].fields


def test_what_was_sent_ahead_has_waited_while_another_was_carried_out() -> None:
    stage = Stage.ready()
    client = stage.client()
    client.asks("a", "b")
    for command in stage.monitor.asked():
        stage.clock.advance(3)
        stage.monitor.returns({}, command["id"])
    told = [
        (r.fields["waited"], r.fields["executed"])
        for r in stage.records(lambda r: r.connection == 2 and "waited" in r.fields)
    ]
    assert told == [(0.0, 3.0), (3.0, 3.0)]


def test_links_hold_after_what_was_answered_here() -> None:
    stage = Stage.ready()
    client = stage.client()
    client.sends(b'{"execute": 1} }, "x" {"execute": "a"} {"execute": "b"}')
    assert stage.monitor.answers() == ["a", "b"]
    for name in "ab":
        records = stage.records(lambda r, name=name: r.fields.get("command") == name)
        assert len({record.fields["link"] for record in records}) == 1
        assert {record.connection for record in records} == {1, 2}


def test_an_event_that_is_printed_prettily_is_passed_on_in_a_line() -> None:
    stage = Stage.ready()
    client = stage.client()
    stage.monitor.says(b'{\n  "event": "A",\n  "data": {\n    "n": 1.10\n  }\n}')
    assert client.raw() == b'{   "event": "A",   "data": {     "n": 1.10   } }\r\n'
