"""Who may do what, over REST, gRPC and WebSocket."""

from datetime import timedelta
from uuid import uuid4

import grpc
import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from annotateforge.api.dataset.v1 import dataset_service_pb2
from annotateforge.local.tokens import create_token
from tests.scenarios.installation import Running
from tests.scenarios.samples import job, make_project


def _headers(installation: Running, role: str, lifetime: timedelta = timedelta(hours=1)) -> dict[str, str]:
    return {"authorization": f"Bearer {create_token(installation.data_dir, role, 'test', lifetime)}"}


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [(None, "TOKEN_MISSING"), ("Bearer nonsense", "TOKEN_INVALID"), ("Basic abc", "TOKEN_MISSING")],
)
def test_nobody_gets_in_without_a_good_token(
    installation: Running, authorization: str | None, reason: str
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    answer = httpx.get(f"{installation.url}/api/v1/projects", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["reason"] == reason
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_an_expired_token_is_told_apart(installation: Running) -> None:
    headers = _headers(installation, "admin", timedelta(minutes=-5))
    answer = httpx.get(f"{installation.url}/api/v1/projects", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["reason"] == "TOKEN_EXPIRED"


def test_a_viewer_reads_and_changes_nothing(installation: Running) -> None:
    with installation.rest() as admin:
        project = make_project(admin, f"viewed {uuid4()}", images=4)
    viewer = httpx.Client(base_url=installation.url, headers=_headers(installation, "viewer"), timeout=30)
    with viewer:
        assert viewer.get(f"/api/v1/projects/{project}").status_code == 200
        image = viewer.get(f"/api/v1/projects/{project}/images").json()["images"][0]["id"]
        forbidden = [
            viewer.post("/api/v1/projects", json={"name": "mine"}),
            viewer.patch(f"/api/v1/projects/{project}", json={"name": "mine"}),
            viewer.delete(f"/api/v1/projects/{project}"),
            viewer.post(f"/api/v1/projects/{project}/import", content=b"x"),
            viewer.put(f"/api/v1/images/{image}/annotations", json={"annotations": []}),
            viewer.delete(f"/api/v1/images/{image}"),
            viewer.post("/api/v1/training/jobs", json=job(project)),
            viewer.patch(f"/api/v1/training/models/{uuid4()}/activate"),
        ]
        for answer in forbidden:
            assert answer.status_code == 403, answer.text
            assert answer.json()["error"]["reason"] == "ROLE_NOT_ALLOWED"
        assert viewer.get(f"/api/v1/projects/{project}").json()["image_count"] == 4


def test_services_check_the_token_themselves(installation: Running) -> None:
    token = create_token(installation.data_dir, "viewer", "test", timedelta(hours=1))
    with grpc.insecure_channel(installation.addresses["dataset"]) as channel:
        call = channel.unary_unary(
            "/annotateforge.api.dataset.v1.DatasetService/CreateProject",
            request_serializer=dataset_service_pb2.CreateProjectRequest.SerializeToString,
            response_deserializer=dataset_service_pb2.CreateProjectResponse.FromString,
        )
        request = dataset_service_pb2.CreateProjectRequest(name="mine")
        for metadata, code in (
            ((), grpc.StatusCode.UNAUTHENTICATED),
            ((("authorization", f"Bearer {token}"),), grpc.StatusCode.PERMISSION_DENIED),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                call(request, metadata=metadata, timeout=10)
            assert caught.value.code() == code


@pytest.mark.parametrize(("token", "code"), [("", 4401), ("nonsense", 4401)])
def test_a_websocket_without_a_good_token_is_closed(installation: Running, token: str, code: int) -> None:
    address = installation.url.replace("http", "ws", 1)
    with connect(f"{address}/api/v1/training/ws/{uuid4()}?token={token}", proxy=None) as socket:
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)
        assert socket.close_code == code


def test_what_needs_no_token_answers_without(installation: Running) -> None:
    for path in ("/", "/docs", "/healthz", "/readyz", "/api/v1/openapi.json"):
        assert httpx.get(installation.url + path).status_code == 200, path
    assert httpx.get(installation.url + "/metrics").status_code == 401
