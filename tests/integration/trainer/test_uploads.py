"""When a worker uploads the states that its training keeps."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from annotateforge.api.trainer.v1.worker_service_pb2 import Assignment
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.trainer.worker.checkpoints import Checkpoints
from annotateforge.trainer.worker.kept_state import KeptState
from annotateforge.trainer.worker.stopping import Stop
from tests.integration.trainer.workers import (
    Editor,
    ScriptedWorker,
    epoch_complete,
    get_job,
    list_events,
    make_job,
    training_started,
)

EPOCHS = 6


@dataclass
class Uploading:
    """A training that keeps states, and what uploads them."""

    editor: Editor
    job_id: str
    folder: Path
    kept: KeptState
    checkpoints: Checkpoints

    def keep(self, epoch: int) -> None:
        """As the child does it."""
        path = self.folder / f"{epoch:06d}.pt"
        path.with_suffix(".part").write_bytes(content(epoch))
        path.with_suffix(".part").replace(path)
        self.checkpoints.look()

    async def uploaded(self) -> list[int]:
        events = await list_events(self.editor, self.job_id)
        return [event.checkpoint_saved.epoch for event in events if event.HasField("checkpoint_saved")]

    async def until(self, epoch: int) -> None:
        async with asyncio.timeout(20):
            while epoch not in await self.uploaded():
                await asyncio.sleep(0.01)


def content(epoch: int) -> bytes:
    return b"state %d" % epoch


async def _nothing_to_wait_for() -> None:
    return


@pytest.fixture
async def uploading(
    editor: Editor, worker: WorkerServiceStub, tmp_path: Path, every: float
) -> AsyncIterator[Uploading]:
    await make_job(editor, epochs=EPOCHS)
    one = ScriptedWorker(worker)
    await one.acquire()
    await one.report(training_started(), *(epoch_complete(number + 1) for number in range(EPOCHS)))
    kept = KeptState(tmp_path / "kept")
    for folder in ("kept", "states"):
        (tmp_path / folder).mkdir()
    assignment = Assignment(job=one.job, attempt=one.attempt)
    checkpoints = Checkpoints(worker, assignment, Stop(), _nothing_to_wait_for, kept, every)
    checkpoints.watch(tmp_path / "states")
    task = asyncio.create_task(checkpoints.send())
    yield Uploading(editor, one.job_id, tmp_path / "states", kept, checkpoints)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("every", [3600.0])
async def test_the_first_state_is_uploaded_at_once_and_later_ones_when_it_is_time_or_in_a_hurry(
    uploading: Uploading,
) -> None:
    uploading.keep(1)
    await uploading.until(1)
    for epoch in (2, 3, 4):
        uploading.keep(epoch)
    await asyncio.sleep(0.2)
    assert await uploading.uploaded() == [1]
    # Of those that wait only the newest lies on the disk.
    assert [path.stem for path in uploading.folder.iterdir()] == ["000004"]
    async with asyncio.timeout(20):
        await uploading.checkpoints.flush()
    assert await uploading.uploaded() == [1, 4]
    checkpoint = (await get_job(uploading.editor, uploading.job_id)).checkpoint
    assert checkpoint.sha256 == hashlib.sha256(content(4)).hexdigest()
    found = await uploading.kept.find(checkpoint.sha256)
    assert found is not None
    assert found.read_bytes() == content(4)
    assert list(uploading.folder.iterdir()) == []


@pytest.mark.parametrize("every", [0.5])
async def test_the_newest_state_is_uploaded_as_soon_as_it_is_time(uploading: Uploading) -> None:
    uploading.keep(1)
    await uploading.until(1)
    for epoch in (2, 3):
        uploading.keep(epoch)
    await uploading.until(3)
    assert await uploading.uploaded() == [1, 3]


@pytest.mark.parametrize("every", [0.0])
async def test_every_state_is_uploaded_where_that_is_asked_for(uploading: Uploading) -> None:
    for epoch in range(1, EPOCHS + 1):
        uploading.keep(epoch)
        await uploading.until(epoch)
    assert await uploading.uploaded() == list(range(1, EPOCHS + 1))
