import pytest

from annotateforge.runtime.errors import (
    Aborted,
    DeadlineExceeded,
    DomainError,
    FailedPrecondition,
    Internal,
    NotFound,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from annotateforge.trainer.worker.lease import is_fenced
from annotateforge.trainer.worker.retries import MOST_FAULTS, Backoff

PASSING = [
    Unavailable("UNAVAILABLE", ""),
    DeadlineExceeded("DEADLINE_EXCEEDED", ""),
    Unauthenticated("TOKEN_EXPIRED", ""),
    ResourceExhausted("STORE_FULL", ""),
]
FINAL = [
    Aborted("ATTEMPT_STALE", ""),
    NotFound("JOB_NOT_FOUND", ""),
    FailedPrecondition("CANCEL_NOT_REQUESTED", ""),
    ResourceExhausted("MODEL_TOO_LARGE", ""),
]


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_passes_is_tried_for_ever(error: DomainError) -> None:
    backoff = Backoff()
    assert all(backoff.may_pass(error) for _ in range(1000))


@pytest.mark.parametrize("error", FINAL, ids=str)
def test_what_is_final_is_not_tried_again(error: DomainError) -> None:
    assert not Backoff().may_pass(error)


@pytest.mark.parametrize("error", [Internal("INTERNAL", ""), Aborted("TRANSACTION_CONFLICT", "")], ids=str)
def test_faults_are_tried_a_few_times_in_a_row(error: DomainError) -> None:
    backoff = Backoff()
    assert [backoff.may_pass(error) for _ in range(MOST_FAULTS)] == [True] * (MOST_FAULTS - 1) + [False]
    backoff.reset()
    assert backoff.may_pass(error)


def test_only_a_stale_attempt_or_a_deleted_job_is_lost() -> None:
    lost = [error.reason for error in [*PASSING, *FINAL] if is_fenced(error)]
    assert lost == ["ATTEMPT_STALE", "JOB_NOT_FOUND"]
    assert not is_fenced(Aborted("TRANSACTION_CONFLICT", ""))
