"""What the epochs so far say about a training that is not going well: pure functions, each a warning or None.

The thresholds err on the side of silence: a warning that is often wrong is soon not read any more. Means over
five epochs are compared because single epochs are noisy, on small validation sets above all.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from annotateforge.api.trainer.v1.event_pb2 import Warning
from annotateforge.api.trainer.v1.job_pb2 import ClassMetrics, Epoch
from annotateforge.runtime.ranking import main_metric

SMOOTHED_OVER = 5
"""Epochs of which a mean is taken."""
RISE = 1.05
"""By how much the validation loss must have risen above its least mean, as a factor."""
PLATEAU_EPOCHS = 20
"""Epochs without gain that make a plateau: a fifth of the default training, and of the default patience."""
GAIN = 0.002
"""What counts as a gain of the main metric; less is noise even on thousands of images."""
NEARLY_PERFECT = 0.95
"""From here on nothing much is left to gain."""
SETTLED_AFTER = 10
"""Epochs after which a class should have been found, or half of the training where that is shorter."""
UNFOUND_EPOCHS = 3
"""Last epochs in each of which a class was never found."""
STARVED_PERCENT = 30.0
"""Share of an epoch's training time that a GPU waits for images from which on more loaders would pay."""
STARVED_EPOCHS = 3
"""Epochs in a row for which it does; the first one, which fills caches, does not count."""

_NAMES_SHOWN = 10


def overfitting(epochs: Sequence[Epoch]) -> Warning | None:
    """The validation loss rises while the training loss falls.

    The validation losses of the last five epochs are all above the least mean of five before, and their mean
    is so by more than 5 %, while the mean training loss has fallen since.
    """
    measured = [epoch for epoch in epochs if epoch.HasField("train_loss") and epoch.HasField("val_loss")]
    if len(measured) < 2 * SMOOTHED_OVER:
        return None
    val = _means([epoch.val_loss for epoch in measured])
    train = _means([epoch.train_loss for epoch in measured])
    earlier = range(len(val) - SMOOTHED_OVER)
    least = min(earlier, key=lambda index: val[index])
    lately = min(epoch.val_loss for epoch in measured[-SMOOTHED_OVER:])
    if lately <= val[least] or val[-1] <= RISE * val[least] or train[-1] >= train[least]:
        return None
    best = measured[least + SMOOTHED_OVER - 1].epoch
    return Warning(
        reason="OVERFITTING",
        message=f"Since about epoch {best} the validation loss has risen from {val[least]:.3g} to "
        f"{val[-1]:.3g}, while the training loss fell from {train[least]:.3g} to {train[-1]:.3g}: the model "
        "learns the training images by heart.",
        hint="Add images, augment more, or choose a smaller model. The best epoch is kept in any case; a "
        "lower patience ends such trainings early.",
    )


def plateau(epochs: Sequence[Epoch]) -> Warning | None:
    """The main metric has gained next to nothing for twenty epochs, and is not nearly perfect."""
    values = [value for epoch in epochs if (value := main_metric(epoch.metrics)) is not None]
    if len(values) < 2 * PLATEAU_EPOCHS:
        return None
    before, lately = max(values[:-PLATEAU_EPOCHS]), max(values[-PLATEAU_EPOCHS:])
    if lately > before + GAIN or before >= NEARLY_PERFECT:
        return None
    return Warning(
        reason="PLATEAU",
        message=f"For {PLATEAU_EPOCHS} epochs nothing was gained: the main metric stays at {before:.3f}.",
        hint="More epochs will hardly help. Try a larger model or image size, more or better labels, or "
        "another learning rate.",
    )


def unfound_classes(epochs: Sequence[Epoch]) -> Warning | None:
    """Some classes have no true positive, in none of the last three epochs, while others have."""
    if len(epochs) < UNFOUND_EPOCHS:
        return None
    last = epochs[-1]
    if last.epoch < max(UNFOUND_EPOCHS, min(SETTLED_AFTER, last.total_epochs // 2)):
        return None
    unfound = {one.class_id for one in last.class_metrics if one.instances and not _found(one)}
    for epoch in epochs[-UNFOUND_EPOCHS:]:
        unfound &= {one.class_id for one in epoch.class_metrics if not _found(one)}
    if not unfound or not any(map(_found, last.class_metrics)):
        return None
    labels = [f"{one.class_label} ({one.instances})" for one in last.class_metrics if one.class_id in unfound]
    more = f" and {len(labels) - _NAMES_SHOWN} more" if len(labels) > _NAMES_SHOWN else ""
    return Warning(
        reason="CLASS_NEVER_FOUND",
        message="Not one of these was found in validation, with how many there are: "
        f"{', '.join(labels[:_NAMES_SHOWN])}{more}.",
        hint="Look at the labels of these classes, add images of them, or leave the classes out; cls_pw "
        "gives rare classes more weight.",
    )


def starved_gpu(epochs: Sequence[Epoch]) -> Warning | None:
    """The GPU waits for images for a third of the time, in each of the last three epochs.

    On a CPU, where loading and training want the same cores, the share says nothing.
    """
    lately = [epoch for epoch in epochs if epoch.epoch > 1][-STARVED_EPOCHS:]
    if len(lately) < STARVED_EPOCHS or any(after.epoch != one.epoch + 1 for one, after in pairwise(lately)):
        return None
    if not all(
        epoch.HasField("gpu_memory_bytes") and epoch.loader_wait_percent > STARVED_PERCENT for epoch in lately
    ):
        return None
    return Warning(
        reason="LOADER_STARVES_GPU",
        message=f"The GPU waits for images for {lately[-1].loader_wait_percent:.0f} % of the time.",
        hint="Give the job more loader_workers if the machine has the cores, or set cache to ram or disk.",
    )


SYMPTOMS: Sequence[Callable[[Sequence[Epoch]], Warning | None]] = (
    overfitting,
    plateau,
    unfound_classes,
    starved_gpu,
)
"""All of them."""


def _means(values: Sequence[float]) -> list[float]:
    """Means of each five values in a row; the first one ends with the fifth value."""
    return [
        sum(values[end - SMOOTHED_OVER : end]) / SMOOTHED_OVER
        for end in range(SMOOTHED_OVER, len(values) + 1)
    ]


def _found(one: ClassMetrics) -> bool:
    """Whether there was a true positive: by its average precision, where objects are looked for, else by
    recall.
    """
    precisions = [value for name, value in one.metrics.items() if name.endswith("map50")]
    return any(value > 0 for value in precisions or [one.metrics.get("recall", 0.0)])
