"""The options that say which faults are injected, for every service that passes messages on."""

from __future__ import annotations

from typing import Any

from twisted.python.usage import UsageError

from txqmp.faults.plan import FaultPlan
from txqmp.faults.rules import Rule, parse_rule
from txqmp.service.options import natural


class FaultOptions:
    """``--fault`` and ``--fault-seed``: to be mixed into a class of options."""

    optParameters: Any = [
        [
            "fault-seed",
            None,
            None,
            "what faults leave to chance is the same for the same seed; 0 unless given.",
            natural,
        ],
    ]

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        super().__init__()

    def opt_fault(self, rule: str) -> None:
        """a fault to inject, such as drop:event=RESET; may be given several times."""
        try:
            self._rules.append(parse_rule(rule))
        except ValueError as error:
            raise UsageError(f"--fault {rule}: {error}") from None

    def fault_plan(self) -> FaultPlan | None:
        """
        Say which faults were asked for.

        :returns: None if none was.
        :raises UsageError: there is a seed for nothing.
        """
        seed: int | None = self["fault-seed"]  # type: ignore[index]
        if self._rules:
            return FaultPlan(self._rules, seed or 0)
        if seed is not None:
            raise UsageError("--fault-seed goes with --fault")
        return None
