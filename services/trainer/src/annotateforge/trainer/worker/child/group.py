"""The processes that train one model together, as a trainer of ultralytics is one of them.

Each holds the whole model and trains it on its share of every batch; torch averages their gradients (DDP), so
that all make the same steps.
"""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import torch
from torch import distributed
from ultralytics.engine import validator

from annotateforge.trainer.worker.child.place import RENDEZVOUS, Place

LONGEST_WAIT = timedelta(hours=3)
"""Time that one may wait for the others, while the first reads through a large data set for all; as
ultralytics has it. A training that hangs is noticed by the worker.
"""
_SIGNS = ("connection closed by peer", "connection reset by peer", "broken pipe", "gloo/transport", "nccl")


def join(place: Place, backend: str) -> None:
    """Find the other processes, and wait for them."""
    store = distributed.FileStore(str(RENDEZVOUS), place.size)
    distributed.init_process_group(
        backend, store=store, rank=place.rank, world_size=place.size, timeout=LONGEST_WAIT
    )


def gathered(own: Any, place: Place) -> list[Any] | None:
    """What every process brings, in their order; None in all but the first."""
    if place.size == 1:
        return [own]
    parts: list[Any] | None = [None] * place.size if place.leads else None
    distributed.gather_object(own, parts, dst=0)
    return parts


def as_the_first_says(decision: bool, place: Place) -> bool:
    """The decision of the first process, in all of them."""
    if place.size == 1:
        return decision
    told = [decision]
    distributed.broadcast_object_list(told, src=0)
    return told[0]


def leave(place: Place) -> None:
    """Wait until all are done, so that none loses the one that it still hears from."""
    if place.size > 1 and distributed.is_initialized():
        distributed.barrier()


def lost_another(error: BaseException) -> bool:
    """Whether an error only says that another process is gone."""
    if isinstance(error, distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def together(kind: type[Any], place: Place) -> type[Any]:
    """A trainer class of ultralytics as one of the processes."""
    return type(kind.__name__, (_GroupTrainer, kind), {"__module__": __name__, "place": place})


class _GroupTrainer:
    """Joins the others by itself: ultralytics would start them from a generated file, without the callbacks.

    Its own loop does the rest, once it knows of `world_size` processes. It takes several for GPUs; on a CPU
    it is told of them only after it has built the model, which is then wrapped here.
    """

    place: Place

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        trainer: Any = self
        self._on_cpu = trainer.device.type == "cpu"
        self.world_size = self.place.size
        if self._on_cpu:
            # The first process finds that out by itself, and tells the others if they are GPUs.
            trainer.args.amp = False
        if not self.place.leads:
            # ultralytics runs these in the first process alone.
            trainer.run_callbacks("on_pretrain_routine_start")

    def _setup_ddp(self) -> None:
        trainer: Any = self
        if self._on_cpu:
            join(self.place, "gloo")
            return
        index = int(trainer.args.device.split(",")[self.place.rank])
        trainer.device = torch.device("cuda", index)
        trainer.accelerator = torch.cuda
        torch.cuda.set_device(index)
        join(self.place, "nccl" if distributed.is_nccl_available() else "gloo")

    def _setup_train(self) -> None:
        if self._on_cpu:
            self.world_size = 0
        super()._setup_train()  # type: ignore[misc]  # of the trainer behind it

    def _build_train_pipeline(self) -> None:
        trainer: Any = self
        if self._on_cpu and self.world_size == 0:
            self.world_size = self.place.size
            trainer.model = torch.nn.parallel.DistributedDataParallel(
                trainer.model,
                find_unused_parameters=True,
                # Each keeps batch statistics of its own, as ultralytics has it on GPUs.
                forward_sync_buffers=False,
            )
        super()._build_train_pipeline()  # type: ignore[misc]  # of the trainer behind it

    def final_eval(self) -> None:
        with _validating_on_cpu() if self._on_cpu else contextlib.nullcontext():
            super().final_eval()  # type: ignore[misc]  # of the trainer behind it


@contextlib.contextmanager
def _validating_on_cpu() -> Iterator[None]:
    """Have the evaluation of best.pt run on the CPU: of several processes ultralytics expects a GPU each."""
    backend, of_device = validator.AutoBackend, validator.get_torch_device_backend
    validator.AutoBackend = lambda **given: backend(**{**given, "device": torch.device("cpu")})
    validator.get_torch_device_backend = lambda _: _NoGpu
    try:
        yield
    finally:
        validator.AutoBackend, validator.get_torch_device_backend = backend, of_device


class _NoGpu:
    @staticmethod
    def current_device() -> int:
        return 0
