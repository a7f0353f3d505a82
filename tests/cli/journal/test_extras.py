"""Libraries that may not be there."""

from __future__ import annotations

import pytest

from txqmp.cli.journal.extras import extra


def test_what_is_there_is_imported() -> None:
    with extra("--filter", "journal"):
        import json

    assert json.loads("1") == 1


@pytest.mark.parametrize("name", ["nosuchlibrary", "nosuchlibrary.part"])
def test_what_is_not_there_can_be_installed(name: str) -> None:
    with (
        pytest.raises(
            SystemExit, match=r"^txqmp: plot needs nosuch.*: pip install 'txqmp\[plot\]'$"
        ),
        extra("plot", "plot"),
    ):
        __import__(name)


def test_a_part_of_ours_that_is_missing_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"txqmp\.nosuch"), extra("x", "journal"):
        __import__("txqmp.nosuch")


def test_other_errors_are_none_of_its_business() -> None:
    with pytest.raises(ImportError, match="cannot import name"), extra("x", "journal"):
        from json import nosuch  # noqa: F401
