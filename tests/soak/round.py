"""One proxy, from its start to its end, with all that comes to it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from tests.integration.programs import Program, Programs, eventually
from tests.soak.bad import BAD, Bad
from tests.soak.behaved import WELL_BEHAVED, Behaved
from tests.soak.clients import Client, Soak
from tests.soak.ledger import Ledger, Loss
from tests.soak.machines import Machines
from tests.soak.modes import Mode
from tests.soak.monitors import GOOD, LONG_LINE, Monitors

AT_A_TIME = 12
PATIENCE = 60.0
"""Seconds in which anything has to be over."""

CONTENT = 4.0
"""Seconds after which a client does not wait any more for what nobody owes it."""

RESTARTS = 0.02
"""How often, of all clients, one comes after which the monitor is restarted."""

SHARED_RESTARTS = 0.01
"""Likewise, where all have the same connection, which takes its time to be made again."""

MOST_CHECKING = 900.0
"""Seconds that a journal may take to be checked: it is not its speed that is looked at."""

MOST_MEMORY = 400 << 20
"""Bytes that a proxy may have had at a time, whatever came to it."""

_FLAWS = ("torn", "schema", "missing", "order", "stamp", "raw")
_MISSING = re.compile(r"records? ([0-9]+)(?: to ([0-9]+))? (?:is|are) missing")
_DENIAL = re.compile(
    rb"""\{(?:"id":[ ](?:[^{}"]|"[^"]*"|\{[^{}]*\})*,[ ])?
       "error":[ ]\{"class":[ ]"GenericError",[ ]"desc":[ ]"denied[ ]by[ ]policy[^"]*"\}\}
     | -[ ]ERR[ ]denied[ ]by[ ]policy[^\r\n]*""",
    re.VERBOSE,
)
_MARK = re.compile(rb"n[0-9]{6}x[0-9]+")


class Round:
    """
    One of them.

    :param seed: all that is left to chance is the same for the same seed, but for the times.
    :param folder: for sockets and the journal.
    :param long_line: bytes in a long one.
    """

    def __init__(
        self,
        mode: Mode,
        seed: int,
        folder: Path,
        programs: Programs,
        ledger: Ledger,
        reactor: Any,
        long_line: int = LONG_LINE,
    ) -> None:
        self.mode = mode
        self.dice = Random(f"{mode.name} {seed}")
        self.ledger = ledger
        self._folder = folder
        self._programs = programs
        self._reactor = reactor
        self._monitors = self._make_monitors(folder / "monitor.sock", long_line)
        self.soak = Soak(mode, Random(self.dice.random()), ledger, self._monitors, reactor)
        self.soak.long_line = long_line
        self._number = 0
        self._sent = self._received = 0
        self._kept: set[bytes] = set()
        self._paths = [folder / f"{index}.sock" for index in range(len(mode.ports))]

    def _make_monitors(self, path: Path, long_line: int) -> Any:
        if self.mode.real:
            return Machines(self._programs, path, self.ledger)
        dice = Random(self.dice.random())
        monitors = Monitors(self.mode.monitor, path, dice, self.ledger, self._reactor)
        monitors.long_line = long_line
        if self.mode.shared:
            # A bad one is everybody's.
            monitors.bad = 0.25
            monitors.delay = 0.01
        return monitors

    async def run(self, connections: int | None = None, seconds: float | None = None) -> None:
        """
        Run it, until so many clients have come, or for so long.

        :raises Loss: something was lost.
        """
        await self._monitors.begin()
        began = monotonic()
        try:
            proxy = await self._start()
            files = await self._serve_all_ports(proxy)
            self._monitors.calm = False
            workers = [self._work(connections, began, seconds) for _ in range(AT_A_TIME)]
            await gatherResults([Deferred.fromCoroutine(worker) for worker in workers])
            if self.ledger.losses:
                raise Loss(self.ledger.losses[0])
            await self._look_after(proxy, files)
            await self._stop(proxy)
        finally:
            self.soak.is_ending = True
            await self._monitors.end()
            self.ledger.seconds += monotonic() - began
        await self._read_journal()

    async def _start(self) -> Program:
        listen = [f"--listen=unix:{self._paths[0]}"]
        listen += [f"--listen-text=unix:{path}" for path in self._paths[1:]]
        proxy = self._programs.twistd(
            "qmp-proxy", f"--connect=unix:{self._folder}/monitor.sock", *listen,
            f"--journal={self._folder}/journal", "--rotate-bytes=100000000", "--keep=1000",
            "--quiet", "--greeting-timeout=3", *self.mode.options,
        )  # fmt: skip
        await proxy.says(b"ready")
        return proxy

    # Who comes.

    async def _work(self, connections: int | None, began: float, seconds: float | None) -> None:
        while (
            not self.ledger.losses
            and (seconds is None or monotonic() - began < seconds)
            and (connections is None or self._number < connections)
        ):
            self._number += 1
            port = self.dice.randrange(len(self._paths))
            with suppress(Loss):
                await self._serve(self._make_client(self._number, port), self._paths[port])
            if self.dice.random() < (SHARED_RESTARTS if self.mode.shared else RESTARTS):
                self._monitors.restart()

    def _make_client(self, number: int, port: int) -> Client:
        dialect, dice = self.mode.ports[port], self.soak.dice
        if dice.random() < 0.6:
            return Behaved(number, dice.choice(WELL_BEHAVED), dialect, self.soak)
        sort = dice.choice(BAD)
        if sort == "long line" and dice.random() < 0.8:
            sort = "mute"
        return Bad(number, sort, dialect, self.soak)

    async def _serve(self, client: Client, path: Path) -> None:
        factory = Factory.forProtocol(lambda: client)  # type: ignore[arg-type]
        factory.noisy = False
        endpoint: Any = UNIXClientEndpoint(self._reactor, str(path))
        try:
            await endpoint.connect(factory)
        except ConnectError as error:
            self.ledger.check(False, f"{client}: cannot connect: {error}")
        self.ledger.connections += 1
        limit = self._reactor.callLater(PATIENCE, self._give_up, client)
        if isinstance(client, Behaved) and not self.mode.shared:
            # A monitor that is silent, or late, owes it nothing.
            client.later(CONTENT, self._be_content, client)
        await client.over
        if limit.active():
            limit.cancel()
        await self._compare(client)

    def _be_content(self, client: Behaved) -> None:
        # What it is to get is to come within the patience; from a good one, soon.
        if client.monitor is None or client.monitor.behaviour != GOOD:
            client.leave()

    def _give_up(self, client: Client) -> None:
        self.soak.see(False, f"{client}: not over after {PATIENCE:g} s")
        client.wire.abortConnection()

    async def _compare(self, client: Client) -> None:
        """Hold what came out on either side against what went in on the other."""
        self.ledger.bytes += len(client.sent) + len(client.heard)
        self._sent += len(client.sent)
        monitor = client.monitor
        if monitor is not None and not self.mode.shared:
            await eventually(lambda: not monitor.open)
            if self.mode.exact:
                self.soak.see(
                    client.sent.startswith(monitor.received), f"{client}: other bytes came"
                )
            said, heard = bytes(monitor.said), bytes(client.heard)
            if self.mode.guarded:
                said, heard = said.translate(None, b"\r\n"), _without_denials(heard)
            self.soak.see(
                said.startswith(heard), f"{client}: other bytes went: {_difference(said, heard)}"
            )
            if self.mode.exact and client.heard_end:
                all_of_it = len(heard) == len(said) or monitor.was_ended
                self.soak.see(all_of_it, f"{client}: {len(heard)} of {len(said)} bytes came")
            if self.mode.guarded:
                self.soak.see(b"device_del" not in monitor.received, f"{client}: not denied")
            self._received += len(monitor.received)
            for bytes_ in (monitor.received, monitor.said):
                bytes_.clear()
        if isinstance(client, Behaved) and client.is_whole:
            self.ledger.whole += 1
            if self.mode.decoded:
                self._kept |= set(_MARK.findall(client.sent))
        failure = self.soak.failure
        self.ledger.check(failure is None, f"{self.mode.name}: {failure}")

    # How it ends.

    async def _look_after(self, proxy: Program, files: int) -> None:
        """Nothing but good clients and monitors: all is as it was."""
        self._monitors.refusing = 0
        self._monitors.end_all()
        await self._serve_all_ports(proxy)
        try:
            await eventually(lambda: len(proxy.open_files()) <= files)
        except AssertionError:
            self.ledger.check(
                False, f"{self.mode.name}: {files} files at first, then {proxy.open_files()}"
            )
        before, after = self.ledger.files
        if not before or len(proxy.open_files()) - files > after - before:
            self.ledger.files = files, len(proxy.open_files())
        status = Path(f"/proc/{proxy.pid}/status").read_text()
        resident = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024
        self.ledger.resident = max(self.ledger.resident, resident)
        self.ledger.check(
            resident < MOST_MEMORY, f"{self.mode.name}: {resident >> 20} MiB of memory"
        )

    async def _serve_all_ports(self, proxy: Program) -> int:
        """See that a good client is served at each port; how many files are open then."""
        self._monitors.calm = True
        for port, path in enumerate(self._paths):
            end = monotonic() + PATIENCE
            client: Behaved | None = None
            while client is None or not client.is_whole:
                self.ledger.check(
                    monotonic() < end and proxy.status is None, f"{self.mode.name}: it hangs"
                )
                self._number += 1
                client = Behaved(self._number, "good", self.mode.ports[port], self.soak)
                await self._serve(client, path)
                await deferLater(self._reactor, 0.05)
        return len(proxy.open_files())

    async def _stop(self, proxy: Program) -> None:
        self.soak.is_ending = True
        await proxy.terminate()
        said = (proxy.out + proxy.err).decode("utf-8", "replace")
        for word in ("Traceback", "Unhandled", "failed"):
            place = said.find(word)
            self.ledger.check(
                place < 0, f"{self.mode.name}: the log: {said[place - 300 : place + 2000]}"
            )

    async def _read_journal(self) -> None:
        checker = self._programs.python(
            "-m", "txqmp", "journal", "check", "--rotated", "--json", str(self._folder / "journal")
        )
        await checker.until(lambda: checker.status is not None, MOST_CHECKING)
        self.ledger.check(bool(checker.out), f"{self.mode.name}: the journal: {checker.err!r}")
        *findings, last = map(json.loads, checker.out.decode().splitlines())
        problems = last["problems"]
        flaws = {name: problems[name] for name in _FLAWS if name in problems}
        marks, passed, lost = self._look_through()
        self.ledger.journal_lost += lost
        if lost:
            # It could not keep up, and has said so: then it may lack as many.
            lacks = sum(_missing(finding["text"]) for finding in findings)
            self.ledger.check(lacks <= lost, f"{self.mode.name}: the journal lacks {lacks - lost}")
            flaws.pop("missing", None)
        told = [finding for finding in findings if finding["what"] in flaws]
        self.ledger.check(not flaws, f"{self.mode.name}: the journal: {flaws} {told[:3]}")
        if lost:
            return
        missing = self._kept - marks
        self.ledger.check(
            not missing, f"{self.mode.name}: not in the journal: {sorted(missing)[:5]}"
        )
        if not self.mode.shared:
            self.ledger.check(
                self._received <= passed <= self._sent,
                f"{self.mode.name}: {passed} bytes journalled, "
                f"{self._sent} sent, {self._received} received",
            )

    def _look_through(self) -> tuple[set[bytes], int, int]:
        """Which marks commands have, how many bytes went to monitors, how many records are lost."""
        marks: set[bytes] = set()
        passed = lost = 0
        for path in self._folder.glob("journal*"):
            with path.open("rb") as lines:
                for line in lines:
                    if b'"kind":"command"' in line:
                        marks |= set(_MARK.findall(line))
                    elif b'"kind":"closed"' in line:
                        passed += json.loads(line)["bytes_to_monitor"]
                    elif b'"kind":"gap"' in line:
                        gap = json.loads(line)
                        # Those of a connection are events that its client was not told of.
                        lost += 0 if gap["connection"] else gap["lost"]
            path.unlink()
        return marks, passed, lost


def _missing(text: str) -> int:
    """How many records a finding is about."""
    found = _MISSING.search(text)
    return 0 if found is None else int(found[2] or found[1]) - int(found[1]) + 1


def _difference(said: bytes, heard: bytes) -> str:
    """Where what was heard is not what was said."""
    pairs = enumerate(zip(said, heard, strict=False))
    place = next((place for place, (one, other) in pairs if one != other), len(said))
    around = slice(max(0, place - 200), place + 200)
    return f"at byte {place}: {said[around]!r} was said, {heard[around]!r} heard"


def _without_denials(heard: bytes) -> bytes:
    """The whole lines that the monitor has said, without their ends."""
    whole, _, _ = heard.rpartition(b"\n")
    return _DENIAL.sub(b"", whole).translate(None, b"\r\n")
