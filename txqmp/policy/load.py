"""Reading a policy from its file, in TOML, and the rulesets that come with txqmp."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from txqmp.errors import PolicyError
from txqmp.policy.names import plain
from txqmp.policy.positions import Key, Positions
from txqmp.policy.rules import Action, Condition, Rule, Who

_SYNTAX = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)
_DECISIONS = (Action.ALLOW, Action.DENY)
_LONGEST_DELAY = 3600.0

TOP = {
    "default": "``allow`` or ``deny``, where no rule decides; it must be there",
    "include": "a ruleset, or a list of them; their rules come after those of the file",
    "rule": "a rule: ``[[rule]]``, as often as there are rules",
}
"""What a file has."""

RULE = {
    "name": "what the journal and the client are told; ``rule 3`` for the third, unless given",
    "action": "``allow``, ``deny``, ``delay`` or ``log``; it must be there",
    "reason": "for ``deny``: what the client is told",
    "seconds": "for ``delay``: how long; it must be there",
    "command": "a glob of names, or a list of them; any command, unless given",
    "arguments": "a table: paths of arguments, and a glob of values, or a list of them, for each",
    "client": "a table: who the client is",
    "dialect": "``json``, ``text`` or ``hmp`` (a line in ``human-monitor-command``), or a list",
    "oob": "``true`` or ``false``: out of band, or not",
}
"""What a rule has."""

CLIENT = {
    "uid": "a number, or a list: of the user, by a UNIX socket",
    "gid": "a number, or a list: of the group, by a UNIX socket",
    "executable": "a glob of the path of its program, or a list, by a UNIX socket",
    "certificate": "a glob of the subject of its certificate, or a list, by TLS",
    "address": "an address or a network, ``10.0.0.0/8``, or a list, by TCP",
}
"""What ``client`` has."""


class Loaded(NamedTuple):
    """
    What a file says.

    :ivar rules: its own, then those of the rulesets that it includes.
    :ivar default: what becomes of that which no rule decides.
    """

    rules: tuple[Rule, ...]
    default: Action


def load(path: str) -> Loaded:
    """
    Read a file.

    :raises PolicyError: it cannot be read: the file, the line, what is wrong.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{path}:{line}: this is not UTF-8") from None
    return parse(text, path)


def parse(text: str, source: str) -> Loaded:
    """
    Read a policy.

    :param source: what errors call it.
    :raises PolicyError: it cannot be read.
    """
    reader = _Reader(text, source)
    reader.check_keys((), reader.table, TOP, "a policy")
    rules = list(reader.rules())
    for place, name in enumerate(reader.strings(("include",), reader.table.get("include", []))):
        if name not in rulesets():
            at: Key = ("include", place)
            reader.refuse(at, f"there is no ruleset {name!r}{_meant(name, rulesets())}")
        rules += ruleset(name)
    if "default" not in reader.table:
        reader.refuse((), 'say what becomes of the rest: default = "allow", or default = "deny"')
    default = reader.choice(("default",), reader.table["default"], _DECISIONS)
    return Loaded(tuple(rules), Action(default))


@cache
def rulesets() -> tuple[str, ...]:
    """Name the rulesets that come with txqmp."""
    folder = files("txqmp.policy") / "rulesets"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name[:-5] for name in names if name.endswith(".toml")))


@cache
def ruleset(name: str) -> tuple[Rule, ...]:
    """
    Read a ruleset that comes with txqmp; its name is before those of its rules.

    :raises PolicyError: there is none of that name.
    """
    if name not in rulesets():
        raise PolicyError(f"there is no ruleset {name!r}{_meant(name, rulesets())}")
    resource = files("txqmp.policy") / "rulesets" / f"{name}.toml"
    rules = _Reader(resource.read_text("utf-8"), f"{name}.toml").rules()
    return tuple(rule._replace(label=f"{name}: {rule.label}") for rule in rules)


