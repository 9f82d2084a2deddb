"""The queue under load: how long AcquireJob takes, and how soon an idle worker has a new job.

W workers ask for jobs; each has one for about a second, completes it by two more calls, and asks again.

- claims: N jobs wait, and any of them fits.
- claims behind others: N jobs wait that fit, behind N more urgent ones that fit no worker.
- empty polls: N jobs wait, and none fits: the answer is none.
- new job: all workers wait in a long poll behind N jobs that do not fit them; from the moment at which a job
  comes into the queue until one of them has it.
- reads: one client reads the job that is last of the N, and pages of the newest jobs, each with its place in
  the queue; "unsettled" before vacuum has seen them, as in the first minute after so many were made.

Each is told as the client sees it, and as the server measured it by itself (the `duration_ms` of its log
lines). In between, in the same Postgres, the same number of clients in the same rhythm take jobs from a bare
table of N rows by one statement (`update … where id = (select … for update skip locked)`), which is the least
that a queue can cost; and the same number of clients call the health check, which does nothing: what that
takes is gRPC's and the client's own share.

The trainer API, Postgres and NATS are processes of their own; the workers are tasks of this one. Jobs are
written by SQL, since making so many would take longer than measuring them.

    python -m benchmarks.queue [--jobs N] [--workers W] [--seconds S] [--rounds R]
"""

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import orjson
import psutil
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc

from annotateforge.api.trainer.v1.event_pb2 import TrainingComplete
from annotateforge.api.trainer.v1.trainer_service_pb2 import GetJobRequest, ListJobsRequest
from annotateforge.api.trainer.v1.trainer_service_pb2_grpc import TrainerServiceStub
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
from annotateforge.local.service import ServiceProgram, service_process
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.ids import new_id
from benchmarks._blood_cells import SECRET, machine

ACQUIRE_GOAL, NEW_GOAL, READ_GOAL = 10.0, 200.0, 5.0
"""Milliseconds, of the 99th percentile."""
PAUSE = 1.0
"""Mean seconds for which a worker has a job."""
WAKINGS = 8
READS = 200
PAGE = 50
WAIT = 3.0
"""Seconds of a long poll; those that get no job end with it."""
WARM_UP = 3.0
"""Seconds that are not counted."""
SETTLE = 1.0
"""Seconds until all of them wait."""

FILL = """
INSERT INTO trainer.jobs (
    id, name, description, task_type, config, dataset, device, priority, status, last_sequence, total_epochs,
    create_time
)
SELECT uuidv7(), 'queued', '', 'detect', '', '', $2, $3 + (random() * 20)::integer, 'pending', 1, 1, now()
FROM generate_series(1, $1)
"""
LAST_IN_QUEUE = "SELECT id FROM trainer.jobs WHERE status = 'pending' ORDER BY priority, id DESC LIMIT 1"
BARE = """
CREATE TABLE bare_jobs (id uuid PRIMARY KEY, priority integer NOT NULL, status text NOT NULL);
CREATE INDEX bare_queue ON bare_jobs (priority DESC, id) WHERE status = 'pending';
"""
FILL_BARE = """
INSERT INTO bare_jobs SELECT uuidv7(), (random() * 20)::integer, 'pending' FROM generate_series(1, $1)
"""
CLAIM_BARE = """
UPDATE bare_jobs SET status = 'taken'
WHERE id = (
    SELECT id FROM bare_jobs WHERE status = 'pending'
    ORDER BY priority DESC, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id
"""


class OneWorker:
    """A worker that trains nothing."""

    def __init__(self, stub: WorkerServiceStub) -> None:
        self._stub = stub
        self._worker = Worker(id=str(new_id()), name="worker", devices=[Device(name="cpu")])
        self.job_id = ""
        self._attempt = 0

    async def acquire(self, wait: float) -> None:
        """Ask for a job."""
        held = Duration()
        held.FromMilliseconds(int(wait * 1000))
        answer = await self._stub.AcquireJob(AcquireJobRequest(worker=self._worker, wait=held), timeout=90)
        self.job_id = answer.assignment.job.id
        self._attempt = answer.assignment.attempt

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


@dataclass
class Times:
    """Milliseconds by what was measured."""

    client: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    server: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    processors: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """What the processors worked in all, the client left out."""


