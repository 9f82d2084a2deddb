from annotateforge.runtime.database import database
from annotateforge.trainer import hold_store, log_store, queue_store, store, sweep_store, worker_store


async def test_every_query_fits_the_schema(database_url: str) -> None:
    queries = [
        value
        for module in (store, hold_store, log_store, queue_store, sweep_store, worker_store)
        for name, value in vars(module).items()
        if name.isupper()
        and isinstance(value, str)
        and not name.startswith("_")
        and not name.startswith("RECORD_COL")
        and name != "RECORD_SOURCES"
    ]
    assert len(queries) > 20
    async with (
        database(database_url, "trainer", "annotateforge.trainer") as pool,
        pool.acquire() as connection,
    ):
        for query in queries:
            await connection.prepare(query)
