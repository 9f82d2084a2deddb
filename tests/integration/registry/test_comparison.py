"""Models side by side in one call."""

from annotateforge.api.dataset.v1.dataset_pb2 import TASK_TYPE_DETECT, TASK_TYPE_SEGMENT
from annotateforge.api.registry.v1 import registry_service_pb2 as api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.training_settings_pb2 import TrainingSettings
from annotateforge.runtime.ids import new_id
from tests.integration.registry.registrations import ARTIFACTS, refusal, register, registration


async def test_what_differs_the_metrics_and_the_curves_come_in_one_call(
    worker: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    table = b"epoch,train/box_loss,val/box_loss,metrics/mAP50-95(B)\n1,2.5,3,0.25\n2,1.5,2,0.5\n"
    first = (
        await worker.RegisterModel(
            registration(
                {**ARTIFACTS, "results.csv": table},
                metrics={"map50_95": 0.5},
                config=JobConfig(
                    model="yolov8n", epochs=2, learning_rate=0.01, settings=TrainingSettings(mosaic=0.5)
                ),
            )
        )
    ).model.id
    second = (
        await worker.RegisterModel(
            registration(
                {"best.pt": b"weights"},
                metrics={"map50_95": 0.75},
                config=JobConfig(model="yolov8s", epochs=2, learning_rate=0.01),
            )
        )
    ).model.id
    answer = await viewer.CompareModels(api.CompareModelsRequest(model_ids=[second, first]))
    assert list(answer.settings) == ["model", "settings.mosaic"]
    later, earlier = answer.models
    assert (later.model.id, earlier.model.id) == (second, first)
    assert dict(later.settings) == {"model": "yolov8s"}
    assert dict(earlier.settings) == {"model": "yolov8n", "settings.mosaic": "0.5"}
    assert [(point.epoch, point.train_loss, point.val_loss) for point in earlier.curve] == [
        (1, 2.5, 3.0),
        (2, 1.5, 2.0),
    ]
    assert dict(earlier.curve[1].metrics) == {"map50_95": 0.5}
    assert list(later.curve) == []
    assert answer.best_model_id == second
    assert answer.same_dataset


async def test_models_of_other_images_are_told_apart(
    worker: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    ids = [await register(worker, dataset_digest=digest * 32) for digest in ("ab", "cd")]
    answer = await viewer.CompareModels(api.CompareModelsRequest(model_ids=ids))
    assert not answer.same_dataset
    # Equal metrics: the first.
    assert answer.best_model_id == ids[0]


async def test_of_models_that_see_nothing_none_is_the_best(
    worker: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    ids = [await register(worker, metrics={"map50_95": 0.0}) for _ in range(2)]
    answer = await viewer.CompareModels(api.CompareModelsRequest(model_ids=ids))
    assert answer.best_model_id == ""


async def test_what_cannot_be_compared_is_refused_with_the_reason(
    worker: RegistryServiceStub, viewer: RegistryServiceStub
) -> None:
    ids = [await register(worker, task_type=task) for task in (TASK_TYPE_DETECT, TASK_TYPE_SEGMENT)]
    for model_ids, told in (
        (ids[:1], "are 1; name 2 to 6 models"),
        (ids[:1] * 7, "are 7; name 2 to 6 models"),
        (ids, "Particles (detect), Particles (segment)"),
    ):
        error = await refusal(viewer.CompareModels(api.CompareModelsRequest(model_ids=model_ids)))
        assert error.reason == "INVALID_COMPARISON"
        assert told in error.message
    missing = str(new_id())
    error = await refusal(viewer.CompareModels(api.CompareModelsRequest(model_ids=[ids[0], missing])))
    assert (error.reason, error.metadata["model_id"]) == ("MODEL_NOT_FOUND", missing)
    error = await refusal(viewer.CompareModels(api.CompareModelsRequest(model_ids=[ids[0], "x"])))
    assert error.violations[0].field == "model_ids[1]"
