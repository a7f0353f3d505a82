"""What the JSON server and a real QEMU are asked alike."""

from __future__ import annotations

import json
import random
from typing import NamedTuple

SEED = 20090612
NEGOTIATE = b'{"execute": "qmp_capabilities"}'
NEGOTIATE_OOB = b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}'


class Input(NamedTuple):
    """
    What one connection is asked.

    :ivar name: what is special about it.
    :ivar chunks: the bytes, as they are sent.
    """

    name: str
    chunks: tuple[bytes, ...]


def _execute(name: str, **members: object) -> bytes:
    return json.dumps({"execute": name, **members}).encode()


def _with(arguments: dict[str, object], *commands: str) -> list[bytes]:
    return [_execute(command, arguments=arguments) for command in commands]


_COMMANDS = """
    query-status query-name query-uuid query-version query-cpus-fast query-block query-blockstats
    query-chardev query-kvm query-vnc query-mice query-migrate query-commands query-qmp-schema
    query-yank stop cont system_reset system_powerdown migrate_cancel
    """.split()

_GOOD = [
    *(_execute(name) for name in _COMMANDS),
    _execute("query-name", arguments={}),
    _execute("send-key", arguments={"keys": []}),
    _execute("send-key", arguments={"keys": [{"type": "qcode", "data": "a"}], "hold-time": 1}),
    _execute("send-key", arguments={"keys": [{"type": "number", "data": 30}]}),
    _execute("yank", arguments={"instances": []}),
    _execute("human-monitor-command", arguments={"command-line": "info status"}),
    _execute("human-monitor-command", arguments={"command-line": ""}),
    _execute("human-monitor-command", arguments={"command-line": "nosuch"}),
    _execute("qom-list", arguments={"path": "/"}),
    b"{'execute': 'query-name'}",
    b"{'execute': \"query-name\", 'id': 'it\\'s'}",
    b'{"id": 1, "execute": "query-name"}',
    b' \t\r\n{ "execute" : "query-name" }\r\n\r\n',
    rb'{"\u0065xecute": "query\u002dname"}',
]

_IDS = [
    b"0", b"-0", b"7", b"-1", b"9223372036854775807", b"-9223372036854775808",
    b"18446744073709551615", b"1.5", b"-0.25", b"1e3", b"1E-3", b"true", b"false", b"null",
    b'""', b'"x"', b"'x'", rb'"\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\"', b'"%s%d"', rb'"\u0000"',
    b'"\xc3\xa9"', b'"\xf0\x9f\x98\x80"', b"[]", b"{}", b"[1, [2, {}]]", b'{"a": {"b": [null]}}',
    b'"\x7f"', b"1.0", b'"\xc0\x80"',
]  # fmt: skip

_REFUSED = [
    _execute("nosuch"), _execute(""), _execute("query-events"), _execute("QUERY-NAME"),
    _execute("query-name", arguments={"x": 1}), _execute("stop", arguments={"x": None}),
    *_with({}, "device_del", "set_link", "migrate", "balloon", "send-key", "yank", "qom-list"),
    *_with({"id": 1}, "device_del"), *_with({"id": None}, "device_del"),
    *_with({"id": "x"}, "device_del"), *_with({"id": "x", "force": True}, "device_del"),
    *_with({"name": "x"}, "set_link"), *_with({"up": True}, "set_link"),
    *_with({"name": "x", "up": 1}, "set_link"), *_with({"name": "x", "up": "on"}, "set_link"),
    *_with({"name": "x", "up": True}, "set_link"), *_with({"name": ["x"], "up": True}, "set_link"),
    *_with({"value": "1"}, "balloon"), *_with({"value": 1.5}, "balloon"),
    *_with({"value": True}, "balloon"), *_with({"value": 1 << 63}, "balloon"),
    *_with({"value": 1 << 70}, "balloon"), *_with({"value": []}, "balloon"),
    *_with({"uri": "nosuch:x"}, "migrate"), *_with({"uri": 1}, "migrate"),
    *_with({"uri": "nosuch:x", "blk": 1}, "migrate"),
    *_with({"keys": 1}, "send-key"), *_with({"keys": [1]}, "send-key"),
    *_with({"keys": [{}]}, "send-key"), *_with({"keys": [{"type": "x"}]}, "send-key"),
    *_with({"keys": [{"type": "qcode"}]}, "send-key"),
    *_with({"keys": [{"type": "qcode", "data": "nosuch"}]}, "send-key"),
    *_with({"keys": [{"type": "number", "data": "a"}]}, "send-key"),
    *_with({"keys": [], "hold-time": "x"}, "send-key"),
    *_with({"instances": [1]}, "yank"), *_with({"instances": [{"type": "x"}]}, "yank"),
    *_with({"instances": [{"type": "chardev", "id": "nosuch"}]}, "yank"),
    *_with({"device": "nosuch"}, "eject"), *_with({}, "eject"),
    *_with({"device": "a", "id": "b"}, "eject"), *_with({"device": None}, "eject"),
    *_with({"path": "/nosuch"}, "qom-list"), *_with({"path": 1}, "qom-list"),
    *_with({"command-line": 1}, "human-monitor-command"),
    *_with({"command-line": "info status", "cpu-index": 999}, "human-monitor-command"),
    _execute("qmp_capabilities"),
    _execute("qmp_capabilities", arguments={"enable": "oob"}),
    _execute("qmp_capabilities", arguments={"x": 1}),
    b"{}", b"[]", b"1 ", b"-1.5e3 ", b'"x"', b"'x'", b"true ", b"null ", b"[{}]",
    b'{"execute": 1}', b'{"execute": null}', b'{"execute": {}}', b'{"id": 5, "execute": []}',
    b'{"id": 5}', b'{"id": 5, "nosuch": 1}', b'{"arguments": {}}', b'{"Execute": "stop"}',
    b'{"execute": "stop", "x": 1}', b'{"execute": "stop", "exec-oob": "stop"}',
    b'{"exec-oob": "query-yank"}', b'{"exec-oob": 1, "id": 2}',
    b'{"execute": "stop", "arguments": []}', b'{"execute": "stop", "arguments": null}',
    b'{"execute": "stop", "arguments": "x", "id": 9}',
    b'{"execute": "stop", "execute": "stop"}', b'{"execute": "stop", "id": 1, "id": 2}',
    b'{"execute": "query-name", "id": {"a": 1, "a": 2}}',
    b'{"execute": "stop", "arguments": {"a": 1, "a": 1}}',
    rb'{"execute": "a\u0000b"}', rb'{"execute": "a\"b"}', b'{"execute": "a%d"}',
]  # fmt: skip

