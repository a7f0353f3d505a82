r"""
JSON QMP: bytes to messages. Pure functions, no I/O.

A message is one JSON value, as :mod:`txqmp.jsonqmp.values` cuts it out of the stream; white
space around it is ignored. Read leniently: unknown members are passed over, in commands too,
where QEMU refuses them, and of a member that is there twice the last counts, where QEMU
refuses the message. Like QEMU, take 'single quoted' strings, with ``\'`` in either kind, and
refuse what cannot be text (bad UTF-8, half a surrogate pair). Unlike QEMU, refuse numbers
that are not finite, which it writes as ``inf``.
"""

from __future__ import annotations

import enum
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, NoReturn, TypeAlias, TypeVar

from txqmp.codec import loads_or
from txqmp.errors import InvalidCommand, ProtocolViolation

JSONValue: TypeAlias = "JSONObject | list[JSONValue] | str | int | float | bool | None"
JSONObject: TypeAlias = dict[str, JSONValue]


class Absent(enum.Enum):
    """The type of :data:`ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""The id of a message that has none; ``None`` is an id like any other."""


class Greeting(NamedTuple):
    """
    ``{"QMP": {"version": …, "capabilities": …}}``

    :ivar qemu: the version of QEMU, such as ``7.2.22``.
    :ivar package: what the distributor calls it; often empty.
    :ivar capabilities: what can be switched on, such as ``oob``.
    :ivar fields: the whole of ``QMP``, as it came.
    """

    qemu: str
    package: str
    capabilities: tuple[str, ...]
    fields: JSONObject


class Command(NamedTuple):
    """
    ``{"execute": name, "arguments": …, "id": …}``

    :ivar arguments: empty when the message has none.
    :ivar oob: to be run out of band (``exec-oob``).
    """

    name: str
    arguments: JSONObject
    id: JSONValue | Absent = ABSENT
    oob: bool = False


class Success(NamedTuple):
    """``{"return": value, "id": …}``"""

    value: JSONValue
    id: JSONValue | Absent = ABSENT


class Failure(NamedTuple):
    """
    ``{"error": {"class": …, "desc": …}, "id": …}``

    :ivar error_class: mostly ``GenericError``.
    :ivar description: for people; not to be parsed.
    """

    error_class: str
    description: str
    id: JSONValue | Absent = ABSENT


class Event(NamedTuple):
    """
    ``{"event": name, "data": …, "timestamp": …}``

    :ivar data: empty when the message has none.
    :ivar timestamp: seconds since the epoch; None when absent, or when QEMU could not read
        its clock.
    """

    name: str
    data: JSONObject
    timestamp: float | None = None


Completion = Success | Failure
ServerMessage = Greeting | Completion | Event

_Kind = TypeVar("_Kind")

_QUOTED = re.compile(
    r"""
    "( [^"\\]*+ (?:\\.[^"\\]*+)*+ ) ("?+)
  | '( [^'\\]*+ (?:\\.[^'\\]*+)*+ ) ('?+)
    """,
    re.DOTALL | re.VERBOSE,
)
_INNER = re.compile(r'\\.|"', re.DOTALL)
_ESCAPES = {'"': r"\"", r"\'": "'"}
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_COMMAND_MEMBERS = frozenset(["execute", "exec-oob", "arguments", "id"])
_KINDS = ("QMP", "return", "error", "event")
# Far beyond any clock, and no float overflows on the way.
_LAST_SECOND = 1 << 62


def parse_command(raw: bytes) -> Command:
    """
    Read a message of a client.

    :raises ProtocolViolation: it is not JSON, or not a command.
    """
    return _command(_parse_object(raw), raw)


def _command(message: JSONObject, raw: bytes) -> Command:
    names = [key for key in ("execute", "exec-oob") if key in message]
    if len(names) != 1:
        raise ProtocolViolation("neither 'execute' nor 'exec-oob', or both", raw)
    return Command(
        _member(message, names[0], str, raw),
        _member(message, "arguments", dict, raw) if "arguments" in message else {},
        message.get("id", ABSENT),
        names[0] == "exec-oob",
    )


def parse_unambiguous_command(raw: bytes) -> Command:
    """
    Read a message of a client as QEMU does where this module is lenient: a member that is there
    twice, at any depth, is refused, and so is one beside those that a command has.

    :raises ProtocolViolation: it is not JSON, not a command, or can be read in two ways.
    """
    message = parse_unambiguous(raw)
    if not isinstance(message, dict):
        raise ProtocolViolation("not a JSON object", raw)
    command = _command(message, raw)
    for key in message:
        if key not in _COMMAND_MEMBERS:
            raise ProtocolViolation("a member that no command has", raw)
    return command


