import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any, cast

import grpc
import pytest
import structlog
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from annotateforge.api.dataset.v1 import dataset_service_pb2 as pb
from annotateforge.api.dataset.v1 import dataset_service_pb2_grpc as rpc
from annotateforge.runtime import interceptor
from annotateforge.runtime.auth import TokenVerifier, issue_token
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.runtime.server import Server, serve
from annotateforge.runtime.wire import gets_content
from tests.integration.runtime.example_service import NAME, ExampleService, example

Entries = list[MutableMapping[str, Any]]


@pytest.fixture
def servicer() -> ExampleService:
    return ExampleService()


@pytest.fixture
def verifier(secret: str) -> TokenVerifier:
    return TokenVerifier(secret)


@pytest.fixture
async def server(servicer: ExampleService, verifier: TokenVerifier) -> AsyncIterator[Server]:
    async with serve("127.0.0.1:0", example(servicer), verifier) as running:
        yield running


@pytest.fixture
async def stub(server: Server, secret: str) -> AsyncIterator[rpc.DatasetServiceStub]:
    token = issue_token(secret, "editor", "ada", timedelta(hours=1))
    async with open_channel(server.address, lambda: token) as channel:
        yield rpc.DatasetServiceStub(channel)


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> Entries:
    """What the interceptor writes into the log."""
    capture = structlog.testing.LogCapture()
    processors: list[Any] = [structlog.contextvars.merge_contextvars, capture]
    monkeypatch.setattr(
        interceptor, "log", structlog.wrap_logger(structlog.PrintLogger(), processors=processors)
    )
    return capture.entries


async def unary(stub: rpc.DatasetServiceStub, word: str, **more: Any) -> object:
    return (await stub.CreateProject(pb.CreateProjectRequest(name=word), **more)).project.name


async def server_stream(stub: rpc.DatasetServiceStub, word: str, **more: Any) -> object:
    arrived: asyncio.Event = more.pop("arrived", asyncio.Event())
    chunks = []
    async for message in stub.DownloadArchive(pb.DownloadArchiveRequest(dataset_id=word), **more):
        chunks.append(message.chunk)
        arrived.set()
    return b"".join(chunks)


async def client_stream(stub: rpc.DatasetServiceStub, word: str, **more: Any) -> object:
    header = pb.ImportArchiveHeader(project_id=word)
    requests = [pb.ImportArchiveRequest(header=header), pb.ImportArchiveRequest(chunk=b"12345")]
    return (await stub.ImportArchive(iter(requests), **more)).report.images_added


Call = Callable[..., Awaitable[object]]
KINDS = pytest.mark.parametrize(
    ("call", "answer"), [(unary, "fine"), (server_stream, b"firstlast"), (client_stream, 5)]
)


async def refused(awaitable: Awaitable[object]) -> DomainError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return from_rpc_error(caught.value)


async def logged(entries: Entries, count: int = 1) -> Entries:
    """The lines of the calls; the last one is written after the answer has left."""
    async with asyncio.timeout(10):
        while len(found := [entry for entry in entries if entry["event"] == "rpc"]) < count:
            await asyncio.sleep(0.01)
    return found


@KINDS
async def test_a_call_of_each_kind_is_answered_and_logged_in_one_line(
    stub: rpc.DatasetServiceStub, entries: Entries, call: Call, answer: object
) -> None:
    assert await call(stub, "fine") == answer
    (line,) = await logged(entries)
    assert (line["code"], line["principal"], line["log_level"]) == ("OK", "ada", "info")
    assert line["duration_ms"] >= 0
    assert re.fullmatch(r"[0-9a-f-]{36}", line["request_id"])


@KINDS
async def test_a_domain_error_reaches_the_caller_of_each_kind(
    stub: rpc.DatasetServiceStub, entries: Entries, call: Call, answer: object
) -> None:
    error = await refused(call(stub, "missing"))
    assert (type(error).__name__, error.reason, error.metadata) == (
        "NotFound",
        "PROJECT_NOT_FOUND",
        {"project_id": "7"},
    )
    (line,) = await logged(entries)
    assert (line["code"], line["reason"]) == ("NOT_FOUND", "PROJECT_NOT_FOUND")


@KINDS
async def test_an_unexpected_error_is_neutral_to_the_caller_and_whole_in_the_log(
    stub: rpc.DatasetServiceStub, entries: Entries, call: Call, answer: object
) -> None:
    error = await refused(call(stub, "broken"))
    assert (type(error).__name__, error.reason) == ("Internal", "INTERNAL")
    assert "1234" not in error.message
    failure = next(entry for entry in entries if entry["log_level"] == "error")
    assert "1234" in str(failure["exc_info"])
    assert failure["request_id"] in error.message


@KINDS
async def test_a_call_without_a_token_is_refused(server: Server, call: Call, answer: object) -> None:
    async with open_channel(server.address) as channel:
        error = await refused(call(rpc.DatasetServiceStub(channel), "fine"))
    assert (type(error).__name__, error.reason) == ("Unauthenticated", "TOKEN_MISSING")


