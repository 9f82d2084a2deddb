"""The worker's folder: one worker has it for itself, and nothing of an attempt outlives the attempt but what
the trainer has to get yet.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from annotateforge.trainer.worker.log_file import previous_of
from annotateforge.trainer.worker.settings import Settings

LOGS_KEPT = 20


class FolderTaken(Exception):
    """Another worker uses the folder."""


@dataclass(frozen=True)
class Folders:
    """Where things are."""

    datasets: Path
    attempts: Path
    """One folder below it for the attempt that is running."""
    undelivered: Path
    """One folder below it for an attempt that the trainer has not got all of; see `undelivered`."""
    states: Path
    """The state that was uploaded last; see `kept_state`."""
    children: Path
    """One folder below it for each child that runs."""
    logs: Path
    """The output of the newest attempts."""
    cache: Path
    """What libraries keep from one attempt to the next."""
    weights: Path
    """Pretrained weights."""

    @contextlib.contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """A new folder for the time of the context."""
        folder = self.attempts / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def log_file(self, name: str) -> Path:
        """Where an attempt's output goes; of the older ones the newest are kept."""
        found = sorted(self.logs.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
        attempts = list(dict.fromkeys(path.name.partition(".")[0] for path in found))
        for attempt in attempts[LOGS_KEPT - 1 :]:
            log = self._log_file(attempt)
            for path in (log, previous_of(log)):
                path.unlink(missing_ok=True)
        return self._log_file(name)

    def _log_file(self, attempt: str) -> Path:
        return self.logs / f"{attempt}.log"


@contextlib.contextmanager
def occupied(settings: Settings) -> Iterator[Folders]:
    """The worker's folders, swept of what a killed worker left behind, for the time of the context.

    FolderTaken while another worker is in there.
    """
    root = settings.worker_dir.absolute()
    root.mkdir(parents=True, exist_ok=True)
    weights = settings.weights_dir.absolute() if settings.weights_dir else root / "weights"
    folders = Folders(
        datasets=root / "datasets",
        attempts=root / "attempts",
        undelivered=root / "undelivered",
        states=root / "states",
        children=root / "children",
        logs=root / "logs",
        cache=root / "cache",
        weights=weights,
    )
    lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderTaken(f"Another worker uses {root}; give each a worker_dir of its own.") from error
        for folder in (folders.attempts, folders.children):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (
            *(folders.datasets, folders.attempts, folders.undelivered, folders.states),
            *(folders.children, folders.logs, folders.cache),
        ):
            folder.mkdir(exist_ok=True)
        yield folders
    finally:
        os.close(lock)
