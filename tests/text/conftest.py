"""Real sockets for the tests of the text wing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.wires import Sockets


@pytest.fixture(params=["unix", "tcp"])
def kind(request: pytest.FixtureRequest) -> Any:
    """Each test that uses sockets runs over both kinds."""
    return request.param


@pytest_twisted.async_yield_fixture
async def sockets(running_reactor: Any, kind: str, short_path: Path) -> AsyncIterator[Sockets]:
    """Sockets of one kind."""
    opened = Sockets(running_reactor, kind, short_path)
    yield opened
    await opened.close()
