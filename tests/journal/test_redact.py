from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journal.example import json_command, json_reply, record, text_command, text_output
from tests.journal.test_record import records
from txqmp.journal.record import Direction, Kind, Record, encode
from txqmp.journal.redact import redact, reveals_secret

SECRET = "hunter2"


def raw_json(raw: str | bytes, command: str = "x", arguments: Any = None, **more: Any) -> Record:
    """A JSON command whose raw bytes say more, or otherwise, than its fields."""
    fields = {"command": command, **({} if arguments is None else {"arguments": arguments}), **more}
    data = raw.encode() if isinstance(raw, str) else raw
    return record(Kind.COMMAND, dialect="json", fields=fields, raw=data)


def hmp(line: str) -> Record:
    return json_command("human-monitor-command", {"command-line": line})


def undecoded(raw: bytes, problem: str = "not JSON", **changes: Any) -> Record:
    fields = {"problem": problem}
    return record(Kind.UNDECODED, fields=fields, raw=raw, direction=Direction.TO_MONITOR, **changes)


def failure(reason: str, dialect: str = "json") -> Record:
    fields = {"command": "x", "reply_to": 1, "latency": 0.1, "reason": reason}
    raw = (
        json.dumps({"error": {"class": "GenericError", "desc": reason}})
        if dialect == "json"
        else f"- ERR {reason}"
    )
    return record(Kind.FAILURE, dialect=dialect, fields=fields, raw=raw.encode() + b"\r\n")


def secret_object(**more: Any) -> Record:
    return json_command("object-add", {"qom-type": "secret", "id": "sec0", **more})


