"""Google's AutoML Vision: CSV without a header: the set, the URI of an image, a class, and for a box eight
numbers, x and y of its corners as shares of the image, of which a pair may be left empty.

Source: cloud.google.com/vision/automl/object-detection/docs/csv-format.
"""

from collections.abc import Iterator, Mapping

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.imports.csv_format import CsvFormat
from annotateforge.dataset.imports.csv_tables import TableRow, number, table_rows
from annotateforge.dataset.imports.label_format import Label, Size
from annotateforge.dataset.imports.listing import Listing
from annotateforge.dataset.imports.members import Member

SOURCE = "import:automl"
_SETS = frozenset(("train", "training", "validation", "validate", "test", "unassigned", ""))
_TOLERANCE = 0.01
_HINT = "A row is: set,URI,class,x,y,x,y,x,y,x,y with shares of width and height; pairs may be empty."


class AutoMl(CsvFormat):
    """Boxes and classes of AutoML Vision."""

    name = "automl"
    title = "AutoML CSV"

    @classmethod
    def image_column(cls, first: list[TableRow]) -> int | None:
        for column in (1, 0):
            if 2 * sum(_is_row(row.fields, column) for row in first) > len(first):
                return column
        return None

    def image_classes(self, member: Member) -> Iterator[tuple[str, str, int]]:
        for row, column in self._rows(member):
            if not any(row.fields[column + 2 :]) and row.fields[column + 1 : column + 2] not in ([], [""]):
                yield row.fields[column], row.fields[column + 1], row.line
            elif len(row.fields) - column < 10:
                for label in filter(None, row.fields[column + 1 :]):
                    yield row.fields[column], label, row.line

    def rows_to_labels(self, member: Member, sizes: Mapping[str, Size], listing: Listing) -> Iterator[Label]:
        for row, column in self._rows(member):
            if not _is_row(row.fields, column):
                listing.malformed(member.name, row.line, "It is no row of AutoML, and was left out.", _HINT)
                continue
            image = listing.image(row.fields[column], member.name, row.line)
            written = row.fields[column + 2 :]
            if image is None or image not in sizes or not any(written) or len(row.fields) - column < 10:
                continue
            numbers = [number(text) for text in written[:8]]
            corners = [
                (x, y)
                for x, y in zip(numbers[::2], numbers[1::2], strict=True)
                if x is not None and y is not None
            ]
            label = row.fields[column + 1]
            if len(corners) < 2 or not label:
                listing.malformed(
                    member.name, row.line, "It has no class, or not two corners, and was left out.", _HINT
                )
                continue
            if not all(-_TOLERANCE <= share <= 1 + _TOLERANCE for corner in corners for share in corner):
                self.report.warn(
                    "COORDINATES_NOT_NORMALIZED",
                    member.name,
                    "Its corners are not all within 0 to 1; it was left out.",
                    _HINT,
                    line=row.line,
                )
                continue
            xs, ys = zip(*corners, strict=True)
            width, height = sizes[image]
            box = (min(xs) * width, min(ys) * height, max(xs) * width, max(ys) * height)
            self.report.name_class(label)
            annotation = Annotation(AnnotationType.BOX, box, label, None, SOURCE)
            yield Label(image, annotation, member.name, row.line)

    def _rows(self, member: Member) -> Iterator[tuple[TableRow, int]]:
        for row in table_rows(self.tree.blocks(member)):
            yield row, 1 if row.fields[0].lower() in _SETS else 0


def _is_row(fields: list[str], column: int) -> bool:
    if len(fields) <= column or "://" not in fields[column]:
        return False
    return column == 0 or fields[0].lower() in _SETS
