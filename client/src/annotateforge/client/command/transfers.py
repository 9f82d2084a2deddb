"""Files that are written by commands, whole or not at all, with a bar while they come."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from annotateforge.client.command.output import Output
from annotateforge.client.command.texts import size
from annotateforge.client.errors import ClientError
from annotateforge.client.whole_file import whole_file

STANDARD_OUTPUT = Path("-")


def target(to: Path | None, name: str) -> Path:
    """Where a file of this name is to be written: here, into the folder that is named, or as it is named."""
    path = to or Path()
    return path / Path(name).name if path.is_dir() else path


def save(
    output: Output, path: Path, fetch: Callable[[IO[bytes]], int], total: int | None, force: bool
) -> None:
    """Write what `fetch` brings to a file, or to standard output for "-", and say so.

    total: bytes that are expected, for the bar. force: replace a file that is there. ClientError when it is
    there, or cannot be written.
    """
    if path == STANDARD_OUTPUT:
        fetch(sys.stdout.buffer)
        sys.stdout.flush()
        return
    if path.exists() and not force:
        raise ClientError(f"{path} is there already. Name another file with --to, or say --force.")
    with (
        whole_file(path) as file,
        Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            console=output.notes,
            transient=True,
            disable=not output.notes.is_terminal,
        ) as progress,
    ):
        bar = progress.add_task(path.name, total=total)
        written = fetch(_Told(file, lambda count: progress.advance(bar, count)))  # type: ignore[arg-type]  # it writes
    if output.as_json:
        output.json({"path": str(path), "size_bytes": written})
    else:
        output.say(f"{path}: {size(written)}")


class _Told:
    """A file that tells how much is written to it."""

    def __init__(self, file: IO[bytes], tell: Callable[[int], None]) -> None:
        self._file = file
        self._tell = tell

    def write(self, chunk: bytes) -> int:
        self._tell(len(chunk))
        return self._file.write(chunk)