@KINDS
async def test_a_client_that_goes_away_cancels_its_call_and_is_no_error(
    stub: rpc.DatasetServiceStub, servicer: ExampleService, entries: Entries, call: Call, answer: object
) -> None:
    arrived = asyncio.Event()
    more = {"arrived": arrived} if call is server_stream else {}
    running = asyncio.ensure_future(call(stub, "slow", **more))
    async with asyncio.timeout(10):
        await servicer.entered.wait()
        if call is server_stream:
            await arrived.wait()
        running.cancel()
        await servicer.cancelled.wait()
    (line,) = await logged(entries)
    assert (line["code"], line["log_level"]) == ("CANCELLED", "info")
    assert not [entry for entry in entries if entry["log_level"] == "error"]


@KINDS
async def test_a_deadline_cancels_the_call_on_the_server(
    stub: rpc.DatasetServiceStub, servicer: ExampleService, call: Call, answer: object
) -> None:
    error = await refused(call(stub, "slow", timeout=0.2))
    assert type(error).__name__ == "DeadlineExceeded"
    async with asyncio.timeout(10):
        await servicer.cancelled.wait()


async def test_a_stream_whose_client_goes_away_gives_back_what_it_holds(
    stub: rpc.DatasetServiceStub, servicer: ExampleService, caplog: pytest.LogCaptureFixture
) -> None:
    """Cut at any moment, mostly while a message is on its way out, outside the handler's own code."""
    for count in range(1, 30):
        call = stub.GetManifest(pb.GetManifestRequest(dataset_id="7"))
        for _ in range(count):
            await call.read()
        call.cancel()
    async with asyncio.timeout(10):
        while servicer.held:
            await asyncio.sleep(0.01)
    assert caplog.records == []


async def test_what_a_task_group_wraps_is_told_apart(stub: rpc.DatasetServiceStub) -> None:
    assert (await refused(unary(stub, "group"))).reason == "PROJECT_NOT_FOUND"


async def test_a_handler_may_still_abort_by_hand(stub: rpc.DatasetServiceStub, entries: Entries) -> None:
    error = await refused(unary(stub, "abort"))
    assert error.message == "by hand"
    assert (await logged(entries))[0]["code"] == "DATA_LOSS"


async def test_a_method_without_a_handler_is_unimplemented(stub: rpc.DatasetServiceStub) -> None:
    error = await refused(stub.GetProject(pb.GetProjectRequest()))
    assert (type(error).__name__, error.reason) == ("Unimplemented", "UNIMPLEMENTED")


async def test_violations_in_any_number_fit_into_what_a_plain_client_takes(
    server: Server, secret: str
) -> None:
    token = issue_token(secret, "editor", "ada", timedelta(hours=1))
    async with grpc.aio.insecure_channel(server.address) as channel:
        call = unary(
            rpc.DatasetServiceStub(channel), "wrong", metadata=(("authorization", f"Bearer {token}"),)
        )
        error = await refused(call)
    assert error.reason == "INVALID_SPEC"
    assert error.violations[0].field == "classes[0]"


@pytest.mark.parametrize(
    ("role", "allowed"), [("viewer", False), ("editor", True), ("admin", True), ("worker", False)]
)
async def test_the_role_decides_by_the_methods_option(
    server: Server, secret: str, role: str, allowed: bool
) -> None:
    token = issue_token(secret, role, "ada", timedelta(hours=1))
    async with open_channel(server.address, lambda: token) as channel:
        stub = rpc.DatasetServiceStub(channel)
        if allowed:
            assert await unary(stub, "fine") == "fine"
        else:
            error = await refused(unary(stub, "fine"))
            assert (type(error).__name__, error.reason) == ("PermissionDenied", "ROLE_NOT_ALLOWED")
            assert role in error.message
            assert "editor" in error.message


async def test_what_is_bound_in_a_handler_is_on_the_calls_line(
    stub: rpc.DatasetServiceStub, entries: Entries
) -> None:
    await unary(stub, "fine")
    await refused(unary(stub, "missing"))
    assert [line["job_id"] for line in await logged(entries, 2)] == ["job-7", "job-7"]


async def test_a_request_id_is_kept_echoed_and_made_where_it_is_missing_or_odd(
    stub: rpc.DatasetServiceStub, entries: Entries
) -> None:
    for sent in ("my-request.1", "x" * 500, "with space", None):
        metadata = () if sent is None else (("x-request-id", sent),)
        call = stub.CreateProject(pb.CreateProjectRequest(name="fine"), metadata=metadata)
        await call
        echoed = dict(await call.trailing_metadata())["x-request-id"]
        assert (echoed == sent) is (sent == "my-request.1")
    assert len({line["request_id"] for line in await logged(entries, 4)}) == 4