_UNLIKE = [
    b'{"execute": "query-name", "id": 1e999}',
    _execute("qmp_capabilities", arguments={"enable": ["x"]}),
]

_MALFORMED = [
    b'{"execute": "stop", }', b'{"execute": "stop" "x"}', b'{"execute" "stop"}', b"{1: 2}",
    b"{null: 1}", b"{{}: 1}", b"[1,]", b"[,1]", b"[1 2]", b'{"a":}', b'{"a":1 2}', b'{"a"}',
    b"{,}", b"{:}", b"[:]", b'{"a":1]', b"[1}", b"{]", b"[}", b'{"a":[}', b'{"a":[}]', b"}", b"]",
    b"}}}", b"]}]", b",", b":", b",,", b", :", b"xyz ", b"nul ", b"trues ", b'{"a": tru}',
    b"A", b"Aa,B", b"%", b"%s ", b"%d{}", b"#!/bin/sh\n", b"/* */", b"// x\n", b"--1 ", b"-x ",
    b"- 1 ", b"+1 ", b"01 ", b"-01 ", b"1.e5 ", b"1. ", b".5 ", b"1e ", b"1e+ ", b"1ex ", b"0e5 ",
    b"0x10 ", b"1_000 ", b"1-2 ", b"NaN ", b"Infinity ", b"-Infinity ", b"GET / HTTP/1.1\r\n\r\n",
    b'"\\x"', b'"\\u"', b'"\\u00"', b'"\\u12g4"', b'"\\ud800"', b'"\\udc00"', b'"\\ud800\\u0041"',
    b'"\\ud800\\ud800"', b'"\\uffff"', b'"\\ufdd0"', b'{"execute": "\\q"}', b'{"execute": "\\ud9"}',
    b'"\x80"', b'"\xc3("', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"\xef\xbf\xbf"',
    b'"\xf4\x90\x80\x80"', b'"\xf8\x88\x80\x80\x80"', b'{"execute": "\xe9"}', b"\x80", b"\xe9 stop",
    b"\xfe", b"\xff", b"\xff\xff", b"\x00", b"\x01\x02", b"\x1b[A", b"\x7f", b"\x0b", b'"a\nb"',
    b'"a\tb"', b"'a\n", b'{"execute": "st\nop"}', b'{"execute": "st\xffop"}',
    b'{"execute": \x00"stop"}',
    b'"abc\n{"execute": "query-name"}', b'foo {"execute": "query-name"}',
    b'Foo bar {"execute": "query-name"}', b'x1"y"', b'1"x"', b'"x"1 ', b"truefalse ", b"true[]",
    b'@{"execute": "query-name"}', b"a\x00b\x01", b'\\"', b"\\", b'{"execute": "stop\\\n"}',
    b"\xef\xbb\xbf" + _execute("query-name"), b"*/,*/,", b"{A}", b"[A]", b"[A,B,C]", b"{A:B}",
]  # fmt: skip

