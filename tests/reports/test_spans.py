"""Commands with what became of them."""

from __future__ import annotations

import pytest

from tests.cli.journal.sample import Session
from tests.journal.example import record
from txqmp.journal.record import Kind, Record
from txqmp.reports import spans as module
from txqmp.reports.spans import Span, Spans


def fed(spans: Spans, *records: Record) -> list[str]:
    """What each record leads to."""
    return [told(item) for one in records for item in spans.feed(one)]


def told(item: Span | Record) -> str:
    if isinstance(item, Record):
        return f"{item.kind} {item.seq}"
    return " ".join(f"{one.kind} {one.seq}" for one in item.records())


def ended(spans: Spans) -> list[str]:
    return [told(span) for span in spans.end()]


def test_a_command_comes_with_its_reply_and_what_was_between() -> None:
    said = Session()
    asked = said.ask("stop")
    said.event("STOP")
    said.answer(asked, {}, 0.25)
    spans = Spans()
    assert fed(spans, *said.records[:2]) == []
    (span,) = spans.feed(said.records[2])
    assert isinstance(span, Span)
    assert (span.command, span.events, span.reply) == (
        said.records[0],
        [said.records[1]],
        said.records[2],
    )
    assert (span.name, span.latency, span.first) == ("stop", 0.25, said.records[0])
    assert ended(spans) == []


def test_lines_of_data_belong_to_their_command() -> None:
    said = Session(dialect="text")
    asked = said.add(Kind.COMMAND, "info x", command="info")
    said.add(Kind.OUTPUT, "= a", text="a", reply_to=asked)
    said.add(Kind.OUTPUT, "= b", text="b", reply_to=asked)
    said.add(Kind.SUCCESS, "+ OK", command="info", reply_to=asked)
    assert fed(Spans(), *said.records) == ["command 1 output 2 output 3 success 4"]


def test_a_verdict_belongs_to_its_command() -> None:
    said = Session()
    first = said.ask("stop")
    said.add(Kind.VERDICT, None, verdict="deny", rule="r", reply_to=first)
    said.fail(first, "no")
    said.add(Kind.VERDICT, None, verdict="deny", rule="r", reply_to=first)
    assert fed(Spans(), *said.records) == ["command 1 verdict 2 failure 3", "verdict 4"]


def test_a_verdict_on_what_shares_a_monitor_has_its_link() -> None:
    said = Session()
    first = said.add(Kind.COMMAND, "{}", command="a", link=7)
    second = said.add(Kind.COMMAND, "{}", command="b", link=8)
    said.add(Kind.VERDICT, None, verdict="log", rule="r", link=8)
    said.add(Kind.VERDICT, None, verdict="log", rule="r", link=9)
    said.answer(first, {}, 0.1)
    said.answer(second, {}, 0.1)
    assert fed(Spans(), *said.records) == [
        "verdict 4", "command 1 success 5", "command 2 verdict 3 success 6",
    ]  # fmt: skip


def test_failures_and_rejections_are_replies() -> None:
    said = Session()
    said.fail(said.ask("eject"), "no")
    asked = said.ask("foo")
    said.add(Kind.REJECTION, "- BAD", reason="unknown", reply_to=asked)
    assert fed(Spans(), *said.records) == ["command 1 failure 2", "command 3 rejection 4"]


def test_an_event_belongs_to_the_oldest_command_or_to_nobody() -> None:
    said = Session()
    said.event("RESUME")
    first, second = said.ask("a"), said.ask("b")
    said.event("STOP")
    said.answer(first, {})
    said.event("RESUME")
    said.answer(second, {})
    assert fed(Spans(), *said.records) == [
        "event 1",
        "command 2 event 4 success 5",
        "command 3 event 6 success 7",
    ]


