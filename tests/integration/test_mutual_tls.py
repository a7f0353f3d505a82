"""Mutual TLS: who has no certificate is no client, whoever has is known by it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.certificates import Authority
from tests.integration.programs import PATIENCE, Program, Programs, eventually, records
from txqmp.journal.record import Kind
from txqmp.proxy.handshake import MAX_SHAKING

MODES = {
    "relay": [],
    "gateway": ["--dialect=text"],
    "shared": ["--shared"],
    "relay with a policy": ["--policy=p.toml"],
    "gateway with a policy": ["--dialect=text", "--policy=p.toml"],
    "shared with a policy": ["--shared", "--policy=p.toml"],
}

POLICY = """\
default = "allow"
[[rule]]
name = "not eve"
action = "deny"
command = "stop"
client = { certificate = "CN=eve" }
"""


class PKI:
    """All the certificates that are needed, good and bad."""

    def __init__(self, folder: Path) -> None:
        ours, others = Authority(folder, "ours"), Authority(folder, "others")
        self.root = ours.path
        self.server = ours.sign("server", server=True)
        self.ann = ours.sign("ann")
        self.eve = ours.sign("eve")
        self.bad = {
            "none": None,
            "foreign": others.sign("foreign"),
            "expired": ours.sign("expired", since=-9, until=-2),
            "early": ours.sign("early", since=2),
            "of a server": ours.sign("peer", server=True),
        }


@pytest.fixture
def pki(folder: Path) -> PKI:
    return PKI(folder)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


async def proxy(
    programs: Programs, pki: PKI, *options: str, monitor: str = "unix:qemu.sock"
) -> tuple[Program, int]:
    """A proxy that wants certificates, and its port."""
    port = free_port()
    listen = f"mtls:{port}:privateKey={pki.server}:trustRoots={pki.root}"
    program = programs.twistd("qmp-proxy", f"--connect={monitor}", f"--listen={listen}", *options)
    await program.says(b"ready")
    return program, port


def context(pki: PKI, certificate: Path | None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(pki.root))
    if certificate is not None:
        made.load_cert_chain(certificate)
    return made


def talk(port: int, client: ssl.SSLContext, *said: bytes) -> list[bytes]:
    """Say lines, each when the one before was answered; the lines that came, greeting and all."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain,
        client.wrap_socket(plain, server_hostname="localhost") as wire,
        wire.makefile("rb") as lines,
    ):
        heard = [lines.readline()]
        for line in said:
            wire.sendall(line)
            heard.append(next(each for each in lines if not is_event(each)))
        return heard


def is_event(line: bytes) -> bool:
    return line.startswith(b"* ") or b'"event"' in line


def is_refused(port: int, client: ssl.SSLContext) -> bool:
    """Whether nothing is said to it: by TLS 1.3 it learns of that after its own handshake."""
    try:
        return talk(port, client) == [b""]
    except OSError:
        return True


def in_thread(call: Callable[..., Any], *args: Any) -> Deferred[Any]:
    """Talk without holding up what reads the programs' output."""
    return deferToThread(call, *args)


CAPABILITIES = b'{"execute":"qmp_capabilities"}\r\n'
STOP = {"json": b'{"execute":"stop"}\r\n', "text": b"stop\r\n"}


@pytest.mark.peer("qemu-system-x86_64")
@pytest.mark.parametrize("mode", MODES)
async def test_who_has_a_good_one_is_served_and_nobody_else(
    programs: Programs, folder: Path, pki: PKI, mode: str
) -> None:
    (folder / "p.toml").write_text(POLICY)
    await programs.qemu()
    program, port = await proxy(programs, pki, *MODES[mode])
    dialect = "text" if "gateway" in mode else "json"
    begin = [] if dialect == "text" else [CAPABILITIES]
    for name, certificate in pki.bad.items():
        assert await in_thread(is_refused, port, context(pki, certificate)), name
    heard = await in_thread(talk, port, context(pki, pki.eve), *begin, STOP[dialect])
    assert len(heard) == len(begin) + 2
    denied = b"denied by policy: stop is not allowed (rule not eve)" in heard[-1]
    assert denied is ("policy" in mode)
    heard = await in_thread(talk, port, context(pki, pki.ann), *begin, STOP[dialect])
    assert b"denied" not in heard[-1]
    await program.terminate()
    out = program.out + program.err
    assert out.count(b"refused IPv4Address") == len(pki.bad)
    assert b"peer did not return a certificate" in out
    assert b"certificate verify failed" in out
    assert b"Traceback" not in out

    journal = records(folder / "qmp-proxy.jsonl")
    clients = {r.connection: r.peer for r in journal if r.peer and "address" in r.peer}
    assert len(clients) == 2
    if "policy" in mode:
        assert {peer["certificate"] for peer in clients.values()} == {"CN=ann", "CN=eve"}
        (verdict,) = [r for r in journal if r.kind is Kind.VERDICT]
        assert verdict.peer["certificate"] == "CN=eve"


async def test_a_server_of_another_name_is_not_trusted(
    programs: Programs, folder: Path, pki: PKI
) -> None:
    Authority(folder, "roots").sign("elsewhere", server=True, host="elsewhere")
    program, port = await proxy(programs, pki, monitor="machine:")
    with pytest.raises(ssl.SSLCertVerificationError):
        await in_thread(talk, port, context(PKI(folder), pki.ann))
    await program.terminate()


