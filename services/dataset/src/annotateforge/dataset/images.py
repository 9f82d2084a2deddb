"""Images: what is recorded of one, and what its file name may be."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from uuid import UUID

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.runtime.errors import NotFound
from annotateforge.runtime.texts import text_defect

LONGEST_FILENAME = 1000
LONGEST_CLASS = 200
LONGEST_GROUP = 200


class ImageFormat(StrEnum):
    """Encodings of images that are taken, named as in SQL."""

    JPEG = "jpeg"
    PNG = "png"
    BMP = "bmp"
    TIFF = "tiff"
    WEBP = "webp"

    @property
    def media_type(self) -> str:
        """The media type of the encoding (RFC 2046)."""
        return f"image/{self.value}"


class ImageRefused(Exception):
    """An image that cannot be taken: a stable reason, what is wrong, and what to do about it."""

    def __init__(self, reason: str, message: str, hint: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Largest image that is taken."""

    size_bytes: int
    pixels: int


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What follows from an image's bytes alone."""

    sha256: bytes
    """32 bytes."""
    crc32: int
    """As in ZIP."""
    size_bytes: int
    format: ImageFormat
    width: int
    """Pixels of the upright image (EXIF orientation applied)."""
    height: int
    """Pixels of the upright image (EXIF orientation applied)."""
    fingerprint: bytes | None = None
    """What it looks like, see `fingerprints`; None where that was not asked for."""
    converted: str = ""
    """What was done to the file that came, in a sentence; empty where it is kept as it is."""


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image about to be added to a project."""

    id: UUID
    filename: str
    facts: ImageFacts
    image_class: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a project."""

    id: UUID
    project_id: UUID
    filename: str
    facts: ImageFacts
    image_class: str
    group: str
    annotation_count: int
    create_time: datetime
    reviewed: bool
    """Whether somebody has said that its labels are complete."""


class ImageProblem(IntEnum):
    """What people should look at; numbered as ImageProblem in image.proto."""

    COPY = 1
    CORRUPT = 2
    WITHOUT_CLASS = 3
    TINY_ANNOTATION = 4
    HUGE_ANNOTATION = 5
    CLIPPED_ANNOTATION = 6
    ANNOTATION_OUTSIDE = 7
    ANNOTATION_WITHOUT_AREA = 8
    DUPLICATE_ANNOTATION = 9


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Which images of a project are listed; what is None does not filter."""

    class_label: str | None = None
    annotated: bool | None = None
    filename_contains: str | None = None
    annotation_type: AnnotationType | None = None
    dataset_id: UUID | None = None
    side: int | None = None
    """As SplitSide in image.proto."""
    unlabelled: bool | None = None
    problem: ImageProblem | None = None
    reviewed: bool | None = None


def clean_filename(name: str) -> str:
    """A file name in the form in which it is kept: "/" between folders, no "." parts, NFC.

    Composed form (NFC), because archives from macOS hold decomposed names while label files name the same
    image composed. ValueError, with the end of a sentence about the name, when it is absolute, climbs out
    with "..", is empty, too long or has control characters.
    """
    slashed = unicodedata.normalize("NFC", name.replace("\\", "/"))
    if slashed.startswith("/") or (len(slashed) > 1 and slashed[1] == ":" and slashed[0].isalpha()):
        raise ValueError("is an absolute path; only paths relative to the project are allowed")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError('contains "..", which would lead out of the project')
    cleaned = "/".join(parts)
    if wrong := text_defect(cleaned, LONGEST_FILENAME, required=True):
        raise ValueError(wrong)
    return cleaned


def image_not_found(image_id: UUID) -> NotFound:
    """The error for an image that is not there."""
    return NotFound("IMAGE_NOT_FOUND", f"There is no image {image_id}.", metadata={"image_id": str(image_id)})
