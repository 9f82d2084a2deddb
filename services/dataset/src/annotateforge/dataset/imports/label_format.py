"""The interface of a label format. A new format is one new module with one such class, and one line in the
registry.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

from annotateforge.dataset.annotations import Annotation
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree


class Size(NamedTuple):
    """Width and height of an upright image in pixels."""

    width: int
    height: int


class Label(NamedTuple):
    """One annotation and where it was written."""

    image: str
    """Path of its image in the archive."""
    annotation: Annotation
    """Coordinates in pixels of the upright image; not checked yet."""
    file: str
    line: int
    """From 1; 0 where the format has no lines."""
    path: str = ""
    """Where in the file, such as `shapes[3]`; empty where the line says it."""


class LabelFormat(ABC):
    """Reads the labels of one archive. All methods block: call them in a worker thread, one at a time.

    Trouble with a single file or line goes to the report and the rest is read. What makes the whole archive
    unusable is raised as a DomainError.
    """

    name: ClassVar[str]
    """How requests and reports call the format."""
    title: ClassVar[str]
    """How people call it."""

    def __init__(self, tree: Tree, report: Report) -> None:
        self.tree = tree
        self.report = report

    @classmethod
    @abstractmethod
    def labelled_images(cls, tree: Tree) -> int:
        """About how many images of the archive this format would label, from names and a look into a few
        files; 0: it is another format.
        """

    def images(self) -> Iterator[tuple[Member, str]]:
        """The image files that belong into the project, each with its image class ("" for none)."""
        for member in self.tree.images:
            yield member, ""

    @abstractmethod
    def labels(self, sizes: Mapping[str, Size]) -> Iterator[Label]:
        """The annotations of the images that are being added, whose upright sizes are given; an image's
        annotations in the order of the source.
        """
