"""
The filter language: which records of a journal, said in a line.

``command:qom-* latency>100ms or !(kind:event)``: conditions, joined by ``and`` (which may be left
out), ``or``, ``not`` and parentheses. What conditions there are says
:mod:`txqmp.reports.conditions`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import NamedTuple, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from txqmp.errors import FilterError
from txqmp.journal.record import Record
from txqmp.reports.conditions import KEYS
from txqmp.reports.sorts import OPERATORS, BadValueError, Test

__all__ = ["FilterError", "parse"]

_OPERATORS = " | ".join(f'"{sign}"' for sign in OPERATORS)
_GRAMMAR = rf"""
    ?start: either
    ?either: both (_OR both)*
    ?both: factor (_AND? factor)*
    ?factor: condition
           | _NOT factor -> inverted
           | "(" either ")" -> inner
    condition: KEY OPERATOR (WORD | DOUBLE | SINGLE)

    _AND.2: /and(?![\w-])/i | "&&" | "&"
    _OR.2: /or(?![\w-])/i | "||" | "|"
    _NOT.2: /not(?![\w-])/i | "!"
    KEY: /(?!(and|or|not)(?![\w-]))[A-Za-z_][\w-]*/i
    OPERATOR: {_OPERATORS}
    WORD: /[^\s()&|"'=~<>][^\s()&|]*/
    DOUBLE: /"([^"]|"")*"/
    SINGLE: /'([^']|'')*'/
    %ignore /\s+/
"""

_DEEPEST = 100
_EXAMPLE = "a condition is a key, an operator and a value, as command:qom-get"


class _Part(NamedTuple):
    test: Test
    depth: int = 0


class _Refused(Exception):
    """What the grammar lets through, and nobody understands."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place


class _Builder(Transformer[Token, _Part]):
    """Makes tests, as the parser finds what they are made of."""

    def either(self, parts: list[_Part]) -> _Part:
        tests = [part.test for part in parts]
        return _joined(parts, lambda record: any(test(record) for test in tests))

    def both(self, parts: list[_Part]) -> _Part:
        tests = [part.test for part in parts]
        return _joined(parts, lambda record: all(test(record) for test in tests))

    def inverted(self, parts: list[_Part]) -> _Part:
        test = parts[0].test
        return _joined(parts, lambda record: not test(record))

    def inner(self, parts: list[_Part]) -> _Part:
        return parts[0]

    def condition(self, parts: list[Token]) -> _Part:
        name, sign, value = parts
        key = KEYS.get(name)
        if key is None:
            raise _Refused(f"there is no key {name}: {_suggested(name, KEYS)}", _start(name))
        if sign not in key.sort.operators:
            ways = " ".join(key.sort.operators)
            raise _Refused(f"{name} goes with {ways} as in {key.example}", _start(sign))
        written = _unquoted(value)
        try:
            return _Part(key.sort.test(str(sign), written))
        except BadValueError as error:
            hint = f": {_suggested(written, error.known)}" if error.known else ""
            raise _Refused(f"{name}: {error}{hint}", _start(value)) from None


_parser = Lark(_GRAMMAR, parser="lalr", transformer=_Builder())


def parse(text: str) -> Callable[[Record], bool]:
    """
    Read a filter.

    :returns: whether a record is one of those that it means.
    :raises FilterError: it is no filter: why, and where.
    """
    try:
        # The builder makes these of the tree.
        part = cast(_Part, _parser.parse(text))
    except UnexpectedToken as error:
        raise _misread(text, error) from None
    except UnexpectedCharacters as error:
        problem = "this quotation mark has no other one"
        raise _error(text, error.pos_in_stream or 0, problem) from None
    except _Refused as error:
        raise _error(text, error.place, str(error)) from None
    if part.depth > _DEEPEST:
        raise _error(text, 0, f"it is more than {_DEEPEST} levels deep")
    return part.test


def _joined(parts: list[_Part], test: Test) -> _Part:
    return _Part(test, 1 + max(part.depth for part in parts))


def _start(token: Token) -> int:
    return token.start_pos or 0


def _unquoted(value: Token) -> str:
    if value.type == "WORD":
        return str(value)
    mark = value[0]
    return value[1:-1].replace(mark * 2, mark)


def _suggested(word: str, known: Iterable[str]) -> str:
    words = list(known)
    close = get_close_matches(word.lower(), words, 1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(words)}"


def _misread(text: str, error: UnexpectedToken) -> FilterError:
    token, accepted = error.token, error.accepts or set()
    place = len(text.rstrip()) if token.type == "$END" else _start(token)
    if token.type == "$END" and "RPAR" in accepted:
        return _error(text, place, "a parenthesis is not closed")
    if token.type == "RPAR" and "$END" in accepted:
        return _error(text, place, "this parenthesis was not opened")
    if "OPERATOR" in accepted:
        found = _LAST_WORD.search(text[:place])
        name = found[1] if found else ""
        if name not in KEYS:
            return _error(
                text, found.start() if found else place, f"{name} is no condition: {_EXAMPLE}"
            )
        ways = " ".join(KEYS[name].sort.operators)
        return _error(text, place, f"after {name} comes one of {ways} as in {KEYS[name].example}")
    if "WORD" in accepted:
        return _error(text, place, "here should be a value, in quotation marks if it is not plain")
    return _error(text, place, f"here should be a condition: {_EXAMPLE}")


_LAST_WORD = re.compile(r"([\w-]+)\s*$")


def _error(text: str, place: int, problem: str) -> FilterError:
    shown = "".join(c if c.isprintable() else " " for c in text)
    width = sum(_width(c) for c in shown[:place])
    return FilterError(f"{problem}\n  {shown}\n  {' ' * width}^")


def _width(character: str) -> int:
    """How many columns of a terminal it takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
