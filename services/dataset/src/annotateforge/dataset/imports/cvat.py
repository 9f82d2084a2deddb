"""CVAT for images 1.1: one XML file for many images, shapes in pixels.

Source: docs.cvat.ai, "CVAT for image: import/export of annotations". Boxes and ellipses are turned clockwise
around their centres, in degrees.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from annotateforge.dataset.imports.drawn import (
    KindRefused,
    Shape,
    box,
    ellipse,
    number,
    points_of_text,
    polygon,
    turned_box,
)
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.reading import Place, Reading
from annotateforge.dataset.imports.tree import Tree
from annotateforge.dataset.imports.xml_stream import XmlEvent, XmlMalformed, usual_root, xml_events

_LOOKED_AT_BYTES = 128
_LOOKED_AT_EVENTS = 20
_WITHOUT_AREA = {
    "points": "sets of points",
    "polyline": "polylines",
    "cuboid": "cuboids",
    "skeleton": "skeletons",
}


class Cvat(LabelFormat):
    """CVAT's XML for images."""

    name = "cvat"
    title = "CVAT for images"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        files = _files(tree)
        described = 0
        for member in files:
            # What it says before it breaks off is read all the same.
            with suppress(XmlMalformed):
                for event in xml_events(tree.blocks(member)):
                    described += _begins_image(event)
        return min(max(len(files), described), len(tree.images))

    def images(self) -> Iterator[tuple[Member, str]]:
        classes: dict[str, str] = {}
        reading = self._reading({})
        for member in _files(self.tree):
            image = ""
            try:
                for event in xml_events(self.tree.blocks(member)):
                    if _begins_image(event):
                        found = reading.match([event.attributes.get("name", "")], member.name)
                        image = found[0] if len(found) == 1 else ""
                    elif not event.ends and event.path == ("annotations", "image", "tag") and image:
                        name = event.attributes.get("label", "").strip()
                        if classes.setdefault(image, name) != name:
                            reading.warn(
                                "IMAGE_CLASS_AMBIGUOUS",
                                Place(member.name, event.line),
                                f"{image!r} has several tags; the first, {classes[image]!r}, was taken for"
                                " its class.",
                                "Leave one tag.",
                            )
            except XmlMalformed:
                # It is reported where the shapes are read.
                pass
        for name in dict.fromkeys(classes.values()):
            self.report.name_class(name)
        for member in self.tree.images:
            yield member, classes.get(member.name, "")

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        reading = self._reading(sizes)
        files = _files(self.tree)
        for member in files:
            try:
                yield from self._labels(member, reading)
            except XmlMalformed as error:
                reading.broken(member, error.message, error.line)
        ours = {member.name for member in files}
        reading.pass_over(member for member in self.tree.having("xml") if member.name not in ours)
        reading.finish()

    def _labels(self, member: Member, reading: Reading) -> Iterator[Label]:
        image: str | None = None
        for event in xml_events(self.tree.blocks(member)):
            place = Place(member.name, event.line)
            match event.path[1:]:
                case ("meta", _, "labels", "label", "name") if event.ends:
                    self.report.name_class(event.text)
                case ("image",) if not event.ends:
                    image = reading.image([event.attributes.get("name", "")], place)
                    if image is not None:
                        width, height = event.attributes.get("width"), event.attributes.get("height")
                        reading.check_size(image, width, height, place)
                case ("image", "tag"):
                    continue
                case ("image", _) if not event.ends and image is not None:
                    yield from reading.label(image, event.attributes.get("label"), place, _shape, event)
                case ("track",) if not event.ends:
                    reading.leave_out("tracks of a video", place, "a video")

    def _reading(self, sizes: Mapping[str, Size]) -> Reading:
        images = (member.name for member in self.tree.images)
        return Reading(self.tree, self.report, sizes, "import:cvat", images)


def _shape(event: XmlEvent) -> Shape:
    written = event.attributes
    kind = event.path[-1]
    if kind in _WITHOUT_AREA:
        raise KindRefused(_WITHOUT_AREA[kind])
    match kind:
        case "box":
            left, top, right, bottom = _numbers(written, "xtl", "ytl", "xbr", "ybr")
            centre = ((left + right) / 2, (top + bottom) / 2)
            degrees = number(written.get("rotation") or 0, "rotation")
            return turned_box(left, top, right - left, bottom - top, degrees, centre)
        case "polygon":
            return polygon(points_of_text(written.get("points", "")))
        case "ellipse":
            x, y, radius_x, radius_y = _numbers(written, "cx", "cy", "rx", "ry")
            return ellipse(x, y, radius_x, radius_y, number(written.get("rotation") or 0, "rotation"))
        case "mask":
            left, top, width, height = _numbers(written, "left", "top", "width", "height")
            return box((left, top), (left + width, top + height), of_mask=True)
    raise KindRefused(f"shapes of the kind {kind[:100]!r}")


def _numbers(written: Mapping[str, str], *names: str) -> list[float]:
    return [number(written.get(name), name) for name in names]


def _files(tree: Tree) -> list[Member]:
    return [member for member in tree.having("xml") if _is_cvat(tree, member)]


def _begins_image(event: XmlEvent) -> bool:
    return not event.ends and event.path == ("annotations", "image")


def _is_cvat(tree: Tree, member: Member) -> bool:
    # There may be a hundred thousand files of other tools.
    if usual_root(tree.head(member, _LOOKED_AT_BYTES)) not in (None, "annotations"):
        return False
    events = xml_events(tree.blocks(member), at_a_glance=True)
    try:
        for _, event in zip(range(_LOOKED_AT_EVENTS), events, strict=False):
            match event.path:
                case ("annotations", "meta" | "image" | "track", *_):
                    return True
                case ("annotations",) | ("annotations", "version"):
                    continue
            return False
    except XmlMalformed:
        pass
    return False
