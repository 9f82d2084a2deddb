"""Which failed calls may work later, and how long to wait before trying them again."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
import structlog

from annotateforge.runtime.errors import Code, DomainError
from annotateforge.runtime.rpc_status import from_rpc_error

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
FAULTS_BELIEVED_AFTER = 600.0
"""Seconds for which a service may say that it is at fault itself, or that somebody else was first, and
nothing else, before that is believed. By time and not by number: what is wrong with a service for a moment
must not end a training of days.
"""

# A token that has expired may be replaced, and a training must not be lost over it.
_PASSING = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.UNAUTHENTICATED}
_FAULTS = {Code.INTERNAL, Code.UNKNOWN, Code.ABORTED}

T = TypeVar("T")
log = structlog.get_logger()


def may_be_mended(error: DomainError) -> bool:
    """Whether a call that was refused may work once somebody has looked after the service or the token."""
    passing = _PASSING | _FAULTS | {Code.PERMISSION_DENIED}
    return error.reason == "STORE_FULL" or (error.code in passing and error.reason != "ATTEMPT_STALE")


class Backoff:
    """Delays that double, with jitter, so that many workers do not come back at the same moment."""

    def __init__(
        self, longest: float = LONGEST_DELAY, faults_believed_after: float = FAULTS_BELIEVED_AFTER
    ) -> None:
        """longest: most seconds between two tries; faults_believed_after: seconds."""
        self._longest = longest
        self._faults_believed_after = faults_believed_after
        self._delay = FIRST_DELAY
        self._last_fault: float | None = None
        self._faulty_for = 0.0

    def reset(self) -> None:
        """It worked: start small again."""
        self._delay = FIRST_DELAY
        self._last_fault, self._faulty_for = None, 0.0

    def may_pass(self, error: DomainError) -> bool:
        """Whether the same call may work later."""
        if error.reason == "ATTEMPT_STALE":
            return False
        if error.code in _FAULTS:
            now = time.monotonic()
            if self._last_fault is not None:
                self._faulty_for += now - self._last_fault
            self._last_fault = now
            return self._faulty_for < self._faults_believed_after
        # For as long as a service is away, it says nothing of faults.
        self._last_fault = None
        # A disk can be cleared, and a trained model must not be lost because that takes a while.
        return error.code in _PASSING or error.reason == "STORE_FULL"

    async def wait(self) -> None:
        """Wait before the next try."""
        delay = self._delay
        self._delay = min(2 * delay, self._longest)
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))


async def patiently(what: str, call: Callable[[], Awaitable[T]]) -> T:
    """Make a call that is safe to repeat until it works. DomainError when it never will."""
    backoff = Backoff()
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as failed:
            error = from_rpc_error(failed)
            if not backoff.may_pass(error):
                raise error from failed
            log.warning("tries again", what=what, error=str(error))
        await backoff.wait()
