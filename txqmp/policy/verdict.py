"""What becomes of a message."""

from __future__ import annotations

from typing import Any, NamedTuple

from txqmp.jsonqmp import grammar as json_grammar
from txqmp.policy.rules import Action
from txqmp.text import grammar as text_grammar

Message = bytes | json_grammar.Command | text_grammar.Command

DEFAULT = "default"
"""The name of what decides where no rule does."""

UNREADABLE = "unreadable"
"""The name of what denies a message that cannot be read."""


class Verdict(NamedTuple):
    """
    What becomes of a message.

    :ivar action: ``delay`` and ``log`` allow it as well.
    :ivar rule: the rule that decided, or that delays or logs it.
    :ivar reason: why it is denied.
    :ivar delay: seconds to hold it back.
    :ivar dry_run: nothing of this is to be done, only journalled.
    """

    action: Action
    rule: str = ""
    reason: str = ""
    delay: float = 0.0
    dry_run: bool = False

    @property
    def denied(self) -> bool:
        """Whether it must not be sent on."""
        return self.action is Action.DENY and not self.dry_run

    @property
    def wait(self) -> float:
        """Seconds to really hold it back."""
        return 0.0 if self.dry_run else self.delay

    @property
    def reply_reason(self) -> str:
        """What the client is told: in a ``GenericError``, or behind ``- ERR``."""
        return f"denied by policy: {self.reason} (rule {self.rule})"

    def fields(self) -> dict[str, Any]:
        """
        Tell what the journal says of it, in a record of its own; nothing, where the command was
        plainly allowed.
        """
        if self.action is Action.ALLOW:
            return {}
        would = self.dry_run and self.action is not Action.LOG
        verdict = f"would-{self.action}" if would else str(self.action)
        fields: dict[str, Any] = {"verdict": verdict, "rule": self.rule}
        if self.reason:
            fields["reason"] = self.reason
        if self.delay:
            fields["seconds"] = self.delay
        return fields


ALLOWED = Verdict(Action.ALLOW)
