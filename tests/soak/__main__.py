"""``python -m tests.soak --minutes N``."""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from datetime import date
from pathlib import Path
from random import SystemRandom
from typing import Any

import twisted
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react
from twisted.python.usage import Options, UsageError

import txqmp
from tests.integration.programs import Programs
from tests.soak.ledger import Ledger, Loss
from tests.soak.modes import MODES
from tests.soak.round import Round

ROUND = 30.0
"""Seconds that each proxy lives."""


class SoakOptions(Options):
    """The command line."""

    optParameters = [
        ["minutes", None, 10.0, "how long, over all modes.", float],
        ["seed", None, None, "repeats the choices of a run.", int],
        ["report", None, None, "write the figures to this file, as JSON."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["modes"] = []

    def opt_mode(self, name: str) -> None:
        """one of the modes, all unless given; may be given several times."""
        if name not in MODES:
            raise UsageError(f"no mode {name}: there are {', '.join(MODES)}")
        self["modes"].append(name)


async def soak(options: Any, reactor: Any) -> None:
    """Let them all have their turns until the time is up."""
    names = options["modes"] or list(MODES)
    ledgers = {name: Ledger() for name in names}
    seed = SystemRandom().randrange(1 << 30) if options["seed"] is None else options["seed"]
    print(f"seed {seed}")
    rounds = max(1, round(options["minutes"] * 60 / ROUND / len(names)))
    try:
        for number in range(rounds):
            for name in names:
                with tempfile.TemporaryDirectory(prefix="q") as place:
                    programs = Programs(Path(place))
                    one = Round(
                        MODES[name], seed + number, Path(place), programs, ledgers[name], reactor
                    )
                    try:
                        await one.run(seconds=ROUND)
                    finally:
                        await programs.stop()
                ledger = ledgers[name]
                done = f"{ledger.connections} connections, {ledger.faults.total()} faults"
                print(f"{name} {number + 1}/{rounds}: {done}, nothing lost", flush=True)
    except Loss as loss:
        raise SystemExit(f"LOST (seed {seed + number}): {loss}") from None
    finally:
        modes = {name: ledger.figures() for name, ledger in ledgers.items()}
        report = {
            "date": date.today().isoformat(),
            "seed": seed,
            "versions": {
                "txqmp": txqmp.__version__,
                "Python": platform.python_version(),
                "Twisted": twisted.__version__,
            },
            "modes": modes,
        }
        show(modes)
        if options["report"] is not None:
            Path(options["report"]).write_text(json.dumps(report, indent=2) + "\n")


def show(modes: dict[str, dict[str, Any]]) -> None:
    """Print the figures as a table."""
    names = [name for name, value in next(iter(modes.values())).items() if type(value) is not dict]
    rows = [["mode", *names]]
    rows += [[mode, *(str(figures[name]) for name in names)] for mode, figures in modes.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.rjust, row, widths)))


def main() -> None:
    """Do what the command line says."""
    options = SoakOptions()
    try:
        options.parseOptions()
        if options["report"] is not None:
            Path(options["report"]).touch()
    except (UsageError, OSError) as error:
        raise SystemExit(f"tests.soak: {error}") from None

    def begin(reactor: Any) -> Deferred[None]:
        return ensureDeferred(soak(options, reactor))

    react(begin)


if __name__ == "__main__":
    sys.exit(main())
