"""The soak, in small: ``python -m tests.soak`` is the same for as long as is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.programs import Programs
from tests.soak.ledger import Ledger
from tests.soak.modes import MODES
from tests.soak.round import Round

CONNECTIONS = 30
LONG_LINE = 6 << 20
"""Bytes; more than any limit."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[pytest.mark.peer("qemu-system-x86_64")] if mode.real else [], id=name
        )
        for name, mode in MODES.items()
    ],
)
async def test_nothing_is_lost(
    name: str, folder: Path, programs: Programs, running_reactor: Any
) -> None:
    ledger = Ledger()
    one = Round(MODES[name], 1, folder, programs, ledger, running_reactor, LONG_LINE)
    await one.run(connections=CONNECTIONS)
    assert ledger.losses == []
    assert ledger.connections > CONNECTIONS
    assert ledger.whole >= len(MODES[name].ports)
    assert len(ledger.faults) > 5
