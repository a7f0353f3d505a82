"""The table of a JSON server: what arguments must be, and what introspection says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.jsonqmp.asking import DONE, AskingWire, error
from txqmp.jsonqmp.server import Request
from txqmp.jsonqmp.table import JSONCommandTable


def echoing(**args: str) -> AskingWire:
    """A server with a command that returns its arguments."""
    table = JSONCommandTable()

    @table.command("echo", args={key.replace("_", "-"): kind for key, kind in args.items()})
    def echo(request: Request, **given: Any) -> Any:
        return given

    return AskingWire(table)


def given(arguments: object) -> str:
    return json.dumps({"execute": "echo", "arguments": arguments})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("str", "x"),
        ("int", (1 << 63) - 1),
        ("int", -(1 << 63)),
        ("number", 1),
        ("number", 1.5),
        ("bool", False),
        ("object", {"a": [1]}),
        ("any", None),
        ("[str]", []),
        ("[int]", [1, 2]),
        ("[any]", [None, {}]),
    ],
)
def test_an_argument_of_its_type_is_handed_on(kind: str, value: object) -> None:
    wire = echoing(x=kind)
    assert wire.asks(given({"x": value})) == [json.dumps({"return": {"x": value}})]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("str", 1, "string"),
        ("str", None, "string"),
        ("int", "1", "integer"),
        ("int", 1.5, "integer"),
        ("int", True, "integer"),
        ("int", 1 << 63, "integer"),
        ("number", True, "number"),
        ("number", "1", "number"),
        ("bool", 1, "boolean"),
        ("object", [], "object"),
        ("[str]", "x", "array"),
        ("str?", None, "string"),
    ],
)
def test_an_argument_of_another_type(kind: str, value: object, expected: str) -> None:
    words = f"Invalid parameter type for 'x', expected: {expected}"
    assert echoing(x=kind).asks(given({"x": value})) == [error(words)]


def test_an_item_of_another_type_is_named() -> None:
    words = "Invalid parameter type for 'x[1]', expected: string"
    assert echoing(x="[str]").asks(given({"x": ["a", 2]})) == [error(words)]


def test_an_argument_that_is_missing() -> None:
    assert echoing(x="str").asks(given({})) == [error("Parameter 'x' is missing")]
    assert echoing(x="str").asks('{"execute": "echo"}') == [error("Parameter 'x' is missing")]


def test_an_optional_argument_may_be_missing_and_is_not_handed_on() -> None:
    assert echoing(x="str?").asks(given({})) == [DONE]


def test_an_argument_that_is_unexpected() -> None:
    assert echoing().asks(given({"y": 1})) == [error("Parameter 'y' is unexpected")]


def test_what_is_wrong_with_the_expected_ones_is_told_first() -> None:
    assert echoing(x="str").asks(given({"y": 1})) == [error("Parameter 'x' is missing")]


def test_a_dash_in_a_name_is_an_underscore_to_the_handler() -> None:
    assert echoing(hold_time="int").asks(given({"hold-time": 1})) == [
        '{"return": {"hold_time": 1}}'
    ]
    assert echoing(hold_time="int?").asks(given({"hold_time": 1})) == [
        error("Parameter 'hold_time' is unexpected")
    ]


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="'query-commands' is there already"):
        JSONCommandTable().command("query-commands")(lambda request: None)


@pytest.mark.parametrize(
    "settings", [{"args": {"x": "string"}}, {"args": {"x": "[str"}}, {"returns": "[int]]"}]
)
def test_a_type_must_be_known(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'x': unknown type"):
        JSONCommandTable().command("x", **settings)(lambda request: None)


class TestIntrospection:
    def table(self) -> JSONCommandTable:
        table = JSONCommandTable()
        table.command("yank", {"instances": "[object]"}, oob=True)(lambda request: None)
        table.command("stop")(lambda request: None)
        table.command("query-name", {"full": "bool?"}, returns="str")(lambda request: "vm1")
        table.event("STOP")
        table.event("RESET", {"guest": "bool"})
        return table

    def ask(self, name: str) -> list[Any]:
        (line,) = AskingWire(self.table()).asks(json.dumps({"execute": name}))
        returned: list[Any] = json.loads(line)["return"]
        return returned

    def test_query_commands_names_all(self) -> None:
        names = [entry["name"] for entry in self.ask("query-commands")]
        assert names == [
            "qmp_capabilities", "query-commands", "query-name", "query-qmp-schema", "stop", "yank",
        ]  # fmt: skip

    def schema(self) -> dict[str, Any]:
        return {entry.pop("name"): entry for entry in self.ask("query-qmp-schema")}

    def test_a_command_without_arguments(self) -> None:
        assert self.schema()["stop"] == {"meta-type": "command", "arg-type": "0", "ret-type": "0"}
        assert self.schema()["0"] == {"meta-type": "object", "members": []}

    def test_a_command_with_an_optional_argument_and_a_result(self) -> None:
        schema = self.schema()
        command = schema["query-name"]
        assert command["ret-type"] == "str"
        assert schema[command["arg-type"]]["members"] == [
            {"name": "full", "type": "bool", "default": None}
        ]

    def test_a_command_that_may_be_run_out_of_band(self) -> None:
        schema = self.schema()
        assert schema["yank"]["allow-oob"] is True
        assert schema[schema["yank"]["arg-type"]]["members"] == [
            {"name": "instances", "type": "[any]"}
        ]
        assert schema["[any]"] == {"meta-type": "array", "element-type": "any"}

    def test_events(self) -> None:
        schema = self.schema()
        assert schema["STOP"] == {"meta-type": "event", "arg-type": "0"}
        assert schema["RESET"]["meta-type"] == "event"
        assert schema[schema["RESET"]["arg-type"]]["members"] == [{"name": "guest", "type": "bool"}]

    def test_every_type_is_described_once(self) -> None:
        entries = self.ask("query-qmp-schema")
        names = [entry["name"] for entry in entries]
        assert len(names) == len(set(names))
        used = {entry[key] for entry in entries for key in ("arg-type", "ret-type") if key in entry}
        used |= {entry["element-type"] for entry in entries if entry["meta-type"] == "array"}
        used |= {member["type"] for entry in entries for member in entry.get("members", ())}
        assert used <= set(names)
