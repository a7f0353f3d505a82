"""What a case has to work with: sizes, rounds, a folder, and programs that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Figure, Sample, Samples, take_turns

ROOT = Path(__file__).parents[1]
PATIENCE = 30.0
"""Seconds in which a server must be there, or must have ended."""
LIMIT = 600.0
"""Seconds that one run of a contestant may take."""


class CaseFailed(Exception):
    """A program of a case did not do what it should; the message says what it said."""


@dataclass(frozen=True)
class Case:
    """
    One case.

    :ivar needs: programs and Python packages without which it is skipped.
    """

    name: str
    summary: str
    needs: tuple[str, ...]
    run: Callable[[Bench], Sequence[Figure]]


CASES: dict[str, Case] = {}
"""All cases, in the order in which they run."""

_Run = Callable[["Bench"], Sequence[Figure]]


def case(name: str, summary: str, *needs: str) -> Callable[[_Run], _Run]:
    """Register the decorated function as a case."""

    def register(run: _Run) -> _Run:
        CASES[name] = Case(name, summary, needs, run)
        return run

    return register


class Bench:
    """
    What a case gets.

    :param folder: for sockets and journals; its path is short.
    :param quick: sizes are tiny: only whether it works is asked.
    :param rounds: how often each contestant runs.
    :ivar raw: all that contestants gave, a dictionary for each comparison.
    """

    def __init__(self, folder: Path, quick: bool, rounds: int) -> None:
        self.folder = folder
        self.quick = quick
        self.rounds = rounds
        self.raw: list[dict[str, list[Sample]]] = []

    def size(self, full: int, quick: int) -> int:
        """How much to do."""
        return quick if self.quick else full

    def compare(self, contestants: Mapping[str, Callable[[], Sample]]) -> Samples:
        """Run all contestants by turns, after a warm-up."""
        samples = take_turns(contestants, self.rounds, warm_up=not self.quick)
        self.raw.append(samples.rounds)
        return samples

    def run(self, program: str, *arguments: object, **environment: str) -> dict[str, float]:
        """
        Run a program of ``benchmarks/programs`` to its end.

        :returns: the JSON object that it printed.
        :raises CaseFailed: it printed none.
        """
        argv = [sys.executable, "-m", f"benchmarks.programs.{program}", *map(str, arguments)]
        ended = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            cwd=self.folder,
            env=self._environment(environment),
            check=False,
        )
        if ended.returncode:
            raise CaseFailed(f"{program} ended with {ended.returncode}: {ended.stderr[-2000:]}")
        answer: dict[str, float] = json.loads(ended.stdout)
        return answer

    @contextmanager
    def serve(self, socket: str, *argv: object) -> Iterator[int]:
        """
        Run a server until the block ends.

        :param socket: the UNIX socket, in the case's folder, that it will listen on.
        :param argv: a program of ``benchmarks/programs``, or any other by its path.
        :returns: its process id.
        """
        words = [str(word) for word in argv]
        if not words[0].startswith("/"):
            words[:1] = [sys.executable, "-m", f"benchmarks.programs.{words[0]}"]
        said = self.folder / f"{socket}.log"
        with said.open("ab") as log:
            server = subprocess.Popen(
                words,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment({}),
            )
        try:
            path = self.folder / socket
            wait_until(lambda: server.poll() is not None or listens(path), words[0])
            if server.poll() is not None:
                raise CaseFailed(f"{' '.join(words)} ended: {said.read_text()[-2000:]}")
            yield server.pid
        finally:
            server.terminate()
            try:
                server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            (self.folder / socket).unlink(missing_ok=True)

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """
    Wait for something that nobody announces.

    :raises CaseFailed: it never came.
    """
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise CaseFailed(f"waited in vain for {what}")
        time.sleep(0.01)


def listens(path: Path) -> bool:
    """Whether a UNIX socket takes connections, found out without making one."""
    table = Path("/proc/net/unix").read_text().splitlines()
    listening = {line.split()[-1] for line in table if line.split()[3] == "00010000"}
    # haproxy makes its socket under another name.
    renamed = path.exists() and any(name.startswith(f"{path}.") for name in listening)
    return str(path) in listening or renamed
