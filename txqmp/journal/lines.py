"""Records become lines, without secrets; at one glance where there is nothing to hide in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from txqmp.codec import draft, is_final
from txqmp.errors import JournalError
from txqmp.journal.harmless import is_harmless
from txqmp.journal.record import Encoder, Entry, Kind, Record, Run, say, tell
from txqmp.journal.redact import redact as redacted

_REMEMBERED = 256 * 1024
"""Bytes of messages whose text is kept, for monitors repeat themselves."""
_GROUP = 32
"""Messages judged together: to look once is cheaper, but one suspect is enough to look again."""


class Liner:
    """
    Writes the lines of one journal.

    :param run: the journal's mark.
    :param redact: take secrets out of the records.
    """

    def __init__(self, run: str, redact: bool) -> None:
        self._run = run
        self._redact = redact
        self._encoder = Encoder()
        # What messages without secrets look like in a line: fields by their JSON, raw by itself.
        self._told: dict[bytes, str] = {}
        self._said: dict[bytes | None, str] = {None: ""}
        self._size = 0

    def text(self, entries: Sequence[Entry]) -> tuple[bytes, int, int]:
        """
        Write records and runs of them, in their order. It never raises.

        :returns: the lines, how many they are, and how many records cannot be written at all.
        """
        parts: list[bytes] = []
        records: list[Record] = []
        wanted, count = len(entries), 0
        for entry in entries:
            if isinstance(entry, Record):
                records.append(entry)
                continue
            lines = self.lines(records)
            records = []
            joined, joint_count = self._run_lines(entry)
            parts += lines + joined
            count += len(lines) + joint_count
            wanted += entry.count - 1
        lines = self.lines(records)
        parts += lines
        count += len(lines)
        return b"".join(parts), count, wanted - count

    def _run_lines(self, run: Run) -> tuple[list[bytes], int]:
        """
        Write a run, in one go where there is nothing to hide in it; else its halves.

        :returns: the lines, and how many they are.
        """
        record = run.joint
        record.run = self._run
        try:
            message = (record, draft(record.fields))
            if not (self._redact and (record.sensitive or not self._is_plain([message]))):
                return [self._encoder.run(run)], run.count
        except Exception:  # one by one it is found out which
            return self._one_by_one(run)
        if run.count <= _GROUP:
            return self._one_by_one(run)
        (one, ones), (other, others) = map(self._run_lines, run.halves())
        return one + other, ones + others

    def _one_by_one(self, run: Run) -> tuple[list[bytes], int]:
        lines = self.lines(run.records())
        return lines, len(lines)

    def lines(self, records: Sequence[Record]) -> list[bytes]:
        """
        Write records, in their order. It never raises.

        :returns: fewer lines than records, if one cannot be written at all.
        """
        drafts = self._judge(records)
        lines = []
        for record, fields in zip(records, drafts, strict=True):
            record.run = self._run
            told, said = self._told.get(fields), self._said.get(record.raw)
            try:
                if told is None or said is None:
                    lines.append(self._carefully(record))
                else:
                    lines.append(self._encoder.line(record, told, said))
            except Exception:
                continue
        if self._size > _REMEMBERED:
            self._told, self._said, self._size = {}, {None: ""}, 0
        return lines

    def _judge(self, records: Sequence[Record]) -> list[bytes]:
        """
        Get to know those messages in which there is nothing to hide.

        :returns: the JSON of each record's fields; empty where it takes more care.
        """
        told, said = self._told, self._said
        undecoded = Kind.UNDECODED
        drafts = []
        unknown: list[tuple[Record, bytes]] = []
        for record in records:
            fields, raw = b"", record.raw
            # Between the letters of what could not be decoded there may be NULs.
            suspect = record.sensitive or (record.kind is undecoded and 0 in (raw or b""))
            if not (suspect and self._redact):
                try:
                    fields = draft(record.fields)
                    if fields not in told or raw not in said:
                        unknown.append((record, fields))
                except Exception:
                    fields = b""
            drafts.append(fields)
        for start in range(0, len(unknown), _GROUP):
            group = unknown[start : start + _GROUP]
            if self._is_plain(group):
                self._keep(group)
            else:
                self._keep([message for message in group if self._is_plain([message])])
        return drafts

    def _is_plain(self, messages: list[tuple[Record, bytes]]) -> bool:
        """Whether some messages hold nothing but what can be written as it is."""
        parts = [fields for _, fields in messages]
        parts += [record.raw or b"" for record, _ in messages]
        data = b"\n".join(parts)
        return is_final(data) and (not self._redact or is_harmless(data))

    def _keep(self, messages: list[tuple[Record, bytes]]) -> None:
        for record, fields in messages:
            raw = record.raw
            try:
                self._told[fields] = tell(record.fields, fields)
            except (JournalError, TypeError):
                continue
            self._said[raw] = say(raw)
            self._size += len(fields) + (0 if raw is None else len(raw))

    def _carefully(self, record: Record) -> bytes:
        if self._redact:
            record = redacted(record)
        said = say(record.raw)
        try:
            return self._encoder.line(record, tell(record.fields), said)
        except (JournalError, ValueError, TypeError, RecursionError) as error:
            # A peer must not be able to keep what it says out of the journal.
            problem = f"the decoded fields cannot be written: {error}"
            record = replace(record, fields={"problem": problem})
            return self._encoder.line(record, tell(record.fields), said)