async def test_health_and_reflection_need_no_token_and_health_is_logged_at_debug(
    server: Server, entries: Entries
) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for name in ("", NAME):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        # Its stubs know synchronous channels only.
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(cast(Any, channel))
        requests = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=NAME),
        ]
        answers = [answer async for answer in reflection.ServerReflectionInfo(iter(requests), timeout=5)]
        later: Any = channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        assert [answer async for answer in later(iter(requests), timeout=5)] == answers
    assert {service.name for service in answers[0].list_services_response.service} == {
        NAME,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(file)
        for file in answers[1].file_descriptor_response.file_descriptor_proto
    ]
    assert any(service.name == "DatasetService" for file in files for service in file.service)
    assert {line["log_level"] for line in await logged(entries, 4)} == {"debug"}


async def test_a_method_that_names_no_role_is_open_to_nobody(verifier: TokenVerifier, secret: str) -> None:
    file = descriptor_pb2.FileDescriptorProto(
        name="test/nobody.proto", package="test.nobody", syntax="proto3"
    )
    file.message_type.add(name="Nothing")
    service = file.service.add(name="Nobody")
    service.method.add(name="Ask", input_type=".test.nobody.Nothing", output_type=".test.nobody.Nothing")
    descriptor_pool.Default().Add(file)

    async def ask(request: Any, context: object) -> bytes:
        raise AssertionError("called")

    def add(servicer: object, server: grpc.aio.Server) -> None:
        handlers: Any = {"Ask": grpc.unary_unary_rpc_method_handler(ask)}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.nobody.Nobody", handlers),)
        )

    token = issue_token(secret, "admin", "ada", timedelta(hours=1))
    async with (
        serve("127.0.0.1:0", [(add, None, "test.nobody.Nobody")], verifier) as server,
        open_channel(server.address, lambda: token) as channel,
    ):
        call: Any = channel.unary_unary("/test.nobody.Nobody/Ask")
        error = await refused(call(b""))
    assert error.reason == "ROLE_NOT_ALLOWED"


async def test_a_port_that_is_taken_is_an_error_and_not_shared(verifier: TokenVerifier) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="Cannot listen"):
            async with serve(f"127.0.0.1:{taken.getsockname()[1]}", [], verifier):
                pass
    async with serve("127.0.0.1:0", [], verifier) as server:
        with pytest.raises(OSError, match="Cannot listen"):
            async with serve(server.address, [], verifier):
                pass


async def test_stopping_lets_calls_end_tells_those_that_wait_and_refuses_new_ones(
    verifier: TokenVerifier, secret: str
) -> None:
    token = issue_token(secret, "editor", "ada", timedelta(hours=1))
    servicer = ExampleService()
    stack = contextlib.AsyncExitStack()
    server = await stack.enter_async_context(serve("127.0.0.1:0", example(servicer), verifier))
    async with open_channel(server.address, lambda: token) as channel:
        stub = rpc.DatasetServiceStub(channel)
        running = [asyncio.ensure_future(unary(stub, "moment"))]
        running.append(asyncio.ensure_future(server_stream(stub, "until-stopped")))
        async with asyncio.timeout(4):
            await servicer.all_entered(2)
            await stack.aclose()
            assert await asyncio.gather(*running) == ["moment", b"firstlast"]
        error = await refused(unary(stub, "fine", timeout=2))
    assert type(error).__name__ == "Unavailable"


async def test_a_message_beyond_the_limit_is_refused_and_the_server_goes_on(
    stub: rpc.DatasetServiceStub,
) -> None:
    error = await refused(unary(stub, "x" * 17 * 1024 * 1024))
    assert type(error).__name__ == "ResourceExhausted"
    assert await unary(stub, "x" * 15 * 1024 * 1024)
    assert await unary(stub, "fine") == "fine"


async def test_a_marked_handler_gets_chunks_without_their_messages(
    verifier: TokenVerifier, secret: str
) -> None:
    got: list[object] = []

    class Marked(ExampleService):
        @gets_content(pb.ImportArchiveRequest, "chunk")
        async def ImportArchive(
            self, request_iterator: AsyncIterator[Any], context: object
        ) -> pb.ImportArchiveResponse:
            got.extend([request async for request in request_iterator])
            return pb.ImportArchiveResponse()

    header = pb.ImportArchiveRequest(header=pb.ImportArchiveHeader(project_id="fine"))
    token = issue_token(secret, "editor", "ada", timedelta(hours=1))
    async with (
        serve("127.0.0.1:0", example(Marked()), verifier) as server,
        open_channel(server.address, lambda: token) as channel,
    ):
        requests = [header, pb.ImportArchiveRequest(chunk=b"x" * 100_000)]
        await rpc.DatasetServiceStub(channel).ImportArchive(iter(requests))
    assert got == [header, memoryview(b"x" * 100_000)]


async def test_many_calls_at_once_keep_their_own_contexts(server: Server, secret: str) -> None:
    async def one(number: int) -> str:
        token = issue_token(secret, "editor", f"user-{number}", timedelta(hours=1))
        async with open_channel(server.address, lambda: token) as channel:
            stub = rpc.DatasetServiceStub(channel)
            return (await stub.CreateProject(pb.CreateProjectRequest(name="moment"))).project.description

    assert await asyncio.gather(*(one(number) for number in range(30))) == [f"user-{n}" for n in range(30)]
