import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobStatus
from annotateforge.runtime.errors import Internal
from annotateforge.trainer.status import LEASED, TRANSITIONS, Status, check_transition, status_of


def test_every_status_of_the_proto_has_its_word_and_back() -> None:
    numbers = [number for number in JobStatus.values() if number != JobStatus.JOB_STATUS_UNSPECIFIED]
    assert {status.proto for status in Status} == set(numbers)
    assert [status_of(status.proto) for status in Status] == list(Status)
    assert status_of(JobStatus.JOB_STATUS_UNSPECIFIED) is None


def test_a_job_ends_completed_failed_or_cancelled_and_nothing_follows() -> None:
    assert {status for status in Status if status.final} == {
        Status.COMPLETED,
        Status.FAILED,
        Status.CANCELLED,
    }


def test_every_status_can_be_reached_from_pending() -> None:
    reached = {Status.PENDING}
    for _ in Status:
        reached |= {after for before in reached for after in TRANSITIONS[before]}
    assert reached == set(Status)


def test_only_a_job_that_a_worker_has_can_go_back_to_the_queue() -> None:
    assert {before for before in Status if Status.PENDING in TRANSITIONS[before]} == LEASED


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_a_transition_outside_of_the_table_is_refused(before: Status, after: Status) -> None:
    if after in TRANSITIONS[before]:
        check_transition(before, after)
    else:
        with pytest.raises(Internal, match="cannot become"):
            check_transition(before, after)
