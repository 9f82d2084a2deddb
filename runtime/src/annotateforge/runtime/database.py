"""Postgres: a pool whose every wait has a deadline, and what its errors mean to a caller."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson
from asyncpg import exceptions as pg
from asyncpg.pool import PoolAcquireContext

from annotateforge.runtime.errors import Aborted, DomainError, InvalidArgument, Unavailable
from annotateforge.runtime.migrations import checked_identifier, migrate

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    _AsyncpgPool = asyncpg.Pool[asyncpg.Record]
    _AsyncpgConnection = asyncpg.Connection[asyncpg.Record]
    _Acquiring = PoolAcquireContext[asyncpg.Record]
else:
    _AsyncpgPool = asyncpg.Pool
    _AsyncpgConnection = asyncpg.Connection
    _Acquiring = PoolAcquireContext

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
"""What a store's functions take: a connection of its own or one from the pool."""

ACQUIRE_TIMEOUT = 10.0
"""Seconds to wait for a free connection."""
COMMAND_TIMEOUT = 30.0
"""Seconds that one statement may take."""
CLOSE_TIMEOUT = 5.0
"""Seconds that connections get to come back before they are cut."""
CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a new connection."""


class _PooledConnection(_AsyncpgConnection):
    """A connection that knows whether its last user went by an error, perhaps amid a statement."""

    interrupted = False

    def note_interruption(self) -> None:
        """Its user goes by an error."""
        self.interrupted = True

    async def settle(self) -> None:
        """Be as good as new for the next user.

        A statement that is cancelled after Postgres has parsed it and before it is told to execute it leaves
        a transaction begun of which asyncpg knows nothing, and in which no isolation level could be set. Any
        simple query ends it.
        """
        if self.interrupted:
            await self.execute("SELECT")
            self.interrupted = False


class _Use(_Acquiring):
    """The time for which somebody has a connection."""

    async def __aexit__(self, *exc: Any) -> None:
        connection: Any = self.connection
        if exc[0] is not None:
            connection.note_interruption()
        await super().__aexit__(*exc)


class Pool(_AsyncpgPool):
    """asyncpg's pool, in which waiting for a connection has a deadline without being asked."""

    def acquire(self, *, timeout: float | None = None) -> _Acquiring:
        return _Use(self, ACQUIRE_TIMEOUT if timeout is None else timeout)


async def open_pool(url: str, schema: str, *, min_size: int = 1, max_size: int = 8) -> Pool:
    """Open a pool whose connections see the tables of `schema`; the caller closes it.

    jsonb goes in and comes out as Python values through orjson, which writes NaN and infinities as null.
    """
    pool = Pool(
        url,
        min_size=min(min_size, max_size),
        max_size=max_size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        init=_prepare_connection,
        reset=_settle,
        loop=None,
        connection_class=_PooledConnection,
        record_class=asyncpg.Record,
        timeout=CONNECT_TIMEOUT,
        command_timeout=COMMAND_TIMEOUT,
        server_settings={
            "search_path": checked_identifier(schema),
            "application_name": f"annotateforge-{schema}",
            "timezone": "UTC",
            # A client that hangs inside a transaction must not keep its locks for ever.
            "idle_in_transaction_session_timeout": "60000",
            # Short statements on small tables: compiling them costs more than running them.
            "jit": "off",
        },
    )
    await pool
    return pool


async def _prepare_connection(connection: "asyncpg.Connection[Any]") -> None:
    # Version 1 of jsonb's binary form is the text behind one byte.
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
    )


async def _settle(connection: "asyncpg.Connection[Any]") -> None:
    """In place of asyncpg's four statements between two users of a connection. An open transaction is rolled
    back all the same, and nothing else outlives one: no setting, lock, cursor or LISTEN of a session is used.
    """
    assert isinstance(connection, _PooledConnection)
    await connection.settle()


@contextlib.asynccontextmanager
async def database(url: str, schema: str, package: str, *, max_size: int = 8) -> AsyncIterator[Pool]:
    """Migrate `schema` with the migrations of `package` (see `migrate`) and open a pool for the time of the
    context.
    """
    await migrate(url, schema, package)
    pool = await open_pool(url, schema, max_size=max_size)
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await pool.close()
        except TimeoutError:
            pool.terminate()


_AWAY = (
    pg.PostgresConnectionError,
    pg.OperatorInterventionError,
    pg.LockNotAvailableError,
)
_EXHAUSTED = (
    # A full disk, no memory, too many connections.
    pg.InsufficientResourcesError,
    # A standby, or a primary that is being taken out of service.
    pg.ReadOnlySQLTransactionError,
)


def database_error(error: BaseException) -> DomainError | None:
    """What an exception that came out of asyncpg means to the caller; None when it is not the database's
    doing.

    Broken or refused connections, timeouts, full disks and a database that may only be read are UNAVAILABLE
    (DATABASE_UNAVAILABLE), lost races ABORTED
    (TRANSACTION_CONFLICT), texts that Postgres cannot hold INVALID_ARGUMENT (INVALID_TEXT). None of them
    shows the driver's text.
    """
    if isinstance(error, pg.SerializationError | pg.DeadlockDetectedError):
        return Aborted(
            "TRANSACTION_CONFLICT", "Somebody else changed the same thing at the same time. Try again."
        )
    if isinstance(error, pg.CharacterNotInRepertoireError | pg.UntranslatableCharacterError):
        return InvalidArgument(
            "INVALID_TEXT", "A text holds the character U+0000, which cannot be stored. Leave it out."
        )
    away = isinstance(error, _AWAY) or (
        isinstance(error, OSError | TimeoutError | pg.InterfaceError)
        and not isinstance(error, pg.DataError)
        and _raised_in_asyncpg(error)
        and (not isinstance(error, pg.InterfaceError) or "clos" in str(error) or "released" in str(error))
    )
    if isinstance(error, _EXHAUSTED):
        return Unavailable(
            "DATABASE_UNAVAILABLE",
            "The database has no disk, memory or connections left, or may only be read. Try again later.",
        )
    if away:
        return Unavailable("DATABASE_UNAVAILABLE", "The database does not answer. Try again in a moment.")
    return None


def _raised_in_asyncpg(error: BaseException) -> bool:
    """OSError and TimeoutError say nothing of where they come from, but their traceback does."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith("asyncpg"):
            return True
        trace = trace.tb_next
    return False
