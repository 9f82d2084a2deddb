"""The sample project: what is drawn is what is annotated, and is drawn the same every time."""

import io

import numpy as np
import pytest
from PIL import Image

from annotateforge.api.dataset.v1 import annotation_pb2
from annotateforge.local.demo.sample import CLASSES, SIDE, SampleImage, sample_images

IMAGES = list(sample_images(40))


def points(annotation: annotation_pb2.Annotation) -> list[tuple[float, float]]:
    """The outermost points of a shape."""
    match annotation.WhichOneof("shape"):
        case "circle":
            circle = annotation.circle
            return [
                (circle.x - circle.radius, circle.y - circle.radius),
                (circle.x + circle.radius, circle.y + circle.radius),
            ]
        case "box":
            box = annotation.box
            return [(box.x_min, box.y_min), (box.x_max, box.y_max)]
        case "rectangle":
            return [(corner.x, corner.y) for corner in annotation.rectangle.corners]
        case _:
            return [(point.x, point.y) for point in annotation.polygon.points]


def pixels(image: SampleImage) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image.content)).convert("L"), dtype=float)


def test_all_four_shapes_and_both_classes_are_there() -> None:
    annotations = [annotation for image in IMAGES for annotation in image.annotations]
    assert {annotation.WhichOneof("shape") for annotation in annotations} == {
        "circle",
        "box",
        "rectangle",
        "polygon",
    }
    assert {annotation.class_label for annotation in annotations} == set(CLASSES)
    assert all(1 <= len(image.annotations) <= 7 for image in IMAGES)


def test_shapes_lie_inside_their_image() -> None:
    for image in IMAGES:
        for annotation in image.annotations:
            assert all(0 < x < SIDE and 0 < y < SIDE for x, y in points(annotation))


def test_particles_are_bright_and_defects_dark_where_they_are_annotated() -> None:
    for image in IMAGES:
        grey = pixels(image)
        for annotation in image.annotations:
            x, y = np.mean(points(annotation), axis=0)
            around = grey[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].mean()
            bright = annotation.class_label == "particle"
            assert (around > np.median(grey)) == bright, (image.filename, annotation)


def test_rectangles_have_right_angles_and_are_rotated() -> None:
    rectangles = [
        np.array(points(annotation))
        for image in IMAGES
        for annotation in image.annotations
        if annotation.WhichOneof("shape") == "rectangle"
    ]
    for corners in rectangles:
        sides = np.roll(corners, -1, axis=0) - corners
        assert np.allclose(np.sum(sides * np.roll(sides, -1, axis=0), axis=1), 0, atol=1e-9)
    assert any(
        abs(corners[0][0] - corners[1][0]) > 1 and abs(corners[0][1] - corners[1][1]) > 1
        for corners in rectangles
    )


def test_the_same_seed_draws_the_same_and_another_one_something_else() -> None:
    again = list(sample_images(3))
    assert [image.content for image in again] == [image.content for image in IMAGES[:3]]
    assert [list(image.annotations) for image in again] == [list(image.annotations) for image in IMAGES[:3]]
    other = next(sample_images(1, seed=8))
    assert other.content != IMAGES[0].content


@pytest.mark.parametrize("image", IMAGES[:2], ids=lambda image: image.filename)
def test_images_are_square_jpegs(image: SampleImage) -> None:
    opened = Image.open(io.BytesIO(image.content))
    assert (opened.format, opened.size, opened.mode) == ("JPEG", (SIDE, SIDE), "RGB")
