"""LabelMe: one JSON file per image, shapes by their points in pixels.

Source: github.com/wkentaro/labelme, labelme/_label_file.py and the shape types of labelme/shape.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from annotateforge.dataset.imports.described import Described, classified_images
from annotateforge.dataset.imports.drawn import (
    KindRefused,
    Shape,
    ShapeRefused,
    box,
    circle,
    distance,
    four_corners,
    pairs,
    polygon,
)
from annotateforge.dataset.imports.json_outline import Outline
from annotateforge.dataset.imports.json_stream import JsonMalformed, JsonPath, entries, shown_path
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.reading import Place, Reading
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree

_WITHOUT_AREA = {
    "line": "lines",
    "linestrip": "line strips",
    "point": "points",
    "points": "sets of points",
}


@dataclass(slots=True)
class _Facts:
    """What a LabelMe file says about its image."""

    image_path: str = ""
    width: Any = None
    height: Any = None
    flags: tuple[str, ...] = ()
    has_shapes: bool = False
    has_image: bool = False
    """The image lies in the file itself."""


class LabelMe(LabelFormat):
    """LabelMe's JSON files, beside the images or apart from them."""

    name = "labelme"
    title = "LabelMe"

    def __init__(self, tree: Tree, report: Report) -> None:
        super().__init__(tree, report)
        self._facts: dict[str, _Facts] = {}

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        return min(tree.count_json_files(_is_labelme), len(tree.images))

    def images(self) -> Iterator[tuple[Member, str]]:
        # The flags of a file without shapes are how LabelMe classifies images.
        facts_by_file = ((self._facts_of(member), member) for member in self.tree.json_files(_is_labelme))
        described = (
            Described(_references(facts, member), facts.flags, Place(member.name, path="flags"))
            for facts, member in facts_by_file
            if not facts.has_shapes
        )
        yield from classified_images(self.tree.images, self.report, self._reading({}), described)

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        reading = self._reading(sizes)
        ours = set()
        for member in self.tree.json_files(_is_labelme):
            ours.add(member.name)
            facts = self._facts_of(member)
            image = reading.image(
                _references(facts, member),
                Place(member.name),
                "The file holds the image itself (imageData), which is not taken from there: save it beside"
                " the file, under the name of imagePath."
                if facts.has_image
                else "Add the image, under the name of imagePath.",
            )
            if image is None:
                continue
            reading.check_size(image, facts.width, facts.height, Place(member.name))
            for entry in reading.entries(member, _shapes_opened):
                if entry.path[0] == "shapes":
                    place = Place(member.name, entry.line, shown_path(entry.path))
                    name = entry.value.get("label") if isinstance(entry.value, dict) else None
                    yield from reading.label(image, name, place, _shape, entry.value)
        reading.pass_over(member for member in self.tree.having("json") if member.name not in ours)
        reading.finish()

    def _reading(self, sizes: Mapping[str, Size]) -> Reading:
        images = (member.name for member in self.tree.images)
        return Reading(self.tree, self.report, sizes, "import:labelme", images)

    def _facts_of(self, member: Member) -> _Facts:
        if member.name not in self._facts:
            self._facts[member.name] = _read_facts(self.tree, member)
        return self._facts[member.name]


def _read_facts(tree: Tree, member: Member) -> _Facts:
    facts = _Facts()
    try:
        for entry in entries(tree.blocks(member), _shapes_opened):
            match entry.path[0], entry.value:
                case "shapes", _:
                    facts.has_shapes = True
                case "imagePath", str() as path:
                    facts.image_path = path
                case "imageWidth", width:
                    facts.width = width
                case "imageHeight", height:
                    facts.height = height
                case "imageData", str():
                    facts.has_image = True
                case "flags", dict() as flags:
                    facts.flags = tuple(str(name) for name, is_set in flags.items() if is_set is True)
    except JsonMalformed:
        # It is reported where the shapes are read.
        pass
    return facts


def _references(facts: _Facts, member: Member) -> list[str]:
    """How the image may be called: as the file says, or as the file itself is called."""
    return [reference for reference in (facts.image_path, member.name) if reference]


def _shapes_opened(path: JsonPath) -> bool:
    return path in ((), ("shapes",))


def _shape(written: Any) -> Shape:
    if not isinstance(written, dict):
        raise ShapeRefused("A shape is no object.")
    kind = written.get("shape_type") or "polygon"
    if kind in _WITHOUT_AREA:
        raise KindRefused(_WITHOUT_AREA[kind])
    points = pairs(written.get("points"), "points")
    match kind, len(points):
        case "polygon", _:
            return polygon(points)
        case "rectangle" | "mask", 2:
            return box(points[0], points[1], of_mask=kind == "mask")
        case "rectangle" | "rotation", 4:
            return four_corners(points)
        case "circle", 2:
            return circle(*points[0], distance(*points))
        case "rectangle" | "rotation" | "circle" | "mask", count:
            raise ShapeRefused(f"A {kind} is not made of {count} points.")
    raise KindRefused(f"shapes of the kind {str(kind)[:100]!r}")


def _is_labelme(outline: Outline) -> bool:
    if outline.top != "{":
        return False
    if outline.has(1, "imagePath"):
        return outline.has_any(1, "shapes", "imageData", "imageHeight")
    return outline.has(1, "shapes") and outline.has_any(3, "points", "shape_type")
