from annotateforge.dataset.store import blobs, datasets, images, imports, projects
from annotateforge.runtime.database import database


async def test_every_query_fits_the_schema(database_url: str) -> None:
    queries = [
        value
        for module in (projects, images, imports, blobs, datasets)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    ]
    assert len(queries) > 35
    async with (
        database(database_url, "dataset", "annotateforge.dataset") as pool,
        pool.acquire() as connection,
        # Some queries read the temporary tables of an import.
        imports.staging(connection),
    ):
        for query in queries:
            await connection.prepare(query)
