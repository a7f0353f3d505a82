"""Framing and bulk replies, fed to protocols in this very process; and the journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineReceiver

from benchmarks.bench import Bench, case
from benchmarks.measure import Figure, Samples, Target, at_least, at_most
from benchmarks.programs.meter import Meter
from benchmarks.stock import GREETING, StockClient
from txqmp import TextClientFactory
from txqmp.monitor.framing import BoundedLineReceiver

CHUNK = 64 * 1024
LINE = b"= " + b"x" * 26 + b"\r\n"
MEGA = 1_000_000
MIB = 1024 * 1024
_LONGEST = 64 * MIB


class _Counting:
    """Counts the lines it is given."""

    MAX_LENGTH = _LONGEST
    delimiter = b"\r\n"
    lines = 0

    def lineReceived(self, line: bytes) -> None:
        """Count it."""
        self.lines += 1


class Ours(_Counting, BoundedLineReceiver):
    """txqmp's framing."""


class Stock(_Counting, LineReceiver):
    """Twisted's."""


def _chunks(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def _feed(receiver: Any, chunks: Sequence[bytes], lines: int) -> dict[str, float]:
    """Time how long a receiver takes for some chunks."""
    receiver.makeConnection(StringTransport())
    meter = Meter()
    for chunk in chunks:
        receiver.dataReceived(chunk)
    used = meter.stop()
    if receiver.lines != lines:
        raise AssertionError(f"{receiver.lines} lines came of {lines}")
    return used


def _framing(
    bench: Bench, name: str, chunks: Sequence[bytes], lines: int, target: Target
) -> list[Figure]:
    samples = bench.compare(
        {
            "txqmp": lambda: _feed(Ours(), chunks, lines),
            "stock": lambda: _feed(Stock(), chunks, lines),
        }
    )
    return _speeds(name, samples, sum(map(len, chunks)), target)


def _speeds(name: str, samples: Samples, size: int, target: Target) -> list[Figure]:
    """MB/s of CPU time, and of the clock on the wall."""
    figures = []
    for key, what, wanted in (("cpu", "", target), ("wall", ", wall", None)):
        ours, theirs = ([size / MEGA / time for time in samples.of(k, key)] for k in samples.rounds)
        figures.append(Figure(name + what, "MB/s", ours, theirs, "stock", wanted))
    return figures


@case("framing-lines", "30-byte lines in 64 KiB chunks")
def framing_lines(bench: Bench) -> list[Figure]:
    """Many lines in a chunk."""
    lines = bench.size(400_000, 20_000)
    return _framing(bench, "framing-lines", _chunks(LINE * lines, CHUNK), lines, at_least(6))


@case("framing-one-line", "a 30-byte line in each chunk")
def framing_one_line(bench: Bench) -> list[Figure]:
    """One line in a chunk."""
    lines = bench.size(200_000, 5000)
    return _framing(bench, "framing-one-line", [LINE] * lines, lines, at_least(1))


@case("framing-long", "a line of 16 MiB in 64 KiB chunks")
def framing_long(bench: Bench) -> list[Figure]:
    """One line in many chunks."""
    line = b"x" * bench.size(16 * MIB, 2 * MIB) + b"\r\n"
    return _framing(bench, "framing-long", _chunks(line, CHUNK), 1, at_least(100))


@case("framing-bytes", "a long line byte by byte: time(2n)/time(n)")
def framing_bytes(bench: Bench) -> list[Figure]:
    """One byte in a chunk; twice as much must take twice as long."""
    size = bench.size(100_000, 5000)
    single = _chunks(b"x" * (size - 2) + b"\r\n", 1)
    double = _chunks(b"x" * (2 * size - 2) + b"\r\n", 1)

    def growth(make: Callable[[], Any]) -> dict[str, float]:
        one = _feed(make(), single, 1)
        two = _feed(make(), double, 1)
        return {key: two[key] / one[key] for key in one}

    samples = bench.compare({"txqmp": lambda: growth(Ours), "stock": lambda: growth(Stock)})
    stock = sorted(samples.of("stock", "cpu"))[bench.rounds // 2]
    note = f"time(2n)/time(n), CPU, for n = {size:,} bytes; stock LineReceiver: {stock:.2f}"
    return [
        Figure("framing-bytes", "", samples.of("txqmp", "cpu"), target=at_most(2.3), note=note),
        Figure("framing-bytes, wall", "", samples.of("txqmp", "wall")),
    ]


def _bulk(client: Any, chunks: Sequence[bytes], lines: int) -> dict[str, float]:
    client.makeConnection(StringTransport())
    client.dataReceived(GREETING + b"\r\n")
    replies: list[Any] = []
    client.execute("info").addCallback(replies.append)
    meter = Meter()
    for chunk in chunks:
        client.dataReceived(chunk)
    used = meter.stop()
    (reply,) = replies
    if len(getattr(reply, "lines", reply)) != lines:
        raise AssertionError("the reply is not whole")
    return used


@case("text-bulk", "a reply of 10 MB of data lines (30 bytes) through the whole client")
def text_bulk(bench: Bench) -> list[Figure]:
    """One long reply, to a tuple of strings."""
    lines = bench.size(10 * MEGA, MEGA // 2) // len(LINE)
    chunks = _chunks(LINE * lines + b"+ OK info completed\r\n", CHUNK)
    samples = bench.compare(
        {
            "txqmp": lambda: _bulk(TextClientFactory(Clock()).buildProtocol(None), chunks, lines),
            "stock": lambda: _bulk(StockClient(), chunks, lines),
        }
    )
    return _speeds("text-bulk", samples, sum(map(len, chunks)), at_least(8))


def _journal(bench: Bench, name: str, orjson: bool, target: Target | None) -> list[Figure]:
    environment = {} if orjson else {"TXQMP_NO_ORJSON": "1"}
    count = bench.size(50_000, 1000)

    def write(kind: str, batch: int) -> dict[str, float]:
        path = bench.folder / "journal.jsonl"
        return bench.run("journal", kind, path, count, batch, **environment)

    samples = bench.compare(
        {
            "txqmp": lambda: write("txqmp", 64),
            "unredacted": lambda: write("unredacted", 64),
            "single": lambda: write("txqmp", 1),
            "json": lambda: write("stock", 64),
        }
    )
    if any(samples.of("txqmp", "lost")):
        raise AssertionError("records were lost")
    size = samples.of("txqmp", "bytes")[0]
    note = f"records of {size:.0f} bytes, 64 at a time; CPU, peer writes to a buffered file"
    theirs = samples.of("json", "cpu", MEGA)
    peer = "json.dumps"
    return [
        Figure(name, "µs", samples.of("txqmp", "cpu", MEGA), theirs, peer, target, note),
        Figure(
            f"{name}, not redacted", "µs", samples.of("unredacted", "cpu", MEGA), theirs, peer,
            target,
        ),
        Figure(f"{name}, one by one", "µs", samples.of("single", "cpu", MEGA), theirs, peer),
        Figure(
            f"{name}, wall", "µs", samples.of("txqmp", "wall", MEGA),
            samples.of("json", "wall", MEGA), peer,
        ),
    ]  # fmt: skip


@case("journal", "one record into a file, with orjson", "orjson")
def journal(bench: Bench) -> list[Figure]:
    """From a record to bytes in a file, redaction included."""
    return _journal(bench, "journal", True, at_most(0.25))


@case("journal-stdlib", "the same with the standard library's json")
def journal_stdlib(bench: Bench) -> list[Figure]:
    """For information: there is no target."""
    return _journal(bench, "journal-stdlib", False, None)
