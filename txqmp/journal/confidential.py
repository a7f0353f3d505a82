"""
What is a secret in the words of a monitor: names, JSON values, strings, command lines.

Every function gives back the very object it was given when there is nothing to hide in it.
In doubt more is hidden rather than less: to the end of an option, a line, a command.

``typed`` says that a client wrote the text, as an operator types: there
``--password X`` and ``user:X@host`` are looked for as well. In what a monitor
answers, prose about passwords is let be.

No pattern here may backtrack: all of it runs on whatever a peer likes to send.
"""

from __future__ import annotations

import json
import re
from enum import IntEnum
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"


class Secrecy(IntEnum):
    """What a name says of its value."""

    OPEN = 0
    TEXT = 1  # a string is a secret; a number, a flag or an object is not
    ANY = 2  # whatever it is


# The names of secret objects, not secrets: QEMU's *-secret options take an id.
_REFERENCES = frozenset(
    [
        "cookie-secret",
        "key-secret",
        "new-secret",
        "old-secret",
        "password-secret",
        "passwordid",
        "proxy-password-secret",
    ]
)
_ANY = re.compile(r"pas+w(or)?d|pass-?(phrase|code|key)|^pwd?$")
_TEXT = re.compile(
    r"secret|cookie|credential|(token|ticket)$|^(pass|psk|authorization)$"
    r"|(raw|private|priv|api|access|master|psk)-?key|key-?(data|material)"
    r"|^(buf-b64|input-data|out-data|err-data)$"
)
# What a secret object, and anything made by qom-set, calls its contents.
_CONTENTS = frozenset(["data", "rawdata", "raw-data", "rawkey", "raw-key", "key"])
_MENTION = re.compile(
    r"pas+w|passphrase|passcode|secret|credential|(private|raw|api).?key|token|ticket|cookie"
    r"|authoriz|pwd|psk|b64|input-data"
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")

_ASSIGNED = re.compile(r"(?<![\w.-])([\w.-]++)(?:[\"'\]]*+\s*+=|[\"']\s*+:)")
_NAMED = re.compile(r"(?<![\w.-])([\w.-]++)[\"'\]]*+(?:\s*+[=:]|\s++)(?=\s*+\S)")
_CHUNK = re.compile(r"\S++")
_OPTION = re.compile(r"(?:[^,]++|,,)++")
_CEPH_KEY = re.compile(r":key=.*+", re.IGNORECASE | re.DOTALL)
_HIDDEN = re.compile(r"[\s\"']*+\[redacted\](?=[\"'\]}]|$)")
_MAX_FAILURES = 16
_WORD = re.compile(r'"((?:[^"\\]++|\\.)*+)(?:"|\\?$)|(\S++)', re.DOTALL)
_UNQUOTED = re.compile(r"\\(.)", re.DOTALL)
_QUOTE = {"\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_SPECIAL = re.compile(r"[=@{':]")
# QEMU repeats what it stumbled over; where that was a secret no rule knows it by its name.
_REPEATED = re.compile(
    r"(invalid keyword '|after parameter '|does not accept value '|invalid parameter value: )"
    r"[^\r\n]*+"
)
_COMMAND_IN_PROSE = re.compile(
    r"(set[-_]password|block[-_]passwd|change[-_]vnc[-_]password|change\s++vnc\s++pass\w*+"
    r"|object[-_]add|qom[-_]set)\s++(?!has not been found).*+",
    re.IGNORECASE | re.DOTALL,
)


def secrecy(name: str) -> Secrecy:
    """Judge the name of a JSON member or of an option; of ``file.password`` the last part."""
    return _remembered_secrecy(name) if len(name) <= 64 else _secrecy(name)


def _secrecy(name: str) -> Secrecy:
    plain = name.rpartition(".")[2].lower().replace("_", "-").strip("-")
    if plain in _REFERENCES:
        return Secrecy.OPEN
    if _ANY.search(plain):
        return Secrecy.ANY
    return Secrecy.TEXT if _TEXT.search(plain) else Secrecy.OPEN


# Names come from the peer: what is remembered is bounded in number and in length.
_remembered_secrecy = lru_cache(maxsize=1024)(_secrecy)


def is_secret_property(name: object) -> bool:
    """Whether a QOM property of this name holds a secret."""
    return isinstance(name, str) and bool(secrecy(name) or _is_contents(name))


def mentions_secret(text: str) -> bool:
    """Whether there is a word like *password* in a text, escaped or not."""
    text = _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)), text.replace("\0", ""))
    return _MENTION.search(text.lower()) is not None


def conceal(value: Any, typed: bool, in_secret: bool = False) -> Any:
    """
    Hide the secrets in a JSON value, at any depth.

    :param in_secret: the value belongs to a secret object, whose ``data`` is the secret.
    :raises RecursionError: if it is nested too deeply to be searched.
    """
    if isinstance(value, str):
        return conceal_text(value, typed)
    if isinstance(value, dict):
        return _conceal_object(value, typed, in_secret)
    if isinstance(value, list):
        items = [conceal(item, typed, in_secret) for item in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value


def _conceal_object(value: dict[str, Any], typed: bool, in_secret: bool) -> dict[str, Any]:
    in_secret = in_secret or _is_secret_object(value)
    hidden = set()
    if "value" in value and (
        is_secret_property(value.get("property")) or is_secret_property(value.get("name"))
    ):
        hidden.add("value")
    if "arg" in value and str(value.get("device")).lower() == "vnc":
        hidden.add("arg")
    changed = {}
    for key, member in value.items():
        judged = secrecy(key)
        if (
            key in hidden
            or judged is Secrecy.ANY
            or (judged and isinstance(member, (str, list)))
            or (in_secret and _is_contents(key))
        ):
            new = _blank(member)
        elif typed and key == "command-line" and isinstance(member, str):
            new = conceal_line(member)
        elif typed and key in ("arg", "env") and isinstance(member, list):
            new = _conceal_program(member)
        else:
            new = conceal(member, typed, in_secret)
        if new is not member:
            changed[key] = new
    return {**value, **changed} if changed else value


def _is_contents(name: str) -> bool:
    return name.lower().replace("_", "-") in _CONTENTS


def _is_secret_object(value: dict[str, Any]) -> bool:
    kind = value.get("qom-type", value.get("qom_type"))
    return isinstance(kind, str) and kind.lower().startswith(("secret", "tls-"))


def _blank(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) or value == REDACTED else REDACTED


def _conceal_program(words: list[Any]) -> list[Any]:
    if any(isinstance(word, str) and _may_tell(word) for word in words):
        blank = [_blank(word) for word in words]
        return words if blank == words else blank
    return conceal(words, True)  # type: ignore[no-any-return]


def conceal_text(text: str, typed: bool, in_secret: bool = False) -> str:
    """
    Hide passwords in addresses, values of options, and the secrets of JSON written in a string.

    :param in_secret: the text describes a secret object, whose ``data`` is the secret.
    """
    if not typed and _SPECIAL.search(text) is None:
        return text
    new = _conceal_json_in(text, typed, in_secret) if "{" in text else text
    if typed:
        new = _conceal_options(_conceal_userinfo(_conceal_exec(new), True), True, in_secret)
    else:
        lines = _REPEATED.sub(_conceal_repeated, new).split("\n")
        new = "\n".join(
            _conceal_options(_conceal_userinfo(line, False), False, False) for line in lines
        )
    return text if new == text else new


def _conceal_repeated(match: re.Match[str]) -> str:
    quote = "'" if match[1].endswith("'") else ""
    return f"{match[1]}{REDACTED}{quote}"


def _conceal_json_in(text: str, typed: bool, in_secret: bool) -> str:
    parts: list[str] = []
    done, failures = 0, 0
    start = text.find("{")
    while start >= 0:
        try:
            value, end = _json_decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            # Not what this reader understands; QEMU's may. Trying at every brace is quadratic.
            failures += 1
            last = failures == _MAX_FAILURES
            if (last or (typed and failures == 1)) and mentions_secret(text[start:]):
                return "".join([*parts, text[done:start], REDACTED])
            if last:
                break
            end = start + 1
        else:
            new = conceal(value, typed, in_secret)
            if new is not value:
                parts += [text[done:start], dump(new)]
                done = end
        start = text.find("{", end)
    return "".join([*parts, text[done:]]) if parts else text


def _conceal_exec(text: str) -> str:
    start = text.lower().find("exec:")
    if start < 0 or not _may_tell(text[start:]):
        return text
    return f"{text[:start]}exec:{REDACTED}"


def _may_tell(shell: str) -> bool:
    # A shell's line names its secrets as it likes, and on either side of them.
    return "pass" in shell.lower() or mentions_secret(shell)


def _conceal_options(text: str, typed: bool, in_secret: bool) -> str:
    names = _NAMED if typed else _ASSIGNED
    pieces = []
    found = hiding = False
    for piece in _OPTION.findall(text):
        if "rbd:" in piece.lower() and _CEPH_KEY.search(piece):
            piece, found = _CEPH_KEY.sub(f":key={REDACTED}", piece), True
        for match in names.finditer(piece):
            telling = secrecy(match[1]) or (in_secret and _is_contents(match[1]))
            if telling and _HIDDEN.match(piece, match.end()) is None:
                gap = "" if match[0].endswith(("=", " ")) else " "
                piece = f"{piece[: match.end()]}{gap}{REDACTED}"
                found = hiding = True
                break
        else:
            if hiding and "=" not in piece:
                continue  # behind a comma that was not doubled: still the secret
            hiding = False
        pieces.append(piece)
    return ",".join(pieces) if found else text


def _conceal_userinfo(text: str, typed: bool) -> str:
    at = text.rfind("@")
    if at < 0:
        return text
    scheme = text.find("://", 0, at)
    if scheme >= 0:
        user = re.match(r"[^:%]*+[:%]", text[scheme + 3 : at])  # iSCSI writes user%password
        if user is not None:
            text = f"{text[: scheme + 3]}{user[0]}{REDACTED}{text[at:]}"
    return _CHUNK.sub(_conceal_user_in_word, text) if typed else text


def _conceal_user_in_word(match: re.Match[str]) -> str:
    user, _, rest = match[0].partition(":")
    password, at, host = rest.rpartition("@")
    return f"{user}:{REDACTED}@{host}" if at and "/" not in password else match[0]


def conceal_prose(text: str) -> str:
    """Hide what an error message repeats of a command."""
    new = _COMMAND_IN_PROSE.sub(lambda m: f"{m[1]} {REDACTED}", text)
    new = conceal_text(new, False)
    return text if new == text else new


def split_line(line: str) -> list[str]:
    """Split a command line as a monitor would, but take whatever comes: nothing is an error."""
    return [
        _UNQUOTED.sub(_unescape, match[1]) if match[2] is None else match[2]
        for match in _WORD.finditer(line)
    ]


def _unescape(match: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(match[1], match[1])


def join_line(words: list[str]) -> str:
    """Write a command line: single spaces, quotes only where needed (rule 9)."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if word and not any(c.isspace() or c in '"\\' for c in word):
        return word
    return '"' + "".join(_QUOTE.get(c, c) for c in word) + '"'


def conceal_line(line: str) -> str:
    """Hide the secrets in a whole command line of the human monitor, or of QMP 0.1."""
    verb, *rest = line.split(None, 1)[:2] or [""]
    if rest and rest[0].startswith("{"):
        new = conceal_text(rest[0], True, _plain_verb(verb) == "object_add")
        return line if new == rest[0] else f"{verb} {new}"
    words = split_line(line)
    new_words = conceal_words(words)
    return line if new_words == words else join_line(new_words)


def _plain_verb(verb: str) -> str:
    return verb.lower().replace("-", "_")


def conceal_words(words: list[str]) -> list[str]:
    """Hide the secrets among a command's verb and arguments."""
    if len(words) < 2:
        return words
    verb, arguments = _plain_verb(words[0]), words[1:]
    flags = next((i for i, word in enumerate(arguments) if not word.startswith("-")), 0)
    match verb, *(word.lower() for word in arguments[flags:]):
        case "set_password", "vnc" | "spice", _, *_:
            return _blank_from(words, flags + 2, keep=("keep", "fail", "disconnect"))
        case "block_passwd", _, _, *_:
            return _blank_from(words, flags + 2)
        case "change", "vnc", _, _, *_:
            return _blank_from(words, flags + 3)
        case "qom_set", _, name, _, *_ if is_secret_property(name):
            return _blank_from(words, flags + 3)
    if mentions_secret(verb) and verb != "expire_password":
        return _blank_from(words, 1)
    text = " ".join(arguments)
    new = conceal_text(text, True, verb == "object_add")
    return words if new == text else [words[0], *new.split(" ")]


def _blank_from(words: list[str], start: int, keep: tuple[str, ...] = ()) -> list[str]:
    last = [
        word if i and word.lower() in keep else REDACTED for i, word in enumerate(words[start:])
    ]
    return words[:start] + last


def dump(value: Any) -> str:
    """Write JSON compactly, in ASCII."""
    return _json_encoder.encode(value)


def load(raw: bytes) -> Any:
    """
    Read JSON.

    :raises ValueError: if it is not JSON, or an object has one key twice.
    :raises RecursionError: if it is nested too deeply.
    """
    return _json_decoder.decode(raw.decode("utf-8"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("one key twice")
    return value


_json_decoder = json.JSONDecoder(object_pairs_hook=_unique, strict=False)
_json_encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False)
