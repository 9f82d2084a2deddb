"""Projects: what is known of one, and what its name and description may be."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from annotateforge.runtime.errors import AlreadyExists, FieldViolation, InvalidArgument, NotFound
from annotateforge.runtime.texts import text_defect

LONGEST_NAME = 200
LONGEST_DESCRIPTION = 10_000
MOST_IMAGE_SIZES = 500


@dataclass(frozen=True, slots=True)
class Project:
    """A named collection of images."""

    id: UUID
    name: str
    description: str
    create_time: datetime
    update_time: datetime
    image_count: int
    annotation_count: int


@dataclass(frozen=True, slots=True)
class ClassStats:
    """How often one class label occurs in a project."""

    class_label: str
    image_count: int
    """Images on which an annotation carries the label."""
    classified_image_count: int
    """Images whose image class is the label."""
    circle_count: int
    box_count: int
    rectangle_count: int
    polygon_count: int
    mean_width: float
    """Pixels of the boxes around its annotations, as the three below; 0 where it has none."""
    mean_height: float
    shortest_side: float
    longest_side: float


@dataclass(frozen=True, slots=True)
class BoxSizeCount:
    """Annotations whose boxes have sides from these numbers of pixels to less than √2 times that."""

    min_width: float
    min_height: float
    annotation_count: int


@dataclass(frozen=True, slots=True)
class BoxAreaCount:
    """Annotations whose boxes cover from this share of their image to less than √2 times that."""

    min_share: float
    annotation_count: int


@dataclass(frozen=True, slots=True)
class ImageSizeCount:
    """Images of one size in pixels."""

    width: int
    height: int
    image_count: int


@dataclass(frozen=True, slots=True)
class ProjectStats:
    """What a project holds."""

    image_count: int
    annotated_image_count: int
    classified_image_count: int
    reviewed_image_count: int
    annotation_count: int
    size_bytes: int
    classes: tuple[ClassStats, ...]
    """The most frequent first, then by label."""
    box_sizes: tuple[BoxSizeCount, ...]
    box_areas: tuple[BoxAreaCount, ...]
    image_sizes: tuple[ImageSizeCount, ...]
    """The most frequent ones, `MOST_IMAGE_SIZES` at most."""


def check_texts(name: str | None, description: str | None) -> None:
    """Check what a project is called; None stands for a text that is not given. InvalidArgument
    INVALID_PROJECT.
    """
    if violations := list(_violations(name, description)):
        raise InvalidArgument.of_fields("INVALID_PROJECT", violations)


def _violations(name: str | None, description: str | None) -> Iterator[FieldViolation]:
    if name is not None and (wrong := text_defect(name, LONGEST_NAME, required=True)):
        yield FieldViolation("name", wrong)
    if description is not None and (wrong := text_defect(description, LONGEST_DESCRIPTION, lines=True)):
        yield FieldViolation("description", wrong)


def project_not_found(project_id: UUID) -> NotFound:
    """The error for a project that is not there."""
    return NotFound(
        "PROJECT_NOT_FOUND", f"There is no project {project_id}.", metadata={"project_id": str(project_id)}
    )


def project_exists(name: str) -> AlreadyExists:
    """The error for a name that another project has."""
    return AlreadyExists(
        "PROJECT_EXISTS",
        f"There is a project called {name!r} already. Choose another name.",
        metadata={"name": name},
    )
