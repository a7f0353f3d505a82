"""txqmp as a user has it: from a wheel, in a virtual environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.programs import PATIENCE, ROOT, short_folder


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """The folder of the programs of a virtual environment with the wheel in it."""
    with short_folder() as folder:
        wheels = folder / "wheels"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
        run([*pip, "wheel", "--no-deps", "-w", str(wheels), str(ROOT)], folder)
        venv.create(folder / "env", with_pip=True)
        programs = folder / "env" / "bin"
        (wheel,) = wheels.glob("txqmp-*.whl")
        run([str(programs / "pip"), "-q", "install", str(wheel)], folder)
        yield programs


def run(argv: list[str], folder: Path, status: int = 0) -> subprocess.CompletedProcess[bytes]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, timeout=5 * PATIENCE, check=False
    )
    assert done.returncode == status, (argv, done)
    return done


def test_there_is_no_package_where_twisted_looks_for_plugins() -> None:
    assert not (ROOT / "twisted" / "__init__.py").exists()
    assert not (ROOT / "twisted" / "plugins" / "__init__.py").exists()


def test_the_wheel_holds_the_plugin_and_no_cache(installed: Path) -> None:
    (wheel,) = (installed.parents[1] / "wheels").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert [n for n in names if n.startswith("twisted/")] == ["twisted/plugins/txqmp_plugins.py"]
    assert "txqmp/py.typed" in names
    assert "txqmp/policy/rulesets/host-safe.toml" in names
    assert "txqmp/policy/rulesets/read-only.toml" in names


def test_the_wheel_holds_what_the_journal_tools_read(installed: Path) -> None:
    (wheel,) = (installed.parents[1] / "wheels").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "txqmp/journal/schema.json",
        "txqmp/reports/htmlpage.css",
        "txqmp/reports/htmlpage.js",
    } <= names
    argv = [str(installed / "txqmp"), "journal"]
    empty = ["export", "--format=html", "-o", "-", "/dev/null"]
    assert b"</html>" in run([*argv, *empty], installed).stdout
    missing = run([*argv, "check", "/dev/null"], installed, status=1)
    assert missing.stderr == (
        b"txqmp: journal check needs fastjsonschema: pip install 'txqmp[journal]'\n"
    )


@pytest.mark.parametrize("runner", ["twistd", "twist"])
def test_the_commands_are_listed_once(installed: Path, runner: str) -> None:
    listed = run([str(installed / runner), "--help"], installed).stdout.split()
    assert listed.count(b"qmp-proxy") == 1
    assert listed.count(b"qmp-logger") == 1


USAGE_ERRORS = [
    (["qmp-proxy", "--rotate-bytes=-1"], b"-1 is less than 0"),
    (["qmp-proxy", "--keep=many"], b"'many' is no whole number"),
    (["qmp-proxy", "--listen=/run/vm.sock"], b"unix:/run/vm.sock"),
    (["qmp-proxy", "--connect=nosuch:1"], b"--connect nosuch:1"),
    (["qmp-proxy", "--max-connections=0"], b"0 is less than 1"),
    (["qmp-proxy", "--nosuch"], b"--nosuch"),
    (["qmp-proxy", "extra"], b"unexpected argument: extra"),
    (["qmp-proxy", "--connect=machine:colour=red"], b"colour"),
    (["qmp-logger"], b"say with --connect or --watch which monitor to log"),
    (["qmp-logger", "--connect=a=machine:", "--connect=a=machine:"], b"a monitor a already"),
    (["qmp-logger", "--connect=machine:", "--poll=a\nb"], b"cannot be sent"),
]


@pytest.mark.parametrize(("argv", "says"), USAGE_ERRORS)
def test_bad_options_end_with_one_line_and_status_1(
    installed: Path, argv: list[str], says: bytes
) -> None:
    done = run([str(installed / "twistd"), "-n", *argv], installed, status=1)
    said = done.stdout + done.stderr
    assert b"Traceback" not in said
    last = said.strip().splitlines()[-1]
    assert says in last


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--listen=unix:nosuch/p.sock"], b"nosuch/p.sock"),
        (["--journal=nosuch/j.jsonl"], b"nosuch/j.jsonl"),
        (["--journal=."], b"directory"),
    ],
)
@pytest.mark.parametrize("runner", [["twistd", "-n"], ["twist"]])
def test_a_service_that_cannot_start_says_so_in_one_line(
    installed: Path, runner: list[str], options: list[str], says: bytes
) -> None:
    argv = [str(installed / runner[0]), *runner[1:], "qmp-proxy", *options]
    done = run(argv, installed.parent, status=1)
    assert b"Traceback" not in done.stdout + done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(b"qmp-proxy: ")
    assert says in last
