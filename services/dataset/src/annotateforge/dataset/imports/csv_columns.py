"""Columns: what each column of a plain CSV table holds, by its header or by its first rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from annotateforge.dataset.imports.csv_tables import TableRow, number
from annotateforge.dataset.imports.label_format import Size
from annotateforge.dataset.imports.tree import IMAGE_EXTENSIONS, extension

_IMAGE = (
    *("filename", "imagename", "imagepath", "image", "imagefilename", "imagefile", "file", "filepath"),
    *("imgname", "imgpath", "img", "imageid", "path", "imageuri", "fileid"),
)
_LABEL = ("class", "label", "labelname", "classname", "category", "categoryname", "species", "objectclass")
_BOX: tuple[tuple[tuple[str, str, str, str], Literal["corners", "sides", "centre"]], ...] = (
    (("xmin", "ymin", "xmax", "ymax"), "corners"),
    (("x1", "y1", "x2", "y2"), "corners"),
    (("left", "top", "right", "bottom"), "corners"),
    (("bboxx1", "bboxy1", "bboxx2", "bboxy2"), "corners"),
    (("x1", "y1", "w", "h"), "sides"),
    (("x1", "y1", "width", "height"), "sides"),
    (("xmin", "ymin", "width", "height"), "sides"),
    (("xmin", "ymin", "w", "h"), "sides"),
    (("bboxx", "bboxy", "bboxwidth", "bboxheight"), "sides"),
    (("bboxx", "bboxy", "bboxw", "bboxh"), "sides"),
    (("left", "top", "width", "height"), "sides"),
    (("xcenter", "ycenter", "width", "height"), "centre"),
    (("cx", "cy", "w", "h"), "centre"),
    (("x", "y", "width", "height"), "sides"),
    (("x", "y", "w", "h"), "sides"),
)
_ONE_BOX = ("bbox", "box", "boundingbox")
_GEOMETRY = ("geometry", "wkt", "polygon")
_SCORE = ("score", "confidence", "probability")
_SIZES = (("width", "height"), ("imagewidth", "imageheight"), ("imgwidth", "imgheight"))
_NO_LABEL = frozenset(
    (*_SCORE, "depth", "split", "set", "source", "id", "difficult", "truncated", "occluded", "pose", "x", "y")
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Positions of columns from 0; None, or an empty tuple, where a table has none."""

    header: bool
    image: int
    label: int | None = None
    box: tuple[int, ...] = ()
    form: Literal["corners", "sides", "centre"] = "corners"
    """What the four columns of a box are: two corners; upper left corner, width, height; or centre, width,
    height.
    """
    one_box: int | None = None
    geometry: int | None = None
    score: int | None = None
    sides: tuple[int, ...] = ()
    """Width and height of the image."""
    flags: tuple[tuple[int, str], ...] = ()
    """For a table of flags, position and name of each class."""

    @property
    def has_shapes(self) -> bool:
        """Whether rows are objects, not images."""
        return bool(self.box) or self.one_box is not None or self.geometry is not None

    def text(self, fields: list[str], at: int | None) -> str:
        """A field; empty where the row is too short."""
        return fields[at] if at is not None and at < len(fields) else ""

    def is_empty(self, fields: list[str]) -> bool:
        """Whether a row names an image alone: it is there, and nothing is to be seen on it."""
        places = (*self.box, self.one_box, self.geometry, self.label)
        return not any(self.text(fields, at) for at in places)

    def size(self, fields: list[str]) -> Size | None:
        """The size that a row states for its image."""
        width, height = (number(self.text(fields, at)) for at in self.sides or (None, None))
        if width is None or height is None or not (1 <= width < 1e9 and 1 <= height < 1e9):
            return None
        return Size(round(width), round(height))

    def image_labels(self, fields: list[str]) -> Iterator[str]:
        """The classes that a row gives to its image."""
        if label := self.text(fields, self.label):
            yield label
        for at, name in self.flags:
            if number(self.text(fields, at)) == 1:
                yield name


def columns_of(first: list[TableRow]) -> Columns | None:
    """The columns of a table by its first rows; None where it is no table of labels."""
    if not first:
        return None
    names = {_plain(name): at for at, name in reversed(list(enumerate(first[0].fields)))}
    image = _first(names, _IMAGE)
    if image is None:
        return _without_header(first)
    if "imageid" in names and "labelname" in names:
        return None  # Open Images
    box, form = next(
        ((tuple(names[name] for name in group), form) for group, form in _BOX if set(group) <= names.keys()),
        ((), "corners"),
    )
    one_box = None if box else _first(names, _ONE_BOX)
    geometry, score = _first(names, _GEOMETRY), _first(names, _SCORE)
    sides = next(
        (
            (names[width], names[height])
            for width, height in _SIZES
            if {width, height} <= names.keys() and names[width] not in box
        ),
        (),
    )
    label = _first(names, _LABEL)
    taken = {image, one_box, geometry, score, *box, *sides}
    others = [at for name, at in names.items() if at not in taken and name not in _NO_LABEL]
    shapes = bool(box) or one_box is not None or geometry is not None
    if label is None and shapes and len(others) == 1:
        label = others[0]
    flags: tuple[tuple[int, str], ...] = ()
    if label is None and not shapes:
        if not others or not _are_flags(first[1:], others):
            return None
        flags = tuple((at, first[0].fields[at]) for at in sorted(others))
    if shapes and not (box or one_box is not None) and geometry is None:
        return None
    return Columns(True, image, label, box, form, one_box, geometry, score, sides, flags)


def _without_header(first: list[TableRow]) -> Columns | None:
    """keras-retinanet's path,x1,y1,x2,y2,class, or path,class,x1,y1,x2,y2."""
    if not all(len(row.fields) == 6 and extension(row.fields[0]) in IMAGE_EXTENSIONS for row in first):
        return None
    for label, box in ((5, (1, 2, 3, 4)), (1, (2, 3, 4, 5))):
        if all(
            all(row.fields[at] == "" or number(row.fields[at]) is not None for at in box) for row in first
        ):
            return Columns(header=False, image=0, label=label, box=box)
    return None


def _are_flags(rows: list[TableRow], places: list[int]) -> bool:
    fields = [row.fields[at] for row in rows for at in places if at < len(row.fields)]
    return bool(fields) and all(number(text) in (0, 1) for text in fields)


def _first(names: dict[str, int], wanted: tuple[str, ...]) -> int | None:
    return next((names[name] for name in wanted if name in names), None)


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
