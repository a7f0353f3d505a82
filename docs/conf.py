"""Sphinx configuration."""

from __future__ import annotations

from typing import Any

import txqmp

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


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-skip-member", skip_fields)