def parse_unambiguous(raw: bytes) -> JSONValue:
    """
    Read any JSON, with QEMU's single quotes, in which no member is there twice.

    :raises ProtocolViolation: it is none.
    """
    return _parse_value(raw, lambda data: _parse(data, _UNIQUE_DECODER))


def parse_server_message(raw: bytes) -> ServerMessage:
    """
    Read a message of a server.

    :raises ProtocolViolation: it is not JSON, or none of the four kinds.
    """
    message = _parse_object(raw)
    if len(message) == 2 and "return" in message and "id" in message:
        # What most are.
        return Success(message["return"], message["id"])
    kinds = [key for key in _KINDS if key in message]
    if len(kinds) != 1:
        raise ProtocolViolation("not one of greeting, return, error and event", raw)
    match kinds[0]:
        case "return":
            return Success(message["return"], message.get("id", ABSENT))
        case "event":
            return _event(message, raw)
        case "error":
            error = _member(message, "error", dict, raw)
            return Failure(
                _member(error, "class", str, raw),
                _member(error, "desc", str, raw),
                message.get("id", ABSENT),
            )
    return _greeting(_member(message, "QMP", dict, raw), raw)


# Writing: what a server sends, member by member in the order of QEMU 7.2.


def write_greeting(qemu: str, package: str = "", capabilities: Sequence[str] = ("oob",)) -> bytes:
    """
    Write the greeting.

    :param qemu: three numbers, such as ``7.2.22``.
    """
    version: JSONObject = {"qemu": version_numbers(qemu), "package": package}
    return write_value({"QMP": {"version": version, "capabilities": list(capabilities)}})


def version_numbers(qemu: str) -> JSONObject:
    """
    Take a version apart as QEMU tells it.

    :raises ValueError: it is not three numbers.
    """
    major, minor, micro = (int(part) for part in qemu.split("."))
    return {"micro": micro, "minor": minor, "major": major}


def write_success(value: JSONValue, id: JSONValue | Absent = ABSENT) -> bytes:
    """
    Write ``{"return": value, "id": …}``.

    :raises ValueError: the value holds a number that is not finite, or itself.
    :raises TypeError: the value holds something that JSON has not.
    """
    message: JSONObject = {"return": value}
    if id is not ABSENT:
        message["id"] = id
    return write_value(message)


def write_failure(error_class: str, description: str, id: JSONValue | Absent = ABSENT) -> bytes:
    """Write ``{"id": …, "error": {"class": …, "desc": …}}``."""
    message: JSONObject = {} if id is ABSENT else {"id": id}
    message["error"] = {"class": error_class, "desc": description}
    return write_value(message)


def write_event(name: str, data: JSONObject | None, timestamp: float) -> bytes:
    """
    Write ``{"timestamp": …, "event": name, "data": …}``; without data, it has no such member.

    :param timestamp: seconds since the epoch.
    """
    seconds, microseconds = divmod(round(timestamp * 1_000_000), 1_000_000)
    clock: JSONObject = {"seconds": seconds, "microseconds": microseconds}
    message: JSONObject = {"timestamp": clock, "event": name}
    if data:
        message["data"] = data
    return write_value(message)


def write_value(value: JSONValue) -> bytes:
    """
    Write any value, however deeply it is nested.

    :raises ValueError: it holds a number that is not finite, or itself.
    :raises TypeError: it holds something that JSON has not.
    """
    try:
        return json.dumps(value, allow_nan=False).encode("ascii")
    except RecursionError:
        return "".join(_flatten(value)).encode("ascii")


def _flatten(whole: JSONValue) -> Iterator[str]:
    """Write as ``json.dumps`` does, but what is nested more deeply than it can go, too."""
    left: list[tuple[str, JSONValue | Absent]] = [("", whole)]
    while left:
        before, value = left.pop()
        yield before
        if isinstance(value, dict) and value:
            keys = [f", {json.dumps(key)}: " for key in value]
            inner = [*zip(["{" + keys[0][2:], *keys[1:]], value.values(), strict=True)]
            left += [("}", ABSENT), *reversed(inner)]
        elif isinstance(value, list) and value:
            left += [("]", ABSENT), *((", ", item) for item in reversed(value[1:]))]
            left.append(("[", value[0]))
        elif value is not ABSENT:
            yield json.dumps(value, allow_nan=False)


