"""The state of a training that was uploaded last, kept on the disk: a next attempt on this worker need not
download it.
"""

import asyncio
import contextlib
import hashlib
from pathlib import Path

import structlog

log = structlog.get_logger()


class KeptState:
    """One file at most, named by its SHA-256."""

    def __init__(self, folder: Path) -> None:
        """The folder is there, and nobody else's."""
        self._folder = folder

    def keep(self, path: Path, sha256: str) -> None:
        """Take a file into keeping in place of the one before. It is gone from where it was in any case."""
        target = self._folder / f"{sha256}.pt"
        try:
            path.replace(target)
        except FileNotFoundError:
            # A newer one has taken its place meanwhile.
            pass
        except OSError as error:
            log.warning("a state is not kept", error=str(error))
            path.unlink(missing_ok=True)
        self._remove_but(target)

    async def find(self, sha256: str) -> Path | None:
        """The file with this SHA-256, which is checked: a machine that crashed may have harmed it."""
        path = self._folder / f"{sha256}.pt"
        with contextlib.suppress(OSError), path.open("rb") as file:
            digest = await asyncio.to_thread(hashlib.file_digest, file, "sha256")
            if digest.hexdigest() == sha256:
                return path
        return None

    def forget(self) -> None:
        """The job is over."""
        self._remove_but(None)

    def _remove_but(self, kept: Path | None) -> None:
        for path in self._folder.iterdir():
            if path != kept:
                path.unlink(missing_ok=True)
