import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from annotateforge.api.dataset.v1.dataset_pb2 import TASK_TYPE_DETECT
from annotateforge.api.inference.v1 import inference_service_pb2 as api
from annotateforge.api.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from annotateforge.api.inference.v1.prediction_pb2 import Prediction
from annotateforge.api.registry.v1 import registry_service_pb2 as registry_api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.inference.app import running
from annotateforge.inference.settings import Settings
from annotateforge.local.nats import embedded_nats
from annotateforge.registry.app import Settings as RegistrySettings
from annotateforge.registry.app import running as running_registry
from annotateforge.runtime.ids import new_id
from tests.integration.inference.registrations import activate, refusal, register
from tests.integration.inference.stubs import inference_stub, registry_stub

Weights = Callable[..., bytes]
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


async def predict(viewer: InferenceServiceStub, image: bytes) -> Prediction:
    request = api.PredictRequest(image=image, task_type=TASK_TYPE_DETECT)
    return (await viewer.Predict(request)).prediction


async def test_an_activation_swaps_the_model_and_no_request_fails_meanwhile(
    viewer: InferenceServiceStub,
    worker: RegistryServiceStub,
    models: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
) -> None:
    first = await register(worker, make_weights())
    second = await register(worker, make_weights(seed=1))
    await activate(models, first)
    seen: list[Prediction] = []
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            seen.append(await predict(viewer, picture))

    asking = [asyncio.create_task(ask()) for _ in range(3)]
    async with asyncio.timeout(30):
        for expected in (first, second, first):
            await activate(models, expected)
            while not seen or seen[-1].model_id != expected:
                await asyncio.sleep(0.01)
    done.set()
    await asyncio.gather(*asking)
    assert len({tuple(o.confidence for o in p.objects) for p in seen}) == 2
    for model_id in (first, second):
        assert len({tuple(o.confidence for o in p.objects) for p in seen if p.model_id == model_id}) == 1


async def test_after_a_deactivation_nothing_predicts_for_the_task(
    viewer: InferenceServiceStub,
    worker: RegistryServiceStub,
    models: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
    eventually: Eventually,
) -> None:
    model_id = await register(worker, make_weights())
    await activate(models, model_id)
    assert (await predict(viewer, picture)).model_id == model_id
    await models.DeactivateModel(registry_api.DeactivateModelRequest(model_id=model_id))

    async def refused() -> bool:
        try:
            await predict(viewer, picture)
        except Exception:
            return True
        return False

    await eventually(refused)
    assert (await refusal(predict(viewer, picture))).reason == "NO_ACTIVE_MODEL"


async def test_a_later_attempt_that_replaces_the_active_model_is_taken_up(
    viewer: InferenceServiceStub,
    worker: RegistryServiceStub,
    models: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
    eventually: Eventually,
) -> None:
    job_id = str(new_id())
    model_id = await register(worker, make_weights(), job_id=job_id)
    await activate(models, model_id)
    before = await predict(viewer, picture)
    assert await register(worker, make_weights(seed=1), job_id=job_id, attempt=2) == model_id

    async def another() -> bool:
        return (await predict(viewer, picture)).objects != before.objects

    await eventually(another)
    by_id = await viewer.Predict(api.PredictRequest(image=picture, model_id=model_id))
    assert by_id.prediction.objects == (await predict(viewer, picture)).objects


