import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import asyncpg
import pytest
from asyncpg.exceptions import DiskFullError, OutOfMemoryError

from annotateforge.runtime import database as module
from annotateforge.runtime.database import Connection, Pool, database, database_error, open_pool
from annotateforge.runtime.errors import Aborted, InvalidArgument, Unavailable


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "create schema example; create table example.things (id int primary key, value jsonb)"
    )
    await connection.close()
    opened = await open_pool(database_url, "example", max_size=2)
    yield opened
    opened.terminate()


async def meaning(work: Awaitable[object]) -> object:
    """What the error that an awaitable raises means to a caller."""
    try:
        await work
    except Exception as error:
        return database_error(error)
    raise AssertionError("nothing was raised")


async def ask(connection: Connection) -> object:
    return await connection.fetchval("select 1")


async def test_connections_see_their_schema_and_speak_json(pool: Pool) -> None:
    value = {"classes": ["b", "a"], "ratio": 0.8, "name": "ü", "none": None}
    await pool.execute("insert into things values (1, $1)", value)
    assert await pool.fetchval("select value from things") == value
    assert await pool.fetchval("select value ->> 'name' from things") == "ü"
    assert await pool.fetchval("show timezone") == "UTC"


async def test_waiting_for_a_connection_has_a_deadline(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ACQUIRE_TIMEOUT", 0.05)
    async with pool.acquire(), pool.acquire():
        error = await meaning(pool.fetchval("select 1"))
    assert isinstance(error, Unavailable)
    assert error.reason == "DATABASE_UNAVAILABLE"
    assert await pool.fetchval("select 1") == 1


async def test_a_statement_has_a_deadline(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMAND_TIMEOUT", 0.05)
    pool = await open_pool(database_url, "public")
    assert isinstance(await meaning(pool.fetchval("select pg_sleep(20)")), Unavailable)
    pool.terminate()


async def test_a_connection_that_is_killed_is_the_databases_doing_and_replaced(pool: Pool) -> None:
    async with pool.acquire() as victim, pool.acquire() as killer:
        running = asyncio.create_task(victim.fetchval("select pg_sleep(20)"))
        number = victim.get_server_pid()
        busy = "select state = 'active' and query like '%sleep%' from pg_stat_activity where pid = $1"
        while not await killer.fetchval(busy, number):
            await asyncio.sleep(0)
        await killer.execute("select pg_terminate_backend($1)", number)
        error = await meaning(running)
        again = await meaning(ask(victim))
    assert isinstance(error, Unavailable)
    assert isinstance(again, Unavailable)
    assert "terminat" not in error.message
    assert await pool.fetchval("select 1") == 1


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    error = await meaning(open_pool("postgresql://postgres@127.0.0.1:1/x", "example"))
    assert isinstance(error, Unavailable)
    assert "127.0.0.1" not in error.message


async def test_a_closed_pool_is_unavailable(pool: Pool) -> None:
    await pool.close()
    assert isinstance(await meaning(pool.fetchval("select 1")), Unavailable)


async def test_texts_that_postgres_cannot_hold_are_bad_input(pool: Pool) -> None:
    for work in (
        pool.fetchval("select $1::text", "a\0b"),
        pool.execute("insert into things values (1, $1)", {"name": "a\0b"}),
    ):
        error = await meaning(work)
        assert isinstance(error, InvalidArgument)
        assert error.reason == "INVALID_TEXT"


async def test_a_deadlock_is_a_lost_race(pool: Pool) -> None:
    await pool.execute("insert into things values (1), (2)")

    async def cross(first: int, second: int, mine: asyncio.Event, other: asyncio.Event) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("set local deadlock_timeout = '10ms'")
            await connection.execute("update things set value = '1' where id = $1", first)
            mine.set()
            await other.wait()
            await connection.execute("update things set value = '1' where id = $1", second)

    one, two = asyncio.Event(), asyncio.Event()
    results = await asyncio.gather(cross(1, 2, one, two), cross(2, 1, two, one), return_exceptions=True)
    lost = [result for result in results if isinstance(result, Exception)]
    assert len(lost) == 1
    assert isinstance(database_error(lost[0]), Aborted)


async def test_what_is_not_the_databases_doing_stays_what_it_is(pool: Pool) -> None:
    await pool.execute("insert into things values (1)")
    assert await meaning(pool.execute("insert into things values (1)")) is None
    assert await meaning(pool.execute("select nonsense")) is None
    assert await meaning(pool.execute("insert into things values ($1)", "no number")) is None
    assert await meaning(asyncio.wait_for(asyncio.sleep(20), 0.01)) is None
    assert database_error(ConnectionResetError()) is None


@pytest.mark.parametrize("name", ["", "a b", "a;drop", 'a"', "A", "1a", "x" * 64])
async def test_a_name_that_is_no_schemas_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a schema"):
        await open_pool("postgresql://127.0.0.1:1/x", name)


async def test_the_context_closes_its_pool_even_while_a_connection_is_out(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "example_package" / "migrations").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "CLOSE_TIMEOUT", 0.05)
    async with database(database_url, "example", "example_package") as pool:
        connection = await pool.acquire()
        assert await ask(connection) == 1
    assert isinstance(await meaning(ask(connection)), Unavailable)


async def test_a_database_that_can_take_nothing_may_be_tried_again(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        read_only = await meaning(connection.execute("insert into things values (2, '{}')"))
    for error in (read_only, database_error(DiskFullError("")), database_error(OutOfMemoryError(""))):
        assert isinstance(error, Unavailable)
        assert error.reason == "DATABASE_UNAVAILABLE"


async def test_a_statement_that_was_only_parsed_leaves_its_connection_as_good_as_new(
    database_url: str,
) -> None:
    pool = await open_pool(database_url, "public", max_size=1)

    async def give_up_amid_a_statement() -> None:
        async with pool.acquire() as connection:
            await connection.prepare("select 1 + 1")
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await give_up_amid_a_statement()
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        assert await connection.fetchval("select 2") == 2
    pool.terminate()
