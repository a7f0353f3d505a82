"""The published schema: it is the documented format, and refuses what is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.test_record import json_values, records
from txqmp.journal.record import Kind, Record, encode
from txqmp.reports.schema import Validator, schema_text

DOCS = Path(__file__).parents[2] / "docs" / "journal.rst"
SCHEMA = json.loads(schema_text())
COMMAND = {
    "v": 1,
    "time": "2026-11-22T10:00:00.123456Z",
    "mono": 12.5,
    "run": "0a1b2c3d",
    "monitor": "vm1",
    "connection": 1,
    "seq": 2,
    "peer": {"address": "127.0.0.1", "port": 4444},
    "direction": "to-monitor",
    "dialect": "text",
    "kind": "command",
    "command": "stop",
    "arguments": [],
    "raw": "stop\r\n",
}


def of_kind(kind: str, **fields: Any) -> dict[str, Any]:
    envelope = {key: COMMAND[key] for key in SCHEMA["required"]}
    return {**envelope, "direction": "to-client", "kind": kind, **fields}


REPLY = {"command": "stop", "reply_to": 1, "latency": 0.1}
CLOSED = {"reason": "", "ended_by": "proxy", "bytes_to_monitor": 0, "bytes_to_client": 9}
EXAMPLES = [
    of_kind("greeting", qemu="0.10.50", qmp="0.1"),
    of_kind("greeting", qemu="7.2.22", capabilities=["oob"]),
    COMMAND,
    {**COMMAND, "arguments": {"id": "net1"}, "id": {"a": 1}, "oob": True, "descriptors": 1},
    of_kind("output", text="", **REPLY),
    of_kind("success", **REPLY, **{"return": None}),
    of_kind("success", **REPLY, completed="stop", link=4),
    of_kind("success", **REPLY, redacted=True),
    of_kind("failure", reason="no", **REPLY, **{"class": "GenericError"}),
    of_kind("rejection", reason="unknown command"),
    of_kind("event", event="RESET", data={"guest": True}, timestamp=1795341600.123456),
    of_kind("event", event="stop", data="words"),
    of_kind("undecoded", problem="not JSON", raw="\xff\0"),
    of_kind("undecoded", problem="not JSON", direction="to-monitor"),
    of_kind("opened", upstream="unix:/run/vm1.sock"),
    of_kind("closed", **CLOSED),
    of_kind("closed", **CLOSED, ending="guest-shutdown"),
    of_kind("resync", status="running", name="vm1", uuid="1"),
    of_kind("gap", lost=3, problem="disk full", since="2026-11-22T10:00:00.000000Z"),
    of_kind("gap", problem="no connection"),
    of_kind("fault", rule="event:STOP drop", fault="drop", event="STOP", bytes=12),
    of_kind("command", direction="to-monitor", problem="the decoded fields cannot be written"),
    of_kind("event", event="NEW", a_key_of_the_future=[]),
]
DAMAGED = [
    ("data must be object", []),
    ("v is missing", {}),
    ("v must be smaller than or equal to 1", {**COMMAND, "v": 2}),
    ("v must be integer", {**COMMAND, "v": "1"}),
    ("time must match pattern", {**COMMAND, "time": "2026-11-22T10:00:00Z"}),
    ("time must match pattern", {**COMMAND, "time": "2026-13-22T10:00:00.000000Z"}),
    ("run must match pattern", {**COMMAND, "run": ""}),
    ("mono must be number", {**COMMAND, "mono": "12.5"}),
    ("monitor must be string", {**COMMAND, "monitor": None}),
    ("seq must be integer", {**COMMAND, "seq": True}),
    ("connection must be bigger than or equal to 0", {**COMMAND, "connection": -1}),
    ("peer must be object", {**COMMAND, "peer": "127.0.0.1:4444"}),
    ("peer.port must be integer", {**COMMAND, "peer": {"port": "4444"}}),
    ("direction must be", {**COMMAND, "direction": "sideways"}),
    ("direction must be", {**COMMAND, "direction": "to-client"}),
    ("direction is missing", {k: v for k, v in COMMAND.items() if k != "direction"}),
    ("dialect must be one of", {**COMMAND, "dialect": "hmp"}),
    ("kind must be one of", {**COMMAND, "kind": "shout"}),
    ("kind must be one of", {**COMMAND, "kind": ["event"]}),
    ("command is missing", {k: v for k, v in COMMAND.items() if k != "command"}),
    ("arguments must be array or object", {**COMMAND, "arguments": "fast"}),
    ("raw must match pattern", {**COMMAND, "raw": "\u0100"}),
    ("link must be integer", {**COMMAND, "link": "4"}),
    ("redacted must be same as const definition: True", {**COMMAND, "redacted": "yes"}),
    ("descriptors must be bigger than or equal to 1", {**COMMAND, "descriptors": 0}),
    ("reply_to must be integer", of_kind("success", reply_to="1")),
    ("latency must be bigger than or equal to 0", of_kind("success", latency=-1)),
    ("reason is missing", of_kind("failure", **REPLY)),
    ("event is missing", of_kind("event")),
    ("problem is missing", of_kind("gap", lost=1)),
    ("ended_by must be one of", of_kind("closed", **{**CLOSED, "ended_by": "nobody"})),
    ("bytes_to_client must be integer", of_kind("closed", **{**CLOSED, "bytes_to_client": 0.5})),
    ("since must match pattern", of_kind("gap", problem="", since="yesterday")),
    ("fault is missing", of_kind("fault", rule="x")),
]


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator()


@pytest.mark.parametrize("value", EXAMPLES, ids=lambda value: value["kind"])
def test_what_writers_write_is_valid(validator: Validator, value: dict[str, Any]) -> None:
    assert validator.problem(value) == ""


@pytest.mark.parametrize(("says", "value"), DAMAGED, ids=[says for says, _ in DAMAGED])
def test_what_is_damaged_is_refused_by_its_place(
    validator: Validator, says: str, value: object
) -> None:
    assert validator.problem(value).startswith(says)


whole_schema = fastjsonschema.compile(SCHEMA)


@given(
    st.sampled_from([*EXAMPLES, *(value for _, value in DAMAGED if value)]),
    st.sampled_from([*SCHEMA["properties"], "command", "reply_to", "event", "reason", "lost"]),
    json_values | st.sampled_from(Kind),
)
def test_the_kinds_one_by_one_are_as_strict_as_the_whole(
    value: dict[str, Any], key: str, new: object
) -> None:
    changed = json.loads(json.dumps({**value, key: new}))
    try:
        whole_schema(changed)
    except fastjsonschema.JsonSchemaException:
        valid = False
    else:
        valid = True
    assert (Validator.problem(_shared, changed) == "") is valid


_shared = Validator()


@given(records)
def test_every_envelope_that_is_written_is_valid(record: Record) -> None:
    record.fields = {"redacted": True, "problem": "none"}
    record.seq = abs(record.seq)
    value = json.loads(encode(record))
    wrong = _shared.problem(value)
    # Who says what, and what clients are like, is the business of whoever makes the record.
    assert wrong == "" or wrong.startswith(("direction", "peer"))


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_no_part_of_the_envelope_can_be_left_out(validator: Validator, key: str) -> None:
    value = {name: part for name, part in COMMAND.items() if name != key}
    assert validator.problem(value) == f"{key} is missing"


def documented() -> dict[str, str]:
    """What docs/journal.rst says of each kind."""
    text = DOCS.read_text()
    section = text[text.index("Kinds and their fields") : text.index("``reply_to`` is the")]
    found = re.findall(r"^``(\w+)``\n((?:   .*\n|\n)+)", section, re.MULTILINE)
    return dict(found)


def test_the_kinds_are_those_of_the_documentation() -> None:
    kinds = set(SCHEMA["properties"]["kind"]["enum"])
    assert kinds == set(Kind)
    assert kinds - {Kind.FAULT} <= documented().keys() <= kinds


@pytest.mark.parametrize("kind", documented())
def test_the_fields_are_those_of_the_documentation(kind: str) -> None:
    about, definition = documented()[kind], SCHEMA["definitions"][kind]
    named = set(re.findall(r"``(\w+)``", about))
    assert set(definition.get("properties", {})) - {"direction"} <= named
    optional = set(re.findall(r"``(\w+)``\?", about))
    required = {*definition.get("required", []), *definition.get("else", {}).get("required", [])}
    assert not required & optional
