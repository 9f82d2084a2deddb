"""KITTI: one text file per image, one object per line, boxes by their corners in pixels from 0.

A line is the class, truncated, occluded, alpha, left, top, right, bottom, seven numbers in space, and in
results a score. Source: the readme of KITTI's object development kit.
"""

from collections.abc import Iterator, Mapping
from math import isfinite

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.listing import Listing
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.pairing import ImagePaths, pair_by_stem
from annotateforge.dataset.imports.text_lines import LineTooLong, lines_of
from annotateforge.dataset.imports.tree import Tree

SOURCE = "import:kitti"
_SAMPLED_FILES = 20
_NO_OBJECT = "dontcare"
_HINT = (
    "A line has 15 fields, or 16 with a score: class, truncated, occluded, alpha, left, top, right, bottom, …"
)


class Kitti(LabelFormat):
    """KITTI's object labels."""

    name = "kitti"
    title = "KITTI"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        pairs = pair_by_stem(_names(tree), ImagePaths(member.name for member in tree.images))
        filled = [member for member in tree.having("txt") if pairs[member.name] and member.size > 0]
        sampled = filled[:: max(1, len(filled) // _SAMPLED_FILES)]
        if 2 * sum(_is_kitti(tree, member) for member in sampled) <= len(sampled):
            return 0
        return sum(len(images) for images in pairs.values())

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        paths = ImagePaths(member.name for member in self.tree.images)
        pairs = pair_by_stem(_names(self.tree), paths)
        listing = Listing(self.report, paths, sizes)
        for member in self.tree.having("txt"):
            images = pairs[member.name]
            if not images and member.size > 0 and _is_kitti(self.tree, member):
                self.report.warn(
                    "LABEL_WITHOUT_IMAGE",
                    member.name,
                    "There is no image for this label file, or it is not clear which.",
                    "Add the image with the same name, in the same or the parallel folder (image_2 for"
                    " label_2).",
                )
            for image in images:
                listing.describe(image)
                if image in sizes:
                    yield from self._read(member, image, listing)
        listing.finish(self._tell)

    def _read(self, member: Member, image: str, listing: Listing) -> Iterator[Label]:
        try:
            for number, text in lines_of(self.tree, member):
                fields = text.split()
                if not fields:
                    continue
                if fields[0].casefold() == _NO_OBJECT:
                    listing.count("regions", member.name, number)
                    continue
                numbers = _numbers(fields[1:])
                if numbers is None or len(fields) not in (15, 16):
                    listing.malformed(
                        member.name,
                        number,
                        f"It has {len(fields)} fields that are no KITTI label, and was left out.",
                        _HINT,
                    )
                    continue
                self.report.name_class(fields[0])
                score = numbers[14] if len(numbers) == 15 else None
                confidence = score if score is not None and 0 <= score <= 1 else None
                box = numbers[3:7]
                yield Label(
                    image,
                    Annotation(AnnotationType.BOX, box, fields[0], confidence, SOURCE),
                    member.name,
                    number,
                )
        except LineTooLong as error:
            listing.too_long(member, error)

    def _tell(self, file: str, what: str, count: int, line: int) -> None:
        self.report.warn(
            "CROWD_LEFT_OUT",
            file,
            f"Left out: {count:,} {what} marked DontCare.",
            "They are not single objects; nothing needs to be done.",
            line=line,
        )


def _names(tree: Tree) -> list[str]:
    return [member.name for member in tree.having("txt")]


def _numbers(fields: list[str]) -> tuple[float, ...] | None:
    try:
        numbers = tuple(map(float, fields))
    except ValueError:
        return None
    return numbers if isfinite(sum(numbers)) else None


def _is_kitti(tree: Tree, member: Member) -> bool:
    for line in tree.head(member, 4096).decode("utf-8-sig", errors="replace").split("\n"):
        fields = line.split()
        if fields:
            return (
                len(fields) in (15, 16) and _numbers(fields[:1]) is None and _numbers(fields[1:]) is not None
            )
    return False
