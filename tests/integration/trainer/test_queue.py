import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from uuid import UUID

import grpc
import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2 import ListEventsRequest, UpdateJobRequest
from annotateforge.api.trainer.v1.worker_pb2 import GpuLoad, Load, Worker
from annotateforge.api.trainer.v1.worker_service_pb2 import AcquireJobRequest, HeartbeatRequest
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.auth import Role
from annotateforge.runtime.database import Connection, database
from annotateforge.runtime.errors import Code
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer import queue_store
from annotateforge.trainer.app import App, Settings, running
from annotateforge.trainer.placement import ANYTHING, Demand
from tests.integration.trainer.conftest import channel_to
from tests.integration.trainer.workers import (
    Editor,
    ScriptedWorker,
    epoch_complete,
    get_job,
    make_job,
    training_started,
)

MANY_THAT_FIT_NOBODY = """
INSERT INTO jobs (
    id, name, description, task_type, config, dataset, device, priority, status, last_sequence, total_epochs,
    create_time
)
SELECT uuidv7(), 'queued', '', 'detect', '', '', '7', 100, 'pending', 1, 1, now() FROM generate_series(1, $1)
"""


WITH_PRIORITIES = """
INSERT INTO jobs (
    id, name, description, task_type, config, dataset, device, priority, status, last_sequence, total_epochs,
    create_time, end_time
)
SELECT
    uuidv7(), 'queued', '', 'detect', '', '', '', priority, status::job_status, 1, 1, now(),
    CASE WHEN status = 'cancelled' THEN now() END
FROM unnest($1::integer[], $2::text[]) AS new (priority, status)
"""


async def pages_read(connection: Connection, query: str, *arguments: object) -> int:
    """Pages of tables and indexes that a query looks at."""
    rows = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", *arguments)
    plan = json.loads(rows)[0]["Plan"]
    pages: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return pages


@pytest.mark.parametrize("priorities", [1, 3, 200])
async def test_places_go_by_priority_then_age_for_whichever_jobs_are_asked(
    database_url: str, priorities: int
) -> None:
    chance = random.Random(priorities)
    rows = [(chance.randrange(priorities) - 100, chance.choice(["pending", "cancelled"])) for _ in range(200)]
    async with (
        database(database_url, "trainer", "annotateforge.trainer") as pool,
        pool.acquire() as connection,
    ):
        for priority, status in rows:
            # One by one, so that ids ascend.
            await connection.execute(WITH_PRIORITIES, [priority], [status])
        waiting = await connection.fetch("SELECT id, priority FROM jobs WHERE status = 'pending'")
        ordered = sorted(waiting, key=lambda row: (-row["priority"], row["id"]))
        places = {row["id"]: place for place, row in enumerate(ordered, 1)}
        everything = [row["id"] for row in await connection.fetch("SELECT id FROM jobs")]
        for count in (1, 2, 7, 50, 200):
            asked = chance.sample(everything, count)
            expected = {one: places[one] for one in asked if one in places}
            assert await queue_store.queue_positions(connection, asked) == expected


async def test_a_place_is_counted_once_through_the_queue_at_most(database_url: str) -> None:
    async with (
        database(database_url, "trainer", "annotateforge.trainer") as pool,
        pool.acquire() as connection,
    ):
        for priority in (1, 0):
            await connection.execute(WITH_PRIORITIES, [priority] * 2000, ["pending"] * 2000)
        # What was written is on the disk, so that vacuum believes it.
        await connection.execute("CHECKPOINT")
        await connection.execute("VACUUM ANALYZE jobs")
        query = queue_store.QUEUE_POSITIONS
        ordered = [
            row["id"] for row in await connection.fetch("SELECT id FROM jobs ORDER BY priority DESC, id")
        ]
        index = await connection.fetchval("SELECT pg_relation_size('jobs_queue') / 8192")
        assert await pages_read(connection, query, ordered[:1]) <= 12
        assert await pages_read(connection, query, ordered[-1:]) <= index + 12
        # Some pages of the index to find each of them, and not the queue for each.
        assert await pages_read(connection, query, ordered[::80]) <= index + 50 * 10


