"""The filter language: what it means, and what is said of what it is not."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal.example import json_command, json_reply, record, text_output
from tests.journal.test_record import records
from txqmp.errors import FilterError
from txqmp.journal.record import Kind, Record
from txqmp.reports.conditions import KEYS
from txqmp.reports.filter import parse
from txqmp.reports.sorts import OPERATORS

ASKED = json_command("qom-get", {"path": "/machine/disk[1]"}, id="libvirt-7")
GIVEN = json_reply("x", "qom-get")  # after 1.2 ms
FAILED = record(
    Kind.FAILURE,
    dialect="json",
    fields={"command": "eject", "class": "GenericError", "reason": "Device 'a b' not found"},
    raw=b'{"error": "it is locked"}\r\n',
    connection=3,
)
SHUTDOWN = record(dialect="json", fields={"event": "SHUTDOWN"}, raw=b'{"event": "SHUTDOWN"}\r\n')
OUTPUT = text_output("status: running", monitor="vm2", seq=12)
OPENED = record(
    Kind.OPENED,
    fields={"upstream": "unix:/run/q"},
    peer={"path": "/run/vm.sock", "program": "libvirtd", "pid": 7},
    run="0a1b2c3d",
)
REMOTE = record(Kind.OPENED, peer={"address": "::1", "port": 4444})
ALL = [ASKED, GIVEN, FAILED, SHUTDOWN, OUTPUT, OPENED, REMOTE]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("command:qom-get", [ASKED, GIVEN]),
        ("command=QOM-GET", [ASKED, GIVEN]),
        ("command:qom-*", [ASKED, GIVEN]),
        ("command:?om-get", [ASKED, GIVEN]),
        ("command:qom", []),
        ("command:*", [ASKED, GIVEN, FAILED]),
        ("command~^e", [FAILED]),
        ("command~^E", []),
        ("event:shutdown", [SHUTDOWN]),
        ("kind:event", [SHUTDOWN]),
        ("!kind:event", [ASKED, GIVEN, FAILED, OUTPUT, OPENED, REMOTE]),
        ("not kind:event", [ASKED, GIVEN, FAILED, OUTPUT, OPENED, REMOTE]),
        ("latency>1ms", [GIVEN]),
        ("latency>0.001", [GIVEN]),
        ("latency>=1.2ms", [GIVEN]),
        ("latency=1200us", [GIVEN]),
        ("latency:.0012s", [GIVEN]),
        ("latency<2s", [GIVEN]),
        ("latency<=1min", [GIVEN]),
        ("latency>1.2ms", []),
        ("latency>=0", [GIVEN]),
        ("class:GenericError", [FAILED]),
        ("reason~\"'a b'\"", [FAILED]),
        ("reason~'''a b'''", [FAILED]),
        ("reason:*FOUND", [FAILED]),
        ("text~locked", [FAILED]),
        ("text~running$", [OUTPUT]),
        (r"text~'\"path\": \"'", [ASKED]),
        ('text~\'"path": "\'', [ASKED]),
        ("monitor:vm2", [OUTPUT]),
        ("connection:3", [FAILED]),
        ("connection>=2", [FAILED]),
        ("connection<3", [ASKED, GIVEN, SHUTDOWN, OUTPUT, OPENED, REMOTE]),
        ("direction:to-monitor", [ASKED]),
        ("dialect:text", [OUTPUT]),
        ("id:libvirt-7", [ASKED]),
        ("peer:libvirtd", [OPENED]),
        ("peer:/run/*.sock", [OPENED]),
        ("peer:::1", [REMOTE]),
        ("peer:::1:4444", [REMOTE]),
        ("run:0a1b2c3d", [OPENED]),
        ("seq:12", [OUTPUT]),
        ("seq <= 11", [ASKED, GIVEN, FAILED, SHUTDOWN, OPENED, REMOTE]),
        ("size>30", [ASKED]),
        ("size>0.03kB", [ASKED]),
        ("size>1KiB", []),
        ("command:qom-get latency>1ms", [GIVEN]),
        ("command:qom-get and latency>1ms", [GIVEN]),
        ("command:qom-get & latency>1ms", [GIVEN]),
        ("command:qom-get&&latency>1ms", [GIVEN]),
        ("command:eject or kind:event", [FAILED, SHUTDOWN]),
        ("command:eject|kind:event", [FAILED, SHUTDOWN]),
        ("command:eject || kind:event", [FAILED, SHUTDOWN]),
        ("seq:12 or command:qom-get and !kind:command", [GIVEN, OUTPUT]),
        ("seq:12 or command:qom-get !kind:command", [GIVEN, OUTPUT]),
        ("(seq:12 or command:qom-get) !kind:command", [GIVEN, OUTPUT]),
        ("(kind:event or command:qom-get) kind:command", [ASKED]),
        ("!command:qom-get !kind:opened", [FAILED, SHUTDOWN, OUTPUT]),
        ("!(command:qom-get or kind:opened)", [FAILED, SHUTDOWN, OUTPUT]),
        ("! ! NOT not kind:event", [SHUTDOWN]),
        ("monitor:and OR monitor:or or kind:event", [SHUTDOWN]),
        ("\tkind : event\n", [SHUTDOWN]),
    ],
)
def test_what_it_chooses(text: str, chosen: list[Record]) -> None:
    assert list(filter(parse(text), ALL)) == chosen


@pytest.mark.parametrize("name", ["link", "fault", "id"])
def test_fields_that_few_records_have(name: str) -> None:
    marked = replace(ASKED, fields={"command": "x", name: {"link": 12, "id": 12}.get(name, "12")})
    fits = parse(f"{name}:12")
    assert (fits(marked), fits(GIVEN)) == (True, False)


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_the_example_of_a_key_is_a_condition(key: Any) -> None:
    assert key.example.startswith(key.name)
    parse(key.example)


def test_values_of_other_types_match_nothing() -> None:
    odd = record(fields={"command": 7, "latency": "1", "link": True, "fault": None, "reason": []})
    for text in ("command:7", "latency>=0", "link:1", "fault:*", "reason~."):
        assert not parse(text)(odd)


def test_a_star_is_for_several_lines() -> None:
    assert parse("reason:a*b")(record(Kind.FAILURE, fields={"reason": "a\nb"}))


def test_a_byte_that_is_no_utf8_can_be_found() -> None:
    assert parse(r"text~\\xff")(record(raw=b"a\xffb\r\n"))
    assert parse("text~é")(record(raw="é\r\n".encode()))


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("comand:x", "there is no key comand: did you mean command?", 0),
        ("kind:event or zzz:x", "there is no key zzz: there are command, event, kind,", 14),
        ("kind:evnt", "kind: there is no evnt: did you mean event?", 5),
        ("direction:up", "there are to-monitor, to-client", 10),
        ("dialect:tex", "did you mean text?", 8),
        ("latency>fast", "latency: here should be a number, maybe with a unit", 8),
        ("latency>5q", "latency: there is no unit q", 8),
        ("size>1,0", "size: here should be a number, maybe with a unit", 5),
        ("connection:x", "connection: here should be a whole number", 11),
        ("seq:1.5", "seq: here should be a whole number", 4),
        ("seq:" + "9" * 5000, "seq: here should be a whole number", 4),
        ("kind:event reason~'a('", "reason: this is no regular expression: missing )", 18),
        ("time:25:00", "time: this is no time: write 12:00,", 5),
        ("time:2026-02-30", "time: this is no time: ", 5),
        ("time:..", "time: there is neither a start nor an end", 5),
        ("time:12:00..2026-01-01", "one has a date and the other has none", 5),
        ("time:2026-01-02..2026-01-01", "the end is before the start", 5),
        ("direction>3", "direction goes with : = as in direction:to-monitor", 9),
        ("text:foo", "text goes with ~", 4),
        ("command!=a", "after command comes one of : = ~ as in command:qom-*", 7),
        ("qom-get", "qom-get is no condition: a condition is a key,", 0),
        ("kind:event qom-get kind:gap", "qom-get is no condition", 11),
        ("kind:event qom-get", "qom-get is no condition", 11),
        ("", "here should be a condition", 0),
        ("  ", "here should be a condition", 0),
        ("kind:event or  ", "here should be a condition", 13),
        ("kind:event and or kind:gap", "here should be a condition", 15),
        ("not", "here should be a condition", 3),
        ("()", "here should be a condition", 1),
        ("> 5", "here should be a condition", 0),
        ("latency>", "here should be a value", 8),
        ("latency==5", "here should be a value", 8),
        ("text~(a)", "here should be a value", 5),
        ("(kind:event", "a parenthesis is not closed", 11),
        ("kind:event)", "this parenthesis was not opened", 10),
        ('kind:gap text~"a b', "this quotation mark has no other one", 14),
        ("!" * 101 + "kind:event", "it is more than 100 levels deep", 0),
    ],
)
def test_what_is_no_filter(text: str, problem: str, place: int) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    said, shown, caret = str(caught.value).split("\n")
    assert problem in said
    assert shown == f"  {text}"
    assert caret == "  " + " " * place + "^"


def test_the_caret_is_under_the_place_whatever_stands_before() -> None:
    with pytest.raises(FilterError) as caught:
        parse("monitor:日本e\u0301\x1b\nkind:x")
    _, shown, caret = str(caught.value).split("\n")
    assert shown == "  monitor:日本e\u0301  kind:x"
    assert caret.index("^") == 2 + len("monitor:") + 2 * 2 + 1 + 2 + len("kind:")


def test_much_may_be_joined_and_parenthesised() -> None:
    wide = " or ".join(f"seq:{number}" for number in range(2000))
    assert parse(wide)(record(seq=1999))
    assert parse("(" * 3000 + "seq:1" + ")" * 3000)(record(seq=1))
    assert parse("!" * 100 + "seq:1")(record(seq=1))


def test_a_filter_error_is_a_value_error() -> None:
    assert issubclass(FilterError, ValueError)


DOCS = Path(__file__).parents[2] / "docs"
SHOWN = sorted(
    text
    for path in DOCS.rglob("*.rst")
    for text in re.findall(r"--filter '([^']+)'", path.read_text(encoding="utf-8"))
    if not text.startswith("comand:")
)


@pytest.mark.parametrize("text", SHOWN)
def test_the_filters_of_the_documentation_are_filters(text: str) -> None:
    parse(text)


def test_the_documentation_has_the_tables_that_are_made_of_the_code() -> None:
    text = (DOCS / "journal-tools" / "filter.rst").read_text(encoding="utf-8")
    assert ".. filter-keys::" in text
    assert ".. filter-operators::" in text


def test_every_operator_goes_with_some_key() -> None:
    assert {sign for key in KEYS.values() for sign in key.sort.operators} == set(OPERATORS)
    assert all(name == key.name for name, key in KEYS.items())


# A tree is ("not", tree), ("and" or "or", trees…) or (key, sign, value).
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
conditions = st.one_of(
    st.tuples(st.sampled_from(["command", "monitor", "run", "reason"]), st.just("="), words),
    st.tuples(st.just("kind"), st.just(":"), st.sampled_from([str(kind) for kind in Kind])),
    st.tuples(
        st.sampled_from(["seq", "connection", "size"]),
        st.sampled_from([":", "=", "<", "<=", ">", ">="]),
        st.integers(0, 300).map(str),
    ),
)
trees = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: ("and", *parts)),
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: ("or", *parts)),
    ),
    max_leaves=12,
)


def verdict(tree: Any, of: Record) -> bool:
    match tree:
        case ("not", inner):
            return not verdict(inner, of)
        case ("and", *parts):
            return all(verdict(part, of) for part in parts)
        case ("or", *parts):
            return any(verdict(part, of) for part in parts)
        case ("seq" | "connection" as name, sign, number):
            return compared(getattr(of, name), sign, int(number))
        case ("size", sign, number):
            return of.raw is not None and compared(len(of.raw), sign, int(number))
        case ("command" | "reason" as name, _, word):
            found = of.fields.get(name)
            return isinstance(found, str) and found.lower() == word.lower()
        case (name, _, word):
            return str(getattr(of, name)).lower() == word.lower()
    raise AssertionError(tree)


def compared(found: int, sign: str, wanted: int) -> bool:
    return {
        "<": found < wanted,
        "<=": found <= wanted,
        ">": found > wanted,
        ">=": found >= wanted,
    }.get(sign, found == wanted)


def written(tree: Any, draw: Any) -> str:
    match tree:
        case ("not", inner):
            return draw(["!", "not ", "! "]) + enclosed(inner, draw)
        case ("and", *parts):
            return draw([" ", " and ", "&", " && "]).join(enclosed(part, draw) for part in parts)
        case ("or", *parts):
            joint = draw([" or ", "|", " || ", " OR "])
            return joint.join(
                written(part, draw) if part[0] == "and" else enclosed(part, draw) for part in parts
            )
        case (name, sign, word):
            mark = draw(["'", '"'])
            return f"{name}{sign}{mark}{word.replace(mark, mark * 2)}{mark}"
    raise AssertionError(tree)


def enclosed(tree: Any, draw: Any) -> str:
    text = written(tree, draw)
    return f"({text})" if tree[0] in ("and", "or") else text


plain = st.builds(
    replace,
    records,
    seq=st.integers(0, 300),
    monitor=words,
    fields=st.dictionaries(st.sampled_from(["command", "reason"]), words),
)


@settings(deadline=None)
@given(trees, st.lists(plain, max_size=5), st.data())
def test_what_was_written_of_a_tree_means_the_same(
    tree: Any, some: list[Record], data: st.DataObject
) -> None:
    text = written(tree, lambda ways: data.draw(st.sampled_from(ways)))
    if "*" in text or "?" in text:
        return
    fits = parse(text)
    assert [fits(one) for one in some] == [verdict(tree, one) for one in some]


@settings(deadline=None)
@given(st.text() | st.text("kind:evt (or)!'\"~=<>0"))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    with suppress(FilterError):
        assert parse(text)(GIVEN) in (True, False)
