import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from annotateforge.registry.claims import BlobSweep, claiming
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool, database
from annotateforge.runtime.errors import Aborted, NotFound

DATA = b"the weights"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with database(database_url, "registry", "annotateforge.registry") as pool:
        yield pool


@pytest.fixture
def blobs(store_url: str) -> BlobStore:
    return BlobStore.open(store_url)


async def test_what_is_claimed_is_not_swept(pool: Pool, blobs: BlobStore) -> None:
    sweep = BlobSweep(pool, blobs)
    async with claiming(pool, sweep) as claims:
        await claims.claim(DIGEST, len(DATA))
        await blobs.put_bytes(DATA, DIGEST)
        await pool.execute("INSERT INTO loose_blobs (sha256) VALUES ($1)", bytes.fromhex(DIGEST))
        assert await sweep.sweep() == 1
        assert await blobs.get(DIGEST) == DATA
        async with pool.acquire() as connection, connection.transaction():
            await claims.give_back(connection)
    assert await sweep.sweep() == 1
    assert not await blobs.exists(DIGEST)
    assert await sweep.sweep() == 0


async def test_claims_of_a_process_that_died_expire(pool: Pool, blobs: BlobStore) -> None:
    sweep = BlobSweep(pool, blobs)
    async with claiming(pool, sweep) as claims:
        await claims.claim(DIGEST, len(DATA))
        await blobs.put_bytes(DATA, DIGEST)
        await pool.execute("UPDATE registrations SET expire_time = now() - interval '1 second'")
        assert await sweep.sweep() == 1
        with pytest.raises(NotFound):
            await blobs.get(DIGEST)
        async with pool.acquire() as connection:
            with pytest.raises(Aborted) as caught:
                await claims.give_back(connection)
        assert caught.value.reason == "REGISTRATION_EXPIRED"


async def test_a_claim_waits_for_the_sweep_of_the_same_blob_and_then_has_it(
    pool: Pool, blobs: BlobStore
) -> None:
    sweep = BlobSweep(pool, blobs)
    digest = bytes.fromhex(DIGEST)
    await pool.execute("INSERT INTO blobs (sha256, size_bytes) VALUES ($1, $2)", digest, len(DATA))
    await pool.execute("INSERT INTO loose_blobs (sha256) VALUES ($1)", digest)
    async with claiming(pool, sweep) as claims:
        async with pool.acquire() as other, other.transaction():
            # As the sweep does between its locks and its commit.
            await other.execute("SELECT FROM blobs WHERE sha256 = $1 FOR UPDATE", digest)
            claim = asyncio.create_task(claims.claim(DIGEST, len(DATA)))
            async with pool.acquire() as watcher, asyncio.timeout(10):
                while not await watcher.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    await asyncio.sleep(0.01)
            await other.execute("DELETE FROM blobs WHERE sha256 = $1", digest)
        await claim
        await blobs.put_bytes(DATA, DIGEST)
        await sweep.sweep()
        assert await blobs.get(DIGEST) == DATA
        async with pool.acquire() as connection, connection.transaction():
            await claims.give_back(connection)