def _greeting(fields: JSONObject, raw: bytes) -> Greeting:
    version = _member(fields, "version", dict, raw)
    numbers = _member(version, "qemu", dict, raw)
    capabilities: list[JSONValue] = _member(fields, "capabilities", list, raw)
    names = tuple(name for name in capabilities if isinstance(name, str))
    if len(names) != len(capabilities):
        raise ProtocolViolation("'capabilities' holds something else than names", raw)
    return Greeting(
        ".".join(str(_member(numbers, part, int, raw)) for part in ("major", "minor", "micro")),
        _member(version, "package", str, raw) if "package" in version else "",
        names,
        fields,
    )


def _event(message: JSONObject, raw: bytes) -> Event:
    timestamp = None
    if "timestamp" in message:
        clock = _member(message, "timestamp", dict, raw)
        seconds = _member(clock, "seconds", int, raw)
        microseconds = _member(clock, "microseconds", int, raw)
        if max(abs(seconds), abs(microseconds)) > _LAST_SECOND:
            raise ProtocolViolation("'timestamp' is out of range", raw)
        timestamp = None if seconds == -1 else seconds + microseconds / 1_000_000
    return Event(
        _member(message, "event", str, raw),
        _member(message, "data", dict, raw) if "data" in message else {},
        timestamp,
    )


def _member(holder: JSONObject, name: str, kind: type[_Kind], raw: bytes) -> _Kind:
    value = holder.get(name)
    # bool is a kind of int to Python, not to JSON.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ProtocolViolation(f"{name!r} is absent or of the wrong type", raw)
    return value


def _parse_object(raw: bytes) -> JSONObject:
    message = _parse_value(raw, lambda data: loads_or(data, _parse))
    if not isinstance(message, dict):
        raise ProtocolViolation("not a JSON object", raw)
    return message


def _parse_value(raw: bytes, parse: Callable[[bytes], JSONValue]) -> JSONValue:
    try:
        return parse(raw)
    except RecursionError:
        raise ProtocolViolation("nested too deeply", raw) from None
    except json.JSONDecodeError as error:
        raise ProtocolViolation(f"not JSON: {error.msg}", raw) from None
    except UnicodeError:
        raise ProtocolViolation("not Unicode text", raw) from None
    except ValueError:
        raise ProtocolViolation("a number out of range", raw) from None


def _parse(raw: bytes, decoder: json.JSONDecoder | None = None) -> JSONValue:
    decoder = decoder or _DECODER
    text = raw.decode("utf-8").strip(" \t\r\n")
    value: JSONValue
    try:
        value, end = decoder.raw_decode(text)
        if end < len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except json.JSONDecodeError:
        if "'" not in text:
            raise
        value = decoder.decode(_QUOTED.sub(_requote, text))
    if "\\" in text and _SURROGATE.search(raw):
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _requote(match: re.Match[str]) -> str:
    """Write a string of QEMU's as JSON has it; one that does not end stays as it is."""
    inner, ended = match.group(1, 2) if match[1] is not None else match.group(3, 4)
    return f'"{_INNER.sub(_escape, inner)}"' if ended else match[0]


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0], match[0])


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("too large a number")
    return number


def _refuse(word: str) -> NoReturn:
    raise json.JSONDecodeError("Expecting value", word, 0)


def _unique(pairs: list[tuple[str, JSONValue]]) -> JSONObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise json.JSONDecodeError("duplicate key", "", 0)
    return value


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
_UNIQUE_DECODER = json.JSONDecoder(
    parse_float=_finite, parse_constant=_refuse, object_pairs_hook=_unique
)
_COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_quote = json.encoder.encode_basestring_ascii


def write_command(
    name: str,
    arguments: Mapping[str, JSONValue] | None = None,
    id: JSONValue | Absent = ABSENT,
    oob: bool = False,
) -> bytes:
    """
    Write a command, in as few bytes as can be: QEMU reads its socket byte by byte.

    :param oob: to be run out of band.
    :raises InvalidCommand: an argument is not JSON.
    """
    try:
        text = f'{{"{"exec-oob" if oob else "execute"}":{_quote(name)}'
        if id is not ABSENT:
            text += f',"id":{id if type(id) is int else _COMPACT.encode(id)}'
        if arguments:
            text += f',"arguments":{_COMPACT.encode(dict(arguments))}'
        data = (text + "}").encode("ascii")
        if data.find(b"\\") >= 0 and _SURROGATE.search(data):
            known = None if id is ABSENT else id
            json.dumps([name, known, dict(arguments or ())], ensure_ascii=False).encode("utf-8")
        return data
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidCommand(f"{name!r} cannot be written as JSON: {error}") from None
