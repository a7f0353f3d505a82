"""The policy of a service: read at the start, and again on SIGHUP."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from zope.interface import implementer

from txqmp.errors import PolicyError
from txqmp.journal.record import Dialect
from txqmp.policy import Client, Policy, Verdict
from txqmp.policy.interface import IJudge
from txqmp.policy.verdict import Message

_log = Logger()


@implementer(IJudge)
class PolicyKeeper(Service):
    """
    Judges by a policy that may change while the service runs.

    On SIGHUP the policy is read again; what cannot be read is refused, with its line in the log,
    and the one before it stays. How often its rules were met is logged when a policy ends.

    Under ``twistd`` the signal would end the process; the handler that was there before is there
    again when the service is stopped.

    :param read: reads the policy; it may raise :class:`~txqmp.errors.PolicyError`.
    :param reactor: the signal is handled in its thread; the global one where it is None.
    :raises PolicyError: the policy cannot be read.
    """

    def __init__(
        self, read: Callable[[], Policy], reactor: IReactorFromThreads | None = None
    ) -> None:
        self._read = read
        self._reactor = reactor
        self._before: Any = None
        self.policy = read()

    def judge(self, client: Client, dialect: Dialect, message: Message, /) -> Verdict:
        """Judge a message by the policy of the moment."""
        return self.policy.judge(client, dialect, message)

    def unreadable(self, problem: str) -> Verdict:
        """Deny what is no message."""
        return self.policy.unreadable(problem)

    def startService(self) -> None:
        """Begin to listen for SIGHUP."""
        super().startService()
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor  # type: ignore[assignment]
        self._before = signal.signal(signal.SIGHUP, self._hang_up)
        _log.info("policy read; rules: {count}", count=len(self.policy.rules))

    def stopService(self) -> None:
        """Listen no more, and log how often the rules were met."""
        super().stopService()
        signal.signal(signal.SIGHUP, self._before)
        self._log_hits()

    def _hang_up(self, number: int, frame: object) -> None:
        # It comes in the middle of anything: whatever is being judged is judged to its end.
        assert self._reactor is not None
        self._reactor.callFromThread(self.reload)

    def reload(self) -> None:
        """Read the policy again; keep the old one if that fails."""
        try:
            policy = self._read()
        except PolicyError as error:
            _log.error("policy refused, the old one stays: {reason}", reason=str(error))
            return
        self._log_hits()
        self.policy = policy
        _log.info("policy read again; rules: {count}", count=len(policy.rules))

    def _log_hits(self) -> None:
        hits = self.policy.hits()
        met = ", ".join(f"{label} {count}" for label, count in hits.items() if count)
        never = sum(not hits[rule.label] for rule in self.policy.rules)
        _log.info(
            "policy: rules met: {met}; never met: {never}",
            met=met or "none",
            never=never,
            hits=hits,
        )
