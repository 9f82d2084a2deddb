"""ultralytics NDJSON: a JSON object per line: first one of the data set with the names of its classes, then
one for each image with its labels as shares of the upright image.

Source: docs.ultralytics.com/datasets/detect, "Ultralytics NDJSON format".
"""

import json
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.listing import Listing
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.pairing import ImagePaths
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.text_lines import LineTooLong, lines_of
from annotateforge.dataset.imports.tree import Tree
from annotateforge.dataset.imports.yolo import in_pixels

SOURCE = "import:ndjson"
_EXTENSIONS = ("ndjson", "jsonl")
_TOLERANCE = 0.01
_KINDS = {"boxes": 4, "segments": 0, "pose": 4, "obb": 8}
"""How many numbers follow the class: 0 for any even count from 6 on; what comes after is left."""
_HINT = "A label is a list of the class id and of shares of the image's width and height, from 0 to 1."


class Ndjson(LabelFormat):
    """Data sets as ultralytics exports them."""

    name = "ndjson"
    title = "ultralytics NDJSON"

    def __init__(self, tree: Tree, report: Report) -> None:
        super().__init__(tree, report)
        self._paths = ImagePaths(member.name for member in tree.images)
        self._members = [member for member in tree.having(*_EXTENSIONS) if _is_ndjson(tree, member)]

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        listed = 0
        for member in tree.having(*_EXTENSIONS):
            if _is_ndjson(tree, member):
                try:
                    listed += max(1, sum('"annotations"' in text for _, text in lines_of(tree, member)))
                except LineTooLong:
                    listed += 1
        return min(listed, len(tree.images))

    def images(self) -> Iterator[tuple[Member, str]]:
        classes = self._image_classes()
        for member in self.tree.images:
            yield member, classes.get(member.name, "")

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        listing = Listing(self.report, self._paths, sizes)
        for member in self._members:
            names: dict[int, str] = {}
            try:
                for number, text in lines_of(self.tree, member):
                    record = _record(text)
                    if record is None:
                        if text.strip():
                            listing.malformed(
                                member.name,
                                number,
                                "It is no JSON object, and was left out.",
                                "Export again.",
                            )
                    elif "class_names" in record:
                        names = _names(record)
                        for name in names.values():
                            self.report.name_class(name)
                    elif record.get("type") == "image" or "annotations" in record:
                        yield from self._image(record, names, sizes, listing, member.name, number)
            except LineTooLong as error:
                listing.too_long(member, error)
        listing.finish(self._tell)

    def _image_classes(self) -> dict[str, str]:
        """The class of each image that has one; the labels of classify are its numbers alone."""
        classes: dict[str, str] = {}
        for member in self._members:
            names: dict[int, str] = {}
            try:
                for number, text in lines_of(self.tree, member):
                    if '"class_names"' not in text and '"classification"' not in text:
                        continue
                    record = _record(text) or {}
                    names = _names(record) if "class_names" in record else names
                    written = record.get("annotations")
                    ids = written.get("classification") if isinstance(written, dict) else None
                    found = self._paths.meant(str(record.get("file", "")), member.name)
                    if not isinstance(ids, list) or not ids or len(found) != 1:
                        continue
                    if len(ids) > 1 or type(ids[0]) is not int or ids[0] not in names:
                        self.report.warn(
                            "IMAGE_CLASS_AMBIGUOUS" if len(ids) > 1 else "CLASS_OUT_OF_RANGE",
                            member.name,
                            f"The classification {str(ids)[:100]} of {found[0]!r} is not one class that"
                            " class_names names; the image came in without a class.",
                            "Give it one class of class_names.",
                            line=number,
                        )
                        continue
                    classes[found[0]] = names[ids[0]]
            except LineTooLong:
                continue  # reported when the labels are read
        return classes

    def _image(
        self,
        record: Mapping[str, Any],
        names: Mapping[int, str],
        sizes: Mapping[str, Size],
        listing: Listing,
        file: str,
        line: int,
    ) -> Iterator[Label]:
        reference = record.get("file") or record.get("url")
        if not isinstance(reference, str):
            listing.malformed(file, line, "The image has no file.", "Name it in `file`.")
            return
        image = listing.image(reference, file, line)
        written = record.get("annotations")
        if image is None or image not in sizes or written is None:
            return
        width, height = record.get("width"), record.get("height")
        if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
            listing.check_size(image, Size(width, height), file, line)
        if not isinstance(written, dict):
            listing.malformed(file, line, "annotations is no object.", _HINT)
            return
        for kind, labels in written.items():
            if kind == "classification":
                continue
            if kind not in _KINDS or not isinstance(labels, list):
                listing.count(f"annotations.{kind[:100]}", file, line)
                continue
            for index, label in enumerate(labels):
                wrong = _defect(kind, label) or (
                    None if label[0] in names or not names else f"no class_names has the class {label[0]}"
                )
                if wrong:
                    listing.malformed(
                        file, line, f"annotations.{kind}[{index}] of {image!r} was left out: {wrong}.", _HINT
                    )
                    continue
                class_label = names.get(label[0], str(label[0]))
                yield Label(image, _annotation(kind, label, sizes[image], class_label), file, line)

    def _tell(self, file: str, what: str, count: int, line: int) -> None:
        self.report.warn(
            "SHAPE_UNSUPPORTED",
            file,
            f"{what} is not read; it was left out on {count:,} images.",
            "boxes, segments, pose (its boxes), obb and classification are read.",
            line=line,
        )


def _record(text: str) -> dict[str, Any] | None:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _names(record: Mapping[str, Any]) -> dict[int, str]:
    names = record["class_names"]
    items = enumerate(names) if isinstance(names, list) else names.items() if isinstance(names, dict) else ()
    return {
        int(key): name.strip()
        for key, name in items
        if isinstance(name, str) and str(key).isascii() and str(key).isdigit() and len(str(key)) < 10
    }


def _defect(kind: str, label: Any) -> str | None:
    """The end of a sentence about what is wrong with a label; None where nothing is."""
    if not isinstance(label, list) or not all(type(value) in (int, float) for value in label):
        return "it is no list of numbers"
    count = _KINDS[kind]
    numbers = label[1 : 1 + count] if count else label[1:]
    if not label or type(label[0]) is not int or label[0] < 0:
        return "its class is no whole number from 0"
    if len(numbers) < (count or 6) or len(numbers) % 2:
        return f"it has {len(label)} numbers"
    if not all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in numbers):
        return "its coordinates are not all within 0 to 1"
    return None if isfinite(sum(numbers)) else "it holds a number that is not finite"


def _annotation(kind: str, label: list[float], size: Size, class_label: str) -> Annotation:
    count = _KINDS[kind]
    numbers = tuple(map(float, label[1 : 1 + count] if count else label[1:]))
    annotation = in_pixels(numbers, size, class_label)._replace(source=SOURCE)
    return annotation._replace(type=AnnotationType.RECTANGLE) if kind == "obb" else annotation


def _is_ndjson(tree: Tree, member: Member) -> bool:
    """Whether the first line is a record of a data set or of an image; a very long one is believed by its
    beginning.
    """
    head = tree.head(member, 1 << 16).decode("utf-8-sig", errors="replace")
    record = _record(head.split("\n", 1)[0])
    if record is None:
        return head.lstrip().startswith("{") and '"class_names"' in head and '"type"' in head
    return (record.get("type") == "dataset" and "class_names" in record) or (
        record.get("type") == "image" and isinstance(record.get("annotations"), dict)
    )
