"""Data loaders that can go on where another process stopped, batch for batch.

What ultralytics' InfiniteDataLoader will hand out depends on the state of its generator when its iterator was
made (which gives the order of the images, and the seeds of the loader processes), on how many batches were
taken since, and on what goes on in whoever loads: the states of its random generators, and the images that
its data set keeps for mosaics. Nothing here draws a random number, so a training is the same with it and
without.
"""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DistributedSampler, get_worker_info
from ultralytics.data.build import InfiniteDataLoader

from annotateforge.trainer.worker.child import tether

State = dict[str, Any]


def keep_track(loader: Any) -> None:
    """Turn a loader of ultralytics, which has not been used yet, into one whose state can be read and set.

    In place, because trainer and validator both refer to it.
    """
    loader.__class__ = TrackedLoader
    loader.begin_tracking()


def random_state() -> State:
    """The states of this process's generators of Python, NumPy and torch (CPU), in plain values."""
    of_python, of_numpy = random.getstate(), np.random.get_state(legacy=False)
    return {
        "python": [of_python[0], list(of_python[1]), of_python[2]],
        "numpy": {**of_numpy, "state": {**of_numpy["state"], "key": of_numpy["state"]["key"].tolist()}},
        "torch": torch.get_rng_state().numpy().tobytes(),
    }


