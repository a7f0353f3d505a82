"""Clients and servers of both dialects, against their peers in processes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from shutil import which

from benchmarks.bench import Bench, case
from benchmarks.measure import Figure, Samples, Target, at_least, at_most

MICRO = 1e6
NAMES = ("query-status", "query-name")
NO_ORJSON = "TXQMP_NO_ORJSON"


def _qemu(bench: Bench, stack: ExitStack) -> str:
    path = str(bench.folder / "qemu.sock")
    qemu = which("qemu-system-x86_64")
    machine = ["-machine", "none", "-nodefaults", "-display", "none"]
    monitor = ["-qmp", f"unix:{path},server=on,wait=off"]
    stack.enter_context(bench.serve("qemu.sock", qemu, *machine, *monitor))
    return path


def _json(
    bench: Bench, name: str, count: int, commands: Sequence[str], orjson: bool
) -> tuple[Samples, str]:
    """Both clients before one QEMU; and what must be said of the codec."""
    environment = {} if orjson else {NO_ORJSON: "1"}
    with ExitStack() as stack:
        path = _qemu(bench, stack)
        samples = bench.compare(
            {
                "txqmp": lambda: bench.run(
                    "json_client", "txqmp", path, count, *commands, **environment
                ),
                "qemu.qmp": lambda: bench.run("json_client", "qemu.qmp", path, count, *commands),
            }
        )
    used = any(samples.of("txqmp", "orjson"))
    return samples, "" if used is orjson else "txqmp did not load orjson"


def _pair(
    name: str, samples: Samples, key: str, peer: str, target: Target | None = None, note: str = ""
) -> Figure:
    """Seconds that both took, in microseconds."""
    ours, theirs = samples.of("txqmp", key, MICRO), samples.of(peer, key, MICRO)
    return Figure(name, "µs", ours, theirs, peer, target, note)


def _json_figures(bench: Bench, name: str, orjson: bool, cpu: float) -> list[Figure]:
    samples, note = _json(bench, name, bench.size(2000, 100), NAMES, orjson)
    trip = "json-round-trip" if orjson else "json-round-trip-stdlib"
    return [
        _pair(name, samples, "cpu", "qemu.qmp", at_most(cpu), note),
        _pair(trip, samples, "wall", "qemu.qmp", at_most(0.60)),
    ]


@case(
    "json-client-cpu",
    "JSON client before a real QEMU, with orjson",
    "qemu-system-x86_64",
    "qemu.qmp",
    "orjson",
)
def json_client_cpu(bench: Bench) -> list[Figure]:
    """Client CPU and round trip of short queries, one by one."""
    return _json_figures(bench, "json-client-cpu", True, 0.28)


@case(
    "json-client-cpu-stdlib",
    "the same with the standard library's json",
    "qemu-system-x86_64",
    "qemu.qmp",
)
def json_client_cpu_stdlib(bench: Bench) -> list[Figure]:
    """Client CPU and round trip of short queries, one by one."""
    return _json_figures(bench, "json-client-cpu-stdlib", False, 0.33)


@case("json-schema", "query-qmp-schema (207 kB)", "qemu-system-x86_64", "qemu.qmp")
def json_schema(bench: Bench) -> list[Figure]:
    """Client CPU of one large answer."""
    samples, note = _json(bench, "json-schema", bench.size(40, 3), ["query-qmp-schema"], True)
    return [
        _pair("json-schema", samples, "cpu", "qemu.qmp", at_most(0.13), note),
        _pair("json-schema, wall", samples, "wall", "qemu.qmp"),
    ]


def _text_clients(bench: Bench, count: int, window: int) -> Samples:
    path = bench.folder / "monitor.sock"

    def client(kind: str) -> dict[str, float]:
        return bench.run("text_client", kind, path, count, window)

    with bench.serve("monitor.sock", "plain_monitor", path):
        return bench.compare({"txqmp": lambda: client("txqmp"), "stock": lambda: client("stock")})


@case("text-ping-pong", "text client, one command at a time")
def text_ping_pong(bench: Bench) -> list[Figure]:
    """Client CPU, against a plain LineReceiver client with a Deferred per command."""
    samples = _text_clients(bench, bench.size(10_000, 200), 1)
    return [
        _pair("text-ping-pong", samples, "cpu", "stock", at_most(0.60)),
        _pair("text-ping-pong, wall", samples, "wall", "stock"),
    ]


def _rates(name: str, samples: Samples, key: str, peer: str, target: Target | None) -> Figure:
    """Operations a second, in thousands, of what took a time each."""
    ours, theirs = ([1e-3 / time for time in samples.of(one, key)] for one in ("txqmp", peer))
    return Figure(name, "k/s", ours, theirs, peer, target)


@case("text-pipelined", "text client and text server, 1,000 commands on the way")
def text_pipelined(bench: Bench) -> list[Figure]:
    """Commands for each second of CPU, of the client and of the server."""
    count = bench.size(60_000, 2000)
    clients = _text_clients(bench, count, 1000)
    with ExitStack() as stack:
        servers = {}
        for kind in ("txqmp", "stock"):
            path = bench.folder / f"{kind}.sock"
            servers[kind] = (
                path,
                stack.enter_context(bench.serve(path.name, "text_server", kind, path)),
            )

        def load(kind: str) -> dict[str, float]:
            return bench.run("plain_client", "pipeline", *servers[kind], count, 1000)

        loaded = bench.compare({"txqmp": lambda: load("txqmp"), "stock": lambda: load("stock")})
    return [
        _rates("text-pipelined-client", clients, "cpu", "stock", at_least(1.4)),
        _rates("text-pipelined-client, wall", clients, "wall", "stock", None),
        _rates("text-pipelined-server", loaded, "cpu", "stock", at_least(1.4)),
        _rates("text-pipelined-server, wall", loaded, "wall", "stock", None),
    ]


@case("connections", "1,000 connections at once")
def connections(bench: Bench) -> list[Figure]:
    """Operations a second of the server, and its memory for each connection."""
    crowd, count = bench.size(1000, 50), bench.size(40_000, 1000)

    def load(kind: str) -> dict[str, float]:
        path = bench.folder / f"{kind}.sock"
        with bench.serve(path.name, "text_server", kind, path) as pid:
            return bench.run("plain_client", "many", path, pid, count, crowd)

    samples = bench.compare({"txqmp": lambda: load("txqmp"), "asyncio": lambda: load("asyncio")})
    memory = [samples.of(kind, "memory", 1 / 1024) for kind in ("txqmp", "asyncio")]
    return [
        _rates("connections", samples, "wall", "asyncio", at_least(1.4)),
        _rates("connections, server CPU", samples, "cpu", "asyncio", None),
        Figure("connections, memory", "KiB each", memory[0], target=at_most(4)),
        Figure("connections, memory beside", "KiB each", *memory, peer="asyncio"),
    ]
