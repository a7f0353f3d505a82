"""The names of the package: there, in order, documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import txqmp

ROOT = Path(__file__).parents[1]
API = ROOT / "docs" / "api.rst"


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


def test_no_other_is() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Monitor'"):
        getattr(txqmp, "Monitor")  # noqa: B009


def test_all_are_listed() -> None:
    assert set(txqmp.__all__) <= set(dir(txqmp))


def test_the_package_itself_imports_nothing() -> None:
    # What wraps a QEMU has to be there before anybody notices.
    code = "import sys, txqmp; sys.exit(any(m.startswith('twisted') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
