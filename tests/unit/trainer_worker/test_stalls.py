import asyncio

import pytest

from annotateforge.api.trainer.v1.event_pb2 import EpochStart, Progress
from annotateforge.api.trainer.v1.job_pb2 import Epoch
from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from annotateforge.trainer.worker.stalls import Patience, StallWatch


def batches(done: int, stage: str = "training") -> Report:
    return Report(progress=Progress(stage=stage, epoch=1, done=done))


def test_a_training_may_take_ten_times_the_median_batch_and_two_minutes_at_least() -> None:
    watch = StallWatch(Patience(120, 10, 3600))
    assert watch.limit == 3600
    watch.hear(batches(1), 100.0)
    assert watch.limit == 120
    # Two batches of 1 s each, then one of 20 s, then two of 30 s each: the median of a batch's time is 20 s.
    for done, at in ((3, 102.0), (4, 122.0), (6, 182.0)):
        watch.hear(batches(done), at)
    assert watch.limit == 200


def test_what_is_no_batch_is_not_timed() -> None:
    watch = StallWatch(Patience(1, 10, 3600))
    watch.hear(batches(5), 0.0)
    watch.hear(batches(1, "validating"), 900.0)
    watch.hear(Report(progress=Progress(stage="downloading", done=9)), 950.0)
    watch.hear(None, 960.0)
    assert watch.limit == 1


def test_the_first_complete_epoch_ends_the_time_of_beginning() -> None:
    watch = StallWatch(Patience(1, 10, 3600))
    watch.hear(Report(epoch_complete=Epoch(epoch=1)), 0.0)
    assert watch.limit == 1


async def test_silence_is_noticed_and_a_sign_of_life_puts_it_off() -> None:
    watch = StallWatch(Patience(0.2, 10, 0.2))
    watch.hear(batches(1), 0.0)
    waiting = asyncio.create_task(watch.stalled())
    for number in range(20):
        await asyncio.sleep(0.02)
        watch.hear(batches(number + 2), 0.02 * number)
        assert not waiting.done()
    async with asyncio.timeout(30):
        assert await waiting == pytest.approx(0.22, abs=0.03)


def test_the_first_batch_of_a_training_that_has_started_may_take_ten_times_the_least() -> None:
    watch = StallWatch(Patience(120, 10, 3600))
    watch.hear(Report(epoch_start=EpochStart(epoch=5)), 0.0)
    assert watch.limit == 1200
    watch.hear(batches(1), 100.0)
    assert watch.limit == 120


def test_the_first_batch_has_no_more_time_than_the_beginning() -> None:
    watch = StallWatch(Patience(120, 10, 300))
    watch.hear(Report(epoch_start=EpochStart(epoch=1)), 0.0)
    assert watch.limit == 300
