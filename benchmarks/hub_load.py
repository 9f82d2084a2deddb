"""The live hub under a thousand WebSockets, against a bare asyncio fan-out in the same run.

- one job: 1,000 sockets watch one job on which ten events happen a second;
- many jobs: 1,000 sockets watch a job each, on which one event happens a second.

The hub is the whole gateway as production runs it, told of the events over NATS by a small trainer. The bare
fan-out is a protocol of asyncio on the same event loop that writes the same finished messages to all its
sockets, in its own process and without NATS, tokens or anything to catch up with. Both hold their sockets all
the time and take turns. The clients are in a process of their own. A message's time is that from just before
it is told, or the first socket is written to, until a client has read it.

    python -m benchmarks.hub_load [--rounds N] [--seconds S] [--sockets N]
"""

import argparse
import asyncio
import base64
import contextlib
import gc
import hashlib
import json
import os
import pickle
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import grpc
import psutil
import uvloop
from pydantic import SecretStr

from annotateforge.api.trainer.v1 import event_pb2, job_pb2, trainer_service_pb2
from annotateforge.gateway import app as gateway
from annotateforge.gateway.flat_events import flat_event
from annotateforge.gateway.settings import Settings
from annotateforge.local.nats import embedded_nats
from annotateforge.runtime import subjects
from annotateforge.runtime.auth import Role, TokenVerifier, issue_token
from annotateforge.runtime.bus import connect_bus
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.server import serve
from annotateforge.runtime.telemetry import configure_logging
from benchmarks._sockets import Received

SECRET = "a secret for the benchmark, of more than 32 bytes"
SERVICE = "annotateforge.api.trainer.v1.TrainerService"
P99_GOAL = 1.5
MEMORY_GOAL = 30
ONE_JOB_RATE = 10.0
MANY_JOBS_RATE = 1.0
PATIENCE = 30.0
"""Seconds after which what has not come is lost."""
_LOOK_SECONDS = 0.2
_HANDSHAKE = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Tell = Callable[[str, int], None]


def event_of(job_id: str, sequence: int) -> event_pb2.JobEvent:
    """An epoch as trainings tell of it."""
    metrics = {"precision": 0.71, "recall": 0.64, "map50": 0.7134, "map50_95": 0.4102}
    losses = {"box_loss": 1.31, "cls_loss": 0.92, "dfl_loss": 1.07}
    epoch = job_pb2.Epoch(
        epoch=sequence,
        total_epochs=10_000,
        metrics=metrics,
        train_loss=3.3,
        val_loss=3.5,
        train_losses=losses,
        val_losses=losses,
        learning_rate=0.01,
        epoch_seconds=12.5,
        attempt=1,
    )
    event = event_pb2.JobEvent(sequence=sequence, job_id=job_id, attempt=1, epoch_complete=epoch)
    event.time.GetCurrentTime()
    return event


class Trainer:
    """Answers the gateway from memory, as `runtime.server` serves."""

    def __init__(self) -> None:
        self.events: dict[str, list[event_pb2.JobEvent]] = {}

    async def GetJob(self, request: Any, context: Any) -> trainer_service_pb2.GetJobResponse:
        last = len(self.events[request.job_id])
        job = job_pb2.Job(id=request.job_id, status=job_pb2.JOB_STATUS_TRAINING, last_sequence=last)
        return trainer_service_pb2.GetJobResponse(job=job)

    async def ListEvents(self, request: Any, context: Any) -> trainer_service_pb2.ListEventsResponse:
        events = self.events[request.job_id]
        return trainer_service_pb2.ListEventsResponse(
            events=events[request.after : request.after + request.page_size]
        )

    def add(self, _: object, server: grpc.aio.Server) -> None:
        """Register its two methods with a server."""
        api = trainer_service_pb2
        handlers: dict[str, Any] = {
            "GetJob": grpc.unary_unary_rpc_method_handler(
                self.GetJob, api.GetJobRequest.FromString, api.GetJobResponse.SerializeToString
            ),
            "ListEvents": grpc.unary_unary_rpc_method_handler(
                self.ListEvents, api.ListEventsRequest.FromString, api.ListEventsResponse.SerializeToString
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


class BareSocket(asyncio.Protocol):
    """A WebSocket that is written to; what is in its path names the job."""

    def __init__(self, jobs: dict[str, list[asyncio.Transport]]) -> None:
        self._jobs = jobs
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or not data.startswith(b"GET "):
            return
        key = data.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + _HANDSHAKE).digest())
        transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        job_id = data.split(b" ", 2)[1].decode().rpartition("/")[2]
        self._jobs.setdefault(job_id, []).append(transport)


