"""Processes whose memory the kernel limits, and kills them for it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def memory_limited(most: int) -> Iterator[Callable[[int], None]]:
    """A control group of at most so many bytes; what it gives lets a process in, with all that it starts from
    then on. Skips the test where there cannot be one.
    """
    unified = (_ROOT / "cgroup.controllers").is_file()
    parent = _ROOT if unified else _ROOT / "memory"
    group = parent / f"annotateforge-test-{os.getpid()}"
    limit = group / ("memory.max" if unified else "memory.limit_in_bytes")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"control groups cannot be made here: {error}")
    try:
        try:
            limit.write_text(str(most))
        except OSError as error:
            pytest.skip(f"memory cannot be limited here: {error}")

        def let_in(pid: int) -> None:
            (group / "cgroup.procs").write_text(f"{pid}\n")

        yield let_in
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()
