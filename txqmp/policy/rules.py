"""
Rules: whom and what they are about, and what becomes of it.

A rule that denies, delays or logs finds what it means in whatever disguise, and what cannot
be read; one that allows wants to be sure. So the same condition is looked at in two ways:
generously, where any reading of any value will do, and strictly, where every value must hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from txqmp.policy.leaves import Leaf, Path, readings
from txqmp.policy.names import plain
from txqmp.policy.request import Ask, Client

Network = IPv4Network | IPv6Network


class Action(StrEnum):
    """
    What a rule does.

    The first rule that allows or denies decides. One that delays or logs is noted, and the next
    ones are looked at.
    """

    ALLOW = "allow"
    LOG = "log"
    DELAY = "delay"
    DENY = "deny"

    @property
    def decides(self) -> bool:
        """Whether the rules that come after it are not looked at."""
        return self in (Action.ALLOW, Action.DENY)


class Who(NamedTuple):
    """
    Which clients a rule is about; what is None does not matter.

    :ivar executables: globs of the paths of programs.
    :ivar certificates: globs of subjects.
    """

    uids: frozenset[int] | None = None
    gids: frozenset[int] | None = None
    executables: tuple[str, ...] | None = None
    certificates: tuple[str, ...] | None = None
    networks: tuple[Network, ...] | None = None

    def includes(self, client: Client, strictly: bool) -> bool:
        """
        Whether a client is meant.

        What a local client must have and is not known, its uid or its program, may be anything:
        strictly it is not what was asked for.
        """
        unknown = client.local and not strictly
        return (
            _is_one(client.uid, self.uids, unknown)
            and _is_one(client.gid, self.gids, unknown)
            and _is_like(client.executable, self.executables, unknown)
            and _is_like(client.certificate, self.certificates, False)
            and (
                self.networks is None
                or (
                    client.address is not None
                    and any(client.address in network for network in self.networks)
                )
            )
        )


def _is_one(value: int | None, wanted: frozenset[int] | None, unknown: bool) -> bool:
    return wanted is None or (unknown if value is None else value in wanted)


def _is_like(value: str | None, wanted: Sequence[str] | None, unknown: bool) -> bool:
    if wanted is None:
        return True
    return unknown if value is None else any(fnmatchcase(value, glob) for glob in wanted)


class Condition(NamedTuple):
    """
    What an argument has to be.

    :ivar path: the names that lead to it; ``*`` is any one, ``**`` any number of them.
    :ivar globs: of its value: one of them.
    """

    path: Path
    globs: tuple[str, ...]

    @classmethod
    def parse(cls, path: str, globs: Sequence[str]) -> Condition:
        """Read a dotted path."""
        return cls(tuple(plain(part) for part in path.split(".")), tuple(globs))

    def holds(self, items: Sequence[Leaf], strictly: bool) -> bool:
        """
        Whether the arguments are so: strictly, it is there and each value at the path is like
        one of the globs; else, one is, by any of its readings and in any case.
        """
        values = [leaf.value for leaf in items if leads(self.path, leaf.path)]
        if strictly:
            return bool(values) and all(self._is_surely(value) for value in values)
        return any(self._may_be(value) for value in values)

    def _is_surely(self, value: str) -> bool:
        straight = readings(value)[1:] if "/.." in f"/{value}" or "//" in value else ()
        return all(
            any(fnmatchcase(reading, glob) for glob in self.globs) for reading in (value, *straight)
        )

    def _may_be(self, value: str) -> bool:
        found = readings(value)
        return not found or any(
            fnmatchcase(reading.lower(), glob.lower()) for reading in found for glob in self.globs
        )


def leads(pattern: Path, path: Path) -> bool:
    """Whether a path is one that a pattern describes."""
    before, any_number, behind = _parted(pattern)
    if "**" in behind:
        return _may_lead(pattern, path)
    if not any_number:
        return len(path) == len(before) and _alike(path, before)
    end = len(path) - len(behind)
    return end >= len(before) and _alike(path, before) and _alike(path[end:], behind)


def _parted(pattern: Path) -> tuple[Path, Path, Path]:
    """What is before the first ``**``, it, and what is behind it."""
    place = pattern.index("**") if "**" in pattern else len(pattern)
    return pattern[:place], pattern[place : place + 1], pattern[place + 1 :]


def _alike(names: Path, globs: Path) -> bool:
    return all(fnmatchcase(name, glob) for name, glob in zip(names, globs, strict=False))


def _may_lead(pattern: Path, path: Path) -> bool:
    """The same where there is more than one ``**``."""
    # The places in the pattern that the names so far may have brought us to.
    places = _passing(pattern, {0})
    for name in path:
        onward = {place for place in places if pattern[place : place + 1] == ("**",)}
        onward |= {
            place + 1
            for place in places
            if place < len(pattern) and pattern[place] != "**" and fnmatchcase(name, pattern[place])
        }
        places = _passing(pattern, onward)
    return len(pattern) in places


def _passing(pattern: Path, places: set[int]) -> set[int]:
    """Add where one gets to when ``**`` is no name at all."""
    reached = set(places)
    for place in range(len(pattern)):
        if place in reached and pattern[place] == "**":
            reached.add(place + 1)
    return reached


class Rule(NamedTuple):
    """
    One rule.

    :ivar label: its name, or its number.
    :ivar commands: globs of names, as names are compared; None for all.
    :ivar voices: how the command may have been said; None for all.
    :ivar oob: whether it has to be out of band, or must not be; None for all.
    :ivar reason: told to the client that is denied.
    :ivar seconds: for which it is delayed.
    """

    label: str
    action: Action
    commands: tuple[str, ...] | None = None
    arguments: tuple[Condition, ...] = ()
    who: Who = Who()
    voices: frozenset[str] | None = None
    oob: bool | None = None
    reason: str = ""
    seconds: float = 0.0

    def applies(self, client: Client, ask: Ask, oob: bool) -> bool:
        """Whether it is about this, if it is about a command of these names."""
        strictly = self.action is Action.ALLOW
        return (
            (self.voices is None or ask.voice in self.voices)
            and (self.oob is None or self.oob is oob)
            and self.who.includes(client, strictly)
            and self._suits(ask, strictly)
        )

    def names(self, names: Sequence[str], done_by: Sequence[str] = ()) -> bool:
        """
        Whether it is about a command that has one of these names.

        :param done_by: the names of commands by which it may be done, too.
        """
        if self.action is not Action.ALLOW:
            names = (*names, *done_by)
        return self.commands is None or any(
            fnmatchcase(name, glob) for name in names for glob in self.commands
        )

    def _suits(self, ask: Ask, strictly: bool) -> bool:
        if not self.arguments:
            return True
        if not ask.leaves.readable:
            return not strictly
        return all(condition.holds(ask.leaves.items, strictly) for condition in self.arguments)
