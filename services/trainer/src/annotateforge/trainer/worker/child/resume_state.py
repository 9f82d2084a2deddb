"""All that a training has to know to go on after an epoch as if nothing had happened, in one file.

ultralytics' last.pt would not do: it holds the averaged weights alone, in half precision, and no state of any
random generator. The file is read without running code that it could hold (torch's `weights_only`).
"""

import errno
import math
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ultralytics.utils.torch_utils import unwrap_model

from annotateforge.trainer.worker.child.loader_state import random_state, set_random_state
from annotateforge.trainer.worker.order import TrainingOrder

FORMAT = 1
"""Of the file; one of another format is not read."""

# What would make another training of it; not the batch size, which shrinks when memory runs out.
_SETTINGS = (
    *("task", "classes", "architecture", "epochs", "image_size"),
    *("optimizer", "learning_rate", "seed", "settings"),
)

_LITTLE_SPACE = 16 * 1024 * 1024
"""Bytes of a disk below which a failed write is put down to its being full."""

# BaseTrainer of ultralytics, which carries no types.
Trainer = Any
State = dict[str, Any]


class ResumeRefused(Exception):
    """The state is not one of this training."""


@dataclass(frozen=True)
class Accumulation:
    """Where the training is between two steps of the optimizer."""

    batches: int
    """Batches of an epoch."""
    last_step: int
    """The batch after which the optimizer made its last step, counted over all epochs from 0; -1 for none."""

    def pending(self, epoch: int) -> bool:
        """Whether, after `epoch` (from 1), gradients wait for the next step."""
        return self.last_step != epoch * self.batches - 1


def own_part(trainer: Trainer) -> State:
    """What each of several processes has for itself: batch statistics, random states, and where its loaders
    stand. Weights, averages and gradients are the same in all.
    """
    return {
        "buffers": _copied(dict(unwrap_model(trainer.model).named_buffers())),
        "random": random_state(),
        "cuda": [torch.cuda.get_rng_state(trainer.device)] if _on_gpu(trainer) else [],
        "train_loader": trainer.train_loader.state(),
        "val_loader": trainer.test_loader.state(),
    }


def capture(
    trainer: Trainer,
    order: TrainingOrder,
    accumulation: Accumulation,
    story: State,
    parts: Sequence[State],
) -> State:
    """The state at the end of an epoch, its tensors copied to the CPU. `story` is the callbacks' own part;
    `parts` are the processes' own, this one's first.
    """
    epoch = trainer.epoch + 1
    model = unwrap_model(trainer.model)
    gradients = {}
    if accumulation.pending(epoch):
        gradients = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
    files = {name: _bytes_of(path) for name, path in _files(trainer).items() if path.is_file()}
    if "best" in files and torch.equal(files["best"], files["last"]):
        # As after every epoch that is the best so far.
        files["best"] = files["last"]
    return {
        "format": FORMAT,
        "settings": _settings(order),
        "epoch": epoch,
        "epochs": trainer.epochs,
        "finished": bool(trainer.stop),
        "batch_size": trainer.batch_size,
        "model": _copied(model.state_dict()),
        "ema": _copied(trainer.ema.ema.state_dict()),
        "updates": trainer.ema.updates,
        "optimizer": _copied(trainer.optimizer.state_dict()),
        "scaler": _copied(trainer.scaler.state_dict()),
        "gradients": _copied(gradients),
        "batches": accumulation.batches,
        "last_step": accumulation.last_step,
        "fitness": _plain(trainer.fitness),
        "best_fitness": _plain(trainer.best_fitness),
        "stopper": {
            "best_fitness": _plain(trainer.stopper.best_fitness),
            "best_epoch": trainer.stopper.best_epoch,
            "possible_stop": bool(trainer.stopper.possible_stop),
        },
        "elapsed": time.time() - trainer.train_time_start,
        # As it was before there were several: its buffers are in the model.
        **{name: parts[0][name] for name in ("random", "cuda", "train_loader", "val_loader")},
        "others": list(parts[1:]),
        "files": files,
        "story": story,
    }


def write(state: State, path: Path) -> None:
    """Write a state so that `path` is there whole or not at all."""
    unfinished = path.with_suffix(".part")
    try:
        torch.save(state, unfinished)
        unfinished.replace(path)
    except RuntimeError as error:
        # torch does not say why it cannot write, and there is room again once the file is gone.
        if shutil.disk_usage(path.parent).free < _LITTLE_SPACE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: Path, order: TrainingOrder) -> State:
    """Read a state. ResumeRefused when it is none, or one of a training with other settings."""
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
        known = state["format"]
    except Exception as error:
        raise ResumeRefused(f"it cannot be read ({type(error).__name__})") from error
    if known != FORMAT:
        raise ResumeRefused(f"it has the format {known}, and this worker knows {FORMAT}")
    settings = _settings(order)
    changed = [name for name in _SETTINGS if state["settings"].get(name) != settings[name]]
    if changed:
        raise ResumeRefused(f"it was made with another {', '.join(changed)}")
    return state


