"""Many workers and people do what they like at once; whatever comes of it, every job's history is whole."""

import asyncio
import contextlib
import random
from itertools import pairwise

import grpc
import pytest

from annotateforge.api.trainer.v1.event_pb2 import Warning
from annotateforge.api.trainer.v1.job_pb2 import Failure, Job
from annotateforge.api.trainer.v1.trainer_service_pb2 import (
    CancelJobRequest,
    ListEpochsRequest,
    ListJobsRequest,
    RestartJobRequest,
    UpdateJobRequest,
    WatchJobRequest,
)
from annotateforge.api.trainer.v1.worker_service_pb2 import AttemptCancelled, Report
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.errors import Code
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.app import Settings
from annotateforge.trainer.status import TRANSITIONS, status_of
from tests.integration.trainer.workers import (
    Editor,
    ScriptedWorker,
    epoch_complete,
    epoch_start,
    list_events,
    make_job,
    progress,
    training_started,
)

SECONDS = 4.0
EXPECTED = {Code.ABORTED, Code.FAILED_PRECONDITION}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"lease_seconds": 0.5, "max_attempts": 3})


@pytest.mark.parametrize("seed", range(3))
async def test_every_history_is_whole_whatever_happens_at_once(
    editor: Editor, worker: WorkerServiceStub, seed: int
) -> None:
    chance = random.Random(seed)
    jobs = [await make_job(editor) for _ in range(5)]
    watching = [asyncio.create_task(_watch(editor, job.id)) for job in jobs]
    end = asyncio.get_running_loop().time() + SECONDS
    async with asyncio.TaskGroup() as tasks:
        for _ in range(6):
            tasks.create_task(_work(worker, random.Random(chance.random()), end))
        for _ in range(2):
            tasks.create_task(_meddle(editor, random.Random(chance.random()), end))
    for job in (await editor.ListJobs(ListJobsRequest(page_size=1000))).jobs:
        await _check(editor, job)
        # It may have ended just now. Otherwise it can be ended, for the lease of a lost worker runs out.
        with contextlib.suppress(grpc.aio.AioRpcError):
            await editor.CancelJob(CancelJobRequest(job_id=job.id))
    async with asyncio.timeout(15):
        seen = await asyncio.gather(*watching)
    for job, sequences in zip(jobs, seen, strict=True):
        assert sequences == [event.sequence for event in await list_events(editor, job.id)]


async def _work(stub: WorkerServiceStub, chance: random.Random, end: float) -> None:
    one = ScriptedWorker(stub)
    while asyncio.get_running_loop().time() < end:
        try:
            if one.job is None and await one.acquire(wait=0.1) is None:
                continue
            if await _act(one, chance):
                # It is done, or was lost and another one takes its place.
                one = ScriptedWorker(stub)
        except grpc.aio.AioRpcError as error:
            if from_rpc_error(error).code not in EXPECTED:
                raise
            one = ScriptedWorker(stub)


async def _act(one: ScriptedWorker, chance: random.Random) -> bool:
    """Do something at random; true when the attempt is over for this worker."""
    epoch = chance.randint(1, 3)
    match chance.choices(range(9), [6, 6, 6, 4, 3, 2, 1, 1, 1])[0]:
        case 0:
            await one.report(training_started() if one.number == 0 else epoch_start(epoch))
        case 1:
            await one.report(*([epoch_complete(epoch)] if one.number else [training_started()]))
        case 2:
            again = Report(number=max(1, one.number), warning=Warning(reason="AGAIN"))
            await one.send(again, progress(epoch))
            one.number = max(1, one.number)
        case 3:
            await one.heartbeat(wait=chance.choice([0, 0.1]))
        case 4:
            await asyncio.sleep(chance.random() * 0.6)
        case 5:
            await one.complete()
            return True
        case 6:
            await one.finish(failed=Failure(reason="OUT_OF_MEMORY"))
            return True
        case 7:
            await one.release()
            return True
        case _:
            await one.finish(cancelled=AttemptCancelled())
            return True
    return chance.random() < 0.02


async def _meddle(editor: Editor, chance: random.Random, end: float) -> None:
    while asyncio.get_running_loop().time() < end:
        await asyncio.sleep(chance.random() * 0.3)
        jobs = (await editor.ListJobs(ListJobsRequest(page_size=1000))).jobs
        job = chance.choice(jobs)
        try:
            match chance.randint(0, 3):
                case 0:
                    await editor.CancelJob(CancelJobRequest(job_id=job.id))
                case 1 if len(jobs) < 30:
                    await editor.RestartJob(RestartJobRequest(job_id=job.id))
                case 2:
                    await editor.UpdateJob(UpdateJobRequest(job_id=job.id, priority=chance.randint(-9, 9)))
                case _:
                    await make_job(editor)
        except grpc.aio.AioRpcError as error:
            if from_rpc_error(error).code not in EXPECTED:
                raise


async def _check(editor: Editor, job: Job) -> None:
    events = await list_events(editor, job.id)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert len(events) >= job.last_sequence
    assert [event.time.ToNanoseconds() for event in events] == sorted(
        event.time.ToNanoseconds() for event in events
    )
    changes = [event.status_change for event in events if event.HasField("status_change")]
    statuses = [status_of(change.status) for change in changes]
    for before, after in pairwise(statuses):
        assert before is not None
        assert after in TRANSITIONS[before]
    assert [change.previous_status for change in changes[1:]] == [change.status for change in changes[:-1]]
    final = [number for number, status in enumerate(statuses) if status is not None and status.final]
    assert final in ([], [len(statuses) - 1])
    if final:
        assert events[-1].HasField("status_change")
    attempts = [event.attempt for event in events if event.attempt]
    assert attempts == sorted(attempts)
    epochs = (await editor.ListEpochs(ListEpochsRequest(job_id=job.id))).epochs
    assert len({epoch.epoch for epoch in epochs}) == len(epochs)


async def _watch(editor: Editor, job_id: str) -> list[int]:
    request = WatchJobRequest(job_id=job_id)
    return [answer.event.sequence async for answer in editor.WatchJob(request) if answer.event.sequence]
