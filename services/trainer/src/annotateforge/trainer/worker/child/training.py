"""One training, driven through ultralytics' trainer of the task."""

import os
from pathlib import Path
from typing import Any

# These are what ultralytics imports when it first needs them. Importing them here, while the data set is on
# its way, takes them out of the training's time.
import matplotlib.pyplot
import polars
import torchvision
import ultralytics.nn.autobackend
import ultralytics.utils.events
from ultralytics.models.yolo.classify import ClassificationTrainer
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.models.yolo.segment import SegmentationTrainer
from ultralytics.utils.callbacks import get_default_callbacks

from annotateforge.api.trainer.v1.event_pb2 import TrainingComplete
from annotateforge.trainer.worker.child import group
from annotateforge.trainer.worker.child.accumulation import accumulating
from annotateforge.trainer.worker.child.callbacks import Callbacks
from annotateforge.trainer.worker.child.failures import LossDiverged
from annotateforge.trainer.worker.child.following import Following
from annotateforge.trainer.worker.child.offline import stay_offline
from annotateforge.trainer.worker.child.place import here
from annotateforge.trainer.worker.child.preparing import Preparing
from annotateforge.trainer.worker.child.reporting import Reporting
from annotateforge.trainer.worker.child.resuming import Resuming, resumable
from annotateforge.trainer.worker.child.weights import starting_point
from annotateforge.trainer.worker.order import TrainingOrder

PRELOADED = (matplotlib.pyplot, polars, torchvision, ultralytics.nn.autobackend, ultralytics.utils.events)

TRAINERS = {
    "classify": ClassificationTrainer,
    "detect": DetectionTrainer,
    "segment": SegmentationTrainer,
}
MOST_GPU_LOADERS = 8
"""Processes that load images for a GPU where the job names no number, as ultralytics has it."""

stay_offline()


def train(order: TrainingOrder, reporting: Reporting) -> TrainingComplete:
    """Train, and answer the metrics of best.pt; the files lie in the order's run_dir. Of several processes
    only the first one answers metrics.

    What ultralytics raises comes through, see `failures`; WeightsUnavailable when required weights are not
    there, LossDiverged when there never was a loss that is a number, ResumeRefused when the state to go on
    from is none of this training.
    """
    place = here()
    start = starting_point(order, reporting)
    callbacks = Callbacks(order, reporting) if place.leads else Following()
    resuming = Resuming(order, reporting, callbacks, place)
    registered = get_default_callbacks()
    for listener in (Preparing(order), callbacks, resuming):
        for name, function in listener.by_name().items():
            registered[name].append(function)
    kind: type[Any] = TRAINERS[order.task]
    if place.size > 1:
        kind = group.together(kind, place)
    trainer = resumable(kind)(
        overrides=arguments(order, start.model, pretrained=start.pretrained), _callbacks=registered
    )
    resuming.prepare(trainer)
    try:
        trainer.train()
    finally:
        # Also when it failed: another attempt may go on from the last state.
        resuming.end()
    group.leave(place)
    if not isinstance(callbacks, Callbacks):
        return TrainingComplete()
    if not callbacks.loss_was_finite:
        raise LossDiverged("The training loss was no number in any epoch.")
    if not trainer.best.is_file():
        raise FileNotFoundError(f"ultralytics ended without {trainer.best.name}.")
    return callbacks.result()


def arguments(order: TrainingOrder, model: str, *, pretrained: bool) -> dict[str, Any]:
    """The order as ultralytics' train arguments."""
    run_dir = Path(order.run_dir)
    data = Path(order.dataset_dir)
    given: dict[str, Any] = {
        "task": order.task,
        "mode": "train",
        "model": model,
        "pretrained": pretrained,
        # Classification takes the folder, the others the file.
        "data": str(data if order.task == "classify" else data / "data.yaml"),
        "project": str(run_dir.parent),
        "name": run_dir.name,
        "exist_ok": True,
        "epochs": order.epochs,
        "batch": order.batch_size,
        "imgsz": order.image_size,
        "optimizer": order.optimizer,
        "patience": order.patience,
        "seed": order.seed,
        "device": "cpu" if order.on_cpu else order.device,
        "workers": loader_workers(order),
        "plots": True,
        **order.settings,
    }
    if order.learning_rate is not None:
        given["lr0"] = order.learning_rate
    if order.full_batch_size is not None and order.full_batch_size != order.batch_size:
        return accumulating(given, order.full_batch_size)
    return given


def loader_workers(order: TrainingOrder) -> int:
    """Processes that load images for each device: as ordered; otherwise none on a CPU, whose cores the
    training itself needs, and for a GPU as many as there are cores for it, at most 8.
    """
    if order.loader_workers is not None:
        return order.loader_workers
    if order.on_cpu:
        return 0
    return min(MOST_GPU_LOADERS, order.cores_each, os.cpu_count() or 1)
