from collections.abc import Callable
from datetime import timedelta

import pytest

from annotateforge.api.trainer.v1.event_pb2 import DatasetReady, TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Failure, JobStatus
from annotateforge.runtime.errors import Aborted, FailedPrecondition
from annotateforge.trainer import lifecycle
from annotateforge.trainer.job import Change, JobState
from annotateforge.trainer.status import LEASED, Outcome, Status
from tests.unit.trainer.lives import (
    JOB,
    LEASE,
    MODEL,
    NOW,
    WORKER,
    in_status,
    pending,
    preparing,
    told,
    training,
)

LATER = NOW + timedelta(seconds=20)
RESULT = TrainingComplete(model_id=str(MODEL), best_epoch=4)


def test_a_new_job_waits_and_says_what_it_is_trained_on() -> None:
    change = lifecycle.create(JOB, 5, DatasetReady(digest="d"), NOW)
    assert told(change.events) == ["status_change:pending", "dataset_ready"]
    assert [event.sequence for event in change.events] == [1, 2]
    assert [event.attempt for event in change.events] == [0, 0]
    assert change.events[0].status_change.previous_status == JobStatus.JOB_STATUS_UNSPECIFIED
    assert change.job.last_sequence == 2


def test_a_worker_that_takes_a_job_begins_the_next_attempt_under_a_lease() -> None:
    change = lifecycle.acquire(pending(), WORKER, LEASE, NOW)
    assert told(change.events) == ["status_change:preparing"]
    assert change.events[0].attempt == change.job.attempt == 1
    assert change.job.lease_expire_time == NOW + LEASE
    assert change.job.start_time == NOW


def test_the_normal_life_of_a_job_ends_with_its_last_status() -> None:
    change = lifecycle.complete(training(), 1, RESULT, LATER)
    assert told(change.events) == ["training_complete", "status_change:completed"]
    assert change.job.model_id == MODEL
    assert change.job.end_time == LATER
    assert change.job.lease_expire_time is None


def test_a_failed_job_keeps_why() -> None:
    failure = Failure(reason="OUT_OF_MEMORY", log_tail=["killed"])
    change = lifecycle.fail(training(), 1, failure, LATER)
    assert told(change.events) == ["training_failed:OUT_OF_MEMORY", "status_change:failed"]
    assert change.job.failure == failure


@pytest.mark.parametrize("status", sorted(LEASED))
def test_a_running_job_is_cancelled_once_its_worker_has_stopped(status: Status) -> None:
    asked = lifecycle.cancel(in_status(status), NOW)
    assert asked.events == ()
    assert (asked.job.status, asked.job.cancel_requested) == (status, True)
    assert lifecycle.cancel(asked.job, LATER).job == asked.job
    stopped = lifecycle.stop(asked.job, 1, LATER)
    assert told(stopped.events) == ["status_change:cancelled"]
    assert not stopped.job.cancel_requested


def test_a_waiting_job_is_cancelled_at_once() -> None:
    change = lifecycle.cancel(pending(), LATER)
    assert told(change.events) == ["status_change:cancelled"]
    assert change.job.end_time == LATER


def test_a_cancelled_job_stays_so() -> None:
    cancelled = in_status(Status.CANCELLED)
    assert lifecycle.cancel(cancelled, LATER) == Change(cancelled)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED])
def test_a_job_that_ended_otherwise_cannot_be_cancelled(status: Status) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        lifecycle.cancel(in_status(status), LATER)
    assert caught.value.reason == "JOB_ENDED"


@pytest.mark.parametrize("status", sorted(LEASED))
def test_a_released_job_waits_again(status: Status) -> None:
    change = lifecycle.release(in_status(status), 1, "", LATER)
    assert told(change.events) == ["retry:RELEASED", "status_change:pending"]
    assert {event.attempt for event in change.events} == {1}
    assert (change.job.status, change.job.outcome) == (Status.PENDING, Outcome.RELEASED)
    assert change.job.lost_attempts == 0
    assert lifecycle.release(change.job, 1, "", LATER).events == ()


def test_a_job_whose_worker_is_lost_waits_again() -> None:
    change = lifecycle.expire(training(), 5, LATER)
    assert told(change.events) == ["retry:WORKER_LOST", "status_change:pending"]
    assert change.job.lost_attempts == 1
    again = lifecycle.acquire(change.job, WORKER, LEASE, LATER)
    assert again.job.attempt == 2
    assert again.job.start_time == NOW


