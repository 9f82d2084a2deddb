"""The rows that keep a data set's blobs come and go with it, as by a foreign key."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from annotateforge.runtime.database import Pool, database
from annotateforge.runtime.ids import new_id

DIGEST = bytes(32)
KEEP = "INSERT INTO dataset_blobs (dataset_id, sha256, side) VALUES ($1, $2, 1)"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with database(database_url, "dataset", "annotateforge.dataset") as pool:
        await pool.execute("INSERT INTO blobs (sha256, size_bytes) VALUES ($1, 1)", DIGEST)
        yield pool


async def new_dataset(pool: Pool) -> UUID:
    dataset_id = new_id()
    await pool.execute(
        "INSERT INTO datasets (id, identity, digest, task_type, spec, report, archive_size_bytes)"
        " VALUES ($1, $2, $3, 'detect', '', '', 1)",
        dataset_id,
        2 * dataset_id.bytes,
        DIGEST,
    )
    return dataset_id


async def blobs_of(pool: Pool, dataset_id: UUID) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM dataset_blobs WHERE dataset_id = $1", dataset_id)
    return count


async def test_nothing_is_kept_for_a_data_set_that_is_not_there(pool: Pool) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await pool.execute(KEEP, new_id(), DIGEST)
    dataset_id = await new_dataset(pool)
    await pool.execute(KEEP, dataset_id, DIGEST)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await pool.execute("UPDATE dataset_blobs SET dataset_id = $1", new_id())
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await pool.execute("UPDATE datasets SET id = $1", new_id())
    assert await blobs_of(pool, dataset_id) == 1


async def test_no_blob_is_kept_that_is_not_there(pool: Pool) -> None:
    dataset_id = await new_dataset(pool)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await pool.execute(KEEP, dataset_id, bytes([1]) * 32)


async def test_what_a_data_set_kept_goes_with_it_and_is_noted(pool: Pool) -> None:
    one, other = await new_dataset(pool), await new_dataset(pool)
    for dataset_id in (one, other):
        await pool.execute(KEEP, dataset_id, DIGEST)
    await pool.execute("DELETE FROM datasets WHERE id = $1", one)
    assert (await blobs_of(pool, one), await blobs_of(pool, other)) == (0, 1)
    assert await pool.fetchval("SELECT count(*) FROM loose_blobs WHERE sha256 = $1", DIGEST) == 1


async def test_who_keeps_blobs_waits_for_who_deletes_the_data_set(pool: Pool) -> None:
    dataset_id = await new_dataset(pool)
    async with pool.acquire() as deleting:
        async with deleting.transaction():
            await deleting.execute("DELETE FROM datasets WHERE id = $1", dataset_id)
            keeping = asyncio.create_task(pool.execute(KEEP, dataset_id, DIGEST))
            await waiting(pool)
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await keeping
    assert await blobs_of(pool, dataset_id) == 0


async def test_who_deletes_a_data_set_waits_for_who_keeps_blobs(pool: Pool) -> None:
    dataset_id = await new_dataset(pool)
    async with pool.acquire() as keeping:
        async with keeping.transaction():
            await keeping.execute(KEEP, dataset_id, DIGEST)
            deleting = asyncio.create_task(pool.execute("DELETE FROM datasets WHERE id = $1", dataset_id))
            await waiting(pool)
        await deleting
    assert await blobs_of(pool, dataset_id) == 0


async def waiting(pool: Pool) -> None:
    """Wait until somebody waits for a lock."""
    async with asyncio.timeout(10):
        while not await pool.fetchval(WAITING):
            await asyncio.sleep(0.01)
