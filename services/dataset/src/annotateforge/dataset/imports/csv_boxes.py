"""Plain CSV: one row per box, or per image, with a header that says what is where, as notebooks, Kaggle,
TensorFlow's and DeepForest's tools write it; or without one, as keras-retinanet does.
"""

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import NamedTuple

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.imports.csv_columns import Columns, columns_of
from annotateforge.dataset.imports.csv_format import CsvFormat, first_rows
from annotateforge.dataset.imports.csv_tables import CsvMalformed, TableRow, number, table_rows
from annotateforge.dataset.imports.label_format import Label, Size
from annotateforge.dataset.imports.listing import Listing
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.vott import is_vott_table

SOURCE = "import:csv"
_NUMBERS = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_HINT = "A row has the image, the class, and four numbers or a polygon (WKT)."
_SAME = 0.01
Box = tuple[float, float, float, float]


class _Meaning(NamedTuple):
    """What the numbers of a table mean, judged by all of its rows."""

    shares: bool
    """They are shares of the image's width and height."""
    corners: bool
    """The one column of a box holds two corners; else a corner, width and height."""


class CsvBoxes(CsvFormat):
    """Tables of boxes, polygons or image classes."""

    name = "csv"
    title = "CSV"

    @classmethod
    def image_column(cls, first: list[TableRow]) -> int | None:
        if is_vott_table(first):
            return None
        columns = columns_of(first)
        return columns.image if columns is not None else None

    def image_classes(self, member: Member) -> Iterator[tuple[str, str, int]]:
        columns = columns_of(first_rows(self.tree, member))
        if columns is None or columns.has_shapes:
            return
        for row in self._rows(member, columns):
            for label in columns.image_labels(row.fields):
                yield row.fields[columns.image], label, row.line

    def rows_to_labels(self, member: Member, sizes: Mapping[str, Size], listing: Listing) -> Iterator[Label]:
        columns = columns_of(first_rows(self.tree, member))
        if columns is None:
            return
        meaning = self._meaning(member, columns)
        if columns.has_shapes and columns.label is None:
            self.report.inform(
                "LABEL_WITHOUT_CLASS",
                member.name,
                "The table has no column for classes; its shapes came in without one.",
                "Give them a class here, or add a column called class; training needs one.",
                line=1,
            )
        for row in self._rows(member, columns):
            fields = row.fields
            image = listing.image(fields[columns.image], member.name, row.line)
            if image is None or image not in sizes or not columns.has_shapes:
                continue
            if (stated := columns.size(fields)) is not None:
                listing.check_size(image, stated, member.name, row.line)
            if columns.is_empty(fields):
                continue
            geometry = columns.text(fields, columns.geometry)
            if geometry and not geometry.upper().startswith("POLYGON"):
                listing.count(
                    f"geometries of the kind {geometry.split('(')[0].strip()[:40]}", member.name, row.line
                )
                continue
            box = _box(columns, fields, meaning)
            polygon = _polygon(geometry, box) if geometry else None
            label = columns.text(fields, columns.label)
            if (box is None and polygon is None) or (not label and columns.label is not None):
                listing.malformed(member.name, row.line, "It has no class, or no four numbers.", _HINT)
                continue
            coordinates: tuple[float, ...] = polygon or box or ()
            if meaning.shares:
                width, height = sizes[image]
                coordinates = tuple(
                    value * (height if at % 2 else width) for at, value in enumerate(coordinates)
                )
            score = number(columns.text(fields, columns.score))
            confidence = score if score is not None and 0 <= score <= 1 else None
            if label:
                self.report.name_class(label)
            kind = AnnotationType.POLYGON if polygon else AnnotationType.BOX
            yield Label(
                image, Annotation(kind, coordinates, label, confidence, SOURCE), member.name, row.line
            )

    def _rows(self, member: Member, columns: Columns) -> Iterator[TableRow]:
        """The rows below the header that name an image."""
        for number_of_row, row in enumerate(table_rows(self.tree.blocks(member))):
            if (number_of_row > 0 or not columns.header) and columns.image < len(row.fields):
                yield row

    def _meaning(self, member: Member, columns: Columns) -> _Meaning:
        shares, fractions, corners, rows = True, False, True, 0
        try:
            for row in self._rows(member, columns):
                box = _box(columns, row.fields, _Meaning(shares=False, corners=True))
                if box is None:
                    continue
                rows += 1
                shares = shares and all(-_SAME <= value <= 1 + _SAME for value in box)
                fractions = fractions or any(value % 1 for value in box)
                corners = corners and box[0] < box[2] and box[1] < box[3]
        except CsvMalformed:
            pass  # reported when the labels are read, of which those before it come in
        if columns.one_box is not None and rows:
            read = "two corners" if corners else "a corner, width and height"
            self.report.inform(
                "BOX_COLUMN_INTERPRETED",
                member.name,
                f"The table does not say what the four numbers of its boxes are; they were read as {read}.",
                "Look at some images. If it is wrong, write the numbers into columns xmin, ymin, xmax, ymax.",
                line=1,
            )
        return _Meaning(shares and fractions, corners)


def _box(columns: Columns, fields: list[str], meaning: _Meaning) -> Box | None:
    """The box of a row as its upper left and lower right corner; None where it has none."""
    if columns.one_box is not None:
        found = [float(text) for text in _NUMBERS.findall(columns.text(fields, columns.one_box))]
        form = "corners" if meaning.corners else "sides"
    else:
        read = [number(columns.text(fields, at)) for at in columns.box]
        found = [value for value in read if value is not None]
        form = columns.form
    if len(found) != 4 or not isfinite(sum(found)):
        return None
    a, b, c, d = found
    if form == "sides":
        return a, b, a + c, b + d
    return (a - c / 2, b - d / 2, a + c / 2, b + d / 2) if form == "centre" else (a, b, c, d)


def _polygon(geometry: str, box: Box | None) -> tuple[float, ...] | None:
    """The outer ring of a WKT polygon; None where it is only the box of its row, or no polygon."""
    ring = geometry.partition("(")[2].split(")")[0]
    values = [float(text) for text in _NUMBERS.findall(ring)]
    points = list(zip(values[::2], values[1::2], strict=len(values) % 2 == 0))
    if len(points) > 3 and points[0] == points[-1]:
        points.pop()
    if len(points) < 3 or len(values) % 2:
        return None
    if box is not None and len(points) == 4:
        corners = {(x, y) for x in box[::2] for y in box[1::2]}
        if all(any(abs(x - u) <= _SAME and abs(y - v) <= _SAME for u, v in corners) for x, y in points):
            return None
    return tuple(value for point in points for value in point)