async def test_fifty_workers_share_two_hundred_jobs_and_each_is_taken_once(
    settings: Settings, trainer: App, editor: Editor, worker: WorkerServiceStub, secret: str
) -> None:
    taken: Counter[str] = Counter()

    async def work(stub: WorkerServiceStub, number: int) -> None:
        one = ScriptedWorker(stub, name=f"worker-{number}")
        while sum(taken.values()) < 200:
            job = await one.acquire(wait=1)
            if job is None:
                continue
            taken[job.id] += 1
            await one.report(training_started())
            assert await one.complete() == JobStatus.JOB_STATUS_COMPLETED

    # Two replicas of the API on one database.
    async with (
        running(settings) as other,
        channel_to(other.address, secret, Role.WORKER) as channel,
    ):
        stubs = (worker, WorkerServiceStub(channel))
        working = [asyncio.create_task(work(stubs[number % 2], number)) for number in range(50)]
        made = await asyncio.gather(*(make_job(editor) for _ in range(200)))
        await asyncio.gather(*working)
    assert taken == Counter(job.id for job in made)
    ended = await asyncio.gather(*(get_job(editor, job.id) for job in made))
    assert {(job.status, job.attempt) for job in ended} == {(JobStatus.JOB_STATUS_COMPLETED, 1)}


