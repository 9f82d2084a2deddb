"""Checkpoints: kept while the job goes on, the newest one, from the worker that has the job."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest

from annotateforge.api.trainer.v1.job_pb2 import Checkpoint, Failure, JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2 import DeleteJobRequest
from annotateforge.api.trainer.v1.worker_service_pb2 import (
    AttemptInterrupted,
    CheckpointHeader,
    DownloadCheckpointRequest,
    FinishAttemptRequest,
    UploadCheckpointRequest,
)
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.rpc_status import from_rpc_error
from tests.integration.trainer.workers import (
    Editor,
    ScriptedWorker,
    epoch_complete,
    get_job,
    list_events,
    make_job,
    training_started,
)


async def upload(one: ScriptedWorker, of: int, content: bytes, **changes: Any) -> Checkpoint:
    fields: dict[str, Any] = {
        "job_id": one.job_id,
        "attempt": one.attempt,
        "epoch": of,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }

    async def parts() -> AsyncIterator[UploadCheckpointRequest]:
        yield UploadCheckpointRequest(header=CheckpointHeader(**fields | changes))
        for start in range(0, len(content), 1000):
            yield UploadCheckpointRequest(chunk=content[start : start + 1000])

    return (await one.stub.UploadCheckpoint(parts(), timeout=30)).checkpoint


async def download(one: ScriptedWorker, offset: int = 0) -> bytes:
    request = DownloadCheckpointRequest(job_id=one.job_id, attempt=one.attempt, offset=offset)
    return b"".join([part.chunk async for part in one.stub.DownloadCheckpoint(request, timeout=30)])


async def interrupt(one: ScriptedWorker, reason: str, batch_size: int = 0) -> JobStatus.ValueType:
    told = AttemptInterrupted(failure=Failure(reason=reason, message="It did."), batch_size=batch_size)
    request = FinishAttemptRequest(job_id=one.job_id, attempt=one.attempt, interrupted=told)
    return (await one.stub.FinishAttempt(request, timeout=30)).status


async def training(editor: Editor, stub: WorkerServiceStub, epochs: int = 1) -> ScriptedWorker:
    """A worker that has trained some epochs."""
    await make_job(editor)
    one = ScriptedWorker(stub)
    await one.acquire()
    await one.report(training_started(), *(epoch_complete(epoch) for epoch in range(1, epochs + 1)))
    return one


def stored(store_url: str) -> set[str]:
    folder = Path(urlsplit(store_url).path) / "trainer" / "sha256"
    return {path.name for path in folder.rglob("*") if path.is_file()}


async def until_stored(store_url: str, *contents: bytes) -> None:
    """Wait until the store holds these blobs and no others."""
    wanted = {hashlib.sha256(content).hexdigest() for content in contents}
    async with asyncio.timeout(30):
        while stored(store_url) != wanted:
            await asyncio.sleep(0.02)


async def test_the_newest_checkpoint_is_kept_and_the_older_ones_go(
    editor: Editor, worker: WorkerServiceStub, store_url: str
) -> None:
    one = await training(editor, worker, epochs=2)
    first, second = b"first" * 1000, b"second" * 1000
    await upload(one, 1, first)
    saved = await upload(one, 2, second)
    assert (saved.epoch, saved.attempt, saved.size_bytes) == (2, 1, 6000)
    # Sent again because the answer was lost, and one that was overtaken.
    assert await upload(one, 2, second) == saved
    assert await upload(one, 1, first) == saved
    job = await get_job(editor, one.job_id)
    assert job.checkpoint == saved
    events = [event for event in await list_events(editor, one.job_id) if event.HasField("checkpoint_saved")]
    assert [event.checkpoint_saved.epoch for event in events] == [1, 2]
    assert await download(one) == second
    assert await download(one, 5990) == second[5990:]
    await until_stored(store_url, second)


async def test_the_next_attempt_goes_on_from_it_and_the_one_before_is_refused(
    editor: Editor, worker: WorkerServiceStub, store_url: str
) -> None:
    one = await training(editor, worker, epochs=3)
    await upload(one, 3, b"of attempt 1")
    await one.release()
    two = ScriptedWorker(worker)
    job = await two.acquire()
    assert job is not None
    assert (job.checkpoint.epoch, job.checkpoint.attempt) == (3, 1)
    assert await download(two) == b"of attempt 1"
    for stale in (upload(one, 3, b"stale"), download(one)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stale
        assert from_rpc_error(caught.value).reason == "ATTEMPT_STALE"
    # It had to begin anew: what it saves counts, though the epoch is an earlier one.
    await two.report(training_started())
    assert (await upload(two, 1, b"of attempt 2")).epoch == 1
    await until_stored(store_url, b"of attempt 2")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sha256": "0" * 64}, "CHECKPOINT_DAMAGED"),
        ({"size_bytes": 3}, "CHECKPOINT_DAMAGED"),
        ({"size_bytes": 3000}, "CHECKPOINT_DAMAGED"),
        ({"sha256": "none"}, "INVALID_CHECKPOINT"),
        ({"epoch": 0}, "INVALID_CHECKPOINT"),
        ({"size_bytes": 0}, "INVALID_CHECKPOINT"),
        ({"size_bytes": 2**50}, "CHECKPOINT_TOO_LARGE"),
        ({"epoch": 3}, "EPOCH_NOT_REPORTED"),
        ({"attempt": 2}, "ATTEMPT_STALE"),
        ({"job_id": "01890a5d-ac96-774b-bcce-000000000001"}, "JOB_NOT_FOUND"),
    ],
)
async def test_what_is_not_what_it_says_is_refused_and_leaves_nothing(
    editor: Editor, worker: WorkerServiceStub, store_url: str, changes: dict[str, object], reason: str
) -> None:
    one = await training(editor, worker)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await upload(one, 1, b"x" * 2500, **changes)
    assert from_rpc_error(caught.value).reason == reason
    assert not (await get_job(editor, one.job_id)).HasField("checkpoint")
    await until_stored(store_url)


async def test_without_a_checkpoint_there_is_nothing_to_download(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    one = await training(editor, worker)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await download(one)
    assert from_rpc_error(caught.value).reason == "CHECKPOINT_NOT_FOUND"


@pytest.mark.parametrize("how", ["complete", "fail", "cancel and delete"])
async def test_it_goes_when_the_job_ends(
    editor: Editor, worker: WorkerServiceStub, store_url: str, how: str
) -> None:
    one = await training(editor, worker)
    await upload(one, 1, b"kept for a while")
    if how == "complete":
        await one.complete()
    elif how == "fail":
        await one.finish(failed=Failure(reason="INTERNAL"))
    else:
        await one.release()
        for _ in ("cancel", "delete"):
            await editor.DeleteJob(DeleteJobRequest(job_id=one.job_id))
    await until_stored(store_url)


async def test_an_interrupted_job_goes_on_with_the_batch_that_its_worker_names(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    one = await training(editor, worker)
    await upload(one, 1, b"state")
    for attempt, batch_size in ((1, 8), (2, 4)):
        if attempt == 2:
            await one.acquire()
        assert await interrupt(one, "OUT_OF_MEMORY", batch_size) == JobStatus.JOB_STATUS_PENDING
        assert await interrupt(one, "OUT_OF_MEMORY", batch_size) == JobStatus.JOB_STATUS_PENDING
    job = await one.acquire()
    assert job is not None
    assert (job.batch_size, job.config.batch_size, job.checkpoint.epoch) == (4, 16, 1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await interrupt(one, "OUT_OF_MEMORY", 4)
    assert from_rpc_error(caught.value).reason == "INVALID_OUTCOME"
    told = [event.retry for event in await list_events(editor, one.job_id) if event.HasField("retry")]
    assert [(retry.reason, retry.batch_size, retry.resume_epoch) for retry in told] == [
        ("OUT_OF_MEMORY", 8, 1),
        ("OUT_OF_MEMORY", 4, 1),
    ]


async def test_too_many_interruptions_without_a_checkpoint_end_the_job_with_the_reason_of_each(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    one = await training(editor, worker)
    # The fourth one saves a checkpoint, and the count begins anew.
    reasons = ["STALLED", "TRAINING_KILLED", "STALLED", "STALLED"]
    for number, reason in enumerate(reasons):
        if number == 3:
            await one.report(training_started(), epoch_complete(1))
            await upload(one, 1, b"state")
        assert await interrupt(one, reason) == JobStatus.JOB_STATUS_PENDING
        await one.acquire()
    for number in range(5):
        last = await interrupt(one, "STALLED" if number else "TRAINING_KILLED")
        assert (last == JobStatus.JOB_STATUS_FAILED) == (number == 4)
        if number < 4:
            await one.acquire()
    failure = (await get_job(editor, one.job_id)).failure
    assert failure.reason == "TOO_MANY_ATTEMPTS"
    assert "attempt 5: TRAINING_KILLED" in failure.message
    assert "attempt 9: STALLED" in failure.message
    assert "attempt 4" not in failure.message
