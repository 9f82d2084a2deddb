"""Labels are checked before they are staged."""

from uuid import uuid4

import pytest

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.imports.intake import NewImages
from annotateforge.dataset.imports.label_format import Label, Size
from annotateforge.dataset.imports.report import Report


@pytest.mark.parametrize(
    ("kind", "coordinates", "outside"),
    [
        (AnnotationType.BOX, (10, 5, 20, 15), False),
        (AnnotationType.BOX, (-10, -5, 1, 1), False),
        (AnnotationType.BOX, (100, 5, 120, 15), True),
        (AnnotationType.BOX, (10, -15, 20, 0), True),
        (AnnotationType.POLYGON, (-9, 1, -1, 1, -1, 5), True),
        (AnnotationType.CIRCLE, (-4, 10, 5), False),
        (AnnotationType.CIRCLE, (10, 60, 5), True),
    ],
)
def test_a_shape_beside_its_image_comes_in_and_is_told(
    kind: AnnotationType, coordinates: tuple[float, ...], outside: bool
) -> None:
    images, report = NewImages(), Report()
    images.add("a.png", uuid4(), Size(100, 50))
    staged = images.take([Label("a.png", Annotation(kind, coordinates, "cell"), "a.txt", 3)], report)
    assert len(staged) == 1
    told = [(each.reason, each.file, each.line) for each in report.problems]
    assert told == ([("ANNOTATION_OUTSIDE_IMAGE", "a.txt", 3)] if outside else [])


def test_labels_of_images_in_any_order_are_staged_with_their_own_image() -> None:
    images = NewImages()
    ids = {path: uuid4() for path in ("a.png", "b.png")}
    for path, image_id in ids.items():
        images.add(path, image_id, Size(100, 50))
    box = Annotation(AnnotationType.BOX, (1, 1, 2, 2), "cell")
    order = ["b.png", "a.png", "a.png", "b.png", "a.png"]
    staged = [
        each
        for part in (order[:2], order[2:])
        for each in images.take([Label(path, box, "labels.json", 0) for path in part], Report())
    ]
    assert sorted((each.image_id, each.position) for each in staged) == sorted(
        (ids[path], order[:at].count(path)) for at, path in enumerate(order)
    )


def test_labels_of_one_image_are_staged_together_and_in_their_order() -> None:
    images = NewImages()
    for path in ("a.png", "b.png"):
        images.add(path, uuid4(), Size(100, 50))
    box = AnnotationType.BOX
    labels = [
        Label(path, Annotation(box, (0, 0, 1, 1), label), "labels.csv", 0)
        for path, label in (("a.png", "1"), ("b.png", "2"), ("a.png", "3"), ("b.png", "4"), ("a.png", "5"))
    ]
    staged = images.take(labels, Report())
    together = [each.annotation.class_label for each in staged]
    assert together in (["1", "3", "5", "2", "4"], ["2", "4", "1", "3", "5"])
    assert [each.position for each in staged] == ([0, 1, 2, 0, 1] if together[0] == "1" else [0, 1, 0, 1, 2])