async def test_the_most_urgent_job_is_taken_first_and_among_equals_the_oldest(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    late = await make_job(editor, priority=-1)
    first = await make_job(editor)
    second = await make_job(editor)
    urgent = await make_job(editor)
    await editor.UpdateJob(UpdateJobRequest(job_id=urgent.id, priority=100))
    order = []
    for _ in range(4):
        one = ScriptedWorker(worker)
        await one.acquire()
        order.append(one.job_id)
    assert order == [urgent.id, first.id, second.id, late.id]


async def test_a_job_waits_for_a_worker_with_its_device(editor: Editor, worker: WorkerServiceStub) -> None:
    on_gpu = await make_job(editor, device="0")
    on_cpu = await make_job(editor, device="cpu")
    anywhere = await make_job(editor)
    cpu = ScriptedWorker(worker, devices=("cpu",))
    assert await cpu.acquire() is not None
    assert cpu.job_id == on_cpu.id
    gpu = ScriptedWorker(worker, devices=("0",))
    await gpu.acquire()
    assert gpu.job_id == on_gpu.id
    other = ScriptedWorker(worker, devices=("1",))
    await other.acquire()
    assert other.job_id == anywhere.id


async def test_a_job_for_whose_device_no_worker_is_there_says_so_at_once(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    await ScriptedWorker(worker, devices=("0", "cpu")).acquire()
    lost = await make_job(editor, device="7")
    served = await make_job(editor, device="0")
    events = (await editor.ListEvents(ListEventsRequest(job_id=lost.id))).events
    assert [event.WhichOneof("payload") for event in events] == ["status_change", "dataset_ready", "warning"]
    assert events[-1].warning.reason == "NO_WORKER_FOR_DEVICE"
    assert "0, cpu" in events[-1].warning.message
    events = (await editor.ListEvents(ListEventsRequest(job_id=served.id))).events
    assert [event.WhichOneof("payload") for event in events] == ["status_change", "dataset_ready"]


async def test_a_waiting_worker_is_woken_by_a_new_job_also_of_another_replica(
    settings: Settings, editor: Editor, secret: str
) -> None:
    async with (
        running(settings) as other,
        channel_to(other.address, secret, Role.WORKER) as channel,
    ):
        one = ScriptedWorker(WorkerServiceStub(channel))
        waiting = asyncio.create_task(one.acquire(wait=30))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        began = time.monotonic()
        job = await make_job(editor)
        taken = await asyncio.wait_for(waiting, 5)
        assert time.monotonic() - began < 1
        assert taken is not None
        assert taken.id == job.id


async def test_an_idle_worker_has_a_new_job_within_200_milliseconds_of_its_creation(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    waits = []
    for _ in range(5):
        one = ScriptedWorker(worker)
        waiting = asyncio.create_task(one.acquire(wait=30))
        await asyncio.sleep(0.2)
        await make_job(editor)
        job = await asyncio.wait_for(waiting, 20)
        assert job is not None
        waits.append(job.start_time.ToMilliseconds() - job.create_time.ToMilliseconds())
    # The best of some, since the machine may be busy: one that is not woken takes seconds each time.
    assert min(waits) < 200


async def test_a_worker_that_was_not_woken_looks_again_by_itself(
    settings: Settings, editor: Editor, database_url: str, secret: str
) -> None:
    """A wake-up that was lost: the job comes into the queue, and nobody tells of it."""
    fast = settings.model_copy(update={"lease_seconds": 1.0})
    job = await make_job(editor, device="7")
    async with (
        running(fast) as app,
        channel_to(app.address, secret, Role.WORKER) as channel,
        database(database_url, "trainer", "annotateforge.trainer") as pool,
    ):
        one = ScriptedWorker(WorkerServiceStub(channel))
        waiting = asyncio.create_task(one.acquire(wait=30))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await pool.execute("UPDATE jobs SET device = '' WHERE id = $1", UUID(job.id))
        taken = await asyncio.wait_for(waiting, 15)
        assert taken is not None
        assert taken.id == job.id


async def test_a_new_priority_wakes_a_worker_and_tells_the_new_place(
    settings: Settings, editor: Editor, worker: WorkerServiceStub, database_url: str
) -> None:
    jobs = [await make_job(editor, device="7") for _ in range(3)]
    raised = (await editor.UpdateJob(UpdateJobRequest(job_id=jobs[2].id, priority=5))).job
    assert raised.queue_position == 1
    assert (await get_job(editor, jobs[0].id)).queue_position == 2
    lowered = (await editor.UpdateJob(UpdateJobRequest(job_id=jobs[0].id, priority=-5))).job
    assert lowered.queue_position == 3

    waiting = asyncio.create_task(ScriptedWorker(worker).acquire(wait=30))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    async with database(database_url, "trainer", "annotateforge.trainer") as pool:
        await pool.execute("UPDATE jobs SET device = '' WHERE id = $1", UUID(jobs[1].id))
    await editor.UpdateJob(UpdateJobRequest(job_id=jobs[1].id, priority=1))
    # Sooner than it would have looked by itself.
    taken = await asyncio.wait_for(waiting, 8)
    assert taken is not None
    assert taken.id == jobs[1].id


async def test_a_long_queue_of_jobs_that_fit_nobody_is_not_searched(
    editor: Editor, database_url: str
) -> None:
    await make_job(editor)
    async with (
        database(database_url, "trainer", "annotateforge.trainer") as pool,
        pool.acquire() as connection,
    ):
        await connection.execute(MANY_THAT_FIT_NOBODY, 5000)
        await connection.execute("ANALYZE jobs")
        looked = await pages_read(connection, queue_store.LOOK, new_id())
        read = await pages_read(connection, queue_store.READ_NEXT, [""], [0], [0], [])
        whole = await pages_read(connection, "SELECT config FROM jobs WHERE status = 'pending'")
        view = await queue_store.look(connection, new_id())
    assert view.demands == (ANYTHING, Demand(device="7"))
    assert whole > 60
    assert looked < 30
    assert read < 30


async def test_a_worker_that_did_not_get_the_answer_is_given_the_same_attempt(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    await make_job(editor)
    await make_job(editor)
    one = ScriptedWorker(worker)
    first = await one.acquire()
    again = await one.acquire()
    assert first is not None
    assert again is not None
    assert (again.id, again.attempt, again.last_sequence) == (first.id, first.attempt, first.last_sequence)

    await one.report(training_started())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one.acquire()
    error = from_rpc_error(caught.value)
    assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "WORKER_BUSY")


async def test_the_next_attempt_is_told_how_long_the_former_ones_trained(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    await make_job(editor)
    first, idle, last = ScriptedWorker(worker), ScriptedWorker(worker), ScriptedWorker(worker)
    await first.acquire()
    assert first.trained_seconds == 0
    await asyncio.sleep(0.5)
    began = time.monotonic()
    await first.report(training_started())
    await asyncio.sleep(0.5)
    await first.release()
    trained = time.monotonic() - began
    await idle.acquire()
    assert 0.5 <= idle.trained_seconds <= trained
    await asyncio.sleep(0.5)
    # Never began to train.
    await idle.release()
    await last.acquire()
    assert idle.trained_seconds <= last.trained_seconds < idle.trained_seconds + 0.4


async def test_the_time_for_which_all_was_off_does_not_count_as_trained(
    database_url: str, editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor, max_hours=10)
    first, second, last = ScriptedWorker(worker), ScriptedWorker(worker), ScriptedWorker(worker)

    async def ends_and_that_is_noticed_after_a_night(one: ScriptedWorker) -> None:
        await one.release()
        async with database(database_url, "trainer", "annotateforge.trainer") as pool:
            later = "UPDATE attempts SET end_time = end_time + interval '14 hours' WHERE job_id = $1"
            await pool.execute(f"{later} AND number = $2", UUID(job.id), one.attempt)

    await first.acquire()
    await first.report(training_started())
    await ends_and_that_is_noticed_after_a_night(first)
    await second.acquire()
    assert second.trained_seconds <= queue_store.MOST_LOST_SECONDS
    await second.report(training_started())
    await second.report(epoch_complete(1, epoch_seconds=100, training_seconds=3600))
    await ends_and_that_is_noticed_after_a_night(second)
    await last.acquire()
    assert 3600 <= last.trained_seconds <= 3700


async def test_one_worker_that_asks_twice_at_once_is_given_one_job(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    for _ in range(5):
        await make_job(editor)
    one = ScriptedWorker(worker)
    jobs = await asyncio.gather(*(one.acquire() for _ in range(10)))
    assert len({job.id for job in jobs if job is not None}) == 1


async def test_asking_ends_without_a_job_when_the_time_is_over(worker: WorkerServiceStub) -> None:
    began = time.monotonic()
    assert await ScriptedWorker(worker).acquire(wait=0.3) is None
    assert 0.3 <= time.monotonic() - began < 3


async def test_a_server_that_stops_lets_waiting_workers_go(settings: Settings, secret: str) -> None:
    server = contextlib.AsyncExitStack()
    app = await server.enter_async_context(running(settings))
    async with channel_to(app.address, secret, Role.WORKER) as channel:
        waiting = asyncio.create_task(ScriptedWorker(WorkerServiceStub(channel)).acquire(wait=30))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await server.aclose()
        assert time.monotonic() - began < 3
        assert await waiting is None


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        (Worker(name="a"), "INVALID_ID"),
        (Worker(id="1", name="a"), "INVALID_ID"),
        (Worker(id="00000000-0000-0000-0000-000000000001"), "INVALID_WORKER"),
        (Worker(id="00000000-0000-0000-0000-000000000001", name="n" * 201), "INVALID_WORKER"),
    ],
)
async def test_a_worker_that_does_not_say_who_it_is_is_refused(
    worker: WorkerServiceStub, described: Worker, reason: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await worker.AcquireJob(AcquireJobRequest(worker=described))
    assert from_rpc_error(caught.value).reason == reason


@pytest.mark.parametrize(
    ("gpus", "field"),
    [
        ([GpuLoad(name="0")] * 65, "gpus"),
        ([GpuLoad(name="0"), GpuLoad(name="n" * 101)], "gpus[1].name"),
        ([GpuLoad(name="0", memory_used_bytes=-1)], "gpus[0].memory_used_bytes"),
        ([GpuLoad()], "gpus[0].name"),
    ],
)
async def test_a_load_of_more_than_a_machine_has_is_refused_when_a_worker_asks_and_at_each_heartbeat(
    worker: WorkerServiceStub, gpus: list[GpuLoad], field: str
) -> None:
    who, load = "00000000-0000-0000-0000-000000000001", Load(gpus=gpus)
    with pytest.raises(grpc.aio.AioRpcError) as asked:
        await worker.AcquireJob(AcquireJobRequest(worker=Worker(id=who, name="a", load=load)))
    with pytest.raises(grpc.aio.AioRpcError) as beaten:
        await worker.Heartbeat(HeartbeatRequest(worker_id=who, job_id=who, attempt=1, load=load))
    for caught, path in ((asked, f"worker.load.{field}"), (beaten, f"load.{field}")):
        error = from_rpc_error(caught.value)
        assert error.reason == "INVALID_WORKER"
        assert [violation.field for violation in error.violations] == [path]


async def test_an_editor_cannot_pose_as_a_worker(trainer: App, secret: str) -> None:
    async with channel_to(trainer.address, secret, Role.ADMIN) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ScriptedWorker(WorkerServiceStub(channel)).acquire()
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
