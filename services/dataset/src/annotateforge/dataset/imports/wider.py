"""WIDER FACE: a text file for many images: the path of an image, the number of its faces, and for each a row
of x, y, width, height in pixels and six flags.

Source: the readme of wider_face_split.
"""

from collections.abc import Iterator, Mapping
from math import isfinite

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.listing import Listing
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.pairing import ImagePaths
from annotateforge.dataset.imports.text_lines import LineTooLong, lines_of
from annotateforge.dataset.imports.tree import IMAGE_EXTENSIONS, Tree, extension

SOURCE = "import:wider"
FACE = "face"
"""The only class that there is."""
_INVALID = 7
"""Position of the flag for a face that is not to be counted."""


class Wider(LabelFormat):
    """Faces of WIDER."""

    name = "wider"
    title = "WIDER FACE"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        listed = 0
        for member in tree.having("txt"):
            if _is_wider(tree, member):
                try:
                    listed += sum(_is_image(text) for _, text in lines_of(tree, member))
                except LineTooLong:
                    listed += 1
        return min(listed, len(tree.images))

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        self.report.name_class(FACE)
        listing = Listing(self.report, ImagePaths(member.name for member in self.tree.images), sizes)
        for member in self.tree.having("txt"):
            if _is_wider(self.tree, member):
                try:
                    yield from self._read(member, sizes, listing)
                except LineTooLong as error:
                    listing.too_long(member, error)
        listing.finish(self._tell)

    def _read(self, member: Member, sizes: Mapping[str, Size], listing: Listing) -> Iterator[Label]:
        image: str | None = None
        begun, stated, rows = 0, -1, 0
        for number, text in lines_of(self.tree, member):
            fields = text.split()
            if not fields:
                continue
            if _is_image(text):
                self._check_count(member, begun, stated, rows, listing)
                image = listing.image(text.strip(), member.name, number)
                begun, stated, rows = number, -1, 0
            elif begun and stated < 0 and len(fields) == 1 and fields[0].isdecimal() and len(fields[0]) < 10:
                stated = int(fields[0])
            else:
                numbers = _numbers(fields)
                rows += 1
                if numbers is None or not begun:
                    listing.malformed(
                        member.name,
                        number,
                        "It is neither the path of an image nor a face, and was left out.",
                        "A face is: x y width height, and six flags.",
                    )
                    continue
                if stated == 0 and numbers[2:4] == (0, 0):
                    # An image without faces is given one row of zeros.
                    rows -= 1
                    continue
                if image is not None and image in sizes:
                    if len(numbers) > _INVALID and numbers[_INVALID] == 1:
                        listing.count("faces", member.name, number)
                    x, y, width, height = numbers[:4]
                    box = (x, y, x + width, y + height)
                    yield Label(
                        image, Annotation(AnnotationType.BOX, box, FACE, None, SOURCE), member.name, number
                    )
        self._check_count(member, begun, stated, rows, listing)

    def _check_count(self, member: Member, line: int, stated: int, rows: int, listing: Listing) -> None:
        if line and stated != rows:
            said = f"states {stated:,} faces" if stated >= 0 else "does not state how many faces"
            listing.malformed(
                member.name,
                line,
                f"The entry {said}, and {rows:,} rows follow; what could be read of them came in.",
                "Check the file; it may be cut short.",
            )

    def _tell(self, file: str, what: str, count: int, line: int) -> None:
        self.report.inform(
            "LABELS_MARKED_INVALID",
            file,
            f"Marked invalid, but taken: {count:,} {what}.",
            "Delete them if they are not to be learnt.",
            line=line,
        )


def _is_image(line: str) -> bool:
    return extension(line.strip().replace("\\", "/")) in IMAGE_EXTENSIONS


def _numbers(fields: list[str]) -> tuple[float, ...] | None:
    try:
        numbers = tuple(map(float, fields))
    except ValueError:
        return None
    return numbers if len(numbers) >= 4 and isfinite(sum(numbers)) else None


def _is_wider(tree: Tree, member: Member) -> bool:
    """Whether a file begins with the path of an image, a count and a row of numbers."""
    lines = tree.head(member, 8192).decode("utf-8-sig", errors="replace").split("\n")
    first, second, third, *_ = (*(line for line in lines if line.strip()), "", "", "")
    return _is_image(first) and second.strip().isdecimal() and _numbers(third.split()) is not None