def frame_of(text: bytes) -> bytes:
    """A message as a server sends it."""
    return b"\x81\x7e" + len(text).to_bytes(2) + text


async def run_bare(_: argparse.Namespace) -> None:
    """Fan out on command: {"jobs": [...], "rate", "seconds", "first"}; answers the times of the events."""
    jobs: dict[str, list[asyncio.Transport]] = {}
    server = await asyncio.get_running_loop().create_server(
        lambda: BareSocket(jobs), "127.0.0.1", 0, backlog=2048
    )
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        lines = await _commands(f"{host}:{port}")
        async for line in lines:
            command = json.loads(line)

            def tell(job_id: str, sequence: int) -> None:
                frame = frame_of(flat_event(event_of(job_id, sequence)).encode())
                for transport in jobs[job_id]:
                    transport.write(frame)

            print(json.dumps(await pace(tell=tell, **command)), flush=True)


async def run_gateway(given: argparse.Namespace) -> None:
    """Serve the gateway as production does."""
    settings = Settings(
        listen="127.0.0.1:0",
        secret=SecretStr(SECRET),
        nats_url=given.nats,
        dataset_address=given.trainer,
        trainer_address=given.trainer,
        registry_address=given.trainer,
    )
    async with gateway.running(settings) as running:
        async for _ in await _commands(running.address):
            pass


async def _commands(address: str) -> asyncio.StreamReader:
    """Tell the address on standard output; what comes on standard input."""
    # As runtime.process does it for every process.
    gc.collect()
    gc.freeze()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    print(address, flush=True)
    return reader


async def pace(
    *, jobs: Sequence[str], rate: float, seconds: float, first: int, tell: Tell
) -> dict[str, list[float]]:
    """Let `rate` events a second happen on each job, evenly spread; when each was told, by job."""
    told: dict[str, list[float]] = {job_id: [] for job_id in jobs}
    began = time.monotonic()
    for number in range(int(rate * seconds)):
        for place, job_id in enumerate(jobs):
            due = began + (number + place / len(jobs)) / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            told[job_id].append(time.monotonic())
            tell(job_id, first + number)
    return told


ROLES = {"bare": run_bare, "gateway": run_gateway}


class Child:
    """A process of this program that takes commands."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)

    async def line(self, seconds: float = 120) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            text = (await self._process.stdout.readline()).decode().strip()
        if not text:
            raise RuntimeError("A process of the benchmark has ended.")
        return text

    async def ask(self, **command: object) -> Any:
        """Give it a command; its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return json.loads(await self.line())

    @property
    def memory(self) -> int:
        """Bytes that it holds."""
        return int(self._seen.memory_info().rss)

    @property
    def processor(self) -> float:
        """Seconds of processor time so far."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)


@contextlib.asynccontextmanager
async def child(*words: str) -> AsyncIterator[Child]:
    """Run `python -m words` for the time of the context."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    assert process.stdin is not None
    try:
        yield Child(process)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _all_have_come(clients: Child, group: int, expected: int) -> None:
    """Wait until a group has got so many messages, or for so long that the rest must be lost."""
    for _ in range(int(PATIENCE / _LOOK_SECONDS)):
        if (await clients.ask(count=group))["count"] >= expected:
            return
        await asyncio.sleep(_LOOK_SECONDS)


