"""
The published JSON Schema of a record, ``txqmp/journal/schema.json``, compiled by fastjsonschema.

A record is measured by the envelope and by its own kind: to ask for every kind whether it is that
one, as the schema has it to be read by any validator, takes three times as long.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import fastjsonschema


def schema_text() -> str:
    """Give the schema as it is published."""
    return files("txqmp.journal").joinpath("schema.json").read_text("utf-8")


class Validator:
    """Holds records against the schema; a kind is compiled when the first of it comes."""

    def __init__(self) -> None:
        self._validators: dict[str, Callable[[Any], Any]] = {}

    def problem(self, value: object) -> str:
        """Tell what is wrong with a record, and where in it; empty if nothing is."""
        kind = value.get("kind") if isinstance(value, dict) else None
        name = kind if isinstance(kind, str) else ""
        validate = self._validators.get(name) or self._find(name)
        try:
            validate(value)
        except fastjsonschema.JsonSchemaValueException as error:
            return _told(error)
        return ""

    def _find(self, name: str) -> Callable[[Any], Any]:
        schema = _schema()
        if name not in schema["properties"]["kind"]["enum"]:
            return _compiled("")
        validate = self._validators[name] = _compiled(name)
        return validate


@cache
def _schema() -> Any:
    return json.loads(schema_text())


@cache
def _compiled(kind: str) -> Callable[[Any], Any]:
    own = [{"$ref": f"#/definitions/{kind}"}] if kind else []
    compiled: Callable[[Any], Any] = fastjsonschema.compile({**_schema(), "allOf": own})
    return compiled


def _told(error: Any) -> str:
    if error.rule == "required":
        missing = [name for name in error.rule_definition if name not in error.value]
        return f"{'.'.join([*error.path[1:], missing[0]])} is missing"
    return str(error.message).removeprefix("data.")
