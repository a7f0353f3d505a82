"""What is left out of a comparison."""

from __future__ import annotations

from typing import Any

import pytest

from txqmp.reports.volatile import PASSING, VOLATILE, Ignored

DEFAULT = Ignored([volatile.pattern for volatile in VOLATILE], PASSING)


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("query-status.return.running", "query-status.return.running", True),
        ("query-status.return.running", "query-status.return.running.x", False),
        ("query-status.return.running", "x-query-status.return.running", False),
        ("*.thread-id", "query-cpus-fast.return.0.thread-id", True),
        ("*.thread-id", "thread-id", False),
        ("query-*.return.*.size", "query-block.return.0.a.size", True),
        ("query-*.return.*.size", "query-block.return.size", False),
        ("thread-id", "query-cpus-fast.return.0.thread-id", True),
        ("thread-id", "thread-id", True),
        ("thread-id", "query-cpus-fast.return.0.my-thread-id", False),
        ("*-id", "query-cpus-fast.return.0.thread-id", True),
        ("query-?pus", "query-cpus", True),
        ("query-block.return[device=a].x", "query-block.return.3.x", True),
        ("query-block.return[0].x[1->2]", "query-block.return.3.x.4", True),
        ("query-block.return[device=a].x", "query-block.return.x", False),
        ("query-block.return[", "query-block.return[", True),
        ("a.b", "a_b", False),
    ],
)
def test_a_pattern_covers_a_path(pattern: str, path: str, covered: bool) -> None:
    assert Ignored([pattern]).covers(path) is covered


def test_nothing_covers_nothing() -> None:
    assert not Ignored([]).covers("query-status")
    assert not Ignored([]).covers("")


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ([], {"return": [{"a": 1, "b": {"a": 2}}, {"a": 3}]}),
        (["a"], {"return": [{"b": {}}, {}]}),
        (["query.return.0.*"], {"return": [{}, {"a": 3}]}),
        (["query.return.1"], {"return": [{"a": 1, "b": {"a": 2}}]}),
        (["*.b.*", "*.1.a"], {"return": [{"a": 1, "b": {}}, {}]}),
    ],
)
def test_members_are_left_out(patterns: list[str], left: Any) -> None:
    value = {"return": [{"a": 1, "b": {"a": 2}}, {"a": 3}]}
    assert Ignored(patterns).without("query", value) == left


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("#block123", "#block*"),
        ("node #block1, on #block22", "node #block*, on #block*"),
        ("#blockade", "#blockade"),
        ("/dev/fdset/12", "/dev/fdset/*"),
        ("pty:/dev/pts/3", "pty:/dev/pts/*"),
        ("* CPU #0: thread_id=1234", "* CPU #0: thread_id=*"),
        ("unix:/tmp/qx_1/qmp.sock,server=on", "unix:/tmp/*/qmp.sock,server=on"),
        ("/tmp/disk.img", "/tmp/disk.img"),
        (
            "/var/lib/libvirt/qemu/domain-12-guest/monitor.sock",
            "/var/lib/libvirt/qemu/domain-*-guest/monitor.sock",
        ),
        ("tcp:127.0.0.1:4444,server=on <-> 127.0.0.1:53024", "tcp:127.0.0.1:4444,server=on <-> *"),
        ("/machine/unattached/device[3]", "/machine/unattached/device[3]"),
    ],
)
def test_parts_of_strings_are_made_the_same(text: str, settled: str) -> None:
    assert DEFAULT.without("query", {"a": [text]}) == {"a": [settled]}
    assert Ignored([]).without("query", {"a": [text]}) == {"a": [text]}


@pytest.mark.parametrize(
    ("command", "value", "left"),
    [
        ("query-cpus-fast", {"return": [{"cpu-index": 0, "thread-id": 7}]}, [{"cpu-index": 0}]),
        ("query-cpus", {"return": [{"CPU": 0, "thread_id": 7}]}, [{"CPU": 0}]),
        ("query-iothreads", {"return": [{"id": "a", "thread-id": 7}]}, [{"id": "a"}]),
        ("add-fd", {"return": {"fd": 12, "fdset-id": 3}}, {}),
        ("guest-exec", {"return": {"pid": 12}}, {}),
        (
            "query-blockstats",
            {"return": [{"device": "a", "stats": {"rd": 1}, "parent": {"stats": {"rd": 1}}}]},
            [{"device": "a", "parent": {}}],
        ),
        (
            "query-stats",
            {"return": [{"provider": "kvm", "stats": [{"name": "exits", "value": 5}]}]},
            [{"provider": "kvm", "stats": [{"name": "exits"}]}],
        ),
        (
            "query-migrate",
            {"return": {"status": "x", "total-time": 1, "downtime": 1, "ram": {"total": 1}}},
            {"status": "x"},
        ),
        ("query-jobs", {"return": [{"id": "j", "current-progress": 5}]}, [{"id": "j"}]),
        ("query-block-jobs", {"return": [{"device": "j", "offset": 5}]}, [{"device": "j"}]),
        ("query-status", {"return": {"status": "running"}}, {"status": "running"}),
        ("query-block", {"return": [{"stats": 1, "offset": 2}]}, [{"stats": 1, "offset": 2}]),
    ],
)
def test_what_passes_in_answers(command: str, value: Any, left: Any) -> None:
    assert DEFAULT.without(command, value) == {"return": left}
    assert Ignored([]).without(command, value) == value


def test_no_default_is_for_nothing() -> None:
    # A pattern that another covers would be a row of the table that says nothing.
    for volatile in VOLATILE:
        others = [other.pattern for other in VOLATILE if other is not volatile]
        assert not Ignored(others).covers(volatile.pattern.replace("*", "0"))
