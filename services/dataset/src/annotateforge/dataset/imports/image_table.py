"""The table of image classes and groups in an export, because no label format has a place for both."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from annotateforge.dataset.images import LONGEST_CLASS, LONGEST_GROUP, Image
from annotateforge.dataset.imports.csv_tables import CsvMalformed, table_rows
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree
from annotateforge.runtime.texts import text_defect

IMAGE_TABLE = "image_classes.csv"
"""Its name, in the folder to which its paths are relative."""
_HEADER = ["image", "image_class", "group"]


class Kept(NamedTuple):
    """What the table says of an image; empty for none."""

    image_class: str
    group: str


def write_image_table(images: Iterable[tuple[str, Image]]) -> Iterator[bytes]:
    """The table, row by row, of those images that have a class or a group, each with its path."""
    yield _row(_HEADER)
    for path, image in images:
        if image.image_class or image.group:
            yield _row([path, image.image_class, image.group])


def read_image_table(tree: Tree, report: Report) -> Mapping[str, Kept]:
    """What the archive's tables say of its images, by their paths in the archive; rows that are wrong go to
    the report, rows of other images are passed over, so that no more is kept than there are images. Blocking.
    """
    images: set[str] = set()
    kept: dict[str, Kept] = {}
    for member in tree.having("csv"):
        folder, _, name = member.name.rpartition("/")
        if name != IMAGE_TABLE:
            continue
        try:
            rows = table_rows(tree.blocks(member))
            header = next(rows, None)
            if header is None or header.fields != _HEADER:
                continue
            images = images or set(tree.images.names())
            for row in rows:
                path, image_class, group, *_ = (*row.fields, "", "", "")
                image = unicodedata.normalize("NFC", f"{folder}/{path}".lstrip("/"))
                if image not in images:
                    continue
                wrong = text_defect(image_class, LONGEST_CLASS) or text_defect(group, LONGEST_GROUP)
                if wrong:
                    report.warn(
                        "LABEL_MALFORMED",
                        member.name,
                        f"The class or group of {path[:300]!r} {wrong}; the row was left out.",
                        "Give it another name.",
                        line=row.line,
                    )
                    continue
                kept[image] = Kept(image_class, group)
        except CsvMalformed as error:
            report.warn(
                "LABEL_FILE_MALFORMED",
                member.name,
                f"{error.message} What comes from this place on was left out.",
                "Save it as CSV in UTF-8 again.",
                line=error.line,
            )
    return kept


def _row(fields: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode()
