"""What peers say who mean no good, or do not know better: for property tests of whole stacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st
from twisted.logger import capturedLogs

from tests.judge import judged

_JSON = [
    b'{"execute": "qmp_capabilities"}', b'{"execute":"query-status","id":1}\r\n',
    b'{"execute": "stop", "id": [1, null]}', b'{"exec-oob": "migrate-pause", "id": "a"}\n',
    b"{'execute': 'query-status'}", b'{"execute": 5}', b'{"execute": "a", "execute": "stop"}',
    b'{"id": 1}', b'{"execute": "query-status", "arguments": []}', b"[]", b"17 ", b'"',
    b'{"execute": "\\u0073top"}', b'{"execute": "\\ud800"}', b'{"execute":"query-\xc3\xa4"}',
    b'{"execute": "human-monitor-command", "arguments": {"command-line": "stop"}}',
    b'{"return": {}}\r\n', b'{"return": {}, "id": 0}\r\n',
    b'{"error": {"class": "GenericError", "desc": "no"}, "id": 1}\r\n', b'{"error": 1}',
    b'{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}}\r\n', b'{"event": []}',
    b'{"event": "\\u0000\\n"}\r\n', b"[" * 1100, b"]" * 3,
    b'{"QMP": {"version": {}, "capabilities": 1}}\r\n', b'{"a":' * 600, b"-", b"tru", b"nul\n",
]  # fmt: skip
_ANSWERS = [
    b'{"return": 1, "id": 1}\r\n',
    b'{"return": 1e999, "id": 2}',
    b'{"return": [], "id": 3}\n',
]
_TEXT = [
    b"stop\r\n", b"info status\n", b"info name", b"set_link a up\r\n", b'info "a b"\n', b'"',
    b"\r\n", b" ", b"\\", b"quit\r\r\n", b"info \xff\n", b"help\n" * 20, b"x" * 5000, b"0\n",
    b"+ OK\r\n", b"+ OK stop completed\r\n", b"- ERR no\r\n", b"- BAD unknown command\r\n", b"= ",
    b"= a\r\n", b"* EVENT stop\r\n", b"* EVENT \r\n", b"* ", b"- ", b"+", b"+ OK QEMU 1 QMP 9\r\n",
]  # fmt: skip
_ANY = [b"\x00", b"\xff", b"\r", b"\n", b"\t", b"\xef\xbb\xbf", b"x" * 70_000]


def noise(*dialects: str, answers: bool = True) -> st.SearchStrategy[bytes]:
    """
    Bytes in which something of a dialect may be found.

    :param dialects: ``json``, ``text``, or both.
    :param answers: whether what was asked in JSON may be answered with what is no answer to it.
    """
    known = _ANSWERS if answers and "json" in dialects else []
    known = [
        *known,
        *_ANY,
        *(_JSON if "json" in dialects else ()),
        *(_TEXT if "text" in dialects else ()),
    ]
    whole = st.sampled_from(known)
    part = st.one_of(whole, st.binary(min_size=1, max_size=40))
    mixed = st.lists(st.one_of(part, part.flatmap(_beginnings)), min_size=1, max_size=5).map(
        b"".join
    )
    return st.one_of(whole, mixed)


def _beginnings(whole: bytes) -> st.SearchStrategy[bytes]:
    return st.integers(1, len(whole)).map(lambda size: whole[:size])


def acts(said_by_client: Any, said_by_monitor: Any) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """
    What two peers do, one thing after the other: the name of it, whose it is, and how.

    :param said_by_client: what a client may say.
    :param said_by_monitor: what a monitor may say.
    """
    who = st.integers(0, 3)
    return st.lists(
        st.one_of(
            st.tuples(st.just("says"), who, said_by_client, st.integers(1, 60)),
            st.tuples(st.just("says"), who, said_by_client, st.integers(1, 60)),
            st.tuples(st.just("answers"), who, said_by_monitor, st.integers(1, 60)),
            st.tuples(st.just("answers"), who, said_by_monitor, st.integers(1, 60)),
            st.tuples(
                st.sampled_from(
                    ["sticks", "reads", "ends", "leaves", "monitor_ends", "monitor_leaves"]
                ),
                who,
            ),
            st.tuples(st.just("passes"), who, st.floats(0, 20)),
        ),
        max_size=20,
    )


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut it: the first of so many bytes, and then the rest by halves."""
    while data:
        yield data[:size]
        data, size = data[size:], max(1, (len(data) - size) // 2)


@contextmanager
def unharmed() -> Iterator[None]:
    """See that nothing was logged as a failure, and that all that was recorded is valid."""
    with judged() as problems, capturedLogs() as logs:
        yield
    assert not problems
    failures = [event["log_failure"] for event in logs if "log_failure" in event]
    assert not failures, failures[0].getTraceback()
