"""One of several processes that train together, which leaves reporting to the first one."""

from collections.abc import Callable, Mapping
from typing import Any

# BaseTrainer of ultralytics, which carries no types.
Trainer = Any


class Following:
    """Follows one training and says nothing."""

    def __init__(self) -> None:
        self._open = False
        self.evaluates_best = False
        """Whether all epochs are done, and best.pt is evaluated."""

    def by_name(self) -> Mapping[str, Callable[[Any], None]]:
        """Ultralytics' names of the callbacks, and what they call."""
        return {"on_train_epoch_start": self.train_epoch_start, "on_fit_epoch_end": self.fit_epoch_end}

    def story(self) -> dict[str, Any]:
        """Nothing: the first process tells it."""
        return {}

    def go_on(self, story: Mapping[str, Any]) -> None:
        """Nothing was told."""

    def tell_time_is_over(self) -> None:
        """Nothing: the first process tells it."""

    def train_epoch_start(self, trainer: Trainer) -> None:
        self._open = True

    def fit_epoch_end(self, trainer: Trainer) -> None:
        """An epoch is complete, or, when none is open, the evaluation of best.pt."""
        self.evaluates_best = not self._open
        self._open = False
