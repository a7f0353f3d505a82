"""What the options take, what they refuse, and how safe they are when little is said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import UNIXClientEndpoint, serverFromString
from twisted.internet.protocol import Factory
from twisted.python.usage import UsageError

from txqmp.service import logger, proxyoptions
from txqmp.service import options as options_module
from txqmp.service.logger import LoggerOptions
from txqmp.service.options import (
    check_server_string,
    client_endpoint,
    monitor_name,
    safe_server_string,
)
from txqmp.service.proxyoptions import ProxyOptions


def parsed(options: Any, *argv: str) -> Any:
    options.parseOptions(argv)
    return options


def test_qmp_proxy_wants_no_options() -> None:
    options = parsed(ProxyOptions())
    assert {key: options[key] for key in options if key != "endpoint"} == {
        "listen": "unix:qmp-proxy.sock:mode=600:backlog=1024",
        "connect": "machine:",
        "listen-monitor": None,
        "connect-client": None,
        "client": None,
        "journal": "qmp-proxy.jsonl",
        "name": "machine",
        "max-connections": 1000,
        "dialect": None,
        "allow": [],
        "deny": [],
        "policy": None,
        "read-only": 0,
        "policy-dry-run": 0,
        "judge": None,
        "fault-seed": None,
        "faults": None,
        "on-upstream-loss": None,
        "listen-text": None,
        "window": None,
        "client-queue": None,
        "slow-client": None,
        "shared": 0,
        "coalesce": 0,
        "no-decode": 0,
        "guest-agent": 0,
        "no-hmp": 0,
        "event-data": 0,
        "rotate-bytes": 100_000_000,
        "keep": 10,
        "greeting-timeout": 30.0,
        "no-redact": 0,
        "quiet": 0,
    }


def test_qmp_logger_wants_a_monitor() -> None:
    with pytest.raises(UsageError, match="say with --connect or --watch which monitor to log"):
        parsed(LoggerOptions())
    options = parsed(LoggerOptions(), "--connect=unix:/run/vm1.sock")
    assert (options["journal"], options["every"], options["polls"]) == (
        "qmp-logger.jsonl",
        10.0,
        [],
    )


GOOD = [
    ("--rotate-bytes=0", "rotate-bytes", 0),
    ("--rotate-bytes=1000", "rotate-bytes", 1000),
    ("--keep=1", "keep", 1),
    ("--greeting-timeout=0.5", "greeting-timeout", 0.5),
    ("--no-redact", "no-redact", 1),
    ("--no-decode", "no-decode", 1),
    ("--quiet", "quiet", 1),
    ("-q", "quiet", 1),
    ("--journal=/j", "journal", "/j"),
    ("--name=vm1", "name", "vm1"),
    ("--max-connections=1", "max-connections", 1),
    ("--connect=unix:/run/vm2.sock", "name", "vm2"),
]


@pytest.mark.parametrize(("argument", "key", "value"), GOOD)
def test_a_good_value(argument: str, key: str, value: object) -> None:
    assert parsed(ProxyOptions(), argument)[key] == value


BAD = [
    ("--rotate-bytes=-1", "-1 is less than 0"),
    ("--rotate-bytes=1.5", "'1.5' is no whole number"),
    ("--keep=0", "0 is less than 1"),
    ("--greeting-timeout=0", "0 is no length of time"),
    ("--greeting-timeout=-1", "-1 is no length of time"),
    ("--greeting-timeout=inf", "inf is no length of time"),
    ("--greeting-timeout=nan", "nan is no length of time"),
    ("--greeting-timeout=soon", "'soon' is no number of seconds"),
    ("--max-connections=0", "0 is less than 1"),
    ("--listen=/run/p.sock", r"--listen /run/p.sock: .*\(for a UNIX socket: unix:/run/p.sock\)"),
    ("--listen=p.sock", r"\(for a UNIX socket: unix:p.sock\)"),
    ("--listen=tcp:4444:0.0.0.0", "its further parts want names, as in interface=…"),
    ("--listen=unix", "--listen unix.*: it lacks 'address'"),
    ("--listen=tcp:http", "--listen tcp:http.*: 'http' is no number"),
    ("--listen=ssl:1:privateKey=/nonsuch.pem", "/nonsuch.pem: No such file or directory"),
    ("--listen=systemd:domain=UNIX:index=0", "no such socket was passed .*LISTEN_FDNAMES"),
    ("--connect=nosuch:1", "--connect nosuch:1"),
    ("--connect=tcp:localhost", "--connect tcp:localhost: it lacks 'port'"),
    ("--connect=unix:m.sock:mode=600", "there is no 'mode' in it"),
    ("--connect=tls:a:1:trustRoots=/nonsuch", "/nonsuch: No such file or directory"),
    ("--connect=./m.sock", r"\(for a UNIX socket: unix:./m.sock\)"),
    ("--connect=", "--connect : "),
    ("extra", "unexpected argument: extra"),
]


@pytest.mark.parametrize(("argument", "problem"), BAD)
def test_a_bad_value(argument: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parsed(ProxyOptions(), argument)


def test_faults_are_asked_for() -> None:
    options = parsed(
        ProxyOptions(), "--fault=drop:nth=1", r"--fault=fail:desc=a\:b", "--fault-seed=7"
    )
    plan = options["faults"]
    assert [rule.fault for rule in plan.rules] == ["drop", "fail"]
    assert plan.rules[1].description == "a:b"
    assert plan.seed == 7
    assert parsed(ProxyOptions(), "--fault=drop")["faults"].seed == 0
    assert parsed(ProxyOptions())["faults"] is None


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (
            ["--fault=fail:nth=x"],
            "--fault fail:nth=x: nth is a whole number from 1 on, not 'x'",
        ),
        (["--fault-seed=7"], "--fault-seed goes with --fault"),
        (["--fault=drop", "--fault-seed=-1"], "-1 is less than 0"),
        (["--fault=drop", "--no-decode"], "--fault does not go with --no-decode"),
        (["--fault=drop", "--dialect=text"], "--fault does not go with --dialect"),
    ],
)
def test_faults_that_cannot_be(argv: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parsed(ProxyOptions(), *argv)


def test_what_a_gateway_says_is_decoded() -> None:
    with pytest.raises(UsageError, match="--no-decode: what a gateway says"):
        parsed(ProxyOptions(), "--no-decode", "--dialect=text")


def test_only_a_path_is_taken_for_a_unix_socket_that_was_meant() -> None:
    with pytest.raises(UsageError) as error:
        parsed(ProxyOptions(), "--connect=nosuch:1")
    assert "for a UNIX socket" not in str(error.value)


def test_the_journal_is_as_the_options_say(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(options_module, "Journal", lambda *args, **kw: made.append((args, kw)))
    parsed(ProxyOptions(), "--journal=/j", "--rotate-bytes=7", "--keep=3").journal()
    parsed(ProxyOptions(), "--no-redact").journal()
    first, second = made
    assert first[0] == ("/j",)
    assert first[1] == {"rotate_bytes": 7, "keep": 3, "redact": True}
    assert second[1]["redact"] is False


@pytest.mark.parametrize("value", ["0", "-1", "often"])
def test_polls_cannot_follow_each_other_at_once(value: str) -> None:
    with pytest.raises(UsageError):
        parsed(LoggerOptions(), "--connect=machine:", f"--every={value}")


def test_monitors_and_polls_add_up() -> None:
    options = parsed(
        LoggerOptions(), "-c", "unix:/a.sock", "--connect=two=unix:path=/b.sock",
        "--poll=info status", "--poll=info name",
    )  # fmt: skip
    assert [(name, text) for name, _, text in options["monitors"]] == [
        ("a", "unix:/a.sock"),
        ("two", "unix:path=/b.sock"),
    ]
    assert options["polls"] == ["info status", "info name"]


NAMES = [
    ("vm=unix:/a.sock", "vm", "unix:/a.sock"),
    ("unix:path=/a.sock", "a", "unix:path=/a.sock"),
    (r"unix:/a\=b.sock", "a=b", r"unix:/a\=b.sock"),
    ("my vm=tcp:localhost:4444", "my vm", "tcp:localhost:4444"),
    ("vm=machine:name=x", "vm", "machine:name=x"),
    ("tcp:host=localhost:port=1", "tcp:host=localhost:port=1", "tcp:host=localhost:port=1"),
]


@pytest.mark.parametrize(("argument", "name", "endpoint"), NAMES)
def test_a_monitor_may_be_given_a_name(argument: str, name: str, endpoint: str) -> None:
    ((got, _, text),) = parsed(LoggerOptions(), "--connect", argument)["monitors"]
    assert (got, text) == (name, endpoint)


BAD_MONITORS = [
    ("--connect=vm=nosuch:1", "--connect nosuch:1"),
    ("--connect==unix:/a.sock", "--connect"),
    ("--connect=vm=", "--connect"),
    ("--connect=/a.sock", r"unix:/a.sock"),
    ("--poll=", "a command cannot be empty"),
    ("--poll=a\nb", "cannot be sent"),
    ("--poll=\xe4", "cannot be sent"),
]


@pytest.mark.parametrize(("argument", "problem"), BAD_MONITORS)
def test_a_bad_monitor_or_poll(argument: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parsed(LoggerOptions(), argument)


def test_two_monitors_cannot_have_one_name() -> None:
    with pytest.raises(UsageError, match="there is a monitor qmp already"):
        parsed(LoggerOptions(), "--connect=unix:/a/qmp.sock", "--connect=unix:/b/qmp.sock")


MONITOR_NAMES = [
    ("unix:/run/vm1.qmp", "vm1"),
    ("unix:path=/run/vm1.qmp", "vm1"),
    ("unix:/run/vm1.qmp:timeout=5", "vm1"),
    ("unix:vm1", "vm1"),
    (r"unix:/run/a\:b.sock", "a:b"),
    ("unix:", "unix"),
    ("tls:vm:4444:certificate=a.pem:privateKey=a.pem", "tls:vm:4444"),
    ("machine:", "machine"),
    ("machine:name=vm1", "machine:name=vm1"),
    ("tcp:localhost:4444", "tcp:localhost:4444"),
    ("", ""),
]


@pytest.mark.parametrize(("description", "name"), MONITOR_NAMES)
def test_a_monitor_is_called_after_its_socket(description: str, name: str) -> None:
    assert monitor_name(description) == name


SAFE = [
    ("unix:/p.sock", "unix:/p.sock:backlog=1024:mode=600"),
    ("unix:/p.sock:mode=660", "unix:/p.sock:mode=660:backlog=1024"),
    ("unix:mode=660:address=/p.sock", "unix:mode=660:address=/p.sock:backlog=1024"),
    ("unix:/p.sock:backlog=1", "unix:/p.sock:backlog=1:mode=600"),
    (r"unix:/p\:mode=666", r"unix:/p\:mode=666:backlog=1024:mode=600"),
    ("unix:/p\\\\:mode=660", "unix:/p\\\\:mode=660:backlog=1024"),
    ("unix:mode", "unix:mode:backlog=1024:mode=600"),
    (r"unix:mode\=666", r"unix:mode\=666:backlog=1024:mode=600"),
    ("tcp:4444", "tcp:4444:backlog=1024:interface=127.0.0.1"),
    ("tcp:4444:interface=0.0.0.0", "tcp:4444:interface=0.0.0.0:backlog=1024"),
    ("tcp:interface=0.0.0.0:port=1", "tcp:interface=0.0.0.0:port=1:backlog=1024"),
    ("mtls:4444:trustRoots=a", "mtls:4444:trustRoots=a:backlog=1024:interface=127.0.0.1"),
    ("tcp6:4444", r"tcp6:4444:backlog=1024:interface=\:\:1"),
    ("tcp6:4444:interface=\\:\\:", "tcp6:4444:interface=\\:\\::backlog=1024"),
    ("systemd:domain=UNIX:index=0", "systemd:domain=UNIX:index=0"),
    ("fd:3", "fd:3"),
]


@pytest.mark.parametrize(("given", "safe"), SAFE)
def test_what_is_not_said_is_safe(given: str, safe: str) -> None:
    assert safe_server_string(given) == safe
    assert safe_server_string(safe) == safe


@pytest.mark.parametrize("given", ["unix:/p:666", "tcp:4444:0.0.0.0", "unix:/p\\"])
def test_what_would_not_be_understood_is_refused_rather_than_open(given: str) -> None:
    with pytest.raises(UsageError, match="--listen"):
        check_server_string("--listen", safe_server_string(given))


@pytest.mark.parametrize(
    ("description", "mode"), [("unix:{}/s", 0o600), (r"unix:{}/s\:mode\=666", 0o600),
                              ("unix:{}/s:mode=640", 0o640)]
)  # fmt: skip
async def test_the_mode_is_that_of_the_socket(
    description: str, mode: int, short_path: Path, running_reactor: Any
) -> None:
    before = os.umask(0)
    try:
        safe = safe_server_string(description.format(short_path))
        port = await serverFromString(running_reactor, safe).listen(Factory())
        path = os.fsdecode(port.getHost().name)
        assert Path(path).stat().st_mode & 0o777 == mode
        await port.stopListening()
    finally:
        os.umask(before)


def test_a_good_endpoint_of_each_kind() -> None:
    check_server_string("--listen", "tcp:0:interface=127.0.0.1")
    assert isinstance(client_endpoint("--connect", "unix:/m.sock"), UNIXClientEndpoint)


@pytest.mark.parametrize("plugin", [proxyoptions, logger])
def test_a_service_maker_finds_what_it_wants(plugin: Any) -> None:
    assert issubclass(plugin.Options, options_module.JournalOptions)
    assert callable(plugin.makeService)


def test_a_shared_monitor() -> None:
    options = parsed(
        ProxyOptions(), "--shared", "--connect=unix:/q", "--listen-text=unix:/t", "--window=2",
        "--client-queue=1000", "--slow-client=disconnect", "--coalesce", "--no-hmp",
        "--on-upstream-loss=close",
    )  # fmt: skip
    assert options["listen-text"] == "unix:/t:backlog=1024:mode=600"
    assert (options["window"], options["client-queue"]) == (2, 1000)


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ("--shared --listen-monitor=unix:/m", "--listen-monitor does not go with --shared"),
        ("--shared --connect-client=unix:/c", "--connect-client does not go with --shared"),
        ("--shared --dialect=text", "--dialect does not go with --shared: --listen-text is"),
        ("--shared --no-decode", "--no-decode: what clients share has to be decoded"),
        ("--shared --slow-client=no", "--slow-client no: not drop-events or disconnect"),
        ("--shared --window=0", "0 is less than 1"),
        ("--shared --client-queue=x", "'x' is no whole number"),
        ("--shared --listen-text=foo", "--listen-text foo"),
        ("--shared --event-data", "--event-data goes with --dialect text or --listen-text"),
        ("--listen-text=unix:/t", "--listen-text goes with --shared"),
        ("--window=2", "--window goes with --shared"),
        ("--client-queue=2", "--client-queue goes with --shared"),
        ("--slow-client=disconnect", "--slow-client goes with --shared"),
        ("--coalesce", "--coalesce goes with --shared"),
        ("--on-upstream-loss=hold", "--on-upstream-loss goes with --dialect text or --shared"),
    ],
)
def test_what_does_not_go_together_where_a_monitor_is_shared(argv: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parsed(ProxyOptions(), *argv.split())
