"""What a REST call costs beyond the gRPC call behind it: GetProject, asked for in three ways.

- direct: the gRPC call itself, from Python (grpc.aio);
- gateway: the same call through the gateway's generic transcoder, token checked;
- hand-written: through a Starlette route written for this one call, which puts the answer together field by
  field for orjson and checks nothing.

Service, gateway and hand-written route are processes of their own. The ways take turns in short rounds, so
that what else the machine does meets all of them; what is printed are medians over the rounds.

    python -m benchmarks.rest_call [--rounds N] [--seconds S] [--connections C]
"""

import argparse
import asyncio
import contextlib
import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import grpc
import orjson
import psutil
import uvloop
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from annotateforge.api.dataset.v1 import dataset_service_pb2, dataset_service_pb2_grpc, project_pb2
from annotateforge.gateway import app as gateway
from annotateforge.gateway.http_server import http_server
from annotateforge.gateway.settings import Settings
from annotateforge.runtime.auth import Role, TokenVerifier, issue_token
from annotateforge.runtime.server import serve
from annotateforge.runtime.telemetry import configure_logging

SECRET = "a secret for the benchmark, of more than 32 bytes"
SERVICE = "annotateforge.api.dataset.v1.DatasetService"
PROJECT_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
PATH = f"/api/v1/projects/{PROJECT_ID}"
WAYS = ("direct", "gateway", "hand-written")

Ask = Callable[[], Awaitable[None]]


async def run_service(_: str) -> None:
    """Serve gRPC as every service does, but answer GetProject from memory: the ways to it are measured."""
    answer = dataset_service_pb2.GetProjectResponse(
        project=project_pb2.Project(
            id=PROJECT_ID,
            name="Blood cells, first series",
            description="Smears of twelve donors, photographed at 100x.",
            image_count=364,
            annotation_count=4888,
        )
    )
    answer.project.create_time.FromJsonString("2026-01-02T03:04:05.678Z")
    answer.project.update_time.FromJsonString("2026-02-03T04:05:06.789Z")

    async def get_project(request: Any, context: Any) -> dataset_service_pb2.GetProjectResponse:
        return answer

    handler = grpc.unary_unary_rpc_method_handler(
        get_project,
        request_deserializer=dataset_service_pb2.GetProjectRequest.FromString,
        response_serializer=dataset_service_pb2.GetProjectResponse.SerializeToString,
    )

    def add(_: object, server: grpc.aio.Server) -> None:
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"GetProject": handler}),)
        )

    async with serve("127.0.0.1:0", [(add, None, SERVICE)], TokenVerifier(SECRET)) as server:
        await _serve_until_told(server.address)


async def run_gateway(service: str) -> None:
    """Serve the gateway as production does, in front of the service at this address."""
    settings = Settings(
        listen="127.0.0.1:0",
        secret=SecretStr(SECRET),
        nats_url="nats://127.0.0.1:9",
        dataset_address=service,
        trainer_address=service,
        registry_address=service,
    )
    async with gateway.running(settings) as running:
        await _serve_until_told(running.address)


async def run_handwritten(service: str) -> None:
    """Serve one route written by hand, on the same server with the same options."""
    async with grpc.aio.insecure_channel(service) as channel:
        stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)

        async def get_project(request: Request) -> Response:
            answer = await stub.GetProject(
                dataset_service_pb2.GetProjectRequest(project_id=request.path_params["project_id"]),
                metadata=(("authorization", request.headers["authorization"]),),
                timeout=30,
            )
            project = answer.project
            shown = {
                "id": project.id,
                "name": project.name,
                "description": project.description,
                "create_time": project.create_time.ToJsonString(),
                "update_time": project.update_time.ToJsonString(),
                "image_count": project.image_count,
                "annotation_count": project.annotation_count,
            }
            return Response(orjson.dumps(shown), media_type="application/json")

        app = Starlette(routes=[Route("/api/v1/projects/{project_id}", get_project)])
        async with http_server(app, "127.0.0.1:0") as address:
            await _serve_until_told(address)


async def _serve_until_told(address: str) -> None:
    """Tell the address on standard output and wait for the end of standard input."""
    # As runtime.process does it for every process.
    gc.collect()
    gc.freeze()
    print(address, flush=True)
    told = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), told.set)
    await told.wait()


ROLES = {"service": run_service, "gateway": run_gateway, "hand-written": run_handwritten}


@contextlib.asynccontextmanager
async def process(role: str, service: str = "") -> AsyncIterator[tuple[str, psutil.Process]]:
    """A process of this program in a role: its address and itself."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.rest_call",
        "--role",
        role,
        "--service",
        service,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        async with asyncio.timeout(60):
            address = (await child.stdout.readline()).decode().strip()
        if not address:
            raise RuntimeError(f"The {role} did not start.")
        yield address, psutil.Process(child.pid)
    finally:
        child.stdin.close()
        async with asyncio.timeout(20):
            await child.wait()


class Connection(asyncio.Protocol):
    """The least that asks over a kept connection: an HTTP client would cost more than what is measured."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._buffer = bytearray()
        self._answered: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def ask(self) -> None:
        """Ask once. RuntimeError for any answer but 200."""
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        await self._answered

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._answered is None:
            return
        head = bytes(self._buffer[:end]).lower()
        start = head.index(b"content-length: ") + len(b"content-length: ")
        length = int(head[start : head.find(b"\r", start) if b"\r" in head[start:] else len(head)])
        if len(self._buffer) < end + 4 + length:
            return
        self._buffer.clear()
        if head.startswith(b"http/1.1 200 "):
            self._answered.set_result(None)
        else:
            self._answered.set_exception(RuntimeError(head.decode()))


