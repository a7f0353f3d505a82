"""
Taking secrets out of records. Pure functions; what a secret is, :mod:`~txqmp.journal.confidential`
knows.

A raw message is kept only when nothing secret can be in it. Otherwise it is written again
from the redacted fields, never patched: so no escape, no duplicate key and no odd
quoting brings a secret through.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from txqmp.journal.confidential import (
    conceal,
    conceal_line,
    conceal_prose,
    conceal_text,
    conceal_words,
    dump,
    is_secret_property,
    join_line,
    load,
    mentions_secret,
    split_line,
)
from txqmp.journal.harmless import is_harmless
from txqmp.journal.record import Direction, Kind, Record

_ANSWERS = ("return", "text", "lines")
_TELLING = ("qom-get", "info", "human-monitor-command")
_MESSAGES = (Kind.SUCCESS, Kind.FAILURE, Kind.REJECTION)


def redact(record: Record) -> Record:
    """
    Hide the secrets of a record.

    :returns: the record itself if it holds none, else a copy that says ``redacted``.
    """
    try:
        return _undecoded(record) if record.kind is Kind.UNDECODED else _decoded(record)
    except RecursionError:
        fields = {"problem": "nested too deeply to be searched for secrets", "redacted": True}
        return replace(record, fields=fields, raw=_counted(record.raw))


def _decoded(record: Record) -> Record:
    fields = _conceal_fields(record)
    if record.sensitive:
        kept = {key: value for key, value in fields.items() if key not in _ANSWERS}
        return replace(record, fields={**kept, "redacted": True}, raw=None, sensitive=False)
    if fields is record.fields and (record.raw is None or _is_clean(record, record.raw)):
        return record
    raw = None if record.raw is None else _written_again(record, fields, record.raw)
    return replace(record, fields={**fields, "redacted": True}, raw=raw)


def _undecoded(record: Record) -> Record:
    text = (record.raw or b"").decode("latin-1")
    line = text.strip()
    if not record.sensitive and not mentions_secret(text) and conceal_line(line) == line:
        return record
    # The problem may quote the line, after a colon or in quotation marks.
    problem = str(record.fields.get("problem", "")).partition(":")[0]
    problem = problem.partition("'")[0].partition('"')[0].rstrip()
    fields = {"problem": problem, "redacted": True}
    return replace(record, fields=fields, raw=_counted(record.raw), sensitive=False)


def _counted(raw: bytes | None) -> bytes | None:
    return None if raw is None else b"[redacted %d bytes]" % len(raw)


def _conceal_fields(record: Record) -> dict[str, Any]:
    fields = record.fields
    changed: dict[str, Any] = {}
    command = record.kind is Kind.COMMAND
    if command:
        changed = _conceal_command(fields)
    for key, value in fields.items():
        if command and key == "arguments":
            continue
        if key in ("reason", "problem", "command") and isinstance(value, str):
            new = conceal_prose(value)
        else:
            new = conceal(value, record.direction is Direction.TO_MONITOR)
        if new is not value:
            changed.setdefault(key, new)
    return {**fields, **changed} if changed else fields


def _conceal_command(fields: dict[str, Any]) -> dict[str, Any]:
    command, arguments = str(fields.get("command", "")), fields.get("arguments")
    if not isinstance(arguments, list):
        new = conceal(arguments, True, _is_object_add(command))
        return {} if new is arguments else {"arguments": new}
    verb = command.split()
    words = [*verb, *(str(argument) for argument in arguments)]
    new_words = conceal_words(words)
    if new_words == words:
        return {}
    return {"command": " ".join(new_words[: len(verb)]), "arguments": new_words[len(verb) :]}


def _is_object_add(command: object) -> bool:
    return isinstance(command, str) and command.lower().replace("_", "-") == "object-add"


def _is_clean(record: Record, raw: bytes) -> bool:
    if is_harmless(raw):
        return True
    typed = record.direction is Direction.TO_MONITOR
    if record.dialect == "json":
        try:
            value = load(raw)
        except ValueError:
            return False
        adding = isinstance(value, dict) and any(
            _is_object_add(value.get(key)) for key in ("execute", "exec-oob")
        )
        return conceal(value, typed, adding) is value
    line = raw.decode("latin-1").strip()
    if typed:
        return conceal_line(line) == line
    if record.kind is Kind.OUTPUT:
        return conceal_text(line, False) == line
    return conceal_prose(line) == line


def _written_again(record: Record, fields: dict[str, Any], raw: bytes) -> bytes:
    if record.dialect == "json":
        message = _json_message(record.kind, fields)
        body = None if message is None else dump(message).encode("ascii")
    else:
        line = _text_line(record.kind, fields)
        body = None if line is None else line.encode("ascii", "backslashreplace")
    if body is None:
        return b"[redacted %d bytes]" % len(raw)
    return body + raw[len(raw.rstrip(b"\r\n")) :]


def _json_message(kind: Kind, fields: dict[str, Any]) -> dict[str, Any] | None:
    message: dict[str, Any]
    keys: tuple[str, ...]
    if kind is Kind.COMMAND:
        message = {"exec-oob" if fields.get("oob") else "execute": fields.get("command")}
        keys = ("arguments", "id")
    elif kind is Kind.SUCCESS:
        message, keys = {}, ("return", "id")
    elif kind in _MESSAGES:
        error = {"class": fields.get("class"), "desc": fields.get("reason")}
        message, keys = {"error": error}, ("id",)
    elif kind is Kind.EVENT:
        message, keys = {}, ("event", "data", "timestamp")
    else:
        return None
    message.update((key, fields[key]) for key in keys if key in fields)
    return message


def _text_line(kind: Kind, fields: dict[str, Any]) -> str | None:
    match kind:
        case Kind.COMMAND:
            command = str(fields.get("command", ""))
            return " ".join(filter(None, [command, join_line(fields.get("arguments") or [])]))
        case Kind.OUTPUT:
            return f"= {fields.get('text', '')}"
        case Kind.SUCCESS:
            return f"+ OK {fields.get('command', '')} completed"
        case Kind.FAILURE:
            return f"- ERR {fields.get('reason', '')}"
        case Kind.REJECTION:
            return f"- BAD {fields.get('reason', '')}"
        case Kind.EVENT:
            return f"* EVENT {fields.get('event', '')}"
    return None


def reveals_secret(command: str, arguments: object) -> bool:
    """
    Whether the reply to a command is itself a secret.

    :param command: the command's name, or verb.
    :param arguments: a list of words, or a JSON object.
    """
    if command and not _plain(command).lstrip().startswith(_TELLING):
        return False
    if isinstance(arguments, dict):
        line = arguments.get("command-line")
        if _plain(command) == "human-monitor-command" and isinstance(line, str):
            words = split_line(line)
        else:
            words = [command, str(arguments.get("path")), str(arguments.get("property"))]
    elif isinstance(arguments, (list, tuple)):
        words = [*command.split(), *(str(argument) for argument in arguments)]
    else:
        words = command.split()
    match [_plain(words[0]), *words[1:]] if words else []:
        case ["qom-get", _, *properties]:
            return any(is_secret_property(name) for name in properties)
        case ["info", what, *_]:
            return what.lower() == "history"
    return False


def _plain(verb: str) -> str:
    return verb.lower().replace("_", "-")
