import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import grpc
import pytest
from structlog.testing import capture_logs

from annotateforge.api.trainer.v1.event_pb2 import JobEvent
from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.api.trainer.v1.trainer_service_pb2 import (
    CancelJobRequest,
    DeleteJobRequest,
    WatchJobRequest,
)
from annotateforge.api.trainer.v1.worker_service_pb2 import Directive
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.local.nats import embedded_nats
from annotateforge.runtime.auth import Role
from annotateforge.runtime.bus import connect_bus
from annotateforge.runtime.database import Connection, Pool, open_pool
from annotateforge.runtime.errors import Code
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.runtime.subjects import job_progress
from annotateforge.trainer import store
from annotateforge.trainer.app import SCHEMA, App, Settings, running
from annotateforge.trainer.watch import Watches
from tests.integration.trainer.conftest import channel_to
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


@pytest.fixture
async def pool(trainer: App, database_url: str) -> AsyncIterator[Pool]:
    """The trainer's tables beside its process, to change what nobody tells of."""
    pool = await open_pool(database_url, SCHEMA)
    yield pool
    await pool.close()


async def watch(editor: Editor, job_id: str, after: int = 0) -> list[JobEvent]:
    """All events until the stream ends."""
    request = WatchJobRequest(job_id=job_id, after=after)
    return [answer.event async for answer in editor.WatchJob(request)]


def stored(events: list[JobEvent]) -> list[int]:
    return [event.sequence for event in events if event.sequence]


