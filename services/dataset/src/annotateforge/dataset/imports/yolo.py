"""YOLO labels: one text file per image, one object per line, coordinates as shares of the upright image's
width and height.

A line is `class x y width height` (a box by its centre), with a confidence behind it in predictions, or
`class x1 y1 x2 y2 x3 y3 …` (a polygon); both may stand in one file. Sources:
docs.ultralytics.com/datasets/detect and …/segment; ultralytics' verify_image_label, which also fixes the
tolerance of 0.01 around 0 to 1; AlexeyAB/darknet.
"""

from array import array
from collections.abc import Iterator, Mapping
from math import isfinite

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.imports.folders import Folders
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.pairing import ImagePaths, pair_by_stem
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import IMAGE_EXTENSIONS, Tree, extension, stem
from annotateforge.dataset.imports.yolo_classes import (
    NAME_LISTS,
    ClassNames,
    class_names_for,
    find_class_names,
)

SOURCE = "import:yolo"
_LARGEST_LABEL_FILE = 16 << 20
_SAMPLED_FILES = 20
_TOLERANCE = 0.01
_LISTS_OF_IMAGES = frozenset(
    (
        *("train", "val", "valid", "validation", "test", "trainval"),
        *("autosplit_train", "autosplit_val", "autosplit_test"),
    )
)
_LARGEST_LIST = 64 << 20


