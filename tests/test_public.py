"""The names of the package: there, in order, documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import txqmp

API = Path(__file__).parents[1] / "docs" / "api.rst"


def test_they_are_sorted() -> None:
    assert txqmp.__all__ == sorted(set(txqmp.__all__))


@pytest.mark.parametrize("name", txqmp.__all__)
def test_each_is_there(name: str) -> None:
    assert getattr(txqmp, name).__name__ == name


@pytest.mark.parametrize("name", txqmp.__all__)
def test_each_is_documented(name: str) -> None:
    # From there on the names are those of ``txqmp.testing``: it has a ``connect`` of its own.
    text = API.read_text().partition(".. automodule:: txqmp.testing")[0]
    assert re.search(rf"^\.\. \S+:: {name}$", text, re.MULTILINE)
