"""One attempt at a job, from the assignment to the word that ends it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.api.trainer.v1.event_pb2 import Progress, TrainingComplete
from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.api.trainer.v1.worker_service_pb2 import (
    Assignment,
    AttemptCancelled,
    AttemptInterrupted,
    FinishAttemptRequest,
    ReleaseAttemptRequest,
    Report,
)
from annotateforge.api.trainer.v1.worker_service_pb2_grpc import WorkerServiceStub
from annotateforge.runtime.errors import DomainError
from annotateforge.trainer.worker import failures, interruption
from annotateforge.trainer.worker.base_model import fetch_base_model
from annotateforge.trainer.worker.checkpoints import Checkpoints, fetch_checkpoint
from annotateforge.trainer.worker.child_process import ChildProcess
from annotateforge.trainer.worker.datasets import DatasetCache
from annotateforge.trainer.worker.devices import Devices, Share
from annotateforge.trainer.worker.folders import Folders
from annotateforge.trainer.worker.frames import BrokenFrames, Kind
from annotateforge.trainer.worker.interruption import Interrupted, KilledForMemory
from annotateforge.trainer.worker.job_log import JobLog
from annotateforge.trainer.worker.kept_state import KeptState
from annotateforge.trainer.worker.lease import Lease, is_fenced
from annotateforge.trainer.worker.leftovers import Leftovers
from annotateforge.trainer.worker.log_tail import LogTail
from annotateforge.trainer.worker.machine import Machine
from annotateforge.trainer.worker.order import Places, order_for
from annotateforge.trainer.worker.registration import register
from annotateforge.trainer.worker.report_journal import ReportJournal
from annotateforge.trainer.worker.reports import Reports
from annotateforge.trainer.worker.retries import may_be_mended, patiently
from annotateforge.trainer.worker.stalls import Patience, StallWatch
from annotateforge.trainer.worker.stopping import Stop, Stopped, Why
from annotateforge.trainer.worker.touch import in_touch
from annotateforge.trainer.worker.undelivered import Undelivered
from annotateforge.trainer.worker.warm_child import WarmChild

DEADLINE = 10.0
"""Seconds that a word to the trainer may take."""
RELEASE_DEADLINE = 3.0
"""Seconds that a worker that is shut down tries to hand its job back, or to say how it ended."""
PROGRESS_SECONDS = 0.5
"""Least time between two reports of a download's progress."""

Outcome = TrainingComplete | Failure | Interrupted

log = structlog.get_logger()


@dataclass(frozen=True)
class Equipment:
    """What every attempt of a worker uses."""

    worker_id: str
    trainer: WorkerServiceStub
    dataset: DatasetServiceStub
    registry: RegistryServiceStub
    datasets: DatasetCache
    folders: Folders
    machine: Machine
    devices: Devices
    warm_child: WarmChild
    allow_downloads: bool
    patience: Patience
    """How long a training may be silent."""
    kept_state: KeptState
    leftovers: Leftovers
    """What former attempts left that the trainer has not got."""
    checkpoint_seconds: float
    """Seconds of training after which its state is uploaded at the latest."""
    grace: float
    """Seconds for the newest checkpoint to be uploaded when the worker is shut down."""