class LineMalformed(Exception):
    """A line is no label: a reason, what is wrong, what to do."""

    def __init__(self, reason: str, message: str, hint: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.hint = hint


class Yolo(LabelFormat):
    """YOLO detection and segmentation labels in any of the usual layouts."""

    name = "yolo"
    title = "YOLO"

    def __init__(self, tree: Tree, report: Report) -> None:
        super().__init__(tree, report)
        self._class_names_missed = False
        self._class_names = find_class_names(tree, report)
        for names in self._class_names:
            for label in names.names.values():
                report.name_class(label)

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        pairs = pair_by_stem(_label_files(tree), _paths(tree))
        count = sum(map(len, pairs.values()))
        members = tree.having("txt")
        filled = array("L")
        filled.extend(at for at, each in enumerate(members) if each.size > 0 and pairs.get(each.name))
        sampled = [members[at] for at in filled[:: max(1, len(filled) // _SAMPLED_FILES)]]
        if sampled:
            # A file that somebody spoilt is reported when it is read, and does not hide the others.
            fitting = sum(_looks_like_labels(tree.head(member, 4096)) for member in sampled)
            return count if 2 * fitting > len(sampled) else 0
        if not filled and not count and Folders.labelled_images(tree):
            # YOLO classify: the data.yaml beside folders per class only repeats their names.
            return 0
        # All background, or label files missing: a data.yaml still says what it is.
        return (
            1
            if tree.images
            and any(names.file.endswith((".yaml", ".yml")) for names in find_class_names(tree, Report()))
            else 0
        )

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        images_there = _paths(self.tree)
        self._check_lists(images_there)
        pairs = pair_by_stem(_label_files(self.tree), images_there)
        del images_there
        unlabelled = set(sizes).difference(*pairs.values())
        for member in self.tree.having("txt"):
            if member.name not in pairs:
                continue
            if not pairs[member.name]:
                if member.size > 0 and _looks_like_labels(self.tree.head(member, 4096)):
                    self.report.warn(
                        "LABEL_WITHOUT_IMAGE",
                        member.name,
                        "There is no image for this label file, or it is not clear which.",
                        "Add the image with the same name, in the same or the parallel folder (images/… for"
                        " labels/…).",
                    )
                continue
            images = [image for image in pairs[member.name] if image in sizes]
            if images:
                yield from self._read(member, {image: sizes[image] for image in images})
        if unlabelled:
            self.report.inform(
                "IMAGES_WITHOUT_LABELS",
                "",
                f"Images without a label file: {len(unlabelled):,}, such as {min(unlabelled)!r}; they came in"
                " without annotations.",
                "Nothing needs to be done if nothing is to be seen on them.",
            )

    def _check_lists(self, images_there: ImagePaths) -> None:
        """Report what train.txt and the like name and the archive lacks. Their paths are those of another
        machine, so that the ends of them count.
        """
        for member in self.tree.having("txt"):
            if not _is_list_of_images(self.tree, member):
                continue
            content = self.tree.read(member, _LARGEST_LIST) or b""
            for number, text in enumerate(
                content.decode("utf-8-sig", errors="replace").splitlines(), start=1
            ):
                name = text.strip()
                if name and not images_there.named(name, member.name):
                    self.report.warn(
                        "IMAGE_MISSING",
                        member.name,
                        f"The image {name[:300]!r} is not in the archive.",
                        "Add the image, or take it from the list.",
                        line=number,
                    )

    def _read(self, member: Member, images: Mapping[str, Size]) -> Iterator[Label]:
        content = self.tree.read(member, _LARGEST_LABEL_FILE)
        if content is None:
            self.report.warn(
                "LABEL_FILE_TOO_LARGE",
                member.name,
                f"The label file has more than {_LARGEST_LABEL_FILE:,} bytes and was left out.",
                "A label file holds one line per object of one image.",
            )
            return
        names = class_names_for(member.name, self._class_names)
        for number, text in enumerate(content.decode("utf-8-sig", errors="replace").splitlines(), start=1):
            fields = text.split()
            if not fields:
                continue
            try:
                class_id, numbers = parse_fields(
                    fields, has_keypoints=names is not None and names.has_keypoints
                )
                label = self._class_label(class_id, names)
            except LineMalformed as wrong:
                self.report.warn(wrong.reason, member.name, wrong.message, wrong.hint, line=number)
                continue
            for image, size in images.items():
                yield Label(image, in_pixels(numbers, size, label), member.name, number)

    def _class_label(self, class_id: int, names: ClassNames | None) -> str:
        if names is None:
            if not self._class_names_missed:
                self._class_names_missed = True
                self.report.inform(
                    "CLASS_NAMES_MISSING",
                    "",
                    "No file names the classes, so they are called by their numbers.",
                    "Add data.yaml with names, or classes.txt with one name per line.",
                )
            self.report.name_class(str(class_id))
            return str(class_id)
        if class_id not in names.names:
            raise LineMalformed(
                "CLASS_OUT_OF_RANGE",
                f"The class {class_id} is not among the {len(names.names)} that {names.file} names.",
                "Correct the class id, or name the class there.",
            )
        return names.names[class_id]


def parse_fields(fields: list[str], *, has_keypoints: bool = False) -> tuple[int, tuple[float, ...]]:
    """The class id and the numbers of a label line: 4 (box), 5 (box and confidence), or 6 and more (polygon).

    Raises LineMalformed. Key points are cut off, so that the box is left.
    """
    try:
        class_number, *numbers = map(float, fields)
    except ValueError:
        raise _malformed("It holds something that is not a number.") from None
    if not (class_number >= 0 and class_number.is_integer()):
        raise _malformed(f"The class {fields[0]} is not a whole number from 0.")
    if has_keypoints:
        numbers = numbers[:4]
    if not isfinite(sum(numbers)):
        raise _malformed("It holds a number that is not finite.")
    if len(numbers) < 4:
        raise _malformed(f"It has {len(fields)} numbers; a box has 5, a polygon 7 or more.")
    if len(numbers) > 5 and len(numbers) % 2:
        raise _malformed(
            f"It has {len(fields)} numbers; a polygon has an odd count: the class, then x and y of every"
            " corner."
        )
    coordinates = numbers[:4] if len(numbers) == 5 else numbers
    if min(numbers) < -_TOLERANCE or max(numbers) > 1 + _TOLERANCE:
        raise LineMalformed(
            "COORDINATES_NOT_NORMALIZED",
            f"The number {max(coordinates, key=abs):g} is not within 0 to 1.",
            "YOLO coordinates are shares of the image's width and height; divide pixels by them.",
        )
    if len(numbers) == 5:
        coordinates.append(min(1.0, max(0.0, numbers[4])))
    return int(class_number), tuple(coordinates)


def _malformed(message: str) -> LineMalformed:
    return LineMalformed(
        "LABEL_MALFORMED", message, "A line is: class x y width height, or: class x1 y1 x2 y2 x3 y3 …"
    )


def in_pixels(numbers: tuple[float, ...], size: Size, label: str) -> Annotation:
    """The annotation of a line whose numbers `parse_fields` gave, on an image of this upright size."""
    width, height = size
    if len(numbers) in (4, 5):
        x, y, w, h = numbers[:4]
        coordinates = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        confidence = numbers[4] if len(numbers) == 5 else None
        return Annotation(AnnotationType.BOX, coordinates, label, confidence, SOURCE)
    corners = tuple(value * (height if index % 2 else width) for index, value in enumerate(numbers))
    return Annotation(AnnotationType.POLYGON, corners, label, None, SOURCE)


def _label_files(tree: Tree) -> list[str]:
    return [
        member.name
        for member in tree.having("txt")
        if member.name.rsplit("/", 1)[-1].lower() not in NAME_LISTS and not _is_list_of_images(tree, member)
    ]


def _is_list_of_images(tree: Tree, member: Member) -> bool:
    """Whether it is darknet's train.txt or the like, and not the labels of an image called train.jpg."""
    if stem(member.name).lower() not in _LISTS_OF_IMAGES:
        return False
    lines = tree.head(member, 4096).decode("utf-8-sig", errors="replace").split("\n")
    first = next((line.strip() for line in lines if line.strip()), "")
    return extension(first.replace("\\", "/")) in IMAGE_EXTENSIONS


def _paths(tree: Tree) -> ImagePaths:
    return ImagePaths(member.name for member in tree.images)


def _looks_like_labels(head: bytes) -> bool:
    for line in head.decode("utf-8-sig", errors="replace").splitlines():
        fields = line.split()
        if not fields:
            continue
        try:
            numbers = [float(field) for field in fields]
        except ValueError:
            return False
        return len(numbers) >= 5
    return True
