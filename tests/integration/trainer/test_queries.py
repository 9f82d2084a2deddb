from annotateforge.runtime.database import database
from annotateforge.trainer import log_store, store, sweep_store


async def test_every_query_fits_the_schema(database_url: str) -> None:
    queries = [
        value
        for name, value in (*vars(store).items(), *vars(log_store).items(), *vars(sweep_store).items())
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    ]
    assert len(queries) > 20
    async with (
        database(database_url, "trainer", "annotateforge.trainer") as pool,
        pool.acquire() as connection,
    ):
        for query in queries:
            await connection.prepare(query)
