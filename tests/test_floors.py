"""A module imports from its own floor and those below; the two wings do not know each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "txqmp"
FLOORS = [
    {"errors", "codec"},
    {"journal"},
    {"reports"},
    {"monitor"},
    {"text", "jsonqmp"},
    {"sniffer", "replay"},
    {"testing"},
    {"proxy", "faults", "machine", "gateway", "policy", "shared", "wrap"},
    {"service"},
    {"cli"},
]
WINGS = {"text": "jsonqmp", "jsonqmp": "text"}
# The package's own face re-exports; a program is started from its main module.
DOORS = {"__init__.py", "__main__.py"}
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.relative_to(PACKAGE).parts[0] not in DOORS)


def room(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py")


def floor(name: str) -> int:
    (found,) = [level for level, rooms in enumerate(FLOORS) if name in rooms]
    return found


def imported(path: Path) -> Iterator[str]:
    """The rooms that a module takes something from, at import time or later."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("txqmp."):
            yield node.module.split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_downwards_only(path: Path) -> None:
    name = room(path.relative_to(PACKAGE).parts)
    for other in imported(path):
        assert floor(other) <= floor(name), f"{other} is above {name}"
        assert WINGS.get(name) != other


def test_nothing_imports_the_reactor_with_its_module() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module == "twisted.internet":
                assert "reactor" not in [alias.name for alias in node.names], path
