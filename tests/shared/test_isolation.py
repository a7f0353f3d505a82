"""Nothing that is one client's reaches another, however all that happens is interleaved."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared.stage import STAGES, Client, Stage, values

IDS = [1, 2, "1", None, [1], {"a": 1}, True]
TOKEN = re.compile(r"t(\d+)x\d+z")


class Actor:
    """
    A client that asks for what the monitor will echo.

    :param number: is part of all its tokens.
    """

    def __init__(self, stage: Stage, number: int, kind: str) -> None:
        self.text = kind == "text"
        self.oob = kind == "oob"
        self.client: Client = stage.text_client() if self.text else stage.arrives()
        self.asked: list[tuple[str, Any]] = []
        self.urgent: list[str] = []
        self.events_from: int | None = stage.events if self.text else None  # type: ignore[attr-defined]
        self.said = b""
        self._number = number
        self._tokens = 0
        self._unsent = b""
        if not self.text:
            enable = ["oob"] if self.oob else []
            self.negotiation = {"execute": "qmp_capabilities", "arguments": {"enable": enable}}
            self._unsent = json.dumps(self.negotiation).encode()

    def token(self) -> str:
        self._tokens += 1
        return f"t{self._number}x{self._tokens}z"

    def asks(self, id: Any, urgent: bool) -> None:
        token = self.token()
        if self.text:
            self._unsent += f"echo {token}\r\n".encode()
            self.asked.append((token, None))
        elif urgent and self.oob:
            command = {"exec-oob": "qom-get", "arguments": {"path": token}, "id": token}
            self._unsent += json.dumps(command).encode()
            self.urgent.append(token)
        else:
            command = {"execute": "qom-get", "arguments": {"path": token}, "id": id}
            self._unsent += json.dumps(command).encode()
            self.asked.append((token, id))

    def sends(self, size: int) -> bool:
        """Send some of what it has to say, if that is read."""
        if not self._unsent or self.client.left:
            return False
        if self.client.transport.producerState != "producing":
            return False
        chunk, self._unsent = self._unsent[:size], self._unsent[size:]
        self.client.sends(chunk)
        return True

    def hears(self) -> None:
        self.said += self.client.raw()

    def outcomes(self) -> tuple[list[tuple[str, Any]], list[str], list[str]]:
        """What was answered in order, what out of band, and the events."""
        if self.text:
            return self._text_outcomes()
        replies: list[tuple[str, Any]] = []
        urgent: list[str] = []
        events: list[str] = []
        for message in values(self.said)[2:]:
            if "event" in message:
                events.append(message["event"])
                continue
            failed = "error" in message
            if failed:
                assert message["error"]["desc"].startswith("monitor is gone")
            value = "gone" if failed else message["return"]
            if message["id"] in self.urgent:
                urgent.append(message["id"])
                assert value in ("gone", message["id"])
            else:
                replies.append((value, message["id"]))
        return replies, urgent, events

    def _text_outcomes(self) -> tuple[list[tuple[str, Any]], list[str], list[str]]:
        replies: list[tuple[str, Any]] = []
        events: list[str] = []
        printed = ""
        for line in self.said.decode("ascii").splitlines():
            if line.startswith("* EVENT "):
                events.append(line.removeprefix("* EVENT ").upper())
            elif line.startswith("= "):
                printed = line[2:]
            elif line.startswith("+ OK"):
                replies.append((printed, None))
            else:
                assert line.startswith("- ERR monitor is gone")
                replies.append(("gone", None))
        return replies, [], events


def carry_out(stage: Stage, waiting: list[Any]) -> None:
    command = waiting.pop(0)
    arguments = command["arguments"]
    stage.monitor.returns(arguments.get("path") or arguments["command-line"][5:], command["id"])


ACTS = st.one_of(
    st.tuples(st.just("comes"), st.sampled_from(["json", "oob", "text"])),
    st.tuples(
        st.just("asks"), st.integers(0, 9), st.sampled_from(IDS), st.booleans(), st.integers(1, 12)
    ),
    st.tuples(
        st.just("asks"), st.integers(0, 9), st.sampled_from(IDS), st.booleans(), st.integers(1, 12)
    ),
    st.tuples(st.just("sends"), st.integers(0, 9), st.integers(1, 800)),
    st.tuples(st.just("sends"), st.integers(0, 9), st.integers(1, 800)),
    st.tuples(st.just("answers"), st.booleans()),
    st.tuples(st.just("answers"), st.booleans()),
    st.tuples(st.just("happens")),
    st.tuples(st.just("sticks"), st.integers(0, 9)),
    st.tuples(st.just("reads"), st.integers(0, 9)),
    st.tuples(st.just("leaves"), st.integers(0, 9)),
    st.tuples(st.just("dies")),
    st.tuples(st.just("passes"), st.floats(0.1, 3)),
)


class Play:
    """All that happens, in an order that hypothesis makes up."""

    def __init__(self, window: int) -> None:
        self.stage: Any = Stage.ready(window=window)
        self.stage.events = 0
        self.actors: list[Actor] = []
        self.waiting: list[Any] = []
        self.events: list[str] = []

    def act(self, what: str, *how: Any) -> None:
        getattr(self, what)(*how)
        for actor in self.actors:
            actor.hears()
            if actor.events_from is None and b'{"return": {}}' in actor.said:
                actor.events_from = len(self.events)
        self.waiting += self.stage.monitor.asked()

    def actor(self, number: int) -> Actor | None:
        present = [actor for actor in self.actors if not actor.client.left]
        return present[number % len(present)] if present else None

    def comes(self, kind: str) -> None:
        if len(self.actors) < 8:
            self.stage.events = len(self.events)
            self.actors.append(Actor(self.stage, len(self.actors), kind))

    def asks(self, number: int, id: Any, urgent: bool, times: int) -> None:
        if (actor := self.actor(number)) is not None:
            for _ in range(times):
                actor.asks(id, urgent)

    def sends(self, number: int, size: int) -> None:
        if (actor := self.actor(number)) is not None:
            actor.sends(size)

    def answers(self, urgent: bool) -> None:
        if self.stage.monitor.gone or not self.waiting:
            return
        # Those in band in their order, as QEMU does; those out of band whenever it likes.
        ours = [c for c in self.waiting if ("exec-oob" in c) is urgent] or self.waiting[:1]
        self.waiting.remove(ours[0])
        carry_out(self.stage, [ours[0]])

    def happens(self) -> None:
        if not self.stage.monitor.gone:
            name = f"E{len(self.events)}"
            self.events.append(name)
            stamp = {"seconds": 1, "microseconds": 2}
            self.stage.monitor.says({"event": name, "timestamp": stamp})

    def sticks(self, number: int) -> None:
        if (actor := self.actor(number)) is not None:
            actor.client.does_not_read()

    def reads(self, number: int) -> None:
        if (actor := self.actor(number)) is not None:
            actor.client.reads()

    def leaves(self, number: int) -> None:
        if (actor := self.actor(number)) is not None:
            actor.hears()
            actor.client.leaves()

    def dies(self) -> None:
        if not self.stage.monitor.gone:
            self.waiting.clear()
            self.events.append("TXQMP_UPSTREAM_LOST")
            self.stage.monitor.is_gone()

    def passes(self, seconds: float) -> None:
        self.stage.clock.advance(seconds)
        self.is_back()

    def is_back(self) -> None:
        if self.stage.monitor.gone and self.stage.attempts:
            self.events.append("TXQMP_UPSTREAM_BACK")
            self.stage.begins()

    def to_its_end(self) -> None:
        """Everybody reads, says all, and the monitor is there and answers all."""
        if self.stage.monitor.gone:
            while not self.stage.attempts:
                self.stage.clock.advance(0.1)
            self.act("is_back")
        for number in range(len(self.actors)):
            self.act("reads", number)
        going = True
        while going or self.waiting:
            going = sum(actor.sends(1 << 20) for actor in self.actors) > 0
            self.act("answers", False)


@settings(max_examples=150)
@given(st.integers(1, 9), st.lists(ACTS, min_size=20, max_size=120))
def test_no_reply_event_or_byte_of_one_client_reaches_another(
    window: int, acts: list[tuple[Any, ...]]
) -> None:
    play = Play(window)
    for kind in ("json", "text", "oob"):
        play.act("comes", kind)
    for act in acts:
        play.act(*act)
    play.to_its_end()
    for number, actor in enumerate(play.actors):
        theirs = set(TOKEN.findall(actor.said.decode("ascii")))
        assert theirs <= {str(number)}
        replies, urgent, events = actor.outcomes()
        wanted = actor.asked[: len(replies)]
        assert [key for _, key in replies] == [key for _, key in wanted]
        for (value, _), (token, _) in zip(replies, wanted, strict=True):
            assert value in ("gone", token)
        if not actor.client.left:
            assert len(replies) == len(actor.asked)
            assert sorted(urgent) == sorted(actor.urgent)
            if actor.events_from is not None:
                assert events == play.events[actor.events_from :]
    STAGES.pop().ends()
