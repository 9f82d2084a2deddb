import grpc
import pytest

from annotateforge.api.trainer.v1.trainer_service_pb2 import ListJobsRequest, UpdateJobRequest
from annotateforge.api.trainer.v1.worker_pb2 import Device
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.rpc_status import from_rpc_error
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


@pytest.mark.parametrize("device", ["0,1", "0, 1"])
async def test_several_gpus_for_one_job_are_refused(editor: Editor, device: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await make_job(editor, device=device)
    error = from_rpc_error(caught.value)
    assert error.reason == "INVALID_JOB"
    assert "not supported" in error.violations[0].description