def hostile() -> Iterator[tuple[str, Record]]:
    """Everything that must not be read in a journal, by what is special about it."""
    # JSON commands of QEMU
    yield "set_password", json_command("set_password", {"protocol": "vnc", "password": SECRET})
    yield "set_password, any case", json_command("set_password", {"PassWord": SECRET})
    yield "change-vnc-password", json_command("change-vnc-password", {"password": SECRET})
    yield "block_passwd", json_command("block_passwd", {"device": "ide0", "password": SECRET})
    yield "a number as password", json_command("set_password", {"password": 7042, "x": SECRET[:0]})
    yield "a list as password", json_command("set_password", {"password": [SECRET]})
    yield "an object as password", json_command("set_password", {"password": {"is": SECRET}})
    yield "passwd", json_command("x", {"passwd": SECRET})
    yield "passphrase", json_command("x", {"passphrase": SECRET})
    yield "pass_phrase", json_command("x", {"pass_phrase": SECRET})
    yield "secret", json_command("sev-inject-launch-secret", {"secret": SECRET, "gpa": 1})
    yield "a misspelt password", json_command("set_password", {"pasword": SECRET})
    yield "secret object", secret_object(data=SECRET)
    yield "secret object, a list", secret_object(data=[SECRET])
    yield "secret object, props", secret_object(props={"data": SECRET})
    yield "secret object, rawkey", secret_object(rawkey=SECRET)
    yield "object_add", json_command("object_add", {"qom-type": "Secret", "data": SECRET})
    yield "object-add without a type", json_command("object-add", {"id": "x", "data": SECRET})
    yield "object-add, qom_type", json_command("x", {"o": {"qom_type": "secret", "data": SECRET}})
    yield (
        "object-add, tls cipher",
        json_command("object-add", {"qom-type": "tls-cipher-suites", "rawkey": SECRET}),
    )
    yield (
        "blockdev-add",
        json_command(
            "blockdev-add",
            {"driver": "qcow2", "file": {"driver": "http", "url": "http://h", "cookie": SECRET}},
        ),
    )
    yield (
        "blockdev-add, deep",
        json_command("blockdev-add", {"a": [{"b": [{"file": {"password": SECRET}}]}]}),
    )
    yield "dotted key", json_command("blockdev-add", {"file.password": SECRET})
    yield (
        "url with a password",
        json_command("blockdev-add", {"url": f"https://me:{SECRET}@example.org/disk"}),
    )
    yield (
        "url, odd password",
        json_command("blockdev-add", {"url": f"ftp://me:a b/c@{SECRET}@h/d"}),
    )
    yield "url without a user", json_command("blockdev-add", {"url": f"http://:{SECRET}@h/"})
    yield "iscsi url", json_command("x", {"filename": f"iscsi://me%{SECRET}@h/iqn/0"})
    yield "token in a url", json_command("x", {"url": f"http://h/?access_token={SECRET}"})
    yield "rbd key", json_command("x", {"filename": f"rbd:pool/image:id=admin:key={SECRET}==:x=y"})
    yield (
        "json: file name",
        json_command(
            "change-backing-file",
            {"backing-file": "json:" + json.dumps({"file": {"password": SECRET}})},
        ),
    )
    yield (
        "json: in json:",
        json_command(
            "x", {"f": "json:" + json.dumps({"g": "json:" + json.dumps({"password": SECRET})})}
        ),
    )
    yield (
        "json: after json:",
        json_command("x", {"f": 'json:{"a":1} json:{"password":"' + SECRET + '"}'}),
    )
    yield (
        "json: with line ends",
        json_command("x", {"f": 'json:{"password":\n"' + SECRET + '"}'}),
    )
    yield "json: unreadable", json_command("x", {"f": "json:{'password': '" + SECRET + "'}"})
    yield (
        "json: one key twice",
        json_command("x", {"f": 'json:{"password":"' + SECRET + '","password":""}'}),
    )
    yield "old change", json_command("change", {"device": "vnc", "arg": SECRET})
    yield "qom-set", json_command("qom-set", {"path": "/x", "property": "data", "value": SECRET})
    yield (
        "qom-set of an object",
        json_command("qom-set", {"path": "/x", "property": "password", "value": {"a": SECRET}}),
    )
    yield "exec: migration", json_command("migrate", {"uri": f"exec:sshpass -p {SECRET} scp -"})
    yield "an option with a space", json_command("x", {"line": f"tool --password {SECRET} -q"})
    yield "an id", json_command("stop", id={"password": SECRET})
    yield "out of band", json_command("x", {"password": SECRET}, oob=True)
    yield "a command line as name", json_command(f"set_password vnc {SECRET}")
    # the guest agent
    yield (
        "guest-set-user-password",
        json_command("guest-set-user-password", {"username": "me", "password": SECRET}),
    )
    yield "guest-exec input", json_command("guest-exec", {"path": "sh", "input-data": SECRET})
    yield (
        "guest-exec shell",
        json_command("guest-exec", {"path": "sh", "arg": ["-c", f"echo me:{SECRET}|chpasswd"]}),
    )
    yield "guest-exec arg", json_command("guest-exec", {"arg": ["--password", SECRET]})
    yield "guest-exec env", json_command("guest-exec", {"env": ["A=1", f"DB_PASSWORD={SECRET}"]})
    yield "guest-file-write", json_command("guest-file-write", {"handle": 1, "buf-b64": SECRET})
    yield "guest-file-read", json_reply({"count": 7, "buf-b64": SECRET})
    yield "guest-exec-status", json_reply({"exited": True, "out-data": SECRET})
    # raw bytes that say what the fields do not
    yield "outside the arguments", raw_json(f'{{"execute":"x","password":"{SECRET}"}}')
    yield (
        "escaped key",
        raw_json('{"execute":"x","\\u0070assword":"%s"}' % SECRET),  # noqa: UP031
    )
    yield (
        "arguments twice",
        raw_json(
            f'{{"execute":"x","arguments":{{"password":"{SECRET}"}},"arguments":{{}}}}',
            "x",
            {},
        ),
    )
    yield (
        "password twice",
        raw_json(
            f'{{"execute":"x","arguments":{{"password":"{SECRET}","password":"y"}}}}',
            "x",
            {"password": "y"},
        ),
    )
    yield (
        "single quotes",
        raw_json(
            f"{{'execute':'x','arguments':{{'password':'{SECRET}'}}}}", "x", {"password": SECRET}
        ),
    )
    yield (
        "single quotes, undecoded fields",
        raw_json(f"{{'execute':'x','arguments':{{'password':'{SECRET}'}}}}"),
    )
    yield (
        "escaped value",
        raw_json(
            '{"execute":"x","arguments":{"password":"h\\u0075nter2"}}', "x", {"password": SECRET}
        ),
    )
    yield "not UTF-8", raw_json(b'{"execute":"x","password":"hunter2\xff"}')
    yield (
        "arguments that are no object",
        json_command("object-add", ["data", "x", f"data={SECRET}"]),
    )
    # the human monitor, inside JSON
    yield "hmp set_password", hmp(f"set_password vnc {SECRET}")
    yield "hmp set_password, action", hmp(f"set_password spice {SECRET} keep")
    yield "hmp set_password, mixed up", hmp(f"set_password {SECRET} vnc")
    yield "hmp case and space", hmp(f"  SET_Password\tvnc   {SECRET}")
    yield "hmp quotes", hmp(f'set_password "vnc" "{SECRET} \\" {SECRET}"')
    yield "hmp open quote", hmp(f'set_password vnc "{SECRET}')
    yield "hmp change vnc", hmp(f"change vnc password {SECRET}")
    yield "hmp change vnc, any case", hmp(f"Change VNC PASSWORD {SECRET}")
    yield "hmp change vnc, flag", hmp(f"change -f vnc passwd {SECRET}")
    yield "hmp block_passwd", hmp(f"block_passwd ide0-hd0 {SECRET}")
    yield "hmp object_add", hmp(f"object_add secret,id=s,data={SECRET}")
    yield "hmp object_add, commas", hmp(f"object_add secret,id=s,data=x,,{SECRET}")
    yield "hmp object_add, single comma", hmp(f"object_add secret,id=s,data=x,{SECRET}")
    yield "hmp object_add, spaces", hmp(f"object_add secret,id=s,data=my {SECRET}")
    yield "hmp object_add, quoted", hmp(f'object_add "secret,id=s,data = {SECRET}"')
    yield "hmp object_add, JSON", hmp('object_add {"qom-type":"secret","data":"hunter2"}')
    yield "hmp object_add, JSON later", hmp('object_add -x {"qom-type":"secret","data":"hunter2"}')
    yield "hmp qom-set", hmp(f"qom-set /objects/sec0 data {SECRET}")
    yield "hmp qom-set, flag", hmp(f'qom-set -j /objects/sec0 data "{SECRET}"')
    yield "hmp drive_add", hmp(f"drive_add 0 file=x,file.password={SECRET},if=none")
    yield "hmp drive_add, url", hmp(f"drive_add 0 file=ssh://me:{SECRET}@h/d,if=none")
    yield "hmp device_add", hmp(f"device_add thing,password={SECRET},id=x")
    yield "hmp chardev-add", hmp(f"chardev-add socket,id=x,passwd={SECRET}")
    yield "hmp netdev_add", hmp(f"netdev_add user,id=x,secret={SECRET}")
    yield "hmp token", hmp(f"device_add vfio-pci,vf-token={SECRET}")
    yield "hmp user without scheme", hmp(f"usb_add disk:me:{SECRET}@host")
    yield "hmp two users", hmp(f"x me:{SECRET}@h you@there")
    yield "hmp migrate", hmp(f'migrate -d "exec:echo {SECRET} | openssl -pass stdin -passwd"')
    yield "hmp qemu-io", hmp(f'qemu-io ide0 "open -o driver=http,password={SECRET}"')
    yield "hmp misspelt verb", hmp(f"set_pasword vnc {SECRET}")
    # the text protocol
    yield "text set_password", text_command(f"set_password vnc {SECRET}")
    yield "text case and space", text_command(f"SET_PASSWORD  vnc   {SECRET}")
    yield "text change vnc", text_command(f"change vnc password {SECRET}")
    yield "text block_passwd", text_command(f"block_passwd ide0-hd0 {SECRET}")
    yield (
        "text quoted",
        text_command(f'change vnc password "{SECRET} x"', "change", "vnc", "password", "hunter2 x"),
    )
    yield "text object_add", text_command(f"object_add secret,data={SECRET},id=s")
    yield "text qom-set", text_command(f"qom-set /objects/s password {SECRET}")
    yield "text drive_add", text_command(f"drive_add 0 file=http://u:{SECRET}@h/x")
    yield "text JSON", text_command('object_add {"qom-type": "secret", "data": "hunter2"}')
    yield (
        "text raw only",
        record(
            Kind.COMMAND,
            dialect="text",
            fields={"command": "change", "arguments": []},
            raw=b"change vnc password hunter2\r\n",
        ),
    )
    # replies
    yield "a password in a reply", json_reply([{"name": "x", "password": SECRET}])
    yield "qom-list-get", json_reply([{"name": "password", "type": "str", "value": SECRET}])
    yield "info block", json_reply(f"ide0: a\r\nide1: http://u:{SECRET}@h/x (raw)\r\nide2: b")
    yield "info block, json", json_reply('ide0: json:{"file":{"password":"hunter2"}} (raw)')
    yield "info block, cut json", json_reply('ide0: json:{"file":{"password":"hunter2", ...')
    yield "many braces", json_reply("{" * 20 + '"password":"hunter2"')
    yield "info qtree", json_reply(f'dev: x\r\n  password = "{SECRET}"\r\n  x = 1')
    yield "text output", text_output(f'  password = "{SECRET}"')
    yield "text output, url", text_output(f"ide0: http://u:{SECRET}@h/x")
    yield "asked for", json_reply(SECRET, sensitive=True)
    yield "asked for, text", text_output(SECRET, sensitive=True)
    lines = {"command": "qom-get", "lines": [SECRET]}
    yield "asked for, lines", record(Kind.SUCCESS, dialect="text", fields=lines, sensitive=True)
    yield "parse error", failure(f"JSON parse error, invalid keyword '{SECRET}'")
    yield (
        "parse error of the human monitor",
        json_reply(f"Error: JSON parse error, invalid keyword '{SECRET}'\r\n"),
    )
    yield (
        "a comma that was not doubled",
        json_reply(f"Error: Expected '=' after parameter '{SECRET}'\r\n"),
    )
    yield "in the wrong place", failure(f"Parameter 'protocol' does not accept value '{SECRET}'")
    yield "in the wrong place, hmp", json_reply(f"Error: invalid parameter value: {SECRET}\r\n")
    yield "command not found", failure(f"The command set_password vnc {SECRET} has not been found")
    yield "text failure", failure(f"cannot: change vnc password {SECRET}", "text")
    yield (
        "event",
        record(dialect="json", fields={"event": "X", "data": {"password": SECRET}}, raw=b"{}"),
    )
    # what no one could decode
    yield "undecoded", undecoded(b'{"password": "hunter2"')
    yield "undecoded, case", undecoded(b"SeCrEt is hunter2")
    yield "undecoded, passwd", undecoded(b"me\xffpasswd hunter2")
    yield "undecoded, escaped", undecoded(b'{"\\u0070assword": "hunter2"')
    yield "undecoded, NULs", undecoded("password hunter2".encode("utf-16-le") + b"hunter2")
    yield "undecoded, qom-set", undecoded(b'qom-set /objects/s data "hunter2\n')
    yield "undecoded, url", undecoded(b"drive_add\xff 0 http://u:hunter2@h/")
    yield "undecoded, quoted", undecoded(b"password hunter2\n", "bad line: 'password hunter2'")
    yield "undecoded, single quotes", undecoded(b"password hunter2\n", "bad 'password hunter2'")
    yield "undecoded, quoted alone", undecoded(b"password hunter2\n", 'bad "password hunter2"')
    # a connection that ended over it
    yield (
        "closed",
        record(Kind.CLOSED, fields={"reason": f"broke the protocol: 'set_password vnc {SECRET}'"}),
    )
    # too deep to be searched
    deep: Any = SECRET
    for _ in range(2000):
        deep = [deep]
    yield (
        "too deep",
        record(Kind.COMMAND, dialect="json", fields={"command": "x", "arguments": {"a": deep}}),
    )
    yield (
        "too deep in raw",
        raw_json('{"execute":"x","password":' + "[" * 2000 + f'"{SECRET}"' + "]" * 2000 + "}"),
    )


