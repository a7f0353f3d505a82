"""What passes the sieve, redaction would have left as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.journal.example import json_command, json_reply, record, text_command, text_output
from tests.journal.test_redact import HOSTILE
from txqmp.codec import dumps
from txqmp.journal.confidential import (
    conceal,
    conceal_line,
    conceal_prose,
    conceal_text,
    conceal_words,
    mentions_secret,
    secrecy,
)
from txqmp.journal.harmless import _FEWER, _STEMS, is_harmless
from txqmp.journal.record import Direction, Kind, Record
from txqmp.journal.redact import redact

# What the rules of redaction look for, in parts: whole words would seldom meet.
PARTS = [
    *("password", "pass", "pas", "wd", "pw", "pwd", "psk", "passphrase", "pass-code", "pass_key"),
    *("secret", "cookie", "credential", "token", "ticket", "authorization", "authorize", "key"),
    *("raw", "private", "api", "keydata", "material", "b64", "buf", "input", "out", "err", "data"),
    *("set_", "block_", "change", "vnc", "spice", "qom", "object", "add", "-set", "_set", "value"),
    *("property", "name", "device", "arg", "env", "command-line", "qom-type", "tls-", "id"),
    *("exec:", "rbd:", ":key=", "json:", "{", "}", "[", "]", '"', "'", "\\", "u0070", "x70", "%"),
    *("=", ":", ",", "@", "://", "http", "user", "me", "-", "--", "_", " ", "\t", "\n", "\0", "."),
    *(
        "invalid keyword '",
        "after parameter '",
        "does not accept value '",
        "invalid parameter value: ",
    ),
    *("[redacted]", "history", "info", "x", "hunter2", "ſ", "\u212a", "é"),
]
texts = st.lists(
    st.sampled_from(PARTS).flatmap(
        lambda part: st.sampled_from([part, part.upper(), part.title()])
    ),
    max_size=8,
).map("".join) | st.text(st.characters(codec="ascii"), max_size=30)
values = st.recursive(
    texts | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def harmless(text: str) -> bool:
    return is_harmless(text.encode("utf-8", "surrogatepass"))


@settings(deadline=None, max_examples=1000)
@given(texts)
@example("after parameter 'x'")
@example("a=b,c=d http://host:80/x exec:cat")
def test_no_text_that_passes_holds_a_secret(text: str) -> None:
    if not harmless(text):
        return
    for typed in (True, False):
        assert conceal_text(text, typed) == text
    assert conceal_prose(text) == text
    assert conceal_line(text) == text
    assert conceal_words(text.split(" ")) == text.split(" ")
    assert not secrecy(text)
    assert "\0" in text or not mentions_secret(text)


@settings(deadline=None, max_examples=500)
@given(values)
def test_no_value_that_passes_holds_a_secret(value: Any) -> None:
    for data in (dumps(value), json.dumps(value, ensure_ascii=False).encode("utf-8")):
        if is_harmless(data):
            for typed in (True, False):
                assert conceal(value, typed) is value


@settings(deadline=None, max_examples=500)
@given(
    st.sampled_from(Kind), st.sampled_from(["text", "json", None]), st.sampled_from(Direction),
    st.dictionaries(st.sampled_from(["command", "arguments", "reason", "text", "return"]), values),
    texts,
)  # fmt: skip
def test_no_record_that_passes_is_changed(
    kind: Kind, dialect: Any, way: Direction, fields: dict[str, Any], raw: str
) -> None:
    given = record(kind, dialect=dialect, direction=way, fields=fields, raw=raw.encode())
    if kind is Kind.UNDECODED and "\0" in raw:
        return
    if is_harmless(dumps(fields)) and harmless(raw):
        assert redact(given) is given


@pytest.mark.parametrize("case", [case for case in HOSTILE if not case.startswith("too deep")])
def test_no_hostile_record_passes(case: str) -> None:
    given = HOSTILE[case]
    raw = given.raw or b""
    if not given.sensitive and b"\0" not in raw:
        assert not (is_harmless(dumps(given.fields)) and is_harmless(raw))


@pytest.mark.parametrize("stem", _STEMS)
def test_each_stem_is_found(stem: str) -> None:
    for text in (stem, stem.upper(), stem.replace("-", "_"), f"a{stem}b", stem.title()):
        assert not harmless(text)


def test_fewer_stems_find_all_that_the_stems_do() -> None:
    assert len(_FEWER) < len(_STEMS)


@pytest.mark.parametrize(
    "given",
    [
        text_command("stop"),
        text_command("info block drive-virtio-disk3"),
        text_output("ide0-hd0: type=hd removable=0 file=/x ro=0 drv=qcow2 encrypted=0"),
        json_command("query-status", id=12),
        json_reply({"status": "running", "singlestep": False, "running": True}),
    ],
    ids=lambda given: str(given.fields),
)
def test_what_monitors_mostly_say_passes(given: Record) -> None:
    assert is_harmless(dumps(given.fields))
    assert given.raw is not None
    assert is_harmless(given.raw)