async def test_many_watchers_see_the_same_and_end_with_the_job(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    watching = [asyncio.create_task(watch(editor, job.id, after)) for after in [0, 1, 2] * 20]
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.train()
    async with asyncio.timeout(10):
        seen = await asyncio.gather(*watching)
    last = len(await list_events(editor, job.id))
    assert [stored(events) for events in seen] == [
        list(range(after + 1, last + 1)) for after in [0, 1, 2] * 20
    ]


async def test_progress_is_seen_live_and_never_replayed(editor: Editor, worker: WorkerServiceStub) -> None:
    job = await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.report(training_started())
    live: list[JobEvent] = []
    told = asyncio.Event()

    async def follow() -> None:
        async for answer in editor.WatchJob(WatchJobRequest(job_id=job.id)):
            live.append(answer.event)
            if answer.event.HasField("progress"):
                told.set()

    watching = asyncio.create_task(follow())
    async with asyncio.timeout(10):
        while not told.is_set():
            await one.send(progress(1))
            await asyncio.sleep(0.05)
    heard = next(event for event in live if event.HasField("progress"))
    assert (heard.sequence, heard.attempt, heard.job_id, heard.progress.total_epochs) == (0, 1, job.id, 3)
    await one.complete()
    await asyncio.wait_for(watching, 10)
    assert all(event.sequence for event in await watch(editor, job.id))


async def test_what_makes_no_sense_does_not_keep_a_watcher_from_hearing_the_rest(
    editor: Editor, worker: WorkerServiceStub, nats_url: str
) -> None:
    job = await make_job(editor)
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.report(training_started())
    heard = asyncio.Event()

    async def follow() -> None:
        async for answer in editor.WatchJob(WatchJobRequest(job_id=job.id)):
            if answer.event.HasField("progress"):
                heard.set()

    async def until_heard() -> None:
        heard.clear()
        while not heard.is_set():
            await one.send(progress(1))
            await asyncio.sleep(0.05)

    watching = asyncio.create_task(follow())
    async with asyncio.timeout(10), connect_bus(nats_url, "odd") as bus:
        await until_heard()
        await bus.tell(job_progress(job.id), b"\xff no event")
        await asyncio.sleep(0.2)
        await until_heard()
        await one.complete()
        await watching


async def test_a_watcher_that_reconnects_after_every_event_misses_and_repeats_nothing(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    one = ScriptedWorker(worker)

    async def work() -> None:
        await one.acquire()
        await one.train()

    working = asyncio.create_task(work())
    seen: list[JobEvent] = []
    async with asyncio.timeout(20):
        while not seen or seen[-1].status_change.status != JobStatus.JOB_STATUS_COMPLETED:
            call = editor.WatchJob(WatchJobRequest(job_id=job.id, after=len(seen)))
            async for answer in call:
                if answer.event.sequence:
                    seen.append(answer.event)
                    break
            call.cancel()
    await working
    assert seen == await list_events(editor, job.id)


async def test_watching_a_job_that_has_ended_replays_and_ends(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    await editor.CancelJob(CancelJobRequest(job_id=job.id))
    assert stored(await watch(editor, job.id)) == [1, 2, 3]
    assert stored(await watch(editor, job.id, after=2)) == [3]
    assert await watch(editor, job.id, after=3) == []


async def test_a_sequence_that_is_not_there_yet_is_refused(editor: Editor) -> None:
    job = await make_job(editor)
    for after, code, reason in (
        (3, Code.OUT_OF_RANGE, "SEQUENCE_AHEAD"),
        (-1, Code.INVALID_ARGUMENT, "INVALID_AFTER"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch(editor, job.id, after)
        error = from_rpc_error(caught.value)
        assert (error.code, error.reason) == (code, reason)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watch(editor, str(new_id()))
    assert from_rpc_error(caught.value).reason == "JOB_NOT_FOUND"


async def test_a_server_that_stops_ends_watches_with_a_code_to_try_again(
    settings: Settings, secret: str, project_id: str
) -> None:
    server = contextlib.AsyncExitStack()
    app = await server.enter_async_context(running(settings))
    async with channel_to(app.address, secret, Role.EDITOR) as channel:
        editor = Editor(channel, project_id)
        job = await make_job(editor)
        call = editor.WatchJob(WatchJobRequest(job_id=job.id))
        first = await anext(aiter(call))
        assert first.event.sequence == 1
        began = time.monotonic()
        await server.aclose()
        assert time.monotonic() - began < 3
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in call:
                pass
        assert from_rpc_error(caught.value).code is Code.UNAVAILABLE


async def test_a_job_that_is_deleted_while_it_is_watched_ends_the_watch(
    editor: Editor, worker: WorkerServiceStub
) -> None:
    job = await make_job(editor)
    events = aiter(editor.WatchJob(WatchJobRequest(job_id=job.id)))
    async with asyncio.timeout(10):
        seen = [(await anext(events)).event for _ in range(2)]
        await editor.CancelJob(CancelJobRequest(job_id=job.id))
        await editor.DeleteJob(DeleteJobRequest(job_id=job.id))
        seen += [answer.event async for answer in events]
    assert stored(seen) == [1, 2, 3]


async def test_watchers_hear_of_what_nats_did_not_bring_also_after_a_failure_of_any_kind(
    pool: Pool, nats_url: str, editor: Editor
) -> None:
    job = await make_job(editor)
    async with connect_bus(nats_url, "watch") as bus:
        watches = Watches(pool, bus)
        async with watches.comparing(), contextlib.aclosing(watches.watch(UUID(job.id), 0)) as events:
            assert (await anext(events)).sequence == 1
            assert (await anext(events)).sequence == 2
            await pool.execute("ALTER TABLE jobs RENAME COLUMN last_sequence TO newest_sequence")
            with capture_logs() as logs:
                async with asyncio.timeout(15):
                    while not any(entry["event"] == "watches cannot be compared" for entry in logs):
                        await asyncio.sleep(0.05)
            await pool.execute("ALTER TABLE jobs RENAME COLUMN newest_sequence TO last_sequence")
            # Nobody tells of this one.
            silent = JobEvent(sequence=3, job_id=job.id)
            silent.warning.reason = "SILENT"
            await pool.execute(
                "INSERT INTO events (job_id, sequence, attempt, time, kind, message)"
                " VALUES ($1, 3, 0, now(), 'warning', $2)",
                UUID(job.id),
                silent.SerializeToString(),
            )
            await pool.execute("UPDATE jobs SET last_sequence = 3 WHERE id = $1", UUID(job.id))
            async with asyncio.timeout(15):
                assert (await anext(events)).warning.reason == "SILENT"


async def test_a_watch_that_begins_while_others_are_compared_goes_on(
    pool: Pool, nats_url: str, editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await make_job(editor), await make_job(editor)
    comparing, may_answer = asyncio.Event(), asyncio.Event()
    last_sequences = store.last_sequences

    async def slowly(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, int]:
        found = await last_sequences(connection, job_ids)
        comparing.set()
        await may_answer.wait()
        return found

    async with connect_bus(nats_url, "watch") as bus, asyncio.timeout(20):
        watches = Watches(pool, bus)
        monkeypatch.setattr(store, "last_sequences", slowly)
        async with (
            watches.comparing(),
            contextlib.aclosing(watches.watch(UUID(first.id), 0)) as of_first,
            contextlib.aclosing(watches.watch(UUID(second.id), 0)) as of_second,
        ):
            await anext(of_first)
            await comparing.wait()
            assert [(await anext(of_second)).sequence for _ in range(2)] == [1, 2]
            further = asyncio.ensure_future(anext(of_second))
            may_answer.set()
            await asyncio.sleep(0.3)
            assert not further.done()
            await editor.CancelJob(CancelJobRequest(job_id=second.id))
            assert (await further).sequence == 3


@pytest.fixture
async def own_nats(tmp_path: Path) -> AsyncIterator["OwnNats"]:
    nats = OwnNats(tmp_path / "own-nats")
    await nats.start()
    yield nats
    await nats.stop()


class OwnNats:
    """A NATS server that a test may stop and start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._running = contextlib.AsyncExitStack()
        self.url = ""

    async def start(self) -> None:
        port = urlsplit(self.url).port or 0
        self.url = await self._running.enter_async_context(embedded_nats(self._path, port))

    async def stop(self) -> None:
        await self._running.aclose()


class TestWithoutNats:
    """Postgres decides: without NATS everything goes on, a little later."""

    @pytest.fixture
    def settings(self, settings: Settings, own_nats: OwnNats) -> Settings:
        return settings.model_copy(update={"nats_url": own_nats.url})

    async def test_a_watcher_sees_all_of_a_training_while_nats_is_away_and_back_again(
        self, editor: Editor, worker: WorkerServiceStub, own_nats: OwnNats
    ) -> None:
        job = await make_job(editor)
        one = ScriptedWorker(worker)
        watching = asyncio.create_task(watch(editor, job.id))
        await one.acquire()
        await one.report(training_started(), epoch_start(1))
        await own_nats.stop()
        await one.report(epoch_complete(1), epoch_start(2))
        await one.report(progress(2))
        async with asyncio.timeout(10):
            assert stored(await watch_until(editor, job.id, 7)) == list(range(1, 8))
        await own_nats.start()
        await one.report(epoch_complete(2), epoch_start(3), epoch_complete(3))
        await one.complete()
        async with asyncio.timeout(20):
            events = await watching
        assert stored(events) == list(range(1, 13))

    async def test_jobs_are_made_taken_cancelled_and_finished_without_nats(
        self, editor: Editor, worker: WorkerServiceStub, own_nats: OwnNats
    ) -> None:
        await own_nats.stop()
        one = ScriptedWorker(worker)
        waiting = asyncio.create_task(one.acquire(wait=20))
        await asyncio.sleep(0.1)
        job = await make_job(editor)
        # Within one process no NATS is needed to wake those who wait.
        assert await asyncio.wait_for(waiting, 3) is not None
        watching = asyncio.create_task(watch(editor, job.id))
        held = asyncio.create_task(one.heartbeat(wait=4))
        await editor.CancelJob(CancelJobRequest(job_id=job.id))
        assert await asyncio.wait_for(held, 6) == Directive.DIRECTIVE_CANCEL
        await one.release()
        async with asyncio.timeout(10):
            assert stored(await watching) == [1, 2, 3, 4]


async def watch_until(editor: Editor, job_id: str, sequence: int) -> list[JobEvent]:
    """Events until one has a sequence."""
    seen: list[JobEvent] = []
    call = editor.WatchJob(WatchJobRequest(job_id=job_id))
    async for answer in call:
        seen.append(answer.event)
        if answer.event.sequence == sequence:
            break
    call.cancel()
    return seen
