"""How a model is trained: checks a JobConfig, fills in defaults. The worker honours all that passes."""

import math
from typing import Literal

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.trainer.v1.job_pb2 import JobConfig, Pretrained
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.ids import parse_id
from annotateforge.trainer.architectures import (
    ARCHITECTURES,
    DEFAULT_ARCHITECTURE,
    default_image_size,
    layers_of,
)
from annotateforge.trainer.placement import Demand, fill_placement
from annotateforge.trainer.training_settings import fill_settings
from annotateforge.trainer.violations import Violations, shown

MODELS = tuple(ARCHITECTURES)
"""Architectures that can be trained; the task's suffix is added by the worker."""
OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp")
"""Optimizers as ultralytics names them."""

DEFAULT_MODEL = DEFAULT_ARCHITECTURE
MAX_EPOCHS = 10_000
MAX_BATCH_SIZE = 4096
MAX_IMAGE_SIZE = 4096
IMAGE_SIZE_STEP = 32
MAX_LOADER_WORKERS = 64
MAX_PRIORITY = 100
MAX_HOURS = 10_000
# numpy, which ultralytics seeds with it too, takes 32 bits.
MAX_SEED = 2**32 - 1
_MAX_INT32 = 2**31 - 1
_NUMBERS: tuple[tuple[Literal["epochs", "batch_size", "patience", "seed"], int, int, int], ...] = (
    # name, default, least, most
    ("epochs", 100, 1, MAX_EPOCHS),
    ("batch_size", 16, 1, MAX_BATCH_SIZE),
    ("patience", 100, 0, _MAX_INT32),
    ("seed", 0, 0, MAX_SEED),
)


def filled_config(
    given: JobConfig, task: TaskType.ValueType, violations: Violations, field: str = "config"
) -> JobConfig:
    """The config with its defaults filled in.

    Whatever is wrong goes into `violations`, with `field` before its path. What the data set is made of is
    for the dataset service to check, but for whether it is named in one way only. Filling in a config that is
    filled in changes nothing.
    """
    config = JobConfig()
    config.CopyFrom(given)
    _check_data(config, violations, field)
    _fill_model(config, violations, field)
    _fill_sizes(config, task, violations, field)
    _fill_optimizer(config, violations, field)
    _check_hours(config, violations, field)
    layers = layers_of(config.model, task)
    fill_settings(config.settings, task, config.optimizer, layers, violations, f"{field}.settings")
    fill_placement(config, violations, field)
    _share_batch(config, violations, field, chosen=given.HasField("batch_size"))
    check_priority(config.priority, violations, f"{field}.priority")
    return config


def check_priority(priority: int, violations: Violations, field: str) -> None:
    """Check a job's place among the waiting ones: -100 to 100."""
    violations.whole(field, priority, -MAX_PRIORITY, MAX_PRIORITY, otherwise="0")


def architecture_of(name: str) -> str:
    """The architecture without the task's suffix: yolov8n for yolov8n-seg."""
    return name.partition("-")[0]


def _check_data(config: JobConfig, violations: Violations, field: str) -> None:
    names = ("project_ids", "classes", "annotation_types", "backgrounds")
    spec = [name for name in names if getattr(config, name)]
    spec += ["split"] if config.HasField("split") else []
    if config.dataset_id:
        config.dataset_id = _checked_id(config.dataset_id, violations, f"{field}.dataset_id")
        for name in spec:
            violations.add(f"{field}.{name}", "is settled by dataset_id already; give one or the other")
    elif not config.project_ids:
        violations.add(
            f"{field}.project_ids", "names no project; name some, or a frozen data set by dataset_id"
        )


def _fill_model(config: JobConfig, violations: Violations, field: str) -> None:
    config.model = config.model or ("" if config.base_model_id else DEFAULT_MODEL)
    if config.model and config.model not in MODELS:
        violations.add(
            f"{field}.model",
            f"{shown(config.model)} is not known; choose one of {', '.join(MODELS)}, without a task's suffix",
        )
    if config.pretrained not in Pretrained.values():
        violations.add(f"{field}.pretrained", "must be auto, required or never; leave it out for auto")
    config.pretrained = config.pretrained or Pretrained.PRETRAINED_AUTO
    if config.base_model_id:
        config.base_model_id = _checked_id(config.base_model_id, violations, f"{field}.base_model_id")
        if config.pretrained != Pretrained.PRETRAINED_AUTO:
            violations.add(
                f"{field}.pretrained",
                "says where to start from, and so does base_model_id; leave one of them out",
            )


