"""Text clients: of a text monitor, and, through the gateway, of one that speaks JSON."""

from __future__ import annotations

from tests.shared.stage import Stage
from txqmp.journal import Kind


def test_a_text_monitor_is_shared() -> None:
    stage = Stage.ready(text=True)
    one, other = stage.arrives("p.sock"), stage.arrives("t.sock")
    assert one.lines() == other.lines() == ["+ OK QEMU 0.10.50 QMP 0.1"]
    one.sends(b"info name\r\n")
    other.sends(b"set_link  'foo' down\r\nbar\r\n")
    assert stage.monitor.lines() == ["info name", "set_link  'foo' down", "bar"]
    stage.monitor.says(
        b"= one", b"* EVENT stop", b"* EVENT foo a=1", b"= two", b"+ OK info name completed",
        b"- ERR no such device", b"- BAD unknown command",
    )  # fmt: skip
    assert one.lines() == [
        "* EVENT stop", "* EVENT foo a=1", "= one", "= two", "+ OK info name completed",
    ]  # fmt: skip
    assert other.lines() == [
        "* EVENT stop", "* EVENT foo a=1", "- ERR no such device", "- BAD unknown command",
    ]  # fmt: skip


def test_an_error_keeps_its_data() -> None:
    stage = Stage.ready(text=True)
    client = stage.text_client()
    client.sends(b"stop\r\n")
    stage.monitor.says(b"= some", b"- ERR no")
    assert client.lines() == ["= some", "- ERR no"]


def test_what_is_no_command_is_answered_here_in_its_place() -> None:
    stage = Stage.ready(text=True)
    client = stage.text_client()
    client.sends(b'stop\r\n\r\nx "y\r\ncont\r\n')
    assert stage.monitor.lines() == ["stop"]
    stage.monitor.says(b"+ OK stop completed")
    assert stage.monitor.lines() == ["cont"]
    stage.monitor.says(b"+ OK cont completed")
    stopped, bad, going = client.lines()
    assert (stopped, going) == ("+ OK stop completed", "+ OK cont completed")
    assert bad.startswith("- BAD ")


def test_a_text_client_that_leaves_with_a_command_outstanding() -> None:
    stage = Stage.ready(text=True)
    leaving, staying = stage.text_client(), stage.text_client()
    leaving.sends(b"info a\r\n")
    staying.sends(b"info b\r\n")
    leaving.leaves()
    stage.monitor.says(
        b"= a", b"+ OK info a completed", b"= b", b"+ OK info b completed"
    )  # fmt: skip
    assert staying.lines() == ["= b", "+ OK info b completed"]


def test_the_journal_of_a_text_monitor_is_linked() -> None:
    stage = Stage.ready(text=True)
    one, other = stage.text_client(), stage.text_client()
    one.sends(b'"\r\ninfo a\r\n')
    other.sends(b"info b\r\n")
    stage.clock.advance(2)
    stage.monitor.says(b"+ OK info a completed", b"= b", b"+ OK info b completed")
    for word, connection in (("a", 2), ("b", 3)):
        commands = stage.records(
            lambda r, word=word: r.kind is Kind.COMMAND and r.fields["arguments"] == [word]
        )
        (link,) = {record.fields["link"] for record in commands}
        assert {record.connection for record in commands} == {1, connection}
        (done,) = stage.records(
            lambda r, link=link, n=connection: (
                r.kind is Kind.SUCCESS and r.fields["link"] == link and r.connection == n
            )
        )
        assert done.fields["executed"] + done.fields["waited"] == 2.0


# Mixed, through the gateway.


def test_text_clients_of_a_monitor_that_speaks_json() -> None:
    stage = Stage.ready()
    text, json = stage.text_client(), stage.client()
    text.sends(b"info status\r\nstop\r\n")
    json.asks({"execute": "query-status", "id": 1})
    status = {"status": "running", "singlestep": False, "running": True}
    assert stage.monitor.answers(status) == ["query-status", "query-status"]
    stage.monitor.says({"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}})
    assert stage.monitor.answers() == ["stop"]
    assert text.lines() == [
        "= VM status: running", "+ OK info status completed",
        "* EVENT stop", "+ OK stop completed",
    ]  # fmt: skip
    assert json.heard() == [{"return": status, "id": 1}, "STOP"]


def test_a_text_client_s_errors_and_links() -> None:
    stage = Stage.ready()
    text = stage.text_client()
    text.sends(b"stop\r\n")
    (command,) = stage.monitor.asked()
    stage.clock.advance(1)
    stage.monitor.says({"id": command["id"], "error": {"class": "GenericError", "desc": "no"}})
    assert text.lines() == ["- ERR no"]
    records = stage.records(lambda record: record.fields.get("command") == "stop")
    assert sorted((r.connection, r.kind) for r in records) == [
        (1, Kind.COMMAND), (1, Kind.FAILURE), (2, Kind.COMMAND), (2, Kind.FAILURE),
    ]  # fmt: skip
    assert len({record.fields["link"] for record in records}) == 1
    (failure,) = [r for r in records if r.connection == 2 and r.kind is Kind.FAILURE]
    assert failure.fields["executed"] == 1.0


def test_a_monitor_that_does_not_answer_a_text_client() -> None:
    stage = Stage.ready()
    text = stage.text_client()
    text.sends(b"info status\r\n")
    stage.clock.advance(30)
    assert text.lines() == [
        (
            "- ERR no reply from the monitor within 30 s: whether it carried query-status out "
            "is unknown"
        )
    ]


def test_a_text_client_whose_turn_does_not_come() -> None:
    stage = Stage.ready()
    busy, text = stage.client(), stage.text_client()
    busy.asks(*["slow"] * 4)
    text.sends(b"info status\r\n")
    stage.clock.advance(30)
    assert text.lines() == [
        "- ERR no reply from the monitor within 30 s, and others wait before it: it was not sent"
    ]
    assert stage.monitor.answers() == ["slow"] * 4
    assert stage.monitor.answers() == []


def test_a_text_client_that_leaves_lets_what_was_not_sent_be() -> None:
    stage = Stage.ready()
    busy, text = stage.client(), stage.text_client()
    busy.asks(*["slow"] * 4)
    text.sends(b"stop\r\n")
    text.leaves()
    assert stage.monitor.answers() == ["slow"] * 4
    assert stage.monitor.answers() == []
