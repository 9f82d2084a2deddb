from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest

from annotateforge.api.dataset.v1 import dataset_service_pb2 as pb
from annotateforge.api.dataset.v1 import dataset_service_pb2_grpc as rpc
from annotateforge.runtime import channel as module
from annotateforge.runtime.auth import TokenVerifier, issue_token
from annotateforge.runtime.call import caller_token, request_id
from annotateforge.runtime.channel import open_channel
from annotateforge.runtime.errors import NotFound, Unauthenticated, Unavailable
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.runtime.server import serve
from tests.integration.runtime.example_service import NAME, Context, ExampleService, Unimplemented, example


class Front(Unimplemented):
    """A service that hands every project on to another service."""

    def __init__(self, behind: rpc.DatasetServiceStub) -> None:
        self._behind = behind
        self.request_ids: list[str | None] = []

    async def CreateProject(
        self, request: pb.CreateProjectRequest, context: Context
    ) -> pb.CreateProjectResponse:
        self.request_ids.append(request_id())
        call = self._behind.CreateProject(request)
        response = await call
        self.request_ids.append(str(dict(await call.trailing_metadata())["x-request-id"]))
        return response


@pytest.fixture
def token(secret: str) -> str:
    return issue_token(secret, "editor", "ada", timedelta(hours=1))


@pytest.fixture
async def front(secret: str) -> AsyncIterator[tuple[Front, str]]:
    """A front before an example service, called with the caller's token; and its address."""
    verifier = TokenVerifier(secret)
    async with (
        serve("127.0.0.1:0", example(ExampleService()), verifier) as behind,
        open_channel(behind.address, caller_token) as channel,
    ):
        servicer = Front(rpc.DatasetServiceStub(channel))
        services = [
            (
                rpc.add_DatasetServiceServicer_to_server,
                servicer,
                NAME,
            )
        ]
        async with serve("127.0.0.1:0", services, verifier) as server:
            yield servicer, server.address


async def test_a_service_calls_another_in_its_callers_name_and_under_its_request_id(
    front: tuple[Front, str], token: str
) -> None:
    servicer, address = front
    async with open_channel(address, lambda: token) as channel:
        stub = rpc.DatasetServiceStub(channel)
        request = pb.CreateProjectRequest(name="fine")
        answer = await stub.CreateProject(request, metadata=(("x-request-id", "one-for-both"),))
    assert answer.project.description == "ada"
    assert servicer.request_ids == ["one-for-both", "one-for-both"]


async def test_an_error_of_the_service_behind_reaches_the_caller_unchanged(
    front: tuple[Front, str], token: str
) -> None:
    async with open_channel(front[1], lambda: token) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.DatasetServiceStub(channel).CreateProject(pb.CreateProjectRequest(name="missing"))
    error = from_rpc_error(caught.value)
    assert isinstance(error, NotFound)
    assert (error.reason, error.metadata) == ("PROJECT_NOT_FOUND", {"project_id": "7"})


async def test_without_a_token_source_no_token_is_sent(front: tuple[Front, str]) -> None:
    async with open_channel(front[1]) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.DatasetServiceStub(channel).CreateProject(pb.CreateProjectRequest(name="fine"))
    assert isinstance(from_rpc_error(caught.value), Unauthenticated)


async def test_a_unary_call_has_a_deadline_without_being_asked(front: tuple[Front, str], token: str) -> None:
    async with open_channel(front[1], lambda: token, deadline=0.2) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.DatasetServiceStub(channel).CreateProject(pb.CreateProjectRequest(name="slow"))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert module.UNARY_DEADLINE == 30


async def test_a_service_that_is_not_there_is_unavailable_without_addresses_in_the_text() -> None:
    async with open_channel("127.0.0.1:1") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.DatasetServiceStub(channel).CreateProject(pb.CreateProjectRequest(), timeout=5)
    error = from_rpc_error(caught.value)
    assert isinstance(error, Unavailable)
    assert "127.0.0.1" not in error.message


async def test_a_channel_finds_a_server_that_was_restarted(secret: str, token: str) -> None:
    verifier = TokenVerifier(secret)
    async with serve("127.0.0.1:0", example(ExampleService()), verifier) as server:
        address = server.address
    async with open_channel(address, lambda: token) as channel:
        stub = rpc.DatasetServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.CreateProject(pb.CreateProjectRequest(name="fine"), timeout=5)
        async with serve(address, example(ExampleService()), verifier):
            answer = await stub.CreateProject(
                pb.CreateProjectRequest(name="fine"), timeout=10, wait_for_ready=True
            )
    assert answer.project.name == "fine"
