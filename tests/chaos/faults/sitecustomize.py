"""Makes a training process fail at a chosen point: Python imports this when its folder is on PYTHONPATH.

TEST_FAULT is JSON: `event` is the callback of ultralytics after which it happens, from `epoch` on, while
batches have more than `above_batch` images; `kind` is what happens; of several processes that train together
only in the one with the number `rank`. The kind "note", for on_train_batch_start, writes a batch's images to
`file`, with the rank appended. Nothing of the product knows of this.
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
PLACES = {"ultralytics.engine.trainer": "BaseTrainer", "ultralytics.engine.validator": "BaseValidator"}
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

        spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]
        return spec


def patch(kind: Any) -> None:
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
                fail(FAULT["kind"])

    kind.run_callbacks = and_fail


def note(batch: Any) -> None:
    with open(f"{FAULT['file']}{RANK}", "a") as file:
        file.write(json.dumps([at["epoch"], [Path(name).name for name in batch["im_file"]]]) + "\n")


def fail(kind: str) -> None:
    import numpy as np
    import torch

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


if FAULT and "annotateforge.trainer.worker.child" in sys.orig_argv:
    sys.meta_path.insert(0, Patching())
