"""Plain images without labels."""

from collections.abc import Iterator, Mapping

from annotateforge.dataset.imports.label_format import Label, LabelFormat, Size
from annotateforge.dataset.imports.tree import Tree


class PlainImages(LabelFormat):
    """Takes every image as it is, to be labelled later."""

    name = "images"
    title = "images without labels"

    @classmethod
    def labelled_images(cls, tree: Tree) -> int:
        return 0

    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        return iter(())
