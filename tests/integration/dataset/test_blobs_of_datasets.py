"""The rows that keep a data set's blobs come and go with it, and the blobs stay: as by foreign keys."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import pytest

from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool, database
from annotateforge.runtime.ids import new_id

DIGEST = bytes(32)
OTHER = hashlib.sha256(b"x").digest()
KEEP = "INSERT INTO dataset_blobs (dataset_id, sha256, side) VALUES ($1, $2, 1)"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with database(database_url, "dataset", "annotateforge.dataset") as pool:
        await pool.executemany("INSERT INTO blobs (sha256, size_bytes) VALUES ($1, 1)", [[DIGEST], [OTHER]])
        yield pool


@pytest.fixture
def blobs(store_url: str) -> BlobStore:
    return BlobStore.open(store_url)


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


async def test_a_blob_that_a_data_set_needs_is_neither_deleted_nor_named_anew(pool: Pool) -> None:
    await pool.execute(KEEP, await new_dataset(pool), OTHER)
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="needs the blob"):
        await pool.execute("DELETE FROM blobs WHERE sha256 = $1", OTHER)
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="never changes"):
        await pool.execute("UPDATE blobs SET sha256 = $2 WHERE sha256 = $1", OTHER, bytes([3]) * 32)
    await pool.execute("DELETE FROM datasets")
    await pool.execute("DELETE FROM blobs WHERE sha256 = $1", OTHER)


async def test_blobs_are_not_kept_from_a_snapshot_that_may_be_out_of_date(pool: Pool) -> None:
    dataset_id = await new_dataset(pool)
    async with pool.acquire() as connection:
        with pytest.raises(asyncpg.RaiseError, match="READ COMMITTED"):
            async with connection.transaction(isolation="repeatable_read"):
                await connection.execute(KEEP, dataset_id, OTHER)


async def test_a_sweep_waits_for_who_keeps_a_blob_and_leaves_it(pool: Pool, blobs: BlobStore) -> None:
    sweep = await loose(pool, blobs)
    dataset_id = await new_dataset(pool)
    async with pool.acquire() as keeping:
        async with keeping.transaction():
            await keeping.execute(KEEP, dataset_id, OTHER)
            sweeping = asyncio.create_task(sweep.sweep())
            await waiting(pool)
        assert await sweeping == 1
    assert await blobs.exists(OTHER.hex())
    assert await pool.fetchval("SELECT count(*) FROM blobs WHERE sha256 = $1", OTHER) == 1


async def test_who_keeps_a_blob_waits_for_the_sweep_and_finds_it_gone(
    pool: Pool, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = await loose(pool, blobs)
    dataset_id = await new_dataset(pool)
    delete = blobs.delete
    keeping: list[asyncio.Task[str]] = []

    async def keep_meanwhile(digests: Sequence[str]) -> None:
        keeping.append(asyncio.create_task(pool.execute(KEEP, dataset_id, OTHER)))
        await waiting(pool)
        await delete(digests)

    monkeypatch.setattr(blobs, "delete", keep_meanwhile)
    assert await sweep.sweep() == 1
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="not there"):
        await keeping[0]
    assert not await blobs.exists(OTHER.hex())


async def loose(pool: Pool, blobs: BlobStore) -> BlobSweep:
    """A sweep that will look at a blob."""
    await blobs.put_bytes(b"x", OTHER.hex())
    await pool.execute("INSERT INTO loose_blobs (sha256) VALUES ($1)", OTHER)
    return BlobSweep(pool, blobs, references=("images", "thumbnails"), checked=("dataset_blobs",))


async def waiting(pool: Pool) -> None:
    """Wait until somebody waits for a lock."""
    async with asyncio.timeout(10):
        while not await pool.fetchval(WAITING):
            await asyncio.sleep(0.01)
