"""A transactional outbox: what a transaction has changed is told over NATS after it commits, at least once.

The service's first migration makes the table:

    create table outbox (
        id bigint generated always as identity primary key,
        subject text not null,
        message_id text not null,
        payload bytea not null,
        create_time timestamptz not null default now()
    );

A statement of the service's own may insert into it too, in the order in which it is to be published, what
`check_payload` has let pass.
"""

import asyncio
from contextlib import AbstractAsyncContextManager

from annotateforge.runtime.bus import MAX_PAYLOAD, Bus
from annotateforge.runtime.database import Connection, Pool
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.sweep import Sweep

_BATCH = 256
_EVERY = 5.0

_ADD = "insert into outbox (subject, message_id, payload) values ($1, $2, $3)"
_ADD_MANY = """
insert into outbox (subject, message_id, payload)
select * from unnest($1::text[], $2::text[], $3::bytea[])
"""
# One sweeper at a time keeps the order among replicas. It waits instead of giving up, because what the other
# one read may be older than what woke this one.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('annotateforge.outbox.' || current_schema(), 0))"
_OLDEST = "select id, subject, message_id, payload from outbox order by id limit $1"
_DELETE = "delete from outbox where id = any($1::bigint[])"


class Outbox:
    """The outbox of one service: add inside a transaction, wake after it, sweep in the background."""

    def __init__(self, pool: Pool, bus: Bus) -> None:
        self._pool = pool
        self._bus = bus
        self._sweep = Sweep("outbox", self._more, _EVERY)

    async def add(self, connection: Connection, subject: str, message_id: str, payload: bytes) -> None:
        """Have `payload` published on `subject` once the caller's transaction has committed.

        `message_id` is unique for what is told; a repeat within two minutes is dropped by the stream.
        InvalidArgument MESSAGE_TOO_LARGE for more than 1 MiB.
        """
        check_payload(payload)
        await connection.execute(_ADD, subject, message_id, payload)

    async def add_many(self, connection: Connection, messages: list[tuple[str, str, bytes]]) -> None:
        """Add several (subject, message_id, payload) in one statement, in this order."""
        for _, _, payload in messages:
            check_payload(payload)
        if messages:
            await connection.execute(_ADD_MANY, *map(list, zip(*messages, strict=True)))

    def wake(self) -> None:
        """Publish now; to be called after the commit. Without it the next sweep does it within 5 s."""
        self._sweep.wake()

    def sweeping(self) -> AbstractAsyncContextManager[None]:
        """Publish in the background for the time of the context: at the start, when woken, and every 5 s."""
        return self._sweep.running()

    async def sweep(self) -> int:
        """Publish the oldest messages in their order and delete those that were acknowledged; answers how
        many.

        Unavailable BUS_UNAVAILABLE when one was not; it and the rest stay for the next sweep.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK)
            rows = await connection.fetch(_OLDEST, _BATCH)
            if not rows:
                return 0
            # Requests go out in this order without waiting for one another; the acknowledgements come back in
            # a bunch.
            results = await asyncio.gather(
                *(self._bus.publish(row["subject"], row["payload"], row["message_id"]) for row in rows),
                return_exceptions=True,
            )
            sent = [row["id"] for row, result in zip(rows, results, strict=True) if result is None]
            await connection.execute(_DELETE, sent)
        for result in results:
            if result is not None:
                raise result
        return len(sent)

    async def _more(self) -> bool:
        return await self.sweep() == _BATCH


def check_payload(payload: bytes) -> None:
    """InvalidArgument MESSAGE_TOO_LARGE for more than 1 MiB."""
    if len(payload) > MAX_PAYLOAD:
        raise InvalidArgument(
            "MESSAGE_TOO_LARGE",
            f"A message of {len(payload)} bytes is too large for the bus; at most {MAX_PAYLOAD} bytes.",
        )
