"""Label Studio: JSON exports ("JSON" and "JSON-MIN") with one task per image, coordinates in percent of it.

Source: labelstud.io/guide/export and labelstud.io/guide/task_format; the pivot of rotations is the upper left
corner of a rectangle (label-studio-sdk, converter/utils.py).
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from annotateforge.dataset.imports.described import Described, classified_images, described_images
from annotateforge.dataset.imports.drawn import (
    KindRefused,
    Shape,
    ShapeRefused,
    ellipse,
    number,
    numbers,
    pairs,
    polygon,
    turned_box,
)
from annotateforge.dataset.imports.json_outline import Outline
from annotateforge.dataset.imports.json_stream import JsonPath
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.label_studio_task import Region, Task, parse_task
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.reading import Place, Reading
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree

_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
_WITHOUT_AREA = {
    "keypoint": "key points",
    "brush": "brush masks",
    "bitmask": "bitmap masks",
    "vector": "vectors",
    "relation": "relations",
}


class _Drawn(NamedTuple):
    """A region and the upright size that its percents are of."""

    region: Region
    size: Size


class LabelStudio(LabelFormat):
    """JSON exports of Label Studio."""

    name = "label_studio"
    title = "Label Studio"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        format_ = cls(tree, Report())
        quiet = format_._reading({})
        return described_images(tree, (format_._tasks(member, quiet) for member in format_._files()))

    def images(self) -> Iterator[tuple[Member, str]]:
        quiet = Reading(self.tree, Report(), {}, "", (member.name for member in self.tree.images))
        described = (
            Described(_references(task), task.choices, place)
            for member in self._files()
            for place, task in self._tasks(member, quiet)
        )
        yield from classified_images(self.tree.images, self.report, self._reading({}), described)

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        reading = self._reading(sizes)
        files = self._files()
        for member in files:
            for place, task in self._tasks(member, reading):
                image = reading.image(_references(task), place)
                if image is not None:
                    yield from self._labels(reading, image, place, task)
        ours = {member.name for member in files}
        reading.pass_over(member for member in self.tree.having("json") if member.name not in ours)
        reading.finish()

    def _labels(self, reading: Reading, image: str, place: Place, task: Task) -> Iterator[Label]:
        for what, count in task.left_out.items():
            reading.leave_out(what, place, image, count)
        if task.left_of_others:
            reading.warn(
                "SEVERAL_ANNOTATORS",
                place,
                f"{image!r} was annotated {task.left_of_others + 1} times; the one marked as ground truth,"
                " else the newest, was read.",
                "Mark the right one as ground truth, or delete the others.",
            )
        is_checked = False
        for region in task.regions:
            if not is_checked and region.stated_size is not None:
                is_checked = True
                reading.check_size(
                    image,
                    *region.stated_size,
                    place,
                    "The coordinates are percents, and were taken of the upright size.",
                )
            drawn = _Drawn(region, reading.size(image))
            for name in region.labels or [""]:
                yield from reading.label(image, name, place.below(*region.path), _shape, drawn)

    def _reading(self, sizes: Mapping[str, Size]) -> Reading:
        images = (member.name for member in self.tree.images)
        return Reading(self.tree, self.report, sizes, "import:label_studio", images)

    def _files(self) -> list[Member]:
        return [*self.tree.json_files(_is_export), *self.tree.json_files(_is_task)]

    def _tasks(self, member: Member, reading: Reading) -> Iterator[tuple[Place, Task]]:
        """The tasks of a file; what is none is reported."""
        is_list = self.tree.head(member, 64).decode("utf-8-sig", "replace").lstrip().startswith("[")

        def opened(path: JsonPath) -> bool:
            return is_list and path == ()

        for entry in reading.entries(member, opened):
            place = Place(member.name, entry.line)
            if entry.path:
                place = place.below(*entry.path)
            if isinstance(entry.value, dict):
                yield place, parse_task(entry.value)
            else:
                reading.warn("LABEL_MALFORMED", place, "It is no task.", "Export the file again.")


def _references(task: Task) -> list[str]:
    """How the image may be called: as the task says, as the file behind its URL, and without what Label
    Studio puts before the names of uploads.
    """
    references = []
    for reference in task.references:
        try:
            query = parse_qs(urlsplit(reference).query)
        except ValueError:
            query = {}
        references += [*query.get("d", []), reference]
        name = reference.split("?")[0].replace("\\", "/").rsplit("/", 1)[-1]
        if _UPLOAD_PREFIX.match(name):
            references.append(_UPLOAD_PREFIX.sub("", name))
    return references


def _shape(drawn: _Drawn) -> Shape:
    region, (width, height) = drawn
    if region.is_turned_image:
        raise KindRefused("shapes on images that were turned in Label Studio")
    value = region.value
    if region.kind in _WITHOUT_AREA:
        raise KindRefused(_WITHOUT_AREA[region.kind])
    degrees = number(value.get("rotation") or 0, "rotation") if isinstance(value, dict) else 0.0
    match region.kind:
        case "rectangle":
            x, y, w, h = numbers(value, "x", "y", "width", "height")
            x, y = x * width / 100, y * height / 100
            return turned_box(x, y, w * width / 100, h * height / 100, degrees, (x, y))
        case "ellipse":
            x, y, radius_x, radius_y = numbers(value, "x", "y", "radiusX", "radiusY")
            return ellipse(
                x * width / 100, y * height / 100, radius_x * width / 100, radius_y * height / 100, degrees
            )
        case "polygon":
            points = pairs(value.get("points") if isinstance(value, dict) else None, "points")
            return polygon([(x * width / 100, y * height / 100) for x, y in points])
        case "":
            raise ShapeRefused("A result has no type.")
    raise KindRefused(f"results of the type {region.kind[:100]!r}")


def _is_export(outline: Outline) -> bool:
    if outline.top != "[":
        return False
    if outline.has_any(2, "annotations", "completions", "predictions"):
        return outline.has(2, "data") or outline.has(4, "result")
    return outline.has_any(4, "original_width", "rectanglelabels", "polygonlabels", "ellipselabels") or (
        outline.has(2, "annotation_id", "annotator")
    )


def _is_task(outline: Outline) -> bool:
    if outline.top != "{" or not outline.has_any(1, "annotations", "completions"):
        return False
    return outline.has(1, "data") or outline.has(3, "result")
