"""Reading: what the formats of annotation tools share while they go through their label files: which image is
meant, what becomes of a shape, and what is told about both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from annotateforge.dataset.annotations import Annotation
from annotateforge.dataset.imports.drawn import KindRefused, Shape, ShapeRefused
from annotateforge.dataset.imports.json_stream import (
    Entry,
    JsonMalformed,
    JsonPath,
    entries,
    shown_path,
)
from annotateforge.dataset.imports.label_format import Label, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.pairing import ImagePaths
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree, extension
from annotateforge.dataset.imports.xml_stream import XmlMalformed, xml_events

_MOST_TALLIES = 10_000


class Place(NamedTuple):
    """Where something is written."""

    file: str
    line: int = 0
    """From 1; 0 where it is not known."""
    path: str = ""
    """JSON path; empty where the line says it."""

    def below(self, *path: str | int) -> "Place":
        """A place further in."""
        joined = f"{self.path}{'' if isinstance(path[0], int) else '.' * bool(self.path)}{shown_path(path)}"
        return self._replace(path=joined)


@dataclass(slots=True)
class _Tally:
    """Things of one kind in one file."""

    first: Place
    image: str
    count: int


class Reading:
    """One pass over the label files of an archive."""

    def __init__(
        self, tree: Tree, report: Report, sizes: Mapping[str, Size], source: str, images: Iterable[str]
    ) -> None:
        """`images` are the paths of the images that may be meant; `sizes` those that are being added."""
        self._tree = tree
        self._report = report
        self._sizes = sizes
        self._source = source
        self._paths = ImagePaths(images)
        self._described: set[str] = set()
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def warn(self, reason: str, place: Place, message: str, hint: str) -> None:
        """Report that something was left out."""
        self._report.warn(reason, place.file, message, hint, line=place.line, path=place.path)

    def inform(self, reason: str, place: Place, message: str, hint: str) -> None:
        """Report what is worth knowing."""
        self._report.inform(reason, place.file, message, hint, line=place.line, path=place.path)

    def entries(self, member: Member, opened: Callable[[JsonPath], bool]) -> Iterator[Entry]:
        """The entries of a JSON file as `json_stream.entries` gives them; where it breaks off, that is
        reported.
        """
        try:
            yield from entries(self._tree.blocks(member), opened)
        except JsonMalformed as error:
            self.broken(member, error.message, error.line)

    def broken(self, member: Member, message: str, line: int) -> None:
        """Report that a label file cannot be read from a line on."""
        self._report.warn(
            "LABEL_FILE_MALFORMED",
            member.name,
            f"{message} What comes after this place was left out.",
            "Export the file again.",
            line=line,
        )

    def match(self, references: Sequence[str], label_file: str) -> Sequence[str]:
        """The images that the first fitting reference may mean; the others are other ways to name it."""
        for reference in references:
            if found := self._paths.meant(reference, label_file):
                return found
        return ()

    def count_images(self, references: Iterable[tuple[Sequence[str], str]]) -> int:
        """How many images references mean, each given with its label file; at least 1 where there are any, so
        that those that mean nothing get reported. No more is kept than there are images.
        """
        images = len(self._tree.images)
        found: set[str] = set()
        last: tuple[Sequence[str], str] | None = None
        for each in references:
            if len(found) >= images:
                break
            # The rows of one image mostly follow each other.
            if each != last:
                found.update(self.match(*each)[:1])
            last = each
        return len(found) if last is None else max(1, len(found))

    def image(
        self, references: Sequence[str], place: Place, hint: str = "Add the image, or leave its labels out."
    ) -> str | None:
        """The image that is meant, when it is being added. None when it is not, or when it cannot be told,
        which is reported.
        """
        found = self.match(references, place.file)
        if len(found) == 1:
            self._described.add(found[0])
            return found[0] if found[0] in self._sizes else None
        named = repr(references[0][:300]) if references and references[0] else "that is labelled here"
        if found:
            self.warn(
                "LABEL_AMBIGUOUS",
                place,
                f"Several images of the archive may be {named}, such as {found[0]!r} and {found[1]!r}.",
                "Write the folder into the reference, or give the images different names.",
            )
        else:
            self.warn("IMAGE_MISSING", place, f"The image {named} is not in the archive.", hint)
        return None

    def size(self, image: str) -> Size:
        """Upright size of an image that is being added."""
        return self._sizes[image]

    def check_size(
        self,
        image: str,
        width: Any,
        height: Any,
        place: Place,
        kept: str = "The coordinates were kept as they are written.",
    ) -> None:
        """Report when a file states another size than an image has that is being added; `kept` says what
        became of the coordinates.
        """
        stated = tuple(_whole(side) for side in (width, height))
        size = self._sizes[image]
        if 0 not in stated and stated != size:
            self.warn(
                "IMAGE_SIZE_DIFFERS",
                place,
                f"It states {stated[0]} × {stated[1]} pixels for {image!r}, whose upright size is"
                f" {size.width} × {size.height}. {kept}",
                "Check that the annotations lie where they should; the image may have been scaled or turned"
                " after it was labelled.",
            )

    def label(
        self,
        image: str,
        class_label: Any,
        place: Place,
        read: Callable[[Any], Shape],
        written: Any,
        confidence: float | None = None,
    ) -> Iterator[Label]:
        """The label of a shape that `read` makes of what is written, or none where it refuses it, which is
        reported.
        """
        label = str(class_label).strip() if isinstance(class_label, (str, int)) else ""
        try:
            shape = read(written)
        except ShapeRefused as refused:
            self.warn("LABEL_MALFORMED", place, f"{refused.message} It was left out.", refused.hint)
            return
        except KindRefused as refused:
            self._count(f"kind {refused.kind}", place, image)
            return
        if shape.of_mask:
            self._count("masks", place, image)
        if shape.has_holes:
            self._count("kind shapes' holes", place, image)
        if label:
            self._report.name_class(label)
        else:
            self._count("unnamed", place, image)
        annotation = Annotation(shape.type, shape.coordinates, label, confidence, self._source)
        yield Label(image, annotation, place.file, place.line, place.path)

    def leave_out(self, what: str, place: Place, image: str, count: int = 1) -> None:
        """Count something that the source itself declares void; `what` is a plural, such as "deleted
        objects".
        """
        self._count(f"void {what}", place, image, count)

    def pass_over(self, members: Iterable[Member]) -> None:
        """Report files with the format's extension that are none of its label files."""
        others = []
        for member in members:
            if self._begins_well(member):
                others.append(member.name)
        if others:
            self._report.inform(
                "LABEL_FILE_IGNORED",
                others[0],
                f"Files of another kind: {len(others):,}, such as this one; nothing was read from them.",
                "Nothing needs to be done, unless they hold labels.",
            )

    def finish(self) -> None:
        """Report what was counted: shapes left out by kind, and images of which no label file speaks."""
        for (file, what), tally in self._tallies.items():
            self._tell(file, what, tally)
        undescribed = self._sizes.keys() - self._described
        if undescribed:
            self._report.inform(
                "IMAGES_WITHOUT_LABELS",
                "",
                f"Images of which no label file speaks: {len(undescribed):,}, such as {min(undescribed)!r};"
                " they came in without annotations.",
                "Nothing needs to be done if nothing is to be seen on them.",
            )

    def _begins_well(self, member: Member) -> bool:
        """Whether a JSON or XML file is one at its beginning; says so when not."""
        blocks = self._tree.blocks(member)
        try:
            if extension(member.name) == "xml":
                next(xml_events(blocks), None)
            else:
                next(entries(blocks, lambda path: len(path) < 2), None)
        except (JsonMalformed, XmlMalformed) as error:
            self.broken(member, error.message, error.line)
            return False
        return True

    def _count(self, what: str, place: Place, image: str, count: int = 1) -> None:
        tally = self._tallies.get((place.file, what))
        if tally is not None:
            tally.count += count
        elif len(self._tallies) < _MOST_TALLIES:
            self._tallies[place.file, what] = _Tally(place, image, count)
        else:
            self._tell(place.file, what, _Tally(place, image, count))

    def _tell(self, file: str, what: str, tally: _Tally) -> None:
        first = f"the first on {tally.image!r}"
        line, path = tally.first.line, tally.first.path
        kind, _, name = what.partition(" ")
        match kind:
            case "masks":
                self._report.warn(
                    "MASK_UNSUPPORTED",
                    file,
                    f"Masks are not read: of {tally.count:,} the boxes came in, {first}.",
                    "Export polygons if the outlines are needed.",
                    line=line,
                    path=path,
                )
            case "unnamed":
                self._report.inform(
                    "LABEL_WITHOUT_CLASS",
                    file,
                    f"Shapes without a class: {tally.count:,}, {first}; they came in without one.",
                    "Give them a class here or in the tool that made them; training needs one.",
                    line=line,
                    path=path,
                )
            case "void":
                self._report.inform(
                    "LABELS_LEFT_OUT",
                    file,
                    f"Left out: {tally.count:,} {name}, {first}.",
                    "Nothing needs to be done, unless they are wanted.",
                    line=line,
                    path=path,
                )
            case _:
                self._report.warn(
                    "SHAPE_UNSUPPORTED",
                    file,
                    f"Left out: {tally.count:,} {name}, {first}.",
                    "Boxes, circles, ellipses and polygons come in; draw these instead if they are needed.",
                    line=line,
                    path=path,
                )


def _whole(value: Any) -> int:
    """A stated side in pixels; 0 where there is none."""
    try:
        return round(float(value)) if isinstance(value, (int, float, str)) else 0
    except (ValueError, OverflowError):
        return 0
