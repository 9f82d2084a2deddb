"""Exports as Pascal VOC: an XML file for every image; polygons beside their boxes, as Roboflow does."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.exports.export_format import ExportFormat, box_of
from annotateforge.dataset.images import Image


class VocExport(ExportFormat):
    """Boxes, and other shapes as polygons with their boxes. Coordinates count from 0 and are not rounded."""

    name = "voc"

    def write(self, path: str, image: Image, annotations: Sequence[Annotation]) -> tuple[str, bytes]:
        folder, _, name = path.rpartition("/")
        lines = [
            "<annotation>",
            f"  <folder>{escape(folder)}</folder>",
            f"  <filename>{escape(name)}</filename>",
            f"  <size><width>{image.facts.width}</width><height>{image.facts.height}</height></size>",
            *(line for annotation in annotations for line in self._object(annotation)),
            "</annotation>",
        ]
        return f"Annotations/{path.rpartition('.')[0]}.xml", "".join(f"{line}\n" for line in lines).encode()

    def _object(self, annotation: Annotation) -> Iterator[str]:
        if annotation.confidence is not None:
            self.notes["confidences, left out"] += 1
        yield "  <object>"
        yield f"    <name>{escape(self.label_of(annotation))}</name>"
        sides = zip(("xmin", "ymin", "xmax", "ymax"), box_of(annotation), strict=True)
        yield f"    <bndbox>{''.join(f'<{side}>{value!r}</{side}>' for side, value in sides)}</bndbox>"
        if annotation.type is not AnnotationType.BOX:
            corners = self.corners_of(annotation)
            numbered = [
                f"<{'xy'[at % 2]}{at // 2 + 1}>{value!r}</{'xy'[at % 2]}{at // 2 + 1}>"
                for at, value in enumerate(corners)
            ]
            yield f"    <polygon>{''.join(numbered)}</polygon>"
        yield "  </object>"
