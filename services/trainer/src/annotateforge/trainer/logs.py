"""What trainings print: kept with a limit, listed, and told to those who watch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from annotateforge.api.trainer.v1.event_pb2 import JobEvent, Log, LogLine
from annotateforge.runtime import subjects
from annotateforge.runtime.bus import Bus
from annotateforge.runtime.database import Pool
from annotateforge.runtime.texts import plain_line
from annotateforge.trainer import lifecycle, log_store, store
from annotateforge.trainer.journal import job_not_found
from annotateforge.trainer.violations import Violations

KEPT_BYTES = 1024 * 1024
"""Bytes of an attempt's log that are kept: the newest."""
MOST_LINES = 1000
"""Most lines in one call."""
MOST_BYTES = 128 * 1024
"""Most bytes of text in one call; told in one message over NATS."""
MOST_NUMBER = 10**15
"""Largest number of a line within an attempt: those of all attempts are added up."""
LONGEST_LINE = 1000
"""Characters of a line that are kept."""

_LAST_SECOND = 253_402_300_799
_CHUNKS_AT_A_TIME = 50


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines of a log."""

    lines: list[LogLine]
    more: bool
    """Whether others follow."""


class Logs:
    """The logs of all jobs."""

    def __init__(self, pool: Pool, bus: Bus) -> None:
        self._pool = pool
        self._bus = bus

    async def append(self, job_id: UUID, attempt: int, lines: Sequence[LogLine]) -> None:
        """Keep lines of the open attempt, numbered as it printed them; those that are known are passed over.

        InvalidArgument INVALID_LOG; NotFound JOB_NOT_FOUND; Aborted ATTEMPT_STALE.
        """
        check_lines(lines)
        async with self._pool.acquire() as connection, connection.transaction():
            if not await log_store.lock_open_attempt(connection, job_id, attempt):
                locked = await store.lock_job(connection, job_id)
                raise job_not_found(job_id) if locked is None else lifecycle.stale(locked[0], attempt)
            ends = await log_store.read_log_ends(connection, job_id, attempt)
            new = numbered(lines, attempt, ends)
            if not new:
                return
            log = Log(lines=new)
            await log_store.append_log(
                connection,
                job_id,
                attempt,
                new[0].number,
                new[-1].number,
                log.SerializeToString(),
                KEPT_BYTES,
            )
        event = JobEvent(job_id=str(job_id), attempt=attempt, time=new[-1].time, log=log)
        await self._bus.tell(subjects.job_log(job_id), event.SerializeToString())

    async def page(self, job_id: UUID, after: int, attempt: int, limit: int) -> LogPage:
        """Up to `limit` lines with a greater number than `after`, of one attempt or, for 0, of all."""
        lines: list[LogLine] = []
        async with self._pool.acquire() as connection:
            if await store.read_standing(connection, job_id) is None:
                raise job_not_found(job_id)
            while len(lines) <= limit:
                seen = lines[-1].number if lines else after
                chunks = await log_store.list_log_chunks(connection, job_id, seen, attempt, _CHUNKS_AT_A_TIME)
                lines += _lines_after(chunks, seen)
                if len(chunks) < _CHUNKS_AT_A_TIME:
                    break
        return LogPage(lines[:limit], more=len(lines) > limit)


def numbered(lines: Iterable[LogLine], attempt: int, ends: log_store.LogEnds) -> list[LogLine]:
    """The lines that are new, as they are kept: numbered within the job, in one line of printable text each.

    Numbers of an attempt follow those of the attempts before, which have ended and stay as they are.
    """
    new = []
    for line in lines:
        number = ends.before + line.number
        if number > ends.newest:
            kept = LogLine(number=number, attempt=attempt, text=plain_line(line.text, LONGEST_LINE))
            kept.time.CopyFrom(line.time)
            new.append(kept)
    return new


def check_lines(lines: Sequence[LogLine]) -> None:
    """InvalidArgument INVALID_LOG for lines that no log could take."""
    violations = Violations()
    if len(lines) > MOST_LINES:
        violations.add("lines", f"has {len(lines):,} entries; at most {MOST_LINES:,} are possible")
    if sum(len(line.text.encode()) for line in lines) > MOST_BYTES:
        violations.add("lines", f"has more than {MOST_BYTES:,} bytes of text; send it in several calls")
    before = 0
    for index, line in enumerate(lines[:MOST_LINES]):
        if not before < line.number <= MOST_NUMBER:
            violations.add(
                f"lines[{index}].number",
                f"must be at least 1, above that of the line before, and at most {MOST_NUMBER:,}",
            )
        if not 0 <= line.time.seconds <= _LAST_SECOND or not 0 <= line.time.nanos < 10**9:
            violations.add(f"lines[{index}].time", "is no time between the years 1970 and 9999")
        before = line.number
    violations.raise_any("INVALID_LOG")


def _lines_after(chunks: Iterable[bytes], after: int) -> list[LogLine]:
    return [line for chunk in chunks for line in Log.FromString(chunk).lines if line.number > after]
