"""A child that ends closes all of its files, and no file of somebody else."""

import asyncio
import gc
import os
import threading
from pathlib import Path

import uvloop

from annotateforge.trainer.worker.child_process import ChildProcess

CHILDREN = 40


def test_files_that_threads_open_stay_open_while_children_come_and_go(tmp_path: Path) -> None:
    over = threading.Event()
    lost: list[OSError] = []

    def open_and_close() -> None:
        while not over.is_set():
            held = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
            for descriptor in held:
                try:
                    os.close(descriptor)
                except OSError as error:
                    lost.append(error)

    async def come_and_go() -> None:
        for _ in range(CHILDREN):
            child = await ChildProcess.start(tmp_path, {"PATH": os.defpath}, launches=True)
            await child.stop()

    # Here, and not in a process that uvloop forks: what tests of gRPC left waits there for a thread that only
    # this one has.
    gc.collect()
    threads = [threading.Thread(target=open_and_close) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        uvloop.run(come_and_go())
    finally:
        over.set()
        for thread in threads:
            thread.join(10)
    assert lost == []


async def test_nothing_is_left_of_a_child_by_a_stop_that_is_cancelled_until_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    before = open_files()
    child = await ChildProcess.start(folder, {"PATH": os.defpath}, owns_folder=True, launches=True)
    child.log_to(tmp_path / "log")
    stopping = asyncio.create_task(child.stop())
    while not stopping.done():
        await asyncio.sleep(0)
        stopping.cancel()
    assert stopping.cancelled()
    assert not child.running
    assert not folder.exists()
    # The loop closes in its next rounds what it was told to close.
    async with asyncio.timeout(10):
        while open_files() - before:
            await asyncio.sleep(0.01)


def open_files() -> set[str]:
    """What this process has open."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found.add(os.readlink(descriptor))
        except FileNotFoundError:
            # The one with which the folder was read.
            continue
    return found
