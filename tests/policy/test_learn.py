"""An allow-list of what was said allows that, and nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.errors import ProtocolViolation
from txqmp.policy import Client, Policy
from txqmp.policy.learn import Lesson
from txqmp.policy.load import parse


def said(name: str, arguments: object = None) -> bytes:
    return json.dumps({"execute": name, "arguments": arguments or {}}).encode()


def line(text: str) -> bytes:
    return said("human-monitor-command", {"command-line": text})


def learned(*messages: bytes, arguments: bool = False, dialect: str = "json") -> str:
    lesson = Lesson(arguments=arguments)
    for message in messages:
        lesson.hear(dialect, message)
    return lesson.policy()


def denied(text: str, message: bytes, dialect: str = "json") -> bool:
    rules, default = parse(text, "learned")
    verdict = Policy(rules, default).judge(Client(), dialect, message)  # type: ignore[arg-type]
    return verdict.denied


def test_names() -> None:
    text = learned(
        said("qmp_capabilities"), said("query-status"), line("info block"), said("device_del")
    )
    names = ("device-del", "human-monitor-command", "info block", "query-status")
    listed = "".join(f'    "{name}",\n' for name in names)
    assert text == (
        f'default = "deny"\n\n[[rule]]\nname = "heard"\naction = "allow"\ncommand = [\n{listed}]\n'
    )
    assert not denied(text, line("info  block -v"))
    assert not denied(text, line("info status"))  # the same by another name
    assert denied(text, line("info name"))
    assert denied(text, said("stop"))


def test_nothing_allows_nothing() -> None:
    assert learned() == learned(arguments=True) == 'default = "deny"\n'


def test_arguments() -> None:
    text = learned(
        said("blockdev-add", {"driver": "file", "filename": "/images/a.img"}),
        said("eject", {"id": "a"}),
        line('memsave 0 16 "/tmp/x"'),
        arguments=True,
    )
    assert not denied(text, said("blockdev-add", {"driver": "file", "filename": "/images/b"}))
    assert denied(text, said("blockdev-add", {"driver": "file", "filename": "/etc/b"}))
    assert denied(text, said("blockdev-add", {"driver": "file", "filename": "/images/../etc/b"}))
    assert denied(text, said("blockdev-add", {"driver": "raw", "filename": "/images/b"}))
    assert denied(text, said("eject", {"id": "b"}))
    assert not denied(text, line('memsave 0 16 "/tmp/y"'))
    assert denied(text, line('memsave 0 16 "/etc/y"'))
    assert denied(text, line('memsave 1 16 "/tmp/y"'))


def test_many_values_are_any() -> None:
    messages = [said("device_del", {"id": f"a{number}"}) for number in range(9)]
    assert denied(learned(*messages[:8], arguments=True), said("device_del", {"id": "x"}))
    assert not denied(learned(*messages, arguments=True), said("device_del", {"id": "x"}))


def test_text() -> None:
    text = learned(b"info name", b"memsave 0 16 x", arguments=True, dialect="text")
    assert not denied(text, b"info name", "text")
    assert not denied(text, b"memsave 0 16 x", "text")
    assert denied(text, b"memsave 0 16 y", "text")


def test_what_cannot_be_read_is_not_learned() -> None:
    with pytest.raises(ProtocolViolation):
        learned(b'{"execute":"a","execute":"b"}')


VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["/a/[b]*", "/a/../b", "file:/a//b", "c:" * 20 + "/../x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b-c", "d_e", "", "[x]", "**"]), inner, max_size=2)
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(["device_add", "query-name", "x-y", "human-monitor-command"])


@given(st.lists(st.tuples(NAMES, st.dictionaries(st.sampled_from("abc"), VALUES)), max_size=8))
def test_all_that_was_heard_is_allowed(commands: list[tuple[str, dict[str, object]]]) -> None:
    messages = [said(name, arguments) for name, arguments in commands]
    for arguments in (False, True):
        text = learned(*messages, arguments=arguments)
        assert [message for message in messages if denied(text, message)] == []


@pytest.mark.parametrize("text", ["\x7f", "\u2028", 'é\t"\\', "\b\f\0", "\U0001f600"])
def test_any_text_is_toml(text: str) -> None:
    assert not denied(learned(said("x", {"a": text}), arguments=True), said("x", {"a": text}))
