"""The data directory of a local installation: what lies where, and its secret."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from annotateforge.local.engine import EngineError


@dataclass(frozen=True)
class Installation:
    """A data directory. Everything that `up` keeps lies below it."""

    path: Path

    @property
    def postgres(self) -> Path:
        """The embedded database."""
        return self.path / "postgres"

    @property
    def nats(self) -> Path:
        """The embedded NATS server's streams."""
        return self.path / "nats"

    @property
    def store_url(self) -> str:
        """Where blobs go unless settings name another store."""
        return (self.path / "blobs").resolve().as_uri()

    @property
    def weights(self) -> Path:
        """Where people put pretrained weights."""
        return self.path / "weights"

    def log(self, name: str) -> Path:
        """Where a process's output goes."""
        return self.path / "logs" / f"{name}.log"

    def work(self, name: str) -> Path:
        """A process's own directory for what it can do without: caches, scratch. Made where it is missing."""
        folder = self.path / "work" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def secret(self) -> str:
        """The key that signs the installation's tokens; made at first use, readable by its owner alone."""
        path = self.path / "secret"
        with suppress(FileNotFoundError):
            if text := path.read_text().strip():
                return text
        text = secrets.token_hex(32)
        fresh = path.with_name(f"secret.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        # A crash leaves no half-written secret behind.
        fresh.replace(path)
        return text


@contextmanager
def opened(path: Path) -> Iterator[Installation]:
    """Make a data directory where there is none, and hold it alone; EngineError when another `up` has it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (path / "lock").open("a+")
    except OSError as error:
        raise EngineError(
            f"The data directory {path} cannot be used: {error.strerror}. Choose another with --data-dir."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise EngineError(
                f"`annotateforge up` is already running on {path} as process {lock.read().strip() or '?'}. "
                "Use that one, or choose another --data-dir."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield Installation(path.resolve())
