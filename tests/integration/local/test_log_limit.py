"""Logs that grow."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from annotateforge.local.log_limit import limited

CHATTER = """
import sys
for number in range(int(sys.argv[1])):
    print(f"line {number:09d}", flush=True)
"""
LINE = len("line 000000000\n")


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Path]:
    """A log that is looked after."""
    log = tmp_path / "one.log"
    log.touch()
    task = asyncio.create_task(limited(log, tmp_path / "one.previous.log", most=20_000, every=0.01))
    yield log
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def chatter(log: Path, lines: int) -> None:
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CHATTER, str(lines)), stdout=output, stderr=subprocess.DEVNULL
        )
    assert await process.wait() == 0


async def test_a_log_that_grows_begins_anew_and_what_came_before_is_kept(log: Path) -> None:
    lines = 200_000
    await chatter(log, lines)
    async with asyncio.timeout(10):
        while log.stat().st_size > 20_000:
            await asyncio.sleep(0.01)
    previous = log.with_name("one.previous.log")
    # Of three megabytes; how much comes between two looks depends on the machine.
    assert log.stat().st_size + previous.stat().st_size < lines * LINE / 2
    newest = (previous.read_bytes() + log.read_bytes()).splitlines()
    assert newest[-1] == b"line %09d" % (lines - 1)
    assert b"\0" not in b"".join(newest)


async def test_a_log_that_cannot_be_copied_is_cut_all_the_same(log: Path) -> None:
    log.with_name("one.previous.part").mkdir()
    await chatter(log, 10_000)
    async with asyncio.timeout(10):
        while log.stat().st_size > 20_000:
            await asyncio.sleep(0.01)
