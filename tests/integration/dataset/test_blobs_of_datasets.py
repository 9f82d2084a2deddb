"""The rows that keep a data set's blobs come and go with it, and the blobs stay: as by foreign keys."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import pytest

from annotateforge.runtime import blob_sweep
from annotateforge.runtime.blob_claims import claiming
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool, database
from annotateforge.runtime.ids import new_id

DIGEST = bytes(32)
OTHER = hashlib.sha256(b"x").digest()
KEEP = "INSERT INTO dataset_blobs (dataset_id, sha256, side) VALUES ($1, $2, 1)"
KEEP_OWN = "INSERT INTO dataset_blobs (dataset_id, sha256) VALUES ($1, $2)"
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with database(database_url, "dataset", "annotateforge.dataset") as pool:
        await pool.executemany("INSERT INTO blobs (sha256, size_bytes) VALUES ($1, 1)", [[DIGEST], [OTHER]])
        await new_image(pool, DIGEST)
        yield pool


@pytest.fixture
def blobs(store_url: str) -> BlobStore:
    return BlobStore.open(store_url)


async def new_image(pool: Pool, sha256: bytes) -> UUID:
    project_id, image_id = new_id(), new_id()
    await pool.execute("INSERT INTO projects (id, name) VALUES ($1, $2)", project_id, str(project_id))
    await pool.execute(
        "INSERT INTO images (id, project_id, filename, sha256, crc32, size_bytes, format, width, height)"
        " VALUES ($1, $2, 'a.jpg', $3, 0, 1, 'jpeg', 1, 1)",
        image_id,
        project_id,
        sha256,
    )
    return image_id


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


@pytest.mark.parametrize("sha256", [bytes([1]) * 32, OTHER], ids=["unknown", "unused"])
async def test_no_blob_is_kept_that_is_not_there_or_that_nobody_has(pool: Pool, sha256: bytes) -> None:
    dataset_id = await new_dataset(pool)
    for keep in (KEEP, KEEP_OWN):
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="nobody has"):
            await pool.execute(keep, dataset_id, sha256)


async def test_a_blob_that_another_data_set_has_is_kept(pool: Pool) -> None:
    image_id = await new_image(pool, OTHER)
    one, other = await new_dataset(pool), await new_dataset(pool)
    await pool.execute(KEEP, one, OTHER)
    await pool.execute("DELETE FROM images WHERE id = $1", image_id)
    await pool.execute(KEEP, other, OTHER)
    assert await blobs_of(pool, other) == 1


async def test_what_is_claimed_is_kept_as_a_data_sets_own_and_not_as_an_image(pool: Pool) -> None:
    dataset_id = await new_dataset(pool)
    async with claiming(pool) as claims:
        await claims.claim([(OTHER, 1)])
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="nobody has"):
            await pool.execute(KEEP, dataset_id, OTHER)
        await pool.execute(KEEP_OWN, dataset_id, OTHER)
    assert await blobs_of(pool, dataset_id) == 1


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
    image_id = await new_image(pool, OTHER)
    await pool.execute(KEEP, await new_dataset(pool), OTHER)
    await pool.execute("DELETE FROM images WHERE id = $1", image_id)
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="needs the blob"):
        await pool.execute("DELETE FROM blobs WHERE sha256 = $1", OTHER)
    for table in ("blobs", "dataset_blobs"):
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="never changes"):
            await pool.execute(
                f"UPDATE {table} SET sha256 = $2 WHERE sha256 = $1",
                OTHER,
                bytes([3]) * 32,
            )
    await pool.execute("DELETE FROM datasets")
    await pool.execute("DELETE FROM blobs WHERE sha256 = $1", OTHER)


async def test_neither_keeping_nor_deleting_works_with_a_snapshot_that_may_be_out_of_date(pool: Pool) -> None:
    dataset_id = await new_dataset(pool)
    async with pool.acquire() as connection:
        for statement, arguments in (
            (KEEP, (dataset_id, DIGEST)),
            ("DELETE FROM blobs WHERE sha256 = $1", (OTHER,)),
        ):
            with pytest.raises(asyncpg.RaiseError, match="READ COMMITTED"):
                async with connection.transaction(isolation="repeatable_read"):
                    await connection.execute(statement, *arguments)


async def test_who_deletes_a_blob_by_hand_waits_for_who_keeps_it(pool: Pool) -> None:
    image_id = await new_image(pool, OTHER)
    dataset_id = await new_dataset(pool)
    async with pool.acquire() as keeping:
        async with keeping.transaction():
            await keeping.execute(KEEP, dataset_id, OTHER)
            await pool.execute("DELETE FROM images WHERE id = $1", image_id)
            deleting = asyncio.create_task(pool.execute("DELETE FROM blobs WHERE sha256 = $1", OTHER))
            await waiting(pool)
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="needs the blob"):
            await deleting


async def test_a_sweep_waits_for_who_keeps_a_blob_and_leaves_it(pool: Pool, blobs: BlobStore) -> None:
    sweep = await a_sweep(pool, blobs)
    image_id = await new_image(pool, OTHER)
    dataset_id = await new_dataset(pool)
    async with pool.acquire() as keeping:
        async with keeping.transaction():
            await keeping.execute(KEEP, dataset_id, OTHER)
            await pool.execute("DELETE FROM images WHERE id = $1", image_id)
            sweeping = asyncio.create_task(sweep.sweep())
            await waiting(pool)
        assert await sweeping == 1
    assert await blobs.exists(OTHER.hex())
    assert await pool.fetchval("SELECT count(*) FROM blobs WHERE sha256 = $1", OTHER) == 1


async def test_a_sweep_that_waits_for_long_comes_again(
    pool: Pool, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_sweep, "_LOCK_TIMEOUT", "set local lock_timeout = '20ms'")
    sweep = await a_sweep(pool, blobs)
    await pool.execute("INSERT INTO loose_blobs (sha256) VALUES ($1)", OTHER)
    dataset_id = await new_dataset(pool)
    async with pool.acquire() as keeping:
        async with keeping.transaction():
            await keeping.execute(KEEP, dataset_id, DIGEST)
            assert await sweep.sweep() == 0
            assert await blobs.exists(OTHER.hex())
        assert await sweep.sweep() == 1
    assert not await blobs.exists(OTHER.hex())


@pytest.mark.parametrize("fails", [False, True])
async def test_who_keeps_a_blob_waits_for_the_sweep_and_is_refused_even_if_it_fails_half_way(
    pool: Pool, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    sweep = await a_sweep(pool, blobs)
    await pool.execute("INSERT INTO loose_blobs (sha256) VALUES ($1)", OTHER)
    dataset_id = await new_dataset(pool)
    delete = blobs.delete
    keeping: list[asyncio.Task[str]] = []

    async def keep_meanwhile(digests: Sequence[str]) -> None:
        keeping.append(asyncio.create_task(pool.execute(KEEP, dataset_id, OTHER)))
        await waiting(pool)
        await delete(digests)
        if fails:
            raise TimeoutError

    monkeypatch.setattr(blobs, "delete", keep_meanwhile)
    if fails:
        with pytest.raises(TimeoutError):
            await sweep.sweep()
    else:
        assert await sweep.sweep() == 1
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="nobody has"):
        await keeping[0]
    assert not await blobs.exists(OTHER.hex())
    # The row alone is left where the sweep was rolled back.
    assert await pool.fetchval("SELECT count(*) FROM blobs WHERE sha256 = $1", OTHER) == int(fails)


async def a_sweep(pool: Pool, blobs: BlobStore) -> BlobSweep:
    """A sweep, and the bytes of a blob that nobody has."""
    await blobs.put_bytes(b"x", OTHER.hex())
    return BlobSweep(pool, blobs, references=("images", "thumbnails"), checked=("dataset_blobs",))


async def waiting(pool: Pool) -> None:
    """Wait until somebody waits for a lock."""
    async with asyncio.timeout(10):
        while not await pool.fetchval(WAITING):
            await asyncio.sleep(0.01)
