"""LabelMe XML: what the web tool of the MIT wrote before there was LabelMe's JSON. One file per image,
polygons by their points in pixels.

Source: B. Russell et al., "LabelMe: a database and web-based tool for image annotation", 2008, and the
annotations of labelme.csail.mit.edu.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from annotateforge.dataset.annotations import MOST_POINTS
from annotateforge.dataset.imports.drawn import Shape, ShapeRefused, box, four_corners, number, polygon
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.reading import Place, Reading
from annotateforge.dataset.imports.tree import Tree, folders
from annotateforge.dataset.imports.xml_stream import XmlEvent, XmlMalformed, xml_events

_SAMPLED_FILES = 20
_LOOKED_AT_EVENTS = 2000
_MASK_FOLDERS = frozenset(("masks", "scribbles"))


@dataclass(slots=True)
class _Object:
    """An object as it is written."""

    line: int
    name: str = ""
    is_deleted: bool = False
    is_box: bool = False
    points: list[dict[str, str]] = field(default_factory=list)
    mask_box: dict[str, str] = field(default_factory=dict)


class LabelMeXml(LabelFormat):
    """XML files of LabelMe's web tool."""

    name = "labelme_xml"
    title = "LabelMe XML"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        files = tree.having("xml")
        sampled = files[:: max(1, len(files) // _SAMPLED_FILES)]
        like = sum(_is_labelme(tree, member) for member in sampled)
        return min(-(-like * len(files) // max(1, len(sampled))), len(tree.images))

    def images(self) -> Iterator[tuple[Member, str]]:
        for member in self.tree.images:
            if not _MASK_FOLDERS.intersection(folder.lower() for folder in folders(member.name)):
                yield member, ""

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        images = (member.name for member, _ in self.images())
        reading = Reading(self.tree, self.report, sizes, "import:labelme_xml", images)
        for member in self.tree.having("xml"):
            try:
                yield from _File(member, reading).labels(xml_events(self.tree.blocks(member)))
            except XmlMalformed as error:
                reading.broken(member, error.message, error.line)
        reading.finish()


class _File:
    """One file, whose image is looked for when its first object has been read."""

    def __init__(self, member: Member, reading: Reading) -> None:
        self._place = Place(member.name)
        self._reading = reading
        self._filename = ""
        self._image: str | None = None
        self._has_looked = False

    def labels(self, events: Iterator[XmlEvent]) -> Iterator[Label]:
        item = _Object(0)
        size: dict[str, str] = {}
        for event in events:
            if event.path[0] != "annotation":
                self._reading.inform(
                    "LABEL_FILE_IGNORED",
                    self._place,
                    "It is XML, but no annotation of LabelMe.",
                    "Nothing needs to be done.",
                )
                return
            if not event.ends:
                match event.path[1:]:
                    case ["object"]:
                        item = _Object(event.line)
                    case ["object", "polygon", "pt"] if len(item.points) <= MOST_POINTS:
                        item.points.append({})
                continue
            match event.path[1:]:
                case ["filename"]:
                    self._filename = event.text
                case ["imagesize", side]:
                    size[side] = event.text
                case ["object", *below]:
                    _take(item, below, event.text)
                    if not below:
                        yield from self._label(item)
        image = self._found()
        if image is not None:
            self._reading.check_size(image, size.get("ncols"), size.get("nrows"), self._place)

    def _label(self, item: _Object) -> Iterator[Label]:
        image = self._found()
        if image is None:
            return
        place = self._place._replace(line=item.line)
        if item.is_deleted:
            self._reading.leave_out("objects that are marked as deleted", place, image)
            return
        yield from self._reading.label(image, item.name, place, _shape, item)

    def _found(self) -> str | None:
        if not self._has_looked:
            self._has_looked = True
            references = [name for name in (self._filename, self._place.file) if name]
            self._image = self._reading.image(references, self._place)
        return self._image


def _take(item: _Object, below: list[str], text: str) -> None:
    """Take what an element below `object` says."""
    match below:
        case ["name"]:
            item.name = text
        case ["deleted"]:
            item.is_deleted = text == "1"
        case ["type"]:
            item.is_box = text == "bounding_box"
        case ["polygon", "pt", "x" | "y" as axis] if item.points:
            item.points[-1][axis] = text
        case ["segm", "box", side]:
            item.mask_box[side] = text


def _shape(item: _Object) -> Shape:
    if item.points:
        points = [(number(point.get("x"), "x"), number(point.get("y"), "y")) for point in item.points]
        return four_corners(points) if item.is_box and len(points) == 4 else polygon(points)
    if item.mask_box:
        left, top, right, bottom = (
            number(item.mask_box.get(side), side) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        return box((left, top), (right, bottom), of_mask=True)
    raise ShapeRefused("An object has neither a polygon nor a mask.")


def _is_labelme(tree: Tree, member: Member) -> bool:
    events = xml_events(tree.blocks(member), at_a_glance=True)
    try:
        for _, event in zip(range(_LOOKED_AT_EVENTS), events, strict=False):
            match event.path:
                case ["annotation", "object", "polygon", "pt"] | ["annotation", "object", "segm"]:
                    return True
                case ["annotation", *_]:
                    continue
            return False
    except XmlMalformed:
        pass
    return False
