"""Finding a client's commands in the record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.replay.example import JSON, JSON_GREETING, TEXT, TEXT_GREETING, recorded
from txqmp.journal.record import Dialect
from txqmp.journal.redact import redact
from txqmp.replay.matching import Asked, Matcher, NotRecorded, make_matcher
from txqmp.replay.script import Script, read_script


def script(dialogue: str = JSON, dialect: Dialect = "json") -> Script:
    return read_script(map(redact, recorded(dialogue, dialect)), dialect)


def commands(*commands: str) -> Script:
    """Commands in JSON, each a name and its arguments."""
    lines = [f"S: {JSON_GREETING}"]
    for command in commands:
        name, _, arguments = command.partition(" ")
        lines.append(f'C: {{"execute": "{name}", "arguments": {arguments or "{}"}}}')
        lines.append('S: {"return": {}}')
    return script("\n".join(lines))


def find(matcher: Matcher, name: str, arguments: Any = None) -> int:
    return matcher.find(Asked(name, {} if arguments is None else arguments)).place


def refused(matcher: Matcher, name: str, arguments: Any = None) -> str:
    with pytest.raises(NotRecorded) as caught:
        find(matcher, name, arguments)
    return str(caught.value)


class TestStrict:
    def test_the_same_commands_in_the_same_order(self) -> None:
        matcher = make_matcher("strict", script())
        assert find(matcher, "qmp_capabilities", {"enable": ["oob"]}) == 0
        assert find(matcher, "query-status") == 1

    def test_another_is_refused_and_the_next_stays_the_next(self) -> None:
        matcher = make_matcher("strict", script())
        assert refused(matcher, "query-status") == (
            'expected qmp_capabilities {"enable": ["oob"]}, not query-status'
        )
        assert refused(matcher, "qmp_capabilities") == (
            'expected qmp_capabilities {"enable": ["oob"]}, not qmp_capabilities'
        )
        assert find(matcher, "qmp_capabilities", {"enable": ["oob"]}) == 0

    def test_after_the_last_nothing_is_expected(self) -> None:
        matcher = make_matcher("strict", commands("stop"))
        find(matcher, "stop")
        assert refused(matcher, "stop") == "expected nothing more: the record is over"

    @pytest.mark.parametrize("other", [{"a": True}, {"a": 1, "b": 2}, {"a": "1"}, {"b": 1}, {}])
    def test_other_arguments_are_another_command(self, other: Any) -> None:
        assert refused(make_matcher("strict", commands('x {"a": 1}')), "x", other)

    def test_words(self) -> None:
        matcher = make_matcher("strict", script(TEXT, "text"))
        assert refused(matcher, "info", ["name"]) == "expected info status, not info name"
        assert refused(matcher, "info", []) == "expected info status, not info"
        assert find(matcher, "info", ["status"]) == 0

    def test_a_line_that_is_no_command(self) -> None:
        said = f"S: {TEXT_GREETING}\nC: \x01\nS: - BAD no\nC: \x02\nS: - BAD no"
        matcher = make_matcher("strict", script(said, "text"))
        with pytest.raises(NotRecorded, match=r"expected the line '\\x01', not the line '\\x02'"):
            matcher.find(Asked("", [], line=b"\x02"))
        assert matcher.find(Asked("", [], line=b"\x01")).place == 0
        with pytest.raises(NotRecorded, match=r"expected the line '\\x02', not stop"):
            matcher.find(Asked("stop", []))

    def test_arguments_nested_too_deeply_are_others(self) -> None:
        deep: Any = 1
        for _ in range(5000):
            deep = [deep]
        recorded_deep = commands('x {"a": 1}')
        recorded_deep.exchanges[0].record.fields["arguments"] = {"a": deep}
        matcher = make_matcher("strict", recorded_deep)
        assert "x ..., not x ..." in refused(matcher, "x", {"a": deep})


class TestHidden:
    """What the journal hides may have been anything."""

    PASSWORD = (
        'set_password {"protocol": "vnc", "password": "hush"}',
        'human-monitor-command {"command-line": "change vnc password hush"}',
        'blockdev-add {"id": "a", "url": "https://u:hush@host/p"}',
    )

    @pytest.mark.parametrize("mode", ["strict", "loose"])
    def test_a_value(self, mode: Any) -> None:
        matcher = make_matcher(mode, commands(*self.PASSWORD))
        assert refused(matcher, "set_password", {"protocol": "spice", "password": "a"})
        assert find(matcher, "set_password", {"protocol": "vnc", "password": "other"}) == 0

    def test_a_part_of_a_value(self) -> None:
        matcher = make_matcher("loose", commands(*self.PASSWORD))
        asked = {"id": "a", "url": "https://u:other@host/p"}
        assert find(matcher, "blockdev-add", asked) == 2
        for url in ("https://u:x@host/q", "https://v:x@host/p", "https://u:x", 7):
            assert refused(matcher, "blockdev-add", {"id": "a", "url": url})

    def test_the_parts_around_do_not_overlap(self) -> None:
        script = commands('x {"a": "1"}')
        script.exchanges[0].record.fields["arguments"] = {"a": "aa[redacted]aa"}
        matcher = make_matcher("strict", script)
        assert refused(matcher, "x", {"a": "aaa"})
        assert find(matcher, "x", {"a": "aaaa"}) == 0

    def test_two_of_them_come_in_their_order(self) -> None:
        one, _, _ = self.PASSWORD
        matcher = make_matcher("loose", commands(one, one))
        asked = {"protocol": "vnc", "password": "x"}
        assert [find(matcher, "set_password", asked) for _ in range(3)] == [0, 1, 1]


class TestLoose:
    def test_any_order_and_again(self) -> None:
        matcher = make_matcher("loose", script())
        assert find(matcher, "stop") == 2
        assert [find(matcher, "query-status") for _ in range(4)] == [1, 3, 3, 3]

    def test_the_order_of_members_does_not_count(self) -> None:
        matcher = make_matcher("loose", commands('x {"a": 1, "b": {"c": 2, "d": 3}}'))
        assert find(matcher, "x", {"b": {"d": 3, "c": 2}, "a": 1}) == 0

    def test_what_a_client_negotiates_does_not_count(self) -> None:
        assert find(make_matcher("loose", script()), "qmp_capabilities") == 0

    def test_an_unknown_command(self) -> None:
        with pytest.raises(NotRecorded, match="query-name was not recorded") as caught:
            find(make_matcher("loose", script()), "query-name")
        assert caught.value.unknown

    def test_other_arguments(self) -> None:
        with pytest.raises(NotRecorded, match="not recorded with these arguments") as caught:
            find(make_matcher("loose", script()), "device_del", {"id": "net0"})
        assert not caught.value.unknown

    def test_arguments_nested_too_deeply(self) -> None:
        deep: Any = 1
        for _ in range(5000):
            deep = [deep]
        assert "nested too deeply" in refused(make_matcher("loose", script()), "x", {"a": deep})

    def test_words(self) -> None:
        matcher = make_matcher("loose", script(TEXT, "text"))
        assert find(matcher, "info", ["STATUS"]) == 2
        assert find(matcher, "info", ["status"]) == 0

    def test_a_line_that_is_no_command(self) -> None:
        said = f"S: {TEXT_GREETING}\nC: \x01\nS: - BAD no"
        matcher = make_matcher("loose", script(said, "text"))
        assert matcher.find(Asked("", [], line=b"\x01")).place == 0
        with pytest.raises(NotRecorded) as caught:
            matcher.find(Asked("", [], line=b"\x02"))
        assert caught.value.unknown


class TestDescriptors:
    """Descriptors may have other names than in the record."""

    def test_a_name(self) -> None:
        matcher = make_matcher(
            "loose",
            commands(
                'getfd {"fdname": "a"}',
                'getfd {"fdname": "b"}',
                'netdev_add {"type": "tap", "id": "n", "fd": "b"}',
                'closefd {"fdname": "a"}',
            ),
        )
        assert find(matcher, "getfd", {"fdname": "mine"}) == 0
        assert find(matcher, "getfd", {"fdname": "other"}) == 1
        assert find(matcher, "netdev_add", {"type": "tap", "id": "n", "fd": "other"}) == 2
        assert refused(matcher, "netdev_add", {"type": "tap", "id": "n", "fd": "mine"})
        assert find(matcher, "closefd", {"fdname": "mine"}) == 3

    def test_the_very_name_goes_before(self) -> None:
        matcher = make_matcher("loose", commands('getfd {"fdname": "a"}', 'getfd {"fdname": "b"}'))
        assert find(matcher, "getfd", {"fdname": "b"}) == 1
        assert find(matcher, "getfd", {"fdname": "x"}) == 0
        assert find(matcher, "getfd", {"fdname": "a"}) == 0
        assert refused(matcher, "getfd", {"fdname": "y"})

    def test_what_was_recorded_as_it_is_asked_is_that(self) -> None:
        matcher = make_matcher("loose", commands('getfd {"fdname": "a"}', 'x {"fd": "mine"}'))
        assert find(matcher, "getfd", {"fdname": "mine"}) == 0
        assert find(matcher, "x", {"fd": "mine"}) == 1

    def test_a_set(self) -> None:
        matcher = make_matcher(
            "loose",
            commands(
                'add-fd {"fdset-id": 2, "opaque": "x"}',
                'blockdev-add {"filename": "/dev/fdset/2"}',
                'remove-fd {"fdset-id": 2}',
            ),
        )
        assert refused(matcher, "add-fd", {"fdset-id": 9, "opaque": "y"})
        assert find(matcher, "add-fd", {"fdset-id": 9, "opaque": "x"}) == 0
        assert find(matcher, "blockdev-add", {"filename": "/dev/fdset/9"}) == 1
        assert find(matcher, "remove-fd", {"fdset-id": 9}) == 2
        assert matcher.names.fit(b'{"fdset-id": 2}') == b'{"fdset-id": 9}'

    def test_words(self) -> None:
        said = f"S: {TEXT_GREETING}\nC: getfd a\nS: + OK getfd completed\nC: closefd a\nS: - ERR no"
        matcher = make_matcher("loose", script(said, "text"))
        assert find(matcher, "getfd", ["mine"]) == 0
        assert find(matcher, "closefd", ["mine"]) == 1
        assert refused(matcher, "getfd", [])

    def test_strictly_the_name_is_the_name(self) -> None:
        matcher = make_matcher("strict", commands('getfd {"fdname": "a"}'))
        assert "expected getfd" in refused(matcher, "getfd", {"fdname": "b"})
