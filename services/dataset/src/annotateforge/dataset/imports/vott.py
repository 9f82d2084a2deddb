"""VoTT 2: one JSON file per image, one for all of a project, or a CSV table; regions in pixels with tags.

Source: github.com/microsoft/VoTT, src/models/applicationState.ts and src/providers/export.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from annotateforge.dataset.imports.csv_format import first_rows
from annotateforge.dataset.imports.csv_tables import CsvMalformed, TableRow, table_rows
from annotateforge.dataset.imports.drawn import (
    KindRefused,
    Shape,
    ShapeRefused,
    box,
    number,
    numbers,
    pairs,
    polygon,
)
from annotateforge.dataset.imports.json_outline import Outline
from annotateforge.dataset.imports.json_stream import JsonPath
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.reading import Place, Reading
from annotateforge.dataset.imports.repeats import unrepeated
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree

VOTT_HEADER = ("image", "xmin", "ymin", "xmax", "ymax", "label")
"""The header of VoTT's tables."""
_MOST_REMEMBERED = 200_000
"""References of one table; where it has more, each of the others is looked up again."""
_WITHOUT_AREA = {"POINT": "points", "POLYLINE": "polylines"}


class _Asset(NamedTuple):
    """An image and what is drawn on it."""

    references: list[str]
    width: Any
    height: Any
    place: Place
    regions: list[Any]


class Vott(LabelFormat):
    """Exports and target folders of VoTT 2."""

    name = "vott"
    title = "VoTT"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        format_ = cls(tree, Report())
        quiet = format_._reading({})
        assets = (
            (asset.references, member.name)
            for member in format_._files()
            for asset in format_._assets(member, quiet)
        )
        rows = (
            (row.fields[:1], member.name)
            for member in format_._tables()
            for row in format_._rows(member, quiet)
        )
        return max(quiet.count_images(assets), quiet.count_images(rows))

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        reading = self._reading(sizes)
        files, tables = self._files(), self._tables()
        # A target folder holds a file for each image, and often the export of all besides.
        seen: set[int] = set()
        for member in files:
            yield from unrepeated(
                self.report, member, self._drawn(member, reading), seen, digits=2, kind="file"
            )
        for member in tables:
            yield from unrepeated(
                self.report, member, self._listed(member, reading), seen, digits=2, kind="file"
            )
        ours = {member.name for member in files}
        reading.pass_over(member for member in self.tree.having("json") if member.name not in ours)
        reading.finish()

    def _drawn(self, member: Member, reading: Reading) -> Iterator[Label]:
        """The regions of a JSON file."""
        for asset in self._assets(member, reading):
            image = reading.image(asset.references, asset.place)
            if image is None:
                continue
            reading.check_size(image, asset.width, asset.height, asset.place)
            for index, region in enumerate(asset.regions):
                tags = region.get("tags") if isinstance(region, dict) else None
                place = asset.place.below("regions", index)
                for tag in tags if isinstance(tags, list) and tags else [""]:
                    yield from reading.label(image, tag, place, _shape, region)

    def _listed(self, member: Member, reading: Reading) -> Iterator[Label]:
        """The rows of a table."""
        images: dict[int, str | None] = {}  # by the hash of what a row says, which may be long
        for row in self._rows(member, reading):
            place = Place(member.name, row.line)
            name, *_, label = row.fields
            key = hash(name)
            image = images[key] if key in images else reading.image([name], place)
            if len(images) < _MOST_REMEMBERED:
                images[key] = image
            if image is not None:
                yield from reading.label(image, label, place, _box_of_row, row.fields)

    def _reading(self, sizes: Mapping[str, Size]) -> Reading:
        images = (member.name for member in self.tree.images)
        return Reading(self.tree, self.report, sizes, "import:vott", images)

    def _files(self) -> list[Member]:
        return [*self.tree.json_files(_is_asset), *self.tree.json_files(_is_export)]

    def _tables(self) -> list[Member]:
        return [member for member in self.tree.having("csv") if is_vott_table(first_rows(self.tree, member))]

    def _assets(self, member: Member, reading: Reading) -> Iterator[_Asset]:
        """The images of a JSON file; what is none is reported."""
        is_export = any(member.name == each.name for each in self.tree.json_files(_is_export))

        def opened(path: JsonPath) -> bool:
            return is_export and path in ((), ("assets",))

        for entry in reading.entries(member, opened):
            if is_export and entry.path[:1] != ("assets",):
                continue
            place = Place(member.name, entry.line)
            if entry.path:
                place = place.below(*entry.path)
            asset = entry.value.get("asset") if isinstance(entry.value, dict) else None
            regions = entry.value.get("regions") if isinstance(entry.value, dict) else None
            if not isinstance(asset, dict) or not isinstance(regions, (list, type(None))):
                reading.warn("LABEL_MALFORMED", place, "It is no image with regions.", "Export again.")
                continue
            size = asset.get("size")
            sides = size if isinstance(size, dict) else {}
            named = (asset.get("name"), asset.get("path"))
            references = [each for each in named if isinstance(each, str) and each]
            yield _Asset(references, sides.get("width"), sides.get("height"), place, regions or [])

    def _rows(self, member: Member, reading: Reading) -> Iterator[TableRow]:
        """The rows below the header; what is none is reported."""
        try:
            rows = table_rows(self.tree.blocks(member))
            next(rows, None)
            for row in rows:
                if len(row.fields) == len(VOTT_HEADER) and row.fields[0]:
                    yield row
                else:
                    reading.warn(
                        "LABEL_MALFORMED",
                        Place(member.name, row.line),
                        f"It has {len(row.fields)} fields and was left out.",
                        f"A row is: {','.join(VOTT_HEADER)}.",
                    )
        except CsvMalformed as error:
            reading.broken(member, error.message, error.line)


def is_vott_table(first: list[TableRow]) -> bool:
    """Whether the first rows of a table are those of VoTT's."""
    return bool(first) and tuple(first[0].fields) == VOTT_HEADER


def _box_of_row(fields: list[str]) -> Shape:
    x1, y1, x2, y2 = (number(text, name) for text, name in zip(fields[1:5], VOTT_HEADER[1:5], strict=True))
    return box((x1, y1), (x2, y2))


def _shape(region: Any) -> Shape:
    if not isinstance(region, dict):
        raise ShapeRefused("A region is no object.")
    kind = str(region.get("type") or "RECTANGLE").upper()
    if kind in _WITHOUT_AREA:
        raise KindRefused(_WITHOUT_AREA[kind])
    match kind:
        case "RECTANGLE" | "SQUARE":
            left, top, width, height = numbers(region.get("boundingBox"), "left", "top", "width", "height")
            return box((left, top), (left + width, top + height))
        case "POLYGON":
            return polygon(pairs(region.get("points"), "points"))
    raise KindRefused(f"regions of the type {kind[:100]!r}")


def _is_asset(outline: Outline) -> bool:
    return outline.top == "{" and outline.has(1, "asset") and outline.has_any(2, "name", "path", "format")


def _is_export(outline: Outline) -> bool:
    return outline.top == "{" and outline.has(1, "assets") and outline.has(3, "asset")
