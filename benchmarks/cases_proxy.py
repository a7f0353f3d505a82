"""What stands between: the proxy, the relay alone, and their peers."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import which
from statistics import median

from benchmarks.bench import Bench, CaseFailed, case
from benchmarks.machine import is_installed
from benchmarks.measure import Figure, Samples, at_least, at_most
from benchmarks.programs.meter import cpu_time, resident

MICRO = 1e6
MEGA = 1_000_000
_QUIET = 0.5
"""Seconds in which two processes have done nothing: they are stuck."""
_TWISTD = "from twisted.scripts.twistd import run; run()"


class Between:
    """Starts what stands between, each with the monitor behind it."""

    def __init__(self, bench: Bench, stack: ExitStack) -> None:
        self._bench = bench
        self._stack = stack
        self._monitor = bench.folder / "monitor.sock"
        self.servers: dict[str, tuple[Path, int]] = {}
        self._start("direct", "monitor.sock", "plain_monitor", self._monitor)

    def _start(self, name: str, file: str, *argv: object) -> None:
        pid = self._stack.enter_context(self._bench.serve(file, *argv))
        self.servers[name] = (self._bench.folder / file, pid)

    def forwarder(self, kind: str, *more: object) -> None:
        """Start a program of ours or of Twisted's."""
        path = self._bench.folder / f"{kind}.sock"
        self._start(kind, path.name, "forwarder", kind, path, self._monitor, *more)

    def socat(self, name: str = "socat", *options: str) -> None:
        """Start socat, as it is by default or with options."""
        path = self._bench.folder / f"{name.replace(' ', '')}.sock"
        self._start(
            name, path.name, which("socat"), *options,
            f"UNIX-LISTEN:{path},fork", f"UNIX-CONNECT:{self._monitor}",
        )  # fmt: skip

    def haproxy(self) -> None:
        """Start haproxy."""
        path = self._bench.folder / "haproxy.sock"
        settings = self._bench.folder / "haproxy.cfg"
        settings.write_text(
            "global\n  nbthread 1\n"
            "defaults\n  mode tcp\n"
            "  timeout connect 10s\n  timeout client 10m\n  timeout server 10m\n"
            f"listen monitor\n  bind unix@{path}\n  server monitor unix@{self._monitor}\n"
        )
        self._start("haproxy", path.name, which("haproxy"), "-db", "-f", settings)

    def proxy(self, journal: Path, name: str = "recording", *options: str) -> None:
        """Start the recording proxy, as it is by default but for the rotation of its journal."""
        path, monitor = self._bench.folder / f"{name}.sock", self._monitor
        if options:
            # The stock monitor has one client at a time, and one that is shared never leaves.
            monitor = self._bench.folder / f"{name}-monitor.sock"
            self._start(f"{name} monitor", monitor.name, "plain_monitor", monitor)
        self._start(
            name, path.name, sys.executable, "-c", _TWISTD, "-n", "--pidfile=",
            "qmp-proxy", "--quiet", f"--listen=unix:{path}", f"--connect=unix:{monitor}",
            f"--journal={journal}", "--rotate-bytes=0", *options,
        )  # fmt: skip

    def load(self, name: str, mode: str, *arguments: object) -> dict[str, float]:
        """Run a plain client through one of them."""
        return self._bench.run("plain_client", mode, *self.servers[name], *arguments)


@contextmanager
def _between(bench: Bench) -> Iterator[Between]:
    with ExitStack() as stack:
        yield Between(bench, stack)


@case("proxy-round-trip", "what a proxy adds to a round trip", "socat")
def proxy_round_trip(bench: Bench) -> list[Figure]:
    """The time of a command through each, less that of a direct connection."""
    count = bench.size(8000, 200)
    haproxy = is_installed("haproxy")
    with _between(bench) as between:
        between.socat()
        between.forwarder("relay")
        between.proxy(bench.folder / "trip.jsonl")
        between.forwarder("portforward")
        if haproxy:
            between.haproxy()
        samples = bench.compare(
            {name: (lambda n=name: between.load(n, "ping", count)) for name in between.servers}
        )
    direct = median(samples.of("direct", "wall", MICRO))
    note = f"added to the {direct:.1f} µs of a direct connection"
    if not haproxy:
        note += "; haproxy skipped: haproxy is not installed"

    def added(name: str, contestant: str, target: float | None, note: str = "") -> Figure:
        ours, theirs = (samples.added(c, "direct", "wall", MICRO) for c in (contestant, "socat"))
        wanted = None if target is None else at_most(target)
        return Figure(name, "µs", ours, theirs, "socat", wanted, note)

    figures = [
        added("proxy-round-trip, relay only", "relay", 2.7, note),
        added("proxy-round-trip, recording", "recording", 3.5),
        added("proxy-round-trip, portforward", "portforward", None, "not txqmp: for information"),
    ]
    if haproxy:
        figures.append(
            added("proxy-round-trip, haproxy", "haproxy", None, "not txqmp: for information")
        )
    for kind in ("relay", "recording"):
        cpu = [samples.of(c, "cpu", MICRO) for c in (kind, "portforward")]
        figures.append(Figure(f"proxy-round-trip, {kind}, CPU", "µs", *cpu, "portforward"))
    return figures


