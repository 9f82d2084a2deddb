"""The files of an archive as importers see them: without what file managers leave behind, images told from
the rest.
"""

import sys
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain
from math import ceil

from annotateforge.dataset.imports.containers import Container
from annotateforge.dataset.imports.json_outline import HEAD_BYTES, Outline, outline
from annotateforge.dataset.imports.members import Member, Members

KEPT_EXTENSIONS = frozenset(
    ("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "tif", "tiff", "webp", "mpo"),
)
"""Extensions of images that are kept as they are."""
IMAGE_EXTENSIONS = KEPT_EXTENSIONS.union(
    # Those that are converted, and those whose owner is told that they are not taken.
    ("gif", "heic", "heif", "hif", "avif", "jp2", "j2k", "jxl", "psd", "dcm", "ico", "svg"),
    ("pnm", "pgm", "ppm", "dng", "cr2", "nef", "arw"),
)
_SAMPLED_PER_FOLDER = 20
_MOST_SAMPLED = 500
_LEFT_BEHIND = frozenset(("__macosx", "thumbs.db", "desktop.ini"))


class Tree:
    """The files of one archive. Reading blocks; one thread at a time."""

    def __init__(self, container: Container) -> None:
        self._container = container
        names = list(container.members.names())
        kept = [row for row, name in enumerate(names) if not _is_left_behind(name)]
        self.members = container.members.rows(kept)
        self._by_extension: dict[str, array[int]] = defaultdict(lambda: array("L"))
        for row in kept:
            self._by_extension[sys.intern(extension(names[row]))].append(row)
        self._outlines: dict[str, Outline] = {}

    @cached_property
    def images(self) -> Members:
        """Files whose extension is that of an image, in the order of the archive."""
        return self._container.members.rows(sorted(self._rows_having(IMAGE_EXTENSIONS)))

    def having(self, *extensions: str) -> Members:
        """Files with one of these extensions (lower case, no dot), by path."""
        return self._container.members.rows(self._rows_having(extensions)).sorted()

    def _rows_having(self, extensions: Iterable[str]) -> Iterator[int]:
        return chain.from_iterable(self._by_extension.get(wanted, ()) for wanted in extensions)

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

    def json_files(self, is_kind: Callable[[Outline], bool], *more: str) -> Iterator[Member]:
        """The JSON files of one kind, by path; `more` are extensions that it has besides `json`."""
        return (member for member in self.having("json", *more) if is_kind(self._outline(member)))

    def count_json_files(self, is_kind: Callable[[Outline], bool], *more: str) -> int:
        """About how many JSON files are of one kind: in folders of many only some are looked at."""
        by_folder: dict[tuple[str, ...], list[Member]] = defaultdict(list)
        for member in self.having("json", *more):
            by_folder[folders(member.name)].append(member)
        count = 0.0
        looked_at = 0
        for members in by_folder.values():
            sampled = members[:: -(-len(members) // _SAMPLED_PER_FOLDER)]
            looked_at += len(sampled)
            if looked_at > _MOST_SAMPLED:
                break
            like = 0
            for member in sampled:
                # Kept, because one format after the other asks for the same files.
                self._outlines[member.name] = self._outline(member)
                like += is_kind(self._outlines[member.name])
            count += like * len(members) / len(sampled)
        return ceil(count)

    def _outline(self, member: Member) -> Outline:
        known = self._outlines.get(member.name)
        return outline(self.head(member, HEAD_BYTES)[:HEAD_BYTES]) if known is None else known


def extension(path: str) -> str:
    """The extension of a path, lower case, without its dot; empty when it has none."""
    name = path.rstrip("/").rpartition("/")[2]
    at = name.rfind(".")
    # As pathlib has it: a dot at either end begins no extension.
    return name[at + 1 :].lower() if 0 < at < len(name) - 1 else ""


def stem(path: str) -> str:
    """The file name without folders and extension."""
    name = path.rstrip("/").rpartition("/")[2]
    at = name.rfind(".")
    return name[:at] if 0 < at < len(name) - 1 else name


def folders(path: str) -> tuple[str, ...]:
    """The folders of a path from the outermost on."""
    return tuple(path.split("/")[:-1])


def _is_left_behind(path: str) -> bool:
    """Whether a file manager or an editor left it: `__MACOSX/`, `.DS_Store`, `._photo.jpg`,
    `.ipynb_checkpoints/`.
    """
    return any(part.startswith(".") or part.lower() in _LEFT_BEHIND for part in path.split("/"))
