from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.journal.confidential import (
    Secrecy,
    conceal,
    conceal_line,
    conceal_prose,
    conceal_text,
    conceal_words,
    is_secret_property,
    join_line,
    load,
    mentions_secret,
    secrecy,
    split_line,
)


@pytest.mark.parametrize(
    ("name", "judged"),
    [
        ("password", Secrecy.ANY),
        ("PASSWD", Secrecy.ANY),
        ("vnc_password", Secrecy.ANY),
        ("passphrase", Secrecy.ANY),
        ("pass_code", Secrecy.ANY),
        ("pwd", Secrecy.ANY),
        ("--password", Secrecy.ANY),
        ("file.password", Secrecy.ANY),
        ("x" * 100 + "password", Secrecy.ANY),
        ("secret", Secrecy.TEXT),
        ("client-secret", Secrecy.TEXT),
        ("cookie", Secrecy.TEXT),
        ("vf-token", Secrecy.TEXT),
        ("pass", Secrecy.TEXT),
        ("psk", Secrecy.TEXT),
        ("raw_key", Secrecy.TEXT),
        ("private-key", Secrecy.TEXT),
        ("keydata", Secrecy.TEXT),
        ("authorization", Secrecy.TEXT),
        ("buf-b64", Secrecy.TEXT),
        ("input_data", Secrecy.TEXT),
        ("out-data", Secrecy.TEXT),
        ("err-data", Secrecy.TEXT),
        ("password-secret", Secrecy.OPEN),
        ("password_secret", Secrecy.OPEN),
        ("-password-secret", Secrecy.OPEN),
        ("file.encrypt.key-secret", Secrecy.OPEN),
        ("proxy-password-secret", Secrecy.OPEN),
        ("cookie-secret", Secrecy.OPEN),
        ("new-secret", Secrecy.OPEN),
        ("old-secret", Secrecy.OPEN),
        ("passwordid", Secrecy.OPEN),
        ("keyid", Secrecy.OPEN),
        ("tls-creds", Secrecy.OPEN),
        ("password.file", Secrecy.OPEN),
        ("pass-through", Secrecy.OPEN),
        ("key", Secrecy.OPEN),
        ("data", Secrecy.OPEN),
        ("", Secrecy.OPEN),
    ],
)
def test_names(name: str, judged: Secrecy) -> None:
    assert secrecy(name) is judged


@pytest.mark.parametrize("name", ["data", "rawdata", "raw_data", "rawkey", "raw-key", "Password"])
def test_secret_properties(name: str) -> None:
    assert is_secret_property(name)


@pytest.mark.parametrize("name", ["type", "keyid", "password-secret", None, 5, ["data"]])
def test_other_properties(name: object) -> None:
    assert not is_secret_property(name)


@pytest.mark.parametrize(
    "text",
    [
        *("a PassWord", "passphrase", "passcode", "my secret", "credentials", "private key"),
        *("raw_key", "token", "ticket", "cookie", "Authorization:", "pwd", "psk", "buf-b64"),
        *("input-data", "\\u0050assword", "\\x70assword", "p\0a\0s\0s\0w\0"),
    ],
)
def test_texts_that_mention_a_secret(text: str) -> None:
    assert mentions_secret(text)


@pytest.mark.parametrize("text", ["", "bypass", "a key", "data", "u0050assword", "\\upass"])
def test_texts_that_do_not(text: str) -> None:
    assert not mentions_secret(text)