HOSTILE = dict(hostile())


@pytest.mark.parametrize("case", HOSTILE)
def test_a_secret_is_not_written(case: str) -> None:
    line = encode(redact(HOSTILE[case]))
    # Whole, or with a first letter that is an escape.
    assert b"unter2" not in line
    assert b"nter2" not in line
    assert b"7042" not in line


@pytest.mark.parametrize("case", HOSTILE)
def test_what_was_hidden_is_said_to_be(case: str) -> None:
    assert redact(HOSTILE[case]).fields["redacted"] is True


@pytest.mark.parametrize("case", HOSTILE)
def test_the_given_record_is_left_as_it_is(case: str) -> None:
    before = HOSTILE[case].fields.copy(), HOSTILE[case].raw
    redact(HOSTILE[case])
    assert (HOSTILE[case].fields, HOSTILE[case].raw) == before


@pytest.mark.parametrize("case", HOSTILE)
def test_a_second_time_changes_nothing(case: str) -> None:
    once = redact(HOSTILE[case])
    assert redact(once) is once


@pytest.mark.parametrize(
    "harmless",
    [
        json_command("query-status"),
        json_command("stop", id="libvirt-12"),
        json_command(
            "blockdev-add",
            {
                "driver": "luks",
                "key-secret": "sec0",
                "file": {"driver": "https", "password-secret": "sec1", "cookie-secret": "sec2"},
            },
        ),
        json_command("x", {"proxy-password-secret": "a", "new-secret": "b", "old-secret": "c"}),
        json_command("object-add", {"qom-type": "secret", "id": "s", "file": "/x", "keyid": "k"}),
        json_command("object-add", {"qom-type": "tls-creds-x509", "id": "t", "passwordid": "p"}),
        json_command("chardev-add", {"id": "x", "backend": {"type": "x", "data": {"path": "/x"}}}),
        json_command("qom-set", {"path": "/x", "property": "guest-stats", "value": 5}),
        json_command("device_add", {"driver": "virtio-blk", "serial": "a=b"}),
        json_command("expire_password", {"protocol": "vnc", "time": "now"}),
        json_command("x", {"disable-password": True, "password": None}),
        json_command("x", {"filename": "rbd:pool/image@snap:id=admin"}),
        json_command("x", {"url": "nbd://me@host:10809/disk"}),
        json_command("x", {"f": 'json:{"driver":"raw","file":{"key-secret":"sec0"}}'}),
        hmp("info network"),
        hmp('drive_add 0 "file=a b,key-secret=sec0"'),
        hmp("expire_password vnc now"),
        hmp("help set_password"),
        text_command("set_link foo down"),
        text_command("info balloon", "info balloon"),
        text_command("drive_add 0 file=/x,password-secret=sec0"),
        json_reply({"status": "running", "running": True}),
        json_reply("terminal does not support password prompting"),
        json_reply("set_password protocol password [-d display] [action-if-connected] -- set"),
        json_reply([{"name": "qom-set", "value": 1}, {"name": "x{", "cookie": 12}]),
        text_output("ide0-hd0: type=hd removable=0 file=/x ro=0 drv=qcow2 encrypted=0"),
        text_output("set_password protocol password -- set a password"),
        failure("Parameter 'password' is missing"),
        failure("The command set_password has not been found"),
        failure("terminal does not support password prompting", "text"),
        record(
            dialect="json", fields={"event": "RESET", "data": {"guest": True}}, raw=b'{"data":1}'
        ),
        undecoded(b"\x00\x01 nothing to see"),
        record(Kind.OPENED, fields={"upstream": "unix:/run/vm1.sock"}),
    ],
)
def test_what_is_no_secret_is_kept(harmless: Record) -> None:
    assert redact(harmless) is harmless