def set_random_state(state: State) -> None:
    """Go on with what `random_state` answered."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    of_numpy = state["numpy"]
    key = np.array(of_numpy["state"]["key"], np.uint32)
    np.random.set_state({**of_numpy, "state": {**of_numpy["state"], "key": key}})
    torch.set_rng_state(torch.frombuffer(bytearray(state["torch"]), dtype=torch.uint8))


class TrackedLoader(InfiniteDataLoader):  # type: ignore[misc]  # ultralytics carries no types
    """See `keep_track`."""

    def begin_tracking(self) -> None:
        """Count from here. The loader has no iterator yet."""
        self._began: torch.Tensor | None = None
        self._taken = 0
        self._resets = 0
        self._seen: list[State] = [{}] * self.num_workers
        self._pending: State | None = None
        loader: Any = self
        self._shares: _Shares | None = None
        if isinstance(loader.sampler, DistributedSampler):
            endless = loader.batch_sampler
            endless.sampler = self._shares = _Shares(endless.sampler, loader.sampler)
        loader.worker_init_fn = self._seed_worker = _Tethered(loader.worker_init_fn, os.getpid())
        if self.num_workers:
            loader.collate_fn = _TellingCollate(loader.collate_fn)

    def __iter__(self) -> Iterator[Any]:
        """One epoch of batches, as InfiniteDataLoader gives them."""
        if self.iterator is None:
            self._make_iterator()
        for _ in range(len(self)):
            batch = next(self.iterator)
            if self.num_workers:
                batch, self._seen[self._taken % self.num_workers] = batch
            self._taken += 1
            yield batch

    def reset(self) -> None:
        """Begin anew, with the data set as it is now. The repetition of a reset that the state knows of,
        which ultralytics makes when it closes the mosaic once more, is passed over.
        """
        if self._pending is not None and self._pending["resets"] > self._resets:
            self._resets += 1
            return
        if self._pending is not None:
            self.generator.set_state(self._pending["generator"])
            self._pending = None
        super().reset()
        self._resets += 1
        self._taken = 0
        self._began = None
        self._seen = [{}] * self.num_workers
        if self._shares is not None:
            self._shares.begin([])

    def state(self) -> State:
        """What has to be known to go on after the batches that were taken so far; all of plain values."""
        return {
            "workers": self.num_workers,
            "length": len(self),
            "generator": self.generator.get_state(),
            "began": self._began,
            "taken": self._taken,
            "resets": self._resets,
            "seen": list(self._seen),
            "shares": [] if self._shares is None else list(self._shares.epochs),
            "kept": _kept_images(self.dataset) if not self.num_workers else [],
        }

    def go_on(self, state: State) -> None:
        """Go on from a state of a loader of the same data set.

        One of another batch size or with another number of processes cannot be continued batch for batch:
        then the epoch's order is drawn from where the generator stood.
        """
        if (state["workers"], state["length"]) == (self.num_workers, len(self)) and state[
            "began"
        ] is not None:
            self._pending = state
            if not self.num_workers:
                _keep_images(self.dataset, state["kept"])
        else:
            self.generator.set_state(state["generator"])

    def _make_iterator(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            self._began = self.generator.get_state()
            self.iterator = self._get_iterator()
            return
        self._began, self._taken, self._resets = pending["began"], pending["taken"], pending["resets"]
        self._seen = list(pending["seen"])
        if self._shares is not None:
            self._shares.begin(pending["shares"])
        self.generator.set_state(self._began)
        endless = self.batch_sampler
        object.__setattr__(self, "batch_sampler", _Skipping(endless, self._taken))
        # Batches take turns among the processes. The first one of these takes the next batch, whoever's turn
        # that was.
        turns = [self._seen[(self._taken + number) % self.num_workers] for number in range(self.num_workers)]
        loader: Any = self
        loader.worker_init_fn = _GoingOn(self._seed_worker, turns)
        try:
            self.iterator = self._get_iterator()
        finally:
            object.__setattr__(self, "batch_sampler", endless)
            loader.worker_init_fn = self._seed_worker


class _Shares:
    """The batch sampler of one of several processes, over a sampler that deals the images anew for each
    epoch, whose number it is told.

    Loader processes are ahead of the training: they begin with the next share under the number of an epoch
    before. So the numbers that were used are kept, and used again when a training goes on.
    """

    def __init__(self, batches: Any, sampler: Any) -> None:
        self._batches = batches
        self._sampler = sampler
        self._known: Sequence[int] = []
        self.epochs: list[int] = []
        """The number that was used for each share."""

    def begin(self, known: Sequence[int]) -> None:
        """Begin with the first share, using the numbers that are known already."""
        self._known, self.epochs = list(known), []

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        told, number = self._sampler.epoch, len(self.epochs)
        epoch = self._known[number] if number < len(self._known) else told
        self.epochs.append(epoch)
        self._sampler.set_epoch(epoch)
        batches = iter(self._batches)
        # With the first batch the share is dealt.
        first = next(batches, None)
        self._sampler.set_epoch(told)
        if first is not None:
            yield first
            yield from batches


class _Skipping:
    """An endless batch sampler without its first batches."""

    def __init__(self, endless: Any, skip: int) -> None:
        self._endless = endless
        self._skip = skip
        self.sampler = endless.sampler

    def __iter__(self) -> Iterator[list[int]]:
        # Lazily: the seeds of the loader processes are drawn between this call and the first batch.
        batches = iter(self._endless)
        for _ in range(self._skip):
            next(batches)
        yield from batches


@dataclass(frozen=True)
class _Tethered:
    """In a new loader process: it dies with the training process, also when that is killed."""

    seed: Callable[[int], None]
    parent: int

    def __call__(self, number: int) -> None:
        tether.die_with(self.parent)
        self.seed(number)


@dataclass(frozen=True)
class _TellingCollate:
    """In a loader process: puts samples together, and tells beside them what the process has come to."""

    collate: Callable[[list[Any]], Any]

    def __call__(self, samples: list[Any]) -> tuple[Any, State]:
        batch = self.collate(samples)
        return batch, {"random": random_state(), "kept": _kept_images(_dataset_here())}


@dataclass(frozen=True)
class _GoingOn:
    """In a new loader process: takes over from one of another training process."""

    seed: Callable[[int], None]
    states: Sequence[State]

    def __call__(self, number: int) -> None:
        self.seed(number)
        state = self.states[number]
        _keep_images(_dataset_here(), state["kept"])
        set_random_state(state["random"])


def _dataset_here() -> Any:
    info = get_worker_info()
    assert info is not None
    return info.dataset


def _kept_images(dataset: Any) -> list[int]:
    """Indices of the images that a data set keeps in memory, from which mosaics are made, oldest first."""
    kept = getattr(dataset, "buffer", None)
    return list(kept) if isinstance(kept, list) else []


def _keep_images(dataset: Any, indices: Sequence[int]) -> None:
    for index in indices:
        dataset.load_image(index)