async def http_askers(address: str, token: str, count: int) -> list[Ask]:
    """Connections to a REST server, each with one request at a time."""
    host, _, port = address.rpartition(":")
    request = f"GET {PATH} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Connection(request), host, int(port)) for _ in range(count)]
    return [connection.ask for _, connection in made]


def grpc_askers(channel: grpc.aio.Channel, token: str, count: int) -> list[Ask]:
    """Callers over one channel, as a gRPC client would."""
    stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)
    request = dataset_service_pb2.GetProjectRequest(project_id=PROJECT_ID)
    metadata = (("authorization", f"Bearer {token}"),)

    async def ask() -> None:
        await stub.GetProject(request, metadata=metadata, timeout=30)

    return [ask] * count


@dataclass
class Figures:
    """What was measured of one way, a value per round."""

    milliseconds: list[float] = field(default_factory=list)
    """Median latency of one asker."""
    rates: list[float] = field(default_factory=list)
    """Answers a second to all askers."""
    processor: list[float] = field(default_factory=list)
    """Microseconds of processor time that the process between asker and service takes for an answer; other
    programs on the machine hardly change it."""


async def latency(ask: Ask, seconds: float) -> float:
    """Median milliseconds of an answer, asked for one after the other."""
    taken = []
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        await ask()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


async def rate(askers: list[Ask], seconds: float) -> float:
    """Answers a second when all askers ask at once."""
    count = 0
    started = time.perf_counter()

    async def keep_asking(ask: Ask) -> None:
        nonlocal count
        while time.perf_counter() - started < seconds:
            await ask()
            count += 1

    await asyncio.gather(*(keep_asking(ask) for ask in askers))
    return count / (time.perf_counter() - started)


async def measure(rounds: int, seconds: float, connections: int) -> dict[str, Figures]:
    """Let the ways take turns."""
    token = issue_token(SECRET, Role.VIEWER, "benchmark", timedelta(hours=1))
    figures = {way: Figures() for way in WAYS}
    async with (
        process("service") as (service, _),
        process("gateway", service) as (through_gateway, gateway_process),
        process("hand-written", service) as (through_handwritten, handwritten_process),
        grpc.aio.insecure_channel(service) as channel,
    ):
        askers = {
            "direct": grpc_askers(channel, token, connections),
            "gateway": await http_askers(through_gateway, token, connections),
            "hand-written": await http_askers(through_handwritten, token, connections),
        }
        between = {"gateway": gateway_process, "hand-written": handwritten_process}
        for number in range(rounds + 1):
            # Nobody is first in every round; round 0 only warms up.
            order = [WAYS[(number + step) % len(WAYS)] for step in range(len(WAYS))]
            for way in order:
                milliseconds = await latency(askers[way][0], seconds)
                before = _processor_seconds(between.get(way))
                answers = await rate(askers[way], seconds)
                used = _processor_seconds(between.get(way)) - before
                if number:
                    figures[way].milliseconds.append(milliseconds)
                    figures[way].rates.append(answers)
                    figures[way].processor.append(used / (answers * seconds) * 1e6)
    return figures


def _processor_seconds(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = process.cpu_times()
    return float(times.user + times.system)


def report(figures: dict[str, Figures], connections: int) -> None:
    """Print medians and ratios."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for way in WAYS:
        p50 = statistics.median(figures[way].milliseconds)
        answers = statistics.median(figures[way].rates)
        processor = statistics.median(figures[way].processor)
        print(
            f"{way:13} p50 {p50:6.3f} ms   {answers:7,.0f} requests/s with {connections} connections"
            + (f"   {processor:5.0f} µs of processor in between" if processor else "")
        )
    for other in ("hand-written", "direct"):
        slower = _ratio(figures["gateway"].milliseconds, figures[other].milliseconds)
        faster = _ratio(figures["gateway"].rates, figures[other].rates)
        print(f"gateway / {other}: latency {slower:.2f}, requests/s {faster:.2f}")
    busier = _ratio(figures["gateway"].processor, figures["hand-written"].processor)
    print(f"gateway / hand-written: processor {busier:.2f}")


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """Median over the rounds of the ratio within a round."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.25, help="of each measurement")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--role", choices=sorted(ROLES), help=argparse.SUPPRESS)
    parser.add_argument("--service", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role:
        configure_logging(arguments.role, "json", "error")
        uvloop.run(ROLES[arguments.role](arguments.service))
        return
    figures = uvloop.run(measure(arguments.rounds, arguments.seconds, arguments.connections))
    report(figures, arguments.connections)


if __name__ == "__main__":
    main()