@dataclass
class Service:
    """The trainer API that is measured."""

    channel: grpc.aio.Channel
    viewer: grpc.aio.Channel
    connection: "asyncpg.Connection[asyncpg.Record]"
    url: str
    log: Path
    _read: int = 0

    def durations(self, method: str) -> list[float]:
        """Milliseconds that the server took for calls of a method since the last time."""
        with self.log.open("rb") as lines:
            lines.seek(self._read)
            text = lines.read()
        self._read += len(text)
        entries = [orjson.loads(line) for line in text.splitlines() if line.startswith(b"{")]
        return [
            entry["duration_ms"]
            for entry in entries
            if entry.get("event") == "rpc" and entry["method"].endswith(f"/{method}")
        ]

    async def fill(self, jobs: int, device: str = "", priority: int = 0) -> None:
        """Have so many more jobs wait."""
        await self.connection.execute(FILL, jobs, device, priority, timeout=120)

    async def settle(self) -> None:
        """Let Postgres know what it has, as its autovacuum does within a minute."""
        await self.connection.execute("VACUUM ANALYZE trainer.jobs", timeout=120)
        await self.connection.execute("VACUUM ANALYZE bare_jobs", timeout=120)
        self.durations("")


@contextlib.asynccontextmanager
async def service(folder: Path) -> AsyncIterator[Service]:
    """The trainer API in a process of its own, with engines of its own."""
    async with (
        embedded_postgres(folder / "postgres") as url,
        embedded_nats(folder / "nats") as nats_url,
    ):
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANNOTATEFORGE_")},
            "ANNOTATEFORGE_DATABASE_URL": url,
            "ANNOTATEFORGE_NATS_URL": nats_url,
            "ANNOTATEFORGE_STORE_URL": (folder / "blobs").as_uri(),
            "ANNOTATEFORGE_SECRET": SECRET,
            "ANNOTATEFORGE_DATASET_ADDRESS": "127.0.0.1:9",
            "ANNOTATEFORGE_REGISTRY_ADDRESS": "127.0.0.1:9",
        }
        program = ServiceProgram("trainer", "annotateforge.trainer", environment, folder / "log")

        def on_exit(status: int) -> None:
            raise AssertionError(f"the trainer ended with {status}:\n{program.log_tail()}")

        token, viewer_token = (
            issue_token(SECRET, role, "benchmark", timedelta(days=1)) for role in (Role.WORKER, Role.VIEWER)
        )
        async with (
            service_process(program, listen="127.0.0.1:0", on_exit=on_exit) as address,
            open_channel(address, lambda: token) as channel,
            open_channel(address, lambda: viewer_token) as viewer,
        ):
            connection = await asyncpg.connect(url)
            await connection.execute(BARE)
            yield Service(channel, viewer, connection, url, program.log)
            await connection.close()


def processor_time() -> float:
    """Milliseconds that the processors worked for the server and the engines so far."""
    processes = psutil.Process().children(recursive=True)
    return sum(sum(process.cpu_times()[:2]) for process in processes) * 1000


async def in_rhythm(
    count: int,
    seconds: float,
    call: Callable[[int], Awaitable[None]],
    after: Callable[[int], Awaitable[None]] | None = None,
) -> list[float]:
    """Milliseconds of each `call` of so many clients, who pause for about PAUSE between two, and then do what
    comes `after`.
    """
    times: list[float] = []
    deadline = time.perf_counter() + seconds

    async def one(number: int) -> None:
        await asyncio.sleep(random.uniform(0, PAUSE))
        while time.perf_counter() < deadline:
            before = time.perf_counter()
            await call(number)
            times.append((time.perf_counter() - before) * 1000)
            await asyncio.sleep(random.uniform(0.5, 1.5) * PAUSE)
            if after is not None:
                await after(number)

    await asyncio.gather(*(one(number) for number in range(count)))
    return times


async def acquiring(found: Service, count: int, seconds: float, name: str, times: Times) -> None:
    """AcquireJob by so many workers."""
    stub = WorkerServiceStub(found.channel)
    workers = [OneWorker(stub) for _ in range(count)]

    async def finish(number: int) -> None:
        if workers[number].job_id:
            await workers[number].finish()

    await found.settle()
    before = processor_time()
    times.client[name] += await in_rhythm(count, seconds, lambda number: workers[number].acquire(0), finish)
    times.processors[name] += processor_time() - before
    times.server[name] += found.durations("AcquireJob")


async def taking_bare(found: Service, count: int, seconds: float, times: Times) -> None:
    """The least that a queue can cost, and calls that do nothing."""
    await found.settle()
    connections = [await asyncpg.connect(found.url) for _ in range(count)]

    async def claim(number: int) -> None:
        await connections[number].fetchval(CLAIM_BARE)

    # Prepares the statement.
    await asyncio.gather(*map(claim, range(count)))
    before = processor_time()
    times.client["bare claims"] += await in_rhythm(count, seconds, claim)
    times.processors["bare claims"] += processor_time() - before
    for connection in connections:
        await connection.close()
    health: Any = health_pb2_grpc.HealthStub(found.channel)

    async def check(_: int) -> None:
        await health.Check(health_pb2.HealthCheckRequest())

    times.client["health checks"] += await in_rhythm(count, seconds / 2, check)


