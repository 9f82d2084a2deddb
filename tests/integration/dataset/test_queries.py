from itertools import product
from types import ModuleType
from typing import Any

import pytest

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.images import ImageFilter, ImageProblem
from annotateforge.dataset.store import (
    columns,
    datasets,
    fingerprints,
    image_lists,
    images,
    imports,
    projects,
    thumbnails,
)
from annotateforge.dataset.store.image_lists import page_query
from annotateforge.runtime.database import database
from annotateforge.runtime.ids import new_id


@pytest.mark.parametrize(
    "module", [columns, datasets, fingerprints, image_lists, images, imports, projects, thumbnails]
)
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


async def test_every_query_of_a_page_fits_the_schema(database_url: str) -> None:
    parts: list[dict[str, Any]] = [
        {"class_label": "red"},
        {"annotation_type": AnnotationType.BOX},
        {"filename_contains": "a"},
        {"annotated": True},
        {"unlabelled": False},
        {"reviewed": True},
        {"dataset_id": new_id()},
        {"dataset_id": new_id(), "side": 2},
        *({"problem": problem} for problem in ImageProblem),
    ]
    async with (
        database(database_url, "dataset", "annotateforge.dataset") as pool,
        pool.acquire() as connection,
    ):
        for one, other, few in product(parts, parts, (True, False)):
            text, arguments = page_query(new_id(), ImageFilter(**one | other), few, None, 51)
            assert await connection.fetch(text, *arguments) == []
