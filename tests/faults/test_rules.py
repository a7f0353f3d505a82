"""How rules are written, and what is said of those that are none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from txqmp.faults.rules import FAULTS, SPLIT_PAUSE, Rule, parse_rule

FAIL = "fail:command=blockdev-add:nth=3:class=DeviceNotFound:desc=no such file"

KNOWN = "known: close, cut, delay, drop, duplicate, fail, split, stall"
KEYS_OF_FAIL = "known: command, nth, every, probability, connection, class, desc"

DOCUMENT = (Path(__file__).parents[2] / "docs" / "faults.rst").read_text()
EXAMPLES = re.findall(r"^``(\w+(?::[^`]*)?)``  ", DOCUMENT, re.MULTILINE)


def rule(text: str, **settings: object) -> Rule:
    return Rule(text, text.partition(":")[0], **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "expected",
    [
        rule(
            FAIL,
            command="blockdev-add",
            nth=3,
            error_class="DeviceNotFound",
            description="no such file",
        ),
        rule("fail", error_class="GenericError", description="injected fault"),
        rule("drop:event=RESET:nth=1", event="RESET", nth=1),
        rule("drop:event=BLOCK_*:every=2:connection=7", event="BLOCK_*", every=2, connection=7),
        rule("drop:probability=0.25", probability=0.25),
        rule("delay:event=STOP:seconds=2", event="STOP", seconds=2.0),
        rule("duplicate:event=SHUTDOWN", event="SHUTDOWN"),
        rule("stall", nth=1),
        rule("stall:after=10:seconds=5", nth=11, seconds=5.0),
        rule("stall:event=A:after=10:every=2", event="A", after=10, every=2),
        rule("cut:command=query-block:nth=2", command="query-block", nth=2),
        rule("cut:bytes=0", bytes=0),
        rule("split:", seconds=SPLIT_PAUSE),
        rule("split:pieces=3:seconds=0.5", pieces=3, seconds=0.5),
        rule("split:bytes=1", bytes=1, seconds=SPLIT_PAUSE),
        rule("close:bytes=100", bytes=100),
        rule(r"fail:desc=C\:\\a\=b=c", description=r"C:\a=b=c"),
        rule("fail:desc=", description=""),
    ],
    ids=lambda expected: expected.text,
)
def test_a_rule(expected: Rule) -> None:
    assert parse_rule(expected.text) == expected


@pytest.mark.parametrize("fault", FAULTS)
def test_every_key_that_is_said_to_be_known_is(fault: str) -> None:
    values = {"class": "A", "command": "a", "event": "a", "probability": "1"}
    wanted = {"close": ":bytes=1", "delay": ":seconds=1"}.get(fault, "")
    for key in FAULTS[fault]:
        extra = "" if f":{key}=" in wanted else wanted
        assert parse_rule(f"{fault}:{key}={values.get(key, '2')}{extra}").fault == fault


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "",
            "no fault is called '' (known: close, cut, delay, drop, duplicate, fail, split, stall)",
        ),
        (
            "fial:nth=1",
            f"no fault is called 'fial' ({KNOWN})",
        ),
        (
            "drop:evnt=RESET",
            "drop has no key 'evnt' (known: command, event, nth, every, probability, connection)",
        ),
        (
            "fail:event=RESET",
            f"fail has no key 'event' ({KEYS_OF_FAIL})",
        ),
        (
            "close:RESET:bytes=1",
            "'RESET' is no key=value (the keys of close: bytes, probability, connection)",
        ),
        (
            "close::bytes=1",
            "'' is no key=value (the keys of close: bytes, probability, connection)",
        ),
        ("drop:nth=0", "nth is a whole number from 1 on, not '0'"),
        ("drop:nth=x", "nth is a whole number from 1 on, not 'x'"),
        ("drop:nth=²", "nth is a whole number from 1 on, not '²'"),
        ("drop:nth=1:nth=2", "nth is there twice"),
        ("drop:nth=1:every=2", "nth and every do not go together: choose one"),
        ("drop:event=A:command=b", "command and event do not go together: choose one"),
        ("stall:nth=1:after=2", "nth and after do not go together: choose one"),
        ("split:bytes=1:pieces=2", "pieces and bytes do not go together: choose one"),
        ("split:bytes=0", "bytes is a whole number from 1 on, not '0'"),
        ("split:pieces=1", "pieces is a whole number from 2 on, not '1'"),
        ("drop:event=", "event is a name, or a pattern of names, not ''"),
        ("drop:probability=1.5", "probability is a number from 0 to 1, not '1.5'"),
        ("drop:probability=often", "probability is a number from 0 to 1, not 'often'"),
        ("delay:seconds=nan", "seconds is a time in seconds, not 'nan'"),
        ("delay:seconds=soon", "seconds is a time in seconds, not 'soon'"),
        ("delay:event=STOP", "delay wants seconds="),
        ("close", "close wants bytes="),
        ("fail:class=no such", "class is a word such as GenericError, not 'no such'"),
        ("fail:desc=a\\", "there is nothing behind the last backslash"),
    ],
)
def test_what_is_no_rule(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        parse_rule(text)
    assert str(error.value) == problem


def test_every_fault_has_an_example_and_every_key_is_told_of() -> None:
    assert {parse_rule(example).fault for example in EXAMPLES} == set(FAULTS)
    for key in {key for keys in FAULTS.values() for key in keys}:
        assert f"``{key}``" in DOCUMENT
