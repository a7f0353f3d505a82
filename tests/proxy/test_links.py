"""One number for a text command and for the JSON commands that it becomes."""

from __future__ import annotations

import pytest

from txqmp.proxy.links import Links


def test_both_who_ask_for_a_text_command_get_one_number() -> None:
    links = Links()
    assert links.of_client(1, 1) == links.of_client(1, 1)


def test_each_text_command_has_a_number_of_its_own() -> None:
    links = Links()
    assert [links.of_client(1, 1), links.of_client(1, 2), links.of_client(2, 1)] == [1, 2, 3]


def test_the_second_may_ask_much_later() -> None:
    links = Links()
    first = [links.of_client(1, place) for place in range(1, 6)]
    assert [links.of_client(1, place) for place in range(1, 6)] == first


def test_a_forgotten_connection_begins_anew() -> None:
    links = Links()
    old = links.of_client(1, 1)
    links.forget(1)
    assert links.of_client(1, 1) != old


def test_to_forget_one_connection_leaves_the_others() -> None:
    links = Links()
    number = links.of_client(2, 1)
    links.forget(1)
    assert links.of_client(2, 1) == number


def test_a_json_command_bears_the_number_it_was_sent_for() -> None:
    links = Links()
    links.expect(5, 17)
    assert links.of_monitor(5) == 17


def test_it_is_told_once() -> None:
    links = Links()
    links.expect(5, 17)
    links.of_monitor(5)
    assert links.of_monitor(5) is None


@pytest.mark.parametrize("key", [6, "5", None, 5.5])
def test_other_json_commands_have_none(key: object) -> None:
    links = Links()
    links.expect(5, 17)
    assert links.of_monitor(key) is None


def test_the_ids_of_a_connection_that_is_over_mean_nothing() -> None:
    links = Links()
    links.expect(5, 17)
    links.forget_monitor()
    assert links.of_monitor(5) is None


def test_what_is_never_carried_out_is_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("txqmp.proxy.links.MAX_WAITING", 2)
    links = Links()
    assert [links.of_client(1, place) for place in (1, 2, 3)] == [1, 2, 3]
    assert links.of_client(1, 3) == 3
    assert links.of_client(1, 1) == 4
