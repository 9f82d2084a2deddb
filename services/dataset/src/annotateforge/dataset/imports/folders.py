"""Folders per class, as for classification: every folder is a class, with or without train, val and test
above.
"""

from collections.abc import Iterator, Mapping, Sequence

from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree, folders

_SPLITS = frozenset(("train", "training", "val", "valid", "validation", "test", "testing", "eval"))
_COLLECTIONS = frozenset(
    ("images", "image", "imgs", "img", "jpegimages", "photos", "pictures", "data", "dataset")
)
"""Folders that are no classes, whatever lies in them."""


class Folders(LabelFormat):
    """The class of an image is the name of the folder around it."""

    name = "folders"
    title = "class folders"

    def __init__(self, tree: Tree, report: Report) -> None:
        super().__init__(tree, report)
        self._classes = image_classes([member.name for member in tree.images])

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        classes = [name for name in image_classes([member.name for member in tree.images]).values() if name]
        # One folder of images says nothing about classes; two and more do.
        return len(classes) if len(set(classes)) >= 2 else 0

    def images(self) -> Iterator[tuple[Member, str]]:
        for name in sorted({name for name in self._classes.values() if name}):
            self.report.name_class(name)
        for member in self.tree.images:
            image_class = self._classes[member.name]
            if not image_class:
                self.report.inform(
                    "IMAGE_WITHOUT_CLASS",
                    member.name,
                    "The image lies in no class folder and came in without a class.",
                    "Move it into the folder of its class, or leave it as it is.",
                )
            yield member, image_class

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        return iter(())


def image_classes(paths: Sequence[str]) -> dict[str, str]:
    """The class of each image by its path: the outermost folder below the folders that all share and below
    train, val or test; "" for none.

    A folder called `unlabelled…`, `images` or the like is no class.
    """
    # By folder: there are few of them, and may be hundreds of thousands of images.
    chains = {_folder(path): folders(path) for path in paths}
    shared = _shared_depth(list(chains.values()))
    classes = {folder: _class_of(chain[shared:]) for folder, chain in chains.items()}
    return {path: classes[_folder(path)] for path in paths}


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _class_of(chain: Sequence[str]) -> str:
    for folder in chain:
        lowered = folder.lower()
        if lowered.startswith(("unlabelled", "unlabeled")):
            return ""
        if lowered not in _SPLITS and lowered not in _COLLECTIONS:
            return folder
    return ""


def _shared_depth(chains: Sequence[tuple[str, ...]]) -> int:
    if not chains:
        return 0
    depth = 0
    for level in zip(*chains, strict=False):
        if len(set(level)) > 1:
            break
        depth += 1
    return depth
