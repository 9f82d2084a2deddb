import asyncio

import pytest

from annotateforge.api.trainer.v1.trainer_service_pb2 import (
    CancelJobRequest,
    ListJobsRequest,
    UpdateJobRequest,
)
from annotateforge.api.trainer.v1.worker_pb2 import Device
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from tests.integration.trainer.workers import Editor, ScriptedWorker, get_job, list_events, make_job

GB = 10**9
CPU = Device(name="cpu", memory_bytes=64 * GB)


async def taken_by(worker: WorkerServiceStub, *devices: Device) -> str:
    """The job that a worker with these devices is given; empty for none."""
    job = await ScriptedWorker(worker, offered=devices).acquire()
    return "" if job is None else job.id


async def test_a_job_goes_to_a_gpu_with_the_memory_that_it_asks_for(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    large = await make_job(editor, min_gpu_memory=24)
    some = await make_job(editor, gpus=1)
    named = await make_job(editor, device="0", min_gpu_memory=24)
    assert (large.config.gpus, some.config.gpus) == (1, 1)
    assert await taken_by(worker, CPU) == ""
    assert await taken_by(worker, Device(name="0", memory_bytes=16 * GB), CPU) == some.id
    assert await taken_by(worker, Device(name="0", memory_bytes=16 * GB)) == ""
    # A card that is sold with 24 GB: 24,564 MiB.
    card = 24564 * 1024**2
    assert await taken_by(worker, Device(name="1", memory_bytes=card)) == large.id
    assert await taken_by(worker, Device(name="1", memory_bytes=card)) == ""
    assert await taken_by(worker, Device(name="0", memory_bytes=card)) == named.id


async def test_a_gpu_that_others_use_gets_no_job_and_its_worker_does_not_fall_back_to_the_processor(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    anywhere = await make_job(editor)
    on_cpu = await make_job(editor, device="cpu")
    await make_job(editor, device="0")
    busy = Device(name="0", memory_bytes=24 * GB, busy=True)
    assert await taken_by(worker, busy) == ""
    assert await taken_by(worker, busy, CPU) == on_cpu.id
    assert await taken_by(worker, busy, CPU) == ""
    assert await taken_by(worker, busy, Device(name="1", memory_bytes=24 * GB)) == anywhere.id


async def test_waiting_jobs_have_a_place_in_the_queue(editor: Editor, worker: WorkerServiceStub) -> None:
    first, second, third = [await make_job(editor) for _ in range(3)]
    assert [job.queue_position for job in (first, second, third)] == [1, 2, 3]
    moved = await editor.UpdateJob(UpdateJobRequest(job_id=third.id, priority=5))
    assert moved.job.queue_position == 1
    listed = (await editor.ListJobs(ListJobsRequest())).jobs
    assert {job.id: job.queue_position for job in listed} == {third.id: 1, first.id: 2, second.id: 3}
    assert await taken_by(worker, CPU) == third.id
    assert not (await get_job(editor, third.id)).HasField("queue_position")
    assert (await get_job(editor, second.id)).queue_position == 2


async def test_a_job_that_no_worker_has_the_memory_for_says_so(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    await ScriptedWorker(worker, offered=[Device(name="0", memory_bytes=16 * GB)]).acquire()
    job = await make_job(editor, min_gpu_memory=80)
    warning = (await list_events(editor, job.id))[-1].warning
    assert warning.reason == "NO_WORKER_FOR_DEVICE"
    assert "80 GB" in warning.message
    assert "0 (16 GB)" in warning.message


def gpu(name: str, size: int = 24, *, busy: bool = False, in_use: bool = False) -> Device:
    return Device(name=name, memory_bytes=size * GB, busy=busy, in_use=in_use)


async def test_a_job_for_several_gpus_goes_to_a_worker_that_has_them_all_free(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    two = await make_job(editor, gpus=2)
    large = await make_job(editor, gpus=2, min_gpu_memory=40)
    named = await make_job(editor, device="0, 2")
    assert named.config.device == "0,2"
    assert await taken_by(worker, gpu("0")) == ""
    assert await taken_by(worker, gpu("0"), gpu("1", busy=True), CPU) == ""
    assert await taken_by(worker, gpu("0", 48), gpu("1"), gpu("3")) == two.id
    assert await taken_by(worker, gpu("0", 48), gpu("1")) == ""
    assert await taken_by(worker, gpu("0"), gpu("1", 48), gpu("3", 80)) == large.id
    assert await taken_by(worker, gpu("0"), gpu("1"), gpu("2")) == named.id


async def test_devices_are_kept_for_a_job_that_waits_for_several_and_is_next(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    first = await make_job(editor, gpus=1)
    two = await make_job(editor, gpus=2)
    last = await make_job(editor, gpus=1)
    urgent = await make_job(editor, gpus=1, priority=1)
    half = (gpu("0", in_use=True), gpu("1"))
    # What comes before it in the queue is not held up, nor are workers that could never take it.
    assert await taken_by(worker, *half) == urgent.id
    assert await taken_by(worker, *half) == first.id
    assert await taken_by(worker, *half) == ""
    assert await taken_by(worker, gpu("0")) == last.id
    assert await taken_by(worker, gpu("0"), gpu("1")) == two.id


@pytest.mark.parametrize("what", ["cancelled", "put last", "taken by another worker"])
async def test_devices_that_were_kept_are_free_for_others_as_soon_as_the_large_job_waits_no_longer(
    editor: Editor, worker: WorkerServiceStub, what: str
) -> None:
    two = await make_job(editor, gpus=2)
    small = await make_job(editor, gpus=1)
    keeping = ScriptedWorker(worker, offered=[gpu("0", in_use=True), gpu("1")])
    waiting = asyncio.create_task(keeping.acquire(wait=30))
    # It has looked, and found what it keeps its GPU for.
    await asyncio.sleep(0.5)
    assert not waiting.done()
    if what == "cancelled":
        await editor.CancelJob(CancelJobRequest(job_id=two.id))
    elif what == "put last":
        await editor.UpdateJob(UpdateJobRequest(job_id=two.id, priority=-1))
    else:
        assert await taken_by(worker, gpu("0"), gpu("1")) == two.id
    # Long before it looks again by itself.
    taken = await asyncio.wait_for(waiting, 5)
    assert taken is not None
    assert taken.id == small.id


async def test_a_job_for_more_gpus_than_any_worker_has_says_so(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    await ScriptedWorker(worker, offered=[gpu("0"), gpu("1"), CPU]).acquire()
    served = await make_job(editor, gpus=2)
    assert not (await list_events(editor, served.id))[-1].HasField("warning")
    job = await make_job(editor, gpus=3, min_gpu_memory=20)
    warning = (await list_events(editor, job.id))[-1].warning
    assert warning.reason == "NO_WORKER_FOR_DEVICE"
    assert "3 GPUs with 20 GB of memory each" in warning.message
    assert "0 (24 GB), 1 (24 GB), cpu" in warning.message
    assert (await get_job(editor, job.id)).queue_position == 2