@pytest.mark.parametrize(
    ("value", "concealed"),
    [
        # a flag or a null is no password, a number is one
        (
            {"password": True, "x_password": None, "y_password": 7},
            {"password": True, "x_password": None, "y_password": "[redacted]"},
        ),
        # but a number is no cookie, and an object with such a name is looked into
        ({"cookie": 7, "secret": {"id": "s"}}, {"cookie": 7, "secret": {"id": "s"}}),
        ({"secret": {"password": "x"}}, {"secret": {"password": "[redacted]"}}),
        ({"device": "vnc", "arg": "x"}, {"device": "vnc", "arg": "[redacted]"}),
        ({"device": "ide0", "arg": "raw"}, {"device": "ide0", "arg": "raw"}),
        ({"qom-type": "secret", "data": 7}, {"qom-type": "secret", "data": "[redacted]"}),
        ({"qom-type": "iothread", "data": "x"}, {"qom-type": "iothread", "data": "x"}),
        ({"property": "data", "value": "x"}, {"property": "data", "value": "[redacted]"}),
        ({"name": "password", "value": 7}, {"name": "password", "value": "[redacted]"}),
        ({"name": "type", "value": "x"}, {"name": "type", "value": "x"}),
        (["a", {"password": "x"}], ["a", {"password": "[redacted]"}]),
        ({"env": ["A=b"], "arg": ["-c", "ls"]}, {"env": ["A=b"], "arg": ["-c", "ls"]}),
        ({"arg": ["x", "sshpass"]}, {"arg": ["[redacted]", "[redacted]"]}),
        ({"arg": ["a", 7]}, {"arg": ["a", 7]}),
    ],
)
def test_json(value: Any, concealed: Any) -> None:
    assert conceal(value, typed=True) == concealed


def test_the_contents_of_a_secret_are_its_own() -> None:
    assert conceal({"data": "x"}, typed=True, in_secret=True) == {"data": "[redacted]"}
    assert conceal({"data": "x"}, typed=True) == {"data": "x"}


@pytest.mark.parametrize(
    ("text", "concealed"),
    [
        ("a=b,password=x,c=d", "a=b,password=[redacted],c=d"),
        ("password=x,,y,c=d", "password=[redacted],c=d"),
        ("password=x,y,c=d,e", "password=[redacted],c=d,e"),
        ("password=", "password=[redacted]"),
        ('password = "x"', "password =[redacted]"),
        ('"password" : "x"', '"password" : [redacted]'),
        ('{"password":"x"} password=y', '{"password":"[redacted]"} password=[redacted]'),
        ("a=1\npassword=x\nb=2", "a=1\npassword=[redacted]\nb=2"),
        ("http://u:p@h/x", "http://u:[redacted]@h/x"),
        ("iscsi://u%p@h/x", "iscsi://u%[redacted]@h/x"),
        ("http://a:b@c http://u:p@h", "http://a:[redacted]@h"),
        ("http://h:80/x", "http://h:80/x"),
        ("http://u@h/x", "http://u@h/x"),
        ("http://h/x mail me@h", "http://h/x mail me@h"),
        ("u:p@h", "u:p@h"),
        ("password x", "password x"),
        ("exec:sshpass -p x", "exec:sshpass -p x"),
        ('{"password":"x"} a', '{"password":"[redacted]"} a'),
        ('{"a":1} json:{"password": "x"}', '{"a":1} json:{"password":"[redacted]"}'),
        ('{ {"password": "x"}', '{ {"password":"[redacted]"}'),
        ('{"key-secret": "x"}', '{"key-secret": "x"}'),
        ("rbd:p/i:id=a:key=x:y=z", "rbd:p/i:id=a:key=[redacted]"),
        ("rbd:p/i:id=a,b=c", "rbd:p/i:id=a,b=c"),
        ("a:key=x", "a:key=x"),
        ("password='[redacted]'", "password='[redacted]'"),
        ("password=[redacted]x", "password=[redacted]"),
        (
            "Error: invalid parameter value: x\r\nb",
            "Error: invalid parameter value: [redacted]\r\nb",
        ),
    ],
)
def test_what_a_monitor_answers(text: str, concealed: str) -> None:
    assert conceal_text(text, typed=False) == concealed


@pytest.mark.parametrize(
    ("text", "concealed"),
    [
        ("tool --password x y", "tool --password [redacted]"),
        ("password: x", "password: [redacted]"),
        ("password:x", "password: [redacted]"),
        ("password", "password"),
        ("a u:p@h b", "a u:[redacted]@h b"),
        ("u:p@h u@h", "u:[redacted]@h u@h"),
        ("rbd:pool/image@snap", "rbd:pool/image@snap"),
        ("exec:sshpass -p x", "exec:[redacted]"),
        ("-d exec:sshpass -p x", "-d exec:[redacted]"),
        ("exec:cat", "exec:cat"),
        ("{'password': 'x'} y", "[redacted]"),
        ("a {'b': 'x'}", "a {'b': 'x'}"),
        ("a=1\npassword=x\nb=2", "a=1\npassword=[redacted]"),
    ],
)
def test_what_a_client_writes(text: str, concealed: str) -> None:
    assert conceal_text(text, typed=True) == concealed


