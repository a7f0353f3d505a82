"""Whatever either end does to a relay, nothing is raised, and all is closed in the end."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile import acts, noise, pieces, unharmed
from tests.proxy.conversation import JSON, TEXT, Conversation
from tests.proxy.test_relay import End
from txqmp.journal.record import Kind
from txqmp.proxy.relay import Side, SideMaker


class Play:
    """
    A conversation, and what its ends do to it.

    :param make_side: makes its ends.
    :ivar said: what each of them has said, by its ``id``.
    :ivar came: what has come to each of them.
    """

    def __init__(self, make_side: SideMaker, greeting: bytes) -> None:
        self.conversation = Conversation(make_side, greeting=b"")
        self.ends = [self.conversation.client, self.conversation.monitor]
        self._over = {id(end): False for end in self.ends}
        self._lost = dict(self._over)
        self.said = {id(end): b"" for end in self.ends}
        self.came = {id(end): b"" for end in self.ends}
        self._speak(self.conversation.monitor, greeting, 1 << 20)

    def act(self, what: str, who: int, *how: Any) -> None:
        client, monitor = self.ends
        if what == "says":
            self._speak(client, *how)
        elif what == "answers":
            self._speak(monitor, *how)
        elif what in ("sticks", "reads"):
            producer = self.ends[who % 2].line.producer
            if producer is not None and not self._lost[id(self.ends[who % 2])]:
                getattr(producer, "pauseProducing" if what == "sticks" else "resumeProducing")()
        elif what == "passes":
            self.conversation.clock.advance(how[0])
        else:
            end = monitor if what.startswith("monitor") else client
            self._half_close(end) if what.endswith("ends") else self._leave(end)

    def _speak(self, end: End, data: bytes, size: int) -> None:
        for piece in pieces(data, size):
            if end.line.producerState == "producing" and not self._over[id(end)]:
                end.says(piece)
                self.said[id(end)] += piece
                self._hear()

    def _hear(self) -> None:
        for end in self.ends:
            self.came[id(end)] += end.heard()

    def _half_close(self, end: End) -> None:
        if not self._over[id(end)]:
            self._over[id(end)] = True
            end.says_no_more()
            self._hear()

    def _leave(self, end: End) -> None:
        if not self._lost[id(end)]:
            self._over[id(end)] = self._lost[id(end)] = True
            end.is_gone()
            self._hear()

    def to_its_end(self) -> None:
        """One of them leaves, and the other is to follow."""
        client, monitor = self.ends
        self._leave(client)
        self.conversation.clock.advance(60)
        assert monitor.closed or self._lost[id(monitor)]
        self._leave(monitor)
        self.conversation.clock.advance(60)
        assert not self.conversation.clock.getDelayedCalls()
        assert not self.conversation.factory.conversations


def play(make_side: SideMaker, greeting: bytes, done: list[tuple[Any, ...]]) -> Play:
    with unharmed():
        one = Play(make_side, greeting)
        for act in done:
            one.act(*act)
        one.to_its_end()
    assert one.conversation.records[-1].kind is Kind.CLOSED
    return one


@settings(max_examples=100)
@given(st.sampled_from([JSON, TEXT]), st.data())
def test_a_relay_survives_both(greeting: bytes, data: st.DataObject) -> None:
    said = noise("json", "text")
    one = play(Side, data.draw(st.one_of(st.just(greeting), said)), data.draw(acts(said, said)))
    client, monitor = (id(end) for end in one.ends)
    assert one.said[client].startswith(one.came[monitor])
    assert one.said[monitor].startswith(one.came[client])
    closed = one.conversation.records[-1].fields
    assert closed["bytes_to_monitor"] == len(one.said[client])
    assert closed["bytes_to_client"] == len(one.said[monitor])
