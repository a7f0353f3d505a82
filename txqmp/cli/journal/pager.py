"""What is shown on a terminal, a screen at a time."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast

_OURS = {"LESS": "FRX", "LV": "-c"}
"""Colours as they are, and no screen of its own for what fits on one; unless a user says else."""


@contextmanager
def paged(wanted: bool) -> Iterator[TextIO]:
    """
    Give what to write to: a pager, on a terminal where there is one, or standard output.

    A pager that is left, and Ctrl-C, end the writing; it is waited for in any case.

    :param wanted: whether there should be one.
    """
    argv = _pager() if wanted and sys.stdout.isatty() else []
    if not argv:
        yield sys.stdout
        return
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        env={**_OURS, **os.environ},
        encoding="utf-8",
        errors="backslashreplace",
    ) as process:
        out = cast(TextIO, process.stdin)
        try:
            with suppress(BrokenPipeError, KeyboardInterrupt):
                yield out
        finally:
            with suppress(BrokenPipeError):
                out.close()
            _wait(process)


def _pager() -> list[str]:
    try:
        argv = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:
        return []
    return argv if argv and shutil.which(argv[0]) and argv != ["cat"] else []


def _wait(process: subprocess.Popen[str]) -> None:
    while process.returncode is None:
        # Ctrl-C means the pager, which goes on.
        with suppress(KeyboardInterrupt):
            process.wait()
