"""The names of events, in both dialects."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txqmp.text.events import canonical, from_json

# Most events that QEMU knows today; only these two are called something else in QMP 0.1.
RENAMED = {"RESET": "reboot", "RESUME": "cont"}
KEPT = """
ACPI_DEVICE_OST BALLOON_CHANGE BLOCK_IO_ERROR BLOCK_JOB_CANCELLED BLOCK_JOB_COMPLETED
BLOCK_JOB_ERROR BLOCK_JOB_PENDING BLOCK_JOB_READY DEVICE_DELETED DEVICE_TRAY_MOVED
DUMP_COMPLETED GUEST_CRASHLOADED GUEST_PANICKED JOB_STATUS_CHANGE MEMORY_FAILURE MIGRATION
MIGRATION_PASS NIC_RX_FILTER_CHANGED POWERDOWN QUORUM_REPORT_BAD RTC_CHANGE SHUTDOWN
SPICE_CONNECTED STOP SUSPEND SUSPEND_DISK VNC_CONNECTED VSERPORT_CHANGE WAKEUP WATCHDOG
""".split()


@pytest.mark.parametrize(("json", "text"), RENAMED.items())
def test_an_event_of_json_that_has_another_name_in_text(json: str, text: str) -> None:
    assert from_json(json) == text


@pytest.mark.parametrize("json", KEPT)
def test_every_other_event_of_json_is_its_own_name_in_lower_case(json: str) -> None:
    assert from_json(json) == json.lower()


def test_an_event_of_json_that_nobody_knows_is_its_own_name_in_lower_case() -> None:
    assert from_json("MADE_UP_IN_2031") == "made_up_in_2031"


@pytest.mark.parametrize("name", ["reboot", "REBOOT", "Reboot", "reset", "RESET", "Reset"])
def test_a_reset_is_a_reboot_in_any_case(name: str) -> None:
    assert canonical(name) == "reboot"


@pytest.mark.parametrize("name", ["cont", "CONT", "resume", "RESUME"])
def test_a_resume_is_a_cont_in_any_case(name: str) -> None:
    assert canonical(name) == "cont"


@pytest.mark.parametrize("name", ["stop", "STOP", "Stop"])
def test_rule_07_names_ignore_case(name: str) -> None:
    assert canonical(name) == "stop"


@settings(deadline=None)
@given(st.sampled_from([*RENAMED, *RENAMED.values(), *KEPT]) | st.text())
def test_a_name_is_canonical_by_whatever_way_it_came(name: str) -> None:
    assert canonical(from_json(name)) == canonical(name)
    assert canonical(canonical(name)) == canonical(name)
