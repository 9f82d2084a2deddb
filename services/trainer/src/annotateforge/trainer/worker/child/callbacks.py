"""What ultralytics calls while it trains, by the names of its callbacks, turned into reports.

The order within an epoch, ultralytics 8.4: on_train_epoch_start, on_train_batch_end …, on_train_epoch_end,
on_val_start, on_val_batch_end …, on_model_save, on_fit_epoch_end. After the last epoch best.pt is evaluated
once more: on_val_start …, and on_fit_epoch_end again with the epoch's number plus one.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from annotateforge.api.trainer.v1.event_pb2 import Progress, TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Epoch
from annotateforge.trainer.worker.child.evaluation import (
    MOST_CLASSES,
    MOST_ROWS,
    class_metrics,
    confusion_matrix,
)
from annotateforge.trainer.worker.child.meter import Meter
from annotateforge.trainer.worker.child.metrics import finite, task_metrics, total, val_losses
from annotateforge.trainer.worker.child.reporting import Reporting
from annotateforge.trainer.worker.child.symptoms import SYMPTOMS, UNFOUND_EPOCHS
from annotateforge.trainer.worker.order import TrainingOrder

PROGRESS_SECONDS = 0.5
"""Least time between two reports of progress."""

# BaseTrainer and BaseValidator of ultralytics, which carries no types.
Trainer = Any
Validator = Any


class Callbacks:
    """Follows one training and reports it; afterwards `result` says what came out."""

    def __init__(self, order: TrainingOrder, reporting: Reporting) -> None:
        self._order = order
        self._reporting = reporting
        self._epoch = 0
        self._began: float | None = None
        self._open = False
        self._evaluating = False
        self._reported = 0.0
        self._batches = 0
        self._recoveries = 0
        self._losses: dict[str, float] = {}
        self._best_epoch = 0
        self._epochs_trained = 0
        self._final = TrainingComplete()
        self._meter = Meter(on_gpu=not order.on_cpu, with_parent=len(order.devices) > 1)
        self._history: list[Epoch] = []
        self.evaluates_best = False
        """Whether all epochs are done, and best.pt is evaluated."""
        self.loss_was_finite = False
        """Whether the training loss of any epoch was a number."""

    def by_name(self) -> Mapping[str, Callable[[Any], None]]:
        """Ultralytics' names of the callbacks, and what they call."""
        return {
            "on_train_start": self.train_start,
            "on_train_epoch_start": self.train_epoch_start,
            "on_train_batch_start": self.train_batch_start,
            "on_train_batch_end": self.train_batch_end,
            "on_train_epoch_end": self.train_epoch_end,
            "on_val_batch_end": self.val_batch_end,
            "on_fit_epoch_end": self.fit_epoch_end,
        }

    def story(self) -> dict[str, Any]:
        """What has been so far, for a training that goes on from here, in plain values."""
        return {
            "best_epoch": self._best_epoch,
            "epochs_trained": self._epochs_trained,
            "loss_was_finite": self.loss_was_finite,
            "history": [epoch.SerializeToString() for epoch in self._history],
        }

    def go_on(self, story: Mapping[str, Any]) -> None:
        """Go on with what `story` answered."""
        self._best_epoch, self._epochs_trained = story["best_epoch"], story["epochs_trained"]
        self.loss_was_finite = story["loss_was_finite"]
        self._history = [Epoch.FromString(epoch) for epoch in story["history"]]

    def result(self) -> TrainingComplete:
        """What came out, once training has ended well."""
        result = TrainingComplete(
            best_epoch=self._best_epoch,
            epochs_trained=self._epochs_trained,
            training_seconds=self._trained_seconds(),
        )
        result.MergeFrom(self._final)
        return result

    def train_start(self, trainer: Trainer) -> None:
        self._began = time.monotonic()
        self._reporting.training_started(self._order.device)

    def train_epoch_start(self, trainer: Trainer) -> None:
        """An epoch begins, perhaps again: ultralytics repeats one when the loss was NaN."""
        self._batches = 0
        self._tell_repeats(trainer)
        if trainer.epoch + 1 != self._epoch:
            self._epoch = trainer.epoch + 1
            self._reporting.epoch_start(self._epoch, self._order.epochs)
        self._open = True
        self._reported = time.monotonic()
        self._meter.epoch_start()

    def train_batch_start(self, trainer: Trainer) -> None:
        self._meter.batch_start()

    def train_batch_end(self, trainer: Trainer) -> None:
        self._meter.batch_end()
        self._batches += 1
        if self._due():
            self._progress("training", self._batches, len(trainer.train_loader), _floats(trainer.tloss))

    def train_epoch_end(self, trainer: Trainer) -> None:
        self._meter.training_end()
        self._losses = _floats(trainer.tloss)

    def val_batch_end(self, validator: Validator) -> None:
        if self._due():
            self._progress("validating", validator.batch_i + 1, len(validator.dataloader), self._losses)

    def fit_epoch_end(self, trainer: Trainer) -> None:
        """An epoch is complete, or, when none is open, the evaluation of best.pt."""
        if not self._open:
            self.evaluates_best = True
            self._final = self._evaluation(trainer)
            return
        self._open = False
        best = trainer.fitness is not None and trainer.fitness == trainer.best_fitness
        if best:
            self._best_epoch = self._epoch
        self._epochs_trained = self._epoch
        epoch = Epoch(
            epoch=self._epoch,
            total_epochs=self._order.epochs,
            metrics=self._finite(task_metrics(self._order.task, trainer.metrics)),
            train_losses=self._finite(self._losses),
            val_losses=self._finite(val_losses(trainer.metrics)),
            learning_rate=trainer.optimizer.param_groups[0]["lr"],
            learning_rates={
                f"pg{index}": group["lr"] for index, group in enumerate(trainer.optimizer.param_groups)
            },
            epoch_seconds=trainer.epoch_time,
            training_seconds=self._trained_seconds(),
            best=best,
        )
        train_loss, val_loss = total(self._losses), total(val_losses(trainer.metrics))
        if train_loss is not None:
            epoch.train_loss = train_loss
            self.loss_was_finite = True
        if val_loss is not None:
            epoch.val_loss = val_loss
        self._meter.fill(epoch, len(trainer.train_loader.dataset))
        if len(self._order.classes) <= MOST_CLASSES:
            epoch.class_metrics.extend(
                class_metrics(self._order.task, self._order.classes, trainer.validator)
            )
        self._reporting.epoch_complete(epoch)
        self._tell_symptoms(epoch)
        self._keep_time(trainer)

    def _tell_symptoms(self, epoch: Epoch) -> None:
        """Warn of what the epochs so far say, of each thing once."""
        self._history.append(epoch)
        for symptom in SYMPTOMS:
            warning = symptom(self._history)
            if warning is not None:
                self._reporting.warning_once(warning.reason, warning.message, warning.hint)
        # Of older epochs the classes are not looked at, and they are most of what an epoch takes.
        for old in self._history[-UNFOUND_EPOCHS - 1 : -UNFOUND_EPOCHS]:
            del old.class_metrics[:]

    def _evaluation(self, trainer: Trainer) -> TrainingComplete:
        """What the evaluation of best.pt found."""
        task, classes = self._order.task, self._order.classes
        return TrainingComplete(
            metrics=self._finite(task_metrics(task, trainer.metrics)),
            class_metrics=class_metrics(task, classes, trainer.validator)[:MOST_ROWS],
            confusion_matrix=confusion_matrix(task, classes, trainer.validator),
        )

    def _keep_time(self, trainer: Trainer) -> None:
        """End the training with this epoch when its time is over: best.pt is evaluated as after the last one.

        Ultralytics' own `time` would also change the number of epochs, and with it the schedule of the rate.
        """
        limit = self._order.max_hours
        if limit is None or trainer.stop or self._trained_seconds() < limit * 3600:
            return
        trainer.stop = True
        self.tell_time_is_over()

    def tell_time_is_over(self) -> None:
        """Warn that training ends before the last epoch."""
        limit = self._order.max_hours or 0.0
        self._reporting.warning(
            "TIME_LIMIT_REACHED",
            f"Training ends after epoch {self._epochs_trained} of {self._order.epochs}, because its "
            f"{limit:g} hours are over.",
            "Give it more hours, or fewer epochs: the learning rate had not fallen as far as planned.",
        )

    def _trained_seconds(self) -> float:
        """Seconds of training so far, in all attempts."""
        here = 0.0 if self._began is None else time.monotonic() - self._began
        return self._order.trained_seconds + here

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._reported < PROGRESS_SECONDS:
            return False
        self._reported = now
        return True

    def _progress(self, stage: str, done: int, of: int, losses: Mapping[str, float]) -> None:
        self._reporting.progress(
            Progress(
                stage=stage,
                epoch=self._epoch,
                total_epochs=self._order.epochs,
                done=done,
                total=of,
                train_losses=finite(losses),
            )
        )

    def _finite(self, values: Mapping[str, float]) -> dict[str, float]:
        kept = finite(values)
        left_out = sorted(set(values) - set(kept))
        if left_out:
            self._reporting.warning_once(
                "NON_FINITE_METRIC",
                f"{', '.join(left_out)} of epoch {self._epoch} cannot be given: no number, or infinite.",
                "Once is harmless. If it stays, lower the learning rate and look at the labels.",
            )
        return kept

    def _tell_repeats(self, trainer: Trainer) -> None:
        if trainer.nan_recovery_attempts > self._recoveries:
            self._reporting.warning(
                "EPOCH_REPEATED",
                f"The loss of epoch {trainer.epoch + 1} was no number; it is trained again from the last "
                "checkpoint.",
                "If it happens again, lower the learning rate.",
            )
        self._recoveries = trainer.nan_recovery_attempts


def _floats(losses: Mapping[str, Any] | None) -> dict[str, float]:
    return {name: float(value) for name, value in (losses or {}).items()}
