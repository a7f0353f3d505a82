"""The command line: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import (  # noqa: F401
    cases_clients,
    cases_inprocess,
    cases_proxy,
    cases_reports,
    cases_wrap,
    plot,
    report,
)
from benchmarks.bench import CASES, Bench, Case, CaseFailed
from benchmarks.machine import describe, is_installed
from benchmarks.measure import Figure, pinned


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure txqmp next to its peers, by turns and on one CPU.",
    )
    parser.add_argument("--list", action="store_true", help="list the cases and do nothing")
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=list(CASES), help="a case; repeatable"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes: does it work? Its figures mean nothing"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each case (default: 5)")
    parser.add_argument("--cpu", type=int, help="the CPU to stay on (default: the last one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a picture (SVG, PNG)")
    parser.add_argument("--rst", action="store_true", help="print a table in reStructuredText")
    options = parser.parse_args(argv)
    if options.rounds is None:
        options.rounds = 1 if options.quick else 5
    if options.rounds < 1:
        parser.error("at least one round")
    if options.plot is not None and find_spec("matplotlib") is None:
        parser.error("--plot wants matplotlib: pip install '.[bench]'")
    if options.cpu is None:
        options.cpu = max(os.sched_getaffinity(0))
    return options


def say(text: str) -> None:
    """Print, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def missing(case: Case) -> str:
    """Why a case cannot run; empty where it can."""
    absent = [need for need in case.needs if not is_installed(need)]
    verb = "is" if len(absent) == 1 else "are"
    return f"{' and '.join(absent)} {verb} not installed" if absent else ""


def run(case: Case, options: argparse.Namespace) -> tuple[list[Figure], dict[str, Any]]:
    """Run a case; give its figures, and what is written of it."""
    reason = missing(case)
    if reason:
        return [], {"skipped": reason}
    folder = Path(tempfile.mkdtemp(prefix="b"))  # sockets must have short paths
    bench = Bench(folder, options.quick, options.rounds)
    try:
        with pinned(options.cpu):
            figures = list(case.run(bench))
    except (CaseFailed, AssertionError, OSError, subprocess.SubprocessError) as error:
        return [], {"failed": str(error) or repr(error)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return figures, {"figures": [figure.as_json() for figure in figures], "raw": bench.raw}


def main(argv: Sequence[str]) -> int:
    """
    Do what the command line says.

    :returns: the exit status: 1 when a case failed, whatever the figures.
    """
    options = _options(argv)
    if options.list:
        for case in CASES.values():
            say(f"{case.name:24} {case.summary}")
        return 0
    machine = describe()
    for name, value in machine.items():
        say(f"{name}: {value}")
    say(f"rounds: {options.rounds}{' of tiny sizes: the figures mean nothing' * options.quick}")
    say("")
    if not options.rst:
        say(report.heading())
    everything: list[Figure] = []
    written: dict[str, Any] = {}
    for name in options.only or CASES:
        figures, written[name] = run(CASES[name], options)
        everything += figures
        for what in ("skipped", "failed"):
            if what in written[name]:
                say(f"{name}: {what}: {written[name][what]}")
        if figures and not options.rst:
            say(report.plain(figures))
    if options.rst:
        say(report.rst(everything))
    if options.json is not None:
        found = {
            "machine": machine,
            "quick": options.quick,
            "rounds": options.rounds,
            "cases": written,
        }
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.plot is not None:
        plot.draw(everything, options.plot)
    return int(any("failed" in result for result in written.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
