"""A child that ends closes no file of somebody else."""

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
