"""Whatever either end does to a relay with a policy, what is not allowed does not get through."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile import acts, noise
from tests.policy.test_rules import policy, rule
from tests.proxy.conversation import JSON, TEXT
from tests.proxy.test_hostile import play
from txqmp.jsonqmp.request import read
from txqmp.jsonqmp.values import ValueSplitter
from txqmp.policy import Policy
from txqmp.policy.guarding import Guarding

READING = Policy.of(allow=["query-*", "info"])
SLOWLY = policy(rule("delay", 'command = "query-*"\nseconds = 3'))
NEGOTIATION = "qmp_capabilities"


def json_names(data: bytes) -> Iterator[object]:
    """The commands that a monitor finds in what came to it."""
    splitter = ValueSplitter()
    for piece in splitter.feed(data) + splitter.finish():
        for value in read(piece.raw):
            assert isinstance(value, dict), f"the monitor got {value!r}"
            yield value.get("execute") or value.get("exec-oob")


@settings(max_examples=100)
@given(st.data())
def test_a_json_monitor_gets_what_is_allowed_and_nothing_else(data: st.DataObject) -> None:
    done = data.draw(acts(noise("json"), noise("json")))
    one = play(Guarding(READING).make_side, JSON, done)
    for name in json_names(one.came[id(one.ends[1])]):
        assert name == NEGOTIATION or str(name).startswith("query-")


@settings(max_examples=100)
@given(st.data())
def test_a_text_monitor_gets_what_is_allowed_and_nothing_else(data: st.DataObject) -> None:
    done = data.draw(acts(noise("text"), noise("text")))
    one = play(Guarding(READING).make_side, TEXT, done)
    lines = one.came[id(one.ends[1])].split(b"\n")
    assert lines.pop() == b"", "a monitor that is left might carry out half a line"
    for line in lines:
        assert line.split()[:1] in ([b"info"], [b'"info"'], [])


@settings(max_examples=100)
@given(st.sampled_from([JSON, TEXT, b""]), st.data())
def test_what_is_delayed_or_early_outlives_nobody(greeting: bytes, data: st.DataObject) -> None:
    said = noise("json", "text")
    play(Guarding(SLOWLY).make_side, greeting or data.draw(said), data.draw(acts(said, said)))
