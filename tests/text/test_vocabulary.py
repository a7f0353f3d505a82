"""The commands of 2009, compared with the table of the specification."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from txqmp.text.table import CommandTable
from txqmp.text.vocabulary import VOCABULARY, Known

TSV = Path(__file__).parents[1] / "commands-2009.tsv"
VERSIONS = ("args@0.10.50(2009-06-22)", "args@0.11.0-rc0", "args@0.10.0")
"""Where they differ it is the one of June, then the later."""

with TSV.open(newline="", encoding="ascii") as file:
    ROWS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def name(row: dict[str, str]) -> str:
    verb = max(row["name(|alias)"].split("|"), key=len)
    return f"info {verb}" if row["kind"] == "info" else verb


THEIRS = {name(row): row for row in ROWS}


def args(row: dict[str, str]) -> str:
    types = next(row[version] for version in VERSIONS if row[version] != "-")
    return "" if types == '""' else types


def test_all_are_there_but_the_two_that_every_table_has() -> None:
    assert set(THEIRS) - set(VOCABULARY) == {"help", "info"}


def test_there_are_no_others() -> None:
    assert set(VOCABULARY) - set(THEIRS) == set()


@pytest.mark.parametrize("known", VOCABULARY.values(), ids=lambda known: known.name)
def test_names_and_parameters(known: Known) -> None:
    row = THEIRS[known.name]
    assert known.names.removeprefix("info ") == row["name(|alias)"]
    assert known.params == row["params"]


LENIENT = {"pci_add": "sss?"}
"""Where the later version asks for less, and all that the older took is still good."""


@pytest.mark.parametrize("known", VOCABULARY.values(), ids=lambda known: known.name)
def test_argument_types(known: Known) -> None:
    assert known.args == LENIENT.get(known.name, args(THEIRS[known.name]))


@pytest.mark.parametrize("known", VOCABULARY.values(), ids=lambda known: known.name)
def test_a_summary_is_there(known: Known) -> None:
    assert known.summary


def test_a_table_takes_all_of_them() -> None:
    table = CommandTable()
    for known in VOCABULARY.values():
        table.command(*known)(lambda request: None)
    assert {entry.name for entry in table} == {*VOCABULARY, "help", "info"}


@pytest.mark.parametrize(
    ("names", "canonical"), [("c|cont", "cont"), ("stop", "stop"), ("info block", "info block")]
)
def test_the_canonical_name_is_the_longest(names: str, canonical: str) -> None:
    assert Known(names, "", "", "").name == canonical
