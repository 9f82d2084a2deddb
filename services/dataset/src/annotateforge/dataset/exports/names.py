"""Names of images in an export: those that they have, changed only where a label file would be ambiguous."""

from annotateforge.dataset.archive_names import extension_of
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.imports.pairing import place
from annotateforge.dataset.imports.tree import KEPT_EXTENSIONS, extension, stem
from annotateforge.dataset.imports.yolo_classes import NAME_LISTS

_RESERVED = frozenset(stem(name) for name in NAME_LISTS)


class ExportNames:
    """Gives each image a path whose folders and stem no other one has, so that its labels are its alone."""

    def __init__(self) -> None:
        self._taken: set[tuple[tuple[str, ...], str]] = set()

    def path(self, filename: str, image_format: ImageFormat) -> str:
        """The path of an image below `images/`: with an extension that says what it is, without hidden
        folders, and with a number at the end of its stem where another image has folders and stem.
        """
        parts = [f"_{part}" if part.startswith(".") else part for part in filename.split("/")]
        name = "/".join(parts)
        if extension(name) not in KEPT_EXTENSIONS:
            name += extension_of(image_format)
        body, _, suffix = name.rpartition(".")
        free, number = body, 1
        while (key := (place(name), stem(f"{free}.x").casefold())) in self._taken or key[1] in _RESERVED:
            number += 1
            free = f"{body}_{number}"
        self._taken.add(key)
        return f"{free}.{suffix}"
