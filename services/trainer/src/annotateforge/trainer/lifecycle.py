"""The steps of a job's life, as pure functions from what is to what becomes of it. See docs/job-lifecycle.md.

Each takes the job as it is (locked), an input and the time, and answers the Change, or raises a DomainError
and thereby changes nothing. What a worker sends is fenced: it counts only while the attempt that it names is
open.
"""

from datetime import datetime, timedelta
from uuid import UUID

from annotateforge.api.trainer.v1.event_pb2 import (
    CheckpointSaved,
    DatasetReady,
    Retry,
    TrainingComplete,
    Warning,
)
from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.runtime.errors import Aborted, FailedPrecondition, InvalidArgument
from annotateforge.trainer.job import Change, Draft, JobState, SavedCheckpoint, Trouble
from annotateforge.trainer.placement import ANYTHING, Demand
from annotateforge.trainer.status import Outcome, Status

_LONGEST_MESSAGE = 4000
_RELEASED_HINT = (
    "Nothing needs to be done: the next worker that fits takes the job. If nobody shut this one down, look "
    "into its log."
)
_OWN_HINT = "Nothing needs to be done. If it happens again, look at the job's log and at the worker's."


def create(
    job_id: UUID,
    total_epochs: int,
    dataset: DatasetReady,
    now: datetime,
    warning: Warning | None = None,
    demand: Demand = ANYTHING,
) -> Change:
    """A new job waits in the queue, and its data set is frozen already. `warning` is what its maker should
    know at once.
    """
    draft = Draft(JobState(id=job_id, status=Status.PENDING, total_epochs=total_epochs, demand=demand), now)
    draft.begin()
    draft.record(dataset_ready=dataset)
    if warning is not None:
        draft.record(warning=warning)
    return draft.done()


def acquire(job: JobState, worker_id: UUID, lease: timedelta, now: datetime) -> Change:
    """A worker takes a waiting job: the next attempt begins."""
    attempt = job.attempt + 1
    draft = Draft(job, now, attempt)
    draft.become(
        Status.PREPARING,
        attempt=attempt,
        worker_id=worker_id,
        outcome=None,
        accepted_through=0,
        lease_expire_time=now + lease,
        seconds_per_epoch=None,
        device="",
        start_time=job.start_time or now,
    )
    return draft.done()


def renew(job: JobState, attempt: int, worker_id: UUID, lease: timedelta, now: datetime) -> Change:
    """A worker is heard of: its lease begins anew, also when it had run out and nobody has noticed yet.

    Aborted ATTEMPT_STALE when it does not have the job.
    """
    fence(job, attempt)
    if job.worker_id != worker_id:
        raise stale(job, attempt)
    draft = Draft(job, now)
    draft.set(lease_expire_time=now + lease)
    return draft.done()


def cancel(job: JobState, now: datetime) -> Change:
    """Somebody cancels the job: at once while it waits, otherwise its worker is to stop.

    A job that is cancelled stays so. FailedPrecondition JOB_ENDED when it has ended otherwise.
    """
    draft = Draft(job, now)
    if job.status is Status.PENDING:
        draft.become(Status.CANCELLED, end_time=now, checkpoint=None)
    elif job.status.leased:
        draft.set(cancel_requested=True)
    elif job.status is not Status.CANCELLED:
        raise FailedPrecondition(
            "JOB_ENDED",
            f"The job is {job.status} and cannot be cancelled any more.",
            metadata={"job_id": str(job.id), "status": job.status.value},
        )
    return draft.done()


def complete(job: JobState, attempt: int, result: TrainingComplete, now: datetime) -> Change:
    """The worker has registered the model. Repeating it is harmless.

    Aborted ATTEMPT_STALE; FailedPrecondition ATTEMPT_NOT_TRAINING when training_started was never reported.
    """
    if _ended(job, attempt, Outcome.COMPLETED) and str(job.model_id) == result.model_id:
        return Change(job)
    fence(job, attempt)
    if job.status is not Status.TRAINING:
        raise FailedPrecondition(
            "ATTEMPT_NOT_TRAINING", "Report training_started before you finish the attempt as completed."
        )
    draft = Draft(job, now, attempt)
    draft.record(training_complete=result)
    draft.become(Status.COMPLETED, model_id=UUID(result.model_id), **_over(Outcome.COMPLETED, now))
    return draft.done()