async def test_the_silent_hold_nothing_up(programs: Programs, folder: Path, pki: PKI) -> None:
    port = free_port()
    listen = f"mtls:{port}:privateKey={pki.server}:trustRoots={pki.root}:timeout=0.5"
    program = programs.twistd("qmp-proxy", "--connect=machine:", f"--listen={listen}")
    await program.says(b"ready")
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    heard = await in_thread(talk, port, context(pki, pki.ann), b"stop\r\n")
    assert heard[-1] == b"+ OK stop completed\r\n"
    await program.until(lambda: (program.out + program.err).count(b"no handshake within") == 20)
    for each in silent:
        each.close()
    await program.terminate()
    assert {r.connection for r in records(folder / "qmp-proxy.jsonl")} == {1}


async def test_more_than_may_shake_hands_at_a_time_are_let_go_at_once(
    programs: Programs, folder: Path, pki: PKI
) -> None:
    program, port = await proxy(programs, pki, monitor="machine:")
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(MAX_SHAKING)]
    await eventually(lambda: len(list(Path(f"/proc/{program.pid}/fd").iterdir())) > MAX_SHAKING)

    def is_let_go() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as more:
            try:
                return more.recv(1) == b""
            except ConnectionError:
                return True

    assert await in_thread(is_let_go)
    for each in silent:
        each.close()
    await program.until(lambda: (program.out + program.err).count(b"refused") > MAX_SHAKING)
    heard = await in_thread(talk, port, context(pki, pki.ann), b"stop\r\n")
    assert heard[-1] == b"+ OK stop completed\r\n"
    await program.terminate()
    assert b"Traceback" not in program.out + program.err


async def test_commands_that_come_with_the_handshake_are_not_lost(
    programs: Programs, folder: Path, pki: PKI
) -> None:
    program, port = await proxy(programs, pki, monitor="machine:")

    def hasty() -> bytes:
        ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
        shaking = context(pki, pki.ann).wrap_bio(theirs, ours, server_hostname="localhost")
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as wire:
            while True:
                try:
                    shaking.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    wire.sendall(ours.read())
                    theirs.write(wire.recv(65536))
            shaking.write(b"stop\r\n")
            wire.sendall(ours.read())  # with the last of the handshake, in one piece
            heard = b""
            while b"completed" not in heard:
                theirs.write(wire.recv(65536))
                with suppress(ssl.SSLWantReadError):
                    while True:
                        heard += shaking.read(65536)
            return heard

    assert b"+ OK stop completed\r\n" in await in_thread(hasty)
    await program.terminate()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trustRoots": None}, "trustRoots=: a file or a folder of the clients' roots is wanted"),
        ({"privateKey": "nosuch.pem"}, "nosuch.pem: No such file or directory"),
        ({"privateKey": "junk.pem"}, "junk.pem: it is no private key that can be read (PEM)"),
        ({"certKey": "junk.pem"}, "junk.pem: there is no certificate in it (PEM)"),
        ({"certKey": "bad.pem"}, "bad.pem: it is no certificate that can be read (PEM)"),
        ({"certKey": "ann.pem"}, "the key in server.pem is not that of ann.pem"),
        ({"trustRoots": "empty"}, "empty: there is no .pem file in it"),
        ({"extraCertChain": "junk.pem"}, "junk.pem: there is no certificate in it (PEM)"),
        ({"method": "x"}, "there is no 'method' in it"),
    ],
)
async def test_what_is_wrong_is_said_at_the_start(
    programs: Programs, folder: Path, pki: PKI, change: dict[str, str | None], says: str
) -> None:
    (folder / "junk.pem").write_text("junk")
    (folder / "bad.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n"
    )
    (folder / "empty").mkdir()
    given = {"privateKey": "server.pem", "trustRoots": "ours.pem", **change}
    parts = "".join(f":{key}={value}" for key, value in given.items() if value is not None)
    program = programs.twistd("qmp-proxy", f"--listen=mtls:0{parts}")
    assert await program.ends() == 1
    said = (program.out + program.err).decode()
    assert says in said
    assert "Traceback" not in said


@pytest.fixture
def roots(folder: Path, pki: PKI) -> Iterator[Path]:
    (folder / "roots").mkdir()
    (folder / "roots" / "one.pem").write_bytes(pki.root.read_bytes())
    return folder / "roots"  # type: ignore[return-value]


async def test_the_other_end_is_twisteds_own(
    programs: Programs, folder: Path, pki: PKI, roots: Path
) -> None:
    """A proxy beside the monitor, and one beside the client, with TLS between."""
    far, port = await proxy(programs, pki, monitor="machine:")
    tls = f"tls:localhost:{port}:certificate={pki.ann}:privateKey={pki.ann}:trustRoots={roots}"
    near = programs.twistd(
        "qmp-proxy", f"--connect={tls}", f"--listen=unix:{folder}/near.sock", "--journal=near.jsonl"
    )
    await near.says(b"ready")
    for where in ("unix:near.sock", tls):
        client = programs.python("-m", "txqmp", "run", where, "info", "status")
        assert await client.ends() == 0, client.err
        assert b"running" in client.out
    wrong = tls.replace("localhost", "127.0.0.1")
    client = programs.python("-m", "txqmp", "run", wrong, "info", "status")
    assert await client.ends() == 1
    assert b"Traceback" not in client.err
    await near.terminate()
    await far.terminate()
    assert {r.monitor for r in records(folder / "near.jsonl")} == {f"tls:localhost:{port}"}
