"""Commands of 2009 that JSON commands carry out: a line arrives, what is asked, what leaves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.fake import Exchange, Gateway, dialogue, human, no, not_found
from txqmp.errors import CommandFailed
from txqmp.gateway.native import pairs, properties
from txqmp.proxy.common import NoAnswer

HD = {"device": "ide0-hd0", "qdev": "/machine/hd"}
CD = {"device": "ide1-cd0", "qdev": "/machine/cd"}
NEW = {"device": "", "qdev": "scsi0", "inserted": {"node-name": "disk0"}}
DRIVES: Exchange = ("query-block", None, [HD, CD, NEW])
CPUS: Exchange = ("query-cpus-fast", None, [{"cpu-index": 0}, {"cpu-index": 1}])


@pytest.mark.parametrize("verb", ["stop", "cont", "system_reset", "system_powerdown",
                                  "migrate_cancel"])  # fmt: skip
def test_commands_without_arguments(verb: str) -> None:
    assert dialogue(verb, (verb, None, {})) == [f"+ OK {verb} completed"]


@pytest.mark.parametrize("verb", ["stop", "quit", "migrate_cancel"])
def test_what_the_monitor_says_no_to(verb: str) -> None:
    assert dialogue(verb, (verb, None, no("no way"))) == ["- ERR no way"]


def test_an_alias_and_another_case() -> None:
    assert dialogue("C", ("cont", None, {})) == ["+ OK cont completed"]


def test_quit_closes_the_connection_after_its_completion() -> None:
    gateway = Gateway(("quit", None, {}))
    assert gateway.asks("q") == ["+ OK quit completed"]
    assert gateway.transport.disconnecting
    gateway.hangs_up()


def test_a_quit_that_failed_does_not() -> None:
    gateway = Gateway(("quit", None, no("no way")))
    assert gateway.asks("quit") == ["- ERR no way"]
    assert not gateway.transport.disconnecting


GOOD: list[tuple[str, list[Exchange]]] = [
    ("eject ide1-cd0", [DRIVES, ("eject", {"device": "ide1-cd0", "force": False}, {})]),
    ("eject -f ide1-cd0", [DRIVES, ("eject", {"device": "ide1-cd0", "force": True}, {})]),
    # A drive that has no name of its own is named by its device, as ``info block`` does.
    ("eject scsi0", [DRIVES, ("eject", {"id": "scsi0", "force": False}, {})]),
    ("eject /machine/cd", [DRIVES, ("eject", {"id": "/machine/cd", "force": False}, {})]),
    ('change ide1-cd0 "/my disk.iso"', [
        DRIVES,
        ("blockdev-change-medium", {"device": "ide1-cd0", "filename": "/my disk.iso"}, {}),
    ]),
    ("change scsi0 /x raw", [
        DRIVES,
        ("blockdev-change-medium", {"id": "scsi0", "filename": "/x", "format": "raw"}, {}),
    ]),
    ("change vnc password geheim", [("change-vnc-password", {"password": "geheim"}, {})]),
    ("change vnc passwd geheim", [("change-vnc-password", {"password": "geheim"}, {})]),
    ("change vnc localhost:1", [("display-update", {"type": "vnc", "addresses": [
        {"type": "inet", "host": "localhost", "port": "5901"}]}, {})]),
    ("change vnc :0", [("display-update", {"type": "vnc", "addresses": [
        {"type": "inet", "host": "", "port": "5900"}]}, {})]),
    ("set_link ne2k up", [("set_link", {"name": "ne2k", "up": True}, {})]),
    ("set_link ne2k down", [("set_link", {"name": "ne2k", "up": False}, {})]),
    ("balloon 64", [("balloon", {"value": 64 << 20}, {})]),
    ("balloon 0x40", [("balloon", {"value": 64 << 20}, {})]),
    ("sendkey ctrl-alt-f1", [("send-key", {"keys": [
        {"type": "qcode", "data": "ctrl"}, {"type": "qcode", "data": "alt"},
        {"type": "qcode", "data": "f1"}]}, {})]),
    ("sendkey a 50", [("send-key", {"keys": [{"type": "qcode", "data": "a"}],
                                    "hold-time": 50}, {})]),
    ("sendkey 0x1e", [("send-key", {"keys": [{"type": "number", "data": 30}]}, {})]),
    ("sendkey shift-<", [("send-key", {"keys": [
        {"type": "qcode", "data": "shift"}, {"type": "qcode", "data": "less"}]}, {})]),
    ("sendkey altgr-q", [("send-key", {"keys": [
        {"type": "qcode", "data": "alt_r"}, {"type": "qcode", "data": "q"}]}, {})]),
    ("migrate tcp:h:1", [("migrate", {"uri": "tcp:h:1"}, {})]),
    ("migrate -d tcp:h:1", [("migrate", {"uri": "tcp:h:1"}, {})]),
    ("migrate_set_speed 1000", [("migrate-set-parameters", {"max-bandwidth": 1000}, {})]),
    ("migrate_set_speed 10m", [("migrate-set-parameters", {"max-bandwidth": 10 << 20}, {})]),
    ("migrate_set_speed 1.5K", [("migrate-set-parameters", {"max-bandwidth": 1536}, {})]),
    ("migrate_set_speed 2G", [("migrate-set-parameters", {"max-bandwidth": 2 << 30}, {})]),
    ("migrate_set_downtime 2", [("migrate-set-parameters", {"downtime-limit": 2000}, {})]),
    ("migrate_set_downtime .03s", [("migrate-set-parameters", {"downtime-limit": 30}, {})]),
    ("migrate_set_downtime 300ms", [("migrate-set-parameters", {"downtime-limit": 300}, {})]),
    ("migrate_set_downtime 1500us", [("migrate-set-parameters", {"downtime-limit": 2}, {})]),
    ("migrate_set_downtime 5ns", [("migrate-set-parameters", {"downtime-limit": 1}, {})]),
    ("screendump /tmp/s", [("screendump", {"filename": "/tmp/s"}, {})]),
    ("memsave 0x1000 16 /tmp/m",
     [("memsave", {"val": 4096, "size": 16, "filename": "/tmp/m"}, {})]),
    ("pmemsave 0 16 /tmp/m", [("pmemsave", {"val": 0, "size": 16, "filename": "/tmp/m"}, {})]),
    ("nmi 1", [CPUS, ("inject-nmi", None, {})]),
    ("cpu 1", [CPUS]),
    ("watchdog_action reset", [("watchdog-set-action", {"action": "reset"}, {})]),
    ("device_add e1000,id=n1,mac=52:54:00:12:34:57", [
        ("device_add", {"driver": "e1000", "id": "n1", "mac": "52:54:00:12:34:57"}, {})]),
    ("device_del n1", [("device_del", {"id": "n1"}, {})]),
    ("block_resize hd0 10", [("block_resize", {"device": "hd0", "size": 10 << 20}, {})]),
    ("block_resize hd0 512b", [("block_resize", {"device": "hd0", "size": 512}, {})]),
    ("block_resize hd0 1T", [("block_resize", {"device": "hd0", "size": 1 << 40}, {})]),
    ("block_job_set_speed j 1k", [("block-job-set-speed", {"device": "j", "speed": 1024}, {})]),
    ("block_job_cancel j", [("block-job-cancel", {"device": "j", "force": False}, {})]),
    ("block_job_cancel -f j", [("block-job-cancel", {"device": "j", "force": True}, {})]),
    ("block_job_pause j", [("block-job-pause", {"device": "j"}, {})]),
    ("block_job_resume j", [("block-job-resume", {"device": "j"}, {})]),
    ("block_job_complete j", [("block-job-complete", {"device": "j"}, {})]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "script"), GOOD, ids=[line for line, _ in GOOD])
def test_what_is_asked(line: str, script: list[Exchange]) -> None:
    assert dialogue(line, *script) == [f"+ OK {line.split()[0]} completed"]


@pytest.mark.parametrize(("line", "script"), GOOD, ids=[line for line, _ in GOOD])
def test_none_of_them_needs_the_human_monitor(line: str, script: list[Exchange]) -> None:
    assert dialogue(line, *script, human=False) == [f"+ OK {line.split()[0]} completed"]


EJECT = {"device": "ide1-cd0", "force": False}
CHANGE = {"device": "ide1-cd0", "filename": "/x"}
VNC = {"password": "x"}
ONE_KEY = {"keys": [{"type": "qcode", "data": "foo"}]}

BAD: list[tuple[str, list[Exchange], str]] = [
    ("eject foo", [DRIVES], "device not found"),
    ("change foo /x", [DRIVES], "device not found"),
    ("eject ide1-cd0",
     [DRIVES, ("eject", EJECT, no("Device 'ide1-cd0' is locked and force was not specified"))],
     "device is locked"),
    ("eject ide1-cd0", [DRIVES, ("eject", EJECT, no("Device 'ide1-cd0' is not removable"))],
     "device is not removable"),
    ("eject ide1-cd0", [DRIVES, ("eject", EJECT, no("the lid is stuck"))], "the lid is stuck"),
    ("change ide1-cd0 /x",
     [DRIVES, ("blockdev-change-medium", CHANGE, no("Device 'ide1-cd0' is locked"))],
     "device is locked"),
    ("change ide1-cd0 /x foo",
     [DRIVES, ("blockdev-change-medium", {**CHANGE, "format": "foo"}, no("Unknown driver 'foo'"))],
     "invalid format foo"),
    ("change ide1-cd0 /x",
     [DRIVES, ("blockdev-change-medium", CHANGE, no("Could not open '/x'"))],
     "Could not open '/x'"),
    ("change vnc password", [], "a password is required: there are no prompts here"),
    ("change vnc password x", [("change-vnc-password", VNC, no("no"))],
     "could not set VNC server password"),
    ("change vnc foo", [], "could not start VNC server on foo"),
    ("change vnc h:123456", [], "could not start VNC server on h:123456"),
    ("set_link foo down", [("set_link", {"name": "foo", "up": False}, not_found("foo"))],
     "could not find network device 'foo'"),
    ("set_link foo on", [], "invalid link status 'on'; only 'up' or 'down' valid"),
    ("set_link foo", [], "set_link: string expected"),
    ("set_link foo up up", [], "set_link: extraneous characters at the end of line"),
    ("balloon 64", [("balloon", {"value": 64 << 20},
                     no("No balloon device has been activated", "DeviceNotActive"))],
     "Ballooning not activated in VM"),
    ("balloon 64", [("balloon", {"value": 64 << 20}, no("synchronous MMU", "KVMMissingCap"))],
     "synchronous MMU"),
    ("balloon foo", [], "balloon: integer expected, not 'foo'"),
    ("balloon", [], "balloon: integer expected"),
    ("sendkey foo", [("send-key", ONE_KEY, no("Invalid parameter 'foo'"))], "unknown key: 'foo'"),
    ("sendkey foo",
     [("send-key", ONE_KEY, no("Parameter 'keys[0].data' does not accept value 'foo'"))],
     "unknown key: 'foo'"),
    ("sendkey foo", [("send-key", ONE_KEY, no("the keyboard is full"))], "the keyboard is full"),
    ("sendkey -", [], "unknown key: '-'"),
    ("sendkey 0xzz", [], "unknown key: '0xzz'"),
    ("sendkey " + "-".join("abcdefghijklmnopq"), [], "too many keys"),
    ("sendkey a soon", [], "sendkey: integer expected, not 'soon'"),
    ("migrate -x uri", [], "migrate: unsupported option -x"),
    ("migrate", [], "migrate: string expected"),
    ("migrate exec:false", [("migrate", {"uri": "exec:false"}, no("it is running already"))],
     "it is running already"),
    ("migrate_set_speed fast", [], "invalid value 'fast'"),
    ("migrate_set_speed -1", [], "invalid value '-1'"),
    ("migrate_set_speed 1x", [], "invalid value '1x'"),
    ("migrate_set_speed 8388608T", [], "invalid value '8388608T'"),
    ("migrate_set_speed " + "9" * 400, [], f"invalid value '{'9' * 400}'"),
    ("migrate_set_downtime 1m", [], "invalid value '1m'"),
    ("memsave 0 16", [], "memsave: string expected"),
    ("memsave 0 16 f", [("memsave", {"val": 0, "size": 16, "filename": "f"},
                         no("Parameter 'cpu-index' expects a CPU number"))],
     "Invalid CPU index"),
    ("nmi 2", [CPUS], "Invalid CPU index"),
    ("cpu 2", [CPUS], "Invalid CPU index"),
    ("cpu -1", [CPUS], "Invalid CPU index"),
    ("watchdog_action foo",
     [("watchdog-set-action", {"action": "foo"},
       no("Parameter 'action' does not accept value 'foo'"))],
     "Unknown action 'foo'"),
    ("screendump /x", [("screendump", {"filename": "/x"}, no("There is no console"))],
     "There is no console"),
    ("device_add e1000,", [], "invalid parameter ''"),
    ("device_del foo", [("device_del", {"id": "foo"}, not_found("foo"))],
     "Device 'foo' not found"),
    ("block_resize hd0 huge", [], "invalid value 'huge'"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "script", "reason"), BAD)
def test_what_is_an_error(line: str, script: list[Exchange], reason: str) -> None:
    assert dialogue(line, *script) == [f"- ERR {reason}"]


@pytest.mark.parametrize(
    ("line", "script"),
    [
        ("eject ide1-cd0", [DRIVES, ("eject", EJECT)]),
        ("set_link n up", [("set_link", {"name": "n", "up": True})]),
        ("balloon 1", [("balloon", {"value": 1 << 20})]),
        ("sendkey foo", [("send-key", ONE_KEY)]),
        # GenericError is also the class of what the gateway itself finds.
        ("change vnc password x", [("change-vnc-password", VNC)]),
    ],
)
def test_a_monitor_that_is_gone_is_never_said_in_other_words(line: str, script: list[Any]) -> None:
    *before, (command, arguments) = script
    gone = (command, arguments, NoAnswer("monitor is gone"))
    assert dialogue(line, *before, gone) == ["- ERR monitor is gone"]


@pytest.mark.parametrize("line", ['eject ""', 'change "" /x'])
def test_a_drive_without_a_name_is_not_named_by_nothing(line: str) -> None:
    assert dialogue(line, DRIVES) == ["- ERR device not found"]


# The CPU of a connection (rule 21).


def test_the_chosen_cpu_goes_with_memsave_and_with_the_human_monitor() -> None:
    gateway = Gateway(
        CPUS,
        ("memsave", {"val": 0, "size": 1, "filename": "f", "cpu-index": 1}, {}),
        human("x/1i 0", "0: nop\r\n", cpu=1),
    )
    assert gateway.asks("cpu 1", "memsave 0 1 f", "x/1i 0") == [
        "+ OK cpu completed",
        "+ OK memsave completed",
        "= 0: nop",
        "+ OK x completed",
    ]
    assert gateway.has_kept_to_the_script()


def test_a_cpu_that_is_not_there_changes_nothing() -> None:
    gateway = Gateway(CPUS, CPUS, human("p 1", "0x1\r\n", cpu=1))
    assert gateway.asks("cpu 1", "cpu 7", "p 1") == [
        "+ OK cpu completed",
        "- ERR Invalid CPU index",
        "= 0x1",
        "+ OK print completed",
    ]
    assert gateway.has_kept_to_the_script()


def test_the_cpu_is_each_connection_s_own() -> None:
    one, other = Gateway(CPUS), Gateway(human("p 1", "0x1"))
    one.asks("cpu 1")
    assert other.asks("p 1") == ["= 0x1", "+ OK print completed"]
    assert other.has_kept_to_the_script()


# Its number in the journal.


def test_all_that_a_command_asks_bears_its_number() -> None:
    gateway = Gateway(CPUS, ("inject-nmi", None, {}), ("stop", None, {}))
    gateway.asks("nmi 0", "foo bar", "stop")
    assert gateway.upstream.links == [1, 1, 2, 3]


# ``key=value`` lists.


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("e1000", {"driver": "e1000"}),
        ("driver=e1000", {"driver": "e1000"}),
        ("e1000,id=n", {"driver": "e1000", "id": "n"}),
        ("e1000,flag", {"driver": "e1000", "flag": "on"}),
        ("e,a=", {"driver": "e", "a": ""}),
        ("e,a=b=c", {"driver": "e", "a": "b=c"}),
        ("e,a=x,,y", {"driver": "e", "a": "x,y"}),
        ("e,a=x,,y,b=1", {"driver": "e", "a": "x,y", "b": "1"}),
        ("e,a=x,,,b=1", {"driver": "e", "a": "x,", "b": "1"}),
        # Two commas in a value, each doubled.
        ("e,a=x,,,,y", {"driver": "e", "a": "x,,y"}),
        ("e,a=1,a=2", {"driver": "e", "a": "2"}),
    ],
)
def test_properties(text: str, found: dict[str, str]) -> None:
    assert properties(text, "driver") == found


def test_pairs_keep_what_comes_twice() -> None:
    assert pairs("e,a=1,a=2", "driver") == [("driver", "e"), ("a", "1"), ("a", "2")]


@pytest.mark.parametrize("text", ["e,=x", "e,", "e,a=1,"])
def test_properties_without_a_name(text: str) -> None:
    with pytest.raises(CommandFailed, match="invalid parameter"):
        properties(text, "driver")


@pytest.mark.parametrize("verb", ["memsave", "pmemsave"])
def test_an_address_beyond_2_to_the_63_is_sent_as_json_can(verb: str) -> None:
    place = {"val": -0x7F000000, "size": 16, "filename": "f"}
    assert dialogue(f"{verb} 0xffffffff81000000 16 f", (verb, place, {})) == [
        f"+ OK {verb} completed"
    ]


def vnc(**address: str) -> Exchange:
    return ("display-update", {"type": "vnc", "addresses": [address]}, {})


@pytest.mark.parametrize(
    ("display", "exchange"),
    [
        ("[::1]:2", vnc(type="inet", host="::1", port="5902")),
        ("unix:/run/v", vnc(type="unix", path="/run/v")),
    ],
)
def test_where_vnc_may_be(display: str, exchange: Exchange) -> None:
    assert dialogue(f"change vnc {display}", exchange) == ["+ OK change completed"]


@pytest.mark.parametrize("display", ["none", ":60000", "unix:", "a b"])
def test_where_it_may_not(display: str) -> None:
    assert dialogue(f'change vnc "{display}"') == [f"- ERR could not start VNC server on {display}"]


def test_quit_of_a_monitor_that_another_has_ended_meanwhile() -> None:
    def gone() -> NoAnswer:
        gateway.upstream.ready = False
        return NoAnswer("monitor is gone")

    gateway = Gateway(("quit", None, gone))
    assert gateway.asks("quit") == ["+ OK quit completed"]
