"""What is exported as YOLO, COCO or Pascal VOC is imported again without loss."""

import io
import math
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.exports import FORMATS
from annotateforge.dataset.exports.export_format import ExportFormat, box_of
from annotateforge.dataset.exports.names import ExportNames
from annotateforge.dataset.images import Image, ImageFacts, ImageFormat
from tests.unit.dataset.archives import Files, png, read_archive, zipped

WIDTH, HEIGHT = 40, 30
PICTURE = png(WIDTH, HEIGHT)
X, Y = st.floats(0, WIDTH), st.floats(0, HEIGHT)
LABELS = st.sampled_from(["cell", "dust & <dirt>", "\u732b", "no", '"1: 30"', "a b"])


def image(filename: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image:
    facts = ImageFacts(bytes(32), 0, len(PICTURE), ImageFormat.PNG, *size)
    return Image(uuid4(), UUID(int=0), filename, facts, "", "", 0, datetime.now(UTC), False)


@st.composite
def annotations(draw: st.DrawFn) -> Annotation:
    label = draw(LABELS)
    if draw(st.booleans()):
        (x1, x2), (y1, y2) = (sorted(draw(st.tuples(each, each))) for each in (X, Y))
        return Annotation(AnnotationType.BOX, (x1, y1, max(x2, x1 + 0.5), max(y2, y1 + 0.5)), label)
    kind = draw(st.sampled_from([AnnotationType.POLYGON, AnnotationType.RECTANGLE]))
    count = 4 if kind is AnnotationType.RECTANGLE else draw(st.integers(3, 9))
    corners = draw(st.lists(st.tuples(X, Y), min_size=count, max_size=count, unique=True))
    return Annotation(kind, tuple(value for corner in corners for value in corner), label)


def exported(kind: type[ExportFormat], contents: Mapping[str, Sequence[Annotation]]) -> Files:
    """The files of an export, as Exporting writes them."""
    classes = sorted({each.class_label for found in contents.values() for each in found})
    files: dict[str, bytes] = {}
    format_ = kind(classes, io.BytesIO)
    names = ExportNames()
    files.update(format_.fixed_files())
    for filename, found in contents.items():
        path = names.path(filename, ImageFormat.PNG)
        files[f"images/{path}"] = PICTURE
        if written := format_.write(path, image(filename), found):
            files[written[0]] = written[1]
    files.update((name, b"".join(blocks)) for name, blocks in format_.rest())
    return files


def inside(annotation: Annotation) -> bool:
    left, top, right, bottom = box_of(annotation)
    return (
        left >= 0 and right <= WIDTH and top >= 0 and bottom <= HEIGHT and right - left > 0.1 < bottom - top
    )


@pytest.mark.parametrize("kind", FORMATS.values(), ids=lambda each: each.name)
@settings(max_examples=12, deadline=None)
@given(found=st.lists(annotations().filter(inside), min_size=1, max_size=6))
def test_shapes_come_back_within_a_hundredth_of_a_pixel(
    kind: type[ExportFormat], found: list[Annotation]
) -> None:
    files = exported(kind, {"a b/\u56fe.1.png": found, "a b/empty.png": []})
    with tempfile.TemporaryDirectory() as folder:
        read = read_archive(zipped(files), Path(folder))
    assert (read.format, len(read.images)) == (kind.name, 2)
    back = read.annotations["images/a b/\u56fe.1.png"]
    assert [each.class_label for each in back] == [each.class_label for each in found]
    for one, other in zip(back, found, strict=True):
        assert box_of(one) == pytest.approx(box_of(other), abs=0.01)
        if other.type is AnnotationType.BOX or one.type is AnnotationType.POLYGON:
            assert one.coordinates == pytest.approx(other.coordinates, abs=0.01)


@pytest.mark.parametrize("kind", FORMATS.values(), ids=lambda each: each.name)
def test_labels_belong_to_one_image_whatever_the_images_are_called(
    kind: type[ExportFormat], tmp_path: Path
) -> None:
    names = [
        "a.png",
        "a.jpg",
        "images/a.png",
        "A.bmp",
        "x/a.png",
        "classes.png",
        "train.png",
        ".h/b.png",
        "photo",
    ]
    contents = {
        name: [Annotation(AnnotationType.BOX, (1, 1, 5 + at, 9), "cell")] for at, name in enumerate(names)
    }
    read = read_archive(zipped(exported(kind, contents)), tmp_path)
    assert read.problems == []
    assert (len(read.images), len(read.annotations), read.count) == (len(names), len(names), len(names))
    widths = sorted(found[0].coordinates[2] for found in read.annotations.values())
    assert widths == pytest.approx([5.0 + at for at in range(len(names))])


def test_a_circle_becomes_its_outline_and_what_is_lost_is_counted() -> None:
    format_ = FORMATS["yolo"](["", "cell"], io.BytesIO)
    circle = Annotation(AnnotationType.CIRCLE, (20, 15, 10), "cell")
    xs, ys = format_.corners_of(circle)[::2], format_.corners_of(circle)[1::2]
    points = [*zip(xs, ys, strict=True), (xs[0], ys[0])]
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(points)) / 2
    assert area == pytest.approx(math.pi * 100, rel=0.005)
    outside = Annotation(AnnotationType.BOX, (50, 1, 60, 5), "cell")
    beyond = Annotation(AnnotationType.BOX, (-5, 1, 10, 5), "", confidence=0.5)
    _, text = format_.write("a.png", image("a.png"), [outside, beyond]) or ("", b"")
    assert text.decode().splitlines() == ["0 0.125 0.1 0.25 0.133333333333"]
    assert sum(format_.notes.values()) >= 5
