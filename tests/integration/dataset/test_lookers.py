"""Processes that look at images, as they are started and as they end."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import psutil
import pytest

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.dataset import app
from annotateforge.dataset.fingerprints import UNREADABLE
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.inspection import look_again
from annotateforge.dataset.lookers import COMMAND, EncodedImage, Lookers, looking
from annotateforge.dataset.settings import Settings
from annotateforge.runtime.errors import Code, Unavailable
from tests.integration.dataset.calls import editing, import_archive, new_project, refusal
from tests.integration.dataset.specs import CLASSIFY, spec_of
from tests.unit.dataset.archives import zipped
from tests.unit.dataset.copies import encoded, picture

GROUPED = dataset_pb2.Split(strategy=dataset_pb2.SPLIT_STRATEGY_GROUPED)
IMAGES: list[EncodedImage] = [(encoded(picture(seed)), ImageFormat.JPEG) for seed in range(6)]
LOOKS = [look_again(bytes(data), image_format) for data, image_format in IMAGES]

# A decoder that does what real ones have done over hostile files.
CRASHING = """
import os, time
from annotateforge.dataset import looker
real = looker.look_again
def look_again(data, *others):
    if data == b"crash":
        os.abort()
    return real(data, *others)
looker.look_again = look_again
looker.main()
"""


@contextlib.asynccontextmanager
async def lookers(count: int = 2, *, idle: float = 60.0, program: str = "") -> AsyncIterator[Lookers]:
    command = (sys.executable, "-c", program) if program else COMMAND
    async with asyncio.timeout(60), looking(count, idle, command) as found:
        yield found


def children() -> list[psutil.Process]:
    """The processes that look; a test's own other children are engines."""
    found = []
    for each in psutil.Process().children():
        with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "annotateforge.dataset.looker" in each.cmdline():
                found.append(each)
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def batches(images: Sequence[EncodedImage]) -> list[Sequence[EncodedImage]]:
    return [images[at : at + 2] for at in range(0, len(images), 2)]


async def test_looks_come_in_the_order_of_their_images_whoever_looks() -> None:
    async with lookers() as found:
        looks = await asyncio.gather(*(found.look(batch) for batch in batches(IMAGES)))
        assert [look for batch in looks for look in batch] == LOOKS
        assert 1 <= len(children()) <= 2
        assert await found.look([]) == []
        assert await found.look([(b"no image", ImageFormat.PNG)]) == [UNREADABLE]
    assert children() == []


async def test_a_process_that_was_killed_costs_no_image_its_look() -> None:
    async with lookers(count=1) as found:
        assert await found.look(IMAGES[:1]) == LOOKS[:1]
        (child,) = children()
        child.kill()
        assert await found.look(IMAGES[:1]) == LOOKS[:1]
        (child,) = children()
        child.kill()
        assert await found.look(IMAGES) == LOOKS


async def test_an_image_that_ends_its_decoder_is_unreadable_and_the_others_are_seen() -> None:
    async with lookers(count=1, program=CRASHING) as found:
        images = [*IMAGES[:2], (b"crash", ImageFormat.JPEG), *IMAGES[2:]]
        assert await found.look(images) == [*LOOKS[:2], UNREADABLE, *LOOKS[2:]]
        assert await found.look(IMAGES) == LOOKS


async def test_a_program_that_does_not_start_is_told_and_marks_no_image() -> None:
    async with lookers(program="raise SystemExit(3)") as found:
        with pytest.raises(Unavailable) as refused:
            await found.look(IMAGES)
        assert refused.value.reason == "LOOKER_NOT_STARTED"


async def test_whoever_freezes_hears_that_a_looker_does_not_start(
    settings: Settings, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = partial(looking, command=(sys.executable, "-c", "raise SystemExit(3)"))
    monkeypatch.setattr(app, "looking", failing)
    pictures = {f"{seed}.jpg": encoded(picture(seed)) for seed in range(4)}
    async with app.running(settings) as service, editing(service, secret) as editor:
        project_id = await new_project(editor)
        assert (await import_archive(editor, project_id, zipped(dict(pictures)))).images_added == 4
        spec = spec_of(project_id, task=CLASSIFY, classes=["red"], split=GROUPED)
        error = await refusal(editor.CheckDataset(api.CheckDatasetRequest(spec=spec)))
        assert (error.code, error.reason) == (Code.UNAVAILABLE, "LOOKER_NOT_STARTED")


async def test_whoever_stops_waiting_leaves_no_answer_to_the_next() -> None:
    async with lookers(count=1) as found:
        assert await found.look(IMAGES[:1]) == LOOKS[:1]
        (child,) = children()
        child.suspend()
        waiting = asyncio.create_task(found.look(IMAGES[:3]))
        for _ in range(10):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await found.look(IMAGES[3:]) == LOOKS[3:]


async def test_whoever_is_patient_takes_the_time_that_is_left() -> None:
    async with lookers() as found:
        assert await found.look(IMAGES, patient=True) == LOOKS
        assert [each.nice() for each in children()] == [19]
        assert await found.look(IMAGES) == LOOKS
        assert sorted(each.nice() for each in children()) == [psutil.Process().nice(), 19]
        assert await found.look(IMAGES, patient=True) == LOOKS
        assert len(children()) == 2


async def test_processes_without_work_end_and_come_again() -> None:
    async with lookers(idle=0.01) as found:
        assert await found.look(IMAGES[:1]) == LOOKS[:1]
        async with asyncio.timeout(20):
            while children():
                await asyncio.sleep(0.01)
        assert await found.look(IMAGES[:1]) == LOOKS[:1]


def test_processes_end_with_the_service_that_was_killed() -> None:
    program = """
import asyncio
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.lookers import looking
async def main():
    async with looking(1) as lookers:
        await lookers.look([(b"no image", ImageFormat.PNG)])
        print("ready", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    with subprocess.Popen((sys.executable, "-c", program), stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == b"ready\n"
        (child,) = psutil.Process(service.pid).children()
        os.kill(service.pid, signal.SIGKILL)
        wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
