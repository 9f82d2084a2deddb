import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import nats
import pytest

from annotateforge.local.nats import embedded_nats
from annotateforge.runtime.bus import MAX_PAYLOAD, Bus, connect_bus
from annotateforge.runtime.database import Pool, open_pool
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.ids import new_id
from annotateforge.runtime.outbox import Outbox
from annotateforge.runtime.subjects import job_events

SUBJECT = job_events(new_id())
TABLE = """
create schema example;
create table example.outbox (
    id bigint generated always as identity primary key,
    subject text not null,
    message_id text not null,
    payload bytea not null,
    create_time timestamptz not null default now()
)
"""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    connection = await asyncpg.connect(database_url)
    await connection.execute(TABLE)
    await connection.close()
    opened = await open_pool(database_url, "example")
    yield opened
    opened.terminate()


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connect_bus(nats_url, "test") as connected:
        await connected.declare_streams()
        yield connected


async def stored(nats_url: str) -> list[bytes]:
    """What the stream holds, in its order."""
    connection = await nats.connect(nats_url)
    streams = connection.jetstream()
    count = (await streams.stream_info("TRAINING")).state.messages
    messages = [await streams.get_msg("TRAINING", number) for number in range(1, count + 1)]
    await connection.close()
    return [message.data or b"" for message in messages]


async def emptied(pool: Pool) -> None:
    async with asyncio.timeout(20):
        while await pool.fetchval("select count(*) from outbox"):
            await asyncio.sleep(0.01)


async def add(pool: Pool, outbox: Outbox, *numbers: int) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await outbox.add_many(connection, [(SUBJECT, str(n), b"%d" % n) for n in numbers])


async def test_what_was_committed_is_published_in_its_order(pool: Pool, bus: Bus, nats_url: str) -> None:
    outbox = Outbox(pool, bus)
    async with outbox.sweeping():
        async with pool.acquire() as connection, connection.transaction():
            await outbox.add(connection, SUBJECT, "0", b"0")
        await add(pool, outbox, *range(1, 700))
        outbox.wake()
        await emptied(pool)
    assert await stored(nats_url) == [b"%d" % n for n in range(700)]


async def test_what_was_rolled_back_is_never_published(pool: Pool, bus: Bus, nats_url: str) -> None:
    outbox = Outbox(pool, bus)
    async with outbox.sweeping():
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await outbox.add(connection, SUBJECT, "1", b"1")
            await transaction.rollback()
        await add(pool, outbox, 2)
        outbox.wake()
        await emptied(pool)
    assert await stored(nats_url) == [b"2"]


async def test_what_an_earlier_process_left_is_published_at_the_start(
    pool: Pool, bus: Bus, nats_url: str
) -> None:
    await add(pool, Outbox(pool, bus), 1, 2)
    async with Outbox(pool, bus).sweeping():
        await emptied(pool)
    assert await stored(nats_url) == [b"1", b"2"]


async def test_a_wake_up_during_a_sweep_is_not_lost(pool: Pool, bus: Bus, nats_url: str) -> None:
    outbox = Outbox(pool, bus)
    async with outbox.sweeping():
        for number in range(100):
            await add(pool, outbox, number)
            outbox.wake()
        # Well below the five seconds after which it would look without having been woken.
        async with asyncio.timeout(4):
            await emptied(pool)
    assert await stored(nats_url) == [b"%d" % n for n in range(100)]


async def test_two_replicas_publish_everything_once_and_in_order(
    pool: Pool, bus: Bus, nats_url: str, database_url: str
) -> None:
    other = await open_pool(database_url, "example")
    one, two = Outbox(pool, bus), Outbox(other, bus)
    async with one.sweeping(), two.sweeping():
        for number in range(50):
            await add(pool, one, number)
            one.wake()
            two.wake()
        await emptied(pool)
    other.terminate()
    assert await stored(nats_url) == [b"%d" % n for n in range(50)]


async def test_a_publication_whose_deletion_was_lost_is_repeated_and_dropped_by_the_stream(
    pool: Pool, bus: Bus, nats_url: str
) -> None:
    outbox = Outbox(pool, bus)
    await bus.publish(SUBJECT, b"1", "1")
    await add(pool, outbox, 1, 2)
    assert await outbox.sweep() == 2
    assert await stored(nats_url) == [b"1", b"2"]


async def test_while_nats_is_away_messages_wait_and_then_all_arrive(pool: Pool, tmp_path: Path) -> None:
    async with embedded_nats(tmp_path) as url:
        port = urlsplit(url).port or 0
        context = connect_bus(url, "test")
        bus = await context.__aenter__()
        await bus.declare_streams()
    outbox = Outbox(pool, bus)
    sweeping = outbox.sweeping()
    await sweeping.__aenter__()
    await add(pool, outbox, 1, 2, 3)
    outbox.wake()
    async with embedded_nats(tmp_path, port):
        await emptied(pool)
        assert await stored(url) == [b"1", b"2", b"3"]
        await sweeping.__aexit__(None, None, None)
        await context.__aexit__(None, None, None)


async def test_a_message_that_the_bus_would_refuse_never_gets_into_the_outbox(pool: Pool, bus: Bus) -> None:
    with pytest.raises(InvalidArgument) as caught:
        async with pool.acquire() as connection, connection.transaction():
            await Outbox(pool, bus).add(connection, SUBJECT, "1", b"x" * (MAX_PAYLOAD + 1))
    assert caught.value.reason == "MESSAGE_TOO_LARGE"
