"""VGG Image Annotator (VIA) 1 and 2: one JSON or CSV file for many images, regions in pixels with attributes
of free choice.

Source: www.robots.ox.ac.uk/~vgg/software/via, the exports "annotations as JSON", "annotations as CSV" and the
saved project of versions 1 and 2.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from math import degrees
from typing import Any, NamedTuple

from annotateforge.dataset.imports.csv_format import first_rows
from annotateforge.dataset.imports.csv_tables import CsvMalformed, named_rows
from annotateforge.dataset.imports.drawn import (
    KindRefused,
    Shape,
    ShapeRefused,
    box,
    circle,
    ellipse,
    number,
    numbers,
    polygon,
)
from annotateforge.dataset.imports.json_outline import Outline
from annotateforge.dataset.imports.json_stream import JsonPath
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.reading import Place, Reading
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree

_PROJECT_IMAGES = "_via_img_metadata"
_CLASS_KEYS = ("class", "label", "name", "category", "type", "object")
"""Attributes that hold the class, the likeliest first."""
_WITHOUT_AREA = {"point": "points", "polyline": "polylines", "line": "lines"}
_CSV_HEADER = frozenset(("filename", "region_shape_attributes", "region_attributes"))


class _Region(NamedTuple):
    """A region, or an image that has none."""

    image: str
    place: Place
    shape: Any
    """None where the image has no region."""
    attributes: Any


class Via(LabelFormat):
    """Exports and projects of VIA 1 and 2."""

    name = "via"
    title = "VIA"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        format_ = cls(tree, Report())
        quiet = format_._reading({})
        images = {region.image for member in format_._files() for region in format_._regions(member, quiet)}
        return min(len(images), len(tree.images))

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        reading = self._reading(sizes)
        files = self._files()
        for member in files:
            key = self._class_key(member)
            images: dict[str, str | None] = {}
            for region in self._regions(member, reading):
                if region.image not in images:
                    images[region.image] = reading.image([region.image], region.place)
                image = images[region.image]
                if image is not None and region.shape is not None:
                    name = _class_of(region.attributes, key)
                    yield from reading.label(image, name, region.place, _shape, region.shape)
        ours = {member.name for member in files}
        reading.pass_over(member for member in self.tree.having("json") if member.name not in ours)
        reading.finish()

    def _reading(self, sizes: Mapping[str, Size]) -> Reading:
        images = (member.name for member in self.tree.images)
        return Reading(self.tree, self.report, sizes, "import:via", images)

    def _files(self) -> list[Member]:
        tables = [
            member
            for member in self.tree.having("csv")
            if (first := first_rows(self.tree, member))
            and _CSV_HEADER.issubset(name.lower().lstrip("#") for name in first[0].fields)
        ]
        return [*self.tree.json_files(_is_via), *tables]

    def _regions(self, member: Member, reading: Reading) -> Iterator[_Region]:
        return (self._rows if member.name.lower().endswith(".csv") else self._entries)(member, reading)

    def _entries(self, member: Member, reading: Reading) -> Iterator[_Region]:
        for entry in reading.entries(member, _opened):
            if not (entry.path[:-1] == (_PROJECT_IMAGES,) or not str(entry.path[0]).startswith("_via_")):
                continue
            place = Place(member.name, entry.line).below(*entry.path)
            if not isinstance(entry.value, dict):
                reading.warn("LABEL_MALFORMED", place, "It is no object.", "Export the file again.")
                continue
            image = entry.value.get("filename")
            if not isinstance(image, str) or not image:
                reading.warn("LABEL_MALFORMED", place, "It has no filename.", "Export the file again.")
                continue
            regions = entry.value.get("regions") or []
            # A list since version 2, an object with "0", "1", … before.
            numbered = regions.items() if isinstance(regions, dict) else enumerate(_listed(regions))
            yield _Region(image, place, None, None)
            for index, region in numbered:
                here = place.below("regions", index)
                written = region if isinstance(region, dict) else {}
                shape = written.get("shape_attributes")
                yield _Region(image, here, {} if shape is None else shape, written.get("region_attributes"))

    def _rows(self, member: Member, reading: Reading) -> Iterator[_Region]:
        try:
            for row in named_rows(self.tree.blocks(member)):
                place = Place(member.name, row.line)
                image = row.fields.get("filename") or row.fields.get("#filename") or ""
                if not image:
                    reading.warn("LABEL_MALFORMED", place, "It has no filename.", "Export the file again.")
                    continue
                shape = _parsed(row.fields.get("region_shape_attributes", ""))
                attributes = _parsed(row.fields.get("region_attributes", ""))
                yield _Region(image, place, shape if shape != {} else None, attributes)
        except CsvMalformed as error:
            reading.broken(member, error.message, error.line)

    def _class_key(self, member: Member) -> str:
        """The attribute that holds the class; empty where there is none."""
        quiet = Reading(self.tree, Report(), {}, "", ())
        found: Counter[str] = Counter()
        for region in self._regions(member, quiet):
            if isinstance(region.attributes, dict):
                found.update(name for name in region.attributes if _class_of(region.attributes, name))
        if not found:
            return ""
        often = {name.casefold(): name for name, count in found.items() if 2 * count >= max(found.values())}
        key = next((often[name] for name in _CLASS_KEYS if name in often), found.most_common(1)[0][0])
        if len(found) > 1:
            self.report.inform(
                "CLASS_ATTRIBUTE_CHOSEN",
                member.name,
                f"Regions have several attributes ({', '.join(sorted(found)[:20])[:300]}); {key[:100]!r} was"
                " taken for the class.",
                "If another one is meant, call it class and export again.",
            )
        return key


def _opened(path: JsonPath) -> bool:
    return path in ((), (_PROJECT_IMAGES,))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _parsed(text: str) -> Any:
    """JSON in a field of CSV; the text itself where it is none, which is no shape then."""
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _class_of(attributes: Any, key: str) -> Any:
    """The class in an attribute: its text, or the one option that is set; None where there is none."""
    value = attributes.get(key) if isinstance(attributes, dict) else None
    if isinstance(value, dict):
        chosen = [name for name, is_set in value.items() if is_set is True]
        value = chosen[0] if len(chosen) == 1 else None
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else None


def _shape(written: Any) -> Shape:
    if not isinstance(written, dict):
        raise ShapeRefused("Its shape_attributes are no object.")
    match written.get("name"):
        case "rect" | "rectangle":
            x, y, width, height = numbers(written, "x", "y", "width", "height")
            return box((x, y), (x + width, y + height))
        case "circle":
            return circle(*numbers(written, "cx", "cy", "r"))
        case "ellipse":
            angle = degrees(number(written.get("theta", 0), "theta"))
            x, y, radius_x, radius_y = numbers(written, "cx", "cy", "rx", "ry")
            return ellipse(x, y, radius_x, radius_y, angle)
        case "polygon":
            xs, ys = written.get("all_points_x"), written.get("all_points_y")
            if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
                raise ShapeRefused("all_points_x and all_points_y are not two lists of one length.")
            return polygon([(number(x, "x"), number(y, "y")) for x, y in zip(xs, ys, strict=True)])
        case str() as kind:
            raise KindRefused(_WITHOUT_AREA.get(kind, f"shapes of the kind {kind[:100]!r}"))
    raise ShapeRefused("Its shape_attributes have no name.")


def _is_via(outline: Outline) -> bool:
    if outline.top != "{":
        return False
    return outline.has(1, _PROJECT_IMAGES) or (
        outline.has(2, "filename") and outline.has_any(2, "regions", "file_attributes")
    )
