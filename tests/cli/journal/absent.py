"""A package that is not installed, though it is."""

from __future__ import annotations

import sys

import pytest


class _Finder:
    def __init__(self, absent: str) -> None:
        self._absent = absent

    def find_spec(self, name: str, *_: object) -> None:
        if name == self._absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Have nobody find a package, nor what has imported it already."""
    users = ("txqmp.reports.", "txqmp.cli.", "txqmp.journal.glance", f"{package}.")
    for name in [name for name in sys.modules if f"{name}.".startswith(users)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Finder(package), *sys.meta_path])