def fail(job: JobState, attempt: int, failure: Failure, now: datetime) -> Change:
    """The worker says that it failed for good. Repeating it is harmless. Aborted ATTEMPT_STALE."""
    if _ended(job, attempt, Outcome.FAILED):
        return Change(job)
    fence(job, attempt)
    return _failed(Draft(job, now, attempt), failure, Outcome.FAILED)


def stop(job: JobState, attempt: int, now: datetime) -> Change:
    """The worker has stopped because the job was cancelled. Repeating it is harmless.

    Aborted ATTEMPT_STALE; FailedPrecondition CANCEL_NOT_REQUESTED when nobody cancelled the job.
    """
    if _ended(job, attempt, Outcome.CANCELLED):
        return Change(job)
    fence(job, attempt)
    if not job.cancel_requested:
        raise FailedPrecondition(
            "CANCEL_NOT_REQUESTED",
            "Nobody cancelled the job. Release the attempt if the worker has to stop.",
        )
    draft = Draft(job, now, attempt)
    draft.become(Status.CANCELLED, **_over(Outcome.CANCELLED, now))
    return draft.done()


def release(job: JobState, attempt: int, message: str, now: datetime) -> Change:
    """The worker hands the job back; the queue has it again, unless it was cancelled meanwhile.

    Repeating it is harmless until another worker takes the job. Aborted ATTEMPT_STALE.
    """
    if job.attempt == attempt and job.outcome is Outcome.RELEASED:
        return Change(job)
    fence(job, attempt)
    retry = Retry(reason="RELEASED", message=message or "The worker was shut down.", hint=_RELEASED_HINT)
    return _back_to_queue(Draft(job, now, attempt), retry, Outcome.RELEASED)


def expire(job: JobState, max_attempts: int, now: datetime) -> Change:
    """The lease has run out: the queue has the job again, unless it was cancelled or lost too many attempts.

    Nothing changes when the lease was renewed after all.
    """
    if job.lease_expire_time is None or job.lease_expire_time > now:
        return Change(job)
    failure = Failure(
        reason="WORKER_LOST",
        message="The worker was not heard of for the time of its lease.",
        hint="Look whether its machine and the network are up, and into its log; memory may have run out.",
    )
    return _once_more(Draft(job, now, job.attempt), failure, Outcome.LOST, max_attempts)


def interrupt(
    job: JobState, attempt: int, failure: Failure, batch_size: int, max_attempts: int, now: datetime
) -> Change:
    """The worker says that it cannot go on, and that another attempt may; see AttemptInterrupted.

    Repeating it is harmless until another worker takes the job. Aborted ATTEMPT_STALE; InvalidArgument
    INVALID_OUTCOME for a batch that is not smaller than it was.
    """
    if _ended(job, attempt, Outcome.INTERRUPTED):
        return Change(job)
    fence(job, attempt)
    draft = Draft(job, now, attempt)
    if not batch_size:
        return _once_more(draft, failure, Outcome.INTERRUPTED, max_attempts)
    if batch_size < 1 or (job.batch_size is not None and batch_size >= job.batch_size):
        raise InvalidArgument.of_field(
            "INVALID_OUTCOME", "interrupted.batch_size", "must be at least 1 and less than it was"
        )
    draft.set(batch_size=batch_size)
    retry = _retry(failure)
    retry.batch_size = batch_size
    return _back_to_queue(draft, retry, Outcome.INTERRUPTED)


