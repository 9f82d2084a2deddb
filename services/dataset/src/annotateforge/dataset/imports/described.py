"""Images that files describe one by one, each perhaps with classes of the whole image."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.reading import Place, Reading
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree


@dataclass(frozen=True, slots=True)
class Described:
    """What a file says of one image as a whole."""

    references: Sequence[str]
    """What may name it."""
    classes: Sequence[str]
    place: Place


def described_images(tree: Tree, files: Iterable[Iterable[object]]) -> int:
    """About how many images files describe that have these entries: a file without any counts for one, and
    there are no more than the archive has.
    """
    return min(sum(max(1, sum(1 for _ in entries)) for entries in files), len(tree.images))


def classified_images(
    images: Iterable[Member], report: Report, reading: Reading, described: Iterable[Described]
) -> Iterator[tuple[Member, str]]:
    """The images, each with the first class that is said of it, or ""; where several are said of one, that is
    reported.
    """
    classes: dict[str, str] = {}
    for one in described:
        found = reading.match(one.references, one.place.file)
        if not one.classes or len(found) != 1:
            continue
        classes[found[0]] = one.classes[0]
        report.name_class(one.classes[0])
        if len(one.classes) > 1:
            reading.warn(
                "IMAGE_CLASS_AMBIGUOUS",
                one.place,
                f"{found[0]!r} has several classes; the first, {one.classes[0]!r}, was taken.",
                "Choose one.",
            )
    for member in images:
        yield member, classes.get(member.name, "")
