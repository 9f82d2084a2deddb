import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from annotateforge.api.dataset.v1.dataset_pb2 import TASK_TYPE_DETECT, TASK_TYPE_SEGMENT
from annotateforge.api.registry.v1 import registry_service_pb2 as api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.runtime.ids import new_id
from tests.integration.registry.registrations import (
    ARTIFACTS,
    artifact,
    chunks,
    header,
    refusal,
    registration,
)

Eventually = Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]]


async def test_a_registered_model_is_what_its_worker_told(
    worker: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    parts = list(registration())
    told = parts[0].header
    model = (await worker.RegisterModel(iter(parts))).model
    assert model.name == "Particles"
    assert model.task_type == TASK_TYPE_DETECT
    assert list(model.classes) == ["RBC", "WBC"]
    assert dict(model.metrics) == {"map50": 0.71, "map50_95": 1 / 3}
    assert model.config == told.config
    assert (model.job_id, model.attempt, model.dataset_id) == (told.job_id, 1, told.dataset_id)
    assert (model.best_epoch, model.epochs_trained) == (2, 3)
    assert not model.is_active
    assert not model.HasField("activate_time")
    assert model.weights_size_bytes == len(ARTIFACTS["best.pt"])
    assert model.weights_sha256 == hashlib.sha256(ARTIFACTS["best.pt"]).hexdigest()
    assert (await viewer.GetModel(api.GetModelRequest(model_id=model.id))).model == model
    found = (await viewer.ListArtifacts(api.ListArtifactsRequest(model_id=model.id))).artifacts
    assert [(a.name, a.content_type, a.size_bytes) for a in found] == [
        ("best.pt", "application/octet-stream", len(ARTIFACTS["best.pt"])),
        ("last.pt", "application/octet-stream", len(ARTIFACTS["last.pt"])),
        ("results.csv", "text/csv; charset=utf-8", len(ARTIFACTS["results.csv"])),
    ]


async def test_the_same_attempt_registered_again_answers_the_model_that_is_there(
    worker: RegistryServiceStub, stored: Callable[[], set[str]]
) -> None:
    job_id = str(new_id())
    first = (await worker.RegisterModel(registration(job_id=job_id))).model
    kept = stored()
    again = (
        await worker.RegisterModel(registration({"best.pt": b"x" * 5_000_000}, job_id=job_id, name="Other"))
    ).model
    assert again == first
    assert stored() == kept


async def test_many_registrations_of_one_attempt_at_once_make_one_model(
    worker: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    job_id = str(new_id())
    answers = await asyncio.gather(*(worker.RegisterModel(registration(job_id=job_id)) for _ in range(12)))
    assert len({answer.model.id for answer in answers}) == 1
    listed = (await viewer.ListModels(api.ListModelsRequest(job_id=job_id))).models
    assert [model.id for model in listed] == [answers[0].model.id]


async def test_a_later_attempt_replaces_the_content_and_keeps_id_texts_and_activation(
    worker: RegistryServiceStub,
    editor: RegistryServiceStub,
    stored: Callable[[], set[str]],
    eventually: Eventually,
) -> None:
    job_id = str(new_id())
    first = (await worker.RegisterModel(registration(job_id=job_id))).model
    await editor.UpdateModel(api.UpdateModelRequest(model_id=first.id, name="Mine", description="Of May"))
    active = (await editor.ActivateModel(api.ActivateModelRequest(model_id=first.id))).model
    second = (
        await worker.RegisterModel(
            registration({"best.pt": b"better"}, job_id=job_id, attempt=2, metrics={"map50": 0.9})
        )
    ).model
    assert second.id == first.id
    assert (second.name, second.description) == ("Mine", "Of May")
    assert second.attempt == 2
    assert second.metrics["map50"] == 0.9
    assert second.activate_time == active.activate_time
    assert second.create_time == first.create_time
    listed = (await editor.ListArtifacts(api.ListArtifactsRequest(model_id=first.id))).artifacts
    assert [found.name for found in listed] == ["best.pt"]
    await eventually(lambda: stored() == {hashlib.sha256(b"better").hexdigest()})


async def test_an_earlier_attempt_is_refused(worker: RegistryServiceStub) -> None:
    job_id = str(new_id())
    await worker.RegisterModel(registration(job_id=job_id, attempt=3))
    error = await refusal(worker.RegisterModel(registration(job_id=job_id, attempt=2)))
    assert (error.code.name, error.reason) == ("ABORTED", "ATTEMPT_STALE")
    assert error.metadata["newest_attempt"] == "3"


async def test_an_attempt_that_is_overtaken_while_it_sends_is_refused(worker: RegistryServiceStub) -> None:
    job_id = str(new_id())
    overtaken = asyncio.Event()

    async def slowly() -> AsyncIterator[api.RegisterModelRequest]:
        for number, part in enumerate(registration(job_id=job_id, attempt=1)):
            if number == 2:
                await overtaken.wait()
            yield part

    slow = asyncio.ensure_future(worker.RegisterModel(slowly()))
    newer = (await worker.RegisterModel(registration(job_id=job_id, attempt=2))).model
    overtaken.set()
    assert (await refusal(slow)).reason == "ATTEMPT_STALE"
    assert (await worker.GetModel(api.GetModelRequest(model_id=newer.id))).model == newer


async def test_another_attempt_cannot_change_the_task(worker: RegistryServiceStub) -> None:
    job_id = str(new_id())
    await worker.RegisterModel(registration(job_id=job_id))
    error = await refusal(
        worker.RegisterModel(registration(job_id=job_id, attempt=2, task_type=TASK_TYPE_SEGMENT))
    )
    assert error.reason == "TASK_TYPE_CHANGED"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([], "UNEXPECTED_PART"),
        ([artifact("best.pt", b"x")], "UNEXPECTED_PART"),
        ([header(), *chunks(b"x")], "UNEXPECTED_PART"),
        ([header(), header()], "UNEXPECTED_PART"),
        ([header(), api.RegisterModelRequest()], "UNEXPECTED_PART"),
        ([header()], "WEIGHTS_MISSING"),
        ([header(), artifact("last.pt", b"x"), *chunks(b"x")], "WEIGHTS_MISSING"),
        ([header(), artifact("best.pt", b"")], "WEIGHTS_MISSING"),
        ([header(), artifact("best.pt", b"abc"), *chunks(b"ab")], "ARTIFACT_SIZE_MISMATCH"),
        ([header(), artifact("best.pt", b"abc"), *chunks(b"abcd")], "ARTIFACT_SIZE_MISMATCH"),
        ([header(), artifact("best.pt", b"abc")], "ARTIFACT_SIZE_MISMATCH"),
        ([header(), artifact("best.pt", b"abc"), *chunks(b"abd")], "ARTIFACT_DIGEST_MISMATCH"),
        (
            [header(), artifact("best.pt", b"abc"), *chunks(b"abc"), artifact("best.pt", b"abc")],
            "DUPLICATE_ARTIFACT",
        ),
        ([header(), artifact("../best.pt", b"abc")], "INVALID_ARTIFACT"),
        (
            [
                header(),
                artifact("best.pt", b"x" * 2_000_000),
                *chunks(b"x" * 2_000_000, 1024 * 1024 + 1),
            ],
            "CHUNK_TOO_LARGE",
        ),
        ([header(), artifact("best.pt", b"x", size_bytes=2**50)], "MODEL_TOO_LARGE"),
        ([header(metrics={"map50": float("nan")})], "INVALID_MODEL"),
    ],
)
async def test_what_is_wrong_with_a_stream_is_named_and_nothing_stays(
    worker: RegistryServiceStub,
    viewer: RegistryServiceStub,
    database_url: str,
    stored: Callable[[], set[str]],
    eventually: Eventually,
    parts: list[api.RegisterModelRequest],
    reason: str,
) -> None:
    error = await refusal(worker.RegisterModel(iter(parts)))
    assert error.reason == reason
    assert not (await viewer.ListModels(api.ListModelsRequest())).models
    await nothing_is_left(database_url, stored, eventually)


