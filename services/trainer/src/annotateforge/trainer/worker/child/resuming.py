"""A training that keeps its state after each epoch, and one that goes on from such a state."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ultralytics.utils import RANK

from annotateforge.trainer.worker.child import group, loader_state, resume_state
from annotateforge.trainer.worker.child.callbacks import Callbacks
from annotateforge.trainer.worker.child.following import Following
from annotateforge.trainer.worker.child.place import Place
from annotateforge.trainer.worker.child.reporting import Reporting
from annotateforge.trainer.worker.child.resume_state import Accumulation, State
from annotateforge.trainer.worker.child.state_pace import StatePace
from annotateforge.trainer.worker.order import TrainingOrder

# BaseTrainer of ultralytics, which carries no types.
Trainer = Any


def resumable(kind: type[Any]) -> type[Any]:
    """A trainer class of ultralytics that `Resuming` can set to the middle of a training."""
    return type(kind.__name__, (_ResumableTrainer, kind), {"__module__": __name__})


class _ResumableTrainer:
    """Knows when the optimizer made its last step, which ultralytics keeps in a variable of its loop, and can
    begin with it in the past.

    The loop makes a step when `batch - last >= accumulate`, beginning with -1 for `last`. So that with
    another `last` the comparison comes out the same, `accumulate` is larger by the difference until the first
    step.
    """

    at_batch = -1
    """The batch at hand, counted over all epochs from 0."""
    last_step = -1
    """The batch after which the optimizer made its last step."""
    finished = False
    """Whether all epochs are done already, and only the evaluation of best.pt is left."""
    _nominal = 1
    _ahead = 0

    @property
    def accumulate(self) -> int:
        """Batches between two steps."""
        return self._nominal + self._ahead

    @accumulate.setter
    def accumulate(self, batches: int) -> None:
        self._nominal = batches

    def stepped_at(self, batch: int) -> None:
        """Let the optimizer have made its last step after this batch; before the first batch of the loop."""
        self.last_step = batch
        self._ahead = batch + 1

    def optimizer_step(self) -> None:
        """Make a step, as ultralytics does."""
        self._ahead = 0
        self.last_step = self.at_batch
        super().optimizer_step()  # type: ignore[misc]  # of the trainer behind it

    def _do_train(self) -> None:
        if not self.finished:
            super()._do_train()  # type: ignore[misc]  # of the trainer behind it
            return
        # The end of ultralytics' loop, without the epoch that it always trains.
        trainer: Trainer = self
        if trainer.world_size > 1:
            trainer._setup_ddp()
        trainer._setup_train()
        trainer.epoch_time = None
        trainer.epoch_time_start = trainer.train_time_start = time.time()
        trainer.run_callbacks("on_train_start")
        trainer.epoch = trainer.epochs - 1
        trainer.final_eval()
        if RANK in {-1, 0}:
            if trainer.args.plots:
                trainer.plot_metrics()
            trainer.run_callbacks("on_train_end")
        for loader in (trainer.train_loader, trainer.test_loader):
            loader.close()


class Resuming:
    """Keeps the state of one training, and sets it to the state that the order names."""

    def __init__(
        self, order: TrainingOrder, reporting: Reporting, story: Callbacks | Following, place: Place
    ) -> None:
        """ResumeRefused when the order names a state that is none of this training."""
        self._order = order
        self._place = place
        self._reporting = reporting
        self._story = story
        self._begun: State | None = None
        self._compare: float | None = None
        self._pace = StatePace(order.checkpoint_seconds)
        self._writer: _Writer | None = None
        if order.checkpoint_dir is not None and place.leads:
            self._writer = _Writer(Path(order.checkpoint_dir), reporting, self._pace)
        if order.resume_from is not None:
            self._begun = resume_state.read(Path(order.resume_from), order)
            story.go_on(self._begun["story"])

    def by_name(self) -> Mapping[str, Callable[[Any], None]]:
        """Ultralytics' names of the callbacks, and what they call; to be registered after the reports'."""
        return {
            "on_pretrain_routine_end": self.setup_end,
            "on_train_start": self.train_start,
            "on_train_epoch_start": self.train_epoch_start,
            "on_train_batch_start": self.train_batch_start,
            "on_fit_epoch_end": self.fit_epoch_end,
        }

    def prepare(self, trainer: Trainer) -> None:
        """Before training begins."""
        if self._begun is None:
            return
        trainer.finished = self._begun["finished"]
        if not trainer.finished and self._order.time_is_over:
            # The attempts before have used it up, and what came after the state is lost.
            trainer.finished = True
            self._story.tell_time_is_over()

    def setup_end(self, trainer: Trainer) -> None:
        """Loaders, optimizer and scheduler are there."""
        loader_state.keep_track(trainer.train_loader)
        loader_state.keep_track(trainer.test_loader)
        if self._begun is not None:
            if self._place.leads:
                resume_state.put_back_files(trainer, self._begun)
            # A time limit may have changed their number; the warm-up is computed from it.
            trainer.epochs = trainer.args.epochs = self._begun["epochs"]
            trainer.start_epoch = self._begun["epoch"]

    def train_start(self, trainer: Trainer) -> None:
        if self._begun is not None:
            trainer.train_time_start -= self._begun["elapsed"]

    def train_epoch_start(self, trainer: Trainer) -> None:
        # Memory that runs out ends this process, and the training goes on in a new one with smaller batches:
        # ultralytics would shrink them in the first epoch alone, and change what one step learns from.
        trainer._oom_retries = _NO_MORE_RETRIES
        trainer.at_batch = trainer.epoch * len(trainer.train_loader) - 1
        begun, self._begun = self._begun, None
        if begun is None:
            return
        same = resume_state.same_batches(trainer, begun)
        resume_state.put_back(trainer, begun, self._place.rank)
        trainer.stepped_at(begun["last_step"] if same else trainer.epoch * len(trainer.train_loader) - 1)
        # Only where the loop begins matters of it from here on: a NaN in this epoch is recovered from.
        trainer.start_epoch = 0
        self._compare = begun["fitness"]
        if self._place.leads:
            print(f"Goes on after epoch {begun['epoch']}.", flush=True)

    def train_batch_start(self, trainer: Trainer) -> None:
        trainer.at_batch += 1

    def fit_epoch_end(self, trainer: Trainer) -> None:
        """Keep the state after an epoch, and after the first one say so when it does not go with the last."""
        if self._story.evaluates_best:
            return
        before, self._compare = self._compare, None
        if self._place.leads and not resume_state.continuous(before, trainer.fitness):
            self._reporting.warning(
                "RESUME_NOT_CONTINUOUS",
                f"The fitness of epoch {trainer.epoch + 1}, the first one after the training was resumed, is "
                f"{trainer.fitness:.4f}; it was {before:.4f} before.",
                "If the next epochs do not recover, restart the job.",
            )
        if self._order.checkpoint_dir is None:
            return
        # The last one also when it is not due: registering may take long, and then nothing is trained again.
        if not group.as_the_first_says(self._pace.is_due() or bool(trainer.stop), self._place):
            return
        began = time.monotonic()
        self._pace.kept()
        own = group.gathered(resume_state.own_part(trainer), self._place)
        if self._writer is not None and own is not None:
            accumulation = Accumulation(len(trainer.train_loader), trainer.last_step)
            state = resume_state.capture(trainer, self._order, accumulation, self._story.story(), own)
            self._writer.write(state)
        self._pace.costs(time.monotonic() - began)

    def end(self) -> None:
        """Wait until the last state is written."""
        if self._writer is not None:
            self._writer.end()


_NO_MORE_RETRIES = 3
"""Of ultralytics' own; see BaseTrainer._do_train, 8.4."""


class _Writer:
    """Writes states in a thread while the next epoch is trained; of those that wait the newest."""

    def __init__(self, folder: Path, reporting: Reporting, pace: StatePace) -> None:
        self._folder = folder
        self._reporting = reporting
        self._pace = pace
        self._waiting: queue.Queue[State | None] = queue.Queue(maxsize=1)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="resume state", daemon=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def write(self, state: State) -> None:
        """Take the next state. What went wrong with one before is raised here: a full disk, for one."""
        if self._error is not None:
            raise self._error
        with contextlib.suppress(queue.Empty):
            self._waiting.get_nowait()
        self._waiting.put(state)

    def end(self) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (state := self._waiting.get()) is not None:
            path = self._folder / f"{state['epoch']:06d}.pt"
            began = time.thread_time()
            try:
                resume_state.write(state, path)
            except Exception as error:
                self._error = error
                continue
            self._pace.costs(time.thread_time() - began)
            self._reporting.checkpoint(state["epoch"])
