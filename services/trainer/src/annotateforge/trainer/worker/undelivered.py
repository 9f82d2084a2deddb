"""What the trainer has not got yet of an attempt, in a folder that outlives the worker: its reports, its
newest state, and how it ended. See docs/adr/0013-what-a-worker-leaves-behind.md.

The assignment and the note of the end begin with the SHA-256 of what follows: a message whose end is missing
may still be a message, and would tell of another end.
"""

import asyncio
import contextlib
import os
import shutil
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Self

import orjson
import structlog
from google.protobuf.message import DecodeError

from annotateforge.api.trainer.v1.worker_service_pb2 import (
    Assignment,
    FinishAttemptRequest,
    ReleaseAttemptRequest,
)

_ASSIGNMENT = "assignment"
_WORKER = "worker.json"
_FINISH = "finish"
_RELEASE = "release"
_ASIDE = "broken"
_DIGEST_BYTES = sha256().digest_size
MOST_ASIDE = 8
"""Folders that are kept of those that could not be handed in."""

log = structlog.get_logger()


class Torn(Exception):
    """A file is not as it was written: the machine has lost power."""


class Undelivered:
    """The folder of one attempt."""

    def __init__(self, folder: Path, worker_id: str, assignment: Assignment) -> None:
        """Use `begin` or `found`."""
        self.folder = folder
        self.worker_id = worker_id
        """Of the worker that has, or had, the attempt."""
        self.assignment = assignment

    @classmethod
    def begin(cls, parent: Path, worker_id: str, assignment: Assignment) -> Self:
        """A new folder for an attempt."""
        folder = parent / _name(assignment)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "states").mkdir(parents=True)
        _write(folder / _ASSIGNMENT, _sealed(assignment.SerializeToString()))
        # Last: a folder without it is not looked at.
        _write(folder / _WORKER, orjson.dumps({"worker_id": worker_id}))
        return cls(folder, worker_id, assignment)

    @classmethod
    def found(cls, parent: Path) -> list[Self]:
        """What workers that are gone have left here. What is torn, or was being made or removed when its
        worker was killed, is removed; what the system does not let us read stays for the next start.
        """
        left = []
        for folder in sorted(parent.iterdir()):
            try:
                worker_id = str(orjson.loads((folder / _WORKER).read_bytes())["worker_id"])
                assignment = Assignment.FromString(_opened((folder / _ASSIGNMENT).read_bytes()))
                if folder.name != _name(assignment):
                    raise ValueError(f"the assignment is that of {_name(assignment)}")
            except Exception as error:
                log.warning("what an attempt left is unreadable", folder=folder.name, error=str(error))
                if isinstance(error, FileNotFoundError) or not isinstance(error, OSError):
                    shutil.rmtree(folder, ignore_errors=True)
            else:
                left.append(cls(folder, worker_id, assignment))
        return left

    @property
    def reports(self) -> Path:
        """The file of reports that are not accepted yet."""
        return self.folder / "reports"

    @property
    def states(self) -> Path:
        """Where the child keeps its states."""
        return self.folder / "states"

    def will_end(self, ending: FinishAttemptRequest | ReleaseAttemptRequest) -> None:
        """Note how the attempt ends, before the trainer is told. OSError when the disk is full."""
        name = _FINISH if isinstance(ending, FinishAttemptRequest) else _RELEASE
        _write(self.folder / name, _sealed(ending.SerializeToString()))

    def ending(self) -> FinishAttemptRequest | ReleaseAttemptRequest | None:
        """How the attempt has ended; None when its worker died before it did, or when the machine lost power
        before the note had reached the disk.
        """
        kinds = ((_FINISH, FinishAttemptRequest), (_RELEASE, ReleaseAttemptRequest))
        for name, kind in kinds:
            try:
                return kind.FromString(_opened((self.folder / name).read_bytes()))
            except FileNotFoundError:
                continue
            except (Torn, DecodeError) as error:
                log.warning("how an attempt ended is unreadable", folder=self.folder.name, error=str(error))
        return None

    async def remove_damaged_states(self) -> None:
        """A machine that lost power may have lost parts of files: these must not reach the trainer."""
        for path in self.states.iterdir():
            if path.suffix != ".pt" or not await asyncio.to_thread(_is_whole, path):
                path.unlink(missing_ok=True)

    def set_aside(self) -> None:
        """Nobody can hand it in, and somebody may want to look at it: it goes to a folder beside the others,
        which holds the newest few.
        """
        aside = self.folder.parent.with_name(f"{self.folder.parent.name}-{_ASIDE}")
        aside.mkdir(exist_ok=True)
        target = aside / self.folder.name
        shutil.rmtree(target, ignore_errors=True)
        self.folder.replace(target)
        os.utime(target)
        kept = sorted(aside.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in kept[MOST_ASIDE:]:
            shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> None:
        """The trainer has everything, or wants nothing any more."""
        # First: what is left of it when the worker is killed in the middle is not to be handed in.
        with contextlib.suppress(OSError):
            (self.folder / _WORKER).unlink()
        shutil.rmtree(self.folder, ignore_errors=True)


def _name(assignment: Assignment) -> str:
    return f"{assignment.job.id}-{assignment.attempt}"


def _is_whole(state: Path) -> bool:
    """Whether every part has its CRC-32; torch writes zip archives."""
    try:
        with zipfile.ZipFile(state) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        return False


def _write(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _sealed(content: bytes) -> bytes:
    """The content behind its SHA-256."""
    return sha256(content).digest() + content


def _opened(sealed: bytes) -> bytes:
    """The content. Torn when some of it is missing or is not what was written."""
    digest, content = sealed[:_DIGEST_BYTES], sealed[_DIGEST_BYTES:]
    if sha256(content).digest() != digest:
        raise Torn(f"{len(sealed):,} bytes are not those that were written")
    return content
