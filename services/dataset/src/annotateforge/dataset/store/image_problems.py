"""What is odd about an image's annotations, as conditions in SQL on a row of `images`.

Annotations are judged as health does, by the box around them and the part of it that lies on the image, but
for all classes and types. Only the annotations of the images that a page passes are read: a page of what is
frequent comes at once, one of what is rare reads the project's annotations.
"""

from collections.abc import Mapping

from annotateforge.dataset.images import ImageProblem
from annotateforge.dataset.labelling import HUGE_SHARE, TINY_PIXELS
from annotateforge.dataset.shapes import GRID
from annotateforge.dataset.spec import TRAINING_SIZE, Task


def _edge(circle: str, box: int, extreme: str, odd: int) -> str:
    """An edge of the box around an annotation; corners are only unpacked where there are some."""
    return f"""CASE drawn.type
            WHEN 'box' THEN drawn.coordinates[{box}]
            WHEN 'circle' THEN {circle}
            ELSE (
                SELECT {extreme}(value)
                FROM unnest(drawn.coordinates) WITH ORDINALITY AS corner (value, place)
                WHERE place % 2 = {odd}
            )
        END"""


def _drawn(condition: str) -> str:
    return f"""EXISTS (
    SELECT
    FROM annotations AS drawn
    CROSS JOIN LATERAL (
        SELECT
            {_edge("drawn.coordinates[1] - drawn.coordinates[3]", 1, "min", 1)} AS x_min,
            {_edge("drawn.coordinates[2] - drawn.coordinates[3]", 2, "min", 0)} AS y_min,
            {_edge("drawn.coordinates[1] + drawn.coordinates[3]", 3, "max", 1)} AS x_max,
            {_edge("drawn.coordinates[2] + drawn.coordinates[3]", 4, "max", 0)} AS y_max
        -- Keeps Postgres from working the edges out again wherever they are used.
        OFFSET 0
    ) AS box
    CROSS JOIN LATERAL (
        SELECT
            least(x_max, images.width) - greatest(x_min, 0) AS across,
            least(y_max, images.height) - greatest(y_min, 0) AS down,
            x_min < -images.width * {_STEP} OR x_max > images.width * (1 + {_STEP})
                OR y_min < -images.height * {_STEP} OR y_max > images.height * (1 + {_STEP}) AS leaves
    ) AS seen
    WHERE drawn.image_id = images.id AND {condition}
)"""


_STEP = 1 / GRID
"""Share of a side by which labels cannot be told apart."""
_SHOWN, _HIDDEN = "across > 0 AND down > 0", "(across <= 0 OR down <= 0)"
CONDITIONS: Mapping[ImageProblem, str] = {
    ImageProblem.TINY_ANNOTATION: _drawn(
        f"{_SHOWN} AND least(across, down) * {TRAINING_SIZE[Task.DETECT]}"
        f" < {TINY_PIXELS} * greatest(images.width, images.height)"
    ),
    ImageProblem.HUGE_ANNOTATION: _drawn(
        f"{_SHOWN} AND across * down > {HUGE_SHARE} * images.width * images.height"
    ),
    ImageProblem.CLIPPED_ANNOTATION: _drawn(f"{_SHOWN} AND leaves"),
    ImageProblem.ANNOTATION_OUTSIDE: _drawn(f"{_HIDDEN} AND leaves"),
    ImageProblem.ANNOTATION_WITHOUT_AREA: _drawn(f"{_HIDDEN} AND NOT leaves"),
    ImageProblem.DUPLICATE_ANNOTATION: """EXISTS (
    SELECT FROM annotations WHERE image_id = images.id
    GROUP BY class_label, type, coordinates HAVING count(*) > 1
)""",
}
"""The conditions; other problems are known from columns of their own."""
