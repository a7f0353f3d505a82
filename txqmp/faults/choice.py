"""Which of its messages a rule chooses: by counting, and by a seed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from txqmp.faults.rules import Rule


class Strike(NamedTuple):
    """
    A message was chosen.

    :ivar rule: by which rule.
    :ivar seed: of what is left to chance in how it is hit.
    """

    rule: Rule
    seed: str

    def chance(self) -> Random:
        """Begin to draw: it depends on nothing but the seed."""
        return Random(self.seed)


class Chooser:
    """
    One rule in one conversation: counts the messages that it is about, and chooses.

    :param place: which of the rules it is.
    :param seed: of all that is left to chance.
    :param connection: the conversation's number.
    """

    def __init__(self, rule: Rule, place: int, seed: int, connection: int) -> None:
        self.rule = rule
        # A string, so that it is hashed the same everywhere.
        self._seed = f"{seed}/{connection}/{place}/{rule.text}"
        self._chance = Random(self._seed)
        self._here = rule.connection in (None, connection)
        self._count = 0

    def chooses(self) -> Strike | None:
        """Count one more message that the rule is about, and say whether it is to be hit."""
        rule = self.rule
        self._count += 1
        # Drawn for each, so that no choice depends on another key.
        drawn = self._chance.random() < rule.probability
        counted = self._count - rule.after
        if rule.nth is not None:
            wanted = counted == rule.nth
        else:
            wanted = counted > 0 and counted % rule.every == 0
        if not (self._here and drawn and wanted):
            return None
        return Strike(rule, f"{self._seed}/{self._count}")


class Choosers:
    """
    All rules in one conversation.

    :ivar are_about_replies: some may be done to a reply.
    :param seed: what is left to chance is the same for the same seed and connection.
    :param connection: the conversation's number.
    """

    def __init__(self, rules: Sequence[Rule], seed: int, connection: int) -> None:
        self._all = [Chooser(rule, place, seed, connection) for place, rule in enumerate(rules)]
        self.are_about_replies = any(rule.is_about_replies for rule in rules)

    def choose(self, hit: str, names: Sequence[str] = ()) -> Strike | None:
        """
        Say which rule strikes a message: the first that chooses it. The others count it, too.

        :param hit: what it is: ``command``, ``reply``, ``event`` or ``greeting``.
        :param names: what the command, or the event, is called.
        """
        about = [chooser for chooser in self._all if chooser.rule.is_about(hit, names)]
        strikes = [chooser.chooses() for chooser in about]
        return next(filter(None, strikes), None)

    def limit(self) -> tuple[int, Rule] | None:
        """
        Say after how many bytes the connection is closed, if at all, and by which rule.

        It is asked once, at the beginning.
        """
        limits = [
            (chooser.rule.bytes or 0, place, chooser.rule)
            for place, chooser in enumerate(self._all)
            if chooser.rule.fault == "close" and chooser.chooses()
        ]
        if not limits:
            return None
        size, _, rule = min(limits)
        return size, rule
