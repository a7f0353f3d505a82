"""Lines of the human monitor, taken apart as QEMU does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.policy.hmp import read_line
from txqmp.policy.hmptable import PARAMETERS
from txqmp.policy.names import ALIASES, plain


@pytest.mark.parametrize(
    ("text", "name", "sub"),
    [
        ("stop", "stop", ""),
        ("s", "stop", ""),
        ("c", "cont", ""),
        ("q", "quit", ""),
        ("?", "help", ""),
        ("p/x 1", "print", ""),
        ("x/1i 0", "x", ""),
        ("info status", "info", "status"),
        ("info\nstatus", "info", "status"),
        ("info", "info", ""),
        ("info/status", "info", ""),
        ("\t\v\f\r\n stop", "stop", ""),
        ("device_del a", "device-del", ""),
        ("stop;cont", "stop;cont", ""),
    ],
)
def test_names(text: str, name: str, sub: str) -> None:
    line = read_line(text)
    assert line is not None
    assert (line.name, line.sub) == (name, sub)


@pytest.mark.parametrize("text", ["", " ", "\n\t\v\f\r"])
def test_nothing_is_no_command(text: str) -> None:
    assert read_line(text) is None


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('memsave 0 16"/x"', {"val": "0", "size": "16", "filename": "/x"}),
        ('memsave 0x10 (1+2)*4 "/x"', {"val": "0x10", "size": "(1+2)*4", "filename": "/x"}),
        ('memsave $rip 1 + 2"/x"', {"val": "$rip", "size": "1 + 2", "filename": "/x"}),
        ("memsave 'a' 1\"/x\"", {"val": "'a'", "size": "1", "filename": "/x"}),
        ("memsave -1 ~1 x", {"val": "-1", "size": "~1", "filename": "x"}),
        ('memsave 08"/x"', {"val": "0", "size": "8", "filename": "/x"}),
        ("memsave 0 16x", {"val": "0", "size": "16", "filename": "x"}),
        ("memsave (0)(16)x", {"val": "(0)", "size": "(16)", "filename": "x"}),
        ("memsave $eip 8 + 8x", {"val": "$eip", "size": "8 + 8", "filename": "x"}),
        ("migrate -d exec:x", {"detach": "true", "uri": "exec:x"}),
        ("migrate -dexec:x", {"detach": "true", "uri": "exec:x"}),
        ('migrate -d-b"exec: x"', {"detach": "true", "blk": "true", "uri": "exec: x"}),
        ("migrate tcp:h:1", {"uri": "tcp:h:1"}),
        ("x/4xb 0", {"fmt": "/4xb", "addr": "0"}),
        ("x 0", {"addr": "0"}),
        ("i/b 0x60.1", {"fmt": "/b", "addr": "0x60", "index": "1"}),
        ("sendkey a 10", {"keys": "a", "hold-time": "10"}),
        ("sendkey a", {"keys": "a"}),
        ("object_add a,b=c d", {"object": "a,b=c d"}),
        ("set_password vnc x -d y keep",
         {"protocol": "vnc", "password": "x", "display": "y", "connected": "keep"}),
        ('change d -f "a\\n\\\\\\"b"', {"device": "d", "force": "true", "target": 'a\n\\"b'}),
        ("migrate_set_downtime 1.5ms", {"value": "1.5ms"}),
        ("block_resize d 10G", {"device": "d", "size": "10G"}),
        ("balloon 512", {"value": "512"}),
    ],
)  # fmt: skip
def test_arguments(text: str, arguments: dict[str, str]) -> None:
    line = read_line(text)
    assert line is not None
    assert dict(line.arguments) == arguments
    assert line.readable


@pytest.mark.parametrize(
    "text",
    [
        "memsave 0 16 /x",  # a division, to QEMU
        'memsave 0 16 "/x',
        'memsave 0 16 "/x" y',
        "memsave 0",
        "object_add",
        "logfile",
        "memsave x 1 y",
        "migrate",
        "migrate -x tcp:h:1",
        'unknown "quoted"',
    ],
)
def test_what_cannot_be_read_is_known_for_that(text: str) -> None:
    line = read_line(text)
    assert line is not None
    assert not line.readable


def test_words_have_no_blanks_and_no_quotes() -> None:
    line = read_line('unknown a  "b c"d "e\\"f" g"h')
    assert line is not None
    assert line.words == ("a", "b c", "d", 'e"f', 'g"h')


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    for name in ("memsave", "migrate", "x", "set_password", "nosuch", "info", ""):
        read_line(f"{name} {text}")


def test_the_table_is_sound() -> None:
    kinds = "sBFSOilMoT/b-"
    for name, parameters in PARAMETERS.items():
        assert plain(name) == name
        assert not ALIASES.keys() & {name}
        for parameter, kind in parameters:
            assert parameter
            assert kind[0] in kinds, (name, kind)