def test_every_retry_says_what_to_do() -> None:
    told_hint = Failure(reason="STALLED", message="It did nothing.", hint="Look at the disk.")
    silent = Failure(reason="STALLED", message="It did nothing.")
    hints = [
        next(event.retry.hint for event in change.events if event.HasField("retry"))
        for change in (
            lifecycle.expire(training(), 5, LATER),
            lifecycle.release(training(), 1, "", LATER),
            lifecycle.interrupt(training(), 1, told_hint, 0, 5, LATER),
            lifecycle.interrupt(training(), 1, told_hint, 8, 5, LATER),
            lifecycle.interrupt(training(), 1, silent, 0, 5, LATER),
        )
    ]
    assert all(hints)
    assert hints[2:4] == ["Look at the disk."] * 2


def test_a_lease_that_was_renewed_does_not_run_out() -> None:
    job = lifecycle.renew(training(), 1, WORKER, LEASE, NOW + timedelta(seconds=14)).job
    assert lifecycle.expire(job, 5, LATER) == Change(job)


def test_a_cancelled_job_whose_worker_is_lost_or_gives_it_back_is_cancelled() -> None:
    asked = lifecycle.cancel(training(), NOW).job
    for change in (lifecycle.expire(asked, 1, LATER), lifecycle.release(asked, 1, "", LATER)):
        assert told(change.events) == ["status_change:cancelled"]


def test_a_job_that_loses_too_many_workers_fails() -> None:
    once = lifecycle.expire(training(), 2, LATER).job
    assert once.status is Status.PENDING
    change = lifecycle.expire(lifecycle.acquire(once, WORKER, LEASE, NOW).job, 2, LATER)
    assert told(change.events) == ["training_failed:TOO_MANY_ATTEMPTS", "status_change:failed"]
    assert (change.job.outcome, change.job.lost_attempts) == (Outcome.LOST, 2)


def test_released_attempts_do_not_count_as_lost() -> None:
    job = pending()
    for _ in range(10):
        acquired = lifecycle.acquire(job, WORKER, LEASE, NOW).job
        job = lifecycle.release(acquired, acquired.attempt, "", NOW).job
    assert (job.status, job.attempt, job.lost_attempts) == (Status.PENDING, 10, 0)


@pytest.mark.parametrize("attempt", [0, 2, -1])
def test_what_carries_another_attempt_is_refused(attempt: int) -> None:
    for step in _worker_steps(attempt):
        with pytest.raises(Aborted) as caught:
            step(training())
        assert caught.value.reason == "ATTEMPT_STALE"


def test_what_an_ended_attempt_still_sends_is_refused() -> None:
    lost = lifecycle.expire(training(), 5, LATER).job
    for step in _worker_steps(1):
        with pytest.raises(Aborted) as caught:
            step(lost)
        assert caught.value.metadata == {"job_id": str(JOB), "attempt": "1", "newest_attempt": "1"}


def test_a_heartbeat_of_another_worker_is_refused() -> None:
    with pytest.raises(Aborted):
        lifecycle.renew(training(), 1, MODEL, LEASE, NOW)


def test_finishing_twice_with_the_same_outcome_is_harmless() -> None:
    completed = lifecycle.complete(training(), 1, RESULT, NOW).job
    assert lifecycle.complete(completed, 1, RESULT, LATER) == Change(completed)
    failed = lifecycle.fail(training(), 1, Failure(reason="A"), NOW).job
    assert lifecycle.fail(failed, 1, Failure(reason="A"), LATER) == Change(failed)
    stopped = lifecycle.stop(lifecycle.cancel(training(), NOW).job, 1, NOW).job
    assert lifecycle.stop(stopped, 1, LATER) == Change(stopped)


def test_finishing_twice_with_different_outcomes_is_refused() -> None:
    completed = lifecycle.complete(training(), 1, RESULT, NOW).job
    with pytest.raises(Aborted):
        lifecycle.fail(completed, 1, Failure(reason="A"), LATER)
    with pytest.raises(Aborted):
        lifecycle.complete(completed, 1, TrainingComplete(model_id=str(JOB)), LATER)


def test_a_model_without_a_training_is_refused() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        lifecycle.complete(preparing(), 1, RESULT, LATER)
    assert caught.value.reason == "ATTEMPT_NOT_TRAINING"


def test_a_worker_cannot_cancel_what_nobody_cancelled() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        lifecycle.stop(training(), 1, LATER)
    assert caught.value.reason == "CANCEL_NOT_REQUESTED"


def _worker_steps(attempt: int) -> list[Callable[[JobState], Change]]:
    return [
        lambda job: lifecycle.renew(job, attempt, WORKER, LEASE, LATER),
        lambda job: lifecycle.complete(job, attempt, RESULT, LATER),
        lambda job: lifecycle.fail(job, attempt, Failure(reason="A"), LATER),
        lambda job: lifecycle.stop(job, attempt, LATER),
        lambda job: lifecycle.release(job, attempt, "", LATER),
    ]
