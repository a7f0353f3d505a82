"""What a monitor says of itself, and how a line may go on."""

from __future__ import annotations

from typing import Any

import pytest

from txqmp.cli.vocabulary import JSONVocabulary, TextVocabulary, Vocabulary

TEXT = TextVocabulary(
    ["c|cont -- resume VM", "commit device|all -- write back", "", "help|? [cmd] -- show the help"],
    ["info block -- block devices", "info blockstats -- counters", "", "nonsense"],
)
SCHEMA: list[Any] = [
    {"meta-type": "command", "name": "query-block", "arg-type": "0"},
    {"meta-type": "command", "name": "query-name", "arg-type": "0"},
    {"meta-type": "command", "name": "add", "arg-type": "1"},
    {"meta-type": "event", "name": "STOP", "arg-type": "0"},
    {"meta-type": "object", "name": "0", "members": []},
    {
        "meta-type": "object",
        "name": "1",
        "members": [
            {"name": "id", "type": "str"},
            {"name": "server", "type": "2"},
            {"name": "ssl", "type": "str"},
        ],
    },
    {
        "meta-type": "object",
        "name": "2",
        "members": [{"name": "type", "type": "str"}],
        "tag": "type",
        "variants": [{"case": "inet", "type": "3"}, {"case": "unix", "type": "4"}],
    },
    {"meta-type": "object", "name": "3", "members": [{"name": "host", "type": "str"}]},
    {"meta-type": "object", "name": "4", "members": [{"name": "path", "type": "str"}]},
]
JSON = JSONVocabulary(SCHEMA)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("co", ["commit ", "cont "]),
        ("CO", ["commit ", "cont "]),
        ("?", ["? "]),
        ("info b", ["block ", "blockstats "]),
        ("INFO  blocks", ["blockstats "]),
        ("commit ", []),
        ("info block ", []),
    ],
)
def test_text_has_commands_and_what_info_takes(line: str, words: list[str]) -> None:
    assert TEXT.complete(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", ["add ", "query-block ", "query-name "]),
        ("  que", ["query-block ", "query-name "]),
        ("add ", ["id=", "server.", "ssl="]),
        ("add id=1 s", ["server.", "ssl="]),
        ("add ssl=1 s", ["server."]),
        ("add server.", ["server.type="]),
        ("add server.type=inet server.", ["server.host="]),
        ("add server.type=un server.", []),
        ("add id=", []),
        ("add id.", []),
        ("nosuch ", []),
        ("query-block ", []),
    ],
)
def test_json_has_commands_and_their_arguments(line: str, words: list[str]) -> None:
    assert JSON.complete(line) == words


def test_a_list_of_commands_has_no_arguments() -> None:
    commands = JSONVocabulary([{"name": "stop"}, {"name": "system_reset"}])
    assert commands.complete("s") == ["stop ", "system_reset "]
    assert commands.complete("stop ") == []


def test_before_the_monitor_has_told_there_are_no_words() -> None:
    assert Vocabulary().complete("s") == []


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"a": 1},
        [1, None, {}, {"name": 1}, {"name": "\x1b[2J", "meta-type": "command"}],
        [{"name": "x", "arg-type": ["y"]}, {"meta-type": "object", "name": "y", "members": 1}],
        [
            {"name": "x", "arg-type": "y"},
            {"meta-type": "object", "name": "y", "members": [1, {"name": 2}], "variants": [{}]},
        ],
    ],
)
def test_whatever_a_monitor_tells_is_taken(schema: object) -> None:
    vocabulary = JSONVocabulary(schema)
    assert all("\x1b" not in word for word in vocabulary.complete(""))
    assert vocabulary.complete("x ") == []
    assert vocabulary.complete("x a=1 b.") == []