@pytest.mark.parametrize(
    ("given", "raw"),
    [
        (
            json_command("set_password", {"password": SECRET}, id=1),
            b'{"execute":"set_password","arguments":{"password":"[redacted]"},"id":1}\r\n',
        ),
        (
            record(
                Kind.COMMAND,
                dialect="json",
                fields={"command": "x", "arguments": {"password": SECRET}, "oob": True},
                raw=b'{"exec-oob":"x"}',
            ),
            b'{"exec-oob":"x","arguments":{"password":"[redacted]"}}',
        ),
        (
            json_reply([{"password": SECRET}]),
            b'{"return":[{"password":"[redacted]"}]}\r\n',
        ),
        (
            record(
                Kind.FAILURE,
                dialect="json",
                fields={"class": "GenericError", "reason": "invalid keyword 'hunter2'"},
                raw=b"{}\n",
            ),
            b'{"error":{"class":"GenericError","desc":"invalid keyword \'[redacted]\'"}}\n',
        ),
        (
            record(
                dialect="json",
                fields={"event": "X", "data": {"password": SECRET}, "timestamp": {"seconds": 1}},
                raw=b"{}\r\n",
            ),
            b'{"event":"X","data":{"password":"[redacted]"},"timestamp":{"seconds":1}}\r\n',
        ),
        (
            text_command("Set_Password   vnc hunter2  keep"),
            b"set_password vnc [redacted] keep\r\n",
        ),
        (
            text_command(
                'drive_add "a b" "" password=hunter2', "drive_add", "a b", "", "password=hunter2"
            ),
            b'drive_add a b "" password=[redacted]\r\n',
        ),
        (text_output("password = x"), b"= password =[redacted]\r\n"),
        (failure("change vnc password x", "text"), b"- ERR change vnc password [redacted]\r\n"),
        (
            record(
                Kind.REJECTION,
                dialect="text",
                fields={"reason": "unknown: qom-set x y z"},
                raw=b"- BAD unknown: qom-set x y z\n",
            ),
            b"- BAD unknown: qom-set [redacted]\n",
        ),
        (
            record(
                Kind.SUCCESS,
                dialect="text",
                fields={"command": "set_password vnc x"},
                raw=b"+ OK set_password vnc x completed\r\n",
            ),
            b"+ OK set_password [redacted] completed\r\n",
        ),
        (
            record(
                dialect="text",
                fields={"event": "x", "data": "password=y"},
                raw=b"* EVENT x password=y\r\n",
            ),
            b"* EVENT x\r\n",
        ),
        (
            record(
                Kind.SUCCESS,
                dialect="json",
                fields={"return": {"password": "x"}, "id": "a"},
                raw=b"{}",
            ),
            b'{"return":{"password":"[redacted]"},"id":"a"}',
        ),
        (text_output("a password=\u00e9"), b"= a password=[redacted]\r\n"),
        (text_output("\udce9 password=x"), b"= \\udce9 password=[redacted]\r\n"),
        (
            record(Kind.GREETING, dialect="text", fields={"qemu": "password=x"}, raw=b"+ OK\n"),
            b"[redacted 5 bytes]",
        ),
        (undecoded(b"password\n"), b"[redacted 9 bytes]"),
        (json_reply("x", sensitive=True), None),
        (
            record(Kind.GREETING, dialect="json", fields={}, raw=b'{"QMP":{"password":"x"}}'),
            b"[redacted 24 bytes]",
        ),
    ],
)
def test_raw_is_written_again(given: Record, raw: bytes | None) -> None:
    assert redact(given).raw == raw