async def test_activations_are_found_while_nats_is_away_and_after_it_is_back(
    tmp_path: Path,
    database_url: str,
    store_url: str,
    secret: str,
    make_weights: Weights,
    picture: bytes,
    eventually: Eventually,
) -> None:
    key = SecretStr(secret)
    bus_folder = tmp_path / "nats"
    bus_folder.mkdir()
    async with embedded_nats(bus_folder) as nats_url:
        port = int(nats_url.rpartition(":")[2])
        stack = running_registry(
            RegistrySettings(database_url=database_url, nats_url=nats_url, store_url=store_url, secret=key)
        )
        registry = await stack.__aenter__()
        service = running(Settings(registry_address=registry.address, nats_url=nats_url, secret=key))
        inference = await service.__aenter__()
    try:
        async with (
            registry_stub(registry.address, secret, "worker") as worker,
            registry_stub(registry.address, secret, "admin") as models,
            inference_stub(inference.address, secret) as viewer,
        ):
            first = await register(worker, make_weights())
            second = await register(worker, make_weights(seed=1))
            await activate(models, first)
            assert (await predict(viewer, picture)).model_id == first
            await activate(models, second)
            async with embedded_nats(bus_folder, port=port):

                async def swapped() -> bool:
                    return (await predict(viewer, picture)).model_id == second

                await eventually(swapped)
    finally:
        await service.__aexit__(None, None, None)
        await stack.__aexit__(None, None, None)


async def test_the_service_is_ready_without_the_registry_and_says_what_is_missing(
    nats_url: str, secret: str, picture: bytes, unused_address: str, settings: Settings, make_weights: Weights
) -> None:
    alone = settings.model_copy(update={"registry_address": unused_address})
    async with running(alone) as inference, inference_stub(inference.address, secret) as viewer:
        error = await refusal(predict(viewer, picture))
        assert (error.code.name, error.reason) == ("UNAVAILABLE", "REGISTRY_UNAVAILABLE")


async def test_a_registry_that_refuses_the_services_token_is_no_fault_of_the_caller(
    settings: Settings, secret: str, picture: bytes
) -> None:
    stranger = settings.model_copy(update={"registry_token": SecretStr("no token")})
    async with running(stranger) as inference, inference_stub(inference.address, secret) as viewer:
        error = await refusal(predict(viewer, picture))
        assert (error.code.name, error.reason) == ("UNAVAILABLE", "REGISTRY_UNAVAILABLE")


async def test_too_many_images_at_once_are_refused_and_streams_wait(
    settings: Settings,
    secret: str,
    worker: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
) -> None:
    narrow = settings.model_copy(update={"inference_queue": 2})
    model_id = await register(worker, make_weights())
    request = api.PredictRequest(image=picture, model_id=model_id)
    async with running(narrow) as inference, inference_stub(inference.address, secret) as viewer:
        results = await asyncio.gather(*(viewer.Predict(request) for _ in range(20)), return_exceptions=True)
        refused = [result for result in results if isinstance(result, BaseException)]
        assert 0 < len(refused) <= 18
        error = await refusal(_raise(refused[0]))
        assert (error.code.name, error.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_PREDICTIONS")

        async def stream() -> int:
            requests = (api.PredictStreamRequest(request=request) for _ in range(8))
            return len([answer async for answer in viewer.PredictStream(requests)])

        assert list(await asyncio.gather(stream(), stream(), stream())) == [8, 8, 8]


async def test_models_beyond_the_limit_are_loaded_again_from_the_disk(
    settings: Settings,
    secret: str,
    worker: RegistryServiceStub,
    models: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
) -> None:
    small = settings.model_copy(update={"inference_loaded_models": 1})
    assert small.inference_cache is not None
    ids = [await register(worker, make_weights(seed=seed)) for seed in (0, 1)]
    async with running(small) as inference, inference_stub(inference.address, secret) as viewer:

        async def ask(model_id: str) -> Any:
            request = api.PredictRequest(image=picture, model_id=model_id)
            return (await viewer.Predict(request)).prediction.objects

        before = [await ask(model_id) for model_id in ids]
        files = sorted(small.inference_cache.glob("*.pt"))
        assert len(files) == 2
        stamps = [file.stat().st_ino for file in files]
        assert [await ask(model_id) for model_id in ids] == before
        assert [file.stat().st_ino for file in files] == stamps
        # What lies on the disk is not believed.
        for file in files:
            file.write_bytes(b"damaged")
        assert [await ask(model_id) for model_id in ids] == before


async def _raise(error: BaseException) -> None:
    raise error
