"""What a filter's values can be, and the tests of records that they make."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Protocol

from txqmp.journal.record import Record
from txqmp.reports.moments import time_test

Test = Callable[[Record], bool]

OPERATORS = {
    ":": "is; in words, ``*`` stands for any text and ``?`` for one character",
    "=": "the same as ``:``",
    "~": "a regular expression is found in it; upper and lower case differ",
    ">": "is more than",
    ">=": "is as much or more",
    "<": "is less than",
    "<=": "is as much or less",
}
"""The operators, and what they mean."""

_IS = (":", "=")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ":": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})([A-Za-zµ]*)", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)


class BadValueError(Exception):
    """
    What stands after an operator is no value.

    :ivar known: what could stand there, where that is a few words.
    """

    def __init__(self, message: str, known: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.known = tuple(known)


class Sort(Protocol):
    """
    A sort of values.

    :ivar operators: those that it has.
    :ivar values: how they are written, for the documentation.
    """

    operators: Sequence[str]
    values: str

    def test(self, sign: str, value: str) -> Test:
        """
        Make the test of records.

        :param sign: the operator.
        :raises BadValueError: it is no such value.
        """
        ...


def same(wanted: str) -> Callable[[str], bool]:
    """Compare texts with one that may have ``*`` and ``?``; upper and lower case are the same."""
    if "*" not in wanted and "?" not in wanted:
        low = wanted.lower()
        return lambda found: found.lower() == low
    parts = (_WILD.get(part, re.escape(part)) for part in re.split("([*?])", wanted))
    pattern = re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
    return lambda found: pattern.fullmatch(found) is not None


_WILD = {"*": ".*", "?": "."}


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadValueError(f"this is no regular expression: {error}") from None


def _text_test(sign: str, value: str) -> Callable[[str], bool]:
    if sign != "~":
        return same(value)
    search = _pattern(value).search
    return lambda found: search(found) is not None


class Text:
    """
    A text that a record may have.

    :param get: takes it out of a record.
    """

    operators: Sequence[str] = (*_IS, "~")
    values = "text"

    def __init__(self, get: Callable[[Record], str | None]) -> None:
        self._get = get

    def test(self, sign: str, value: str) -> Test:
        """Make the test of records."""
        get, fits = self._get, _text_test(sign, value)
        return lambda record: (found := get(record)) is not None and fits(found)


class Texts:
    """
    Texts that a record may have, one of which has to fit.

    :param get: takes them out of a record.
    """

    operators: Sequence[str] = (*_IS, "~")
    values = "text"

    def __init__(self, get: Callable[[Record], Iterable[str]]) -> None:
        self._get = get

    def test(self, sign: str, value: str) -> Test:
        """Make the test of records."""
        get, fits = self._get, _text_test(sign, value)
        return lambda record: any(fits(found) for found in get(record))


class Wire(Text):
    """What went over the wire."""

    operators: Sequence[str] = ("~",)
    values = "regular expression"


class Choice:
    """
    One of a few words.

    :param words: the words.
    :param get: takes one of them out of a record.
    """

    operators: Sequence[str] = _IS

    def __init__(self, words: Iterable[str], get: Callable[[Record], str | None]) -> None:
        self._words = tuple(words)
        self._get = get
        self.values = ", ".join(f"``{word}``" for word in self._words)

    def test(self, sign: str, value: str) -> Test:
        """Make the test of records."""
        if value not in self._words:
            raise BadValueError(f"there is no {value}", self._words)
        get = self._get
        return lambda record: get(record) == value


class Number:
    """
    A whole number.

    :param get: takes it out of a record.
    """

    operators: Sequence[str] = tuple(_COMPARISONS)
    values = "number"

    def __init__(self, get: Callable[[Record], object]) -> None:
        self._get = get

    def test(self, sign: str, value: str) -> Test:
        """Make the test of records."""
        return _amount_test(self._get, sign, self.read(value))

    def read(self, value: str) -> float:
        """
        Read a value.

        :raises BadValueError: it is none.
        """
        if _WHOLE.fullmatch(value) is None:
            raise BadValueError("here should be a whole number")
        return int(value)


class Amount(Number):
    """
    A number that may have a unit.

    :param get: takes it out of a record.
    :param units: the units, and how much each is of the one that records have.
    """

    def __init__(self, get: Callable[[Record], object], units: dict[str, str]) -> None:
        super().__init__(get)
        self._units = units
        base = next(unit for unit, factor in units.items() if factor == "1")
        others = ", ".join(f"``{unit}``" for unit in units if unit != base)
        self.values = f"number of ``{base}``, or with {others}"

    def read(self, value: str) -> float:
        """
        Read a value.

        :raises BadValueError: it is none.
        """
        found = _AMOUNT.fullmatch(value)
        if found is None:
            raise BadValueError("here should be a number, maybe with a unit", self._units)
        if found[2] and found[2] not in self._units:
            raise BadValueError(f"there is no unit {found[2]}", self._units)
        return float(Decimal(found[1]) * Decimal(self._units[found[2]] if found[2] else 1))


def _amount_test(get: Callable[[Record], object], sign: str, wanted: float) -> Test:
    compare = _COMPARISONS[sign]

    def test(record: Record) -> bool:
        found = get(record)
        if type(found) is not int and type(found) is not float:
            return False
        return compare(found, wanted)

    return test


class Time:
    """When a record was made."""

    operators: Sequence[str] = _IS
    values = (
        "time of day (UTC) or ISO 8601 date and time, or two of them with ``..`` between; "
        "one of the two may be missing"
    )

    def test(self, sign: str, value: str) -> Test:
        """Make the test of records."""
        try:
            fits = time_test(value)
        except ValueError as error:
            raise BadValueError(str(error)) from None
        return lambda record: fits(record.time)
