"""ultralytics and torch, the only place that touches them: one thread loads models, another one computes.

Both are imported when the first model is loaded, so that the process is ready before, and lean without
models. torch keeps its number of threads per calling thread, and ultralytics changes it; all computing in one
thread keeps it known.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from annotateforge.inference.catalog import KnownModel
from annotateforge.inference.findings import ClassGuess, Findings, Found
from annotateforge.inference.images import Pixels
from annotateforge.inference.options import Options, Task
from annotateforge.runtime.errors import FailedPrecondition, ResourceExhausted

MOST_CORNERS = 10_000
_TOP = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory."""

    model: KnownModel
    yolo: Any
    """ultralytics.YOLO; only to be used by the engine."""
    class_ids: Mapping[int, int]
    """Position of a label among the model's classes, by the network's output."""


class Engine:
    """Loads models and predicts. Close it with `close`."""

    def __init__(self, threads: int, device: str) -> None:
        """`threads` for torch on CPUs; `device` as torch names it, empty for the first GPU or else CPU."""
        self._threads = threads
        self._device = device
        self._loading = ThreadPoolExecutor(1, "load")
        self._computing = ThreadPoolExecutor(1, "compute")

    def close(self) -> None:
        """Let what runs end; what waits is dropped."""
        self._loading.shutdown(wait=False, cancel_futures=True)
        self._computing.shutdown(wait=False, cancel_futures=True)

    async def load(self, model: KnownModel, weights: Path) -> LoadedModel:
        """Load a model and predict once, so that its first image takes no longer than others.

        FailedPrecondition MODEL_UNLOADABLE when the weights cannot be used, ResourceExhausted OUT_OF_MEMORY.
        """
        loaded = await _in(self._loading, lambda: _load(model, weights))
        size = model.image_size
        blank = np.zeros((size, size, 3), np.uint8)
        await _in(self._computing, lambda: self._predict(loaded, blank, Options()))
        return loaded

    async def predict(self, loaded: LoadedModel, image: Pixels, options: Options) -> Findings:
        """What the model sees in an image. ResourceExhausted OUT_OF_MEMORY."""
        return await _in(self._computing, lambda: self._predict(loaded, image, options))

    def _predict(self, loaded: LoadedModel, image: Pixels, options: Options) -> Findings:
        import torch

        if not self._device:
            self._device = "cuda:0" if torch.cuda.is_available() else "cpu"
        # ultralytics sets it to the cores less one whenever it selects a device.
        torch.set_num_threads(self._threads)
        started = time.perf_counter()
        try:
            (result,) = loaded.yolo.predict(
                image,
                conf=options.confidence,
                iou=options.iou,
                max_det=options.max_objects,
                imgsz=loaded.model.image_size,
                device=self._device,
                verbose=False,
            )
            seconds = time.perf_counter() - started
            return _findings(result, loaded, seconds)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise ResourceExhausted(
                "OUT_OF_MEMORY", "There is not enough memory to predict with this model. Try again later."
            ) from error


def _load(model: KnownModel, weights: Path) -> LoadedModel:
    from ultralytics import YOLO

    try:
        yolo = YOLO(weights, task=model.task)
        names = {int(output): str(label) for output, label in yolo.names.items()}
        task = yolo.task
    except MemoryError as error:
        raise ResourceExhausted(
            "OUT_OF_MEMORY", "There is not enough memory to load this model. Try again later."
        ) from error
    # ultralytics and torch raise whatever they stumble over in a file that is no checkpoint.
    except Exception as error:
        raise unloadable(model, f"its weights cannot be read ({type(error).__name__})") from error
    if task != model.task:
        raise unloadable(model, f"its weights are for the task {task}")
    return LoadedModel(model, yolo, class_ids(names, model))


def class_ids(names: Mapping[int, str], model: KnownModel) -> dict[int, int]:
    """Position among the model's classes of every output of its network.

    By label where the labels are the same, as ultralytics numbers the classes of a classification by their
    folders' names; otherwise by position. FailedPrecondition MODEL_UNLOADABLE when there are not as many.
    """
    if len(names) != len(model.classes):
        raise unloadable(
            model, f"its weights tell {len(names)} classes apart, and it has {len(model.classes)}"
        )
    if set(names.values()) == set(model.classes):
        position = {label: number for number, label in enumerate(model.classes)}
        return {output: position[label] for output, label in names.items()}
    return {output: output for output in names}


def unloadable(model: KnownModel, why: str) -> FailedPrecondition:
    """The model is registered and cannot be used."""
    return FailedPrecondition(
        "MODEL_UNLOADABLE",
        f"The model {model.name!r} cannot be used: {why}. Choose or activate another one.",
        metadata={"model_id": str(model.id)},
    )


def _findings(result: Any, loaded: LoadedModel, seconds: float) -> Findings:
    model = loaded.model
    if model.task is Task.CLASSIFY:
        probabilities = result.probs.data.float().cpu().numpy()
        order = np.argsort(-probabilities, kind="stable")[:_TOP]
        guesses = [(loaded.class_ids[int(output)], float(probabilities[output])) for output in order]
        return Findings(
            objects=(),
            classes=tuple(ClassGuess(model.classes[number], number, p) for number, p in guesses),
            seconds=seconds,
        )
    boxes = result.boxes.data.float().cpu().numpy()
    outlines = result.masks.xy if model.task is Task.SEGMENT and result.masks is not None else None
    objects = []
    for position in np.argsort(-boxes[:, 4], kind="stable"):
        x_min, y_min, x_max, y_max, confidence, output = boxes[position].tolist()
        if not (x_min < x_max and y_min < y_max):
            # Nothing of it is left inside the image.
            continue
        number = loaded.class_ids[int(output)]
        outline = None if outlines is None else _outline(outlines[position])
        objects.append(
            Found(model.classes[number], number, confidence, (x_min, y_min, x_max, y_max), outline)
        )
    return Findings(objects=tuple(objects), classes=(), seconds=seconds)


def _outline(corners: Any) -> Any:
    if len(corners) < 3:
        return None
    # A mask's contour has a corner per pixel at worst; beyond the limit every so many-th tells its shape as
    # well.
    return corners[:: -(-len(corners) // MOST_CORNERS)]


async def _in(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """Run work in a thread; work that has not begun is dropped when the caller is cancelled."""
    return await asyncio.get_running_loop().run_in_executor(threads, work)