def test_connections_do_not_mix() -> None:
    one, two, other = Session(), Session(connection=2), Session("vm2")
    for said in (one, two, other):
        said.ask("a")
    two.event("STOP")
    for said in (one, two, other):
        said.answer(1, {})
    records = [*one.records[:1], *two.records[:2], *other.records[:1]]
    records += [one.records[-1], two.records[-1], other.records[-1]]
    assert fed(Spans(), *records) == [
        "command 1 success 2",
        "command 1 event 2 success 3",
        "command 1 success 2",
    ]


@pytest.mark.parametrize("kind", [Kind.CLOSED, Kind.OPENED])
def test_nothing_waits_longer_than_its_connection_lives(kind: Kind) -> None:
    said = Session()
    asked = said.ask("quit")
    said.add(kind, None)
    spans = Spans()
    assert fed(spans, *said.records) == ["command 1", f"{kind} 2"]
    said.answer(asked, {})
    assert fed(spans, said.records[-1]) == ["success 3"]


def test_what_waits_is_given_at_the_end() -> None:
    said = Session()
    said.ask("a")
    said.event("STOP")
    said.ask("b")
    spans = Spans()
    assert fed(spans, *said.records) == []
    assert ended(spans) == ["command 1 event 2", "command 3"]
    assert ended(spans) == []


def test_a_later_answer_tells_that_an_earlier_one_is_missing() -> None:
    said = Session()
    said.ask("a")
    said.event("STOP")
    said.answer(said.ask("b"), {})
    said.event("RESUME")
    assert fed(Spans(), *said.records) == ["command 1 event 2", "command 3 success 4", "event 5"]


def test_what_is_out_of_band_overtakes_and_is_overtaken() -> None:
    said = Session()
    first, urgent, last = said.ask("a"), said.ask("b"), said.ask("c")
    said.records[urgent - 1].fields["oob"] = True
    said.answer(urgent, {})
    said.answer(first, {})
    said.answer(last, {})
    assert fed(Spans(), *said.records) == [
        "command 2 success 4",
        "command 1 success 5",
        "command 3 success 6",
    ]
    overtaken = [said.records[n - 1] for n in (first, urgent, last, 6)]
    spans = Spans()
    assert fed(spans, *overtaken) == ["command 1", "command 3 success 6"]
    assert ended(spans) == ["command 2"]


def test_a_reply_may_be_all_there_is() -> None:
    said = Session()
    said.add(Kind.SUCCESS, "{}", command="stop", reply_to=7, latency=1)
    said.add(Kind.OUTPUT, "= x", text="x", reply_to=7)
    said.add(Kind.REJECTION, "{}", reason="no JSON")
    spans = Spans()
    (span,) = spans.feed(said.records[0])
    assert isinstance(span, Span)
    assert (span.command, span.name, span.latency) == (None, "stop", 1.0)
    assert fed(spans, *said.records[1:]) == ["output 2", "rejection 3"]


@pytest.mark.parametrize("odd", [[], {}, "1", None, 1.5])
def test_fields_of_other_types_are_nothing(odd: object) -> None:
    said = Session()
    said.ask("a")
    said.records[0].fields["command"] = odd
    said.add(Kind.OUTPUT, "= x", reply_to=odd)
    said.add(Kind.SUCCESS, "{}", command=odd, reply_to=odd, latency="x")
    spans = Spans()
    assert fed(spans, said.records[1]) == ["output 2"]
    (span,) = spans.feed(said.records[2])
    assert isinstance(span, Span)
    assert (span.name, span.latency) == (str(odd) if odd == "1" else "", None)


def test_other_records_pass() -> None:
    for kind in (Kind.GREETING, Kind.UNDECODED, Kind.GAP, Kind.RESYNC):
        assert fed(Spans(), record(kind)) == [f"{kind} 1"]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    said = Session()
    for name in "abcd":
        said.ask(name)
    for _ in range(4):
        said.event("STOP")
    spans = Spans()
    assert fed(spans, *said.records) == ["command 1", "command 2 event 5 event 6 event 7"]
    assert ended(spans) == ["command 3 event 8", "command 4"]
