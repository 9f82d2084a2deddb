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
from annotateforge.trainer.worker import retries
from annotateforge.trainer.worker.lease import is_fenced
from annotateforge.trainer.worker.retries import Backoff

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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which stands still unless it is set."""
    now = [0.0]
    monkeypatch.setattr(f"{retries.__name__}.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_passes_is_tried_for_ever(error: DomainError) -> None:
    backoff = Backoff()
    assert all(backoff.may_pass(error) for _ in range(1000))


@pytest.mark.parametrize("error", FINAL, ids=str)
def test_what_is_final_is_not_tried_again(error: DomainError) -> None:
    assert not Backoff().may_pass(error)


@pytest.mark.parametrize("error", [Internal("INTERNAL", ""), Aborted("TRANSACTION_CONFLICT", "")], ids=str)
def test_faults_are_believed_when_there_was_nothing_else_for_long(
    error: DomainError, clock: list[float]
) -> None:
    backoff = Backoff(faults_believed_after=60)
    assert all(backoff.may_pass(error) for _ in range(1000))
    clock[0] += 59
    assert backoff.may_pass(error)
    clock[0] += 1
    assert not backoff.may_pass(error)
    backoff.reset()
    assert backoff.may_pass(error)


def test_the_time_for_which_a_service_is_away_does_not_make_its_faults_believed(clock: list[float]) -> None:
    backoff = Backoff(faults_believed_after=60)
    for _ in range(5):
        assert backoff.may_pass(Internal("INTERNAL", ""))
        assert backoff.may_pass(Unavailable("UNAVAILABLE", ""))
        clock[0] += 3600
    assert backoff.may_pass(Internal("INTERNAL", ""))


def test_only_a_stale_attempt_or_a_deleted_job_is_lost() -> None:
    lost = [error.reason for error in [*PASSING, *FINAL] if is_fenced(error)]
    assert lost == ["ATTEMPT_STALE", "JOB_NOT_FOUND"]
    assert not is_fenced(Aborted("TRANSACTION_CONFLICT", ""))
