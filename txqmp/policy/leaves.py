"""
The arguments of a command as leaves: a path and a value for each.

What is written in a string is opened too: ``json:{…}``, QEMU's way to put a whole block
device where a file name goes, and the options of the human monitor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from txqmp.errors import ProtocolViolation
from txqmp.jsonqmp.grammar import JSONValue, parse_unambiguous
from txqmp.policy.hmp import LONGEST_WORD, Line
from txqmp.policy.hmptable import IMPLIED
from txqmp.policy.names import plain

_PSEUDO = re.compile(r"\s*json:(?=\s*\S)", re.IGNORECASE)
_OPTION = re.compile(r"(?:[^,]|,,)+")
_ROOT = re.compile(r"proc/[^/]+/(?:task/[^/]+/)?(?:root|cwd)")
_COLON = re.compile(r":(?=[/.\w])")
_MOST_PROTOCOLS = 16
_LONGEST_NAME = 8192
"""Characters; QEMU's own bound is 4096 bytes, for a name with all its protocols."""
_MOST = 2_000
"""Values among the arguments of a command; of more, nobody can say what they are."""

Path = tuple[str, ...]


class Leaf(NamedTuple):
    """
    One value among the arguments.

    :ivar path: the names that lead to it, as names are compared; an index is one.
    :ivar value: a string as it is, anything else as JSON.
    """

    path: Path
    value: str


class Leaves(NamedTuple):
    """
    All values among the arguments.

    :ivar readable: nothing is in them that QEMU might read, and we cannot.
    """

    items: tuple[Leaf, ...]
    readable: bool = True


def leaves_of(value: JSONValue) -> Leaves:
    """Take the arguments of a JSON command apart."""
    found: list[Leaf] = []
    readable = True
    left: list[tuple[Path, JSONValue]] = [((), value)]
    while left:
        if len(found) + len(left) > _MOST:
            return Leaves(tuple(found), False)
        path, part = left.pop()
        if isinstance(part, (dict, list)) and len(part) > _MOST:
            return Leaves(tuple(found), False)
        if isinstance(part, dict):
            # QEMU takes "file.driver" for a driver in a file where JSON is in a string.
            left += [((*path, *plain(key).split(".")), member) for key, member in part.items()]
        elif isinstance(part, list):
            left += [((*path, str(index)), member) for index, member in enumerate(part)]
        elif isinstance(part, str):
            found.append(Leaf(path, part))
            pseudo = _PSEUDO.match(part)
            if pseudo is not None:
                try:
                    text = part[pseudo.end() :].encode("utf-8")
                    left.append((path, parse_unambiguous(text)))
                except (ProtocolViolation, UnicodeError):
                    readable = False
        else:
            found.append(Leaf(path, json.dumps(part)))
    return Leaves(tuple(found), readable)


def leaves_of_line(line: Line) -> Leaves:
    """
    Take the arguments of a line apart: by the names that QEMU gives them, each word by its
    number, from 0, and ``line``, all of them as they came.
    """
    named = [((plain(name),), value) for name, value in line.arguments]
    numbered = [((str(number),), word) for number, word in enumerate(line.words)]
    found: list[Leaf] = [Leaf(("line",), line.rest)] if line.rest else []
    readable = line.readable
    for place, word in (*named, *numbered):
        for value in _as_kept(word):
            found.append(Leaf(place, value))
            # The words of JSON with blanks in it are no JSON.
            for opened in _opened(line.name, place, value, json_too=not place[0].isdigit()):
                found += opened.items
                readable = readable and opened.readable
                if len(found) > _MOST:
                    return Leaves(tuple(found), False)
    return Leaves(tuple(dict.fromkeys(found)), readable)


def _opened(command: str, place: Path, text: str, json_too: bool) -> Iterator[Leaves]:
    """Take apart what is written in a word: JSON, a pseudo name, or options."""
    if text.startswith("{"):
        if json_too:
            try:
                yield leaves_of(parse_unambiguous(text.encode("utf-8")))
            except (ProtocolViolation, UnicodeError):
                yield Leaves((), False)
        return
    for path, part in ((place, text), *_options(command, text)):
        items, readable = leaves_of(part)
        yield Leaves(tuple(Leaf((*path, *leaf.path), leaf.value) for leaf in items), readable)


def _as_kept(word: str) -> Iterator[str]:
    """A word as it came, and what QEMU keeps of it where it is too long."""
    yield word
    kept = word.encode("utf-8", "surrogateescape")[:LONGEST_WORD].decode("utf-8", "ignore")
    if kept != word:
        yield kept


def _options(command: str, text: str) -> Iterator[tuple[Path, str]]:
    """Read ``driver,id=x,file.filename=y``; a comma that is doubled is one of the value."""
    implied = IMPLIED.get(command)
    if "=" not in text and "," not in text and implied is None:
        return
    for place, found in enumerate(_OPTION.finditer(text)):
        option = found[0]
        name, given, value = option.partition("=")
        value = (value if given else option).replace(",,", ",")
        if not given and (place or implied is None):
            yield tuple(plain(option).split(".")), "on"
        elif not given or (implied is not None and plain(name) == implied.partition(".")[0]):
            assert implied is not None
            yield tuple(implied.split(".")), value
        else:
            yield tuple(plain(name).split(".")), value


def readings(value: str) -> tuple[str, ...]:
    """
    Tell what a value may mean where it is a file's name: itself first, then the name behind
    each protocol (``file:``, ``blkdebug::``), and what these are without ``//``, ``.``, ``..``
    and detours over ``/proc/PID/root`` and the like.

    Links in the file system are not looked at. What is too long for a name is itself alone.

    :returns: none, where there are too many.
    """
    if len(value) > _LONGEST_NAME:
        return (value,)
    names = [value]
    for match in _COLON.finditer(value):
        if len(names) > _MOST_PROTOCOLS:
            return ()
        names.append(value[match.end() :])
    for name in tuple(names):
        if "/" in name:
            straight = _straight(name)
            names.append(straight)
            if straight.startswith("../"):
                # Relative to we do not know what: to the root, at the worst.
                names.append(_straight(f"/{name}"))
    return tuple(dict.fromkeys(names))


def _straight(name: str) -> str:
    """Walk along a path: each part leads on, back, or, in ``/proc``, to the root again."""
    absolute = name.startswith("/")
    passed: list[str] = []
    for part in name.split("/"):
        if part != "..":
            passed += [part] if part not in ("", ".") else []
        elif passed and passed[-1] != "..":
            passed.pop()
        elif not absolute:
            passed.append(part)
        if absolute and len(passed) <= 5 and _ROOT.fullmatch("/".join(passed)):
            passed.clear()
    return "/" + "/".join(passed) if absolute else "/".join(passed) or "."
