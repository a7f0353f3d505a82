"""A policy: rules in their order, and the verdicts they come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zope.interface import implementer

from txqmp.errors import ProtocolViolation
from txqmp.journal.record import Dialect
from txqmp.jsonqmp import grammar as json_grammar
from txqmp.policy.interface import IJudge
from txqmp.policy.load import Loaded, load, ruleset
from txqmp.policy.names import plain
from txqmp.policy.request import Ask, Client
from txqmp.policy.rules import Action, Rule
from txqmp.policy.unfold import unfold_json, unfold_text
from txqmp.policy.verdict import ALLOWED, DEFAULT, UNREADABLE, Message, Verdict
from txqmp.text import grammar as text_grammar

_MOST_NAMES = 1000
_NEGOTIATION = ("qmp-capabilities",)


@implementer(IJudge)
class Policy:
    """
    Judges messages, and counts what each rule was found to be about.

    :param rules: in the order in which they are looked at.
    :param default: allow or deny: what becomes of that which no rule decides.
    :param dry_run: say what would become of messages.
    """

    def __init__(self, rules: Iterable[Rule], default: Action, *, dry_run: bool = False) -> None:
        if not default.decides:
            raise ValueError("what no rule decides is allowed or denied")
        self.rules = tuple(rules)
        self.default = default
        self.dry_run = dry_run
        self._by_names: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Rule]] = {}
        self._hits = dict.fromkeys([*(rule.label for rule in self.rules), DEFAULT, UNREADABLE], 0)

    @classmethod
    def load(cls, path: str, *, dry_run: bool = False) -> Policy:
        """
        Read a policy from its file.

        :raises PolicyError: it cannot be read: the file, the line, what is wrong.
        """
        rules, default = load(path)
        return cls(rules, default, dry_run=dry_run)

    @classmethod
    def of(
        cls,
        *,
        read_only: bool = False,
        allow: Sequence[str] = (),
        deny: Sequence[str] = (),
        base: Loaded | None = None,
        dry_run: bool = False,
    ) -> Policy:
        """
        Make a policy in the short form: what is denied by name, then what is allowed by name,
        then the read-only rules, then another policy.

        :param allow: globs of commands. Where there is nothing else that says what becomes of
            the rest, the rest is denied.
        :param deny: globs of commands.
        :param base: what was read from a file; it comes after all these.
        """
        rules = [_short("--deny", Action.DENY, glob) for glob in dict.fromkeys(deny)]
        rules += [_short("--allow", Action.ALLOW, glob) for glob in dict.fromkeys(allow)]
        if read_only:
            rules += ruleset("read-only")
        if base is not None:
            return cls([*rules, *base.rules], base.default, dry_run=dry_run)
        return cls(rules, Action.DENY if allow else Action.ALLOW, dry_run=dry_run)

    def hits(self) -> dict[str, int]:
        """
        Tell how often each rule was about a message, in the order of the rules; then, what was
        left to the default, and what could not be read.
        """
        return dict(self._hits)

    def judge(self, client: Client, dialect: Dialect, message: Message, /) -> Verdict:
        """
        Judge a message.

        :param message: its exact bytes as they would be sent on, one line or one JSON value. A
            command that was read already is taken as well, but what its reader passed over (a
            member that was there twice) is not seen then.
        :returns: the strictest of the verdicts on all that the message asks for.
        """
        try:
            asks, oob = _read(dialect, message)
        except ProtocolViolation as violation:
            return self.unreadable(violation.problem)
        hit: set[str] = set()
        verdicts = [self._judge(client, ask, oob, hit) for ask in asks]
        for label in hit:
            self._hits[label] += 1
        denied = next((verdict for verdict in verdicts if verdict.action is Action.DENY), None)
        if denied is not None:
            return denied
        return max(verdicts, key=_strictness, default=ALLOWED)

    def unreadable(self, problem: str) -> Verdict:
        """
        Deny what is no message, or is too long to be judged.

        :param problem: what is wrong with it.
        """
        self._hits[UNREADABLE] += 1
        return self._denial(UNREADABLE, f"it cannot be read: {problem}")

    def _judge(self, client: Client, ask: Ask, oob: bool, hit: set[str]) -> Verdict:
        if ask.voice == "json" and ask.names == _NEGOTIATION:
            return ALLOWED
        noted = ALLOWED
        for rule in self._naming(ask):
            if not rule.applies(client, ask, oob):
                continue
            hit.add(rule.label)
            if rule.action is Action.DENY:
                return self._denial(rule.label, rule.reason or f"{_name(ask)} is not allowed")
            if rule.action is Action.ALLOW:
                return noted
            verdict = Verdict(rule.action, rule.label, "", rule.seconds, self.dry_run)
            noted = max(noted, verdict, key=_strictness)
        hit.add(DEFAULT)
        if self.default is Action.DENY:
            return self._denial(DEFAULT, f"{_name(ask)} is allowed by no rule")
        return noted

    def _naming(self, ask: Ask) -> Sequence[Rule]:
        """The rules that may be about a command, by its names alone: clients have few of them."""
        key = ask.names, ask.done_by
        found = self._by_names.get(key)
        if found is None:
            if len(self._by_names) >= _MOST_NAMES:
                self._by_names.clear()
            found = self._by_names[key] = [rule for rule in self.rules if rule.names(*key)]
        return found

    def _denial(self, label: str, reason: str) -> Verdict:
        return Verdict(Action.DENY, label, reason, dry_run=self.dry_run)


def _name(ask: Ask) -> str:
    return ask.names[0][:64]


def _strictness(verdict: Verdict) -> tuple[bool, float]:
    return verdict.action is not Action.ALLOW, verdict.delay


def _short(option: str, action: Action, glob: str) -> Rule:
    return Rule(f"{option} {glob}", action, (plain(glob),))


def _read(dialect: Dialect, message: Message) -> tuple[list[Ask], bool]:
    if isinstance(message, json_grammar.Command):
        return unfold_json(message), message.oob
    if isinstance(message, text_grammar.Command):
        return unfold_text(message), False
    if dialect == "text":
        return unfold_text(message), False
    command = json_grammar.parse_unambiguous_command(message)
    return unfold_json(command), command.oob
