"""One COCO file: from its elements to labels."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from annotateforge.dataset.annotations import MOST_POINTS, Annotation, AnnotationType
from annotateforge.dataset.imports.json_stream import Element, array_elements
from annotateforge.dataset.imports.label_format import Label, Size
from annotateforge.dataset.imports.masks import MaskRefused, rings_of_runs
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.pairing import ImagePaths
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.rings import joined
from annotateforge.dataset.imports.tree import Tree, folders

SOURCE = "import:coco"
_SAME_CORNER = 0.01
"""Pixels between a polygon's corner and its box's within which they are one: exporters round either."""
_NUMBERS = frozenset((int, float))
_EXPORT_AGAIN = "Export the file again, or correct the entry."


class CocoFile:
    """One JSON file."""

    def __init__(
        self,
        member: Member,
        tree: Tree,
        report: Report,
        paths: ImagePaths,
        sizes: Mapping[str, Size],
        described: set[str],
    ) -> None:
        self._member = member
        self._tree = tree
        self._report = report
        self._paths = paths
        self._sizes = sizes
        self._described = described
        self._classes: dict[Any, str] = {}
        self._images: dict[Any, str | None] = {}
        """Path in the archive by image id; None where the image is not to be labelled, which has been
        reported.
        """

    def labels(self) -> Iterator[Label]:
        unknown: Counter[str] = Counter()
        passed_over = False
        for element in self._elements():
            if element.key == "categories":
                self._add_class(element)
            elif element.key == "images":
                self._add_image(element)
            elif self._classes and self._images and not passed_over:
                yield from self._annotation(element, unknown)
            else:
                passed_over = True
        if passed_over:
            # They stand before the images or categories that they refer to.
            for element in self._elements():
                if element.key == "annotations":
                    yield from self._annotation(element, unknown)
        for image_id, count in unknown.items():
            self._warn(
                "LABEL_WITHOUT_IMAGE",
                f"{count:,} annotations are on the image id {image_id}, which the file does not list.",
                "Add the image to images, or leave its annotations out.",
            )

    def _elements(self) -> Iterator[Element]:
        for element in array_elements(self._tree.blocks(self._member)):
            if element.key in ("categories", "images", "annotations"):
                if isinstance(element.value, dict):
                    yield element
                else:
                    self._warn(
                        "LABEL_MALFORMED",
                        f"An element of {element.key} is no object.",
                        _EXPORT_AGAIN,
                        element.line,
                    )

    def _add_class(self, element: Element) -> None:
        name = element.value.get("name")
        if not isinstance(name, (str, int)) or not str(name).strip() or not _is_key(element.value.get("id")):
            self._warn("LABEL_MALFORMED", "A category has no id or no name.", _EXPORT_AGAIN, element.line)
            return
        self._classes[element.value["id"]] = str(name).strip()
        self._report.name_class(str(name).strip())

    def _add_image(self, element: Element) -> None:
        image = element.value
        name = image.get("file_name")
        if not isinstance(name, str) or not _is_key(image.get("id")):
            self._warn("LABEL_MALFORMED", "An image has no id or no file_name.", _EXPORT_AGAIN, element.line)
            return
        found = self._paths.named(name, self._member.name)
        if len(found) > 1:
            found = _of_split(found, self._member.name)
        path = found[0] if len(found) == 1 else None
        if path is None:
            self._warn(
                "IMAGE_MISSING" if not found else "LABEL_AMBIGUOUS",
                f"The image {name!r} is not in the archive."
                if not found
                else f"Several images of the archive may be {name!r}, such as {found[0]!r} and {found[1]!r}.",
                "Add the image, under the path that file_name gives."
                if not found
                else "Write the folder into file_name.",
                element.line,
            )
        else:
            self._described.add(path)
            self._check_size(path, image, element.line)
        self._images[image["id"]] = path if path in self._sizes else None

    def _check_size(self, path: str, image: Mapping[str, Any], line: int) -> None:
        stated = (image.get("width"), image.get("height"))
        size = self._sizes.get(path)
        if size is not None and all(isinstance(side, int) and side > 0 for side in stated) and stated != size:
            self._warn(
                "IMAGE_SIZE_DIFFERS",
                f"It states {stated[0]} × {stated[1]} pixels for {path!r}, whose upright size is"
                f" {size.width} × {size.height}."
                " The coordinates were kept as they are written.",
                "Check that the annotations lie where they should; the image may have been scaled or turned"
                " after it was labelled.",
                line,
            )

    def _annotation(self, element: Element, unknown: Counter[str]) -> Iterator[Label]:
        written = element.value
        image_id, class_id = written.get("image_id"), written.get("category_id")
        if not _is_key(image_id) or image_id not in self._images:
            unknown[str(image_id)[:100]] += 1
            return
        path = self._images[image_id]
        if path is None:
            return
        if written.get("iscrowd"):
            self._warn(
                "CROWD_LEFT_OUT",
                f"A crowd region of {path!r} was left out.",
                "Crowds are not single objects; nothing needs to be done.",
                element.line,
            )
            return
        label = self._classes.get(class_id) if _is_key(class_id) else None
        if label is None:
            self._warn(
                "CLASS_UNKNOWN",
                f"The category {str(class_id)[:100]} is not among the categories.",
                "Add it to categories.",
                element.line,
            )
            return
        shape = self._shape(written, element.line)
        if shape is not None:
            score = written.get("score")
            confidence = float(score) if type(score) in _NUMBERS and 0 <= score <= 1 else None
            yield Label(
                path,
                Annotation(*shape, label, confidence, SOURCE),
                self._member.name,
                element.line,
            )

    def _shape(
        self, written: Mapping[str, Any], line: int
    ) -> tuple[AnnotationType, tuple[float, ...]] | None:
        box = _numbers(written.get("bbox"))
        segmentation = written.get("segmentation")
        rings = (
            [ring for part in segmentation if (ring := _numbers(part))]
            if isinstance(segmentation, list)
            else []
        )
        rings = [ring for ring in rings if len(ring) >= 6 and len(ring) % 2 == 0]
        parts = sum(part != [] for part in segmentation) if isinstance(segmentation, list) else 0
        if len(rings) < parts and (rings or box is not None):
            self._warn(
                "LABEL_MALFORMED",
                f"{parts - len(rings)} of {parts} parts of an outline are no lists of three or more corners"
                " and were left out.",
                _EXPORT_AGAIN,
                line,
            )
        if isinstance(segmentation, dict):
            try:
                rings = rings_of_runs(segmentation.get("counts"), segmentation.get("size"))
            except MaskRefused as refused:
                self._warn(
                    "MASK_UNSUPPORTED",
                    f"A mask was left out, and its box came in if it has one: {refused}",
                    "Export polygons if the outline is needed.",
                    line,
                )
            else:
                return AnnotationType.POLYGON, joined(rings)
        if rings and not (len(rings) == 1 and box is not None and _is_box(rings[0], box)):
            if sum(map(len, rings)) > 2 * MOST_POINTS:
                # Too many to be taken, which whoever checks it will say; joining them would take long.
                return AnnotationType.POLYGON, tuple(value for ring in rings for value in ring)
            return AnnotationType.POLYGON, joined(rings)
        if box is None or len(box) != 4:
            self._warn(
                "LABEL_MALFORMED",
                "An annotation has neither a polygon nor a bbox of four numbers.",
                _EXPORT_AGAIN,
                line,
            )
            return None
        x, y, width, height = box
        return AnnotationType.BOX, (x, y, x + width, y + height)

    def _warn(self, reason: str, message: str, hint: str, line: int = 0) -> None:
        self._report.warn(reason, self._member.name, message, hint, line=line)


def _of_split(found: Sequence[str], label_path: str) -> list[str]:
    """Of several images those that lie in the folder whose name the JSON file carries, such as train for
    instances_train.json.
    """
    tokens = set(PurePosixPath(label_path).stem.lower().replace("-", "_").split("_"))
    named = [path for path in found if tokens.intersection(folder.lower() for folder in folders(path))]
    return named or list(found)


def _is_key(value: object) -> bool:
    return isinstance(value, (int, str))


def _numbers(value: object) -> tuple[float, ...] | None:
    if not isinstance(value, list) or not _NUMBERS.issuperset(map(type, value)):
        return None
    try:
        return tuple(map(float, value))
    except OverflowError:
        return None


def _is_box(ring: tuple[float, ...], box: tuple[float, ...]) -> bool:
    """Whether a polygon is nothing but its box: exporters without masks write the four corners."""
    xs, ys = ring[::2], ring[1::2]
    if len(box) != 4 or len(xs) not in (4, 5) or (len(xs) == 5 and (xs[0], ys[0]) != (xs[4], ys[4])):
        return False
    x, y, width, height = box
    sides = ((x, x + width), (y, y + height))
    corners = set()
    for point in zip(xs[:4], ys[:4], strict=True):
        corner = tuple(
            next((index for index, side in enumerate(pair) if abs(value - side) <= _SAME_CORNER), None)
            for value, pair in zip(point, sides, strict=True)
        )
        corners.add(corner)
    return corners == {(0, 0), (0, 1), (1, 0), (1, 1)}
