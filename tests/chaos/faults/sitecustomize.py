"""Makes a training process fail at a chosen point: Python imports this when its folder is on PYTHONPATH.

TEST_FAULT is JSON: `event` is the callback of ultralytics after which it happens, or "load" for the loading
of an image; from `epoch` on, while batches have more than `above_batch` images; `kind` is what happens; of
several processes that train together only in the one with the number `rank`. With `once`, a path, it happens
in one process only, which makes that file. The kind "note", for on_train_batch_start, writes a batch's images
to `file`, with the rank appended. Nothing of the product knows of this.
"""

import importlib.util
import json
import os
import sys
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

FAULT = json.loads(os.environ.get("TEST_FAULT") or "{}")
PLACES = {
    "ultralytics.engine.trainer": "BaseTrainer",
    "ultralytics.engine.validator": "BaseValidator",
    "ultralytics.data.base": "BaseDataset",
}
RANK = os.environ.get("RANK", "")
# Of the training in this process.
at: dict[str, int] = {"epoch": 0, "batch_size": 0}


class Patching:
    """A finder that has the modules of PLACES patched once they are loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in PLACES:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_patch(module: ModuleType) -> None:
            execute(module)
            patch(getattr(module, PLACES[name]))

        spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]  # of this loader alone
        return spec


def patch(kind: Any) -> None:
    if kind.__name__ == "BaseDataset":
        patch_loading(kind)
        return
    run_callbacks = kind.run_callbacks

    def and_fail(self: Any, event: str) -> None:
        run_callbacks(self, event)
        if event == "on_train_epoch_start":
            at.update(epoch=self.epoch + 1, batch_size=self.batch_size)
        due = event == FAULT["event"] and at["epoch"] >= FAULT["epoch"]
        due &= str(FAULT.get("rank", RANK)) == RANK
        if due and at["batch_size"] > FAULT.get("above_batch", 0):
            if FAULT["kind"] == "note":
                note(sys._getframe(1).f_locals["batch"])
            else:
                fail(FAULT["kind"], self)

    kind.run_callbacks = and_fail


def note(batch: Any) -> None:
    with open(f"{FAULT['file']}{RANK}", "a") as file:
        file.write(json.dumps([at["epoch"], [Path(name).name for name in batch["im_file"]]]) + "\n")


def patch_loading(kind: Any) -> None:
    load = kind.__getitem__
    loaded = 0

    def and_fail(self: Any, index: int) -> Any:
        nonlocal loaded
        loaded += 1
        if FAULT["event"] == "load" and loaded > FAULT["images"]:
            fail(FAULT["kind"], self)
        return load(self, index)

    kind.__getitem__ = and_fail


def is_first() -> bool:
    """Whether it has not happened yet, where it is to happen once."""
    if "once" not in FAULT:
        return True
    try:
        Path(FAULT["once"]).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def fail(kind: str, trainer: Any) -> None:
    import numpy as np
    import torch

    if not is_first():
        return
    match kind:
        case "numpy":
            np.ones(1 << 50)
        case "torch":
            torch.empty(1 << 50)
        case "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …")
        case "disk":
            Path("/dev/full").write_bytes(b"x")
        case "hang":
            time.sleep(10**6)
        case "hog":
            # Until the system kills this process.
            taken = []
            while True:
                taken.append(np.ones(1 << 20))
        case "diverge":
            with torch.no_grad():
                for value in trainer.model.parameters():
                    value.fill_(float("nan"))
        case "spoil":
            # The images that are validated.
            for image in Path(trainer.args.data).parent.glob("images/val/*"):
                # The worker keeps the bytes for other data sets.
                image.unlink()
                image.write_bytes(b"no image")
        case "bug":
            raise RuntimeError("a fault that nobody knows")


if FAULT and "annotateforge.trainer.worker.child" in sys.orig_argv:
    sys.meta_path.insert(0, Patching())