def put_back_files(trainer: Trainer, state: State) -> None:
    """Write results.csv, best.pt and last.pt as they were."""
    for name, path in _files(trainer).items():
        if name in state["files"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(state["files"][name].numpy().tobytes())


def put_back(trainer: Trainer, state: State, rank: int = 0) -> None:
    """Set the trainer, whose setup is done, to the state: right before the epoch after it. `rank` says which
    of several processes this is.
    """
    model = unwrap_model(trainer.model)
    model.load_state_dict(state["model"])
    trainer.ema.ema.load_state_dict(state["ema"])
    trainer.ema.updates = state["updates"]
    optimizer = state["optimizer"]
    for saved, group in zip(optimizer["param_groups"], trainer.optimizer.param_groups, strict=True):
        # The device at hand chooses the kernel.
        saved["fused"] = group.get("fused")
    trainer.optimizer.load_state_dict(optimizer)
    trainer.scaler.load_state_dict(state["scaler"])
    trainer.scheduler.last_epoch = state["epoch"] - 1
    trainer.fitness, trainer.best_fitness = state["fitness"], state["best_fitness"]
    vars(trainer.stopper).update(state["stopper"])
    if same_batches(trainer, state):
        for name, value in model.named_parameters():
            if name in state["gradients"]:
                value.grad = state["gradients"][name].to(value.device, copy=True)
    if hasattr(getattr(model, "model", [None])[-1], "one2one_cv2"):
        # A head with two losses, whose weights change from epoch to epoch; as ultralytics resumes it.
        model.criterion = model.init_criterion()
        model.criterion.updates = state["epoch"] - 1
        model.criterion.update()
    if _processes(state) == max(trainer.world_size, 1):
        _put_back_own(trainer, state if rank == 0 else state["others"][rank - 1])


def _put_back_own(trainer: Trainer, part: State) -> None:
    for name, buffer in unwrap_model(trainer.model).named_buffers():
        if name in part.get("buffers", {}):
            buffer.copy_(part["buffers"][name])
    trainer.train_loader.go_on(part["train_loader"])
    trainer.test_loader.go_on(part["val_loader"])
    if _on_gpu(trainer) and len(part["cuda"]) == 1:
        torch.cuda.set_rng_state(part["cuda"][0], trainer.device)
    # Last, since whatever came before may have drawn numbers.
    set_random_state(part["random"])


def same_batches(trainer: Trainer, state: State) -> bool:
    """Whether the epochs have the batches that they had, so that numbers of batches mean the same."""
    return (state["batch_size"], state["batches"], _processes(state)) == (
        trainer.batch_size,
        len(trainer.train_loader),
        max(trainer.world_size, 1),
    )


def _processes(state: State) -> int:
    """How many trained together."""
    return 1 + len(state.get("others", ()))


def continuous(before: float | None, after: float | None) -> bool:
    """Whether the fitness of the first epoch after a resumption can follow that of the epoch before it.

    The validated weights are averages over many epochs: a fall to a quarter and less within one means that
    something else was validated.
    """
    if before is None or after is None or not math.isfinite(before):
        return True
    return before < _TELLING or after >= before / 4


_TELLING = 0.05
"""Fitness below which chance alone makes such leaps."""


def _settings(order: TrainingOrder) -> State:
    return {
        name: list(value) if isinstance(value := getattr(order, name), tuple) else value for name in _SETTINGS
    }


def _files(trainer: Trainer) -> dict[str, Path]:
    return {"results": trainer.csv, "best": trainer.best, "last": trainer.last}


def _bytes_of(path: Path) -> torch.Tensor:
    # As a tensor: torch writes those as they are, and other bytes as text.
    return torch.frombuffer(bytearray(path.read_bytes() or b"\0"), dtype=torch.uint8)


def _copied(value: Any) -> Any:
    """The value with all tensors in it copied to the CPU: training goes on while they are written."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {name: _copied(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(one) for one in value)
    return value


def _plain(value: Any) -> float | None:
    """A number of NumPy's as Python's, which is the same number."""
    return None if value is None else float(value)


def _on_gpu(trainer: Trainer) -> bool:
    return bool(trainer.device.type == "cuda")
