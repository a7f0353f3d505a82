"""What a wrapper is told: by a file, by the environment; and where the real emulator is."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from txqmp.errors import WrapError
from txqmp.wrap.settings import Settings, find_emulator, load


class TestJournalName:
    def test_places_are_filled(self) -> None:
        settings = Settings(journal="/var/log/{name}-{pid}.jsonl")
        assert settings.journal_of("vm1", 7) == Path("/var/log/vm1-7.jsonl")

    def test_a_name_leads_nowhere_else(self) -> None:
        settings = Settings(journal="/var/log/{name}.jsonl")
        assert settings.journal_of("../../etc/x y", 7) == Path("/var/log/_.._etc_x_y.jsonl")
        assert settings.journal_of("..", 7) == Path("/var/log/_.jsonl")

    def test_it_is_absolute(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        assert Settings().journal_of("vm1", 7) == tmp_path / "qmp-wrap-vm1-7.jsonl"

    def test_a_place_that_is_not_known(self) -> None:
        with pytest.raises(WrapError, match=r"journal \{uuid\}: \{uuid\} is not known"):
            Settings(journal="{uuid}").journal_of("vm1", 7)


def written(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


class TestFile:
    def test_all_that_it_may_say(self, tmp_path: Path) -> None:
        text = (
            'qemu = "q"\njournal = "j"\nlog = "l"\nname = "n"\nrotate-bytes = 0\nkeep = 2\n'
            "redact = false\ndecode = false\n"
        )
        environ = {"TXQMP_CONFIG": written(tmp_path / "c.toml", text)}
        assert load("txqmp-qemu", environ) == Settings(
            qemu="q",
            journal="j",
            log="l",
            name="n",
            rotate_bytes=0,
            keep=2,
            redact=False,
            decode=False,
        )

    def test_the_first_that_there_is(self, tmp_path: Path) -> None:
        beside = tmp_path / "bin" / "qemu"
        files = {
            "named": written(tmp_path / "named.toml", 'name = "named"'),
            "beside": written(Path(f"{beside}.toml"), 'name = "beside"'),
            "xdg": written(tmp_path / "xdg" / "txqmp" / "wrap.toml", 'name = "xdg"'),
            "home": written(tmp_path / ".config" / "txqmp" / "wrap.toml", 'name = "home"'),
        }
        environ = {
            "TXQMP_CONFIG": files["named"],
            "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
            "HOME": str(tmp_path),
        }
        found = []
        for gone, variable in [("", ""), ("named", "TXQMP_CONFIG"), ("beside", ""),
                               ("xdg", "XDG_CONFIG_HOME")]:  # fmt: skip
            if gone:
                Path(files[gone]).unlink()
            if variable:
                del environ[variable]
            found.append(load(str(beside), environ).name)
        assert found == ["named", "beside", "xdg", "home"]

    def test_none_is_needed(self, tmp_path: Path) -> None:
        assert load("txqmp-qemu", {"HOME": str(tmp_path / "nowhere")}) == Settings()

    def test_the_environment_has_the_last_word(self, tmp_path: Path) -> None:
        environ = {
            "TXQMP_CONFIG": written(tmp_path / "c.toml", 'qemu = "q"\njournal = "j"'),
            "TXQMP_QEMU": "other",
            "TXQMP_JOURNAL": "elsewhere",
        }
        assert load("txqmp-qemu", environ) == Settings(qemu="other", journal="elsewhere")

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("qemu", "Expected '='"),
            ("quemu = 'x'", r"quemu is no setting \(known: qemu, journal, .*rotate-bytes"),
            ("keep = 'x'", "keep is a number"),
            ("redact = 1", "redact is true or false"),
            ("qemu = 1", "qemu is a string"),
            ("keep = 0", "keep at least 1"),
            ("rotate-bytes = -1", "rotate-bytes is at least 0"),
        ],
    )
    def test_what_is_not_understood_is_said_with_the_file(
        self, tmp_path: Path, text: str, problem: str
    ) -> None:
        path = written(tmp_path / "c.toml", text)
        with pytest.raises(WrapError, match=f"^{re.escape(path)}: .*{problem}"):
            load("txqmp-qemu", {"TXQMP_CONFIG": path})

    def test_one_that_was_named_has_to_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(WrapError, match=r"none\.toml: No such file"):
            load("txqmp-qemu", {"TXQMP_CONFIG": str(tmp_path / "none.toml")})

    def test_one_that_is_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "qemu.toml").mkdir()
        with pytest.raises(WrapError, match=r"qemu\.toml: Is a directory"):
            load(str(tmp_path / "qemu"), {})

    def test_one_that_is_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "c.toml"
        path.write_bytes(b"qemu = '\xff'")
        with pytest.raises(WrapError, match=r"c\.toml: .*decode"):
            load("txqmp-qemu", {"TXQMP_CONFIG": str(path)})


def program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


class TestEmulator:
    def test_where_the_settings_say(self, tmp_path: Path) -> None:
        real = program(tmp_path / "real")
        assert find_emulator("txqmp-qemu", Settings(qemu=real), {"PATH": ""}) == real

    def test_a_name_in_the_settings_is_looked_for(self, tmp_path: Path) -> None:
        real = program(tmp_path / "real")
        environ = {"PATH": str(tmp_path)}
        assert find_emulator("txqmp-qemu", Settings(qemu="real"), environ) == real

    def test_this_machines_own(self, tmp_path: Path) -> None:
        real = program(tmp_path / f"qemu-system-{os.uname().machine}")
        assert find_emulator("/x/txqmp-qemu", Settings(), {"PATH": str(tmp_path)}) == real

    def test_the_next_of_its_own_name(self, tmp_path: Path) -> None:
        ours = program(tmp_path / "ours" / "qemu-system-arm")
        real = program(tmp_path / "bin" / "qemu-system-arm")
        environ = {"PATH": f"{tmp_path}/ours:{tmp_path}/none:{tmp_path}/bin"}
        assert find_emulator(ours, Settings(), environ) == real

    def test_not_another_name_of_itself(self, tmp_path: Path) -> None:
        ours = program(tmp_path / "ours" / "qemu-system-arm")
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "qemu-system-arm").symlink_to(ours)
        environ = {"PATH": f"{tmp_path}/bin"}
        with pytest.raises(WrapError, match=r"no qemu-system-arm in PATH: set TXQMP_QEMU"):
            find_emulator(ours, Settings(), environ)
        with pytest.raises(WrapError, match="is this wrapper itself"):
            find_emulator(ours, Settings(qemu="qemu-system-arm"), environ)

    def test_one_that_is_not_there(self) -> None:
        with pytest.raises(WrapError, match="/none/qemu: there is no such program"):
            find_emulator("txqmp-qemu", Settings(qemu="/none/qemu"), {})
