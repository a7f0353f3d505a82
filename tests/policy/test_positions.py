"""The lines of statements are found whatever is between them."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from txqmp.policy.positions import Positions

TRICKY = '''\
# x = 1
a = """
b = 1
\\""" [[c]]
"""

b = [ # ]
  "]", '#', """
]""",
] # d = 1
"c.d" = 'x = "y'
[e]   # [f]
"quoted key" . f = {g = "}", h = [1]}
'single' = \'\'\'
[[r]]
\'\'\'
[[r]]
x = 1

[r.t]
y = 1
[[r]]
  [[r.s]]
z = 1
[[r.s]]
z.w = 2
'''


def test_a_file_that_tries() -> None:
    tomllib.loads(TRICKY)
    positions = Positions(TRICKY)
    lines = TRICKY.splitlines()
    for key, statement in [
        (("a",), 'a = """'),
        (("b",), "b = [ # ]"),
        (("c.d",), '"c.d" = \'x = "y\''),
        (("e",), "[e]   # [f]"),
        (("e", "quoted key", "f"), '"quoted key" . f = {g = "}", h = [1]}'),
        (("e", "quoted key", "f", "h", 0), '"quoted key" . f = {g = "}", h = [1]}'),
        (("e", "single"), "'single' = '''"),
        (("r", 0, "t"), "[r.t]"),
        (("r", 0, "t", "y"), "y = 1"),
        (("r", 1, "s", 0), "  [[r.s]]"),
        (("r", 1, "s", 1, "z", "w"), "z.w = 2"),
    ]:
        assert positions.line(key) == lines.index(statement) + 1, key  # type: ignore[arg-type]
    assert positions.line(("nosuch",)) == 1
    assert positions.line(()) == 1


VALUES = st.sampled_from(
    [
        "1",
        '"x = 1"',
        "'#'",
        '"""\n[[rule]]\nx = """',
        "'''\n\n'''",
        '"\\""',
        '""""a"""""',
        "[\n  1, # ]\n  [2]\n]",
        "{ a = [1] }",
        "2026-01-01",
        "[] # [",
    ]
)
BETWEEN = st.sampled_from(["", "\n", "# x = [\n", "  \n\n"])


@given(st.lists(st.tuples(BETWEEN, st.booleans(), VALUES), max_size=12), st.sampled_from("\n\r"))
def test_any_file(parts: list[tuple[str, bool, str]], end: str) -> None:
    text, wanted, table = "", {}, -1
    for number, (between, header, value) in enumerate(parts):
        text += between
        if header:
            table += 1
            wanted["t", table] = text.count("\n") + 1
            text += "[[t]]\n"
        key = (f"k{number}",) if table < 0 else ("t", table, f"k{number}")
        wanted[key] = text.count("\n") + 1  # type: ignore[index]
        text += f"k{number} = {value}\n"
    tomllib.loads(text)
    if end == "\r":
        text = text.replace("\n", "\r\n")
    positions = Positions(text)
    assert {key: positions.line(key) for key in wanted} == wanted  # type: ignore[arg-type]
