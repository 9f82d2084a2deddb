"""Create ML: one JSON file for many images, boxes by their centre and size in pixels, or a class each.

Source: developer.apple.com/documentation/createml/building-an-object-detector-data-source; units, origin and
anchor are options of Create ML's code and stand in no file, so the defaults hold: pixels, from the upper left
corner, of the centre.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from annotateforge.dataset.imports.described import Described, classified_images
from annotateforge.dataset.imports.drawn import Shape, ShapeRefused, box, numbers
from annotateforge.dataset.imports.json_outline import Outline
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.reading import Place, Reading
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree

_IMAGE = ("image", "imagefilename", "imageFilename", "filename")
_BOXES = ("annotations", "annotation")
_CLASS = ("label", *_BOXES)


class _Entry(NamedTuple):
    """What a file says of one image."""

    image: str
    place: Place
    image_classes: list[str]
    """Of an image that is classified as a whole."""
    key: str
    """Name of the list of boxes; empty where there is none."""
    boxes: list[Any]


class CreateMl(LabelFormat):
    """Boxes and image classes for Apple's Create ML and Turi Create."""

    name = "createml"
    title = "Create ML"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        format_ = cls(tree, Report())
        quiet = format_._reading({})
        return quiet.count_images(
            ([entry.image], member.name)
            for member in tree.json_files(_is_createml)
            for entry in format_._entries(member, quiet)
        )

    def images(self) -> Iterator[tuple[Member, str]]:
        # What is no entry is reported when the labels are read.
        quiet = Reading(self.tree, Report(), {}, "", (member.name for member in self.tree.images))
        described = (
            Described([entry.image], entry.image_classes, entry.place)
            for member in self.tree.json_files(_is_createml)
            for entry in self._entries(member, quiet)
        )
        yield from classified_images(self.tree.images, self.report, self._reading({}), described)

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        reading = self._reading(sizes)
        ours = set()
        for member in self.tree.json_files(_is_createml):
            ours.add(member.name)
            for entry in self._entries(member, reading):
                image = reading.image([entry.image], entry.place)
                if image is None:
                    continue
                for index, written in enumerate(entry.boxes):
                    place = entry.place.below(entry.key, index)
                    label = written.get("label") if isinstance(written, dict) else None
                    yield from reading.label(image, label, place, _shape, written)
        reading.pass_over(member for member in self.tree.having("json") if member.name not in ours)
        reading.finish()

    def _reading(self, sizes: Mapping[str, Size]) -> Reading:
        images = (member.name for member in self.tree.images)
        return Reading(self.tree, self.report, sizes, "import:createml", images)

    def _entries(self, member: Member, reading: Reading) -> Iterator[_Entry]:
        """The images of a file; what is none is reported."""
        for entry in reading.entries(member, lambda path: path == ()):
            place = Place(member.name, entry.line).below(*entry.path) if entry.path else Place(member.name)
            written = entry.value if isinstance(entry.value, dict) else {}
            image = next((written[key] for key in _IMAGE if isinstance(written.get(key), str)), "")
            if not image:
                reading.warn("LABEL_MALFORMED", place, "It names no image.", "Name it in `image`.")
                continue
            classes = [name for key in _CLASS for name in _names(written.get(key))]
            key = next((key for key in _BOXES if key in written), "")
            listed = written.get(key)
            if listed is not None and not isinstance(listed, (list, str)):
                reading.warn(
                    "LABEL_MALFORMED", place.below(key), "It is no list of boxes.", "Export the file again."
                )
            boxes = [each for each in listed if not isinstance(each, str)] if isinstance(listed, list) else []
            yield _Entry(image, place, classes, key, boxes)


def _names(written: Any) -> list[str]:
    """Classes of a whole image: a text, or a list of texts."""
    listed = written if isinstance(written, list) else [written]
    return [name.strip() for name in listed if isinstance(name, str) and name.strip()]


def _shape(written: Any) -> Shape:
    if not isinstance(written, dict):
        raise ShapeRefused("An annotation is no object.")
    x, y, width, height = numbers(written.get("coordinates"), "x", "y", "width", "height")
    return box((x - width / 2, y - height / 2), (x + width / 2, y + height / 2))


def _is_createml(outline: Outline) -> bool:
    if outline.top != "[" or not outline.has_any(2, *_IMAGE):
        return False
    if outline.has_any(2, *_BOXES):
        return outline.has_any(4, "coordinates") or not outline.has_any(2, "data", "id", "result")
    return outline.keys <= {(2, name) for name in (*_IMAGE, "label")} and outline.has(2, "label")
