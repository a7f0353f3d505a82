"""Sphinx configuration."""

from __future__ import annotations

from typing import Any

from sphinx.util.docutils import SphinxDirective

import txqmp
from txqmp.gateway.catalogue import rows
from txqmp.policy.load import CLIENT, RULE, TOP

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


class GatewayCommands(SphinxDirective):
    """A table of what the gateway makes of each command, from what it goes by itself."""

    def run(self) -> list[Any]:
        """Make the table."""
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 34 18 28 20", ""]
        head = ("command", "way", "becomes", "note")
        cells = [head] + [
            (
                f"``{row.known.names} {row.known.params}".rstrip() + "``",
                row.way.value,
                f"``{row.becomes}``" if row.becomes else "",
                row.note,
            )
            for row in rows()
        ]
        for row in cells:
            marks = ("   * -", *["     -"] * (len(row) - 1))
            lines += [f"{mark} {cell}".rstrip() for mark, cell in zip(marks, row, strict=True)]
        return list(self.parse_text_to_nodes("\n".join(lines)))


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
    app.add_directive("gateway-commands", GatewayCommands)
    app.add_directive("policy-keys", PolicyKeys)
    app.connect("autodoc-skip-member", skip_fields)
