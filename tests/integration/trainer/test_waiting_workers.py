import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from annotateforge.runtime import subjects
from annotateforge.runtime.bus import connect_bus
from annotateforge.runtime.ids import new_id
from annotateforge.trainer.placement import ANYTHING, Demand, Offer
from annotateforge.trainer.waiting_workers import Vacancy, WaitingWorker, WaitingWorkers

PROCESSOR = Offer(devices=("cpu",), memory=(0,), takes_any=True)
GPU = Offer(devices=("0",), memory=(24,), takes_any=True)
A_GPU = Demand(gpus=1)


@contextlib.asynccontextmanager
async def a_room(nats_url: str) -> AsyncIterator[WaitingWorkers]:
    async with connect_bus(nats_url, "test") as bus:
        room = WaitingWorkers(bus)
        async with room.relaying():
            yield room


@pytest.fixture
async def room(nats_url: str) -> AsyncIterator[WaitingWorkers]:
    async with a_room(nats_url) as made:
        yield made


def any_job() -> Vacancy:
    return Vacancy(new_id(), ANYTHING)


async def woken(*workers: WaitingWorker) -> list[bool]:
    """Who of them returns from a wait at once."""

    async def one(worker: WaitingWorker) -> bool:
        began = asyncio.get_running_loop().time()
        await worker.wait(1)
        return asyncio.get_running_loop().time() - began < 0.5

    return list(await asyncio.gather(*map(one, workers)))


async def test_a_job_wakes_one_worker_and_the_one_that_has_waited_longest(room: WaitingWorkers) -> None:
    with room.waiting(PROCESSOR) as first, room.waiting(PROCESSOR) as second, room.waiting(GPU) as third:
        await room.wake(any_job())
        assert await woken(first, second, third) == [True, False, False]


async def test_as_many_workers_are_woken_as_there_are_jobs(room: WaitingWorkers) -> None:
    with room.waiting(PROCESSOR) as first, room.waiting(PROCESSOR) as second, room.waiting(GPU) as third:
        await room.wake(any_job())
        await room.wake(any_job())
        assert await woken(first, second, third) == [True, True, False]


async def test_a_job_wakes_nobody_whom_it_does_not_fit(room: WaitingWorkers) -> None:
    with room.waiting(PROCESSOR) as first, room.waiting(GPU) as second:
        await room.wake(Vacancy(new_id(), A_GPU))
        await room.wake(Vacancy(new_id(), Demand(gpus=1, min_gpu_memory=80)))
        assert await woken(first, second) == [False, True]


async def test_a_worker_that_goes_away_passes_its_wake_up_on(room: WaitingWorkers) -> None:
    leaving = contextlib.ExitStack()
    leaving.enter_context(room.waiting(GPU))
    with room.waiting(GPU) as second, room.waiting(GPU) as third:
        await room.wake(any_job())
        leaving.close()
        assert await woken(second, third) == [True, False]


async def test_a_worker_that_takes_another_job_passes_its_wake_up_on(room: WaitingWorkers) -> None:
    for_all, for_gpus = any_job(), Vacancy(new_id(), A_GPU)
    leaving = contextlib.ExitStack()
    first = leaving.enter_context(room.waiting(GPU))
    with room.waiting(PROCESSOR) as second:
        await room.wake(for_all)
        await first.wait(1)
        first.took(for_gpus.job_id)
        leaving.close()
        assert await woken(second) == [True]


async def test_a_worker_that_takes_the_job_that_it_was_woken_for_wakes_nobody(room: WaitingWorkers) -> None:
    job = any_job()
    leaving = contextlib.ExitStack()
    first = leaving.enter_context(room.waiting(GPU))
    with room.waiting(PROCESSOR) as second:
        await room.wake(job)
        await first.wait(1)
        first.took(job.job_id)
        leaving.close()
        assert await woken(second) == [False]


async def test_one_worker_is_woken_in_every_process(room: WaitingWorkers, nats_url: str) -> None:
    async with a_room(nats_url) as other:
        with (
            room.waiting(PROCESSOR) as here,
            room.waiting(PROCESSOR) as here_too,
            other.waiting(PROCESSOR) as there,
            other.waiting(PROCESSOR) as there_too,
        ):
            await room.wake(any_job())
            assert await woken(here, here_too, there, there_too) == [True, False, True, False]


async def test_whoever_says_something_unknown_wakes_all(room: WaitingWorkers, nats_url: str) -> None:
    async with connect_bus(nats_url, "older") as bus:
        with room.waiting(PROCESSOR) as first, room.waiting(GPU) as second:
            await bus.tell(subjects.job_wake())
            assert await woken(first, second) == [True, True]


async def test_who_keeps_devices_is_let_go_also_in_another_process_and_nobody_else_is_woken(
    room: WaitingWorkers, nats_url: str
) -> None:
    async with a_room(nats_url) as other:
        with room.waiting(GPU) as keeping, room.waiting(GPU) as second, other.waiting(GPU) as third:
            keeping.keeps_devices()
            third.keeps_devices()
            await room.let_go()
            assert await woken(keeping, second, third) == [True, False, True]


async def test_a_worker_that_keeps_devices_is_woken_when_there_is_no_other(room: WaitingWorkers) -> None:
    with room.waiting(GPU) as keeping:
        keeping.keeps_devices()
        with room.waiting(GPU) as second:
            await room.wake(any_job())
            assert await woken(keeping, second) == [False, True]
        await room.wake(any_job())
        assert await woken(keeping) == [True]
        keeping.found_nothing()
        with room.waiting(GPU) as third:
            await room.wake(any_job())
            assert await woken(keeping, third) == [True, False]


async def test_a_worker_that_comes_to_keep_devices_passes_its_wake_up_on_but_not_to_such_another(
    room: WaitingWorkers,
) -> None:
    with room.waiting(GPU) as first, room.waiting(GPU) as second, room.waiting(GPU) as third:
        await room.wake(any_job())
        await first.wait(1)
        second.keeps_devices()
        first.keeps_devices()
        assert await woken(first, second, third) == [False, False, True]


@pytest.mark.parametrize(
    "told",
    [
        {"job_id": 7, "device": "", "gpus": 0, "min_gpu_memory": 0},
        {"job_id": str(new_id()), "device": "", "gpus": [1], "min_gpu_memory": 0},
    ],
    ids=["job_id", "gpus"],
)
async def test_what_makes_no_sense_wakes_all_and_the_next_is_still_heard(
    room: WaitingWorkers, nats_url: str, told: dict[str, object]
) -> None:
    async with a_room(nats_url) as other, connect_bus(nats_url, "odd") as bus:
        with room.waiting(PROCESSOR) as first, room.waiting(PROCESSOR) as second:
            await bus.tell(subjects.job_wake(), json.dumps({"from": "odd", **told}).encode())
            assert await woken(first, second) == [True, True]
            await other.wake(any_job())
            assert await woken(first, second) == [True, False]