@case("proxy-guards", "what a policy, and a shared monitor, add to a round trip")
def proxy_guards(bench: Bench) -> list[Figure]:
    """The time of a command with either, and the CPU time of the proxy, next to recording alone."""
    count = bench.size(4000, 100)
    policy = ("--deny=quit", "--deny=system_*", "--deny=migrate")
    more = {"policy": policy, "shared": ("--shared",), "both": ("--shared", *policy)}
    with _between(bench) as between:
        between.proxy(bench.folder / "recording.jsonl")
        for name, options in more.items():
            between.proxy(bench.folder / f"{name}.jsonl", name, *options)
        samples = bench.compare(
            {name: (lambda n=name: between.load(n, "ping", count)) for name in ("recording", *more)}
        )
    return [
        Figure(
            f"proxy-guards, {name}{what}",
            "µs",
            samples.of(name, key, MICRO),
            samples.of("recording", key, MICRO),
            "recording",
        )
        for name in more
        for key, what in (("wall", ""), ("cpu", ", CPU"))
    ]


def _speed(name: str, samples: Samples, ours: str, peer: str, target: float | None) -> Figure:
    pair = [[1 / MEGA / time for time in samples.of(c, "wall")] for c in (ours, peer)]
    wanted = None if target is None else at_least(target)
    return Figure(name, "MB/s", *pair, peer, wanted)


@case("proxy-bulk", "long answers through a proxy", "socat")
def proxy_bulk(bench: Bench) -> list[Figure]:
    """MB/s of data lines of 64 bytes, until the client and the journal have them all."""
    size = bench.size(500 * MEGA, 5 * MEGA)
    with _between(bench) as between:
        between.socat()
        between.socat("socat -b65536", "-b65536")
        between.forwarder("relay")
        between.forwarder("portforward")
        passed = bench.compare(
            {
                name: (lambda n=name: between.load(n, "bulk", size))
                for name in ("relay", "socat", "socat -b65536", "portforward", "direct")
            }
        )
    size = bench.size(4 * MEGA, MEGA // 5) // 64 * 64
    ours, theirs = bench.folder / "ours.jsonl", bench.folder / "theirs.jsonl"
    with _between(bench) as between:
        between.proxy(ours)
        between.forwarder("recorder", theirs)
        theirs.touch()
        recorded = bench.compare(
            {
                "recording": lambda: between.load("recording", "bulk", size, ours),
                "recorder": lambda: between.load("recorder", "bulk", size, theirs),
            }
        )
    for path in (ours, theirs):
        path.unlink()
    figures = [
        _speed("proxy-bulk, relay only", passed, "relay", "socat", 1.8),
        _speed("proxy-bulk, relay, direct", passed, "relay", "direct", None),
        _speed("proxy-bulk, relay, 64 KiB", passed, "relay", "socat -b65536", None),
        _speed("proxy-bulk, portforward", passed, "portforward", "socat", None),
        _speed("proxy-bulk, recording", recorded, "recording", "recorder", 3),
    ]
    figures[3].note = "not txqmp: for information"
    figures[4].peer = "LineReceiver + json"
    cpu = [recorded.of(c, "cpu", MEGA) for c in ("recording", "recorder")]
    figures.append(Figure("proxy-bulk, recording, CPU", "µs/B", *cpu, "LineReceiver + json"))
    for contestant in ("recording", "recorder"):
        lost = size // 64 - min(recorded.of(contestant, "recorded"))
        if lost:
            figures[4].note += f"{contestant}: up to {lost:.0f} of {size // 64} lines not recorded "
    return figures


@case("proxy-memory", "a reader that is stuck, 500 MB offered")
def proxy_memory(bench: Bench) -> list[Figure]:
    """How much more memory the proxy has when nothing moves any more."""
    size = bench.size(500 * MEGA, 50 * MEGA)

    def grow(kind: str) -> dict[str, float]:
        with _between(bench) as between:
            if kind == "relay":
                between.forwarder("relay")
            else:
                between.proxy(bench.folder / "stuck.jsonl")
            between.load(kind, "bulk", 256 * 1024)
            path, pid = between.servers[kind]
            _, monitor = between.servers["direct"]
            before = resident(pid)
            with socket.socket(socket.AF_UNIX) as reader:
                reader.connect(str(path))
                reader.sendall(b"flood %d\r\n" % size)
                _until_stuck(pid, monitor)
                if len(reader.recv(MEGA, socket.MSG_PEEK)) < 10_000:
                    raise CaseFailed("nothing came through the proxy")
                return {"grown": (resident(pid) - before) / MEGA}

    samples = bench.compare({kind: (lambda k=kind: grow(k)) for kind in ("recording", "relay")})
    return [
        Figure(
            "proxy-memory, recording", "MB", samples.of("recording", "grown"), target=at_most(2)
        ),
        Figure("proxy-memory, relay only", "MB", samples.of("relay", "grown"), target=at_most(2)),
    ]


def _until_stuck(*pids: int) -> None:
    """Wait until processes do nothing any more."""
    end = time.monotonic() + 30
    used = 0.0
    while time.monotonic() < end:
        before, used = used, sum(map(cpu_time, pids))
        if used - before < 0.002:
            return
        time.sleep(_QUIET)
    raise CaseFailed("the proxy still works for a reader that does not read")
