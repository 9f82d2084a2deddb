"""What is held is not deleted."""

from collections.abc import Awaitable, Callable

import grpc

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.runtime.errors import Code
from annotateforge.runtime.ids import new_id
from tests.integration.dataset.calls import refusal
from tests.integration.dataset.specs import labelled_project, prepare, spec_of

Eventually = Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]]


async def frozen(editor: DatasetServiceStub) -> str:
    return (await prepare(editor, spec_of(await labelled_project(editor)))).id


async def test_a_held_data_set_is_deleted_when_its_last_holder_lets_go(editor: DatasetServiceStub) -> None:
    dataset_id = await frozen(editor)
    delete = api.DeleteDatasetRequest(dataset_id=dataset_id)
    for holder in ("job:1", "job:2", "job:1"):
        await editor.HoldDataset(api.HoldDatasetRequest(dataset_id=dataset_id, holder=holder))
    # A hold is not shortened.
    await editor.HoldDataset(api.HoldDatasetRequest(dataset_id=dataset_id, holder="job:2", seconds=1))
    for holder in ("job:1", "job:2", "job:2"):
        error = await refusal(editor.DeleteDataset(delete))
        assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "DATASET_IN_USE")
        assert holder in error.metadata["holders"]
        await editor.ReleaseDataset(api.ReleaseDatasetRequest(dataset_id=dataset_id, holder=holder))
        if holder == "job:2":
            break
    await editor.DeleteDataset(delete)
    await editor.ReleaseDataset(api.ReleaseDatasetRequest(dataset_id=dataset_id, holder="job:1"))


async def test_a_hold_with_an_end_ends(editor: DatasetServiceStub, eventually: Eventually) -> None:
    dataset_id = await frozen(editor)
    await editor.HoldDataset(api.HoldDatasetRequest(dataset_id=dataset_id, holder="job:1", seconds=1))
    delete = api.DeleteDatasetRequest(dataset_id=dataset_id)

    async def deleted() -> bool:
        try:
            await editor.DeleteDataset(delete)
        except grpc.aio.AioRpcError:
            return False
        return True

    await eventually(deleted)


async def test_holds_of_nothing_and_wrong_holders_are_refused(editor: DatasetServiceStub) -> None:
    request = api.HoldDatasetRequest(dataset_id=str(new_id()), holder="job:1")
    assert (await refusal(editor.HoldDataset(request))).reason == "DATASET_NOT_FOUND"
    request.dataset_id = await frozen(editor)
    wrong = [("", 0, "holder"), ("x" * 201, 0, "holder"), ("x", -1, "seconds"), ("x", 90_000, "seconds")]
    for holder, seconds, field in wrong:
        request.holder, request.seconds = holder, seconds
        error = await refusal(editor.HoldDataset(request))
        assert (error.reason, error.violations[0].field) == ("INVALID_HOLD", field)


async def test_viewers_hold_nothing(viewer: DatasetServiceStub) -> None:
    request = api.HoldDatasetRequest(dataset_id=str(new_id()), holder="job:1")
    assert (await refusal(viewer.HoldDataset(request))).code is Code.PERMISSION_DENIED
