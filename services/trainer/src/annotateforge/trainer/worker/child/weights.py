"""Where a training starts from: a registered model's weights, pretrained ones, or random ones."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from annotateforge.trainer.worker.child import network
from annotateforge.trainer.worker.child.reporting import Reporting
from annotateforge.trainer.worker.order import TrainingOrder

_SUFFIXES = {"detect": "", "segment": "-seg", "classify": "-cls"}
_OFFLINE = "YOLO_OFFLINE"


class WeightsUnavailable(Exception):
    """Pretrained weights were required and cannot be had."""


@dataclass(frozen=True)
class Start:
    """Two of ultralytics' arguments."""

    model: str
    """Path of weights, or name of an architecture with .yaml."""
    pretrained: bool
    """Whether `model` has weights to start from."""


def model_name(order: TrainingOrder) -> str:
    """Ultralytics' name of the model, such as yolov8n-seg."""
    return order.architecture + _SUFFIXES[order.task]


def starting_point(order: TrainingOrder, reporting: Reporting) -> Start:
    """What to start from; tells in a warning when "auto" had to do without pretrained weights.

    WeightsUnavailable when weights are required and cannot be had.
    """
    if order.base_weights is not None:
        return Start(order.base_weights, pretrained=True)
    scratch = Start(f"{model_name(order)}.yaml", pretrained=False)
    if order.pretrained == "never":
        return scratch
    weights, why_not = _find(order)
    if weights is not None:
        return Start(str(weights), pretrained=True)
    if order.pretrained == "required":
        raise WeightsUnavailable(f"Pretrained weights {model_name(order)}.pt cannot be had: {why_not}.")
    if order.resume_from is not None:
        # Said when the training began; its weights come from the checkpoint.
        return scratch
    reporting.warning(
        "TRAINED_FROM_SCRATCH",
        f"Training starts from random weights, because {model_name(order)}.pt cannot be had: {why_not}.",
        "Put the file into the worker's weights folder, or allow the worker to download; training then needs "
        "fewer epochs and images.",
    )
    return scratch


def fetch(order: TrainingOrder) -> None:
    """Have the weights in their folder that `starting_point` will look for, if they can be had."""
    if order.base_weights is None and order.pretrained != "never":
        _find(order)


def _find(order: TrainingOrder) -> tuple[Path | None, str]:
    """The weights' file, or None and why."""
    name = f"{model_name(order)}.pt"
    path = Path(order.weights_dir, name)
    if path.is_file():
        return (path, "") if zipfile.is_zipfile(path) else (None, f"{path} is damaged")
    if not order.allow_downloads:
        return None, f"it is not in the weights folder {order.weights_dir}, and the worker may not download"
    try:
        return _download(path), ""
    except Exception as error:
        print(f"Downloading {name} failed: {error}", flush=True)
        return None, f"downloading it failed ({error})"


def _download(path: Path) -> Path:
    """Fetch one of ultralytics' published weights into the weights folder, which a download completes or
    leaves.
    """
    from ultralytics.utils.downloads import attempt_download_asset

    path.parent.mkdir(parents=True, exist_ok=True)
    offline = os.environ.pop(_OFFLINE, None)
    try:
        with network.allowed():
            attempt_download_asset(path)
    finally:
        if offline is not None:
            os.environ[_OFFLINE] = offline
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is not among the published weights")
    return path
