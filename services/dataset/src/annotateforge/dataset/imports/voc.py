"""Pascal VOC: one XML file per image, boxes by their corners in pixels.

Coordinates are kept as they are written. The original VOC counted pixels from 1, so that its boxes are one
pixel off the frame used here; the tools that write VOC today (labelImg, CVAT, Roboflow and others) count from
0, nothing in a file tells which it was, and shifting by a pixel what was right would be worse than the pixel.
Source: VOC2012 development kit, section 4.4.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import cos, sin

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.pairing import ImagePaths, pair_by_stem
from annotateforge.dataset.imports.tree import Tree, folders
from annotateforge.dataset.imports.voc_document import VocDocument, VocObject, parse_voc
from annotateforge.dataset.imports.xml_stream import XmlMalformed

SOURCE = "import:voc"
_LARGEST_LABEL_FILE = 8 << 20
_SAMPLED_FILES = 20
_MASK_FOLDERS = frozenset(("segmentationclass", "segmentationobject"))


class Voc(LabelFormat):
    """Pascal VOC annotations, beside the images or apart from them."""

    name = "voc"
    title = "Pascal VOC"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        files = tree.having("xml")
        sampled = files[:: max(1, len(files) // _SAMPLED_FILES)]
        if not any(_is_voc(tree, member) for member in sampled):
            return 0
        return min(len(files), len(tree.images))

    def images(self) -> Iterator[tuple[Member, str]]:
        for member in self.tree.images:
            if not _MASK_FOLDERS.intersection(folder.lower() for folder in folders(member.name)):
                yield member, ""

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        members = self.tree.having("xml")
        images = ImagePaths(member.name for member, _ in self.images())
        pairs = pair_by_stem((member.name for member in members), images)
        unlabelled = set(sizes)
        for member in members:
            document = self._parse(member)
            if document is None:
                continue
            found = (
                pairs[member.name]
                or images.named(document.filename, member.name)
                or images.named(document.path, member.name)
            )
            unlabelled.difference_update(found)
            if len(found) != 1 and not pairs[member.name]:
                self._report_unpaired(member, document.filename or document.path, found)
                continue
            for image in found:
                if image in sizes:
                    self._check_size(member, document, image, sizes[image])
                    yield from self._labels(member, document, image)
        if unlabelled:
            self.report.inform(
                "IMAGES_WITHOUT_LABELS",
                "",
                f"Images without an XML file: {len(unlabelled):,}, such as {min(unlabelled)!r}; they came in"
                " without annotations.",
                "Nothing needs to be done if nothing is to be seen on them.",
            )

    def _parse(self, member: Member) -> VocDocument | None:
        content = self.tree.read(member, _LARGEST_LABEL_FILE)
        if content is None:
            self.report.warn(
                "LABEL_FILE_TOO_LARGE",
                member.name,
                f"The label file has more than {_LARGEST_LABEL_FILE:,} bytes and was left out.",
                "A VOC file describes one image.",
            )
            return None
        try:
            document = parse_voc(content)
        except XmlMalformed as error:
            self.report.warn(
                "LABEL_FILE_MALFORMED", member.name, error.message, "Export the file again.", line=error.line
            )
            return None
        if document is None:
            self.report.inform(
                "LABEL_FILE_IGNORED",
                member.name,
                "It is XML, but no VOC annotation.",
                "Nothing needs to be done.",
            )
        return document

    def _labels(self, member: Member, document: VocDocument, image: str) -> Iterator[Label]:
        for item in document.objects:
            if not item.name:
                self._malformed(member, item, "An object has no name.", "Write its class into <name>.")
                continue
            self.report.name_class(item.name)
            if item.turned and (rectangle := _turned(item.turned)):
                turned = Annotation(AnnotationType.RECTANGLE, rectangle, item.name, None, SOURCE)
                yield Label(image, turned, member.name, item.line)
                continue
            if item.polygon and (polygon := _polygon(item.polygon)):
                outline = Annotation(AnnotationType.POLYGON, polygon, item.name, None, SOURCE)
                yield Label(image, outline, member.name, item.line)
                continue
            corners = _corners(item.box)
            if corners is None:
                self._malformed(
                    member,
                    item,
                    f"The object {item.name!r} has no bndbox of four numbers and was left out.",
                    "Write xmin, ymin, xmax and ymax into <bndbox>; other shapes are not read from VOC.",
                )
                continue
            x1, y1, x2, y2 = corners
            box = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
            yield Label(
                image, Annotation(AnnotationType.BOX, box, item.name, None, SOURCE), member.name, item.line
            )

    def _malformed(self, member: Member, item: VocObject, message: str, hint: str) -> None:
        self.report.warn("LABEL_MALFORMED", member.name, message, hint, line=item.line)

    def _check_size(self, member: Member, document: VocDocument, image: str, size: Size) -> None:
        stated = document.size
        if stated is not None and stated != size and min(stated) > 0:
            self.report.warn(
                "IMAGE_SIZE_DIFFERS",
                member.name,
                f"It states {stated.width} × {stated.height} pixels for {image!r}, whose upright size is"
                f" {size.width} × {size.height}."
                " The coordinates were kept as they are written.",
                "Check that the boxes lie where they should; the image may have been scaled or turned after"
                " it was labelled.",
            )

    def _report_unpaired(self, member: Member, filename: str, found: Sequence[str]) -> None:
        if found:
            self.report.warn(
                "LABEL_AMBIGUOUS",
                member.name,
                f"Several images may be meant, such as {found[0]!r} and {found[1]!r}.",
                "Put the XML file beside its image, or into the parallel folder.",
            )
        else:
            self.report.warn(
                "LABEL_WITHOUT_IMAGE",
                member.name,
                f"The image {filename!r} is not in the archive."
                if filename
                else "There is no image for this file.",
                "Add the image with the same name.",
            )


def _corners(box: Mapping[str, str]) -> tuple[float, ...] | None:
    try:
        return float(box["xmin"]), float(box["ymin"]), float(box["xmax"]), float(box["ymax"])
    except (KeyError, ValueError):
        return None


def _polygon(corners: Mapping[str, str]) -> tuple[float, ...] | None:
    """The corners of a polygon that are numbered from 1 on; None for fewer than three, or LabelMe's."""
    count = len(corners) // 2
    try:
        return (
            count >= 3
            and tuple(float(corners[f"{axis}{number}"]) for number in range(1, count + 1) for axis in "xy")
        ) or None
    except (KeyError, ValueError):
        return None


def _turned(box: Mapping[str, str]) -> tuple[float, ...] | None:
    """The corners of a box given by its centre, its sides and its angle, which roLabelImg counts clockwise in
    radians.
    """
    try:
        x, y, width, height, angle = (float(box[name]) for name in ("cx", "cy", "w", "h", "angle"))
        along = (cos(angle) * width / 2, sin(angle) * width / 2)
        across = (-sin(angle) * height / 2, cos(angle) * height / 2)
    except (KeyError, ValueError):
        return None
    return tuple(
        value
        for one, other in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        for value in (x + one * along[0] + other * across[0], y + one * along[1] + other * across[1])
    )


def _is_voc(tree: Tree, member: Member) -> bool:
    content = tree.read(member, _LARGEST_LABEL_FILE)
    if content is None:
        return False
    try:
        document = parse_voc(content)
    except XmlMalformed:
        return False
    # LabelMe's XML has the same root, and polygons in the place of boxes.
    return document is not None and (
        not document.objects or any(item.box or item.turned for item in document.objects)
    )
