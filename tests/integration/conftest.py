"""What the tests with real programs share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_twisted

from tests.integration.programs import Programs, short_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for sockets and journals."""
    with short_folder() as path:
        yield path


@pytest_twisted.async_yield_fixture
async def programs(folder: Path) -> AsyncIterator[Programs]:
    """Programs that are stopped when the test is over."""
    started = Programs(folder)
    yield started
    await started.stop()
