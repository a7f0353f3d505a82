"""What peers said, shown so that it does nothing to whatever shows it."""

from __future__ import annotations

import re

_UNSAFE = re.compile(r"[^ -~]")


def printable(text: str) -> str:
    """Write a text in printable ASCII: no control character, and nothing that reorders."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def legible(text: str) -> str:
    """Write what a user gave: letters of any script, but no control character."""
    return "".join(c if c.isprintable() else printable(c) for c in text)