async def test_a_stream_that_is_broken_off_leaves_nothing(
    worker: RegistryServiceStub,
    viewer: RegistryServiceStub,
    database_url: str,
    stored: Callable[[], set[str]],
    store_url: str,
    eventually: Eventually,
) -> None:
    async def unfinished() -> AsyncIterator[api.RegisterModelRequest]:
        yield header()
        yield artifact("last.pt", b"other weights")
        for part in chunks(b"other weights"):
            yield part
        yield artifact("best.pt", b"x" * 1_000_000)
        for part in chunks(b"x" * 500_000):
            yield part
        await asyncio.Event().wait()

    call = worker.RegisterModel(unfinished())
    await eventually(lambda: stored() == {hashlib.sha256(b"other weights").hexdigest()})
    call.cancel()
    await nothing_is_left(database_url, stored, eventually)
    incoming = Path(urlsplit(store_url).path) / "registry" / "incoming"
    await eventually(lambda: not list(incoming.iterdir()))
    assert not (await viewer.ListModels(api.ListModelsRequest())).models


async def test_a_model_of_a_hundred_megabytes_arrives_whole(
    worker: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    data = random.Random(7).randbytes(100_000_000)
    model = (await worker.RegisterModel(iter(large(data)))).model
    digest = hashlib.sha256()
    size = 0
    async for part in viewer.DownloadArtifact(api.DownloadArtifactRequest(model_id=model.id)):
        digest.update(part.chunk)
        size += len(part.chunk)
    assert (size, digest.hexdigest()) == (len(data), model.weights_sha256)


def large(data: bytes) -> list[api.RegisterModelRequest]:
    return [header(), artifact("best.pt", data), *chunks(data, 512 * 1024)]


async def test_only_workers_register(editor: RegistryServiceStub) -> None:
    assert (await refusal(editor.RegisterModel(registration()))).reason == "ROLE_NOT_ALLOWED"


async def nothing_is_left(database_url: str, stored: Callable[[], set[str]], eventually: Eventually) -> None:
    async def empty() -> bool:
        connection = await asyncpg.connect(database_url, server_settings={"search_path": "registry"})
        try:
            rows = [
                await connection.fetchval(f"SELECT count(*) FROM {table}")
                for table in (
                    "models",
                    "artifacts",
                    "blobs",
                    "ingests",
                    "ingest_blobs",
                    "loose_blobs",
                )
            ]
        finally:
            await connection.close()
        return not any(rows) and not stored()

    await eventually(empty)
