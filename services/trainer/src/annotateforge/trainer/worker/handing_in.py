"""Brings the trainer what attempts had not told it: those of a worker that is gone before the next one in its
folder asks for a job, and what it does not take then, or did not take when an attempt ended, while it works.
"""

import asyncio
import contextlib
import time

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
from annotateforge.trainer.worker.kept_state import KeptState
from annotateforge.trainer.worker.lease import Lease, is_fenced
from annotateforge.trainer.worker.report_journal import ReportJournal
from annotateforge.trainer.worker.reports import Reports
from annotateforge.trainer.worker.retries import Backoff, may_be_mended, patiently
from annotateforge.trainer.worker.stopping import Stop, Stopped, Why
from annotateforge.trainer.worker.touch import in_touch
from annotateforge.trainer.worker.undelivered import Undelivered

log = structlog.get_logger()


OFFERED_FOR = 60.0
"""Seconds for which what an attempt left is offered again, before the worker goes to work. Faults of the
trainer are borne for minutes within one try, see `retries`."""
MOST_LEFT = 8
"""Attempts whose rest stays so; the older ones are set aside."""


class _OutOfTouch(Exception):
    """The worker could not go on with a lease or with reports, by its own fault."""


async def hand_in(equipment: Equipment) -> None:
    """Hand in all that is left in the worker's folder, however long the trainer is away; of several attempts
    at once, so that the leases of all are kept.

    Reports and the newest state go first, then the word that ends the attempt, so that another attempt goes
    on from there. It is removed when the trainer has it, or when the attempt has become another worker's.
    When the trainer is at fault or the token is wrong it is offered for a while, and then goes to the
    leftovers. What the trainer will never take, and what nobody foresaw, is set aside. When the task is
    cancelled, what is left stays.
    """
    for left in Undelivered.found(equipment.folders.undelivered):
        equipment.leftovers.add(left)
    await _offer_all(equipment, equipment.kept_state, OFFERED_FOR)


async def hand_in_leftovers(equipment: Equipment) -> None:
    """Offer the leftovers again and again for as long as the worker works, until cancelled."""
    while True:
        await equipment.leftovers.due()
        # The states that the worker keeps are those of the jobs that it trains meanwhile.
        await _offer_all(equipment, None, 0.0)


async def _offer_all(equipment: Equipment, kept: KeptState | None, patience: float) -> None:
    leftovers = equipment.leftovers
    async with asyncio.TaskGroup() as tasks:
        working = [
            (left, tasks.create_task(_offer(equipment, left, kept, patience))) for left in leftovers.all()
        ]
    for left, done in working:
        if done.result():
            leftovers.remove(left)
    for left in leftovers.all()[:-MOST_LEFT]:
        _set_aside(left)
        leftovers.remove(left)
    leftovers.offered(taken=any(done.result() for _, done in working))


async def _offer(equipment: Equipment, left: Undelivered, kept: KeptState | None, patience: float) -> bool:
    """Hand in what one attempt left, again for so many seconds; False when it stays where it is."""
    about = {"job_id": left.assignment.job.id, "attempt": left.assignment.attempt}
    log.info("hands in", **about)
    backoff = Backoff()
    until = time.monotonic() + patience
    while True:
        try:
            await _hand_in(equipment, left, kept)
        except (DomainError, OSError, _OutOfTouch) as error:
            if isinstance(error, DomainError) and is_fenced(error):
                break
            log.warning("what an attempt left is not taken", error=str(error), **about)
            if isinstance(error, DomainError) and not may_be_mended(error):
                _set_aside(left)
                return True
        except Exception:
            # What one attempt left in a state that nobody foresaw must not keep the worker from working.
            log.exception("what an attempt left cannot be handed in", **about)
            _set_aside(left)
            return True
        else:
            break
        if time.monotonic() >= until:
            log.error("what an attempt left is offered again later", **about)
            return False
        await backoff.wait()
    left.remove()
    return True


def _set_aside(left: Undelivered) -> None:
    try:
        left.set_aside()
    except OSError as error:
        log.warning("what an attempt left cannot be set aside", folder=left.folder.name, error=str(error))


async def _hand_in(equipment: Equipment, left: Undelivered, kept: KeptState | None) -> None:
    """DomainError when the trainer does not take all of it. `kept` gets the state that was uploaded, if an
    attempt of this worker may go on from it.
    """
    stop = Stop()
    stub, assignment = equipment.trainer, left.assignment
    await left.remove_damaged_states()
    journal = ReportJournal.reopen(left.reports)
    reports = Reports(stub, assignment, stop, journal)
    checkpoints = Checkpoints(stub, assignment, stop, reports.flush, kept, every=0)
    checkpoints.watch(left.states)
    lease = Lease(stub, left.worker_id, assignment, stop, equipment.devices.load)
    try:
        async with in_touch(stop, lease.keep(), reports.send(), checkpoints.send()):
            with contextlib.suppress(Stopped):
                await stop.race(_all_of(reports, checkpoints))
            if stop.why is Why.LOST:
                return
            if stop.why is Why.OUT_OF_TOUCH:
                raise _OutOfTouch("The worker lost touch by its own fault.")
            for refused in (reports.refused, checkpoints.refused):
                if refused is not None and may_be_mended(refused):
                    raise refused
            await _end(equipment, left, cancelled=stop.why is Why.CANCELLED)
            if reports.refused is not None:
                raise reports.refused
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