class _Reader:
    """Reads values, and says where it stumbled."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        try:
            self.table: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            match = _SYNTAX.fullmatch(str(error))
            problem = match[1] if match is not None else str(error)
            end = text.rstrip().count("\n") + 1
            line = match[2] if match is not None and match[2] is not None else end
            raise PolicyError(f"{source}:{line}: not TOML: {problem}") from None
        except RecursionError:
            raise PolicyError(f"{source}:1: nested too deeply") from None
        self._positions = Positions(text)

    def refuse(self, key: Key, problem: str) -> NoReturn:
        raise PolicyError(f"{self._source}:{self._positions.line(key)}: {problem}")

    def check_keys(self, at: Key, table: Any, known: Iterable[str], what: str) -> None:
        if not isinstance(table, dict):
            self.refuse(at, f"{at[-1]} is a table")
        for key in table:
            if key not in known:
                self.refuse((*at, key), f"{what} has no {key!r}{_meant(key, known)}")

    def rules(self) -> list[Rule]:
        """Read the rules of the file itself."""
        tables = self.table.get("rule", [])
        if not isinstance(tables, list):
            self.refuse(("rule",), "a rule begins with [[rule]]")
        rules: list[Rule] = []
        lines: dict[str, int] = {}
        for place, table in enumerate(tables):
            at: Key = ("rule", place)
            rule = self._rule(at, table, place + 1)
            if rule.label in lines:
                self.refuse(at, f"line {lines[rule.label]} has a rule {rule.label!r} already")
            lines[rule.label] = self._positions.line(at)
            rules.append(rule)
        return rules

    def _rule(self, at: Key, table: Any, number: int) -> Rule:
        self.check_keys(at, table, RULE, "a rule")
        if "action" not in table:
            self.refuse(at, "a rule wants an action: allow, deny, delay or log")
        action = Action(self.choice((*at, "action"), table["action"], Action))
        for key, owner in (("reason", Action.DENY), ("seconds", Action.DELAY)):
            if key in table and action is not owner:
                self.refuse((*at, key), f"{key} goes with {owner}, and this is {action}")
        voices = self._several(at, table, "dialect")
        for voice in voices or ():
            self.choice((*at, "dialect"), voice, ("json", "text", "hmp"))
        oob = table.get("oob")
        if oob is not None and not isinstance(oob, bool):
            self.refuse((*at, "oob"), "oob is true or false")
        commands = self._several(at, table, "command")
        return Rule(
            self._string(at, table, "name") or f"rule {number}",
            action,
            None if commands is None else tuple(plain(glob) for glob in commands),
            self._arguments((*at, "arguments"), table.get("arguments", {})),
            self._who((*at, "client"), table.get("client", {})),
            None if voices is None else frozenset(voices),
            oob,
            self._string(at, table, "reason"),
            self._seconds(at, table) if action is Action.DELAY else 0.0,
        )

    def _string(self, at: Key, table: Mapping[str, Any], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str) or (key in table and not value) or not value.isprintable():
            self.refuse((*at, key), f"{key} is a text of one line")
        return value

    def _seconds(self, at: Key, table: Mapping[str, Any]) -> float:
        value = table.get("seconds")
        if value is None:
            self.refuse(at, "delay wants seconds: how long")
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 < value <= _LONGEST_DELAY:
            self.refuse((*at, "seconds"), f"seconds is a number, up to {_LONGEST_DELAY:g}")
        return float(value)

    def _several(self, at: Key, table: Mapping[str, Any], key: str) -> list[str] | None:
        return self.strings((*at, key), table[key]) if key in table else None

    def strings(self, at: Key, value: Any, *, blank: bool = False) -> list[str]:
        """
        Read a text or a list of them.

        :param blank: a text may be empty.
        """
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) and (each or blank) for each in values):
            self.refuse(at, f"{at[-1]} is a text, or a list of texts")
        if value == [] and at != ("include",):
            self.refuse(at, f"{at[-1]} is empty: this matches nothing")
        return values

    def choice(self, at: Key, value: Any, known: Iterable[str]) -> str:
        """Read one of a few words."""
        words = [str(word) for word in known]
        if not isinstance(value, str) or value not in words:
            allowed = f"{', '.join(words[:-1])} or {words[-1]}"
            meant = _meant(value, words) if isinstance(value, str) else ""
            self.refuse(at, f"{at[-1]} is {allowed}, not {value!r}{meant}")
        return value

    def _arguments(self, at: Key, table: Any) -> tuple[Condition, ...]:
        if not isinstance(table, dict):
            self.refuse(at, 'arguments is a table: { "path" = "glob" }')
        conditions = []
        for path, globs in _flat(table):
            written = ".".join(path)
            key: Key = (*at, *path)
            if "" in written.split("."):
                self.refuse(key, f"{written!r} is no path of an argument: write a.b.*")
            conditions.append(Condition.parse(written, self.strings(key, globs, blank=True)))
        return tuple(conditions)

    def _who(self, at: Key, table: Any) -> Who:
        self.check_keys(at, table, CLIENT, "client")
        executables = self._several(at, table, "executable")
        certificates = self._several(at, table, "certificate")
        networks = None
        if "address" in table:
            key: Key = (*at, "address")
            try:
                networks = tuple(ip_network(text) for text in self.strings(key, table["address"]))
            except ValueError as error:
                self.refuse(key, f"address is an address or a network: {error}")
        return Who(
            self._numbers(at, table, "uid"),
            self._numbers(at, table, "gid"),
            None if executables is None else tuple(executables),
            None if certificates is None else tuple(certificates),
            networks,
        )

    def _numbers(self, at: Key, table: Mapping[str, Any], key: str) -> frozenset[int] | None:
        if key not in table:
            return None
        values = table[key] if isinstance(table[key], list) else [table[key]]
        if not values or not all(type(value) is int and value >= 0 for value in values):
            self.refuse((*at, key), f"{key} is a number, or a list of numbers")
        return frozenset(values)


def _flat(table: Mapping[str, Any]) -> Iterable[tuple[tuple[str, ...], Any]]:
    """TOML makes tables of ``a.b = "x"`` that is not quoted: it is the same path."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from (((key, *path), inner) for path, inner in _flat(value))
        else:
            yield (key,), value


def _meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
