"""Clients that do not behave."""

from __future__ import annotations

import json

from tests.soak.clients import Client

BAD = (
    "mute", "garbage", "mid-value", "long line", "hasty", "flood", "nesting", "mutated",
    "half a line",
)  # fmt: skip


class Bad(Client):
    """Says what it should not, or not enough, and leaves."""

    def begin(self) -> None:
        """Say it."""
        self.soak.ledger.faults[f"client {self.sort}"] += 1
        getattr(self, f"_{self.sort.replace(' ', '_').replace('-', '_')}")()

    def _leave(self) -> None:
        self.dice.choice([self.wire.loseConnection, self.wire.abortConnection])()

    def _mute(self) -> None:
        self.later(self.dice.random(), self._leave)

    def _hasty(self) -> None:
        self._leave()

    def _garbage(self) -> None:
        for _ in range(self.dice.randint(1, 20)):
            kind = self.dice.randrange(3)
            if kind == 0:
                self.say(self.dice.randbytes(self.dice.randint(1, 3000)))
            elif kind == 1:
                letters = b"{}[]\":,\\'execute 0123eE+-.tfn\r\n"
                self.say(bytes(self.dice.choices(letters, k=self.dice.randint(1, 300))))
            else:
                self.say(b"\0" * self.dice.randint(1, 3000))
        self.later(self.dice.random() / 2, self._leave)

    def _mid_value(self) -> None:
        whole = self._valid(3)
        self.say(whole[: self.dice.randint(1, len(whole) - 1)])
        self.later(self.dice.random() / 5, self._leave)

    def _half_a_line(self) -> None:
        self.say(self._valid(2)[:-4])
        self.wire.loseWriteConnection()
        self.later(2, self._leave)

    def _long_line(self) -> None:
        self._chunks = self.soak.long_line // 65536
        if self.dialect == "json":
            self.say(b'{"execute": "query-status", "arguments": {"nonce": "')
        self._more()

    def _more(self) -> None:
        # Not all at once: it is the proxy's memory that is looked at.
        if not self.wire.dataBuffer and not self.wire._tempDataBuffer:
            for _ in range(16):
                self.say(b"x" * 65536)
                self._chunks -= 1
        if self._chunks > 0:
            self.later(0.001, self._more)
        else:
            self.say(b'"}}\r\n' if self.dice.random() < 0.5 else b"\n")
            self.later(0.5, self._leave)

    def _flood(self) -> None:
        self.wire.pauseProducing()
        self.say(self._valid(self.dice.choice([200, 2000])))
        # It reads no answer, so nobody has to read what it has left to say.
        self.later(self.dice.random(), self.wire.abortConnection)

    def _nesting(self) -> None:
        opening = self.dice.choice([b"[", b'{"a":', b"[{'a':"])
        self.say(opening * self.dice.choice([10, 1025, 50_000]))
        self.later(self.dice.random() / 5, self._leave)

    def _mutated(self) -> None:
        said = bytearray(self._valid(10))
        for _ in range(self.dice.randint(1, 10)):
            place = self.dice.randrange(len(said))
            change = self.dice.randrange(3)
            if change == 0:
                said[place] = self.dice.randrange(256)
            elif change == 1:
                del said[place]
            else:
                said[place:place] = self.dice.randbytes(2)
        self.say(bytes(said))
        self.later(self.dice.random(), self._leave)

    def _valid(self, count: int) -> bytes:
        if self.dialect == "text":
            return b"".join(f"set_link {self.nonce(n)} up\r\n".encode() for n in range(count))
        commands = [{"execute": "qmp_capabilities"}]
        for number in range(count):
            arguments = {"nonce": self.nonce(number)}
            commands.append({"execute": "query-status", "arguments": arguments})  # type: ignore[dict-item]
        return b"\r\n".join(json.dumps(command).encode() for command in commands) + b"\r\n"
