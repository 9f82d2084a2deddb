import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, cast

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.api.dataset.v1.dataset_pb2 import TASK_TYPE_CLASSIFY, TASK_TYPE_DETECT, TASK_TYPE_SEGMENT
from annotateforge.api.registry.v1 import registry_service_pb2 as api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.runtime.ids import new_id
from tests.integration.registry.registrations import ARTIFACTS, refusal, register, registration

Eventually = Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]]


async def download(stub: RegistryServiceStub, **request: Any) -> tuple[ContentInfo, bytes]:
    info, data = None, b""
    async for part in stub.DownloadArtifact(api.DownloadArtifactRequest(**request)):
        if part.WhichOneof("part") == "info":
            assert info is None
            info = part.info
        else:
            assert info is not None
            data += part.chunk
    assert info is not None
    return info, data


async def test_models_are_listed_the_newest_first_in_pages(
    worker: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    ids = [await register(worker, name=f"Model {number}") for number in range(5)]
    seen: list[str] = []
    token = ""
    while True:
        page = await viewer.ListModels(api.ListModelsRequest(page_size=2, page_token=token))
        seen += [model.id for model in page.models]
        token = page.next_page_token
        if not token:
            break
    assert seen == ids[::-1]


async def test_filters_of_the_list_can_be_joined(
    worker: RegistryServiceStub, editor: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    job_id = str(new_id())
    cells = await register(worker, name="Blood 100%_Cells", job_id=job_id)
    outlines = await register(worker, name="Nuclei cells", task_type=TASK_TYPE_SEGMENT)
    await editor.ActivateModel(api.ActivateModelRequest(model_id=outlines))

    async def ids(**filters: Any) -> set[str]:
        answer = await viewer.ListModels(api.ListModelsRequest(**filters))
        return {model.id for model in answer.models}

    assert await ids() == {cells, outlines}
    assert await ids(task_type=TASK_TYPE_DETECT) == {cells}
    assert await ids(task_type=TASK_TYPE_CLASSIFY) == set()
    assert await ids(is_active=True) == {outlines}
    assert await ids(is_active=False) == {cells}
    assert await ids(job_id=job_id) == {cells}
    assert await ids(name_contains="CELLS") == {cells, outlines}
    assert await ids(name_contains="0%_c") == {cells}
    assert await ids(name_contains="%") == {cells}
    assert await ids(name_contains="cells", is_active=True, task_type=TASK_TYPE_DETECT) == set()


async def test_wrong_requests_are_refused_with_their_field(
    editor: RegistryServiceStub, worker: RegistryServiceStub
) -> None:
    model_id = await register(worker)
    cases: list[tuple[Awaitable[object], str, str]] = [
        (editor.GetModel(api.GetModelRequest()), "INVALID_ID", "model_id"),
        (editor.GetModel(api.GetModelRequest(model_id="../etc")), "INVALID_ID", "model_id"),
        (editor.ListModels(api.ListModelsRequest(job_id="x")), "INVALID_ID", "job_id"),
        (editor.ListModels(api.ListModelsRequest(page_size=-1)), "INVALID_PAGE_SIZE", "page_size"),
        (editor.ListModels(api.ListModelsRequest(page_token="x")), "INVALID_PAGE_TOKEN", "page_token"),
        (
            editor.ListModels(api.ListModelsRequest(task_type=cast(Any, 99))),
            "INVALID_FILTER",
            "task_type",
        ),
        (editor.UpdateModel(api.UpdateModelRequest(model_id=model_id, name=" ")), "INVALID_MODEL", "name"),
        (
            editor.UpdateModel(api.UpdateModelRequest(model_id=model_id, name="x" * 201)),
            "INVALID_MODEL",
            "name",
        ),
        (
            editor.UpdateModel(api.UpdateModelRequest(model_id=model_id, description="x" * 10_001)),
            "INVALID_MODEL",
            "description",
        ),
        (download(editor, model_id=model_id, offset=-1), "INVALID_RANGE", "offset"),
        (download(editor, model_id=model_id, length=-1), "INVALID_RANGE", "length"),
    ]
    for call, reason, field in cases:
        error = await refusal(call)
        assert (error.code.name, error.reason) == ("INVALID_ARGUMENT", reason)
        assert [violation.field for violation in error.violations] == [field]
    assert (
        await refusal(editor.ListModels(api.ListModelsRequest(name_contains="\0")))
    ).reason == "INVALID_TEXT"


async def test_what_is_not_there_is_not_found(
    editor: RegistryServiceStub, worker: RegistryServiceStub
) -> None:
    unknown = str(new_id())
    for call in (
        editor.GetModel(api.GetModelRequest(model_id=unknown)),
        editor.UpdateModel(api.UpdateModelRequest(model_id=unknown)),
        editor.ActivateModel(api.ActivateModelRequest(model_id=unknown)),
        editor.DeactivateModel(api.DeactivateModelRequest(model_id=unknown)),
        editor.DeleteModel(api.DeleteModelRequest(model_id=unknown)),
        editor.ListArtifacts(api.ListArtifactsRequest(model_id=unknown)),
        download(editor, model_id=unknown),
    ):
        error = await refusal(call)
        assert (error.code.name, error.reason) == ("NOT_FOUND", "MODEL_NOT_FOUND")
    model_id = await register(worker)
    error = await refusal(download(editor, model_id=model_id, name="../../etc/passwd"))
    assert (error.code.name, error.reason) == ("NOT_FOUND", "ARTIFACT_NOT_FOUND")


async def test_the_given_fields_are_updated_and_the_others_stay(
    worker: RegistryServiceStub, editor: RegistryServiceStub
) -> None:
    model_id = await register(worker)
    model = (
        await editor.UpdateModel(api.UpdateModelRequest(model_id=model_id, description="Two\nlines"))
    ).model
    assert (model.name, model.description) == ("Particles", "Two\nlines")
    model = (await editor.UpdateModel(api.UpdateModelRequest(model_id=model_id, name=" Cells "))).model
    assert (model.name, model.description) == ("Cells", "Two\nlines")


async def test_downloads_say_what_they_are(worker: RegistryServiceStub, viewer: RegistryServiceStub) -> None:
    model_id = await register(worker, name="Blood / cells")
    info, data = await download(viewer, model_id=model_id)
    assert data == ARTIFACTS["best.pt"]
    assert info == ContentInfo(
        content_type="application/octet-stream",
        filename="Blood _ cells.pt",
        total_size=len(data),
        etag=hashlib.sha256(data).hexdigest(),
        offset=0,
        length=len(data),
    )
    info, data = await download(viewer, model_id=model_id, name="results.csv")
    assert data == ARTIFACTS["results.csv"]
    assert (info.filename, info.content_type) == ("results.csv", "text/csv; charset=utf-8")


async def test_artifact_ranges_are_byte_identical_to_the_whole(
    worker: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    chance = random.Random(3)
    whole = chance.randbytes(3_000_000)
    model_id = (await worker.RegisterModel(registration({"best.pt": whole}))).model.id
    for _ in range(20):
        offset, length = chance.randrange(len(whole)), chance.randrange(len(whole))
        info, data = await download(viewer, model_id=model_id, offset=offset, length=length)
        assert data == whole[offset:][: length or None]
        assert (info.offset, info.length, info.total_size) == (offset, len(data), len(whole))
    error = await refusal(download(viewer, model_id=model_id, offset=len(whole)))
    assert (error.code.name, error.reason) == ("OUT_OF_RANGE", "OFFSET_BEYOND_END")


async def test_deleting_a_model_deletes_the_blobs_that_no_other_needs(
    worker: RegistryServiceStub,
    editor: RegistryServiceStub,
    stored: Callable[[], set[str]],
    eventually: Eventually,
) -> None:
    kept = await register(worker)
    gone = (
        await worker.RegisterModel(registration({**ARTIFACTS, "extra.png": b"of this model alone"}))
    ).model.id
    assert len(stored()) == 4
    await editor.DeleteModel(api.DeleteModelRequest(model_id=gone))
    await eventually(lambda: len(stored()) == 3)
    assert (await download(editor, model_id=kept))[1] == ARTIFACTS["best.pt"]
    await editor.DeleteModel(api.DeleteModelRequest(model_id=kept))
    await eventually(lambda: not stored())
    error = await refusal(editor.DeleteModel(api.DeleteModelRequest(model_id=kept)))
    assert error.reason == "MODEL_NOT_FOUND"


async def test_deletions_that_race_with_registrations_of_the_same_content_never_lose_bytes(
    worker: RegistryServiceStub, editor: RegistryServiceStub
) -> None:
    async def churn() -> None:
        model_id = await register(worker)
        await editor.DeleteModel(api.DeleteModelRequest(model_id=model_id))

    async def check() -> None:
        model_id = await register(worker)
        for name, data in ARTIFACTS.items():
            assert (await download(editor, model_id=model_id, name=name))[1] == data
        await editor.DeleteModel(api.DeleteModelRequest(model_id=model_id))

    for _ in range(8):
        await asyncio.gather(churn(), check(), churn(), check())
