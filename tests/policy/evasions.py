"""
Ways to say what is denied so that it does not look like it, as bytes on the wire.

Each is marked with whether QEMU 7.2 does what it is about; the others are what somebody
might try as well, or what another version, or another reader of JSON, may fall for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

from txqmp.jsonqmp.request import read

EVIL = "/tmp/evil"
"""Where nobody may write; the tests with a real QEMU put a folder of their own in its place."""


class Evasion(NamedTuple):
    """
    One of them.

    :ivar what: its trick.
    :ivar wire: all that the client sends behind its negotiation.
    :ivar works: QEMU 7.2 does it.
    """

    what: str
    wire: bytes
    works: bool = True


def line(text: str) -> bytes:
    """A line for the human monitor."""
    arguments = {"command-line": text}
    return json.dumps({"execute": "human-monitor-command", "arguments": arguments}).encode()


def command(name: str, **arguments: object) -> bytes:
    return json.dumps({"execute": name, "arguments": arguments}).encode()


STOP = b'{"execute":"stop"}'

STOPS = [
    Evasion("nothing hidden", STOP),
    Evasion("a letter escaped", b'{"execute":"st\\u006fp"}'),
    Evasion("a letter escaped in upper case", b'{"execute":"st\\u006Fp"}'),
    Evasion("every letter escaped", b'{"execute":"\\u0073\\u0074\\u006f\\u0070"}'),
    Evasion("the key escaped", b'{"\\u0065xecute":"stop"}'),
    Evasion("single quotes", b"{'execute':'stop'}"),
    Evasion("both kinds of quotes", b"{'execute':\"stop\"}"),
    Evasion("single quotes and an escape", b"{'execute':'s\\u0074op'}"),
    Evasion("white space", b' \t\r\n{ "execute" \t:\r\n "stop"\n}\n'),
    Evasion("an id before", b'{"id":1,"execute":"stop"}'),
    Evasion("an id that looks like a command", b'{"id":{"execute":"query-name"},"execute":"stop"}'),
    Evasion("an id that is the name of another", b'{"execute":"stop","id":"query-status"}'),
    Evasion("an id that is null", b'{"execute":"stop","id":null}'),
    Evasion("empty arguments", b'{"arguments":{},"execute":"stop"}'),
    Evasion("behind another, without a line end", b'{"execute":"query-name"}' + STOP),
    Evasion("behind another on one line", b'{"execute":"query-name"} ' + STOP),
    Evasion("behind a bracket too many", b"}" + STOP),
    Evasion("behind an unknown byte", b"\xff" + STOP),
    Evasion("behind a NUL", b"\0" + STOP),
    Evasion("behind a mark of byte order", b"\xef\xbb\xbf" + STOP),
    Evasion("behind a comma", b"," + STOP),
    Evasion("behind a number", b"1 " + STOP),
    Evasion("behind a string", b'"x"' + STOP),
    Evasion("behind what is broken", b'{"execute": }' + STOP),
    Evasion("behind a key that is there twice", b'{"execute":"a","execute":"b"}' + STOP),
    Evasion("on a line", line("stop")),
    Evasion("on a line, by its alias", line("s")),
    Evasion("on a line, with blanks before", line("   stop")),
    Evasion("on a line, with a line feed before", line("\nstop")),
    Evasion("on a line, with a line end behind", line("stop\r\n")),
    Evasion("on a line, with tabs of every kind", line("\t\v\fstop\v")),
    Evasion(
        "on a line, escaped",
        b'{"execute":"human-monitor-command","arguments":{"command-line":"\\u0073\\u0074op"}}',
    ),
    Evasion(
        "on a line, all names escaped",
        b'{"execute":"human\\u002dmonitor-command","arguments":{"command\\u002dline":"stop"}}',
    ),
    Evasion(
        "on a line, in single quotes",
        b"{'execute':'human-monitor-command','arguments':{'command-line':'s'}}",
    ),
    Evasion(
        "on a line, the arguments before",
        b'{"arguments":{"command-line":"stop"},"execute":"human-monitor-command"}',
    ),
    Evasion("in upper case", b'{"execute":"STOP"}', False),
    Evasion("in upper case on a line", line("STOP"), False),
    Evasion("with a blank in the name", b'{"execute":" stop "}', False),
    Evasion("with a NUL in the name", b'{"execute":"stop\\u0000"}', False),
    Evasion("a key twice, the last counts", b'{"execute":"query-name","execute":"stop"}', False),
    Evasion("a key twice, the first counts", b'{"execute":"stop","execute":"query-name"}', False),
    Evasion("a key twice, once escaped", b'{"execute":"x","\\u0065xecute":"stop"}', False),
    Evasion(
        "a line twice",
        b'{"execute":"human-monitor-command",'
        b'"arguments":{"command-line":"stop","command-line":"info name"}}',
        False,
    ),
    Evasion("both kinds of a command", b'{"exec-oob":"query-name","execute":"stop"}', False),
    Evasion("in an array", b"[" + STOP + b"]", False),
    Evasion("quoted on a line", line('"stop"'), False),
    Evasion("a line on a line", line("human-monitor-command stop"), False),
    Evasion("a quoted line on a line", line('human-monitor-command "stop"'), False),
    Evasion("a format without a use", line("stop/x"), False),
    Evasion("with a bad escape", b'{"execute":"\\stop"}', False),
    Evasion("with a comma too many", b'{"execute":"stop",}', False),
]
"""All of them stop the machine, or would."""

NOTHING = [
    Evasion("behind a semicolon", line("info name; stop"), False),
    Evasion("behind a line feed on a line", line("info name\nstop"), False),
    Evasion("behind a semicolon, glued", line("help;stop"), False),
    Evasion("in an argument", line("help stop"), False),
]
"""
A rule on ``stop`` lets these through, for they are other commands: QEMU has no separator on a
line, and the tests with a real one see that nothing stops.
"""

WRITES = [
    Evasion("nothing hidden", command("memsave", val=0, size=16, filename=f"{EVIL}/x")),
    Evasion("on a line, a division to QEMU", line(f"memsave 0 16 {EVIL}/x"), False),
    Evasion("on a line, quoted", line(f'memsave 0 16 "{EVIL}/x"')),
    Evasion("on a line, glued to the number", line(f'memsave 0 16"{EVIL}/x"')),
    Evasion("on a line, behind an expression", line(f'memsave (0 + 0) 8 + 8"{EVIL}/x"')),
    Evasion("on a line, line feeds between", line(f'memsave\n0\n16\n"{EVIL}/x"')),
    Evasion("on a line, with quotes that are escaped", line(f'memsave 0 16 "{EVIL}/\\"x"')),
    Evasion("slashes escaped", line(f'memsave 0 16 "{EVIL}/x"').replace(b"/", b"\\/")),
    Evasion("slashes too many", line(f'memsave 0 16 "/{EVIL}//x"')),
    Evasion("a detour over this folder", line(f'memsave 0 16 "{EVIL}/./x"')),
    Evasion("a detour over the root", line(f'memsave 0 16 "/tmp/..{EVIL}/x"')),
    Evasion("a detour over a process", line(f'memsave 0 16 "/proc/self/root{EVIL}/x"')),
    Evasion("and on from its root", line(f'memsave 0 16 "/proc/self/root/..{EVIL}/x"')),
    Evasion("and once more", line(f'memsave 0 16 "/proc/self/root/proc/self/root{EVIL}/x"')),
    Evasion(
        "so long that QEMU drops the end",
        line('memsave 0 16 "' + EVIL.rjust(1021, "/") + '/xmore"'),
    ),
    Evasion("physical memory", command("pmemsave", val=0, size=16, filename=f"{EVIL}/x")),
    Evasion(
        "a character device",
        command("chardev-add", id="c0", backend={"type": "file", "data": {"out": f"{EVIL}/x"}}),
    ),
    Evasion("a character device on a line", line(f"chardev-add file,id=c1,path={EVIL}/x")),
    Evasion(
        "a character device on a line, its kind by name",
        line(f"chardev-add id=c2,path={EVIL}/x,backend=file"),
    ),
    Evasion(
        "the log of a harmless device",
        command(
            "chardev-add",
            id="c3",
            backend={"type": "null", "data": {"logfile": f"{EVIL}/x"}},
        ),
    ),
    Evasion("the log on a line", line(f"chardev-add null,id=c4,logfile={EVIL}/x")),
    Evasion("the log of QEMU", line(f"logfile {EVIL}/x")),
    Evasion(
        "what goes over USB",
        command("device_add", driver="usb-tablet", id="u0", pcap=f"{EVIL}/x"),
    ),
    Evasion("what goes over USB, on a line", line(f"device_add usb-kbd,id=u1,pcap={EVIL}/x")),
    Evasion(
        "an object that dumps",
        command("object-add", **{"qom-type": "filter-dump", "id": "o", "file": f"{EVIL}/x"}),
        False,
    ),
    Evasion(
        "an image to be made",
        command(
            "blockdev-create",
            **{"job-id": "j", "options": {"driver": "file", "filename": f"{EVIL}/x", "size": 0}},
        ),
    ),
]
"""All of them write to that folder, or would; its name is in them."""

RUNS = [
    Evasion("nothing hidden", command("migrate", uri=f"exec:touch {EVIL}/x")),
    Evasion("on a line", line(f'migrate "exec:touch {EVIL}/x"')),
    Evasion("on a line, in the background", line(f'migrate -d "exec:touch {EVIL}/x"')),
    Evasion("on a line, glued to the flag", line(f'migrate -d"exec:touch {EVIL}/x"')),
    Evasion("on a line, glued without quotes", line(f"migrate -dexec:touch${{IFS}}{EVIL}/x")),
    Evasion("on a line, with an escape", line(f'migrate "exec:touch\\n{EVIL}/x"'), False),
    Evasion("in upper case", command("migrate", uri=f"EXEC:touch {EVIL}/x"), False),
    Evasion("the name with another stroke", command("Migrate", uri=f"exec:touch {EVIL}/x"), False),
    Evasion(
        "as a newer QEMU has it",
        command(
            "migrate",
            channels=[
                {
                    "channel-type": "main",
                    "addr": {"transport": "exec", "args": ["touch", f"{EVIL}/x"]},
                }
            ],
        ),
        False,
    ),
]
"""All of them start a program on the host, or would."""

READS = [
    Evasion(
        "nothing hidden",
        command("blockdev-add", **{"node-name": "n0", "driver": "file", "filename": f"{EVIL}/r"}),
    ),
    Evasion(
        "in another driver",
        command(
            "blockdev-add",
            **{
                "node-name": "n1",
                "driver": "raw",
                "file": {"driver": "file", "filename": f"{EVIL}/r"},
            },
        ),
    ),
    Evasion(
        "three drivers deep",
        command(
            "blockdev-add",
            **{
                "node-name": "n2",
                "driver": "raw",
                "file": {
                    "driver": "raw",
                    "file": {
                        "driver": "throttle",
                        "throttle-group": "t",
                        "file": {"driver": "file", "filename": f"{EVIL}/r"},
                    },
                },
            },
        ),
        False,
    ),
    Evasion("on a line", line(f"drive_add 0 if=none,id=d0,file={EVIL}/r,format=raw")),
    Evasion(
        "behind its protocol", line(f"drive_add 0 if=none,id=d1,file=file:{EVIL}/r,format=raw")
    ),
    Evasion(
        "in JSON in a file's name",
        line(
            'drive_add 0 "if=none,id=d2,file=json:{\\"driver\\":\\"raw\\",,'
            f'\\"file.driver\\":\\"file\\",,\\"file.filename\\":\\"{EVIL}/r\\"}}"'
        ),
    ),
    Evasion(
        "in JSON with an escape in a file's name",
        line(
            "drive_add 0 \"if=none,id=d3,file=json:{'driver':'raw',,"
            f"'file':{{'driver':'\\\\u0066ile',,'filename':'{EVIL}/r'}}}}\""
        ),
    ),
    Evasion(
        "by dotted names on a line",
        line(f"drive_add 0 if=none,id=d4,driver=raw,file.driver=file,file.filename={EVIL}/r"),
    ),
    Evasion(
        "a secret",
        command("object-add", **{"qom-type": "secret", "id": "s0", "file": f"{EVIL}/r"}),
        False,
    ),
    Evasion("a secret on a line", line(f"object_add secret,id=s1,file={EVIL}/r"), False),
    Evasion(
        "a secret in JSON on a line",
        line(f"object_add {{'qom-type':'secret','id':'s2','file':'{EVIL}/r'}}"),
        False,
    ),
    Evasion(
        "inside of a transaction",
        command(
            "transaction",
            actions=[
                {
                    "type": "blockdev-snapshot-sync",
                    "data": {"node-name": "n0", "snapshot-file": f"json:{{'filename':'{EVIL}/r'}}"},
                }
            ],
        ),
        False,
    ),
    Evasion(
        "inside of a transaction, the name escaped",
        b'{"execute":"transaction","arguments":{"actions":[{"type":"drive\\u002dbackup","data":'
        b'{"device":"d","sync":"full","target":"%b/r"}}]}}' % EVIL.encode(),
        False,
    ),
]
"""All of them open a file of the host, or would."""

TEXT_STOPS = [
    Evasion("nothing hidden", b"stop\r\n"),
    Evasion("a line feed alone", b"stop\n"),
    Evasion("in upper case", b"STOP\r\n"),
    Evasion("blanks around", b"   stop  \r\n"),
    Evasion("tabs around", b"\tstop\t\r\n"),
    Evasion("quoted", b'"stop"\r\n'),
    Evasion("its alias", b"s\r\n"),
    Evasion("behind another", b"info name\r\nstop\r\n"),
    Evasion("behind an empty line", b"\r\n\r\nstop\r\n"),
    Evasion("behind a line that is too long", b"x" * 5000 + b"\r\nstop\r\n"),
    Evasion("with an argument too many", b"stop now\r\n"),
]

TEXT_WRITES = [
    Evasion("nothing hidden", b"memsave 0 16 %b/x\r\n" % EVIL.encode()),
    Evasion("quoted", b'memsave 0 16 "%b/x"\r\n' % EVIL.encode()),
    Evasion("in upper case", b"MEMSAVE 0 16 %b/x\r\n" % EVIL.encode()),
    Evasion("glued to the number", b'memsave 0 16"%b/x"\r\n' % EVIL.encode()),
    Evasion("the verb quoted", b'"memsave" 0 16 %b/x\r\n' % EVIL.encode()),
    Evasion("the number quoted", b'memsave "0" "16" "%b/x"\r\n' % EVIL.encode()),
]


def said_in_text(evasions: Iterable[Evasion]) -> list[Evasion]:
    """Those of the lines in JSON that can be said as lines of QMP 0.1."""
    found = []
    for evasion in evasions:
        for message in read(evasion.wire):
            if isinstance(message, dict) and isinstance(message.get("arguments"), dict):
                text = message["arguments"].get("command-line")
                if isinstance(text, str) and re.fullmatch(r"[\t -~]+", text):
                    found.append(Evasion(f"{evasion.what}: {text[:40]}", text.encode() + b"\r\n"))
    return found


TEXT_REACHES = [
    Evasion(text[:60], text.replace("EVIL", EVIL).encode() + b"\r\n")
    for text in (
        "migrate exec:touch${IFS}EVIL/x",
        'migrate -d "exec:touch EVIL/x"',
        "migrate -dexec:touch${IFS}EVIL/x",
        'MIGRATE "Exec:touch EVIL/x"',
        '"migrate" unix:EVIL/x',
        "migrate fd:x",
        "migrate_incoming exec:x",
        "drive_add 0 if=none,file=EVIL/r",
        'drive_add "0" "if=none,,,file=EVIL/r"',
        "change cd0 EVIL/r",
        "Change cd0 EVIL/r raw",
        "change vnc unix:EVIL/x",
        "change vnc :1",
        "screendump EVIL/x",
        "logfile EVIL/x",
        '"LOGFILE" "EVIL/x"',
        "log exec",
        "wavcapture EVIL/x",
        "pmemsave 0 16 EVIL/x",
        "dump-guest-memory EVIL/x",
        "dumpdtb EVIL/x",
        "gdbserver tcp::1234",
        "hostfwd_add tcp::1-:1",
        "hostfwd_add 0 user.0 tcp::1-:1",
        "HOSTFWD_ADD user.0 tcp::1-:1",
        "hostfwd_remove tcp::1",
        "host_net_redir tcp:1::1",
        "host_net_redir remove tcp:1",
        "host_net_add tap script=EVIL/x",
        "host_net_add user smb=EVIL",
        "host_net_add user vlan=1,tftp=EVIL",
        "host_net_add user hostfwd=tcp::1-:1",
        'host_net_add user "guestfwd=tcp:10.0.2.100:1-cmd:touch EVIL/x"',
        "host_net_add user name=x,,,hostfwd=tcp::1-:1",
        "host_net_add socket listen=:1",
        "host_net_add vde sock=EVIL/x",
        "usb_add host:1.2",
        "usb_add host:1d6b:0001",
        "USB_ADD disk:EVIL/r",
        'usb_add "disk:format=raw:EVIL/r"',
        "pci_add auto storage file=EVIL/r",
        'pci_add "auto" "storage" "if=virtio,file=EVIL/r"',
        "pci_add auto storage bus=0,,,file=EVIL/r",
        "pci_add 5 host host=00:01.0",
        "device_add usb-host,hostbus=1",
        "device_add usb-tablet,driver=usb-host",
        'device_add "driver=usb-tablet,driver=vfio-pci,host=00:01.0"',
        "device_add loader,file=EVIL/r",
        "device_add usb-tablet,pcap=EVIL/x",
        "object_add secret,id=s,file=EVIL/r",
        "object_add {'qom-type':'secret','id':'s','file':'EVIL/r'}",
        "netdev_add tap,id=t",
        "chardev-add file,id=c,path=EVIL/x",
        "snapshot_blkdev d EVIL/x",
        "drive_mirror d EVIL/x",
        "drive_backup d EVIL/x",
        "nbd_server_start 0.0.0.0:1",
        "qemu-io d help",
        "trace-file set EVIL/x",
        "getfd x",
    )
]
"""All that reaches out to the host, as a client of a gateway says it."""

TEXT_CHANGES = [
    Evasion(text, text.encode() + b"\r\n")
    for text in (
        "quit", "q", "system_reset", "eject cd0", "c", "savevm x", "loadvm x", "delvm x", "x/4i 0",
        "x /4xb 0", "xp/1 0", "sum 0 16", "i/1b 0x3c0", "o/1b 0x3c0 1", "info profile",
        "INFO profile", "commit all", "sendkey a", "cpu 1", "boot_set c", "usb_add tablet",
        "usb_del 0.1", "pci_add auto nic model=e1000", "pci_del 5", "host_net_add user",
        "host_net_remove 0 user.0", "device_del x", "set_link x down", "balloon 64",
        "migrate tcp:h:1", "nmi 0", "mouse_move 1 1", "foo", "info foo", "block_resize d 1",
        '"info profile"', "info profile x", "human-monitor-command stop", "acl_add x y z",
    )
]  # fmt: skip
"""What is no query, besides."""