_TRUNCATED = [
    b"{", b"[", b'"', b"'", b"-", b"1", b"1.", b"1e", b"tr", b"true", b'"\\', b'"\\u0', b"{[[",
    b'{"execute"', b'{"execute":', b'{"execute": "stop', b'{"execute": "stop"',
    b'{"execute": "stop", "id": 1', b'{"execute": "stop", "id": [1, 2]', b'{"a":[}', b"[1, 2, {",
    b"", b" ", b"\n\n",
]  # fmt: skip


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


_DEEP = [
    (f"an id of {depth} levels", b'{"execute": "query-name", "id": %b}' % _nested(depth))
    for depth in (10, 100, 900)
] + [
    ("1030 levels of arrays", b"[" * 1030),
    ("300 levels of objects", b'{"a":' * 300 + b"1" + b"}" * 300),
]

_GLUED = [
    _execute("query-name", id=1) + _execute("query-uuid", id=2) + _execute("nosuch", id=3),
    _execute("stop") + _execute("cont") + _execute("system_reset"),
    b"".join(_execute("query-status", id=number) for number in range(40)),
    b"{}[]{}1 true null{}",
    b"{}}" + _execute("query-name", id=1),
    _execute("query-name", id=1) + b"]" + _execute("query-name", id=2),
    _execute("query-name", id=1) + b",\n" + _execute("query-name", id=2),
    b"\r\n".join([_execute("query-name", id=1), b"nonsense", _execute("query-name", id=2)]),
    b"1 2 3 ", b'"a""b"\'c\'', b"[][]", b"{}" * 100, b"}" * 100, b"\xff" * 50, b"A,B:C{}",
]  # fmt: skip

_OOB = [
    b'{"exec-oob": "query-yank", "id": 1}', b'{"exec-oob": "stop", "id": 1}',
    b'{"exec-oob": "nosuch", "id": 1}', b'{"exec-oob": 1}', b'{"exec-oob": "yank"}',
    b'{"exec-oob": "yank", "arguments": {"instances": []}}',
    b'{"exec-oob": "query-yank", "execute": "query-yank"}', b'{"exec-oob": "query-yank", "x": 1}',
    b'{"exec-oob": "query-yank", "arguments": {"x": 1}, "id": []}', _execute("query-name", id=1),
    NEGOTIATE,
]  # fmt: skip

_EARLY = [
    _execute("stop", id=1), _execute("nosuch"), b"{}", b"[]", b"}", b"\xff", b'{"execute": 1}',
    b'{"execute": "stop", "x": 1}', _execute("stop", arguments={"x": 1}),
    b'{"exec-oob": "stop"}', _execute("query-version"), _execute("qmp_capabilities", id="a"),
    _execute("qmp_capabilities", arguments={"enable": []}),
    _execute("qmp_capabilities", arguments={"enable": ["oob", "oob"]}),
    _execute("qmp_capabilities", arguments={"enable": ["x"]}) + _execute("query-name"),
    _execute("qmp_capabilities", arguments={"enable": [1]}),
    _execute("qmp_capabilities", arguments={"enable": 1}),
    _execute("qmp_capabilities", arguments={"x": 1}),
    NEGOTIATE + NEGOTIATE,
]  # fmt: skip


def _split(stream: bytes, chance: random.Random) -> tuple[bytes, ...]:
    cuts = sorted(chance.sample(range(len(stream)), min(4, len(stream) - 1)))
    return tuple(stream[i:j] for i, j in zip([0, *cuts], [*cuts, len(stream)], strict=True))


def _mutilated(stream: bytes, chance: random.Random) -> bytes:
    position = chance.randrange(len(stream))
    byte = chance.choice(b"\"'\\{}[]:, \n\x00\xffA%0e-")
    return stream[:position] + bytes([byte]) + stream[position + chance.randrange(2) :]


def corpus() -> list[Input]:
    """All inputs; the names are unique."""
    chance = random.Random(SEED)
    ids = [b'{"execute": "query-name", "id": %b}' % echo for echo in _IDS]
    plain = [*_GOOD, *ids, *_REFUSED, *_UNLIKE, *_MALFORMED, *_TRUNCATED, *_GLUED]
    inputs = [Input(repr(stream)[2:-1], (NEGOTIATE, stream)) for stream in plain]
    inputs += [Input(name, (NEGOTIATE, stream)) for name, stream in _DEEP]
    inputs += [Input(f"oob: {stream!r}", (NEGOTIATE_OOB, stream)) for stream in _OOB]
    inputs += [Input(f"early: {stream!r}", (stream,)) for stream in _EARLY]
    for number in range(40):
        stream = b"".join(chance.choices([*_GOOD, *ids, *_REFUSED], k=3))
        inputs.append(Input(f"split {number}", (NEGOTIATE, *_split(stream, chance))))
    for number in range(60):
        stream = _mutilated(chance.choice([*_GOOD, *ids, *_REFUSED]), chance)
        inputs.append(Input(f"mutilated {number}", (NEGOTIATE, stream)))
    return list({given.name: given for given in inputs}.values())