@dataclass
class Figures:
    """What was measured of one way, a value per round."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    """Microseconds of processor time for a message to one socket."""
    lost: int = 0


def latencies(
    received: Received, group: int, job_of: Sequence[str], told: dict[str, list[float]], first: int
) -> tuple[list[float], int]:
    """Milliseconds of every message to a group, and how many did not come once and in order."""
    found: list[float] = []
    lost = 0
    for place, job_id in enumerate(job_of):
        expected = range(first, first + len(told[job_id]))
        sequences, times = received.sequences[group][place], received.times[group][place]
        if list(sequences) != list(expected):
            lost += len(set(expected) - set(sequences)) or 1
        found.extend(
            (at - told[job_id][sequence - first]) * 1000
            for sequence, at in zip(sequences, times, strict=True)
            if sequence in expected
        )
    return sorted(found), lost


@dataclass(frozen=True)
class Shape:
    """What is watched and how often something happens on it."""

    name: str
    jobs: list[str]
    watched: list[str]
    """The job of each socket."""
    rate: float


async def measure(shape: Shape, rounds: int, seconds: float) -> tuple[dict[str, Figures], dict[str, float]]:
    """Both ways in turns; their figures and their KiB of memory a socket."""
    figures = {"bare": Figures(), "hub": Figures()}
    memory: dict[str, float] = {}
    trainer = Trainer()
    trainer.events = {job_id: [] for job_id in shape.jobs}
    token = issue_token(SECRET, Role.VIEWER, "benchmark", timedelta(hours=1))
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nats = await stack.enter_async_context(embedded_nats(folder))
        bus = await stack.enter_async_context(connect_bus(nats, "benchmark"))
        server = await stack.enter_async_context(
            serve("127.0.0.1:0", [(trainer.add, None, SERVICE)], TokenVerifier(SECRET))
        )
        clients = await stack.enter_async_context(child("benchmarks._sockets"))
        role = ("benchmarks.hub_load", "--nats", nats, "--trainer", server.address, "--role")
        ways = {
            "bare": await stack.enter_async_context(child(*role, "bare")),
            "hub": await stack.enter_async_context(child(*role, "gateway")),
        }
        groups: dict[str, int] = {}
        for way, process in ways.items():
            address = await process.line()
            paths = [f"/api/v1/training/ws/{job_id}?token={token}" for job_id in shape.watched]
            if way == "bare":
                paths = [f"/{job_id}" for job_id in shape.watched]
            # The first few bring what is held once.
            await clients.ask(connect=address, paths=paths[:10])
            before = process.memory
            groups[way] = (await clients.ask(connect=address, paths=paths[10:]))["group"]
            memory[way] = (process.memory - before) / 1024 / len(paths[10:])

        def tell(job_id: str, sequence: int) -> None:
            event = event_of(job_id, sequence)
            trainer.events[job_id].append(event)
            telling.add(asyncio.create_task(bus.tell(subjects.job_events(job_id), event.SerializeToString())))

        telling: set[asyncio.Task[None]] = set()
        first = 1
        for number in range(rounds + 1):
            for way in ("bare", "hub") if number % 2 else ("hub", "bare"):
                process = ways[way]
                used_before = process.processor
                command: dict[str, Any] = {
                    "jobs": shape.jobs,
                    "rate": shape.rate,
                    "seconds": seconds,
                    "first": first,
                }
                if way == "bare":
                    told = await process.ask(**command)
                else:
                    told = await pace(tell=tell, **command)
                await _all_have_come(clients, groups[way], sum(len(told[job]) for job in shape.watched[10:]))
                used = process.processor - used_before
                telling.clear()
                await clients.ask(collect=str(folder / "received"))
                received: Received = pickle.loads((folder / "received").read_bytes())
                found, lost = latencies(received, groups[way], shape.watched[10:], told, first)
                if number:
                    figures[way].p50.append(found[len(found) // 2])
                    figures[way].p99.append(found[len(found) * 99 // 100])
                    figures[way].processor.append(used / len(found) * 1e6)
                figures[way].lost += lost + received.closed
            first += int(shape.rate * seconds)
    return figures, memory


def report(shape: Shape, figures: dict[str, Figures], memory: dict[str, float]) -> None:
    print(f"{shape.name}: {len(shape.watched):,} sockets, {shape.rate:g} events a second on each job")
    for way, one in figures.items():
        print(
            f"  {way:5} p50 {statistics.median(one.p50):6.1f} ms   p99 {statistics.median(one.p99):6.1f} ms"
            f"   {statistics.median(one.processor):5.1f} µs of processor a message   "
            f"{memory[way]:5.1f} KiB a socket   {one.lost} lost"
        )
    hub, bare = figures["hub"], figures["bare"]
    p50, p99 = _ratio(hub.p50, bare.p50), _ratio(hub.p99, bare.p99)
    best = min(hub.p99) / min(bare.p99)
    print(f"  hub / bare: p50 {p50:.2f}, p99 {p99:.2f} by the medians and {best:.2f} by the best rounds")
    print(f"  (goal: p99 at most {P99_GOAL}, nothing lost, {MEMORY_GOAL} KiB a socket)")


def _ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """Median over the rounds of the ratio within a round."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--role", choices=sorted(ROLES), help=argparse.SUPPRESS)
    parser.add_argument("--nats", default="", help=argparse.SUPPRESS)
    parser.add_argument("--trainer", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    # Both servers and the clients hold a descriptor per socket.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * given.sockets + 1000
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard > 0 else wanted, hard))
    if given.role:
        configure_logging(given.role, "json", "error")
        uvloop.run(ROLES[given.role](given))
        return
    configure_logging("benchmark", "console", "error")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    one = str(new_id())
    many = [str(new_id()) for _ in range(given.sockets)]
    for shape in (
        Shape("one job", [one], [one] * given.sockets, ONE_JOB_RATE),
        Shape("many jobs", many, many, MANY_JOBS_RATE),
    ):
        report(shape, *uvloop.run(measure(shape, given.rounds, given.seconds)))


if __name__ == "__main__":
    main()