@pytest.mark.parametrize(
    "member",
    [
        *({name: SECRET} for name in ("password", "pwd", "psk", "secret", "cookie", "credential")),
        *({name: SECRET} for name in ("raw-key", "keydata", "token", "ticket", "authorization")),
        *({name: SECRET} for name in ("buf-b64", "input-data", "input_data")),
        {"device": "vnc", "arg": SECRET},
        {"name": "data", "value": SECRET},
        {"qom-type": "tls-cipher-suites", "data": SECRET},
        {"url": f"http://u:{SECRET}@h"},
        {"x\u00e9": {"password": SECRET}},
    ],
    ids=str,
)
def test_a_secret_that_raw_alone_tells(member: dict[str, Any]) -> None:
    given = raw_json(json.dumps({"execute": "x", "and": member}, ensure_ascii=False))
    assert redact(given).raw == b'{"execute":"x"}'


def test_object_add_that_raw_alone_tells() -> None:
    for key in ("execute", "exec-oob"):
        given = raw_json(json.dumps({key: "Object_Add", "arguments": {"data": SECRET}}))
        assert redact(given).raw == b'{"execute":"x"}'


@pytest.mark.parametrize(
    "line",
    [f"change vnc x {SECRET}", f"object-add x,data={SECRET}", f"qom-set /x data {SECRET}"],
)
def test_a_command_line_that_raw_alone_tells(line: str) -> None:
    fields = {"command": "x", "arguments": []}
    given = record(Kind.COMMAND, dialect="text", fields=fields, raw=line.encode() + b"\n")
    assert redact(given).raw == b"x\n"


