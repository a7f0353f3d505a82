"""A class and those above it do not mean different things by one private name."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest

from txqmp.jsonqmp.client import JSONClient
from txqmp.jsonqmp.server import JSONServer
from txqmp.replay.jsonserver import ReplayingJSONServer
from txqmp.replay.textserver import ReplayingTextServer
from txqmp.text.client import TextClient
from txqmp.text.server import TextServer


def private_names(cls: type) -> set[str]:
    """What the class itself sets when it is made."""
    init = cls.__dict__.get("__init__")
    if init is None or not cls.__module__.startswith("txqmp."):
        return set()
    (function,) = ast.parse(textwrap.dedent(inspect.getsource(init))).body
    return {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and node.attr.startswith("_")
    }


@pytest.mark.parametrize(
    "cls",
    [TextClient, TextServer, JSONClient, JSONServer, ReplayingTextServer, ReplayingJSONServer],
)
def test_each_private_name_is_set_by_one_class(cls: type) -> None:
    owners: dict[str, type] = {}
    for each in cls.__mro__:
        for name in private_names(each):
            assert owners.setdefault(name, each) is each, f"{name}: {owners[name]} and {each}"
