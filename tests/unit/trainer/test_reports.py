import math
from datetime import UTC, datetime
from typing import Any

import pytest

from annotateforge.api.trainer.v1.event_pb2 import EpochStart, Progress, TrainingComplete, Warning
from annotateforge.api.trainer.v1.job_pb2 import (
    ClassMetrics,
    ConfusionMatrix,
    ConfusionRow,
    Epoch,
    Failure,
)
from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from annotateforge.runtime.errors import Aborted, FailedPrecondition, InvalidArgument
from annotateforge.trainer import lifecycle
from annotateforge.trainer.outcomes import told_failure, told_result
from annotateforge.trainer.reports import record
from tests.unit.trainer.lives import (
    LEASE,
    MODEL,
    NOW,
    TOTAL,
    WORKER,
    epoch_complete,
    epoch_start,
    pending,
    preparing,
    progress,
    started,
    told,
    training,
    warning,
)


def test_reports_become_events_in_their_order() -> None:
    change = record(preparing(), 1, [started(1), warning(2), epoch_start(3, 1), epoch_complete(4, 1)], NOW)
    assert told(change.events) == [
        "status_change:training",
        "warning:TRAINED_FROM_SCRATCH",
        "epoch_start:1",
        "epoch_complete:1",
    ]
    assert [event.sequence for event in change.events] == [4, 5, 6, 7]
    assert change.job.accepted_through == 4
    assert (change.job.current_epoch, change.job.device) == (1, "cpu")


def test_an_epoch_has_the_attempt_and_the_time_of_the_event_that_tells_of_it() -> None:
    (event,) = record(training(), 1, [epoch_complete(2, 1)], NOW).events
    epoch = event.epoch_complete
    assert (epoch.attempt, epoch.time) == (event.attempt, event.time)
    assert (event.attempt, event.time.ToDatetime(UTC)) == (1, NOW)


def test_reports_that_are_recorded_are_passed_over() -> None:
    job = record(training(), 1, [epoch_start(2, 1), epoch_complete(3, 1)], NOW).job
    change = record(job, 1, [started(1), epoch_start(2, 1), epoch_complete(3, 1), epoch_start(4, 2)], NOW)
    assert told(change.events) == ["epoch_start:2"]
    assert record(job, 1, [epoch_complete(3, 1)], NOW).job == job


def test_a_gap_in_the_numbers_is_refused_with_what_is_missing() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        record(training(), 1, [epoch_start(2, 1), epoch_complete(4, 1)], NOW)
    assert caught.value.reason == "REPORT_MISSING"
    assert caught.value.metadata == {"accepted_through": "2"}


def test_progress_is_told_live_and_not_stored() -> None:
    happened = Report(progress=Progress(stage="training", epoch=1, done=3, total=9))
    happened.time.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
    change = record(training(), 1, [happened, progress()], NOW)
    assert change.events == ()
    assert [(event.sequence, event.attempt) for event in change.live] == [(0, 1), (0, 1)]
    assert [event.time.ToDatetime(UTC) for event in change.live] == [datetime(2026, 1, 1, tzinfo=UTC), NOW]
    assert change.live[0].progress.total_epochs == TOTAL
    assert change.job == training()


def test_an_epoch_says_what_the_trainer_knows_of_it() -> None:
    job = record(training(), 1, [epoch_complete(2, 1, seconds=10)], NOW).job
    change = record(job, 1, [epoch_complete(3, 2, seconds=20)], NOW)
    epoch = change.epochs[0]
    assert (epoch.total_epochs, epoch.attempt, epoch.time.ToDatetime(UTC)) == (TOTAL, 1, NOW)
    assert epoch.eta_seconds == pytest.approx(13 * 3)
    assert change.events[0].epoch_complete == epoch


def test_an_attempt_that_starts_over_measures_its_epochs_anew() -> None:
    job = record(training(), 1, [epoch_complete(2, 1), epoch_complete(3, 2), epoch_complete(4, 3)], NOW).job
    released = lifecycle.release(job, 1, "", NOW).job
    assert released.current_epoch == 3
    second = lifecycle.acquire(released, WORKER, LEASE, NOW).job
    change = record(second, 2, [started(1), epoch_start(2, 1), epoch_complete(3, 1)], NOW)
    assert change.restarted_at == 1
    assert [epoch.epoch for epoch in change.epochs] == [1]
    assert change.job.current_epoch == 1


def test_an_attempt_that_resumes_keeps_the_epochs_before() -> None:
    job = record(training(), 1, [epoch_complete(2, 1), epoch_complete(3, 2), epoch_complete(4, 3)], NOW).job
    second = lifecycle.acquire(lifecycle.release(job, 1, "", NOW).job, WORKER, LEASE, NOW).job
    change = record(second, 2, [started(1), epoch_start(2, 3)], NOW)
    assert (change.restarted_at, change.job.current_epoch) == (3, 2)


def test_an_epoch_that_is_repeated_within_one_call_is_there_once() -> None:
    change = record(training(), 1, [epoch_complete(2, 1), epoch_start(3, 1), epoch_complete(4, 1, 9)], NOW)
    assert [epoch.epoch_seconds for epoch in change.epochs] == [9]
    assert change.restarted_at == 1


def test_epochs_before_the_training_are_refused() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        record(preparing(), 1, [epoch_start(1, 1)], NOW)
    assert caught.value.reason == "ATTEMPT_NOT_TRAINING"


def test_training_starts_once_in_an_attempt() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        record(training(), 1, [started(2)], NOW)
    assert caught.value.reason == "TRAINING_STARTED_TWICE"


