"""Exports as YOLO: data.yaml, and for every image a text file of boxes and polygons as shares of its size."""

from collections.abc import Iterator, Sequence

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.exports.export_format import ExportFormat
from annotateforge.dataset.images import Image
from annotateforge.dataset.labels import data_yaml


class YoloExport(ExportFormat):
    """Boxes and polygons, mixed in one file. Shapes are cut at the edge of their image, as YOLO demands."""

    name = "yolo"

    def fixed_files(self) -> Iterator[tuple[str, bytes]]:
        yield "data.yaml", data_yaml({"train": "images", "val": "images"}, tuple(self.classes))

    def write(self, path: str, image: Image, annotations: Sequence[Annotation]) -> tuple[str, bytes]:
        ids = {label: class_id for class_id, label in enumerate(self.classes)}
        width, height = image.facts.width, image.facts.height
        lines = []
        for annotation in annotations:
            box = annotation.type is AnnotationType.BOX
            drawn = annotation.coordinates if box else self.corners_of(annotation)
            shares = [
                min(max(value / (height if at % 2 else width), 0.0), 1.0) for at, value in enumerate(drawn)
            ]
            if any(not 0 <= value <= (height if at % 2 else width) for at, value in enumerate(drawn)):
                self.notes["shapes that reached beyond their image, cut at its edge"] += 1
            xs, ys = shares[::2], shares[1::2]
            if min(xs) == max(xs) or min(ys) == max(ys):
                self.notes["shapes outside their image or without area, left out"] += 1
                continue
            if box:
                x1, y1, x2, y2 = shares
                shares = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
            if annotation.confidence is not None:
                self.notes["confidences, left out"] += 1
            lines.append(
                " ".join([str(ids[self.label_of(annotation)]), *(f"{share:.12g}" for share in shares)])
            )
        text = "".join(f"{line}\n" for line in lines)
        return f"labels/{path.rpartition('.')[0]}.txt", text.encode()
