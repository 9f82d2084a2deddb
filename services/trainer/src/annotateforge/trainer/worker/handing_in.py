"""Brings the trainer what a worker that is gone had not told it, before the next one in its folder asks for a
job.
"""

import contextlib

import structlog

from annotateforge.api.trainer.v1.job_pb2 import Failure
from annotateforge.api.trainer.v1.worker_service_pb2 import (
    AttemptCancelled,
    AttemptInterrupted,
    FinishAttemptRequest,
    ReleaseAttemptRequest,
)
from annotateforge.runtime.errors import DomainError
from annotateforge.trainer.worker.attempt import DEADLINE, Equipment
from annotateforge.trainer.worker.checkpoints import Checkpoints
from annotateforge.trainer.worker.lease import Lease
from annotateforge.trainer.worker.report_journal import ReportJournal
from annotateforge.trainer.worker.reports import Reports
from annotateforge.trainer.worker.retries import patiently
from annotateforge.trainer.worker.stopping import Stop, Stopped, Why
from annotateforge.trainer.worker.touch import in_touch
from annotateforge.trainer.worker.undelivered import Undelivered

log = structlog.get_logger()


async def hand_in(equipment: Equipment) -> None:
    """Hand in all that is left in the worker's folder, however long the trainer is away.

    Reports and the newest state go first, then the word that ends the attempt, so that another attempt goes
    on from there. What has become another worker's is dropped. When the task is cancelled, what is left stays
    for the next time.
    """
    for left in Undelivered.found(equipment.folders.undelivered):
        log.info("hands in", job_id=left.assignment.job.id, attempt=left.assignment.attempt)
        try:
            await _hand_in(equipment, left)
        except (DomainError, OSError) as error:
            log.warning("what an attempt left is not taken", error=str(error))
        except Exception:
            # What one attempt left in a state that nobody foresaw must not keep the worker from working.
            log.exception("what an attempt left cannot be handed in", folder=left.folder.name)
            with contextlib.suppress(OSError):
                left.set_aside()
            continue
        left.remove()


async def _hand_in(equipment: Equipment, left: Undelivered) -> None:
    stop = Stop()
    stub, assignment = equipment.trainer, left.assignment
    await left.remove_damaged_states()
    journal = ReportJournal.reopen(left.reports)
    reports = Reports(stub, assignment, stop, journal)
    checkpoints = Checkpoints(stub, assignment, stop, reports.flush, equipment.kept_state, every=0)
    checkpoints.watch(left.states)
    lease = Lease(stub, left.worker_id, assignment, stop, equipment.devices.load)
    try:
        async with in_touch(stop, lease.keep(), reports.send(), checkpoints.send()):
            with contextlib.suppress(Stopped):
                await stop.race(_all_of(reports, checkpoints))
            if stop.why is not Why.LOST:
                await _end(equipment, left, cancelled=stop.why is Why.CANCELLED)
    finally:
        journal.close()


async def _all_of(reports: Reports, checkpoints: Checkpoints) -> None:
    await reports.flush()
    await checkpoints.flush()


async def _end(equipment: Equipment, left: Undelivered, *, cancelled: bool) -> None:
    ending = left.ending() or _ending(left, cancelled=cancelled)
    if isinstance(ending, FinishAttemptRequest):
        await patiently(
            "finish the attempt", lambda: equipment.trainer.FinishAttempt(ending, timeout=DEADLINE)
        )
    else:
        await patiently(
            "release the attempt", lambda: equipment.trainer.ReleaseAttempt(ending, timeout=DEADLINE)
        )


def _ending(left: Undelivered, *, cancelled: bool) -> FinishAttemptRequest | ReleaseAttemptRequest:
    ending = FinishAttemptRequest(job_id=left.assignment.job.id, attempt=left.assignment.attempt)
    if cancelled:
        ending.cancelled.CopyFrom(AttemptCancelled())
    else:
        ending.interrupted.CopyFrom(AttemptInterrupted(failure=_LOST))
    return ending


_LOST = Failure(
    reason="WORKER_LOST",
    message="The worker was killed. It is back, and has handed in what the training had reached.",
    hint="If it happens again, look into the machine's log for what kills the worker; memory may run out.",
)
