"""
The journal: what clients and monitors said to each other, one JSON object a line.

``docs/journal.rst`` is the published format.
"""

from __future__ import annotations

from txqmp.journal.display import RecordPrinter
from txqmp.journal.file import JournalFile
from txqmp.journal.reader import Follower, Torn, read
from txqmp.journal.record import SCHEMA, Dialect, Direction, Kind, Record, decode, encode
from txqmp.journal.redact import reveals_secret
from txqmp.journal.writer import Journal

__all__ = [
    "SCHEMA",
    "Dialect",
    "Direction",
    "Follower",
    "Journal",
    "JournalFile",
    "Kind",
    "Record",
    "RecordPrinter",
    "Torn",
    "decode",
    "encode",
    "read",
    "reveals_secret",
]
