"""What every process of a training is set up with, whether it reports or not."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from ultralytics.utils.torch_utils import unwrap_model

from annotateforge.trainer.worker.child.failures import DatasetInvalid
from annotateforge.trainer.worker.order import TrainingOrder

# BaseTrainer of ultralytics, which carries no types.
Trainer = Any


class Preparing:
    """Sets what ultralytics would decide otherwise."""

    def __init__(self, order: TrainingOrder) -> None:
        self._order = order

    def by_name(self) -> Mapping[str, Callable[[Any], None]]:
        """Ultralytics' names of the callbacks, and what they call."""
        return {
            "on_pretrain_routine_start": self.set_loader_workers,
            "on_pretrain_routine_end": self.set_class_names,
            "on_train_start": self.use_cores,
            "on_val_start": self.use_cores,
        }

    def set_loader_workers(self, trainer: Trainer) -> None:
        """Give the loaders the processes that were ordered: ultralytics has set them to 0 on CPUs."""
        if self._order.loader_workers is not None:
            trainer.args.workers = self._order.loader_workers

    def set_class_names(self, trainer: Trainer) -> None:
        """Name the classes as ordered. Classification has named them after the folders.

        Not in `trainer.data`, by which the folders are found should the loaders be built anew. DatasetInvalid
        when the data set has another number of classes.
        """
        names = dict(enumerate(self._order.classes))
        if trainer.data["nc"] != len(names):
            raise DatasetInvalid(
                f"The data set on the worker has {trainer.data['nc']} classes for training, not {len(names)}."
            )
        for model in (unwrap_model(trainer.model), trainer.ema.ema):
            model.names = names

    def use_cores(self, _: Any) -> None:
        """Use all cores on a CPU: whenever ultralytics selects a device, it leaves one out.

        Measured on 2 cores, yolov8n at 160 pixels: 2 threads train 1.6 times as fast as 1.
        """
        if self._order.on_cpu:
            torch.set_num_threads(self._order.cores_each)
