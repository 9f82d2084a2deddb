from annotateforge.registry import claims, store
from annotateforge.runtime.database import database


async def test_every_query_fits_the_schema(database_url: str) -> None:
    queries = [
        value
        for module in (store, claims)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    ]
    assert len(queries) > 20
    async with (
        database(database_url, "registry", "annotateforge.registry") as pool,
        pool.acquire() as connection,
    ):
        for query in queries:
            await connection.prepare(query)
