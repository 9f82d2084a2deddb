import asyncio
import hashlib
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from annotateforge.runtime import blob_claims
from annotateforge.runtime.blob_claims import claiming
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool, open_pool
from annotateforge.runtime.errors import Aborted

DATA = b"the weights"
DIGEST = hashlib.sha256(DATA).hexdigest()
RAW_DIGEST = bytes.fromhex(DIGEST)
CLAIMED = [(RAW_DIGEST, len(DATA))]


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """The tables that the module asks for, and one that uses blobs."""
    document = blob_claims.__doc__ or ""
    tables = re.findall(r"^    \S.*(?:\n(?:    .*)?)*", document, re.MULTILINE)
    connection = await asyncpg.connect(database_url)
    await connection.execute("create schema example; set search_path to example")
    await connection.execute("\n".join(tables))
    await connection.execute("""
        create table pictures (sha256 bytea references blobs);
        create trigger pictures_note_loose_blobs after delete on pictures
            referencing old table as gone for each statement execute function note_loose_blobs();
    """)
    await connection.close()
    opened = await open_pool(database_url, "example")
    yield opened
    opened.terminate()


@pytest.fixture
def blobs(store_url: str) -> BlobStore:
    return BlobStore.open(store_url)


@pytest.fixture
def sweep(pool: Pool, blobs: BlobStore) -> BlobSweep:
    return BlobSweep(pool, blobs, references=("pictures",))


async def test_what_is_claimed_is_not_swept(pool: Pool, blobs: BlobStore, sweep: BlobSweep) -> None:
    async with claiming(pool) as claims:
        await claims.claim(CLAIMED)
        await blobs.put_bytes(DATA, DIGEST)
        await pool.execute("INSERT INTO loose_blobs (sha256) VALUES ($1)", RAW_DIGEST)
        assert await sweep.sweep() == 1
        assert await blobs.get(DIGEST) == DATA
        async with pool.acquire() as connection, connection.transaction():
            await claims.give_back(connection)
    assert await sweep.sweep() == 1
    assert not await blobs.exists(DIGEST)
    assert await pool.fetchval("SELECT count(*) FROM blobs") == 0
    assert await sweep.sweep() == 0


async def test_what_is_referred_to_is_kept_until_the_last_reference_goes(
    pool: Pool, blobs: BlobStore, sweep: BlobSweep
) -> None:
    async with claiming(pool) as claims:
        await claims.claim(CLAIMED)
        await blobs.put_bytes(DATA, DIGEST)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("INSERT INTO pictures VALUES ($1), ($1)", RAW_DIGEST)
            await claims.give_back(connection)
    assert await sweep.sweep() == 1
    assert await blobs.get(DIGEST) == DATA
    async with sweep.sweeping():
        await pool.execute("DELETE FROM pictures")
        sweep.wake()
        async with asyncio.timeout(10):
            while await blobs.exists(DIGEST):
                await asyncio.sleep(0.01)


async def test_an_ingest_that_breaks_off_drops_its_claims_and_says_so(
    pool: Pool, blobs: BlobStore, sweep: BlobSweep
) -> None:
    dropped = asyncio.Event()

    async def broken_off() -> None:
        async with claiming(pool, dropped.set) as claims:
            await claims.claim(CLAIMED)
            await blobs.put_bytes(DATA, DIGEST)
            raise RuntimeError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        await broken_off()
    assert dropped.is_set()
    assert await sweep.sweep() == 1
    assert not await blobs.exists(DIGEST)


async def test_an_ingest_whose_process_died_is_ended_by_the_sweep(
    pool: Pool, blobs: BlobStore, sweep: BlobSweep
) -> None:
    async with claiming(pool) as claims:
        await claims.claim(CLAIMED)
        await blobs.put_bytes(DATA, DIGEST)
        await pool.execute("UPDATE ingests SET expire_time = now() - interval '1 second'")
        assert await sweep.sweep() == 1
        assert not await blobs.exists(DIGEST)
        assert await pool.fetchval("SELECT count(*) FROM ingests") == 0
        with pytest.raises(Aborted) as caught:
            await claims.claim(CLAIMED)
        assert caught.value.reason == "INGEST_EXPIRED"
        async with pool.acquire() as connection:
            with pytest.raises(Aborted) as caught:
                await claims.give_back(connection)
        assert caught.value.reason == "INGEST_EXPIRED"


async def test_a_claim_waits_for_the_sweep_of_the_same_blob_and_then_has_it(
    pool: Pool, blobs: BlobStore, sweep: BlobSweep
) -> None:
    await pool.execute("INSERT INTO blobs (sha256, size_bytes) VALUES ($1, $2)", RAW_DIGEST, len(DATA))
    await pool.execute("INSERT INTO loose_blobs (sha256) VALUES ($1)", RAW_DIGEST)
    async with claiming(pool) as claims:
        async with pool.acquire() as other, other.transaction():
            # As the sweep does between its locks and its commit.
            await other.execute("SELECT FROM blobs WHERE sha256 = $1 FOR UPDATE", RAW_DIGEST)
            claim = asyncio.create_task(claims.claim(CLAIMED))
            async with pool.acquire() as watcher, asyncio.timeout(10):
                while not await watcher.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    await asyncio.sleep(0.01)
            await other.execute("DELETE FROM blobs WHERE sha256 = $1", RAW_DIGEST)
        await claim
        await blobs.put_bytes(DATA, DIGEST)
        await sweep.sweep()
        assert await blobs.get(DIGEST) == DATA
        async with pool.acquire() as connection, connection.transaction():
            await claims.give_back(connection)
