"""
What a report looks like, whole, in files next to this one.

``UPDATE_GOLDEN=1 pytest …`` writes them; ``git diff`` shows what changed.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent


def same(name: str, text: str) -> None:
    """See that a text is that of a file."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
