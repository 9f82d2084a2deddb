"""COCO instances: one JSON file for many images, boxes as [x, y, width, height], polygons as flat lists,
masks as run lengths, all in pixels.

Source: cocodataset.org/#format-data. Files are read element by element, so their size does not matter.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from annotateforge.dataset.imports.coco_file import CocoFile
from annotateforge.dataset.imports.json_stream import JsonMalformed, array_elements
from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.pairing import ImagePaths
from annotateforge.dataset.imports.repeats import unrepeated
from annotateforge.dataset.imports.tree import Tree, folders

_HEAD_BYTES = 1 << 16
_NO_INSTANCES = ("captions_", "image_info_", "panoptic_", "stuff_")


class Coco(LabelFormat):
    """COCO instances in one or several JSON files."""

    name = "coco"
    title = "COCO"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        described = sum(
            _described_images(tree, member) for member in tree.having("json") if _is_coco(tree, member)
        )
        return min(described, len(tree.images))

    def images(self) -> Iterator[tuple[Member, str]]:
        # The masks of panoptic_train.json lie as PNGs in a folder of that name.
        mask_folders = {
            PurePosixPath(member.name).stem
            for member in self.tree.having("json")
            if "panoptic" in member.name
        }
        for member in self.tree.images:
            if not mask_folders.intersection(folders(member.name)):
                yield member, ""

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        paths = ImagePaths(member.name for member in self.tree.images)
        described: set[str] = set()
        members = self._files()
        seen: set[int] = set()
        for member in members:
            file = CocoFile(member, self.tree, self.report, paths, sizes, described)
            try:
                yield from (
                    unrepeated(self.report, member, file.labels(), seen, digits=1, kind="file")
                    if len(members) > 1
                    else file.labels()
                )
            except JsonMalformed as error:
                self.report.warn(
                    "LABEL_FILE_MALFORMED",
                    member.name,
                    f"{error.message} Annotations from this place on were left out.",
                    "Export the file again.",
                    line=error.line,
                )
        undescribed = sizes.keys() - described
        if undescribed:
            self.report.inform(
                "IMAGES_WITHOUT_LABELS",
                "",
                f"Images of which no COCO file speaks: {len(undescribed):,}, such as {min(undescribed)!r};"
                " they"
                " came in without annotations.",
                "Nothing needs to be done if nothing is to be seen on them.",
            )

    def _files(self) -> list[Member]:
        """The files that describe instances. Key points repeat the boxes of the instances beside them."""
        found = [member for member in self.tree.having("json") if _is_coco(self.tree, member)]
        names = {member.name for member in found}
        used = []
        for member in found:
            folder, _, name = member.name.rpartition("/")
            twin = f"{folder}/{name}".lstrip("/").replace("person_keypoints_", "instances_")
            if name.startswith(_NO_INSTANCES) or (name.startswith("person_keypoints_") and twin in names):
                self.report.inform(
                    "LABEL_FILE_IGNORED",
                    member.name,
                    "It describes no instances, or the same ones as the instances file beside it.",
                    "Nothing needs to be done.",
                )
            else:
                used.append(member)
        return used


def _is_coco(tree: Tree, member: Member) -> bool:
    """Whether a JSON file is one of COCO's: an object with the arrays `images` and `annotations`, in any
    order.
    """
    head = tree.head(member, _HEAD_BYTES)
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return False
    if b'"shapes"' in head and b'"images"' not in head:
        return False
    keys = {"images": False, "annotations": False}
    try:
        for element in array_elements(tree.blocks(member)):
            if element.key == "images" and isinstance(element.value, dict):
                keys["images"] = "file_name" in element.value
            elif element.key == "annotations" and isinstance(element.value, dict):
                keys["annotations"] = "image_id" in element.value
            if keys["images"] or keys["annotations"]:
                return True
    except JsonMalformed:
        return False
    return False


def _described_images(tree: Tree, member: Member) -> int:
    """How many images a COCO file lists; 1 where it breaks off before them."""
    count = 0
    try:
        for element in array_elements(tree.blocks(member)):
            if element.key == "images":
                count += 1
            elif count:
                break
    except JsonMalformed:
        pass
    return max(count, 1)
