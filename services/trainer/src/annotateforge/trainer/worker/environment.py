"""The environment of a child: what ultralytics, torch and matplotlib read while they are imported."""

import os
from collections.abc import Mapping
from pathlib import Path

from annotateforge.trainer.worker.secrets import is_secret

_LONGEST_SOCKET = 107
"""Bytes of a socket's path, see unix(7)."""
_SOCKET = len("/pymp-12345678/listener-12345678")
"""What multiprocessing appends for the sockets over which data loaders hand out tensors."""
_SECRET = ("ANNOTATEFORGE_", "ULTRALYTICS_", "WANDB_", "COMET_", "CLEARML_", "MLFLOW_", "NEPTUNE_", "AWS_")
_OF_GROUPS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What would make torch and ultralytics take the child for one of several."""
_OF_ULTRALYTICS = "YOLO_"
"""What somebody set for an ultralytics of their own; `YOLO_VERBOSE=false`, say, would leave the log empty."""


def child_environment(
    inherited: Mapping[str, str], scratch: Path, cache: Path, threads: int | None
) -> dict[str, str]:
    """`inherited` without what is none of the child's business, with what keeps it to itself.

    `scratch` goes with the attempt, `cache` stays for the next one (matplotlib takes seconds to list the
    fonts). `threads` are those of torch on a CPU; None, for a GPU, leaves it at ultralytics' one.
    """
    strange = (*_SECRET, _OF_ULTRALYTICS)
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith(strange) and not is_secret(name) and name not in _OF_GROUPS
    }
    own = {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(scratch),
        # Equal seeds give equal numbers on a GPU too; cuBLAS reads it.
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        # Torch numbers GPUs as nvidia-smi does, from which the worker chooses; else the fastest is 0.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(cache / "matplotlib"),
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
    }
    if len(os.fsencode(scratch)) + _SOCKET <= _LONGEST_SOCKET:
        # So that nothing is left in the system's folder by a child that was killed.
        own["TMPDIR"] = str(scratch)
    if threads is not None:
        # ultralytics sets it to 1 where it is not set, and torch sizes its pool by it when it is loaded.
        own["OMP_NUM_THREADS"] = str(threads)
        # How often a waiting thread looks before it sleeps. By default it looks for milliseconds, which makes
        # training many times slower as soon as anything else wants its core; docs/worker.md has figures.
        own["GOMP_SPINCOUNT"] = "1000"
    return kept | own
