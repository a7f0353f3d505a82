"""Files: what is read, and what errors say, and where."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from txqmp.errors import PolicyError
from txqmp.policy import Action, load, ruleset, rulesets
from txqmp.policy.load import CLIENT, RULE, TOP, parse
from txqmp.policy.rules import Condition, Rule, Who

EVERYTHING = """\
default = "deny"
include = ["host-safe"]

[[rule]]
name = "images"
action = "deny"
reason = "not from there"
command = ["blockdev_add", "Drive-*"]
dialect = ["json", "hmp"]
oob = false
arguments = { "**.filename" = "/images/*", "x" = ["a", "b"] }
[rule.client]
uid = 1000
gid = [1, 2]
executable = "/usr/bin/*"
certificate = ["CN=a*", "CN=b*"]
address = ["10.0.0.0/8", "::1"]

[[rule]]
action = "delay"
seconds = 2
"""


def test_all_there_is() -> None:
    loaded = parse(EVERYTHING, "test")
    assert loaded.default is Action.DENY
    assert loaded.rules[0] == Rule(
        "images",
        Action.DENY,
        ("blockdev-add", "drive-*"),
        (Condition(("**", "filename"), ("/images/*",)), Condition(("x",), ("a", "b"))),
        Who(
            frozenset([1000]),
            frozenset([1, 2]),
            ("/usr/bin/*",),
            ("CN=a*", "CN=b*"),
            (ip_network("10.0.0.0/8"), ip_network("::1")),
        ),
        frozenset(["json", "hmp"]),
        False,
        "not from there",
    )
    assert loaded.rules[1] == Rule("rule 2", Action.DELAY, seconds=2.0)
    assert loaded.rules[2:] == ruleset("host-safe")


def test_the_example_uses_every_key() -> None:
    for key in (*RULE, *CLIENT, *TOP):
        assert f"{key} =" in EVERYTHING or f"[{key}]" in EVERYTHING or f".{key}]" in EVERYTHING


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, 'say what becomes of the rest: default = "allow", or default = "deny"'),
        ('\n\ndefault = "permit"', 3, "default is allow or deny, not 'permit'"),
        ('\ndefault = "alow"', 2, "default is allow or deny, not 'alow' (did you mean 'allow'?)"),
        ("default = 1", 1, "default is allow or deny, not 1"),
        ('default = "allow"\ndefault = "deny"', 2, "not TOML: Cannot overwrite a value"),
        ("\n\nx = [1,\n2", 4, "not TOML: Unclosed array"),
        ('\ninclude = "host-save"', 2,
         "there is no ruleset 'host-save' (did you mean 'host-safe'?)"),
        ("\ninclude = [1]", 2, "include is a text, or a list of texts"),
        ("\nrules = 1", 2, "a policy has no 'rules' (did you mean 'rule'?)"),
        ("\nrule = 1", 2, "a rule begins with [[rule]]"),
        ("\n[rule]", 2, "a rule begins with [[rule]]"),
        ("\n[[rule]]\n", 2, "a rule wants an action: allow, deny, delay or log"),
        ('\n[[rule]]\naction = "refuse"', 3,
         "action is allow, log, delay or deny, not 'refuse'"),
        ('\n[[rule]]\naction="deny"\n\n[[rule]]\naction="deny"\nComand = "x"', 7,
         "a rule has no 'Comand' (did you mean 'command'?)"),
        ('\n[[rule]]\naction="deny"\ncommand = 5', 4, "command is a text, or a list of texts"),
        ('\n[[rule]]\naction="deny"\ncommand = []', 4, "command is empty: this matches nothing"),
        ('\n[[rule]]\naction="deny"\ncommand = [""]', 4, "command is a text, or a list of texts"),
        ('\n[[rule]]\naction="deny"\ndialect = "qmp"', 4,
         "dialect is json, text or hmp, not 'qmp'"),
        ('\n[[rule]]\naction="deny"\noob = "x"', 4, "oob is true or false"),
        ('\n[[rule]]\naction="allow"\nreason = "x"', 4, "reason goes with deny, and this is allow"),
        ('\n[[rule]]\naction="deny"\nreason = "a\\nb"', 4, "reason is a text of one line"),
        ('\n[[rule]]\naction="deny"\nseconds = 1', 4, "seconds goes with delay, and this is deny"),
        ('\n[[rule]]\naction="delay"', 2, "delay wants seconds: how long"),
        ('\n[[rule]]\naction="delay"\nseconds = 0', 4, "seconds is a number, up to 3600"),
        ('\n[[rule]]\naction="delay"\nseconds = nan', 4, "seconds is a number, up to 3600"),
        ('\n[[rule]]\naction="delay"\nseconds = true', 4, "seconds is a number, up to 3600"),
        ('\n[[rule]]\naction="deny"\nname = ""', 4, "name is a text of one line"),
        ('\n[[rule]]\naction="deny"\nname = "a"\n[[rule]]\naction="deny"\nname = "a"', 5,
         "line 2 has a rule 'a' already"),
        ('\n[[rule]]\naction="deny"\narguments = "x"', 4,
         'arguments is a table: { "path" = "glob" }'),
        ('\n[[rule]]\naction="deny"\n[rule.arguments]\nx = 1\ny = "a"', 5,
         "x is a text, or a list of texts"),
        ('\n[[rule]]\naction="allow"\narguments = { x = {} }', 4,
         "x is a text, or a list of texts"),
        ('\n[[rule]]\naction="deny"\n[rule.arguments]\nx = "a"\n"a..b" = "a"', 6,
         "'a..b' is no path of an argument: write a.b.*"),
        ('\n[[rule]]\naction="deny"\nclient = 1', 4, "client is a table"),
        ('\n[[rule]]\naction="deny"\n[rule.client]\n\nuser = 1', 6, "client has no 'user'"),
        ('\n[[rule]]\naction="deny"\nclient.uid = "root"', 4,
         "uid is a number, or a list of numbers"),
        ('\n[[rule]]\naction="deny"\nclient.gid = [true]', 4,
         "gid is a number, or a list of numbers"),
        ('\n[[rule]]\naction="deny"\nclient = { address = "10.0.0.1/8" }', 4,
         "address is an address or a network: 10.0.0.1/8 has host bits set"),
        ('\n[[rule]]\naction="deny"\nclient = { address = "host" }', 4,
         "address is an address or a network: 'host' does not appear to be"),
    ],
)  # fmt: skip
def test_errors_have_a_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text, "the.toml")
    message = str(caught.value)
    assert message.startswith(f"the.toml:{line}: {problem}"), message
    assert "\n" not in message


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text('default = "allow"\r\n[[rule]]\r\naction = "deny"\r\n')
    assert load(str(path)).rules == (Rule("rule 1", Action.DENY),)
    with pytest.raises(PolicyError, match=r"nosuch: No such file"):
        load(str(tmp_path / "nosuch"))
    path.write_bytes(b'default = "allow"\n# \xff\n')
    with pytest.raises(PolicyError, match=r"p.toml:2: this is not UTF-8"):
        load(str(path))


def test_deep_nesting_is_one_line() -> None:
    with pytest.raises(PolicyError, match=r"^t:1: nested too deeply$"):
        parse(f"x = {'[' * 100_000}", "t")


def test_rulesets() -> None:
    assert rulesets() == ("host-safe", "read-only")
    for name in rulesets():
        assert all(rule.label.startswith(f"{name}: ") for rule in ruleset(name))
        assert not any(rule.label.startswith(f"{name}: rule ") for rule in ruleset(name))
    with pytest.raises(PolicyError, match="did you mean 'read-only'"):
        ruleset("readonly")