def keep_checkpoint(job: JobState, attempt: int, checkpoint: SavedCheckpoint, now: datetime) -> Change:
    """The worker has brought the state after an epoch, which takes the place of the one before.

    Nothing changes when it is there already, or a newer one is. Aborted ATTEMPT_STALE; FailedPrecondition
    EPOCH_NOT_REPORTED before the epoch is complete: who goes on from here would never report it.
    """
    fence(job, attempt)
    if not wants_checkpoint(job, checkpoint):
        return Change(job)
    if checkpoint.epoch > job.current_epoch:
        raise FailedPrecondition(
            "EPOCH_NOT_REPORTED",
            f"Report that epoch {checkpoint.epoch} is complete before you save its state.",
        )
    draft = Draft(job, now, attempt)
    draft.set(checkpoint=checkpoint, lost_attempts=0, troubles=())
    draft.record(checkpoint_saved=CheckpointSaved(epoch=checkpoint.epoch, size_bytes=checkpoint.size_bytes))
    return draft.done()


def wants_checkpoint(job: JobState, checkpoint: SavedCheckpoint) -> bool:
    """Whether a checkpoint is newer than the one that the job has: a later attempt's outdoes an earlier's."""
    kept = job.checkpoint
    return kept is None or (checkpoint.attempt, checkpoint.epoch) > (kept.attempt, kept.epoch)


def fence(job: JobState, attempt: int) -> None:
    """Aborted ATTEMPT_STALE unless `attempt` is the job's newest attempt and open."""
    if job.attempt != attempt or not job.status.leased:
        raise stale(job, attempt)


def stale(job: JobState, attempt: int) -> Aborted:
    """What a worker is told that no longer has the job."""
    return Aborted(
        "ATTEMPT_STALE",
        f"Attempt {attempt} of the job is over. Stop the training and ask for another job.",
        metadata={"job_id": str(job.id), "attempt": str(attempt), "newest_attempt": str(job.attempt)},
    )


def _ended(job: JobState, attempt: int, outcome: Outcome) -> bool:
    return job.attempt == attempt and job.outcome is outcome


def _closed(outcome: Outcome) -> dict[str, object]:
    return {"outcome": outcome, "lease_expire_time": None, "cancel_requested": False}


def _over(outcome: Outcome, now: datetime) -> dict[str, object]:
    # Nothing goes on from its checkpoint any more.
    return {**_closed(outcome), "end_time": now, "checkpoint": None}


def _once_more(draft: Draft, failure: Failure, outcome: Outcome, max_attempts: int) -> Change:
    """Another attempt, unless too many in a row were of no use. One that saved a checkpoint was of use."""
    job = draft.job
    useful = job.checkpoint is not None and job.checkpoint.attempt == job.attempt
    troubles = (*job.troubles, Trouble(job.attempt, failure.reason, failure.message))
    lost = 0 if useful else job.lost_attempts + 1
    draft.set(lost_attempts=lost, troubles=() if useful else troubles)
    if lost >= max_attempts and not job.cancel_requested:
        return _failed(draft, _too_many(lost, troubles, failure), outcome)
    return _back_to_queue(draft, _retry(failure), outcome)


def _retry(failure: Failure) -> Retry:
    return Retry(reason=failure.reason, message=failure.message, hint=failure.hint or _OWN_HINT)


def _too_many(lost: int, troubles: tuple[Trouble, ...], last: Failure) -> Failure:
    reasons = "; ".join(f"attempt {one.attempt}: {one.reason} ({one.message})" for one in troubles)
    return Failure(
        reason="TOO_MANY_ATTEMPTS",
        message=f"{lost} attempts in a row ended without getting on. {reasons}"[:_LONGEST_MESSAGE],
        hint=last.hint
        or "See the workers' logs; the job may need more memory than they have. Then restart it.",
        log_tail=last.log_tail,
    )


def _failed(draft: Draft, failure: Failure, outcome: Outcome) -> Change:
    draft.record(training_failed=failure)
    draft.become(Status.FAILED, failure=failure, **_over(outcome, draft.now))
    return draft.done()


def _back_to_queue(draft: Draft, retry: Retry, outcome: Outcome) -> Change:
    if draft.job.cancel_requested:
        draft.become(Status.CANCELLED, **_over(outcome, draft.now))
    else:
        if draft.job.checkpoint is not None:
            retry.resume_epoch = draft.job.checkpoint.epoch
        draft.record(retry=retry)
        draft.become(Status.PENDING, **_closed(outcome))
    return draft.done()
