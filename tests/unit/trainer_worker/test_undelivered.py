"""What an attempt leaves on the disk for the next worker in the folder."""

import contextlib
import errno
import os
import shutil
from pathlib import Path

import pytest
import torch
from google.protobuf.message import DecodeError

from annotateforge.api.trainer.v1.job_pb2 import Failure, Job
from annotateforge.api.trainer.v1.worker_service_pb2 import (
    Assignment,
    FinishAttemptRequest,
    ReleaseAttemptRequest,
)
from annotateforge.trainer.worker.undelivered import MOST_ASIDE, Undelivered


def begun(parent: Path, attempt: int = 1) -> Undelivered:
    return Undelivered.begin(parent, "worker", Assignment(job=Job(id="job"), attempt=attempt))


def test_what_was_begun_is_found_until_it_is_removed(tmp_path: Path) -> None:
    one = begun(tmp_path)
    (found,) = Undelivered.found(tmp_path)
    assert (found.worker_id, found.assignment) == ("worker", one.assignment)
    assert found.ending() is None
    found.remove()
    assert Undelivered.found(tmp_path) == []


def test_how_an_attempt_ends_is_kept_and_an_end_counts_more_than_a_release(tmp_path: Path) -> None:
    one = begun(tmp_path)
    one.will_end(ReleaseAttemptRequest(job_id="job", attempt=1))
    assert isinstance(one.ending(), ReleaseAttemptRequest)
    one.will_end(FinishAttemptRequest(job_id="job", attempt=1))
    (found,) = Undelivered.found(tmp_path)
    assert found.ending() == FinishAttemptRequest(job_id="job", attempt=1)


@pytest.mark.parametrize("torn", ["zeros", "cut", "empty"])
@pytest.mark.parametrize(
    "ending",
    [FinishAttemptRequest(job_id="job", attempt=1), ReleaseAttemptRequest(job_id="job", attempt=1)],
)
def test_a_note_of_the_end_that_a_loss_of_power_has_torn_is_none(
    tmp_path: Path, ending: FinishAttemptRequest | ReleaseAttemptRequest, torn: str
) -> None:
    one = begun(tmp_path)
    one.will_end(ending)
    (note,) = (path for path in one.folder.iterdir() if path.name in ("finish", "release"))
    content = note.read_bytes()
    note.write_bytes({"zeros": bytes(len(content)), "cut": content[:-1], "empty": b""}[torn])
    assert one.ending() is None


def test_a_note_or_an_assignment_that_is_cut_anywhere_counts_as_none(tmp_path: Path) -> None:
    one = begun(tmp_path)
    ending = FinishAttemptRequest(
        job_id="job",
        attempt=1,
        failed=Failure(reason="OUT_OF_MEMORY", message="Memory ran out.", log_tail=["a", "b"]),
    )
    one.will_end(ending)
    note = one.folder / "finish"
    content = note.read_bytes()
    # Without the check some of these would be read as other ends: a failure without its hint, or no outcome.
    readable = 0
    for length in range(len(content)):
        note.write_bytes(content[:length])
        assert one.ending() is None
        with contextlib.suppress(DecodeError):
            FinishAttemptRequest.FromString(content[32:length])
            readable += 1
    assert readable > 3
    for place in range(len(content)):
        note.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert one.ending() is None
    note.write_bytes(content + b"\0")
    assert one.ending() is None
    note.write_bytes(content)
    assert one.ending() == ending

    assignment = (one.folder / "assignment").read_bytes()
    for length in range(len(assignment)):
        cut = begun(tmp_path)
        (cut.folder / "assignment").write_bytes(assignment[:length])
        assert Undelivered.found(tmp_path) == []


def test_of_what_was_set_aside_the_newest_few_stay(tmp_path: Path) -> None:
    parent = tmp_path / "undelivered"
    for attempt in range(MOST_ASIDE + 3):
        begun(parent, attempt).set_aside()
    assert Undelivered.found(parent) == []
    kept = {path.name for path in (tmp_path / "undelivered-broken").iterdir()}
    assert kept == {f"job-{attempt}" for attempt in range(3, MOST_ASIDE + 3)}


def test_a_folder_that_was_not_finished_is_removed(tmp_path: Path) -> None:
    one = begun(tmp_path)
    (one.folder / "worker.json").unlink()
    other = begun(tmp_path, 2)
    (other.folder / "worker.json").write_bytes(b"{")
    third = begun(tmp_path, 3)
    (third.folder / "assignment").write_bytes(b"")
    assert Undelivered.found(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("files_first", [True, False])
def test_nothing_is_found_of_what_was_being_removed_when_the_worker_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files_first: bool
) -> None:
    one = begun(tmp_path)
    one.will_end(FinishAttemptRequest(job_id="job", attempt=1))

    def killed_after_the_first(folder: Path, ignore_errors: bool) -> None:
        first = sorted(folder.iterdir(), key=lambda path: path.is_dir() == files_first)[0]
        if first.is_dir():
            first.rmdir()
        else:
            first.unlink()

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed_after_the_first)
        one.remove()
    assert len(list(tmp_path.iterdir())) == 1
    assert Undelivered.found(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_does_not_let_us_read_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = begun(tmp_path)

    def refuse(path: Path) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        assert Undelivered.found(tmp_path) == []
    (found,) = Undelivered.found(tmp_path)
    assert found.folder == one.folder


async def test_states_that_are_not_whole_are_removed(tmp_path: Path) -> None:
    one = begun(tmp_path)
    whole = one.states / "000003.pt"
    torch.save({"tensor": torch.zeros(10_000)}, whole)
    content = bytearray(whole.read_bytes())
    (one.states / "000004.pt").write_bytes(content[: len(content) // 2])
    (one.states / "000005.part").write_bytes(content)
    (one.states / "000006.pt").write_bytes(b"\0" * len(content))
    content[len(content) // 2] ^= 1
    (one.states / "000007.pt").write_bytes(content)
    await one.remove_damaged_states()
    assert list(one.states.iterdir()) == [whole]
