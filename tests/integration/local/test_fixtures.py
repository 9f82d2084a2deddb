"""What conftest.py gives to every test is itself fresh."""

import asyncpg
import nats
import pytest


@pytest.mark.parametrize("_round", [1, 2])
async def test_every_test_gets_a_database_of_its_own(database_url: str, _round: int) -> None:
    connection = await asyncpg.connect(database_url, timeout=5)
    try:
        await connection.execute("CREATE TABLE thing (id int)", timeout=5)
    finally:
        await connection.close(timeout=5)


@pytest.mark.parametrize("_round", [1, 2])
async def test_every_test_finds_jetstream_empty(nats_url: str, _round: int) -> None:
    connection = await nats.connect(nats_url, connect_timeout=5)
    try:
        jetstream = connection.jetstream(timeout=5)
        assert await jetstream.streams_info() == []
        await jetstream.add_stream(name="THINGS", subjects=["things.>"])
    finally:
        await connection.close()
