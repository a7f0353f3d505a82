"""Snapshots of a whole machine: a job is begun, awaited, looked at and dismissed."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.gateway.fake import Exchange, Gateway, dialogue, human, no
from txqmp.errors import CommandFailed, EventTimeout
from txqmp.gateway import snapshots

JOBS = ("snapshot-save", "snapshot-load", "snapshot-delete")
JOB = "txqmp-0a0b"


@pytest.fixture(autouse=True)
def known_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "token_hex", lambda size: "0a0b")
    monkeypatch.setattr(snapshots, "strftime", lambda form, when: "vm-20261122133448")


def drive(device: str, node: str, drv: str = "qcow2", ro: bool = False, **states: str) -> Any:
    saved = [{"id": number.removeprefix("n"), "name": tag} for number, tag in states.items()]
    inserted = {"drv": drv, "ro": ro, "node-name": node, "image": {"snapshots": saved}}
    return {"device": device, "inserted": inserted}


HD = drive("hd0", "#block1", n1="first", n2="second")
EMPTY = {"device": "cd0"}
CD = drive("cd1", "#block5", ro=True)
RAW = drive("hd1", "#block7", drv="raw")


class Machine(Gateway):
    """A gateway whose monitor ends each job at once."""

    def __init__(self, *script: Exchange, drives: list[Any] | None = None) -> None:
        query = ("query-block", None, [EMPTY, CD, HD] if drives is None else drives)
        super().__init__(query, *script, known=JOBS)

    def concludes(self, job: str = JOB) -> dict[str, Any]:
        self.upstream.happens("JOB_STATUS_CHANGE", id=job, status="concluded")
        return {}


def job(command: str, error: str | None = None, **arguments: Any) -> list[Exchange]:
    """A job that is at its end once it was begun, and what is asked then."""
    state = {"id": JOB, "status": "concluded"} | ({} if error is None else {"error": error})
    return [
        (command, {"job-id": JOB, "devices": ["#block1"], **arguments}, {}),
        ("query-jobs", None, [{"id": "other", "status": "running", "error": "not this"}, state]),
        ("job-dismiss", {"id": JOB}, {}),
    ]


MAY: Exchange = ("query-migrate", None, {})


def run(
    line: str,
    *jobs: list[Exchange],
    first: list[Exchange] | None = None,
    drives: list[Any] | None = None,
) -> list[str]:
    machine: list[Machine] = []
    script = list(first or [])
    for exchanges in jobs:
        (command, arguments, _), *rest = exchanges
        script += [(command, arguments, lambda: machine[0].concludes()), *rest]
    machine.append(Machine(*script, drives=drives))
    said = machine[0].asks(line)
    assert machine[0].has_kept_to_the_script()
    return said


def test_savevm() -> None:
    saving = job("snapshot-save", tag="new", vmstate="#block1")
    assert run("savevm new", saving) == ["+ OK savevm completed"]


def test_savevm_without_a_name_is_named_after_the_time() -> None:
    saving = job("snapshot-save", tag="vm-20261122133448", vmstate="#block1")
    assert run("savevm", saving) == ["+ OK savevm completed"]


@pytest.mark.parametrize("name", ["second", "2"])
def test_savevm_replaces_one_of_the_name_or_number(name: str) -> None:
    deleting = job("snapshot-delete", tag="second")
    saving = job("snapshot-save", tag="second", vmstate="#block1")
    assert run(f"savevm {name}", deleting, saving, first=[MAY]) == ["+ OK savevm completed"]


def test_savevm_deletes_nothing_that_it_could_not_save_again() -> None:
    blocked = ("query-migrate", None, {"blocked-reasons": ["no nvme", "no other"]})
    assert run("savevm first", first=[blocked]) == ["- ERR no nvme"]


def test_savevm_replaces_what_another_drive_has() -> None:
    other = drive("hd9", "#block9", n7="new")
    arguments = {"devices": ["#block1", "#block9"], "tag": "new"}
    jobs = (
        job("snapshot-delete", **arguments),
        job("snapshot-save", **arguments, vmstate="#block1"),
    )
    assert run("savevm new", *jobs, first=[MAY], drives=[HD, other]) == ["+ OK savevm completed"]


@pytest.mark.parametrize("verb", ["savevm", "loadvm", "delvm"])
def test_a_tag_that_is_the_number_of_another(verb: str) -> None:
    drives = [drive("hd0", "#block1", n1="2", n2="b")]
    assert run(f"{verb} 2", drives=drives) == ["- ERR '2' is the number of another snapshot, too"]


def test_one_after_the_other() -> None:
    machine = Machine(*job("snapshot-load", tag="first", vmstate="#block1"))
    machine.says("loadvm first")
    taken = machine.upstream.snapshots.acquire()
    assert not taken.called
    machine.concludes()
    assert taken.called


def test_a_job_whose_end_was_not_heard_is_asked_for() -> None:
    state = {"id": JOB, "status": "concluded"}
    running = {"id": JOB, "status": "running"}
    machine = Machine(
        ("snapshot-load", {"job-id": JOB, "devices": ["#block1"], "tag": "first",
                           "vmstate": "#block1"}, {}),
        ("query-jobs", None, [running]),
        ("query-jobs", None, [state, {"id": "txqmp-old", "status": "concluded"}]),
        ("job-dismiss", {"id": JOB}, {}),
        ("job-dismiss", {"id": "txqmp-old"}, {}),
    )  # fmt: skip
    machine.says("loadvm first")
    for _ in range(2):
        machine.upstream.waiting[-1][1].errback(EventTimeout("JOB_STATUS_CHANGE", 30))
    assert machine.has_kept_to_the_script()


def test_savevm_does_not_save_over_what_it_could_not_delete() -> None:
    deleting = job("snapshot-delete", tag="first", error="it is in use")
    assert run("savevm first", deleting, first=[MAY]) == ["- ERR it is in use"]


@pytest.mark.parametrize("name", ["first", "1"])
def test_loadvm(name: str) -> None:
    loading = job("snapshot-load", tag="first", vmstate="#block1")
    assert run(f"loadvm {name}", loading) == ["+ OK loadvm completed"]


@pytest.mark.parametrize("name", ["first", "1"])
def test_delvm(name: str) -> None:
    assert run(f"delvm {name}", job("snapshot-delete", tag="first")) == ["+ OK delvm completed"]


@pytest.mark.parametrize("verb", ["loadvm", "delvm"])
def test_a_snapshot_that_is_not_there(verb: str) -> None:
    assert run(f"{verb} foo") == ["- ERR Could not find snapshot 'foo' on device 'hd0'"]


@pytest.mark.parametrize("line", ["savevm a", "loadvm a", "delvm a"])
@pytest.mark.parametrize("drives", [[], [EMPTY], [CD], [RAW]])
def test_nowhere_to_put_it(line: str, drives: list[Any]) -> None:
    assert run(line, drives=drives) == ["- ERR No block device can accept snapshots"]


def test_all_writable_drives_take_part_and_the_first_able_one_keeps_the_state() -> None:
    arguments = {"tag": "a", "devices": ["#block7", "#block1"], "vmstate": "#block1"}
    saving = job("snapshot-save", **arguments)
    assert run("savevm a", saving, drives=[RAW, CD, HD]) == ["+ OK savevm completed"]


@pytest.mark.parametrize("verb", ["loadvm", "delvm"])
def test_a_name_is_wanted(verb: str) -> None:
    assert dialogue(verb, known=JOBS) == [f"- ERR {verb}: string expected"]


def test_the_reason_that_the_job_gives() -> None:
    loading = job("snapshot-load", tag="first", vmstate="#block1", error="Device 'x' is missing")
    assert run("loadvm first", loading) == ["- ERR Device 'x' is missing"]


# The time until the job is over.

LOADING: Exchange = job("snapshot-load", tag="first", vmstate="#block1")[0]


def test_the_reply_waits_for_the_end_of_this_job() -> None:
    machine = Machine(*job("snapshot-load", tag="first", vmstate="#block1"))
    assert machine.asks("loadvm first") == []
    machine.upstream.happens("JOB_STATUS_CHANGE", id=JOB, status="running")
    machine.concludes("txqmp-another")
    machine.upstream.happens("STOP", id=JOB, status="concluded")
    assert machine.heard() == []
    machine.concludes()
    assert machine.heard() == ["+ OK loadvm completed"]
    assert machine.has_kept_to_the_script()


def test_a_job_that_cannot_begin_is_not_waited_for() -> None:
    command, arguments, _ = LOADING
    machine = Machine((command, arguments, no("Job ID is taken")))
    assert machine.asks("loadvm first") == ["- ERR Job ID is taken"]
    ((_, waiting),) = machine.upstream.waiting
    assert waiting.called


def test_the_monitor_is_gone_while_the_job_runs() -> None:
    machine = Machine(LOADING)
    assert machine.asks("loadvm first") == []
    machine.upstream.waiting[0][1].errback(CommandFailed("monitor is gone: unknown"))
    assert machine.heard() == ["- ERR monitor is gone: unknown"]
    assert machine.has_kept_to_the_script()


def test_a_client_that_leaves_does_not_end_the_job() -> None:
    machine = Machine(*job("snapshot-load", tag="first", vmstate="#block1"))
    machine.says("loadvm first")
    machine.hangs_up()
    machine.concludes()
    assert machine.has_kept_to_the_script()


def test_a_client_that_leaves_as_the_job_begins_does_not_end_it() -> None:
    command, arguments, _ = LOADING
    begun: Deferred[Any] = Deferred()
    later = job("snapshot-load", tag="first", vmstate="#block1")[1:]
    machine = Machine((command, arguments, begun), *later)
    machine.says("loadvm first")
    machine.hangs_up()
    begun.callback({})
    machine.concludes()
    assert machine.has_kept_to_the_script()


def test_a_client_that_leaves_while_one_is_replaced_does_not_lose_it() -> None:
    deleting = job("snapshot-delete", tag="first")
    saving = job("snapshot-save", tag="first", vmstate="#block1")
    machine = Machine(MAY, *deleting, *saving)
    machine.says("savevm first")
    machine.hangs_up()
    machine.concludes()
    machine.concludes()
    assert machine.has_kept_to_the_script()


# A QEMU that has no such jobs.


@pytest.mark.parametrize("line", ["savevm", "savevm a", "loadvm a", "delvm a"])
def test_without_jobs_the_human_monitor_does_it(line: str) -> None:
    assert dialogue(line, human(line)) == [f"+ OK {line.split()[0]} completed"]


def test_and_its_errors_are_told() -> None:
    printed = "Error: Snapshot 'a' does not exist in one or more devices\r\n"
    assert dialogue("loadvm a", human("loadvm a", printed)) == [
        "- ERR Snapshot 'a' does not exist in one or more devices"
    ]


@pytest.mark.parametrize("line", ["savevm", "loadvm a", "delvm a"])
def test_without_both_there_is_no_such_command(line: str) -> None:
    assert Gateway(human=False).asks(line) == ["- BAD unknown command"]
