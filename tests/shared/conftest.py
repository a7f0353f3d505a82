"""Every stage that a test has begun ends with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.shared.stage import STAGES


@pytest.fixture(autouse=True)
def stages_end() -> Iterator[None]:
    yield
    while STAGES:
        STAGES.pop().ends()
