"""The queue under load: how long AcquireJob takes, and how soon an idle worker has a new job.

- acquire: N jobs wait and W workers poll: each takes a job, has it for about a second, completes it, and asks
  for the next.
- acquire, none fits: the same workers ask, and all jobs want a device that none of them has: the whole
  queue is searched in vain.
- new job: W workers wait in a long poll behind N jobs that do not fit them; from the moment at which a job
  comes into the queue until one of them has it.

Jobs are written by SQL, since making so many would take longer than measuring them. The API and the workers
run in this process, so the figures hold the workers' own work too.

    python -m benchmarks.queue [--jobs N] [--workers W] [--seconds S]
"""

import argparse
import asyncio
import contextlib
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import grpc
from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr

from annotateforge.api.trainer.v1.event_pb2 import TrainingComplete
from annotateforge.api.trainer.v1.worker_pb2 import Device, Worker
from annotateforge.api.trainer.v1.worker_service_pb2 import (
    AcquireJobRequest,
    FinishAttemptRequest,
    ReleaseAttemptRequest,
    Report,
    ReportEventsRequest,
    TrainingStarted,
)
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.local.nats import embedded_nats
from annotateforge.local.postgres import embedded_postgres
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.telemetry import configure_logging
from annotateforge.trainer.app import Settings, running
from benchmarks._blood_cells import SECRET, machine

ACQUIRE_GOAL, NEW_GOAL = 0.010, 0.200
PAUSE = 1.0
"""Mean seconds for which a worker has a job."""
ROUNDS = 8
WAIT = 3.0
"""Seconds of a long poll; those that get no job end with it."""
SETTLE = 1.0
"""Seconds until all of them wait."""

FILL = """
INSERT INTO trainer.jobs (
    id, name, description, task_type, config, dataset, device, priority, status, last_sequence, total_epochs,
    create_time
)
SELECT uuidv7(), 'queued', '', 'detect', '', '', $2, (random() * 20)::integer, 'pending', 1, 1, now()
FROM generate_series(1, $1)
"""


class OneWorker:
    """A worker that trains nothing."""

    def __init__(self, stub: WorkerServiceStub) -> None:
        self._stub = stub
        self._worker = Worker(id=str(new_id()), name="worker", devices=[Device(name="cpu")])
        self.job_id = ""
        self._attempt = 0

    async def acquire(self, wait: float) -> float:
        """Ask for a job; the seconds that it took."""
        held = Duration()
        held.FromMilliseconds(int(wait * 1000))
        before = time.perf_counter()
        answer = await self._stub.AcquireJob(AcquireJobRequest(worker=self._worker, wait=held), timeout=90)
        seconds = time.perf_counter() - before
        self.job_id = answer.assignment.job.id
        self._attempt = answer.assignment.attempt
        return seconds

    async def release(self) -> None:
        """Hand the job back."""
        await self._stub.ReleaseAttempt(ReleaseAttemptRequest(job_id=self.job_id, attempt=self._attempt))

    async def finish(self) -> None:
        """Complete the job."""
        started = Report(number=1, training_started=TrainingStarted(device="cpu"))
        await self._stub.ReportEvents(
            ReportEventsRequest(job_id=self.job_id, attempt=self._attempt, reports=[started])
        )
        done = TrainingComplete(model_id=str(new_id()))
        await self._stub.FinishAttempt(
            FinishAttemptRequest(job_id=self.job_id, attempt=self._attempt, completed=done)
        )


@contextlib.asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[str, grpc.aio.Channel]]:
    """The trainer API: the URL of its database, and a channel of a worker."""
    async with (
        embedded_postgres(folder / "postgres") as url,
        embedded_nats(folder / "nats") as nats_url,
    ):
        given: dict[str, Any] = {"dataset_address": "127.0.0.1:9", "registry_address": "127.0.0.1:9"}
        settings = Settings(database_url=url, nats_url=nats_url, secret=SecretStr(SECRET), **given)
        token = issue_token(SECRET, Role.WORKER, "benchmark", timedelta(days=1))
        async with (
            running(settings) as app,
            open_channel(app.address, lambda: token) as channel,
        ):
            yield url, channel


async def acquiring(stub: WorkerServiceStub, count: int, seconds: float) -> list[float]:
    """Seconds of every AcquireJob of so many workers, who wait in between as if they trained."""
    times: list[float] = []
    deadline = time.perf_counter() + seconds

    async def work() -> None:
        one = OneWorker(stub)
        await asyncio.sleep(random.uniform(0, PAUSE))
        while time.perf_counter() < deadline:
            times.append(await one.acquire(0))
            await asyncio.sleep(random.uniform(0.5, 1.5) * PAUSE)
            if one.job_id:
                await one.finish()

    await asyncio.gather(*(work() for _ in range(count)))
    return times


async def waking(stub: WorkerServiceStub, count: int, rounds: int) -> list[float]:
    """Seconds from when a job comes into the queue until one of so many waiting workers has it.

    It comes in by ReleaseAttempt, which wakes the queue as CreateJob does, without freezing a data set.
    """
    times = []
    holder = OneWorker(stub)
    await holder.acquire(0)
    for _ in range(rounds):
        waiting = [OneWorker(stub) for _ in range(count)]
        asked = [asyncio.create_task(one.acquire(WAIT)) for one in waiting]
        await asyncio.sleep(SETTLE)
        before = time.perf_counter()
        await holder.release()
        taken, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        times.append(time.perf_counter() - before)
        await asyncio.gather(*asked)
        (holder,) = [one for one in waiting if one.job_id]
        assert len(taken) >= 1
    await holder.finish()
    return times


async def measure(jobs: int, count: int, seconds: float) -> dict[str, list[float]]:
    """The times by what was measured."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    times: dict[str, list[float]] = {}
    try:
        async with service(folder) as (url, channel):
            stub = WorkerServiceStub(channel)
            connection = await asyncpg.connect(url)
            await connection.execute(FILL, jobs, "")
            await connection.execute("ANALYZE trainer.jobs")
            times["acquire"] = await acquiring(stub, count, seconds)
            await connection.execute("DELETE FROM trainer.jobs")
            await connection.execute(FILL, jobs, "7")
            await connection.execute("ANALYZE trainer.jobs")
            times["acquire, none fits"] = await acquiring(stub, count, seconds)
            await connection.execute(FILL, 1, "")
            times["new job"] = await waking(stub, count, ROUNDS)
            await connection.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    configure_logging("benchmark", "console", "error")
    times = asyncio.run(measure(given.jobs, given.workers, given.seconds))
    print(f"{given.jobs:,} jobs wait, {given.workers} workers poll")
    for name, taken in times.items():
        ordered = sorted(taken)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        goal = NEW_GOAL if name == "new job" else ACQUIRE_GOAL
        print(
            f"{name:20} p50 {statistics.median(taken) * 1000:7.1f} ms   p99 {p99 * 1000:7.1f} ms   "
            f"({len(taken)} times; goal: at most {goal * 1000:.0f} ms)"
        )
    print(machine())


if __name__ == "__main__":
    main()
