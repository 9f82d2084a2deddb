"""What the formats share that are CSV tables: they are found by their first rows, and read row by row."""

import codecs
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from itertools import islice

from annotateforge.dataset.imports.csv_tables import CsvMalformed, TableRow, table_rows
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.listing import Listing
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.pairing import ImagePaths
from annotateforge.dataset.imports.repeats import unrepeated
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree

_MOST_COUNTED = 1_000_000
"""Rows that are looked at to tell how many images a file labels."""
_FIRST_ROWS = 50
_HEAD_BYTES = 1 << 16


class CsvFormat(LabelFormat):
    """A format of tables; `table` says what a file's rows mean."""

    def __init__(self, tree: Tree, report: Report) -> None:
        super().__init__(tree, report)
        self.paths = ImagePaths(member.name for member in tree.images)
        self._classes: dict[str, str] | None = None

    @classmethod
    @abstractmethod
    def image_column(cls, first: list[TableRow]) -> int | None:
        """The column that names images, judged by the first rows; None where the table is of another kind."""

    @abstractmethod
    def rows_to_labels(self, member: Member, sizes: Mapping[str, Size], listing: Listing) -> Iterator[Label]:
        """The labels of one table. Raises CsvMalformed."""

    def image_classes(self, member: Member) -> Iterator[tuple[str, str, int]]:
        """What a table says of whole images: the image as it is named there, its class, and the line. Raises
        CsvMalformed.
        """
        return iter(())

    def tell(self, file: str, what: str, count: int, line: int) -> None:
        """Report what was counted in one file; the line is that of the first."""
        self.report.warn(
            "SHAPE_UNSUPPORTED",
            file,
            f"Left out: {count:,} {what}.",
            "Boxes and polygons come in; draw these instead if they are needed.",
            line=line,
        )

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        tables = cls.tables(tree)
        if not tables:
            return 0
        paths = ImagePaths(member.name for member in tree.images)
        found: set[str] = set()
        for member, column in tables:
            seen = ""
            for row in islice(_readable_rows(tree, member), _MOST_COUNTED):
                if len(row.fields) > column and row.fields[column] != seen:
                    seen = row.fields[column]
                    if len(images := paths.meant(seen, member.name)) == 1:
                        found.add(images[0])
        return len(found)

    @classmethod
    def tables(cls, tree: Tree) -> list[tuple[Member, int]]:
        """The tables of this kind, each with the column that names images."""
        found = []
        for member in tree.having("csv", "tsv"):
            first = first_rows(tree, member)
            if first and (column := cls.image_column(first)) is not None:
                found.append((member, column))
        return found

    def images(self) -> Iterator[tuple[Member, str]]:
        classes: dict[str, str] = {}
        for member, _ in self.tables(self.tree):
            try:
                for reference, label, line in self.image_classes(member):
                    self._note(classes, reference, label, member.name, line)
            except CsvMalformed:
                continue  # reported when the labels are read
        self._classes = classes
        for member in self.tree.images:
            yield member, classes.get(member.name, "")

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        listing = Listing(self.report, self.paths, sizes)
        for path in self._classes or ():
            listing.describe(path)
        tables = self.tables(self.tree)
        seen: set[int] = set()
        for member, _ in tables:
            try:
                labels = self.rows_to_labels(member, sizes, listing)
                yield from (
                    unrepeated(self.report, member, labels, seen, digits=2, kind="table")
                    if len(tables) > 1
                    else labels
                )
            except CsvMalformed as error:
                self.report.warn(
                    "LABEL_FILE_MALFORMED",
                    member.name,
                    f"{error.message} What comes from this place on was left out.",
                    "Save it as CSV in UTF-8 again.",
                    line=error.line,
                )
        listing.finish(self.tell)

    def _note(self, classes: dict[str, str], reference: str, label: str, file: str, line: int) -> None:
        found = self.paths.meant(reference, file)
        if len(found) != 1:
            return  # reported when the labels are read
        if classes.setdefault(found[0], label) != label:
            self.report.warn(
                "IMAGE_CLASS_AMBIGUOUS",
                file,
                f"{found[0]!r} has the class {classes[found[0]]!r}, and {label!r} besides; the first was"
                " taken.",
                "An image may have one class; leave one.",
                line=line,
            )
        self.report.name_class(label)


def _readable_rows(tree: Tree, member: Member) -> Iterator[TableRow]:
    """The rows of a table up to where it is malformed, and at the least those by which it was recognised."""
    begun = False
    try:
        for row in table_rows(tree.blocks(member)):
            begun = True
            yield row
    except CsvMalformed:
        if not begun:
            yield from first_rows(tree, member)


def first_rows(tree: Tree, member: Member) -> list[TableRow]:
    """The first rows of a table, of those that lie in its first 64 KiB; none where it is no table."""
    head = tree.head(member, _HEAD_BYTES)
    if len(head) > _HEAD_BYTES:
        head = head[: head.rfind(b"\n", 0, _HEAD_BYTES) + 1]
    if not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # What is no UTF-8 does not keep a table from being recognised; it is told when the table is read.
        head = head.decode("utf-8", errors="replace").encode()
    rows: list[TableRow] = []
    try:
        for row in table_rows(iter((head,))):
            rows.append(row)
            if len(rows) == _FIRST_ROWS:
                break
    except CsvMalformed:
        pass  # what is whole before it tells enough
    return rows
