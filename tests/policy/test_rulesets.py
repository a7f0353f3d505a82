"""The rulesets that come with txqmp, and the commands that there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.policy import Action, Client, Policy, ruleset
from txqmp.text.vocabulary import VOCABULARY

READ_ONLY = Policy.of(read_only=True)
HOST_SAFE = Policy(ruleset("host-safe"), Action.ALLOW)
ANYBODY = Client()

LISTED = (Path(__file__).parent / "commands-7.2.txt").read_text().splitlines()
QEMU = {kind: [line.split()[1] for line in LISTED if line.startswith(f"{kind} ")]
        for kind in ("qmp", "hmp", "info")}  # fmt: skip

READING = {
    "human-monitor-command",
    "qmp_capabilities",
    "qom-get",
    "qom-list",
    "qom-list-types",
    "trace-event-get-state",
    "x-debug-query-block-graph",
}
COUNTERS = {"x-query-profile", "profile"}


def is_reading(name: str) -> bool:
    return name in READING or (name.startswith(("query-", "x-query-")) and name not in COUNTERS)


CHANGING = [name for name in QEMU["qmp"] if not is_reading(name)]
LINES = [name for names in QEMU["hmp"] for name in names.split("|")]
CHANGING_LINES = [
    name for name in LINES if name not in ("help", "?", "print", "p", "info", "qom-get", "qom-list")
]
CHANGING_2009 = [
    known.name
    for name, known in VOCABULARY.items()
    if not name.startswith("info") and known.name not in ("help", "print", "info", "acl_show")
]


def said(name: str, arguments: object = None) -> bytes:
    return json.dumps({"execute": name, "arguments": arguments or {}}).encode()


def line(text: str) -> bytes:
    return said("human-monitor-command", {"command-line": text})


def denied(policy: Policy, message: bytes) -> bool:
    return policy.judge(ANYBODY, "json", message).denied


@pytest.mark.parametrize("name", [name for name in QEMU["qmp"] if is_reading(name)])
def test_queries_are_allowed(name: str) -> None:
    assert not denied(READ_ONLY, said(name))


@pytest.mark.parametrize("name", CHANGING)
def test_all_else_is_not(name: str) -> None:
    assert denied(READ_ONLY, said(name))


@pytest.mark.parametrize("name", [*QEMU["info"], "all-there-is"])
def test_info_is_allowed(name: str) -> None:
    wanted = name in COUNTERS or name not in QEMU["info"]
    assert denied(READ_ONLY, line(f"info {name}")) is wanted
    assert READ_ONLY.judge(ANYBODY, "text", f"info {name}".encode()).denied is wanted


@pytest.mark.parametrize("name", LINES)
def test_no_other_line_is(name: str) -> None:
    assert denied(READ_ONLY, line(name)) is (name in CHANGING_LINES)
    assert denied(READ_ONLY, line(f"{name} x")) is (name in CHANGING_LINES or name == "info")


@pytest.mark.parametrize("name", CHANGING_2009)
def test_nor_is_one_of_2009(name: str) -> None:
    assert READ_ONLY.judge(ANYBODY, "text", name.encode()).denied


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@st.composite
def disguised(draw: st.DrawFn) -> bytes:
    """A message that asks for something that changes, in one way or another."""
    kind = draw(st.sampled_from(["plain", "line", "action"]))
    name = draw(st.sampled_from(CHANGING_LINES if kind == "line" else CHANGING))
    spelt = "".join(draw(st.sampled_from([c, c.upper()])) for c in name)
    if draw(st.booleans()):
        spelt = spelt.replace("-", "_") if "-" in spelt else spelt.replace("_", "-")
    if kind == "line":
        blank = st.text(st.sampled_from(" \t\n\v\f\r"), max_size=3)
        rest = draw(st.sampled_from(["", " x", "\n1 2", "/x 0", ' "y"']))
        return line(draw(blank) + spelt + rest + draw(blank))
    arguments = draw(st.dictionaries(st.text(max_size=5), JSON, max_size=3))
    if kind == "plain":
        message = said(spelt, arguments)
    else:
        action = {"type": spelt, "data": arguments}
        message = said("transaction", {"actions": [*draw(st.lists(JSON, max_size=2)), action]})
    letter = draw(st.sampled_from(spelt)).encode()
    return message.replace(letter, b"\\u%04x" % letter[0], 1)


@given(disguised())
def test_what_is_allowed_changes_nothing(message: bytes) -> None:
    assert denied(READ_ONLY, message)


READS = {"?", "p"} | {
    glob.split()[0]
    for rule in ruleset("read-only")
    if rule.action is Action.ALLOW
    for glob in rule.commands or ()
}
"""How a line begins that is a query; of those that QMP has, the human monitor knows none."""


@given(st.text(max_size=30))
def test_a_line_that_is_allowed_begins_with_a_word_that_reads(text: str) -> None:
    # With a byte that cannot be printed it is no command of QEMU's, be it allowed or not.
    printable = "".join(c for c in text if " " <= c <= "~" or c in "\t\n\v\f\r")
    if not denied(READ_ONLY, line(text)):
        first = printable.split("/")[0].split()
        word = first[0].lower().strip('"').replace("_", "-") if first else "help"
        assert word in READS


REACHES_OUT = {
    "add-fd", "add_client", "block-export-add", "blockdev-change-medium", "blockdev-snapshot-sync",
    "display-reload", "display-update", "drive-backup", "drive-mirror", "dump-guest-memory",
    "dumpdtb", "getfd", "memsave", "nbd-server-add", "nbd-server-start", "pmemsave", "screendump",
    "xen-load-devices-state", "xen-save-devices-state",
}  # fmt: skip
"""Whatever their arguments are."""

LINES_REACH_OUT = set(
    """
    change drive_add drive_backup drive_mirror dump-guest-memory dumpdtb gdbserver getfd gpa2hpa
    gpa2hva hostfwd_add hostfwd_remove log logfile memsave nbd_server_add nbd_server_start pmemsave
    qemu-io screendump snapshot_blkdev wavcapture
    """.split()
)


def test_what_host_safe_denies_by_name() -> None:
    found = {name for name in QEMU["qmp"] if denied(HOST_SAFE, said(name))}
    assert found == REACHES_OUT
    # Without an argument such a line cannot be read, and then whatever might be there is.
    lines = {name for name in LINES if denied(HOST_SAFE, line(f"{name} "))}
    assert lines >= LINES_REACH_OUT


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("migrate", {"uri": "exec:x"}),
        ("migrate", {"uri": "fd:x"}),
        ("migrate", {"uri": "file:/x"}),
        ("migrate-incoming", {"uri": "unix:/x"}),
        ("migrate", {"channels": [{"addr": {"transport": "file", "filename": "/x"}}]}),
        ("netdev_add", {"type": "tap", "id": "a", "script": "/x"}),
        ("netdev_add", {"type": "bridge", "id": "a", "helper": "/x"}),
        ("netdev_add", {"type": "user", "id": "a", "guestfwd": [{"str": "tcp:1-cmd:x"}]}),
        ("netdev_add", {"type": "user", "id": "a", "smb": "/"}),
        ("netdev_add", {"type": "user", "id": "a", "hostfwd": [{"str": "tcp::1-:2"}]}),
        ("chardev-add", {"id": "a", "backend": {"type": "pipe", "data": {"device": "/x"}}}),
        ("chardev-change", {"id": "a", "backend": {"type": "socket", "data": {}}}),
        ("blockdev-add", {"driver": "qcow2", "file": {"driver": "file", "filename": "/x"}}),
        ("blockdev-add", {"driver": "host_device", "filename": "/dev/sda"}),
        ("blockdev-add", {"driver": "blkdebug", "config": "/x", "image": "a"}),
        ("blockdev-create", {"job-id": "j", "options": {"driver": "file", "filename": "/x"}}),
        ("blockdev-reopen", {"options": [{"driver": "file", "filename": "/x"}]}),
        (
            "blockdev-create",
            {"job-id": "j", "options": {"driver": "qcow2", "file": "n", "backing-file": "/x"}},
        ),
        ("change-backing-file", {"backing-file": "/x"}),
        ("block-stream", {"device": "d", "backing-file": "/x"}),
        ("object-add", {"qom-type": "secret", "id": "a", "file": "/x"}),
        ("object-add", {"qom-type": "memory-backend-file", "id": "a", "mem-path": "/x"}),
        ("object-add", {"qom-type": "tls-creds-x509", "id": "a", "dir": "/x"}),
        ("object-add", {"qom-type": "rng-random", "id": "a", "filename": "/dev/mem"}),
        ("object-add", {"qom-type": "input-linux", "id": "a", "evdev": "/dev/input/event0"}),
        ("qom-set", {"path": "/o", "property": "filename", "value": "/x"}),
        ("device_add", {"driver": "vfio-pci", "host": "0:0"}),
        ("device_add", {"driver": "e1000", "romfile": "/x"}),
        ("device_add", {"driver": "usb-mtp", "rootdir": "/"}),
        ("device_add", {"driver": "loader", "file": "/x"}),
        ("device_add", {"driver": "usb-tablet", "pcap": "/x"}),
        ("device_add", {"driver": "virtio-input-host-pci"}),
        ("device_add", {"driver": "virtio-input-newer", "evdev": "/dev/input/event0"}),
        ("device_add", {"driver": "cxl-type3", "cdat": "/x"}),
        ("device_add", {"driver": "pvrdma", "ibdev": "rxe0"}),
        ("device_add", {"driver": "x-pci-proxy-dev", "fd": "9"}),
        ("device_add", {"driver": "u2f-emulated", "dir": "/x"}),
    ],
)
def test_what_host_safe_denies_by_its_arguments(name: str, arguments: object) -> None:
    assert denied(HOST_SAFE, said(name, arguments))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("quit", {}),
        ("stop", {}),
        ("migrate", {"uri": "tcp:h:1"}),
        ("netdev_add", {"type": "user", "id": "a"}),
        ("chardev-add", {"id": "a", "backend": {"type": "null", "data": {}}}),
        ("blockdev-add", {"driver": "null-co", "node-name": "a"}),
        ("blockdev-add", {"driver": "raw", "file": "a", "node-name": "b"}),
        ("object-add", {"qom-type": "secret", "id": "a", "data": "x"}),
        ("object-add", {"qom-type": "iothread", "id": "a"}),
        ("device_add", {"driver": "virtio-net-pci", "netdev": "a"}),
        ("guest-exec", {"path": "/bin/sh", "arg": ["-c", "ls"]}),
    ],
)
def test_what_host_safe_leaves(name: str, arguments: object) -> None:
    assert not denied(HOST_SAFE, said(name, arguments))
