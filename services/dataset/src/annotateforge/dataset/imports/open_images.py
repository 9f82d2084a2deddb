"""Open Images: CSV tables of boxes as shares of the image, tables of image labels, and one that gives names
to the codes of classes.

Source: storage.googleapis.com/openimages/web/download_v7.html.
"""

from collections.abc import Iterator, Mapping

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.imports.csv_format import CsvFormat, first_rows
from annotateforge.dataset.imports.csv_tables import CsvMalformed, TableRow, number, table_rows
from annotateforge.dataset.imports.label_format import Label, Size
from annotateforge.dataset.imports.listing import Listing
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree

SOURCE = "import:openimages"
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_TOLERANCE = 0.01


class OpenImages(CsvFormat):
    """Boxes and image labels of Open Images."""

    name = "openimages"
    title = "Open Images"

    def __init__(self, tree: Tree, report: Report) -> None:
        super().__init__(tree, report)
        self._names = _class_names(tree)
        tables = [first_rows(tree, member)[0] for member, _ in self.tables(tree)]
        self._has_boxes = any("xmin" in _columns(first) for first in tables)
        self._masks = set(self._mask_files())

    @classmethod
    def image_column(cls, first: list[TableRow]) -> int | None:
        columns = _columns(first[0])
        if "imageid" in columns and "labelname" in columns and "maskpath" not in columns:
            return columns["imageid"]
        return None

    def images(self) -> Iterator[tuple[Member, str]]:
        for member, image_class in super().images():
            if member.name.rsplit("/", 1)[-1] not in self._masks:
                yield member, image_class

    def image_classes(self, member: Member) -> Iterator[tuple[str, str, int]]:
        columns: dict[str, int] = {}
        for row in table_rows(self.tree.blocks(member)):
            if not columns:
                columns = _columns(row)
                if "xmin" in columns or self._has_boxes:
                    return  # of images with boxes, labels only repeat what is on them
            elif len(row.fields) > max(columns["imageid"], columns["labelname"]):
                confidence = columns.get("confidence", len(row.fields))
                if confidence >= len(row.fields) or number(row.fields[confidence]) != 0:
                    yield (
                        row.fields[columns["imageid"]],
                        self._label(row.fields[columns["labelname"]]),
                        row.line,
                    )

    def rows_to_labels(self, member: Member, sizes: Mapping[str, Size], listing: Listing) -> Iterator[Label]:
        columns: dict[str, int] = {}
        for row in table_rows(self.tree.blocks(member)):
            if not columns:
                columns = _columns(row)
                continue
            fields = {key: row.fields[at] for key, at in columns.items() if at < len(row.fields)}
            if "xmin" not in columns:
                if self._has_boxes:
                    listing.count("labels of whole images", member.name, row.line)
                else:
                    listing.image(fields.get("imageid", ""), member.name, row.line)
                continue
            image = listing.image(fields.get("imageid", ""), member.name, row.line)
            if image is None or image not in sizes:
                continue
            if fields.get("isgroupof") == "1":
                listing.count("groups", member.name, row.line)
                continue
            sides = [number(fields.get(side, "")) for side in _SIDES]
            label = self._label(fields.get("labelname", ""))
            if not label or any(side is None for side in sides):
                listing.malformed(
                    member.name, row.line, "It has no LabelName, or no four sides, and was left out.", _HINT
                )
                continue
            shares = [side for side in sides if side is not None]
            if not all(-_TOLERANCE <= share <= 1 + _TOLERANCE for share in shares):
                self.report.warn(
                    "COORDINATES_NOT_NORMALIZED",
                    member.name,
                    f"The box {', '.join(f'{share:g}' for share in shares)} is not within 0 to 1.",
                    _HINT,
                    line=row.line,
                )
                continue
            size = sizes[image]
            box = (
                shares[0] * size.width,
                shares[1] * size.height,
                shares[2] * size.width,
                shares[3] * size.height,
            )
            confidence = number(fields.get("confidence", ""))
            if confidence is not None and not 0 <= confidence <= 1:
                confidence = None
            self.report.name_class(label)
            annotation = Annotation(AnnotationType.BOX, box, label, confidence, SOURCE)
            yield Label(image, annotation, member.name, row.line)

    def tell(self, file: str, what: str, count: int, line: int) -> None:
        if what == "groups":
            self.report.warn(
                "CROWD_LEFT_OUT",
                file,
                f"Left out: {count:,} boxes around groups (IsGroupOf).",
                "They are not single objects; nothing needs to be done.",
                line=line,
            )
        else:
            self.report.inform(
                "LABELS_LEFT_OUT",
                file,
                f"Left out: {count:,} {what}, because there are boxes.",
                "Nothing needs to be done, unless images are to be classified.",
                line=line,
            )

    def _label(self, code: str) -> str:
        return self._names.get(code, code)

    def _mask_files(self) -> Iterator[str]:
        for member in self.tree.having("csv"):
            first = first_rows(self.tree, member)
            columns = _columns(first[0]) if first else {}
            if "maskpath" not in columns:
                continue
            self.report.warn(
                "MASK_UNSUPPORTED",
                member.name,
                "Masks of Open Images are not read; boxes come in from the tables of boxes.",
                "Convert them to COCO if the outlines are needed.",
            )
            try:
                for row in table_rows(self.tree.blocks(member)):
                    if len(row.fields) > columns["maskpath"]:
                        yield row.fields[columns["maskpath"]].rsplit("/", 1)[-1]
            except CsvMalformed:
                continue


_HINT = "A row has ImageID, LabelName, and XMin, XMax, YMin, YMax as shares of width and height."


def _columns(row: TableRow) -> dict[str, int]:
    return {name.lower(): at for at, name in enumerate(row.fields)}


def _class_names(tree: Tree) -> dict[str, str]:
    """Names of classes by their codes, such as /m/01g317; a table of them has two columns."""
    names: dict[str, str] = {}
    for member in tree.having("csv"):
        first = first_rows(tree, member)
        if not first or len(first[-1].fields) != 2 or not first[-1].fields[0].startswith("/"):
            continue
        try:
            names.update(
                (row.fields[0], row.fields[1])
                for row in table_rows(tree.blocks(member))
                if len(row.fields) == 2 and row.fields[1]
            )
        except CsvMalformed:
            continue
    return names
