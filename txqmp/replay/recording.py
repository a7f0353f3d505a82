"""The conversations of a journal, to be replayed; one of them is in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from txqmp.errors import JournalError
from txqmp.journal.reader import Torn, read
from txqmp.journal.record import Dialect, Kind, Record
from txqmp.replay.script import Script, read_script

_Key = tuple[str, str, int]


@dataclass(slots=True)
class Conversation:
    """
    Where a conversation is in its journal.

    :ivar monitor: the name of the monitor.
    :ivar connection: the number of the connection within the run.
    :ivar run: the journal's mark of the run.
    :ivar dialect: what is spoken, or None where nobody could tell.
    :ivar commands: how many there are.
    :ivar start: where its first record is: a place in the file, or in the list.
    :ivar end: where what comes after its last record is.
    """

    monitor: str
    connection: int
    run: str
    dialect: Dialect | None
    commands: int
    start: int
    end: int


class Recording:
    """
    A journal, and those of its conversations that are to be replayed.

    These have a command, and are in one dialect: that of the first of them.

    :ivar name: of the journal, for messages.
    :ivar conversations: in the order of the journal; there is one at least.
    :ivar dialect: ``text`` or ``json``.
    :param journal: the path of a file, or records. Lines that are no records are passed over, and
        a file is read again for each conversation.
    :param monitor: only those with the monitor of this name.
    :param connection: only those of this number.
    :raises JournalError: it cannot be read, or has no such conversation.
    """

    def __init__(
        self,
        journal: str | os.PathLike[str] | Iterable[Record | Torn],
        *,
        monitor: str | None = None,
        connection: int | None = None,
    ) -> None:
        self._source: Path | list[Record | Torn]
        if isinstance(journal, (str, os.PathLike)):
            self._source = Path(journal)
            self.name = os.fspath(journal)
        else:
            self._source = list(journal)
            self.name = "the journal"
        self._latest: tuple[Conversation, Script] | None = None
        found: dict[_Key, Conversation] = {}
        for start, end, record in self._records(0):
            _note(found, start, end, record)
        self.conversations, self.dialect = self._choose([*found.values()], monitor, connection)

    def script(self, conversation: Conversation) -> Script:
        """
        Read a conversation; the latest is kept.

        :raises JournalError: the file cannot be read any more.
        """
        if self._latest is None or self._latest[0] is not conversation:
            script = read_script(self._of(conversation), self.dialect)
            self._latest = conversation, script
        return self._latest[1]

    def _of(self, conversation: Conversation) -> Iterator[Record]:
        wanted = (conversation.run, conversation.monitor, conversation.connection)
        for start, _, record in self._records(conversation.start):
            if start >= conversation.end:
                return
            if (record.run, record.monitor, record.connection) == wanted:
                yield record

    def _records(self, start: int) -> Iterator[tuple[int, int, Record]]:
        """Records, and where each begins and ends, from a place on."""
        if isinstance(self._source, list):
            for place, entry in enumerate(self._source[start:], start):
                if isinstance(entry, Record):
                    yield place, place + 1, entry
            return
        try:
            if not self._source.is_file() and self._source.exists():
                raise JournalError(f"{self.name} is not a file: it could be read but once")
            with self._source.open("rb") as file:
                file.seek(start)
                for entry in read(file):
                    end = file.tell()
                    if isinstance(entry, Record):
                        yield start, end, entry
                    start = end
        except OSError as error:
            raise JournalError(f"{self.name}: {error.strerror}") from error

    def _choose(
        self, found: list[Conversation], monitor: str | None, connection: int | None
    ) -> tuple[list[Conversation], Dialect]:
        chosen = found
        for key, wanted in (("monitor", monitor), ("connection", connection)):
            if wanted is not None:
                there = list(dict.fromkeys(getattr(each, key) for each in chosen))
                chosen = [each for each in chosen if getattr(each, key) == wanted]
                if not chosen:
                    raise JournalError(
                        f"{self.name}: it has no {key} {wanted} (it has: {_listed(there)})"
                    )
        asked = [each for each in chosen if each.commands and each.dialect is not None]
        if not asked:
            if any(each.commands for each in chosen):
                raise JournalError(f"{self.name}: what was said in it is not decoded")
            raise JournalError(f"{self.name}: no command was recorded in it")
        dialect = asked[0].dialect
        assert dialect is not None
        return [each for each in asked if each.dialect == dialect], dialect


def _note(found: dict[_Key, Conversation], start: int, end: int, record: Record) -> None:
    if not record.connection:
        return  # a gap of the journal's own
    key = (record.run, record.monitor, record.connection)
    conversation = found.get(key)
    if conversation is None:
        conversation = found[key] = Conversation(
            record.monitor, record.connection, record.run, None, 0, start, end
        )
    conversation.end = end
    if conversation.dialect is None:
        conversation.dialect = record.dialect
    # What was not decoded may be commands; a conversation in a dialect has them decoded.
    conversation.commands += record.kind is Kind.COMMAND or (
        record.kind is Kind.UNDECODED and record.dialect is None
    )


def _listed(names: list[Any]) -> str:
    shown = [str(name) for name in names[:10]]
    return ", ".join(shown + ["…"] * (len(names) > 10)) or "none"
