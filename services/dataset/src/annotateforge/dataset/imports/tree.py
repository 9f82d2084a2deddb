"""The files of an archive as importers see them: without what file managers leave behind, images told from
the rest.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import PurePosixPath

from annotateforge.dataset.imports.containers import Container, Member

IMAGE_EXTENSIONS = frozenset(
    # Those that are taken, and those whose owner is told that they are not.
    [
        "jpg",
        "jpeg",
        "jpe",
        "jfif",
        "png",
        "bmp",
        "dib",
        "tif",
        "tiff",
        "webp",
        "mpo",
        "gif",
        "heic",
        "heif",
        "avif",
        "jp2",
        "j2k",
        "jxl",
        "psd",
        "dcm",
        "ico",
        "svg",
        "pnm",
        "pgm",
        "ppm",
        "dng",
        "cr2",
        "nef",
        "arw",
    ]
)
_LEFT_BEHIND = frozenset(("__macosx", "thumbs.db", "desktop.ini"))


class Tree:
    """The files of one archive. Reading blocks; one thread at a time."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self.members: Sequence[Member] = [
            member for member in container.members if not _is_left_behind(member.name)
        ]
        self._by_extension: dict[str, list[Member]] = defaultdict(list)
        for member in self.members:
            self._by_extension[extension(member.name)].append(member)

    @cached_property
    def images(self) -> Sequence[Member]:
        """Files whose extension is that of an image, in the order of the archive."""
        return [member for member in self.members if extension(member.name) in IMAGE_EXTENSIONS]

    def having(self, *extensions: str) -> list[Member]:
        """Files with one of these extensions (lower case, no dot), by path."""
        found = [member for wanted in extensions for member in self._by_extension.get(wanted, ())]
        return sorted(found, key=lambda member: member.name)

    def read(self, member: Member, most_bytes: int) -> bytes | None:
        """All bytes of a file; None when there are more than `most_bytes`. Raises as Container.blocks
        does.
        """
        return self._container.read(member, most_bytes)

    def blocks(self, member: Member) -> Iterator[bytes]:
        """The bytes of a file in blocks. Raises as Container.blocks does."""
        return self._container.blocks(member)

    def head(self, member: Member, count: int) -> bytes:
        """The first bytes of a file, about `count` of them."""
        content = b""
        for block in self.blocks(member):
            content += block
            if len(content) >= count:
                break
        return content


def extension(path: str) -> str:
    """The extension of a path, lower case, without its dot; empty when it has none."""
    return PurePosixPath(path).suffix[1:].lower()


def stem(path: str) -> str:
    """The file name without folders and extension."""
    return PurePosixPath(path).stem


def folders(path: str) -> tuple[str, ...]:
    """The folders of a path from the outermost on."""
    return tuple(path.split("/")[:-1])


def _is_left_behind(path: str) -> bool:
    """Whether a file manager or an editor left it: `__MACOSX/`, `.DS_Store`, `._photo.jpg`,
    `.ipynb_checkpoints/`.
    """
    return any(part.startswith(".") or part.lower() in _LEFT_BEHIND for part in path.split("/"))
