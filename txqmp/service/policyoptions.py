"""The options that say who may say what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.python.usage import Options, UsageError

from txqmp.errors import PolicyError
from txqmp.policy import Policy, load
from txqmp.service.policykeeper import PolicyKeeper


class PolicyOptions(Options):
    """
    Options for a service that judges what clients say.

    A command line that inherits from this one calls :meth:`read_policy` in its ``postOptions``.
    """

    optParameters: list[Any] = [
        ["policy", None, None, "a file of rules: who may say what; read again on SIGHUP."],
    ]
    optFlags: list[Any] = [
        ["read-only", None, "deny everything but queries."],
        ["policy-dry-run", None, "deny nothing, and journal what would have been denied."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["allow"] = []
        self["deny"] = []

    def opt_allow(self, glob: str) -> None:
        """commands to allow, such as "query-*"; may be given several times."""
        self._add("allow", glob)

    def opt_deny(self, glob: str) -> None:
        """commands to deny, before all else; may be given several times."""
        self._add("deny", glob)

    def _add(self, option: str, glob: str) -> None:
        if not glob.strip():
            raise UsageError(f"--{option} wants the name of a command, or a glob")
        self[option].append(glob)

    def read_policy(self) -> PolicyKeeper | None:
        """
        Read the policy that the options describe.

        :returns: None where everything is allowed.
        :raises UsageError: it cannot be read: the file, the line, what is wrong.
        """
        settings = {name: self[name] for name in ("policy", "read-only", "allow", "deny")}
        if not any(settings.values()):
            if self["policy-dry-run"]:
                raise UsageError(
                    "--policy-dry-run goes with --policy, --read-only, --allow or --deny"
                )
            return None
        try:
            return PolicyKeeper(self._policy)
        except PolicyError as error:
            raise UsageError(str(error)) from None

    def _policy(self) -> Policy:
        allow: Sequence[str] = self["allow"]
        deny: Sequence[str] = self["deny"]
        return Policy.of(
            read_only=bool(self["read-only"]),
            allow=allow,
            deny=deny,
            base=None if self["policy"] is None else load(self["policy"]),
            dry_run=bool(self["policy-dry-run"]),
        )
