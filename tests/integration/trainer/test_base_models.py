"""Training on from a registered model, with the real registry."""

import hashlib
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
from pydantic import SecretStr

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.registry.v1 import registry_service_pb2 as registry_api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.training_settings_pb2 import TrainingSettings
from annotateforge.registry import app as registry_app
from annotateforge.runtime.auth import Role
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.app import Settings
from tests.integration.trainer.conftest import channel_to
from tests.integration.trainer.workers import Editor, make_job

WEIGHTS = b"weights of a model"


@pytest.fixture
async def registry(database_url: str, nats_url: str, store_url: str, secret: str) -> AsyncIterator[str]:
    settings = registry_app.Settings(
        database_url=database_url, nats_url=nats_url, store_url=store_url, secret=SecretStr(secret)
    )
    async with registry_app.running(settings) as app:
        yield app.address


@pytest.fixture
def settings(settings: Settings, registry: str) -> Settings:
    return settings.model_copy(update={"registry_address": registry})


@pytest.fixture
async def small_model(registry: str, secret: str) -> str:
    """The id of a registered yolov8s for detection."""
    header = registry_api.RegisterModelHeader(
        job_id=str(new_id()),
        attempt=1,
        name="a model",
        task_type=TaskType.TASK_TYPE_DETECT,
        architecture="yolov8s",
        classes=["cell"],
        image_size=640,
        dataset_id=str(new_id()),
        dataset_digest="0" * 64,
        config=JobConfig(model="yolov8s", epochs=3),
        best_epoch=1,
        epochs_trained=3,
    )
    artifact = registry_api.ArtifactHeader(
        name="best.pt", size_bytes=len(WEIGHTS), sha256=hashlib.sha256(WEIGHTS).hexdigest()
    )

    def parts() -> Iterator[registry_api.RegisterModelRequest]:
        yield registry_api.RegisterModelRequest(header=header)
        yield registry_api.RegisterModelRequest(artifact=artifact)
        yield registry_api.RegisterModelRequest(chunk=WEIGHTS)

    async with channel_to(registry, secret, Role.WORKER) as channel:
        return (await RegistryServiceStub(channel).RegisterModel(parts())).model.id


async def test_a_job_takes_the_architecture_of_its_base_model(editor: Editor, small_model: str) -> None:
    assert (await make_job(editor, base_model_id=small_model)).config.model == "yolov8s"
    assert (await make_job(editor, base_model_id=small_model, model="yolov8s")).config.model == "yolov8s"


async def test_another_architecture_than_the_base_model_has_is_refused(
    editor: Editor, small_model: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await make_job(editor, base_model_id=small_model, model="yolov8n")
    error = from_rpc_error(caught.value)
    assert (error.reason, error.violations[0].field) == ("ARCHITECTURE_MISMATCH", "config.model")


async def test_a_base_model_cannot_be_frozen_as_a_whole(editor: Editor, small_model: str) -> None:
    kept = await make_job(editor, base_model_id=small_model, settings=TrainingSettings(freeze=22))
    assert kept.config.settings.freeze == 22
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await make_job(editor, base_model_id=small_model, settings=TrainingSettings(freeze=23))
    error = from_rpc_error(caught.value)
    assert (error.reason, error.violations[0].field) == ("INVALID_JOB", "config.settings.freeze")


async def test_a_base_model_that_is_not_there_is_told(editor: Editor) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await make_job(editor, base_model_id=str(new_id()))
    assert from_rpc_error(caught.value).reason == "MODEL_NOT_FOUND"
