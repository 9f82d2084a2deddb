"""Supervisely: a project with meta.json, and below each data set an `ann` folder with a JSON file per image.

Source: docs.supervisely.com, "Supervisely JSON format: images". Coordinates are pixels, kept as they are
written.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from annotateforge.dataset.imports.described import Described, classified_images
from annotateforge.dataset.imports.drawn import KindRefused, Shape, ShapeRefused, box, number, pairs, polygon
from annotateforge.dataset.imports.json_outline import Outline
from annotateforge.dataset.imports.json_stream import JsonMalformed, JsonPath, entries
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.reading import Place, Reading
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree, folders

_MASK_FOLDERS = frozenset(("masks_machine", "masks_human", "masks_instances"))
_SPLIT_TAGS = frozenset(("train", "training", "val", "valid", "validation", "test"))
_WITHOUT_AREA = {
    "point": "points",
    "line": "lines",
    "polyline": "lines",
    "graph": "key points",
    "cuboid": "cuboids",
    "alpha_mask": "alpha masks",
}
_MASK_HEAD = 4000
_PNG_HEADER = struct.Struct(">8x4x4sII")


class Supervisely(LabelFormat):
    """Projects of Supervisely."""

    name = "supervisely"
    title = "Supervisely"

    def __init__(self, tree: Tree, report: Report) -> None:
        super().__init__(tree, report)
        self._kinds: dict[str, str] = {}
        """Kind of shape by class, for files that do not say it themselves."""

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        return min(tree.count_json_files(_is_annotation), len(tree.images))

    def images(self) -> Iterator[tuple[Member, str]]:
        self._read_classes()
        described = (
            Described(_references(member), self._tags_of(member), Place(member.name, path="tags"))
            for member in self.tree.json_files(_is_annotation)
        )
        yield from classified_images(self._images(), self.report, self._reading({}), described)

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        reading = self._reading(sizes)
        ours = {member.name for member in self.tree.json_files(_is_meta)}
        for member in self.tree.json_files(_is_annotation):
            ours.add(member.name)
            place = Place(member.name)
            image = reading.image(_references(member), place, "Add the image that is called like the file.")
            if image is not None:
                yield from self._labels(reading, member, image)
        reading.pass_over(member for member in self.tree.having("json") if member.name not in ours)
        reading.finish()

    def _labels(self, reading: Reading, member: Member, image: str) -> Iterator[Label]:
        for entry in reading.entries(member, _opened):
            place = Place(member.name, entry.line).below(*entry.path)
            match entry.path, entry.value:
                case ("size",), dict() as size:
                    reading.check_size(image, size.get("width"), size.get("height"), place)
                case ("objects", int()), dict() as written:
                    title = written.get("classTitle")
                    yield from reading.label(image, title, place, self._shape, written)
                case ("objects", *_), _:
                    reading.warn("LABEL_MALFORMED", place, "It is no object.", "Export the file again.")

    def _shape(self, written: Mapping[str, Any]) -> Shape:
        kind = written.get("geometryType") or written.get("shape") or self._kind_of(written)
        if kind in _WITHOUT_AREA:
            raise KindRefused(_WITHOUT_AREA[kind])
        points = written.get("points")
        outlines = points if isinstance(points, dict) else {}
        match kind:
            case "rectangle":
                corners = pairs(outlines.get("exterior"), "points.exterior")
                if len(corners) != 2:
                    raise ShapeRefused(f"A rectangle has two corners, and this one has {len(corners)}.")
                return box(*corners)
            case "polygon":
                outline = polygon(pairs(outlines.get("exterior"), "points.exterior"))
                return outline._replace(has_holes=bool(outlines.get("interior")))
            case "bitmap":
                return _box_of_mask(written.get("bitmap"))
            case str():
                raise KindRefused(f"shapes of the kind {kind[:100]!r}")
        raise ShapeRefused("It does not say of which kind it is (geometryType).")

    def _kind_of(self, written: Mapping[str, Any]) -> str | None:
        """The kind of a shape in the old form of the files, which leave it to the class."""
        if isinstance(written.get("bitmap"), dict):
            return "bitmap"
        title = written.get("classTitle")
        return self._kinds.get(title) if isinstance(title, str) else None

    def _read_classes(self) -> None:
        for member in self.tree.json_files(_is_meta):
            try:
                for entry in entries(self.tree.blocks(member), lambda path: path in ((), ("classes",))):
                    if entry.path[0] == "classes" and isinstance(entry.value, dict):
                        title, kind = entry.value.get("title"), entry.value.get("shape")
                        if isinstance(title, str) and title:
                            self.report.name_class(title)
                            self._kinds[title] = kind if isinstance(kind, str) else ""
            except JsonMalformed as error:
                self._reading({}).broken(member, error.message, error.line)

    def _tags_of(self, member: Member) -> list[str]:
        tags: list[str] = []
        try:
            for entry in entries(
                self.tree.blocks(member), lambda path: path in ((), ("tags",), ("objects",))
            ):
                if entry.path[0] == "tags" and isinstance(entry.value, dict):
                    name = entry.value.get("name")
                    if isinstance(name, str) and name and name.lower() not in _SPLIT_TAGS:
                        tags.append(name)
        except JsonMalformed:
            # It is reported where the shapes are read.
            pass
        return tags

    def _images(self) -> Iterator[Member]:
        for member in self.tree.images:
            if not _MASK_FOLDERS.intersection(folder.lower() for folder in folders(member.name)):
                yield member

    def _reading(self, sizes: Mapping[str, Size]) -> Reading:
        images = (member.name for member in self._images())
        return Reading(self.tree, self.report, sizes, "import:supervisely", images)


def _references(member: Member) -> list[str]:
    """How the image is called: like the file without `.json`, with its extension or, formerly, without."""
    return [member.name[: -len(".json")], member.name]


def _opened(path: JsonPath) -> bool:
    return path in ((), ("objects",))


def _box_of_mask(bitmap: Any) -> Shape:
    """The box of a mask: a PNG, packed with zlib and written in base64, whose upper left corner is
    `origin`.
    """
    written = bitmap if isinstance(bitmap, dict) else {}
    origin, data = written.get("origin"), written.get("data")
    if not isinstance(origin, list) or len(origin) != 2 or not isinstance(data, str):
        raise ShapeRefused("A bitmap has no data or no origin.")
    try:
        # Its beginning has the size of the picture.
        packed = base64.b64decode(data[:_MASK_HEAD])
        head = zlib.decompressobj().decompress(packed, _PNG_HEADER.size)
        kind, width, height = _PNG_HEADER.unpack(head)
    except (binascii.Error, zlib.error, struct.error, ValueError) as error:
        raise ShapeRefused("The data of a bitmap are no PNG.") from error
    if kind != b"IHDR":
        raise ShapeRefused("The data of a bitmap are no PNG.")
    x, y = number(origin[0], "origin"), number(origin[1], "origin")
    return box((x, y), (x + width, y + height), of_mask=True)


def _is_annotation(outline: Outline) -> bool:
    return outline.top == "{" and outline.has(1, "objects", "size") and outline.has(2, "height", "width")


def _is_meta(outline: Outline) -> bool:
    return outline.top == "{" and outline.has(1, "classes") and outline.has(3, "title", "shape")