async def reading(found: Service, name: str, times: Times) -> None:
    """GetJob of the last job in the queue, and ListJobs of the newest."""
    stub = TrainerServiceStub(found.viewer)
    last = await found.connection.fetchval(LAST_IN_QUEUE)
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "GetJob": lambda: stub.GetJob(GetJobRequest(job_id=str(last))),
        "ListJobs": lambda: stub.ListJobs(ListJobsRequest(page_size=PAGE)),
    }
    for method, call in calls.items():
        found.durations(method)
        for _ in range(READS):
            before = time.perf_counter()
            await call()
            times.client[f"{method}, {name}"].append((time.perf_counter() - before) * 1000)
        times.server[f"{method}, {name}"] += found.durations(method)


async def waking(found: Service, count: int, times: Times) -> None:
    """From when a job comes into the queue until one of so many waiting workers has it.

    It comes in by ReleaseAttempt, which wakes the queue as CreateJob does, without freezing a data set.
    """
    stub = WorkerServiceStub(found.channel)
    holder = OneWorker(stub)
    await holder.acquire(0)
    for _ in range(WAKINGS):
        waiting = [OneWorker(stub) for _ in range(count)]
        asked = [asyncio.create_task(one.acquire(WAIT)) for one in waiting]
        await asyncio.sleep(SETTLE)
        before = time.perf_counter()
        await holder.release()
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        times.client["new job"].append((time.perf_counter() - before) * 1000)
        await asyncio.gather(*asked)
        (holder,) = [one for one in waiting if one.job_id]
    await holder.finish()


async def measure(jobs: int, count: int, seconds: float, rounds: int) -> Times:
    """The times of so many rounds."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    times = Times()
    try:
        async with service(folder) as found:
            empty = "TRUNCATE trainer.jobs CASCADE"
            await found.connection.execute(FILL_BARE, jobs)
            # A connection to Postgres learns statements and types when it first needs them.
            await found.fill(jobs)
            await acquiring(found, count, WARM_UP, "warm-up", Times())
            for _ in range(rounds):
                await found.connection.execute(empty)
                await found.fill(jobs)
                await acquiring(found, count, seconds, "claims", times)
                await taking_bare(found, count, seconds, times)
                await found.fill(jobs, device="7", priority=50)
                await acquiring(found, count, seconds, "claims behind others", times)
                await found.connection.execute(empty)
                await found.fill(jobs, device="7")
                await acquiring(found, count, seconds, "empty polls", times)
                await found.connection.execute(empty)
                await found.fill(jobs)
                await reading(found, "unsettled", times)
                await found.settle()
                await reading(found, "settled", times)
            await found.connection.execute(empty)
            await found.fill(jobs, device="7")
            await found.settle()
            await found.fill(1)
            await waking(found, count, times)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return times


def percentile(times: list[float], percent: float) -> float:
    """The value that so many percent do not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def show(name: str, taken: list[float], goal: float | None = None, bare: list[float] | None = None) -> None:
    """Print a line of figures."""
    line = f"{name:38} p50 {statistics.median(taken):7.1f} ms   p99 {percentile(taken, 99):7.1f} ms"
    if bare is not None:
        ratios = [
            statistics.median(taken) / statistics.median(bare),
            percentile(taken, 99) / percentile(bare, 99),
        ]
        line += "   ratio to bare " + " / ".join(f"{ratio:4.1f}" for ratio in ratios)
    aim = "" if goal is None else f"; goal: p99 at most {goal:.0f} ms"
    print(f"{line}   ({len(taken)} times{aim})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    times = asyncio.run(measure(given.jobs, given.workers, given.seconds, given.rounds))
    print(f"{given.jobs:,} jobs wait, {given.workers} workers poll")
    bare = times.client["bare claims"]
    for name in ("claims", "claims behind others", "empty polls"):
        show(f"{name}, seen by the client", times.client[name], ACQUIRE_GOAL, bare)
        show(f"{name}, in the server", times.server[name], ACQUIRE_GOAL, bare)
    for name in times.client:
        if "settled" in name:
            show(f"{name}, seen by the client", times.client[name])
            show(f"{name}, in the server", times.server[name], READ_GOAL if "GetJob" in name else None)
    show("bare claims", bare)
    for name, worked in times.processors.items():
        print(f"{name:38} {worked / len(times.client[name]):5.1f} ms of a processor for each, in all")
    show("health checks", times.client["health checks"])
    show("new job", times.client["new job"], NEW_GOAL)
    print(machine())


if __name__ == "__main__":
    main()
