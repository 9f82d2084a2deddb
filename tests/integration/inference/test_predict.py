import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from annotateforge.api.dataset.v1.dataset_pb2 import TASK_TYPE_DETECT, TASK_TYPE_SEGMENT
from annotateforge.api.inference.v1 import inference_service_pb2 as api
from annotateforge.api.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from annotateforge.api.inference.v1.prediction_pb2 import Prediction
from annotateforge.api.registry.v1 import registry_service_pb2 as registry_api
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.runtime.ids import new_id
from tests.integration.inference.conftest import CLASSES, IMAGE_SIZE
from tests.integration.inference.registrations import TASK_TYPES, activate, refusal, register

Weights = Callable[..., bytes]
Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


async def predict(viewer: InferenceServiceStub, image: bytes, **request: Any) -> Prediction:
    return (await viewer.Predict(api.PredictRequest(image=image, **request))).prediction


def plain(weights: bytes, image: bytes, tmp_path: Any, **options: Any) -> Any:
    """What ultralytics itself says about an image file."""
    from ultralytics import YOLO

    (tmp_path / "plain.pt").write_bytes(weights)
    (tmp_path / "plain.png").write_bytes(image)
    yolo = YOLO(tmp_path / "plain.pt")
    return yolo.predict(tmp_path / "plain.png", imgsz=IMAGE_SIZE, device="cpu", verbose=False, **options)[0]


def upright_png(image: bytes) -> bytes:
    return bytes(cv2.imencode(".png", cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR))[1])