@pytest.mark.parametrize(
    ("line", "concealed"),
    [
        ("set_password vnc x keep", "set_password vnc [redacted] keep"),
        ("set_password vnc keep x", "set_password vnc [redacted] [redacted]"),
        ("set_password x", "set_password [redacted]"),
        ("block_passwd ide0 x y", "block_passwd ide0 [redacted] [redacted]"),
        ("change vnc password x", "change vnc password [redacted]"),
        ("change vnc y x", "change vnc y [redacted]"),
        ("change -f vnc y x", "change -f vnc y [redacted]"),
        ("change vnc :1", "change vnc :1"),
        ("change ide0 /x raw", "change ide0 /x raw"),
        ("qom-set -j /x data y z", "qom-set -j /x data [redacted] [redacted]"),
        ("qom-set /x type y", "qom-set /x type y"),
        ("object_add secret,id=a,data=x,file=y", "object_add secret,id=a,data=[redacted],file=y"),
        ("device_add thing,data=x", "device_add thing,data=x"),
        (
            'object_add  {"id": "a", "data": "x"} ',
            'object_add {"id":"a","data":"[redacted]"} ',
        ),
        ('device_add {"id": "a", "data": "x"}', 'device_add {"id": "a", "data": "x"}'),
        ("change_vnc_password x", "change_vnc_password [redacted]"),
        ("expire_password vnc x", "expire_password vnc x"),
        ('drive_add "a b" password=x', "drive_add a b password=[redacted]"),
        ("password", "password"),
        ("", ""),
        (" \t", " \t"),
    ],
)
def test_command_lines(line: str, concealed: str) -> None:
    assert conceal_line(line) == concealed


def test_no_words() -> None:
    assert conceal_words([]) == []


@pytest.mark.parametrize(
    ("text", "concealed"),
    [
        ("bad: 'set_password vnc x'", "bad: 'set_password [redacted]"),
        ("The command qom-set x y has not been found", "The command qom-set [redacted]"),
        ("The command set_password has not been found",) * 2,
        ("invalid keyword 'x'", "invalid keyword '[redacted]'"),
        ("password=x", "password=[redacted]"),
    ],
)
def test_error_messages(text: str, concealed: str) -> None:
    assert conceal_prose(text) == concealed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  a \t b  ", ["a", "b"]),
        ('a "b c" d', ["a", "b c", "d"]),
        (r'a "b\"\\\n\r\x"', ["a", 'b"\\\n\rx']),
        ('a "open', ["a", "open"]),
        ('a "open\\', ["a", "open"]),
        ('a ""', ["a", ""]),
        ('a"b c', ['a"b', "c"]),
    ],
)
def test_splitting_a_line(line: str, words: list[str]) -> None:
    assert split_line(line) == words


@given(st.lists(st.text(st.characters(codec="latin-1"))))
def test_a_line_that_was_joined_can_be_split(words: list[str]) -> None:
    assert split_line(join_line(words)) == words


def test_words_are_quoted_only_where_needed() -> None:
    assert join_line(["a=b", "c d", "", '"', "\\"]) == r'a=b "c d" "" "\"" "\\"'


@pytest.mark.parametrize(
    "raw", [b'{"a":1,"a":1}', b"{'a':1}", b"\xff", b"", b'{"b":{"a":1,"a":2}}']
)
def test_json_that_cannot_be_trusted(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (json words it)
        load(raw)


def test_nothing_to_hide_is_the_very_same_object() -> None:
    for value in ({"a": ["b@c", "d=e", {"f": "{g}"}]}, ["x:/y@z"], "password=[redacted]"):
        assert conceal(value, typed=True) is value
        assert conceal(value, typed=False) is value