def test_the_fields_around_a_secret_are_kept() -> None:
    given = hmp("object_add secret,id=sec0,data=hunter2,format=raw")
    assert redact(given).fields["arguments"] == {
        "command-line": "object_add secret,id=sec0,data=[redacted],format=raw"
    }


def test_a_sensitive_reply_keeps_what_is_no_answer() -> None:
    given = json_reply("x", command="qom-get", sensitive=True)
    assert redact(given).fields == {
        "command": "qom-get",
        "reply_to": 1,
        "latency": 0.0012,
        "redacted": True,
    }


def test_the_problem_of_an_undecoded_line_is_kept_without_the_line() -> None:
    given = undecoded(b"password x", "not JSON: 'password x'")
    assert redact(given).fields == {"problem": "not JSON", "redacted": True}


@settings(deadline=None)
@given(records)
def test_any_record_can_be_redacted(given: Record) -> None:
    once = redact(given)
    assert redact(once).fields == once.fields


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii"), min_size=1))
def test_no_password_survives_in_raw(password: str) -> None:
    given = json_command("x", {"password": f"<<{password}>>"})
    raw = redact(given).raw
    assert raw == b'{"execute":"x","arguments":{"password":"[redacted]"}}\r\n'


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "a:" * 100_000,
        "://" * 60_000,
        "@" * 200_000,
        "{" * 200_000,
        '{"a":' * 40_000,
        '{"' * 100_000,
        "=," * 100_000,
        "a " * 100_000 + "=",
        '"' * 200_000,
        "\\" * 200_000,
        "exec:" * 40_000,
        "set_password " * 16_000,
        " " * 200_000,
        "," * 200_000,
        "rbd:" * 50_000,
        "'] " * 60_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_is_searched_for_long(text: str) -> None:
    # Quadratic work would take minutes, and the test run would show it.
    for each in (json_command("x", {"a": text}), hmp(text), json_reply(text), failure(text)):
        redact(each)
    redact(undecoded(text.encode()))


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("qom-get", {"path": "/objects/sec0", "property": "data"}),
        ("QOM_GET", {"path": "/x", "property": "Password"}),
        ("qom-get", ["/objects/sec0", "data"]),
        ("qom-get", ("/objects/sec0", "rawkey")),
        ("human-monitor-command", {"command-line": "qom-get /objects/sec0 data"}),
        ("human-monitor-command", {"command-line": ' QOM-GET  "/objects/sec0" "data" '}),
        ("human-monitor-command", {"command-line": "info history"}),
        ("info", ["history"]),
        ("info history", []),
        ("INFO", ["History"]),
    ],
)
def test_a_reply_that_is_a_secret(command: str, arguments: object) -> None:
    assert reveals_secret(command, arguments)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("qom-get", {"path": "/x", "property": "type"}),
        ("qom-get", {"path": "/x", "property": 5}),
        ("qom-get", {}),
        ("qom-get", None),
        ("qom-get", []),
        ("qom-get", ["/objects/sec0", "keyid"]),
        ("", None),
        ("info", ["network"]),
        ("info", []),
        ("human-monitor-command", {"command-line": "info network"}),
        ("human-monitor-command", {"command-line": ""}),
        ("human-monitor-command", {"command-line": 7}),
        ("set_password", {"protocol": "vnc", "password": "x"}),
    ],
)
def test_a_reply_that_is_none(command: str, arguments: object) -> None:
    assert not reveals_secret(command, arguments)


