"""Labelbox: exports with one data row per image, as NDJSON or as a list (since 2023), and the older JSON with
"Labeled Data"; coordinates in pixels.

Source: docs.labelbox.com/reference/label-export and docs.labelbox.com/docs/export-v1-to-v2.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from annotateforge.dataset.imports.described import Described, classified_images, described_images
from annotateforge.dataset.imports.drawn import (
    KindRefused,
    Shape,
    ShapeRefused,
    box,
    numbers,
    pairs,
    polygon,
)
from annotateforge.dataset.imports.json_outline import Outline
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.reading import Place, Reading
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.text_lines import LineTooLong, lines_of
from annotateforge.dataset.imports.tree import Tree

_EXTENSIONS = ("ndjson", "jsonl")
_WITHOUT_AREA = {
    "point": "points",
    "line": "lines",
    "mask": "masks",
    "composite_mask": "masks",
}


@dataclass(slots=True)
class _Row:
    """What an export says of one image."""

    references: list[str]
    place: Place
    width: Any = None
    height: Any = None
    objects: list[tuple[Place, Any]] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    """Of the whole image."""
    left_of_others: int = 0
    """Labels of further labellers."""
    is_video: bool = False


class Labelbox(LabelFormat):
    """Exports of Labelbox."""

    name = "labelbox"
    title = "Labelbox"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        format_ = cls(tree, Report())
        quiet = format_._reading({})
        return described_images(tree, (format_._rows(member, quiet) for member in format_._files()))

    def images(self) -> Iterator[tuple[Member, str]]:
        quiet = Reading(self.tree, Report(), {}, "", (member.name for member in self.tree.images))
        described = (
            Described(row.references, row.classes, row.place)
            for member in self._files()
            for row in self._rows(member, quiet)
        )
        yield from classified_images(self.tree.images, self.report, self._reading({}), described)

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        reading = self._reading(sizes)
        files = self._files()
        for member in files:
            for row in self._rows(member, reading):
                image = reading.image(row.references, row.place)
                if image is not None:
                    yield from self._labels(reading, row, image)
        ours = {member.name for member in files}
        reading.pass_over(member for member in self.tree.having("json") if member.name not in ours)
        reading.finish()

    def _labels(self, reading: Reading, row: _Row, image: str) -> Iterator[Label]:
        reading.check_size(image, row.width, row.height, row.place)
        if row.is_video:
            reading.leave_out("frames of videos", row.place, image)
        if row.left_of_others:
            reading.warn(
                "SEVERAL_ANNOTATORS",
                row.place,
                f"{image!r} was labelled {row.left_of_others + 1} times; the benchmark, else the first, was"
                " read.",
                "Export the winning labels alone, or delete the others.",
            )
        for place, written in row.objects:
            name = (written.get("name") or written.get("title")) if isinstance(written, dict) else None
            yield from reading.label(image, name, place, _shape, written)

    def _reading(self, sizes: Mapping[str, Size]) -> Reading:
        images = (member.name for member in self.tree.images)
        return Reading(self.tree, self.report, sizes, "import:labelbox", images)

    def _files(self) -> list[Member]:
        return list(self.tree.json_files(_is_labelbox, *_EXTENSIONS))

    def _rows(self, member: Member, reading: Reading) -> Iterator[_Row]:
        """The data rows of a file; what is none is reported."""
        for place, written in self._values(member, reading):
            if isinstance(written, dict) and isinstance(written.get("data_row"), dict):
                yield _row(written, place)
            elif isinstance(written, dict) and "Labeled Data" in written:
                yield _older_row(written, place)
            else:
                reading.warn("LABEL_MALFORMED", place, "It is no data row of Labelbox.", "Export it again.")

    def _values(self, member: Member, reading: Reading) -> Iterator[tuple[Place, Any]]:
        if self.tree.head(member, 64).decode("utf-8-sig", "replace").lstrip().startswith("["):
            for entry in reading.entries(member, lambda path: path == ()):
                place = Place(member.name, entry.line)
                yield place.below(*entry.path) if entry.path else place, entry.value
            return
        try:
            for number, text in lines_of(self.tree, member):
                if text.strip():
                    try:
                        yield Place(member.name, number), json.loads(text)
                    except (ValueError, RecursionError):
                        yield Place(member.name, number), None
        except LineTooLong as error:
            reading.broken(member, "A line has more than 4 MiB.", error.line)


def _row(written: Mapping[str, Any], place: Place) -> _Row:
    """A data row since 2023: labels per project."""
    data = written["data_row"]
    media = _members(written.get("media_attributes"))
    references = [data.get(key) for key in ("external_id", "global_key", "row_data")]
    row = _Row(
        [each for each in references if isinstance(each, str) and each],
        place,
        media.get("width"),
        media.get("height"),
    )
    for key, project in _members(written.get("projects")).items():
        labels = [label for label in _listed(_members(project).get("labels")) if isinstance(label, dict)]
        if not labels:
            continue
        row.left_of_others += len(labels) - 1
        index = next((at for at, label in enumerate(labels) if _is_benchmark(label)), 0)
        written_labels = _members(labels[index].get("annotations"))
        row.is_video = row.is_video or "frames" in written_labels
        here = place.below("projects", key, "labels", index, "annotations")
        row.objects += [
            (here.below("objects", at), each)
            for at, each in enumerate(_listed(written_labels.get("objects")))
        ]
        row.classes += _answers(written_labels.get("classifications"))
    return row


def _older_row(written: Mapping[str, Any], place: Place) -> _Row:
    """A row of the older export, which skipped images have without a label."""
    references = [written.get(key) for key in ("External ID", "Labeled Data")]
    label = _members(written.get("Label"))
    return _Row(
        [each for each in references if isinstance(each, str) and each],
        place,
        objects=[
            (place.below("Label", "objects", at), each)
            for at, each in enumerate(_listed(label.get("objects")))
        ],
        classes=_answers(label.get("classifications")),
    )


def _shape(written: Any) -> Shape:
    if not isinstance(written, dict):
        raise ShapeRefused("An object is none.")
    if rectangle := written.get("bounding_box") or written.get("bbox"):
        left, top, width, height = numbers(rectangle, "left", "top", "width", "height")
        return box((left, top), (left + width, top + height))
    if (points := written.get("polygon")) is not None:
        return polygon(pairs(points, "polygon"))
    for key, plural in _WITHOUT_AREA.items():
        if key in written:
            raise KindRefused(plural)
    kind = written.get("annotation_kind")
    if isinstance(kind, str):
        raise KindRefused(f"objects of the kind {kind[:100]!r}")
    # The older export gives masks nothing but the URI of their picture.
    if "instanceURI" in written:
        raise KindRefused("masks")
    raise ShapeRefused("It has neither a bounding_box nor a polygon.")


def _answers(classifications: Any) -> list[str]:
    """The answers about a whole image: of radio buttons and check lists; texts are none."""
    names: list[str] = []
    for each in _listed(classifications):
        question = _members(each)
        answers = [
            question.get("radio_answer"),
            question.get("answer"),
            *_listed(question.get("checklist_answers")),
            *_listed(question.get("answers")),
        ]
        found = [_members(answer).get("name") or _members(answer).get("title") for answer in answers]
        names += [name.strip() for name in found if isinstance(name, str) and name.strip()]
    return names


def _is_benchmark(label: Mapping[str, Any]) -> bool:
    return (
        label.get("label_kind") == "Benchmark"
        or _members(label.get("performance_details")).get("is_benchmark_reference") is True
    )


def _members(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_labelbox(outline: Outline) -> bool:
    depth = {"{": 1, "[": 2}.get(outline.top, 0)
    if depth == 0:
        return False
    return (outline.has(depth, "data_row") and outline.has_any(depth, "projects", "media_attributes")) or (
        outline.has(depth, "Labeled Data") and outline.has_any(depth, "Label", "DataRow ID")
    )