def _fill_sizes(config: JobConfig, task: TaskType.ValueType, violations: Violations, field: str) -> None:
    image_size = default_image_size(task)
    for name, default, low, high in _NUMBERS:
        if not config.HasField(name):
            setattr(config, name, default)
        violations.whole(f"{field}.{name}", getattr(config, name), low, high, otherwise=f"{default}")
    if not config.HasField("image_size"):
        config.image_size = image_size
    if not IMAGE_SIZE_STEP <= config.image_size <= MAX_IMAGE_SIZE or config.image_size % IMAGE_SIZE_STEP:
        violations.add(
            f"{field}.image_size",
            f"is {config.image_size}; it must be {IMAGE_SIZE_STEP} to {MAX_IMAGE_SIZE:,} and a multiple of "
            f"{IMAGE_SIZE_STEP}{_nearest(config.image_size)}; leave it out for {image_size}",
        )
    if config.HasField("loader_workers"):
        violations.whole(
            f"{field}.loader_workers",
            config.loader_workers,
            0,
            MAX_LOADER_WORKERS,
            otherwise="the worker's choice",
        )


def _share_batch(config: JobConfig, violations: Violations, field: str, *, chosen: bool) -> None:
    """Give each of several GPUs as many images of a batch."""
    gpus = Demand.of(config).devices
    if gpus > 1 and config.settings.rect:
        violations.add(f"{field}.settings.rect", f"cannot be had on {gpus} GPUs, which take images at random")
    if config.batch_size % gpus == 0:
        return
    below = config.batch_size // gpus * gpus
    if chosen:
        near = f"{below} or {below + gpus}" if below else f"{gpus}"
        violations.add(
            f"{field}.batch_size",
            f"is {config.batch_size}; {gpus} GPUs share it, so it must be a multiple of {gpus}: {near}",
        )
    else:
        config.batch_size = below + gpus


def _nearest(image_size: int) -> str:
    if not IMAGE_SIZE_STEP <= image_size <= MAX_IMAGE_SIZE:
        return ""
    below = image_size // IMAGE_SIZE_STEP * IMAGE_SIZE_STEP
    return f", such as {below} or {below + IMAGE_SIZE_STEP}"


def _fill_optimizer(config: JobConfig, violations: Violations, field: str) -> None:
    known = {name.lower(): name for name in OPTIMIZERS}
    optimizer = known.get((config.optimizer or "auto").lower())
    if optimizer is None:
        violations.add(
            f"{field}.optimizer",
            f"{shown(config.optimizer)} is not known; choose one of {', '.join(OPTIMIZERS)}",
        )
        return
    if config.HasField("learning_rate"):
        rate = config.learning_rate
        if not (math.isfinite(rate) and 0 < rate <= 1):
            violations.add(f"{field}.learning_rate", f"is {rate:g}; it must be above 0 and at most 1")
        # ultralytics' own choice of an optimizer would put a rate of its own in place of this one.
        optimizer = "SGD" if optimizer == "auto" else optimizer
    elif optimizer != "auto":
        config.learning_rate = default_learning_rate(optimizer)
    config.optimizer = optimizer


def default_learning_rate(optimizer: str) -> float:
    """The initial rate of an optimizer that is named without one."""
    return 0.01 if optimizer in ("SGD", "MuSGD") else 0.001


def _check_hours(config: JobConfig, violations: Violations, field: str) -> None:
    if config.HasField("max_hours") and not 0 < config.max_hours <= MAX_HOURS:
        violations.add(
            f"{field}.max_hours",
            f"is {config.max_hours:g}; it must be above 0, at most {MAX_HOURS:,}; leave it out for no limit",
        )


def _checked_id(text: str, violations: Violations, field: str) -> str:
    try:
        return str(parse_id(text, field))
    except InvalidArgument as error:
        violations.add(field, error.violations[0].description)
        return text
