"""Exports as COCO: one annotations.json for all images, written while they go by."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.exports.export_format import ExportFormat, box_of
from annotateforge.dataset.images import Image

_BLOCK = 1 << 20


class CocoExport(ExportFormat):
    """Boxes, and other shapes as polygons with their boxes."""

    name = "coco"

    def __init__(self, classes: Sequence[str], new_file: Callable[[], IO[bytes]]) -> None:
        super().__init__(classes, new_file)
        self._ids = {label: number for number, label in enumerate(self.classes, start=1)}
        self._images = new_file()
        self._annotations = new_file()
        self._image_count = 0
        self._annotation_count = 0

    def write(self, path: str, image: Image, annotations: Sequence[Annotation]) -> None:
        self._image_count += 1
        width, height = image.facts.width, image.facts.height
        entry = {"id": self._image_count, "file_name": f"images/{path}", "width": width, "height": height}
        _append(self._images, entry, first=self._image_count == 1)
        for annotation in annotations:
            self._annotation_count += 1
            left, top, right, bottom = box_of(annotation)
            corners = [] if annotation.type is AnnotationType.BOX else [self.corners_of(annotation)]
            written = {
                "id": self._annotation_count,
                "image_id": self._image_count,
                "category_id": self._ids[self.label_of(annotation)],
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top),
                "segmentation": corners,
                "iscrowd": 0,
                **({} if annotation.confidence is None else {"score": annotation.confidence}),
            }
            _append(self._annotations, written, first=self._annotation_count == 1)

    def rest(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        yield "annotations.json", self._document()

    def _document(self) -> Iterator[bytes]:
        categories = [{"id": number, "name": label} for label, number in self._ids.items()]
        yield b'{"info": {},\n"categories": ' + json.dumps(categories, ensure_ascii=False).encode()
        for key, file in (("images", self._images), ("annotations", self._annotations)):
            yield f',\n"{key}": ['.encode()
            file.seek(0)
            while block := file.read(_BLOCK):
                yield block
            yield b"]"
        yield b"}\n"


def _append(file: IO[bytes], element: dict[str, object], *, first: bool) -> None:
    file.write((b"\n" if first else b",\n") + json.dumps(element, ensure_ascii=False).encode())