def test_reports_of_no_open_attempt_are_refused() -> None:
    for job, attempt in ((training(), 2), (pending(), 0), (pending(), 1)):
        with pytest.raises(Aborted):
            record(job, attempt, [progress()], NOW)


def of_epoch(**fields: Any) -> Report:
    return Report(number=2, epoch_complete=Epoch(epoch=1, **fields))


@pytest.mark.parametrize(
    ("report", "field"),
    [
        (Report(number=2), ""),
        (Report(number=1, progress=Progress(stage="training")), ".number"),
        (Report(number=0, warning=Warning(reason="A")), ".number"),
        (Report(number=-1, warning=Warning(reason="A")), ".number"),
        (Report(number=2, warning=Warning()), ".warning.reason"),
        (Report(number=2, epoch_start=EpochStart(epoch=0)), ".epoch_start.epoch"),
        (Report(number=2, epoch_start=EpochStart(epoch=TOTAL + 1)), ".epoch_start.epoch"),
        (Report(progress=Progress(stage="dreaming")), ".progress.stage"),
        (Report(progress=Progress(stage="training", done=-1)), ".progress.done"),
        (
            Report(progress=Progress(stage="training", train_losses={"box": math.nan})),
            '.progress.train_losses["box"]',
        ),
        (of_epoch(metrics={"map50": math.nan}), '.epoch_complete.metrics["map50"]'),
        (of_epoch(learning_rate=math.inf), ".epoch_complete.learning_rate"),
        (of_epoch(epoch_seconds=-1), ".epoch_complete.epoch_seconds"),
        (of_epoch(metrics={"m" * 101: 1.0}), ".epoch_complete.metrics (a name)"),
        (of_epoch(metrics={str(n): 1.0 for n in range(101)}), ".epoch_complete.metrics"),
    ],
)
def test_what_no_job_could_take_is_refused_with_its_path(report: Report, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        record(training(), 1, [report], NOW)
    assert caught.value.reason == "INVALID_REPORT"
    assert [violation.field for violation in caught.value.violations] == [f"reports[0]{field}"]


def test_a_time_outside_of_the_calendar_is_refused() -> None:
    report = progress()
    report.time.seconds = 2**60
    with pytest.raises(InvalidArgument):
        record(training(), 1, [report], NOW)


def test_a_failure_is_cut_to_what_can_be_published() -> None:
    failure = told_failure(
        Failure(reason="A", message="m" * 10_000, log_tail=[f"{n} " + "x" * 5000 for n in range(500)])
    )
    assert len(failure.message) == 4000
    assert len(failure.log_tail) == 200
    assert failure.log_tail[-1].startswith("499 ")
    assert max(map(len, failure.log_tail)) == 1000
    with pytest.raises(InvalidArgument):
        told_failure(Failure())


def test_a_result_needs_a_model_and_finite_numbers() -> None:
    assert told_result(TrainingComplete(model_id=str(MODEL).upper())).model_id == str(MODEL)
    for wrong in (
        TrainingComplete(),
        TrainingComplete(model_id="best"),
        TrainingComplete(model_id=str(MODEL), metrics={"map50": math.inf}),
        TrainingComplete(model_id=str(MODEL), best_epoch=-1),
    ):
        with pytest.raises(InvalidArgument):
            told_result(wrong)


def full_epoch(**changes: Any) -> Report:
    """An epoch with everything that a worker can tell of it."""
    fields: dict[str, Any] = {
        "learning_rates": {"pg0": 0.01},
        "images_per_second": 12.5,
        "loader_wait_percent": 3.0,
        "host_memory_bytes": 1,
        "gpu_memory_bytes": 2,
        "class_metrics": [ClassMetrics(class_label="Δ", images=1, instances=2, metrics={"map50": 0.5})],
    }
    return Report(number=2, epoch_complete=Epoch(epoch=1, epoch_seconds=1, **fields | changes))


def test_an_epoch_is_kept_with_all_that_was_measured_of_it() -> None:
    report = full_epoch()
    (epoch,) = record(preparing(), 1, [started(1), report], NOW).epochs
    assert dict(epoch.learning_rates) == {"pg0": 0.01}
    assert epoch.class_metrics == report.epoch_complete.class_metrics
    assert (epoch.images_per_second, epoch.gpu_memory_bytes) == (12.5, 2)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("images_per_second", {"images_per_second": -1.0}),
        ("images_per_second", {"images_per_second": float("inf")}),
        ("gpu_memory_bytes", {"gpu_memory_bytes": -1}),
        ("class_metrics", {"class_metrics": [ClassMetrics()] * 101}),
        ("class_metrics[0].instances", {"class_metrics": [ClassMetrics(instances=-1)]}),
        ("class_metrics[0].metrics", {"class_metrics": [ClassMetrics(metrics={"map50": float("nan")})]}),
    ],
)
def test_measurements_that_cannot_be_are_refused(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        record(preparing(), 1, [started(1), full_epoch(**changes)], NOW)
    assert caught.value.violations[0].field.startswith(f"reports[1].epoch_complete.{field}")


@pytest.mark.parametrize(
    "matrix",
    [
        ConfusionMatrix(labels=["a"]),
        ConfusionMatrix(labels=["a"], rows=[ConfusionRow(counts=[1, 2])]),
        ConfusionMatrix(labels=["a"], rows=[ConfusionRow(counts=[-1])]),
        ConfusionMatrix(labels=["a"] * 102, rows=[ConfusionRow(counts=[0] * 102)] * 102),
    ],
)
def test_a_confusion_matrix_that_is_none_is_refused(matrix: ConfusionMatrix) -> None:
    with pytest.raises(InvalidArgument, match="INVALID_OUTCOME|completed"):
        told_result(TrainingComplete(model_id=str(MODEL), confusion_matrix=matrix))
