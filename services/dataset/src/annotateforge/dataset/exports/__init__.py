"""Exports: the images and annotations of a project as a zip that other tools, and an import, read."""

from annotateforge.dataset.exports.coco import CocoExport
from annotateforge.dataset.exports.export_format import ExportFormat
from annotateforge.dataset.exports.voc import VocExport
from annotateforge.dataset.exports.yolo import YoloExport
from annotateforge.runtime.errors import InvalidArgument

FORMATS: dict[str, type[ExportFormat]] = {each.name: each for each in (YoloExport, CocoExport, VocExport)}


def export_format(name: str) -> type[ExportFormat]:
    """The format of a name. InvalidArgument INVALID_EXPORT_FORMAT."""
    if name not in FORMATS:
        raise InvalidArgument.of_field(
            "INVALID_EXPORT_FORMAT", "format", f"must be one of {', '.join(FORMATS)}"
        )
    return FORMATS[name]
