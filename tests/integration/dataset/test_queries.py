from types import ModuleType

import pytest

from annotateforge.dataset.store import columns, datasets, fingerprints, images, imports, projects
from annotateforge.runtime.database import database


@pytest.mark.parametrize("module", [columns, datasets, fingerprints, images, imports, projects])
async def test_every_query_fits_the_schema(module: ModuleType, database_url: str) -> None:
    queries = [
        value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    ]
    assert queries
    async with (
        database(database_url, "dataset", "annotateforge.dataset") as pool,
        pool.acquire() as connection,
    ):
        for query in queries:
            await connection.prepare(query)
            if query.lstrip().startswith("CREATE TEMP TABLE"):
                # What follows reads it.
                await connection.execute(query)