class Attempt:
    """Carries out one assignment."""

    def __init__(self, equipment: Equipment, assignment: Assignment, share: Share) -> None:
        self._with = equipment
        self._assignment = assignment
        self._job = assignment.job
        self._name = f"{self._job.id}-{assignment.attempt}"
        self._stop = Stop()
        self._lease = Lease(
            equipment.trainer,
            equipment.worker_id,
            assignment,
            self._stop,
            equipment.devices.load,
            equipment.leftovers.wake,
        )
        self._share = share
        self._undelivered: Undelivered | None = None
        self._owing = False
        self._journal = ReportJournal()
        self._reports = Reports(equipment.trainer, assignment, self._stop, self._journal)
        self._checkpoints = Checkpoints(
            equipment.trainer,
            assignment,
            self._stop,
            self._reports.flush,
            equipment.kept_state,
            equipment.checkpoint_seconds,
        )
        self._log = JobLog(equipment.trainer, assignment, self._stop)
        self._printed: LogTail | None = None
        self._downloading = 0.0

    async def run(self) -> None:
        """Do it and tell the trainer how it ended. When the task is cancelled, hand the job back.

        Afterwards no process and no file of the attempt is left, but what the trainer could not be told.
        """
        try:
            works = (self._lease.keep(), self._reports.send(), self._checkpoints.send(), self._log.send())
            async with in_touch(self._stop, *works):
                try:
                    outcome = await self._stop.race(self._work())
                except Stopped as stopped:
                    await self._after(stopped.why)
                except asyncio.CancelledError:
                    await self._release()
                    raise
                else:
                    await self._finish(outcome)
        finally:
            self._journal.close()
            if self._undelivered is not None:
                if self._owing:
                    self._with.leftovers.add(self._undelivered)
                else:
                    self._undelivered.remove()

    @property
    def owing(self) -> bool:
        """Whether the trainer still believes that the attempt is open: it could not be told how it ended."""
        return self._owing

    async def _work(self) -> Outcome:
        """Train and register. What goes wrong becomes a Failure."""
        # Short, see environment.py; the end of a job's id is random.
        name = f"{self._job.id[-12:]}-{self._assignment.attempt}"
        try:
            left = self._undelivered = Undelivered.begin(
                self._with.folders.undelivered, self._with.worker_id, self._assignment
            )
            self._journal.keep_in(left.reports)
            self._checkpoints.watch(left.states)
            with self._with.folders.scratch(name) as scratch:
                try:
                    return await self._train_and_register(scratch, left.states)
                except asyncio.CancelledError:
                    if self._stop.why is None:
                        await self._save_last_checkpoint()
                    raise
        except Exception as error:
            log.exception("the attempt failed")
            return failures.of_error(error)

    async def _train_and_register(self, scratch: Path, states: Path) -> Outcome:
        outcome = await self._train(scratch, states)
        await self._reports.flush()
        if isinstance(outcome, Interrupted):
            await self._checkpoints.flush()
        if isinstance(outcome, TrainingComplete):
            # Nothing is awaited after this: the job of a registered model is completed.
            outcome.model_id = await register(
                self._with.registry, self._assignment, outcome, self._architecture, scratch / "run"
            )
        return outcome

    async def _save_last_checkpoint(self) -> None:
        """The worker is shut down, and somebody else goes on."""
        try:
            async with asyncio.timeout(self._with.grace):
                await self._checkpoints.flush()
        except TimeoutError:
            log.warning("the newest checkpoint could not be uploaded in time")

    async def _train(self, scratch: Path, states: Path) -> Outcome:
        machine, device = self._with.machine, self._share.device
        log_file = self._with.folders.log_file(self._name)
        killed_before = KilledForMemory.now()
        # Started already, or now: it imports what it needs while the data set is on its way.
        child = await self._with.warm_child.take(
            machine.threads(device), log_file, launches=len(self._share.devices) > 1
        )
        try:
            self._printed = child.log
            child.log.tell(self._log.add)
            places = await self._bring(scratch)
            order = order_for(
                self._job,
                places,
                architecture=self._architecture,
                device=device,
                cores=self._share.cores,
                allow_downloads=self._with.allow_downloads,
            )
            order = replace(
                order,
                batch_size=self._job.batch_size or order.batch_size,
                full_batch_size=order.batch_size,
                trained_seconds=self._assignment.trained_seconds,
                checkpoint_dir=str(states),
                checkpoint_seconds=self._with.checkpoint_seconds,
                resume_from=await self._bring_checkpoint(scratch),
            )
            await child.give(order)
            outcome = await self._hear(child)
            if isinstance(outcome, int):
                for_memory = KilledForMemory.now().since(killed_before)
                outcome = interruption.of_exit(
                    outcome, order.batch_size, len(order.devices), for_memory=for_memory
                )
            elif isinstance(outcome, Failure):
                outcome = interruption.of_failure(outcome, order.batch_size, len(order.devices))
            if not isinstance(outcome, TrainingComplete):
                failure = outcome if isinstance(outcome, Failure) else outcome.failure
                log.warning("training failed", reason=failure.reason, message=failure.message)
            return outcome
        finally:
            await child.stop()

    async def _bring(self, scratch: Path) -> Places:
        dataset_dir = await self._with.datasets.bring(
            self._job.dataset, self._with.dataset, self._tell_download
        )
        base_weights = None
        if self._job.config.base_model_id:
            base_weights = scratch / "base.pt"
            await fetch_base_model(self._with.registry, self._job.config.base_model_id, base_weights)
        return Places(dataset_dir, scratch / "run", self._with.folders.weights, base_weights)

    async def _bring_checkpoint(self, scratch: Path) -> str | None:
        if not self._job.HasField("checkpoint"):
            return None
        if (kept := await self._with.kept_state.find(self._job.checkpoint.sha256)) is not None:
            return str(kept)
        path = scratch / "checkpoint.pt"
        if await fetch_checkpoint(self._with.trainer, self._assignment, path):
            return str(path)
        log.error("the trainer has lost the checkpoint; begins at the beginning")
        return None

    async def _hear(self, child: ChildProcess) -> Outcome | int:
        """Pass the child's reports on until it ends or hangs, and answer how it ended: its exit code when it
        did not say.
        """
        watch = StallWatch(self._with.patience)
        listening = asyncio.create_task(self._listen(child, watch))
        silence = asyncio.create_task(watch.stalled())
        try:
            await asyncio.wait({listening, silence}, return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                return listening.result()
            return interruption.of_silence(silence.result())
        finally:
            listening.cancel()
            silence.cancel()
            await asyncio.wait({listening, silence})

    async def _listen(self, child: ChildProcess, watch: StallWatch) -> Outcome | int:
        outcome: Outcome | None = None
        try:
            async for kind, payload in child.frames():
                report = Report.FromString(payload) if kind is Kind.REPORT else None
                watch.hear(report, time.monotonic())
                if report is not None:
                    if not self._is_known(report):
                        self._reports.add(report)
                elif kind is Kind.CHECKPOINT:
                    self._checkpoints.look()
                elif kind is Kind.TRAINED:
                    outcome = TrainingComplete.FromString(payload)
                else:
                    outcome = Failure.FromString(payload)
        except BrokenFrames as error:
            return failures.internal(f"The training process reports what makes no sense: {error}.")
        code = await child.ended()
        return code if outcome is None else outcome

    def _is_known(self, report: Report) -> bool:
        """Whether an attempt before has reported the same: epochs that were complete and are trained again,
        because the checkpoint is older, are told once.
        """
        kind = report.WhichOneof("payload")
        if kind not in ("epoch_start", "epoch_complete"):
            return False
        epoch: int = getattr(report, kind).epoch
        return epoch <= self._job.current_epoch

    @property
    def _architecture(self) -> str:
        return self._job.config.model

    def _tell_download(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._downloading < PROGRESS_SECONDS and done < total:
            return
        self._downloading = now
        progress = Progress(stage="downloading", total_epochs=self._job.total_epochs, done=done, total=total)
        time_now = Timestamp()
        time_now.GetCurrentTime()
        self._reports.add(Report(time=time_now, progress=progress))

    async def _after(self, why: Why) -> None:
        log.info("stopped", why=why.value)
        if why is Why.CANCELLED:
            await self._tell(self._ending(cancelled=AttemptCancelled()))
        elif why is Why.REFUSED:
            refused = self._reports.refused
            message = f"The trainer does not accept a report: {refused}"
            if refused is not None and may_be_mended(refused):
                await self._tell(self._ending_by_fault(message))
            else:
                await self._tell(self._ending(failed=failures.internal(message)))
        elif why is Why.OUT_OF_TOUCH:
            await self._tell(self._ending_by_fault("The worker lost touch by its own fault."))

    async def _finish(self, outcome: Outcome) -> None:
        if isinstance(outcome, TrainingComplete):
            await self._tell(self._ending(completed=outcome))
        elif isinstance(outcome, Interrupted):
            await self._tell(
                self._ending(
                    interrupted=AttemptInterrupted(failure=outcome.failure, batch_size=outcome.batch_size)
                )
            )
        else:
            await self._tell(self._ending(failed=outcome))

    def _ending(
        self,
        completed: TrainingComplete | None = None,
        failed: Failure | None = None,
        cancelled: AttemptCancelled | None = None,
        interrupted: AttemptInterrupted | None = None,
    ) -> FinishAttemptRequest:
        return FinishAttemptRequest(
            job_id=self._job.id,
            attempt=self._assignment.attempt,
            completed=completed,
            failed=failed,
            cancelled=cancelled,
            interrupted=interrupted,
        )

    def _ending_by_fault(self, message: str) -> FinishAttemptRequest:
        """The job is as good as it was, and another attempt may get on."""
        return self._ending(interrupted=AttemptInterrupted(failure=failures.of_worker(message)))

    async def _tell(self, ending: FinishAttemptRequest) -> None:
        """Tell the trainer until it has heard; when it does not take it, leave the job to another attempt."""
        outcome = ending.WhichOneof("outcome")
        if outcome == "failed":
            self._add_log_tail(ending.failed)
        elif outcome == "interrupted":
            self._add_log_tail(ending.interrupted.failure)
        self._note(ending)
        try:
            await self._log.flush()
            await self._send(ending)
            log.info("finished", outcome=outcome)
            if outcome != "interrupted":
                self._with.kept_state.forget()
        except DomainError as error:
            log.warning("the trainer does not take the outcome", error=str(error))
            if not is_fenced(error):
                # Without a note: what the trainer may take later is how it ended. Not released either: that
                # does not count, and attempts that all end so would follow each other for ever.
                another = self._ending_by_fault(f"The worker could not finish the attempt: {error.message}")
                await self._in_haste("interrupt the attempt", lambda: self._send(another))
        except asyncio.CancelledError:
            # Not released: another attempt would do again what is done.
            await self._in_haste("finish the attempt", lambda: self._send(ending))
            raise

    async def _send(self, ending: FinishAttemptRequest) -> None:
        await patiently(
            "finish the attempt", lambda: self._with.trainer.FinishAttempt(ending, timeout=DEADLINE)
        )

    def _add_log_tail(self, failure: Failure) -> None:
        if self._printed is not None:
            failure.log_tail[:] = self._printed.lines()

    def _note(self, ending: FinishAttemptRequest | ReleaseAttemptRequest) -> None:
        """Keep on the disk how it ended, for the case that the worker dies before the trainer has heard."""
        if self._undelivered is None:
            return
        try:
            self._undelivered.will_end(ending)
        except OSError as error:
            log.warning("how the attempt ended is not noted", error=str(error))

    async def _release(self) -> None:
        """Hand the job back, since the worker is shut down."""
        request = ReleaseAttemptRequest(
            job_id=self._job.id, attempt=self._assignment.attempt, message="The worker was shut down."
        )
        self._note(request)

        async def release() -> None:
            await patiently(
                "release the attempt",
                lambda: self._with.trainer.ReleaseAttempt(request, timeout=RELEASE_DEADLINE),
            )

        await self._in_haste("release the attempt", release)

    async def _in_haste(self, what: str, tell: Callable[[], Awaitable[None]]) -> None:
        """Tell how the attempt ends; when nobody answers soon, its note is for later."""
        self._owing = True
        try:
            async with asyncio.timeout(RELEASE_DEADLINE):
                await self._log.flush(RELEASE_DEADLINE / 3)
                await tell()
            log.info("told in haste", what=what)
            self._owing = False
        except DomainError as error:
            log.warning("could not be told; the lease runs out", what=what, error=str(error))
            self._owing = may_be_mended(error)
        except TimeoutError:
            log.warning("could not be told; it is offered again later", what=what)