@pytest.mark.parametrize(
    ("dialect", "raw"),
    [
        ("json", b'{"event": "X", "data": {"password": "hunter2"}}\r\n'),
        ("json", b'{"return": "file.password=hunter2"}\r\n'),
        ("text", b'= a\r\n= file: json:{"password": "hunter2"}\r\n+ OK info completed\r\n'),
        ("text", b"- ERR set_password vnc hunter2: no\r\n"),
    ],
)
def test_a_message_that_a_fault_withheld(dialect: Any, raw: bytes) -> None:
    given = record(Kind.FAULT, dialect=dialect, fields={"fault": "drop", "bytes": 0}, raw=raw)
    hidden = redact(given)
    assert hidden.raw == b"[redacted %d bytes]" % len(raw)
    assert hidden.fields == {"fault": "drop", "bytes": 0, "redacted": True}


def test_what_was_asked_for_stays_secret_when_it_is_cut_off() -> None:
    cut = record(
        Kind.UNDECODED,
        dialect="json",
        fields={"problem": "incomplete value"},
        raw=b'{"return": "hunter2',
        sensitive=True,
    )
    redacted = redact(cut)
    assert b"hunter2" not in encode(redacted)
    assert redacted.raw == b"[redacted 19 bytes]"
    assert redacted.fields == {"problem": "incomplete value", "redacted": True}
