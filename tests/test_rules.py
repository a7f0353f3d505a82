"""Each rule of docs/interpretation.rst has a test that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "interpretation.rst"
NAMED = {
    int(number)
    for path in TESTS.rglob("test_*.py")
    for number in re.findall(r"def test_rule_(\d\d)_", path.read_text())
}
RULES = [int(number) for number in re.findall(r"^\.\. _rule-(\d+):", DOCUMENT.read_text(), re.M)]


def test_the_document_has_all_of_them() -> None:
    assert list(range(1, 25)) == RULES


@pytest.mark.parametrize("rule", RULES)
def test_it_is_tested(rule: int) -> None:
    assert rule in NAMED
