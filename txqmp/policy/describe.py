"""Rules in words, for people."""

from __future__ import annotations

from collections.abc import Iterable

from txqmp.policy.rules import Rule


def describe(rule: Rule) -> str:
    """Say in one line what a rule is about."""
    parts = [f"{_any(rule.commands)}" if rule.commands is not None else "every command"]
    if rule.oob is not None:
        parts.append("out of band" if rule.oob else "in band")
    if rule.voices is not None:
        parts.append(f"in {_any(sorted(rule.voices))}")
    parts += [f"where {'.'.join(c.path)} is {_any(c.globs)}" for c in rule.arguments]
    parts += [f"of {name} {_any(values)}" for name, values in _who(rule)]
    if rule.seconds:
        parts.append(f"by {rule.seconds:g} s")
    return ", ".join(parts)


def _who(rule: Rule) -> Iterable[tuple[str, Iterable[str]]]:
    who = rule.who
    if who.uids is not None:
        yield "uid", map(str, sorted(who.uids))
    if who.gids is not None:
        yield "gid", map(str, sorted(who.gids))
    if who.executables is not None:
        yield "executable", who.executables
    if who.certificates is not None:
        yield "certificate", who.certificates
    if who.networks is not None:
        yield "address", map(str, who.networks)


def _any(words: Iterable[str]) -> str:
    return " or ".join(words)
