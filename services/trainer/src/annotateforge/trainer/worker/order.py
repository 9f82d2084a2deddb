"""What a child is told to train: one line of JSON on its standard input."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.trainer.v1.job_pb2 import Job, Pretrained
from annotateforge.api.trainer.v1.training_settings_pb2 import TrainingSettings
from annotateforge.runtime.rest.names import enum_names
from annotateforge.trainer.architectures import default_image_size
from annotateforge.trainer.config import default_learning_rate
from annotateforge.trainer.placement import CPU

_TASKS = {
    TaskType.TASK_TYPE_CLASSIFY: "classify",
    TaskType.TASK_TYPE_DETECT: "detect",
    TaskType.TASK_TYPE_SEGMENT: "segment",
}
_PRETRAINED = {
    Pretrained.PRETRAINED_UNSPECIFIED: "auto",
    Pretrained.PRETRAINED_AUTO: "auto",
    Pretrained.PRETRAINED_REQUIRED: "required",
    Pretrained.PRETRAINED_NEVER: "never",
}


@dataclass(frozen=True)
class TrainingOrder:
    """A training with everything settled that does not need torch to settle it."""

    task: str
    """ "classify", "detect" or "segment"."""
    classes: tuple[str, ...]
    """Class labels; the position is the class id."""
    dataset_dir: str
    """The unpacked archive."""
    run_dir: str
    """Where ultralytics writes its files; made by it."""
    architecture: str
    """Such as "yolov8n", without the task's suffix."""
    epochs: int
    batch_size: int
    image_size: int
    """Pixels."""
    optimizer: str
    """As ultralytics names it; "auto" only without a learning rate."""
    learning_rate: float | None
    """Initial rate; None leaves it to ultralytics."""
    patience: int
    """Epochs without improvement; 0 never stops early."""
    max_hours: float | None
    """Hours of training, over all attempts, after which no further epoch begins; None for no limit."""
    settings: Mapping[str, Any]
    """Further arguments of ultralytics by name."""
    seed: int
    loader_workers: int | None
    """Processes that load images; None for as many as suit the device."""
    device: str
    """ "cpu", the index of a GPU, or several GPUs such as "0,1", on each of which a process trains its share
    of every batch. "cpu,cpu" does that in two processes on the CPU.
    """
    cores: int
    """Processors that the training may use."""
    pretrained: str
    """ "auto", "required" or "never"; what to do about pretrained weights when there are no base weights."""
    base_weights: str | None
    """Weights of a registered model to start from."""
    weights_dir: str
    """Where pretrained weights may lie, named as ultralytics names them, such as yolov8n-seg.pt."""
    allow_downloads: bool
    """Whether weights that are not there may be downloaded."""
    checkpoint_dir: str | None = None
    """Where the state after each epoch is kept, as `<epoch, six digits>.pt`; None keeps none."""
    checkpoint_seconds: float = 0.0
    """Seconds of training after which its state is kept at the latest; 0 keeps it after every epoch. Where
    keeping is cheap it is kept more often, see `StatePace`.
    """
    resume_from: str | None = None
    """Such a state, to go on from; None begins at the beginning."""
    trained_seconds: float = 0.0
    """For which former attempts trained; what max_hours has been used up already."""
    full_batch_size: int | None = None
    """Images in a batch before memory ran out: the optimizer still learns as from batches of so many. None
    where that is batch_size.
    """

    @property
    def devices(self) -> tuple[str, ...]:
        """A device for each process that trains."""
        return tuple(self.device.split(","))

    @property
    def on_cpu(self) -> bool:
        """Whether no GPU is used."""
        return self.devices[0] == CPU

    @property
    def cores_each(self) -> int:
        """Processors for each process that trains."""
        return max(1, self.cores // len(self.devices))

    @property
    def time_is_over(self) -> bool:
        """Whether former attempts have used up what time there is."""
        return self.max_hours is not None and self.trained_seconds >= self.max_hours * 3600

    def to_json(self) -> bytes:
        """One line, with its newline."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Self:
        """Read what `to_json` wrote."""
        fields = json.loads(line)
        return cls(**{**fields, "classes": tuple(fields["classes"])})


@dataclass(frozen=True)
class Places:
    """Where on this worker the things of one training are."""

    dataset_dir: Path
    run_dir: Path
    weights_dir: Path
    base_weights: Path | None


def order_for(
    job: Job, places: Places, *, architecture: str, device: str, cores: int, allow_downloads: bool
) -> TrainingOrder:
    """The order that carries out a job's config, whose defaults the trainer has filled in.

    A learning rate goes with an optimizer of its own name, because ultralytics' "auto" replaces both; without
    a rate the named optimizers start at the rate that JobConfig documents. ValueError for a job without a
    task.
    """
    config = job.config
    if job.task_type not in _TASKS:
        raise ValueError(f"Job {job.id} has no task.")
    optimizer = config.optimizer or "auto"
    rate = config.learning_rate if config.HasField("learning_rate") else None
    if rate is not None and optimizer.lower() == "auto":
        optimizer = "SGD"
    elif rate is None and optimizer.lower() != "auto":
        rate = default_learning_rate(optimizer)
    return TrainingOrder(
        task=_TASKS[job.task_type],
        classes=tuple(job.dataset.classes),
        dataset_dir=str(places.dataset_dir),
        run_dir=str(places.run_dir),
        architecture=architecture,
        epochs=config.epochs if config.HasField("epochs") else 100,
        batch_size=config.batch_size if config.HasField("batch_size") else 16,
        image_size=config.image_size if config.HasField("image_size") else default_image_size(job.task_type),
        optimizer=optimizer,
        learning_rate=rate,
        patience=config.patience if config.HasField("patience") else 100,
        max_hours=config.max_hours if config.HasField("max_hours") else None,
        settings=ultralytics_settings(config.settings),
        seed=config.seed if config.HasField("seed") else 0,
        loader_workers=config.loader_workers if config.HasField("loader_workers") else None,
        device=device,
        cores=cores,
        pretrained=_PRETRAINED[config.pretrained],
        base_weights=None if places.base_weights is None else str(places.base_weights),
        weights_dir=str(places.weights_dir),
        allow_downloads=allow_downloads,
    )


def ultralytics_settings(settings: TrainingSettings) -> dict[str, Any]:
    """The settings that are given, as ultralytics takes them: under the same names, words for enums."""
    given: dict[str, Any] = {}
    for field, value in settings.ListFields():
        given[field.name] = value if field.enum_type is None else enum_names(field.enum_type)[value]
    # What is off has no word in ultralytics.
    if given.get("cache") == "off":
        given["cache"] = False
    if given.get("auto_augment") == "off":
        given["auto_augment"] = None
    if given.get("freeze") == 0:
        given["freeze"] = None
    return given
