"""Whatever a tap records, in any test, is held against the published schema and its own bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from txqmp.journal.record import Entry, Record, Run, decode, encode
from txqmp.journal.redact import redact
from txqmp.proxy.reread import disagreement
from txqmp.proxy.tap import Tap
from txqmp.reports.schema import Validator

_validator = Validator()


@contextmanager
def judged() -> Iterator[list[str]]:
    """Look at all that taps record meanwhile; give what is wrong with it."""
    problems: list[str] = []
    make = Tap.__init__

    def made(tap: Tap, record: Callable[[list[Entry]], None], *args: Any, **more: Any) -> None:
        def look(entries: list[Entry]) -> None:
            for entry in entries:
                for one in entry.records() if isinstance(entry, Run) else [entry]:
                    problems.extend(problems_of(one))
            record(entries)

        make(tap, look, *args, **more)

    with mock.patch.object(Tap, "__init__", made):
        yield problems


def problems_of(record: Record) -> Iterator[str]:
    """What is wrong with a record, as it is and redacted."""
    marked = replace(record, run="0a1b2c3d")
    for written in (marked, redact(marked)):
        try:
            line = encode(written)
        except (ValueError, RecursionError):
            continue  # the journal writes the problem instead
        wrong = _validator.problem(json.loads(line)) or disagreement(decode(line))
        if wrong:
            yield f"{wrong}: {line.decode('ascii')}"
