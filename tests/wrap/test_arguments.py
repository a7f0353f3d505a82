"""QEMU's command lines: which monitors are taken over, and what QEMU gets instead."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txqmp.wrap.arguments import (
    DescriptorAddress,
    Monitor,
    TCPAddress,
    UnixAddress,
    machine_name,
    read,
    rewrite,
)
from txqmp.wrap.flags import takes_argument
from txqmp.wrap.options import Field, join, last, split, written

Row = tuple[str, list[str], str]


def shown(monitor: Monitor) -> str:
    """A monitor in a line: name, where, and what is not usual."""
    address = monitor.address
    match address:
        case UnixAddress():
            where = f"{'@' if address.abstract else ''}{address.path}"
            where += "" if address.tight else " loose"
        case TCPAddress():
            where = f"{address.host}|{address.port}"
            where += f"-{address.to}" if address.to else ""
            where += "".join(
                f" {key}={value}"
                for key, value in (("ipv4", address.ipv4), ("ipv6", address.ipv6))
                if value is not None
            )
        case DescriptorAddress():
            where = f"fd {address.number}"
    words = [monitor.name, "at" if monitor.server else "to", where]
    words += ["waits"] if monitor.wait else []
    words += [f"again {monitor.reconnect:g}"] if monitor.reconnect else []
    words += ["pretty"] if monitor.pretty else []
    return " ".join(words)


# What is given; what is taken over; what QEMU gets, with 70, 71 … for descriptors, or /p/N for
# private paths where it connects again. "" is: as it was.
TABLE: list[Row] = [
    # The short form.
    ("-qmp unix:q,server=on,wait=off", ["compat_monitor0 at q"],
     "-qmp unix:fd=70,server=on,wait=off"),
    ("--qmp unix:q,server=on,wait=off", ["compat_monitor0 at q"],
     "--qmp unix:fd=70,server=on,wait=off"),
    ("-qmp unix:/run/q.sock,server,nowait", ["compat_monitor0 at /run/q.sock"],
     "-qmp unix:fd=70,server,nowait"),
    ("-qmp unix:q,server", ["compat_monitor0 at q waits"], "-qmp unix:fd=70,server"),
    ("-qmp unix:q,server=yes,wait=true", ["compat_monitor0 at q waits"],
     "-qmp unix:fd=70,server=yes,wait=true"),
    ("-qmp unix:q,wait=off,server=on", ["compat_monitor0 at q"],
     "-qmp unix:fd=70,wait=off,server=on"),
    ("-qmp unix:q,server=off", ["compat_monitor0 to q"], "-qmp unix:fd=70,server=off"),
    ("-qmp unix:q,noserver", ["compat_monitor0 to q"], "-qmp unix:fd=70,noserver"),
    ("-qmp unix:q", ["compat_monitor0 to q"], "-qmp unix:fd=70"),
    ("-qmp unix:q,reconnect=5", ["compat_monitor0 to q again 5"],
     "-qmp unix:path=/p/0,reconnect=5"),
    ("-qmp unix:q,reconnect-ms=250", ["compat_monitor0 to q again 0.25"],
     "-qmp unix:path=/p/0,reconnect-ms=250"),
    ("-qmp unix:q,server=off,server=on,wait=off", ["compat_monitor0 at q"],
     "-qmp unix:fd=70,server=off,server=on,wait=off"),
    ("-qmp unix:a,,b,server=on,wait=off", ["compat_monitor0 at a,b"],
     "-qmp unix:fd=70,server=on,wait=off"),
    ("-qmp unix:a=b,server=on", [], ""),
    ("-qmp unix:path=a=b,server=on,wait=off", ["compat_monitor0 at a=b"],
     "-qmp unix:fd=70,server=on,wait=off"),
    ("-qmp unix:first,path=second,server=on,wait=off", ["compat_monitor0 at second"],
     "-qmp unix:fd=70,server=on,wait=off"),
    ("-qmp unix:q,abstract=on,server=on,wait=off", ["compat_monitor0 at @q"],
     "-qmp unix:fd=70,server=on,wait=off"),
    ("-qmp unix:q,abstract=on,tight=off,server=on,wait=off", ["compat_monitor0 at @q loose"],
     "-qmp unix:fd=70,server=on,wait=off"),
    ("-qmp unix:q,server=on,wait=off,logfile=l,logappend=on", ["compat_monitor0 at q"],
     "-qmp unix:fd=70,server=on,wait=off,logfile=l,logappend=on"),
    ("-qmp-pretty unix:q,server=on,wait=off", ["compat_monitor0 at q pretty"],
     "-qmp-pretty unix:fd=70,server=on,wait=off"),
    ("-qmp unix:fd=9,server=on,wait=off", ["compat_monitor0 at fd 9"],
     "-qmp unix:fd=70,server=on,wait=off"),
    ("-qmp tcp:localhost:4444,server=on,wait=off", ["compat_monitor0 at localhost|4444"],
     "-qmp unix:fd=70,server=on,wait=off"),
    ("-qmp tcp::4444,server,nowait", ["compat_monitor0 at |4444"],
     "-qmp unix:fd=70,server,nowait"),
    ("-qmp tcp:127.0.0.1:4444", ["compat_monitor0 to 127.0.0.1|4444"], "-qmp unix:fd=70"),
    ("-qmp tcp:h:4444,to=4450,ipv4=on,server=on,wait=off",
     ["compat_monitor0 at h|4444-4450 ipv4=True"], "-qmp unix:fd=70,server=on,wait=off"),
    ("-qmp tcp:h:4444,nodelay,server=on,wait=off", ["compat_monitor0 at h|4444"],
     "-qmp unix:fd=70,server=on,wait=off"),
    ("-qmp tcp:h:4444,reconnect=1", ["compat_monitor0 to h|4444 again 1"],
     "-qmp unix:path=/p/0,reconnect=1"),
    # The long form.
    ("-chardev socket,id=c,path=q,server=on,wait=off -mon chardev=c,mode=control", ["c at q"],
     "-chardev socket,id=c,fd=70,server=on,wait=off -mon chardev=c,mode=control"),
    ("-mon c,mode=control -chardev socket,path=q,id=c,server=on,wait=off", ["c at q"],
     "-mon c,mode=control -chardev socket,fd=70,id=c,server=on,wait=off"),
    ("-chardev id=c,backend=socket,path=q,server,nowait -mon chardev=c,id=m,mode=control",
     ["c at q"],
     "-chardev id=c,backend=socket,fd=70,server,nowait -mon chardev=c,id=m,mode=control"),
    ("-chardev socket,id=c,path=q,server=on -mon chardev=c,mode=control,pretty=on",
     ["c at q waits pretty"],
     "-chardev socket,id=c,fd=70,server=on -mon chardev=c,mode=control,pretty=on"),
    ("-chardev socket,id=c,host=h,port=1234,server=on,wait=off -mon c,mode=control",
     ["c at h|1234"], "-chardev socket,id=c,fd=70,server=on,wait=off -mon c,mode=control"),
    ("-chardev socket,id=c,host=::1,port=qmp,ipv6=on -mon c,mode=control",
     ["c to ::1|qmp ipv6=True"], "-chardev socket,id=c,fd=70 -mon c,mode=control"),
    ("-chardev socket,id=c,host=[::1],port=1,server=on,wait=off -mon c,mode=control",
     ["c at ::1|1"], "-chardev socket,id=c,fd=70,server=on,wait=off -mon c,mode=control"),
    ("-chardev socket,id=c,port=1,server=on,wait=off,delay=off -mon c,mode=control", ["c at |1"],
     "-chardev socket,id=c,fd=70,server=on,wait=off -mon c,mode=control"),
    (("-chardev socket,id=charmonitor,fd=18,server=on,wait=off "
     "-mon chardev=charmonitor,id=monitor,mode=control"),
     ["charmonitor at fd 18"],
     ("-chardev socket,id=charmonitor,fd=70,server=on,wait=off "
     "-mon chardev=charmonitor,id=monitor,mode=control")),
    ("-chardev socket,id=c,fd=3 -mon c,mode=control", ["c to fd 3"],
     "-chardev socket,id=c,fd=70 -mon c,mode=control"),
    ("-chardev socket,id=c,path=q,reconnect=2 -mon c,mode=control", ["c to q again 2"],
     "-chardev socket,id=c,path=/p/0,reconnect=2 -mon c,mode=control"),
    ("-chardev socket,id=c,path=a,,b,server=on,wait=off,logfile=x,,y -mon c,mode=control",
     ["c at a,b"],
     "-chardev socket,id=c,fd=70,server=on,wait=off,logfile=x,,y -mon c,mode=control"),
    ("-chardev socket,id=c,path=q,server=on,wait=off -qmp chardev:c", ["c at q"],
     "-chardev socket,id=c,fd=70,server=on,wait=off -qmp chardev:c"),
    ("-chardev socket,id=c,path=q,server=on,wait=off,mux=off -mon c,mode=control", ["c at q"],
     "-chardev socket,id=c,fd=70,server=on,wait=off,mux=off -mon c,mode=control"),
    # JSON.
    (("""-chardev '{"backend":"socket","id":"c","path":"q","server":true,"wait":false}' """
     """-mon '{"chardev":"c","mode":"control"}'"""),
     ["c at q"],
     ("""-chardev '{"backend": "socket", "id": "c", "fd": "70", "server": true, "wait": false}' """
     """-mon '{"chardev":"c","mode":"control"}'""")),
    (("""-chardev socket,id=c,path=q,server=on,wait=off """
     """-mon '{"chardev":"c","mode":"control","pretty":true}'"""),
     ["c at q pretty"],
     ("""-chardev socket,id=c,fd=70,server=on,wait=off """
     """-mon '{"chardev":"c","mode":"control","pretty":true}'""")),
    # The storage daemon's, which are in control mode by themselves.
    ("--chardev socket,path=q,server=on,wait=off,id=c --monitor chardev=c", ["c at q"],
     "--chardev socket,fd=70,server=on,wait=off,id=c --monitor chardev=c"),
    ("""--chardev socket,path=q,server=on,wait=off,id=c --monitor '{"chardev":"c"}'""",
     ["c at q"], """--chardev socket,fd=70,server=on,wait=off,id=c --monitor '{"chardev":"c"}'"""),
    # Several, and QEMU's own count of them.
    ("-qmp unix:a,server=on,wait=off -qmp unix:b,server=on,wait=off",
     ["compat_monitor0 at a", "compat_monitor1 at b"],
     "-qmp unix:fd=70,server=on,wait=off -qmp unix:fd=71,server=on,wait=off"),
    ("-monitor stdio -qmp unix:b,server=on,wait=off", ["compat_monitor1 at b"],
     "-monitor stdio -qmp unix:fd=70,server=on,wait=off"),
    ("-monitor none -qmp unix:b,server=on,wait=off", ["compat_monitor0 at b"],
     "-monitor none -qmp unix:fd=70,server=on,wait=off"),
    ("-qmp stdio -qmp unix:b,server=on,wait=off", ["compat_monitor1 at b"],
     "-qmp stdio -qmp unix:fd=70,server=on,wait=off"),
    # As tools start one.
    ("-display none -vga none -chardev socket,id=mon,fd=5 -mon chardev=mon,mode=control -S",
     ["mon to fd 5"],
     "-display none -vga none -chardev socket,id=mon,fd=70 -mon chardev=mon,mode=control -S"),
    (("-S -no-user-config -nodefaults -nographic -machine none,accel=kvm:tcg "
     "-qmp unix:/x/qmp.monitor,server=on,wait=off -pidfile /x/qmp.pid -daemonize"),
     ["compat_monitor0 at /x/qmp.monitor"],
     ("-S -no-user-config -nodefaults -nographic -machine none,accel=kvm:tcg "
     "-qmp unix:fd=70,server=on,wait=off -pidfile /x/qmp.pid -daemonize")),
    # What only looks like one.
    ("-append '-qmp unix:q,server=on'", [], ""),
    ("-append -qmp unix:q,server=on", [], ""),
    ("-kernel -qmp -append x", [], ""),
    ("-new-option -qmp unix:q,server=on,wait=off", ["compat_monitor0 at q"],
     "-new-option -qmp unix:fd=70,server=on,wait=off"),
    ("-new-option value -qmp unix:q,server=on,wait=off", ["compat_monitor0 at q"],
     "-new-option value -qmp unix:fd=70,server=on,wait=off"),
    ("-S disk.img -qmp unix:q,server=on,wait=off", ["compat_monitor0 at q"],
     "-S disk.img -qmp unix:fd=70,server=on,wait=off"),
    ("unix:q -", [], ""),
    ("-qmp", [], ""),
    ("-monitor unix:q,server=on,wait=off", [], ""),
    ("-chardev socket,id=c,path=q,server=on -mon chardev=c,mode=readline", [], ""),
    ("-chardev socket,id=c,path=q,server=on -mon chardev=c", [], ""),
    ("-chardev socket,id=c,path=q,server=on,wait=off -serial chardev:c", [], ""),
    ("-version", [], ""),
    ("", [], ""),
]  # fmt: skip

LEFT_ALONE = [
    ("-qmp stdio", "stdio is no plain socket"),
    ("-qmp pty", "pty is no plain socket"),
    ("-qmp telnet:h:1,server=on", "telnet is no plain socket"),
    ("-qmp websocket:h:1,server=on", "websocket is no plain socket"),
    ("-qmp tcp:[::1]:1,server=on", "tcp is no plain socket"),
    ("-qmp unix:", "it says of no one place where it is"),
    ("-qmp unix:path=,server=on", "its path is empty"),
    ("-qmp unix:a,fd=3,server=on", "it says of no one place where it is"),
    ("-qmp unix:fd=name", "its descriptor has a name, not a number"),
    ("-qmp unix:q,server=perhaps", "it cannot be read: 'perhaps' is neither on nor off"),
    ("-qmp unix:q,reconnect=soon", "it cannot be read: could not convert string"),
    ("-qmp chardev:c", "there is no such character device"),
    ("-mon chardev=c,mode=control", "there is no such character device"),
    ("-mon mode=control", "there is no such character device"),
    ("-chardev socket,id=c,path=q,telnet=on -mon c,mode=control", "telnet is not spoken here"),
    ("-chardev socket,id=c,path=q,websocket=on -mon c,mode=control", "websocket is not spoken"),
    ("-chardev socket,id=c,port=1,tls-creds=t -mon c,mode=control", "TLS is not spoken here"),
    ("-chardev socket,id=c,path=q,mux=on -mon c,mode=control", "mux is not spoken here"),
    ("-chardev pty,id=c -mon c,mode=control", "pty is no plain socket"),
    ("-chardev pipe,id=c,path=q -mon c,mode=control", "pipe is no plain socket"),
    ("-chardev id=c,path=q -mon c,mode=control", "its device is no plain socket"),
    ("-chardev '{\"id\": \"c\"' -mon c,mode=control", "there is no such character device"),
    ("-chardev '[]' -mon c,mode=control", "there is no such character device"),
    ("-chardev socket,id=c,path=q -mon c,mode=control -set chardev.c.path=r", "-set changes it"),
    ("-chardev socket,id=c,path=q -mon c,mode=control -mon c,mode=control",
     "two monitors want its device"),
    ("-chardev socket,id=c,path=q -mon c,mode=control -serial chardev:c",
     "something else wants its device, too"),
    ("-chardev socket,id=c,path=q -mon c,mode=control -device isa-serial,chardev=c",
     "something else wants its device, too"),
    ("-chardev socket,id=c,path=q -mon c,mode=control -device '{\"chardev\": \"c\"}'",
     "something else wants its device, too"),
    ("-chardev socket,id=c,path=q -mon c,mode=control -monitor chardev:c",
     "something else wants its device, too"),
]  # fmt: skip


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) + len(LEFT_ALONE) >= 60


@pytest.mark.parametrize(("given_line", "taken", "rewritten"), TABLE, ids=lambda v: str(v)[:70])
def test_what_is_taken_over(given_line: str, taken: list[str], rewritten: str) -> None:
    arguments = shlex.split(given_line)
    monitors = read(arguments).monitors
    assert [shown(monitor) for monitor in monitors] == taken
    here: dict[Monitor, int | str] = {
        monitor: f"/p/{number}" if monitor.reconnect else 70 + number
        for number, monitor in enumerate(monitors)
    }
    assert rewrite(arguments, here) == shlex.split(rewritten or given_line)


@pytest.mark.parametrize(("given_line", "reason"), LEFT_ALONE, ids=lambda v: str(v)[:70])
def test_what_is_left_alone(given_line: str, reason: str) -> None:
    reading = read(shlex.split(given_line))
    assert reading.monitors == ()
    assert reading.left[0][1].startswith(reason)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("-name vm1", "vm1"),
        ("-name guest=vm1,debug-threads=on", "vm1"),
        ("-name debug-threads=on,guest=a,,b", "a,b"),
        ("-name a -name b", "b"),
        ("-append '-name x' -S", ""),
        ("-name process=x", ""),
    ],
)
def test_the_machines_name(line: str, name: str) -> None:
    assert machine_name(shlex.split(line)) == name


class TestOptions:
    @pytest.mark.parametrize(
        ("text", "fields"),
        [
            ("", {}),
            ("a", {"first": "a"}),
            ("a,b", {"first": "a", "b": "on"}),
            ("a,nob", {"first": "a", "b": "off"}),
            ("a=1,a=2", {"a": "2"}),
            ("a=1,,2,b=", {"a": "1,2", "b": ""}),
            ("a,,b,c=,,", {"first": "a,b", "c": ","}),
            ("a=b=c", {"a": "b=c"}),
            ("a=1,", {"a": "1"}),
        ],
    )
    def test_split(self, text: str, fields: dict[str, str]) -> None:
        assert last(split(text, "first")) == fields

    @given(
        st.lists(
            st.tuples(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text("ab,=")), min_size=1
        )
    )
    def test_what_is_written_is_read(self, pairs: list[tuple[str, str]]) -> None:
        fields = [written(key, value) for key, value in pairs]
        assert split(join(fields)) == fields

    @given(st.text("ab,=no"))
    def test_what_is_read_is_written_as_it_was(self, text: str) -> None:
        # But for a comma that nothing follows.
        assert join(split(text, "first")) in (text, text[:-1])


words = st.one_of(
    st.sampled_from(
        [
            "-qmp",
            "-mon",
            "-chardev",
            "-S",
            "-append",
            "-name",
            "-monitor",
            "-set",
            "--qmp",
            "-device",
        ]
    ),
    st.text('unix:sockethrdvmonl=,-{}"[]0123', max_size=20),
    st.sampled_from(["socket,id=c,path=p,server", "c,mode=control", "unix:q", "tcp:a:1", "{}"]),
    st.text(max_size=5),
)


@given(st.lists(words, max_size=8))
def test_it_never_raises_and_touches_nothing_else(arguments: list[str]) -> None:
    monitors = read(arguments).monitors
    after = rewrite(arguments, dict.fromkeys(monitors, 70))
    assert len(after) == len(arguments)
    places = {monitor.place for monitor in monitors}
    assert all(
        one == other
        for place, (one, other) in enumerate(zip(arguments, after, strict=True))
        if place not in places
    )
    again = read(after).monitors
    assert [m.name for m in again] == [m.name for m in monitors]
    assert all(m.address == DescriptorAddress(70) for m in again)


def test_bytes_that_are_no_text_stay_what_they_are() -> None:
    odd = b"\xff".decode("utf-8", "surrogateescape")
    arguments = ["-append", odd, "-qmp", f"unix:{odd},server"]
    (monitor,) = read(arguments).monitors
    assert monitor.address == UnixAddress(odd)
    assert rewrite(arguments, {monitor: 9})[:2] == arguments[:2]


@pytest.mark.parametrize(
    ("option", "following", "takes"),
    [("S", "x", False), ("append", "-S", True), ("new", "x", True), ("new", "-S", False)],
)
def test_which_options_have_an_argument(option: str, following: str, takes: bool) -> None:
    assert takes_argument(option, following) is takes


def test_a_field() -> None:
    assert written("path", "a,b") == Field("path=a,,b", "path", "a,b")