def rotated_jpeg(picture: bytes, orientation: int) -> bytes:
    """The picture as a camera that was held otherwise would store it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
async def test_boxes_are_those_of_ultralytics_on_the_upright_image(
    viewer: InferenceServiceStub,
    worker: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
    tmp_path: Any,
    orientation: int,
) -> None:
    image = rotated_jpeg(picture, orientation)
    model_id = await register(worker, make_weights())
    prediction = await predict(viewer, image, model_id=model_id, confidence=0.3, iou=0.5, max_objects=20)
    expected = plain(make_weights(), upright_png(image), tmp_path, conf=0.3, iou=0.5, max_det=20).boxes
    assert prediction.model_id == model_id
    assert (prediction.width, prediction.height) == ((120, 160) if orientation >= 5 else (160, 120))
    assert len(prediction.objects) == len(expected) > 3
    found = [
        (o.box.x_min, o.box.y_min, o.box.x_max, o.box.y_max, o.confidence, o.class_id)
        for o in prediction.objects
    ]
    np.testing.assert_allclose(found, expected.data.numpy(), atol=1e-3)
    assert [o.class_label for o in prediction.objects] == [CLASSES[o.class_id] for o in prediction.objects]
    assert [o.confidence for o in prediction.objects] == sorted(
        (o.confidence for o in prediction.objects), reverse=True
    )
    assert prediction.model_seconds > 0
    assert not prediction.classes


async def test_outlines_are_those_of_ultralytics(
    viewer: InferenceServiceStub,
    worker: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
    tmp_path: Any,
) -> None:
    weights = make_weights("segment")
    model_id = await register(worker, weights, "segment")
    prediction = await predict(viewer, picture, model_id=model_id, confidence=0.3, max_objects=10)
    expected = plain(weights, picture, tmp_path, conf=0.3, max_det=10)
    assert len(prediction.objects) == len(expected.boxes) > 1
    compared = 0
    for found, outline in zip(prediction.objects, expected.masks.xy, strict=True):
        if len(outline) < 3:
            assert not found.HasField("polygon")
            continue
        points = [(point.x, point.y) for point in found.polygon.points]
        np.testing.assert_allclose(points, outline, atol=1e-3)
        compared += 1
    assert compared


async def test_a_classification_tells_the_most_probable_classes(
    viewer: InferenceServiceStub,
    worker: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
    tmp_path: Any,
) -> None:
    labels = ("a", "b", "c", "d", "e", "f", "g")
    weights = make_weights("classify", classes=labels)
    # ultralytics numbers the classes by their folders' names; the data set numbers them otherwise.
    model_id = await register(worker, weights, "classify", classes=labels[::-1])
    prediction = await predict(viewer, picture, model_id=model_id)
    expected = plain(weights, picture, tmp_path).probs
    assert [guess.class_label for guess in prediction.classes] == [labels[n] for n in expected.top5]
    assert [guess.class_id for guess in prediction.classes] == [6 - n for n in expected.top5]
    np.testing.assert_allclose(
        [guess.probability for guess in prediction.classes], expected.top5conf.numpy(), atol=1e-5
    )
    assert not prediction.objects


async def test_many_requests_at_once_answer_what_each_would_alone(
    viewer: InferenceServiceStub, worker: RegistryServiceStub, make_weights: Weights, picture: bytes
) -> None:
    ids = [
        await register(worker, make_weights(), "detect"),
        await register(worker, make_weights(seed=1), "detect"),
        await register(worker, make_weights("segment"), "segment"),
    ]
    alone = {model_id: await predict(viewer, picture, model_id=model_id) for model_id in ids}
    together = await asyncio.gather(*(predict(viewer, picture, model_id=model_id) for model_id in ids * 5))
    for prediction in together:
        assert prediction.objects == alone[prediction.model_id].objects
    assert alone[ids[0]].objects != alone[ids[1]].objects


async def test_a_stream_answers_in_the_order_of_its_images(
    viewer: InferenceServiceStub, worker: RegistryServiceStub, make_weights: Weights, picture: bytes
) -> None:
    ids = [await register(worker, make_weights(seed=seed)) for seed in (0, 1)]
    order = [ids[n % 2] for n in range(12)]
    requests = (
        api.PredictStreamRequest(request=api.PredictRequest(image=picture, model_id=model_id))
        for model_id in order
    )
    answers = [answer.prediction.model_id async for answer in viewer.PredictStream(requests)]
    assert answers == order


async def test_a_bad_image_ends_the_stream_after_the_answers_before_it(
    viewer: InferenceServiceStub, worker: RegistryServiceStub, make_weights: Weights, picture: bytes
) -> None:
    model_id = await register(worker, make_weights())
    images = [picture, picture, b"no image", picture]
    requests = (
        api.PredictStreamRequest(request=api.PredictRequest(image=image, model_id=model_id))
        for image in images
    )
    answered = 0

    async def read() -> None:
        nonlocal answered
        async for _ in viewer.PredictStream(requests):
            answered += 1

    error = await refusal(read())
    assert answered == 2
    assert (error.reason, error.metadata["position"]) == ("IMAGE_UNREADABLE", "2")


async def test_wrong_requests_are_refused_with_their_field(
    viewer: InferenceServiceStub, worker: RegistryServiceStub, make_weights: Weights, picture: bytes
) -> None:
    detects = await register(worker, make_weights())
    outlines = await register(worker, make_weights("segment"), "segment")
    unknown = str(new_id())
    cases: list[tuple[dict[str, Any], str, str, str]] = [
        ({}, "INVALID_ARGUMENT", "MODEL_REQUIRED", "model_id"),
        ({"model_id": "x"}, "INVALID_ARGUMENT", "INVALID_ID", "model_id"),
        ({"model_id": unknown}, "NOT_FOUND", "MODEL_NOT_FOUND", ""),
        ({"task_type": 9}, "INVALID_ARGUMENT", "INVALID_TASK_TYPE", "task_type"),
        ({"task_type": TASK_TYPE_DETECT}, "FAILED_PRECONDITION", "NO_ACTIVE_MODEL", ""),
        (
            {"model_id": detects, "task_type": TASK_TYPE_SEGMENT},
            "INVALID_ARGUMENT",
            "TASK_TYPE_MISMATCH",
            "task_type",
        ),
        ({"model_id": detects, "confidence": 1.1}, "INVALID_ARGUMENT", "INVALID_OPTIONS", "confidence"),
        ({"model_id": detects, "iou": float("nan")}, "INVALID_ARGUMENT", "INVALID_OPTIONS", "iou"),
        ({"model_id": detects, "max_objects": 0}, "INVALID_ARGUMENT", "INVALID_OPTIONS", "max_objects"),
        ({"model_id": outlines, "max_objects": 301}, "INVALID_ARGUMENT", "INVALID_OPTIONS", "max_objects"),
        ({"model_id": detects, "image": b""}, "INVALID_ARGUMENT", "IMAGE_EMPTY", "image"),
        ({"model_id": detects, "image": b"GIF89a"}, "INVALID_ARGUMENT", "IMAGE_UNREADABLE", "image"),
        (
            {"model_id": detects, "image": picture[: len(picture) // 2]},
            "INVALID_ARGUMENT",
            "IMAGE_UNREADABLE",
            "image",
        ),
        (
            {"model_id": detects, "image": b"x" * (15 * 1024 * 1024 + 1)},
            "INVALID_ARGUMENT",
            "IMAGE_TOO_LARGE",
            "image",
        ),
    ]
    for request, code, reason, field in cases:
        error = await refusal(predict(viewer, **({"image": picture} | request)))
        assert (error.code.name, error.reason) == (code, reason), request
        assert [violation.field for violation in error.violations] == ([field] if field else [])


async def test_extreme_options_are_honoured(
    viewer: InferenceServiceStub, worker: RegistryServiceStub, make_weights: Weights, picture: bytes
) -> None:
    model_id = await register(worker, make_weights())
    everything = await predict(viewer, picture, model_id=model_id, confidence=0.0, iou=1.0, max_objects=3000)
    assert len(everything.objects) > 100
    assert (
        len((await predict(viewer, picture, model_id=model_id, confidence=0.0, max_objects=1)).objects) == 1
    )
    assert not (await predict(viewer, picture, model_id=model_id, confidence=1.0)).objects


async def test_a_request_after_its_deadline_is_dropped(
    viewer: InferenceServiceStub, worker: RegistryServiceStub, make_weights: Weights, picture: bytes
) -> None:
    model_id = await register(worker, make_weights())
    await predict(viewer, picture, model_id=model_id)
    request = api.PredictRequest(image=picture, model_id=model_id)
    late = await asyncio.gather(
        *(refusal(viewer.Predict(request, timeout=0.001)) for _ in range(20)),
    )
    assert {error.code.name for error in late} == {"DEADLINE_EXCEEDED"}
    started = time.monotonic()
    assert (await predict(viewer, picture, model_id=model_id)).objects
    assert time.monotonic() - started < 5


async def test_weights_that_cannot_be_loaded_are_named_and_harm_no_other_model(
    viewer: InferenceServiceStub,
    worker: RegistryServiceStub,
    models: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
) -> None:
    good = await register(worker, make_weights())
    broken = await register(worker, b"no checkpoint at all")
    other_task = await register(worker, make_weights("segment"), "detect")
    other_classes = await register(worker, make_weights(), "detect", classes=["one"])
    for model_id in (broken, other_task, other_classes, broken):
        error = await refusal(predict(viewer, picture, model_id=model_id))
        assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "MODEL_UNLOADABLE")
        assert error.metadata["model_id"] == model_id
    assert (await predict(viewer, picture, model_id=good)).objects
    await activate(models, broken)
    error = await refusal(predict(viewer, picture, task_type=TASK_TYPE_DETECT))
    assert error.reason == "MODEL_UNLOADABLE"


async def test_a_deleted_model_is_no_longer_found(
    viewer: InferenceServiceStub,
    worker: RegistryServiceStub,
    models: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
    eventually: Eventually,
) -> None:
    model_id = await register(worker, make_weights())
    await predict(viewer, picture, model_id=model_id)
    await models.DeleteModel(registry_api.DeleteModelRequest(model_id=model_id))

    async def gone() -> bool:
        try:
            await predict(viewer, picture, model_id=model_id)
        except Exception:
            return True
        return False

    await eventually(gone)
    assert (await refusal(predict(viewer, picture, model_id=model_id))).reason == "MODEL_NOT_FOUND"


@pytest.mark.parametrize("task", list(TASK_TYPES))
async def test_the_active_model_predicts_for_its_task(
    viewer: InferenceServiceStub,
    worker: RegistryServiceStub,
    models: RegistryServiceStub,
    make_weights: Weights,
    picture: bytes,
    task: str,
) -> None:
    model_id = await register(worker, make_weights(task), task)
    await activate(models, model_id)
    # At once: the first activation of a task does not wait for an event.
    assert (await predict(viewer, picture, task_type=TASK_TYPES[task])).model_id == model_id
