"""What the documentation shows is so."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from txqmp.policy import rulesets
from txqmp.policy.load import parse

PAGE = (Path(__file__).parents[2] / "docs" / "policy.rst").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)", PAGE, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def test_the_file_can_be_read() -> None:
    (text,) = blocks("toml")
    assert [rule.label for rule in parse(text, "page").rules[:2]] == ["images", "not by hand"]


def test_the_code_runs() -> None:
    (code,) = blocks("python")
    exec(code, {})


def test_each_ruleset_is_shown() -> None:
    shown = re.findall(r"literalinclude:: \.\./txqmp/policy/rulesets/(.*)\.toml", PAGE)
    assert sorted(shown) == list(rulesets())
