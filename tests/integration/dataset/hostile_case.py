"""What a hostile archive is, and what an import has to make of it."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.unit.dataset.archives import Files, png, zipped

MIB = 1 << 20
PICTURE: Files = {"a.png": png(40, 30)}
YOLO: Files = {**PICTURE, "data.yaml": "names: [cell]\n", "a.txt": "0 0.5 0.5 0.2 0.2\n"}


@dataclass(frozen=True)
class Case:
    """An archive, and what becomes of it: it is refused for a reason, or images and problems are reported."""

    build: Callable[[], bytes]
    refused: str = ""
    """Reason of the refusal; empty where the import goes on."""
    images: int = 1
    """Images that come in."""
    annotations: int = 0
    """Annotations that come in."""
    reasons: frozenset[str] = field(default_factory=frozenset)
    """Reasons of all problems."""


class Cases(dict[str, Case]):
    """Cases by name."""

    def refuse(self, name: str, reason: str, build: Callable[[], bytes]) -> None:
        """Add an archive that is refused."""
        self[name] = Case(build, refused=reason)

    def report(
        self,
        name: str,
        files: Files | Callable[[], Files],
        *reasons: str,
        images: int = 1,
        annotations: int = 0,
    ) -> None:
        """Add a zip of files that comes in as far as it can, with problems of these reasons."""

        def build() -> bytes:
            return zipped(files() if callable(files) else files, zipfile.ZIP_STORED)

        self[name] = Case(build, "", images, annotations, frozenset(reasons))
