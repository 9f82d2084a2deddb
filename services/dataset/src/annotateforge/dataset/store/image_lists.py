"""Pages of images in SQL, put together from what is asked for.

Whatever the filter, a page is read in the order of file names and no further than to its end, or from the few
rows there are: nothing here reads a whole project. What a filter needs for that is kept while annotations are
written, by `summarize_labels` and the triggers of the migrations.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.images import Image, ImageFilter, ImageProblem
from annotateforge.dataset.store.datasets import count_side
from annotateforge.dataset.store.image_problems import ODDITIES
from annotateforge.dataset.store.images import COLUMNS, image_of
from annotateforge.runtime.database import Connection

_FEW = 0.005
"""Share of a project below which the images of a data set are sought one by one."""
_COUNTS = {
    AnnotationType.CIRCLE: "circles",
    AnnotationType.BOX: "boxes",
    AnnotationType.RECTANGLE: "rectangles",
    AnnotationType.POLYGON: "polygons",
}
IMAGE_COUNT = "SELECT image_count FROM projects WHERE id = $1"


class _Query:
    """A page's query while it is put together."""

    def __init__(self, project_id: UUID, after: str | None, limit: int) -> None:
        self.arguments: list[Any] = [project_id, after or "", limit]
        self._names: list[str] = []
        self._conditions = ["images.project_id = $1", "images.filename > $2"]

    def place(self, value: Any) -> str:
        """Where an argument stands."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def among(self, names: str) -> None:
        """Only images whose names are in a query, each once and in their order."""
        self._names.append(names)

    def where(self, condition: str) -> None:
        """Only images that meet a condition."""
        self._conditions.append(condition)

    @property
    def text(self) -> str:
        """The query."""
        sources = [f"({names}) AS names_{number}" for number, names in enumerate(self._names)]
        joins = [f"names_{number}.filename = images.filename" for number in range(len(sources))]
        first = "names_0" if sources else "images"
        columns = ", ".join(f"images.{column}" for column in COLUMNS)
        return f"""
WITH page AS (
    SELECT images.filename
    FROM {", ".join([*sources, "images"])}
    WHERE {" AND ".join([*joins, *self._conditions])}
    ORDER BY {first}.filename
    LIMIT $3
)
SELECT {columns}
FROM page JOIN images ON images.project_id = $1 AND images.filename = page.filename
ORDER BY page.filename
"""


async def list_images(
    connection: Connection,
    project_id: UUID,
    chosen: ImageFilter,
    *,
    after: str | None,
    limit: int,
) -> Sequence[Image]:
    """Images of a project by file name, beginning after a file name. NotFound DATASET_NOT_FOUND,
    FailedPrecondition SIDES_UNKNOWN.
    """
    few: bool | None = None
    if chosen.dataset_id is not None:
        # What a data set has is known from its report, so that nothing is searched for what is not there.
        found = await count_side(connection, chosen.dataset_id, chosen.side)
        if not found:
            return []
        few = found < _FEW * (await connection.fetchval(IMAGE_COUNT, project_id) or 0)
    text, arguments = page_query(project_id, chosen, few, after, limit)
    return [image_of(row) for row in await connection.fetch(text, *arguments)]


def page_query(
    project_id: UUID, chosen: ImageFilter, few: bool | None, after: str | None, limit: int
) -> tuple[str, list[Any]]:
    """A page's query with its arguments; `few` says whether the data set, if there is one, has few images."""
    query = _Query(project_id, after, limit)
    if chosen.class_label is not None:
        query.among(_of_class(query.place(chosen.class_label)))
    if chosen.annotation_type is not None:
        query.among(
            "SELECT DISTINCT filename FROM image_labels WHERE project_id = $1 AND filename > $2"
            f" AND {_COUNTS[chosen.annotation_type]} > 0"
        )
    if chosen.problem is ImageProblem.WITHOUT_CLASS:
        query.among(
            "SELECT filename FROM image_labels WHERE project_id = $1 AND filename > $2 AND class_label = ''"
        )
    if chosen.problem is not None and chosen.problem in ODDITIES:
        # Not a parameter: the index is for this very condition.
        query.among(
            "SELECT DISTINCT filename FROM image_labels WHERE project_id = $1 AND filename > $2"
            f" AND oddities & {ODDITIES[chosen.problem]} <> 0"
        )
    for column in ("annotated", "unlabelled", "reviewed"):
        if (flag := getattr(chosen, column)) is not None:
            query.where(f"images.{column}" if flag else f"NOT images.{column}")
    if chosen.problem is ImageProblem.COPY:
        query.where("images.copied")
    if chosen.problem is ImageProblem.CORRUPT:
        query.where(
            "images.sha256 = ANY(ARRAY(SELECT sha256 FROM fingerprints WHERE octet_length(fingerprint) = 0))"
        )
    if chosen.filename_contains is not None:
        query.where(_contains(query, chosen.filename_contains))
    if chosen.dataset_id is not None:
        query.where(_of_dataset(query, chosen.dataset_id, chosen.side, few or False))
    return query.text, query.arguments


def _of_class(label: str) -> str:
    """The names of images that show a class, as an annotation or as their image class, which may be both."""
    # Ordered in themselves, so that they are merged and not sorted.
    return f"""
        SELECT DISTINCT filename FROM (
            (
                SELECT filename FROM image_labels
                WHERE project_id = $1 AND filename > $2 AND class_label = {label}
                ORDER BY filename
            )
            UNION ALL
            (
                SELECT filename FROM images
                WHERE project_id = $1 AND filename > $2 AND image_class = {label} AND image_class <> ''
                ORDER BY filename
            )
        ) AS showing
    """


def _contains(query: _Query, text: str) -> str:
    """Whether a file name contains a text, letter case ignored. Names are kept in lower case unless they are
    too long for the index.
    """
    wanted = query.place(text)
    # Once, and not for every name.
    folded = f'(SELECT lower({wanted}::text COLLATE "default"))'
    return f"""(
        strpos(coalesce(images.folded, images.filename), {folded}) > 0
        OR octet_length(images.filename) > 1000
            AND strpos(lower(images.filename COLLATE "default"), {folded}) > 0
    )"""


def _of_dataset(query: _Query, dataset_id: UUID, side: int | None, few: bool) -> str:
    chosen = f"dataset_id = {query.place(dataset_id)}"
    chosen += " AND side IS NOT NULL" if side is None else f" AND side = {query.place(side)}"
    if few:
        return f"images.sha256 = ANY(ARRAY(SELECT sha256 FROM dataset_blobs WHERE {chosen}))"
    # A value and not EXISTS, which might be joined with all of the data set before the first image is known.
    return f"(SELECT true FROM dataset_blobs WHERE {chosen} AND sha256 = images.sha256)"
