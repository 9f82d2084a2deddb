"""Whatever happens in whatever order, a job keeps its invariants."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from annotateforge.api.trainer.v1.event_pb2 import JobEvent, TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Epoch, Failure
from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from annotateforge.runtime.errors import Aborted, FailedPrecondition, InvalidArgument
from annotateforge.trainer import lifecycle, reports
from annotateforge.trainer.job import Change, JobState
from annotateforge.trainer.status import TRANSITIONS, Outcome, Status, status_of
from tests.unit.trainer.lives import (
    LEASE,
    MODEL,
    NOW,
    TOTAL,
    WORKER,
    created,
    epoch_complete,
    epoch_start,
    progress,
    started,
    warning,
)

EPOCHS = st.integers(1, TOTAL)
STALE_OR_NOT = st.integers(-1, 1)


class Life(RuleBasedStateMachine):
    """A job, all of its events, and its epochs as the store would keep them."""

    job: JobState

    @initialize()
    def create(self) -> None:
        self.now = NOW
        self.events: list[JobEvent] = []
        self.epochs: dict[int, Epoch] = {}
        self.take(created())

    def take(self, change: Change) -> None:
        self.job = change.job
        self.events += change.events
        if change.restarted_at is not None:
            self.epochs = {n: epoch for n, epoch in self.epochs.items() if n < change.restarted_at}
        for epoch in change.epochs:
            assert epoch.epoch not in self.epochs
            self.epochs[epoch.epoch] = epoch

    def step(self, decide: Callable[[], Change]) -> None:
        with contextlib.suppress(Aborted, FailedPrecondition, InvalidArgument):
            self.take(decide())

    @rule(seconds=st.floats(0, 20))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def acquire(self) -> None:
        if self.job.status is Status.PENDING:
            self.take(lifecycle.acquire(self.job, WORKER, LEASE, self.now))

    @rule(off=STALE_OR_NOT)
    def heartbeat(self, off: int) -> None:
        self.step(lambda: lifecycle.renew(self.job, self.job.attempt + off, WORKER, LEASE, self.now))

    @rule(
        off=STALE_OR_NOT, first=EPOCHS, kinds=st.lists(st.integers(0, 4), max_size=6), lag=st.integers(0, 3)
    )
    def report(self, off: int, first: int, kinds: list[int], lag: int) -> None:
        number, epoch = max(1, self.job.accepted_through + 1 - lag), first
        sent: list[Report] = []
        for kind in kinds:
            sent.append(_report(kind, number, epoch))
            number += kind != 4
            epoch = epoch % TOTAL + 1 if kind == 3 else epoch
        self.step(lambda: reports.record(self.job, self.job.attempt + off, sent, self.now))

    @rule(off=STALE_OR_NOT)
    def complete(self, off: int) -> None:
        result = TrainingComplete(model_id=str(MODEL))
        self.step(lambda: lifecycle.complete(self.job, self.job.attempt + off, result, self.now))

    @rule(off=STALE_OR_NOT)
    def fail(self, off: int) -> None:
        failure = Failure(reason="OUT_OF_MEMORY")
        self.step(lambda: lifecycle.fail(self.job, self.job.attempt + off, failure, self.now))

    @rule(off=STALE_OR_NOT)
    def stop(self, off: int) -> None:
        self.step(lambda: lifecycle.stop(self.job, self.job.attempt + off, self.now))

    @rule(off=STALE_OR_NOT)
    def release(self, off: int) -> None:
        self.step(lambda: lifecycle.release(self.job, self.job.attempt + off, "", self.now))

    @rule()
    def cancel(self) -> None:
        self.step(lambda: lifecycle.cancel(self.job, self.now))

    @rule()
    def sweep(self) -> None:
        self.take(lifecycle.expire(self.job, 3, self.now))

    @invariant()
    def sequences_have_no_gap(self) -> None:
        assert [event.sequence for event in self.events] == list(range(1, self.job.last_sequence + 1))

    @invariant()
    def every_transition_is_in_the_table(self) -> None:
        statuses = [
            status_of(event.status_change.status) for event in self.events if event.HasField("status_change")
        ]
        for before, after in pairwise(statuses):
            assert before is not None
            assert after in TRANSITIONS[before]
        assert statuses[-1] == self.job.status

    @invariant()
    def a_final_status_is_the_last_event(self) -> None:
        final = [event for event in self.events if _final(event)]
        assert final == ([self.events[-1]] if self.job.status.final else [])

    @invariant()
    def the_state_fits_together(self) -> None:
        job = self.job
        assert (job.lease_expire_time is not None) == job.status.leased
        assert not job.cancel_requested or job.status.leased
        assert (job.end_time is not None) == job.status.final
        assert (job.model_id is not None) == (job.status is Status.COMPLETED)
        assert (job.failure is not None) == (job.status is Status.FAILED)
        assert (job.start_time is not None) == (job.attempt > 0)
        assert (job.outcome is None) == (job.status.leased or job.attempt == 0)
        assert job.lost_attempts <= 3
        assert job.outcome is not Outcome.COMPLETED or job.status is Status.COMPLETED

    @invariant()
    def epochs_lie_behind_the_current_one(self) -> None:
        assert all(number <= self.job.current_epoch for number in self.epochs)
        assert 0 <= self.job.current_epoch <= TOTAL


def _report(kind: int, number: int, epoch: int) -> Report:
    match kind:
        case 0:
            return started(number)
        case 1:
            return warning(number)
        case 2:
            return epoch_start(number, epoch)
        case 3:
            return epoch_complete(number, epoch)
        case _:
            return progress()


def _final(event: JobEvent) -> bool:
    status = status_of(event.status_change.status)
    return status is not None and status.final


Life.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
