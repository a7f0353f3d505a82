"""Sphinx configuration."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sphinx.util.docutils import SphinxDirective

import txqmp
from txqmp.gateway.catalogue import rows
from txqmp.policy.load import CLIENT, RULE, TOP
from txqmp.reports.conditions import KEYS
from txqmp.reports.sorts import OPERATORS
from txqmp.reports.volatile import PASSING, VOLATILE

project = "txqmp"
author = "The txqmp authors"
copyright = f"2026, {author}"
version = release = txqmp.__version__

extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

html_theme = "alabaster"
html_theme_options = {"description": "The QEMU Monitor Protocol for Twisted"}

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"


def skip_fields(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool:
    """Leave the fields of named tuples out: the class describes them."""
    return skip or str(getattr(member, "__doc__", "")).startswith("Alias for field number")


def table(widths: str, cells: Iterable[Sequence[str]]) -> str:
    """Write a table whose first row is its head."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in cells:
        marks = ("   * -", *["     -"] * (len(row) - 1))
        lines += [f"{mark} {cell}".rstrip() for mark, cell in zip(marks, row, strict=True)]
    return "\n".join(lines)


class GatewayCommands(SphinxDirective):
    """A table of what the gateway makes of each command, from what it goes by itself."""

    def run(self) -> list[Any]:
        """Make the table."""
        cells = [("command", "way", "becomes", "note")] + [
            (
                f"``{row.known.names} {row.known.params}".rstrip() + "``",
                row.way.value,
                f"``{row.becomes}``" if row.becomes else "",
                row.note,
            )
            for row in rows()
        ]
        return list(self.parse_text_to_nodes(table("34 18 28 20", cells)))


class DiffIgnored(SphinxDirective):
    """A table of the fields that a diff leaves out, from what it goes by itself."""

    def run(self) -> list[Any]:
        """Make the table."""
        cells = [("field", "what it is")] + [
            (f"``{volatile.pattern}``", volatile.what) for volatile in VOLATILE
        ]
        return list(self.parse_text_to_nodes(table("45 55", cells)))


class DiffSettled(SphinxDirective):
    """A table of what a diff makes the same in strings, from what it goes by itself."""

    def run(self) -> list[Any]:
        """Make the table."""
        cells = [("regular expression", "becomes", "what it is")] + [
            (f"``{part.pattern}``", f"``{part.instead}``", part.what) for part in PASSING
        ]
        return list(self.parse_text_to_nodes(table("28 22 50", cells)))


class FilterKeys(SphinxDirective):
    """A table of the keys of the filter language, from what it goes by itself."""

    def run(self) -> list[Any]:
        """Make the table."""
        cells = [("key", "what it is", "operators and values", "example")] + [
            (
                f"``{key.name}``",
                key.about,
                f"{' '.join(f'``{sign}``' for sign in key.sort.operators)} {key.sort.values}",
                f"``{key.example}``",
            )
            for key in KEYS.values()
        ]
        return list(self.parse_text_to_nodes(table("12 34 32 22", cells)))


class FilterOperators(SphinxDirective):
    """A table of the operators of the filter language, from what it goes by itself."""

    def run(self) -> list[Any]:
        """Make the table."""
        cells = [("operator", "the value of the key")] + [
            (f"``{sign}``", about) for sign, about in OPERATORS.items()
        ]
        return list(self.parse_text_to_nodes(table("20 80", cells)))


class SoakFigures(SphinxDirective):
    """A table of what a soak has counted, from its report."""

    def run(self) -> list[Any]:
        """Make the table."""
        path = Path(__file__).with_name("reliability.json")
        self.env.note_dependency(str(path))
        report = json.loads(path.read_text(encoding="utf-8"))
        modes = report["modes"]
        names = [name for name in next(iter(modes.values())) if name != "faults by sort"]
        cells = [["mode", *names]]
        for mode, figures in modes.items():
            cells.append([f"``{mode}``", *(_shown(figures[name]) for name in names)])
        versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
        sums = Counter[str]()
        for figures in modes.values():
            sums.update({name: n for name, n in figures.items() if isinstance(n, int | float)})
            sums.update(figures["faults by sort"])
        about = (
            f"{report['date']}, seed {report['seed']}; {versions}: {_shown(sums['minutes'])} "
            f"minutes, {_shown(sums['connections'])} connections, {_shown(sums['commands'])} "
            f"commands, {_shown(sums['faults'])} faults, **{_shown(sums['losses'])} losses**."
        )
        sorts = dict.fromkeys(
            sort for figures in modes.values() for sort in figures["faults by sort"]
        )
        faults = [("fault", "times"), *((sort, _shown(sums[sort])) for sort in sorted(sorts))]
        widths = " ".join(["20", *["8"] * len(names)])
        parts = (about, table(widths, cells), table("70 30", faults))
        return list(self.parse_text_to_nodes("\n\n".join(parts)))


def _shown(value: Any) -> str:
    """Write a figure; of files, those before and after."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


class PolicyKeys(SphinxDirective):
    """A table of what a policy's file, a rule, or its ``client`` has, as it is read."""

    required_arguments = 1

    def run(self) -> list[Any]:
        """Make the table."""
        keys = {"file": TOP, "rule": RULE, "client": CLIENT}[self.arguments[0]]
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 20 80", ""]
        for key, meaning in {"key": "meaning", **{f"``{key}``": keys[key] for key in keys}}.items():
            lines += [f"   * - {key}", f"     - {meaning}"]
        return list(self.parse_text_to_nodes("\n".join(lines)))


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.add_directive("soak-figures", SoakFigures)
    app.add_directive("diff-ignored", DiffIgnored)
    app.add_directive("diff-settled", DiffSettled)
    app.add_directive("filter-keys", FilterKeys)
    app.add_directive("filter-operators", FilterOperators)
    app.add_directive("gateway-commands", GatewayCommands)
    app.add_directive("policy-keys", PolicyKeys)
    app.connect("autodoc-skip-member", skip_fields)
