import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from annotateforge.api.dataset.v1.dataset_pb2 import TASK_TYPE_DETECT, TASK_TYPE_SEGMENT
from annotateforge.api.registry.v1 import model_pb2
from annotateforge.api.registry.v1 import registry_service_pb2 as api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.runtime.bus import Subscription, connect_bus
from annotateforge.runtime.feed import Gap
from annotateforge.runtime.subjects import all_model_events
from tests.integration.registry.registrations import refusal, register


async def active_ids(viewer: RegistryServiceStub) -> list[str]:
    answer = await viewer.ListModels(api.ListModelsRequest(is_active=True))
    return [model.id for model in answer.models]


async def test_activating_a_model_deactivates_the_one_before(
    worker: RegistryServiceStub, editor: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    first, second = await register(worker), await register(worker)
    outlines = await register(worker, task_type=TASK_TYPE_SEGMENT)
    for model_id in (first, outlines, second):
        model = (await editor.ActivateModel(api.ActivateModelRequest(model_id=model_id))).model
        assert model.is_active
        assert model.HasField("activate_time")
    assert set(await active_ids(viewer)) == {second, outlines}
    history = (
        await viewer.ListActivations(api.ListActivationsRequest(task_type=TASK_TYPE_DETECT))
    ).activations
    assert [activation.model_id for activation in history] == [second, first]
    assert not history[0].HasField("deactivate_time")
    assert history[1].deactivate_time.ToNanoseconds() <= history[0].activate_time.ToNanoseconds()
    assert {activation.activated_by for activation in history} == {"editor@example.org"}


async def test_activating_and_deactivating_twice_changes_nothing(
    worker: RegistryServiceStub, editor: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    model_id = await register(worker)
    activate = api.ActivateModelRequest(model_id=model_id)
    deactivate = api.DeactivateModelRequest(model_id=model_id)
    assert await editor.ActivateModel(activate) == await editor.ActivateModel(activate)
    assert await editor.DeactivateModel(deactivate) == await editor.DeactivateModel(deactivate)
    assert await active_ids(viewer) == []
    history = (await viewer.ListActivations(api.ListActivationsRequest())).activations
    assert len(history) == 1
    assert history[0].HasField("deactivate_time")


async def test_racing_activations_leave_one_active_and_a_history_without_overlap(
    worker: RegistryServiceStub, editor: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    ids = [await register(worker) for _ in range(4)]
    await asyncio.gather(
        *(editor.ActivateModel(api.ActivateModelRequest(model_id=model_id)) for model_id in ids * 6),
        *(editor.DeactivateModel(api.DeactivateModelRequest(model_id=model_id)) for model_id in ids * 2),
        *(
            editor.UpdateModel(api.UpdateModelRequest(model_id=model_id, description=str(n)))
            for n, model_id in enumerate(ids * 2)
        ),
    )
    assert len(await active_ids(viewer)) <= 1
    await editor.ActivateModel(api.ActivateModelRequest(model_id=ids[0]))
    assert await active_ids(viewer) == [ids[0]]
    history = (await viewer.ListActivations(api.ListActivationsRequest(page_size=1000))).activations
    for later, earlier in itertools.pairwise(history):
        assert earlier.deactivate_time.ToNanoseconds() <= later.activate_time.ToNanoseconds()
        assert earlier.activate_time.ToNanoseconds() <= earlier.deactivate_time.ToNanoseconds()


async def test_activation_and_deletion_that_race_never_delete_an_active_model(
    worker: RegistryServiceStub, editor: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    for _ in range(10):
        model_id = await register(worker)
        activated, deleted = await asyncio.gather(
            editor.ActivateModel(api.ActivateModelRequest(model_id=model_id)),
            editor.DeleteModel(api.DeleteModelRequest(model_id=model_id)),
            return_exceptions=True,
        )
        assert isinstance(activated, BaseException) != isinstance(deleted, BaseException)
        assert (model_id in await active_ids(viewer)) == isinstance(deleted, BaseException)


async def test_the_active_model_is_not_deleted_and_says_what_to_do(
    worker: RegistryServiceStub, editor: RegistryServiceStub
) -> None:
    model_id = await register(worker)
    await editor.ActivateModel(api.ActivateModelRequest(model_id=model_id))
    error = await refusal(editor.DeleteModel(api.DeleteModelRequest(model_id=model_id)))
    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "MODEL_ACTIVE")
    assert "deactivate" in error.message


async def test_the_history_outlives_the_model(
    worker: RegistryServiceStub, editor: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    model_id = await register(worker)
    await editor.ActivateModel(api.ActivateModelRequest(model_id=model_id))
    await editor.DeactivateModel(api.DeactivateModelRequest(model_id=model_id))
    await editor.DeleteModel(api.DeleteModelRequest(model_id=model_id))
    history = (await viewer.ListActivations(api.ListActivationsRequest())).activations
    assert [activation.model_id for activation in history] == [model_id]


async def test_activations_come_in_pages(
    worker: RegistryServiceStub, editor: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    ids = [await register(worker) for _ in range(5)]
    for model_id in ids:
        await editor.ActivateModel(api.ActivateModelRequest(model_id=model_id))
    seen: list[str] = []
    token = ""
    while True:
        page = await viewer.ListActivations(api.ListActivationsRequest(page_size=2, page_token=token))
        seen += [activation.model_id for activation in page.activations]
        token = page.next_page_token
        if not token:
            break
    assert seen == ids[::-1]


async def test_only_editors_activate(worker: RegistryServiceStub, viewer: RegistryServiceStub) -> None:
    model_id = await register(worker)
    for stub in (worker, viewer):
        error = await refusal(stub.ActivateModel(api.ActivateModelRequest(model_id=model_id)))
        assert error.reason == "ROLE_NOT_ALLOWED"


@pytest.fixture
async def told(nats_url: str) -> AsyncIterator[Subscription]:
    async with connect_bus(nats_url, "test") as bus, bus.subscribe(all_model_events()) as subscription:
        yield subscription


async def test_every_change_is_told_once_and_in_order(
    told: Subscription, worker: RegistryServiceStub, editor: RegistryServiceStub
) -> None:
    first = await register(worker)
    second = await register(worker)
    await editor.ActivateModel(api.ActivateModelRequest(model_id=first))
    await editor.ActivateModel(api.ActivateModelRequest(model_id=first))
    await editor.ActivateModel(api.ActivateModelRequest(model_id=second))
    await editor.UpdateModel(api.UpdateModelRequest(model_id=first, name="Other"))
    await editor.UpdateModel(api.UpdateModelRequest(model_id=first, name="Other"))
    await editor.DeactivateModel(api.DeactivateModelRequest(model_id=second))
    await editor.DeleteModel(api.DeleteModelRequest(model_id=first))
    expected = [
        (first, "registered", False),
        (second, "registered", False),
        (first, "activated", True),
        (first, "deactivated", False),
        (second, "activated", True),
        (first, "updated", False),
        (second, "deactivated", False),
        (first, "deleted", False),
    ]
    async with asyncio.timeout(10):
        for model_id, what, is_active in expected:
            message = await anext(told)
            assert not isinstance(message, Gap)
            event = model_pb2.ModelEvent.FromString(message.data)
            assert message.subject == f"annotateforge.registry.models.{model_id}.{what}"
            assert model_pb2.ModelChange.Name(event.change) == f"MODEL_CHANGE_{what.upper()}"
            assert (event.model.id, event.model.is_active) == (model_id, is_active)
